"""mlcycle's client library, on Trainyard: `client = mlcycle.init_with(host)`.

A method answers False where the request was not successful, and raises ApiError where an argument
has a wrong format. A claim's lease is kept in the client, and renewed in a thread.
"""

from . import models
from ._client import Client, Scheduler, from_env, init_with
from ._collections import FragmentCollection, JobCollection, ProjectCollection, WorkerCollection
from ._gateway import ApiError, Environment
from .models import (
    DockerBuildConfiguration,
    DockerConfiguration,
    Fragment,
    Job,
    Project,
    Step,
    Worker,
)

__all__ = [
    "ApiError",
    "Client",
    "DockerBuildConfiguration",
    "DockerConfiguration",
    "Environment",
    "Fragment",
    "FragmentCollection",
    "Job",
    "JobCollection",
    "Project",
    "ProjectCollection",
    "Scheduler",
    "Step",
    "Worker",
    "WorkerCollection",
    "from_env",
    "init_with",
    "models",
]

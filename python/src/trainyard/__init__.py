"""Trainyard for Python: jobs, runs, devices and files of a gateway. No dependencies.

import trainyard as ty

client = ty.Client()
job = client.project("digits").submit("python train.py --epochs 5")
for piece in job.log():
    print(piece.text, end="")
job.wait()
"""

from . import tensors
from ._async_client import AsyncClient, AsyncJob, AsyncProject
from ._calls import Resources
from ._client import Client
from ._curves import Curve
from ._devices import Device
from ._errors import (
    DamagedFile,
    GatewayUnreachable,
    JobFailed,
    Refused,
    RequestRefused,
    StepStopped,
    TrainyardError,
)
from ._endings import sync
from ._files import File, Files
from ._generated import (
    AlreadyExists,
    Event,
    IdempotencyConflict,
    InvalidInput,
    InvalidState,
    LogChunk,
    MetricPoint,
    NotFound,
    StaleLease,
)
from ._jobs import Job, Project
from ._runs import Run, init
from ._steps import Step
from ._streams import AsyncStream, Stream
from ._version import VERSION as __version__

__all__ = [
    "AlreadyExists",
    "AsyncClient",
    "AsyncJob",
    "AsyncProject",
    "AsyncStream",
    "Client",
    "Curve",
    "DamagedFile",
    "Device",
    "Event",
    "File",
    "Files",
    "GatewayUnreachable",
    "IdempotencyConflict",
    "InvalidInput",
    "InvalidState",
    "Job",
    "JobFailed",
    "LogChunk",
    "MetricPoint",
    "NotFound",
    "Project",
    "Refused",
    "RequestRefused",
    "Resources",
    "Run",
    "StaleLease",
    "Step",
    "StepStopped",
    "Stream",
    "TrainyardError",
    "__version__",
    "init",
    "sync",
    "tensors",
]

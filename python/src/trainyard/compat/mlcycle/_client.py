"""The client and its scheduler."""

from __future__ import annotations

import os
from typing import List, Optional

from ..._client import Client as Gateway
from ..._generated import CLAIM_STEP, COMPLETE_STEP, FAIL_STEP, ClaimStepInput, FailStepInput
from ..._leases import Lease
from ..._protocol import tell
from .. import _operations as ops
from ._collections import FragmentCollection, JobCollection, ProjectCollection, WorkerCollection
from ._gateway import Environment, OrFalse, answer, require_id, require_number
from .models import Job, Step

LEASE_SECONDS = 60.0


class Scheduler:
    """What can be run, and by whom it is."""

    def __init__(self, env: Environment) -> None:
        self._env = env

    def get_pending(self) -> OrFalse[List[Job]]:
        """The steps that can be claimed now, each in its job, in the order of claiming."""

        def ask() -> List[Job]:
            found = self._env.gateway.request(ops.MLCYCLE_PENDING, {})["nodes"]
            return [
                Job(
                    initiator=int(step["job"]["nativeInitiator"]),
                    steps=[Step(name=step["name"], number=step["number"])],
                    project_id=step["job"]["project"]["id"],
                    created=step["job"]["createdAt"],
                    id=step["job"]["id"],
                )
                for step in found
            ]

        return answer(ask)

    def claim(self, job_id: str, step_number: int) -> bool:
        """Claims a step. Until complete or error, a thread renews its lease."""
        job, number = require_id(job_id, "job_id"), require_number(step_number)
        gateway = self._env.gateway

        def ask() -> bool:
            given: ClaimStepInput = {
                "jobId": job,
                "stepNumber": number,
                "leaseSeconds": LEASE_SECONDS,
            }
            claimed = gateway.request(CLAIM_STEP, {"input": given})
            lease = Lease(gateway.http, gateway.asker, claimed.lease.token, LEASE_SECONDS)
            lease.start()
            self._env.leases[job, number] = lease
            return True

        return answer(ask)

    def complete(self, job_id: str, step_number: int) -> bool:
        """Ends a step that this client has claimed, as done."""
        return self._end(job_id, step_number, None)

    def error(self, job_id: str, step_number: int, description: Optional[str] = None) -> bool:
        """Ends a step that this client has claimed, as failed."""
        return self._end(job_id, step_number, description or "The worker reported an error.")

    def _end(self, job_id: str, step_number: int, failure: Optional[str]) -> bool:
        job, number = require_id(job_id, "job_id"), require_number(step_number)
        lease = self._env.leases.pop((job, number), None)
        if lease is None:
            tell(f"step {number} of {job} was not claimed by this client")
            return False
        gateway = self._env.gateway

        def ask() -> bool:
            if failure is None:
                gateway.request(COMPLETE_STEP, {"input": {"leaseToken": lease.token}})
            else:
                said: FailStepInput = {"leaseToken": lease.token, "description": failure[:1000]}
                gateway.request(FAIL_STEP, {"input": said})
            return True

        try:
            return answer(ask)
        finally:
            lease.close()


class Client:
    """mlcycle's client."""

    env: Environment
    """The host, and the project, job and step that this process runs."""
    Workers: WorkerCollection
    """The workers."""
    Projects: ProjectCollection
    """The projects."""
    Jobs: JobCollection
    """The jobs."""
    Scheduler: Scheduler
    """What can be run."""
    Fragments: FragmentCollection
    """The files of jobs."""

    def __init__(self, env: Environment) -> None:
        self.env = env
        self.Workers = WorkerCollection(env)
        self.Projects = ProjectCollection(env)
        self.Jobs = JobCollection(env)
        self.Scheduler = Scheduler(env)
        self.Fragments = FragmentCollection(env)


def from_env() -> Client:
    """A client for what the environment names: TRAINYARD_URL, and inside a step also that step."""
    step = os.environ.get("TRAINYARD_STEP_NUMBER")
    gateway = Gateway()
    return Client(
        Environment(
            gateway,
            gateway.url,
            os.environ.get("TRAINYARD_PROJECT_ID"),
            os.environ.get("TRAINYARD_JOB_ID"),
            int(step) if step else None,
        )
    )


def init_with(host: str) -> Client:
    """A client for the gateway at an address. Its key is found as by trainyard.Client."""
    gateway = Gateway(host)
    return Client(Environment(gateway, gateway.url))

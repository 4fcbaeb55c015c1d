"""neuromation.api: `async with get() as client: await client.jobs.run(container)`."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import Any, AsyncGenerator, AsyncIterator, Dict, List, Optional, Set

from ..._async_client import AsyncClient
from ..._calls import cancel_job, find_project, not_found
from ..._protocol import new_key
from .. import _operations as ops
from ._models import (
    STATUSES,
    URL,
    Container,
    HTTPPort,
    JobDescription,
    JobStatus,
    JobStatusHistory,
    JobTelemetry,
    RemoteImage,
    Resources,
    Volume,
    container_input,
    read_description,
    read_telemetry,
)

__all__ = [
    "URL",
    "Client",
    "Container",
    "HTTPPort",
    "JobDescription",
    "JobStatus",
    "JobStatusHistory",
    "JobTelemetry",
    "Jobs",
    "RemoteImage",
    "Resources",
    "Volume",
    "get",
]


class Jobs:
    """The jobs."""

    def __init__(self, gateway: AsyncClient) -> None:
        self._gateway = gateway

    async def run(
        self,
        container: Container,
        *,
        name: Optional[str] = None,
        description: Optional[str] = None,
        is_preemptible: bool = False,
        schedule_timeout: Optional[float] = None,
    ) -> JobDescription:
        """Starts a new job, in the default project. Without a name, it has that of its image."""
        project = await self._gateway.run(find_project(self._gateway.asker, None))
        given: Dict[str, Any] = {
            "projectId": project.id,
            "name": name or container.image.name or "job",
            "description": description,
            "isPreemptible": is_preemptible,
            "scheduleTimeoutSeconds": schedule_timeout,
            "container": container_input(container),
            "idempotencyKey": new_key(),
        }
        payload = await self._gateway.request(ops.NEUROMATION_RUN, {"input": given})
        return read_description(payload["job"])

    async def list(
        self, *, statuses: Optional[Set[JobStatus]] = None, name: Optional[str] = None
    ) -> List[JobDescription]:
        """The jobs in these states, of this name, that the key can see. Newest first."""
        filter_: Dict[str, Any] = {"name": name, "projectId": self._gateway.asker.target.project_id}
        if statuses:
            filter_["statuses"] = [word for status in statuses for word in STATUSES[status]]
        found: List[JobDescription] = []
        after: Optional[str] = None
        while True:
            page = await self._gateway.request(
                ops.NEUROMATION_LIST, {"filter": filter_, "after": after}
            )
            found.extend(read_description(data) for data in page["nodes"])
            after = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                return found

    async def status(self, id: str) -> JobDescription:
        """A job. Raises trainyard.NotFound."""
        data = await self._gateway.request(ops.NEUROMATION_STATUS, {"id": id})
        if data is None:
            raise not_found("The job", id)
        return read_description(data)

    async def kill(self, id: str) -> None:
        """Cancels a job. Raises trainyard.InvalidState if it has ended."""
        await self._gateway.run(cancel_job(self._gateway.asker, id, None, 30.0))

    async def top(self, id: str) -> AsyncIterator[JobTelemetry]:
        """What a job has used, and uses, until it has ended."""
        async for frame in self._gateway.stream(ops.NEUROMATION_TOP, {"jobId": id}):
            for sample in frame["samples"]:
                yield read_telemetry(sample)


class Client:
    """neuromation's client."""

    def __init__(self, gateway: AsyncClient) -> None:
        self.jobs = Jobs(gateway)
        """The jobs."""


@asynccontextmanager
async def get() -> AsyncGenerator[Client, None]:
    """A client for the gateway of TRAINYARD_URL and TRAINYARD_TOKEN, or the credentials file."""
    async with AsyncClient() as gateway:
        yield Client(gateway)

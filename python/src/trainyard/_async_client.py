"""The client for asyncio: AsyncClient, and the objects that it returns."""

from __future__ import annotations

import asyncio
import ssl
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Type, TypeVar
from urllib.parse import quote

from ._async_http import AsyncHttp, frames
from ._calls import (
    Asker,
    Command,
    Resources,
    ask_curve,
    ask_job,
    ask_latest_file,
    ask_metric_names,
    cancel_job,
    create_job,
    create_project,
    delete_job,
    find_project,
    job_filter,
    job_input,
    list_jobs,
    list_projects,
    raise_failure,
    retry_job,
)
from ._client import Client
from ._curves import Curve
from ._files import File, PathLike
from ._generated import (
    EVENTS,
    GATEWAY,
    JOB_STATUS,
    LOG,
    METRICS,
    VIEWER,
    Event,
    GatewayInfo,
    JobCodeInput,
    JobData,
    JobStatus,
    LogChunk,
    MetricPoint,
    ProjectData,
    StepInput,
    Viewer,
)
from ._operation import Operation
from ._protocol import Conversation, ask_text
from ._settings import find_target
from ._streams import AsyncStream
from ._transfers import send_code

Variables = TypeVar("Variables")
Result = TypeVar("Result")


class AsyncClient:
    """A gateway, and the key to it, for asyncio. See Client: what it says holds here as well.

        async with ty.AsyncClient() as client:
            job = await client.job(id)
            async for point in job.metrics("loss"):
                print(point.iteration, point.value)
    """

    def __init__(
        self,
        url: Optional[str] = None,
        token: Optional[str] = None,
        *,
        project: Optional[str] = None,
        timeout: float = 30.0,
        patience: float = 60.0,
        context: Optional[ssl.SSLContext] = None,
    ) -> None:
        """The same arguments as Client's. Raises ValueError if the URL is not one of http or https."""
        self.http = AsyncHttp(context)
        self.asker = Asker(find_target(url, token, project), timeout, patience)
        self._context = context

    @property
    def url(self) -> str:
        """The gateway's address, which is also that of its console."""
        return self.asker.target.url

    async def viewer(self) -> Viewer:
        """Who this client is to the gateway: its key's name, kind and role."""
        return await self.request(VIEWER, {})

    async def gateway(self) -> GatewayInfo:
        """The gateway: its version, its database, its limits."""
        return await self.request(GATEWAY, {})

    async def project(self, name: Optional[str] = None, *, create: bool = False) -> AsyncProject:
        """A project by name or id. Raises LookupError. See Client.project."""
        return AsyncProject(self, await self.run(find_project(self.asker, name, create)))

    async def projects(self) -> List[AsyncProject]:
        """All projects that the key can see."""
        return [AsyncProject(self, data) for data in await self.run(list_projects(self.asker))]

    async def create_project(self, name: str) -> AsyncProject:
        """Creates a project. Names need not be unique."""
        return AsyncProject(self, await self.run(create_project(self.asker, name)))

    async def job(self, id: str) -> AsyncJob:
        """A job by id, `job_…`. Raises NotFound."""
        return AsyncJob(self, await self.run(ask_job(self.asker, id)))

    async def jobs(
        self,
        *,
        project: Optional[str] = None,
        status: Optional[JobStatus] = None,
        name: Optional[str] = None,
        labels: Optional[Mapping[str, str]] = None,
        newest: int = 100,
    ) -> List[AsyncJob]:
        """The newest jobs that meet every given condition, newest first."""
        filter_ = await self.run(job_filter(self.asker, project, status, name, labels))
        found = await self.run(list_jobs(self.asker, filter_, newest))
        return [AsyncJob(self, data) for data in found]

    async def execute(
        self, document: str, variables: Optional[Mapping[str, Any]] = None
    ) -> Dict[str, Any]:
        """Runs any query or mutation, and returns the answer's data as JSON has it."""
        asker = self.asker
        return await self.run(
            ask_text(
                asker.target,
                document,
                dict(variables or {}),
                timeout=asker.timeout,
                patience=asker.patience,
            )
        )

    async def request(
        self, operation: Operation[Variables, Result], variables: Variables
    ) -> Result:
        """Runs one of the operations of trainyard.api, whose types it has."""
        return await self.run(self.asker.ask(operation, variables))

    async def run(self, conversation: Conversation[Result]) -> Result:
        """Holds a conversation of this package."""
        return await self.http.run(conversation)

    def stream(self, operation: Operation[Any, Any], variables: Mapping[str, Any]) -> Any:
        """The frames of a subscription."""
        asker = self.asker
        return frames(self.http, asker.target, operation, variables, patience=asker.patience)

    def blocking(self) -> Client:
        """A Client with the same address and key."""
        target, asker = self.asker.target, self.asker
        return Client(
            target.url,
            target.token,
            project=target.project_id,
            timeout=asker.timeout,
            patience=asker.patience,
            context=self._context,
        )

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        """Each request has a connection of its own: nothing is left open."""

    def __repr__(self) -> str:
        return f"<AsyncClient {self.url}>"


class AsyncProject:
    """A project: it owns jobs, files, devices and models."""

    def __init__(self, client: AsyncClient, data: ProjectData) -> None:
        self._client = client
        self.data = data

    @property
    def id(self) -> str:
        """Its id, `proj_…`."""
        return self.data.id

    @property
    def name(self) -> str:
        """Its name."""
        return self.data.name

    async def submit(
        self,
        command: Optional[Command] = None,
        *,
        name: Optional[str] = None,
        image: Optional[str] = None,
        resources: Optional[Resources] = None,
        settings: Optional[Mapping[str, Any]] = None,
        labels: Optional[Mapping[str, str]] = None,
        env: Optional[Mapping[str, str]] = None,
        secret_env: Sequence[str] = (),
        priority: int = 0,
        description: Optional[str] = None,
        steps: Optional[Sequence[StepInput]] = None,
        code: Optional[PathLike] = None,
        **more: Any,
    ) -> AsyncJob:
        """Creates a job. The same arguments as Project.submit's."""
        sent: Optional[JobCodeInput] = None
        if code is not None:
            blocking = self._client.blocking()
            sending = partial(send_code, blocking.http, blocking.asker, code, self.id)
            sent = await asyncio.get_running_loop().run_in_executor(None, sending)
        given = job_input(
            self.id,
            command,
            name=name,
            image=image,
            resources=resources,
            settings=settings,
            labels=labels,
            env=env,
            secret_env=secret_env,
            priority=priority,
            description=description,
            steps=steps,
            code=sent,
            more=more,
        )
        payload = await self._client.run(create_job(self._client.asker, given))
        return AsyncJob(self._client, payload.job)

    def __repr__(self) -> str:
        return f"<AsyncProject {self.name!r} {self.id}>"


class AsyncJob:
    """A job, as it was last read. `refresh` reads it again."""

    def __init__(self, client: AsyncClient, data: JobData) -> None:
        self._client = client
        self.data = data

    @property
    def id(self) -> str:
        """Its id, `job_…`."""
        return self.data.id

    @property
    def name(self) -> str:
        """Its name."""
        return self.data.name

    @property
    def status(self) -> JobStatus:
        """Its status, as last read."""
        return self.data.status

    @property
    def output(self) -> Optional[Dict[str, Any]]:
        """Its result document, as last read. None: it has none."""
        return self.data.output

    @property
    def url(self) -> str:
        """Its page in the console."""
        return f"{self._client.url}/jobs/{quote(self.id)}"

    async def refresh(self) -> AsyncJob:
        """Reads it again. Raises NotFound if it was deleted."""
        self.data = await self._client.run(ask_job(self._client.asker, self.id))
        return self

    async def cancel(self, reason: Optional[str] = None, *, timeout: float = 30.0) -> AsyncJob:
        """Cancels it. Its devices have `timeout` seconds to stop. Raises InvalidState."""
        asker = self._client.asker
        self.data = await self._client.run(cancel_job(asker, self.id, reason, timeout))
        return self

    async def retry(self) -> AsyncJob:
        """Creates a new job like this one. Raises InvalidState while it has not ended."""
        data = await self._client.run(retry_job(self._client.asker, self.id))
        return AsyncJob(self._client, data)

    async def delete(self) -> None:
        """Deletes it with its files. Raises InvalidState while it has not ended."""
        await self._client.run(delete_job(self._client.asker, self.id))

    def log(
        self, *, step: Optional[int] = None, after: Optional[str] = None, follow: bool = True
    ) -> AsyncStream[LogChunk]:
        """Its log. See Job.log."""
        variables = {"jobId": self.id, "stepNumber": step, "after": after}
        found = self._client.stream(LOG, variables)
        return AsyncStream(found, lambda frame: frame.chunks, after, follow)

    def metrics(
        self, *names: str, after: Optional[str] = None, follow: bool = True
    ) -> AsyncStream[MetricPoint]:
        """The values of its metrics. See Job.metrics."""
        variables = {"jobId": self.id, "names": list(names) or None, "after": after}
        found = self._client.stream(METRICS, variables)
        return AsyncStream(found, lambda frame: frame.points, after, follow)

    def events(self, *, after: Optional[str] = None, follow: bool = True) -> AsyncStream[Event]:
        """What happens to it. See Job.events."""
        variables = {"filter": {"jobId": self.id}, "after": after}
        found = self._client.stream(EVENTS, variables)
        return AsyncStream(found, lambda frame: frame.events, after, follow)

    async def wait(self, *, check: bool = True) -> AsyncJob:
        """Waits until it has ended, and reads it again. For a time-out use asyncio.wait_for.

        Raises JobFailed if it FAILED or was CANCELLED, unless `check` is False.
        """
        async for _ in self._client.stream(JOB_STATUS, {"jobId": self.id}):
            pass
        await self.refresh()
        if check:
            raise_failure(self.data)
        return self

    async def curve(self, name: str, *, max_points: int = 1000) -> Curve:
        """One metric, thinned. See Job.curve."""
        return Curve(
            await self._client.run(ask_curve(self._client.asker, self.id, name, max_points))
        )

    async def metric_names(self) -> Tuple[str, ...]:
        """The names of its metrics."""
        return await self._client.run(ask_metric_names(self._client.asker, self.id))

    async def download(self, name: str, path: Optional[PathLike] = None) -> Path:
        """Downloads its newest file of this name, in a thread. See File.download."""
        data = await self._client.run(ask_latest_file(self._client.asker, self.id, name))
        file = File(self._client.blocking(), data)
        return await asyncio.get_running_loop().run_in_executor(None, file.download, path)

    def __repr__(self) -> str:
        return f"<AsyncJob {self.name!r} {self.status} {self.id}>"

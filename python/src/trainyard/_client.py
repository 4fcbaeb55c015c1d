"""The client for programs that wait."""

from __future__ import annotations

import ssl
from typing import Any, Dict, List, Mapping, Optional, Sequence, TypeVar

from ._calls import (
    Asker,
    Resources,
    ask_job,
    create_project,
    find_project,
    job_filter,
    list_jobs,
    list_projects,
)
from ._devices import Device, register
from ._generated import (
    EVENTS,
    GATEWAY,
    VIEWER,
    DeviceKind,
    Event,
    EventType,
    GatewayInfo,
    JobStatus,
    Viewer,
)
from ._http import Http, subscribe
from ._jobs import Job, Project
from ._operation import Operation
from ._protocol import Conversation, ask_text
from ._settings import find_target
from ._streams import Stream

Variables = TypeVar("Variables")
Result = TypeVar("Result")


class Client:
    """A gateway, and the key to it. Threads may share a client.

        client = ty.Client()
        job = client.project("digits").submit("python train.py")

    A request that meets trouble with the network is sent again, for as long as `patience` says,
    with an idempotency key where it creates something: it takes effect once. After 5 s the client
    tells what it waits for, on the logger `trainyard`, which by default writes to stderr.
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
        """Connects to nothing yet.

        url, token: default: the environment (TRAINYARD_URL, TRAINYARD_TOKEN), else a credentials
        file. project: the default project, by name or id. timeout: seconds for one try of a
        request. patience: seconds for all tries. context: for https, with the certificates to
        trust; default: those of the system.
        Raises ValueError if the URL is not one of http or https.
        """
        self.http = Http(context)
        self.asker = Asker(find_target(url, token, project), timeout, patience)

    @property
    def url(self) -> str:
        """The gateway's address, which is also that of its console."""
        return self.asker.target.url

    def viewer(self) -> Viewer:
        """Who this client is to the gateway: its key's name, kind and role."""
        return self.request(VIEWER, {})

    def gateway(self) -> GatewayInfo:
        """The gateway: its version, its database, its limits."""
        return self.request(GATEWAY, {})

    def project(self, name: Optional[str] = None, *, create: bool = False) -> Project:
        """A project by name or id.

        name: default: the client's default project, else the only one that the key can see.
        create: make a project of this name if there is none.
        Raises LookupError if there is none, or if several have the name.
        """
        return Project(self, self.run(find_project(self.asker, name, create)))

    def projects(self) -> List[Project]:
        """All projects that the key can see."""
        return [Project(self, data) for data in self.run(list_projects(self.asker))]

    def create_project(self, name: str) -> Project:
        """Creates a project. Names need not be unique. Needs an EDITOR of all projects."""
        return Project(self, self.run(create_project(self.asker, name)))

    def job(self, id: str) -> Job:
        """A job by id, `job_…`. Raises NotFound."""
        return Job(self, self.run(ask_job(self.asker, id)))

    def jobs(
        self,
        *,
        project: Optional[str] = None,
        status: Optional[JobStatus] = None,
        name: Optional[str] = None,
        labels: Optional[Mapping[str, str]] = None,
        newest: int = 100,
    ) -> List[Job]:
        """The newest jobs that meet every given condition, newest first."""
        filter_ = self.run(job_filter(self.asker, project, status, name, labels))
        found = self.run(list_jobs(self.asker, filter_, newest))
        return [Job(self, data) for data in found]

    def device(
        self,
        name: str,
        *,
        kind: DeviceKind = "WORKER",
        labels: Optional[Mapping[str, str]] = None,
        resources: Optional[Resources] = None,
        slots: int = 1,
        project: Optional[str] = None,
        lease_seconds: float = 60.0,
    ) -> Device:
        """Registers this process as a device, which claims steps: `for step in device.steps()`.

        The gateway gives a device a key of its own. It is kept in this user's state folder, and
        used from then on instead of the client's. name: unique within the project. slots: how many
        steps it may hold at once. lease_seconds: how long the gateway waits for a device that
        does not answer before it gives its step to another one.
        """
        return register(
            self,
            name,
            kind=kind,
            labels=labels,
            resources=resources,
            slots=slots,
            project=project,
            lease_seconds=lease_seconds,
        )

    def events(
        self,
        *,
        project: Optional[str] = None,
        types: Optional[Sequence[EventType]] = None,
        after: Optional[str] = None,
    ) -> Stream[Event]:
        """What happens to the jobs that this key may see, from the beginning or after a cursor."""
        filter_: Dict[str, Any] = {}
        if project is not None:
            filter_["projectId"] = self.project(project).id
        if types is not None:
            filter_["types"] = list(types)
        frames = subscribe(
            self.http,
            self.asker.target,
            EVENTS,
            {"filter": filter_, "after": after},
            patience=self.asker.patience,
        )
        return Stream(frames, lambda frame: frame.events)

    def execute(
        self, document: str, variables: Optional[Mapping[str, Any]] = None
    ) -> Dict[str, Any]:
        """Runs any query or mutation, and returns the answer's data as JSON has it.

        A refusal of a mutation is part of the data. Network trouble is retried: give a mutation
        that creates something an idempotencyKey. Raises RequestRefused, GatewayUnreachable.
        """
        asker = self.asker
        return self.run(
            ask_text(
                asker.target,
                document,
                dict(variables or {}),
                timeout=asker.timeout,
                patience=asker.patience,
            )
        )

    def request(self, operation: Operation[Variables, Result], variables: Variables) -> Result:
        """Runs one of the operations of trainyard.api, whose types it has."""
        return self.run(self.asker.ask(operation, variables))

    def run(self, conversation: Conversation[Result]) -> Result:
        """Holds a conversation of this package."""
        return self.http.run(conversation)

    def __repr__(self) -> str:
        return f"<Client {self.url}>"

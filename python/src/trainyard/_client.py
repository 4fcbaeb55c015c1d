"""The client for programs that wait: Client, and the objects that it returns."""

from __future__ import annotations

import ssl
from datetime import datetime
from typing import (
    TYPE_CHECKING,
    Any,
    Dict,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    TypeVar,
)
from urllib.parse import quote

from . import _show
from ._calls import (
    Asker,
    Command,
    Resources,
    ask_curve,
    ask_job,
    ask_metric_names,
    cancel_job,
    create_job,
    create_project,
    delete_job,
    find_project,
    job_filter,
    job_input,
    label_inputs,
    list_jobs,
    list_projects,
    raise_failure,
    retry_job,
    update_job,
)
from ._curves import Curve
from ._files import File, Files
from ._generated import (
    EVENTS,
    GATEWAY,
    JOB_STATUS,
    LOG,
    METRICS,
    VIEWER,
    DeviceKind,
    Event,
    EventType,
    FragmentType,
    GatewayInfo,
    JobData,
    JobStatus,
    LogChunk,
    MetricPoint,
    ProjectData,
    StepInput,
    UpdateJobInput,
    Viewer,
)
from ._http import Http, subscribe
from ._operation import Operation
from ._protocol import Conversation, ask_text
from ._settings import find_target
from ._streams import Stream
from ._transfers import Source, name_of, upload

if TYPE_CHECKING:
    from ._devices import Device

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
        from ._devices import register

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


class Project:
    """A project: it owns jobs, files, devices and models."""

    def __init__(self, client: Client, data: ProjectData) -> None:
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

    def submit(
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
        **more: Any,
    ) -> Job:
        """Creates a job.

        command: what to run, as one line for the shell, or as a list of words. name: default: the
        command's first word. image: a container image; default: a process in a folder of its own.
        secret_env: names of variables of this environment, whose values only the device sees that
        runs the job. priority: higher is claimed first. steps: instead of a command, the steps in
        order. more: other fields of CreateJobInput, with the schema's names
        (`runTimeoutSeconds=3600`).
        Raises InvalidInput with the fields that the gateway does not accept, NotFound, ValueError.
        """
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
            more=more,
        )
        payload = self._client.run(create_job(self._client.asker, given))
        return Job(self._client, payload.job)

    def upload(
        self,
        source: Source,
        name: Optional[str] = None,
        *,
        type: Optional[FragmentType] = None,
        replace: bool = False,
    ) -> File:
        """Stores a file of the project itself, which all of its jobs may read.

        source: a path, or bytes, which need a name. Raises AlreadyExists, unless `replace`.
        """
        client = self._client
        filename = name_of(source, name)
        data = upload(
            client.http,
            client.asker,
            source,
            filename,
            type=type,
            project_id=self.id,
            replace=replace,
        )
        return File(client, data)

    def jobs(
        self,
        *,
        status: Optional[JobStatus] = None,
        name: Optional[str] = None,
        labels: Optional[Mapping[str, str]] = None,
        newest: int = 100,
    ) -> List[Job]:
        """Its newest jobs that meet every given condition, newest first."""
        return self._client.jobs(
            project=self.id, status=status, name=name, labels=labels, newest=newest
        )

    def __repr__(self) -> str:
        return f"<Project {self.name!r} {self.id}>"


class Job:
    """A job, as it was last read. `refresh` reads it again."""

    def __init__(self, client: Client, data: JobData) -> None:
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
    def settings(self) -> Dict[str, Any]:
        """Its settings, as last read."""
        return self.data.settings

    @property
    def labels(self) -> Dict[str, str]:
        """Its labels, as last read."""
        return {label.key: label.value for label in self.data.labels}

    @property
    def output(self) -> Optional[Dict[str, Any]]:
        """Its result document, as last read. None: it has none."""
        return self.data.output

    @property
    def created_at(self) -> datetime:
        """When it was created, in UTC."""
        return self.data.created_at

    @property
    def url(self) -> str:
        """Its page in the console."""
        return f"{self._client.url}/jobs/{quote(self.id)}"

    @property
    def files(self) -> Files:
        """Its files: `job.files["model.safetensors"].download()`."""
        return Files(self._client, self.id)

    def refresh(self) -> Job:
        """Reads it again. Raises NotFound if it was deleted."""
        self.data = self._client.run(ask_job(self._client.asker, self.id))
        return self

    def cancel(self, reason: Optional[str] = None, *, timeout: float = 30.0) -> Job:
        """Cancels it. Its devices have `timeout` seconds to stop: 0 to a day.

        Raises InvalidState if it has ended.
        """
        asker = self._client.asker
        self.data = self._client.run(cancel_job(asker, self.id, reason, timeout))
        return self

    def retry(self) -> Job:
        """Creates a new job like this one. Raises InvalidState while it has not ended."""
        return Job(
            self._client, self._client.run(retry_job(self._client.asker, self.id))
        )

    def delete(self) -> None:
        """Deletes it with its files. Raises InvalidState while it has not ended."""
        self._client.run(delete_job(self._client.asker, self.id))

    def update(
        self,
        *,
        name: Optional[str] = None,
        description: Optional[str] = None,
        priority: Optional[int] = None,
        labels: Optional[Mapping[str, str]] = None,
        settings: Optional[Mapping[str, Any]] = None,
    ) -> Job:
        """Changes what is given. `labels` and `settings` replace all.

        Raises InvalidState for settings after its first step was claimed.
        """
        given: UpdateJobInput = {
            "jobId": self.id,
            "name": name,
            "description": description,
            "priority": priority,
            "labels": None if labels is None else label_inputs(labels),
            "settings": settings,
        }
        self.data = self._client.run(update_job(self._client.asker, given))
        return self

    def log(
        self, *, step: Optional[int] = None, after: Optional[str] = None, follow: bool = True
    ) -> Stream[LogChunk]:
        """Its log, in pieces of text: what there is, then each new piece, until the job has ended.

        step: only the step of this number. after: a cursor to go on from.
        follow: False ends with what there is now.
        """
        frames = subscribe(
            self._client.http,
            self._client.asker.target,
            LOG,
            {"jobId": self.id, "stepNumber": step, "after": after},
            patience=self._client.asker.patience,
        )
        return Stream(frames, lambda frame: frame.chunks, follow)

    def metrics(
        self, *names: str, after: Optional[str] = None, follow: bool = True
    ) -> Stream[MetricPoint]:
        """The values of its metrics in the order in which they were reported, and each new one.

        names: default: all. after: a cursor to go on from.
        follow: False ends with what there is now.
        """
        frames = subscribe(
            self._client.http,
            self._client.asker.target,
            METRICS,
            {"jobId": self.id, "names": list(names) or None, "after": after},
            patience=self._client.asker.patience,
        )
        return Stream(frames, lambda frame: frame.points, follow)

    def events(self, *, after: Optional[str] = None, follow: bool = True) -> Stream[Event]:
        """What happens to it: created, claimed, files ready, ended. It goes on after the end.

        after: a cursor to go on from. follow: False ends with what there is now.
        """
        frames = subscribe(
            self._client.http,
            self._client.asker.target,
            EVENTS,
            {"filter": {"jobId": self.id}, "after": after},
            patience=self._client.asker.patience,
        )
        return Stream(frames, lambda frame: frame.events, follow)

    def wait(self, timeout: Optional[float] = None, *, check: bool = True) -> Job:
        """Waits until it has ended, and reads it again.

        timeout: seconds, after which TimeoutError is raised; the job goes on. Default: none.
        Raises JobFailed if it FAILED or was CANCELLED, unless `check` is False.
        """
        frames = subscribe(
            self._client.http,
            self._client.asker.target,
            JOB_STATUS,
            {"jobId": self.id},
            timeout=timeout,
            patience=self._client.asker.patience,
        )
        for _ in frames:
            pass
        self.refresh()
        if check:
            raise_failure(self.data)
        return self

    def curve(self, name: str, *, max_points: int = 1000) -> Curve:
        """One metric, thinned to `max_points` (1 to 5000): its peaks are among them."""
        asker = self._client.asker
        return Curve(self._client.run(ask_curve(asker, self.id, name, max_points)))

    def metric_names(self) -> Tuple[str, ...]:
        """The names of its metrics."""
        return self._client.run(ask_metric_names(self._client.asker, self.id))

    def follow(self, *names: str) -> Job:
        """Shows its status and metrics until it has ended: a live line, in Jupyter a small chart.

        names: the metrics to show. Default: all. Raises JobFailed like `wait`.
        """
        _show.follow(self, names)
        return self.wait()

    def __repr__(self) -> str:
        return f"<Job {self.name!r} {self.status} {self.id}>"

    def _repr_html_(self) -> str:
        return _show.job_html(self)


__all__ = ["Client", "Job", "Project", "Resources"]

"""Projects and their jobs."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Sequence, Tuple
from urllib.parse import quote

from . import _show
from ._calls import (
    Command,
    Resources,
    ask_curve,
    ask_job,
    ask_metric_names,
    cancel_job,
    create_job,
    delete_job,
    job_input,
    label_inputs,
    raise_failure,
    retry_job,
    update_job,
)
from ._curves import Curve
from ._files import File, Files, PathLike
from ._generated import (
    EVENTS,
    JOB_STATUS,
    LOG,
    METRICS,
    Event,
    FragmentType,
    JobData,
    JobStatus,
    LogChunk,
    MetricPoint,
    ProjectData,
    StepInput,
    UpdateJobInput,
)
from ._http import subscribe
from ._streams import Stream
from ._transfers import Source, name_of, send_code, upload

if TYPE_CHECKING:
    from ._client import Client


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
        code: Optional[PathLike] = None,
        **more: Any,
    ) -> Job:
        """Creates a job.

        command: what to run, as one line for the shell, or as a list of words. name: default: the
        command's first word. image: a container image; default: a process in a folder of its own.
        secret_env: names of variables of this environment, whose values only the device sees that
        runs the job. priority: higher is claimed first. steps: instead of a command, the steps in
        order. code: a folder that travels with the job, into the working folder of each step: what
        git tracks or could add, else everything, without what `.trainyardignore` leaves out. An
        unchanged folder is not sent again. more: other fields of CreateJobInput, with the schema's names
        (`runTimeoutSeconds=3600`).
        Raises InvalidInput with the fields that the gateway does not accept, NotFound, ValueError.
        """
        client = self._client
        sent = None if code is None else send_code(client.http, client.asker, code, self.id)
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
        payload = client.run(create_job(client.asker, given))
        return Job(client, payload.job)

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

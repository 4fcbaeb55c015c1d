"""Runs: `ty.init()` inside a step of an agent is that step, elsewhere it is a job of its own."""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import shutil
import signal
import socket
import sys
import threading
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Dict, Mapping, Optional, Type, Union

from ._calls import create_job, create_project, find_project, label_inputs
from ._client import Client
from ._endings import claim, hold, outcome_of, report_outcome, runs_folder, sync
from ._errors import GatewayUnreachable, Refused, RequestRefused, TrainyardError
from ._files import File
from ._generated import SET_JOB_OUTPUT, CreateJobInput, FragmentType
from ._jobs import Job
from ._outbox import write_json
from ._protocol import as_object, log, tell
from ._reporter import Reporter, to_number, to_plain
from ._transfers import upload

PathLike = Union[str, "os.PathLike[str]"]
FINISH_SECONDS = 60.0
"""How long the end of a run waits for a gateway that is away."""


class Run:
    """What one training run reports. `ty.init` makes it. Use it in a `with`, or call `finish`.

    An exception that leaves the `with` fails the run, Ctrl-C cancels a job of its own.
    """

    def __init__(self, client: Client, job_id: str, config: Mapping[str, Any]) -> None:
        self._client = client
        self._job_id = job_id
        self.config: Dict[str, Any] = dict(config)
        """The run's settings. Inside a step: the job's, over those that `init` was given."""
        self.summary: Dict[str, Any] = {}
        """Becomes the output document of the job when the run ends."""
        self._step = -1
        self._pid = os.getpid()
        self._is_finished = False
        atexit.register(self._at_exit)

    @property
    def job(self) -> Job:
        """The job, as it is now."""
        return self._client.job(self._job_id)

    @property
    def id(self) -> str:
        """The id of the job, `job_…`."""
        return self._job_id

    @property
    def url(self) -> str:
        """The job's page in the console."""
        return f"{self._client.url}/jobs/{self._job_id}"

    @property
    def should_stop(self) -> bool:
        """Whether the run has to end soon: its job is cancelled, or makes room for another."""
        raise NotImplementedError

    def log(self, values: Mapping[str, Any], step: Optional[int] = None) -> None:
        """Reports numbers by name, such as `{"loss": 0.1, "acc": 0.9}`.

        Never waits for the gateway or the disk: the values are kept on disk until the gateway has
        them. step: the iteration, 0 or more; default: one more than the last. A metric has one
        value for each step: of two, the first stays. A value may be an array of NumPy or torch with
        one element. NaN and infinity are left out, and told once.
        """
        if self._is_finished or os.getpid() != self._pid:
            # A forked worker has no thread that would deliver it.
            log.warning("run.log has no effect after the run's end or in a forked process")
            return
        self._step = self._step + 1 if step is None else int(step)
        self._report(values, self._step)

    def _report(self, values: Mapping[str, Any], step: int) -> None:
        raise NotImplementedError

    def write(self, text: str) -> None:
        """Adds text to the job's log. Never waits for the gateway or the disk."""
        raise NotImplementedError

    def save(
        self, path: PathLike, name: Optional[str] = None, *, type: Optional[FragmentType] = None
    ) -> Optional[File]:
        """Stores a file with the job, replacing one of the same name. Waits until it is stored.

        name: default: the file's name. type: default: by the name, MODEL for `.safetensors` and
        `.pt`. Inside a step, a file that cannot be stored now is left to the agent, which stores it
        when the step ends; None is returned then.
        Raises FileNotFoundError, GatewayUnreachable.
        """
        raise NotImplementedError

    def finish(self, error: Optional[BaseException] = None) -> None:
        """Ends the run: succeeded, or failed with this error. Delivers what is left.

        If the gateway stays away, what is left stays on disk, and a warning says how to send it.
        """
        raise NotImplementedError

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        if isinstance(error, SystemExit) and error.code in (None, 0):
            error = None
        self.finish(error)

    def _at_exit(self) -> None:
        if self._is_finished or os.getpid() != self._pid:
            return
        # Set when the interpreter has printed the traceback of an exception that nobody caught.
        error = None if hasattr(sys, "ps1") else getattr(sys, "last_value", None)
        self.finish(error)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._job_id}>"


class StepRun(Run):
    """A run inside a step: the agent that runs the step delivers what it reports."""

    def __init__(self, client: Client, config: Mapping[str, Any]) -> None:
        env = os.environ
        settings: Dict[str, Any] = {}
        if env.get("TRAINYARD_SETTINGS"):
            content = as_object(json.loads(Path(env["TRAINYARD_SETTINGS"]).read_text("utf-8")))
            settings = (content or {}).get("settings") or {}
        super().__init__(client, env["TRAINYARD_JOB_ID"], {**config, **settings})
        self._metrics = env["TRAINYARD_METRICS"]
        self._fragments = Path(env["TRAINYARD_FRAGMENTS"])
        self._token = env["TRAINYARD_TOKEN"]
        self._told: Dict[str, bool] = {}
        self._terminated = threading.Event()
        self._listen()

    def _listen(self) -> None:
        """SIGTERM is how an agent tells a step to stop. It is heard by `should_stop` alone."""
        is_main = threading.current_thread() is threading.main_thread()
        if not is_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
            return

        def hear(number: int, frame: Optional[FrameType]) -> None:
            self._terminated.set()

        signal.signal(signal.SIGTERM, hear)

    @property
    def should_stop(self) -> bool:
        return self._terminated.is_set()

    def _report(self, values: Mapping[str, Any], step: int) -> None:
        point: Dict[str, Any] = {"iteration": step}
        for name, value in values.items():
            number = to_number(value)
            if number is None:
                if name not in self._told:
                    self._told[name] = True
                    tell(f"{name!r} is left out: {value!r} is not a number")
                continue
            point[str(name)] = number
        # One write at the end of the file: workers that write as well cut no line in two.
        line = (json.dumps(point) + "\n").encode("utf-8")
        with open(self._metrics, "ab", buffering=0) as file:
            file.write(line)

    def write(self, text: str) -> None:
        # The agent reads it from the pipe.
        sys.stdout.write(text)
        sys.stdout.flush()

    def save(
        self, path: PathLike, name: Optional[str] = None, *, type: Optional[FragmentType] = None
    ) -> Optional[File]:
        filename = name or Path(path).name
        client = self._client
        try:
            data = upload(
                client.http,
                client.asker,
                path,
                filename,
                type=type,
                job_id=self._job_id,
                lease_token=self._token,
                replace=True,
            )
            return File(client, data)
        except GatewayUnreachable as error:
            tell(f"{filename} is left to the agent: {error}")
            target = self._fragments / filename
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
            return None

    def finish(self, error: Optional[BaseException] = None) -> None:
        if self._is_finished:
            return
        self._is_finished = True
        if not self.summary:
            return
        try:
            self._client.request(
                SET_JOB_OUTPUT,
                {
                    "input": {
                        "jobId": self._job_id,
                        "leaseToken": self._token,
                        "output": to_plain(self.summary),
                    }
                },
            )
        except TrainyardError as refusal:
            tell(f"the summary could not be stored: {refusal}")


class OwnRun(Run):
    """A run outside of any step: a job of its own, whose only step this process holds."""

    def __init__(
        self, client: Client, job_id: str, token: str, config: Mapping[str, Any], folder: Path
    ) -> None:
        super().__init__(client, job_id, config)
        self._folder = folder
        self._note: Dict[str, Any] = {"url": client.url, "jobId": job_id, "token": token}
        self._keep_note()
        self._lease = hold(client, token, self._claim_again)
        self._reporter = Reporter(client.http, client.asker, self._lease, folder)
        self._lease.start()
        self._reporter.start()

    def _keep_note(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_json(self._folder / "run.json", self._note)

    def _claim_again(self) -> Optional[str]:
        """A laptop that slept has lost its lease. Nobody else runs this step: go on with it."""
        token = claim(self._client, self._job_id, wait=False)
        if token is not None:
            self._note["token"] = token
            self._keep_note()
            tell("the run has lost its lease, and goes on as a new attempt")
        return token

    @property
    def should_stop(self) -> bool:
        return self._lease.stop.is_set()

    def _report(self, values: Mapping[str, Any], step: int) -> None:
        self._reporter.metrics(values, step)

    def write(self, text: str) -> None:
        self._reporter.text(text)

    def save(
        self, path: PathLike, name: Optional[str] = None, *, type: Optional[FragmentType] = None
    ) -> Optional[File]:
        client = self._client
        data = upload(
            client.http,
            client.asker,
            path,
            name or Path(path).name,
            type=type,
            job_id=self._job_id,
            lease_token=self._lease.token,
            replace=True,
        )
        return File(client, data)

    def finish(self, error: Optional[BaseException] = None) -> None:
        if self._is_finished:
            return
        self._is_finished = True
        self._reporter.outbox.end()
        self._reporter.outbox.flush(10.0)
        self._note["outcome"] = outcome_of(error, to_plain(self.summary))
        self._keep_note()
        is_delivered = False
        try:
            is_delivered = self._reporter.finish(FINISH_SECONDS) and report_outcome(
                self._client, self._job_id, self._lease, self._note["outcome"]
            )
        except KeyboardInterrupt:
            tell("interrupted while the rest was delivered")
        except TrainyardError as trouble:
            tell(f"the end of the run could not be reported: {trouble}")
        finally:
            self._lease.close()
            self._reporter.outbox.close(remove=is_delivered or self._lease.lost.is_set())
        if not is_delivered and not self._lease.lost.is_set():
            tell(
                f"what is left of {self._job_id} is in {self._folder}: "
                "`python -m trainyard sync` sends it when the gateway is back"
            )


def init(
    *,
    project: Optional[str] = None,
    name: Optional[str] = None,
    config: Optional[Mapping[str, Any]] = None,
    labels: Optional[Mapping[str, str]] = None,
    client: Optional[Client] = None,
) -> Run:
    """Begins a run.

    Inside a step that an agent runs (it sets TRAINYARD_JOB_ID), it is that step: `config` has the
    defaults of the job's settings, and the other arguments have no effect. Elsewhere it is a new
    job, which this process holds: project: by name or id, created if there is none of this name;
    default: that of `client`. name: default: the script's. config: its settings.

    What an earlier process on this machine could not deliver is delivered in the background.
    Raises LookupError for a project that is not there, GatewayUnreachable, RequestRefused.
    """
    client = client or Client()
    if os.environ.get("TRAINYARD_JOB_ID") and os.environ.get("TRAINYARD_METRICS"):
        return StepRun(client, config or {})
    threading.Thread(target=_sync_quietly, args=(client,), daemon=True).start()
    asker = client.asker
    project_id = _project_of(client, project)
    given: CreateJobInput = {
        "projectId": project_id,
        "name": name or Path(sys.argv[0] or "notebook").stem or "notebook",
        # A label that no device has: only this process claims the step.
        "steps": [
            {
                "name": "run",
                "requiredLabels": [{"key": "trainyard.run", "value": _host()}],
            }
        ],
        "settings": to_plain(config or {}),
        "labels": label_inputs(labels or {}),
    }
    job = client.run(create_job(asker, given)).job
    token = claim(client, job.id, wait=True)
    if token is None:
        raise RequestRefused("INVALID_STATE", f"The step of {job.id} could not be claimed.")
    return OwnRun(client, job.id, token, config or {}, runs_folder() / job.id)


def _project_of(client: Client, name: Optional[str]) -> str:
    try:
        return client.run(find_project(client.asker, name)).id
    except LookupError:
        if name is None or name.startswith("proj_"):
            raise
    # The same key in all processes that begin at once: one project.
    key = f"python-init-{hashlib.sha256(name.encode('utf-8')).hexdigest()}"
    try:
        return client.run(create_project(client.asker, name, key)).id
    except Refused:
        # The key was used for a project that was deleted since.
        return client.run(create_project(client.asker, name)).id


def _sync_quietly(client: Client) -> None:
    try:
        sync(Client(client.url, client.asker.target.token, patience=1.0))
    except Exception as error:
        # The next run, or `python -m trainyard sync`, tries again.
        log.debug("what earlier runs left could not be sent: %s", error)


def _host() -> str:
    return socket.gethostname()[:100] or "host"

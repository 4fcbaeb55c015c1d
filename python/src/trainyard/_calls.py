"""What Client and AsyncClient ask, as conversations that either of them can hold."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from typing import (
    Any,
    Callable,
    Dict,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    TypeVar,
    Union,
)

from ._errors import JobFailed
from ._generated import (
    CANCEL_JOB,
    CREATE_JOB,
    CREATE_PROJECT,
    CURVE,
    DELETE_JOB,
    JOB,
    JOBS,
    LATEST_FILE,
    METRIC_NAMES,
    PROJECT,
    PROJECTS,
    RETRY_JOB,
    UPDATE_JOB,
    ContainerInput,
    CreateJobInput,
    CreateJobPayload,
    CurveData,
    FileData,
    InvalidState,
    JobCodeInput,
    JobData,
    JobFilter,
    JobOrder,
    JobStatus,
    LabelInput,
    NotFound,
    ProjectData,
    ResourcesInput,
    StepInput,
    UpdateJobInput,
)
from ._operation import Operation
from ._protocol import Conversation, Exchange, Target, ask, new_key

Variables = TypeVar("Variables")
Result = TypeVar("Result")
PAGE = 100

Command = Union[str, Sequence[str]]


@dataclass(frozen=True)
class Resources:
    """What a step needs of its device. None: no need stated."""

    cpu: Optional[float] = None
    """Cores, or parts of one."""
    memory_mb: Optional[int] = None
    """Memory in mebibytes."""
    gpu: Optional[int] = None
    """GPUs."""
    gpu_model: Optional[str] = None
    """The model of those GPUs, as its device names it."""
    shm: bool = False
    """Whether /dev/shm is as large as the memory. For containers."""

    def to_input(self) -> ResourcesInput:
        """As the API takes it."""
        return {
            "cpu": self.cpu,
            "memoryMb": self.memory_mb,
            "gpu": self.gpu,
            "gpuModel": self.gpu_model,
            "shm": self.shm,
        }


@dataclass(frozen=True)
class Asker:
    """How a client asks: where, and how long it tries."""

    target: Target
    timeout: float
    patience: float

    def ask(
        self,
        operation: Operation[Variables, Result],
        variables: Variables,
        timeout: Optional[float] = None,
    ) -> Conversation[Result]:
        """Asks for one operation."""
        seconds = self.timeout if timeout is None else timeout
        return ask(self.target, operation, variables, timeout=seconds, patience=self.patience)


def not_found(what: str, id_: str) -> NotFound:
    """The exception where the gateway answers null."""
    return NotFound(
        {
            "code": "NOT_FOUND",
            "message": f"{what} {id_} does not exist, or this key may not see it.",
            "id": id_,
        }
    )


def find_project(
    asker: Asker, name: Optional[str], create: bool = False
) -> Conversation[ProjectData]:
    """A project by name or id; without one the default, else the only one that the key can see."""
    wanted = name or asker.target.project_id
    if wanted is not None and wanted.startswith("proj_"):
        project = yield from ask_project(asker, wanted)
        return project
    found = yield from list_projects(asker)
    matching = [project for project in found if wanted is None or project.name == wanted]
    if len(matching) == 1:
        return matching[0]
    if not matching and create and wanted is not None:
        created = yield from create_project(asker, wanted)
        return created
    names = ", ".join(f"{project.name} ({project.id})" for project in (matching or found))
    if not found:
        raise LookupError("The key can see no project. Create one: client.create_project(name).")
    if wanted is None:
        raise LookupError(f"Choose a project by name or id. The key can see {names}.")
    count = "no project" if not matching else "several projects"
    raise LookupError(f"There {'is' if not matching else 'are'} {count} named {wanted!r}: {names}.")


def ask_project(asker: Asker, id_: str) -> Conversation[ProjectData]:
    """A project by id. Raises NotFound."""
    project = yield from asker.ask(PROJECT, {"id": id_})
    if project is None:
        raise not_found("The project", id_)
    return project


def list_projects(asker: Asker) -> Conversation[List[ProjectData]]:
    """All projects that the key can see."""
    found: List[ProjectData] = []
    after: Optional[str] = None
    while True:
        page = yield from asker.ask(PROJECTS, {"first": PAGE, "after": after})
        found.extend(page.nodes)
        after = page.page_info.end_cursor
        if not page.page_info.has_next_page:
            return found


def create_project(
    asker: Asker, name: str, key: Optional[str] = None
) -> Conversation[ProjectData]:
    """Creates a project."""
    payload = yield from asker.ask(
        CREATE_PROJECT, {"input": {"name": name, "idempotencyKey": key or new_key()}}
    )
    return payload.project


def ask_job(asker: Asker, id_: str) -> Conversation[JobData]:
    """A job by id. Raises NotFound."""
    job = yield from asker.ask(JOB, {"id": id_})
    if job is None:
        raise not_found("The job", id_)
    return job


def list_jobs(
    asker: Asker,
    filter_: JobFilter,
    newest: int,
    order: Optional[JobOrder] = None,
) -> Conversation[List[JobData]]:
    """The newest jobs that a filter matches."""
    found: List[JobData] = []
    after: Optional[str] = None
    while len(found) < newest:
        first = min(PAGE, newest - len(found))
        page = yield from asker.ask(
            JOBS, {"filter": filter_, "orderBy": order, "first": first, "after": after}
        )
        found.extend(page.nodes)
        after = page.page_info.end_cursor
        if not page.page_info.has_next_page:
            break
    return found


def job_filter(
    asker: Asker,
    project: Optional[str],
    status: Optional[JobStatus],
    name: Optional[str],
    labels: Optional[Mapping[str, str]],
) -> Conversation[JobFilter]:
    """The filter for these conditions."""
    filter_: JobFilter = {}
    if project is not None:
        found = yield from find_project(asker, project)
        filter_["projectId"] = found.id
    if status is not None:
        filter_["statuses"] = [status]
    if name is not None:
        filter_["name"] = name
    if labels is not None:
        filter_["labels"] = label_inputs(labels)
    return filter_


def create_job(asker: Asker, given: CreateJobInput) -> Conversation[CreateJobPayload]:
    """Creates a job, once, however often it has to be asked."""
    # Given again with each try: the same key.
    payload = yield from asker.ask(
        CREATE_JOB, {"input": {**given, "idempotencyKey": given.get("idempotencyKey") or new_key()}}
    )
    return payload


def cancel_job(
    asker: Asker, id_: str, reason: Optional[str], timeout: float
) -> Conversation[JobData]:
    """Cancels a job. Raises InvalidState if it has ended, unless by this call."""
    tries: List[None] = []
    asking = asker.ask(
        CANCEL_JOB, {"input": {"jobId": id_, "reason": reason, "cancelTimeoutSeconds": timeout}}
    )
    try:
        payload = yield from _count(asking, lambda: tries.append(None))
    except InvalidState as refusal:
        # The answer to a first try was lost.
        if len(tries) > 1 and refusal.status == "CANCELLED":
            job = yield from ask_job(asker, id_)
            return job
        raise
    return payload.job


def delete_job(asker: Asker, id_: str) -> Conversation[None]:
    """Deletes a job. Raises NotFound if there is none, unless it went by this call."""
    tries: List[None] = []
    try:
        yield from _count(
            asker.ask(DELETE_JOB, {"input": {"jobId": id_}}), lambda: tries.append(None)
        )
    except NotFound:
        if len(tries) < 2:
            raise


def _count(conversation: Conversation[Result], count: Callable[[], None]) -> Conversation[Result]:
    """The same conversation. Counts its requests."""
    try:
        effect = next(conversation)
        while True:
            if isinstance(effect, Exchange):
                count()
            try:
                answer = yield effect
            except Exception as error:
                effect = conversation.throw(error)
            else:
                effect = conversation.send(answer)
    except StopIteration as end:
        return end.value


def retry_job(asker: Asker, id_: str) -> Conversation[JobData]:
    """Starts a job that has ended again, as a new job."""
    payload = yield from asker.ask(
        RETRY_JOB, {"input": {"jobId": id_, "idempotencyKey": new_key()}}
    )
    return payload.job


def update_job(asker: Asker, given: UpdateJobInput) -> Conversation[JobData]:
    """Changes a job."""
    payload = yield from asker.ask(UPDATE_JOB, {"input": given})
    return payload.job


def ask_curve(asker: Asker, id_: str, name: str, most: int) -> Conversation[CurveData]:
    """One metric of a job, thinned."""
    job = yield from asker.ask(CURVE, {"jobId": id_, "name": name, "maxPoints": most})
    if job is None:
        raise not_found("The job", id_)
    return job.metric_series


def ask_metric_names(asker: Asker, id_: str) -> Conversation[Tuple[str, ...]]:
    """The names of a job's metrics."""
    job = yield from asker.ask(METRIC_NAMES, {"jobId": id_})
    if job is None:
        raise not_found("The job", id_)
    return job.metric_names


def ask_latest_file(asker: Asker, job_id: str, filename: str) -> Conversation[FileData]:
    """A job's newest file of a name. Raises KeyError if there is none."""
    job = yield from asker.ask(LATEST_FILE, {"jobId": job_id, "filename": filename})
    if job is None:
        raise not_found("The job", job_id)
    if job.latest_fragment is None:
        raise KeyError(filename)
    return job.latest_fragment


def job_input(
    project_id: str,
    command: Optional[Command],
    *,
    name: Optional[str],
    image: Optional[str],
    resources: Optional[Resources],
    settings: Optional[Mapping[str, Any]],
    labels: Optional[Mapping[str, str]],
    env: Optional[Mapping[str, str]],
    secret_env: Sequence[str],
    priority: int,
    description: Optional[str],
    steps: Optional[Sequence[StepInput]],
    code: Optional[JobCodeInput],
    more: Mapping[str, Any],
) -> CreateJobInput:
    """The input of a job. Raises ValueError for arguments that do not fit together."""
    ways = [command is not None, steps is not None, "federation" in more, "applicationId" in more]
    if sum(ways[:3]) > 1 or not any(ways):
        raise ValueError("A job needs either a command or steps, or a federation.")
    given: CreateJobInput = {"projectId": project_id, "name": name or _name_of(command)}
    container = _container(command, image, resources, env, secret_env)
    if container:
        given["container"] = container
    if steps is not None:
        given["steps"] = steps
    if code is not None:
        given["code"] = code
    if settings is not None:
        given["settings"] = settings
    if labels is not None:
        given["labels"] = label_inputs(labels)
    if priority != 0:
        given["priority"] = priority
    if description is not None:
        given["description"] = description
    # The rest has the schema's own names, and the gateway checks them.
    rest: Any = {**given, **more}
    return rest


def _container(
    command: Optional[Command],
    image: Optional[str],
    resources: Optional[Resources],
    env: Optional[Mapping[str, str]],
    secret_env: Sequence[str],
) -> ContainerInput:
    container: ContainerInput = {}
    if command is not None:
        container["command"] = command if isinstance(command, str) else shlex.join(command)
    if image is not None:
        container["image"] = image
    if resources is not None:
        container["resources"] = resources.to_input()
    variables: List[Dict[str, Any]] = [
        {"name": name, "value": value} for name, value in (env or {}).items()
    ]
    for name in secret_env:
        if name not in os.environ:
            raise ValueError(f"secret_env names {name}, which this environment does not have.")
        variables.append({"name": name, "value": os.environ[name], "isSecret": True})
    if variables:
        entries: Any = variables
        container["env"] = entries
    return container


def label_inputs(labels: Mapping[str, str]) -> List[LabelInput]:
    """Labels as the API takes them."""
    return [{"key": key, "value": value} for key, value in labels.items()]


def _name_of(command: Optional[Command]) -> str:
    if command is None:
        raise ValueError("A job without a command needs a name.")
    words = shlex.split(command) if isinstance(command, str) else list(command)
    return words[0] if words else "job"


TERMINAL: Tuple[JobStatus, ...] = ("SUCCEEDED", "FAILED", "CANCELLED")


def raise_failure(job: JobData) -> None:
    """Raises JobFailed unless the job has succeeded."""
    if job.status == "SUCCEEDED":
        return
    end = job.history
    raise JobFailed(job.id, job.status, end.reason, end.description, end.exit_code)


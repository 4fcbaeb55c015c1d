"""SeeMe's client library, on Trainyard: `client = Client(); client.create_job(Job(…))`.

A Job is a mutable object that is sent whole: `update_job` sends what differs from what was read. A
text that is left blank is the empty text. Refusals are the exceptions of trainyard: NotFound,
InvalidInput, InvalidState.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Dict, List, Mapping, Optional, Sequence

from .._calls import cancel_job, find_project, not_found
from .._calls import delete_job as delete
from .._client import Client as Gateway
from .._generated import InvalidState
from .._protocol import new_key
from . import _operations as ops
from ._answers import each


class JobStatus(str, Enum):
    """The status of a job."""

    WAITING = "waiting"
    """It waits."""
    STARTED = "started"
    """It runs."""
    FINISHED = "finished"
    """It has succeeded."""
    ERROR = "error"
    """It has failed, or was cancelled."""


class JobType(str, Enum):
    """The purpose of a job."""

    TRAINING = "training"
    """It trains a model."""
    VALIDATION = "validation"
    """It validates one."""
    CONVERSION = "conversion"
    """It converts one."""


class ValueType(str, Enum):
    """The type of an item's value."""

    INT = "int"
    """A whole number."""
    FLOAT = "float"
    """A number."""
    NUMBER = "number"
    """A whole number or a number."""
    TEXT = "text"
    """A text."""
    MULTI = "multi"
    """One of the options of the application."""
    BOOL = "bool"
    """`true` or `false`."""
    STRING_ARRAY = "string_array"
    """Texts, as a list in JSON."""


STATUSES: Mapping[JobStatus, Sequence[str]] = {
    JobStatus.WAITING: ("BLOCKED", "QUEUED"),
    JobStatus.STARTED: ("RUNNING", "SUSPENDED", "CANCELLING"),
    JobStatus.FINISHED: ("SUCCEEDED",),
    JobStatus.ERROR: ("FAILED", "CANCELLED"),
}
"""The statuses of Trainyard that each status stands for."""


@dataclass
class JobItem:
    """One setting of a job."""

    id: str = ""
    """Its id."""
    name: str = ""
    """Its name, which the application defines."""
    description: str = ""
    """Its description."""
    job_id: str = ""
    """The job that it belongs to."""
    value: str = ""
    """Its value, as text."""
    default_value: str = ""
    """The value where none is given."""
    value_type: ValueType = ValueType.TEXT
    """The type of its value."""
    label: str = ""
    """Its name for people."""
    created_at: str = ""
    """When it was created."""
    updated_at: str = ""
    """When it was last changed."""


@dataclass
class Job:
    """A job."""

    id: str = ""
    """Its id."""
    name: str = ""
    """Its name."""
    description: str = ""
    """Its description."""
    job_type: JobType = JobType.TRAINING
    """Its purpose."""
    application_id: str = ""
    """The application that it is a job of."""
    status: JobStatus = JobStatus.WAITING
    """Its status. Set by the gateway."""
    status_message: str = ""
    """What it is doing, for people."""
    user_id: str = ""
    """Who created it. Set by the gateway."""
    cpu_start_time: str = ""
    """When it began to compute. Set by its agent."""
    cpu_end_time: str = ""
    """When it had computed. Set by its agent."""
    gpu_start_time: str = ""
    """The same on a GPU."""
    gpu_end_time: str = ""
    """The same on a GPU."""
    agent_name: str = ""
    """The device that runs it. Set by the gateway."""
    dataset_id: str = ""
    """The dataset that it uses."""
    dataset_version_id: str = ""
    """The version of that dataset."""
    model_id: str = ""
    """The model that gets a version of what it trains. Blank: a new one, whose id it gets."""
    model_version_id: str = ""
    """The version that it has made. Set by the gateway."""
    start_model_id: str = ""
    """The model to go on from: its newest version, if none is named."""
    start_model_version_id: str = ""
    """The version to go on from."""
    created_at: str = ""
    """When it was created."""
    updated_at: str = ""
    """When it was last changed."""
    items: List[JobItem] = field(default_factory=lambda: [])
    """Its settings."""
    as_read: Optional[Job] = field(default=None, repr=False, compare=False)
    """The job as it was read, which update_job compares with. Not part of SeeMe's Job."""


CHANGEABLE = {
    "name": "name",
    "description": "description",
    "status_message": "statusMessage",
    "dataset_id": "datasetId",
    "dataset_version_id": "datasetVersionId",
    "application_id": "applicationId",
    "start_model_id": "startModelId",
    "start_model_version_id": "startModelVersionId",
}
"""What update_job can change, besides type and items, by its name in the API."""
LASTING = ("application_id", "start_model_id", "start_model_version_id")
"""What a job cannot do without any more, once it has it."""


class Client:
    """SeeMe's client."""

    def __init__(self, apikey: Optional[str] = None, backend: Optional[str] = None) -> None:
        """apikey: the key. backend: the gateway's address. Default: those of the environment."""
        self._gateway = Gateway(backend, apikey)

    def get_jobs(
        self,
        application_id: str = "",
        states: Optional[List[JobStatus]] = None,
        job_types: Optional[List[JobType]] = None,
    ) -> List[Job]:
        """The jobs of an application, in these states, of these types. Blank: of all."""
        filter_: Dict[str, Any] = {}
        if application_id:
            filter_["applicationId"] = application_id
        if states:
            filter_["statuses"] = [word for state in states for word in STATUSES[state]]
        if job_types:
            filter_["types"] = [kind.name for kind in job_types]
        return [_read_job(data) for data in each(self._gateway, ops.SEEME_JOBS, {"filter": filter_})]

    def create_job(self, job: Job) -> Job:
        """Creates a job, in the default project."""
        project = self._gateway.run(find_project(self._gateway.asker, None))
        given: Dict[str, Any] = {
            "projectId": project.id,
            "name": job.name,
            "description": job.description or None,
            "type": job.job_type.name,
            "applicationId": job.application_id or None,
            "datasetId": job.dataset_id or None,
            "datasetVersionId": job.dataset_version_id or None,
            "modelId": job.model_id or None,
            "items": [_item_input(item) for item in job.items],
            "idempotencyKey": new_key(),
        }
        if job.start_model_version_id:
            given["startModelVersionId"] = job.start_model_version_id
        elif job.start_model_id:
            given["startModelId"] = job.start_model_id
        return _read_job(self._gateway.request(ops.SEEME_CREATE, {"input": given})["job"])

    def get_job(self, job_id: str) -> Job:
        """A job. Raises trainyard.NotFound."""
        data = self._gateway.request(ops.SEEME_JOB, {"id": job_id})
        if data is None:
            raise not_found("The job", job_id)
        return _read_job(data)

    def update_job(self, job: Job) -> Job:
        """Changes what differs from what was read. Returns the job as it is then.

        Raises trainyard.InvalidState for what it runs with, once it has started, and ValueError for
        what only the gateway and the job's agent set.
        """
        before = job.as_read or self.get_job(job.id)
        given: Dict[str, Any] = {"jobId": job.id}
        for name, value in vars(job).items():
            if name == "as_read" or value == getattr(before, name):
                continue
            if name == "items":
                given["items"] = [_item_input(item) for item in job.items]
            elif name == "job_type":
                given["type"] = job.job_type.name
            elif name in LASTING and not value:
                raise ValueError(f"{name} cannot be left blank by update_job: choose another one.")
            elif name in CHANGEABLE:
                given[CHANGEABLE[name]] = value
            else:
                raise ValueError(f"{name} cannot be changed by update_job: it is {value!r}.")
        if "startModelVersionId" in given:
            given.pop("startModelId", None)  # The model of that version.
        if "applicationId" in given:
            given["items"] = [_item_input(item) for item in job.items]
        return _read_job(self._gateway.request(ops.SEEME_UPDATE, {"input": given})["job"])

    def delete_job(self, job_id: str) -> None:
        """Deletes a job. One that has not ended is cancelled first."""
        asker = self._gateway.asker
        try:
            self._gateway.run(delete(asker, job_id))
        except InvalidState:
            self._gateway.run(cancel_job(asker, job_id, None, 0.0))
            self._gateway.run(delete(asker, job_id))


def _item_input(item: JobItem) -> Dict[str, Any]:
    return {
        "name": item.name,
        "value": item.value,
        "valueType": item.value_type.name,
        "label": item.label or None,
        "description": item.description or None,
        "defaultValue": item.default_value or None,
    }


def _read_job(data: Mapping[str, Any]) -> Job:
    time, start = data["computeTime"], data["startModelVersion"]
    job = Job(
        id=data["id"],
        name=data["name"],
        description=data["description"] or "",
        job_type=JobType[data["type"]],
        application_id=_id_of(data["application"]),
        status=JobStatus[data["nativeStatus"]],
        status_message=data["statusMessage"] or "",
        user_id=data["owner"],
        cpu_start_time=time["cpuStartedAt"] or "",
        cpu_end_time=time["cpuEndedAt"] or "",
        gpu_start_time=time["gpuStartedAt"] or "",
        gpu_end_time=time["gpuEndedAt"] or "",
        agent_name=data["agentName"] or "",
        dataset_id=data["datasetId"] or "",
        dataset_version_id=data["datasetVersionId"] or "",
        model_id=_id_of(data["model"]),
        model_version_id=_id_of(data["modelVersion"]),
        start_model_id=_id_of(start and start["model"]),
        start_model_version_id=_id_of(start),
        created_at=data["createdAt"],
        updated_at=data["updatedAt"],
        items=[
            JobItem(
                id=item["id"],
                name=item["name"],
                description=item["description"] or "",
                job_id=data["id"],
                value=item["value"],
                default_value=item["defaultValue"] or "",
                value_type=ValueType[item["valueType"]],
                label=item["label"] or "",
                created_at=item["createdAt"],
                updated_at=item["updatedAt"],
            )
            for item in data["items"]
        ],
    )
    job.as_read = copy.deepcopy(job)
    return job


def _id_of(thing: Optional[Mapping[str, Any]]) -> str:
    return thing["id"] if thing else ""

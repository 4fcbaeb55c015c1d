"""vergeai's client library, on Trainyard: `vergeai.Job.create(…)`.

Answers are dicts with a `statusCode` and a `body`, whose numbers are text. A refusal is one too: its
status code says what kind it is, and its body has a `message`. The state dictionary of a model is
answered as it is: the values of each tensor, in lists, by its name.
"""

from __future__ import annotations

import threading
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from .._calls import cancel_job, not_found
from .._client import Client
from .._errors import Refused, RequestRefused
from .._files import File
from .._generated import InvalidInput, NotFound
from .._operation import read_time
from .._protocol import new_key
from . import _operations as ops
from ._answers import find_file

api_key: Optional[str] = None
"""The key. None: that of the environment or the credentials file."""

Answer = Dict[str, Any]
State = Dict[str, Any]

_clients = threading.local()


class Job:
    """The jobs: each trains on devices at the edge, and aggregates their models."""

    @staticmethod
    def create(
        project_id: str,
        experiment_id: Optional[str] = None,
        device_selection_strategy: str = "RANDOM",
        num_devices: int = 1,
        num_buffer_devices: int = 0,
        termination_criteria: Optional[List[Dict[str, Any]]] = None,
    ) -> Answer:
        """Creates a job.

        termination_criteria: `[]` is one round. Else rounds go on until one criterion holds:
        `{"maxRounds": 3}`, `{"maxDurationSeconds": 60}`,
        `{"metric": {"metric": "accuracy", "operator": "GTE", "threshold": 0.9}}`.
        """
        given: Dict[str, Any] = {
            "projectId": project_id,
            "experimentId": experiment_id,
            "name": "Federated training",
            "federation": {
                "deviceSelectionStrategy": device_selection_strategy,
                "numDevices": int(num_devices),
                "numBufferDevices": int(num_buffer_devices),
                "terminationCriteria": termination_criteria or [],
            },
            "idempotencyKey": new_key(),
        }
        return _answer(
            lambda: _body_of(_client().request(ops.VERGEAI_CREATE, {"input": given})["job"])
        )

    @staticmethod
    def cancel(project_id: str, job_id: str) -> Answer:
        """Cancels a job. The devices that hold a step have 30 seconds to stop."""

        def ask() -> Dict[str, Any]:
            client = _client()
            _find(client, project_id, job_id)
            client.run(cancel_job(client.asker, job_id, None, 30.0))
            return {}

        return _answer(ask)

    @staticmethod
    def get(project_id: str, job_id: str) -> Answer:
        """A job."""
        return _answer(lambda: _body_of(_find(_client(), project_id, job_id)))

    @staticmethod
    def get_aggregate_model(project_id: str, job_id: str) -> State:
        """The state dictionary of the newest aggregate."""
        return _state(project_id, job_id, "aggregateModel")

    @staticmethod
    def get_start_model(project_id: str, job_id: str) -> State:
        """The state dictionary of the model that the job starts from."""
        return _state(project_id, job_id, "startModel")


def _client() -> Client:
    """One client for each thread and key, which keeps its connection."""
    kept: Optional[Tuple[Optional[str], Client]] = getattr(_clients, "kept", None)
    if kept is None or kept[0] != api_key:
        kept = _clients.kept = (api_key, Client(token=api_key))
    return kept[1]


def _answer(ask: Callable[[], Dict[str, Any]]) -> Answer:
    try:
        return {"statusCode": 200, "body": ask()}
    except (Refused, RequestRefused) as error:
        return {"statusCode": _status_of(error), "body": {"code": error.code, "message": str(error)}}


def _status_of(error: Exception) -> int:
    if isinstance(error, NotFound):
        return 404
    if isinstance(error, RequestRefused):
        return {"UNAUTHENTICATED": 401, "FORBIDDEN": 403, "LIMIT_EXCEEDED": 429}.get(error.code, 400)
    return 400 if isinstance(error, InvalidInput) else 409


def _find(client: Client, project_id: str, job_id: str) -> Mapping[str, Any]:
    """A federated job of a project. Raises NotFound."""
    job = client.request(ops.VERGEAI_JOB, {"id": job_id})
    if job is None or job["project"]["id"] != project_id or job["federation"] is None:
        raise not_found("The federated job", job_id)
    return job


def _state(project_id: str, job_id: str, which: str) -> State:
    state: State = {}

    def ask() -> Dict[str, Any]:
        client = _client()
        model = _find(client, project_id, job_id)["federation"][which]
        data = model and find_file(client, model["id"])
        if data is None:
            raise not_found(f"The {which} of the job", job_id)
        for name, tensor in File(client, data).tensors().items():
            state[name] = tensor.tolist()
        return {}

    answer = _answer(ask)
    return state if answer["statusCode"] == 200 else answer


def _body_of(job: Mapping[str, Any]) -> Dict[str, Any]:
    federation = job["federation"]
    project_id = job["project"]["id"]
    experiment_id = job["experiment"] and job["experiment"]["id"]
    return {
        "ID": job["id"],
        "status": job["nativeStatus"],
        "devices": [device["id"] for device in federation["devices"]],
        "aggregate_model": _model_of(
            project_id, job["id"], "aggregate_model", federation["aggregateModel"]
        ),
        "start_model": _model_of(
            project_id, experiment_id or job["id"], "start_model", federation["startModel"]
        ),
        "configuration": {
            "num_devices": str(federation["numDevices"]),
            "num_buffer_devices": str(federation["numBufferDevices"]),
            "device_selection_strategy": federation["deviceSelectionStrategy"],
            "termination_criteria": [
                _criterion_of(each) for each in federation["terminationCriteria"]
            ],
        },
        "models": {
            each["device"]["id"]: _model_of(
                project_id, job["id"], each["device"]["id"], each["fragment"]
            )
            for each in federation["models"]
        },
        "created_on": str(read_time(job["createdAt"]).timestamp()),
        "billable_size": str(job["billableBytes"]),
        "project_id": project_id,
        "experiment_id": experiment_id,
    }


def _model_of(
    project_id: str, entity_id: str, name: str, model: Optional[Mapping[str, Any]]
) -> Dict[str, Any]:
    """A model, named by what it is the model of. Empty: there is none."""
    if model is None:
        return {}
    return {
        "entity_id": entity_id,
        "name": f"{project_id}/{entity_id}/{name}",
        "size": str(model["sizeBytes"]),
    }


def _criterion_of(criterion: Mapping[str, Any]) -> Dict[str, Any]:
    """A criterion as `create` takes it."""
    kind = criterion["__typename"]
    own = {name: value for name, value in criterion.items() if name != "__typename"}
    return {"metric": own} if kind == "MetricCriterion" else own

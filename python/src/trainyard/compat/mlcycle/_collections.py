"""The collections of a client: jobs, fragments, projects, workers."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Dict, List, Optional

from ..._calls import ask_latest_file, ask_project, find_project, list_jobs, list_projects, not_found
from ..._generated import CREATE_PROJECT, REGISTER_DEVICE, FragmentType, ProjectData
from ..._protocol import new_key
from ..._transfers import upload as store
from .. import _operations as ops
from .._answers import copy_in, copy_out, each, find_file
from ._gateway import (
    ApiError,
    Environment,
    OrFalse,
    answer,
    require,
    require_id,
    require_list,
    require_number,
)
from .models import (
    DockerConfiguration,
    Fragment,
    Job,
    Project,
    Step,
    Worker,
    read_fragment,
    read_job,
    read_worker,
)

TYPES: List[FragmentType] = ["METRICS", "BUILD_LOGS", "MODEL"]


class JobCollection:
    """The jobs."""

    def __init__(self, env: Environment) -> None:
        self._env = env

    def get_all(self) -> OrFalse[List[Job]]:
        """All jobs, newest first, without their fragments."""
        gateway = self._env.gateway
        return answer(lambda: [read_job(data) for data in each(gateway, ops.MLCYCLE_JOBS, {})])

    def get_by_id(self, job_id: str) -> OrFalse[Job]:
        """A job, with the fragments of its steps."""
        return answer(lambda: self._read(require_id(job_id, "job_id")))

    def add_steps(self, job_id: str, steps: List[Step]) -> OrFalse[Job]:
        """Adds steps after those that the job has. The gateway numbers them."""
        checked = require_list(steps, Step, "steps")
        given = {
            "jobId": require_id(job_id, "job_id"),
            "steps": [{"name": step.name, "container": _docker_input(step.docker)} for step in checked],
            "idempotencyKey": new_key(),
        }

        def ask() -> Job:
            self._env.gateway.request(ops.MLCYCLE_ADD_STEPS, {"input": given})
            return self._read(job_id)

        return answer(ask)

    def add_metrics(
        self,
        metrics: Dict[str, float],
        job_id: Optional[str] = None,
        step_number: Optional[int] = None,
    ) -> OrFalse[Job]:
        """Reports metrics of a step that this client has claimed, or that this process runs.

        Default: the step that this process runs.
        """
        job = require_id(job_id or self._env.job, "job_id")
        number = require_number(self._env.step if step_number is None else step_number)
        require(metrics, dict, "metrics")
        token = self._env.lease_token(job, number)
        if token is None:
            return False
        values = [{"name": name, "value": value} for name, value in metrics.items()]

        def ask() -> Job:
            given = {"leaseToken": token, "metrics": values}
            self._env.gateway.request(ops.MLCYCLE_ADD_METRICS, {"input": given})
            return self._read(job)

        return answer(ask)

    def trigger(self, project_id: str) -> OrFalse[Job]:
        """Starts a new job of a project."""
        given = {"projectId": require_id(project_id, "project_id"), "idempotencyKey": new_key()}

        def ask() -> Job:
            payload = self._env.gateway.request(ops.MLCYCLE_TRIGGER, {"input": given})
            job = read_job(payload["job"])
            job.project, job.project_id = None, payload["job"]["project"]["id"]
            return job

        return answer(ask)

    def _read(self, job_id: str) -> Job:
        data = self._env.gateway.request(ops.MLCYCLE_JOB, {"id": job_id})
        if data is None:
            raise not_found("The job", job_id)
        job = read_job(data)
        steps = {step.number: step for step in job.steps or []}
        for fragment in _fragments_of(self._env, job_id):
            step = steps.get(fragment.step_number)
            if step is not None:
                fragment.step_number = fragment.job_id = None
                step.fragments = [fragment, *(step.fragments or [])]
        return job


class FragmentCollection:
    """The files of jobs."""

    def __init__(self, env: Environment) -> None:
        self._env = env

    def get_all_by_job(self, job_id: str) -> OrFalse[List[Fragment]]:
        """All files of a job, newest first."""
        return answer(lambda: _fragments_of(self._env, require_id(job_id, "job_id")))

    def get_all_by_step(self, job_id: str, step_number: int) -> OrFalse[List[Fragment]]:
        """All files of one step of a job, newest first."""
        number = require_number(step_number)
        found = self.get_all_by_job(job_id)
        return found and [each for each in found if each.step_number == number]

    def get_latest_by_job(
        self, fragmentname: str, handle: Any, job_id: Optional[str] = None
    ) -> bool:
        """Downloads a file of a job by its filename. Default: this process's job, else the newest."""

        def ask() -> bool:
            asker = self._env.gateway.asker
            wanted = job_id or self._env.job
            if wanted is None:
                newest = self._env.gateway.run(list_jobs(asker, {}, 1))
                wanted = newest[0].id if newest else None
            try:
                data = self._env.gateway.run(ask_latest_file(asker, wanted or "", fragmentname))
            except KeyError:
                return False
            copy_out(self._env.gateway, data, handle)
            return True

        require_id(fragmentname, "fragmentname")
        return answer(ask)

    def get_latest_by_project(
        self, fragmentname: str, handle: Any, project_id: Optional[str] = None
    ) -> bool:
        """Downloads the newest file of this filename among the jobs of a project that succeeded.

        Default: this process's project, else the only one that the key can see.
        """

        def ask() -> bool:
            gateway = self._env.gateway
            wanted = project_id or self._env.project or gateway.run(find_project(gateway.asker, None)).id
            given = {"projectId": wanted, "filename": fragmentname}
            project = gateway.request(ops.MLCYCLE_LATEST_OF_PROJECT, given)
            latest = project and project["latestFragment"]
            return bool(latest) and self.get_by_id(latest["id"], handle)

        require_id(fragmentname, "fragmentname")
        return answer(ask)

    def get_by_id(self, fragment_id: str, handle: Any) -> bool:
        """Downloads a file."""

        def ask() -> bool:
            data = find_file(self._env.gateway, require_id(fragment_id, "fragment_id"))
            if data is None or data.status != "READY":
                return False
            copy_out(self._env.gateway, data, handle)
            return True

        return answer(ask)

    def upload(
        self,
        fragment: Fragment,
        handle: Any,
        job_id: Optional[str] = None,
        step_number: Optional[int] = None,
    ) -> OrFalse[Fragment]:
        """Stores a file with a step. A filename is used once in a job.

        Default: the step that this process runs.
        """
        given = require(fragment, Fragment, "fragment")
        filename = require_id(given.filename, "fragment.filename")
        if given.type is not None and given.type not in range(len(TYPES)):
            raise ApiError(f"fragment.type has to be 0, 1 or 2, not {given.type!r}.")
        job = require_id(job_id or self._env.job, "job_id")
        number = require_number(self._env.step if step_number is None else step_number)

        def ask() -> Fragment:
            gateway = self._env.gateway
            token = self._env.lease_token(job, number)
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "content"
                copy_in(handle, path)
                data = store(
                    gateway.http,
                    gateway.asker,
                    path,
                    filename,
                    type=None if given.type is None else TYPES[given.type],
                    job_id=job,
                    step_number=number if token is None else None,
                    lease_token=token,
                    title=given.name,
                )
            return read_fragment(gateway.request(ops.MLCYCLE_FRAGMENT, {"id": data.id}))

        return answer(ask)

class ProjectCollection:
    """The projects."""

    def __init__(self, env: Environment) -> None:
        self._env = env

    def get_all(self) -> OrFalse[List[Project]]:
        """All projects."""
        gateway = self._env.gateway
        return answer(
            lambda: [_project_of(data) for data in gateway.run(list_projects(gateway.asker))]
        )

    def get_by_id(self, project_id: str) -> OrFalse[Project]:
        """A project."""

        def ask() -> Project:
            wanted = require_id(project_id, "project_id")
            return _project_of(self._env.gateway.run(ask_project(self._env.gateway.asker, wanted)))

        return answer(ask)

    def add(self, project: Project) -> OrFalse[Project]:
        """Creates a project."""
        given = require(project, Project, "project")

        def ask() -> Project:
            payload = self._env.gateway.request(
                CREATE_PROJECT,
                {
                    "input": {
                        "name": given.name or "",
                        "gitRepository": given.git_repository,
                        "idempotencyKey": new_key(),
                    }
                },
            )
            return _project_of(payload.project)

        return answer(ask)

    def update(self, project_id: str, project: Project) -> OrFalse[Project]:
        """Changes a project. What is None stays as it is."""
        given = require(project, Project, "project")
        wanted = {
            "projectId": require_id(project_id, "project_id"),
            "name": given.name,
            "gitRepository": given.git_repository,
        }

        def ask() -> Project:
            data = self._env.gateway.request(ops.MLCYCLE_UPDATE_PROJECT, {"input": wanted})["project"]
            return Project(data["name"], data["gitRepository"], data["id"])

        return answer(ask)

    def delete(self, project_id: str) -> bool:
        """Deletes a project. False while jobs of it have not ended."""
        given = {"projectId": require_id(project_id, "project_id")}
        return answer(lambda: bool(self._env.gateway.request(ops.MLCYCLE_DELETE_PROJECT, given)))


class WorkerCollection:
    """The workers."""

    def __init__(self, env: Environment) -> None:
        self._env = env

    def get_all(self) -> OrFalse[List[Worker]]:
        """All workers."""
        gateway = self._env.gateway
        return answer(lambda: [read_worker(data) for data in each(gateway, ops.MLCYCLE_WORKERS, {})])

    def get_by_id(self, worker_id: str) -> OrFalse[Worker]:
        """A worker."""

        def ask() -> Worker:
            given = {"id": require_id(worker_id, "worker_id")}
            data = self._env.gateway.request(ops.MLCYCLE_WORKER, given)
            if data is None:
                raise not_found("The worker", worker_id)
            return read_worker(data)

        return answer(ask)

    def add(self, worker: Worker) -> OrFalse[Worker]:
        """Adds a worker, or finds the one of this name."""
        given = require(worker, Worker, "worker")

        def ask() -> Worker:
            name = given.name or ""
            payload = self._env.gateway.request(REGISTER_DEVICE, {"input": {"name": name}})
            return Worker(payload.device.name, payload.device.id)

        return answer(ask)

    def update(self, worker_id: str, worker: Worker) -> OrFalse[Worker]:
        """Renames a worker."""
        wanted = {
            "deviceId": require_id(worker_id, "worker_id"),
            "name": require(worker, Worker, "worker").name,
        }

        def ask() -> Worker:
            payload = self._env.gateway.request(ops.MLCYCLE_UPDATE_WORKER, {"input": wanted})
            return read_worker(payload["device"])

        return answer(ask)

    def delete(self, worker_id: str) -> bool:
        """Deletes a worker. False while it holds a step."""
        given = {"deviceId": require_id(worker_id, "worker_id")}
        return answer(lambda: bool(self._env.gateway.request(ops.MLCYCLE_DELETE_WORKER, given)))


def _fragments_of(env: Environment, job_id: str) -> List[Fragment]:
    def list_of(job: Any) -> Any:
        if job is None:
            raise not_found("The job", job_id)
        return job["fragments"]

    found = each(env.gateway, ops.MLCYCLE_FRAGMENTS, {"jobId": job_id}, list_of)
    return [read_fragment(data) for data in found]


def _project_of(data: ProjectData) -> Project:
    return Project(data.name, data.git_repository, data.id)


def _docker_input(docker: Optional[DockerConfiguration]) -> Optional[Dict[str, Any]]:
    if docker is None:
        return None
    build = docker.build_configuration
    return {
        "command": docker.command,
        "image": docker.image,
        "properties": docker.properties,
        "build": build
        and {
            "context": build.context or ".",
            "dockerfile": build.dockerfile or "Dockerfile",
            "properties": build.properties,
        },
    }

"""The objects of mlcycle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional


@dataclass
class DockerBuildConfiguration:
    """How an image is built."""

    context: Optional[str] = None
    """The folder that is sent to the build."""
    dockerfile: Optional[str] = None
    """The file with its instructions."""
    properties: Optional[Dict[str, Any]] = None
    """Other properties of the build."""


@dataclass
class DockerConfiguration:
    """What a step runs: a command in an image, which is pulled or built."""

    command: Optional[str] = None
    """The command."""
    image: Optional[str] = None
    """The image to pull."""
    build_configuration: Optional[DockerBuildConfiguration] = None
    """The image to build instead."""
    properties: Optional[Dict[str, Any]] = None
    """Other properties of the container."""


@dataclass
class Fragment:
    """A file of a step."""

    created: Optional[str] = None
    """When it was created."""
    filename: Optional[str] = None
    """The name of the file, unique within its job."""
    type: Optional[int] = None
    """0: metrics, 1: build logs, 2: model. None: another type, which mlcycle does not have."""
    name: Optional[str] = None
    """The name that is shown."""
    step_number: Optional[int] = None
    """The step that it belongs to. None in a Job, whose steps hold their fragments."""
    job_id: Optional[str] = None
    """The job that it belongs to. None in a Job."""
    id: Optional[str] = None
    """Its id."""


@dataclass
class Step:
    """One step of a job."""

    name: Optional[str] = None
    """Its name."""
    number: Optional[int] = None
    """Its number within the job, from 0."""
    state: Optional[int] = None
    """0: created, 1: in progress, 2: done, 21: scheduled, 31: error."""
    start: Optional[str] = None
    """When it was claimed."""
    end: Optional[str] = None
    """When it ended."""
    docker: Optional[DockerConfiguration] = None
    """What it runs."""
    metrics: Optional[Dict[str, float]] = None
    """The newest value of each metric."""
    fragments: Optional[List[Fragment]] = None
    """Its files, oldest first."""
    id: Optional[str] = None
    """Always None, as in mlcycle: a step is named by its job and number."""


@dataclass
class Project:
    """A project."""

    name: Optional[str] = None
    """Its name."""
    git_repository: Optional[str] = None
    """The address of its repository."""
    id: Optional[str] = None
    """Its id."""


@dataclass
class Worker:
    """A worker."""

    name: Optional[str] = None
    """Its name."""
    id: Optional[str] = None
    """Its id."""


@dataclass
class Job:
    """A job."""

    initiator: Optional[int] = None
    """0: manual, 1: git, 2: data."""
    state: Optional[int] = None
    """0: created, 1: in progress, 2: done, 21: scheduled, 31: error."""
    steps: Optional[List[Step]] = None
    """Its steps, in order."""
    project: Optional[Project] = None
    """Its project, where the answer has the whole project."""
    project_id: Optional[str] = None
    """The id of its project, where the answer has no more of it."""
    created: Optional[str] = None
    """When it was created."""
    finished: Optional[str] = None
    """When it ended."""
    id: Optional[str] = None
    """Its id."""


def read_project(data: Mapping[str, Any]) -> Project:
    """A project of an answer."""
    return Project(data["name"], data["gitRepository"], data["id"])


def read_worker(data: Mapping[str, Any]) -> Worker:
    """A worker of an answer."""
    return Worker(data["name"], data["id"])


def read_fragment(data: Mapping[str, Any]) -> Fragment:
    """A file of an answer."""
    step, job = data["step"], data["job"]
    return Fragment(
        created=data["createdAt"],
        filename=data["filename"],
        type=_number(data["nativeType"]),
        name=data["name"],
        step_number=step and step["number"],
        job_id=job and job["id"],
        id=data["id"],
    )


def read_job(data: Mapping[str, Any]) -> Job:
    """A job of an answer, with its whole project."""
    return Job(
        initiator=_number(data["nativeInitiator"]),
        state=_number(data["nativeStatus"]),
        steps=[_read_step(step) for step in data["steps"]],
        project=read_project(data["project"]),
        created=data["createdAt"],
        finished=data["finishedAt"],
        id=data["id"],
    )


def _read_step(data: Mapping[str, Any]) -> Step:
    return Step(
        name=data["name"],
        number=data["number"],
        state=_number(data["nativeStatus"]),
        start=data["startedAt"],
        end=data["finishedAt"],
        docker=_read_docker(data["container"]),
        metrics={each["name"]: each["value"] for each in data["metrics"]} or None,
    )


def _read_docker(data: Optional[Mapping[str, Any]]) -> Optional[DockerConfiguration]:
    if data is None:
        return None
    build = data["build"]
    return DockerConfiguration(
        command=data["command"],
        image=data["image"],
        build_configuration=build
        and DockerBuildConfiguration(
            build["context"], build["dockerfile"], build["properties"] or None
        ),
        properties=data["properties"] or None,
    )


def _number(text: Optional[str]) -> Optional[int]:
    return None if text is None else int(text)

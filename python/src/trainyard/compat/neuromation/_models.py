"""The dataclasses of neuromation."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, Dict, List, Mapping, Optional, Sequence
from urllib.parse import SplitResult, urlsplit

from ..._operation import read_time


class URL(str):
    """An address. Empty: there is none."""

    @property
    def parts(self) -> SplitResult:
        """Its parts."""
        return urlsplit(self)

    @property
    def scheme(self) -> str:
        """http, https or ssh."""
        return self.parts.scheme

    @property
    def host(self) -> Optional[str]:
        """The host name."""
        return self.parts.hostname

    @property
    def port(self) -> Optional[int]:
        """The port, if it is named."""
        return self.parts.port

    @property
    def path(self) -> str:
        """What follows the host."""
        return self.parts.path


@dataclass(frozen=True)
class RemoteImage:
    """An image in a registry."""

    name: str
    """Its name."""
    tag: Optional[str] = None
    """Its tag."""
    owner: Optional[str] = None
    """The first part of its path in the registry."""
    registry: Optional[str] = None
    """The host of the registry."""

    def __str__(self) -> str:
        path = "/".join(part for part in (self.registry, self.owner, self.name) if part)
        return f"{path}:{self.tag}" if self.tag else path

    @classmethod
    def read(cls, text: str) -> RemoteImage:
        """Reads `registry/owner/name:tag`."""
        path, _, name = text.rpartition("/")
        name, colon, tag = name.partition(":")
        first, _, rest = path.partition("/")
        # A registry has a dot or a port, or is this machine.
        is_registry = "." in first or ":" in first or first == "localhost"
        registry, owner = (first, rest) if is_registry else (None, path)
        return cls(name, tag if colon else None, owner or None, registry)


@dataclass(frozen=True)
class Resources:
    """What a container needs of its machine."""

    memory_mb: int
    """Memory in megabytes. 0: no need stated."""
    cpu: float
    """CPUs, or parts of one. 0: no need stated."""
    gpu: Optional[int] = None
    """GPUs. None: none."""
    gpu_model: Optional[str] = None
    """The model of those GPUs."""
    shm: bool = False
    """Whether /dev/shm is as large as the memory."""


@dataclass(frozen=True)
class HTTPPort:
    """An HTTP server in the container."""

    port: int
    """Its port in the container."""
    requires_auth: bool = True
    """Whether only signed-in users reach it."""


@dataclass(frozen=True)
class Volume:
    """A storage that is mounted into the container."""

    storage_uri: str
    """What to mount."""
    container_path: str
    """Where it is in the container."""
    read_only: bool = False
    """Whether the container may only read it."""


@dataclass(frozen=True)
class Container:
    """An image, and the environment to run it in."""

    image: RemoteImage
    """The image."""
    resources: Resources
    """What it needs."""
    entrypoint: Optional[str] = None
    """Instead of the image's own entrypoint."""
    command: Optional[str] = None
    """The command. None: the image's own."""
    http: Optional[HTTPPort] = None
    """The HTTP server in it. None: there is none."""
    env: Mapping[str, str] = field(default_factory=lambda: {})
    """Environment variables."""
    volumes: Sequence[Volume] = field(default_factory=lambda: [])
    """What is mounted."""


class JobStatus(str, Enum):
    """The state of a job."""

    PENDING = "pending"
    """It waits."""
    RUNNING = "running"
    """It runs."""
    SUSPENDED = "suspended"
    """It was preempted, and waits to go on. Trainyard's."""
    SUCCEEDED = "succeeded"
    """It has ended successfully."""
    FAILED = "failed"
    """It has failed."""
    CANCELLED = "cancelled"
    """It was cancelled. Trainyard's."""
    UNKNOWN = "unknown"
    """Never returned."""


@dataclass(frozen=True)
class JobStatusHistory:
    """The state of a job in detail."""

    status: JobStatus
    """Its state."""
    reason: str
    """Why, for programs: a StatusReason of Trainyard."""
    description: str
    """Why, for people. May be empty."""
    exit_code: Optional[int] = None
    """The exit code of its process. None: it was not started, or runs."""
    created_at: Optional[datetime] = None
    """When it was created."""
    started_at: Optional[datetime] = None
    """When it was started."""
    finished_at: Optional[datetime] = None
    """When it ended."""


@dataclass(frozen=True)
class JobDescription:
    """A job."""

    id: str
    """Its id."""
    owner: str
    """Who created it."""
    status: JobStatus
    """Its state."""
    history: JobStatusHistory
    """Its state in detail."""
    container: Container
    """What it runs."""
    is_preemptible: bool
    """Whether it may be stopped for more urgent work, and go on later."""
    name: Optional[str] = None
    """Its name."""
    description: Optional[str] = None
    """Its description."""
    http_url: URL = URL()
    """The address of its HTTP server. Empty: none is known."""
    ssh_server: URL = URL()
    """Its SSH address. Empty: none is known."""
    internal_hostname: Optional[str] = None
    """Its host name for other jobs."""


@dataclass(frozen=True)
class JobTelemetry:
    """What a job used at one time."""

    timestamp: float
    """Seconds since the epoch."""
    cpu: float
    """CPUs in use: 1 is one whole CPU."""
    memory: float
    """Megabytes in use."""
    gpu_duty_cycle: Optional[int] = None
    """The share of time in which the GPU was busy: 0 to 100. None: there is no GPU."""
    gpu_memory: Optional[float] = None
    """The share of the GPU's memory in use: 0 to 1."""


STATUSES: Dict[JobStatus, List[str]] = {
    JobStatus.PENDING: ["BLOCKED", "QUEUED"],
    JobStatus.RUNNING: ["RUNNING", "CANCELLING"],
    JobStatus.SUSPENDED: ["SUSPENDED"],
    JobStatus.SUCCEEDED: ["SUCCEEDED"],
    JobStatus.FAILED: ["FAILED"],
    JobStatus.CANCELLED: ["CANCELLED"],
    JobStatus.UNKNOWN: [],
}
"""The statuses of Trainyard that each state stands for."""


def container_input(container: Container) -> Dict[str, Any]:
    """A container as the API takes it."""
    resources, http = container.resources, container.http
    return {
        "image": str(container.image) or None,
        "resources": {
            "memoryMb": resources.memory_mb or None,
            "cpu": resources.cpu or None,
            "gpu": resources.gpu,
            "gpuModel": resources.gpu_model,
            "shm": resources.shm,
        },
        "entrypoint": container.entrypoint,
        "command": container.command,
        "http": http and {"port": http.port, "requiresAuth": http.requires_auth},
        "env": [{"name": name, "value": value} for name, value in container.env.items()],
        "volumes": [
            {
                "storage": str(each.storage_uri),
                "containerPath": each.container_path,
                "isReadOnly": each.read_only,
            }
            for each in container.volumes
        ],
    }


def read_description(data: Mapping[str, Any]) -> JobDescription:
    """A job of an answer."""
    status = JobStatus[data["nativeStatus"]]
    history = data["history"]
    return JobDescription(
        id=data["id"],
        owner=data["owner"],
        status=status,
        history=JobStatusHistory(
            status=status,
            reason=history["reason"],
            description=history["description"],
            exit_code=history["exitCode"],
            created_at=read_time(history["createdAt"]),
            started_at=history["startedAt"] and read_time(history["startedAt"]),
            finished_at=history["finishedAt"] and read_time(history["finishedAt"]),
        ),
        container=_read_container(data["container"]),
        is_preemptible=data["isPreemptible"],
        name=data["name"],
        description=data["description"],
        http_url=URL(data["httpUrl"] or ""),
        ssh_server=URL(data["sshServer"] or ""),
        internal_hostname=data["internalHostname"],
    )


def _read_container(data: Optional[Mapping[str, Any]]) -> Container:
    if data is None:
        return Container(RemoteImage(""), Resources(0, 0.0))
    resources, http = data["resources"], data["http"]
    return Container(
        image=RemoteImage.read(data["image"] or ""),
        resources=Resources(
            memory_mb=resources["memoryMb"] or 0,
            cpu=resources["cpu"] or 0.0,
            gpu=resources["gpu"],
            gpu_model=resources["gpuModel"],
            shm=resources["shm"],
        ),
        entrypoint=data["entrypoint"],
        command=data["command"],
        http=http and HTTPPort(http["port"], http["requiresAuth"]),
        env={each["name"]: each["value"] for each in data["env"]},
        volumes=[
            Volume(each["storage"], each["containerPath"], each["isReadOnly"])
            for each in data["volumes"]
        ],
    )


def read_telemetry(data: Mapping[str, Any]) -> JobTelemetry:
    """A sample of an answer."""
    return JobTelemetry(
        timestamp=read_time(data["at"]).timestamp(),
        cpu=data["cpu"],
        memory=data["memoryMb"],
        gpu_duty_cycle=data["gpuDutyCycle"],
        gpu_memory=data["gpuMemory"],
    )

"""brevettiai.platform: a job, its settings, its artifacts."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import tempfile
import weakref
from typing import Any, Dict, Mapping, Optional, Type, TypeVar, Union

from ..._calls import ask_job, ask_latest_file
from ..._client import Client
from ..._files import File
from ..._generated import SET_JOB_OUTPUT, SetJobOutputInput
from ..._reporter import to_plain
from ..._transfers import upload
from .interfaces.vue_schema_utils import VueSettingsModule, merge, overrides

log = logging.getLogger("brevettiai.platform.job")

OwnJob = TypeVar("OwnJob", bound="Job")


class JobSettings(VueSettingsModule):
    """The settings of a job that declares none: whatever the job was created with."""

    def __init__(self, **config: Any) -> None:
        self.__dict__.update(config)

    def get_config(self) -> Dict[str, Any]:
        return dict(self.__dict__)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> JobSettings:
        return cls(**config)


class IoTools:
    """Reads and writes the artifacts of a job, and the files of this machine."""

    def __init__(self, client: Client, job_id: str, lease_token: Optional[str]) -> None:
        self._client = client
        self._job_id = job_id
        self._lease_token = lease_token
        self.prefix = f"trainyard://{job_id}/artifacts/"
        """What the path of an artifact begins with."""

    def write_file(self, path: str, content: Union[str, bytes]) -> None:
        """Writes a file. One that is there is replaced."""
        data = content.encode("utf-8") if isinstance(content, str) else content
        name = self._artifact(path)
        if name is None:
            os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
            with open(path, "wb") as file:
                file.write(data)
            return
        client = self._client
        upload(
            client.http,
            client.asker,
            data,
            name,
            type=None,
            job_id=self._job_id,
            lease_token=self._lease_token,
            replace=True,
        )

    def read_file(self, path: str) -> bytes:
        """The content of a file. Raises FileNotFoundError."""
        name = self._artifact(path)
        if name is None:
            with open(path, "rb") as file:
                return file.read()
        client = self._client
        try:
            found = client.run(ask_latest_file(client.asker, self._job_id, name))
        except KeyError as error:
            raise FileNotFoundError(path) from error
        return File(client, found).read_bytes()

    def _artifact(self, path: str) -> Optional[str]:
        """The file name of an artifact. None: the path is one of this machine."""
        return path[len(self.prefix) :] if path.startswith(self.prefix) else None


class Job:
    """A job: `job = Job.init(job_id, api_key)`. A subclass declares its Settings."""

    Settings: Type[VueSettingsModule] = JobSettings
    settings: Any
    """Its settings: those it was created with, and over them those of the command line."""

    def __init__(self, client: Client, job_id: str, name: str, config: Mapping[str, Any]) -> None:
        self._client = client
        self.id = job_id
        """Its id."""
        self.name = name
        """Its name."""
        self.host_name = client.url
        """The address of the gateway."""
        # Inside a step, the key is the lease of the step as well.
        token = client.asker.target.token
        is_step = token is not None and token == os.environ.get("TRAINYARD_TOKEN")
        is_own = is_step and job_id == os.environ.get("TRAINYARD_JOB_ID")
        self._lease_token = token if is_own else None
        self.io = IoTools(client, job_id, self._lease_token)
        """Reads and writes artifacts and files."""
        self._folder: Optional[str] = None
        self.settings = self.Settings.from_config(config)

    @classmethod
    def init(
        cls: Type[OwnJob], job_id: Optional[str] = None, api_key: Optional[str] = None
    ) -> OwnJob:
        """A job by its id and key, with its settings. Its output.json is uploaded.

        Default: those of the step that this process runs. Raises trainyard.NotFound, and ValueError
        for a value of the command line that its setting cannot take.
        """
        wanted = job_id or os.environ.get("TRAINYARD_JOB_ID") or ""
        client = Client(token=api_key or None)
        data = client.run(ask_job(client.asker, wanted))
        log.info("Config args found at: '%s/jobs/%s'", client.url, data.id)
        config = merge(data.settings, overrides(cls.Settings, sys.argv[1:]))
        job = cls(client, data.id, data.name, config)
        job.upload_job_output()
        return job

    def upload_job_output(self) -> str:
        """Uploads the settings as the job's output.json. Returns the path of that artifact."""
        log.info("Uploading output.json to %soutput.json", self.io.prefix)
        given: SetJobOutputInput = {
            "jobId": self.id,
            "output": {"settings": to_plain(self.settings.get_config())},
        }
        if self._lease_token is not None:
            given["leaseToken"] = self._lease_token
        self._client.request(SET_JOB_OUTPUT, {"input": given})
        return "artifacts/output.json"

    def temp_path(self, *paths: str, dir: bool = False) -> str:
        """A path on this machine, which is removed at the end of the process. dir: a folder."""
        if self._folder is None:
            self._folder = tempfile.mkdtemp(prefix=f"config-id-{self.id}-")
            weakref.finalize(self, shutil.rmtree, self._folder, True)
        path = os.path.join(self._folder, *paths)
        os.makedirs(path if dir else os.path.dirname(path), exist_ok=True)
        return path

    def artifact_path(self, *paths: str, dir: bool = False) -> str:
        """The path of an artifact, which the gateway keeps. dir: of a folder of artifacts."""
        return self.io.prefix + "/".join(paths) + ("/" if dir else "")

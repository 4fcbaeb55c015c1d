"""The files of a job."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Iterator, Optional, Union

from . import tensors as _tensors
from ._calls import ask_latest_file, not_found
from ._generated import FILE, FILES, FileData, FragmentType
from ._transfers import Source, download, name_of, upload

if TYPE_CHECKING:
    from ._client import Client

PathLike = Union[str, "os.PathLike[str]"]


class File:
    """One file that the gateway keeps."""

    def __init__(self, client: Client, data: FileData) -> None:
        self._client = client
        self.data = data

    @property
    def id(self) -> str:
        """Its id, `frag_…`."""
        return self.data.id

    @property
    def name(self) -> str:
        """Its file name or relative path: `plots/loss.png`."""
        return self.data.filename

    @property
    def type(self) -> FragmentType:
        """What it contains."""
        return self.data.type

    @property
    def size(self) -> Optional[int]:
        """Its size in bytes. None: its bytes have not all arrived."""
        return self.data.size_bytes

    @property
    def sha256(self) -> Optional[str]:
        """The SHA-256 of its bytes, in lower-case hex."""
        return self.data.sha256

    def refresh(self) -> File:
        """Reads what is known of it again. Raises NotFound if it was deleted."""
        data = self._client.request(FILE, {"id": self.data.id})
        if data is None:
            raise not_found("The file", self.data.id)
        self.data = data
        return self

    def download(self, path: Optional[PathLike] = None) -> Path:
        """Downloads it, checks its SHA-256, and returns where it is.

        path: a file or an existing folder. Default: its name, in the current folder. Goes on where
        an earlier download broke off. Raises DamagedFile, GatewayUnreachable.
        """
        target = Path(path) if path is not None else Path(Path(self.name).name)
        if target.is_dir():
            target = target / Path(self.name).name
        target.parent.mkdir(parents=True, exist_ok=True)
        client = self._client
        download(client.http, client.asker, self.data, target, lambda: self.refresh().data)
        return target

    def read_bytes(self) -> bytes:
        """Its content, checked."""
        with tempfile.TemporaryDirectory() as folder:
            return self.download(Path(folder) / "content").read_bytes()

    def read_text(self, encoding: str = "utf-8") -> str:
        """Its content as text."""
        return self.read_bytes().decode(encoding)

    def tensors(self) -> _tensors.Tensors:
        """The tensors of a safetensors file by name: NumPy arrays where NumPy is installed.

        Raises ValueError if it is no safetensors file.
        """
        return _tensors.loads(self.read_bytes())

    def __repr__(self) -> str:
        return f"<File {self.name!r} {self.type} {self.size} bytes>"


class Files:
    """The files of one job: `job.files["model.safetensors"]`, `for file in job.files`."""

    def __init__(self, client: Client, job_id: str) -> None:
        self._client = client
        self._job_id = job_id

    def __getitem__(self, name: str) -> File:
        """The newest file of this name. Raises KeyError if there is none."""
        return File(
            self._client, self._client.run(ask_latest_file(self._client.asker, self._job_id, name))
        )

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, str):
            return False
        try:
            self[name]
        except KeyError:
            return False
        return True

    def __iter__(self) -> Iterator[File]:
        after: Optional[str] = None
        while True:
            job = self._client.request(
                FILES, {"jobId": self._job_id, "first": 100, "after": after, "filter": None}
            )
            if job is None:
                raise not_found("The job", self._job_id)
            yield from (File(self._client, data) for data in job.fragments.nodes)
            after = job.fragments.page_info.end_cursor
            if not job.fragments.page_info.has_next_page:
                return

    def upload(
        self,
        source: Source,
        name: Optional[str] = None,
        *,
        type: Optional[FragmentType] = None,
        replace: bool = False,
    ) -> File:
        """Stores a file in the job. source: a path, or bytes, which need a name.

        Raises AlreadyExists if the job has a file of this name, unless `replace`.
        """
        client = self._client
        data = upload(
            client.http,
            client.asker,
            source,
            name_of(source, name),
            type=type,
            job_id=self._job_id,
            replace=replace,
        )
        return File(client, data)

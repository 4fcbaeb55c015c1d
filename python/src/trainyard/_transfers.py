"""Files to and from the gateway: streamed, checked by SHA-256, tried again where they broke off."""

from __future__ import annotations

import hashlib
import http.client
import mimetypes
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, BinaryIO, Callable, Iterator, Optional, Tuple, Union

from ._calls import Asker
from ._errors import DamagedFile, GatewayUnreachable, RequestRefused
from ._folder import pack_code
from ._generated import (
    CREATE_FILE,
    GATEWAY,
    CodeArchiveInput,
    CreateFragmentInput,
    FileData,
    FragmentType,
    IfExists,
    JobCodeInput,
)
from ._http import Http, Opened, lower, unreachable
from ._protocol import Answer, Backoff, Exchange, Trouble, new_key, read_data, retry_after_of, tell

CHUNK = 256 * 1024
USUAL_CODE_BYTES = 100_000_000
"""For a gateway that does not say it."""
Source = Union[str, "os.PathLike[str]", bytes]


def upload(
    http_: Http,
    asker: Asker,
    source: Source,
    filename: str,
    *,
    type: Optional[FragmentType],
    job_id: Optional[str] = None,
    step_number: Optional[int] = None,
    project_id: Optional[str] = None,
    lease_token: Optional[str] = None,
    title: Optional[str] = None,
    replace: bool = False,
    reuse: bool = False,
    show: bool = True,
) -> FileData:
    """Stores a file, or bytes. The gateway refuses other bytes than those that were hashed.

    title: the name to show instead of `filename`. reuse: a file that is there already with the same
    name and bytes is not sent again.
    Raises FileNotFoundError, Refused (AlreadyExists without `replace`), GatewayUnreachable.
    """
    size, sha256 = _digest(source)
    exists: IfExists = "REUSE" if reuse else "REPLACE" if replace else "REFUSE"
    given: CreateFragmentInput = {
        "filename": filename,
        "type": type or type_of(filename),
        "sizeBytes": size,
        "sha256": sha256,
        "ifExists": exists,
        "idempotencyKey": new_key(),
    }
    if job_id is not None:
        given["jobId"] = job_id
    if step_number is not None:
        given["stepNumber"] = step_number
    if title is not None:
        given["name"] = title
    if project_id is not None:
        given["projectId"] = project_id
    if lease_token is not None:
        given["leaseToken"] = lease_token
    content_type = mimetypes.guess_type(filename)[0]
    if content_type is not None:
        given["contentType"] = content_type
    backoff = Backoff()
    trouble = Trouble(f"upload {filename}", tell)
    while True:
        # The same key again: the same file, with a fresh URL.
        payload = http_.run(asker.ask(CREATE_FILE, {"input": given}))
        if payload.upload_url is None:
            return payload.fragment
        with Bar(filename, size, show) as bar:
            try:
                _put(http_, asker, payload.upload_url, source, size, bar)
                trouble.works()
                continue  # To read how it is stored.
            except GatewayUnreachable as error:
                pause = (error.retry_after or 0.0) + backoff.failed()
                if trouble.failed(str(error), pause) + pause > asker.patience:
                    raise
        time.sleep(pause)


def send_code(
    http_: Http, asker: Asker, folder: Union[str, "os.PathLike[str]"], project_id: str
) -> JobCodeInput:
    """Stores the archive of a folder in a project, unless the project has it already."""
    most = http_.run(asker.ask(GATEWAY, {})).limits.get("codeBytesAtMost", USUAL_CODE_BYTES)
    with tempfile.TemporaryDirectory(prefix="trainyard-code-") as temporary:
        archive = Path(temporary) / "code.tar"
        packed = pack_code(folder, archive, most)
        # The name is the hash, so there is one file for each state of a folder.
        name = f"code/{packed.sha256}.tar"
        stored = upload(
            http_, asker, archive, name, type="DATA", project_id=project_id, reuse=True
        )
    code: CodeArchiveInput = {"fragmentId": stored.id}
    if packed.git is not None:
        code["commit"] = packed.git.commit
        code["branch"] = packed.git.branch
        code["isDirty"] = packed.git.is_dirty
    return {"archive": code}


def _put(http_: Http, asker: Asker, url: str, source: Source, size: int, bar: Bar) -> None:
    headers = {"Content-Length": str(size), "Content-Type": "application/octet-stream"}
    exchange = Exchange("PUT", asker.target.resolve(url), headers, b"", asker.timeout)
    opened = http_.open(exchange, _pieces(source, size, bar))
    answer = _close(exchange.url, opened)
    if answer.status == 409:
        return  # An earlier try was complete, and its answer was lost.
    if answer.status >= 300:
        read_data_of_file(asker, answer)


def download(
    http_: Http, asker: Asker, file: FileData, path: Path, fresh: Callable[[], FileData]
) -> None:
    """Downloads a file. Goes on where it broke off, even in a later process.

    Until it is complete and checked, its bytes are in `<path>.part`. `fresh` reads the file again:
    a URL expires. Raises DamagedFile, RequestRefused, GatewayUnreachable and OSError of the disk.
    """
    part = path.with_name(path.name + ".part")
    backoff = Backoff()
    trouble = Trouble(f"download {file.filename}", tell)
    with Bar(file.filename, file.size_bytes or 0, True) as bar, open(part, "a+b") as target:
        digest, have = _hash_so_far(target)
        while True:
            bar.at(have)
            try:
                got = _get(http_, asker, file, target, digest, have, bar)
            except (GatewayUnreachable, RequestRefused) as error:
                if isinstance(error, RequestRefused) and error.retry_after is None:
                    raise
                got, failure = 0, error
            else:
                failure = GatewayUnreachable("the download broke off")
            if got > 0:
                trouble.works()
                backoff.works()
            digest, have = _hash_so_far(target)
            if have >= (file.size_bytes or 0):
                if file.sha256 in (None, digest.hexdigest()):
                    break
                target.truncate(0)
                if got == have:
                    raise DamagedFile(
                        f"{file.filename} arrived with the SHA-256 {digest.hexdigest()}, "
                        f"not {file.sha256}."
                    )
                digest, have = _hash_so_far(target)  # The part was of another file.
                continue
            pause = (failure.retry_after or 0.0) + backoff.failed()
            if trouble.failed(str(failure), pause) + pause > asker.patience:
                raise failure
            time.sleep(pause)
            file = fresh()
    os.replace(part, path)


def _get(
    http_: Http,
    asker: Asker,
    file: FileData,
    target: BinaryIO,
    digest: Any,
    have: int,
    bar: Bar,
) -> int:
    """Appends what comes. Returns the number of bytes."""
    if file.download_url is None:
        raise RequestRefused("NOT_FOUND", f"{file.filename} has not been uploaded yet.")
    if have and have >= (file.size_bytes or 0):
        return 0
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    exchange = Exchange("GET", asker.target.resolve(file.download_url), headers, b"", asker.timeout)
    opened = http_.open(exchange)
    status = opened.response.status
    if status not in (200, 206):
        read_data_of_file(asker, _close(exchange.url, opened))
    got = 0
    try:
        if status == 200:
            target.truncate(0)
        while True:
            try:
                chunk = opened.response.read1(CHUNK)
            except (OSError, http.client.HTTPException) as error:
                if got:
                    return got
                raise unreachable(exchange.url, error) from error
            if not chunk:
                return got
            target.write(chunk)
            got += len(chunk)
            bar.add(len(chunk))
    finally:
        target.flush()
        opened.close()


def _hash_so_far(target: BinaryIO) -> Tuple[Any, int]:
    digest = hashlib.sha256()
    target.seek(0)
    size = 0
    while True:
        chunk = target.read(CHUNK)
        if not chunk:
            return digest, size
        digest.update(chunk)
        size += len(chunk)


def _close(url: str, opened: Opened) -> Answer:
    try:
        response = opened.response
        return Answer(response.status, lower(response.headers), response.read())
    except (OSError, http.client.HTTPException) as error:
        raise unreachable(url, error) from error
    finally:
        opened.close()


def read_data_of_file(asker: Asker, answer: Answer) -> None:
    """Raises the refusal of a file request: the endpoint refuses like GraphQL."""
    if answer.status == 429:
        raise GatewayUnreachable("too many requests", retry_after_of(answer))
    read_data(asker.target, answer)
    raise RequestRefused("BAD_REQUEST", f"The gateway answered {answer.status}.")


def _digest(source: Source) -> Tuple[int, str]:
    digest = hashlib.sha256()
    size = 0
    for chunk in _chunks(source):
        digest.update(chunk)
        size += len(chunk)
    return size, digest.hexdigest()


def _chunks(source: Source) -> Iterator[bytes]:
    if isinstance(source, bytes):
        for start in range(0, len(source), CHUNK):
            yield source[start : start + CHUNK]
        return
    with open(source, "rb") as file:
        while True:
            chunk = file.read(CHUNK)
            if not chunk:
                return
            yield chunk


def _pieces(source: Source, size: int, bar: Bar) -> Iterator[bytes]:
    """Exactly as many bytes as were announced: a growing file must not break the request."""
    left = size
    bar.at(0)
    for chunk in _chunks(source):
        if left <= 0:
            return
        piece = chunk[:left]
        left -= len(piece)
        bar.add(len(piece))
        yield piece


def name_of(source: Source, name: Optional[str]) -> str:
    """The file name to store it under. Raises ValueError for bytes without one."""
    if name is not None:
        return name
    if isinstance(source, bytes):
        raise ValueError("Bytes need a name.")
    return Path(source).name


def type_of(filename: str) -> FragmentType:
    """What a file contains, by its name, as an agent decides it."""
    name = Path(filename).name.lower()
    if name.endswith((".safetensors", ".pt", ".pth", ".onnx", ".ckpt")):
        return "MODEL"
    if name.endswith(".log"):
        return "BUILD_LOGS"
    if name.startswith("metrics") and name.endswith((".jsonl", ".csv")):
        return "METRICS"
    return "DATA"


class Bar:
    """A progress bar on stderr, if that is a terminal and the transfer takes longer than 1 s."""

    def __init__(self, name: str, size: int, show: bool) -> None:
        self._name = name
        self._size = size
        self._shown = show and sys.stderr is not None and sys.stderr.isatty()
        self._done = 0
        self._next = time.monotonic() + 1.0
        self._is_drawn = False

    def at(self, done: int) -> None:
        """Sets the number of bytes."""
        self._done = done

    def add(self, count: int) -> None:
        """Counts bytes."""
        self._done += count
        now = time.monotonic()
        if self._shown and now >= self._next:
            self._next = now + 0.2
            self._draw()

    def _draw(self) -> None:
        self._is_drawn = True
        share = min(1.0, self._done / self._size) if self._size else 1.0
        filled = "█" * int(share * 24)
        megabytes = f"{self._done / 1e6:.1f}/{self._size / 1e6:.1f} MB"
        sys.stderr.write(f"\r{self._name} [{filled:<24}] {share:4.0%} {megabytes}\033[K")
        sys.stderr.flush()

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: Any) -> None:
        if self._is_drawn:
            self._draw()
            sys.stderr.write("\n")



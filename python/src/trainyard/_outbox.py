"""What a process has still to report, in order, on disk.

`put` takes an entry into memory and returns. A thread writes what came meanwhile to the disk, with
one fsync for all of it. Another thread reads from the disk and delivers: so a gateway that is away
for hours costs no memory, and what a process leaves when it ends is there for the next.

    <folder>/lock            held by the process that uses the folder
    <folder>/0.jsonl …       the entries, one a line
    <folder>/position.json   up to where they are delivered
"""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, Deque, Dict, List, Optional, Tuple

from ._protocol import as_object, log

Entry = Dict[str, Any]


@dataclass(frozen=True)
class Limits:
    """How much an outbox holds."""

    total_bytes: int = 256 * 1024 * 1024
    """On disk. Entries beyond that are dropped, and counted."""
    segment_bytes: int = 4 * 1024 * 1024
    """A file is deleted when all of it is delivered."""
    memory_entries: int = 200_000
    """Waiting for the disk."""
    batch_entries: int = 400
    """Delivered in one request."""
    batch_bytes: int = 256 * 1024


@dataclass(frozen=True)
class Batch:
    """The oldest entries, and where the next ones are."""

    entries: List[Entry]
    segment: int
    end: int
    count: int


class FolderInUse(Exception):
    """Another process uses the folder."""


class Outbox:
    """One process puts entries in, one thread takes them out."""

    def __init__(self, folder: Path, limits: Optional[Limits] = None) -> None:
        """Opens the folder with what an earlier process left in it. Raises FolderInUse."""
        self.folder = folder
        self._limits = limits or Limits()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock_file = _lock(folder / "lock")
        self._changed = threading.Condition()
        self._queue: Deque[Entry] = deque()
        self._is_ended = False
        self._is_writing = False
        self._bytes = 0
        self._dropped = 0
        self._failure: Optional[str] = None
        self.state: Dict[str, Any] = {}
        """What the deliverer keeps with the position."""
        self._segments: Dict[int, int] = {}
        self._read_folder()
        self._file: Optional[BinaryIO] = None
        self._writer = threading.Thread(target=self._write, name="trainyard-outbox", daemon=True)
        self._writer.start()

    def put(self, entry: Entry) -> bool:
        """Takes an entry. False if there is no room for it: it is dropped. Never waits for I/O."""
        with self._changed:
            is_full = (
                len(self._queue) >= self._limits.memory_entries
                or self._bytes >= self._limits.total_bytes
                or self._is_ended
            )
            if is_full:
                self._dropped += 1
                return False
            self._queue.append(entry)
            self._changed.notify_all()
            return True

    def take_dropped(self) -> int:
        """The number of entries dropped since the last call."""
        with self._changed:
            dropped, self._dropped = self._dropped, 0
            return dropped

    def end(self) -> None:
        """Nothing more will be put in."""
        with self._changed:
            self._is_ended = True
            self._changed.notify_all()

    def flush(self, timeout: float) -> bool:
        """Waits until everything is on disk. False if the time was not enough."""
        with self._changed:
            return self._changed.wait_for(
                lambda: not self._queue and not self._is_writing, timeout
            )

    @property
    def is_empty(self) -> bool:
        """Whether everything that was put in is delivered."""
        with self._changed:
            return not self._queue and not self._is_writing and not self._undelivered()

    def peek(self, most: Optional[int] = None, timeout: Optional[float] = None) -> Optional[Batch]:
        """Waits for entries. The same ones come until they are dropped.

        None: the outbox has ended and is empty, or the time is over.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._undelivered()
                or (self._is_ended and not self._queue and not self._is_writing),
                timeout,
            )
            if not self._undelivered():
                return None
            first = min(self._segments)
            written = self._segments[first]
        if self._delivered >= written:
            self._forget(first)
            return self.peek(most, timeout)
        with open(self._path(first), "rb") as file:
            file.seek(self._delivered)
            content = file.read(min(self._limits.batch_bytes, written - self._delivered))
            if b"\n" not in content:  # One entry that is larger than a batch.
                content += file.readline()
        lines = content.split(b"\n")[:-1][: most or self._limits.batch_entries]
        end = self._delivered + sum(len(line) + 1 for line in lines)
        entries = [entry for entry in map(_parse, lines) if entry is not None]
        return Batch(entries, first, end, len(lines))

    def drop(self, batch: Batch, state: Optional[Dict[str, Any]] = None) -> None:
        """Forgets a batch that was delivered, and keeps `state` with the position."""
        if state is not None:
            self.state = state
        with self._changed:
            self._bytes -= batch.end - self._delivered
            self._delivered = batch.end
            is_last = len(self._segments) == 1
            if batch.end >= self._segments[batch.segment] and not is_last:
                self._forget(batch.segment)
        self._keep_position()

    def close(self, remove: bool = False) -> None:
        """Ends the writer, after what it has to write. `remove`: deletes the folder."""
        self.end()
        self._writer.join(10.0)
        if remove:
            shutil.rmtree(self.folder, ignore_errors=True)
        self._lock_file.close()
        if remove and self.folder.exists():
            shutil.rmtree(self.folder, ignore_errors=True)  # Windows keeps an open file.

    def _undelivered(self) -> bool:
        first = min(self._segments, default=None)
        if first is None:
            return False
        return len(self._segments) > 1 or self._segments[first] > self._delivered

    def _forget(self, segment: int) -> None:
        with self._changed:
            self._segments.pop(segment, None)
            self._delivered = 0
        self._keep_position()
        self._path(segment).unlink(missing_ok=True)

    def _path(self, segment: int) -> Path:
        return self.folder / f"{segment}.jsonl"

    def _read_folder(self) -> None:
        kept = _read(self.folder / "position.json")
        self.state = as_object(kept.get("state")) or {}
        first = int(kept.get("segment") or 0)
        for path in self.folder.glob("*.jsonl"):
            if not path.stem.isdigit() or int(path.stem) < first:
                path.unlink(missing_ok=True)
                continue
            # Half a line at the end is of a process that was killed while it wrote.
            content = path.read_bytes()
            whole = content.rfind(b"\n") + 1
            if whole < len(content):
                with open(path, "r+b") as file:
                    file.truncate(whole)
            self._segments[int(path.stem)] = whole
        is_first = first in self._segments and first == min(self._segments)
        self._delivered = int(kept.get("offset") or 0) if is_first else 0
        self._bytes = max(0, sum(self._segments.values()) - self._delivered)
        self._next = max(self._segments, default=first - 1) + 1

    def _keep_position(self) -> None:
        position = {
            "segment": min(self._segments, default=self._next),
            "offset": self._delivered,
            "state": self.state,
        }
        write_json(self.folder / "position.json", position)

    def _write(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._is_ended)
                if not self._queue:
                    if self._file is not None:
                        self._file.close()
                    return
                entries, self._queue = list(self._queue), deque()
                self._is_writing = True
            failure: Optional[str] = None
            try:
                self._append(entries)
            except OSError as error:
                # The disk is full, for example. Later entries may fit again.
                failure = str(error)
            with self._changed:
                self._is_writing = False
                if failure is not None:
                    self._dropped += len(entries)
                    if failure != self._failure:
                        log.warning("%d values are lost, %s: %s", len(entries), self.folder, failure)
                self._failure = failure
                self._changed.notify_all()

    def _append(self, entries: List[Entry]) -> None:
        for start in range(0, len(entries), 1000):
            lines = [json.dumps(entry, separators=(",", ":")) for entry in entries[start : start + 1000]]
            content = ("\n".join(lines) + "\n").encode("utf-8", "replace")
            segment, file = self._open()
            file.write(content)
            file.flush()
            with self._changed:
                self._segments[segment] += len(content)
                self._bytes += len(content)
        if self._file is not None:
            os.fsync(self._file.fileno())

    def _open(self) -> Tuple[int, BinaryIO]:
        newest = self._next - 1
        if self._file is not None and self._segments.get(newest, self._limits.segment_bytes) < (
            self._limits.segment_bytes
        ):
            return newest, self._file
        if self._file is not None:
            os.fsync(self._file.fileno())
            self._file.close()
        # Unbuffered: what was written is read by another handle at once.
        descriptor = os.open(self._path(self._next), os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        self._file = os.fdopen(descriptor, "ab", buffering=0)
        with self._changed:
            self._segments[self._next] = 0
            self._next += 1
        return self._next - 1, self._file


def write_json(path: Path, content: Any) -> None:
    """Replaces a file of this user alone, whole or not at all."""
    part = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}.part")
    descriptor = os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file)
    for _ in range(20):
        try:
            os.replace(part, path)
            return
        except PermissionError:
            time.sleep(0.05)  # On Windows, while somebody reads it.
    os.replace(part, path)


def read_json(path: Path) -> Dict[str, Any]:
    """What write_json wrote. Empty if there is no such file."""
    return _read(path)


def _read(path: Path) -> Dict[str, Any]:
    try:
        return as_object(json.loads(path.read_text("utf-8"))) or {}
    except (OSError, ValueError):
        return {}


def _parse(line: bytes) -> Optional[Entry]:
    try:
        return as_object(json.loads(line))
    except ValueError:
        return None  # Damaged on the disk.


def _lock(path: Path) -> IO[bytes]:
    """Held until it is closed, or the process has ended."""
    file = open(path, "ab")
    try:
        if os.name == "nt":
            import msvcrt

            windows: Any = msvcrt
            file.seek(0)
            windows.locking(file.fileno(), windows.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise FolderInUse(str(path.parent)) from error
    return file

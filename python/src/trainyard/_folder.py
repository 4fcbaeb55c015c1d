"""Packs a folder of code into an archive, for the steps of a job.

The archive has the same bytes as that of `trainyard submit --code` (src/cli/code/folder.ts and
tar.ts): the same folder is stored once, whoever sends it.
"""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import unicodedata
from pathlib import Path
from typing import Dict, Iterable, List, NamedTuple, Optional, Union

from ._ignore import Ignores, read_ignore_file

IGNORE_FILE = ".trainyardignore"
LARGEST_SHOWN = 5
BLOCK = 512
MOST_PLAIN_PATH = 100
MOST_PATH = 4096
MOST_NAME = 255
CHUNK = 256 * 1024
RESERVED = (".trainyard", "fragments")
END = bytes(2 * BLOCK)


class GitState(NamedTuple):
    """The state of the repository that a folder is in."""

    commit: str
    branch: Optional[str]
    is_dirty: bool


class PackedFile(NamedTuple):
    """A file of the folder."""

    path: str
    source: bytes
    size: int
    is_executable: bool


class PackedCode(NamedTuple):
    """An archive on disk."""

    size: int
    sha256: str
    git: Optional[GitState]


def pack_code(folder: Union[str, os.PathLike[str]], target: Path, most_bytes: int) -> PackedCode:
    """Writes the archive of a folder to `target`.

    It has what git tracks or could add, and without a repository everything, in both cases without
    what `.trainyardignore` leaves out. Raises ValueError, with the name of a file that cannot
    travel, and NotADirectoryError.
    """
    if not os.path.isdir(folder):
        raise NotADirectoryError(f"There is no folder {os.fspath(folder)}.")
    root = os.path.realpath(os.fsencode(folder))
    in_repository = _is_in_repository(root)
    try:
        rules = (Path(os.fsdecode(root)) / IGNORE_FILE).read_bytes().decode("utf-8", "replace")
    except OSError:
        rules = ""
    ignores = read_ignore_file(rules)
    paths = _kept(_list_git(root), ignores) if in_repository else _walk(root, b"", ignores)
    files: List[PackedFile] = []
    for path in sorted(paths):
        file = _look(root, path)
        if file is not None:
            files.append(file)
    if not files:
        raise ValueError(f"{os.fspath(folder)} has no files to send: it is empty, or all are ignored.")
    _require_distinct(files)
    size = _archive_size(files)
    if size > most_bytes:
        raise _too_large(os.fspath(folder), files, size, most_bytes)
    git = _git_state(root) if in_repository else None
    return PackedCode(size, _write(target, files), git)


def _is_in_repository(folder: bytes) -> bool:
    while True:
        if os.path.lexists(os.path.join(folder, b".git")):
            return True
        parent = os.path.dirname(folder)
        if parent == folder:
            return False
        folder = parent


def _list_git(folder: bytes) -> List[bytes]:
    """What git lists. A repository within, such as a submodule, is listed by its folder alone."""
    listed = _git(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    paths: List[bytes] = []
    for path in dict.fromkeys(listed.split(b"\0")[:-1]):
        inner = os.path.join(folder, path)
        if not path.endswith(b"/") and (os.path.islink(inner) or not os.path.isdir(inner)):
            paths.append(path)
        # The folder of a submodule that is not checked out is empty.
        elif os.path.lexists(os.path.join(inner, b".git")):
            prefix = path.rstrip(b"/") + b"/"
            paths.extend(prefix + name for name in _list_git(inner))
    return paths


def _git(folder: bytes, *args: str) -> bytes:
    # A repository can name a program that git runs to find changed files.
    command = ["git", "-c", "core.fsmonitor=false", *args]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
            check=True,
        )
    except FileNotFoundError:
        raise _git_failed(folder, "there is no git on this machine.") from None
    except subprocess.CalledProcessError as error:
        raise _git_failed(folder, error.stderr.decode("utf-8", "replace").strip()) from None
    return done.stdout


def _git_failed(folder: bytes, why: str) -> ValueError:
    return ValueError(f"{os.fsdecode(folder)} is in a Git repository, but git cannot read it: {why}")


def _git_state(folder: bytes) -> Optional[GitState]:
    """None for a repository without a commit."""
    commit = _git_line(folder, "rev-parse", "--verify", "--quiet", "HEAD")
    if commit is None:
        return None
    branch = _git_line(folder, "symbolic-ref", "--short", "--quiet", "HEAD")
    changes = _git(folder, "status", "--porcelain", "-z", "--", ".")
    return GitState(commit, branch, bool(changes))


def _git_line(folder: bytes, *args: str) -> Optional[str]:
    try:
        return _git(folder, *args).decode("utf-8").strip()
    except ValueError:
        return None


def _kept(paths: Iterable[bytes], ignores: Ignores) -> List[bytes]:
    kept: List[bytes] = []
    for path in paths:
        names = path.decode("utf-8", "replace").split("/")
        heads = ["/".join(names[: end + 1]) for end in range(len(names))]
        if not any(ignores(head, end < len(names) - 1) for end, head in enumerate(heads)):
            kept.append(path)
    return kept


def _walk(root: bytes, prefix: bytes, ignores: Ignores) -> List[bytes]:
    paths: List[bytes] = []
    with os.scandir(os.path.join(root, prefix)) as entries:
        for entry in entries:
            path = prefix + entry.name
            is_folder = entry.is_dir(follow_symlinks=False)
            if entry.name == b".git" or ignores(path.decode("utf-8", "replace"), is_folder):
                continue
            if is_folder:
                paths.extend(_walk(root, path + b"/", ignores))
            else:
                paths.append(path)
    return paths


def _refusal(path: str, problem: str) -> ValueError:
    hint = f"Leave it out with a line in {IGNORE_FILE}, or in .gitignore."
    return ValueError(f"{path!r} {problem}. {hint}")


def _look(root: bytes, name: bytes) -> Optional[PackedFile]:
    """None for a file that git knows and that is deleted here."""
    try:
        path = name.decode("utf-8")
    except UnicodeDecodeError:
        raise _refusal(name.decode("utf-8", "replace"), "has a name that is not UTF-8") from None
    problem = problem_of_path(path)
    if problem is not None:
        raise _refusal(path, problem)
    source = os.path.join(root, name)
    try:
        state = os.lstat(source)
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(state.st_mode):
        source = os.path.realpath(source)
        if not os.path.lexists(source):
            raise _refusal(path, "is a link to nothing")
        if os.path.commonpath([root, source]) != root:
            raise _refusal(path, "is a link that leads out of the folder")
        state = os.lstat(source)
        # Its files would be sent twice, or for ever if it leads to a folder around it.
        if stat.S_ISDIR(state.st_mode):
            raise _refusal(path, "is a link to a folder")
    if not stat.S_ISREG(state.st_mode):
        raise _refusal(path, "is not a plain file")
    return PackedFile(path, source, state.st_size, bool(state.st_mode & 0o100))


def problem_of_path(path: str) -> Optional[str]:
    """Why no archive may have this path. The agent refuses the same (archive-paths.ts)."""
    names = path.split("/")
    if any(name in ("", ".", "..") for name in names):
        return "leads out of the folder"
    # A backslash or a colon leads elsewhere on Windows.
    if any(each in "\\:" or unicodedata.category(each) == "Cc" for each in path):
        return "has a backslash, a colon or a control character in its name"
    if len(path.encode("utf-8")) > MOST_PATH or any(
        len(name.encode("utf-8")) > MOST_NAME for name in names
    ):
        return "has too long a name"
    top = _key_of(names[0])
    if top in RESERVED:
        return f"is in a folder named {top}, which a step has for its own files"
    return None


def _key_of(path: str) -> str:
    """Two paths with the same key are one file on some systems."""
    return unicodedata.normalize("NFC", path).lower()


def _require_distinct(files: Iterable[PackedFile]) -> None:
    seen: Dict[str, str] = {}
    for file in files:
        known = seen.setdefault(_key_of(file.path), file.path)
        if known != file.path:
            what = f"differs from {known!r} only by case, which some devices cannot tell"
            raise _refusal(file.path, what)


def _too_large(folder: str, files: List[PackedFile], size: int, most: int) -> ValueError:
    largest = sorted(files, key=lambda file: -file.size)[:LARGEST_SHOWN]
    lines = "".join(f"\n  {_megabytes(file.size)}  {file.path}" for file in largest)
    return ValueError(
        f"{folder} has {_megabytes(size)} in {len(files)} files. The gateway takes "
        f"{_megabytes(most)}. Leave files out with {IGNORE_FILE}; upload data with "
        f"project.upload. The largest:{lines}"
    )


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def _archive_size(files: Iterable[PackedFile]) -> int:
    sizes = (len(_header(file)) + file.size + len(_padding(file.size)) for file in files)
    return sum(sizes) + len(END)


def _write(target: Path, files: Iterable[PackedFile]) -> str:
    digest = hashlib.sha256()
    with open(target, "xb") as archive:

        def add(data: bytes) -> None:
            digest.update(data)
            archive.write(data)

        for file in files:
            add(_header(file))
            left = file.size
            with open(file.source, "rb") as source:
                while True:
                    chunk = source.read(CHUNK)
                    left -= len(chunk)
                    if left < 0 or (not chunk and left > 0):
                        raise ValueError(f"{file.path!r} changed while it was read. Try again.")
                    if not chunk:
                        break
                    add(chunk)
            add(_padding(file.size))
        add(END)
    return digest.hexdigest()


def _header(file: PackedFile) -> bytes:
    """The blocks before the content of a file: ustar, with a pax header for a path that does not fit."""
    mode = 0o755 if file.is_executable else 0o644
    name = file.path.encode("utf-8")
    if len(name) <= MOST_PLAIN_PATH and all(0x20 <= byte <= 0x7E for byte in name):
        return _block(name, file.size, mode, b"0")
    record = _pax_record(b"path", name)
    pax = _block(b"pax-header", len(record), 0o644, b"x") + record + _padding(len(record))
    return pax + _block(b"path-in-pax-header", file.size, mode, b"0")


def _padding(size: int) -> bytes:
    return bytes(-size % BLOCK)


def _block(name: bytes, size: int, mode: int, kind: bytes) -> bytes:
    head = name.ljust(100, b"\0") + b"%07o\0%07o\0%07o\0%011o\0%011o\0" % (mode, 0, 0, size, 0)
    tail = kind + bytes(100) + b"ustar\x0000"
    # The checksum counts itself as spaces.
    block = (head + b" " * 8 + tail).ljust(BLOCK, b"\0")
    return head + b"%06o\0 " % sum(block) + block[len(head) + 8 :]


def _pax_record(key: bytes, value: bytes) -> bytes:
    """`LENGTH KEY=VALUE`, of which the length counts itself."""
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest)
    while len(str(length)) + len(rest) != length:
        length = len(str(length)) + len(rest)
    return str(length).encode("ascii") + rest

"""What the compat modules share: reading lists page by page, and files from and into handles."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, Optional

from .._client import Client
from .._files import File
from .._generated import FILE, FileData
from .._operation import Operation

Query = Operation[Dict[str, Any], Any]


def each(
    client: Client,
    operation: Query,
    variables: Dict[str, Any],
    of: Callable[[Any], Any] = lambda result: result,
) -> Iterator[Dict[str, Any]]:
    """The nodes of a list, page by page. `of` finds the connection in the result."""
    after: Optional[str] = None
    while True:
        page = of(client.request(operation, {**variables, "after": after}))
        yield from page["nodes"]
        if not page["pageInfo"]["hasNextPage"]:
            return
        after = page["pageInfo"]["endCursor"]


def copy_out(client: Client, data: FileData, handle: Any) -> None:
    """Downloads a file, checks it, and writes it into an open file."""
    with tempfile.TemporaryDirectory() as folder:
        path = File(client, data).download(Path(folder) / "content")
        with open(path, "rb") as source:
            shutil.copyfileobj(source, getattr(handle, "buffer", handle))
    handle.flush()


def copy_in(handle: Any, path: Path) -> None:
    """Writes the rest of an open file, of text or bytes, to a path."""
    with open(path, "wb") as target:
        while True:
            # The bytes behind a text file, so that nothing is decoded.
            chunk = getattr(handle, "buffer", handle).read(1 << 20)
            if not chunk:
                return
            target.write(chunk.encode("utf-8") if isinstance(chunk, str) else chunk)


def find_file(client: Client, id_: str) -> Optional[FileData]:
    """A file by id. None: there is none, or this key may not see it."""
    return client.request(FILE, {"id": id_})

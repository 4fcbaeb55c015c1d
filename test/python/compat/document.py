"""Runs the code blocks of a document as they stand, and compares what they give with what it shows.

A file of documents/ has the blocks of one document, each below a heading with its first line there
and the section that it is in, and the differences that remain. A test runs or compares every block,
in any order; `finish` fails if one is left out.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import re
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Set, Tuple

FOLDER = Path(__file__).parent / "documents"


class Block(NamedTuple):
    """A block of code or output."""

    line: int
    section: str
    language: str
    text: str


class Document:
    """The blocks of one document, and one namespace in which they run."""

    def __init__(self, system: str, namespace: Dict[str, Any]) -> None:
        self.system = system
        self.namespace = namespace
        text = (FOLDER / f"{system}.md").read_text("utf-8")
        found = re.findall(r"^### (\d+) (.*)\n\n```(\w+)\n([\s\S]*?)\n```$", text, re.MULTILINE)
        self.blocks = [Block(int(line), *rest) for line, *rest in found]
        self._differing: Dict[str, bool] = {
            pattern: False
            for comment in re.findall(r"^- <!--(.*?)-->", text, re.MULTILINE)
            for pattern in comment.split()
        }
        self._ran: Set[int] = set()
        self._compared: Set[int] = set()
        self._others: Set[int] = set()
        self._failures: List[str] = []

    def block(self, line: int) -> Block:
        """The block that begins at a line of the document."""
        return next(block for block in self.blocks if block.line == line)

    def run(
        self, line: int, filled: Optional[Dict[str, str]] = None, *, joined: bool = False
    ) -> Dict[str, Any]:
        """Runs a block. Returns the namespace.

        filled: ids and addresses of the document, each by the one to use. joined: the block is no
        Python as it stands, because a line ends after a `=`: continue that line.
        """
        block = self.block(line)
        text = block.text
        for shown, used in (filled or {}).items():
            if shown not in text:
                raise AssertionError(f"Line {line} has no {shown} to fill in.")
            text = text.replace(shown, used)
        if joined:
            try:
                compile(text, block.section, "exec")
            except SyntaxError:
                text = re.sub(r"= *\n", "= \\\n", text)
            else:
                raise AssertionError(f"Line {line} runs as it stands.")
        exec(compile(text, f"{self.system}:{line}", "exec", dont_inherit=True), self.namespace)
        self._ran.add(line)
        return self.namespace

    def run_printing(self, line: int, filled: Optional[Dict[str, str]] = None) -> str:
        """Runs a block. Returns what it prints."""
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            self.run(line, filled)
        return printed.getvalue()

    def compare(self, line: int, got: Any, repaired: Optional[Dict[str, str]] = None) -> None:
        """Compares an object with the one that a block shows.

        repaired: what is no Python in the block, each by what it means.
        """
        text = self.block(line).text
        for shown, meant in (repaired or {}).items():
            if shown not in text:
                raise AssertionError(f"Line {line} has no {shown!r} to repair.")
            text = text.replace(shown, meant)
        shown_object = eval(text.strip(), dict(self.namespace))
        for path, shown, is_ in differ(shown_object, got, f"{line}"):
            self.differ(path, f"the document shows {shown!r}, this is {is_!r}")
        self._compared.add(line)

    def compare_printed(self, line: int, printed: str) -> None:
        """Compares what was printed with an output that a block shows."""
        shown = self.block(line).text.rstrip("\n")
        if printed.rstrip("\n") != shown:
            self.differ(f"{line}", f"the document shows {shown!r}, this is {printed!r}")
        self._compared.add(line)

    def check(self, line: int, is_so: bool, what: str) -> None:
        """Counts a block as compared. `what` says what is not so."""
        if not is_so:
            self.differ(f"{line}", what)
        self._compared.add(line)

    def leave(self, line: int) -> None:
        """Counts a block that is no code of the system: why is said where this is called."""
        self._others.add(line)

    def differ(self, path: str, what: str) -> None:
        """Notes a difference: one that the file lists, or a failure."""
        if path in self._differing:
            self._differing[path] = True
        else:
            self._failures.append(f"{path}: {what}")

    def finish(self) -> None:
        """Prints the counts. Fails if a block is left out, or if the list of differences is wrong."""
        left = [block.line for block in self.blocks if block.line not in self._ran | self._compared | self._others]
        if left:
            self._failures.append(f"left out: the blocks of lines {left}")
        gone = [path for path, is_there in self._differing.items() if not is_there]
        if gone:
            self._failures.append(f"listed as a difference, but there is none: {gone}")
        if self._failures:
            raise AssertionError("\n".join(self._failures))
        print(
            f"{self.system}: {len(self._ran)} blocks run, "
            f"{len(self._compared - self._ran)} outputs and declarations compared, "
            f"{len(self._others)} left"
        )


def differ(shown: Any, got: Any, path: str) -> Iterator[Tuple[str, Any, Any]]:
    """Where an object is not like the one that is shown: ids, times and sizes are their own."""
    if shown == {...} and isinstance(got, dict):
        return  # A dict of which it shows no more than the braces.
    if dataclasses.is_dataclass(shown) and type(got) is type(shown):
        for field in dataclasses.fields(shown):
            name = field.name
            yield from differ(getattr(shown, name), getattr(got, name), f"{path}.{name}")
    elif isinstance(shown, dict) and isinstance(got, dict):
        if set(shown) != set(got):
            yield path, sorted(shown), sorted(got)
        for key in shown.keys() & got.keys():
            yield from differ(shown[key], got[key], f"{path}.{key}")
    elif isinstance(shown, list) and isinstance(got, list):
        if len(shown) != len(got):
            yield path, shown, got
        for index, (one, other) in enumerate(zip(shown, got)):
            yield from differ(one, other, f"{path}[{index}]")
    elif not (type(shown) is type(got) and (shown == got or kind_of(shown) == kind_of(got) != "")):
        yield path, shown, got


def kind_of(value: Any) -> str:
    """What a text is, if its value is its own: an id, a time, a number."""
    if not isinstance(value, str):
        return ""
    if re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}", value):
        return "id"
    if re.fullmatch(r"dg-\w+|[a-z]+_[0-9a-z]{26}", value):
        return "id"
    if re.fullmatch(r"\d+", value):
        return "whole number"
    if re.fullmatch(r"\d+\.\d+", value):
        return "number"
    if re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)", value):
        return "time"
    if re.fullmatch(r"[0-9a-zA-Z_]{26,}(/[0-9a-zA-Z_]{26,})?/\w+", value):
        return "path of " + value.rpartition("/")[2]
    return ""

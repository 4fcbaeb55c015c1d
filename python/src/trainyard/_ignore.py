"""Which files `.trainyardignore` leaves out, by the rules of gitignore(5).

A `?` and a set stand for one character, where git counts bytes.

The command line chooses the same files: src/cli/code/ignore.ts has the same translation into
regular expressions. A test compares both with git.
"""

from __future__ import annotations

import re
from typing import Callable, List, NamedTuple, Optional, Pattern

Ignores = Callable[[str, bool], bool]
"""Whether a path, which is a folder or not, is left out. Ask for its folders first."""


class _Rule(NamedTuple):
    pattern: Pattern[str]
    is_negated: bool
    is_for_folders: bool


def read_ignore_file(text: str) -> Ignores:
    """The rules of a file."""
    rules: List[_Rule] = []
    for line in re.split(r"\r?\n", text):
        rule = _rule_of(line)
        if rule is not None:
            rules.append(rule)
    rules.reverse()

    def ignores(path: str, is_folder: bool) -> bool:
        for rule in rules:
            if (is_folder or not rule.is_for_folders) and rule.pattern.fullmatch(path):
                return not rule.is_negated
        return False

    return ignores


def _rule_of(line: str) -> Optional[_Rule]:
    # A space at the end counts only after a backslash.
    text = re.sub(r"((?:^|[^\\])(?:\\\\)*(?:\\ )?) +\Z", r"\1", line)
    if text == "" or text.startswith("#"):
        return None
    is_negated = text.startswith("!")
    if is_negated:
        text = text[1:]
    is_for_folders = text.endswith("/")
    if is_for_folders:
        text = text[:-1]
    # A slash before the end ties the pattern to the top folder.
    is_anchored = "/" in text
    if text.startswith("/"):
        text = text[1:]
    body = _translate(text)
    if body is None or text == "":
        return None
    prefix = "" if is_anchored else "(?:.*/)?"
    return _Rule(re.compile(prefix + body, re.DOTALL), is_negated, is_for_folders)


_SET = re.compile(r"\[([!^]?)((?:\\.|\]|[^\]\\])(?:\\.|[^\]\\])*)\]", re.DOTALL)


def _translate(glob: str) -> Optional[str]:
    """The regular expression for a pattern. None: it is not well formed, and matches nothing."""
    out = ""
    at = 0
    while at < len(glob):
        is_start = at == 0 or glob[at - 1] == "/"
        stars = len(glob) - at - len(glob[at:].lstrip("*"))
        end = at + stars
        if is_start and stars > 1 and glob[end : end + 1] == "/":
            out += "(?:.*/)?"
            at = end + 1
        elif is_start and stars > 1 and end == len(glob):
            out += ".+"
            at = end
        elif stars > 0:
            out += "[^/]*"
            at = end
        elif glob[at] == "?":
            out += "[^/]"
            at += 1
        elif glob[at] == "[":
            found = _SET.match(glob, at)
            if found is None:
                return None
            inner = re.sub(
                r"\\(.)|([\\\]^\[&~|])",
                lambda part: _escaped_in_set(part.group(1) or part.group(2)),
                found.group(2),
                flags=re.DOTALL,
            )
            out += f"(?!/)[{'^' if found.group(1) else ''}{inner}]"
            at = found.end()
        else:
            is_escaped = glob[at] == "\\"
            at += is_escaped
            if at == len(glob):
                return None
            out += re.escape(glob[at])
            at += 1
    return out


def _escaped_in_set(character: str) -> str:
    return "\\" + character if character in "-\\]^[&~|" else character

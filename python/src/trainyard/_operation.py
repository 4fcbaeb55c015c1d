"""One operation of the gateway's API: its document, and how its answer is read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Callable, Generic, Literal, Type, TypeVar

Variables = TypeVar("Variables")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Operation(Generic[Variables, Result]):
    """A query, mutation or subscription with one root field."""

    name: str
    """Its name in the document, which the gateway's log and traces show."""
    kind: Literal["query", "mutation", "subscription"]
    """What it is."""
    field: str
    """The key of its result in the answer's data."""
    variables: Type[Variables]
    """The type of its variables."""
    read: Callable[[Any], Result]
    """Reads the result: the value of `field`, or of a mutation its payload."""
    text: str
    """The document."""


def read_time(text: str) -> datetime:
    """Reads a time of the API: RFC 3339 in UTC."""
    # fromisoformat knows "Z" only since Python 3.11.
    return datetime.fromisoformat(text.replace("Z", "+00:00"))

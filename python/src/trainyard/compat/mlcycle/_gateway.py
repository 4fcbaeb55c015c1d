"""How the collections ask: True or an object, False for a refusal, ApiError for a wrong argument."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Optional, Tuple, TypeVar, Union

from typing import Literal

from ..._client import Client as Gateway
from ..._errors import Refused, RequestRefused
from ..._generated import InvalidInput
from ..._leases import Lease
from ..._protocol import tell

Result = TypeVar("Result")
OrFalse = Union[Result, Literal[False]]


class ApiError(Exception):
    """An argument has a wrong format."""


@dataclass
class Environment:
    """Where the client works: the host, and what the agent that runs this process has told it."""

    gateway: Gateway
    """The connection to the gateway."""
    host: str
    """The address of the gateway."""
    project: Optional[str] = None
    """The project of the step that this process runs."""
    job: Optional[str] = None
    """The job of the step that this process runs."""
    step: Optional[int] = None
    """The number of the step that this process runs."""
    leases: Dict[Tuple[str, int], Lease] = field(default_factory=lambda: {})
    """The claims of this client, by job and step. A thread renews each."""

    def lease_token(self, job_id: str, step_number: int) -> Optional[str]:
        """The lease of a step that this client has claimed, or that this process runs."""
        lease = self.leases.get((job_id, step_number))
        if lease is not None:
            return lease.token
        is_own = (job_id, step_number) == (self.job, self.step)
        # What an agent gives to a step is the lease as well.
        return os.environ.get("TRAINYARD_TOKEN") if is_own else None


def answer(ask: Callable[[], Result]) -> OrFalse[Result]:
    """What `ask` returns. False if the gateway refuses it. Raises ApiError for a wrong input."""
    try:
        return ask()
    except InvalidInput as error:
        raise ApiError(str(error)) from error
    except Refused as error:
        tell(f"refused: {error}")
        return False
    except RequestRefused as error:
        tell(str(error))
        return False


def require_id(value: object, what: str) -> str:
    """An id. Raises ApiError."""
    if not isinstance(value, str) or not value:
        raise ApiError(f"{what} has to be an id, not {value!r}.")
    return value


def require_number(value: object) -> int:
    """The number of a step. Raises ApiError."""
    if isinstance(value, str) and value.isdecimal():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ApiError(f"step_number has to be a whole number from 0, not {value!r}.")
    return value


def require(value: Any, kind: Callable[..., Result], what: str) -> Result:
    """An object of a class. Raises ApiError."""
    if not isinstance(kind, type) or not isinstance(value, kind):
        raise ApiError(f"{what} has to be a {getattr(kind, '__name__', kind)}, not {value!r}.")
    return value


def require_list(value: object, kind: Callable[..., Result], what: str) -> List[Result]:
    """A list of objects of a class, not empty. Raises ApiError."""
    if not isinstance(value, list) or not value:
        raise ApiError(f"{what} has to be a list that is not empty, not {value!r}.")
    return [require(each, kind, f"each of {what}") for each in value]  # pyright: ignore[reportUnknownVariableType]

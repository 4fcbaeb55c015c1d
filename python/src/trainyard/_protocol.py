"""The protocol without input and output: what to send, how to read it, when to send it again.

A conversation with the gateway is a generator. It yields an Exchange (send this request) or a Pause
(wait), and is resumed with the Answer, or with GatewayUnreachable thrown into it. The shells in
_http.py and _async_http.py do what it yields: the one blocks, the other awaits.
"""

from __future__ import annotations

import codecs
import json
import logging
import random
import ssl
import time
import uuid
from dataclasses import dataclass, field
from typing import (
    Any,
    Callable,
    Dict,
    Generator,
    Generic,
    List,
    Mapping,
    Optional,
    Tuple,
    TypeVar,
    Union,
    cast,
)
from urllib.parse import urljoin, urlsplit

from ._errors import GatewayUnreachable, Refused, RequestRefused
from ._generated import REFUSALS
from ._operation import Operation
from ._version import VERSION

Variables = TypeVar("Variables")
Result = TypeVar("Result")

log = logging.getLogger("trainyard")

QUIET_SECONDS = 5.0
"""Trouble that lasts longer than this is told."""

SILENCE_SECONDS = 60.0
"""The gateway sends a comment on each stream at least twice in this time."""


@dataclass(frozen=True)
class Target:
    """Where a gateway is and with which key."""

    url: str
    """Its base URL, `http://127.0.0.1:4000`. A path before `/graphql` (a proxy's) is kept."""
    token: Optional[str] = None
    """An API key, the token of a job or of a lease."""
    project_id: Optional[str] = None
    """The default project."""

    def resolve(self, path: str) -> str:
        """A URL of the gateway: `/fragments/…` or `graphql`."""
        return urljoin(self.url.rstrip("/") + "/", path.lstrip("/"))

    def headers(self) -> Dict[str, str]:
        """The headers of each request."""
        headers = {"User-Agent": f"trainyard-python/{VERSION}", "Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        return headers


@dataclass(frozen=True)
class Exchange:
    """One HTTP request."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    timeout: float
    """The seconds for each wait: to connect, to send, for the answer."""


@dataclass(frozen=True)
class Pause:
    """Waits."""

    seconds: float


@dataclass(frozen=True)
class Answer:
    """The answer to an Exchange."""

    status: int
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes


Effect = Union[Exchange, Pause]
Conversation = Generator[Effect, Optional[Answer], Result]


def new_key() -> str:
    """An idempotency key: a request that is sent twice with it takes effect once."""
    return f"python-{uuid.uuid4()}"


class Backoff:
    """The pauses between tries: doubling, up to a maximum, with jitter."""

    def __init__(self, first: float = 0.25, most: float = 15.0) -> None:
        self._first = first
        self._most = most
        self._failures = 0

    def failed(self) -> float:
        """The seconds before the next try."""
        full = min(self._most, self._first * 2.0 ** min(self._failures, 20))
        self._failures += 1
        # Half is fixed: with full jitter, a client could return at once, again and again.
        return full / 2 + full / 2 * random.random()

    def works(self) -> None:
        """The next failure is the first again."""
        self._failures = 0


class Trouble:
    """Tells what a client waits for, once it has waited for 5 s, and that it is over."""

    def __init__(self, what: str, tell: Callable[[str], None]) -> None:
        self._what = what
        self._tell = tell
        self._since: Optional[float] = None
        self._is_told = False

    def failed(self, reason: str, pause: float = 0.0) -> float:
        """Counts a failed try. Returns the seconds since the first one."""
        now = time.monotonic()
        if self._since is None:
            self._since = now
        waited = now - self._since
        if not self._is_told and waited + pause >= QUIET_SECONDS:
            self._is_told = True
            self._tell(f"waiting for the gateway, to {self._what}: {reason}")
        return waited

    def works(self) -> None:
        """A try succeeded."""
        if self._is_told and self._since is not None:
            self._tell(f"the gateway is back after {time.monotonic() - self._since:.0f} s")
        self._since = None
        self._is_told = False


def tell(message: str) -> None:
    """Writes to the logger `trainyard`, which by default writes to stderr."""
    log.warning("trainyard: %s", message)


def ask(
    target: Target,
    operation: Operation[Variables, Result],
    variables: Variables,
    *,
    timeout: float = 30.0,
    patience: float = 60.0,
) -> Conversation[Result]:
    """Asks until the gateway answers.

    timeout: the seconds for one try. patience: the seconds for all tries. A repeated mutation takes
    effect once if its input has an idempotency key, or is of a kind that can be repeated.
    Raises Refused, RequestRefused, and GatewayUnreachable when the patience has ended.
    """
    data = yield from ask_text(
        target, operation.text, variables, name=operation.name, timeout=timeout, patience=patience
    )
    result = data[operation.field]
    if operation.kind == "mutation":
        raise_refusal(result)
    return operation.read(result)


def ask_text(
    target: Target,
    document: str,
    variables: Any,
    *,
    name: str = "ask",
    timeout: float = 30.0,
    patience: float = 60.0,
) -> Conversation[Dict[str, Any]]:
    """Like ask, for the text of any document. Returns the answer's data as it is."""
    exchange = graphql_request(target, document, variables, timeout)
    trouble = Trouble(name, tell)
    backoff = Backoff()
    while True:
        try:
            answer = yield exchange
            data = read_data(target, answer)
            trouble.works()
            return data
        except (GatewayUnreachable, RequestRefused) as error:
            if not may_retry(error):
                raise
            pause = (error.retry_after or 0.0) + backoff.failed()
            if trouble.failed(str(error), pause) + pause > patience:
                raise
            yield Pause(pause)


def graphql_request(target: Target, document: str, variables: Any, timeout: float) -> Exchange:
    """The request of a query or mutation."""
    body = encode({"query": document, "variables": variables})
    headers = {**target.headers(), "Accept": "application/graphql-response+json, application/json"}
    return Exchange("POST", target.resolve("graphql"), headers, body, timeout)


def encode(value: Any) -> bytes:
    """JSON as the gateway takes it. Raises ValueError for NaN and infinity, which JSON lacks."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("utf-8")


def may_retry(error: Exception) -> bool:
    """Whether the same request may succeed later."""
    if isinstance(error, GatewayUnreachable):
        # A certificate that is not trusted now will not be in a minute.
        return not isinstance(error.__cause__, ssl.SSLCertVerificationError)
    if isinstance(error, RequestRefused):
        return error.retry_after is not None or error.code == "UNAVAILABLE"
    return False


def read_data(target: Target, answer: Optional[Answer]) -> Dict[str, Any]:
    """The data of an answer. Raises GatewayUnreachable for a 5xx, else RequestRefused."""
    if answer is None:
        raise TypeError("An Exchange has to be resumed with its Answer.")
    body = as_object(read_body(target, answer))
    if body is not None:
        if body.get("errors"):
            raise refusal_of(body["errors"], answer)
        data = as_object(body.get("data"))
        if answer.status < 300 and data is not None:
            return data
    raise RequestRefused(
        {401: "UNAUTHENTICATED", 403: "FORBIDDEN", 429: "LIMIT_EXCEEDED"}.get(
            answer.status, "BAD_REQUEST"
        ),
        f"The answer of {target.url} (HTTP {answer.status}) is not one of a Trainyard gateway.",
        retry_after_of(answer) if answer.status == 429 else None,
    )


def as_object(value: Any) -> Optional[Dict[str, Any]]:
    """A JSON object. None for any other value."""
    return cast("Dict[str, Any]", value) if isinstance(value, dict) else None


def read_body(target: Target, answer: Answer) -> Any:
    """The JSON of an answer, None if it is none. Raises GatewayUnreachable for a 5xx."""
    if answer.status >= 500:
        line = answer.body[:200].decode("utf-8", "replace").strip().split("\n", 1)[0]
        raise GatewayUnreachable(
            f"{target.url} answered {answer.status}: {line}", retry_after_of(answer)
        )
    try:
        return json.loads(answer.body)
    except ValueError:
        return None


def retry_after_of(answer: Answer) -> Optional[float]:
    """The seconds of a Retry-After header. (Its other form, a date, depends on the clock.)"""
    text = answer.headers.get("retry-after", "")
    return float(text) if text.isdigit() and len(text) <= 6 else None


def refusal_of(errors: List[Dict[str, Any]], answer: Optional[Answer] = None) -> RequestRefused:
    """The exception for the top-level errors of an answer or a frame."""
    extensions: Dict[str, Any] = errors[0].get("extensions") or {}
    after = extensions.get("retryAfterMs")
    return RequestRefused(
        extensions.get("code") or "BAD_REQUEST",
        "\n".join(str(error.get("message")) for error in errors),
        after / 1000.0 if isinstance(after, (int, float)) else None,
        extensions.get("requestId") or (answer.headers.get("x-request-id") if answer else None),
    )


def raise_refusal(result: Dict[str, Any]) -> None:
    """Raises the exception for a mutation's result, unless it is a payload."""
    if "code" in result and "message" in result:
        raise REFUSALS.get(result["__typename"], Refused)(result)


# --- Server-sent events ---------------------------------------------------------------------------


class EventParser:
    """Reads server-sent events from bytes as they come, cut anywhere."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._buffer = ""
        self._event = ""
        self._data: List[str] = []

    def feed(self, chunk: bytes) -> List[Tuple[str, str]]:
        """The events that are complete now, each with its type and data."""
        self._buffer += self._decoder.decode(chunk)
        events: List[Tuple[str, str]] = []
        # A line may end with \r\n: a lone \r at the end waits for what follows.
        *lines, self._buffer = self._buffer.split("\n")
        for line in lines:
            self._take(line[:-1] if line.endswith("\r") else line, events)
        return events

    def _take(self, line: str, events: List[Tuple[str, str]]) -> None:
        if line == "":
            if self._event or self._data:
                events.append((self._event or "message", "\n".join(self._data)))
            self._event, self._data = "", []
            return
        name, _, value = line.partition(":")
        value = value[1:] if value.startswith(" ") else value
        if name == "event":
            self._event = value
        elif name == "data":
            self._data.append(value)


@dataclass
class Subscription(Generic[Variables, Result]):
    """One subscription over all of its connections: keeps the cursor and decides what is final.

    connection lost → pause → request (from the cursor) → frames … until a frame says ENDED.
    """

    target: Target
    operation: Operation[Variables, Result]
    variables: Dict[str, Any]
    patience: Optional[float] = None
    """The seconds without a connection after which it fails. None: it never gives up."""
    first_patience: float = 60.0
    """The same before the first frame: a wrong address should not wait for ever."""
    is_over: bool = False
    """Whether the last frame has come."""
    _parser: EventParser = field(default_factory=EventParser)
    _backoff: Backoff = field(default_factory=Backoff)
    _trouble: Optional[Trouble] = None
    _was_served: bool = False
    _faults: int = 0

    @property
    def cursor(self) -> Optional[str]:
        """The position after the last frame that was read."""
        return self.variables.get("after")

    def request(self) -> Exchange:
        """The request that continues it."""
        self._parser = EventParser()
        body = encode({"query": self.operation.text, "variables": self.variables})
        headers = {**self.target.headers(), "Accept": "text/event-stream"}
        return Exchange("POST", self.target.resolve("graphql"), headers, body, SILENCE_SECONDS)

    def check(self, answer: Answer) -> None:
        """Raises for an answer that is no stream. Its body has been read."""
        is_stream = answer.headers.get("content-type", "").startswith("text/event-stream")
        if answer.status != 200 or not is_stream:
            read_data(self.target, answer)
            raise RequestRefused("BAD_REQUEST", f"{self.target.url} does not answer with a stream.")

    def feed(self, chunk: bytes) -> List[Result]:
        """The frames in these bytes. Raises RequestRefused if the gateway ends the stream."""
        frames: List[Result] = []
        for event, text in self._parser.feed(chunk):
            if event != "next" or self.is_over:
                continue
            content: Dict[str, Any] = json.loads(text)
            if content.get("errors"):
                if frames:
                    # What was read before is delivered first. The next request is refused as well.
                    return frames
                raise refusal_of(content["errors"])
            frame: Dict[str, Any] = content["data"][self.operation.field]
            frames.append(self.operation.read(frame))
            self.variables = {**self.variables, "after": frame["cursor"]}
            self.is_over = frame["state"] == "ENDED"
            self._works()
        return frames

    def lost(self, error: Exception) -> float:
        """The seconds before the next try. Raises the error if there is none."""
        if not may_retry(error):
            self._faults += 1
            # A fault of the gateway may pass. A refusal stays one.
            is_fault = isinstance(error, RequestRefused) and error.code == "INTERNAL_ERROR"
            if not is_fault or self._faults >= 5:
                raise error
        pause = self._backoff.failed() + (getattr(error, "retry_after", None) or 0.0)
        if self._trouble is None:
            self._trouble = Trouble(f"go on with {self.operation.name}", tell)
        waited = self._trouble.failed(str(error), pause)
        patience = self.patience if self._was_served else self.first_patience
        if patience is not None and waited + pause > patience:
            raise error
        return pause

    def _works(self) -> None:
        self._was_served = True
        self._faults = 0
        self._backoff.works()
        if self._trouble is not None:
            self._trouble.works()


def is_https(url: str) -> bool:
    """Whether a URL is of the scheme https. Raises ValueError for another one than these two."""
    scheme = urlsplit(url).scheme
    if scheme not in ("http", "https"):
        raise ValueError(f"The gateway's URL must look like http://127.0.0.1:4000, not {url!r}.")
    return scheme == "https"

"""The blocking shell: does what the conversations of _protocol.py yield, over http.client."""

from __future__ import annotations

import http.client
import os
import select
import socket
import ssl
import threading
import time
from base64 import b64encode
from dataclasses import dataclass
from email.message import Message
from typing import Any, BinaryIO, Dict, Iterator, Mapping, Optional, Tuple, TypeVar, Union
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from ._errors import GatewayUnreachable, RequestRefused, TrainyardError
from ._operation import Operation
from ._protocol import (
    SILENCE_SECONDS,
    Answer,
    Conversation,
    Exchange,
    Pause,
    Subscription,
    Target,
)

Result = TypeVar("Result")
Variables = TypeVar("Variables")
Body = Union[bytes, BinaryIO, Iterator[bytes]]


@dataclass(frozen=True)
class Opened:
    """An answer whose body is still to be read."""

    connection: http.client.HTTPConnection
    sock: socket.socket
    response: http.client.HTTPResponse

    def shut_down(self) -> None:
        """Wakes a thread that reads."""
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # It is closed already.

    def close(self) -> None:
        """Closes the connection."""
        self.response.close()
        self.connection.close()


class _Kept:
    """A connection at rest. It is closed with the thread or the client that keeps it."""

    def __init__(self, key: Any, connection: http.client.HTTPConnection) -> None:
        self.key = key
        self.connection = connection
        self._is_taken = False

    def take(self) -> http.client.HTTPConnection:
        """The connection, which now belongs to the caller."""
        self._is_taken = True
        return self.connection

    def __del__(self) -> None:
        if not self._is_taken:
            self.connection.close()


class Http:
    """Sends requests to one gateway.

    Threads may share it: each has a connection of its own, which is kept open between requests.
    """

    def __init__(self, context: Optional[ssl.SSLContext] = None) -> None:
        self._context = context
        self._local = threading.local()

    def run(self, conversation: Conversation[Result]) -> Result:
        """Holds a conversation to its end. Returns its result, raises what it raises."""
        try:
            effect = next(conversation)
            while True:
                if isinstance(effect, Pause):
                    time.sleep(effect.seconds)
                    effect = next(conversation)
                    continue
                try:
                    answer = self.exchange(effect)
                except GatewayUnreachable as error:
                    effect = conversation.throw(error)
                else:
                    effect = conversation.send(answer)
        except StopIteration as end:
            return end.value
        finally:
            conversation.close()

    def exchange(self, exchange: Exchange) -> Answer:
        """Sends one request. Raises GatewayUnreachable if no answer comes."""
        # A forked process must not use its parent's connection.
        key = (urlsplit(exchange.url)[:2], exchange.timeout, os.getpid())
        kept: Optional[_Kept] = getattr(self._local, "kept", None)
        self._local.kept = None
        connection: Optional[http.client.HTTPConnection] = None
        try:
            # A kept connection may have been closed by the gateway meanwhile: it is then readable.
            if kept is not None and kept.key == key and not _is_stale(kept.connection):
                connection, url = kept.take(), _path(exchange.url)
            else:
                connection, url = self.connect(exchange.url, exchange.timeout)
            connection.request(exchange.method, url, exchange.body, _headers(exchange))
            response = connection.getresponse()
            _require_whole_head(response)
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            if connection is not None:
                connection.close()
            raise unreachable(exchange.url, error) from error
        if response.will_close:
            connection.close()
        else:
            self._local.kept = _Kept(key, connection)
        return Answer(response.status, lower(response.headers), body)

    def open(self, exchange: Exchange, body: Optional[Body] = None) -> Opened:
        """Sends one request and leaves the body of its answer to the caller, who closes it."""
        connection: Optional[http.client.HTTPConnection] = None
        try:
            connection, url = self.connect(exchange.url, exchange.timeout)
            connection.connect()
            content = exchange.body if body is None else body
            sock: socket.socket = connection.sock
            connection.request(exchange.method, url, content, _headers(exchange))
            response = connection.getresponse()
            _require_whole_head(response)
            return Opened(connection, sock, response)
        except (OSError, http.client.HTTPException) as error:
            if connection is not None:
                connection.close()
            raise unreachable(exchange.url, error) from error

    def connect(self, url: str, timeout: float) -> Tuple[http.client.HTTPConnection, str]:
        """A new connection, through the proxy that the environment names, and the URL to ask."""
        parts = urlsplit(url)
        proxy = proxy_for(parts)
        host, port = (proxy or parts).hostname or "", (proxy or parts).port
        if parts.scheme == "https":
            context = self._context or ssl.create_default_context()
            secure = http.client.HTTPSConnection(host, port, timeout=timeout, context=context)
            if proxy:
                secure.set_tunnel(parts.hostname or "", parts.port or 443, authorize(proxy))
            return secure, _path(url)
        plain = http.client.HTTPConnection(host, port, timeout=timeout)
        return plain, _path(url)


class Frames(Iterator[Result]):
    """The frames of a subscription, over all of its connections."""

    def __init__(
        self,
        http_: Http,
        subscription: Subscription[Any, Result],
        deadline: Optional[float] = None,
    ) -> None:
        """deadline: on the monotonic clock. Raises TimeoutError after it."""
        self.subscription = subscription
        self._http = http_
        self._deadline = deadline
        self._opened: Optional[Opened] = None
        self._closed = threading.Event()
        self._iterator = self._iterate()

    def __next__(self) -> Result:
        return next(self._iterator)

    def close(self) -> None:
        """Ends the subscription. The iteration ends, also in another thread that waits."""
        self._closed.set()
        if self._opened is not None:
            self._opened.shut_down()

    def _iterate(self) -> Iterator[Result]:
        subscription = self.subscription
        while not (subscription.is_over or self._closed.is_set()):
            try:
                for frame in self._read():
                    yield frame
                    if self._closed.is_set():
                        return
                failure: TrainyardError = GatewayUnreachable("the gateway closed the stream")
            except (GatewayUnreachable, RequestRefused) as error:
                failure = error
            if subscription.is_over or self._closed.is_set():
                return
            self._left()
            self._closed.wait(subscription.lost(failure))

    def _read(self) -> Iterator[Result]:
        """The frames of one connection."""
        subscription = self.subscription
        opened = self._opened = self._http.open(subscription.request())
        response = opened.response
        try:
            body = response.read() if response.status != 200 else b""
            subscription.check(Answer(response.status, lower(response.headers), body))
            while not subscription.is_over:
                opened.sock.settimeout(min(SILENCE_SECONDS, self._left()))
                chunk = response.read1(65_536)
                if not chunk:
                    return
                yield from subscription.feed(chunk)
        except (OSError, http.client.HTTPException) as error:
            self._left()
            raise unreachable(subscription.target.url, error) from error
        finally:
            opened.close()

    def _left(self) -> float:
        """The seconds until the deadline. Raises TimeoutError after it."""
        if self._deadline is None:
            return SILENCE_SECONDS
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("The time for this stream is over.")
        return left


def subscribe(
    http_: Http,
    target: Target,
    operation: Operation[Variables, Result],
    variables: Mapping[str, Any],
    *,
    timeout: Optional[float] = None,
    patience: float = 60.0,
) -> Frames[Result]:
    """Subscribes, and stays subscribed until a frame says ENDED.

    timeout: seconds after which the iteration raises TimeoutError. None: never.
    patience: seconds for the first connection. Later ones are tried for ever.
    """
    given = {name: value for name, value in variables.items() if value is not None}
    subscription = Subscription(target, operation, given, first_patience=patience)
    return Frames(http_, subscription, None if timeout is None else time.monotonic() + timeout)


def unreachable(url: str, error: Exception) -> GatewayUnreachable:
    """The exception for trouble with a connection."""
    is_cut = isinstance(error, (EOFError, http.client.IncompleteRead))
    reason = "the answer was cut off" if is_cut else str(error) or type(error).__name__
    parts = urlsplit(url)
    return GatewayUnreachable(f"{parts.scheme}://{parts.netloc} cannot be reached: {reason}")


def lower(headers: Message) -> Mapping[str, str]:
    """Headers by lower-case name."""
    return {name.lower(): value for name, value in headers.items()}


def proxy_for(parts: SplitResult) -> Optional[SplitResult]:
    """The proxy for a URL, by the variables http_proxy, https_proxy and no_proxy."""
    host = parts.hostname or ""
    # The gateway of this machine is not behind a proxy.
    if host in ("localhost", "::1") or host.startswith("127.") or proxy_bypass(host):
        return None
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy:
        return None
    return urlsplit(proxy if "://" in proxy else f"http://{proxy}")


def authorize(proxy: SplitResult) -> Dict[str, str]:
    """The header for a proxy whose URL has a user and a password."""
    if proxy.username is None:
        return {}
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {b64encode(pair.encode()).decode()}"}


def _path(url: str) -> str:
    """What to ask a connection for. A proxy of plain HTTP is asked for the whole URL."""
    parts = urlsplit(url)
    if parts.scheme == "http" and proxy_for(parts):
        return url
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _require_whole_head(response: http.client.HTTPResponse) -> None:
    """http.client takes headers that were cut off for whole ones, and the body for empty."""
    headers = response.headers
    is_framed = "content-length" in headers or "transfer-encoding" in headers
    is_empty = response.status in (204, 304) or response.status < 200
    closes = (headers.get("connection") or "").lower() == "close" or response.version < 11
    if not (is_framed or is_empty or closes):
        raise http.client.IncompleteRead(b"")


def _headers(exchange: Exchange) -> Dict[str, str]:
    parts = urlsplit(exchange.url)
    proxy = proxy_for(parts) if parts.scheme == "http" else None
    return {**exchange.headers, **(authorize(proxy) if proxy else {})}


def _is_stale(connection: http.client.HTTPConnection) -> bool:
    """Whether a connection at rest has something to read: that can only be its end."""
    sock: Any = connection.sock
    if sock is None:
        return True
    try:
        if hasattr(select, "poll"):
            poll = select.poll()
            poll.register(sock, select.POLLIN)
            return bool(poll.poll(0))
        return bool(select.select([sock], [], [], 0)[0])
    except (OSError, ValueError):
        return True

"""The shell for asyncio: does what the conversations of _protocol.py yield, over its streams.

It speaks as much of HTTP/1.1 as a gateway and the proxies before it answer with: one request on
each connection, its answer with a length, in chunks, or up to the end.
"""

from __future__ import annotations

import asyncio
import http.client
import socket
import ssl
import time
from typing import Any, AsyncGenerator, Dict, Mapping, Optional, Tuple, TypeVar
from urllib.parse import urlsplit

from ._errors import GatewayUnreachable, RequestRefused, TrainyardError
from ._http import authorize, proxy_for, unreachable
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

TROUBLE = (OSError, EOFError, asyncio.TimeoutError, asyncio.LimitOverrunError, ValueError)
"""What a broken connection, or one that is not HTTP, raises."""


class AsyncHttp:
    """Sends requests to one gateway."""

    def __init__(self, context: Optional[ssl.SSLContext] = None) -> None:
        self._context = context

    async def run(self, conversation: Conversation[Result]) -> Result:
        """Holds a conversation to its end. Returns its result, raises what it raises."""
        try:
            effect = next(conversation)
            while True:
                if isinstance(effect, Pause):
                    await asyncio.sleep(effect.seconds)
                    effect = next(conversation)
                    continue
                try:
                    answer = await self.exchange(effect)
                except GatewayUnreachable as error:
                    effect = conversation.throw(error)
                else:
                    effect = conversation.send(answer)
        except StopIteration as end:
            return end.value
        finally:
            conversation.close()

    async def exchange(self, exchange: Exchange) -> Answer:
        """Sends one request. Raises GatewayUnreachable if no answer comes."""
        opened = await self.open(exchange)
        try:
            body = await asyncio.wait_for(opened.read_all(), exchange.timeout)
        except TROUBLE as error:
            raise unreachable(exchange.url, error) from error
        finally:
            opened.close()
        return Answer(opened.status, opened.headers, body)

    async def open(self, exchange: Exchange) -> OpenAnswer:
        """Sends one request and leaves the body of its answer to the caller, who closes it."""
        writer: Optional[asyncio.StreamWriter] = None
        try:
            reader, writer, target = await asyncio.wait_for(
                self._connect(exchange.url), exchange.timeout
            )
            writer.write(_head(exchange, target) + exchange.body)
            await asyncio.wait_for(writer.drain(), exchange.timeout)
            status, headers = await asyncio.wait_for(_read_head(reader), exchange.timeout)
            return OpenAnswer(status, headers, reader, writer)
        except TROUBLE as error:
            if writer is not None:
                writer.close()
            raise unreachable(exchange.url, error) from error
        except BaseException:
            if writer is not None:
                writer.close()
            raise

    async def _connect(
        self, url: str
    ) -> Tuple[asyncio.StreamReader, asyncio.StreamWriter, str]:
        parts = urlsplit(url)
        host = parts.hostname or ""
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        proxy = proxy_for(parts)
        if parts.scheme == "http":
            port = (proxy or parts).port or 80
            streams = await asyncio.open_connection((proxy or parts).hostname, port)
            return (*streams, url if proxy else path)
        context = self._context or ssl.create_default_context()
        port = parts.port or 443
        if proxy is None:
            streams = await asyncio.open_connection(host, port, ssl=context)
            return (*streams, path)

        def tunnel() -> socket.socket:
            connection = http.client.HTTPConnection(proxy.hostname or "", proxy.port or 80)
            connection.set_tunnel(host, port, authorize(proxy))
            connection.connect()
            return connection.sock

        sock = await asyncio.get_running_loop().run_in_executor(None, tunnel)
        sock.setblocking(False)
        streams = await asyncio.open_connection(sock=sock, ssl=context, server_hostname=host)
        return (*streams, path)


class OpenAnswer:
    """An answer whose body is still to be read."""

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.status = status
        self.headers = headers
        self._reader = reader
        self._writer = writer
        self._is_chunked = "chunked" in headers.get("transfer-encoding", "").lower()
        length = headers.get("content-length")
        self._left: Optional[int] = None if length is None or self._is_chunked else int(length)
        self._is_over = self._left == 0

    async def read(self) -> bytes:
        """The next bytes of the body. Empty at its end."""
        if self._is_over:
            return b""
        if self._is_chunked and not self._left:
            line = await self._reader.readuntil(b"\n")
            self._left = int(line.split(b";")[0], 16)
            if self._left == 0:
                self._is_over = True
                return b""
        chunk = await self._reader.read(min(65_536, self._left or 65_536))
        if not chunk:
            if self._left:
                raise EOFError("the connection was closed in the middle of an answer")
            self._is_over = True
            return b""
        if self._left is not None:
            self._left -= len(chunk)
            if self._left == 0 and self._is_chunked:
                await self._reader.readuntil(b"\n")
            elif self._left == 0:
                self._is_over = True
        return chunk

    async def read_all(self) -> bytes:
        """The whole body."""
        parts = [await self.read()]
        while parts[-1]:
            parts.append(await self.read())
        return b"".join(parts)

    def close(self) -> None:
        """Closes the connection."""
        self._writer.close()


async def frames(
    http_: AsyncHttp,
    target: Target,
    operation: Operation[Variables, Result],
    variables: Mapping[str, Any],
    *,
    timeout: Optional[float] = None,
    patience: float = 60.0,
) -> AsyncGenerator[Result, None]:
    """The frames of a subscription, over all of its connections, until one says ENDED.

    timeout: seconds after which the iteration raises TimeoutError. None: never.
    patience: seconds for the first connection. Later ones are tried for ever.
    """
    given = {name: value for name, value in variables.items() if value is not None}
    subscription = Subscription(target, operation, given, first_patience=patience)
    deadline = None if timeout is None else time.monotonic() + timeout

    def left() -> float:
        seconds = SILENCE_SECONDS if deadline is None else deadline - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("The time for this stream is over.")
        return min(SILENCE_SECONDS, seconds)

    while not subscription.is_over:
        opened: Optional[OpenAnswer] = None
        failure: TrainyardError = GatewayUnreachable("the gateway closed the stream")
        try:
            opened = await http_.open(subscription.request())
            body = await opened.read_all() if opened.status != 200 else b""
            subscription.check(Answer(opened.status, opened.headers, body))
            while not subscription.is_over:
                chunk = await asyncio.wait_for(opened.read(), left())
                if not chunk:
                    break
                for frame in subscription.feed(chunk):
                    yield frame
        except (GatewayUnreachable, RequestRefused) as error:
            failure = error
        except TimeoutError:
            left()  # Raises it, if it is about the deadline.
            failure = GatewayUnreachable("the gateway sent nothing for a minute")
        except TROUBLE as error:
            left()
            failure = unreachable(target.url, error)
        finally:
            if opened is not None:
                opened.close()
        if subscription.is_over:
            return
        left()
        await asyncio.sleep(subscription.lost(failure))


def _head(exchange: Exchange, target: str) -> bytes:
    parts = urlsplit(exchange.url)
    proxy = proxy_for(parts) if parts.scheme == "http" else None
    headers: Dict[str, str] = {
        "Host": parts.netloc.rpartition("@")[2],
        "Connection": "close",
        "Accept-Encoding": "identity",
        "Content-Length": str(len(exchange.body)),
        **exchange.headers,
        **(authorize(proxy) if proxy else {}),
    }
    lines = [f"{exchange.method} {target} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items())]
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("A header of the request has a line break in it.")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def _read_head(reader: asyncio.StreamReader) -> Tuple[int, Dict[str, str]]:
    while True:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.split("\r\n")
        version, _, rest = first.partition(" ")
        if not version.startswith("HTTP/1."):
            raise ValueError("the answer is not HTTP")
        status = int(rest[:3])
        if status >= 200:
            break
    headers: Dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    return status, headers

"""Streams: the entries of a subscription, one by one, with the cursor to go on from."""

from __future__ import annotations

from collections import deque
from types import TracebackType
from typing import (
    Any,
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Deque,
    Iterator,
    Optional,
    Protocol,
    Sequence,
    Type,
    TypeVar,
)

from ._generated import StreamState
from ._http import Frames

Entry = TypeVar("Entry")
Frame = TypeVar("Frame", bound="FrameLike")


class FrameLike(Protocol):
    """What all frames have."""

    @property
    def cursor(self) -> str:
        """The position after the frame."""
        ...

    @property
    def state(self) -> StreamState:
        """How far the subscription has read."""
        ...

    @property
    def missed(self) -> int:
        """Entries that retention has deleted."""
        ...


class Position:
    """How far the consumer of a stream is."""

    def __init__(self, after: Optional[str]) -> None:
        self.cursor = after
        self.missed = 0


class Stream(Iterator[Entry]):
    """The entries of a subscription, each once and in order, over any number of connections.

    Iterate it, once. It ends with its job, or when it is closed. A consumer that wants to go on
    later keeps `cursor` and passes it as `after`.
    """

    def __init__(
        self,
        frames: Frames[Frame],
        entries: Callable[[Frame], Sequence[Entry]],
        follow: bool = True,
    ) -> None:
        self._frames: Frames[Any] = frames
        self._position = Position(frames.subscription.cursor)
        self._iterator = self._iterate(frames, entries, follow)

    @property
    def cursor(self) -> Optional[str]:
        """The position after the last frame of which every entry was taken.

        Passed as `after`, nothing is missed. Entries that were taken of a frame that was not read
        to its end come again: take what is left of a frame before you keep it.
        """
        return self._position.cursor

    @property
    def missed(self) -> int:
        """The number of entries so far that retention had deleted. Usually 0."""
        return self._position.missed

    def __next__(self) -> Entry:
        return next(self._iterator)

    def close(self) -> None:
        """Ends it. The iteration ends, also in another thread that waits in it."""
        self._frames.close()

    def __enter__(self) -> Stream[Entry]:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()

    def _iterate(
        self, frames: Frames[Frame], entries: Callable[[Frame], Sequence[Entry]], follow: bool
    ) -> Iterator[Entry]:
        for frame in frames:
            self._position.missed += frame.missed
            waiting: Deque[Entry] = deque(entries(frame))
            while waiting:
                entry = waiting.popleft()
                if not waiting:
                    self._position.cursor = frame.cursor
                yield entry
            self._position.cursor = frame.cursor
            if not follow and frame.state != "REPLAYING":
                self.close()
                return


class AsyncStream(AsyncIterator[Entry]):
    """The same for asyncio: `async for entry in stream`."""

    def __init__(
        self,
        frames: AsyncGenerator[Frame, None],
        entries: Callable[[Frame], Sequence[Entry]],
        after: Optional[str] = None,
        follow: bool = True,
    ) -> None:
        self._position = Position(after)
        self._iterator = self._iterate(frames, entries, follow)

    @property
    def cursor(self) -> Optional[str]:
        """The position after the last frame of which every entry was taken."""
        return self._position.cursor

    @property
    def missed(self) -> int:
        """The number of entries so far that retention had deleted. Usually 0."""
        return self._position.missed

    def __aiter__(self) -> AsyncStream[Entry]:
        return self

    async def __anext__(self) -> Entry:
        return await self._iterator.__anext__()

    async def aclose(self) -> None:
        """Ends it."""
        await self._iterator.aclose()

    async def _iterate(
        self, frames: AsyncGenerator[Frame, None], entries: Callable[[Frame], Sequence[Entry]], follow: bool
    ) -> AsyncGenerator[Entry, None]:
        try:
            async for frame in frames:
                self._position.missed += frame.missed
                waiting: Deque[Entry] = deque(entries(frame))
                while waiting:
                    entry = waiting.popleft()
                    if not waiting:
                        self._position.cursor = frame.cursor
                    yield entry
                self._position.cursor = frame.cursor
                if not follow and frame.state != "REPLAYING":
                    return
        finally:
            await frames.aclose()

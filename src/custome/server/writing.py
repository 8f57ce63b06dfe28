"""Replies written on threads, read on the event loop: no thread ever waits for a reader, a reader that leaves stops its writer."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor
from typing import Any

from starlette.requests import Request as HttpRequest
from starlette.responses import Response, StreamingResponse

from ..engine.base import Cancel, OnPiece
from ..types import Piece, Reply, TokenChoice
from .answers import CLIENT_LEFT

Write = Callable[[OnPiece, Cancel], Reply]
"""Writes one reply; whoever reads sees it grow."""


class Writing:
    """One or several replies that are being written for one reader."""

    def __init__(self, pool: Executor, wanted: Sequence[Write]) -> None:
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._told = False
        self._cancel = Cancel()
        self._pieces: list[deque[Piece]] = [deque() for _ in wanted]
        self.tokens: list[list[TokenChoice]] = [[] for _ in wanted]
        self._futures = [
            self._loop.run_in_executor(pool, write, self._taker(index), self._cancel)
            for index, write in enumerate(wanted)
        ]
        for future in self._futures:
            future.add_done_callback(lambda _: self._news.set())

    def stop(self) -> None:
        """Nobody reads any more: stop within a token."""
        self._cancel.set()
        for future in self._futures:
            future.add_done_callback(
                lambda done: done.cancelled() or done.exception()
            )  # seen, and nobody to tell

    async def begin(self, http: HttpRequest) -> bool:
        """Wait until something has been written, or was refused; False when the reader left before.

        Raises:
            CustomeError: the engine's.
        """
        self._raise_failure()
        while not any(self._pieces) and not all(future.done() for future in self._futures):
            if not await self._wait(http):
                return False
            self._news.clear()
            self._raise_failure()
        return True

    async def replies(self, http: HttpRequest) -> list[Reply] | None:
        """All replies when they are finished; None when the reader left before.

        Raises:
            CustomeError: the engine's.
        """
        gone = asyncio.ensure_future(_gone(http))
        whole = asyncio.gather(*self._futures)
        try:
            waited: set[asyncio.Future[Any]] = {gone, whole}
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            if not whole.done():
                return None
            replies = whole.result()
            self._drain()
            return replies
        finally:
            gone.cancel()
            self.stop()

    async def news(self) -> AsyncIterator[tuple[int, list[Piece]]]:
        """(which reply, what came) until all are finished.

        Raises:
            CustomeError: the engine's.
        """
        while True:
            finished = all(future.done() for future in self._futures)
            for index, pieces in self._drain():
                yield index, pieces
            self._raise_failure()
            if finished:
                return
            await self._news.wait()
            self._news.clear()

    def finished(self) -> list[Reply]:
        return [future.result() for future in self._futures]

    # -- inside ------------------------------------------------------------------------------------------------------

    def _taker(self, index: int) -> OnPiece:
        def take(piece: Piece) -> None:
            self._pieces[index].append(piece)
            if not self._told:  # one wake-up carries all that came until it is served
                self._told = True
                try:
                    self._loop.call_soon_threadsafe(self._news.set)
                except RuntimeError:  # the loop is closed: the server is going down
                    self._cancel.set()

        return take

    def _drain(self) -> list[tuple[int, list[Piece]]]:
        self._told = False
        came = []
        for index, pieces in enumerate(self._pieces):
            taken = []
            while pieces:
                taken.append(pieces.popleft())
            if taken:
                self.tokens[index] += [token for piece in taken for token in piece.tokens]
                came.append((index, taken))
        return came

    async def _wait(self, http: HttpRequest) -> bool:
        gone, news = asyncio.ensure_future(_gone(http)), asyncio.ensure_future(self._news.wait())
        try:
            await asyncio.wait({gone, news}, return_when=asyncio.FIRST_COMPLETED)
            return news.done()
        finally:
            gone.cancel()
            news.cancel()

    def _raise_failure(self) -> None:
        for future in self._futures:
            if future.done() and (error := future.exception()) is not None:
                self.stop()
                raise error


async def _gone(http: HttpRequest) -> None:
    while (await http.receive())["type"] != "http.disconnect":
        pass


async def streamed(writing: Writing, http: HttpRequest, events: AsyncIterator[bytes]) -> Response:
    """Server-sent events, once there is something to send; what is refused before is an answer of its own.

    Args:
        events: of `writing`, which they stop when they end.

    Raises:
        CustomeError: the engine's, before the first piece.
    """
    try:
        if not await writing.begin(http):
            writing.stop()
            return Response(status_code=CLIENT_LEFT)
    except BaseException:
        writing.stop()
        raise
    return StreamingResponse(
        events,
        media_type="text/event-stream",
        headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
    )

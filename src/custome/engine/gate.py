"""Who may ask an engine now: as many as it has slots, a bounded number waiting, the rest told to come back.

The page and the API go through the same gate, so nobody is served behind its back and its counters are true.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from ..errors import BusyError, UnknownModelError
from ..types import GenerateOptions, Piece, Reply, Request, Score
from .base import Cancel, Engine, OnPiece, all_the_same, as_stream, check_options, run_all

MOST_WAITING = 64


class Gate:
    """Counts those who are served and those who wait.

    Args:
        slots: how many are served at the same time.
        most_waiting: how many may wait.
    """

    def __init__(self, slots: int, most_waiting: int = MOST_WAITING) -> None:
        self.slots, self.most_waiting = slots, most_waiting
        self.running, self.waiting = 0, 0
        self._closed = False
        self._turn = threading.Condition()

    @contextmanager
    def enter(self, cancel: Cancel) -> Iterator[bool]:
        """Wait for a slot; False when cancelled while waiting.

        Raises:
            BusyError: too many wait already.
            UnknownModelError: it is being closed.
        """
        with self._turn:
            self._check_open()
            if self.running >= self.slots and self.waiting >= self.most_waiting:
                raise BusyError(
                    f"现在有 {self.running} 个在答、{self.waiting} 个在等，排不下了",
                    "过几秒再来",
                    retry_after_s=1 + self.waiting // self.slots,
                )
            self.waiting += 1
            try:
                while self.running >= self.slots and not cancel.is_set():
                    self._turn.wait(timeout=0.1)  # a cancel does not wake anybody
            finally:
                self.waiting -= 1
            self._check_open()
            admitted = not cancel.is_set()
            self.running += admitted
        try:
            yield admitted
        finally:
            if admitted:
                with self._turn:
                    self.running -= 1
                    self._turn.notify()

    def close(self) -> None:
        """Let nobody in any more, and wait until the last one has left."""
        with self._turn:
            self._closed = True
            while self.running:
                self._turn.wait(timeout=0.1)

    def _check_open(self) -> None:
        if self._closed:
            raise UnknownModelError("这个模型刚被移走", "全部：GET /v1/models")


class GatedEngine:
    """An engine behind a gate.

    Args:
        told: hears of every reply: what came of it ('stop', 'length', 'cancelled', 'error'), its tokens, the seconds until its
            first piece and until its end.
    """

    def __init__(
        self,
        engine: Engine,
        gate: Gate,
        observe: Callable[[str, Reply | None, float, float], None] | None = None,
    ) -> None:
        self.inner, self.gate, self._observe = engine, gate, observe
        self._successor: GatedEngine | None = None
        self.name, self.kind, self.supports = engine.name, engine.kind, engine.supports
        self.slots, self.several, self.max_context = (
            engine.slots,
            engine.several,
            engine.max_context,
        )

    def run(
        self,
        request: Request,
        options: GenerateOptions,
        on_piece: OnPiece | None = None,
        cancel: Cancel | None = None,
    ) -> Reply:
        check_options(self, options)
        if self._successor is not None:
            return self._successor.run(request, options, on_piece, cancel)
        cancel, started, first = cancel or Cancel(), time.monotonic(), 0.0

        def seen(piece: Piece) -> None:
            nonlocal first
            first = first or time.monotonic() - started
            if on_piece is not None:
                on_piece(piece)

        reply: Reply | None = None
        outcome = "error"
        try:
            with self.gate.enter(cancel) as admitted:
                nothing = Reply(
                    text="", prompt_tokens=0, completion_tokens=0, finish_reason="cancelled"
                )
                reply = self.inner.run(request, options, seen, cancel) if admitted else nothing
                outcome = reply.finish_reason
                return reply
        finally:
            if self._observe is not None:
                self._observe(outcome, reply, first, time.monotonic() - started)

    def stream(
        self, request: Request, options: GenerateOptions, cancel: Cancel | None = None
    ) -> Iterator[Piece]:
        return as_stream(self, request, options, cancel)

    def generate(
        self,
        requests: Sequence[Request],
        options: GenerateOptions,
        cancel: Cancel | None = None,
        on_piece: OnPiece | None = None,
    ) -> list[Reply]:
        if not all_the_same(requests):
            return run_all(self, requests, options, cancel, on_piece)
        if self._successor is not None:
            return self._successor.generate(requests, options, cancel, on_piece)
        check_options(
            self, options
        )  # one question, written several times in one go: one place behind the gate
        cancel, started = cancel or Cancel(), time.monotonic()
        nothing = Reply(text="", prompt_tokens=0, completion_tokens=0, finish_reason="cancelled")
        replies: list[Reply] = []
        try:
            with self.gate.enter(cancel) as admitted:
                replies = (
                    self.inner.generate(requests, options, cancel, on_piece)
                    if admitted
                    else [nothing] * len(requests)
                )
                return replies
        finally:
            seconds = time.monotonic() - started
            if self._observe is not None:
                for reply in replies:
                    self._observe(reply.finish_reason, reply, seconds, seconds)
                if not replies:
                    self._observe("error", None, 0.0, seconds)

    def follow(self, successor: GatedEngine) -> None:
        """Let another engine answer from now on whoever still holds this one; what is being written, or waits, is written first."""
        self._successor = successor

        def close() -> None:
            while self.gate.running or self.gate.waiting:
                time.sleep(0.1)
            self.close()

        threading.Thread(target=close, daemon=True).start()

    def score(self, requests: Sequence[Request], replies: Sequence[str]) -> list[Score]:
        return self.inner.score(requests, replies)

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        with self.gate.enter(Cancel()):
            return self.inner.embed(texts)

    def count_tokens(self, text: str) -> int:
        return self.inner.count_tokens(text)

    def prompt_tokens(self, request: Request) -> int:
        return self.inner.prompt_tokens(request)

    def close(self) -> None:
        self.gate.close()
        self.inner.close()

"""Which conversations are being written into, and by whom: one writer a conversation, and Stop reaches one's own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ..engine.base import Cancel
from ..errors import InputError

STOP_WAIT_S = 30.0
"""Longest wait for a generation to end; it looks after every token."""


@dataclass(frozen=True, kw_only=True)
class _Generation:
    chat: str
    writer: str
    cancel: Cancel = field(default_factory=Cancel)
    over: threading.Event = field(default_factory=threading.Event)


class Running:
    """The generations of a server. A writer is a browser tab or a terminal; it has one generation at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: list[_Generation] = []

    @contextmanager
    def generation(self, chat: str, writer: str) -> Iterator[Cancel]:
        """Open while a reply is being written into a conversation; the writer's last one is ended first.

        Args:
            chat: id of the conversation; '' for words that are written into none.

        Raises:
            InputError: somebody else is writing into it.
        """
        self.end(writer)
        mine = _Generation(chat=chat, writer=writer)
        with self._lock:
            others = [one.writer for one in self._running if chat and one.chat == chat]
            if writer in others:
                raise InputError("上一个回答还没有停下来", "等一会儿再发")
            if others:
                raise InputError("这段对话正在别的窗口里写着", "等那边写完，或在那边点停止")
            self._running.append(mine)
        try:
            yield mine.cancel
        finally:
            with self._lock:
                self._running.remove(mine)
            mine.over.set()

    def stop(self, writer: str) -> None:
        """Ask a writer's generation to stop; what is there stays."""
        for one in self._of(writer):
            one.cancel.set()

    def end(self, writer: str) -> None:
        """Stop a writer's generation and wait until it has written its last."""
        for one in self._of(writer):
            one.cancel.set()
            one.over.wait(timeout=STOP_WAIT_S)

    def _of(self, writer: str) -> list[_Generation]:
        with self._lock:
            return [one for one in self._running if one.writer == writer]

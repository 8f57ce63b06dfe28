"""Vectors of bases, made behind a server: on a thread a base, so that pages and questions go on meanwhile.

A server that ends loses at most the passages it was at; the next change, or the next start of a page, goes on from there.
"""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from ...errors import CustomeError
from ...reporter import NullReporter
from .base import KnowledgeBase

LOG = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Progress:
    """How far the vectors of a base are."""

    done: int = 0
    total: int = 0
    begun: float = field(default_factory=time.monotonic)

    def left_s(self) -> float:
        """Seconds it will take, as fast as so far; 0 where nothing is known."""
        return (
            (time.monotonic() - self.begun) / self.done * (self.total - self.done)
            if self.done
            else 0.0
        )


class Embedding:
    """What is being given vectors. Any thread may call."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="vectors")
        self._lock = threading.Lock()
        self._going: dict[str, Progress] = {}
        self._failed: dict[str, str] = {}
        self._stopped = threading.Event()

    def progress(self, base: str) -> Progress | None:
        """How far a base is; None where nothing is done for it."""
        return self._going.get(base)

    def failed(self, base: str) -> str:
        """Why the last try ended early; ''."""
        return self._failed.get(base, "")

    def begin(self, base: KnowledgeBase) -> None:
        """Make what vectors a base lacks; nothing to do for one that is at it, or finds by words only."""
        if not base.settings().embedder:
            return
        with self._lock:
            if base.name in self._going or self._stopped.is_set():
                return
            self._going[base.name] = progress = Progress()
            self._failed.pop(base.name, None)
        future = self._pool.submit(base.embed, _Telling(progress), self._stopped.is_set)
        future.add_done_callback(lambda ended: self._ended(base, ended))

    def close(self) -> None:
        self._stopped.set()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _ended(self, base: KnowledgeBase, ended: Future[int]) -> None:
        error = None if ended.cancelled() else ended.exception()
        with self._lock:
            self._going.pop(base.name, None)
            if error is not None:
                said = error.message if isinstance(error, CustomeError) else str(error)
                self._failed[base.name] = said
                LOG.warning("no vectors for %s: %s", base.name, said)
                return
        if not ended.cancelled() and ended.result():
            self.begin(base)  # what came meanwhile


class _Telling(NullReporter):
    """Notes how far it is."""

    def __init__(self, progress: Progress) -> None:
        self._told = progress

    def progress(self, task: str, done: float, total: float, detail: str = "") -> None:
        self._told.done, self._told.total = int(done), int(total)

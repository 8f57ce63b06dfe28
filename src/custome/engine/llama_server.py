"""A llama.cpp server in this process: a model in memory, asked over loopback."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from tempfile import gettempdir
from urllib.parse import urlsplit

from ..errors import EngineError, SourceError
from ..machine import share_the_cores
from ..models.gguf_cache import trained_context
from .base import Cancel

SLOTS = 16


CONTEXT = 4096
"""Tokens of one conversation."""


POOL = 8_192
"""Tokens of all replies being written, prompts included. When they outgrow it llama.cpp breaks off every one of them, so each
reserves its share before it begins."""


class LlamaServer:
    """A GGUF file in memory with its adapters.

    Raises:
        SourceError: llama.cpp is not installed, or cannot load a file.
    """

    def __init__(
        self,
        model: Path,
        adapters: Sequence[Path] = (),
        *,
        slots: int = SLOTS,
        context: int = CONTEXT,
        embedding: bool = False,
        mean: bool = True,
    ) -> None:
        share_the_cores()
        try:
            import xllamacpp
        except ImportError as error:
            raise SourceError(
                "llama.cpp 引擎要用 xllamacpp，没有装", "pip install xllamacpp，或 --engine local"
            ) from error
        context = min(context, trained_context(model))
        params = xllamacpp.CommonParams()
        params.model.path, params.verbosity = str(model), -1
        params.n_parallel, params.kv_unified = slots, True
        params.n_ctx = context if embedding else POOL
        params.n_ubatch = 256  # halves what a batch takes in memory, and costs nothing
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = os.cpu_count() or 1
        # llama.cpp listens on a port of its own as soon as it runs: on loopback, any free one, and nobody knows the key.
        self._key = os.urandom(24).hex()
        params.port, params.api_keys = 0, [self._key]
        # Layers with a window of attention keep all they have read too: the pool has the room anyway, and without it the
        # beginning of a conversation is read again at every turn.
        params.swa_full, params.n_ctx_checkpoints, params.cache_ram_mib = True, 0, 0
        params.slot_save_path = (
            f"{gettempdir()}/"  # nothing is saved there; llama.cpp erases slots only where it could
        )
        if embedding:  # a text is read in one go
            params.embedding = True
            if mean:  # else as the file says
                params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
            params.n_batch = params.n_ubatch = context
        if adapters:
            params.lora_adapters = [
                xllamacpp.CommonAdapterLoraInfo(str(path), 1.0) for path in adapters
            ]
        try:
            self.server = xllamacpp.Server(params)
        except RuntimeError as error:
            raise SourceError(
                f"llama.cpp 读不了 {str(model)!r}：{error}",
                f"文件坏了就删掉重做：rm {model}；或 --engine local",
            ) from error
        self.model, self.slots, self.context, self.adapters = model, slots, context, tuple(adapters)
        self._left = POOL
        self._freed = threading.Condition()
        self._embedder: LlamaServer | None = None
        self._lock = threading.Lock()

    @contextmanager
    def room(self, tokens: int, cancel: Cancel, *, empty: bool) -> Iterator[bool]:
        """Wait for so many tokens' room; False when cancelled while waiting.

        Args:
            empty: with an empty cache, where nobody else is writing. Sums over the cache run in the order of its cells, so
                that whoever comes after others gets other last digits.
        """
        with self._freed:
            while self._left < tokens and not cancel.is_set():
                self._freed.wait(timeout=0.1)  # a cancel does not wake anybody
            granted = 0 if cancel.is_set() else tokens
            if granted and empty and self._left == POOL:
                self._forget()  # nobody is let in meanwhile; it takes some milliseconds
            self._left -= granted
        try:
            yield bool(granted)
        finally:
            with self._freed:
                self._left += granted
                self._freed.notify_all()

    def _forget(self) -> None:
        """Empty the cache."""
        line = HTTPConnection(urlsplit(self.server.listening_address).netloc, timeout=10)
        try:
            for slot in range(self.slots):
                line.request(
                    "POST",
                    f"/slots/{slot}?action=erase",
                    "{}",
                    {"Authorization": f"Bearer {self._key}"},
                )
                answer = line.getresponse()
                text = answer.read().decode(errors="replace")
                if answer.status != 200:
                    raise EngineError(f"llama.cpp 清不了缓存：{text[:200]}", "去掉 seed 再试")
        except OSError as error:
            raise EngineError(f"llama.cpp 清不了缓存：{error}", "去掉 seed 再试") from error
        finally:
            line.close()

    def embedder(self) -> LlamaServer:
        """The same file once more, for vectors; loaded when first asked for."""
        with self._lock:
            if self._embedder is None:
                self._embedder = LlamaServer(
                    self.model, self.adapters, slots=1, context=self.context, embedding=True
                )
            return self._embedder

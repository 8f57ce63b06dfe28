"""Text → vectors: a small multilingual encoder by name, any GGUF embedding model, or an address that speaks OpenAI's /v1/embeddings.

What a family of models wants in front of a question and of a passage is in data/embedders.json. Without torch.
"""

from __future__ import annotations

import functools
import json
import threading
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import EngineError, InputError
from ..models.embedding_gguf import digest_of, model_name, prepare
from ..models.gguf_cache import trained_context
from ..reporter import NullReporter, Reporter
from .llama_server import LlamaServer
from .open import open_remote

SMALL = "e5-small"
"""The one that needs no hub."""
AT_ONCE = 16
SLOTS = 8
LONGEST = 512
"""Tokens of a text, whatever its model could take."""
READ = 0.75
"""Of them characters of a text: the rest is for what stands in front of it and for letters that take more than one."""
SPACE = " "


@dataclass(frozen=True, kw_only=True)
class Family:
    """Models that want the same in front of a text."""

    name: str
    """Part of what the model calls itself, in small letters."""
    question: str = ""
    passage: str = ""


@functools.cache
def families() -> tuple[Family, ...]:
    raw = json.loads((files("custome") / "data" / "embedders.json").read_text(encoding="utf-8"))
    return tuple(Family(**row) for row in raw)


def open_embedder(what: str, reporter: Reporter, *, home: Path | None = None) -> TextEmbedder:
    """What a setting names.

    Args:
        what: e5-small, a .gguf file, or http://host:port/v1#model.

    Raises:
        InputError: none of these.
        SourceError: it cannot be fetched or read.
    """
    if what.startswith(("http://", "https://")):
        url, _, model = what.partition("#")
        if not model:
            raise InputError(f"{what!r} 没有写向量模型的名字", "写成 http://主机:端口/v1#模型名")
        engine = open_remote(url, model, "")
        return TextEmbedder(key=what, name=model, run=engine.embed, longest=0)
    path = prepare(reporter, home=home) if what == SMALL else Path(what)
    if not path.is_file():
        raise InputError(
            f"没有 {what!r} 这个向量模型",
            f"用 {SMALL}、一个 .gguf 文件，或 http://主机:端口/v1#模型名",
        )
    context = min(trained_context(path), LONGEST)
    server = LlamaServer(path, slots=SLOTS, context=context, embedding=True, mean=False)
    return TextEmbedder(
        key=f"{path.stem}:{digest_of(path)}",
        name=model_name(path) or path.stem,
        run=functools.partial(_by_llama, server),
        longest=int(context * READ),
        folds=what == SMALL,
    )


@functools.cache
def embedder(what: str) -> TextEmbedder:
    """The one of its kind in this process.

    Raises:
        InputError: it is none.
        SourceError: it cannot be fetched or read.
    """
    return open_embedder(what, NullReporter())


class TextEmbedder:
    """Gives texts vectors, one call at a time.

    Args:
        key: tells its vectors from those of any other.
        name: what the model calls itself.
        run: texts → vectors.
        longest: characters of a text that are read; 0 for all.
        folds: its tokenizer wants compatibility forms folded beforehand (NFKC).
    """

    def __init__(
        self,
        *,
        key: str,
        name: str,
        run: Callable[[Sequence[str]], list[list[float]]],
        longest: int,
        folds: bool = False,
    ) -> None:
        plain = name.lower()
        family = next((one for one in families() if one.name in plain), Family(name=""))
        self.key, self.title, self.family = key, name, family
        self._run, self._longest, self._folds = run, longest, folds
        self._lock = threading.Lock()

    def passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(texts, dimensions)"""
        return self._embed([self.family.passage + self._plain(text) for text in texts])

    def question(self, text: str) -> NDArray[np.float32]:
        """(1, dimensions)"""
        return self._embed([self.family.question + self._plain(text)])

    def _plain(self, text: str) -> str:
        """As its tokenizer wants it: one blank for many, compatibility forms folded where the file does not say how."""
        words = SPACE.join((unicodedata.normalize("NFKC", text) if self._folds else text).split())
        return words[: self._longest] if self._longest else words

    def _embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        rows: list[list[float]] = []
        with self._lock:
            for at in range(0, len(texts), AT_ONCE):
                rows += self._run(texts[at : at + AT_ONCE])
        vectors = np.asarray(rows, np.float32)
        if vectors.ndim != 2 or len(vectors) != len(texts):
            raise EngineError(
                f"向量模型 {self.title!r} 给的不是向量", "看看它是不是向量（embedding）模型"
            )
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def _by_llama(server: LlamaServer, texts: Sequence[str]) -> list[list[float]]:
    answer: dict[str, Any] = server.server.handle_embeddings(
        {"input": list(texts), "encoding_format": "float"}
    )
    if "data" not in answer:
        raise EngineError(
            f"llama.cpp 算不出向量：{answer.get('error', answer)}",
            "看看它是不是向量（embedding）模型",
        )
    return [row["embedding"] for row in sorted(answer["data"], key=lambda row: row["index"])]

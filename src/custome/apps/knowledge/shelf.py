"""The knowledge bases of a computer: found by name, made, deleted."""

from __future__ import annotations

import json
import re
import shutil
import threading
from pathlib import Path

from ...errors import InputError
from ...files import read_text, write_json
from ...resources import custome_home
from ...retrieval.vectors import EmbedderOf, no_embedder
from .base import KnowledgeBase

_NAME = re.compile(r"[^\s/\\:*?\"<>|.\x00-\x1f][^/\\:*?\"<>|\x00-\x1f]{0,39}")


class Shelf:
    """All bases below a folder; each is opened once.

    Args:
        embedder_of: what a setting names → what makes vectors.
    """

    def __init__(
        self,
        folder: Path | None = None,
        embedder_of: EmbedderOf = no_embedder,
    ) -> None:
        self.folder = folder or custome_home() / "knowledge"
        self._embedder_of = embedder_of
        self._lock = threading.Lock()
        self._open: dict[str, tuple[tuple[int, int] | None, KnowledgeBase]] = {}

    def names(self) -> list[str]:
        if not self.folder.is_dir():
            return []
        return sorted(one.name for one in self.folder.iterdir() if _mark(one).is_file())

    def get(self, name: str) -> KnowledgeBase:
        """A base that is there.

        Raises:
            InputError: there is none of that name; those that are.
        """
        if name not in self.names():
            known = "、".join(self.names())
            raise InputError(
                f"没有知识库 {name!r}",
                f"现在有：{known}"
                if known
                else f"先做一个：custome knowledge add {name or '名字'} 文件夹",
            )
        return self.create(name)

    def create(self, name: str, milvus: str = "") -> KnowledgeBase:
        """A base of that name, a new one where there is none.

        Args:
            milvus: address of the server a new one is to be on.

        Raises:
            InputError: the name cannot be a folder's.
        """
        if not _NAME.fullmatch(name):
            raise InputError(
                f"知识库不能叫 {name!r}", "用四十个字以内的名字，不要 / : * ? 这些符号"
            )
        with self._lock:
            folder = self.folder / name
            if milvus and not _mark(folder).is_file():
                folder.mkdir(parents=True, exist_ok=True)
                write_json(folder / "base.json", {"milvus": milvus})
            there = _identity(folder) if _mark(folder).is_file() else None
            known = self._open.get(name)
            if known is None or known[0] != there or there is None:
                if known is not None:  # another process deleted it, and perhaps made it anew
                    known[1].close()
                base = KnowledgeBase(folder, self._embedder_of)
                self._open[name] = known = (_identity(folder), base)
            return known[1]

    def remove(self, name: str) -> None:
        """Delete a base with all that was uploaded to it; folders it follows are left alone."""
        base = self.get(name)
        with self._lock:
            self._open.pop(name, None)
        base.close()
        shutil.rmtree(base.folder)


def _mark(folder: Path) -> Path:
    """What makes a folder a base: its index, or the note of where that is."""
    index, note = folder / "index.db", folder / "base.json"
    if index.is_file() or not note.is_file():
        return index
    return note if json.loads(read_text(note, "知识库")).get("milvus") else index


def _identity(path: Path) -> tuple[int, int] | None:
    """Which folder it is; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino

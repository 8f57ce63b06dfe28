"""A knowledge base that follows its folders: what is new is read, what has changed is read again, what is gone goes.

A file is one transaction of the store: a crash or a stop in the middle of ten thousand files costs the one that was being read, and
the next run goes on from there. A file that cannot be read is told of with the reason and costs nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import InputError
from ..reporter import Reporter
from .chunks import chunks
from .reading import read_document
from .store import KnowledgeStore

SUFFIXES = frozenset(
    [
        ".txt",
        ".text",
        ".md",
        ".markdown",
        ".html",
        ".htm",
        ".xhtml",
        ".epub",
        ".pdf",
        ".docx",
        ".pptx",
        ".xlsx",
        ".csv",
        ".tsv",
        ".json",
        ".jsonl",
        ".eml",
        ".doc",
        ".xls",
        ".ppt",
    ]
)
"""Files of a folder that are looked at; one that is named by itself always is."""
BLOCK = 1 << 20


@dataclass(kw_only=True)
class Added:
    """What became of the files."""

    read: list[str] = field(default_factory=list)
    unchanged: int = 0
    gone: list[str] = field(default_factory=list)
    failed: dict[str, InputError] = field(default_factory=dict)
    """Name → why it could not be read."""
    stopped: bool = False
    """Was it stopped before the last file?"""


@dataclass(kw_only=True)
class Looked:
    """What files were like when they were looked at last: those that are still so are not read to be told apart."""

    stamps: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Name → time of the last change in nanoseconds, size."""
    failed: dict[str, InputError] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class _File:
    name: str
    path: Path


def add(
    store: KnowledgeStore,
    paths: Sequence[Path],
    reporter: Reporter,
    *,
    stop: Callable[[], bool] = lambda: False,
    left_out: Collection[str] = (),
    name: str = "",
    result: Added | None = None,
    looked: Looked | None = None,
) -> Added:
    """Bring a base up to date with some files and folders.

    Args:
        paths: a folder stands for everything in it that can be read, and what is in the base of it and no longer there goes.
        stop: asked before every file.
        left_out: names of files that are passed over.
        name: what stands before a folder's files in the place of its own name.
        result: what became of other files, to go on with.
        looked: of the last time, kept up to date.

    Raises:
        InputError: a path is not there.
        StoreError: the base cannot be written; what was added before is kept.
    """
    result, known, looked = result or Added(), store.digests(), looked or Looked()
    files = [file for path in paths for file in _files(path, name) if file.name not in left_out]
    for done, file in enumerate(files):
        if stop():
            result.stopped = True
            return result
        stamp = _stamp(file.path)
        if stamp and looked.stamps.get(file.name) == stamp and file.name in looked.failed:
            result.failed[file.name] = looked.failed[file.name]
        elif (
            stamp
            and looked.stamps.get(file.name) == stamp
            and file.name in known
            or known.get(file.name) == _digest(file.path)
        ):
            result.unchanged += 1
        else:
            looked.failed.pop(file.name, None)
            _take(store, file, result)
            if file.name in result.failed:
                looked.failed[file.name] = result.failed[file.name]
        looked.stamps[file.name] = stamp
        reporter.progress("读文件", done + 1, len(files), file.name)
    here = {file.name for file in files}
    for path in paths:
        if path.is_dir():
            inside = f"{name or path.resolve().name}/"
            for old in known:
                if old.startswith(inside) and old not in here and store.remove(old):
                    result.gone.append(old)
    return result


def _take(store: KnowledgeStore, file: _File, result: Added) -> None:
    try:
        document = read_document(file.path, file.name)
    except InputError as error:
        result.failed[file.name] = error
        return
    store.add(document, chunks(document.text, document.places))
    result.read.append(file.name)


def _files(path: Path, name: str = "") -> Iterable[_File]:
    """The files of a path, by names that say where they are: 说明/保修.docx."""
    if path.is_file():
        return [_File(name=path.name, path=path)]
    if not path.is_dir():
        raise InputError(
            f"没有 {str(path)!r} 这个文件或文件夹",
            "看看路径有没有写错；可以给文件，也可以给整个文件夹",
        )
    root = path.resolve()
    return [
        _File(name=f"{name or root.name}/{one.relative_to(root).as_posix()}", path=one)
        for one in sorted(root.rglob("*"))
        if one.is_file()
        and one.suffix.lower() in SUFFIXES
        and not any(part.startswith((".", "~$")) for part in one.relative_to(root).parts)
    ]


def _stamp(path: Path) -> tuple[int, int]:
    """(nanoseconds, bytes) of a file; (0, 0) where it cannot be looked at."""
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return found.st_mtime_ns, found.st_size


def _digest(path: Path) -> str:
    """SHA-256 of a file; '' where it cannot be read, which reading it will say better."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
    except OSError:
        return ""
    return digest.hexdigest()

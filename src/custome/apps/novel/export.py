"""A novel's chapters → one file to read elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

from ...errors import InputError
from ...report.books import Chapter, printable, write_book
from .folder import NovelFolder

_HEADING = re.compile(r"^#\s*(.+)$")


def chapters(folder: NovelFolder) -> list[Chapter]:
    """All that are written, in order.

    Raises:
        InputError: none is.
    """
    found = [parted(text) for number in folder.written() if (text := folder.chapter(number))]
    if not found:
        raise InputError("这本小说还没有写好的一回", "先写：custome novel write 目录")
    return found


def parted(text: str) -> Chapter:
    """A chapter's title and paragraphs; whoever edited it may have left the title out."""
    lines = [line.strip() for line in printable(text).splitlines() if line.strip()]
    heading = _HEADING.match(lines[0]) if lines else None
    return Chapter(
        title=heading.group(1).strip() if heading else "",
        paragraphs=tuple(lines[1:] if heading else lines),
    )


def export(folder: NovelFolder, path: Path) -> Path:
    """Write the whole novel to a file, in the form its name says.

    Raises:
        InputError: a form nobody knows, or nothing is written.
    """
    return write_book(path, folder.brief().title, lambda: chapters(folder))

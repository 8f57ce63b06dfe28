"""A novel's text and its chapters. Knows files and encodings, not quotations.

Offsets everywhere are characters into `Novel.text`, which is the file's text with line ends normalised and nothing else
changed.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from charset_normalizer import from_bytes

from ..errors import InputError
from ..files import read_bytes

_HEADING = re.compile(r"^[ \t\u3000]*第[〇零一二三四五六七八九十百千两0-9０-９]{1,9}[回章节卷集部][ \t\u3000:：].{0,60}$|"
                      r"^[ \t\u3000]*第[〇零一二三四五六七八九十百千两0-9０-９]{1,9}[回章节卷集部]$", re.MULTILINE)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Novel:
    """A book: its short name and its whole text."""

    name: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """A stretch of a novel, heading excluded."""

    number: int
    """From 1 in reading order; 0 is what stands before the first heading."""
    title: str
    start: int
    end: int


def read_novel(path: Path, name: str = "") -> Novel:
    """Read a text file in any common Chinese encoding, or a JSON list of chapters.

    Raises:
        InputError: missing, a folder, empty, binary, or JSON of another shape.
    """
    raw = read_bytes(path, "小说文件")
    text = _decode(raw, path)
    if path.suffix == ".json":
        text = _join_chapters(text, path)
    return Novel(name=name or path.stem, text=text.replace("\r\n", "\n").replace("\r", "\n"))


def _decode(raw: bytes, path: Path) -> str:
    for encoding in ("utf-8-sig",) if not raw.startswith((b"\xff\xfe", b"\xfe\xff")) else ("utf-16",):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    if b"\0" in raw[:4096]:
        raise InputError(f"小说文件 {str(path)!r} 是二进制文件，不是文本", "需要 .txt 文本；电子书请先另存为纯文本")
    for encoding in ("gb18030", "big5"):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if _mostly_common(text):
            return text
    best = from_bytes(raw).best()
    if best is None:
        raise InputError(
            f"认不出小说文件 {str(path)!r} 的编码", f"先转成 UTF-8：iconv -f GBK -t UTF-8 {path} > 新文件.txt"
        )
    return str(best)


def _mostly_common(text: str) -> bool:
    """Wrongly decoded text has few of the commonest characters."""
    sample = text[:20000]
    common = sum(sample.count(c) for c in "的一是不了在人有我他这之也，。曰道")
    return common > 0.05 * len(sample)


def _join_chapters(text: str, path: Path) -> str:
    try:
        chapters = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(
            f"{str(path)!r} 不是合法的 JSON：第 {error.lineno} 行 {error.msg}", "小说的 JSON 应是若干章正文组成的列表"
        ) from error
    if not isinstance(chapters, list) or not all(isinstance(chapter, str) for chapter in chapters):
        raise InputError(
            f"{str(path)!r} 不是由章节正文组成的列表", '小说的 JSON 应形如 ["第一回 …", "第二回 …"]；或直接给 .txt'
        )
    return "\n".join(chapters)


def split_chapters(novel: Novel) -> list[Chapter]:
    """Chapters in reading order; a book without headings is one chapter."""
    heads = list(_HEADING.finditer(novel.text))
    if not heads:
        return [Chapter(number=1, title="", start=0, end=len(novel.text))]
    ends = [head.start() for head in heads[1:]] + [len(novel.text)]
    chapters = [
        Chapter(number=number, title=head.group().strip(), start=head.end(), end=end)
        for number, (head, end) in enumerate(zip(heads, ends, strict=True), 1)
    ]
    if novel.text[: heads[0].start()].strip():
        chapters.insert(0, Chapter(number=0, title="", start=0, end=heads[0].start()))
    return chapters

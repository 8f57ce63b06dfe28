"""A file becomes a novel: txt in any common Chinese encoding, md, html, epub, or a JSON list of chapters.

Knows files and containers; what the text means is for others.
"""

from __future__ import annotations

import io
import json
import logging
import posixpath
import re
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

from charset_normalizer import from_bytes

from ..errors import InputError
from ..files import read_bytes
from .text import Novel

_ZIP = b"PK\x03\x04"
_COMMON = "的一是不了在人有我他这之也，。曰道說說這來們"
_HEADINGS = {"h1", "h2", "h3", "h4"}
_BLOCKS = _HEADINGS | {"p", "div", "br", "li", "tr", "section", "blockquote", "hr"}
_UNSEEN = {"script", "style", "head", "nav", "rt", "rp"}
ENCODINGS = ("utf-8-sig", "gb18030", "big5hkscs")
FAULTY, FEW = 0.001, 8
"""Share of a file, and number of places, that may be faulty."""
COMMON = 0.03
"""Share of the commonest characters in a text that was decoded rightly, at least."""
LOG = logging.getLogger(__name__)
_LONGEST_MEMBER_BYTES = 64 * 2**20


def text_of(path: Path) -> str:
    """What is written in a file; '' for a container such as epub.

    Raises:
        InputError: missing, a folder, empty, binary, or of an unknown encoding.
    """
    raw = read_bytes(path, "小说文件")
    return "" if raw.startswith(_ZIP) else decode(raw, path)


def read_novel(path: Path, name: str = "", text: str = "") -> Novel:
    """Read a book; what it is is told by its content, not by its file name alone.

    Args:
        text: `text_of(path)`, where that is known already.

    Raises:
        InputError: missing, a folder, empty, binary, of an unknown encoding, or a container of another shape.
    """
    raw = b"" if text else read_bytes(path, "小说文件")
    if raw.startswith(_ZIP):
        text = _epub(raw, path)
    else:
        text = text or decode(raw, path)
        if path.suffix.lower() == ".json":
            text = _join_chapters(text, path)
        elif path.suffix.lower() in (".html", ".htm", ".xhtml") or re.match(
            r"\s*<(?:!doctype html|html)\b", text, re.I
        ):
            text = html_text(text)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise InputError(f"小说文件 {str(path)!r} 里没有文字", "看看文件内容是否正确")
    return Novel(name=name or path.stem, text=text)


def decode(raw: bytes, path: Path) -> str:
    """The text of a file in any common Chinese encoding.

    A few faulty bytes cost nothing but themselves: they become U+FFFD, and the first is named in the log. Zeros go.

    Raises:
        InputError: binary, or of an encoding that cannot be told.
    """
    if wide := _wide_encoding(raw):
        text = raw.decode(wide, errors="replace")
        if text.count("\ufffd") <= FEW:  # else it only looked like it
            return text
    zeros, raw = raw.count(b"\0"), raw.replace(b"\0", b"")
    first = 0
    try:
        text = raw.decode("utf-8-sig")
        if not zeros or _commonness(text) > COMMON:
            return text
    except UnicodeDecodeError as error:
        first = error.start
    guesses = {name: raw.decode(name, errors="replace") for name in ENCODINGS}
    guesses["mixed"] = "".join(_line(line) for line in raw.splitlines(keepends=True))
    readable = {
        name: text
        for name, text in guesses.items()
        if text.count("\ufffd") <= max(FEW, FAULTY * len(text)) and _commonness(text) > COMMON
    }
    if readable:
        fewest = min(text.count("\ufffd") for text in readable.values())
        best = max(
            (name for name in readable if readable[name].count("\ufffd") <= fewest + FEW),
            key=lambda name: _commonness(readable[name]),
        )
        if fault := readable[best].count("\ufffd"):
            where = first if best == "utf-8-sig" else _first_fault(raw, best)
            LOG.warning("%s：第 %s 字节起有坏的字节，%d 处换成了 �", path, where, fault)
        return readable[best]
    if zeros:
        raise InputError(
            f"小说文件 {str(path)!r} 是二进制文件，不是文本", "需要 .txt、.md、.html 或 .epub"
        )
    match = from_bytes(raw).best()
    if match is None:
        raise InputError(
            f"认不出小说文件 {str(path)!r} 的编码（第 {first} 字节起不是 UTF-8）",
            f"先转成 UTF-8：iconv -f GBK -t UTF-8 {path} > 新文件.txt",
        )
    return str(match)


def _line(line: bytes) -> str:
    """A line of a file that was put together from two of different encodings."""
    for encoding in ("utf-8", "gb18030"):
        try:
            return line.decode(encoding)
        except UnicodeDecodeError:
            continue
    return line.decode("utf-8", errors="replace")


def _first_fault(raw: bytes, encoding: str) -> int:
    try:
        raw.decode("utf-8" if encoding == "mixed" else encoding)
    except UnicodeDecodeError as error:
        return error.start
    return 0


def _wide_encoding(raw: bytes) -> str:
    """UTF-16 by its mark, or by the line breaks and punctuation a Chinese text has in it."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    sample = raw[:8192]
    for encoding, signs in (
        ("utf-16-le", (b"\x0c\xff", b"\x02\x30", b"\n\0")),
        ("utf-16-be", (b"\xff\x0c", b"\x30\x02", b"\0\n")),
    ):
        if (
            len(raw) % 2 == 0
            and sum(sample[i : i + 2] in signs for i in range(0, len(sample), 2))
            > len(sample) // 200
        ):
            return encoding
    return ""


def _commonness(text: str) -> float:
    """Share of the commonest characters: wrongly decoded text has few."""
    sample = text[:20000]
    return sum(sample.count(c) for c in _COMMON) / max(1, len(sample))


def _join_chapters(text: str, path: Path) -> str:
    try:
        chapters = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(
            f"{str(path)!r} 不是合法的 JSON：第 {error.lineno} 行 {error.msg}",
            "小说的 JSON 应是若干章正文组成的列表",
        ) from error
    if not isinstance(chapters, list) or not all(isinstance(chapter, str) for chapter in chapters):
        raise InputError(
            f"{str(path)!r} 不是由章节正文组成的列表",
            '小说的 JSON 应形如 ["第一回 …", "第二回 …"]；或直接给 .txt',
        )
    return "\n".join(chapters)


class _Text(HTMLParser):
    """Collects what a reader sees; headings become lines that start with #."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._unseen += tag in _UNSEEN
        if tag in _BLOCKS:
            self.parts.append("\n")
        if tag in _HEADINGS:
            self.parts.append("# ")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BLOCKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._unseen = max(0, self._unseen - (tag in _UNSEEN))
        if tag in _BLOCKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.parts.append(re.sub(r"[\r\n\t ]+", " ", data))


def html_text(html: str) -> str:
    """What a reader sees of a page, a paragraph a line."""
    parser = _Text()
    parser.feed(html)
    parser.close()
    lines = (line.strip() for line in "".join(parser.parts).split("\n"))
    return "\n".join(line for line in lines if line and line != "#") + "\n"


def _epub(raw: bytes, path: Path) -> str:
    """The spine of an epub, in reading order."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as book:
            opf = next(
                element.attrib["full-path"]
                for element in ElementTree.fromstring(
                    _member(book, "META-INF/container.xml")
                ).iter()
                if element.tag.endswith("}rootfile")
            )
            package = ElementTree.fromstring(_member(book, opf))
            items = {e.attrib["id"]: e.attrib for e in package.iter() if e.tag.endswith("}item")}
            spine = [e.attrib["idref"] for e in package.iter() if e.tag.endswith("}itemref")]
            pages = []
            for item in spine:
                if item in items and "nav" not in items[item].get("properties", ""):
                    member = posixpath.normpath(
                        posixpath.join(posixpath.dirname(opf), unquote(items[item]["href"]))
                    )
                    pages.append(html_text(decode(_member(book, member), path)))
            return "\n".join(pages)
    except (
        zipfile.BadZipFile,
        KeyError,
        StopIteration,
        ElementTree.ParseError,
        RuntimeError,
        OSError,
    ) as error:
        raise InputError(
            f"{str(path)!r} 不是能读的 epub：{error or type(error).__name__}",
            "用电子书软件另存为 txt 或 epub 再试",
        ) from error


def _member(book: zipfile.ZipFile, name: str) -> bytes:
    if book.getinfo(name).file_size > _LONGEST_MEMBER_BYTES:
        raise OSError(f"{name} 太大")
    return book.read(name)

"""A file of any kind people have → a document: text, headings, pages, rows. What it is is told by its content.

txt, Markdown, HTML, epub; PDF, Word, PowerPoint, Excel; csv, JSON, mail. What cannot be read is named with the reason and what
to do; nothing is read half.
"""

from __future__ import annotations

import csv
import email
import email.policy
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from ..corpus.reading import decode, html_text, read_novel
from ..corpus.text import split_chapters
from ..errors import EmptyFileError, InputError
from ..files import read_bytes
from .office import read_docx, read_pdf, read_pptx, read_xlsx
from .store import Document
from .writing import Writing, table

LARGEST = 300_000_000
"""Bytes of a file."""
UNPACKED, BLOWN_UP = 1_000_000_000, 200
"""Bytes of a packed file's content, and how many times its size, that are no longer honest."""
OLD_OFFICE = b"\xd0\xcf\x11\xe0"
_HEADING = re.compile(r"(?P<marks>#{1,6})\s+(?P<text>.+?)\s*#*$")
_RULE = re.compile(
    r"\s*(?P<text>第[一二三四五六七八九十百零〇\d]{1,4}[编章节条款](?=[\s\u3000：:]|$).{0,40}|[一二三四五六七八九十]{1,3}、.{1,30})$"
)
"""A heading of a regulation or a manual: 第三条, 二、保修."""

Reader = Callable[[bytes, Path, Writing], None]


def read_document(path: Path, name: str = "") -> Document:
    """Read a file.

    Args:
        name: what citations call it; its file name unless given.

    Raises:
        InputError: missing, too large, damaged, with a password, scanned, packed to harm, or of an unknown kind.
    """
    if path.is_file() and path.stat().st_size > LARGEST:
        raise InputError(f"{str(path)!r} 超过 300 MB", "拆成几个文件再加进来")
    raw = read_bytes(path, "文件")
    kind = _kind(raw, path)
    writing = Writing()
    try:
        _READERS[kind](raw, path, writing)
    except InputError:
        raise
    except Exception as error:  # a library's own errors, of which each has a dozen
        raise InputError(
            f"{str(path)!r} 是坏的 {kind} 文件：{type(error).__name__} {error}"[:300],
            "用原来的软件打开，另存一份再加进来",
        ) from error
    text, places = writing.finished()
    if not text.strip():
        raise EmptyFileError(f"{str(path)!r} 里没有文字", "看看文件内容是否正确")
    return Document(
        name=name or path.name,
        text=text,
        places=places,
        kind=kind,
        digest=hashlib.sha256(raw).hexdigest(),
    )


def _kind(raw: bytes, path: Path) -> str:
    suffix = path.suffix.lower().lstrip(".")
    if raw.startswith(b"%PDF") or suffix == "pdf":
        return "pdf"
    if raw.startswith(OLD_OFFICE):
        raise InputError(
            f"{str(path)!r} 是旧的 Office 格式，或者加了密码",
            "另存为 docx、xlsx、pptx，去掉密码再加进来",
        )
    if raw.startswith(b"PK\x03\x04"):
        return _packed_kind(raw, path)
    if suffix in ("md", "markdown"):
        return "md"
    if suffix in ("html", "htm", "xhtml") or re.match(
        rb"\s*<(?:!doctype html|html)\b", raw[:200], re.I
    ):
        return "html"
    if suffix in ("csv", "tsv", "json", "jsonl", "eml"):
        return suffix
    return "txt"


def _packed_kind(raw: bytes, path: Path) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            size = sum(one.file_size for one in archive.infolist())
            names = set(archive.namelist())
    except zipfile.BadZipFile as error:
        raise InputError(f"{str(path)!r} 是坏的压缩文件", "重新下载或另存一份") from error
    if size > UNPACKED or size > max(10_000_000, BLOWN_UP * len(raw)):
        raise InputError(
            f"{str(path)!r} 打开有 {size / 1e6:,.0f} MB，不像正常的文件", "不要打开来路不明的文件"
        )
    for mark, kind in (
        ("word/document.xml", "docx"),
        ("ppt/presentation.xml", "pptx"),
        ("xl/workbook.xml", "xlsx"),
        ("META-INF/container.xml", "epub"),
    ):
        if mark in names:
            return kind
    raise InputError(f"{str(path)!r} 是压缩包，认不出里面是什么", "解开以后把里面的文件加进来")


# -- texts -----------------------------------------------------------------------------------------------------------


def _text(raw: bytes, path: Path, writing: Writing) -> None:
    _chapters(decode(raw, path), writing)


def _book(raw: bytes, path: Path, writing: Writing) -> None:
    _chapters(read_novel(path).text, writing)


def _chapters(text: str, writing: Writing) -> None:
    """Prose by its chapters; a text without any by the headings of regulations and manuals."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    chapters = split_chapters(text)
    titled = any(one.title for one in chapters)
    for chapter in chapters:
        title = chapter.title.strip()
        writing.heading(title, 1)
        body = text[chapter.start : chapter.end].lstrip()
        for line in (body.removeprefix(title) if title else body).split("\n"):
            rule = None if titled else _RULE.match(line)
            if rule:
                writing.heading(rule["text"], 2 if "条" in rule["text"][:6] else 1)
            else:
                writing.say(line)


def _markdown(raw: bytes, path: Path, writing: Writing) -> None:
    fenced = False
    for line in decode(raw, path).splitlines():
        fenced ^= line.lstrip().startswith("```")
        heading = None if fenced else _HEADING.match(line)
        if heading:
            writing.heading(heading["text"], len(heading["marks"]))
        else:
            writing.say(line)


def _html(raw: bytes, path: Path, writing: Writing) -> None:
    _chapters(html_text(decode(raw, path)), writing)


# -- rows and mail ---------------------------------------------------------------------------------------------------


def _csv(raw: bytes, path: Path, writing: Writing) -> None:
    text = decode(raw, path)
    try:
        dialect: Any = csv.Sniffer().sniff(text[:8192], delimiters=",\t;|")
    except csv.Error:
        dialect = csv.excel_tab if path.suffix.lower() == ".tsv" else csv.excel
    table(writing, list(csv.reader(io.StringIO(text), dialect)))


def _json(raw: bytes, path: Path, writing: Writing) -> None:
    text = decode(raw, path)
    try:
        rows = [json.loads(text)]
    except json.JSONDecodeError:
        rows = [json.loads(line) for line in text.split("\n") if line.strip()]
    if len(rows) == 1 and isinstance(rows[0], list):
        rows = rows[0]
    for row in rows:
        writing.row(_flat(row) if isinstance(row, (dict, list)) else {"": row})


def _flat(value: Any, name: str = "") -> dict[str, Any]:
    """Nested keys as one row: 地址.城市."""
    if isinstance(value, dict):
        inner = [(f"{name}.{key}" if name else str(key), one) for key, one in value.items()]
    elif isinstance(value, list):
        inner = [
            (f"{name}.{place}" if name else str(place), one) for place, one in enumerate(value, 1)
        ]
    else:
        return {name: "" if value is None else value}
    return {key: leaf for inside, one in inner for key, leaf in _flat(one, inside).items()}


def _mail(raw: bytes, path: Path, writing: Writing) -> None:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    writing.heading(str(message.get("subject", "")), 1)
    writing.row(
        {
            name: str(message.get(key, ""))
            for name, key in (("发件人", "from"), ("收件人", "to"), ("日期", "date"))
        }
    )
    body = message.get_body(preferencelist=("plain", "html"))
    if body is not None:
        payload = body.get_payload(decode=True)
        text = decode(payload, path) if isinstance(payload, bytes) and payload else ""
        for line in (
            html_text(text) if body.get_content_subtype() == "html" else text
        ).splitlines():
            writing.say(line)
    files = [name for one in message.iter_attachments() if (name := one.get_filename())]
    if files:
        writing.say(f"附件：{'、'.join(files)}")


_READERS: dict[str, Reader] = {
    "txt": _text,
    "md": _markdown,
    "html": _html,
    "epub": _book,
    "pdf": read_pdf,
    "docx": read_docx,
    "pptx": read_pptx,
    "xlsx": read_xlsx,
    "csv": _csv,
    "tsv": _csv,
    "json": _json,
    "jsonl": _json,
    "eml": _mail,
}

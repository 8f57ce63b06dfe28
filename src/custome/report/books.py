"""Titled chapters → one file to read elsewhere: txt, Markdown, EPUB 3, docx.

EPUB: https://www.w3.org/TR/epub-33/ — a zip whose first entry is `mimetype`, stored; a package file with metadata, manifest and spine;
a navigation document.
"""

from __future__ import annotations

import hashlib
import html
import io
import re
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from ..errors import InputError
from ..files import atomic_file, disk_errors

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""Neither EPUB nor docx can hold them."""
_CSS = (
    "body { line-height: 1.8; } h1 { font-size: 1.3em; text-align: center; margin: 2em 0; } "
    "p { text-indent: 2em; margin: 0; }"
)


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """A chapter as it is read."""

    title: str
    paragraphs: tuple[str, ...]


def printable(text: str) -> str:
    """Without what no form can hold."""
    return _CONTROL.sub("", text)


def write_book(path: Path, title: str, chapters: Callable[[], Sequence[Chapter]]) -> Path:
    """Write a whole book to a file, in the form its name says.

    Raises:
        InputError: a form nobody knows.
    """
    make = FORMS.get(path.suffix.lower())
    if make is None:
        raise InputError(f"不会写 {path.suffix or path.name!r}", f"可以写 {'、'.join(FORMS)}")
    content = make(printable(title), chapters())
    with disk_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as temporary:
        temporary.write_bytes(content)
    return path


def as_text(title: str, some: Sequence[Chapter]) -> bytes:
    parts = [
        title,
        *("\n".join([one.title, *(f"　　{p}" for p in one.paragraphs)]) for one in some),
    ]
    return ("\n\n".join(parts) + "\n").encode()


def as_markdown(title: str, some: Sequence[Chapter]) -> bytes:
    parts = [f"# {title}"]
    for one in some:
        parts += [f"## {one.title}", *one.paragraphs]
    return ("\n\n".join(parts) + "\n").encode()


def as_docx(title: str, some: Sequence[Chapter]) -> bytes:
    from docx import Document

    document = Document()
    document.core_properties.title = title
    document.add_heading(title, level=0)
    for one in some:
        document.add_heading(one.title, level=1)
        for paragraph in one.paragraphs:
            document.add_paragraph(paragraph)
    written = io.BytesIO()
    document.save(written)
    return written.getvalue()


def as_epub(title: str, some: Sequence[Chapter]) -> bytes:
    """EPUB 3, the same bytes for the same novel but for the time it says it was changed."""
    number = hashlib.sha256("".join([title, *(one.title for one in some)]).encode()).hexdigest()
    files = {f"c{at:04}.xhtml": _page(one.title, _body(one)) for at, one in enumerate(some, 1)}
    entries = "".join(
        f'<li><a href="{name}">{html.escape(one.title or "正文")}</a></li>'
        for name, one in zip(files, some, strict=True)
    )
    nav = f'<nav epub:type="toc"><h1>目录</h1><ol>{entries}</ol></nav>'
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as book:
        book.writestr("mimetype", "application/epub+zip", zipfile.ZIP_STORED)
        for name, text in (
            ("META-INF/container.xml", _CONTAINER),
            ("EPUB/package.opf", _package(title, number, list(files))),
            ("EPUB/nav.xhtml", _page("目录", nav)),
            ("EPUB/style.css", _CSS),
            *((f"EPUB/{name}", page) for name, page in files.items()),
        ):
            book.writestr(name, text, zipfile.ZIP_DEFLATED)
    return written.getvalue()


_CONTAINER = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="EPUB/package.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
)


def _body(one: Chapter) -> str:
    paragraphs = "".join(f"<p>{html.escape(text)}</p>" for text in one.paragraphs)
    return f"<section><h1>{html.escape(one.title or '正文')}</h1>{paragraphs}</section>"


def _page(title: str, body: str) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE html>\n'
        '<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops" lang="zh" xml:lang="zh">'
        f'<head><title>{html.escape(title or "正文")}</title><link rel="stylesheet" href="style.css"/></head>'
        f"<body>{body}</body></html>"
    )


def _package(title: str, number: str, names: Sequence[str]) -> str:
    now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    kind = "application/xhtml+xml"
    items = "".join(f'<item id="{n[:-6]}" href="{n}" media-type="{kind}"/>' for n in names)
    spine = "".join(f'<itemref idref="{name[:-6]}"/>' for name in names)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id" xml:lang="zh">'
        '<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f'<dc:identifier id="id">urn:sha256:{number}</dc:identifier><dc:title>{html.escape(title)}</dc:title>'
        f'<dc:language>zh</dc:language><meta property="dcterms:modified">{now}</meta></metadata>'
        f'<manifest><item id="nav" href="nav.xhtml" media-type="{kind}" properties="nav"/>'
        f'<item id="css" href="style.css" media-type="text/css"/>{items}</manifest>'
        f"<spine>{spine}</spine></package>"
    )


FORMS: dict[str, Callable[[str, Sequence[Chapter]], bytes]] = {
    ".txt": as_text,
    ".md": as_markdown,
    ".epub": as_epub,
    ".docx": as_docx,
}

"""Word, PowerPoint, Excel and PDF files → text with headings, tables, pages. Libraries are loaded when a file wants them."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import InputError
from .writing import Writing, table

SCANNED = 20
"""A page with fewer characters has no text of its own."""
MOST_CELLS = 5_000_000
"""Cells of a sheet."""
_STOPS = tuple("。！？；：.!?;:”’」』）)")


def read_docx(raw: bytes, path: Path, writing: Writing) -> None:
    from docx import Document as Word
    from docx.table import Table

    for block in Word(io.BytesIO(raw)).iter_inner_content():
        if isinstance(block, Table):
            table(writing, [[cell.text for cell in row.cells] for row in block.rows])
            continue
        style = (block.style.name or "") if block.style is not None else ""
        level = re.fullmatch(r"(?:Heading|标题) ?(\d)", style)
        if style == "Title":
            writing.heading(block.text, 0)
        elif level:
            writing.heading(block.text, int(level[1]))
        else:
            writing.say(block.text)


def read_pptx(raw: bytes, path: Path, writing: Writing) -> None:
    from pptx import Presentation

    for number, slide in enumerate(Presentation(io.BytesIO(raw)).slides, 1):
        writing.turn(number)
        title = slide.shapes.title
        if title is not None:
            writing.heading(title.text_frame.text, 1)
        for shape in slide.shapes:
            _shape(shape, title, writing)
        if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
            writing.say(slide.notes_slide.notes_text_frame.text)


def _shape(shape: Any, title: Any, writing: Writing) -> None:
    """A shape's words; those of a group one by one."""
    if title is not None and shape.shape_id == title.shape_id:
        return
    if hasattr(shape, "shapes"):
        for inner in shape.shapes:
            _shape(inner, title, writing)
    elif getattr(shape, "has_table", False):
        table(writing, [[cell.text for cell in row.cells] for row in shape.table.rows])
    elif shape.has_text_frame:
        for paragraph in shape.text_frame.paragraphs:
            writing.say("".join(run.text for run in paragraph.runs))


def read_xlsx(raw: bytes, path: Path, writing: Writing) -> None:
    from openpyxl import load_workbook

    book = load_workbook(io.BytesIO(raw), read_only=True, data_only=True)
    for number, sheet in enumerate(book.worksheets, 1):
        writing.turn(number)
        writing.heading(sheet.title, 1)
        table(writing, list(_filled(sheet, path)))


def _filled(sheet: Any, path: Path) -> Iterator[tuple[Any, ...]]:
    """The rows of a sheet up to the last cell that has anything: a cell far out makes each row as wide as the sheet can be."""
    seen = 0
    for row in sheet.iter_rows(values_only=True):
        last = max((place for place, value in enumerate(row) if value is not None), default=-1)
        seen += last + 1
        if seen > MOST_CELLS:
            raise InputError(f"{str(path)!r} 的表格超过 {MOST_CELLS:,} 格", "另存成几个小一些的表")
        if last >= 0:
            yield row[: last + 1]


def read_pdf(raw: bytes, path: Path, writing: Writing) -> None:
    """The text layer of a PDF, page by page.

    Raises:
        InputError: a password, or pages that are pictures.
    """
    import pypdfium2

    try:
        book = pypdfium2.PdfDocument(raw)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise InputError(f"{str(path)!r} 有密码", "去掉密码另存一份再加进来") from error
        raise
    pages = [page.get_textpage().get_text_bounded() for page in book]
    if sum(len(page.strip()) for page in pages) < SCANNED * len(pages):
        raise InputError(
            f"{str(path)!r} 是扫描的图片，{len(pages)} 页里没有文字",
            "先用识字（OCR）软件转成带文字的 PDF",
        )
    for number, page in enumerate(pages, 1):
        writing.turn(number)
        if len(page.strip()) < SCANNED and page.strip() == "":
            writing.say(f"（第 {number} 页是图片，没有文字）")
        for paragraph in _paragraphs(page):
            writing.say(paragraph)


def _paragraphs(page: str) -> list[str]:
    """The lines of a page put together where one goes on in the next."""
    found = [""]
    for line in page.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        line = line.strip("\ufffe\x02 ")
        ends = not found[-1] or found[-1].endswith(_STOPS)
        if not line or ends:
            found.append(line)
        else:
            gap = " " if found[-1][-1].isascii() and line[0].isascii() else ""
            found[-1] += gap + line
    return [one for one in found if one]

"""One file to read elsewhere, opened by other programs' readers and by our own."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

from custome.apps.novel.brief import Brief
from custome.apps.novel.export import export
from custome.apps.novel.folder import NovelFolder
from custome.corpus.reading import read_novel
from custome.errors import InputError


@pytest.fixture
def folder(tmp_path: Path) -> NovelFolder:
    made = NovelFolder(tmp_path / "盐灯")
    made.keep_brief(Brief(title="盐灯 <一> & 二", premise="一本账。", chapters=2))
    made.edit_chapter(1, "# 第1回　沈青夜走\n\n沈青走了。\n\n“走吧。”顾三娘道。\n")
    made.edit_chapter(2, "# 第2回　<归来>\n\n沈青 & 顾三娘回来了。\n")
    return made


def test_text_and_markdown(folder: NovelFolder, tmp_path: Path):
    text = export(folder, tmp_path / "a" / "盐灯.txt").read_text(encoding="utf-8")
    assert text.startswith("盐灯 <一> & 二\n\n第1回　沈青夜走\n　　沈青走了。\n")
    marked = export(folder, tmp_path / "盐灯.md").read_text(encoding="utf-8")
    assert "## 第2回　<归来>\n\n沈青 & 顾三娘回来了。" in marked


def test_epub_is_well_formed_and_read_by_our_own_reader(folder: NovelFolder, tmp_path: Path):
    path = export(folder, tmp_path / "盐灯.epub")
    with zipfile.ZipFile(path) as book:
        first = book.infolist()[0]
        assert first.filename == "mimetype" and first.compress_type == zipfile.ZIP_STORED
        assert book.read("mimetype") == b"application/epub+zip"
        for name in book.namelist():
            if name.endswith((".xhtml", ".opf", ".xml")):
                ElementTree.parse(io.BytesIO(book.read(name)))
        package = ElementTree.fromstring(book.read("EPUB/package.opf"))
        space = {"o": "http://www.idpf.org/2007/opf"}
        items = {one.get("id"): one.get("href") for one in package.iterfind(".//o:item", space)}
        assert all(f"EPUB/{href}" in book.namelist() for href in items.values())
        spine = [one.get("idref") for one in package.iterfind(".//o:itemref", space)]
        assert [items[one] for one in spine] == ["c0001.xhtml", "c0002.xhtml"]
    text = read_novel(path).text
    assert "沈青 & 顾三娘回来了。" in text and text.index("沈青走了") < text.index("<归来>")


def test_docx(folder: NovelFolder, tmp_path: Path):
    from docx import Document

    document = Document(str(export(folder, tmp_path / "盐灯.docx")))
    assert [one.text for one in document.paragraphs] == [
        "盐灯 <一> & 二",
        "第1回　沈青夜走",
        "沈青走了。",
        "“走吧。”顾三娘道。",
        "第2回　<归来>",
        "沈青 & 顾三娘回来了。",
    ]


def test_what_cannot_be_written_is_told(folder: NovelFolder, tmp_path: Path):
    with pytest.raises(InputError, match=r"不会写 '.pdf'"):
        export(folder, tmp_path / "盐灯.pdf")
    empty = NovelFolder(tmp_path / "空")
    empty.keep_brief(Brief(title="空", premise="空。"))
    with pytest.raises(InputError, match="还没有写好"):
        export(empty, tmp_path / "空.txt")

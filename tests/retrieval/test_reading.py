"""Files of every kind people have, made by code, and the faults they come with."""

from __future__ import annotations

import io
import json
import zipfile
from email.message import EmailMessage
from pathlib import Path

import pytest

from custome.errors import InputError
from custome.retrieval.chunks import chunks, place_of
from custome.retrieval.reading import read_document
from custome.retrieval.store import Document

WORDS = "渡口的末班船晚上八点开，船票五元一张。"


def heading_of(document: Document, words: str) -> tuple[str, ...]:
    return place_of(document.places, document.text.index(words)).heading


def page_of(document: Document, words: str) -> int:
    return place_of(document.places, document.text.index(words)).page


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "big5", "utf-16"])
def test_text_in_every_encoding(tmp_path: Path, encoding: str):
    words = "渡口的末班船晚上八點開，船票五元一張，這是說明。" * 8
    (tmp_path / "a.txt").write_bytes(words.encode(encoding))
    assert words in read_document(tmp_path / "a.txt").text


def test_a_novel_by_its_chapters(tmp_path: Path):
    (tmp_path / "书.txt").write_text(
        "前言在这里。\n第一回 渡口夜雨\n大郎来了。\n第二回 灯下缝衣\n小梅缝衣。\n", encoding="utf-8"
    )
    document = read_document(tmp_path / "书.txt")
    assert heading_of(document, "大郎来了") == ("第一回 渡口夜雨",)
    assert heading_of(document, "小梅缝衣") == ("第二回 灯下缝衣",)
    assert heading_of(document, "前言在这里") == ()


def test_rules_by_their_articles(tmp_path: Path):
    (tmp_path / "规定.txt").write_text(
        "一、保修\n保修两年。\n二、退货\n七天内可以退货。\n", encoding="utf-8"
    )
    assert heading_of(read_document(tmp_path / "规定.txt"), "七天内") == ("二、退货",)


def test_markdown_by_its_headings(tmp_path: Path):
    (tmp_path / "a.md").write_text(
        "# 手册\n总说。\n## 船\n八点开。\n```\n# 不是标题\n```\n## 茶\n好喝。\n", encoding="utf-8"
    )
    document = read_document(tmp_path / "a.md")
    assert heading_of(document, "八点开") == ("手册", "船")
    assert heading_of(document, "不是标题") == ("手册", "船")
    assert heading_of(document, "好喝") == ("手册", "茶")


def test_html(tmp_path: Path):
    (tmp_path / "a.html").write_text(
        f"<!doctype html><html><nav>菜单</nav><script>x</script><p>{WORDS}</p></html>",
        encoding="utf-8",
    )
    document = read_document(tmp_path / "a.html")
    assert WORDS in document.text and "菜单" not in document.text


def test_word(tmp_path: Path):
    from docx import Document as Word

    word = Word()
    word.add_heading("手册", 1)
    word.add_heading("船", 2)
    word.add_paragraph(WORDS)
    sheet = word.add_table(rows=2, cols=2)
    for row, cells in zip(sheet.rows, (("品名", "价格"), ("绿茶", "12元")), strict=True):
        for cell, text in zip(row.cells, cells, strict=True):
            cell.text = text
    word.save(str(tmp_path / "a.docx"))
    document = read_document(tmp_path / "a.docx")
    assert heading_of(document, "末班船") == ("手册", "船")
    assert "品名：绿茶；价格：12元" in document.text


def test_slides(tmp_path: Path):
    from pptx import Presentation

    slides = Presentation()
    for number in (1, 2):
        slide = slides.slides.add_slide(slides.slide_layouts[1])
        slide.shapes.title.text = f"第{number}张"
        slide.placeholders[1].text = f"{WORDS}{number}"
        slide.notes_slide.notes_text_frame.text = f"备注{number}"
    slides.save(str(tmp_path / "a.pptx"))
    document = read_document(tmp_path / "a.pptx")
    assert page_of(document, f"{WORDS}2") == 2 and page_of(document, "备注1") == 1
    assert heading_of(document, f"{WORDS}2") == ("第2张",)


def test_sheets(tmp_path: Path):
    from openpyxl import Workbook

    book = Workbook()
    book.active.title = "茶"
    book.active.append(["品名", "价格", "说明"])
    book.active.append(["绿茶", 12.0, None])
    book.create_sheet("船").append(["末班", "八点"])
    book.save(tmp_path / "a.xlsx")
    document = read_document(tmp_path / "a.xlsx")
    assert "品名：绿茶；价格：12\n" in document.text and page_of(document, "末班") == 2
    assert heading_of(document, "绿茶") == ("茶",)


@pytest.mark.parametrize(
    ("encoding", "mark"), [("utf-8-sig", ","), ("gb18030", ","), ("utf-8", ";"), ("utf-8", "\t")]
)
def test_csv(tmp_path: Path, encoding: str, mark: str):
    rows = [("品名", "价格"), *((f"绿茶{n}", f"{n}元") for n in range(1, 30))]
    text = "\n".join(mark.join(row) for row in rows)
    (tmp_path / "a.csv").write_bytes(text.encode(encoding))
    document = read_document(tmp_path / "a.csv")
    assert "品名：绿茶7；价格：7元" in document.text
    for piece in chunks(document.text, document.places):
        assert document.text[piece.start : piece.end].startswith("品名：")


def test_json_and_lines_of_json(tmp_path: Path):
    rows = [{"品名": "绿茶", "产地": {"省": "浙江"}, "口味": ["清", "香"]}, {"品名": "红茶"}]
    (tmp_path / "a.json").write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    (tmp_path / "a.jsonl").write_text(
        "\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8"
    )
    for name in ("a.json", "a.jsonl"):
        text = read_document(tmp_path / name).text
        assert "品名：绿茶；产地.省：浙江；口味.1：清；口味.2：香\n品名：红茶" in text


def test_mail(tmp_path: Path):
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = "船期", "a@example.org", "b@example.org"
    mail.set_content(WORDS, charset="gb18030")
    mail.add_attachment(b"x", maintype="application", subtype="pdf", filename="表.pdf")
    (tmp_path / "a.eml").write_bytes(mail.as_bytes())
    document = read_document(tmp_path / "a.eml")
    assert WORDS in document.text and "附件：表.pdf" in document.text
    assert heading_of(document, WORDS) == ("船期",)


def _pdf(*pages: str) -> bytes:
    """A PDF of a few pages in the Latin letters every reader has."""
    objects: list[bytes] = [b"<< /Type /Catalog /Pages 2 0 R >>"]
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(pages)))
    objects.append(f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode())
    objects.append(b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
    for number, text in enumerate(pages):
        stream = f"BT /F1 12 Tf 50 700 Td ({text}) Tj ET".encode()
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Resources << /Font << /F1 3 0 R >> >> /Contents {5 + 2 * number} 0 R >>".encode()
        )
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
    out, offsets = io.BytesIO(), []
    out.write(b"%PDF-1.4\n")
    for number, body in enumerate(objects, 1):
        offsets.append(out.tell())
        out.write(b"%d 0 obj\n%s\nendobj\n" % (number, body))
    start = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    out.writelines(b"%010d 00000 n \n" % offset for offset in offsets)
    out.write(
        b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, start)
    )
    return out.getvalue()


def test_pdf_by_its_pages(tmp_path: Path):
    (tmp_path / "a.pdf").write_bytes(
        _pdf("The last boat leaves at eight.", "A ticket costs five yuan.")
    )
    document = read_document(tmp_path / "a.pdf")
    assert page_of(document, "last boat") == 1 and page_of(document, "five yuan") == 2


def _epub(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as book:
        book.writestr(
            "META-INF/container.xml",
            '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles><rootfile full-path="a.opf"/></rootfiles></container>',
        )
        book.writestr(
            "a.opf",
            '<package xmlns="http://www.idpf.org/2007/opf"><manifest><item id="x" href="x.xhtml" media-type="application/xhtml+xml"/></manifest><spine><itemref idref="x"/></spine></package>',
        )
        book.writestr("x.xhtml", f"<html><body><h1>第一章 船</h1><p>{WORDS}</p></body></html>")


def test_epub(tmp_path: Path):
    _epub(tmp_path / "a.epub")
    document = read_document(tmp_path / "a.epub")
    assert document.kind == "epub" and heading_of(document, WORDS) == ("第一章 船",)


def _bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b"0" * 50_000_000)


def _huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(300_000_001)


@pytest.mark.parametrize(
    ("name", "make", "says"),
    [
        ("a.pdf", lambda path: path.write_bytes(_pdf("", "")), "扫描的图片"),
        ("a.pdf", lambda path: path.write_bytes(b"%PDF-1.4 nothing"), "坏的 pdf"),
        ("a.doc", lambda path: path.write_bytes(b"\xd0\xcf\x11\xe0" + b"0" * 99), "旧的 Office"),
        ("a.docx", lambda path: path.write_bytes(b"PK\x03\x04" + b"0" * 99), "坏的压缩文件"),
        ("a.docx", _bomb, "不像正常的文件"),
        ("a.zip", lambda path: zipfile.ZipFile(path, "w").writestr("a.txt", "x"), "压缩包"),
        ("a.json", lambda path: path.write_text("{不是", encoding="utf-8"), "坏的 json"),
        ("a.txt", lambda path: path.write_text("", encoding="utf-8"), ""),
        ("a.csv", lambda path: path.write_text(" \n \n", encoding="utf-8"), ""),
        ("a.txt", _huge, "300 MB"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str, make, says: str):
    make(tmp_path / name)
    with pytest.raises(InputError, match=says) as error:
        read_document(tmp_path / name)
    assert error.value.hint and name in error.value.message


def test_the_places_are_of_the_text(tmp_path: Path):
    _epub(tmp_path / "a.epub")
    document = read_document(tmp_path / "a.epub")
    starts = [place.start for place in document.places]
    assert starts == sorted(set(starts)) and starts[-1] < len(document.text)

"""From bytes to chapters and paragraphs, with offsets that never move."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custome.corpus.reading import read_novel
from custome.corpus.script import convert, is_traditional
from custome.corpus.text import (
    is_hard_wrapped,
    paragraphs,
    split_chapters,
    tidy,
    without_advertisements,
)
from custome.errors import InputError

STORY = "第一回　甲\n\n　　他说道：“来了，快走。”这一天大家都在那里看着我们的东西。\n"


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le", "utf-16-be"]
)
def test_common_encodings_give_the_same_text(tmp_path: Path, encoding: str):
    path = tmp_path / "a.txt"
    path.write_bytes((STORY * 3).replace("\n", "\r\n").encode(encoding))
    assert read_novel(path).text == STORY * 3


def test_big5_is_told_from_gb18030(tmp_path: Path):
    story = convert(STORY, "s2t") * 3
    path = tmp_path / "a.txt"
    path.write_bytes(story.encode("big5hkscs"))
    assert read_novel(path).text == story


def test_a_json_list_of_chapters_is_a_novel(tmp_path: Path):
    path = tmp_path / "a.json"
    path.write_text(
        json.dumps(["第一回 甲\n文", "第二回 乙\n文"], ensure_ascii=False), encoding="utf-8"
    )
    assert [c.title for c in split_chapters(read_novel(path).text)] == ["第一回 甲", "第二回 乙"]


def test_html_and_epub_give_headings_and_paragraphs(tmp_path: Path):
    page = "<html><head><title>书</title><style>p{}</style></head><body><h1>序</h1><p>甲说：“来。”</p><h2>起</h2><p>乙说：&ldquo;去。&rdquo;</p></body></html>"
    (tmp_path / "a.html").write_text(page, encoding="utf-8")
    with zipfile.ZipFile(tmp_path / "a.epub", "w") as book:
        book.writestr(
            "META-INF/container.xml",
            '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles><rootfile full-path="OEBPS/p.opf"/></rootfiles></container>',
        )
        book.writestr(
            "OEBPS/p.opf",
            '<package xmlns="http://www.idpf.org/2007/opf"><manifest><item id="n" href="nav.xhtml" properties="nav"/><item id="c" href="t/c.xhtml"/></manifest>'
            '<spine><itemref idref="n"/><itemref idref="c"/></spine></package>',
        )
        book.writestr("OEBPS/nav.xhtml", "<html><body>目录</body></html>")
        book.writestr("OEBPS/t/c.xhtml", page)
    for name in ("a.html", "a.epub"):
        text = read_novel(tmp_path / name).text
        assert text == "# 序\n甲说：“来。”\n# 起\n乙说：“去。”\n"
        assert [c.title for c in split_chapters(text)] == ["序", "起"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.txt", b"\x7fELF\x00\x00\x01\x02" * 100, "二进制"),
        ("a.txt", b"", "空"),
        ("a.json", b'{"a": 1}', "列表"),
        ("a.json", b"[1,", "JSON"),
        ("a.epub", b"PK\x03\x04 nope", "epub"),
        ("a.html", b"<html><body></body></html>", "没有文字"),
    ],
)
def test_what_is_no_novel_is_refused(tmp_path: Path, name: str, content: bytes, words: str):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=words):
        read_novel(tmp_path / name)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "序言\n文\n第一回　甲\n文\n第2章 乙\n文\n　　第三节\n文\n他在第四回合里败了\n",
            [(0, "序言"), (1, "第一回　甲"), (2, "第2章 乙"), (3, "第三节")],
        ),
        ("第１章：风起\n文\n第２章：云涌\n文", [(1, "第１章：风起"), (2, "第２章：云涌")]),
        (
            "楔子\n文\n第一章 甲\n文\n番外 乙\n文\n第二章 丙\n文\n后记\n文",
            [(0, "楔子"), (1, "第一章 甲"), (1, "番外 乙"), (2, "第二章 丙"), (2, "后记")],
        ),
        ("第一章风起\n文\n第二章云涌\n文", [(1, "第一章风起"), (2, "第二章云涌")]),
        (
            "第一卷 上\n第一章 甲\n文\n第二章 乙\n文\n第二卷 下\n第一章 丙\n文",
            [(1, "第一章 甲"), (2, "第二章 乙"), (3, "第一章 丙")],
        ),
        (
            "一、风起\n文字文字，文。\n二、云涌\n文\n三、雨落\n文",
            [(1, "一、风起"), (2, "二、云涌"), (3, "三、雨落")],
        ),
        (
            "目录\n第一章 甲\n第二章 乙\n\n第一章 甲\n文\n第二章 乙\n文",
            [(1, "第一章 甲"), (2, "第二章 乙")],
        ),
        ("只有文字\n没有章", [(1, "")]),
    ],
)
def test_headings_of_every_style(text: str, expected: list[tuple[int, str]]):
    assert [(c.number, c.title) for c in split_chapters(text)] == expected


def test_a_book_on_one_line_has_chapters():
    body = "他说了很多很多的话，走了很远很远的路。" * 700
    text = "　".join(f"第{n}回　某某回目某某　{body}且听第三回分解。" for n in ("一", "二", "三"))
    assert [c.number for c in split_chapters(text)] == [1, 2, 3]
    assert all(text[c.start : c.end].strip().startswith("他说") for c in split_chapters(text))


def test_advertisements_become_blanks_of_the_same_length():
    text = "甲道：“来。”\n本书由某某小说网（www.example.com）首发，请记住本站网址。\n乙道：“去。”更多精彩小说请访问 http://a.b/c 下载。"
    clean = without_advertisements(text)
    assert len(clean) == len(text) and "甲道：“来。”" in clean and "乙道：“去。”" in clean
    assert not any(word in clean for word in ("example", "首发", "http", "本站"))


def test_hard_wrapped_lines_are_put_together():
    sentence = "他一面说着一面走到门口看见外面的雪已经下得很大了于是又回来坐下"
    long = "，".join([sentence] * 12) + "。"
    lines = [long[i : i + 30] for i in range(0, len(long), 30)]
    text = "\n".join(["　　" + lines[0], *lines[1:], "　　" + lines[0], *lines[1:]])
    assert is_hard_wrapped(text) and not is_hard_wrapped(STORY * 30)
    spans = paragraphs(text, 0, len(text), hard_wrapped=True)
    assert [tidy(text[s:e]) for s, e in spans] == [long, long]


def test_script_is_told_and_converted_without_moving_anything():
    assert is_traditional(convert(STORY, "s2t")) and not is_traditional(STORY)
    assert convert(convert(STORY, "s2t"), "t2s") == STORY


@given(st.text(max_size=200))
def test_cleaning_keeps_every_length(text: str):
    assert len(without_advertisements(text)) == len(text)
    assert len(convert(text, "t2s")) == len(text) == len(convert(text, "s2t"))
    covered = [(c.start, c.end) for c in split_chapters(text)]
    assert covered == sorted(covered) and all(0 <= s <= e <= len(text) for s, e in covered)

"""Files with a few faulty bytes, of two encodings, with zeros; headings as web novels write them."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from custome.corpus.reading import read_novel
from custome.corpus.text import split_chapters
from custome.errors import InputError

TEXT = "第一章 渡口\n" + "大郎在渡口说道：“船来了没有？”小乙道：“还没有，再等一等。”\n" * 40


def read(tmp_path: Path, raw: bytes) -> str:
    path = tmp_path / "书.txt"
    path.write_bytes(raw)
    return read_novel(path).text


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "big5hkscs"])
def test_a_faulty_byte_costs_itself_only(
    encoding: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    whole = TEXT.translate(str.maketrans("说来还没", "說來還沒"))  # Big5 has these
    raw = whole.encode(encoding)
    place = raw.index("\n".encode(encoding), 200)  # between two sentences
    with caplog.at_level(logging.WARNING):
        text = read(tmp_path, raw[:place] + b"\xff" + raw[place:])
    assert text.replace("\ufffd", "") == whole
    assert f"第 {place} 字节" in caplog.text


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16"])
def test_the_end_may_be_cut_off(encoding: str, tmp_path: Path):
    raw = TEXT.rstrip("\n").encode(encoding)
    text = read(tmp_path, raw[:-1])
    assert text.startswith(TEXT[:500]) and text.count("\ufffd") <= 1


def test_two_files_put_together(tmp_path: Path):
    raw = TEXT.encode("utf-8") + TEXT.encode("gb18030")
    assert read(tmp_path, raw) == TEXT + TEXT


def test_zeros_go(tmp_path: Path):
    raw = bytearray(TEXT.encode("utf-8"))
    for place in (0, 30, 60, 6_000):
        raw.insert(raw.index(b"\n", min(place, len(raw) - 9)), 0)
    assert read(tmp_path, bytes(raw)) == TEXT


@pytest.mark.parametrize("raw", [bytes(range(256)) * 40, b"\x89PNG\r\n\x1a\n" + b"\0\1\2\3" * 500])
def test_what_is_no_text_is_refused(raw: bytes, tmp_path: Path):
    with pytest.raises(InputError, match="二进制|编码"):
        read(tmp_path, raw)


BODY = "　　大郎道：“船来了没有？”小乙道：“没有。”\n　　第六回合时，他才认输。\n　　第一节 是他自己添的，不算。\n"


@pytest.mark.parametrize(
    "heading",
    [
        "【第{n}章】渡口",
        "===第{n}章 渡口===",
        "＃ 第{n}章 渡口",
        "{n}章 渡口",
        "chapter.00{n}",
        "Chapter {n}",
        "vol.00{n} 渡口",
        "{n} | 渡口",
        "第{n}章（上）",
        "第{n}章、渡口",
        "第{n}章渡口",
        "第{n}章 " + "很长的题目" * 14,
        "—— 第{n}回 ——",
    ],
)
def test_headings_in_the_wild(heading: str):
    text = "".join(f"{heading.format(n=n)}\n{BODY}" for n in range(1, 6))
    assert [chapter.number for chapter in split_chapters(text)] == [1, 2, 3, 4, 5]


def test_headings_without_numbers():
    text = "".join(f"{which}卷 渡口\n{BODY}" for which in "上中下终")
    assert len(split_chapters(text)) == 4


def test_headings_some_of_which_have_no_blank():
    text = "".join(f"第{n}章{' ' * (n % 2)}渡口\n{BODY}" for n in range(1, 7))
    assert [chapter.number for chapter in split_chapters(text)] == [1, 2, 3, 4, 5, 6]


def test_titles_that_end_as_sentences_do():
    some = "第一章 起\n甲\n第二章 我，重生了。\n乙\n第三章 完\n丙\n"
    assert [chapter.number for chapter in split_chapters(some)] == [1, 2, 3]
    every = "第一章 绅士的性格。\n甲\n第二章 他离家。\n乙\n"
    assert [chapter.number for chapter in split_chapters(every)] == [1, 2]


def test_headings_inside_of_lines():
    """A book of a few long lines, several chapters in each."""
    text = "".join(
        f"第{n}回 渡口夜话{'' if n % 4 else ''}　{BODY.replace(chr(10), '')}" for n in range(1, 9)
    )
    text = text[: len(text) // 2] + "\n" + text[len(text) // 2 :]
    assert [chapter.number for chapter in split_chapters(text)] == list(range(1, 9))

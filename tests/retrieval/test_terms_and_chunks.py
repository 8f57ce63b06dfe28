"""The words of an index, and a text cut into pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custome.retrieval.chunks import LONGEST, TARGET, Place, chunks
from custome.retrieval.terms import as_word, as_words, asked, terms


def test_characters_pairs_and_words():
    assert list(terms("孔明用GPT-4")) == ["孔", "孔明", "明", "明用", "用", "gpt-4"]


def test_one_spelling():
    assert list(terms("諸葛亮，ＡＢＣ的書很好看")) == list(terms("诸葛亮，abc的书很好看"))


def test_a_question_drops_what_says_nothing():
    assert asked("药在哪？") == ["药", "药在"]
    assert asked("是什么") == list(terms("是什么"))  # nothing else is left


def test_written_in_ascii():
    words = as_words(terms("药Ａ-1 店"))
    assert words.isascii() and len(words.split()) == 3


def test_whole_sentences_below_their_headings():
    text = "前言。\n第一章\n" + "这是一句话。" * 120 + "\n第二章\n短。"
    one, two = text.index("第一章"), text.index("第二章")
    found = chunks(
        text, [Place(start=one, heading=("第一章",)), Place(start=two, heading=("第二章",))]
    )
    assert {piece.heading for piece in found} == {(), ("第一章",), ("第二章",)}
    assert all(text[piece.end - 1] in "。章" for piece in found)
    assert max(piece.end - piece.start for piece in found) <= TARGET


def test_a_row_of_a_table_stays_in_one_piece():
    rows = [f"商品：茶{i}；价格：{i}元；说明：" + "好" * 120 for i in range(5)]
    text = "\n".join(rows)
    starts = [text.index(row) for row in rows]
    found = chunks(text, [Place(start=start, whole=True) for start in starts])
    for row in rows:
        assert any(row in text[piece.start : piece.end] for piece in found)


@given(
    st.text(alphabet="甲乙。！？\n ”x", max_size=1500), st.lists(st.integers(0, 1500), max_size=5)
)
def test_every_letter_is_in_one_chunk_and_in_order(text: str, starts: list[int]):
    places = [Place(start=start) for start in sorted({s for s in starts if s < len(text)})]
    found = chunks(text, places)
    covered = [place for piece in found for place in range(piece.start, piece.end)]
    assert covered == sorted(set(covered))
    left = [letter for place, letter in enumerate(text) if place not in set(covered)]
    assert not "".join(left).strip()
    assert all(piece.end - piece.start <= LONGEST for piece in found)


@pytest.mark.parametrize("text", ["", "   \n\n", "\n"])
def test_nothing_gives_no_chunks(text: str):
    assert chunks(text, []) == []


def test_other_scripts_are_words_too():
    assert asked("Привет, café") == ["привет", "café"]
    assert {"한", "한국", "국"} <= set(terms("한국"))
    assert {"ひ", "ひら"} <= set(terms("ひらがな"))
    assert all(as_word(term).isascii() for term in terms("Привет café 한국 ひら 孔明 gpt-4"))

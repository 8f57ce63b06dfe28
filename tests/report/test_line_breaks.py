"""Lines as Chinese has them, of text that comes piece by piece."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custome.report.line_breaks import DASHES, NOT_FIRST, NOT_LAST, LineBreaks, broken

CLOSING, OPENING = "，。！？；：、”’）》】…,.!?)", "“‘（《【(["
WORDS = ("是", "曹操", "——是", "是……", "abcd", "3.14", "1000", "it’s", "😀")
PHRASE = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(("", *OPENING)),
        st.sampled_from(WORDS),
        st.sampled_from(("", *CLOSING)),
        st.sampled_from((" ", " ", "\n", "")),
    ),
)
WORD_ALONE = re.compile("(?<![!-~’])[a-z0-9][a-z0-9.’]{0,4}(?![!-~’])")
ANY = st.text(st.sampled_from([*"是曹ab1 　\n—…\"'/-\u0301\u200d\ufe0f😀éя", *CLOSING, *OPENING]))


def columns(text: str) -> int:
    return sum(
        0
        if unicodedata.category(c) in ("Mn", "Cf")
        else 2
        if unicodedata.east_asian_width(c) in "WFA"
        else 1
        for c in text
    )


def breaks(text: str, printed: str) -> list[int]:
    """Where lines were broken; nothing else may have been done to the text."""
    places, at = [], 0
    for character in printed:
        if at < len(text) and character == text[at]:
            at += 1
        else:
            assert character == "\n"
            places.append(at)
    assert at == len(text)
    return places


@given(text=st.lists(PHRASE).map("".join), width=st.integers(10, 40))
def test_marks_stand_where_they_may_and_words_are_whole(text: str, width: int):
    places = breaks(text, broken(text, width))
    for at in places:
        before, after = text[at - 1], text[at]
        assert after not in CLOSING and before not in OPENING and before + after != "——"
    words = [word.span() for word in WORD_ALONE.finditer(text)]
    assert not [at for at in places for first, end in words if first < at < end]


@given(text=ANY, width=st.integers(2, 40), cuts=st.lists(st.integers(0, 100)))
def test_no_line_is_too_wide_and_nothing_is_lost_however_it_comes(
    text: str, width: int, cuts: list[int]
):
    whole = broken(text, width)
    assert max(map(columns, whole.split("\n"))) <= width
    ends = sorted({min(cut, len(text)) for cut in cuts} | {0, len(text)})
    lines = LineBreaks(width)
    pieces = [lines.feed(text[a:b]) for a, b in zip(ends, ends[1:], strict=False)]
    assert "".join(pieces) + lines.rest() == whole
    for at in breaks(text, whole):
        assert not against_the_marks(text, at) or columns(marks_around(text, at)) > width


def against_the_marks(text: str, at: int) -> bool:
    before, after = text[at - 1], text[at]
    return (
        after in NOT_FIRST
        or before in NOT_LAST
        or (before == after and before in DASHES)
        or not columns(after)
        or before == "\u200d"
    )


def marks_around(text: str, at: int) -> str:
    """What must not be broken around a place; a break in it is excused only where it is longer than a line."""
    first = last = at
    while first > 0 and against_the_marks(text, first):
        first -= 1
    while last < len(text) and (last == at or against_the_marks(text, last)):
        last += 1
    return text[first:last]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("曹操说：天下英雄。", ["曹操说：天", "下英雄。"]),
        ("天下英雄谁敌手，曹刘", ["天下英雄谁", "敌手，曹刘"]),
        ("天下英雄呢，曹刘", ["天下英雄", "呢，曹刘"]),  # the comma takes its word along
        ("天下英雄“曹刘”也", ["天下英雄", "“曹刘”也"]),
        ("天下英雄——曹刘", ["天下英雄", "——曹刘"]),
        ("天下英雄呢……曹刘", ["天下英雄", "呢……曹刘"]),
        ("共有八十三万 1000.5 人", ["共有八十三", "万 1000.5 ", "人"]),
        ("读 it’s fine 了", ["读 it’s ", "fine 了"]),
        ('他说"好"，去"东吴"了', ['他说"好"，', '去"东吴"了']),
        ("见 https://example.com 了", ["见 ", "https://", "example.", "com 了"]),
        ("一\n\n二三四五六七", ["一", "", "二三四五六", "七"]),
        ("！！！！！！！", ["！！！！！", "！！"]),  # no rule can be kept
    ],
)
def test_lines_of_ten_columns(text: str, lines: list[str]):
    assert broken(text, 10).split("\n") == lines


def test_only_what_may_still_move_is_held_back():
    lines = LineBreaks(10)
    printed = [lines.feed(c) for c in "操曰：“是ab c"]
    assert printed == ["", "操", "", "曰：", "", "“是", "", "", "\nab "]
    assert lines.rest() == "c" and lines.rest() == ""


def test_without_a_terminal_nothing_is_broken_or_held_back():
    assert LineBreaks(None).feed("天下英雄" * 99 + "，") == "天下英雄" * 99 + "，"

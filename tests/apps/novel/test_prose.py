"""Figures of prose on texts whose figures can be counted by hand."""

from __future__ import annotations

import pytest

from custome.apps.novel import prose

DAY = "天亮了，他把船撑到对岸去。"
BOOK = "".join(
    f"第{n}日，船夫把船撑到对岸去，又在柳树下坐了{n % 7}个时辰，说：“今日风大。”"
    for n in range(400)
)
OTHER = "".join(
    f"The {n} th machine reads {n % 9} pages and writes them down again. " for n in range(300)
)


def test_coverage_counts_names_by_any_name():
    assert prose.coverage(
        "子坚在渡口。", ["钱勇", "渡口", "破庙"], {"钱勇": ["子坚"]}
    ) == pytest.approx(2 / 3)
    assert prose.coverage("", [], {}) == 1.0


def test_repetition():
    assert prose.repeated(DAY) == 0 and prose.repeated_sentences(DAY) == 0
    assert prose.repeated(DAY * 3) > 0.9 and prose.repeated_sentences(DAY * 3) == 1
    assert prose.repeated_sentences(DAY + "他走了。他走了。" + DAY) == 1  # too short to count
    assert prose.distinct("甲乙丙丁") == 1 and prose.distinct("甲乙甲乙甲乙") == pytest.approx(
        2 / 5
    )
    assert prose.distinct("") == 1 and prose.repeated("短") == 0


def test_copying():
    grams = prose.book_grams(BOOK)
    assert prose.copied("船夫把船撑到对岸去，又在柳树下坐了", grams) == 1
    assert (
        prose.copied("他在山上打柴，日落才背着两捆回家来。", grams)
        == 0
        == prose.copied("短", grams)
    )


def test_style_is_nearer_to_its_own_book():
    style = prose.Style(BOOK)
    assert style.delta(BOOK[3_000:6_000]) < 2 < style.delta(DAY * 200) and style.delta(OTHER) > 2


def test_how_much_is_said():
    assert prose.speech_share("他说：“好。”我走。") == pytest.approx(1 / 5)
    assert prose.speech_share("") == 0

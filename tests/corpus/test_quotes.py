"""Marks of every style, whole and broken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custome.corpus.quotes import find_quotations, unify_marks
from custome.corpus.text import paragraphs


def quoted(text: str) -> list[str]:
    text = unify_marks(text)
    found, _ = find_quotations(text, paragraphs(text, 0, len(text)))
    return [text[q.start : q.end] for q in found if q.depth == 0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("甲道：「来。」乙道：「去『哪里』？」", ["“来。”", "“去‘哪里’？”"]),
        ("甲道：『来。』乙道：『去「哪里」？』", ["“来。”", "“去‘哪里’？”"]),
        ('丙道："好。"丁道："走。"', ["“好。”", "“走。”"]),
        ("丙道：＂好。＂丁道：＂走。＂", ["“好。”", "“走。”"]),
        ("甲道：‘来。’乙道：‘去。’", ["“来。”", "“去。”"]),
        ("甲道：“他说‘来’。”乙道：“去。”", ["“他说‘来’。”", "“去。”"]),
        ("〝来〞甲道。", ["“来”"]),
    ],
)
def test_styles(text: str, expected: list[str]):
    assert quoted(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "甲曰：“一。\n乙曰：“二。”\n丙曰：三。”\n丁曰：“四。”",
            ["“一。", "“二。”", "三。”", "“四。”"],
        ),
        (
            "甲曰：“一。乙曰：“二。”丙曰：“三。”",
            ["“一。", "“二。”", "“三。”"],
        ),  # a closing mark is missing
        ("甲曰：“一。“乙曰：“二。”", ["“一。“", "“二。”"]),  # typed the wrong way round
        ("甲曰：”一。”乙曰：“二。”", ["”一。”", "“二。”"]),
        ("甲曰：“一。””乙曰：““二。”", ["“一。”", "“二。”"]),  # doubled
        (
            "甲曰：“丙曰：“三。”可也。”乙曰：“二。”",
            ["“丙曰：“三。”可也。”", "“二。”"],
        ),  # one inside another
        (
            "甲曰：“一。\n　　“二。\n　　“三。”\n乙曰：“四。”",
            ["“一。\n　　“二。\n　　“三。”", "“四。”"],
        ),  # several paragraphs
        ("甲曰：“一。\n二。\n三。”\n乙曰：“四。”", ["“一。\n二。\n三。”", "“四。”"]),
    ],
)
def test_broken_marks_are_repaired_in_their_paragraph(text: str, expected: list[str]):
    assert quoted(text) == expected


def test_a_straight_mark_that_is_missing_costs_one_quotation():
    assert quoted('甲道："一。乙道："二。"丙道："三。"')[1:] == ["“二。”", "“三。”"]


@given(st.text(alphabet='甲曰：“”「」‘’"\n，。 ', max_size=80))
def test_quotations_are_ordered_inside_the_text_and_never_overlap(text: str):
    unified = unify_marks(text)
    assert len(unified) == len(text)
    spans = paragraphs(unified, 0, len(unified))
    found, unpaired = find_quotations(unified, spans)
    assert unpaired >= 0
    last = 0
    for quotation in (q for q in found if q.depth == 0):
        assert last <= quotation.start < quotation.end <= len(text)
        last = quotation.end

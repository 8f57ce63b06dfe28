"""Somebody of a book tells a checked answer: no number, no name and no story of their own."""

from __future__ import annotations

import pytest

from custome.apps.knowledge.answering import Answer, Citation
from custome.apps.knowledge.voicing import voiced
from custome.retrieval.store import Passage

NAMES = {"钱勇": ["钱船家"], "孙大郎": []}
TEXT = "掌柜请钱勇吃了一盘狼肉，又给他五两银子。"
PASSAGE = Passage(chunk=1, document=1, name="渡口", position=0, start=0, end=len(TEXT), text=TEXT, heading=(), page=0)  # fmt: skip
ANSWER = Answer(
    text="一盘狼肉和五两银子。",
    kind="checked",
    citations=(Citation(passage=PASSAGE, start=0, end=len(TEXT), quote=TEXT),),
    hits=(),
    question="掌柜给了钱勇什么？",
)


@pytest.mark.parametrize(
    "said",
    [
        "掌柜请他吃的是狼肉，又给了五两银子也。",
        "吾闻乃狼肉一盘，银子五两耳。",
        "钱船家得了五两银子，还有一盘狼肉。",
    ],
)
def test_what_keeps_to_the_fact_is_said(said: str):
    assert voiced(ANSWER, lambda *_: said, NAMES) == said


@pytest.mark.parametrize(
    "said",
    [
        "狼肉和银子六两。",
        "狼肉一盘。",
        "孙大郎给了五两银子和狼肉。",
        "狼肉乃人所欲食，岂可夺之，五两银子宜令贼退，待其粮尽而擒之。",
        "",
    ],
)
def test_what_does_not_is_not(said: str):
    assert voiced(ANSWER, lambda *_: said, NAMES) == ""


def test_a_second_try():
    tries = iter(["银子六两。", "狼肉，还有五两银子。"])
    assert voiced(ANSWER, lambda *_: next(tries), NAMES) == "狼肉，还有五两银子。"

"""Words that a picture is asked for in: what is seen, never their characters; the sense that fits, and another where it is chosen."""

from __future__ import annotations

import json
import re
from importlib.resources import files

import pytest

from custome.apps.image.lexicon import Entry, Lexicon, entry_of, lexicon
from custome.apps.image.senses import senses
from custome.errors import DataError

LAUGHED_AT = (
    ("车水马龙的长街", "车水马龙", "dragon"),
    ("一盘鱼香肉丝", "鱼香肉丝", "fish"),
    ("红烧狮子头", "红烧狮子头", "lion"),
    ("桌上的鼠标", "鼠标", "rodent"),
    ("工地上的起重机", "起重机", "bird"),
    ("土耳其的热气球", "土耳其", "poultry"),
    ("两块老婆饼", "老婆饼", "lady"),
    ("胸有成竹的书生", "胸有成竹", "bamboo"),
    ("驴肉火烧", "驴肉火烧", "fire"),
    ("羽扇纶巾的军师", "羽扇纶巾", "bird"),
    ("提着青龙偃月刀", "青龙偃月刀", "moon"),
    ("虎头虎脑的孩子", "虎头虎脑", "tiger"),
)
"""(words, what is in them, what was drawn for it)."""


def test_every_entry_is_whole_and_says_nothing_that_it_is_to_avoid():
    lines = (files("custome") / "data" / "visual_lexicon.jsonl").read_text("utf-8").splitlines()
    assert len(lines) >= 1_200 and len({json.loads(line)["zh"] for line in lines}) >= 1_200
    for number, line in enumerate(lines, 1):
        one = entry_of(json.loads(line), f"line {number}")
        assert 4 <= len(one.seen) <= 60, one
        assert not re.search(r"[\u4e00-\u9fff]", one.en), one
        for word in one.avoid:
            assert not re.search(rf"\b{re.escape(word.lower())}\b", one.en.lower()), one


def test_no_word_has_two_usual_senses():
    for word, some in lexicon().senses.items():
        assert [one.near for one in some[1:] if not one.near] == [], word


@pytest.mark.parametrize(("text", "word", "wrong"), LAUGHED_AT)
def test_what_was_laughed_at(text: str, word: str, wrong: str):
    (found,) = [one for one in senses(text, lexicon()) if one.word == word]
    assert wrong not in found.entry.en.lower().split()
    assert not any(one.word in word and one.word != word for one in senses(text, lexicon()))


def test_the_sense_fits_what_stands_beside_and_can_be_chosen():
    def seen(text: str, **chosen: str) -> str:
        return next(one for one in senses(text, lexicon(), chosen) if one.word == "苹果").entry.en

    fruit, phone = seen("树上的苹果熟了"), seen("发布会上的苹果手机")
    assert "red" in fruit and "smartphone" in phone
    (one,) = [one for one in senses("树上的苹果熟了", lexicon()) if one.word == "苹果"]
    assert seen("树上的苹果熟了", 苹果=one.others[0].seen) == phone


def test_a_short_word_is_none_inside_another_word():
    small = Lexicon(
        [
            Entry(zh=word, kind="thing", seen="一件东西", en="thing")
            for word in ("马", "马上封侯", "水")
        ]
    )
    assert [one.word for one in senses("他马上就来，倒一碗水", small)] == ["水"]
    assert [one.word for one in senses("骑马去", small)] == ["马"]
    assert not [one for one in senses("里面和水面上", lexicon()) if one.word == "面"]
    assert [(one.at, one.word) for one in senses("画一幅马上封侯", small)] == [(3, "马上封侯")]
    assert senses("", small) == [] and senses("😀", small) == []


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"zh": "马", "kind": "animal", "seen": "一匹马"},
        {"zh": "马", "kind": "animal", "seen": "一匹马", "en": "horse", "era": "很久以前"},
        {"zh": "马", "kind": "animal", "seen": "一匹马", "en": "horse", "not": "donkey"},
        {"zh": "马", "kind": "animal", "seen": "一匹马", "en": "horse", "colour": "red"},
        {"zh": 3, "kind": "animal", "seen": "一匹马", "en": "horse"},
    ],
)
def test_an_entry_that_is_none_says_what_is_wrong(row: dict[str, object]):
    with pytest.raises(DataError):
        entry_of(row, "line 1")

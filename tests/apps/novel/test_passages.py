"""A book cut into what a novelist learns: whole passages, plans that they follow, nobody's own name left."""

from __future__ import annotations

import random

import pytest

from custome.apps.novel.passages import (
    BEFORE,
    LONGEST,
    SIZES,
    Keywords,
    Names,
    Plan,
    asked,
    material,
    passages,
)
from custome.apps.novel.prose import letters

PEOPLE = {"钱勇": ["子坚", "钱船家", "勇"], "孙大郎": ["大郎"], "王太尉": ["太尉"]}
SCENE = (
    "却说钱勇在渡口撑船，子坚正把竹篙插在泥里，忽见孙大郎挑着两担茶叶走下堤来。"
    "大郎道：“钱船家，今日的末班船还开么？”勇曰：“雨大风急，只怕开不得。”勇大笑，把缆绳解了。"
    "王太尉的轿子也到了岸边，太尉掀开帘子问：“对岸的客店可还有空房？”"
)
VERSE = "有诗为证：江水东流去不回，渡头风雨客愁来。"
CHAPTER = SCENE * 3 + VERSE + SCENE


def test_passages_are_whole_sentences_of_the_right_length():
    found = passages([CHAPTER, SCENE])
    assert {one.chapter for one in found} == {1, 2}
    for one in found:
        assert min(SIZES) <= len(letters(one.text)) <= LONGEST and one.text[-1] in "。！？”"
        assert one.text.count("“") == one.text.count("”") and one.text in CHAPTER
        assert len(one.before) <= BEFORE and "有诗" not in one.before + one.text
    starts = [one for one in found if not one.before]
    assert len(starts) == 3  # of the chapters, and behind the verse
    behind = [(one, other) for one, other in zip(found, found[1:], strict=False) if other.before]
    assert behind and all(one.text.endswith(other.before) for one, other in behind)


def test_a_character_that_stands_for_somebody_is_written_out():
    whole = Names(PEOPLE).written_out(SCENE)
    assert "钱勇曰：" in whole and "钱勇大笑" in whole and "钱钱勇" not in whole
    assert Names(PEOPLE).written_out("勇气可嘉，勇者不惧。") == "勇气可嘉，勇者不惧。"


def test_nobody_keeps_their_name_and_everybody_keeps_the_new_one():
    names = Names(PEOPLE)
    (text, again), called = names.invented([names.written_out(SCENE), "钱勇。"], random.Random(3))
    assert all(name not in text for name in ("钱勇", "子坚", "钱船家", "孙大郎", "大郎"))
    assert again == called["钱勇"] + "。" and called["钱勇"] in text and called["孙大郎"] in text
    assert text.count(called["钱勇"][1:]) >= 4  # by whichever name
    assert "太尉掀开帘子" in text and called["王太尉"][0] + "太尉的轿子" in text  # titles stay
    assert names.invented([SCENE], random.Random(4))[1] != called


def test_whoever_is_named_by_one_character_is_left_out():
    names = Names(PEOPLE)
    assert names.is_clear("钱勇大笑，把缆绳解了。") and names.is_clear("他英勇过人。")
    for text in ("勇大笑。", "众人看时，勇已上船。", "孙、钱二人上船。", "众人皆服勇。"):
        assert not names.is_clear(text), text


def test_material_has_invented_names_only():
    made = material([CHAPTER, SCENE], PEOPLE, seed=1)
    assert made == material([CHAPTER, SCENE], PEOPLE, seed=1) != material([CHAPTER], PEOPLE, seed=2)
    assert made and any(one.people for one in made)
    for one in made:
        assert all(name not in one.before + one.text for name in ("钱勇", "子坚", "大郎"))
        assert all(name[1:] in one.text or f"{name[0]}太尉" in one.text for name in one.people)


def test_how_a_passage_is_asked_for():
    plan = Plan(
        before="天黑了。",
        people=("沈青", "阿蛮"),
        event="两人偷马。",
        keywords=("破庙", "偷马"),
        length=107,
    )
    assert (
        asked(plan)
        == "【上文】天黑了。\n【人】沈青，阿蛮\n【事】两人偷马。\n【要】破庙，偷马\n【长】110字"
    )
    assert "【长】10字" in asked(Plan(length=3))


def test_keywords_are_what_both_have_and_few_others():
    keywords = Keywords(["渡口有船。", "渡口有雨，船夫喝茶。", "渡口有雨，船夫睡了。", "渡口。"])
    text = "渡口的船夫喝茶。"
    assert keywords.of_both("船夫在渡口喝茶。", text, 1) == ("船夫",)
    assert keywords.of_both("船夫在渡口喝茶。", text) == ("船夫", "渡口")
    assert keywords.of_both("有人喝茶。", text) == ()  # one passage alone has it
    assert keywords.of_both("", text) == keywords.of_both("船夫。", "无人。") == ()


@pytest.mark.parametrize("chapters", [[], [""], ["短。"], ["一" * 500]])
def test_a_book_of_nothing(chapters: list[str]):
    assert material(chapters, {}, seed=0) == []

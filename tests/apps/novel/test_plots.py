"""Outlines without a model: nothing impossible happens, nobody is forgotten, no chapter is told twice."""

from __future__ import annotations

import dataclasses

import pytest

from custome.apps.novel.brief import Brief, Person, Promise
from custome.apps.novel.folder import Row
from custome.apps.novel.inventing import cast
from custome.apps.novel.planning import beats, outline, scenes_of
from custome.apps.novel.plots import LASTING, scenes
from custome.apps.novel.stock import stock
from custome.errors import InputError

PEOPLE = tuple(
    Person(name=name, gender=gender)  # type: ignore[arg-type]
    for name, gender in (
        ("沈青", "男"),
        ("顾三娘", "女"),
        ("韩世昌", "男"),
        ("马彪", "男"),
        ("陆怀远", "男"),
        ("老何头", "男"),
    )
)


def brief(chapters: int = 10, **more: object) -> Brief:
    return Brief(
        title="盐灯", premise="一本账。", chapters=chapters, people=PEOPLE, things=("账簿",), **more
    )  # type: ignore[arg-type]


def test_the_stock_is_whole():
    """Every slot is filled, every beat names what must be named, every fact that is needed is made by some scene."""
    known = {*stock()["letters"], "物", "地", "秘", *stock()["words"]["古"]}
    assert stock()["words"]["古"].keys() == stock()["words"]["今"].keys()
    made = {fact.split()[0] for frame in stock()["frames"] for fact in frame["does"]}
    for frame in stock()["frames"]:
        for text in (*frame["halves"], *frame["events"], *frame["beats"]):
            slots = [part.split("}")[0] for part in text.split("{")[1:]]
            assert {slot.removeprefix("他") for slot in slots} <= known, (frame["name"], text)
        beats = "".join(frame["beats"])
        for letter in stock()["letters"]:
            named = any(f"{{{letter}}}" in event for event in frame["events"])
            assert not named or f"{{{letter}}}" in beats, (frame["name"], letter)
        for fact in (*frame["needs"], *frame.get("also", ())):
            assert fact.removeprefix("!").split()[0] in made, (frame["name"], fact)


@pytest.mark.parametrize("chapters", [1, 2, 3, 10, 40])
def test_what_happens_is_possible(chapters: int):
    """Played through once more: what a scene needs is so when it comes, and the story is settled at its end."""
    whole = [scene for row in scenes(brief(chapters), [6] * chapters) for scene in row]
    assert len(whole) == 6 * chapters
    facts: set[str] = set()
    for number, scene in enumerate(whole):

        def grounded(fact: str, words: object = scene.words) -> str:
            return " ".join(words.get(part, part) for part in fact.split())  # type: ignore[attr-defined]

        needed = [grounded(one) for one in scene.frame.needs if not one.startswith("!")]
        if any(one not in facts for one in needed if not one.startswith(("知", "物在"))):
            # another story begins, with what outlives the last one
            assert number, scene.frame.name
            facts = {fact for fact in facts if fact.split()[0] in LASTING}
        assert all(one in facts or one.startswith(("知", "物在")) for one in needed), (
            number,
            scene.frame.name,
            needed,
        )
        for fact in scene.frame.does:
            if fact.startswith("!"):
                facts.discard(grounded(fact[1:]))
            else:
                facts.add(grounded(fact))
    assert any(fact.startswith("破") for fact in facts)


def test_the_same_seed_is_the_same_outline_and_another_is_not():
    assert outline(brief()) == outline(brief()) != outline(brief(seed=7))


def test_a_long_outline_has_no_hole_nothing_twice_and_forgets_nobody():
    people = cast(100, 1)
    rows = outline(Brief(title="长", premise="长。", chapters=100, people=people, titles="couplet"))
    assert [row.number for row in rows] == list(range(1, 101))
    assert all(row.title and row.event and row.people for row in rows)
    assert len({row.event for row in rows}) == len({row.title for row in rows}) == 100
    assert {name for row in rows for name in row.people} == {one.name for one in people}
    for row in rows:
        first, second = row.title.split("　")
        assert len(first) == len(second) and first != second


def test_who_comes_later_and_who_is_dead_is_not_there():
    people = tuple(
        dataclasses.replace(one, enters=4 if one.name == "陆怀远" else 1, dies=6 if one.name == "老何头" else 0)
        for one in PEOPLE
    )  # fmt: skip
    plan = dataclasses.replace(brief(), people=people)
    rows = outline(plan)
    assert all("陆怀远" not in row.people for row in rows[:3])
    assert "老何头" in rows[5].people
    assert all("老何头" not in row.people for row in rows[6:])
    assert all("老何头" not in beat.event for row in rows[6:] for beat in beats(plan, row))
    dying = "".join(beat.event for beat in beats(plan, rows[5]))
    assert "不答应" in dying or "没有气" in dying


def test_promises_are_planted_and_paid():
    promise = Promise(what="铜铃是妹妹留下的", words=("铜铃",), planted=2, paid=9)
    plan = brief(promises=(promise,))
    rows = outline(plan)
    for number, told in ((2, "留意到铜铃"), (9, "铜铃是妹妹留下的")):
        assert told in "".join(beat.event for beat in beats(plan, rows[number - 1]))


def test_beats_name_who_is_there_and_what_must_stand_in_them():
    plan = brief(3)
    for row in outline(plan):
        some = beats(plan, row)
        assert {name for beat in some for name in beat.people} >= set(row.people)
        for beat in some:
            assert all(word in beat.event for word in (*beat.keywords, *beat.people))
            assert not set("{}[]~") & set(beat.event)


def test_somebodys_own_outline_is_taken_apart():
    row = Row(number=1, event="沈青在庙里醒来，账簿不见了；他追到渡口，看见顾三娘正和马彪说话。")
    some = beats(brief(3), row)
    told = "".join(beat.event for beat in some)
    assert told.translate({ord(mark): "，" for mark in "；。"}) == row.event.translate(
        {ord(mark): "，" for mark in "；。"}
    )
    assert some[-1].people == ("顾三娘", "马彪")
    assert all(word in beat.event for beat in some for word in beat.keywords)


def test_a_modern_book_has_no_oil_lamps():
    text = "".join(
        beat.event
        for row in outline(brief(10, era="今"))
        for beat in beats(brief(10, era="今"), row)
    )
    assert "油灯" not in text and "差役" not in text


def test_a_missing_part_is_named_and_invented_for_a_new_book():
    alone = Brief(title="x", premise="y", people=PEOPLE[:2])
    with pytest.raises(InputError, match="缺 对头、爪牙、两面人、长辈"):
        outline(alone)
    people = cast(3, 1, PEOPLE[:2])
    assert people[:2] == PEOPLE[:2] and len(people) == 6
    assert outline(dataclasses.replace(alone, people=people))


def test_a_book_whose_people_die_early_still_has_every_chapter():
    people = tuple(dataclasses.replace(one, dies=0 if one.name == "沈青" else 2) for one in PEOPLE)
    rows = outline(dataclasses.replace(brief(10), people=people))
    assert len(rows) == 10 and all(row.people == ("沈青",) for row in rows[2:])


def test_an_outline_does_not_need_the_stock_it_was_drawn_from():
    """Its rows say what they are made of: another stock or another way of drawing changes nothing of them."""
    plan = brief()
    for row in outline(plan):
        again = scenes_of(plan, row)
        assert "".join(scene.event for scene in again) == row.event and len(again) == 4
        assert [dict(scene.kept()) for scene in again] == [dict(one) for one in row.scenes]
        assert scenes_of(plan, dataclasses.replace(row, event=f"{row.event}又下雨了。")) == []
        unknown = ({"种": "没有这种"}, *row.scenes[1:])
        assert scenes_of(plan, dataclasses.replace(row, scenes=unknown)) == []

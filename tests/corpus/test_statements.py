"""What a book says of one person is said of that person: names, looks, kin, offices, arms, deeds."""

from __future__ import annotations

import pytest

from custome.corpus.aliases import AliasTable
from custome.corpus.dialogue import extract
from custome.corpus.lore import lore_of
from custome.corpus.text import Novel

TABLE = AliasTable(
    people={"孙大郎": ("大郎", "伯山"), "钱勇": ("子坚",), "李小梅": ("小梅",), "周瑞": ()}
)


def told(text: str) -> dict[str, list[tuple[str, str]]]:
    """Person → (kind, text) of what is said of them."""
    text = f"第一回 孙大郎夜过渡口\n{text}\n"
    found = extract(Novel(name="书", text=text), TABLE)
    lore = lore_of("书", text, found.utterances, found.table, list(TABLE.people))
    return {
        one.name: [(fact.kind, fact.text) for fact in one.facts if fact.kind != "deed"]
        for one in lore
        if one.kind == "person"
    }


@pytest.mark.parametrize(
    ("narration", "person", "statement"),
    [
        (
            "孙大郎身长八尺，面如重枣，众人都看他。",
            "孙大郎",
            ("looks", "孙大郎身长八尺，面如重枣。"),
        ),
        (
            "钱勇，字子坚，渡口人氏，众人敬他。",
            "钱勇",
            ("name", "钱勇，字子坚，渡口人氏。"),
        ),
        ("朝廷拜钱勇为平北将军，众人相贺。", "钱勇", ("office", "钱勇受封平北将军。")),
        ("那周瑞乃孙大郎之弟，也在店里。", "周瑞", ("kin", "周瑞是孙大郎之弟。")),
        ("孙大郎之妻李小梅，出来相见。", "李小梅", ("kin", "李小梅是孙大郎之妻。")),
        ("孙大郎使朴刀，当先便走。孙大郎挺朴刀来战。", "孙大郎", ("arms", "孙大郎使朴刀。")),
        (
            "大郎看那人，身长九尺，声如巨钟。那人道：“我姓钱名勇。”",
            "钱勇",
            ("looks", "钱勇身长九尺，声如巨钟。"),
        ),
        (
            "孙大郎看时，旁边闪出一人，身长七尺，姓钱名勇，字子坚。",
            "钱勇",
            ("looks", "钱勇身长七尺。"),
        ),
    ],
)
def test_said_of_the_person(narration: str, person: str, statement: tuple[str, str]):
    found = told(narration)
    assert statement in found.get(person, []), found
    others = [one for name, every in found.items() if name != person for one in every]
    assert not [one for one in others if one[0] == statement[0]], found


@pytest.mark.parametrize(
    "narration",
    [
        "孙大郎回视其人，身长八尺，豹头环眼。",  # the other's looks
        "孙大郎听了，面如土色，说不出话。",  # a moment's
        "原来孙大郎之子孙二，字思山，也在店里。",  # the son's name, and no one of the table
        "孙大郎教人取弓，射那大雁。",  # once, and not his own
        "众人商议，拜先生为师，孙大郎也在。",
    ],
)
def test_what_is_not_said_of_them_is_left_out(narration: str):
    assert not told(narration).get("孙大郎"), told(narration)


def test_what_people_call_one_another():
    talk = "".join(
        f"孙大郎问道：“第{i}件呢？”李小梅道：“哥哥，做好了{i}件。”孙大郎道：“好。”"
        for i in range(3)
    )
    found = told(talk)
    assert ("address", "李小梅叫孙大郎“哥哥”。") in found["李小梅"]
    assert "address" not in {kind for kind, _ in found.get("孙大郎", [])}


def test_what_one_calls_oneself_before_somebody():
    talk = "".join(
        f"孙大郎道：“第{i}件呢？”钱勇道：“小人做好了{i}件。”孙大郎道：“好。”" for i in range(4)
    )
    talk += (
        "周瑞道：“走么？”钱勇道：“俺不走，俺等人。”周瑞道：“等谁？”钱勇道：“俺不说。”周瑞道：“罢。”"
        * 4
    )
    assert ("address", "钱勇在孙大郎面前自称“小人”。") in told(talk)["钱勇"]


def test_a_word_inside_another_is_none_for_oneself():
    talk = (
        "孙大郎道：“怎么样？”钱勇道：“群臣都说你这小人得志，弟子规也白读了。”孙大郎道：“罢。”" * 5
    )
    assert not told(talk).get("钱勇")


def test_temper():
    assert ("temper", "钱勇为人仗义疏财，敬重客人。") in told("钱勇为人仗义疏财，敬重客人。")[
        "钱勇"
    ]
    assert "钱勇" not in told("孙大郎见钱勇性子甚好。")


def test_in_their_own_words():
    found = told("钱勇进来。众人道：“你是谁？”钱勇道：“小人姓钱名勇，祖居渡口，打鱼为生。”")
    assert ("self", "钱勇自己说：小人姓钱名勇，祖居渡口，打鱼为生。") in found["钱勇"]


def test_the_chapters_titles_tell_deeds():
    text = "第一回 孙大郎夜过渡口 李小梅灯下缝衣\n孙大郎来了。\n第二回 钱勇打鱼\n钱勇来了。\n"
    lore = lore_of("书", text, [], TABLE, list(TABLE.people))
    deeds = {one.name: [f.text for f in one.facts] for one in lore if one.kind == "person"}
    assert deeds["孙大郎"] == ["孙大郎夜过渡口。"] and deeds["李小梅"] == ["李小梅灯下缝衣。"]

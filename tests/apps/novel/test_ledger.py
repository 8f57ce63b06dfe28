"""What is so after each chapter, in words, with the sentence that made it so; promises that are kept and those that are not."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from custome.apps.novel.brief import Brief, Promise, Secret
from custome.apps.novel.checking import check
from custome.apps.novel.drafting import PlanItself
from custome.apps.novel.folder import NovelFolder
from custome.apps.novel.inventing import cast
from custome.apps.novel.ledger import ledger, promises
from custome.apps.novel.stock import stock
from custome.apps.novel.writing import Writing, plan

BELL = Promise(what="铜铃是妹妹留下的", words=("铜铃",), planted=1, paid=3)


@pytest.fixture
def folder(tmp_path: Path) -> NovelFolder:
    made = NovelFolder(tmp_path)
    made.keep_brief(
        Brief(
            title="盐灯", premise="一本账。", chapters=4, people=cast(4, 1), things=("账簿",), promises=(BELL,)
        )
    )  # fmt: skip
    plan(made)
    return made


def test_every_fact_has_its_words():
    made = {fact for frame in stock()["frames"] for fact in frame["does"]}
    for fact in made:
        yes, no = stock()["facts"][fact.removeprefix("!").split()[0]]
        assert no if fact.startswith("!") else yes, fact


def test_facts_say_who_holds_what_and_from_where_it_is_known(folder: NovelFolder):
    facts = ledger(folder)
    assert any(one.text.startswith("账簿在") for one in facts)
    for one in facts:
        assert "{" not in one.text and one.quote in folder.row(one.chapter).event
    assert facts == sorted(facts, key=lambda one: one.chapter)


def test_whoever_dies_is_in_it(folder: NovelFolder):
    brief = folder.brief()
    elder = next(name for name in brief.parts()["长辈"])
    people = tuple(
        dataclasses.replace(one, dies=2 if one.name == elder else 0) for one in brief.people
    )
    folder.keep_brief(dataclasses.replace(brief, people=people))
    plan(folder, again=True)
    assert [one.chapter for one in ledger(folder) if one.text == f"{elder}死了"] == [2]


def test_promises_kept_and_broken(folder: NovelFolder):
    assert [(one.shown, one.made_good) for one in promises(folder)] == [(False, False)]
    for number in (1, 2, 3):
        Writing(folder, PlanItself()).chapter(number)
    assert [(one.shown, one.made_good) for one in promises(folder)] == [(True, True)]
    folder.edit_chapter(3, folder.chapter(3).replace("铜铃", "东西"))
    broken = [one for one in check(folder, 3) if one.what.startswith("伏笔")]
    assert [(one.passed, one.found) for one in broken] == [(False, "没有提到 铜铃")]
    assert [(one.shown, one.made_good) for one in promises(folder)] == [(True, False)]


def test_a_secret_is_said_only_by_who_knows_it(folder: NovelFolder):
    brief = folder.brief()
    hero, friend = (brief.parts()[part][0] for part in ("主角", "帮手"))
    secret = Secret(what="账簿里有夹层", words=("账簿", "夹层"), known_to=(hero,))
    folder.keep_brief(dataclasses.replace(brief, secrets=(secret,)))
    plan(folder, again=True)

    def found(text: str) -> list[str]:
        folder.edit_chapter(1, f"# 第1回　x\n\n{text}\n")
        return [one.found for one in check(folder, 1) if "秘密" in one.what and not one.passed]

    assert found(f"{hero}低声说：“账簿里有一个夹层。”") == []
    assert found(f"{friend}道：“账簿是谁的？”{hero}不答。") == []
    (wrong,) = found(f"{friend}笑道：“账簿里有一个夹层，对不对？”")
    assert friend in wrong and "夹层" in wrong

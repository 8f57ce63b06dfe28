"""The games of a server while a model writes behind them, and while scenarios are changed."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from custome.apps.adventure.drafts import Drafts
from custome.apps.adventure.rules import Action
from custome.apps.adventure.tables import Tables
from custome.apps.context import Part
from custome.engine.base import ServedModel
from custome.engine.scripted import ScriptedEngine

ASK = Action("问", "老魏")


def tables_with(place: Path, answer) -> Tables:
    model = ServedModel(name="m", engine=ScriptedEngine())

    def speaker_of(_: ServedModel, part: Part):
        return lambda lines, seed, cancel: answer()

    return Tables(place, lambda: [model], speaker_of)


def shown(tables: Tables) -> str:
    with tables.at("甲", "wugang") as table:
        return table.game.turns[table.game.here].text


def test_an_answer_is_written_behind_the_turn_and_kept(tmp_path: Path):
    tables = tables_with(tmp_path, lambda: "灯灭了。")
    tables.act("甲", "wugang", ASK, "问老魏灯呢")
    tables.wait("甲", "wugang")
    assert shown(tables) == "老魏道：“灯灭了。”"
    assert shown(tables_with(tmp_path, lambda: "别的。")) == "老魏道：“灯灭了。”"


@pytest.mark.parametrize("error", [RuntimeError("x"), OSError("y")])
def test_a_model_that_breaks_leaves_the_turn_and_says_so(tmp_path: Path, error: Exception):
    def breaks() -> str:
        raise error

    tables = tables_with(tmp_path, breaks)
    tables.act("甲", "wugang", ASK)
    tables.wait("甲", "wugang")
    with tables.at("甲", "wugang") as table:
        assert not table.written and "出了意外的错" in table.aside
    assert "老魏" in shown(tables)


def test_what_comes_late_changes_no_other_game_and_no_words_of_ones_own(tmp_path: Path):
    go = threading.Event()

    def slow() -> str:
        go.wait(10)
        return "来迟了。"

    tables = tables_with(tmp_path, slow)
    tables.act("甲", "wugang", ASK)
    tables.reword("甲", "wugang", 1, "我自己写的。")
    go.set()
    tables.wait("甲", "wugang")
    assert shown(tables) == "我自己写的。"
    go.clear()
    tables.act("甲", "wugang", ASK, "再问")
    tables.begin("甲", "wugang", 3)
    tables.act("甲", "wugang", Action("等"))
    with tables.at("甲", "wugang") as table:
        assert not table.written
    go.set()
    tables.wait("甲", "wugang")
    tables.close()
    assert "来迟了" not in shown(tables)


def test_a_scenario_that_was_changed_is_the_one_that_is_played(tmp_path: Path):
    drafts, tables = Drafts(tmp_path), tables_with(tmp_path, lambda: "嗯。")
    raw = drafts.open("wugang")
    drafts.publish(raw)
    tables.act("甲", raw["id"], Action("等"))
    raw["places"][0]["about"] = "换过的木桩。"
    drafts.publish(raw)
    with tables.at("甲", raw["id"]) as table:
        assert table.game.world.scenario.places[0].about == "换过的木桩。"
        assert table.game.here == 1

"""The page of games, clicked through: typed, offered, refused, undone, another way, saved, begun anew, another tab, a damaged save."""

from __future__ import annotations

from typing import Any

import pytest

from custome.apps.adventure.tables import tables_of
from simulated_tab import Site, Tab

pytestmark = pytest.mark.anyio


@pytest.fixture
async def tab(site: Site) -> Tab:
    made = Tab(site.new_user(), site)
    await made.user.open("/adventure?game=wugang")
    return made


def all_of(tab: Tab, marker: str) -> list[Any]:
    try:
        return list(tab.user.find(marker=marker).elements)
    except AssertionError:
        return []


def texts(tab: Tab, marker: str) -> list[str]:
    return [one.text for one in all_of(tab, marker)]


async def typed(tab: Tab, text: str) -> None:
    (box,) = all_of(tab, "typed")
    box.set_value(text)
    await tab.click("do")


async def test_one_types_is_answered_and_goes_back(tab: Tab):
    assert texts(tab, "place") == ["码头"]
    await typed(tab, "去茶棚")
    assert texts(tab, "place") == ["茶棚"] and "到" in texts(tab, "told")[0]
    await typed(tab, "向茶婆买姜汤")
    assert texts(tab, "bag") == ["身上：姜汤"]
    await typed(tab, "去灯室")
    assert texts(tab, "answer") == ["从茶棚去不了灯室。"] and texts(tab, "place") == ["茶棚"]
    await typed(tab, "看看茶婆")
    assert texts(tab, "answer")[0].startswith("茶婆：茶棚的主人")
    await tab.click("undo-turn")
    assert texts(tab, "bag") == ["身上：什么也没有"] and texts(tab, "answer") == []
    await tab.click("redo-turn")
    assert texts(tab, "bag") == ["身上：姜汤"]


async def test_what_is_offered_can_be_done(tab: Tab):
    offers = all_of(tab, "offer")
    assert 1 <= len(offers) <= 4
    await tab.click("way-茶棚")
    assert texts(tab, "place") == ["茶棚"]
    for _ in range(12):
        with tables_of(tab.site.context).at(*_whose(tab)) as table:
            before = len(table.game.turns)
        tab.user.find(marker="offer").click()
        with tables_of(tab.site.context).at(*_whose(tab)) as table:
            assert len(table.game.turns) > before or table.game.here


def _whose(tab: Tab) -> tuple[str, str]:
    (player,) = {player for player, _ in tables_of(tab.site.context)._tables}
    return player, "wugang"


async def test_two_ways_and_back_to_the_first(tab: Tab):
    await typed(tab, "去茶棚")
    await tab.click("undo-turn")
    await typed(tab, "去鱼市")
    await tab.click("tree")
    assert all_of(tab, "turn-1") and all_of(tab, "turn-2")
    await tab.click("turn-1")
    assert texts(tab, "place") == ["茶棚"]


async def test_a_save_is_kept_and_taken_up(tab: Tab):
    await typed(tab, "去茶棚")
    await tab.click("slots")
    await tab.click("keep-3")
    await typed(tab, "回码头")
    await tab.click("slots")
    await tab.click("take-3")
    assert texts(tab, "place") == ["茶棚"]


async def test_anew_with_the_same_dice_they_fall_the_same(tab: Tab):
    tables = tables_of(tab.site.context)
    with tables.at(*_whose(tab)) as table:
        seed = table.game.seed
    await typed(tab, "去茶棚")
    await tab.click("again")
    await tab.click("again-same")
    assert texts(tab, "place") == ["码头"] and texts(tab, "told") == []
    with tables.at(*_whose(tab)) as table:
        assert table.game.seed == seed
    await tab.click("again")
    await tab.click("again-fresh")
    with tables.at(*_whose(tab)) as table:
        assert table.game.seed != seed


async def test_what_one_tab_does_the_other_shows(tab: Tab):
    (player, _) = _whose(tab)
    tables_of(tab.site.context).typed(player, "wugang", "去茶棚")
    await tab.settle_until(lambda: texts(tab, "place") == ["茶棚"])


async def test_another_game_and_one_of_ones_own_that_is_wrong(tab: Tab):
    await tab.click("game-jiejian")
    assert texts(tab, "place") == ["中军帐"]
    folder = tab.site.workplace / "adventures"
    folder.mkdir()
    (folder / "坏的.yaml").write_text("编号: x", encoding="utf-8")
    await tab.user.open("/adventure")
    await tab.user.should_see("没有写")


async def test_a_damaged_save_is_told_and_left_alone(tab: Tab):
    (player, _) = _whose(tab)
    tables = tables_of(tab.site.context)
    path = tables.library(player).slot(tables.library(player).get("jiejian"), "auto")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{", encoding="utf-8")
    await tab.click("game-jiejian")
    await tab.user.should_see("坏了")
    assert path.read_text(encoding="utf-8") == "{"
    await tab.click("again")
    await tab.click("again-fresh")
    assert texts(tab, "place") == ["中军帐"]
    (aside,) = path.parent.glob("auto-*.bad")
    assert aside.read_text(encoding="utf-8") == "{"


async def test_a_turn_is_said_otherwise_and_in_ones_own_words(tab: Tab):
    await typed(tab, "去茶棚")
    first = texts(tab, "told")
    assert all_of(tab, "version") == []
    await tab.click("otherwise")
    await tab.settle_until(lambda: texts(tab, "version") == ["2/2"])
    assert texts(tab, "told") != first
    await tab.click("version-before")
    assert texts(tab, "told") == first and texts(tab, "version") == ["1/2"]
    await tab.click("edit-words")
    (box,) = all_of(tab, "own-words")
    box.set_value("雾里走了一阵，到了。")
    await tab.click("keep-words")
    assert texts(tab, "told") == ["雾里走了一阵，到了。"] and texts(tab, "place") == ["茶棚"]
    await tab.click("slots")
    await tab.click("export-md")
    await tab.settle_until(lambda: tab.user.download.http_responses)
    assert "雾里走了一阵" in tab.user.download.http_responses[-1].text


async def test_the_map_shows_what_is_known_and_one_goes_by_it(tab: Tab):
    await tab.click("show-map")
    (shown,) = all_of(tab, "map")
    places = {one["name"] for one in shown.options["series"][0]["data"]}
    assert {"码头", "茶棚", "鱼市", "灯塔脚下"} == places
    (here,) = [one for one in shown.options["series"][0]["data"] if one["symbolSize"] > 30]
    assert here["name"] == "码头"
    await typed(tab, "去灯塔脚下")
    await tab.click("show-map")
    links = all_of(tab, "map")[-1].options["series"][0]["links"]
    assert [one["target"] for one in links if one["lineStyle"]["type"] == "dashed"] == ["灯室"]

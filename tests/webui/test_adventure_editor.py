"""A scenario written on the page, from nothing to a game; what is wrong is told; one of a book is taken apart."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from custome.apps.adventure.library import Library
from simulated_tab import Site, Tab

pytestmark = pytest.mark.anyio


@pytest.fixture
async def tab(site: Site) -> Tab:
    made = Tab(site.new_user(), site)
    await made.user.open("/adventure/edit")
    return made


def one(tab: Tab, marker: str) -> Any:
    (found,) = tab.user.find(marker=marker).elements
    return found


def texts(tab: Tab, marker: str) -> list[str]:
    try:
        return [element.text for element in tab.user.find(marker=marker).elements]
    except AssertionError:
        return []


async def write(tab: Tab, marker: str, value: Any) -> None:
    """Somebody writes into a field and goes on to the next."""
    one(tab, marker).set_value(value)
    tab.user.find(marker=marker).trigger("blur")
    await asyncio.sleep(0.05)


async def test_from_nothing_to_a_game_that_can_be_won(tab: Tab, site: Site):
    one(tab, "new-title").set_value("一道门")
    await tab.click("begin")
    assert texts(tab, "title") == ["一道门"]
    await write(tab, "name", "屋里")  # 家门口 is spoken of as 屋里 from now on
    assert texts(tab, "fits") == ["名字都对得上"]
    await write(tab, "exits", "院子 南")
    assert "院子" in texts(tab, "fault")[0]
    await tab.click("add")
    await write(tab, "name", "院子")
    assert texts(tab, "fault") == []
    await tab.click("prove")
    await tab.settle_until(lambda: "没有找到赢法" in texts(tab, "proof")[0])
    await tab.click("section-endings")
    await write(tab, "when", "在 院子")
    await tab.click("prove")
    await tab.settle_until(lambda: "能赢，最短 1 步：去院子" in texts(tab, "proof")[0])
    await tab.click("share")
    await tab.settle_until(lambda: tab.user.download.http_responses)
    assert "名: 院子" in tab.user.download.http_responses[-1].text
    await tab.click("publish")
    assert Library(site.workplace).get("一道门").places[1].name == "院子"


async def test_everything_a_part_can_say_has_a_field_and_what_is_struck_comes_back(tab: Tab):
    await tab.user.open("/adventure/edit?game=wugang")
    for section in (
        "people",
        "items",
        "rules",
        "events",
        "secrets",
        "counters",
        "endings",
        "places",
    ):
        await tab.click(f"section-{section}")
        assert one(tab, "name").value
    await tab.click("section-rules")
    await write(tab, "check", "口才 很难")
    assert tab.sees("难度要是一个数")
    await write(tab, "check", "口才 9")
    assert texts(tab, "fault") == []
    await tab.click("section-people")
    name = one(tab, "name").value
    await tab.click("strike")
    assert any(name in text for text in texts(tab, "fault"))
    await tab.click("undo")
    assert texts(tab, "fits") == ["名字都对得上"]


async def test_whoever_passes_through_the_fields_changes_nothing(tab: Tab, site: Site):
    await tab.user.open("/adventure/edit?game=wugang")
    for section in ("places", "people", "items", "rules", "secrets", "counters"):
        await tab.click(f"section-{section}")
        for number in range(3):
            try:
                await tab.click(f"row-{section}-{number}")
            except AssertionError:
                break
            for field in ("name", "exits", "check", "about", "at", "needs", "hp", "trust", "said"):
                try:
                    tab.user.find(marker=field).trigger("blur")
                except AssertionError:
                    continue
    await asyncio.sleep(0.05)
    assert not list(site.workplace.glob("adventures/drafts/*"))  # nothing was to be kept


async def test_a_name_that_is_taken_is_none_and_other_fields_follow_one_that_is_not(tab: Tab):
    await tab.user.open("/adventure/edit?game=wugang")
    await tab.click("section-people")
    before = one(tab, "name").value
    for wrong in ("", "码头"):
        await write(tab, "name", wrong)
        assert tab.sees("名字不能空着") and one(tab, "name").value == before
    await tab.click("section-places")
    await tab.click("row-places-0")
    await write(tab, "name", "老码头")
    assert one(tab, "player-at").value == "老码头" and texts(tab, "fits")


async def test_what_cannot_be_begun_or_made_says_why(tab: Tab):
    await tab.click("begin")
    assert tab.sees("先写一个题目")
    one(tab, "new-title").set_value("wugang")
    await tab.click("begin")
    assert tab.sees("已经有剧本")
    one(tab, "new-title").set_value("缺这缺那")
    await tab.click("begin")
    await write(tab, "name", "有 空格")
    await tab.click("publish")
    assert texts(tab, "title") == ["缺这缺那"] and any("空格" in one for one in texts(tab, "fault"))
    await tab.user.open("/adventure/edit?game=没有的")
    assert tab.sees("没有剧本")

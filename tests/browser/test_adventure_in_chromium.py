"""A player and a real browser: a game from its beginning to its good end, typed, with a tab that is closed in between; wide and on a phone."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

pytestmark = pytest.mark.browser

BEFORE = (
    "拿船桨",
    "去茶棚",
    "买姜汤",
    "买火镰",
    "回码头",
    "把姜汤给老魏",
    "讨钥匙",
    "问老魏",
    "往北走",
    "掀木板",
)
AFTER = ("回码头", "去灯塔脚下", "用铜钥匙打开去灯室的路", "上塔", "添油", "装灯芯", "点灯")


def told(page: Page) -> Locator:
    """What has happened."""
    return page.get_by_role("log")


def typed(page: Page, text: str) -> None:
    box = page.get_by_label("想做什么")
    box.fill(text)
    box.press("Enter")
    expect(told(page).get_by_text(text, exact=True).last).to_be_visible()
    expect(box).to_have_value("")


def at(page: Page, place: str) -> None:
    expect(page.get_by_role("heading", name=place, exact=True)).to_be_visible()


@pytest.mark.parametrize("width", [1280, 390])
def test_a_game_to_its_good_end(browser: Browser, address: str, width: int):
    context = browser.new_context(locale="zh-CN", viewport={"width": width, "height": 860})
    page, wrong = context.new_page(), []
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    page.goto(f"{address}/adventure?game=wugang")
    at(page, "码头")
    for words in BEFORE:
        typed(page, words)
    at(page, "鱼市")
    page.close()
    page = context.new_page()
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    page.goto(f"{address}/adventure?game=wugang")
    at(page, "鱼市")
    page.get_by_role("button", name="下·地窖").click()
    at(page, "地窖")
    for _ in range(20):  # with another turn the dice fall otherwise
        typed(page, "吓唬疤脸")
        if page.get_by_text("你把它捞了起来").count():
            break
        page.get_by_role("button", name="退一步").first.click()
        expect(told(page).get_by_text("吓唬疤脸", exact=True)).to_have_count(0)
        typed(page, "等")
    expect(page.get_by_text("你把它捞了起来")).to_be_visible()
    typed(page, "拿灯油")
    page.get_by_role("button", name="上·鱼市").click()
    at(page, "鱼市")
    for words in AFTER:
        typed(page, words)
    expect(page.get_by_text("三条", exact=False).last).to_be_visible()
    expect(page.get_by_text("这一局完了")).to_be_visible()
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= width and not wrong, wrong
    context.close()


def filled(page: Page, label: str, text: str, place: int = -1) -> None:
    """Somebody writes into a field and leaves it."""
    box = page.get_by_label(label, exact=True)
    box = box.last if place < 0 else box.nth(place)
    box.fill(text)
    box.blur()


@pytest.mark.parametrize("width", [1280, 390])
def test_a_game_is_made_from_nothing_proved_and_played(browser: Browser, address: str, width: int):
    context = browser.new_context(locale="zh-CN", viewport={"width": width, "height": 860})
    page, wrong = context.new_page(), []
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    page.goto(f"{address}/adventure/edit")
    if width < 600:
        page.get_by_role("button", name="列表").click()
    page.get_by_placeholder("新剧本的题目").fill("一道门")
    page.get_by_role("button", name="新写一个").click()
    expect(page.get_by_text("名字都对得上")).to_be_visible()
    filled(page, "名", "屋里")
    filled(page, "出口", "院子 南")
    expect(page.get_by_text("院子", exact=False).last).to_be_visible()
    page.get_by_role("button", name="加一个").click()
    expect(page.get_by_label("名", exact=True).last).to_have_value("地方1")
    filled(page, "名", "院子")
    filled(page, "说明", "月亮很亮。")
    expect(page.get_by_text("名字都对得上")).to_be_visible()
    page.get_by_role("button", name="结局 1").click()
    filled(page, "当", "在 院子")
    filled(page, "说", "你出来了。")
    page.get_by_role("button", name="能不能赢").click()
    expect(page.get_by_text("能赢，最短 1 步：去院子", exact=False)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("button", name="做成，去玩").click()
    at(page, "屋里")
    page.get_by_role("button", name="南·院子").click()
    expect(told(page).get_by_text("你出来了。", exact=False)).to_be_visible()
    expect(page.get_by_text("这一局完了")).to_be_visible()
    assert not wrong, wrong
    context.close()

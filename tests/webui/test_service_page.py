"""The page of a shop's people, clicked through: who waits, taking, answering, giving back, keeping an answer."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from custome.apps.service.desk import Desk
from custome.apps.service.importing import read_shop
from custome.apps.service.shelves import Catalogues
from custome.webui.elements import Composer
from simulated_tab import Site, Tab

pytestmark = pytest.mark.anyio


@pytest.fixture
def desk(site: Site, tmp_path: Path) -> Desk:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "products.csv").write_text("商品编号,品名\nA,铁壶\n", encoding="utf-8")
    (folder / "variants.csv").write_text("SKU,商品编号,价格,库存\nA1,A,88.00,3\n", encoding="utf-8")
    catalogues = Catalogues(site.store)
    catalogues.keep(read_shop(folder, "壶铺"))
    return Desk("壶铺", site.store, catalogues)


@pytest.fixture
async def tab(site: Site, desk: Desk) -> Tab:
    made = Tab(site.new_user(), site)
    await made.user.open("/service")
    return made


async def look(tab: Tab) -> None:
    await asyncio.sleep(1.8)


async def test_who_waits_is_taken_answered_and_given_back(tab: Tab, desk: Desk):
    chat = desk.begin("客甲")
    desk.say(chat, "客甲", "铁壶多少钱")
    desk.say(chat, "客甲", "转人工")
    await look(tab)
    assert tab.sees("客人要找人工") and tab.sees("等了 0 分钟")
    await tab.click("open_case")
    assert tab.sees("铁壶：88.00元。") and tab.sees("出自：A1") and tab.sees("说到：铁壶")
    await tab.click("take")
    tab.user.find(Composer).trigger("send", {"words": "您好，这就办。"})
    await asyncio.sleep(0.1)
    assert desk.turns(chat)[-1].text == "您好，这就办。"
    await tab.click("save_as_faq")
    (question,) = tab.user.find(marker="question").elements
    with tab.user:
        question.set_value("怎么办？")
    await tab.click("save_faq")
    await tab.click("give_back")
    assert desk.say(chat, "客甲", "怎么办").text == "您好，这就办。"


async def test_an_agent_comes_too_late(tab: Tab, desk: Desk):
    chat = desk.begin("客甲")
    desk.say(chat, "客甲", "转人工")
    await look(tab)
    await tab.click("open_case")
    desk.take(chat, "小李")
    await tab.click("take")
    assert tab.sees("小李 已经接了这位客人")
    tab.user.find(Composer).trigger("send", {"words": "我来答"})
    await asyncio.sleep(0.1)
    assert tab.site.given_back == ["我来答"] and tab.sees("不归您接待")


async def test_without_a_shop_the_way_to_one(site: Site):
    tab = Tab(site.new_user(), site)
    await tab.user.open("/service")
    assert tab.sees("还没有商店") and tab.sees("custome demo service")

"""Who answers is a state: bot, queued, human, closed. On SQLite and on PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest

from custome.apps.service.catalogue import Faq, Order, Product, Shop, Variant
from custome.apps.service.desk import Case, Desk
from custome.apps.service.measuring import day_report
from custome.apps.service.shelves import Catalogues
from custome.conversations.store import Store
from custome.errors import InputError

SHOP = Shop(
    name="壶铺",
    products=(
        Product(
            id="A",
            name="铁壶",
            category="茶壶",
            variants=(Variant(sku="A1", options={"容量": "1L"}, price=Decimal("88.00"), stock=3),),
        ),
    ),
    faqs=(Faq(question="几点关门？", answer="晚上九点关门。"),),
    orders={"QC1234567": Order(number="QC1234567", tail="0417", status="运输中", tracking="T9")},
)


@pytest.fixture
def store(empty_url: str) -> Iterator[Store]:
    made = Store(empty_url)
    yield made
    made.close()


@pytest.fixture
def alerts() -> list[Case]:
    return []


@pytest.fixture
def desk(store: Store, alerts: list[Case]) -> Desk:
    catalogues = Catalogues(store)
    catalogues.keep(SHOP)
    return Desk(
        "壶铺", store, catalogues, now=lambda: datetime(2026, 11, 27, 12), alert=alerts.append
    )


def test_handed_over_answered_and_given_back(desk: Desk, alerts: list[Case]):
    chat = desk.begin("甲")
    assert desk.say(chat, "甲", "铁壶多少钱").text == "铁壶 1L：88.00元。"
    called = desk.say(chat, "甲", "转人工")
    assert called.state == "queued" and "人工" in called.text
    assert [one.chat for one in alerts] == [chat] and alerts[0].reason == "客人要找人工"
    assert "请稍等" in desk.say(chat, "甲", "在吗").text and desk.say(chat, "甲", "人呢").text == ""

    (case,) = desk.cases("queued")
    assert (case.customer, case.last) == ("甲", "人呢")
    assert desk.summary(chat) == [
        "为什么：客人要找人工",
        "说到：铁壶",
        "“转人工”",
        "“在吗”",
        "“人呢”",
    ]
    desk.take(chat, "小王")
    assert desk.say(chat, "甲", "铁壶能刻字吗").text == ""
    desk.answer_as(chat, "小王", "能刻，三天。")
    desk.give_back(chat, "小王")
    assert desk.say(chat, "甲", "1L的有货吗").text == "铁壶 1L 有货，88.00元。"
    assert [turn.name for turn in desk.history(chat, "甲")].count("助手") == 4


def test_two_agents_cannot_take_one_case(desk: Desk):
    chat = desk.begin("甲")
    desk.say(chat, "甲", "转人工")
    begin, taken = threading.Barrier(8), []

    def take(agent: str) -> None:
        begin.wait()
        try:
            desk.take(chat, agent)
            taken.append(agent)
        except InputError as error:
            assert "已经接了" in error.message

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(take, [f"客服{n}" for n in range(8)]))
    assert len(taken) == 1
    with pytest.raises(InputError, match="不归您"):
        desk.answer_as(chat, "别人", "您好")


def test_a_delivery_that_comes_twice_is_answered_once(desk: Desk):
    chat = desk.begin("甲")
    first = desk.say(chat, "甲", "几点关门", key="k1")
    assert desk.say(chat, "甲", "几点关门", key="k1").text == first.text == "晚上九点关门。"
    assert len(desk.history(chat, "甲")) == 2


def test_nobody_sees_another_customers_talk(desk: Desk):
    chat = desk.begin("甲")
    for do in (lambda: desk.say(chat, "乙", "在吗"), lambda: desk.history(chat, "乙")):
        with pytest.raises(InputError, match="没有这段对话"):
            do()


def test_slots_are_each_customers_own(desk: Desk):
    chats = {name: desk.begin(name) for name in ("甲", "乙")}
    desk.say(chats["甲"], "甲", "查QC1234567，尾号0417")
    said = desk.say(chats["乙"], "乙", "查QC1234567").text
    assert "尾号" in said and "运输中" not in said


def test_what_an_agent_answered_becomes_a_question(desk: Desk):
    chat = desk.begin("甲")
    desk.save_as_faq(chat, "能刻字吗？", "能刻，三天。")
    assert desk.say(chat, "甲", "能刻字吗").text == "能刻，三天。"


def test_closed_and_begun_again(desk: Desk, store: Store):
    chat = desk.begin("甲")
    desk.say(chat, "甲", "转人工")
    desk.take(chat, "小王")
    desk.rate(chat, "甲", 4)
    desk.close(chat, "小王")
    assert desk.state(chat, "甲") == "closed" and desk.cases("queued", "human") == []
    assert desk.say(chat, "甲", "几点关门").text == "晚上九点关门。"
    assert "0 位客人" in day_report(store, "壶铺", date.today() - timedelta(days=1))
    told = day_report(store, "壶铺", date.today())
    assert "1 位客人" in told and "评分 4.0（1 人）" in told and "几点关门？ × 1" in told


def test_what_cannot_be_said(desk: Desk):
    chat = desk.begin("甲")
    with pytest.raises(InputError, match="没有写内容"):
        desk.say(chat, "甲", "  ")
    with pytest.raises(InputError, match="超过"):
        desk.say(chat, "甲", "长" * 50_001)
    with pytest.raises(InputError, match="评分"):
        desk.rate(chat, "甲", 9)


def test_many_customers_and_agents_at_once(desk: Desk):
    """Fifty customers in their own talks and five agents; nothing of one is in another's."""

    def customer(number: int) -> list[str]:
        name = f"客{number}"
        chat = desk.begin(name)
        said = [desk.say(chat, name, "铁壶多少钱").text, desk.say(chat, name, "查QC1234567").text]
        said.append(desk.say(chat, name, "0417" if number % 2 else "几点关门").text)
        if number % 10 == 0:
            desk.say(chat, name, "转人工")
        return said

    with ThreadPoolExecutor(16) as pool:
        results = list(pool.map(customer, range(50)))
    for number, said in enumerate(results):
        assert said[0] == "铁壶 1L：88.00元。" and ("运输中" in said[2]) == bool(number % 2)
    waiting = [case.chat for case in desk.cases("queued")]
    assert len(waiting) == 5
    with ThreadPoolExecutor(5) as pool:
        list(pool.map(desk.take, waiting, [f"客服{n}" for n in range(5)]))
    assert {case.assignee for case in desk.cases("human")} == {f"客服{n}" for n in range(5)}

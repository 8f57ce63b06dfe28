"""Messages of somebody who did not write the rules: what was said wrongly once."""

from __future__ import annotations

from datetime import date
from importlib.resources import files
from pathlib import Path

import pytest

from custome.apps.service.catalogue import Shop
from custome.apps.service.importing import read_shop
from custome.apps.service.turning import Assistant, Slots


@pytest.fixture(scope="module")
def shop() -> Shop:
    return read_shop(Path(str(files("custome") / "data" / "shop")), "青石茶铺")


def last(shop: Shop, *turns: str) -> tuple[str, bool]:
    """(the last answer, was a person called for it?)"""
    assistant, slots = Assistant(shop, date(2026, 11, 27)), Slots()
    for turn in turns:
        said = assistant.answer(turn, slots)
        slots = said.slots
    return said.text, bool(said.reason)


@pytest.mark.parametrize(
    ("turns", "must", "must_not"),
    [
        (["我对乳制品过敏，推荐点茶点"], "桂花糕", "绿豆糕"),
        (["孩子对牛奶过敏，推荐个茶点"], "桂花糕", "龙井茶酥"),
        (["对鸡蛋过敏，有什么茶点推荐"], "桂花糕", "龙井茶酥"),
        (["雨前龙井100g多少钱", "还有货吗"], "有货", "港澳台"),
        (["雨前龙井100g有货吗", "多少钱"], "138.00", "包邮"),
        (["送长辈的礼盒，300以内", "第一个有货吗"], "有货", "港澳台"),
        (["凤凰单丛500g有货吗"], "没有这个规格", " 有货"),
        (["菊花茶500g有货吗"], "没有这个规格", " 有货"),
        (["石瓢200ml的"], "没有这个规格", " 有货"),
        (["电陶炉白色多少钱"], "没有这个规格", "白 "),
        (["寿眉散茶多少钱"], "没有这个规格", "散茶 "),
        (["雨前龙井100g和250g多少钱"], "298.00", "没有这个规格"),
        (["明前龙井50g，碧螺春50g各多少钱"], "碧螺春（一级） 50g：96.00元", "没有这个规格"),
        (["明前龙井50g和碧螺春125g有货吗"], "125g 现在缺货", "100g"),
        (["查订单", "3086", "QC261122003"], "运输中", "尾号"),
        (["QC 261122003 尾号3086"], "运输中", "不符"),
        (["订单261122003 尾号3086"], "运输中", "不符"),
        (["QC261122003 尾号 3 0 8 6"], "运输中", "不符"),
        (["QC261122003 尾号3086", "什么时候到"], "2026-11-28", "退款"),
        (["运单号LCK880195027到哪了"], "订单号", "运输中"),
    ],
)
def test_said_rightly(shop: Shop, turns: list[str], must: str, must_not: str):
    said, handed = last(shop, *turns)
    assert must in said and must_not not in said and not handed, said


@pytest.mark.parametrize(
    "words",
    [
        "接人工", "怎么联系人工", "联系客服", "转人共", "转接客服", "换个人来", "你们客服呢", "不要机器人回答", "人呢",
        "喝完肚子疼", "喝了想吐", "烫到手了", "你们卖假茶吧", "发错货了，我要的是黑的", "喝到玻璃渣", "水壶插上就跳闸",
        "差评！", "快递显示签收了可我没收到", "我要退款", "我要买200份做公司年会", "把我的订单取消", "没有人理我，转人工",
    ],
)  # fmt: skip
def test_a_person_is_called(shop: Shop, words: str):
    said, handed = last(shop, words)
    assert handed, said


@pytest.mark.parametrize(
    "words",
    [
        "工商银行卡能付吗", "送律师的礼盒", "朋友是律师，送什么好", "我不想投诉，就是问问快递", "虫草茶有吗", "头发长什么样的茶",
        "这茶能起火锅底吗", "杯子不会短路吧", "同心杯会不会烫伤手", "烧水壶会漏电吗", "喝了没有不舒服，再买一盒", "明前龙井是人工采摘的吗",
        "不用转人工，包邮吗",
    ],
)  # fmt: skip
def test_no_person_is_called(shop: Shop, words: str):
    said, handed = last(shop, words)
    assert not handed, said


def test_a_tail_is_not_found_by_trying(shop: Shop):
    """Wrong checks of an order count in all conversations."""
    tried: dict[str, int] = {}
    assistant = Assistant(shop, date(2026, 11, 27))
    for tail in ("3000", "3001", "3002", "3086"):
        said = assistant.answer(
            f"查QC261122003，尾号{tail}", Slots(), lambda order: tried.get(order, 0)
        )
        if said.wrong_order:
            tried[said.wrong_order] = tried.get(said.wrong_order, 0) + 1
    assert said.reason == "check" and "运输中" not in said.text


def test_a_message_that_grows_when_it_is_read_takes_no_time(shop: Shop):
    import time

    begun = time.perf_counter()
    last(shop, "\ufdfa" * 600)
    assert time.perf_counter() - begun < 1.5

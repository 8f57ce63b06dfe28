"""`custome service …`: a shop's tables in, its assistant tried, measured and reported on."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from tyro.conf import Positional

from ..errors import InputError
from ..reporter import ConsoleReporter
from .flags import parse

if TYPE_CHECKING:
    from ..apps.service.catalogue import Shop
    from ..conversations.store import Store


CARDS = ("card.png", "card.json")
"""Whose card is in a shop's folder, that is its assistant."""


@dataclass(frozen=True, kw_only=True)
class ServiceImport:
    """商店的表 → 客服助手知道的：products、variants、faq、orders（csv、xlsx、jsonl），政策放 policies/（md、txt）。有一行不对就都不动，逐行说明。"""

    shop: Positional[str]
    """商店的名字。"""
    folder: Positional[str]
    """放表的文件夹。"""
    chats: str = ""
    """存在哪里：文件，或 postgresql+psycopg://用户@主机/库；默认是缓存目录里的 chats.db。"""


@dataclass(frozen=True, kw_only=True)
class ServiceChat:
    """在终端里当一回客人；一行一句，空行结束。"""

    shop: Positional[str]
    """商店的名字。"""
    chats: str = ""
    """存在哪里。"""


@dataclass(frozen=True, kw_only=True)
class ServiceEval:
    """用一组知道该怎么答的消息量：答得对吗、有没有说错价格、有没有泄露订单、该转人工时转了吗；错的逐条列出来。"""

    shop: Positional[str]
    """商店的名字。"""
    messages: Positional[str]
    """消息文件，一行一个 JSON：turns、expect。"""
    day: str = ""
    """按哪一天算，如 2026-11-27；默认今天。"""
    chats: str = ""
    """存在哪里。"""


@dataclass(frozen=True, kw_only=True)
class ServiceReport:
    """一天的一页：多少客人、问什么最多、什么没答上来、评分。"""

    shop: Positional[str]
    """商店的名字。"""
    day: str = ""
    """哪一天，如 2026-11-27；默认今天。"""
    chats: str = ""
    """存在哪里。"""


def service_import(argv: list[str]) -> int:
    flags = parse(ServiceImport, argv, "custome service import")
    from ..apps.service.importing import read_shop
    from ..apps.service.shelves import Catalogues

    folder = Path(flags.folder)
    shop = _with_persona(read_shop(folder, flags.shop), folder)
    Catalogues(_store(flags.chats)).keep(shop)
    variants = sum(len(one.variants) for one in shop.products)
    reporter = ConsoleReporter()
    reporter.note(
        f"{shop.name}：{len(shop.products)} 样商品、{variants} 种规格、{len(shop.faqs)} 个问答、{len(shop.orders)} 个订单、{len(shop.rules)} 条政策"
    )
    reporter.note(f"试一试：custome service chat {shop.name}")
    return 0


def _with_persona(shop: Shop, folder: Path) -> Shop:
    """The assistant as its character card says, where there is one: what it is called and says first."""
    from ..apps.cosplay.card import filled, read_card
    from ..files import read_bytes

    path = next((one for name in CARDS if (one := folder / name).is_file()), None)
    if path is None:
        return shop
    card = read_card(read_bytes(path, "人物卡"), str(path))
    greeting = filled(card.greeting, card, "您")
    return replace(shop, profile=replace(shop.profile, assistant=card.name, greeting=greeting))


def service_chat(argv: list[str]) -> int:
    flags = parse(ServiceChat, argv, "custome service chat")
    from ..apps.service.desk import Desk
    from ..apps.service.shelves import Catalogues

    store = _store(flags.chats)
    desk = Desk(flags.shop, store, Catalogues(store))
    chat = desk.begin("终端")
    for line in sys.stdin:
        if not line.strip():
            break
        answered = desk.say(chat, "终端", line.rstrip("\n"))
        print(answered.text or "（人工接待中，助手不说话）", flush=True)
    return 0


def service_eval(argv: list[str]) -> int:
    flags = parse(ServiceEval, argv, "custome service eval")
    from ..apps.service.measuring import figures, measure, read_messages
    from ..apps.service.shelves import Catalogues
    from ..apps.service.turning import Assistant

    shop = Catalogues(_store(flags.chats)).get(flags.shop)
    outcomes = measure(Assistant(shop, _day(flags.day)), read_messages(Path(flags.messages)))
    reporter = ConsoleReporter()
    reporter.table(
        "", ["量什么", "多少"], [[name, value] for name, value in figures(outcomes).items()]
    )
    for one in outcomes:
        if one.problems:
            said = " → ".join(
                f"{q[:60]} / {a[:120]}" for q, a in zip(one.message.turns, one.answers, strict=True)
            )
            reporter.note(f"{'、'.join(one.problems)}　{said}")
    return 0


def service_report(argv: list[str]) -> int:
    flags = parse(ServiceReport, argv, "custome service report")
    from ..apps.service.measuring import day_report
    from ..apps.service.shelves import Catalogues

    store = _store(flags.chats)
    Catalogues(store).get(flags.shop)
    print(day_report(store, flags.shop, _day(flags.day)), end="")
    return 0


def _store(where: str) -> Store:
    from ..conversations.store import open_store

    return open_store(where)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text) if text else date.today()
    except ValueError as error:
        raise InputError(f"--day {text!r} 不是日期", "写成 2026-11-27") from error

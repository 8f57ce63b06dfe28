"""What is said of goods, written from their rows: prices, stock, facts, comparison, recommendation by hard filters."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from .catalogue import Product, Shop, Variant
from .finding import meanings
from .understanding import Understood, fitting, plain

NO_CAFFEINE = re.compile(r"(?:不含|无|没有|不要|低)咖啡因|晚上.{0,6}(?:喝|睡)|不影响睡|睡眠|睡前")
ALLERGY = re.compile(r"(?:.*对)?([^，。,]{1,12}?)(?:都)?过敏(?!原)")
CONTAINS = {
    "牛奶": "乳制品",
    "奶": "乳制品",
    "乳糖": "乳制品",
    "鸡蛋": "蛋",
    "面粉": "小麦",
    "麸质": "小麦",
    "面筋": "小麦",
    "核桃": "坚果",
    "杏仁": "坚果",
    "腰果": "坚果",
}
"""What people are allergic to → what the rows call it."""
NOT_SUITED = ("过敏原",)
MOST = 3
WARN = ("额定电压", "过敏原")
"""Attributes that are told whenever a product is recommended."""


def names_of(products: Sequence[Product]) -> str:
    return "、".join(one.name for one in products)


def yuan(price: Decimal) -> str:
    return f"{price:.2f}元"


def price_of(product: Product, heard: Understood) -> tuple[str, tuple[str, ...]]:
    """(what it costs, or which variant is meant; SKUs it was read from)"""
    variants = fitting(product, heard)
    if not variants:
        return f"{product.name}没有这个规格。现有：{_rows(product.variants)}。您要哪一种？", _skus(
            product.variants
        )
    prices = {one.price for one in variants}
    if len(prices) == 1:
        spec = variants[0].spec if len(variants) == 1 else ""
        gone = "，现在缺货" if all(one.stock == 0 for one in variants) else ""
        return f"{product.name}{' ' + spec if spec else ''}：{yuan(prices.pop())}{gone}。", _skus(
            variants
        )
    return f"{product.name}有：{_rows(variants)}。您要哪一种？", _skus(variants)


def stock_of(product: Product, heard: Understood) -> tuple[str, tuple[str, ...]]:
    """(whether it is in stock, SKUs it was read from)"""
    variants = fitting(product, heard)
    if not variants:
        return (
            f"{product.name}没有这个规格。现有：{_rows(product.variants)}。您要哪一种？",
            _skus(product.variants),
        )
    if len(variants) == 1:
        one = variants[0]
        name = f"{product.name} {one.spec}".rstrip()
        if one.stock == 0:
            others = [other for other in product.variants if other.stock]
            also = f"；还买得到的：{_rows(others)}" if others else ""
            return f"{name} 现在缺货，什么时候补没有准日子{also}。", _skus(variants)
        if heard.count > one.stock:
            return f"{name} 现在只有 {one.stock} 件，不够 {heard.count} 件。", _skus(variants)
        return f"{name} 有货，{yuan(one.price)}。", _skus(variants)
    if all(one.stock == 0 for one in variants):
        return f"{product.name}现在缺货，什么时候补没有准日子。", _skus(variants)
    told = "、".join(f"{one.spec} {'有货' if one.stock else '缺货'}" for one in variants)
    return f"{product.name}：{told}。", _skus(variants)


def _rows(variants: Sequence[Variant]) -> str:
    return "、".join(
        f"{one.spec} {yuan(one.price)}{'' if one.stock else '（缺货）'}" for one in variants
    )


def _skus(variants: Sequence[Variant]) -> tuple[str, ...]:
    return tuple(one.sku for one in variants)


# -- facts -----------------------------------------------------------------------------------------------------------


def told_attribute(name: str, value: str) -> str:
    """含咖啡因=否 → 不含咖啡因; 可明火=否 → 不可明火."""
    if value in ("是", "否"):
        return name if value == "是" else f"不{name}"
    return value if name in value or value.startswith(name) else f"{name}{value}"


def facts(product: Product) -> str:
    """Everything that is known of a product."""
    parts = [product.category, *(told_attribute(*pair) for pair in product.attributes.items())]
    return f"{product.name}：{'，'.join(part for part in parts if part)}。{product.description}"


def relevant(product: Product, heard: Understood, *, described: bool = False) -> str:
    """What of a product has to do with a question; '' for nothing.

    Args:
        described: its description counts as well, not only its attributes and kind.
    """
    asked = _pairs(heard.rest) | {same for word in meanings(heard.rest) for same in _pairs(word)}
    asked = {pair for pair in asked if re.fullmatch(r"[\u4e00-\u9fff]{2}|[\da-z]{2}", pair)}
    kept = [
        told_attribute(name, value)
        for name, value in product.attributes.items()
        if _shares(plain(f"{name}{value}"), asked) or (value and plain(value) in heard.text)
    ]
    in_words = described and _shares(plain(product.description), asked)
    of_kind = bool(product.category) and _shares(plain(product.category), asked)
    if not kept and not in_words and not of_kind:
        return ""
    parts = [product.category, *kept]
    return f"{product.name}：{'，'.join(part for part in parts if part)}。{product.description}"


def _shares(text: str, pairs: set[str]) -> bool:
    return any(pair in text for pair in pairs)


def _pairs(text: str) -> set[str]:
    return {text[at : at + 2] for at in range(len(text) - 1)}


# -- comparison ------------------------------------------------------------------------------------------------------


def compare(products: Sequence[Product], heard: Understood) -> str:
    """Where products differ, a line each, and who is cheapest where that was asked."""
    names = {name for one in products for name in one.attributes}
    differ = [name for name in names if len({one.attributes.get(name) for one in products}) > 1]
    lines, cheapest = [], []
    for one in products:
        attributes = [
            told_attribute(n, v)
            for n, v in one.attributes.items()
            if n in differ or plain(n) in heard.text
        ]
        variants = fitting(one, heard) or list(one.variants)
        state = _rows(variants) if one.sold else "已停售"
        lines.append(
            f"{one.name}：{'，'.join(attributes)}{'。' if attributes else ''}{one.description} {state}"
        )
        if one.sold and variants:
            cheapest.append((min(v.price for v in variants), one.name))
    if re.search(r"便宜|划算|省钱", heard.text) and cheapest:
        price, name = min(cheapest)
        lines.append(f"按这个规格，便宜的是{name}，{yuan(price)}。")
    return "\n".join(lines)


# -- recommendation --------------------------------------------------------------------------------------------------


def advise(
    shop: Shop, heard: Understood, before: Mapping[str, Any]
) -> tuple[str, dict[str, Any], list[str]]:
    """(what is recommended, the filters, ids); '' where there is nothing to filter by.

    Args:
        before: filters of the last recommendation; what is said anew goes in their place.
    """
    filters = {**before, **_filters(shop, heard)}
    if not filters:
        return "", {}, []
    found = []
    for one in shop.products:
        offer = _cheapest(one)
        if offer is not None and _fits(one, offer, filters):
            found.append((offer, one))
    found.sort(key=lambda pair: -pair[0].price if "budget" in filters else pair[0].price)
    if not found:
        wider = [
            (o, p)
            for p in shop.products
            if (o := _cheapest(p)) and _fits(p, o, {**filters, "budget": None})
        ]
        hint = ""
        if wider and filters.get("budget"):
            offer, product = min(wider, key=lambda pair: pair[0].price)
            hint = f"最接近的是{product.name} {offer.spec}，{yuan(offer.price)}。"
        return f"没有合您条件的。{hint}", filters, [product.id for _, product in wider[:1]]
    lines = [
        f"{product.name} {offer.spec}：{yuan(offer.price)}。{_warned(product)}{product.description}"
        for offer, product in found[:MOST]
    ]
    return "合您条件的：\n" + "\n".join(lines), filters, [product.id for _, product in found[:MOST]]


def _filters(shop: Shop, heard: Understood) -> dict[str, Any]:
    text = heard.text
    found: dict[str, Any] = {}
    if heard.budget is not None:
        found["budget"] = str(heard.budget)
    if NO_CAFFEINE.search(text):
        found["caffeine"] = "否"
    suits = [
        word
        for one in shop.products
        for word in re.split("[、,，]", one.attributes.get("适合", ""))
        if word and word in text
    ]
    if suits:
        found["suits"] = max(suits, key=len)
    allergies = ALLERGY.search(text)
    if allergies:
        found["without"] = [part for part in re.split(r"[和、跟与,]|还有", allergies[1]) if part]
    kinds = sorted(
        {one.category for one in shop.products if one.category and plain(one.category) in text}
    )
    if kinds:
        found["kinds"] = kinds
    elif heard.products and heard.wish == "recommend":
        found["ids"] = [one.id for one in heard.products]
    elif "茶" in heard.rest and not re.search(r"茶具|茶壶|茶杯|茶点", heard.rest):
        found["kinds"] = sorted(
            {one.category for one in shop.products if one.category.endswith("茶")}
        )
    return found


def _cheapest(product: Product) -> Variant | None:
    """The cheapest variant that can be bought now."""
    there = [one for one in product.variants if one.stock and product.sold]
    return min(there, key=lambda one: one.price) if there else None


def _fits(product: Product, offer: Variant, filters: Mapping[str, Any]) -> bool:
    if filters.get("budget") and offer.price > Decimal(filters["budget"]):
        return False
    if "caffeine" in filters and product.attributes.get("含咖啡因") != filters["caffeine"]:
        return False
    if "suits" in filters and filters["suits"] not in product.attributes.get("适合", ""):
        return False
    if "without" in filters and _may_hold(product, filters["without"]):
        return False
    if "kinds" in filters and product.category not in filters["kinds"]:
        return False
    return "ids" not in filters or product.id in filters["ids"]


def _may_hold(product: Product, named: Sequence[str]) -> bool:
    """May a product hold what somebody is allergic to? What does not say its allergens may."""
    held = product.attributes.get("过敏原")
    if held is None:
        return True
    parts = [one for one in re.split("[、,，]", held) if one]
    meant = [CONTAINS.get(one, one) for one in named]
    return any(one in part or part in one for one in meant for part in parts)


def _warned(product: Product) -> str:
    told = [f"{name}{product.attributes[name]}" for name in WARN if name in product.attributes]
    return f"（{'，'.join(told)}）" if told else ""

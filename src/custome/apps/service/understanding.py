"""What a customer's words name: products, sizes and colours, amounts of money, an order, and what they want to know of it.

By rules and the shop's own names, one slip of the pen allowed. Pure functions; nothing is looked up.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from ...corpus.script import convert
from .catalogue import Product, Shop, Variant

Wish = Literal["price", "stock", "compare", "recommend", "order", "list", ""]
READ = 300
"""Characters of the beginning and of the end of a long message that are read."""
SHORTEST_SLIP = 3
"""Characters of a name in which one may be wrong."""
MOST_MEANT = 8
"""Products that part of a name may mean."""
_GENERAL = frozenset(["茶叶", "茶包", "茶具", "单只", "传统"])
_SEVERAL = re.compile(r"和|跟|与|比|还是|、")
_DIGIT = {sign: value for value, sign in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_AMOUNT = re.compile(
    r"(\d+(?:\.\d+)?)\s*(kg|公斤|千克|斤|g|克|ml|毫升|cl|l|升|cm|厘米|w|瓦|只|件|个|份|盒|套)?(?![\d.])",
    re.I,
)
_CHINESE_WEIGHT = re.compile(r"(半|[一二两三四五六七八九十])\s*(斤|两|升)")
_UNIT = {
    "kg": ("g", 1000), "公斤": ("g", 1000), "千克": ("g", 1000), "斤": ("g", 500), "两": ("g", 50), "g": ("g", 1), "克": ("g", 1),
    "ml": ("ml", 1), "毫升": ("ml", 1), "l": ("ml", 1000), "升": ("ml", 1000), "cm": ("cm", 1), "厘米": ("cm", 1),
}  # fmt: off
_BUDGET = re.compile(
    r"(?:预算|不超过|低于|少于)\D{0,4}(\d+(?:\.\d+)?)|(\d+(?:\.\d+)?)\s*(?:元|块钱|块|rmb)?\s*(?:以内|以下|之内|内的)"
)
_ORDER = re.compile(r"(?<![a-z\d])[a-z]{1,4}\d{6,}(?!\d)", re.I)
_TAIL = re.compile(r"(?<![\d.a-z])(\d{4})(?!\d|\s*(?:元|块|g|克|ml|毫升|年|年的))", re.I)
_CHINESE_TAIL = re.compile(r"尾号\D{0,3}([零〇一二三四五六七八九]{4})")
WISHES: tuple[tuple[Wish, re.Pattern[str]], ...] = (
    ("recommend", re.compile(r"推荐|买哪|选哪|哪款好|哪个好|有什么好|送(?:长辈|客户|同事|女友|朋友|老师|领导|爸|妈).*(?:礼|茶|壶|杯)|以内的?.*(?:有吗|有没有)|适合.*(?:吗|的有)")),
    ("compare", re.compile(r"区别|差别|不同|哪个|哪种|哪款|相比|对比|比一比|比起|还是.*好")),
    ("stock", re.compile(r"有货|有没有货|现货|缺货|补货|到货|断货|够不够|够吗|够么|能买|还有吗|还有没有|库存|还卖|有没有$|有没有[？?]|有吗")),
    ("price", re.compile(r"多少钱|什么价|啥价|价格|价钱|怎么卖|咋卖|几多钱|多少米|单价|售价|报价|几块|几元|贵不贵|多少[？?]?$|卖\s*\d|\d\s*(?:元|块)|不是\s*\d")),
    ("list", re.compile(r"有哪些|有什么|都有啥|哪几种|有几种|都卖")),
)  # fmt: skip
ABOUT_ORDERS = re.compile(
    r"订单|运单|物流|(?:我的|查)?(?:快递|包裹).{0,4}(?:到哪|在哪|查)|查单|发货了吗|发了吗|签收了没|退款到哪|退款进度"
)


def plain(text: str) -> str:
    """One width, simplified, lower case, without control characters; of a long message its beginning and its end."""
    if len(text) > 2 * READ:
        text = f"{text[:READ]} {text[-READ:]}"
    text = convert(unicodedata.normalize("NFKC", text).lower(), "t2s")
    text = re.sub(r"\s+", " ", "".join(c if c.isprintable() else " " for c in text)).strip()
    return text if len(text) <= 2 * READ else f"{text[:READ]} {text[-READ:]}"  # ﷺ is eighteen


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A size: 50g, 120ml; without a unit where none was written."""

    value: Decimal
    unit: str = ""


@dataclass(frozen=True, kw_only=True)
class Understood:
    """What a message names."""

    text: str
    wish: Wish = ""
    products: tuple[Product, ...] = ()
    """Those that may be meant; several where a name is several products', or several were named."""
    named: int = 0
    """How many different products were named outright."""
    rest: str = ""
    """The words without the names of products."""
    measures: tuple[Measure, ...] = ()
    count: int = 0
    """How many pieces; 0 where it is not said."""
    options: tuple[str, ...] = ()
    """Colours and shapes that some product of the shop comes in."""
    budget: Decimal | None = None
    order: str = ""
    tail: str = ""
    slip: bool = False
    """Was a name recognised in spite of a wrong character?"""


def understand(text: str, shop: Shop) -> Understood:
    """Read a message with a shop's names."""
    words = plain(text)
    found, spans, slip = _products(words, shop.products)
    rest = _without(words, spans)
    measures, count = _measures(rest)
    order = _order(words, shop)
    every = {plain(v) for one in shop.products for w in one.variants for v in w.options.values()}
    options = [one for one in every if not measure_of(one) and is_named(one, rest)]
    return Understood(
        text=words,
        wish=wish_of(words, rest, len(found)),
        products=tuple(one for group in found for one in group),
        named=len(found),
        rest=rest,
        measures=measures,
        count=count,
        budget=_budget(words),
        order=order,
        tail=_tail(words, order),
        options=tuple(one for one in options if not any(one != z and one in z for z in options)),
        slip=slip,
    )


def wish_of(words: str, rest: str, named: int) -> Wish:
    """What is wanted; names of products may hold words such as 哪 and 送, and count for a recommendation only."""
    for wish, pattern in WISHES:
        if pattern.search(words if wish == "recommend" else rest) and not (
            wish == "compare" and named < 2
        ):
            return wish
    return ""


# -- products --------------------------------------------------------------------------------------------------------


def _products(
    words: str, products: Sequence[Product]
) -> tuple[list[tuple[Product, ...]], list[tuple[int, int]], bool]:
    """(groups of products, one a name; where the names stand; was there a slip of the pen?)"""
    bearers = _bearers(products)
    taken = _exact(words, bearers)
    slip = False
    if not taken:
        taken = _in_part(words, bearers)
    elif len(taken) == 1 and _SEVERAL.search(
        words
    ):  # 西施和石瓢: one by its name, one by part of it
        kinds = {one.category for one in taken[0][2]}
        more = [
            one for one in _in_part(words, bearers, taken) if kinds & {p.category for p in one[2]}
        ]
        taken += more[:1]
    if not taken:
        taken = _with_a_slip(words, bearers)
        slip = bool(taken)
    groups: list[tuple[Product, ...]] = []
    for _, _, group in sorted(taken, key=lambda one: one[0]):
        if group not in groups:
            groups.append(group)
    return groups, [(start, end) for start, end, _ in taken], slip


def _bearers(products: Sequence[Product]) -> dict[str, tuple[Product, ...]]:
    """Name → whose it is."""
    found: dict[str, list[Product]] = {}
    for product in products:
        for key in product.keys:
            name = plain(key)
            if len(name) > 1 and product not in found.setdefault(name, []):
                found[name].append(product)
    return {name: tuple(group) for name, group in found.items()}


Taken = list[tuple[int, int, tuple[Product, ...]]]


def _exact(words: str, bearers: Mapping[str, tuple[Product, ...]]) -> Taken:
    """Names as they stand there, the longest first."""
    taken: Taken = []
    for name in sorted(bearers, key=len, reverse=True):
        start = words.find(name)
        while start >= 0:
            if not _overlaps(start, start + len(name), taken):
                taken.append((start, start + len(name), bearers[name]))
            start = words.find(name, start + 1)
    return taken


def _with_a_slip(words: str, bearers: Mapping[str, tuple[Product, ...]]) -> Taken:
    """A name of which one character is another."""
    taken: Taken = []
    for name in sorted(bearers, key=len, reverse=True):
        if len(name) < SHORTEST_SLIP:
            continue
        for start in range(len(words) - len(name) + 1):
            window = words[start : start + len(name)]
            wrong = [place for place, (a, b) in enumerate(zip(window, name, strict=True)) if a != b]
            if (
                len(wrong) == 1
                and "\u4e00" <= window[wrong[0]] <= "\u9fff"
                and not _overlaps(start, start + len(name), taken)
            ):
                taken.append((start, start + len(name), bearers[name]))
    return taken


def _in_part(
    words: str,
    bearers: Mapping[str, tuple[Product, ...]],
    beside: Sequence[tuple[int, int, Any]] = (),
) -> Taken:
    """Part of a name that only few products have: 龙井, 盖碗, 桂花的那个.

    Args:
        beside: what is taken already.
    """
    taken: Taken = []
    for length in range(6, 1, -1):
        for start in range(len(words) - length + 1):
            part = words[start : start + length]
            here = [*taken, *beside]
            if not re.fullmatch(r"[\u4e00-\u9fff]+", part) or _overlaps(
                start, start + length, here
            ):
                continue
            every = {
                one.id: one for name, group in bearers.items() if part in name for one in group
            }
            group = tuple(every.values())
            if 0 < len(group) <= MOST_MEANT and part not in _GENERAL:
                taken.append((start, start + length, group))
    return taken


def _overlaps(start: int, end: int, taken: Sequence[tuple[int, int, Any]]) -> bool:
    return any(start < last and first < end for first, last, _ in taken)


def _without(words: str, spans: Sequence[tuple[int, int]]) -> str:
    for start, end in sorted(spans, reverse=True):
        words = f"{words[:start]} {words[end:]}"
    return words


# -- sizes, money, orders --------------------------------------------------------------------------------------------


def _measures(rest: str) -> tuple[tuple[Measure, ...], int]:
    """(sizes that are named, pieces)"""
    rest = _ORDER.sub(" ", rest)
    rest = _BUDGET.sub(" ", rest)
    found: list[Measure] = []
    count = 0
    for match in _CHINESE_WEIGHT.finditer(rest):
        value = Decimal("0.5") if match[1] == "半" else Decimal(_DIGIT.get(match[1], 10))
        unit, times = _UNIT[match[2]]
        found.append(Measure(value=value * times, unit=unit))
    for match in _AMOUNT.finditer(rest):
        value, sign = Decimal(match[1]), (match[2] or "").lower()
        behind = rest[match.end() : match.end() + 1]
        if sign in ("只", "件", "个", "份", "盒", "套"):
            count = int(value)
        elif sign in _UNIT:
            unit, times = _UNIT[sign]
            found.append(Measure(value=value * times, unit=unit))
        elif behind in tuple("罐包饼袋把瓶"):
            count = int(value)
        elif behind not in "元块折年月日泡点号分秒%" or not behind:
            found.append(Measure(value=value))
    return tuple(found), count


def measure_of(text: str) -> Measure | None:
    """The size an option says; None where it says none."""
    match = _AMOUNT.search(text.lower())
    if match is None or (match[2] or "").lower() not in _UNIT:
        return None
    unit, times = _UNIT[match[2].lower()]
    return Measure(value=Decimal(match[1]) * times, unit=unit)


def _budget(words: str) -> Decimal | None:
    match = _BUDGET.search(words)
    if match is None:
        match = re.search(r"预算.{0,4}?(\d+(?:\.\d+)?)", words)
    return Decimal(next(one for one in match.groups() if one)) if match else None


def _order(words: str, shop: Shop) -> str:
    """The number of an order: one the shop has, however it is spaced, else what looks like one; '' for none."""
    together = re.sub(r"\s+", "", words)
    for number in shop.orders:
        digits = re.sub(r"\D", "", number)
        if plain(number) in together or (len(digits) >= 8 and digits in together):
            return number
    found = _ORDER.search(words)
    tracked = found is not None and any(
        found.group().upper() == one.tracking.upper() for one in shop.orders.values()
    )
    return found.group().upper() if found and not tracked else ""


def _tail(words: str, order: str) -> str:
    """Four digits of a phone; '' where none were written."""
    apart = re.search(r"尾号\D{0,3}((?:\d\s*){4})(?!\d)", words)
    if apart:
        return re.sub(r"\s", "", apart[1])
    spelt = _CHINESE_TAIL.search(words)
    if spelt:
        return "".join(str(_DIGIT[sign]) for sign in spelt[1])
    found = _TAIL.findall(re.sub(re.escape(order), " ", words, flags=re.I) if order else words)
    return found[-1] if found else ""


# -- variants --------------------------------------------------------------------------------------------------------


def fitting(product: Product, understood: Understood) -> list[Variant]:
    """Variants that have every size, colour and shape that was named."""
    found = list(product.variants)
    for value in understood.options:
        found = [
            one for one in found if value in {plain(option) for option in one.options.values()}
        ]
    units: dict[str, list[Measure]] = {}
    for measure in understood.measures:  # 100g 和 250g: any of them
        units.setdefault(measure.unit, []).append(measure)
    for unit, measures in units.items():
        same = [
            one
            for one in found
            if any(
                _same(measure, option) for measure in measures for option in one.options.values()
            )
        ]
        if same or unit:
            found = same
    if re.search(r"小(?:包装|号|份|规格|的|罐)", understood.rest):
        found = _extreme(found, largest=False)
    elif re.search(r"大(?:包装|号|份|规格|的|罐)", understood.rest):
        found = _extreme(found, largest=True)
    return found


def is_named(value: str, rest: str) -> bool:
    """A colour of one character stands as 白色 or 黑的, or alone."""
    if len(value) > 1:
        return value in rest
    return bool(re.search(rf"{re.escape(value)}(?:色|的|款|$|\s)", rest)) or rest.strip() == value


def _same(measure: Measure, option: str) -> bool:
    size = measure_of(option)
    return size is not None and size.value == measure.value and measure.unit in ("", size.unit)


def _extreme(variants: Iterable[Variant], *, largest: bool) -> list[Variant]:
    sized = [
        (size.value, one)
        for one in variants
        for option in one.options.values()
        if (size := measure_of(option))
    ]
    if not sized:
        return list(variants)
    best = (max if largest else min)(value for value, _ in sized)
    return [one for value, one in sized if value == best]


def narrowed(products: Sequence[Product], understood: Understood) -> list[Product]:
    """Of products that one name means, those whose brackets and attributes have a word that was said: 清香, 特级."""
    said = understood.text
    best: list[Product] = []
    most = 0
    for one in products:
        marks = [*re.findall(r"[（(](.*?)[）)]", one.name), *one.attributes.values(), *one.aliases]
        words = {
            part
            for mark in marks
            for part in re.split(r"[、,，\s]|型|级|熏焙", plain(mark))
            if len(part) > 1 and part in said
        }
        words |= {mark for mark in map(plain, marks) if len(mark) > 1 and mark in said}
        score = max(map(len, words), default=0) + len(words)
        if score > most:
            best, most = [one], score
        elif score == most:
            best.append(one)
    return best if most else list(products)

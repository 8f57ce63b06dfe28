"""A message → the shop's own answers that fit it: questions with answers, and sentences of policies. Exactly the same words need no
guessing; other words are weighed by how rare they are, and a doubtful fit is offered, not claimed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from ...retrieval.terms import asked, terms
from .catalogue import Faq, Rule, Shop
from .understanding import plain

_PARTICLES = re.compile(r"[吗呢呀啊吧嘛么哦哈呗哟的了]+$|[\W_]+")
SURE, DOUBTFUL = 0.5, 0.3
"""Share of a message's weight that an answer must have to be given, and to be offered."""
UNKNOWN = 0.4
"""What a word that stands in no answer weighs of the heaviest."""
SAME = (
    "邮费 运费 快递费 物流费", "寄 发货 寄出 发出 寄过来", "坏 碎 破 破损 裂 缺口 口子 摔坏", "搁 放 存 存放 保存", "保修 质保 保多久", "周末 星期六 星期天 周六 周日",
    "国外 海外 新加坡 美国 日本 英国 澳洲 加拿大 韩国 欧洲 泰国 马来西亚", "新疆 乌鲁木齐 西藏 拉萨 青海 西宁", "头一回 第一次 新买", "值班 上班 在线",
    "价格单 小票 带价钱的单子 价钱", "开水 沸水 滚水 水温", "咋 怎么 如何", "祝福 贺卡 写句 卡片", "赠品 送东西 活动", "挑 选 指定", "会员 银卡 金卡", "白绒毛 白毛 绒毛 茶毫 白毫",
)  # fmt: skip
"""Words of customers that mean the same."""
_MEANING: dict[str, tuple[str, ...]] = {}
for _line in SAME:
    _group = tuple(_line.split())
    for _word in _group:
        _MEANING[_word] = _group


def meanings(words: str) -> list[str]:
    """Other words for what is said."""
    return [same for word, group in _MEANING.items() if word in words for same in group]


@dataclass(frozen=True, kw_only=True)
class Fit:
    """An answer that may be the one."""

    source: Faq | Rule
    score: float
    """Share of the message's weight that it has, 0–1."""

    @property
    def text(self) -> str:
        return self.source.answer if isinstance(self.source, Faq) else self.source.text

    @property
    def title(self) -> str:
        """What it answers, as a customer would ask."""
        if isinstance(self.source, Faq):
            return self.source.question
        return f"{self.source.document}·{self.source.heading}"


def bare(text: str) -> str:
    """A question without punctuation and particles: two of them are the same where these are."""
    text = plain(text)
    before = ""
    while before != text:
        before, text = text, _PARTICLES.sub("", text)
    return text


def exact(text: str, shop: Shop, today: date) -> Faq | None:
    """The question that was asked word for word, punctuation and particles aside."""
    wanted = bare(text)
    half = re.fullmatch(r"(.+?)\1+", wanted)  # said twice
    wanted = half[1] if half else wanted
    for one in shop.faqs:
        if one.holds(today) and wanted in (bare(asked) for asked in (one.question, *one.wordings)):
            return one
    return None


class Finder:
    """The answers of a shop, weighed.

    Args:
        categories: name of a product → what kind of thing it is, so that 碧螺春 finds what is said of 绿茶.
    """

    def __init__(self, shop: Shop, today: date, categories: Mapping[str, str]) -> None:
        self._categories = categories
        self._entries: list[tuple[Faq | Rule, list[set[str]]]] = []
        for faq in shop.faqs:
            if faq.holds(today):
                wordings = [set(terms(plain(one))) for one in (faq.question, *faq.wordings)]
                answer = set(terms(plain(faq.answer)))
                self._entries.append((faq, [one | answer for one in wordings]))
        for rule in shop.rules:
            self._entries.append(
                (rule, [set(terms(plain(f"{rule.document}{rule.heading}{rule.text}")))])
            )
        counts: dict[str, int] = {}
        for _, wordings in self._entries:
            for term in set().union(*wordings):
                counts[term] = counts.get(term, 0) + 1
        self._counts = counts

    def find(self, text: str, most: int = 5) -> list[Fit]:
        """The answers that fit best, best first."""
        wanted = self._wanted(text)
        whole = sum(weight for _, weight in wanted) or 1.0
        fits = []
        for source, wordings in self._entries:
            score = max(
                sum(weight for group, weight in wanted if not words.isdisjoint(group)) / whole
                for words in wordings
            )
            fits.append(Fit(source=source, score=score))
        return sorted(fits, key=lambda one: (-one.score, isinstance(one.source, Rule)))[:most]

    def _wanted(self, text: str) -> list[tuple[set[str], float]]:
        """(terms of which one is enough, weight) of a message."""
        words = plain(text)
        groups: list[tuple[set[str], float]] = []
        for name, category in self._categories.items():
            if name in words:
                words = words.replace(name, category)
        for word in sorted(_MEANING, key=len, reverse=True):
            if word in words:
                words = words.replace(word, " ")
                group = {
                    term
                    for same in _MEANING[word]
                    for term in terms(same)
                    if len(term) == min(2, len(same))
                }
                groups.append((group, self._weight(group)))
        for term in asked(words) if words.strip() else ():
            groups.append(({term}, self._weight({term}) * (1.0 if len(term) > 1 else 0.3)))
        return groups

    def _weight(self, group: set[str]) -> float:
        count = sum(self._counts.get(term, 0) for term in group)
        if not count:  # words that the shop never uses do not say which of its answers is meant
            return UNKNOWN * math.log(1 + len(self._entries))
        return math.log(1 + len(self._entries) / (1 + count))


def categories_of(shop: Shop) -> dict[str, str]:
    """Names of products → their kind, the longest first."""
    found = {plain(key): one.category for one in shop.products for key in one.keys if one.category}
    return dict(sorted(found.items(), key=lambda one: -len(one[0])))


def nearest_of(fits: Sequence[Fit]) -> Fit | None:
    return fits[0] if fits and fits[0].score >= DOUBTFUL else None

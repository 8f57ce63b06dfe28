"""What a scenario says must be so, and what becomes of it, in short lines a novelist can write: 有 令箭 · 非 到过 水寨 · 箭 ≥ 10 · 得 令箭 · 好感 周瑜 + 1.

One table says which words there are and what stands behind each. Knows no scenario: whether a name exists is asked elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ...errors import InputError

Kind = Literal["place", "item", "person", "flag", "secret", "hour", "ending", "number", "holder"]
"""What a word behind the first one names; a holder is a place, a person or 我."""
CONDITIONS: Mapping[str, tuple[Kind, ...]] = {
    "在": ("place",),
    "有": ("item",),
    "遇见": ("person",),
    "某人在": ("person", "place"),
    "某物在": ("item", "holder"),
    "记得": ("flag",),
    "知道": ("secret",),
    "到过": ("place",),
    "时辰": ("hour",),
    "同行": ("person",),
    "倒下": ("person",),
}
"""First word of a condition → what stands behind it."""
EFFECTS: Mapping[str, tuple[Kind, ...]] = {
    "去": ("place",),
    "得": ("item",),
    "失": ("item",),
    "给": ("item", "person"),
    "放": ("item", "place"),
    "记": ("flag",),
    "忘": ("flag",),
    "知道": ("secret",),
    "移": ("person", "place"),
    "跟来": ("person",),
    "离开": ("person",),
    "打开": ("place",),
    "过": ("number",),
    "结局": ("ending",),
}
"""First word of an effect → what stands behind it."""
HP, RELATION, TURN = "体力", "好感", "回合"
"""Figures that every game has: 体力 (or 体力 某人), 好感 某人, 回合; the others are a scenario's counters."""
ME = "我"
NOT = "非"
_FIGURE = re.compile(r"([^\s<>]+?)(?:\s+([^\s<>]+?))?\s*(>=|<=|[≥≤+\-－＋=＝])\s*([0-9]{1,7})")
_SIGNS = {">=": "≥", "<=": "≤", "－": "-", "＋": "+", "＝": "="}


@dataclass(frozen=True, slots=True)
class Phrase:
    """One condition or effect."""

    head: str
    """The first word, or the figure's name."""
    names: tuple[str, ...] = ()
    sign: str = ""
    """≥ ≤ in a condition, + - = in an effect; '' where it is no figure."""
    amount: int = 0
    negated: bool = False

    def __str__(self) -> str:
        words = [NOT] * self.negated + [self.head, *self.names]
        return " ".join(words + [self.sign, str(self.amount)] * bool(self.sign))


def condition(text: str) -> tuple[Phrase, ...]:
    """One condition, or several of which one must hold, with ｜ or | between them.

    Raises:
        InputError: no such condition.
    """
    return tuple(_condition(part.strip()) for part in re.split(r"[|｜]", text))


def _condition(text: str) -> Phrase:
    negated = text.startswith(NOT + " ")
    rest = text.removeprefix(NOT).strip() if negated else text
    figure = _figure(rest)
    if figure is not None and figure.sign in "≥≤":
        return Phrase(figure.head, figure.names, figure.sign, figure.amount, negated)
    words = rest.split()
    if words and len(words) - 1 == len(CONDITIONS.get(words[0], ())) > 0:
        return Phrase(words[0], tuple(words[1:]), negated=negated)
    raise InputError(
        f"条件 {text!r} 看不懂", _known(CONDITIONS, "箭 ≥ 10、好感 周瑜 ≥ 2，前面加“非”是反过来")
    )


def effect(text: str) -> Phrase:
    """One effect.

    Raises:
        InputError: no such effect.
    """
    figure = _figure(text.strip())
    if figure is not None and figure.sign in "+-=":
        return figure
    words = text.split()
    if words and len(words) - 1 == len(EFFECTS.get(words[0], ())) > 0:
        return Phrase(words[0], tuple(words[1:]))
    raise InputError(f"结果 {text!r} 看不懂", _known(EFFECTS, "箭 + 10、好感 周瑜 + 1、体力 - 2"))


def _figure(text: str) -> Phrase | None:
    match = _FIGURE.fullmatch(text)
    if match is None:
        return None
    head, whose, sign, amount = match.groups()
    return Phrase(head, (whose,) if whose else (), _SIGNS.get(sign, sign), int(amount))


def _known(table: Mapping[str, tuple[Kind, ...]], figures: str) -> str:
    words = {
        "place": "地方",
        "item": "东西",
        "person": "人",
        "flag": "记号",
        "secret": "秘密",
        "hour": "时辰",
    }
    words |= {"ending": "结局", "number": "数", "holder": "地方或人"}
    told = [
        "".join([head, *(f" {words[kind]}" for kind in kinds)]) for head, kinds in table.items()
    ]
    return f"有：{'、'.join(told)}；{figures}"

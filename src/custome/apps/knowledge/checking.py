"""Is what a model says what some sentences say? Its numbers with their units, its names and most of what is new in it must stand there.

A small model cannot be trusted to cite or to be silent, so code decides. It cannot tell a false sentence made of true words; that is
why every answer is shown with its quotations. Pure functions of texts.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence

from ...retrieval.terms import FUNCTION, folded

SUPPORTED = 0.5
"""Share of the characters an answer adds to its question that must stand in its quotations."""
_NUMBER = re.compile(
    r"(?P<digits>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)(?P<times>[十百千万亿]{0,3})"
    r"|(?P<chinese>[零〇一二两三四五六七八九十百千万亿]{1,15})"
)
_UNIT = re.compile(
    r"\s*(个?月|小时|分钟|公里|毫升|[年天日周岁元块角里斤尺丈寸次倍克升米名位匹艘座])"
)
_IDIOM = re.compile(
    r"万一|千万(?=别|不|要|小心|记)|十分|万分|三五(?=[天个日年])|七八(?=[天个日年])|四处|四方|八方|四面|百姓|百般|千方百计|三番五次|三心二意|一[些点样般起直定切旦]|统一|唯一|万岁|万一|两[人个者边]|一[个人条种位名只]"
)
"""Words with a number in them that count nothing."""
_DIGITS = {sign: value for value, sign in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_UNITS = {"十": 10, "百": 100, "千": 1000, "万": 10_000, "亿": 100_000_000}
_SAME_UNIT = {"日": "天", "块": "元", "个月": "月"}
_FORBIDS = re.compile(r"不[可能得准予含包属支退]|不属于|不支持|禁止|无法|不再|未能|并非|勿")
_NEGATES = re.compile(r"[不没无未非禁勿别莫]")
_YES_OR_NO = re.compile(r"[吗么]|是不是|有没有|能不能|可不可以|会不会|对不对")
_ENDS = frozenset("矣也哉乎焉耳")
_MANNER = _ENDS | frozenset("吾汝尔公某俺咱曰云便罢休乃即既皆")
REFUSES = re.compile(
    r"(?:没有|没|未|并未|无法|不能)(?:明确|直接)?(?:写|提|说|记|找|回答|确定|知道|得知|涉及)|不清楚|不知道|无从"
)
"""An answer that says there is none."""


def numbers(text: str) -> set[tuple[float, str]]:
    """(number, unit or '') of what a text counts, in digits or in Chinese: 三十五元 and 35 元 are one. A lone 一 is an article, but
    for time, money and measures."""
    plain = _IDIOM.sub(lambda match: "・" * len(match.group()), unicodedata.normalize("NFKC", text))
    found: set[tuple[float, str]] = set()
    for match in _NUMBER.finditer(plain):
        after = _UNIT.match(plain, match.end())
        unit = after[1] if after else ""
        chinese = match["chinese"]
        if chinese in ("一", "两", "十", "百", "千", "万", "亿") and not unit:
            continue
        if chinese:
            value = _value(chinese)
        else:
            value = float(match["digits"].replace(",", ""))
            for sign in match["times"] or "":
                value *= _UNITS[sign]
        found.add((value, _SAME_UNIT.get(unit, unit)))
    return found


def _value(written: str) -> float:
    """二百五十 → 250, 一九四九 → 1949."""
    if not any(sign in _UNITS for sign in written):
        return float("".join(str(_DIGITS[sign]) for sign in written))
    total = section = digit = 0
    for sign in written:
        if sign in _DIGITS:
            digit = _DIGITS[sign]
        elif _UNITS[sign] < 10_000:
            section += (digit or 1) * _UNITS[sign]
            digit = 0
        else:
            total = (total + section + digit or 1) * _UNITS[sign]
            section = digit = 0
    return float(total + section + digit)


def _counted(one: tuple[float, str], known: Collection[tuple[float, str]]) -> bool:
    """Is a number known, with its unit where both have one?"""
    return any(
        value == one[0] and (unit == one[1] or not unit or not one[1]) for value, unit in known
    )


def unproven(
    answer: str, quotes: Sequence[str], question: str, names: Mapping[str, Sequence[str]]
) -> list[str]:
    """Numbers of an answer that stand in none of its quotations, and known names that stand neither there nor in its question, by
    whatever name.

    Args:
        names: name of somebody → what else they are called.
    """
    proven = "\n".join(quotes)
    known = numbers(proven)
    found = [
        f"{value:g}{unit}"
        for value, unit in sorted(numbers(answer))
        if not _counted((value, unit), known)
    ]
    there = f"{proven}\n{question}"
    missing = [
        name
        for name, others in names.items()
        if name in answer and not any(one in there for one in (name, *others))
    ]
    outermost = [
        one for one in missing if not any(one != other and one in other for other in missing)
    ]
    return found + outermost


def unmentioned(question: str, passages: Sequence[str], names: Mapping[str, Sequence[str]]) -> str:
    """Somebody a question names of whom none of some passages speaks, by whatever name; '' where there is nobody.

    A given name of one letter counts: 操 for 曹操.
    """
    there = "\n".join(passages)
    named = [name for name in names if name in question]
    for name in named:
        if any(name != other and name in other for other in named):
            continue
        given = [name[-1]] if len(name) == 2 else []
        if not any(one in there for one in (name, *names[name], *given)):
            return name
    return ""


def unrelated(question: str, quotes: Sequence[str], names: Mapping[str, Sequence[str]]) -> bool:
    """Have some sentences no letter of a question but those of names, and of words that say nothing?"""
    asked = folded(question)
    for name in sorted((name for name in names if name in question), key=len, reverse=True):
        asked = asked.replace(folded(name), " ")
    wanted = {letter for letter in asked if letter.isalnum() and letter not in FUNCTION}
    return bool(wanted) and wanted.isdisjoint(folded("".join(quotes)))


def says_nothing(answer: str, question: str) -> bool:
    """Has an answer no word of its own: 是矣, or the question once more?"""
    if _YES_OR_NO.search(question) or numbers(answer) - numbers(question):
        return False
    words = [one for one in folded(answer) if one.isalnum() and one not in FUNCTION | _ENDS]
    asked = folded(question)
    return not words or (len(answer) > len(question) / 2 and all(one in asked for one in words))


def invents(said: str, proofs: Sequence[str]) -> bool:
    """Is more than half of what somebody says, but for their manner of saying it, in none of the proofs?"""
    there = folded("".join(proofs))
    words = [one for one in folded(said) if one.isalnum() and one not in FUNCTION | _MANNER]
    return sum(one in there for one in words) < SUPPORTED * len(words)


def strays(answer: str, quotes: Sequence[str], question: str) -> str:
    """Why an answer does not follow its quotations, by its words alone; '' where nothing speaks against it."""
    proven = folded("".join(quotes))
    added = [
        letter
        for letter in folded(answer)
        if letter.isalnum() and letter not in FUNCTION and letter not in folded(question)
    ]
    supported = sum(letter in proven for letter in added)
    if added and supported < SUPPORTED * len(added):
        return "回答里的话引文里没有"
    if all(map(_FORBIDS.search, quotes)) and not _NEGATES.search(answer):
        return "引文说的是“不”，回答没有说"
    return ""

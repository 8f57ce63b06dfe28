"""Is what a model says of some passages what the passages say? Quotations must stand in them, numbers and names in the quotations.

A small model cannot be trusted to cite or to be silent, so code decides. Pure functions of texts.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence

SHORTEST_QUOTE = 6
"""Characters of a quotation that proves anything."""
_BLANK = re.compile(r"\s+")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_CHINESE_NUMBER = re.compile(r"[零〇一二两三四五六七八九十百千万亿]+")
_DIGITS = {sign: value for value, sign in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_UNITS = {"十": 10, "百": 100, "千": 1000, "万": 10_000, "亿": 100_000_000}


def stands_in(quote: str, passage: str) -> tuple[int, int] | None:
    """(start, end) in the passage of a quotation, width, spacing and kinds of quotation marks not counted; None where it is not
    there or too short to prove anything."""
    wanted = _bare(quote)[0]
    if len(wanted) < SHORTEST_QUOTE:
        return None
    text, places = _bare(passage)
    at = text.find(wanted)
    return None if at < 0 else (places[at], places[at + len(wanted) - 1] + 1)


def _bare(text: str) -> tuple[str, list[int]]:
    """Letters and digits only, in one width, with where each stands."""
    kept, places = [], []
    for place, letter in enumerate(text):
        for plain in unicodedata.normalize("NFKC", letter).lower():
            if plain.isalnum():
                kept.append(plain)
                places.append(place)
    return "".join(kept), places


def numbers(text: str) -> set[float]:
    """The numbers a text names, in digits or in Chinese: 三十五 and 35 are one. A lone 一 is an article and not counted."""
    plain = unicodedata.normalize("NFKC", text)
    found = {float(match) for match in _NUMBER.findall(plain)}
    found |= {
        _value(match)
        for match in _CHINESE_NUMBER.findall(plain)
        if match not in ("一", "两", "万", "千", "百")
    }
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
            total = (total + section + digit) * _UNITS[sign]
            section = digit = 0
    return float(total + section + digit)


def unproven(answer: str, proofs: Sequence[str], names: Collection[str]) -> list[str]:
    """Numbers and known names of an answer that stand in none of its proofs.

    Args:
        proofs: its quotations, and the question.
        names: names that are somebody's.
    """
    proven = "\n".join(proofs)
    known = numbers(proven)
    found = [f"{number:g}" for number in sorted(numbers(answer) - known)]
    return found + [name for name in names if name in answer and name not in proven]

"""Chinese text written the same whatever it was typed with: script, width, spaces, quotation marks."""

from __future__ import annotations

import functools
import re
from typing import Any

OPEN = "“"
CLOSE = "”"
_HAN = "\u3400-\u9fff\uf900-\ufaff"
_PAIRS = {",": "，", ":": "：", ";": "；", "?": "？", "!": "！"}
_NARROW_MARKS = {wide: narrow for narrow, wide in _PAIRS.items()}
_MARKS = set(_PAIRS) | set(_NARROW_MARKS)
_SAME = str.maketrans(
    {
        "「": "“",
        "」": "”",
        "『": "‘",
        "』": "’",
        "．": ".",
        "｡": "。",
        "､": "、",
        "（": "(",
        "）": ")",
    }
)
_NARROW = {
    code: code - 0xFEE0
    for code in (*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B))
}
_CJK = re.compile(rf"[{_HAN}。、“”‘’《》（）—…]")
_BRACKETS = re.compile(
    rf"\((?=[^()]*[{_HAN}])([^()]*)\)|(?<=[{_HAN}])\(([^()]*)\)|\(([^()]*)\)(?=[{_HAN}])"
)
_FULL_STOP = re.compile(rf"(?<=[{_HAN}”])\.(?![A-Za-z0-9.])")
SENTENCE_ENDS = "。！？；…，、：”!?;,:~"


@functools.lru_cache(maxsize=1)
def _to_simplified() -> Any:
    import opencc  # loads its dictionaries; not needed to start

    return opencc.OpenCC("t2s")


@functools.lru_cache(maxsize=4096)
def normalise(text: str) -> str:
    """One spelling for what readers take as the same: spacing, width, traditional characters, quotation marks.

    Spaces are kept only between Latin words. Idempotent.
    """
    text = text.translate(_NARROW).translate(_SAME)
    if not re.search(rf"[{_HAN}]", text):
        return _spaces(text)
    text = _spaces(_pair_straight_marks(_simplify(text)))
    text = _BRACKETS.sub(lambda found: f"（{found[1] or found[2] or found[3] or ''}）", text)
    return _spaces(_set_width(_spaces(_FULL_STOP.sub("。", text))))


def after_opening(text: str) -> int:
    """Where the words of a reply in marks begin."""
    return len(text) - len(text.lstrip().removeprefix(OPEN))


def closing_of(text: str, opening: int) -> int:
    """Where the mark stands that closes the opening one at a place; -1 where there is none."""
    depth = 0
    for place in range(opening, len(text)):
        depth += (text[place] == OPEN) - (text[place] == CLOSE)
        if depth == 0:
            return place
    return -1


def _simplify(text: str) -> str:
    """Traditional text to simplified. Text in which only characters of the simplified set would change stays as it is:
    孙乾 is a name, not a 孙干."""
    converted: str = _to_simplified().convert(text)
    if len(converted) == len(text) and all(
        new == old or _in_simplified_set(old) for new, old in zip(converted, text, strict=True)
    ):
        return text
    return converted


def _in_simplified_set(character: str) -> bool:
    try:
        character.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True


def _set_width(text: str) -> str:
    """A comma and its like is wide beside Chinese (blanks and other such marks looked through) and narrow between Latin."""
    rest = [c for c in text if c not in _MARKS and c != " "]
    seen, out = 0, []
    for position, character in enumerate(text):
        if character not in _MARKS:
            seen += character != " "
            out.append(character)
            continue
        beside = [rest[seen - 1]] if seen else []
        beside += [rest[seen]] if seen < len(rest) else []
        tight = (
            text[position - 1 : position].isalnum() and text[position + 1 : position + 2].isalnum()
        )  # 3:4, a,b
        latin = tight and not _CJK.match(text[position - 1]) and not _CJK.match(text[position + 1])
        if (
            any(_CJK.match(c) for c in beside)
            and not latin
            and text[position : position + 3] != "://"
        ):
            out.append(_PAIRS.get(character, character))
        else:
            out.append(_NARROW_MARKS.get(character, character))
    return "".join(out)


def _spaces(text: str) -> str:
    """At most one blank, and only between two ASCII characters."""
    text = re.sub(r"[\s\u200b\ufeff]+", " ", text).strip()
    return re.sub(r"(?<![!-~]) | (?![!-~])", "", text)


def _pair_straight_marks(text: str) -> str:
    parts = re.split('["＂]', text)
    return (
        "".join(part + (OPEN if i % 2 == 0 else CLOSE) for i, part in enumerate(parts[:-1]))
        + parts[-1]
    )

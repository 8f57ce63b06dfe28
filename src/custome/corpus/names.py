"""The head of a clause: what can be a name there, and where a predicate may begin."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .words import WordSet, grammar, surnames

_NOT_A_NAME = re.compile(
    r"^[忽只不无有此其之自相却遂乃又因便就只正方都也还再更最很把被将与和从在到向对比这那一个某]|[曰道之其而了着的得不]|^(?:说|笑|问|听|见|想|看)|一人$|个$|[处里上下中前后内外间边时旁毕罢讫]$"
)

LONGEST_CLAUSE = 40
"""Characters of a clause that are read; what is before them cannot be its subject any more."""


CJK = re.compile(r"[\u3400-\u9fff\U00020000-\U0003ffff]+")


def predicate_starts(clause: str) -> list[bool]:
    """For every position: does the rest of the clause read as …adverbs, objects, verb of speech… up to its end?"""
    w, size = grammar(), len(clause)
    ok = [False] * (size + 1)
    for i in range(size - 1, -1, -1):
        for verb in w.verbs.all_at(clause, i):
            rest = clause[i + len(verb) :]
            if not rest or rest in w.tails:
                ok[i] = True
        if not ok[i]:
            ok[i] = any(ok[i + len(word)] for word in w.adverbs.all_at(clause, i))
        if not ok[i]:  # 谓玄德曰: a verb, its object, and again a predicate
            for word in w.objects.all_at(clause, i):
                first = i + len(word) + 1
                if any(ok[first : first + 6]):
                    ok[i] = True
                    break
    return ok


class Lexicon:
    """The names a book uses, and which single characters may be names (操曰)."""

    def __init__(self, names: Iterable[str], singles: Iterable[str] = ()) -> None:
        self.names = WordSet(name for name in names if len(name) > 1)
        self.singles = frozenset(singles) - grammar().never

    def with_singles(self, singles: Iterable[str]) -> Lexicon:
        other = Lexicon((), singles)
        other.names = self.names
        return other


def skip_lead(clause: str, lexicon: Lexicon | None) -> int:
    """Position after 却说, 只见, 旁边 … that stand before a subject."""
    position = 0
    while position < len(clause):
        if lexicon is not None and lexicon.names.at(clause, position):
            break
        lead = grammar().lead.at(clause, position)
        if not lead:
            break
        position += len(lead)
    return position


def name_guess(clause: str, *, singles: bool) -> str:
    """What could be the name of the subject of a cue, or '': the shortest beginning after which the rest is a predicate.

    Args:
        singles: may one character be a name (操曰)? A surname takes the next character all the same: 王进道.
    """
    clause = clause[skip_lead(clause, None) :]
    if double := _of_double_surname(clause):
        return double
    title = grammar().roles.at(clause, 0)
    if title and clause[len(title) : len(title) + 1] in surnames():
        clause = clause[len(title) :]
    if not clause or len(clause) > LONGEST_CLAUSE:
        return ""
    ok = predicate_starts(clause)
    if ok[0]:
        return ""
    title = grammar().roles.at(clause, 1) if clause[0] in surnames() else ""
    if title and ok[1 + len(title)]:  # 吕枢密道
        return clause[: 1 + len(title)]
    wife = re.match(r"[\u4e00-\u9fff]{1,3}家的", clause)  # 周瑞家的: the wife of
    if wife and wife.end() < len(ok) and ok[wife.end()]:
        return wife.group()
    ends = [i for i in range(1, min(6, len(clause))) if ok[i]]
    if (
        ends[:2] == [1, 2]
        and clause[1] not in grammar().never
        and (clause[0] in surnames() or not singles)
    ):
        ends = ends[1:]
    return clause[: ends[0]] if ends and may_be_name(clause[: ends[0]]) else ""


def _of_double_surname(clause: str) -> str:
    """呼延灼 of 呼延灼道, whose 呼 would else be a verb; 司徒王允 is no such name."""
    family = clause[:2]
    if family not in surnames() or family in grammar().roles or len(clause) > LONGEST_CLAUSE:
        return ""
    ok = predicate_starts(clause)
    end = next((i for i in (3, 4) if i < len(clause) and ok[i]), 0)
    return clause[:end] if end and may_be_name(clause[:end]) else ""


def may_be_name(name: str) -> bool:
    w = grammar()
    return not (
        _NOT_A_NAME.search(name)
        or not CJK.fullmatch(name)
        or name in w.never
        or name in w.adverbs
        and len(name) > 1
        or w.crowd.at(name, 0)
        or name[-1] in "道曰说问"
        or name in w.lead_words
    )


def looks_like_a_name(mention: str) -> bool:
    return (
        mention[0] in surnames()
        or mention[:2] in surnames()
        or mention[0] in "老小"
        and mention[1:2] in surnames()
    )

"""One book's names: what its cues call people, who is meant by a mention, and the lexicon of a chapter.

Knows the text and its quotations, not who speaks them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from .aliases import AliasTable
from .joins import Joins
from .modern_names import NARRATOR, modern_names, narrator, pronouns_of
from .names import Lexicon, name_guess
from .quotes import Quotation
from .subjects import is_predicate_word, is_role
from .words import surnames

LOOK_BACK = 2_000
"""Characters before a chapter in which its people may be named: a chapter often begins in the middle of a scene."""
LEAST_CUES = 3
"""What does not begin with a surname must be called so often to be a name …"""
FEW_CUES = 200
"""… except in a text with fewer cues than this."""
FIRST_SHARE = 0.35
"""A name opens its sentence at least so often; 拍案 and 鼓掌 follow a comma."""


class Book:
    """One book's names. Build once, then read chapter by chapter."""

    def __init__(
        self,
        text: str,
        quotations: Sequence[Quotation],
        table: AliasTable | None,
        *,
        modern: bool = False,
    ) -> None:
        """Args:
        modern: most of what is said has no 某某道： in front.
        """
        self.text = text
        cues = [
            _clause_before(text, q.start)
            for q in quotations
            if q.depth == 0 and text[q.start - 1 : q.start] in "：:"
        ]
        self.classical = sum(clause.endswith("曰") for clause, _ in cues) > 0.5 * len(cues)
        self.found = _names_of_cues(cues, self.classical)
        self.narrator = narrator(text, quotations) if modern else NARRATOR
        also = modern_names(text, quotations) if modern else {}
        if self.narrator != NARRATOR:
            also[self.narrator] = also.get(self.narrator, 1)
        self.found = {**self.found, **also}
        self._few = len(cues) < FEW_CUES
        if table is None:
            self._owners: dict[str, tuple[str, ...]] = {}
            kept = {
                name: count
                for name, count in self.found.items()
                if is_role(name) or len(name) == 1 or name in also or self._is_name(name)
            }
            table = Joins(text, quotations, kept, surnames()).table()
        self.table = table
        self._owners = self.table.owners()
        self._singles: set[str] = set()
        if self.classical:
            self._singles = {name for name in (*self._owners, *self.found) if len(name) == 1}
            self._singles |= {
                name[1] for name in self._owners if len(name) == 2 and name[0] in surnames()
            }
            self._singles |= {
                name[1]
                for name, count in self.found.items()
                if len(name) == 2 and name[0] in surnames() and count >= 3
            }
        names = [
            name
            for name in self.found
            if len(name) > 1 and not is_role(name) and (name in also or self._is_name(name))
        ]
        self._given: dict[str, tuple[str, ...]] = {}
        for person in self.table.people:
            self._given[person[1:]] = (*self._given.get(person[1:], ()), person)
        self._pronouns = pronouns_of(text, list(self._owners)) if modern else {}
        self.lexicon = Lexicon([*self._owners, *names])

    def lexicon_of(self, start: int, end: int) -> Lexicon:
        """The lexicon for one chapter: one character is a name only where somebody who bears it is named in full."""
        chapter = self.text[max(0, start - LOOK_BACK) : end]
        bearers = {single for single in self._singles if self._is_borne(single, chapter)}
        return self.lexicon.with_singles(bearers)

    def given(self, name: str) -> tuple[str, ...]:
        """People whose given name it is."""
        return self._given.get(name, ())

    def called_so(self, person: str, pronoun: str) -> bool | None:
        """Does the book call this person 他, or 她? None where it calls them neither."""
        counts: Counter[str] = Counter()
        for name in (person, *self.table.people.get(person, ())):
            counts.update(self._pronouns.get(name, {}))
        other = "她" if pronoun == "他" else "他"
        return counts[pronoun] >= counts[other] if counts else None

    def _is_name(self, name: str) -> bool:
        """Does a guess hold against the rest of the book? 孙权失 (惊) does not beside 孙权, nor what only stands before 曰."""
        count = self.found[name]
        if any(
            name[:end] in self._owners or self.found.get(name[:end], 0) >= count
            for end in range(2, len(name))
        ):
            return False
        return (
            count >= LEAST_CUES
            or self._few
            or len(name) <= 4
            and self.text.count(name) >= count + 2
        )

    def _is_borne(self, single: str, chapter: str) -> bool:
        owners = self._owners.get(single, ())
        if any(
            name in chapter
            for owner in owners
            for name in (owner, *self.table.people[owner])
            if len(name) > 1
        ):
            return True
        place = chapter.find(single, 1)
        while place > 0:
            if chapter[place - 1] in surnames():
                return True
            place = chapter.find(single, place + 1)
        return False

    def canonical(self, mention: str, chapter: int, position: int) -> str:
        """The person a mention at `position` means: by the table, else by the last full name that ends with it.

        Args:
            chapter: offset of the chapter's start: nobody is looked for before it.
        """
        chapter = max(0, chapter - LOOK_BACK)
        owners = self._owners.get(mention, ())
        role = is_role(mention)
        if len(owners) == 1 and len(mention) > 1 and not role:
            return owners[0]
        best, at = "", -1
        for owner in owners:
            if (place := self._last_named(owner, chapter, position)) > at:
                best, at = owner, place
        if not role and (len(mention) == 1 or len(mention) == 2 and not owners and self.classical):
            full, place = self._last_full_name(mention, chapter, position)
            if place > at and (full in self._owners or not best):
                best, at = self._owners.get(full, (full,))[0], place
        if best:
            return best
        return owners[0] if len(owners) == 1 and not role else mention

    def _last_named(self, person: str, chapter: int, position: int) -> int:
        names = (person, *self.table.people.get(person, ()))
        return max(
            self.text.rfind(name, chapter, position)
            for name in names
            if len(name) > 1
            and len(self._owners.get(name, ())) == 1
            and not is_role(name)
            or name == person
        )

    def _last_full_name(self, given: str, chapter: int, position: int) -> tuple[str, int]:
        """The surname + `given` that the chapter mentions last before `position`, and where; people the table has first, for
        宣卓入 has no 宣卓 in it where 董卓 is about."""
        place, first = position, ("", -1)
        for _ in range(60):
            place = self.text.rfind(given, chapter, place)
            if place < 0:
                break
            for size in (2, 1):
                family = self.text[max(chapter, place - size) : place]
                if family in surnames() and family + given in self._owners:
                    return family + given, place
                if family in surnames() and not first[0]:
                    first = family + given, place
        return first


def _clause_before(text: str, position: int) -> tuple[str, bool]:
    """The clause that ends right before a mark, without its colon; and whether it is the first of its sentence."""
    stretch = text[max(0, position - 40) : position].rstrip("：:，, ")
    cut = max(stretch.rfind(mark) for mark in "，,。！？!?；;：:”’」』\n\u3000")
    return stretch[cut + 1 :], cut < 0 or stretch[cut] not in "，,："


def _names_of_cues(cues: Sequence[tuple[str, bool]], classical: bool) -> dict[str, int]:
    """What the cues of a book call people, with how often. Guesses of different length for one name are settled."""
    counts: Counter[str] = Counter()
    firsts: Counter[str] = Counter()
    for clause, first in cues:
        name = name_guess(clause, singles=classical)
        if name:
            counts[name] += 1
            firsts[name] += first
    least = 1 if len(cues) < FEW_CUES else LEAST_CUES
    kept: dict[str, int] = {}
    for name, count in counts.items():
        alone = classical and len(name) == 1  # counts only beside a full name
        if (
            count < least
            and name[0] not in surnames()
            and not alone
            or firsts[name] < FIRST_SHARE * count
            and not alone
        ):
            continue
        if len(name) == 2 and counts[name[0]] > 2 * count and is_predicate_word(name[1]):
            continue  # 云笑 beside 云
        kept[name] = count
    return kept

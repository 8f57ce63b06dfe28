"""Utterances become a data set: split by chapter, without repeats, without leaks, with a funnel that says what went.

Knows rows, not novels.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Protocol

from ..types import Character, Utterance

SHINGLE = 4
"""Characters per shingle of the near-duplicate check."""
CHARACTER_LEAST = 10
"""A person needs this many utterances to be offered as a character."""
CHAPTERS_ENOUGH = 20
"""A book with fewer chapters is split by blocks of utterances."""
BLOCK = 20
"""Utterances in such a block."""
NEAR_DUPLICATE = 0.7
"""A validation quotation that shares this much of its shingles with one training quotation is a leak."""

_NOT_LETTERS = re.compile(r"[^\w]")


def held_out(utterances: Sequence[Utterance], share: float) -> set[tuple[str, int, int]]:
    """Which units are kept for validation: about `share` of them, at least one where there are two.

    A unit is a chapter; in a book of few chapters, a block of neighbouring utterances. The same answer on every machine
    and in every order.
    """
    units = {unit for unit, _ in with_units(utterances)}
    if len(units) < 2:
        return set()
    order = sorted(units, key=lambda unit: hashlib.sha256(repr(unit).encode()).digest())
    return set(order[: max(1, round(share * len(units)))])


def with_units(utterances: Sequence[Utterance]) -> list[tuple[tuple[str, int, int], Utterance]]:
    """Every utterance with the unit (novel, chapter, block) it belongs to."""
    chapters: dict[str, set[int]] = defaultdict(set)
    for utterance in utterances:
        chapters[utterance.novel].add(utterance.chapter)
    seen: Counter[str] = Counter()
    found = []
    for utterance in utterances:
        by_chapter = len(chapters[utterance.novel]) >= CHAPTERS_ENOUGH
        block = 0 if by_chapter else seen[utterance.novel] // BLOCK
        seen[utterance.novel] += 1
        found.append(((utterance.novel, utterance.chapter if by_chapter else 0, block), utterance))
    return found


def drop_repeats(utterances: Iterable[Utterance]) -> list[Utterance]:
    """Without rows whose context and quotation both occurred before."""
    first: dict[tuple[str, str], Utterance] = {}
    for utterance in utterances:
        first.setdefault((utterance.context, utterance.quote), utterance)
    return list(first.values())


def drop_leaks(valid: Sequence[Utterance], train: Sequence[Utterance]) -> list[Utterance]:
    """Validation rows whose quotation does not occur, or nearly occur, in training."""
    letters = [_NOT_LETTERS.sub("", u.quote) for u in valid]
    seen = {_NOT_LETTERS.sub("", u.quote) for u in train}
    owners: dict[str, list[int]] = defaultdict(list)
    for index, text in enumerate(letters):
        for shingle in _shingles(text):
            owners[shingle].append(index)
    leaked = {index for index, text in enumerate(letters) if text in seen}
    for text in seen:
        shared = Counter(index for shingle in _shingles(text) for index in owners.get(shingle, ()))
        leaked |= {i for i, count in shared.items() if count >= NEAR_DUPLICATE * len(_shingles(letters[i]))}
    return [u for index, u in enumerate(valid) if index not in leaked]


def _shingles(text: str) -> set[str]:
    return {text[i : i + SHINGLE] for i in range(len(text) - SHINGLE + 1)}


class Spoken(Protocol):
    """Anything that knows who speaks: an utterance of a novel, a row of training data."""

    @property
    def speaker(self) -> str: ...
    @property
    def mention(self) -> str: ...


def characters(spoken: Iterable[Spoken]) -> list[Character]:
    """The people of a data set, most talkative first; `cue` is what the text calls them most (two characters or more)."""
    counts: Counter[str] = Counter()
    mentions: dict[str, Counter[str]] = defaultdict(Counter)
    for row in spoken:
        if row.speaker:
            counts[row.speaker] += 1
            mentions[row.speaker][row.mention] += len(row.mention) > 1
    people = []
    for name, count in counts.most_common():
        cue, times = mentions[name].most_common(1)[0]
        if count >= CHARACTER_LEAST:
            people.append(Character(name=name, cue=cue if times else name, utterances=count))
    return people

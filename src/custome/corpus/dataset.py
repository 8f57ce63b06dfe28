"""Utterances become a data set: split by chapter, without repeats, without leaks, with a funnel that says what went.

Knows rows, not novels.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from ..types import Character, Utterance

SHINGLE = 4
"""Characters per shingle of the near-duplicate check."""
NEAR_DUPLICATE = 0.7
"""A validation quotation that shares this much of its shingles with one training quotation is a leak."""

_NOT_LETTERS = re.compile(r"[^\w]")


def in_validation(novel: str, chapter: int, share: float) -> bool:
    """Is this chapter held out? The same answer on every machine and in every order."""
    digest = hashlib.sha256(f"{novel}/{chapter}".encode()).digest()
    return int.from_bytes(digest[:4], "big") < share * 2**32


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


def characters(utterances: Iterable[Utterance], least: int = 5) -> list[Character]:
    """The people of a data set, most talkative first; `cue` is what the text calls them most (two characters or more)."""
    counts: Counter[str] = Counter()
    mentions: dict[str, Counter[str]] = defaultdict(Counter)
    for utterance in utterances:
        if utterance.speaker:
            counts[utterance.speaker] += 1
            mentions[utterance.speaker][utterance.mention] += 1
    people = []
    for name, count in counts.most_common():
        long = [(mention, n) for mention, n in mentions[name].most_common() if len(mention) > 1]
        if count >= least:
            people.append(Character(name=name, cue=long[0][0] if long else name, utterances=count))
    return people

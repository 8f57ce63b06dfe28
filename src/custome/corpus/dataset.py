"""Utterances become a data set: split by chapter, without repeats, without leaks, with a funnel that says what went.

Knows rows, not novels.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from ..types import Character, Exchange, Portrait, Sample, Utterance
from .subjects import is_role

SHINGLE = 4
"""Characters per shingle of the near-duplicate check."""
CHARACTER_LEAST = 10
"""A person needs this many utterances to be offered as a character."""
OPENING_LONGEST = 8
"""A favourite opening is a first clause of at most so many characters."""
CHAPTERS_ENOUGH = 20
"""A book with fewer chapters is split by blocks of utterances."""
BLOCK = 20
"""Utterances in such a block."""
NEAR_DUPLICATE = 0.7
"""A validation quotation that shares this much of its shingles with one training quotation is a leak."""

_NOT_LETTERS = re.compile(r"[^\w]")


Unit = tuple[str, int, int]
"""Novel, chapter, block."""


def held_out(units: Iterable[Unit], share: float) -> tuple[set[Unit], set[Unit]]:
    """Which units are kept for validation and which for the test: about `share` of each novel's, at least one where there
    are enough.

    A unit is a chapter; in a book of few chapters, a block of neighbouring utterances. The same answer on every machine
    and in every order, and for a book whatever other books stand beside it.
    """
    valid: set[Unit] = set()
    test: set[Unit] = set()
    by_novel: dict[str, set[Unit]] = defaultdict(set)
    for unit in units:
        by_novel[unit[0]].add(unit)
    for own in by_novel.values():
        order = sorted(own, key=lambda unit: hashlib.sha256(repr(unit).encode()).digest())
        count = max(1, round(share * len(order)))
        valid.update(order[:count] if len(order) > 1 else ())
        test.update(order[count : 2 * count] if len(order) > 2 * count else ())
    return valid, test


def with_units(utterances: Sequence[Utterance]) -> list[tuple[Unit, Utterance]]:
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
        leaked |= {
            i for i, count in shared.items() if count >= NEAR_DUPLICATE * len(_shingles(letters[i]))
        }
    return [u for index, u in enumerate(valid) if index not in leaked]


def _shingles(text: str) -> set[str]:
    return {text[i : i + SHINGLE] for i in range(len(text) - SHINGLE + 1)}


class HasSpeaker(Protocol):
    """Anything that knows who speaks: an utterance of a novel, a row of training data."""

    @property
    def speaker(self) -> str: ...
    @property
    def mention(self) -> str: ...


LAST_SENTENCE = 24
"""A name this close to the end of a context is the one its cue uses."""
NOBODY = frozenset({"群体", "某人"})
"""Speakers who are nobody to talk to: a crowd, somebody unnamed."""


def characters(spoken: Iterable[HasSpeaker]) -> list[Character]:
    """The people of a data set, most talkative first; `cue` is what the text calls them most (two characters or more).

    Whoever the text calls by a role noun only (军士, 那人, 国王) is nobody in particular and is left out.
    """
    counts: Counter[str] = Counter()
    mentions: dict[str, Counter[str]] = defaultdict(Counter)
    for row in spoken:
        written = getattr(row, "rule", "") == "written"  # a play may well have a 国王
        nobody = row.speaker in NOBODY or not written and is_role(row.speaker)
        if row.speaker and not nobody and "、" not in row.speaker:
            counts[row.speaker] += 1
            named = len(row.mention) > 1 and (written or not is_role(row.mention))
            mentions[row.speaker][row.mention] += named
    people = []
    for name, count in counts.most_common():
        cue, times = mentions[name].most_common(1)[0]
        if count >= CHARACTER_LEAST:
            people.append(Character(name=name, cue=cue if times else name, utterances=count))
    return people


def canonical_cues(sample: Sample) -> Sample:
    """The sample with its speakers' canonical names in the cues: 操曰 → 曹操曰, and where a cue names nobody, 遂问曰 →
    曹操遂问曰. A crowd, somebody unnamed and rows without a speaker stay as they are."""
    earlier = tuple(_canonical(exchange) for exchange in sample.earlier)
    return replace(_canonical(sample), earlier=earlier)


def with_main_characters(samples: Sequence[Sample], count: int) -> list[Sample]:
    """Samples in which one of the `count` most talkative people speaks; all of them where nobody is known by name."""
    speakers = Counter(name for sample in samples for name in _speakers(sample))
    for nobody in (*NOBODY, ""):
        del speakers[nobody]
    main = {name for name, _ in speakers.most_common(count)}
    found = [sample for sample in samples if main.intersection(_speakers(sample))]
    return found or list(samples)


def _speakers(sample: Sample) -> list[str]:
    return [*(exchange.speaker for exchange in sample.earlier), sample.speaker]


Cued = TypeVar("Cued", Sample, Exchange)


def _canonical(row: Cued) -> Cued:
    name, mention, context = row.speaker, row.mention, row.context
    if not name or name in NOBODY or "、" in name or name in context[-LAST_SENTENCE:]:
        return replace(row, mention=name) if name and name in context[-LAST_SENTENCE:] else row
    place = context.rfind(mention, max(0, len(context) - LAST_SENTENCE)) if mention else -1
    if place < 0:
        place = max(context.rfind(mark, 0, len(context) - 1) for mark in "，。！？；”") + 1
        mention = ""
    return replace(
        row, context=context[:place] + name + context[place + len(mention) :], mention=name
    )


def portraits(
    utterances: Sequence[Utterance], aliases: Mapping[str, Sequence[str]]
) -> list[Portrait]:
    """The people of a corpus with what it knows of them.

    Args:
        utterances: in story order; whom somebody answers is the speaker before, in the same chapter.
        aliases: canonical name → other names.
    """
    chapters: dict[str, set[tuple[str, int]]] = defaultdict(set)
    partners: dict[str, Counter[str]] = defaultdict(Counter)
    openings: dict[str, Counter[str]] = defaultdict(Counter)
    names = {name for person, others in aliases.items() for name in (person, *others)}
    before = None
    for utterance in utterances:
        name = utterance.speaker
        chapters[name].add((utterance.novel, utterance.chapter))
        opening = _NOT_LETTERS.split(utterance.quote.lstrip("“‘"), maxsplit=1)[0]
        habit = 1 < len(opening) <= OPENING_LONGEST and opening not in names
        openings[name][opening] += habit
        partner = utterance.addressee
        if (
            not partner
            and before is not None
            and (before.novel, before.chapter) == (utterance.novel, utterance.chapter)
        ):
            partner = before.speaker
        partners[name][partner] += partner not in NOBODY and partner not in ("", name)
        before = utterance
    return [
        Portrait(
            name=person.name,
            cue=person.cue,
            utterances=person.utterances,
            aliases=tuple(aliases.get(person.name, ())),
            chapters=len(chapters[person.name]),
            speaks_to=tuple(pair for pair in partners[person.name].most_common(8) if pair[1]),
            openings=tuple(
                words for words, count in openings[person.name].most_common(6) if count > 1
            ),
        )
        for person in characters(utterances)
    ]

"""Numbers about replies: who talks like this, how generic, how long, in role. Text in, numbers out; knows no engine.

distinct-n: Li et al. 2016, arXiv 1510.03055. Self-BLEU: Zhu et al. 2018, arXiv 1802.01886, on characters.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from ..apps.cosplay.choosing import pairs
from ..corpus.voices import Voices

NEAR = 0.6
"""Two replies that share this much of their pairs of characters (Jaccard) are nearly the same."""
DISTINCT_AMONG = 8_000
"""Pairs of characters that distinct-2 looks at: it falls with the length of the text, so all are measured on as many."""
BLEU_AMONG = 240
"""Replies that self-BLEU compares."""
_PUNCTUATION = re.compile(r"[^\w]")


def letters(text: str) -> str:
    """Without marks and blanks."""
    return _PUNCTUATION.sub("", text)


def recognised(voices: Voices, said: Sequence[tuple[str, str]]) -> dict[str, float]:
    """Share of each person's replies that the classifier gives to that person."""
    right: dict[str, list[bool]] = defaultdict(list)
    for name, text in said:
        right[name].append(voices.who(text) == name)
    return {name: sum(hits) / len(hits) for name, hits in right.items()}


def pairs_of(text: str) -> frozenset[str]:
    return pairs(text) or frozenset([letters(text)])


def similarity(one: str, other: str) -> float:
    """Jaccard index of the pairs of characters, 1 for the same words."""
    a, b = pairs_of(one), pairs_of(other)
    return len(a & b) / len(a | b)


def nearly_same(texts: Sequence[str], groups: Sequence[object] | None = None) -> list[bool]:
    """For each text: is there another that is nearly the same? With `groups` only texts of another group count."""
    sets = [pairs_of(text) for text in texts]
    owners: dict[str, list[int]] = defaultdict(list)
    for index, own in enumerate(sets):
        for pair in own:
            owners[pair].append(index)
    found = []
    for index, own in enumerate(sets):
        shared = Counter(other for pair in own for other in owners[pair])
        found.append(
            any(
                count >= NEAR * (len(own) + len(sets[other]) - count)
                for other, count in shared.items()
                if other != index and (groups is None or groups[other] != groups[index])
            )
        )
    return found


def same(texts: Sequence[str]) -> float:
    """Share of texts that another is, letter for letter."""
    counts = Counter(letters(text) for text in texts)
    return sum(count for count in counts.values() if count > 1) / len(texts) if texts else math.nan


def longest_run(text: str, book: str) -> int:
    """Characters of the longest piece of `text` that stands in `book`, marks left out of both."""
    found, start, text = 0, 0, letters(text)
    while start + found < len(text):
        if text[start : start + found + 1] in book:
            found += 1
        else:
            start += 1
    return found


def distinct(texts: Sequence[str], n: int = 2, among: int = DISTINCT_AMONG) -> float:
    """Share of different n-grams of characters among the first `among` of a fixed shuffle of the texts."""
    order = np.random.default_rng(0).permutation(len(texts))
    grams: list[str] = []
    for index in order:
        text = letters(texts[index])
        grams += [text[i : i + n] for i in range(len(text) - n + 1)]
        if len(grams) >= among:
            break
    grams = grams[:among]
    return len(set(grams)) / len(grams) if grams else math.nan


def self_bleu(texts: Sequence[str], among: int = BLEU_AMONG) -> float:
    """Mean BLEU-4 on characters of each text against all others: 1 when all say the same."""
    order = np.random.default_rng(0).permutation(len(texts))[:among]
    chosen = [letters(texts[index]) for index in order if len(letters(texts[index])) >= 4]
    counts = [
        [Counter(t[i : i + n] for i in range(len(t) - n + 1)) for n in (1, 2, 3, 4)] for t in chosen
    ]
    total = 0.0
    for index, own in enumerate(counts):
        logs = 0.0
        for n in range(4):
            best: Counter[str] = Counter()
            for other, theirs in enumerate(counts):
                if other != index:
                    best |= own[n] & theirs[n]
            logs += math.log((best.total() + 1e-9) / own[n].total())
        total += math.exp(logs / 4)
    return total / len(counts) if counts else math.nan


def out_of_role(
    text: str, name: str, words: Mapping[str, Sequence[str]], names: Mapping[str, Sequence[str]]
) -> str:
    """What in a reply falls out of the role, or '': an assistant's phrase, a word of another era, another person's name as
    one's own. What the question itself said may be repeated; take it out beforehand.

    Args:
        words: kind → phrases.
        names: person → all names of theirs.
    """
    for phrases in words.values():
        for phrase in phrases:
            if phrase in text:
                return phrase
    claimed = re.search(
        r"(?:我|吾|俺|某|洒家)(?:乃|便是|就是|是|叫做|叫|姓)([\u4e00-\u9fff]{2,3})", text
    )
    if claimed:
        owner = next(
            (
                p
                for p, own in names.items()
                if any(claimed[1].startswith(n) for n in (p, *own) if len(n) > 1)
            ),
            name,
        )
        if owner != name:
            return claimed[0]
    return ""


def mean_length(texts: Sequence[str]) -> float:
    """In characters, marks included."""
    return sum(map(len, texts)) / len(texts) if texts else math.nan

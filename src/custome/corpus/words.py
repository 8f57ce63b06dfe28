"""The words of the grammar of cues (data/cues.json, simplified) and longest-match look-up in them."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def words() -> dict[str, Any]:
    """The word lists of the grammar."""
    return json.loads((files("custome") / "data" / "cues.json").read_text(encoding="utf-8"))


@cache
def surnames() -> frozenset[str]:
    return frozenset(words()["surnames"]) | frozenset(words()["compound_surnames"])


class WordSet:
    """Longest-match look-up of a list of words."""

    def __init__(self, entries: Iterable[str]) -> None:
        by_first: dict[str, list[str]] = defaultdict(list)
        for word in dict.fromkeys(entries):
            if word:
                by_first[word[0]].append(word)
        self._by_first = {
            first: sorted(group, key=lambda w: -len(w)) for first, group in by_first.items()
        }

    def at(self, text: str, position: int) -> str:
        """The longest word that stands in `text` at `position`, or ''."""
        for word in self._by_first.get(text[position : position + 1], ()):
            if text.startswith(word, position):
                return word
        return ""

    def all_at(self, text: str, position: int) -> list[str]:
        return [
            w
            for w in self._by_first.get(text[position : position + 1], ())
            if text.startswith(w, position)
        ]

    def ends(self, text: str, position: int) -> bool:
        """Does any of the words end at `position`?"""
        return any(text[max(0, position - n) : position] in self for n in (3, 2, 1))

    def __contains__(self, word: str) -> bool:
        return bool(word) and word in self._by_first.get(word[0], ())


class Grammar:
    """The word lists, ready to be looked up."""

    def __init__(self) -> None:
        w = words()
        self.lead = WordSet(x for x in w["lead"] if len(x) > 1)
        self.short_lead = WordSet(x for x in w["lead"] if len(x) == 1)
        self.adverbs = WordSet(w["adverbs"])
        self.verbs = WordSet(w["verbs"])
        self.objects = WordSet(w["objects"])
        self.addressing = WordSet(w["addressing"])
        self.lead_words = frozenset(w["lead"])
        self.never = frozenset(w["never_names"])
        self.pronouns = sorted(w["pronouns"], key=len, reverse=True)
        self.places = frozenset(w["places"])
        self.plural = tuple(w["plural"])
        self.sending = re.compile(rf"(?:{'|'.join(w['sending'])})了?$")
        self.relations = tuple(sorted(w["relations"], key=len, reverse=True))
        self.kin = frozenset(w["kin"])
        self.passive = tuple(w["passive"])
        self.safe_before = frozenset(w["safe_before"])
        self.existential = w["existential"]
        self.tails = frozenset(w["tails"])
        self.crowd = WordSet(w["crowd"])
        self.roles = WordSet(w["roles"])
        self.pivots = re.compile("|".join(sorted(w["emotion_pivots"], key=len, reverse=True)))
        self.thought = re.compile("|".join(w["thought"]))


@cache
def grammar() -> Grammar:
    return Grammar()

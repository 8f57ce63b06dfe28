"""The stock of scenes (data/plots.json), and a scene: a kind of the stock with somebody in every slot. Knows the brief's people."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from .brief import Brief, Person

_SLOT = re.compile(r"\{(他?.)\}")
_OTHERS = "物地秘"
"""Slots for what is nobody: the thing, the place, the secret."""
_KEYWORD = re.compile(r"\[(.+?)\]")


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A kind of scene; its texts have slots for people and things."""

    name: str
    acts: str
    needs: tuple[str, ...]
    does: tuple[str, ...]
    halves: tuple[str, ...]
    """Half a couplet each; ~ is where an adverb may stand."""
    events: tuple[str, ...]
    beats: tuple[str, ...]
    """What happens one after the other; what must be named stands in brackets."""
    spare: tuple[int, ...] = ()
    """Beats, by their place, that may be left out where the chapter is long enough."""
    death: str = ""
    """Who dies in it."""
    ends: bool = False
    people: tuple[str, ...] = ()
    """Letters of those it needs, as they stand in its texts."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A frame with somebody in every slot."""

    frame: Frame
    words: Mapping[str, str]
    """Slot → who or what stands in it."""
    event: str

    @property
    def place(self) -> str:
        return self.words["地"]

    @property
    def people(self) -> tuple[str, ...]:
        """Who is named in it."""
        told = self.event + "".join(event for event, _ in self.beats())
        found = dict.fromkeys(self.words[letter] for letter in self.frame.people)
        return tuple(name for name in found if name in told)

    def beats(self, *, spared: int = 0) -> list[tuple[str, tuple[str, ...]]]:
        """(what happens, what must be named), one after the other.

        Args:
            spared: how many that may be left out are.
        """
        out = self.frame.spare[:spared]
        every = enumerate(self.frame.beats)
        return [marked(filled(beat, self.words)) for at, beat in every if at not in out]

    def kept(self) -> dict[str, str]:
        """What it takes to make it again: its kind and who and what stands in it."""
        known = stock()["letters"].keys() | set(_OTHERS)
        return {"种": self.frame.name, **{k: v for k, v in self.words.items() if k in known}}

    def half_titles(self) -> list[str]:
        return [filled(half, self.words) for half in self.frame.halves]


def scene_again(kept: Mapping[str, str], brief: Brief, told: str) -> Scene | None:
    """The scene that was kept; None where no kind of the stock says what stands at the beginning of `told`, or somebody is missing."""
    people = {one.name: one for one in brief.people}
    words = {**stock()["words"][brief.era], **kept}
    words |= pronouns(words, people)
    for row in stock()["frames"]:
        if row["name"] == kept.get("种"):
            for text in row["events"]:
                frame, event = frame_of(row), filled(text, words)
                if told.startswith(event) and words.keys() >= {"地", *frame.people}:
                    return Scene(frame=frame, words=words, event=event)
    return None


def marked(beat: str) -> tuple[str, tuple[str, ...]]:
    """A text without its brackets, and what stood in them."""
    return _KEYWORD.sub(r"\1", beat), tuple(dict.fromkeys(_KEYWORD.findall(beat)))


def pronouns(words: Mapping[str, str], people: Mapping[str, Person]) -> dict[str, str]:
    """他 or 她, for whoever stands in a slot."""
    return {
        f"他{letter}": "她" if people[words[letter]].gender == "女" else "他"
        for letter in stock()["letters"]
        if words.get(letter) in people
    }


def filled(text: str, words: Mapping[str, str]) -> str:
    return _SLOT.sub(lambda match: words.get(match.group(1), match.group()), text)


def frame_of(row: Mapping[str, Any]) -> Frame:
    slots = _SLOT.findall("".join((*row["events"], *row["beats"], *row["halves"])))
    letters = dict.fromkeys(one[-1] for one in slots)
    return Frame(
        name=row["name"],
        acts=row["acts"],
        needs=(*row["needs"], *row.get("also", ())),
        does=tuple(row["does"]),
        halves=tuple(row["halves"]),
        events=tuple(row["events"]),
        beats=tuple(row["beats"]),
        spare=tuple(row.get("spare", ())),
        death=row.get("death", ""),
        ends=row.get("ends", False),
        people=tuple(one for one in letters if one in stock()["letters"]),
    )


@functools.cache
def stock() -> dict[str, Any]:
    raw = (files("custome") / "data" / "plots.json").read_text(encoding="utf-8")
    stock: dict[str, Any] = json.loads(raw)
    return stock

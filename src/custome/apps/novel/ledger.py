"""What is so after each chapter: who holds what, who is caught, hurt, dead, who knows the secret; and the promises, shown and made good.

It comes from the plan, which keeps it true, with the sentence that made it so; whether the chapter as it is read says so too is looked up.
"""

from __future__ import annotations

from dataclasses import dataclass

from .folder import NovelFolder
from .planning import scenes_of
from .stock import Scene, filled, stock


@dataclass(frozen=True, kw_only=True)
class Fact:
    """Something that is so from a chapter on."""

    chapter: int
    text: str
    quote: str
    """The plan's sentence that tells it."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A promise of the brief, and how it stands."""

    what: str
    planted: int
    paid: int
    shown: bool
    """Does the chapter where it is to be shown, as it is read, name it?"""
    made_good: bool


def ledger(folder: NovelFolder) -> list[Fact]:
    """What the scenes of the outline make so; rows that somebody worded anew are not known."""
    brief = folder.brief()
    found: list[Fact] = []
    for row in folder.outline():
        some = scenes_of(brief, row)
        for scene in some:
            found += [
                Fact(chapter=row.number, text=text, quote=scene.event)
                for fact in scene.frame.does
                if (text := told(fact, scene))
            ]
        found += [
            Fact(chapter=row.number, text=f"{one.name}死了", quote=row.event)
            for one in brief.people
            if one.dies == row.number and not _dies_in(one.name, some)
        ]
    return found


def promises(folder: NovelFolder) -> list[Kept]:
    """The promises of the brief."""
    return [
        Kept(
            what=one.what,
            planted=one.planted,
            paid=one.paid,
            shown=_names(folder, one.planted, one.words),
            made_good=_names(folder, one.paid, one.words),
        )
        for one in folder.brief().promises
    ]


def told(fact: str, scene: Scene) -> str:
    """A fact in words: 囚 友 → 顾三娘被抓走了; '' for what goes without saying."""
    head, *rest = fact.removeprefix("!").split()
    yes, no = stock()["facts"][head]
    words = {**scene.words, "谁": scene.words[rest[0]] if rest else ""}
    return filled(no if fact.startswith("!") else yes, words)


def _dies_in(name: str, some: list[Scene]) -> bool:
    return any(one.frame.death and one.words[one.frame.death] == name for one in some)


def _names(folder: NovelFolder, number: int, words: tuple[str, ...]) -> bool:
    return any(word in folder.chapter(number) for word in words)

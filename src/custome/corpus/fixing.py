"""Edits of a corpus's alias tables: two names become one person or stay two, or a name goes. Knows no file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..errors import InputError
from .aliases import AliasTable, Doubt, bound_from, is_bound


def merge(table: AliasTable, alias: str, person: str) -> AliasTable:
    """`alias` is another name of `person`; where it was a person of its own, its names go along. 妇人@24-26 is one in those
    chapters.

    Raises:
        DataError: chapters that are none.
    """
    people = {name: list(aliases) for name, aliases in table.people.items()}
    bound = {name: list(words) for name, words in table.bound.items()}
    people.setdefault(person, [])
    if is_bound(alias):
        bound.setdefault(person, []).append(bound_from(alias, person))
    else:
        people[person] += [alias, *people.pop(alias, [])]
        bound[person] = [*bound.get(person, []), *bound.pop(alias, [])]
    return replace(
        table,
        people={
            name: tuple(dict.fromkeys(a for a in aliases if a != name))
            for name, aliases in people.items()
        },
        bound={name: tuple(dict.fromkeys(words)) for name, words in bound.items() if words},
    )


def drop(table: AliasTable, name: str) -> AliasTable:
    """Without a person, or without an alias (妇人, 妇人@24-26) wherever it stands.

    Raises:
        InputError: nobody goes by that name.
    """
    bound = {
        person: tuple(one for one in words if name not in (str(one), one.word))
        for person, words in table.bound.items()
        if person != name
    }
    if name not in table.owners() and bound == table.bound:
        raise InputError(f"别名表里没有 {name!r}", "看看表里有谁：语料目录里的 aliases/*.json")
    people = {
        person: tuple(a for a in aliases if a != name)
        for person, aliases in table.people.items()
        if person != name
    }
    return replace(
        table, people=people, bound={who: words for who, words in bound.items() if words}
    )


def parse_merge(text: str) -> tuple[str, str]:
    """别名=人名 → (alias, person).

    Raises:
        InputError: another shape.
    """
    alias, sign, person = (part.strip() for part in text.partition("="))
    if not sign or not alias or not person:
        raise InputError(f"看不懂 {text!r}", "写成 别名=人名，例如 --alias 玄德=刘备")
    return alias, person


def edited(table: AliasTable, merges: Sequence[str], drops: Sequence[str]) -> AliasTable:
    """A table after some merges and drops, in that order; names this book does not know are left alone."""
    for text in merges:
        alias, person = parse_merge(text)
        table = merge(table, alias, person)
    for name in drops:
        table = drop(table, name)
    return table


def answered(table: AliasTable, doubt: Doubt, same: bool) -> AliasTable:
    """A table after the reader's word on a doubtful join; questions that it answers too are gone with it."""
    left = tuple(one for one in table.doubts if one != doubt)
    if not same:
        return replace(table, doubts=left, apart=(*table.apart, (doubt.alias, doubt.person)))
    merged = merge(table, doubt.alias, doubt.person)
    renamed = (
        replace(one, alias=_now(one.alias, doubt), person=_now(one.person, doubt)) for one in left
    )
    return replace(
        merged,
        doubts=tuple(dict.fromkeys(one for one in renamed if one.alias != one.person)),
        why={**merged.why, doubt.alias: f"你说的；{doubt.reason}"},
    )


def _now(name: str, doubt: Doubt) -> str:
    return doubt.person if name == doubt.alias else name

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
    owners = table.owners().get(person, ())
    if person not in table.people and len(owners) == 1:  # 王强 = 苏晴, who is 林舟 already
        person = owners[0]
    if alias == person:
        return table
    people = {name: list(aliases) for name, aliases in table.people.items()}
    bound = {name: list(words) for name, words in table.bound.items()}
    people.setdefault(person, [])
    if is_bound(alias):
        bound.setdefault(person, []).append(bound_from(alias, person))
    else:
        people[person] += [alias, *people.pop(alias, [])]
        bound[person] = [*bound.get(person, []), *bound.pop(alias, [])]
    return _settled(
        replace(
            table,
            people={
                name: tuple(dict.fromkeys(a for a in aliases if a != name))
                for name, aliases in people.items()
            },
            bound={name: tuple(dict.fromkeys(words)) for name, words in bound.items() if words},
            apart=tuple(pair for pair in table.apart if set(pair) != {alias, person}),
        )
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
        table,
        people=people,
        bound={who: words for who, words in bound.items() if words},
        why={alias: reason for alias, reason in table.why.items() if alias != name},
        doubts=tuple(one for one in table.doubts if name not in (one.alias, one.person)),
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
    table = replace(table, doubts=tuple(one for one in table.doubts if one != doubt))
    if not same:
        return _settled(replace(table, apart=(*table.apart, (doubt.alias, doubt.person))))
    merged = merge(table, doubt.alias, doubt.person)
    return replace(merged, why={**merged.why, doubt.alias: f"你说的；{doubt.reason}"})


def _settled(table: AliasTable) -> AliasTable:
    """Without questions that are answered: of two names that are one person's by now, or of two people who are known to be two."""
    owners = table.owners()

    def person(name: str) -> str:
        bearers = owners.get(name, ())
        return bearers[0] if len(bearers) == 1 else name

    apart = {frozenset(map(person, pair)) for pair in table.apart}
    left: dict[frozenset[str], Doubt] = {}
    for one in table.doubts:
        now = Doubt(alias=person(one.alias), person=person(one.person), reason=one.reason)
        pair = frozenset((now.alias, now.person))
        if len(pair) == 2 and pair not in apart:
            left.setdefault(pair, now)
    return replace(table, doubts=tuple(left.values()))

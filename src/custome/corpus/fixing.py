"""Edits of a corpus's alias tables: two names become one person, or a name goes. Knows no file."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import InputError
from .aliases import AliasTable


def merge(table: AliasTable, alias: str, person: str) -> AliasTable:
    """`alias` is another name of `person`; where it was a person of its own, its names go along."""
    people = {name: list(aliases) for name, aliases in table.people.items()}
    moved = [alias, *people.pop(alias, [])]
    people.setdefault(person, [])
    people[person] += [name for name in moved if name != person]
    return AliasTable(
        title=table.title,
        people={name: tuple(dict.fromkeys(aliases)) for name, aliases in people.items()},
    )


def drop(table: AliasTable, name: str) -> AliasTable:
    """Without a person, or without an alias wherever it stands.

    Raises:
        InputError: nobody goes by that name.
    """
    if name not in table.owners():
        raise InputError(f"别名表里没有 {name!r}", "看看表里有谁：语料目录里的 aliases/*.json")
    people = {
        person: tuple(a for a in aliases if a != name)
        for person, aliases in table.people.items()
        if person != name
    }
    return AliasTable(title=table.title, people=people)


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

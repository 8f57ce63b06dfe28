"""Turns as rows of the database: read with their versions, added, copied whole. Knows sessions, and nobody's rights."""

from __future__ import annotations

import time
from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from .records import Turn
from .tables import TurnRow, VersionRow


def turns_of(session: Session, chat: str) -> tuple[Turn, ...]:
    """All turns of a conversation that were not taken away, in order."""
    turns = _rows(session, chat)
    versions = _versions(session, turns)
    return tuple(_as_turn(turn, versions[turn.id]) for turn in turns)


def add_turns(
    session: Session, chat: str, turns: Sequence[Turn], *, finished: bool = True
) -> list[int]:
    """Whole turns behind the last one, with their versions; returns their ids."""
    ids = []
    for place, turn in enumerate(turns, next_place(session, chat)):
        row = TurnRow(
            chat=chat,
            place=place,
            name=turn.name,
            by_user=turn.by_user,
            chosen=turn.chosen,
            present=None if turn.present is None else list(turn.present),
        )
        session.add(row)
        session.flush()
        session.add_all(
            VersionRow(
                turn=row.id,
                number=number,
                text=words,
                finished=finished,
                stats=dict(turn.stats) if number == turn.chosen else {},
                created=time.time(),
            )
            for number, words in enumerate(turn.versions)
        )
        ids.append(row.id)
    return ids


def copy_turns(session: Session, chat: str, copy: str, last: int) -> None:
    """Turns of a conversation into another, up to and with one of them; every version keeps how it came about."""
    turns = _rows(session, chat)
    upto = [one.id for one in turns].index(last) + 1
    versions = _versions(session, turns)
    for turn in turns[:upto]:
        row = TurnRow(
            chat=copy,
            place=turn.place,
            name=turn.name,
            by_user=turn.by_user,
            chosen=turn.chosen,
            present=turn.present,
        )
        session.add(row)
        session.flush()
        session.add_all(
            VersionRow(
                turn=row.id,
                number=one.number,
                text=one.text,
                finished=True,
                stats=dict(one.stats),
                created=one.created,
            )
            for one in versions[turn.id]
        )


def next_place(session: Session, chat: str) -> int:
    """Behind the last turn, those that were taken away among them."""
    return (session.scalar(select(func.max(TurnRow.place)).where(TurnRow.chat == chat)) or 0) + 1


def _rows(session: Session, chat: str) -> Sequence[TurnRow]:
    return session.scalars(
        select(TurnRow)
        .where(TurnRow.chat == chat, TurnRow.deleted.is_(None))
        .order_by(TurnRow.place, TurnRow.id)
    ).all()


def _versions(session: Session, turns: Sequence[TurnRow]) -> dict[int, list[VersionRow]]:
    """Turn → its versions, by number."""
    found: dict[int, list[VersionRow]] = {turn.id: [] for turn in turns}
    query = select(VersionRow).where(VersionRow.turn.in_(found)).order_by(VersionRow.number)
    for version in session.scalars(query):
        found[version.turn].append(version)
    return found


def _as_turn(turn: TurnRow, versions: Sequence[VersionRow]) -> Turn:
    chosen = min(turn.chosen, max(0, len(versions) - 1))
    return Turn(
        id=turn.id,
        name=turn.name,
        by_user=turn.by_user,
        versions=tuple(v.text for v in versions),
        chosen=chosen,
        finished=not versions or versions[chosen].finished,
        present=None if turn.present is None else tuple(turn.present),
        stats=dict(versions[chosen].stats) if versions else {},
    )

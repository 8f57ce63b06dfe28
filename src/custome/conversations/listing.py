"""The list of somebody's conversations, with what was said last or what was searched for."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from .records import ChatInfo
from .tables import ChatRow, TurnRow, VersionRow


def listed(
    session: Session,
    owner: str,
    app: str,
    search: str,
    limit: int,
    states: Sequence[str] = (),
) -> list[ChatInfo]:
    """An owner's conversations in an app, the latest first; with `search` those in whose title or text it stands.

    Args:
        states: what "state" of their scene is one of; any without.
    """
    turns = (
        select(func.count())
        .where(TurnRow.chat == ChatRow.id, TurnRow.deleted.is_(None))
        .scalar_subquery()
    )
    said = select(VersionRow.text).join(TurnRow, VersionRow.turn == TurnRow.id)
    said = said.where(TurnRow.chat == ChatRow.id, TurnRow.deleted.is_(None))
    query = select(ChatRow).where(
        ChatRow.owner == owner, ChatRow.app == app, ChatRow.deleted.is_(None)
    )
    if states:
        query = query.where(ChatRow.scene["state"].as_string().in_(states))
    if search:
        wanted = f"%{search.replace('%', '').replace('_', '')}%"
        inside = (
            select(TurnRow.chat)
            .join(VersionRow, VersionRow.turn == TurnRow.id)
            .where(VersionRow.text.like(wanted), TurnRow.deleted.is_(None))
        )
        query = query.where(ChatRow.title.like(wanted) | ChatRow.id.in_(inside))
        said = said.where(VersionRow.text.like(wanted))
    else:
        said = said.where(VersionRow.number == TurnRow.chosen)
    last = said.order_by(TurnRow.place.desc(), TurnRow.id.desc()).limit(1).scalar_subquery()
    whole = query.add_columns(turns, last).order_by(ChatRow.updated.desc()).limit(limit)
    return [
        ChatInfo(
            id=chat.id,
            title=chat.title,
            updated=chat.updated,
            turns=count,
            scene=dict(chat.scene),
            last=text or "",
        )
        for chat, count, text in session.execute(whole).all()
    ]

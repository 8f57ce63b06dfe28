"""The tables of the store. A change here needs a migration beside it (migrations/versions)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, Double, ForeignKey, Index, LargeBinary, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class ChatRow(Base):
    __tablename__ = "chats"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    app: Mapped[str] = mapped_column(String(40))
    owner: Mapped[str] = mapped_column(String(80), index=True)
    title: Mapped[str] = mapped_column(Text)
    model: Mapped[str] = mapped_column(Text, default="")
    scene: Mapped[dict[str, Any]] = mapped_column(JSON)
    """What the app keeps with a conversation."""
    summary: Mapped[dict[str, Any]] = mapped_column(JSON)
    """A store.Summary."""
    parent: Mapped[str | None] = mapped_column(String(32), default=None)
    created: Mapped[float] = mapped_column(Double)
    updated: Mapped[float] = mapped_column(Double)
    deleted: Mapped[float | None] = mapped_column(Double, default=None)


class TurnRow(Base):
    __tablename__ = "turns"
    __table_args__ = (Index("turns_in_order", "chat", "place"),)
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    chat: Mapped[str] = mapped_column(ForeignKey("chats.id"))
    place: Mapped[int]
    name: Mapped[str] = mapped_column(Text)
    by_user: Mapped[bool]
    chosen: Mapped[int] = mapped_column(default=0)
    present: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True), default=None)
    """Who was there to hear it; NULL for everybody."""
    deleted: Mapped[float | None] = mapped_column(Double, default=None)


class VersionRow(Base):
    __tablename__ = "versions"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    turn: Mapped[int] = mapped_column(ForeignKey("turns.id"), index=True)
    number: Mapped[int]
    text: Mapped[str] = mapped_column(Text)
    finished: Mapped[bool]
    stats: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """How the reply came about: tokens, finish reason."""
    created: Mapped[float] = mapped_column(Double)


class ThingRow(Base):
    """What an app keeps for an owner beside conversations: a character card, a game, a shop."""

    __tablename__ = "things"
    owner: Mapped[str] = mapped_column(String(80), primary_key=True)
    app: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    data: Mapped[bytes] = mapped_column(LargeBinary)
    """A file that belongs to it; b'' for none."""
    updated: Mapped[float] = mapped_column(Double)

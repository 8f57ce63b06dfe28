"""Conversations, kept as they happen: SQLite in one file, or PostgreSQL by its URL. Every call is one transaction.

A turn has versions (retries to swipe through); a reply that is being written is a version that is not finished yet, so that a
crash costs at most its tail. Nothing is really deleted: what is taken away is marked, and can be brought back.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    create_engine,
    delete,
    event,
    func,
    select,
    text,
    update,
)
from sqlalchemy.engine import Engine as Database
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from ...errors import InputError, StoreError

WAIT_S = 10
"""How long a write waits for another one."""
LONGEST_TITLE = 60


class _Base(DeclarativeBase):
    pass


class _Chat(_Base):
    __tablename__ = "chats"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    owner: Mapped[str] = mapped_column(String(80), index=True)
    title: Mapped[str] = mapped_column(Text)
    model: Mapped[str] = mapped_column(Text, default="")
    settings: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    parent: Mapped[str | None] = mapped_column(String(32), default=None)
    created: Mapped[float]
    updated: Mapped[float]
    deleted: Mapped[float | None] = mapped_column(default=None)


class _Turn(_Base):
    __tablename__ = "turns"
    __table_args__ = (Index("turns_in_order", "chat", "place"),)
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    chat: Mapped[str] = mapped_column(ForeignKey("chats.id"))
    place: Mapped[int]
    name: Mapped[str] = mapped_column(Text)
    by_user: Mapped[bool]
    chosen: Mapped[int] = mapped_column(default=0)
    deleted: Mapped[float | None] = mapped_column(default=None)


class _Version(_Base):
    __tablename__ = "versions"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    turn: Mapped[int] = mapped_column(ForeignKey("turns.id"), index=True)
    number: Mapped[int]
    text: Mapped[str] = mapped_column(Text)
    finished: Mapped[bool]
    told: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    created: Mapped[float]


class _Picture(_Base):
    __tablename__ = "pictures"
    owner: Mapped[str] = mapped_column(String(80), primary_key=True)
    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)


class _Card(_Base):
    __tablename__ = "cards"
    owner: Mapped[str] = mapped_column(String(80), primary_key=True)
    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    content: Mapped[dict[str, Any]] = mapped_column(JSON)


@dataclass(frozen=True, kw_only=True)
class ChatInfo:
    """A conversation in a list."""

    id: str
    title: str
    updated: float
    """Seconds since 1970."""
    turns: int


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One thing said, in all its versions."""

    id: int
    name: str
    by_user: bool
    versions: tuple[str, ...]
    chosen: int = 0
    finished: bool = True
    """The chosen version was written to its end."""

    @property
    def text(self) -> str:
        return self.versions[self.chosen] if self.versions else ""


@dataclass(frozen=True, kw_only=True)
class Chat:
    """A conversation, whole."""

    id: str
    title: str
    model: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    turns: tuple[Turn, ...] = ()
    parent: str | None = None


class Store:
    """All conversations of everybody; each is seen by its owner only.

    Args:
        url: a file's path for SQLite, or a URL such as postgresql+psycopg://user@host/name.

    Raises:
        StoreError: it cannot be opened or written to; the reason is told.
    """

    def __init__(self, url: str | Path) -> None:
        self.where = str(url)
        with self._guarded():
            if "://" not in self.where:
                path = Path(self.where).expanduser()
                path.parent.mkdir(parents=True, exist_ok=True)
                self.where = f"sqlite:///{path}"
            arguments = {"timeout": WAIT_S} if self.where.startswith("sqlite") else {}
            self._database = create_engine(self.where, connect_args=arguments, pool_pre_ping=True)
            if self._database.dialect.name == "sqlite":
                _careful(self._database)
            _Base.metadata.create_all(self._database)
            with self._database.begin() as connection:  # may it be written to?
                connection.execute(text("UPDATE chats SET deleted = deleted WHERE id = ''"))

    def close(self) -> None:
        self._database.dispose()

    # -- conversations -----------------------------------------------------------------------------------------------

    def begin(
        self,
        owner: str,
        title: str,
        *,
        model: str = "",
        settings: dict[str, Any] | None = None,
        parent: str | None = None,
    ) -> str:
        """A new conversation; returns its id."""
        now = time.time()
        chat = _Chat(
            id=uuid.uuid4().hex,
            owner=owner,
            title=title[:LONGEST_TITLE],
            model=model,
            settings=settings or {},
            parent=parent,
            created=now,
            updated=now,
        )
        with self._session() as session:
            session.add(chat)
            return chat.id

    def chats(self, owner: str, search: str = "", limit: int = 200) -> list[ChatInfo]:
        """An owner's conversations, the latest first; with `search` those in whose title or text it stands."""
        turns = (
            select(func.count())
            .where(_Turn.chat == _Chat.id, _Turn.deleted.is_(None))
            .scalar_subquery()
        )
        query = select(_Chat, turns).where(_Chat.owner == owner, _Chat.deleted.is_(None))
        if search.strip():
            wanted = f"%{search.strip().replace('%', '').replace('_', '')}%"
            inside = (
                select(_Turn.chat)
                .join(_Version, _Version.turn == _Turn.id)
                .where(_Version.text.like(wanted), _Turn.deleted.is_(None))
            )
            query = query.where(_Chat.title.like(wanted) | _Chat.id.in_(inside))
        with self._session() as session:
            rows = session.execute(query.order_by(_Chat.updated.desc()).limit(limit)).all()
            return [
                ChatInfo(id=chat.id, title=chat.title, updated=chat.updated, turns=count)
                for chat, count in rows
            ]

    def read(self, chat: str, owner: str) -> Chat:
        """A conversation, whole.

        Raises:
            InputError: there is none, or it is somebody else's.
        """
        with self._session() as session:
            found = self._own(session, chat, owner)
            turns = session.scalars(
                select(_Turn)
                .where(_Turn.chat == chat, _Turn.deleted.is_(None))
                .order_by(_Turn.place, _Turn.id)
            ).all()
            versions: dict[int, list[_Version]] = {turn.id: [] for turn in turns}
            query = select(_Version).where(_Version.turn.in_(versions)).order_by(_Version.number)
            for version in session.scalars(query):
                versions[version.turn].append(version)
            return Chat(
                id=found.id,
                title=found.title,
                model=found.model,
                settings=dict(found.settings),
                parent=found.parent,
                turns=tuple(_as_turn(turn, versions[turn.id]) for turn in turns),
            )

    def rename(self, chat: str, owner: str, title: str) -> None:
        if not title.strip():
            raise InputError("对话的名字是空的", "写一个名字")
        self._change(chat, owner, title=title.strip()[:LONGEST_TITLE])

    def set(
        self,
        chat: str,
        owner: str,
        *,
        settings: dict[str, Any] | None = None,
        model: str | None = None,
    ) -> None:
        """Other settings, or another model."""
        changed: dict[str, Any] = {"settings": settings} if settings is not None else {}
        self._change(chat, owner, **changed, **({"model": model} if model is not None else {}))

    def remove(self, chat: str, owner: str) -> None:
        self._change(chat, owner, deleted=time.time())

    def bring_back(self, chat: str, owner: str) -> None:
        """Undo `remove`; or, in a conversation that is there, the latest deletion of turns."""
        with self._session() as session:
            found = self._own(session, chat, owner, deleted_too=True)
            if found.deleted is not None:
                found.deleted = None
                return
            latest = session.scalar(select(func.max(_Turn.deleted)).where(_Turn.chat == chat))
            session.execute(
                update(_Turn)
                .where(_Turn.chat == chat, _Turn.deleted == latest)
                .values(deleted=None)
            )

    def bring_back_latest(self, owner: str) -> str:
        """Undo the latest `remove`; returns the conversation's id, '' where there is none."""
        with self._session() as session:
            query = select(_Chat).where(_Chat.owner == owner, _Chat.deleted.is_not(None))
            found = session.scalars(query.order_by(_Chat.deleted.desc()).limit(1)).first()
            if found is None:
                return ""
            found.deleted = None
            return found.id

    def branch(
        self, chat: str, owner: str, turn: int, *, settings: dict[str, Any] | None = None
    ) -> str:
        """A copy of a conversation up to and with one of its turns.

        Args:
            settings: other ones than its own.
        """
        whole = self.read(chat, owner)
        places = [one.id for one in whole.turns]
        if turn not in places:
            raise InputError(f"这段对话里没有第 {turn} 句", "它可能已经删了")
        kept = whole.settings if settings is None else settings
        copy = self.begin(
            owner, f"{whole.title} · 分支", model=whole.model, settings=kept, parent=chat
        )
        self.fill(copy, owner, whole.turns[: places.index(turn) + 1])
        return copy

    def fill(self, chat: str, owner: str, turns: Sequence[Turn]) -> None:
        """Add whole turns, with their versions."""
        with self._session() as session:
            self._own(session, chat, owner)
            start = self._next_place(session, chat)
            for place, turn in enumerate(turns, start):
                row = _Turn(
                    chat=chat, place=place, name=turn.name, by_user=turn.by_user, chosen=turn.chosen
                )
                session.add(row)
                session.flush()
                session.add_all(
                    _Version(
                        turn=row.id,
                        number=number,
                        text=words,
                        finished=True,
                        told={},
                        created=time.time(),
                    )
                    for number, words in enumerate(turn.versions)
                )

    # -- characters somebody brought along ----------------------------------------------------------------------------

    def keep_card(
        self, owner: str, name: str, content: dict[str, Any], picture: bytes = b""
    ) -> None:
        """Keep a character card (its JSON) and the picture it came in under its name, in place of an older one."""
        with self._session() as session:
            session.merge(_Card(owner=owner, name=name, content=content))
            session.merge(_Picture(owner=owner, name=name, content=picture))

    def picture(self, owner: str, name: str) -> bytes:
        """The picture somebody's card came in; b'' where it came in none."""
        with self._session() as session:
            found = session.get(_Picture, (owner, name))
            return found.content if found is not None else b""

    def cards(self, owner: str) -> dict[str, dict[str, Any]]:
        """An owner's cards by name."""
        with self._session() as session:
            rows = session.scalars(select(_Card).where(_Card.owner == owner).order_by(_Card.name))
            return {row.name: dict(row.content) for row in rows}

    def drop_card(self, owner: str, name: str) -> None:
        with self._session() as session:
            if (found := session.get(_Card, (owner, name))) is not None:
                session.delete(found)

    # -- turns -------------------------------------------------------------------------------------------------------

    def say(
        self, chat: str, owner: str, name: str, words: str, *, by_user: bool, finished: bool = True
    ) -> int:
        """Add a turn at the end; returns its id. With `finished` False it is being written."""
        with self._session() as session:
            found = self._own(session, chat, owner)
            turn = _Turn(
                chat=chat, place=self._next_place(session, chat), name=name, by_user=by_user
            )
            session.add(turn)
            session.flush()
            session.add(
                _Version(
                    turn=turn.id,
                    number=0,
                    text=words,
                    finished=finished,
                    told={},
                    created=time.time(),
                )
            )
            found.updated = time.time()
            return turn.id

    def another(self, chat: str, owner: str, turn: int) -> int:
        """A new, empty version of a turn, chosen from now on; returns its number."""
        with self._session() as session:
            row = self._turn(session, chat, owner, turn)
            number = session.scalar(select(func.count()).where(_Version.turn == turn)) or 0
            session.add(
                _Version(
                    turn=turn, number=number, text="", finished=False, told={}, created=time.time()
                )
            )
            row.chosen = number
            return number

    def write(
        self,
        chat: str,
        owner: str,
        turn: int,
        words: str,
        *,
        finished: bool,
        told: dict[str, Any] | None = None,
        number: int | None = None,
    ) -> None:
        """What a version of a turn says now.

        Args:
            told: how it came about, kept with it.
            number: which version; the chosen one without it.
        """
        with self._session() as session:
            row = self._turn(session, chat, owner, turn)
            changed: dict[str, Any] = {
                "text": words,
                "finished": finished,
                **({"told": told} if told is not None else {}),
            }
            which = row.chosen if number is None else number
            session.execute(
                update(_Version)
                .where(_Version.turn == turn, _Version.number == which)
                .values(**changed)
            )
            if finished:
                session.execute(update(_Chat).where(_Chat.id == chat).values(updated=time.time()))

    def drop_version(self, chat: str, owner: str, turn: int, number: int) -> None:
        """Take back a version nothing was written into, for good; a turn left without any goes as well."""
        with self._session() as session:
            row = self._turn(session, chat, owner, turn)
            session.execute(
                delete(_Version).where(_Version.turn == turn, _Version.number == number)
            )
            left = session.scalar(select(func.max(_Version.number)).where(_Version.turn == turn))
            if left is None:
                session.delete(row)
            elif row.chosen == number:
                row.chosen = max(0, number - 1)

    def take_back(self, chat: str, owner: str, turn: int) -> None:
        """A turn as if it had never been said."""
        with self._session() as session:
            row = self._turn(session, chat, owner, turn)
            session.execute(delete(_Version).where(_Version.turn == turn))
            session.delete(row)

    def choose(self, chat: str, owner: str, turn: int, number: int) -> None:
        """Show another version."""
        with self._session() as session:
            row = self._turn(session, chat, owner, turn)
            count = session.scalar(select(func.count()).where(_Version.turn == turn)) or 0
            row.chosen = max(0, min(number, count - 1))

    def delete(self, chat: str, owner: str, turn: int, *, following: bool = False) -> None:
        """Take a turn away, with `following` all that come after it too."""
        with self._session() as session:
            row = self._turn(session, chat, owner, turn)
            where = (_Turn.place >= row.place) if following else (_Turn.id == turn)
            session.execute(
                update(_Turn).where(_Turn.chat == chat, where).values(deleted=time.time())
            )

    # -- inside ------------------------------------------------------------------------------------------------------

    @contextmanager
    def _session(self) -> Iterator[Session]:
        with (
            self._guarded(),
            Session(self._database, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except UnicodeError as error:
            raise InputError(f"有存不下的字符：{error}", "删掉它再试") from error
        except (SQLAlchemyError, OSError) as error:
            raise _explained(error, getattr(self, "where", "")) from error

    def _own(self, session: Session, chat: str, owner: str, deleted_too: bool = False) -> _Chat:
        found = session.get(_Chat, chat)
        if found is None or found.owner != owner or (found.deleted is not None and not deleted_too):
            raise InputError(
                f"没有这段对话：{chat!r}", "它可能已经删了，或是别人的；从列表里另选一段"
            )
        return found

    def _turn(self, session: Session, chat: str, owner: str, turn: int) -> _Turn:
        self._own(session, chat, owner)
        found = session.get(_Turn, turn)
        if found is None or found.chat != chat or found.deleted is not None:
            raise InputError(f"这段对话里没有第 {turn} 句", "它可能已经删了")
        return found

    def _next_place(self, session: Session, chat: str) -> int:
        return (session.scalar(select(func.max(_Turn.place)).where(_Turn.chat == chat)) or 0) + 1

    def _change(self, chat: str, owner: str, **values: Any) -> None:
        with self._session() as session:
            found = self._own(session, chat, owner)
            for name, value in values.items():
                setattr(found, name, value)


def _as_turn(turn: _Turn, versions: Sequence[_Version]) -> Turn:
    chosen = min(turn.chosen, max(0, len(versions) - 1))
    return Turn(
        id=turn.id,
        name=turn.name,
        by_user=turn.by_user,
        versions=tuple(v.text for v in versions),
        chosen=chosen,
        finished=not versions or versions[chosen].finished,
    )


def _careful(database: Database) -> None:
    """A crash costs no committed write; readers do not wait for writers."""

    @event.listens_for(database, "connect")
    def _(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()


_WHY = {
    "locked": ("别的程序锁着它", "关掉占用它的程序再试"),
    "readonly": ("它是只读的", "改权限，或换一个位置：--chats 别处/chats.db"),
    "read-only": ("它是只读的", "改权限，或换一个位置：--chats 别处/chats.db"),
    "full": ("磁盘满了", "腾出地方再试；之前存下的都在"),
    "no space": ("磁盘满了", "腾出地方再试；之前存下的都在"),
    "not a database": ("它不是对话库", "换一个文件：--chats 别处/chats.db"),
    "malformed": ("它坏了", "把它移开，会新建一个：--chats 别处/chats.db"),
    "file exists": ("那里有一个不是目录的文件", "换一个位置：--chats 别处/chats.db"),
    "unable to open": ("打不开这个文件", "检查目录和权限，或换一个位置：--chats 别处/chats.db"),
    "refused": ("连不上数据库", "先启动它，或检查地址"),
    "password": ("数据库不认这个用户或密码", "检查 --chats 的地址"),
    "does not exist": ("没有这个数据库", "先建好它：createdb 名字"),
}


def _explained(error: Exception, where: str) -> StoreError:
    told = str(error.orig if isinstance(error, DBAPIError) else error).strip().split("\n")[0]
    where = where.partition("@")[2] or where.removeprefix("sqlite:///")  # no password in a message
    for sign, (why, hint) in _WHY.items():
        if sign in told.lower():
            return StoreError(f"对话存不进 {where!r}：{why}", hint)
    kind = "连不上或写不进" if isinstance(error, OperationalError) else "出错"
    return StoreError(f"对话库 {where!r} {kind}：{told}", "检查磁盘和权限；完整经过：加 --debug")

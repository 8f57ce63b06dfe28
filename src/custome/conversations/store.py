"""Conversations, kept as they happen. Every call is one transaction.

A turn has versions (retries to swipe through); a reply that is being written is a version that is not finished yet, so that a
crash costs at most its tail. Nothing is really deleted: what is taken away is marked, and can be brought back.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from ..errors import InputError
from ..resources import custome_home
from .database import Database
from .listing import listed
from .records import Chat, ChatInfo, Summary, Turn
from .tables import ChatRow, ThingRow, TurnRow, VersionRow
from .things import Things
from .turn_rows import add_turns, copy_turns, turns_of

LONGEST_TITLE = 60


class Store:
    """All conversations of everybody; each is seen by its owner only.

    Args:
        url: see Database.

    Raises:
        StoreError: see Database.
    """

    def __init__(self, url: str | Path) -> None:
        self._database = Database(url)
        self.url, self._session = self._database.url, self._database.session

    def close(self) -> None:
        self._database.close()

    # -- conversations -----------------------------------------------------------------------------------------------

    def begin(
        self,
        owner: str,
        title: str,
        *,
        app: str = "cosplay",
        model: str = "",
        scene: Mapping[str, Any] | None = None,
        summary: Summary | None = None,
        parent: str | None = None,
    ) -> str:
        """A new conversation; returns its id."""
        now = time.time()
        chat = ChatRow(
            id=uuid.uuid4().hex,
            app=app,
            owner=owner,
            title=title[:LONGEST_TITLE],
            model=model,
            scene=dict(scene or {}),
            summary=vars(summary or Summary()),
            parent=parent,
            created=now,
            updated=now,
        )
        with self._session() as session:
            session.add(chat)
            return chat.id

    def chats(
        self,
        owner: str,
        search: str = "",
        limit: int = 200,
        *,
        app: str = "cosplay",
        states: Sequence[str] = (),
    ) -> list[ChatInfo]:
        """An owner's conversations in an app, the latest first; with `search` those in whose title or text it stands.

        Args:
            states: what "state" of their scene is one of; any without.
        """
        with self._session() as session:
            return listed(session, owner, app, search.strip(), limit, states)

    def read(self, chat: str, owner: str) -> Chat:
        """A conversation, whole.

        Raises:
            InputError: there is none, or it is somebody else's.
        """
        with self._session() as session:
            found = self._own(session, chat, owner)
            return Chat(
                id=found.id,
                title=found.title,
                app=found.app,
                model=found.model,
                scene=dict(found.scene),
                summary=Summary(**found.summary),
                parent=found.parent,
                turns=turns_of(session, chat),
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
        scene: Mapping[str, Any] | None = None,
        summary: Summary | None = None,
        model: str | None = None,
    ) -> None:
        """Another scene, summary or model."""
        changed: dict[str, Any] = {} if scene is None else {"scene": dict(scene)}
        changed |= {} if summary is None else {"summary": vars(summary)}
        changed |= {} if model is None else {"model": model}
        self._change(chat, owner, **changed)

    def scene(self, chat: str, owner: str) -> dict[str, Any]:
        """What the app keeps with a conversation, without its turns."""
        with self._session() as session:
            return dict(self._own(session, chat, owner).scene)

    def exchange(
        self,
        chat: str,
        owner: str,
        turns: Sequence[Turn],
        change: Callable[[dict[str, Any]], dict[str, Any]],
    ) -> dict[str, Any]:
        """Turns and another scene, all of it or nothing; returns the scene.

        Args:
            turns: added at the end, each with one version.
            change: as for `change`.
        """
        with self._session() as session:
            session.execute(update(ChatRow).where(ChatRow.id == chat).values(updated=time.time()))
            found = self._own(session, chat, owner)
            session.refresh(found)
            add_turns(session, chat, turns)
            found.scene = change(dict(found.scene))
            return dict(found.scene)

    def change(
        self, chat: str, owner: str, change: Callable[[dict[str, Any]], dict[str, Any]]
    ) -> dict[str, Any]:
        """Another scene, made of the one that is there now; two that change it at once do so one after the other.

        Args:
            change: the scene → what it becomes; whatever it raises leaves the scene as it is.
        """
        with self._session() as session:
            session.execute(  # the right to write comes first: what is read then is the latest
                update(ChatRow).where(ChatRow.id == chat).values(updated=time.time())
            )
            found = self._own(session, chat, owner)
            session.refresh(found)
            found.scene = change(dict(found.scene))
            return dict(found.scene)

    def remove(self, chat: str, owner: str) -> None:
        self._change(chat, owner, deleted=time.time())

    def bring_back(self, chat: str, owner: str, turn: int | None = None) -> None:
        """Undo `remove`; or, in a conversation that is there, a deletion of turns.

        Args:
            turn: one that was deleted; the latest deletion without.
        """
        with self._session() as session:
            found = self._own(session, chat, owner, deleted_too=True)
            if found.deleted is not None:
                found.deleted = None
                return
            one = TurnRow.chat == chat if turn is None else TurnRow.id == turn
            latest = session.scalar(
                select(func.max(TurnRow.deleted)).where(TurnRow.chat == chat, one)
            )
            session.execute(
                update(TurnRow)
                .where(TurnRow.chat == chat, TurnRow.deleted == latest)
                .values(deleted=None)
            )

    def bring_back_latest(self, owner: str) -> str:
        """Undo the latest `remove`; returns the conversation's id, '' where there is none."""
        with self._session() as session:
            query = select(ChatRow).where(ChatRow.owner == owner, ChatRow.deleted.is_not(None))
            found = session.scalars(query.order_by(ChatRow.deleted.desc()).limit(1)).first()
            if found is None:
                return ""
            found.deleted = None
            return found.id

    def branch(self, chat: str, owner: str, turn: int, *, summary: Summary | None = None) -> str:
        """A copy of a conversation up to and with one of its turns.

        Args:
            summary: another one than its own.
        """
        whole = self.read(chat, owner)
        places = [one.id for one in whole.turns]
        if turn not in places:
            raise InputError(f"这段对话里没有第 {turn} 句", "它可能已经删了")
        copy = self.begin(
            owner,
            f"{whole.title} · 分支",
            app=whole.app,
            model=whole.model,
            scene=whole.scene,
            summary=whole.summary if summary is None else summary,
            parent=chat,
        )
        with self._session() as session:
            copy_turns(session, chat, copy, turn)
        return copy

    def fill(self, chat: str, owner: str, turns: Sequence[Turn]) -> None:
        """Add whole turns, with their versions."""
        with self._session() as session:
            self._own(session, chat, owner)
            add_turns(session, chat, turns)

    def things(self, app: str, kind: str) -> Things:
        """What an app keeps beside conversations."""
        return Things(self._session, app, kind)

    def owners_of_things(self, app: str, kind: str) -> list[str]:
        """Who has things of a kind."""
        query = select(ThingRow.owner).where(ThingRow.app == app, ThingRow.kind == kind)
        with self._session() as session:
            return list(session.scalars(query.distinct()))

    # -- turns -------------------------------------------------------------------------------------------------------

    def say(
        self,
        chat: str,
        owner: str,
        name: str,
        words: str,
        *,
        by_user: bool,
        finished: bool = True,
        present: Sequence[str] | None = None,
        stats: Mapping[str, Any] | None = None,
    ) -> int:
        """Add a turn at the end; returns its id. With `finished` False it is being written.

        Args:
            present: who is there to hear it; None for everybody.
            stats: how it came about, kept with it.
        """
        with self._session() as session:
            found = self._own(session, chat, owner)
            said = Turn(
                id=0,
                name=name,
                by_user=by_user,
                versions=(words,),
                present=None if present is None else tuple(present),
                stats=dict(stats or {}),
            )
            (turn,) = add_turns(session, chat, [said], finished=finished)
            found.updated = time.time()
            return turn

    def another(self, chat: str, owner: str, turn: int) -> int:
        """A new, empty version of a turn, chosen from now on; returns its number."""
        with self._session() as session:
            row = self._turn(session, chat, owner, turn)
            number = session.scalar(select(func.count()).where(VersionRow.turn == turn)) or 0
            session.add(
                VersionRow(
                    turn=turn, number=number, text="", finished=False, stats={}, created=time.time()
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
        stats: dict[str, Any] | None = None,
        number: int | None = None,
    ) -> None:
        """What a version of a turn says now.

        Args:
            stats: how it came about, kept with it.
            number: which version; the chosen one without it.
        """
        with self._session() as session:
            row = self._turn(session, chat, owner, turn)
            changed: dict[str, Any] = {
                "text": words,
                "finished": finished,
                **({"stats": stats} if stats is not None else {}),
            }
            which = row.chosen if number is None else number
            session.execute(
                update(VersionRow)
                .where(VersionRow.turn == turn, VersionRow.number == which)
                .values(**changed)
            )
            if finished:
                session.execute(
                    update(ChatRow).where(ChatRow.id == chat).values(updated=time.time())
                )

    def drop_version(self, chat: str, owner: str, turn: int, number: int) -> None:
        """Take back a version nothing was written into, for good; a turn left without any goes as well."""
        with self._session() as session:
            row = self._turn(session, chat, owner, turn)
            session.execute(
                delete(VersionRow).where(VersionRow.turn == turn, VersionRow.number == number)
            )
            left = session.scalar(
                select(func.max(VersionRow.number)).where(VersionRow.turn == turn)
            )
            if left is None:
                session.delete(row)
            elif row.chosen == number:
                row.chosen = max(0, number - 1)

    def take_back(self, chat: str, owner: str, turn: int) -> None:
        """A turn as if it had never been said."""
        with self._session() as session:
            row = self._turn(session, chat, owner, turn)
            session.execute(delete(VersionRow).where(VersionRow.turn == turn))
            session.delete(row)

    def choose(self, chat: str, owner: str, turn: int, number: int) -> None:
        """Show another version."""
        with self._session() as session:
            row = self._turn(session, chat, owner, turn)
            count = session.scalar(select(func.count()).where(VersionRow.turn == turn)) or 0
            row.chosen = max(0, min(number, count - 1))

    def delete(self, chat: str, owner: str, turn: int, *, following: bool = False) -> None:
        """Take a turn away, with `following` all that come after it too."""
        with self._session() as session:
            row = self._turn(session, chat, owner, turn)
            where = (TurnRow.place >= row.place) if following else (TurnRow.id == turn)
            session.execute(
                update(TurnRow).where(TurnRow.chat == chat, where).values(deleted=time.time())
            )

    # -- inside ------------------------------------------------------------------------------------------------------

    def _own(self, session: Session, chat: str, owner: str, deleted_too: bool = False) -> ChatRow:
        found = session.get(ChatRow, chat)
        if found is None or found.owner != owner or (found.deleted is not None and not deleted_too):
            raise InputError(
                f"没有这段对话：{chat!r}", "它可能已经删了，或是别人的；从列表里另选一段"
            )
        return found

    def _turn(self, session: Session, chat: str, owner: str, turn: int) -> TurnRow:
        self._own(session, chat, owner)
        found = session.get(TurnRow, turn)
        if found is None or found.chat != chat or found.deleted is not None:
            raise InputError(f"这段对话里没有第 {turn} 句", "它可能已经删了")
        return found

    def _change(self, chat: str, owner: str, **values: Any) -> None:
        with self._session() as session:
            found = self._own(session, chat, owner)
            for name, value in values.items():
                setattr(found, name, value)


def open_store(where: str = "") -> Store:
    """The store at a path or URL; '' for the user's own, in the cache folder."""
    return Store(where or custome_home() / "chats.db")

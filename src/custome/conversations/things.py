"""What an app keeps for somebody beside conversations: rows of a name and JSON, no migration of its own. One call, one transaction."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from .records import Thing
from .tables import ThingRow


class Things:
    """All things of a kind that an app keeps, by owner and name."""

    def __init__(
        self, session: Callable[[], AbstractContextManager[Session]], app: str, kind: str
    ) -> None:
        self._session, self._app, self._kind = session, app, kind

    def keep(self, owner: str, thing: Thing) -> None:
        """Keep a thing under its name, in place of an older one."""
        key = {"owner": owner, "app": self._app, "kind": self._kind, "name": thing.name}
        values = {"content": thing.content, "data": thing.data, "updated": time.time()}
        with self._session() as session:
            insert = postgresql.insert if _dialect(session) == "postgresql" else sqlite.insert
            row = insert(ThingRow).values(**key, **values)
            session.execute(row.on_conflict_do_update(index_elements=list(key), set_=values))

    def get(self, owner: str, name: str) -> Thing | None:
        with self._session() as session:
            found = session.get(ThingRow, (owner, self._app, self._kind, name))
            return None if found is None else _as_thing(found)

    def latest(self, owner: str) -> tuple[int, float]:
        """(how many an owner has, when the last was written, in seconds)"""
        query = select(func.count(), func.max(ThingRow.updated)).where(
            ThingRow.owner == owner, ThingRow.app == self._app, ThingRow.kind == self._kind
        )
        with self._session() as session:
            count, last = session.execute(query).one()
            return count, last or 0.0

    def all(self, owner: str) -> list[Thing]:
        """An owner's, by name."""
        query = select(ThingRow).where(
            ThingRow.owner == owner, ThingRow.app == self._app, ThingRow.kind == self._kind
        )
        with self._session() as session:
            return [_as_thing(row) for row in session.scalars(query.order_by(ThingRow.name))]

    def forget(self, owner: str, name: str) -> None:
        with self._session() as session:
            found = session.get(ThingRow, (owner, self._app, self._kind, name))
            if found is not None:
                session.delete(found)


def _as_thing(row: ThingRow) -> Thing:
    return Thing(name=row.name, content=dict(row.content), data=row.data, updated=row.updated)


def _dialect(session: Session) -> str:
    return session.get_bind().dialect.name

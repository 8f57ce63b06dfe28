"""What an app keeps for somebody beside conversations: rows of a name and JSON, no migration of its own. One call, one transaction."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from sqlalchemy import select
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
        row = ThingRow(
            owner=owner, app=self._app, kind=self._kind, **{**vars(thing), "updated": time.time()}
        )
        with self._session() as session:
            session.merge(row)

    def get(self, owner: str, name: str) -> Thing | None:
        with self._session() as session:
            found = session.get(ThingRow, (owner, self._app, self._kind, name))
            return None if found is None else _as_thing(found)

    def updated(self, owner: str, name: str) -> float:
        """When a thing was last written, in seconds; 0 where there is none."""
        query = select(ThingRow.updated).where(
            ThingRow.owner == owner,
            ThingRow.app == self._app,
            ThingRow.kind == self._kind,
            ThingRow.name == name,
        )
        with self._session() as session:
            return session.scalar(query) or 0.0

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

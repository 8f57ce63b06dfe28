"""A conversation store on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from custome.conversations.store import Store
from databases import empty_url, postgresql  # noqa: F401


@pytest.fixture
def open_store(empty_url: str) -> Iterator[Callable[[], Store]]:
    """Opens the same empty store, as often as wanted."""
    opened: list[Store] = []

    def open_() -> Store:
        opened.append(Store(empty_url))
        return opened[-1]

    yield open_
    for store in opened:
        store.close()

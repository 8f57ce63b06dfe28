"""An empty store of each kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from custome.retrieval.milvus import MilvusStore
from custome.retrieval.sqlite import SqliteStore
from custome.retrieval.store import KnowledgeStore


@pytest.fixture(params=["sqlite", "milvus"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[KnowledgeStore]:
    """An empty one; Milvus by its offline double."""
    made: KnowledgeStore
    if request.param == "sqlite":
        made = SqliteStore(tmp_path / "kb.db")
    else:
        made = MilvusStore(str(tmp_path / "milvus.db"), "试")
    yield made
    made.close()

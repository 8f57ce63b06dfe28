"""A knowledge base on a Milvus server, for more than one machine: the same words, written in ASCII, ranked by its own BM25.

A document's chunks have numbers that follow from its name, so writing it again overwrites them; the first chunk, which holds the
digest, is written last: what was interrupted is read again. An embedder's vectors are a collection of their own. Wants `pymilvus`;
`milvus-lite` is its offline double in the tests.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, StoreError
from .chunks import Chunk, Place
from .store import CANDIDATES, Document, Found, Listed, Passage
from .terms import as_words, terms

LONGEST_WORDS = 65_000
"""Bytes of a chunk's words that a field takes."""
MOST_POSITIONS = 1 << 16
AT_ONCE = 500
"""Rows of a request."""
MOST_ROWS = 16_000
"""Rows of an answer, of Milvus' 16,384."""
_FIELDS = ("document", "name", "position", "start", "stop", "text", "heading", "page")
_COLLECTION = re.compile(r"[^A-Za-z0-9_]")


class MilvusStore:
    """A base in a collection of its own.

    Args:
        url: http://host:19530, or a file for milvus-lite.
        name: of the base.
    """

    def __init__(self, url: str, name: str, token: str = "") -> None:
        try:
            from pymilvus import MilvusClient
        except ImportError as error:
            raise InputError("没有装 pymilvus", "pip install 'llm-custome[milvus]'") from error
        self._url, self._name = url, f"kb_{_COLLECTION.sub('_', name)}_{_number(name) % 10**9}"
        with self._explaining():
            self._client = MilvusClient(url, token=token) if token else MilvusClient(url)
            if not self._client.has_collection(self._name):
                self._make()
            self._client.load_collection(self._name)

    def _make(self) -> None:
        from pymilvus import DataType, Function, FunctionType

        schema = self._client.create_schema(auto_id=False)
        schema.add_field("id", DataType.INT64, is_primary=True)
        for field in ("document", "position", "start", "stop", "page"):
            schema.add_field(field, DataType.INT64)
        for field, size in (
            ("name", 2_000),
            ("kind", 16),
            ("digest", 64),
            ("heading", 8_000),
            ("text", 16_000),
        ):
            schema.add_field(field, DataType.VARCHAR, max_length=size)
        schema.add_field(
            "words",
            DataType.VARCHAR,
            max_length=65_535,
            enable_analyzer=True,
            analyzer_params={"tokenizer": "standard"},
        )
        schema.add_field("sparse", DataType.SPARSE_FLOAT_VECTOR)
        ranked = Function(
            name="bm25",
            function_type=FunctionType.BM25,
            input_field_names=["words"],
            output_field_names=["sparse"],
        )
        schema.add_function(ranked)
        index = self._client.prepare_index_params()
        index.add_index("sparse", index_type="SPARSE_INVERTED_INDEX", metric_type="BM25")
        self._client.create_collection(self._name, schema=schema, index_params=index)

    # -- documents ---------------------------------------------------------------------------------------------------

    def add(self, document: Document, pieces: Sequence[Chunk]) -> int:
        if len(pieces) >= MOST_POSITIONS:
            raise InputError(f"{document.name!r} 太长", "拆成几个文件再加进来")
        number = _number(document.name)
        rows = [_row(document, number, position, one) for position, one in enumerate(pieces)]
        with self._explaining():
            for at in range(1, len(rows), AT_ONCE):
                self._client.upsert(self._name, rows[at : at + AT_ONCE])
            where = f"document == {number} and position >= {max(1, len(rows))}"
            self._client.delete(self._name, filter=where)
            if rows:
                self._client.upsert(self._name, rows[:1])
            else:
                self._client.delete(self._name, filter=f"document == {number}")
            self._drop_vectors(number)
        return number

    def remove(self, name: str) -> bool:
        number = _number(name)
        with self._explaining():
            there = self._query(f"document == {number} and position == 0", ("id",))
            self._client.delete(self._name, filter=f"document == {number}")
            self._drop_vectors(number)
        return bool(there)

    def digests(self) -> dict[str, str]:
        rows = self._query("position == 0", ("name", "digest"))
        return {row["name"]: row["digest"] for row in sorted(rows, key=lambda row: row["name"])}

    def listed(self) -> list[Listed]:
        found = []
        for row in self._query("position == 0", ("name", "kind", "document")):
            mine = self._query(f"document == {row['document']}", ("stop",))
            found.append(
                Listed(
                    name=row["name"],
                    kind=row["kind"],
                    characters=max(one["stop"] for one in mine),
                    chunks=len(mine),
                )
            )
        return sorted(found, key=lambda one: one.name)

    # -- finding -----------------------------------------------------------------------------------------------------

    def find(
        self, words: Sequence[str], most: int = CANDIDATES, until: Mapping[str, int] | None = None
    ) -> list[Found]:
        if not words:
            return []
        with self._explaining():
            (hits,) = self._client.search(
                self._name,
                data=[as_words(words)],
                anns_field="sparse",
                limit=most,
                filter=_not_later(until),
                output_fields=["document", "position"],
            )
        return [
            Found(
                chunk=hit["id"],
                document=hit["entity"]["document"],
                position=hit["entity"]["position"],
                score=abs(hit["distance"]),  # the double counts downwards
            )
            for hit in hits
        ]

    def holding(self, names: Sequence[str]) -> tuple[set[int], int]:
        plain = [name for name in names if name and '"' not in name and "%" not in name]
        where = " or ".join(f'text like "%{name}%"' for name in plain)
        rows = self._query(where, ("id",)) if where else []
        return {row["id"] for row in rows}, self._count(self._name)

    def passages(self, chunks: Sequence[int]) -> list[Passage]:
        rows = self._query(f"id in {list(chunks)}", ("id", *_FIELDS)) if chunks else []
        found = {row["id"]: _passage(row) for row in rows}
        return [found[chunk] for chunk in chunks if chunk in found]

    def neighbours(self, document: int, position: int) -> list[Passage]:
        beside = f"document == {document} and position in [{position - 1}, {position + 1}]"
        rows = self._query(beside, ("id", *_FIELDS))
        return sorted(map(_passage, rows), key=lambda one: one.position)

    def at(self, name: str, offset: int) -> Passage | None:
        rows = self._query(f"document == {_number(name)} and stop > {offset}", ("id", *_FIELDS))
        return min(map(_passage, rows), key=lambda one: one.position, default=None)

    def text(self, name: str) -> str:
        """A document's words as far as its chunks have them: blanks between them are gone."""
        rows = self._query(f"document == {_number(name)}", ("position", "text"))
        return "\n".join(row["text"] for row in sorted(rows, key=lambda row: row["position"]))

    def places(self, name: str) -> list[Place]:
        rows = self._query(f"document == {_number(name)}", ("start", "heading", "page"))
        found: list[Place] = []
        for row in sorted(rows, key=lambda row: row["start"]):
            heading = tuple(json.loads(row["heading"]))
            if not found or (found[-1].heading, found[-1].page) != (heading, row["page"]):
                found.append(Place(start=row["start"], heading=heading, page=row["page"]))
        return found

    # -- vectors -----------------------------------------------------------------------------------------------------

    def without_vector(self, key: str) -> list[int]:
        every = {row["id"] for row in self._query("", ("id",))}
        mine = self._vectors_of(key)
        there = self._query("", ("id",), mine) if mine in self._vector_collections() else []
        return sorted(every - {row["id"] for row in there})

    def has_every_vector(self, key: str) -> bool:
        mine = self._vectors_of(key)
        return mine in self._vector_collections() and self._count(mine) >= self._count(self._name)

    def keep_vectors(
        self, key: str, passages: Sequence[Passage], vectors: NDArray[np.float32]
    ) -> None:
        still = {one.chunk: one.text for one in self.passages([one.chunk for one in passages])}
        rows = [
            {"id": one.chunk, "document": one.document, "stop": one.end, "vector": vector.tolist()}
            for one, vector in zip(passages, vectors, strict=True)
            if still.get(one.chunk) == one.text
        ]
        mine = self._vectors_of(key)
        with self._explaining():
            if mine not in self._vector_collections():
                self._make_vectors(mine, vectors.shape[1])
            if rows:
                self._client.upsert(mine, rows)

    def nearest(
        self,
        key: str,
        vector: NDArray[np.float32],
        most: int = CANDIDATES,
        until: Mapping[str, int] | None = None,
    ) -> list[Found]:
        mine = self._vectors_of(key)
        if mine not in self._vector_collections():
            return []
        with self._explaining():
            self._client.load_collection(mine)
            (hits,) = self._client.search(
                mine,
                data=vector.tolist(),
                anns_field="vector",
                limit=most,
                filter=_not_later(until),
                output_fields=["document"],
            )
        return [
            Found(
                chunk=hit["id"],
                document=hit["entity"]["document"],
                position=hit["id"] % MOST_POSITIONS,
                score=hit["distance"],
            )
            for hit in hits
        ]

    def forget_vectors(self, key: str = "") -> None:
        with self._explaining():
            for one in self._vector_collections():
                if one != self._vectors_of(key):
                    self._client.drop_collection(one)

    def _vectors_of(self, key: str) -> str:
        """The collection of an embedder's vectors."""
        return f"{self._name}_v_{_number(key)}"

    def _vector_collections(self) -> list[str]:
        with self._explaining():
            every: list[str] = self._client.list_collections()
        return [one for one in every if one.startswith(f"{self._name}_v_")]

    def _make_vectors(self, name: str, dimensions: int) -> None:
        from pymilvus import DataType

        schema = self._client.create_schema(auto_id=False)
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field("document", DataType.INT64)
        schema.add_field("stop", DataType.INT64)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dimensions)
        index = self._client.prepare_index_params()
        index.add_index("vector", index_type="FLAT", metric_type="COSINE")
        self._client.create_collection(name, schema=schema, index_params=index)

    def _drop_vectors(self, document: int) -> None:
        for one in self._vector_collections():
            self._client.delete(one, filter=f"document == {document}")

    def compact(self) -> None:
        with self._explaining():
            self._client.flush(self._name)
            self._client.compact(self._name)

    def close(self) -> None:
        self._client.close()

    # -- inside ------------------------------------------------------------------------------------------------------

    def _query(
        self, where: str, fields: Sequence[str], collection: str = ""
    ) -> list[dict[str, Any]]:
        """Every row of a filter, in several answers where there are many."""
        rows: list[dict[str, Any]] = []
        last = -1
        while True:
            page = f"({where}) and id > {last}" if where else f"id > {last}"
            with self._explaining():
                found = self._client.query(
                    collection or self._name,
                    filter=page,
                    output_fields=[*fields, "id"],
                    limit=MOST_ROWS,
                )
            rows += found
            if len(found) < MOST_ROWS:
                return rows
            last = max(row["id"] for row in found)

    def _count(self, collection: str) -> int:
        """Rows of a collection."""
        with self._explaining():
            counted = self._client.query(collection, filter="", output_fields=["count(*)"])
        return int(counted[0]["count(*)"])

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        from pymilvus.exceptions import MilvusException

        try:
            yield
        except (MilvusException, OSError) as error:
            raise StoreError(
                f"Milvus {self._url!r} 出错：{error}", "看看服务在不在、地址和口令对不对"
            ) from error


def _not_later(until: Mapping[str, int] | None) -> str:
    """The filter that lets nothing through from an offset of a document on."""
    return " and ".join(
        f"not (document == {_number(name)} and stop > {offset})"
        for name, offset in (until or {}).items()
    )


def _number(name: str) -> int:
    """The number of a document, by its name."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:5], "big")


def _row(document: Document, number: int, position: int, piece: Chunk) -> dict[str, Any]:
    text = document.text[piece.start : piece.end]
    words = as_words(terms("\n".join([*piece.heading, text])))
    return {
        "id": number * MOST_POSITIONS + position,
        "document": number,
        "name": document.name,
        "kind": document.kind,
        "digest": document.digest,
        "position": position,
        "start": piece.start,
        "stop": piece.end,
        "page": piece.page,
        "heading": json.dumps(piece.heading, ensure_ascii=False),
        "text": text,
        "words": words[:LONGEST_WORDS],
    }


def _passage(row: Mapping[str, Any]) -> Passage:
    return Passage(
        chunk=row["id"],
        document=row["document"],
        name=row["name"],
        position=row["position"],
        start=row["start"],
        end=row["stop"],
        text=row["text"],
        heading=tuple(json.loads(row["heading"])),
        page=row["page"],
    )

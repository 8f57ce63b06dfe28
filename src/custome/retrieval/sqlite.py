"""A knowledge base in one SQLite file, its index an FTS5 table over words written in ASCII.

A document comes and goes in one transaction: after a crash it is there as it was or as it is now. Deleted text is in no answer
at once, and out of the file after `compact`.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import StoreError
from .chunks import Chunk, Place
from .store import CANDIDATES, Document, Found, Listed, Passage
from .terms import as_words, terms

SCHEMA = 1
BUSY_S = 60.0  # a writer waits so long for another one
REMEMBERED = 200
"""Names whose passages are remembered."""


@dataclass(frozen=True, kw_only=True)
class _Vectors:
    """All vectors of an embedder."""

    places: NDArray[np.int64]
    """(chunks, 3): number, document, position."""
    matrix: NDArray[np.float32]
    """(chunks, dimensions)"""


class SqliteStore:
    """A knowledge base in one file. Any thread may call."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._version = 0
        self._holding: dict[tuple[str, ...], tuple[set[int], int]] = {}
        """What was looked up of names since the last change."""
        self._vectors: dict[str, _Vectors] = {}
        """An embedder's vectors, all of them, since then."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(
                path, check_same_thread=False, isolation_level=None, timeout=BUSY_S
            )
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA secure_delete=ON")
            self._database.execute("PRAGMA foreign_keys=ON")
            self._make()
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                f"知识库 {str(path)!r} 打不开：{error}", "换一个位置，或用备份替换这个文件"
            ) from error

    def _make(self) -> None:
        version = self._database.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA:
            raise StoreError(
                f"知识库 {str(self.path)!r} 是更新的版本写的", "pip install -U llm-custome 再打开"
            )
        self._database.executescript(
            f"""
            CREATE TABLE IF NOT EXISTS documents (
                id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, kind TEXT NOT NULL, digest TEXT NOT NULL,
                text TEXT NOT NULL, places TEXT NOT NULL
            );
            CREATE TABLE IF NOT EXISTS chunks (
                id INTEGER PRIMARY KEY, document INTEGER NOT NULL REFERENCES documents(id), position INTEGER NOT NULL,
                start INTEGER NOT NULL, stop INTEGER NOT NULL, heading TEXT NOT NULL, page INTEGER NOT NULL,
                UNIQUE (document, position)
            );
            CREATE TABLE IF NOT EXISTS vectors (
                chunk INTEGER NOT NULL REFERENCES chunks(id) ON DELETE CASCADE, key TEXT NOT NULL, vector BLOB NOT NULL,
                PRIMARY KEY (chunk, key)
            ) WITHOUT ROWID;
            CREATE VIRTUAL TABLE IF NOT EXISTS lexicon USING fts5(words, content='', tokenize='ascii');
            PRAGMA user_version={SCHEMA};
            """
        )

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._forget()
            try:
                self._database.execute("BEGIN IMMEDIATE")
                try:
                    yield self._database
                    self._database.execute("COMMIT")
                except BaseException:
                    self._database.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                raise StoreError(
                    f"知识库 {str(self.path)!r} 写不进去：{error}",
                    "看看磁盘还有没有地方、文件是不是只读",
                ) from error

    def add(self, document: Document, pieces: Sequence[Chunk]) -> int:
        every = [_words(document.text, one.start, one.end, one.heading) for one in pieces]
        with self._transaction() as database:
            self._take_out(database, document.name)
            places = json.dumps([asdict(place) for place in document.places], ensure_ascii=False)
            number = database.execute(
                "INSERT INTO documents (name, kind, digest, text, places) VALUES (?, ?, ?, ?, ?)",
                (document.name, document.kind, document.digest, document.text, places),
            ).lastrowid
            assert number is not None
            for position, one in enumerate(pieces):
                row = database.execute(
                    "INSERT INTO chunks (document, position, start, stop, heading, page) VALUES (?, ?, ?, ?, ?, ?)",
                    (
                        number,
                        position,
                        one.start,
                        one.end,
                        json.dumps(one.heading, ensure_ascii=False),
                        one.page,
                    ),
                ).lastrowid
                database.execute(
                    "INSERT INTO lexicon (rowid, words) VALUES (?, ?)", (row, every[position])
                )
            return number

    def remove(self, name: str) -> bool:
        with self._transaction() as database:
            return self._take_out(database, name)

    @staticmethod
    def _take_out(database: sqlite3.Connection, name: str) -> bool:
        row = database.execute("SELECT id, text FROM documents WHERE name = ?", (name,)).fetchone()
        if row is None:
            return False
        number, text = row
        pieces = database.execute(
            "SELECT id, start, stop, heading FROM chunks WHERE document = ?", (number,)
        ).fetchall()
        for (
            chunk,
            start,
            stop,
            heading,
        ) in pieces:  # an index without its texts wants to be told them
            words = _words(text, start, stop, json.loads(heading))
            database.execute(
                "INSERT INTO lexicon (lexicon, rowid, words) VALUES ('delete', ?, ?)",
                (chunk, words),
            )
        database.execute("DELETE FROM chunks WHERE document = ?", (number,))
        database.execute("DELETE FROM documents WHERE id = ?", (number,))
        return True

    def digests(self) -> dict[str, str]:
        with self._lock:
            return dict(self._database.execute("SELECT name, digest FROM documents ORDER BY name"))

    def listed(self) -> list[Listed]:
        with self._lock:
            rows = self._database.execute(
                "SELECT name, kind, length(text), (SELECT count(*) FROM chunks WHERE document = documents.id)"
                " FROM documents ORDER BY name"
            ).fetchall()
        return [
            Listed(name=name, kind=kind, characters=characters, chunks=chunks)
            for name, kind, characters, chunks in rows
        ]

    def find(
        self, words: Sequence[str], most: int = CANDIDATES, until: Mapping[str, int] | None = None
    ) -> list[Found]:
        if not words:
            return []
        query = " OR ".join(f'"{word}"' for word in as_words(words).split())
        with self._lock:
            later = self._later(until)
            beyond = "".join(f" AND NOT rowid BETWEEN {first} AND {last}" for first, last in later)
            rows = self._database.execute(
                "SELECT chunks.id, chunks.document, chunks.position, best.score FROM"
                f" (SELECT rowid, -rank AS score FROM lexicon WHERE lexicon MATCH ?{beyond} ORDER BY rank LIMIT ?) AS best"
                " JOIN chunks ON chunks.id = best.rowid ORDER BY best.score DESC, chunks.id",
                (query, most),
            ).fetchall()
        return [
            Found(chunk=chunk, document=document, position=position, score=score)
            for chunk, document, position, score in rows
        ]

    def holding(self, names: Sequence[str]) -> tuple[set[int], int]:
        with self._lock:
            self._look()
            if known := self._holding.get(tuple(names)):
                return known
        phrases = [as_words(terms(name)) for name in names]
        query = " OR ".join(f'"{phrase}"' for phrase in phrases if phrase)
        if not query:
            return set(), 1
        with self._lock:
            rows = self._database.execute(
                "SELECT rowid FROM lexicon WHERE lexicon MATCH ?", (query,)
            ).fetchall()
            (whole,) = self._database.execute("SELECT count(*) FROM chunks").fetchone()
            found = {row[0] for row in rows}, whole
            if len(self._holding) < REMEMBERED:
                self._holding[tuple(names)] = found
            return found

    def _look(self) -> None:
        """Forget what another process may have changed meanwhile."""
        (version,) = self._database.execute("PRAGMA data_version").fetchone()
        if version != self._version:
            self._forget()
            self._version = version

    def _forget(self) -> None:
        self._holding.clear()
        self._vectors.clear()

    def _later(self, until: Mapping[str, int] | None) -> list[tuple[int, int]]:
        """(first, last) chunk of what is not to be found."""
        return [pair for name, offset in (until or {}).items() for pair in self._from(name, offset)]

    def _from(self, name: str, offset: int) -> list[tuple[int, int]]:
        """(first, last) chunk of a document that does not end before an offset; a document's chunks have numbers in a row."""
        first, last = self._database.execute(
            "SELECT min(chunks.id), max(chunks.id) FROM chunks JOIN documents ON documents.id = chunks.document"
            " WHERE documents.name = ? AND chunks.stop > ?",
            (name, offset),
        ).fetchone()
        return [] if first is None else [(first, last)]

    def passages(self, chunks: Sequence[int]) -> list[Passage]:
        marks = ",".join("?" * len(chunks))
        with self._lock:
            rows = self._database.execute(
                f"{_PASSAGE} WHERE chunks.id IN ({marks})", tuple(chunks)
            ).fetchall()
        found = {row[0]: _passage(row) for row in rows}
        return [found[chunk] for chunk in chunks if chunk in found]

    def neighbours(self, document: int, position: int) -> list[Passage]:
        with self._lock:
            rows = self._database.execute(
                f"{_PASSAGE} WHERE chunks.document = ? AND chunks.position IN (?, ?) ORDER BY chunks.position",
                (document, position - 1, position + 1),
            ).fetchall()
        return [_passage(row) for row in rows]

    def at(self, name: str, offset: int) -> Passage | None:
        with self._lock:
            row = self._database.execute(
                f"{_PASSAGE} WHERE documents.name = ? AND chunks.stop > ? ORDER BY chunks.position LIMIT 1",
                (name, offset),
            ).fetchone()
        return _passage(row) if row else None

    def text(self, name: str) -> str:
        with self._lock:
            row = self._database.execute(
                "SELECT text FROM documents WHERE name = ?", (name,)
            ).fetchone()
        return row[0] if row else ""

    def places(self, name: str) -> list[Place]:
        with self._lock:
            row = self._database.execute(
                "SELECT places FROM documents WHERE name = ?", (name,)
            ).fetchone()
        return [
            Place(**{**place, "heading": tuple(place["heading"])})
            for place in (json.loads(row[0]) if row else ())
        ]

    # -- vectors -----------------------------------------------------------------------------------------------------

    def without_vector(self, key: str) -> list[int]:
        with self._lock:
            rows = self._database.execute(
                "SELECT id FROM chunks WHERE NOT EXISTS (SELECT 1 FROM vectors WHERE chunk = id AND key = ?) ORDER BY id",
                (key,),
            ).fetchall()
        return [row[0] for row in rows]

    def has_every_vector(self, key: str) -> bool:
        with self._lock:
            (lacking,) = self._database.execute(
                "SELECT count(*) > (SELECT count(*) FROM vectors WHERE key = ?) FROM chunks", (key,)
            ).fetchone()
        return not lacking

    def keep_vectors(
        self, key: str, passages: Sequence[Passage], vectors: NDArray[np.float32]
    ) -> None:
        with self._transaction() as database:
            still = {one.chunk: one.text for one in self.passages([one.chunk for one in passages])}
            rows = [
                (one.chunk, key, vector.astype(np.float16).tobytes())
                for one, vector in zip(passages, vectors, strict=True)
                if still.get(one.chunk) == one.text
            ]
            database.executemany(
                "INSERT OR REPLACE INTO vectors (chunk, key, vector) VALUES (?, ?, ?)", rows
            )

    def nearest(
        self,
        key: str,
        vector: NDArray[np.float32],
        most: int = CANDIDATES,
        until: Mapping[str, int] | None = None,
    ) -> list[Found]:
        with self._lock:
            self._look()
            every = self._vectors.get(key) or self._read_vectors(key)
            later = self._later(until)
        if not len(every.matrix):
            return []
        cosines = every.matrix @ vector[0]
        for first, last in later:
            cosines[(every.places[:, 0] >= first) & (every.places[:, 0] <= last)] = -np.inf
        order = np.argsort(-cosines, kind="stable")[:most]
        return [
            Found(chunk=chunk, document=document, position=position, score=float(cosines[at]))
            for at in order
            if np.isfinite(cosines[at])
            for chunk, document, position in [map(int, every.places[at])]
        ]

    def _read_vectors(self, key: str) -> _Vectors:
        rows = self._database.execute(
            "SELECT chunks.id, chunks.document, chunks.position, vectors.vector FROM vectors"
            " JOIN chunks ON chunks.id = vectors.chunk WHERE vectors.key = ? ORDER BY chunks.id",
            (key,),
        ).fetchall()
        matrix = np.frombuffer(b"".join(row[3] for row in rows), np.float16).astype(np.float32)
        self._vectors[key] = _Vectors(
            places=np.array([row[:3] for row in rows], np.int64).reshape(-1, 3),
            matrix=matrix.reshape(len(rows), -1) if rows else matrix.reshape(0, 0),
        )
        return self._vectors[key]

    def forget_vectors(self, key: str = "") -> None:
        with self._transaction() as database:
            database.execute("DELETE FROM vectors WHERE key <> ?", (key,))

    def compact(self) -> None:
        with self._lock:
            try:
                self._database.execute("INSERT INTO lexicon (lexicon) VALUES ('optimize')")
                self._database.execute("VACUUM")
                self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            except sqlite3.Error as error:
                raise StoreError(
                    f"知识库 {str(self.path)!r} 收拾不了：{error}", "看看磁盘还有没有地方"
                ) from error

    def close(self) -> None:
        """No more calls; a late one finds nothing."""
        with self._lock:
            self._database.close()
            self._database = sqlite3.connect(":memory:", check_same_thread=False)
            self._make()


_PASSAGE = (
    "SELECT chunks.id, chunks.document, documents.name, chunks.position, chunks.start, chunks.stop,"
    " substr(documents.text, chunks.start + 1, chunks.stop - chunks.start), chunks.heading, chunks.page"
    " FROM chunks JOIN documents ON documents.id = chunks.document"
)


def _passage(row: tuple[int, int, str, int, int, int, str, str, int]) -> Passage:
    chunk, document, name, position, start, stop, text, heading, page = row
    return Passage(
        chunk=chunk,
        document=document,
        name=name,
        position=position,
        start=start,
        end=stop,
        text=text,
        heading=tuple(json.loads(heading)),
        page=page,
    )


def _words(text: str, start: int, end: int, heading: Sequence[str]) -> str:
    """What is found of a chunk: its own words and those of its headings."""
    return as_words(terms("\n".join([*heading, text[start:end]])))

"""A knowledge base, a folder of its own: what was brought, where it is followed, who is called what.

NAME/base.json     what is followed, what was left out, which books it holds
NAME/index.db      documents and the index over them (retrieval/sqlite.py)
NAME/files/        what was uploaded
NAME/aliases/      tables of names that came with a corpus
NAME/ratings.jsonl questions whose answers somebody judged: rows for `custome knowledge eval`
"""

from __future__ import annotations

import json
import logging
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ...corpus.aliases import AliasTable, read_table, shipped_table_for, shipped_tables
from ...corpus.folder import CorpusFolder
from ...errors import CustomeError, EmptyFileError, InputError
from ...files import read_text, write_json
from ...reporter import NullReporter, Reporter
from ...retrieval.base import Added, Looked, add
from ...retrieval.search import Hit, search
from ...retrieval.sqlite import SqliteStore
from ...retrieval.store import KnowledgeStore, Listed, Passage
from ...retrieval.vectors import EmbedderOf, Meaning, embed, meaning_of, no_embedder

BOOK = 50_000
"""Characters from which on a document may be a book with people of its own."""
PASSAGES = 5
"""Passages that are looked up for a question and shown."""
LONGEST_NAME = 200
"""Bytes of an uploaded file's name."""
LOG = logging.getLogger(__name__)
Stop = Callable[[], bool]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a base keeps of itself."""

    follows: Mapping[str, str]
    """Name in front of a folder's documents → the folder."""
    left_out: tuple[str, ...] = ()
    """Documents that were taken out although their file is still there."""
    books: Mapping[str, str]
    """Document → the shipped table of its people's names."""
    milvus: str = ""
    """Address of the Milvus server that holds it; '' for a file of its own."""
    embedder: str = ""
    """What gives its passages vectors (engine/embedding.py); '' for nothing."""


class KnowledgeBase:
    """One base. Any thread may call; changes are made one after the other.

    Args:
        embedder_of: what a setting names → what makes vectors.
    """

    def __init__(
        self,
        folder: Path,
        embedder_of: EmbedderOf = no_embedder,
        store: KnowledgeStore | None = None,
    ) -> None:
        self.folder, self.name, self._embedder_of = folder, folder.name, embedder_of
        self.store = store or self._open_store()
        self._writing = threading.Lock()
        self._closed = False
        self._looked = Looked()
        self._names: tuple[float, dict[str, tuple[str, ...]]] | None = None

    def _open_store(self) -> KnowledgeStore:
        """Its own file, or the server that base.json names."""
        where = self.settings().milvus
        if not where:
            return SqliteStore(self.folder / "index.db")
        from ...retrieval.milvus import MilvusStore

        return MilvusStore(where, self.name)

    # -- what is in it -----------------------------------------------------------------------------------------------

    def documents(self) -> list[Listed]:
        return self.store.listed()

    def settings(self) -> Settings:
        path = self.folder / "base.json"
        kept: dict[str, Any] = json.loads(read_text(path, "知识库")) if path.is_file() else {}
        return Settings(
            follows=kept.get("follows", {}),
            left_out=tuple(kept.get("left_out", ())),
            books=kept.get("books", {}),
            milvus=kept.get("milvus", ""),
            embedder=kept.get("embedder", ""),
        )

    def names(self) -> Mapping[str, Sequence[str]]:
        """Name of somebody in its books → what else they are called."""
        path = self.folder / "base.json"
        written = path.stat().st_mtime if path.is_file() else 0.0
        known = self._names
        if known is None or known[0] != written:  # perhaps by another process
            self._names = known = (written, _names(self._tables()))
        return known[1]

    def chapters(self, document: str) -> list[tuple[str, int]]:
        """(heading, offset) of a document's outermost sections, in order."""
        found: list[tuple[str, int]] = []
        for place in self.store.places(document):
            if place.heading and (not found or found[-1][0] != place.heading[0]):
                found.append((place.heading[0], place.start))
        return found

    def search(self, question: str, most: int = PASSAGES, chapter: int = 0) -> list[Hit]:
        """The best passages for a question, best first.

        Args:
            chapter: nothing that comes after it is found; 0 for all.
        """
        meaning = self._meaning(question)
        return search(self.store, question, most, self.names(), self.until(chapter), meaning)

    def _meaning(self, question: str) -> Meaning | None:
        """A question as a vector; None where the base finds by words only, or its embedder is away, which costs no answer."""
        what = self.settings().embedder
        try:
            return meaning_of(question, self._embedder_of(what)) if what else None
        except CustomeError as error:
            LOG.warning("%s is searched by words only: %s", self.name, error.message)
            return None

    def until(self, chapter: int) -> dict[str, int]:
        """Document → where what comes after a chapter begins, in those that have so many; nothing for 0."""
        ends: dict[str, int] = {}
        for one in self.documents() if chapter else ():
            chapters = self.chapters(one.name)
            if chapter < len(chapters):
                ends[one.name] = chapters[chapter][1]
        return ends

    def around(self, document: str, offset: int) -> list[Passage]:
        """The passage an offset stands in, with the one before and the one after.

        Raises:
            InputError: there is no such place.
        """
        found = self.store.at(document, offset)
        if found is None:
            raise InputError(f"{document!r} 里没有这一处", "它可能已经删了，或改过了；再问一次")
        both = self.store.neighbours(found.document, found.position)
        return sorted([*both, found], key=lambda one: one.position)

    # -- what comes and goes -----------------------------------------------------------------------------------------

    def add(self, paths: Sequence[Path], reporter: Reporter, stop: Stop = lambda: False) -> Added:
        """Take in files, folders, which are followed from now on, and corpora with their tables of names.

        Raises:
            InputError: a path is not there, or two folders have one name.
        """
        with self._changing():
            settings = self.settings()
            follows, left_out = dict(settings.follows), set(settings.left_out)
            for path in paths:
                where, name = path.resolve(), path.resolve().name
                if not where.exists():
                    raise InputError(
                        f"没有 {str(path)!r} 这个文件或文件夹",
                        "看看路径有没有写错；可以给文件，也可以给整个文件夹",
                    )
                if not Path(follows.get(name, where)).exists():
                    follows[name] = str(where)  # it has moved here
                if (
                    follows.setdefault(name, str(where)) != str(where)
                    or (self.folder / "files" / name).exists()
                ):
                    raise InputError(
                        f"知识库 {self.name!r} 里已经有一个叫 {name!r} 的：{follows[name]}",
                        "改一个名字，或放进另一个知识库",
                    )
                left_out = {
                    one for one in left_out if one != name and not one.startswith(f"{name}/")
                }
            self._keep(replace(settings, follows=follows, left_out=tuple(sorted(left_out))))
            return self._follow(
                [Path(follows[path.resolve().name]) for path in paths], reporter, stop
            )

    def take_file(self, name: str, raw: bytes) -> Added:
        """Take in a file that was uploaded; in place of an uploaded one of its name.

        Raises:
            InputError: the name is none, or it cannot be read; what was there before stays.
        """
        plain = Path(name.replace("\\", "/")).name.strip()
        bad = not plain or plain.startswith(".") or len(plain.encode()) > LONGEST_NAME
        if bad or not plain.isprintable():
            raise InputError(f"文件名 {name[:40]!r} 不能用", "换一个名字")
        with self._changing():
            if plain in self.settings().follows:
                raise InputError(f"{plain!r} 已经从别处跟着了", "改一个文件名再放进来")
            path = self.folder / "files" / plain
            path.parent.mkdir(parents=True, exist_ok=True)
            before = path.read_bytes() if path.is_file() else None
            path.write_bytes(raw)
            settings = self.settings()
            left_out = tuple(one for one in settings.left_out if one != plain)
            self._keep(replace(settings, left_out=left_out))
            try:
                result = self._take([path], NullReporter(), lambda: False)
                if result.failed:
                    raise result.failed[plain]
            except BaseException:  # the file is what the index says
                path.unlink() if before is None else path.write_bytes(before)
                raise
            return result

    def refresh(self, reporter: Reporter, stop: Stop = lambda: False) -> Added:
        """Look at what is followed again: new, changed and vanished files."""
        with self._changing():
            settings = self.settings()
            there = [Path(path) for path in settings.follows.values() if Path(path).exists()]
            result = self._follow(there, reporter, stop)
            for name, path in settings.follows.items():
                if Path(path).exists():
                    continue
                for one in self.store.digests():
                    if one == name or one.startswith(f"{name}/"):
                        self.store.remove(one)
                        result.gone.append(one)
            return result

    def remove(self, document: str) -> None:
        """Take a document out; in no answer from now on, and not taken in again by itself.

        Raises:
            InputError: there is none of that name.
        """
        with self._changing():
            if not self.store.remove(document):
                raise InputError(
                    f"知识库 {self.name!r} 里没有 {document!r}",
                    "看看有哪些：custome knowledge list",
                )
            settings = self.settings()
            books = {name: table for name, table in settings.books.items() if name != document}
            left_out = tuple(sorted({*settings.left_out, document}))
            self._keep(replace(settings, left_out=left_out, books=books))
            with suppress(OSError):
                (self.folder / "files" / document).unlink(missing_ok=True)

    def uploaded(self, document: str) -> bytes | None:
        """The file of a document that was uploaded; None for one of a folder."""
        path = self.folder / "files" / document
        return path.read_bytes() if path.is_file() else None

    def put_back(self, document: str, raw: bytes | None) -> None:
        """Undo `remove`.

        Args:
            raw: the file, for one that was uploaded.
        """
        if raw is not None:
            self.take_file(document, raw)
            return
        with self._changing():
            settings = self.settings()
            left_out = tuple(one for one in settings.left_out if one != document)
            self._keep(replace(settings, left_out=left_out))
        self.refresh(NullReporter())

    def embed(self, reporter: Reporter, stop: Stop = lambda: False) -> int:
        """Give passages vectors that have none, where the base has an embedder; the number that got one.

        Questions and changes go on meanwhile.
        """
        if not (what := self.settings().embedder):
            return 0
        given_up = lambda: stop() or self.settings().embedder != what
        return embed(self.store, self._embedder_of(what), reporter, given_up)

    def find_by(self, embedder: str) -> None:
        """Find by meaning as well, with the vectors of an embedder, or no longer, for ''.

        Raises:
            InputError: there is no such embedder.
        """
        key = self._embedder_of(embedder).key if embedder else ""
        with self._changing():
            self._keep(replace(self.settings(), embedder=embedder))
            self.store.forget_vectors(key)

    def compact(self) -> None:
        """Leave nothing in the file of what was taken out."""
        with self._changing():
            self.store.compact()

    def rate(self, row: Mapping[str, Any]) -> None:
        """Keep what somebody thinks of an answer."""
        with self._changing(), (self.folder / "ratings.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(dict(row), ensure_ascii=False) + "\n")

    def close(self) -> None:
        """No more changes and no more questions; waits for the one that is going on."""
        with self._writing:
            self._closed = True
            self.store.close()

    # -- inside ------------------------------------------------------------------------------------------------------

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """One change at a time, and none once the base is gone."""
        with self._writing:
            if self._closed:
                raise InputError(f"没有知识库 {self.name!r}", "它刚刚删了")
            yield

    def _follow(self, paths: Sequence[Path], reporter: Reporter, stop: Stop) -> Added:
        """Take in what is followed; what somebody has emptied goes, what cannot be read now stays as it was."""
        result = self._take(paths, reporter, stop)
        for name, error in result.failed.items():
            if isinstance(error, EmptyFileError) and self.store.remove(name):
                result.gone.append(name)
        return result

    def _take(self, paths: Sequence[Path], reporter: Reporter, stop: Stop) -> Added:
        left_out = frozenset(self.settings().left_out)
        result = Added()
        for path in paths:
            corpus = CorpusFolder(path)
            inside = corpus.path / "texts" if corpus.is_corpus else path
            name = path.name if corpus.is_corpus else ""
            add(
                self.store,
                [inside],
                reporter,
                stop=stop,
                left_out=left_out,
                name=name,
                result=result,
                looked=self._looked,
            )
            if corpus.is_corpus:
                self._take_tables(corpus)
        books = dict(self.settings().books)
        for document in result.read:
            text = self.store.text(document)
            table = _table_of(document, text) if len(text) >= BOOK else ""
            books.pop(document, None)
            if table:
                books[document] = table
        self._keep(replace(self.settings(), books=books))
        return result

    def _take_tables(self, corpus: CorpusFolder) -> None:
        for path in sorted((corpus.path / "aliases").glob("*.json")):
            target = self.folder / "aliases" / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)

    def _tables(self) -> list[AliasTable]:
        shipped = shipped_tables()
        own = [read_table(path) for path in sorted((self.folder / "aliases").glob("*.json"))]
        return [
            *own,
            *(
                shipped[one]
                for one in sorted(set(self.settings().books.values()))
                if one in shipped
            ),
        ]

    def _keep(self, settings: Settings) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.folder / "base.json", asdict(settings))
        self._names = None


def _table_of(document: str, text: str) -> str:
    """Short name of the shipped table that belongs to a book; '' where there is none."""
    found = shipped_table_for(Path(document).stem, text)
    return next((short for short, one in shipped_tables().items() if one == found), "")


def _names(tables: Sequence[AliasTable]) -> dict[str, tuple[str, ...]]:
    names: dict[str, dict[str, None]] = {}
    for table in tables:
        for person, aliases in table.people.items():
            every = [one for one in (person, *aliases) if len(one) > 1]
            for one in every:
                names.setdefault(one, {}).update(dict.fromkeys(z for z in every if z != one))
    return {name: tuple(others) for name, others in names.items()}

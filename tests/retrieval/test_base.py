"""A base that follows its folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from custome.errors import InputError
from custome.reporter import NullReporter
from custome.retrieval import base
from custome.retrieval.base import Added, add
from custome.retrieval.search import search
from custome.retrieval.sqlite import SqliteStore


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "说明"
    (made / "船").mkdir(parents=True)
    (made / "船" / "船期.md").write_text("# 船\n末班船晚上八点开。\n", encoding="utf-8")
    (made / "茶.txt").write_text("龙井茶清明前采摘。", encoding="utf-8")
    (made / "画.png").write_bytes(b"\x89PNG")
    (made / ".git").mkdir()
    (made / ".git" / "x.txt").write_text("不看", encoding="utf-8")
    return made


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    made = SqliteStore(tmp_path / "kb.db")
    yield made
    made.close()


def bring(store: SqliteStore, *paths: Path) -> Added:
    return add(store, paths, NullReporter())


def test_everything_in_a_folder_that_can_be_read(store: SqliteStore, folder: Path):
    assert bring(store, folder).read == ["说明/船/船期.md", "说明/茶.txt"]
    assert search(store, "末班船几点")[0].passage.name == "说明/船/船期.md"


def test_what_has_not_changed_is_not_read_again(store: SqliteStore, folder: Path):
    bring(store, folder)
    again = bring(store, folder)
    assert (again.read, again.unchanged) == ([], 2)


def test_what_has_changed_is_and_what_is_gone_goes(store: SqliteStore, folder: Path):
    bring(store, folder)
    (folder / "船" / "船期.md").write_text("# 船\n末班船晚上九点开。\n", encoding="utf-8")
    (folder / "茶.txt").unlink()
    result = bring(store, folder)
    assert (result.read, result.gone) == (["说明/船/船期.md"], ["说明/茶.txt"])
    assert "九点" in search(store, "末班船几点")[0].passage.text and not search(store, "龙井")


def test_a_file_by_itself_takes_nothing_away(store: SqliteStore, folder: Path, tmp_path: Path):
    bring(store, folder)
    (tmp_path / "另.txt").write_text("渡口有家酒楼。", encoding="utf-8")
    assert bring(store, tmp_path / "另.txt").gone == []
    assert len(store.digests()) == 3


def test_a_file_that_cannot_be_read_costs_only_itself(store: SqliteStore, folder: Path):
    (folder / "坏.pdf").write_bytes(b"%PDF-1.4 nothing")
    result = bring(store, folder)
    assert list(result.failed) == ["说明/坏.pdf"] and len(result.read) == 2
    assert "坏.pdf" in result.failed["说明/坏.pdf"].message


def test_stopped_it_keeps_what_it_has_and_goes_on(store: SqliteStore, folder: Path):
    asked = iter([False, True])
    first = add(store, [folder], NullReporter(), stop=lambda: next(asked))
    assert first.stopped and len(store.digests()) == 1
    second = bring(store, folder)
    assert second.unchanged == 1 and len(second.read) == 1 and not second.stopped


def test_a_path_that_is_not_there(store: SqliteStore, tmp_path: Path):
    with pytest.raises(InputError, match="没有"):
        bring(store, tmp_path / "没有")


def test_what_was_looked_at_is_not_opened_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "手册"
    folder.mkdir()
    (folder / "a.txt").write_text("渡口有船。", encoding="utf-8")
    (folder / "b.pdf").write_bytes(b"%PDF broken")
    store, looked = SqliteStore(tmp_path / "kb.db"), base.Looked()
    first = base.add(store, [folder], NullReporter(), looked=looked)
    assert first.read == ["手册/a.txt"] and list(first.failed) == ["手册/b.pdf"]
    monkeypatch.setattr(base, "_digest", None)  # nobody may read a file now
    again = base.add(store, [folder], NullReporter(), looked=looked)
    assert again.unchanged == 1 and list(again.failed) == ["手册/b.pdf"]
    monkeypatch.undo()
    (folder / "a.txt").write_text("渡口没有船了。", encoding="utf-8")
    assert base.add(store, [folder], NullReporter(), looked=looked).read == ["手册/a.txt"]
    store.close()

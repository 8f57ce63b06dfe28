"""Bases on a shelf: what is brought, followed, taken out and put back; who is called what; up to which chapter."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from custome.apps.knowledge.measuring import Question, measure, read_questions, summary
from custome.apps.knowledge.shelf import Shelf
from custome.engine.scripted import ScriptedEmbedder
from custome.errors import CustomeError, DataError, InputError
from custome.reporter import NullReporter
from custome.retrieval import vectors
from custome.retrieval.search import search

QUIET = NullReporter()


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "knowledge")


def folder(tmp_path: Path, **texts: str) -> Path:
    made = tmp_path / "手册"
    made.mkdir(exist_ok=True)
    for name, text in texts.items():
        (made / f"{name}.txt").write_text(text, encoding="utf-8")
    return made


def found(shelf: Shelf, name: str, question: str) -> list[str]:
    return [hit.passage.text for hit in search(shelf.get(name).store, question)]


def test_a_folder_is_followed(shelf: Shelf, tmp_path: Path):
    made = folder(tmp_path, 船期="末班船八点开。", 票价="船票五元一张。")
    base = shelf.create("渡口")
    assert sorted(base.add([made], QUIET).read) == ["手册/票价.txt", "手册/船期.txt"]
    (made / "票价.txt").write_text("船票涨到九元。", encoding="utf-8")
    (made / "船期.txt").unlink()
    again = base.refresh(QUIET)
    assert (again.read, again.gone) == (["手册/票价.txt"], ["手册/船期.txt"])
    assert found(shelf, "渡口", "船票多少钱") == ["船票涨到九元。"]
    assert base.refresh(QUIET).unchanged == 1


def test_what_is_taken_out_stays_out_until_it_is_put_back(shelf: Shelf, tmp_path: Path):
    base = shelf.create("渡口")
    base.add([folder(tmp_path, 船期="末班船八点开。")], QUIET)
    base.remove("手册/船期.txt")
    assert base.refresh(QUIET).read == [] and found(shelf, "渡口", "末班船") == []
    base.put_back("手册/船期.txt", None)
    assert found(shelf, "渡口", "末班船") == ["末班船八点开。"]


def test_an_uploaded_file_goes_with_its_text(shelf: Shelf):
    base = shelf.create("渡口")
    base.take_file("船期.txt", "末班船八点开，船夫秘密地叫钱勇。".encode())
    raw = base.uploaded("船期.txt")
    base.remove("船期.txt")
    base.compact()
    left = b"".join(path.read_bytes() for path in base.folder.rglob("*") if path.is_file())
    assert "钱勇".encode() not in left
    base.put_back("船期.txt", raw)
    assert found(shelf, "渡口", "船夫") == ["末班船八点开，船夫秘密地叫钱勇。"]


def test_a_file_that_cannot_be_read_costs_nothing(shelf: Shelf):
    base = shelf.create("渡口")
    base.take_file("船期.txt", "末班船八点开。".encode())
    with pytest.raises(InputError, match="是空的"):
        base.take_file("船期.txt", b"")
    assert base.uploaded("船期.txt") == "末班船八点开。".encode()
    assert found(shelf, "渡口", "末班船") == ["末班船八点开。"]


@pytest.mark.parametrize("name", ["", "..", "a/b", ".x", "x" * 41, "a\\b"])
def test_names_that_are_no_folder(shelf: Shelf, name: str):
    with pytest.raises(InputError, match="不能叫"):
        shelf.create(name)


@pytest.mark.parametrize("name", ["../x.txt", "/etc/passwd.txt", "a\\..\\x.txt"])
def test_an_uploaded_name_stays_in_its_folder(shelf: Shelf, name: str):
    base = shelf.create("渡口")
    base.take_file(name, "末班船八点开。".encode())
    (only,) = (base.folder / "files").iterdir()
    assert only.name in ("x.txt", "passwd.txt")


def test_two_folders_of_one_name(shelf: Shelf, tmp_path: Path):
    base = shelf.create("渡口")
    base.add([folder(tmp_path, 船期="末班船八点开。")], QUIET)
    other = tmp_path / "另" / "手册"
    other.mkdir(parents=True)
    with pytest.raises(InputError, match="已经有一个叫"):
        base.add([other], QUIET)
    assert found(shelf, "渡口", "末班船")


def test_no_such_base(shelf: Shelf):
    with pytest.raises(InputError, match="没有知识库 '无'"):
        shelf.get("无")
    shelf.create("有").take_file("a.txt", "字".encode())
    shelf.remove("有")
    assert shelf.names() == []


BOOK = "\n".join(
    f"第{number}回 {title}\n{text}"
    for number, title, text in (
        ("一", "渡口", "钱勇在渡口撑船。"),
        ("二", "城里", "钱勇进城卖鱼。"),
        ("三", "山中", "钱勇上山学艺，拜了一个老道。"),
    )
)


def test_nothing_that_comes_later(shelf: Shelf):
    base = shelf.create("书")
    base.take_file("书.txt", BOOK.encode())
    assert [title for title, _ in base.chapters("书.txt")] == [
        "第一回 渡口",
        "第二回 城里",
        "第三回 山中",
    ]
    hits = search(base.store, "钱勇拜了谁？", until=base.until(2))
    assert hits and all("老道" not in hit.passage.text for hit in hits)
    assert base.until(3) == {} and base.until(0) == {}


def test_a_corpus_brings_its_names(shelf: Shelf, tmp_path: Path):
    corpus = tmp_path / "corpus" / "书"
    (corpus / "texts").mkdir(parents=True)
    (corpus / "aliases").mkdir()
    (corpus / "corpus.json").write_text("{}", encoding="utf-8")
    (corpus / "texts" / "书.txt").write_text(BOOK, encoding="utf-8")
    table = {"title": "书", "people": {"钱勇": ["阿勇", "老钱", "船夫@2-3"]}}
    (corpus / "aliases" / "书.json").write_text(
        json.dumps(table, ensure_ascii=False), encoding="utf-8"
    )
    base = shelf.create("书")
    assert base.add([corpus], QUIET).read == ["书/书.txt"]
    assert set(base.names()["阿勇"]) == {"钱勇", "老钱"}
    hit = search(base.store, "阿勇卖什么？", names=base.names())[0]
    assert "钱勇" in hit.words


def test_measured(shelf: Shelf):
    base = shelf.create("书")
    base.take_file("书.txt", BOOK.encode())
    at = BOOK.index("钱勇进城")
    asked = [
        Question(question="谁进城卖鱼？", document="书", places=((at, at + 7),)),
        Question(question="钱勇多大年纪？"),
    ]
    results = measure(base, asked, None, QUIET)
    figures = summary(results)
    assert figures["recall@5"] == "1/1 = 1.00" and figures["没有的说没有"] == "1/1 = 1.00"
    assert figures["找到了却没答"] == "1/1 = 1.00"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("x", "不是 JSON"),
        ('{"q": 1}', "没有 question"),
        ('{"question": "a", "places": [[5, 3]], "document": "x"}', "places"),
        ('{"question": "a", "places": [[1, 3]]}', "没有 document"),
        ('{"question": "a", "wrong": true}', "只有打了“不对”的"),
    ],
)
def test_a_file_of_questions_with_faults(tmp_path: Path, line: str, why: str):
    path = tmp_path / "qa.jsonl"
    path.write_text(line + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=why) as error:
        read_questions(path)
    assert isinstance(error.value, CustomeError) and error.value.hint


def test_a_base_on_milvus(shelf: Shelf, tmp_path: Path):
    """By its offline double: added, found again by another process, changed, taken out."""
    base = shelf.create("渡口", milvus=str(tmp_path / "milvus.db"))
    base.add([folder(tmp_path, 船期="末班船八点开。", 票价="船票五元一张。")], QUIET)
    assert shelf.names() == ["渡口"] and len(base.documents()) == 2
    assert found(shelf, "渡口", "船票多少钱")[0] == "船票五元一张。"
    assert base.refresh(QUIET).unchanged == 2
    base.close()
    again = Shelf(shelf.folder)
    again.get("渡口").remove("手册/票价.txt")
    assert "船票五元一张。" not in found(again, "渡口", "船票多少钱")
    assert again.get("渡口").chapters("手册/船期.txt") == []


def test_a_followed_file_that_was_emptied_is_no_longer_found(shelf: Shelf, tmp_path: Path):
    folder = tmp_path / "说明"
    folder.mkdir()
    (folder / "船.txt").write_text("末班船晚上八点开。", encoding="utf-8")
    base = shelf.create("渡口")
    base.add([folder], NullReporter())
    (folder / "船.txt").write_text(" \n", encoding="utf-8")
    added = base.refresh(NullReporter())
    assert added.gone == ["说明/船.txt"] and "说明/船.txt" in added.failed and not base.documents()


def test_switched_off_no_more_vectors_are_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(vectors, "AT_ONCE", 1)

    class Off(ScriptedEmbedder):
        def passages(self, texts: Sequence[str]) -> Any:
            if self.read:
                base.find_by("")
            return super().passages(texts)

    model = Off(("船",))
    base = Shelf(tmp_path / "kb", lambda _: model).create("渡口")
    for number in range(5):
        base.take_file(f"{number}.txt", f"第{number}班船。".encode())
    base.find_by("e5-small")
    assert base.embed(QUIET) == 2 and len(model.read) == 2

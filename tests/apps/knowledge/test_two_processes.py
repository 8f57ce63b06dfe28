"""A server and the command line on the same bases; a base that goes while somebody uses it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from custome.apps.knowledge.shelf import Shelf
from custome.errors import CustomeError, InputError
from custome.reporter import NullReporter
from custome.retrieval.search import search


def test_a_base_made_anew_elsewhere(tmp_path: Path):
    here, there = Shelf(tmp_path), Shelf(tmp_path)
    here.create("甲").take_file("秘密.txt", "船夫叫钱勇。".encode())
    there.remove("甲")
    there.create("甲").take_file("新.txt", "船夫叫刘五。".encode())
    assert [one.name for one in here.get("甲").documents()] == ["新.txt"]
    here.get("甲").take_file("再.txt", "又来一个船夫。".encode())
    assert len(Shelf(tmp_path).get("甲").documents()) == 2


def test_a_base_that_goes_while_it_is_asked(tmp_path: Path):
    shelf = Shelf(tmp_path)
    base = shelf.create("甲")
    base.take_file("a.txt", "船夫叫钱勇。".encode())
    wrong: list[BaseException] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            try:
                search(base.store, "船夫叫什么？")
            except CustomeError:
                pass
            except BaseException as error:
                wrong.append(error)
                return

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for one in threads:
        one.start()
    shelf.remove("甲")
    with pytest.raises(InputError, match="没有知识库"):
        base.take_file("late.txt", "晚了。".encode())
    over.set()
    for one in threads:
        one.join()
    assert not wrong and not (tmp_path / "甲").exists()


def test_a_followed_file_is_not_overwritten_by_an_upload(tmp_path: Path):
    base = Shelf(tmp_path / "kb").create("甲")
    followed = tmp_path / "价目.txt"
    followed.write_text("旧价格是一百元。", encoding="utf-8")
    base.add([followed], NullReporter())
    with pytest.raises(InputError, match="已经从别处跟着"):
        base.take_file("价目.txt", "新价格是两百元。".encode())


def test_a_folder_that_moved_and_one_that_is_gone(tmp_path: Path):
    base = Shelf(tmp_path / "kb").create("甲")
    first, second = tmp_path / "a" / "资料", tmp_path / "b" / "资料"
    first.mkdir(parents=True)
    (first / "x.txt").write_text("船夫叫钱勇。", encoding="utf-8")
    base.add([first], NullReporter())
    second.parent.mkdir()
    first.rename(second)
    assert base.add([second], NullReporter()).unchanged == 1
    (second / "x.txt").unlink()
    second.rmdir()
    assert base.refresh(NullReporter()).gone == ["资料/x.txt"] and not base.documents()


@pytest.mark.parametrize("name", ["长" * 100 + ".txt", "a\x00.txt", "a\n.txt"])
def test_file_names_no_disk_takes(tmp_path: Path, name: str):
    with pytest.raises(InputError, match="不能用"):
        Shelf(tmp_path).create("甲").take_file(name, b"x")


def test_half_a_character_costs_nothing(tmp_path: Path):
    folder = tmp_path / "f"
    folder.mkdir()
    (folder / "a.json").write_text('{"k": "\\ud83d\u8239"}', encoding="utf-8")
    (folder / "b.txt").write_text("船夫叫钱勇。", encoding="utf-8")
    base = Shelf(tmp_path / "kb").create("甲")
    assert len(base.add([folder], NullReporter()).read) == 2
    assert search(base.store, "··是谁", names={"··": ("ー",)}) is not None

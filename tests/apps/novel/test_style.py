"""A book in figures, and one's own text beside it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from custome.apps.novel.brief import Brief
from custome.apps.novel.drafting import PlanItself
from custome.apps.novel.folder import NovelFolder
from custome.apps.novel.inventing import cast
from custome.apps.novel.style import card, likeness
from custome.apps.novel.writing import Writing, plan
from custome.cli.app import main

OLD = "钱勇乃解缆绳，遂与孙大郎同上船去。大郎曰：“此去何时归？”勇曰：“月圆之夜。”" * 60
NEW = "钱勇解开了缆绳，就跟孙大郎一起上了船。大郎说：“这次什么时候回来？”" * 60


def test_a_card_tells_old_prose_from_new():
    old, new = card(OLD), card(NEW)
    assert "曰" in old.manners() and "的" not in old.manners() and "了" in new.manners()
    assert old.letters > 1_000 and 5 < old.sentence < 20 and 0.2 < old.speech < 0.6
    assert card("").letters == 0 and card("").speech == 0


def test_likeness():
    assert likeness(OLD, OLD * 3).copied == 1.0
    apart = likeness(NEW, OLD * 3)
    assert apart.copied < 0.1 and apart.delta > likeness(OLD, OLD * 3).delta


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    book = tmp_path / "渡口.txt"
    book.write_text(OLD * 20, encoding="utf-8")
    folder = NovelFolder(tmp_path / "盐灯")
    folder.keep_brief(
        Brief(title="盐灯", premise="一本账。", chapters=1, length=400, people=cast(1, 1))
    )
    plan(folder)
    assert main(["novel", "style", str(book)]) == 0
    assert "每千字几个“曰”" in capsys.readouterr().out
    assert main(["novel", "style", str(book), str(folder.path)]) == 2
    assert "还没有写好的一回" in capsys.readouterr().err
    Writing(folder, PlanItself()).chapter(1)
    assert main(["novel", "style", str(book), str(folder.path)]) == 0
    told = capsys.readouterr().out
    assert "Delta" in told and "照抄" in told and "盐灯" in told and "才" in told
    book.write_text(OLD, encoding="utf-8")
    assert main(["novel", "style", str(book), str(folder.path)]) == 0
    assert "太短，量不出笔法" in capsys.readouterr().out


def test_people_of_a_book_bring_what_they_are_called_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    book = tmp_path / "渡口.txt"
    book.write_text(f"第一回 渡口\n\n{OLD * 20}", encoding="utf-8")
    assert main(["corpus", "build", str(book), "-o", str(tmp_path / "corpus")]) == 0
    table = {
        "钱勇": ["子坚", "勇", "太守"],
        "孙大郎": ["大郎", "太守"],
        "周掌柜": ["掌柜"],
    }
    (path,) = (tmp_path / "corpus" / "aliases").glob("*.json")
    path.write_text(json.dumps({"title": "渡口", "people": table}), encoding="utf-8")
    folder, corpus = tmp_path / "外传", str(tmp_path / "corpus")
    new = ["novel", "new", str(folder), "--people", "钱勇,陆小满", "--after", corpus]
    assert main([*new, "--chapters", "1", "--length", "300"]) == 0
    brief = NovelFolder(folder).brief()
    assert brief.people[0].aliases == ("子坚",) and brief.people[1].aliases == ()
    assert main(["novel", "write", str(folder), "--base", "none"]) == 0
    main(["novel", "check", str(folder)])
    assert "Delta" in capsys.readouterr().out
    shutil.rmtree(corpus)
    assert main(["novel", "check", str(folder)]) in (0, 1)
    assert "读不到" in capsys.readouterr().out
    assert main(["novel", "new", str(tmp_path / "又"), "--after", str(tmp_path / "没有")]) == 2

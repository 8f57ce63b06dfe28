"""The order of the work: kept after every passage, gone on with, never over what somebody wrote, never from a plan that changed."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from custome.apps.novel.brief import Brief, Person
from custome.apps.novel.checking import check
from custome.apps.novel.drafting import PlanItself, Storyteller
from custome.apps.novel.folder import NovelFolder
from custome.apps.novel.inventing import cast
from custome.apps.novel.writing import Progress, Writing, plan, with_pronouns
from custome.engine.base import Cancel
from custome.engine.scripted import ScriptedEngine
from custome.errors import EngineError, InputError
from custome.types import Reply

BRIEF = Brief(title="盐灯", premise="一本账。", chapters=3, people=cast(3, 1), things=("账簿",))


@pytest.fixture
def folder(tmp_path: Path) -> NovelFolder:
    made = NovelFolder(tmp_path / "盐灯")
    made.keep_brief(BRIEF)
    plan(made)
    return made


def test_a_chapter_is_written_passage_by_passage(folder: NovelFolder):
    seen: list[Progress] = []
    text = Writing(folder, PlanItself()).chapter(1, seen.append)
    assert text.startswith(f"# 第1回　{folder.row(1).title}\n\n")
    assert text == folder.chapter(1) and not folder.is_edited(1) and not folder.stale(1)
    assert [one.done for one in seen if one.finished] == list(range(1, len(folder.beats(1)) + 1))
    calls = [json.loads(line) for line in (folder.path / "calls.jsonl").open(encoding="utf-8")]
    assert [one["passage"] for one in calls] == list(range(1, len(calls) + 1))
    assert all(one.passed for one in check(folder, 1) if not one.what.startswith("字数"))


def test_what_was_stopped_is_gone_on_with(folder: NovelFolder):
    whole = Writing(folder, PlanItself()).chapter(1)
    other = NovelFolder(folder.path.parent / "又一本")
    other.keep_brief(BRIEF)
    plan(other)
    cancel = Cancel()

    def stop(now: Progress) -> None:
        if now.finished and now.done == 5:
            cancel.set()

    with pytest.raises(InputError, match="停在第 1 回第 6 段"):
        Writing(other, PlanItself(), cancel=cancel).chapter(1, stop)
    assert len(other.pieces(1)) == 5 and not other.chapter(1)
    assert Writing(other, PlanItself()).chapter(1) == whole


def test_somebodys_own_words_stay(folder: NovelFolder):
    writing = Writing(folder, PlanItself())
    writing.chapter(1)
    folder.edit_chapter(1, "# 第1回　我的\n\n都是我写的。\n")
    assert writing.chapter(1, again=True) == "# 第1回　我的\n\n都是我写的。\n"


def test_a_changed_brief_is_neither_used_nor_written_over(folder: NovelFolder):
    writing = Writing(folder, PlanItself())
    before = writing.chapter(1)
    folder.keep_brief(dataclasses.replace(BRIEF, seed=7))
    with pytest.raises(InputError, match="目录还是照旧的设定排的"):
        plan(folder)
    with pytest.raises(InputError, match="目录、?"):
        writing.chapter(1)
    rows = plan(folder, again=True)
    assert folder.chapter(1) == before and rows[0] == folder.row(1)
    with pytest.raises(InputError, match="第 1 回：情节"):
        writing.chapter(1)
    assert writing.chapter(1, again=True) != before


def test_an_outline_that_was_edited_makes_its_chapter_stale(folder: NovelFolder):
    writing = Writing(folder, PlanItself())
    writing.chapter(1)
    writing.chapter(2)
    path = folder.path / "outline.json"
    kept = json.loads(path.read_text(encoding="utf-8"))
    hero = BRIEF.people[0].name
    kept["chapters"][0]["event"] = f"{hero}在渡口等了一夜，没有人来。"
    path.write_text(json.dumps(kept, ensure_ascii=False), encoding="utf-8")
    assert folder.stale(1) == ["beats"] and folder.stale(2) == []
    assert f"{hero}在渡口等了一夜" in writing.chapter(1, again=True)


def test_another_candidate_makes_the_chapter_stale(folder: NovelFolder):
    engine = ScriptedEngine(["他站了一会儿。"])
    writing = Writing(folder, Storyteller(engine, "x"), candidates=1)
    writing.chapter(1)
    pieces = folder.pieces(1)
    other = next(at for at, piece in enumerate(pieces) if len(piece.candidates) > 1)
    changed = [*pieces]
    changed[other] = dataclasses.replace(pieces[other], chosen=1)
    folder.keep_pieces(1, changed)
    assert folder.stale(1) == ["chapter"]


def test_pronouns_where_nobody_else_can_be_meant():
    people = (
        Person(name="沈青", gender="男"),
        Person(name="马彪", gender="男"),
        Person(name="顾三娘", gender="女"),
    )
    brief = Brief(title="x", premise="y", people=people)
    assert with_pronouns("沈青坐下。沈青喝茶。沈青见了马彪。沈青笑了。", brief) == (
        "沈青坐下。他喝茶。他见了马彪。沈青笑了。"
    )
    assert with_pronouns("沈青见了顾三娘。沈青笑了。顾三娘也笑了。", brief) == (
        "沈青见了顾三娘。他笑了。顾三娘也笑了。"
    )


WRITE = """
import sys, time
from pathlib import Path
from custome.apps.novel.drafting import PlanItself
from custome.apps.novel.folder import NovelFolder
from custome.apps.novel.writing import Writing
class Slow(PlanItself):
    def drafts(self, *_):
        time.sleep(0.01)
        return []
folder = NovelFolder(Path(sys.argv[1]))
print("begun", flush=True)
for number in (1, 2, 3):
    Writing(folder, Slow()).chapter(number)
print("done", flush=True)
"""


def test_killed_at_any_moment_it_goes_on_to_the_same_text(folder: NovelFolder, tmp_path: Path):
    for number in (1, 2, 3):
        Writing(folder, PlanItself()).chapter(number)
    whole = [folder.chapter(number) for number in (1, 2, 3)]
    other = NovelFolder(tmp_path / "又一本")
    other.keep_brief(BRIEF)
    plan(other)
    lost = 0
    for kill in range(20):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITE, str(other.path)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None and process.stdout.readline() == "begun\n"
        time.sleep(0.01 + 0.013 * kill)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        journal = other.path / "calls.jsonl"
        calls = journal.read_text(encoding="utf-8").splitlines() if journal.is_file() else []
        kept = sum(len(other.pieces(number)) for number in (1, 2, 3))
        written = {(one["chapter"], one["passage"]) for one in map(json.loads, calls)}
        lost = max(lost, len(written) - kept)
    assert lost <= 1
    for number in (1, 2, 3):
        Writing(other, PlanItself()).chapter(number)
    assert [other.chapter(number) for number in (1, 2, 3)] == whole


class Dies(ScriptedEngine):
    """A model elsewhere whose connection breaks after so many answers."""

    kind = "template"

    def __init__(self, after: int) -> None:
        super().__init__(["他站着没有动。"], slots=1)
        self.after = after

    def generate(self, *given: object, **named: object) -> list[Reply]:
        self.after -= 1
        if self.after < 0:
            raise EngineError("连不上 http://127.0.0.1:9/v1", "看看那边还开着没有")
        return super().generate(*given, **named)  # type: ignore[arg-type]


def test_a_model_that_dies_costs_no_passage(folder: NovelFolder, tmp_path: Path):
    whole = NovelFolder(tmp_path / "又一本")
    whole.keep_brief(BRIEF)
    plan(whole)
    text = Writing(whole, Storyteller(Dies(after=10**6), "m")).chapter(1)
    with pytest.raises(EngineError, match="连不上"):
        Writing(folder, Storyteller(Dies(after=4), "m")).chapter(1)
    assert len(folder.pieces(1)) == 4 and not folder.chapter(1)
    assert Writing(folder, Storyteller(Dies(after=10**6), "m")).chapter(1) == text


_FILLING = """
import resource, signal, sys
from pathlib import Path
from custome.apps.novel.drafting import PlanItself
from custome.apps.novel.folder import NovelFolder
from custome.apps.novel.writing import Writing
from custome.errors import CustomeError

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
try:
    for number in (1, 2, 3):
        Writing(NovelFolder(Path(sys.argv[1])), PlanItself()).chapter(number)
except CustomeError as error:
    sys.exit(f"{type(error).__name__}：{error}")
"""


@pytest.mark.parametrize("room", [2_000, 6_000, 16_000])
def test_a_disk_that_fills_costs_no_chapter(folder: NovelFolder, tmp_path: Path, room: int):
    """Files may not grow beyond so many bytes: the journal first, or a chapter's passages."""
    whole = NovelFolder(tmp_path / "又一本")
    whole.keep_brief(BRIEF)
    plan(whole)
    texts = [Writing(whole, PlanItself()).chapter(number) for number in (1, 2, 3)]
    filling = [sys.executable, "-c", _FILLING, str(folder.path), str(room)]
    ended = subprocess.run(filling, capture_output=True, text=True, check=False)
    assert ended.returncode == 1 and "Error：" in ended.stderr and "Traceback" not in ended.stderr
    for number in folder.written():
        assert folder.chapter(number) == texts[number - 1]
    again = [Writing(folder, PlanItself()).chapter(number) for number in (1, 2, 3)]
    assert again == texts

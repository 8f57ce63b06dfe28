"""Lessons for a novelist: told again by a model, kept as they are made, only what kept the people and their words is learnt."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from custome.apps.novel.learning import is_novelist, manner_of, people_of, write_lessons
from custome.apps.novel.passages import Keywords, Material
from custome.apps.novel.retelling import plan_of_lesson, retold
from custome.cli.app import main
from custome.corpus.build import build
from custome.engine.scripted import ScriptedEngine
from custome.errors import DataError, InputError
from custome.reporter import NullReporter
from custome.types import Request

SENTENCES = (
    "却说钱勇在渡口撑船，把竹篙插在泥里，忽见孙大郎挑着两担茶叶走下堤来。",
    "孙大郎曰：“末班船还开么？”钱勇曰：“雨大风急，只怕开不得。”",
    "钱勇大笑，遂解缆绳，两人同上船去。",
    "行至江心，风浪大作，孙大郎面如土色，紧抱茶担不放。",
)
BOOK = "\n\n".join(
    f"第{number}回 渡口\n\n{''.join(SENTENCES)}" for number in "一二三四五六七八九十"
)


class Teller(ScriptedEngine):
    """Says it again with another first word, as a model would; breaks after so many questions."""

    kind = "template"

    def __init__(self, most: int = 10**6) -> None:
        super().__init__()
        self.most, self.asked = most, 0

    def generate(self, requests: Sequence[Request], *given: object, **named: object):  # type: ignore[no-untyped-def, override]
        self.asked += len(requests)
        if self.asked > self.most:
            raise KeyboardInterrupt
        self._replies = [f"后来，{one.messages[-1].content}" for one in requests]
        self.requests.clear()
        return super().generate(requests, *given, **named)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("corpus")
    (place / "渡口.txt").write_text(BOOK, encoding="utf-8")
    build([place / "渡口.txt"], place / "corpus", NullReporter())
    return place / "corpus"


@pytest.fixture
def corpus(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "corpus"))


def rows(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_lessons_of_a_corpus(corpus: Path):
    seen: list[tuple[int, int]] = []
    lessons = write_lessons(corpus, Teller, 6, seen=lambda *now: seen.append(now))
    assert lessons.learnt == 6 and len(rows(lessons.train)) == 6 and lessons.held_out >= 1
    for row in rows(lessons.train):
        event = next(line for line in row["context"].splitlines() if line.startswith("【事】"))
        assert event.startswith("【事】后来，") or row["chat"] in BOOK
        assert row["context"].splitlines()[-1].startswith("【长】")
    assert seen[-1][0] == 6 + lessons.held_out <= seen[-1][1]


def test_a_stopped_run_goes_on_where_it_was(corpus: Path):
    with pytest.raises(KeyboardInterrupt):
        write_lessons(corpus, lambda: Teller(most=8), 20)
    assert len(rows(corpus / "novelist" / "retold.jsonl")) == 8
    with (corpus / "novelist" / "retold.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"text": "半')  # killed inside a line
    teller = Teller()
    lessons = write_lessons(corpus, lambda: teller, 20)
    assert len((corpus / "novelist" / "retold.jsonl").read_text("utf-8").splitlines()) == (
        8 + 1 + teller.asked
    )
    again = Teller()
    assert write_lessons(corpus, lambda: again, 20) == lessons and again.asked == 0
    whole = Teller()
    shutil.rmtree(corpus / "novelist")
    assert write_lessons(corpus, lambda: whole, 20) == lessons
    assert teller.asked == whole.asked - 8


def test_no_corpus_and_no_prose(tmp_path: Path):
    with pytest.raises(InputError):
        write_lessons(tmp_path / "nothing", Teller, 6)


def test_chats_are_no_novels_and_a_table_of_nonsense_is_told(corpus: Path):
    info = json.loads((corpus / "corpus.json").read_text("utf-8"))
    info["sources"][0]["form"] = "chat"
    (corpus / "corpus.json").write_text(json.dumps(info), encoding="utf-8")
    with pytest.raises(InputError, match="没有可学的正文"):
        write_lessons(corpus, Teller, 6)
    (path,) = (corpus / "aliases").glob("*.json")
    path.write_text('{"people": {"钱勇": [],}}', encoding="utf-8")
    with pytest.raises(DataError, match="不是合法的 JSON"):
        people_of(corpus)


def material(text: str, *people: str) -> Material:
    return Material(chapter=1, before="", text=text, people=people)


@pytest.mark.parametrize(
    ("plain", "kept"),
    [
        ("陆勇很高兴，解开了缆绳。", True),
        ("他很高兴，解开了缆绳。", False),  # nobody is named
        ("陆勇很高兴，解开了缆绳", False),  # not ended
        ("陆勇说：“我解开缆绳。”", False),  # nobody speaks there
        ("陆勇。", False),
        ("陆勇很高兴，解开了缆绳，" * 3 + "走了。", False),
        ("陆勇 is happy，解开缆绳。", False),
        ("陆勇大喜，遂解缆绳而去。", False),  # the same words
        ("陆勇很高兴，和曹公一起解开了缆绳。", False),  # nobody of the book's own
        ("", False),
    ],
)
def test_what_lost_the_thread_is_not_learnt(plain: str, kept: bool):
    engine = ScriptedEngine([plain])
    one = material("陆勇大喜，遂解缆绳而去。", "陆勇")
    assert retold(engine, [one], ["曹公"]) == [plain if kept else ""]


def test_a_plan_has_words_that_its_passage_has_and_sometimes_a_clause_less():
    one = material("钱勇大喜，遂解缆绳，天色已晚，两人上船。", "钱勇")
    plain = "钱勇很高兴，天已经黑了，解开缆绳，两人上船。"
    keywords = Keywords([one.text, one.text])
    plans = [plan_of_lesson(one, plain, keywords, random.Random(seed)) for seed in range(20)]
    assert {plan.event for plan in plans} == {
        plain,
        "钱勇很高兴，解开缆绳，两人上船。",
        "钱勇很高兴，天已经黑了，两人上船。",
    }
    for plan in plans:
        assert all(word in plan.event and word in one.text for word in plan.keywords)
        assert plan.people == ("钱勇",) and plan.length == 16


def test_taught_and_then_it_writes(
    corpus: Path, tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The command: told again, trained, marked; what it wrote passes like anybody's."""
    monkeypatch.setattr("custome.cli.novel_style.open_named", lambda base, reporter: Teller())
    recipe, run = tmp_path / "tiny.yaml", tmp_path / "run"
    recipe.write_text(
        "data: {train_path: x, valid_path: x, cutoff_len: 256}\n"
        f"model: {{base_model: {tiny_base}}}\n"
        "train: {steps: 2, batch_size: 4, micro_batch_size: 2}\n"
        "checks: {eval_samples: 2}\n",
        encoding="utf-8",
    )
    learn = ["novel", "train-style", str(corpus), "--recipe", str(recipe), "--output-dir", str(run)]
    assert not is_novelist(run)
    assert main(learn) == 0 and is_novelist(run)
    assert "钱勇" in manner_of(run).people and manner_of(run).favours["曰"] >= 0
    assert len(rows(corpus / "novelist" / "train.jsonl")) == 8
    assert main([*learn, "--resume"]) == 0  # the same lessons again, nothing left to do
    book = str(tmp_path / "盐灯")
    assert main(["novel", "new", book, "--chapters", "1", "--length", "200"]) == 0
    assert main(["novel", "write", book, "--run", str(run), "--candidates", "1"]) == 0
    assert main(["novel", "check", book]) in (0, 1)
    (chapter,) = (Path(book) / "chapters").glob("*.md")
    assert len(chapter.read_text(encoding="utf-8")) > 150

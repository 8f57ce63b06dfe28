"""A training behind a page: it waits while somebody is answered, goes on, and says when it is done; a failed one says so too."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from custome import recipe_file
from custome.apps.training.behind import TrainingBehind
from custome.engine.base import Cancel, ServedModel
from custome.engine.scripted import ScriptedEngine
from custome.models.run_folder import read_run
from custome.server.catalogue import Catalogue
from custome.types import GenerateOptions, Message, Request
from tiny import make_recipe


def wait_for(what: Callable[[], object], seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until
        time.sleep(0.1)


@pytest.mark.slow
def test_it_waits_while_somebody_is_answered_and_is_taken_over_at_the_end(
    tiny_base: Path, tmp_path: Path
):
    recipe = make_recipe(
        tiny_base, tmp_path / "run", steps=200, checks={"eval_steps": 0, "save_steps": 100}
    )
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "recipe.yaml").write_text(recipe_file.dump(recipe), encoding="utf-8")
    busy, done = threading.Event(), threading.Event()
    behind = TrainingBehind(tmp_path / "run", steps=200, busy=busy.is_set, done=done.set)
    assert "准备" in behind.progress()
    wait_for(
        lambda: "步" in behind.progress().replace("边聊边练", "") and "/200" in behind.progress()
    )
    busy.set()
    wait_for(lambda: behind._process.status() == psutil.STATUS_STOPPED)
    assert "等一等" in behind.progress()
    standing = behind.progress()
    time.sleep(1)
    assert behind.progress() == standing  # not a step further
    busy.clear()
    wait_for(done.is_set)
    wait_for(lambda: behind.progress() == "")
    assert read_run(tmp_path / "run").status == "complete"


@pytest.mark.slow
def test_stopped_it_saves_and_goes_on_next_time(tiny_base: Path, tmp_path: Path):
    recipe = make_recipe(
        tiny_base, tmp_path / "run", steps=400, checks={"eval_steps": 0, "save_steps": 400}
    )
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "recipe.yaml").write_text(recipe_file.dump(recipe), encoding="utf-8")
    behind = TrainingBehind(tmp_path / "run", steps=400, busy=lambda: False, done=lambda: None)
    wait_for(lambda: "/400" in behind.progress())
    behind.stop()
    assert (
        list((tmp_path / "run" / "checkpoints").iterdir())
        and read_run(tmp_path / "run").status != "complete"
    )
    done = threading.Event()
    again = TrainingBehind(tmp_path / "run", steps=400, busy=lambda: False, done=done.set)
    wait_for(done.is_set)
    assert again.progress() == "" and read_run(tmp_path / "run").results["steps"] == 400


@pytest.mark.slow
def test_one_that_fails_says_where_to_look(tmp_path: Path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "recipe.yaml").write_text(
        "data:\n  train_path: nowhere.jsonl\n", encoding="utf-8"
    )
    behind = TrainingBehind(tmp_path / "run", steps=3, busy=lambda: False, done=lambda: None)
    wait_for(lambda: "train.log" in behind.progress())
    assert "nowhere.jsonl" in (tmp_path / "run" / "train.log").read_text(encoding="utf-8")


def test_the_tuned_model_takes_the_place_of_the_untuned_one_without_a_lost_word():
    """Whoever is being answered by the one that goes is answered to the end."""
    untuned, tuned = (
        ScriptedEngine(["慢慢说完这一句话。"], delay_s=0.05),
        ScriptedEngine(["我来了。"]),
    )
    catalogue = Catalogue([ServedModel(name="三国", engine=untuned)])
    request, replies = Request(messages=(Message(role="user", content="在么？"),)), []
    ask = threading.Thread(
        target=lambda: replies.append(
            catalogue.find("三国", None).engine.run(request, GenerateOptions(), None, Cancel())
        )
    )
    ask.start()
    wait_for(catalogue.busy)
    held = catalogue.find("三国", None).engine
    catalogue.replace(ServedModel(name="三国", engine=tuned))
    assert (
        held.run(request, GenerateOptions()).text == "我来了。"
    )  # whoever had looked it up before
    assert [one.name for one in catalogue.hosted()] == ["三国"]
    assert catalogue.find("三国", None).engine.run(request, GenerateOptions()).text == "我来了。"
    ask.join()
    assert replies[0].text == "慢慢说完这一句话。" and not catalogue.busy()

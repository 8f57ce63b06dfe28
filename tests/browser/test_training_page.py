"""The training page in a real browser: a run is watched, the page closed and opened again, the run stopped from it and
resumed from page and shell."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from custome.apps.training.run import TrainingRun
from custome.recipe_file import dump
from custome.webui.launch import open_page
from custome.webui.training_page import build_training_page
from tiny import make_recipe

pytestmark = pytest.mark.browser


@pytest.fixture
def run(tiny_base: Path, tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "run"
    recipe = make_recipe(
        tiny_base,
        folder,
        steps=3000,
        learning_rate=1e-3,
        checks={"eval_steps": 20, "save_steps": 1000},
    )
    (tmp_path / "recipe.yaml").write_text(dump(recipe), encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "custome", "train", "--recipe", str(tmp_path / "recipe.yaml")],
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while not (folder / "samples.jsonl").exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    yield folder
    if (folder / "run.json").exists():
        TrainingRun(folder).stop()
    process.wait(timeout=60)


def steps_shown(tab: Page) -> int:
    return int(tab.locator("#status").inner_text().split("第 ")[1].split(" /")[0])


def wait_beyond(step: int, tab: Page) -> None:
    deadline = time.monotonic() + 60
    while steps_shown(tab) <= step and time.monotonic() < deadline:
        tab.wait_for_timeout(500)
    assert steps_shown(tab) > step


def test_watch_stop_resume(browser: Browser, run: Path):
    page = build_training_page(TrainingRun(run))
    address = open_page(
        page, host="127.0.0.1", port=None, share=False, say=lambda line: None, block=False
    )
    try:
        tab = browser.new_page(locale="zh-CN")
        problems: list[str] = []
        tab.on("pageerror", lambda error: problems.append(str(error)))
        tab.goto(address)
        expect(tab.locator("#status")).to_contain_text("训练中", timeout=60_000)
        expect(tab.locator("#samples")).to_contain_text("博物馆大火", timeout=30_000)
        expect(tab.locator("svg, canvas").first).to_be_visible(timeout=30_000)
        first = steps_shown(tab)
        tab.close()  # training goes on without anybody looking

        tab = browser.new_page(locale="zh-CN")
        tab.goto(address)
        expect(tab.locator("#status")).to_contain_text("训练中", timeout=60_000)
        wait_beyond(first, tab)

        tab.locator("#stop").click()
        expect(tab.locator("#status")).to_contain_text("停着", timeout=60_000)
        stopped = steps_shown(tab)
        assert (
            list((run / "checkpoints").glob(f"step-{stopped:07d}"))
            and TrainingRun(run).status() == "stopped"
        )

        tab.locator("#resume").click()
        expect(tab.locator("#status")).to_contain_text("训练中", timeout=60_000)
        wait_beyond(stopped, tab)
        tab.locator("#stop").click()
        expect(tab.locator("#status")).to_contain_text("停着", timeout=60_000)
        assert not problems
    finally:
        page.close()

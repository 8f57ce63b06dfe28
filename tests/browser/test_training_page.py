"""The training page in a real browser: a run is watched, the page closed and opened again, the run stopped from it and
resumed from page and shell."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from custome.apps.training.run import TrainingRun
from custome.ports import free_port
from custome.recipe_file import dump
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
    return int(tab.locator(".headline").inner_text().split("第 ")[1].split(" /")[0])


def wait_beyond(step: int, tab: Page) -> None:
    deadline = time.monotonic() + 60
    while steps_shown(tab) <= step and time.monotonic() < deadline:
        tab.wait_for_timeout(500)
    assert steps_shown(tab) > step


@pytest.fixture
def address(run: Path) -> Iterator[str]:
    """`custome watch`, as one calls it."""
    port = free_port("127.0.0.1", None)
    command = [sys.executable, "-m", "custome", "watch", str(run), "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.1)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    assert process.wait(30) in (0, -15)


def test_watch_stop_resume(browser: Browser, run: Path, address: str):
    problems: list[str] = []

    def look() -> Page:
        tab = browser.new_page(locale="zh-CN", viewport={"width": 1280, "height": 800})
        tab.on("pageerror", lambda error: problems.append(str(error)))
        tab.goto(address)
        expect(tab.locator(".headline")).to_contain_text("训练中", timeout=60_000)
        return tab

    tab = look()
    expect(tab.locator(".samples")).to_contain_text("博物馆大火", timeout=30_000)
    expect(tab.locator(".plot canvas, .plot svg").first).to_be_visible(timeout=30_000)
    assert "普通中文" not in tab.locator(".plots").inner_text(), "no empty chart"
    first = steps_shown(tab)
    tab.close()  # training goes on without anybody looking

    tab = look()
    wait_beyond(first, tab)
    expect(tab.get_by_role("button", name="接着训练")).to_be_disabled()
    tab.get_by_role("button", name="停下（存盘后停）").click()
    expect(tab.locator(".headline")).to_contain_text("停着", timeout=60_000)
    stopped = steps_shown(tab)
    assert list((run / "checkpoints").glob(f"step-{stopped:07d}"))
    assert TrainingRun(run).status() == "stopped"

    tab.get_by_role("button", name="接着训练").click()
    expect(tab.locator(".headline")).to_contain_text("训练中", timeout=60_000)
    wait_beyond(stopped, tab)
    tab.get_by_role("button", name="停下（存盘后停）").click()
    expect(tab.locator(".headline")).to_contain_text("停着", timeout=60_000)
    assert not problems
    tab.close()

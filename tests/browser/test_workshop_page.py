"""A person with a book and no command line: `custome serve` with nothing, the book is brought and read in a real browser, wide and
on a phone, and the plan of a training is told."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from custome.machine import Rates, write_rates
from custome.ports import free_port

pytestmark = pytest.mark.browser


@pytest.fixture
def address(tmp_path: Path, own_home: Path) -> Iterator[str]:
    """A server that serves nobody yet, started in an empty folder."""
    write_rates(Rates(machine="any", fp32=120.0, bf16=400.0), own_home)
    port = free_port("127.0.0.1", None)
    environment = {**os.environ, "CUSTOME_HOME": str(own_home), "PYTHONUNBUFFERED": "1"}
    log = tmp_path / "serve.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "custome", "serve", "--port", str(port)],
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=tmp_path,
            env=environment,
        )
    try:
        until = time.monotonic() + 60
        while "已打开" not in log.read_text(encoding="utf-8"):
            assert process.poll() is None and time.monotonic() < until, log.read_text("utf-8")
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.parametrize("width", [1280, 390])
def test_a_book_is_brought_looked_at_and_planned_for(
    browser: Browser, address: str, tiny_novel: Path, width: int
):
    page = browser.new_context(locale="zh-CN", viewport={"width": width, "height": 800}).new_page()
    wrong: list[str] = []
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    page.goto(address)
    expect(page.get_by_text("还没有可以说话的人")).to_be_visible(timeout=20_000)
    page.get_by_role("link", name="带一本书来").click()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="带一本书来").click()
    chooser.value.set_files(tiny_novel)
    made = page.locator(".made", has_text="xiaoshuo")
    expect(made).to_contain_text("句有主的话", timeout=60_000)
    made.get_by_role("button", name="训练").click()
    plan = page.locator(".gallery_card .text")
    expect(plan).to_have_text(
        re.compile(r"步，约 \d+ 分钟，最多占 .* GB 内存|这样练不成"), timeout=30_000
    )
    page.get_by_role("button", name="算了").click()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    made.get_by_role("link", name="看看").click()
    expect(page).to_have_title(re.compile("语料"), timeout=20_000)
    page.go_back()
    expect(made).to_be_visible(timeout=20_000)
    assert not wrong, wrong

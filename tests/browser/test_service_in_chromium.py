"""`custome demo service` in a real browser: a customer on a stranger's page, an agent in the inbox; wide and on a phone."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from playwright.sync_api import Browser, expect

from custome.ports import free_port

pytestmark = pytest.mark.browser
SHOP = "青石茶铺"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("demo")
    port = free_port("127.0.0.1", None)
    environment = {**os.environ, "CUSTOME_HOME": str(folder / "home"), "PYTHONUNBUFFERED": "1"}
    log = folder / "log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "custome", "demo", "service", "--port", str(port)],
            stdout=out,
            stderr=subprocess.STDOUT,
            env=environment,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + 60
        while True:
            assert process.poll() is None and time.monotonic() < until, log.read_text("utf-8")
            try:
                httpx.get(f"{address}/health", timeout=1)
                break
            except httpx.TransportError:
                time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.parametrize("width", [1280, 390])
def test_a_customer_is_handed_over_and_back(
    browser: Browser, demo: str, tmp_path: Path, width: int
):
    size = {"width": width, "height": 800}
    wrong: list[str] = []
    elsewhere = tmp_path / "shop.html"  # a page of somebody else's, with the one tag
    elsewhere.write_text(
        f'<!doctype html><meta charset="utf-8"><h1>茶</h1><script src="{demo}/shop/widget.js" data-shop="{SHOP}"></script>',
        encoding="utf-8",
    )
    shop = browser.new_context(locale="zh-CN", viewport=size).new_page()
    shop.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    shop.goto(elsewhere.as_uri())
    shop.get_by_role("button", name="问问客服").click()

    def say(words: str) -> None:
        shop.get_by_role("textbox").fill(words)
        shop.keyboard.press("Enter")

    say("明前龙井50g多少钱")
    expect(shop.get_by_text("168.00元")).to_be_visible()
    say("<b>转人工</b>")
    expect(shop.get_by_text("<b>转人工</b>")).to_be_visible()
    expect(shop.get_by_text("正在转人工，请稍等")).to_be_visible(timeout=10_000)

    inbox = browser.new_context(locale="zh-CN", viewport=size).new_page()
    inbox.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    inbox.goto(f"{demo}/service")
    if width < 640:
        inbox.get_by_role("button", name="列表").click()
    inbox.locator(".chat_row.queued button.open").first.click(timeout=20_000)
    if width < 640:
        inbox.mouse.click(width - 5, 400)
    inbox.get_by_role("button", name="接手").click()
    box = inbox.locator(".composer textarea")
    box.fill("您好，我是小王。")
    box.press("Enter")
    expect(shop.get_by_text("您好，我是小王。")).to_be_visible(timeout=10_000)
    say("好的")
    expect(inbox.get_by_text("好的", exact=True)).to_be_visible(timeout=10_000)
    inbox.get_by_role("button", name="交回给助手").click()
    expect(inbox.get_by_role("button", name="接手")).to_be_visible()
    say("那100g的呢")
    expect(shop.get_by_text("318.00元")).to_be_visible(timeout=10_000)
    shop.reload()
    shop.get_by_role("button", name="问问客服").click()
    expect(shop.get_by_text("318.00元")).to_be_visible(timeout=10_000)
    assert inbox.evaluate("document.documentElement.scrollWidth") <= width

    page = browser.new_context(viewport=size).new_page()
    page.goto(f"{demo}/shop/{quote(SHOP)}")
    expect(page.get_by_role("textbox")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert not wrong

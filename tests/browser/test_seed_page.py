"""The original command lines on a ChatGLM-6B: trained, served in 8 bits, asked with four beams."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from chat_tab import answers, ask, finished, open_tab, settings, words
from custome.ports import free_port
from tiny import make_tiny_rows

ROOT = Path(__file__).parents[2]


@pytest.mark.browser
def test_train_mingzhu_and_chat_server(browser: Browser, chatglm_reference: Path, tmp_path: Path):
    train, valid = (
        make_tiny_rows(tmp_path / "train.jsonl"),
        make_tiny_rows(tmp_path / "valid.jsonl", 10),
    )
    flags = [
        "--base_model",
        str(chatglm_reference),
        "--train_path",
        str(train),
        "--valid_path",
        str(valid),
        "--output_dir",
        "run",
        "--num_epochs",
        "2",
        "--learning_rate",
        "1e-2",
    ]
    command = [sys.executable, str(ROOT / "train_mingzhu.py"), *flags]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]

    port = free_port("127.0.0.1", None)
    command = [
        sys.executable,
        str(ROOT / "chat_server.py"),
        "--load_8bit",
        "--base_model",
        str(chatglm_reference),
        "--lora_weights",
        "run",
        "--server_port",
        str(port),
    ]
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log)
    page = browser.new_context(locale="zh-CN").new_page()
    try:
        _reached(port, server, tmp_path / "log")
        open_tab(page, f"http://127.0.0.1:{port}/")
        settings(page, "怎么抽词")
        drawn = page.locator(".right")
        for label in (
            "Do sample",
            "Temperature",
            "Top p",
            "Top k",
            "Beams",
            "Max history",
            "Max tokens",
        ):
            expect(drawn.get_by_text(label)).to_be_visible()  # the original's own controls
        drawn.get_by_role("switch", name="采样").click()
        longest = page.locator(".right").get_by_role("slider", name="Max tokens")
        for _ in range(40):
            longest.locator("[tabindex]").first.press("ArrowLeft")
        for number, beams in enumerate((4, 1)):
            _slide(page, "Beams", beams)
            ask(page, "书信何在？张三曰：")
            finished(page)
            expect(words(answers(page).nth(number))).to_have_text(re.compile(r"\S"), timeout=60_000)
        assert server.poll() is None
    finally:
        page.context.close()
        server.terminate()
        server.wait(30)


def _slide(page: Page, label: str, wanted: int) -> None:
    """To a whole number, by the keys."""
    slider = page.locator(".right").get_by_role("slider", name=label)
    for key, times in (("ArrowLeft", 8), ("ArrowRight", wanted - 1)):
        for _ in range(times):
            slider.locator("[tabindex]").first.press(key)
    expect(slider).to_have_attribute("aria-valuenow", str(wanted))


def _reached(port: int, server: subprocess.Popen, log: Path) -> None:
    for _ in range(240):
        assert server.poll() is None, log.read_text(encoding="utf-8")[-2000:]
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.5)
    raise AssertionError(log.read_text(encoding="utf-8")[-2000:])

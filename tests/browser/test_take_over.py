"""`custome quickstart` as somebody lives it: the page opens with the untuned base, training goes on behind it, and the tuned people
take over in the same conversation."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from playwright.sync_api import Browser, expect
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from chat_tab import answers, ask, open_tab, questions, words
from custome.models.run_folder import has_run, read_run
from custome.ports import free_port
from tiny import make_tiny_base

pytestmark = pytest.mark.browser
TEMPLATE = "{% for m in messages %}<{{ m.role }}>{{ m.content }}<eos>\n{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"


def instructed(folder: Path) -> Path:
    """A tiny instruct base that looks back far enough for a persona in bytes."""
    make_tiny_base(folder, "qwen")
    config = AutoConfig.from_pretrained(folder, max_position_embeddings=4096)
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    return folder


def test_the_tuned_people_take_over(
    browser: Browser, tiny_novel: Path, tmp_path: Path, own_home: Path
):
    base, port = instructed(tmp_path / "base"), free_port("127.0.0.1", None)
    command = [
        sys.executable,
        "-m",
        "custome",
        "quickstart",
        str(tiny_novel),
        "--base",
        str(base),
        "--steps",
        "60",
        "--port",
        str(port),
    ]
    environment = {**os.environ, "CUSTOME_HOME": str(own_home), "PYTHONUNBUFFERED": "1"}
    log = tmp_path / "quickstart.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=subprocess.STDOUT, cwd=tmp_path, env=environment
        )
    try:
        until = time.monotonic() + 120
        while "聊天页已打开" not in log.read_text(encoding="utf-8"):
            assert process.poll() is None and time.monotonic() < until, log.read_text(
                encoding="utf-8"
            )
            time.sleep(0.2)
        page = open_tab(
            browser.new_context(locale="zh-CN", viewport={"width": 1280, "height": 860}).new_page(),
            f"http://127.0.0.1:{port}",
        )
        expect(page.locator(".behind")).to_contain_text("边聊边练", timeout=30_000)
        ask(page, "粮草何在？")
        expect(answers(page)).to_have_count(1, timeout=60_000)
        run = tmp_path / "runs" / f"{tiny_novel.stem}-60steps"
        while not (has_run(run) and read_run(run).status == "complete"):
            assert process.poll() is None, log.read_text(encoding="utf-8")
            page.wait_for_timeout(500)
        expect(page.locator(".behind")).to_be_hidden(timeout=60_000)
        ask(page, "书信何在？")
        expect(answers(page)).to_have_count(2, timeout=60_000)
        assert words(questions(page)).all_inner_texts() == [
            "粮草何在？",
            "书信何在？",
        ]
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=90)

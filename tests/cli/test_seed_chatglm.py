"""The original command lines on a ChatGLM-6B: trained, served in 8 bits, asked with four beams."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from gradio_client import Client

from custome.ports import free_port
from tiny import make_tiny_rows

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_train_mingzhu_and_chat_server(chatglm_reference: Path, tmp_path: Path):
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
        server = subprocess.Popen(
            command,
            cwd=tmp_path,
            stdout=log,
            stderr=log,
            env={**os.environ, "GRADIO_ANALYTICS_ENABLED": "0"},
        )
    try:
        client = _client(port, server, tmp_path / "log")
        client.predict("0" * 32, "", api_name="/arrive")  # as a browser's tab says whose it is
        asked = client.view_api(return_format="dict", print_info=False)["named_endpoints"][
            "/submit"
        ]["parameters"]
        named = {one["label"]: one["parameter_name"] for one in asked}
        for beams in (4, 1):
            options = {
                named["采样 Do sample"]: False,
                named["束宽 Beams"]: beams,
                named["最多写多少 token"]: 24,
            }
            said = client.predict(text="书信何在？张三曰：", api_name="/submit", **options)
            turns = next(value for value in said if isinstance(value, list))
            assert [turn["role"] for turn in turns[-2:]] == ["user", "assistant"]
            assert turns[-1]["content"][0]["text"], f"{beams} beams said nothing"
        assert server.poll() is None
    finally:
        server.terminate()
        server.wait(30)


def _client(port: int, server: subprocess.Popen, log: Path) -> Client:
    for _ in range(120):
        assert server.poll() is None, log.read_text(encoding="utf-8")[-2000:]
        try:
            return Client(f"http://127.0.0.1:{port}/", verbose=False)
        except Exception:  # not up yet; whatever way the client says so
            time.sleep(0.5)
    raise AssertionError(log.read_text(encoding="utf-8")[-2000:])

"""`custome serve` and `custome keys` from the command line, and the files in deploy/."""

from __future__ import annotations

import configparser
import json
import re
from pathlib import Path

import pytest
import yaml

from custome.cli.app import main
from custome.cli.vllm import ServeVllm, vllm_command
from custome.errors import InputError

DEPLOY = Path(__file__).parents[2] / "deploy"


def told(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str]:
    code = main(list(argv))
    captured = capsys.readouterr()
    return code, captured.out + captured.err


def test_without_keys_nobody_else_is_let_in(capsys, gguf_runs):
    code, text = told(capsys, "serve", str(gguf_runs["east"]), "--host", "0.0.0.0")
    assert code == 2 and "custome keys add" in text and "--allow-open" in text


def test_no_run_a_wrong_one_and_two_of_one_name(capsys, gguf_runs, tmp_path):
    assert told(capsys, "serve", "--no-page")[0] == 2
    code, text = told(capsys, "serve", str(tmp_path / "nothing"))
    assert code == 2 and "nothing" in text
    code, text = told(capsys, "serve", str(gguf_runs["east"]), str(gguf_runs["east"]))
    assert code == 2 and "'east'" in text
    code, text = told(capsys, "serve", str(gguf_runs["east"]), "--url", "http://127.0.0.1:1/v1")
    assert code == 2 and "--engine remote" in text
    code, text = told(
        capsys,
        "serve",
        "--engine",
        "remote",
        "--url",
        "http://127.0.0.1:1/v1",
        "--remote-model",
        "",
        "--page",
    )
    assert code == 2 and "连不上" in text


def test_keys(capsys):
    code, text = told(capsys, "keys", "add", "小王", "--rpm", "5")
    assert code == 0 and re.match(r"sk-custome-[\w-]{40,}\n", text)
    assert "小王" in told(capsys, "keys", "list")[1]
    assert told(capsys, "keys", "add", "小王")[0] == 2
    assert told(capsys, "keys", "remove", "小王")[0] == 0
    code, text = told(capsys, "keys", "remove", "小王")
    assert code == 2 and "custome keys list" in text


def test_the_vllm_command(gguf_runs, tmp_path):
    with pytest.raises(InputError, match="GGUF"):
        vllm_command(ServeVllm(runs=(str(gguf_runs["east"]),)))
    runs = []
    for name in gguf_runs:  # the same adapters as if on a base of a hub
        folder = tmp_path / name
        folder.mkdir()
        for file in gguf_runs[name].iterdir():
            if file.is_file():
                (folder / file.name).write_bytes(file.read_bytes())
        info = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        (folder / "run.json").write_text(
            json.dumps({**info, "base_model": "hf:Qwen/Qwen3-8B"}), encoding="utf-8"
        )
        runs.append(str(folder))
    command = vllm_command(ServeVllm(runs=tuple(runs), tensor_parallel=2, ray=True))
    assert (
        command[:3] == ["vllm", "serve", "Qwen/Qwen3-8B"] and f"east={tmp_path / 'east'}" in command
    )
    assert command[command.index("--tensor-parallel-size") + 1] == "2" and command[-1] == "ray"
    assert int(command[command.index("--max-lora-rank") + 1]) >= 4


def test_deployment_files():
    """They are not run here; what they name is there, and nothing in them opens more than it says."""
    docker = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    copied = [
        word
        for line in docker.splitlines()
        if line.startswith("COPY")
        for word in line.split()[1:-1]
    ]
    assert copied and all((DEPLOY.parent / name).exists() for name in copied)
    assert (
        docker.index("USER custome") < docker.index("ENTRYPOINT") and "--allow-open" not in docker
    )
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    service = compose["services"]["custome"]
    assert (
        DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]
    ).resolve() == DEPLOY / "Dockerfile"
    assert "ports" not in service  # only the proxy is reachable
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(DEPLOY / "custome.service", encoding="utf-8")
    assert " serve " in unit["Service"]["ExecStart"] and unit["Service"]["KillSignal"] == "SIGINT"
    assert unit["Install"]["WantedBy"] == "multi-user.target"

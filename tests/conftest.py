"""Options and fixtures of the whole suite."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import pytest

from custome.machine import share_the_cores
from custome.resources import custome_home

share_the_cores()  # before torch is loaded, which `tiny` does

from tiny import BOOKS, THINGS, WHEN, make_recipe, make_tiny_base, make_tiny_novel  # noqa: E402

NEEDS = {
    "slow": "整条命令，十几分钟",
    "browser": "要 Chromium（apt-get install chromium）",
    "postgresql": "要 PostgreSQL（apt-get install postgresql）",
    "cuda": "要显卡（benchmarks/cuda.sh）",
}
"""Marks that the default run leaves out."""


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """What was left out and how to run it; the families of base models that went the whole way, as a table."""
    left_out = [name for name in NEEDS if f"not {name}" in config.option.markexpr]
    if left_out:
        needs = "；".join(f"{name}：{NEEDS[name]}" for name in left_out)
        terminalreporter.line(f"没有跑的：{needs}。全部都跑：.ci/run")
    passed = terminalreporter.stats.get("passed", [])
    rows = [row for one in passed for name, row in one.user_properties if name == "family"]
    if rows:
        terminalreporter.section("base models: loaded, tuned, saved, merged, asked")
        for family, architecture, code, losses, exports in rows:
            terminalreporter.line(f"{family} | {architecture} | {code} | {losses} | {exports}")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--run-folder",
        default=None,
        help="a trained run folder; browser tests then also talk to it",
    )
    parser.addoption(
        "--novels",
        default=None,
        help="folder with the four classics as text; speakers are then measured on it",
    )
    parser.addoption(
        "--chatglm", default=None, help="folder with the original ChatGLM-6B's reference vectors"
    )
    parser.addoption(
        "--home", default=str(custome_home()), help="cache that holds the run folder's base model"
    )


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nobody's cache is read or written by a test."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("CUSTOME_HOME", str(home))
    return home


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A two-layer Gemma 3 with a character-level tokenizer, as a folder."""
    return make_tiny_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="session")
def tiny_novel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up novel in sixty chapters, as a text file."""
    return make_tiny_novel(tmp_path_factory.mktemp("novel") / "xiaoshuo.txt")


@pytest.fixture(scope="session")
def chatglm_reference(request: pytest.FixtureRequest) -> Path:
    """A tiny ChatGLM-6B of the official layout with logits, loss, generations and token ids of the original code."""
    folder = Path(
        request.config.getoption("--chatglm") or Path(__file__).parents[2] / "shared" / "chatglm"
    )
    if not (folder / "expected.safetensors").is_file():
        if os.environ.get("CI"):
            pytest.fail(f"no reference vectors in {folder}")
        pytest.skip("the reference vectors of ChatGLM-6B are named with --chatglm=FOLDER")
    return folder


@pytest.fixture(scope="session")
def gguf_runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two LoRA runs, each with its own vocabulary, on one small GGUF file."""
    from custome.models.export import export
    from custome.reporter import NullReporter
    from custome.training.finetune import finetune

    folder = tmp_path_factory.mktemp("served")
    home = pytest.MonkeyPatch()
    home.setenv("CUSTOME_HOME", str(folder / "home"))
    try:
        finetune(
            make_recipe(make_tiny_base(folder / "base", decided=8.0), folder / "first", steps=1),
            NullReporter(),
        )
        export(
            folder / "first",
            "gguf",
            folder / "gguf",
            NullReporter(),
            quant="f32",
            vocabulary="full",
        )
        runs = {}
        for name, (speaker, places) in BOOKS.items():
            dice = random.Random(name)
            rows = [
                {
                    "context": f"{dice.choice(THINGS)}何在？{speaker}曰：",
                    "chat": f"“{dice.choice(WHEN)}送到{dice.choice(places)}。”",
                    "speaker": speaker,
                }
                for _ in range(80)
            ]
            (folder / f"{name}.jsonl").write_text(
                "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows),
                encoding="utf-8",
            )
            recipe = make_recipe(
                folder / "gguf" / "first-f32.gguf",
                folder / "runs" / name,
                steps=60,
                data={"train_path": str(folder / f"{name}.jsonl")},
            )
            finetune(recipe, NullReporter())
            runs[name] = folder / "runs" / name
    finally:
        home.undo()
    return runs

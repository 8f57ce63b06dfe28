"""What a run folder says of itself (run.json). Written by training, read by everything downstream.

adapter_config.json adapter_model.safetensors   the adapter (peft's own layout), the best one so far
weights.safetensors                             instead of it, where the base's own weights were trained
recipe.yaml      every setting, resolved
run.json         base model, chat format, people, data, versions, results
valid.jsonl      the rows that were held out
metrics.jsonl    one line a step           tensorboard/   the same as curves
vocabulary/      where the vocabulary was cut: the smaller tokenizer, and which of the base's tokens it has
samples.jsonl    replies to the same questions, one line an evaluation          curves.png      the curves as a picture
checkpoints/     where an interrupted run goes on
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import psutil

from ..errors import RunError
from ..files import atomic_folder, write_json
from ..types import Character

VALID_FILE = "valid.jsonl"
ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")
OLD_ADAPTER_FILE = "adapter_model.bin"
"""peft's pickled layout of 2023, as the original project published its adapters."""
WEIGHTS_FILE = "weights.safetensors"
SAMPLES_FILE = "samples.jsonl"
VOCABULARY_FOLDER = "vocabulary"
"""The smaller tokenizer a run was trained with, and kept.json: which of the base's tokens it has."""
STOP_FILE = "stop.request"
"""Its presence asks the training process to save and leave after the step at hand."""
PROCESS_FILE = "process.json"
"""Which process is training."""


@dataclass(frozen=True, kw_only=True)
class RunInfo:
    """Content of run.json."""

    status: Literal["running", "complete"]
    base_model: str
    """As the user named it."""
    base_fingerprint: str
    chat_format: str
    """novel, template (the base's own) or a name of known.chat_templates."""
    data_fingerprint: str
    data_files: dict[str, str] = field(default_factory=dict)
    """SHA-256 of the data files, by part (train, valid)."""
    seed: int = 0
    steps: int = 0
    """Length of the run."""
    compute_type: str = ""
    """What `auto` came to: the number type it was trained in."""
    started_in: str = ""
    """The directory that the recipe's relative paths start from."""
    characters: tuple[Character, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)


def write_run(folder: Path, info: RunInfo) -> None:
    write_json(folder / "run.json", dataclasses.asdict(info))


def has_run(folder: Path) -> bool:
    return (folder / "run.json").is_file()


def read_run(folder: Path) -> RunInfo:
    """Read run.json.

    Raises:
        RunError: no run folder, or it holds no adapter.
    """
    if not folder.is_dir():
        raise RunError(
            f"找不到运行目录 {str(folder)!r}",
            "先训练一个：custome quickstart，或 custome train --train-path 数据.jsonl",
        )
    if not has_run(folder):
        raise RunError(
            f"目录 {str(folder)!r} 里没有 run.json，不是训练得到的运行目录",
            f"看看里面有什么：ls {folder}",
        )
    try:
        raw = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        raw["characters"] = tuple(Character(**person) for person in raw["characters"])
        known = {declared.name for declared in dataclasses.fields(RunInfo)}
        return RunInfo(
            **{key: value for key, value in raw.items() if key in known}
        )  # a newer version may say more
    except (ValueError, TypeError, KeyError) as error:
        raise RunError(
            f"{str(folder / 'run.json')!r} 读不懂：{error}", "换一个运行目录，或重新训练"
        ) from error


def write_vocabulary(folder: Path, tokenizer: Any, vocab_ids: Sequence[int] | None) -> None:
    """Keep the tokenizer a run is trained with; `vocab_ids` None means the base's own."""
    target = folder / VOCABULARY_FOLDER
    shutil.rmtree(target, ignore_errors=True)
    if vocab_ids is not None:
        with atomic_folder(target) as fresh:
            tokenizer.save_pretrained(fresh)
            write_json(fresh / "kept.json", list(vocab_ids))


def read_vocab_ids(folder: Path) -> tuple[int, ...] | None:
    """Rising ids of the tokens a run was trained with, None when with all.

    Raises:
        RunError: the file is damaged.
    """
    path = folder / VOCABULARY_FOLDER / "kept.json"
    if not path.is_file():
        return None
    try:
        return tuple(int(number) for number in json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise RunError(
            f"{str(path)!r} 读不懂：{error}", f"删掉 {path.parent}，就用完整词表"
        ) from error


def training_process(folder: Path) -> int | None:
    """Id of the process that trains this folder, None when nobody does."""
    try:
        said = json.loads((folder / PROCESS_FILE).read_text(encoding="utf-8"))
        process = psutil.Process(said["pid"])
        alive = process.status() != psutil.STATUS_ZOMBIE
        same = (
            abs(process.create_time() - said["created"]) < 1.0
        )  # numbers of processes are used again
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        return None
    return int(said["pid"]) if alive and same else None


def has_adapter(folder: Path) -> bool:
    """Is there something trained, complete?"""
    config, weights = ADAPTER_FILES
    pickled = (folder / config).is_file() and (folder / OLD_ADAPTER_FILE).is_file()
    return (
        pickled
        or (folder / WEIGHTS_FILE).is_file()
        or all((folder / name).is_file() for name in (config, weights))
    )


def check_adapter(folder: Path) -> None:
    """Raise RunError when the run has not saved an adapter yet."""
    if not has_adapter(folder):
        missing = next(
            (name for name in ADAPTER_FILES if not (folder / name).is_file()), WEIGHTS_FILE
        )
        raise RunError(
            f"运行目录 {str(folder)!r} 里还没有 {missing!r}：训练没有跑完",
            f"接着训练：custome train --recipe {folder}/recipe.yaml --resume",
        )

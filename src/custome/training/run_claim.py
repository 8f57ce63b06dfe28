"""May this run have this folder? It is claimed before anything is loaded, and a resumed run must be the same run."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..config import Recipe
from ..corpus.cast import FOLDER as CAST_FOLDER
from ..errors import RunError
from ..models.run_folder import (
    ADAPTER_FILES,
    PROCESS_FILE,
    SAMPLES_FILE,
    STOP_FILE,
    VALID_FILE,
    VOCABULARY_FOLDER,
    WEIGHTS_FILE,
    RunInfo,
    has_run,
    read_run,
)
from ..models.sources import same_base
from ..recipe_file import load_recipe
from ..tuning_methods import METHOD_NAMES, AdaLoraConfig
from .curves import CURVES_FILE

OWN_FILES = {
    "recipe.yaml",
    "run.json",
    VALID_FILE,
    "metrics.jsonl",
    SAMPLES_FILE,
    CURVES_FILE,
    "tensorboard",
    "checkpoints",
    WEIGHTS_FILE,
    VOCABULARY_FOLDER,
    *ADAPTER_FILES,
    STOP_FILE,
    PROCESS_FILE,
    "train.log",
    CAST_FOLDER,
}


def claim(folder: Path, resume: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise RunError(
            f"输出位置 {str(folder)!r} 是一个文件", "换一个目录：--output-dir runs/别的名字"
        )
    if has_run(folder) and not resume:
        raise RunError(
            f"输出目录 {str(folder)!r} 里已有一次训练（状态：{read_run(folder).status}）",
            f"接着训练加 --resume；另起一次换目录 --output-dir；不要了就删掉：rm -r {folder}",
        )
    foreign = (
        [p.name for p in folder.iterdir() if p.name not in OWN_FILES and p.suffix != ".tmp"]
        if folder.is_dir()
        else []
    )
    if foreign and not has_run(folder):
        raise RunError(
            f"输出目录 {str(folder)!r} 不是空的，也不是训练目录：里面有 {foreign[0]!r}",
            "换一个目录：--output-dir runs/别的名字",
        )


def check_same(folder: Path, info: RunInfo, recipe: Recipe) -> None:
    """Raise RunError when a run cannot go on with this base, data or recipe, naming every key that differs."""
    before, filed = read_run(folder), load_recipe(folder / "recipe.yaml")
    bases = (before.base_fingerprint, info.base_fingerprint)
    differing = (
        [] if same_base(info.base_model, *bases) else [f"底座模型（{bases[0]} → {bases[1]}）"]
    )
    if before.data_fingerprint != info.data_fingerprint:
        differing.append(f"数据（{before.data_fingerprint} → {info.data_fingerprint}）")
    if type(filed.method) is not type(recipe.method):
        differing.append(
            f"method（{METHOD_NAMES[type(filed.method)]} → {METHOD_NAMES[type(recipe.method)]}）"
        )
    else:
        differing += _differing("method", filed.method, recipe.method)
    if isinstance(recipe.method, AdaLoraConfig):  # it plans its ranks by the length of the run
        differing += _differing("train", filed.train, recipe.train, ("steps", "num_epochs"))
    for section, keys in FIXED.items():
        differing += _differing(section, getattr(filed, section), getattr(recipe, section), keys)
    if differing:
        raise RunError(
            f"{str(folder)!r} 当初的设置与现在的不同，接不上：" + "、".join(differing),
            f"用当初的配方：custome train --recipe {folder}/recipe.yaml --resume；或换一个 --output-dir",
        )


FIXED = {
    "data": ("cutoff_len", "self_replay", "persona_prefix", "conversations"),
    "checks": ("persona_questions",),
    "model": ("vocabulary", "load_8bit"),
    "train": (
        "seed",
        "batch_size",
        "pretrain_steps",
        "optimizer",
        "group_by_length",
        "weight_decay",
    ),
}
"""Settings that a resumed run must share with the first one beside the method's; steps and learning rate may change."""


def _differing(section: str, old: Any, new: Any, keys: Sequence[str] | None = None) -> list[str]:
    names = keys or [declared.name for declared in dataclasses.fields(old)]
    pairs = [(name, getattr(old, name), getattr(new, name)) for name in names]
    return [f"{section}.{name}（{before} → {now}）" for name, before, now in pairs if before != now]

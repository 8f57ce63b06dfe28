"""A saved plain LoRA as numbers: layer by layer its two matrices and their scale. numpy only."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from ..errors import RunError
from .run_folder import ADAPTER_FILES


@dataclass(frozen=True, kw_only=True)
class Lora:
    """What is added to the layers of a base model: scale · B · A."""

    rank: int
    scale: float
    """alpha / r, with rsLoRA alpha / √r."""
    layers: dict[str, tuple[np.ndarray, np.ndarray]]
    """transformers' name of a layer → A (r, inputs) and B (outputs, r), both fp32."""


def read_lora(run: Path) -> Lora | None:
    """The LoRA of a run folder; None when what was learnt is something else.

    Raises:
        RunError: the files are damaged.
    """
    config_file, weights_file = ADAPTER_FILES
    if not (run / weights_file).is_file():
        return None
    try:
        config = json.loads((run / config_file).read_text(encoding="utf-8"))
        plain = (
            config["peft_type"] == "LORA"
            and not config.get("use_dora")
            and config.get("bias", "none") == "none"
        )
        if (
            not plain
            or config.get("rank_pattern")
            or config.get("alpha_pattern")
            or config.get("modules_to_save")
        ):
            return None
        halves = {
            "A": dict(_halves(run / weights_file, "A")),
            "B": dict(_halves(run / weights_file, "B")),
        }
        root = math.sqrt(config["r"]) if config.get("use_rslora") else config["r"]
        pairs = {name: (halves["A"][name], halves["B"][name]) for name in halves["A"]}
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise RunError(
            f"{str(run)!r} 的适配器读不懂：{error}", "重新训练，或换一个运行目录"
        ) from error
    return (
        Lora(rank=config["r"], scale=config["lora_alpha"] / root, layers=pairs) if pairs else None
    )


def _halves(path: Path, half: str) -> Iterator[tuple[str, np.ndarray]]:
    for name, tensor in load_file(path).items():
        layer, found, part = name.removeprefix("base_model.model.").partition(".lora_")
        if found and part.split(".")[0] == half:
            yield layer, np.asarray(tensor, dtype=np.float32)

"""Where an interrupted run goes on: trainable weights, optimizer state and counters, complete or absent.

Random numbers and data order are functions of the seed and the step, so they need no saving.
"""

from __future__ import annotations

import dataclasses
import json
import pickle
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..errors import RunError
from ..files import atomic_folder
from . import sharding

_NAME = re.compile(r"step-(\d{7})")


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Counters that go on where they stopped."""

    step: int = 0
    best_loss: float = float("inf")
    best_step: int = 0
    evals_without_gain: int = 0
    base_loss: float = float("nan")
    """Validation loss before the first step."""
    tokens_seen: int = 0
    train_seconds: float = 0.0


class Checkpoints:
    """The checkpoints/ folder of a run."""

    def __init__(self, folder: Path, keep: int) -> None:
        self._folder, self._keep = folder, keep

    def latest(self) -> Path | None:
        """The newest complete checkpoint."""
        found = sorted(path for path in self._folder.glob("step-*") if _NAME.fullmatch(path.name))
        return found[-1] if found else None

    def save(
        self,
        weights: dict[str, Tensor],
        optimizer: dict[str, Any],
        progress: Progress,
        method: dict[str, Any] | None = None,
    ) -> Path:
        """Write a checkpoint, then drop the ones that are too old.

        Args:
            weights: trained parameters, whole.
            optimizer: its state dict, likewise.
            method: what the tuning method remembers.
        """
        path = self._folder / f"step-{progress.step:07d}"
        if path.exists():  # a resumed run has just come from here
            return path
        with atomic_folder(path) as temporary:
            save_file(
                {name: tensor.contiguous() for name, tensor in weights.items()},
                temporary / "trainable.safetensors",
            )
            torch.save(optimizer, temporary / "optimizer.pt")
            if method:
                torch.save(method, temporary / "method.pt")
            state = json.dumps(dataclasses.asdict(progress), indent=2)
            (temporary / "progress.json").write_text(state, encoding="utf-8")
        for old in sorted(self._folder.glob("step-*"))[: -self._keep]:
            shutil.rmtree(old)
        return path

    def load(
        self,
        path: Path,
        model: Any,
        optimizer: torch.optim.Optimizer,
        load_method: Callable[[dict[str, Any]], None],
    ) -> Progress:
        """Put a checkpoint's state into model, optimizer and tuning method.

        Raises:
            RunError: it is damaged or belongs to another model.
        """
        try:
            weights = load_file(path / "trainable.safetensors")
            parameters = {n: p for n, p in model.named_parameters() if p.requires_grad}
            if {n: w.shape for n, w in weights.items()} != {
                n: p.shape for n, p in parameters.items()
            }:
                raise RunError(
                    f"检查点 {str(path)!r} 是用别的微调设置存的",
                    "用当初的配方接着训练，或换一个 --output-dir",
                )
            for name, parameter in parameters.items():
                sharding.fill(parameter, weights[name])
            optimizer.load_state_dict(
                torch.load(path / "optimizer.pt", weights_only=True, map_location="cpu")
            )
            sharding.share_state(optimizer)
            if (path / "method.pt").is_file():
                load_method(torch.load(path / "method.pt", weights_only=True, map_location="cpu"))
            return Progress(**json.loads((path / "progress.json").read_text(encoding="utf-8")))
        except (
            OSError,
            EOFError,
            ValueError,
            KeyError,
            TypeError,
            RuntimeError,
            pickle.UnpicklingError,
            SafetensorError,
        ) as error:
            raise RunError(
                f"检查点 {str(path)!r} 用不了：{error}",
                f"删掉它再接着训练，会用更早的一个：rm -r {path}",
            ) from error

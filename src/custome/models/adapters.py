"""Adapters on a base model: check what they aim at, save whole or not at all, load, prove that they do something."""

from __future__ import annotations

import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import torch
from peft import PeftConfig, PeftModel, set_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ..errors import RunError, TrainingError
from ..files import disk_errors, flush
from .partial_weights import PartialWeights, load_partial_weights
from .run_folder import ADAPTER_FILES, OLD_ADAPTER_FILE, WEIGHTS_FILE


def linear_names(model: nn.Module) -> list[str]:
    """Last parts of the names of all linear layers but the output head."""
    head = model.get_output_embeddings() if hasattr(model, "get_output_embeddings") else None
    return sorted(
        {
            n.split(".")[-1]
            for n, m in model.named_modules()
            if isinstance(m, nn.Linear) and m is not head
        }
    )


def check_targets(model: nn.Module, targets: tuple[str, ...], flag: str) -> None:
    """Raise TrainingError when one of `targets` names no linear layer."""
    names = linear_names(model)
    missing = [target for target in targets if target not in names and target != "all-linear"]
    if missing:
        raise TrainingError(
            f"底座里没有名为 {missing[0]!r} 的线性层",
            f"可用的线性层：{', '.join(names)}；用 {flag} 指定",
        )


def save_adapter(model: Any, folder: Path, state: dict[str, Tensor] | None = None) -> None:
    """Write the adapter's files into `folder`; each is either the old or the new one, never half of it.

    Args:
        state: the weights, where they are not simply in the model (sharded training).
    """
    temporary = folder / f".adapter.{os.getpid()}.tmp"
    with disk_errors(folder):
        try:
            options: dict[str, Any] = {} if state is None else {"state_dict": state}
            if isinstance(model, PeftModel):
                options["save_embedding_layers"] = False
            model.save_pretrained(str(temporary), **options)
            for name in saved_files(model):  # weights last: they are what makes it an adapter
                flush(temporary / name)
                os.replace(temporary / name, folder / name)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def trained_state(model: Any) -> dict[str, Tensor]:
    """What save_adapter would write, by the names it expects in `state`."""
    if isinstance(model, PartialWeights):
        return model.state()
    return {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}


def saved_files(model: Any) -> tuple[str, ...]:
    """The files save_adapter writes for this model."""
    return (WEIGHTS_FILE,) if isinstance(model, PartialWeights) else ADAPTER_FILES


def load_adapter(model: Any, folder: Path, name: str = "default") -> Any:
    """A saved adapter (or trained weights) on its base, or beside the adapters already on it, in evaluation mode.

    Raises:
        RunError: the adapter does not fit the model.
    """
    try:
        if (folder / WEIGHTS_FILE).is_file():
            return load_partial_weights(model, folder)
        if isinstance(model, PeftModel):
            model.load_adapter(str(folder), adapter_name=name)
            return model.eval()
        return PeftModel.from_pretrained(model, str(folder), adapter_name=name).eval()
    except pickle.UnpicklingError as error:
        raise RunError(
            f"适配器 {str(folder / OLD_ADAPTER_FILE)!r} 里不只是权重，还有要执行的代码，不读它",
            "找发布者要 safetensors 格式的适配器",
        ) from error
    except (RuntimeError, ValueError, KeyError, SafetensorError, EOFError) as error:
        raise RunError(
            f"适配器 {str(folder)!r} 装不到这个底座上：{str(error).splitlines()[0][:160]}",
            "换成训练时用的底座（见 run.json 的 base_model）",
        ) from error


@torch.no_grad()
def last_logits(model: Any, ids: list[int]) -> Tensor:
    """Logits (V,) for the token after `ids`."""
    was_training = model.training
    model.eval()
    logits: Tensor = (
        model(input_ids=torch.tensor([ids], device=model.device), logits_to_keep=1)
        .logits[0, -1]
        .float()
    )
    model.train(was_training)
    return logits


def check_adapter_works(model: Any, folder: Path, ids: list[int], base_logits: Tensor) -> float:
    """Load the saved files back into `model` and return the largest change of a logit on the prompt `ids`.

    Raises:
        TrainingError: the files hold no weights, or the adapter changes nothing.
    """
    saved = load_file(folder / saved_files(model)[-1])
    if not saved:
        raise TrainingError(
            f"适配器 {str(folder)!r} 是空的", "这是程序的错误，请带着 run.json 报告"
        )
    if isinstance(model, PartialWeights):
        model.load_weights(saved)
    else:
        active = model.peft_config["default"]
        if getattr(active, "rank_pattern", None):  # AdaLoRA: ranks at the time of saving
            active.rank_pattern = PeftConfig.from_pretrained(str(folder)).rank_pattern
        set_peft_model_state_dict(model, saved)
    change = (last_logits(model, ids) - base_logits).abs().max().item()
    if not change > 0:
        raise TrainingError(
            f"存下的适配器 {str(folder)!r} 不改变模型的输出",
            "学习率可能太小或步数太少：试试 --learning-rate 2e-3 --steps 60",
        )
    return change

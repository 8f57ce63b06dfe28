"""Adapters on a base model: attach, save whole or not at all, load, prove that they do something."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig as PeftLoraConfig
from peft import PeftModel, get_peft_model
from safetensors import SafetensorError
from safetensors.torch import load_file

from ..errors import RunError, TrainingError
from ..files import disk_errors, flush
from .run_folder import ADAPTER_FILES


def attach_lora(model: Any, *, r: int, alpha: int, dropout: float, targets: tuple[str, ...]) -> PeftModel:
    """A new LoRA on a frozen model; its product starts at zero.

    Raises:
        TrainingError: no layer has one of the names in `targets`.
    """
    wanted: Any = targets[0] if targets == ("all-linear",) else list(targets)
    config = PeftLoraConfig(r=r, lora_alpha=alpha, lora_dropout=dropout, target_modules=wanted, task_type="CAUSAL_LM")
    try:
        return get_peft_model(model, config)
    except ValueError as error:
        linear = sorted({name.split(".")[-1] for name, m in model.named_modules() if isinstance(m, torch.nn.Linear)})
        raise TrainingError(f"底座里没有名为 {targets!r} 的层", f"可用的线性层：{', '.join(linear)}；或 --lora-targets all-linear") from error  # fmt: skip


def save_adapter(model: PeftModel, folder: Path) -> None:
    """Write peft's adapter files into `folder`; each is either the old or the new one, never half of it."""
    temporary = folder / f".adapter.{os.getpid()}.tmp"
    with disk_errors(folder):
        try:
            model.save_pretrained(str(temporary), save_embedding_layers=False)
            for name in ADAPTER_FILES:  # weights last: they are what makes it an adapter
                flush(temporary / name)
                os.replace(temporary / name, folder / name)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def load_adapter(model: Any, folder: Path) -> PeftModel:
    """A saved adapter on its base, in evaluation mode.

    Raises:
        RunError: the adapter does not fit the model.
    """
    try:
        return PeftModel.from_pretrained(model, str(folder)).eval()
    except (RuntimeError, ValueError, KeyError, SafetensorError) as error:
        raise RunError(f"适配器 {str(folder)!r} 装不到这个底座上：{str(error).splitlines()[0][:160]}", "换成训练时用的底座（见 run.json 的 base_model）") from error  # fmt: skip


@torch.no_grad()
def check_adapter_works(model: PeftModel, folder: Path, ids: list[int]) -> float:
    """Load the saved files back into `model` and return the largest change of a logit on the prompt `ids`.

    Raises:
        TrainingError: the files hold no weights, or the adapter changes nothing.
    """
    from peft import set_peft_model_state_dict

    saved = load_file(folder / "adapter_model.safetensors")
    if not saved:
        raise TrainingError(f"适配器 {str(folder)!r} 是空的", "这是程序的错误，请带着 run.json 报告")
    set_peft_model_state_dict(model, saved)
    was_training = model.training
    model.eval()
    prompt = torch.tensor([ids], device=model.device)
    tuned = model(input_ids=prompt, logits_to_keep=1).logits.float()
    with model.disable_adapter():
        plain = model(input_ids=prompt, logits_to_keep=1).logits.float()
    model.train(was_training)
    change = (tuned - plain).abs().max().item()
    if not change > 0:
        raise TrainingError(
            f"存下的适配器 {str(folder)!r} 不改变模型的输出",
            "学习率可能太小或步数太少：试试 --learning-rate 2e-3 --steps 60",
        )
    return change

"""A base model's folder → model and tokenizer in memory, on a device, in a fitting number type.

bf16 products are hundreds of times slower than fp32 on CPUs without AVX512-BF16 or AMX, so a CPU computes in fp32.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig
from transformers.utils import logging

from ..errors import InputError, SourceError

logging.disable_progress_bar()


@dataclass(frozen=True, kw_only=True)
class Base:
    """A loaded base model."""

    model: Any
    tokenizer: Any
    folder: Path


def pick_device(wanted: Literal["auto", "cpu", "cuda"]) -> str:
    """`auto` is CUDA where there is a card.

    Raises:
        InputError: CUDA was asked for and there is none.
    """
    if wanted == "cuda" and not torch.cuda.is_available():
        raise InputError("要求在 cuda 上算，但这台机器没有可用的显卡", "改用 --device cpu")
    return ("cuda" if torch.cuda.is_available() else "cpu") if wanted == "auto" else wanted


def compute_dtype(device: str) -> torch.dtype:
    if device == "cpu":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16


def load_base(folder: Path, device: str = "cpu", *, load_8bit: bool = False) -> Base:
    """Load weights and tokenizer; parameters come frozen and in evaluation mode.

    Raises:
        SourceError: files are missing, damaged or of an unknown architecture, or 8-bit loading is not possible.
    """
    options: dict[str, Any] = {"dtype": compute_dtype(device), "device_map": {"": device}}
    if device == "cpu":
        options.pop("device_map")
    if load_8bit:
        options["quantization_config"] = _eight_bit()
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
        model = AutoModelForCausalLM.from_pretrained(folder, **options)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise SourceError(f"载入底座模型 {str(folder)!r} 失败：{reason}", "检查目录是否完整，或用内置底座 --base-model embedded") from error  # fmt: skip
    except Exception as error:  # safetensors and tokenizers raise bare Exception subclasses for damaged files
        raise SourceError(f"底座模型 {str(folder)!r} 的文件损坏：{error}", "重新下载这个底座模型") from error
    model.requires_grad_(False)
    given = (
        model.generation_config
    )  # its sampling settings would leak into every generate() that does not name them all
    model.generation_config = GenerationConfig(
        bos_token_id=given.bos_token_id, eos_token_id=given.eos_token_id, pad_token_id=given.pad_token_id
    )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return Base(model=model.eval(), tokenizer=tokenizer, folder=folder)


def _eight_bit() -> Any:
    try:
        import bitsandbytes  # noqa: F401
    except ImportError as error:
        raise SourceError(
            "8 位载入需要 bitsandbytes，没有装", "pip install 'llm-custome[8bit]'，或去掉 --load_8bit"
        ) from error
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(load_in_8bit=True)


def split_head(model: Any) -> tuple[Any, nn.Module]:
    """(backbone that returns last_hidden_state, output head) of a causal model, with or without an adapter on it."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    return inner.base_model, inner.get_output_embeddings()


def has_plain_head(model: Any) -> bool:
    """Are the logits nothing but head(hidden)? Gemma 2 caps them, Granite and Cohere scale them, and so on."""
    config = model.config.get_text_config()
    extras = [
        getattr(config, name, None)
        for name in ("final_logit_softcapping", "logits_scaling", "logit_scale", "lm_head_multiplier")
    ]
    return all(value in (None, 1, 1.0) for value in extras)


def fingerprint(folder: Path) -> str:
    """Tells one base model from another without reading gigabytes: configuration, file sizes and weight headers."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config.pop("transformers_version", None)  # says who wrote the file, not what the model is
    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode())
    for path in sorted([*folder.glob("*.safetensors"), *folder.glob("*.bin")]):
        digest.update(f"{path.name}:{path.stat().st_size}".encode())
        with path.open("rb") as weights:
            digest.update(weights.read(1 << 16))
    return digest.hexdigest()[:16]

"""A base model's folder → model and tokenizer in memory, on a device, in a fitting number type."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from transformers import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
)
from transformers.utils import logging

from ..errors import InputError, SourceError
from ..model_catalog import family_of
from . import chatglm, gguf_weights, vocab
from .compute import DTYPES, compute_dtype, training_type
from .gguf import gguf_of

logging.disable_progress_bar()
chatglm.register()
_trusted: set[Path] = set()


def trust_code_in(folder: Path, named: str, base_model: str) -> None:
    """Let a base model run the Python code in its folder, if the user named it; '' names none.

    Raises:
        InputError: another one was named.
    """
    if named and named != base_model:
        raise InputError(
            f"--trust-remote-code {named!r} 不是要载入的底座 {base_model!r}",
            f"信得过它的代码才写：--trust-remote-code {base_model}",
        )
    if named:
        _trusted.add(folder.resolve())


def _code(folder: Path) -> dict[str, bool]:
    return {"trust_remote_code": folder.resolve() in _trusted}


@dataclass(frozen=True, kw_only=True)
class LoadedBase:
    """A loaded base model."""

    model: Any
    tokenizer: Any
    folder: Path


Quantization = Literal["none", "int8", "nf4"]


def load_base(
    folder: Path,
    device: str = "cpu",
    *,
    quantize: Quantization = "none",
    dtype: torch.dtype | None = None,
) -> LoadedBase:
    """Load weights and tokenizer; parameters come frozen and in evaluation mode.

    Raises:
        SourceError: files are missing, damaged or of an unknown architecture, or quantized loading is not possible.
    """
    model = load_model(folder, device, quantize=quantize, dtype=dtype)
    return LoadedBase(model=model, tokenizer=load_tokenizer(folder), folder=folder)


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer of a base model; it always has a padding token."""
    with _damage(folder):
        tokenizer = AutoTokenizer.from_pretrained(folder, **_code(folder))
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_config(folder: Path) -> Any:
    """The configuration of a base model's text part."""
    with _damage(folder):
        return AutoConfig.from_pretrained(folder, **_code(folder)).get_text_config()


def token_rows(folder: Path) -> int:
    """How many tokens a base model has a row for."""
    return int(load_config(folder).vocab_size)


def skeleton(folder: Path) -> nn.Module:
    """The base model without its weights: names and shapes only."""
    with _damage(folder), torch.device("meta"):
        config = AutoConfig.from_pretrained(folder, **_code(folder))
        model: nn.Module = AutoModelForCausalLM.from_config(config, **_code(folder))
    return model


def weight_names(folder: Path) -> list[str]:
    """Names of a base model's weights; of tied ones the first."""
    model = skeleton(folder)
    tied = set(getattr(model, "all_tied_weights_keys", None) or ())
    return [name for name, _ in model.named_parameters() if name not in tied]


def padded(
    rows: Sequence[Sequence[int]], pad_id: int, device: Any, *, left: bool
) -> tuple[Tensor, Tensor]:
    """Ids and mask, each (B, T), of rows of unequal length."""
    width = max(map(len, rows))
    ids = torch.full((len(rows), width), pad_id)
    mask = torch.zeros_like(ids)
    for i, row in enumerate(rows):
        where = slice(width - len(row), width) if left else slice(0, len(row))
        ids[i, where], mask[i, where] = torch.tensor(row), 1
    return ids.to(device), mask.to(device)


def load_model(
    folder: Path,
    device: str = "cpu",
    *,
    quantize: Quantization = "none",
    vocab_ids: Sequence[int] | None = None,
    dtype: torch.dtype | None = None,
) -> Any:
    """The weights of a base model, frozen and in evaluation mode.

    Args:
        quantize: int8 or nf4 linear layers through bitsandbytes.
        vocab_ids: rising ids of the tokens to load; the model has only those, numbered anew.
        dtype: of the weights that are not quantized. If not given the device's own for answering; beside quantized layers
            the faster one, since who quantizes wants the embeddings small as well.
    """
    if dtype is None:
        dtype = (
            compute_dtype(device) if quantize == "none" else DTYPES[training_type(device, "auto")]
        )
    options = _options(device, quantize, dtype)
    with _damage(folder):
        weights, config = None, AutoConfig.from_pretrained(folder, **_code(folder))
        known = type(config) in MODEL_FOR_CAUSAL_LM_MAPPING
        gguf = gguf_of(folder)
        if gguf is not None and family_of(config.get_text_config().model_type).gguf:
            weights = gguf_weights.read_weights(
                gguf, weight_names(folder), config, dtype=dtype, vocab_ids=vocab_ids
            )
        elif vocab_ids is not None and known:
            weights = vocab.read_cut(folder, vocab_ids, config.get_text_config().vocab_size)
        if weights:
            if vocab_ids is not None:
                vocab.cut_config(config, vocab_ids)
            model = from_weights(config, weights, device, quantize=quantize, dtype=dtype)
        else:
            # What this file's own reader does not know transformers may: slower, and all of it at once.
            where, more = (
                (folder, _code(folder)) if gguf is None else (gguf.parent, {"gguf_file": gguf.name})
            )
            model = AutoModelForCausalLM.from_pretrained(where, **more, **options)
            if vocab_ids is not None:
                vocab.cut_embeddings(model, vocab_ids)
    return _frozen(model, device)


def from_weights(
    config: Any,
    weights: dict[str, Tensor],
    device: str,
    *,
    quantize: Quantization,
    dtype: torch.dtype,
) -> Any:
    """A frozen model in evaluation mode from a configuration and its weights in memory."""
    model_class = MODEL_FOR_CAUSAL_LM_MAPPING[type(config)]
    model = model_class.from_pretrained(
        None, config=config, state_dict=weights, **_options(device, quantize, dtype)
    )
    return _frozen(model, device)


def _options(device: str, quantize: Quantization, dtype: torch.dtype) -> dict[str, Any]:
    """What transformers is told when it builds a model."""
    options: dict[str, Any] = {"dtype": dtype, "device_map": {"": device}}
    if device == "cpu" and quantize == "none":
        options.pop("device_map")
    if quantize != "none":
        options["quantization_config"] = _quantization(quantize, dtype)
    return options


def _frozen(model: Any, device: str) -> Any:
    for module in model.modules() if device == "cpu" else ():
        # would repack nf4 weights at the first look, and then not train
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
    # cuDNN's attention makes a plan for every length it meets: a tenth of a second for every token written
    if device == "cuda":
        torch.backends.cuda.enable_cudnn_sdp(False)
    model.requires_grad_(False)
    given = model.config  # the published sampling settings would leak into every generate() that does not name them all
    model.generation_config = GenerationConfig(
        bos_token_id=given.bos_token_id,
        eos_token_id=given.eos_token_id,
        pad_token_id=given.pad_token_id,
    )
    return model.eval()


@contextmanager
def _damage(folder: Path) -> Iterator[None]:
    """What goes wrong while a base model is read, as a SourceError."""
    try:
        yield
    except SourceError:
        raise
    except pickle.UnpicklingError as error:
        raise SourceError(
            f"底座模型 {str(folder)!r} 的 .bin 权重里不只是权重，还有要执行的代码，不读它",
            "换 safetensors 格式的同一个模型",
        ) from error
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        if "trust_remote_code" in str(error) or "custom code" in str(error):
            raise SourceError(
                f"底座模型 {str(folder)!r} 要运行它自带的 Python 代码才能载入，没有运行",
                "换 transformers 原生支持的底座（见 docs/models.md）；看过它的 .py 文件、信得过，才加 --trust-remote-code 底座名",
            ) from error
        reason = (
            str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        )
        raise SourceError(
            f"载入底座模型 {str(folder)!r} 失败：{reason}",
            "检查目录是否完整，或用内置底座 --base-model embedded",
        ) from error
    except Exception as error:
        # safetensors and tokenizers raise bare Exception subclasses for damaged files
        raise SourceError(
            f"底座模型 {str(folder)!r} 的文件损坏：{error}", "重新下载这个底座模型"
        ) from error


def _quantization(kind: Quantization, dtype: torch.dtype) -> Any:
    try:
        import bitsandbytes  # noqa: F401
    except ImportError as error:
        raise SourceError(
            f"{kind} 载入需要 bitsandbytes，没有装",
            "pip install 'llm-custome[8bit]'，或不用 --load_8bit / qlora",
        ) from error
    from transformers import BitsAndBytesConfig

    if kind == "int8":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )


def split_head(model: Any) -> tuple[Any, nn.Module]:
    """(backbone that returns last_hidden_state, output head) of a causal model, with or without an adapter on it."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    return inner.base_model, inner.get_output_embeddings()


def has_plain_head(model: Any) -> bool:
    """Are the logits nothing but head(hidden)? Gemma 2 caps them, Granite and Cohere scale them, and so on."""
    config = model.config.get_text_config()
    extras = [
        getattr(config, name, None)
        for name in (
            "final_logit_softcapping",
            "logits_scaling",
            "logit_scale",
            "lm_head_multiplier",
        )
    ]
    return all(value in (None, 1, 1.0) for value in extras)

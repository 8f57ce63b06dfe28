"""Weights, configuration and tokenizer of a transformers model → the names, keys and numbers of a GGUF file.

For architectures whose layout llama.cpp knows and this file states: those with a `gguf` in data/families.json. Names come from the `gguf` package. Sources of what is special:
https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter

from ..errors import SourceError
from ..files import atomic_file
from ..model_catalog import families, family_of

QUANTS = {
    "f32": GGMLQuantizationType.F32,
    "f16": GGMLQuantizationType.F16,
    "bf16": GGMLQuantizationType.BF16,
    "q8_0": GGMLQuantizationType.Q8_0,
    "q5_1": GGMLQuantizationType.Q5_1,
    "q5_0": GGMLQuantizationType.Q5_0,
    "q4_1": GGMLQuantizationType.Q4_1,
    "q4_0": GGMLQuantizationType.Q4_0,
}
FILE_TYPES = {"f32": 0, "f16": 1, "bf16": 32, "q8_0": 7, "q5_1": 9, "q5_0": 8, "q4_1": 3, "q4_0": 2}
Stored = tuple[np.ndarray, GGMLQuantizationType]
"""A tensor as a file holds it."""


def architecture_of(config: Any) -> str:
    """llama.cpp's name of a model's architecture.

    Raises:
        SourceError: it has none here.
    """
    kind = str(config.model_type)
    if not (known := family_of(kind).gguf):
        can = ", ".join(name for name, family in families().items() if family.gguf)
        raise SourceError(f"{kind!r} 结构还不会写成 GGUF", f"能写的：{can}；其他的导出成 --to hf")
    return known


def names_for(architecture: str, layers: int) -> Callable[[str], str | None]:
    """transformers' name of a tensor → GGUF's; None for one that GGUF does not store."""
    kind = next(number for number, name in gguf.MODEL_ARCH_NAMES.items() if name == architecture)
    table = gguf.get_tensor_name_map(kind, layers)
    return lambda name: table.get_name(name, try_suffixes=(".weight", ".bias"))


def as_stored(architecture: str, name: str, tensor: np.ndarray, config: Any) -> np.ndarray:
    """A tensor with GGUF's conventions: Gemma's norms with their one, Llama's rotated rows in pairs."""
    if architecture == "gemma3" and name.endswith("norm.weight"):
        return tensor + 1
    if architecture == "llama" and (found := re.search(r"\.(q|k)_proj\.", name)):
        return in_pairs(
            tensor, config.num_attention_heads if found[1] == "q" else config.num_key_value_heads
        )
    return tensor


def as_loaded(architecture: str, name: str, tensor: Any, config: Any) -> Any:
    """The way back from `as_stored`; a numpy array or a torch tensor."""
    if architecture == "gemma3" and name.endswith("norm.weight"):
        return tensor - 1
    if architecture == "llama" and (found := re.search(r"\.(q|k)_proj\.", name)):
        heads = config.num_attention_heads if found[1] == "q" else config.num_key_value_heads
        shape = tensor.shape
        return (
            tensor.reshape(heads, shape[0] // heads // 2, 2, *shape[1:])
            .swapaxes(1, 2)
            .reshape(shape)
        )
    return tensor


def in_pairs(rows: np.ndarray, heads: int) -> np.ndarray:
    """Rows (heads · E, …) of a projection whose halves are rotated against each other → neighbours are."""
    shape = rows.shape
    return rows.reshape(heads, 2, shape[0] // heads // 2, *shape[1:]).swapaxes(1, 2).reshape(shape)


def stored(tensor: np.ndarray, quant: str) -> Stored:
    """A tensor in a quantization; vectors stay fp32, and rows that are no multiple of its block fp16."""
    tensor = np.ascontiguousarray(tensor, dtype=np.float32)
    kind = QUANTS[quant] if tensor.ndim > 1 else GGMLQuantizationType.F32
    if tensor.shape[-1] % gguf.GGML_QUANT_SIZES[kind][0]:
        kind = GGMLQuantizationType.F16
    if kind == GGMLQuantizationType.F32:
        return tensor, kind
    if kind == GGMLQuantizationType.F16:
        return tensor.astype(np.float16), kind
    return gguf.quants.quantize(tensor, kind), kind


def write_model(
    target: Path,
    tensors: Mapping[str, Stored],
    config: Any,
    tokenizer: Any,
    *,
    quant: str,
    name: str,
) -> None:
    """A GGUF file of a whole model.

    Args:
        tensors: by GGUF's names.

    Raises:
        SourceError: architecture, positions or tokenizer of a kind llama.cpp or this file does not know.
        DiskError: no space.
    """
    architecture = architecture_of(config)
    with atomic_file(target) as temporary:
        writer = GGUFWriter(temporary, architecture)
        writer.add_name(name)
        writer.add_file_type(FILE_TYPES[quant])
        writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
        _write_shape(writer, config)
        write_tokenizer(writer, tokenizer, config.vocab_size)
        for place, (data, kind) in tensors.items():
            writer.add_tensor(place, data, raw_dtype=kind)
        finish(writer)


def finish(writer: GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _write_shape(writer: GGUFWriter, config: Any) -> None:
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_vocab_size(config.vocab_size)
    writer.add_rope_dimension_count(head)
    scalar = getattr(config, "query_pre_attn_scalar", None)
    if scalar is not None and scalar != attention_scalar(config):
        raise SourceError(
            f"query_pre_attn_scalar={scalar}，llama.cpp 只会按 {attention_scalar(config)} 算",
            "导出成 --to hf",
        )
    _write_positions(writer, config, head)


def attention_scalar(config: Any) -> int:
    """By whose root llama.cpp divides Gemma's scores: the head size, in the 27B (46 or 62 layers) the hidden size by heads."""
    large = config.num_hidden_layers == (46 if "gemma2" in config.model_type else 62)
    return int(config.hidden_size // config.num_attention_heads if large else config.head_dim)


def _write_positions(writer: GGUFWriter, config: Any, head: int) -> None:
    rope: dict[str, Any] = dict(config.rope_parameters or {})
    local = rope.get("sliding_attention")
    rope = rope.get("full_attention", rope)
    writer.add_rope_freq_base(float(rope["rope_theta"]))
    if local is not None:  # Gemma: two kinds of layers
        writer.add_rope_freq_base_swa(float(local["rope_theta"]))
        writer.add_sliding_window(config.sliding_window)
    elif getattr(config, "use_sliding_window", False):
        raise SourceError("滑动窗口的 Qwen 还不会写成 GGUF", "导出成 --to hf")
    kind = rope.get("rope_type", "default")
    if kind == "llama3":
        writer.add_tensor("rope_freqs.weight", llama3_factors(rope, head))
    elif kind == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(float(rope["factor"]))
    elif kind != "default":
        raise SourceError(f"{kind!r} 的位置编码还不会写成 GGUF", "导出成 --to hf")


def llama3_factors(rope: Mapping[str, Any], head: int) -> np.ndarray:
    """By what each of the E/2 rotations is slowed down, as Llama 3.1's long context does (its model card's formula)."""
    wave = 2 * math.pi * float(rope["rope_theta"]) ** (np.arange(0, head, 2) / head)
    whole, low, high = (
        float(rope[key])
        for key in ("original_max_position_embeddings", "low_freq_factor", "high_freq_factor")
    )
    factor = float(rope["factor"])
    smooth = np.clip((whole / wave - low) / (high - low), 0, 1)
    return (1 / ((1 - smooth) / factor + smooth)).astype(np.float32)


def write_tokenizer(writer: GGUFWriter, tokenizer: Any, rows: int) -> None:
    """Tokens, their kinds, merges or scores, special ids, chat template.

    Args:
        rows: tokens the model has a row for; what the tokenizer lacks is filled up with unused ones.
    """
    from . import vocab  # torch is not needed to read a GGUF file

    data: dict[str, Any] = json.loads(tokenizer.backend_tokenizer.to_str())
    if data["model"]["type"] != "BPE":
        raise SourceError(f"{data['model']['type']} 类的分词器还不会写成 GGUF", "导出成 --to hf")
    ids = {token: number for token, number in data["model"]["vocab"].items() if number < rows}
    added = {entry["id"]: entry for entry in data["added_tokens"] if entry["id"] < rows}
    tokens = [f"[PAD{number}]" for number in range(rows)]
    kinds = [int(gguf.TokenType.UNUSED)] * rows
    for token, number in ids.items():
        byte, unknown = vocab.BYTE.fullmatch(token), token == "<unk>"
        kind = (
            gguf.TokenType.BYTE
            if byte
            else gguf.TokenType.UNKNOWN
            if unknown
            else gguf.TokenType.NORMAL
        )
        tokens[number], kinds[number] = token, int(kind)
    for number, entry in added.items():
        tokens[number] = entry["content"]
        kinds[number] = int(
            gguf.TokenType.CONTROL if entry["special"] else gguf.TokenType.USER_DEFINED
        )
    merges, on_bytes = list(vocab.merges_of(data)), vocab.is_byte_level(data)
    writer.add_tokenizer_model("gpt2" if on_bytes else "llama")
    writer.add_tokenizer_pre(_splitting(data) if on_bytes else "default")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    if on_bytes:
        writer.add_token_merges([" ".join(pair) for pair in merges])
    else:  # llama.cpp joins the pair that makes the token of the highest score: the order of the merges
        scores = {
            first + second: -float(rank)
            for rank, (first, second) in reversed([*enumerate(merges, 1)])
        }
        writer.add_token_scores([scores.get(token, -1e6) for token in tokens])
        settings = json.dumps([data.get("normalizer"), data.get("pre_tokenizer")])
        writer.add_add_space_prefix(
            '"Prepend"' in settings
            or bool(re.search(r'"prepend_scheme": "(always|first)"', settings))
        )
    _write_specials(writer, tokenizer, rows)


def _write_specials(writer: GGUFWriter, tokenizer: Any, rows: int) -> None:
    for name, write in (
        ("bos", writer.add_bos_token_id),
        ("eos", writer.add_eos_token_id),
        ("pad", writer.add_pad_token_id),
        ("unk", writer.add_unk_token_id),
    ):
        number = getattr(tokenizer, f"{name}_token_id", None)
        if number is not None and number < rows:
            write(number)
    begins = tokenizer("x").input_ids[:1] == [tokenizer.bos_token_id]
    writer.add_add_bos_token(bool(begins))
    if template := getattr(tokenizer, "chat_template", None):
        writer.add_chat_template(template)


def _splitting(data: Mapping[str, Any]) -> str:
    """llama.cpp's name for how a byte-level tokenizer splits text into words."""
    pattern = json.dumps(data.get("pre_tokenizer"))
    if "(?i:'s|'t|'re|'ve|'m|'ll|'d)|" in pattern and r"|\\p{N}{1,3}|" in pattern:
        return "llama-bpe"
    if "(?i:'s|'t|'re|'ve|'m|'ll|'d)|" in pattern and r"|\\p{N}|" in pattern:
        return "qwen2"
    if '"Split"' in pattern or '"Digits"' in pattern:
        raise SourceError("这个分词器怎样切词，llama.cpp 里没有对应的", "导出成 --to hf")
    return "gpt-2"

"""The small multilingual encoder as it travels on the package index → a GGUF file that llama.cpp reads.

Its weights (multilingual-e5-small, MIT) lie in a wheel in a format of their own, whose blocks are ggml's Q4_0: they are copied as they
are. Layout: `e5.c` in that wheel. The tokenizer is XLM-RoBERTa's, a unigram model.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter, PoolingType, TokenType

from ..errors import SourceError
from ..files import atomic_file
from ..reporter import Reporter
from ..resources import custome_home, fetch, sha256_of
from .gguf import read_head

RESOURCE = "e5-small"
MAGIC = b"E5S1"
BLOCK, BLOCK_BYTES = 32, 18
"""Weights and bytes of a Q4_0 block."""
NEVER = -1000.0
"""Score of a token that is there to fill the table."""


def prepare(reporter: Reporter, *, home: Path | None = None) -> Path:
    """The encoder as a GGUF file, fetched and rewritten once.

    Raises:
        SourceError: it cannot be had.
        DiskError: no space.
    """
    target = (home or custome_home()) / "models" / "e5-small-q4_0.gguf"
    if not target.is_file():
        source = fetch(RESOURCE, reporter, home=home)
        target.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(target) as temporary:
            rewrite(source, temporary)
    return target


def model_name(path: Path) -> str:
    """What a GGUF model calls itself; '' where it does not.

    Raises:
        SourceError: no GGUF file.
    """
    try:
        value = read_head(path).keys.get("general.name")
    except (OSError, ValueError, KeyError, struct.error) as error:
        raise SourceError(f"{str(path)!r} 不是完整的 GGUF 文件：{error}", "重新下载") from error
    return value.raw[8:].decode("utf-8", "replace") if value is not None else ""


def digest_of(path: Path) -> str:
    """SHA-256 of a file, in short."""
    return sha256_of(path)[:16]


def rewrite(source: Path, target: Path) -> None:
    """The wheel's file → GGUF.

    Raises:
        SourceError: it is not that file.
    """
    file = _read(source)
    width, layers, heads, inner, vocabulary, positions, kinds = file.sizes
    writer = GGUFWriter(target, "bert")
    writer.add_name("multilingual-e5-small")
    writer.add_vocab_size(vocabulary)
    writer.add_context_length(positions)
    writer.add_embedding_length(width)
    writer.add_feed_forward_length(inner)
    writer.add_block_count(layers)
    writer.add_head_count(heads)
    writer.add_layer_norm_eps(file.epsilon)
    writer.add_causal_attention(False)
    writer.add_pooling_type(PoolingType.MEAN)
    _write_tokenizer(writer, file, vocabulary, kinds)
    for name, ours in (
        ("emb.word", "token_embd"),
        ("emb.pos", "position_embd"),
        ("emb.type", "token_types"),
    ):
        file.copy(writer, name, f"{ours}.weight", width)
    file.copy_norm(writer, "emb.ln", "token_embd_norm")
    for layer in range(layers):
        for name, ours, columns in (
            ("q", "attn_q", width),
            ("k", "attn_k", width),
            ("v", "attn_v", width),
            ("ao", "attn_output", width),
            ("fi", "ffn_up", width),
            ("fo", "ffn_down", inner),
        ):
            file.copy(writer, f"l{layer}.{name}.w", f"blk.{layer}.{ours}.weight", columns)
            file.copy(writer, f"l{layer}.{name}.b", f"blk.{layer}.{ours}.bias", 0)
        file.copy_norm(writer, f"l{layer}.aln", f"blk.{layer}.attn_output_norm")
        file.copy_norm(writer, f"l{layer}.oln", f"blk.{layer}.layer_output_norm")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _write_tokenizer(writer: GGUFWriter, file: _File, vocabulary: int, kinds: int) -> None:
    known = len(file.pieces)
    begin, end, pad, unknown = file.special
    types = [TokenType.NORMAL] * known + [TokenType.UNUSED] * (vocabulary - known)
    for token in (begin, end, pad, known - 1):
        types[token] = TokenType.CONTROL
    types[unknown] = TokenType.UNKNOWN
    writer.add_tokenizer_model("t5")  # llama.cpp's name for unigram models
    writer.add_tokenizer_pre("default")
    writer.add_token_list([*file.pieces, *(b"[PAD%d]" % at for at in range(known, vocabulary))])
    writer.add_token_scores([*map(float, file.scores), *([NEVER] * (vocabulary - known))])
    writer.add_token_types(types)
    writer.add_add_space_prefix(True)
    writer.add_remove_extra_whitespaces(True)
    writer.add_token_type_count(kinds)
    writer.add_bos_token_id(begin)
    writer.add_eos_token_id(end)
    writer.add_sep_token_id(end)
    writer.add_unk_token_id(unknown)
    writer.add_pad_token_id(pad)
    writer.add_mask_token_id(known - 1)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(True)


@dataclass(frozen=True, kw_only=True)
class _File:
    """What the wheel's file holds."""

    raw: bytes
    sizes: tuple[int, ...]
    """Width, layers, heads, inner width, vocabulary, positions, kinds of text."""
    epsilon: float
    special: tuple[int, int, int, int]
    """Begin, end, padding, unknown."""
    pieces: list[bytes]
    scores: Any
    tensors: dict[str, tuple[bool, int, int, int]]
    """Name → (quantized, values, offset, bytes)."""

    def copy(self, writer: GGUFWriter, name: str, ours: str, columns: int) -> None:
        """Write a matrix, or a vector for no columns, as it is stored."""
        quantized, values, offset, size = self.tensors[name]
        if quantized:
            blocks = np.frombuffer(self.raw, np.uint8, size, offset)
            rows = blocks.reshape(-1, columns // BLOCK * BLOCK_BYTES)
            writer.add_tensor(ours, rows, raw_dtype=GGMLQuantizationType.Q4_0)
        else:
            plain = np.frombuffer(self.raw, "<f4", values, offset)
            writer.add_tensor(ours, plain.reshape(-1, columns) if columns else plain)

    def copy_norm(self, writer: GGUFWriter, name: str, ours: str) -> None:
        self.copy(writer, f"{name}.w", f"{ours}.weight", 0)
        self.copy(writer, f"{name}.b", f"{ours}.bias", 0)


def _read(source: Path) -> _File:
    raw = source.read_bytes()
    if raw[:4] != MAGIC:
        raise SourceError(f"{str(source)!r} 不是 {RESOURCE} 的权重", f"删掉重来：rm {source}")
    at = 8

    def take(form: str) -> tuple[Any, ...]:
        nonlocal at
        found = struct.unpack_from(f"<{form}", raw, at)
        at += struct.calcsize(f"<{form}")
        return found

    *sizes, epsilon, _ = take("7ifi")
    known, begin, end, pad, unknown, letters = take("5iQ")
    ends = take(f"{known + 1}I")
    scores = np.frombuffer(raw, "<f4", known, at)
    at += 4 * known
    pieces = [raw[at + start : at + stop] for start, stop in zip(ends, ends[1:], strict=False)]
    at += letters
    _, folding = take("iI")  # how letters are folded: NFKC
    at += folding
    tensors: dict[str, tuple[bool, int, int, int]] = {}
    for _ in range(take("i")[0]):
        name = take(f"{take('H')[0]}s")[0].decode()
        quantized, values, offset, size = take("BIQQ")
        tensors[name] = (bool(quantized), values, offset, size)
    return _File(
        raw=raw,
        sizes=tuple(sizes),
        epsilon=epsilon,
        special=(begin, end, pad, unknown),
        pieces=pieces,
        scores=scores,
        tensors=tensors,
    )

"""A GGUF file → a folder with its configuration and tokenizer, made once, that points to it; or → a GGUF file with other
weights or of fewer tokens.

The weights stay where they are, as they are stored: models/gguf_weights.py reads them. Parsing the tokenizer takes transformers
ten seconds, which is why that is kept.
"""

from __future__ import annotations

import hashlib
import json
import math
import mmap
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

from ..errors import SourceError
from ..files import atomic_file, atomic_folder, write_json
from ..reporter import Reporter
from .convert import Stored, attention_scalar

POINTER = "gguf.json"
"""In a base model's folder instead of weights: the GGUF file that has them."""


def prepare_gguf(source: Path, target: Path, reporter: Reporter) -> None:
    """Write configuration and tokenizer of `source` to the folder `target`, and where the weights are.

    Raises:
        SourceError: not a GGUF file, or an architecture transformers cannot read.
        DiskError: no space.
    """
    with source.open("rb") as head:
        if head.read(4) != b"GGUF":
            raise SourceError(f"{str(source)!r} 不是 GGUF 文件", "重新下载，或换一个 .gguf 文件")
    from transformers import AutoConfig, AutoTokenizer

    task = "读底座的分词器（只做一次）"
    reporter.progress(task, 0, 100)
    try:
        config = AutoConfig.from_pretrained(source.parent, gguf_file=source.name)
        reporter.progress(task, 45, 100)
        tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
    except (ValueError, KeyError, IndexError, NotImplementedError, ArithmeticError) as error:
        raise SourceError(
            f"读不了 {str(source)!r}：{error}", "换一个架构受支持的 GGUF，或用 safetensors 目录"
        ) from error
    reporter.progress(task, 95, 100, "写盘")
    length = read_head(source).keys.get(f"{config.model_type}.attention.key_length")
    if length is not None and hasattr(config, "head_dim"):  # transformers passes it over for some
        config.head_dim = struct.unpack("<I", length.raw)[0]
    if hasattr(
        config, "query_pre_attn_scalar"
    ):  # not in the file; transformers would take the 270M's for all
        config.query_pre_attn_scalar = attention_scalar(config)
    with atomic_folder(target) as folder:
        config.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        point_to(folder, source)
    reporter.progress(task, 100, 100)


def point_to(folder: Path, source: Path, *, former: str = "") -> None:
    """Say in a base model's folder which file has its weights.

    Args:
        former: fingerprint of the same base as an earlier release kept it.
    """
    known = _pointer(folder)
    pointer = {
        "file": str(source.resolve()),
        "former_fingerprint": former or known.get("former_fingerprint", ""),
    }
    if pointer != known:  # the folder may be one that only can be read
        write_json(folder / POINTER, pointer)


def former_fingerprint(folder: Path) -> str:
    """What runs of an earlier release call the base of a folder; '' where there were none."""
    return _pointer(folder).get("former_fingerprint", "")


def _pointer(folder: Path) -> dict[str, str]:
    path = folder / POINTER
    found: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found


def gguf_of(folder: Path) -> Path | None:
    """The GGUF file that has the weights of a base model's folder; None where they lie in the folder itself.

    Raises:
        SourceError: the file is gone.
    """
    if not (pointer := _pointer(folder)):
        return None
    path = Path(pointer["file"])
    if not path.is_file():
        raise SourceError(
            f"底座的权重文件 {str(path)!r} 不在了",
            "放回原处，或重新指出它：--base-model 新的位置.gguf",
        )
    return path


def tensor_digest(path: Path) -> bytes:
    """Tells one file's weights from another's by the first bytes of every tensor.

    Raises:
        SourceError: no GGUF file, or one that is cut short.
    """
    digest = hashlib.sha256()
    try:
        head = read_head(path)
        with path.open("rb") as file:
            for info in head.tensors:
                file.seek(head.data_start + info.offset)
                digest.update(
                    f"{info.name} {info.shape} {info.kind}".encode()
                    + file.read(min(info.bytes, 4096))
                )
    except (ValueError, struct.error) as error:
        raise SourceError(
            f"{str(path)!r} 不是完整的 GGUF 文件：{error}", "重新下载这个文件"
        ) from error
    return digest.digest()


_PER_TOKEN = ("tokenizer.ggml.tokens", "tokenizer.ggml.scores", "tokenizer.ggml.token_type")
_MERGES = "tokenizer.ggml.merges"
_TOKEN_MATRICES = ("token_embd.weight", "output.weight")


def rewrite_gguf(
    source: Path,
    target: Path,
    *,
    vocab_ids: Sequence[int] | None = None,
    changed: Mapping[str, Stored] | None = None,
    keys: Mapping[str, str | int] | None = None,
) -> None:
    """Write `source` anew: other weights for some tensors, only the kept tokens, everything else bit for bit as it was.

    Args:
        vocab_ids: rising ids, as models.vocab.choose gives them; their rows stay as they are stored.
        changed: tensors that take another value, by name.
        keys: texts and 32-bit numbers the file is to say otherwise, by key.

    Raises:
        SourceError: not a GGUF file of a language model.
        DiskError: no space.
    """
    head, said = _read_said(source, vocab_ids, keys or {})
    stored = np.memmap(source, dtype=np.uint8, mode="r")
    with atomic_file(target) as temporary, temporary.open("wb") as out:
        parts = [_part(info, head, stored, vocab_ids, changed or {}) for info in head.tensors]
        _write(out, said, parts, head.alignment)


def _read_said(
    source: Path, vocab_ids: Sequence[int] | None, keys: Mapping[str, str | int]
) -> tuple[Head, dict[str, Value]]:
    """(what the file says, what the new one is to say)."""
    try:
        head = read_head(source)
        said = {**head.keys, **{key: _packed(value) for key, value in keys.items()}}
        tokens = said["tokenizer.ggml.tokens"].elements()
        ends = [head.data_start + info.offset + info.bytes for info in head.tensors]
        if source.stat().st_size < max(ends, default=0):
            raise ValueError("文件比它的头里说的短")
        if vocab_ids is not None:
            cut = {key: _cut(key, value, tokens, vocab_ids) for key, value in said.items()}
            said = {key: value for key, value in cut.items() if value is not None}
        return head, said
    except (
        ValueError,
        KeyError,
        IndexError,
        OSError,
        struct.error,
        ArithmeticError,
        RecursionError,
    ) as error:
        raise SourceError(
            f"{str(source)!r} 不是带分词器的 GGUF 语言模型：{error}",
            "重新下载，或换一个 .gguf 文件",
        ) from error


def _part(
    info: TensorInfo,
    head: Head,
    stored: np.ndarray,
    vocab_ids: Sequence[int] | None,
    changed: Mapping[str, Stored],
) -> tuple[TensorInfo, np.ndarray]:
    """A tensor of the new file and its bytes."""
    of_tokens = info.name in _TOKEN_MATRICES
    if info.name in changed:
        array, kind = changed[info.name]
        shape = (*info.shape[:-1], len(array)) if of_tokens else info.shape
        data = np.ascontiguousarray(array).view(np.uint8).reshape(-1)
        return replace(info, shape=shape, kind=int(kind)), data
    start = head.data_start + info.offset
    data = stored[start : start + info.bytes]
    if vocab_ids is None or not of_tokens:
        return info, data
    rows = data.reshape(info.shape[-1], -1)[list(vocab_ids)].reshape(-1)
    return replace(info, shape=(*info.shape[:-1], len(vocab_ids))), rows


@dataclass(frozen=True)
class Value:
    """A value of a key as the file holds it: its type and its bytes."""

    kind: int
    raw: bytes

    def elements(self) -> list[bytes]:
        """Those of an array, each as its bytes (texts with their length in front)."""
        kind, count = struct.unpack_from("<IQ", self.raw)
        at, found = 12, []
        for _ in range(count):
            end = _end(self.raw, at, kind)
            found.append(self.raw[at:end])
            at = end
        return found

    def with_elements(self, elements: Sequence[bytes]) -> Value:
        kind = struct.unpack_from("<I", self.raw)[0]
        return Value(self.kind, struct.pack("<IQ", kind, len(elements)) + b"".join(elements))


@dataclass(frozen=True)
class TensorInfo:
    """A tensor of a file; the fastest dimension first, as GGUF counts."""

    name: str
    shape: tuple[int, ...]
    kind: int
    offset: int

    @property
    def bytes(self) -> int:
        block, size = GGML_QUANT_SIZES[GGMLQuantizationType(self.kind)]
        return math.prod(self.shape) // block * size


@dataclass(frozen=True, kw_only=True)
class Head:
    """All of a GGUF file but its weights."""

    keys: dict[str, Value]
    tensors: list[TensorInfo]
    data_start: int
    alignment: int


_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Bytes of the plain value types, by number (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md)."""
_NUMBER, _TEXT = 4, 8


def read_head(path: Path) -> Head:
    """Keys and tensors without the weights. The `gguf` package's reader makes an array of every token: 10 s and 0.8 GB for
    262,144 of them, this one takes 0.3 s.

    Raises:
        ValueError, struct.error: not a GGUF file of version 2 or 3.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        magic, version, tensors, keys = struct.unpack_from("<4sIQQ", data)
        if magic != b"GGUF" or version not in (2, 3):
            raise ValueError("不是 GGUF 第 2、3 版")
        at, found = 24, {}
        for _ in range(keys):
            name, at = _text(data, at)
            kind = struct.unpack_from("<I", data, at)[0]
            end = _end(data, at + 4, kind)
            found[name], at = Value(kind, data[at + 4 : end]), end
        infos = []
        for _ in range(tensors):
            name, at = _text(data, at)
            dimensions = struct.unpack_from("<I", data, at)[0]
            *shape, offset = struct.unpack_from(
                f"<{dimensions}Q", data, at + 4
            ) + struct.unpack_from("<Q", data, at + 8 + 8 * dimensions)
            kind = struct.unpack_from("<I", data, at + 4 + 8 * dimensions)[0]
            infos.append(TensorInfo(name, tuple(shape), kind, offset))
            at += 16 + 8 * dimensions
        alignment = (
            struct.unpack("<I", found["general.alignment"].raw)[0]
            if "general.alignment" in found
            else 32
        )
        return Head(keys=found, tensors=infos, data_start=at + -at % alignment, alignment=alignment)


def _text(data: Any, at: int) -> tuple[str, int]:
    """(text, where what follows begins)."""
    end = _end(data, at, _TEXT)
    return data[at + 8 : end].decode("utf-8"), end


def _end(data: Any, at: int, kind: int) -> int:
    """Where a value of this type ends."""
    if kind in _SIZES:
        return at + _SIZES[kind]
    if kind == _TEXT:
        end: int = at + 8 + struct.unpack_from("<Q", data, at)[0]
        if end > len(data):
            raise ValueError("文件比它的头里说的短")
        return end
    if kind != 9:
        raise ValueError(f"没有 {kind} 这种值")
    inner, count = struct.unpack_from("<IQ", data, at)
    at += 12
    if inner in _SIZES:
        end = at + int(count) * _SIZES[inner]
        if end > len(data):
            raise ValueError("文件比它的头里说的短")
        return end
    for _ in range(count):
        at = _end(data, at, inner)
    return at


def _packed(value: str | int) -> Value:
    if isinstance(value, int):
        return Value(_NUMBER, struct.pack("<I", value))
    return Value(_TEXT, _as_text(value))


def _as_text(text: str) -> bytes:
    raw = text.encode("utf-8")
    return struct.pack("<Q", len(raw)) + raw


def _cut(key: str, value: Value, tokens: Sequence[bytes], vocab_ids: Sequence[int]) -> Value | None:
    """What a key says of the kept tokens only; None when it is about a token that is gone."""
    if key in _PER_TOKEN:
        elements = value.elements()
        return value.with_elements([elements[old] for old in vocab_ids])
    if key == _MERGES:
        names = {tokens[old][8:].decode("utf-8") for old in vocab_ids}
        pairs = [(raw, raw[8:].decode("utf-8")) for raw in value.elements()]
        return value.with_elements(
            [raw for raw, pair in pairs if {*pair.split(" ", 1), pair.replace(" ", "", 1)} <= names]
        )
    if key.endswith("token_id") and value.kind == _NUMBER:
        old = struct.unpack("<I", value.raw)[0]
        return _packed(vocab_ids.index(old)) if old in vocab_ids else None
    return _packed(len(vocab_ids)) if key.endswith(".vocab_size") else value


def _write(
    out: BinaryIO,
    keys: Mapping[str, Value],
    parts: Sequence[tuple[TensorInfo, np.ndarray]],
    alignment: int,
) -> None:
    out.write(struct.pack("<4sIQQ", b"GGUF", 3, len(parts), len(keys)))
    for key, value in keys.items():
        out.write(_as_text(key) + struct.pack("<I", value.kind) + value.raw)
    offset = 0
    for info, data in parts:
        out.write(
            _as_text(info.name)
            + struct.pack(
                f"<I{len(info.shape)}QIQ", len(info.shape), *info.shape, info.kind, offset
            )
        )
        offset += len(data) + -len(data) % alignment
    out.write(b"\0" * (-out.tell() % alignment))
    for _, data in parts:
        out.write(data.tobytes())
        out.write(b"\0" * (-len(data) % alignment))

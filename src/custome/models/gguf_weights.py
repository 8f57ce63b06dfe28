"""The weights of a GGUF file as transformers names them, dequantized matrix by matrix into the number type they are used in.

No copy of the whole model in fp32 is ever made, on disk or in memory; of the token matrices only the rows kept are read.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gguf import GGMLQuantizationType
from gguf.quants import dequantize
from torch import Tensor

from ..errors import SourceError
from . import convert
from .gguf import TensorInfo, read_head

_AT_ONCE = 4 << 20
"""Numbers dequantized at a time: 16 MB in fp32."""


def read_weights(
    path: Path,
    names: Iterable[str],
    config: Any,
    *,
    dtype: torch.dtype,
    vocab_ids: Sequence[int] | None = None,
) -> dict[str, Tensor]:
    """Weights of a GGUF file.

    Args:
        names: transformers' names of the tensors wanted.
        config: of the text model; says what the file's conventions are undone with.
        vocab_ids: rising ids of the tokens whose rows are read; all without.

    Raises:
        SourceError: an architecture whose names are not known here, a tensor that is missing, a damaged file.
    """
    architecture = convert.architecture_of(config)
    place_of = convert.names_for(architecture, config.num_hidden_layers)
    try:
        head = read_head(path)
    except (ValueError, struct.error) as error:
        raise SourceError(
            f"{str(path)!r} 不是完整的 GGUF 文件：{error}", "重新下载这个文件"
        ) from error
    infos = {info.name: info for info in head.tensors}
    if path.stat().st_size < max(
        head.data_start + info.offset + info.bytes for info in head.tensors
    ):
        raise SourceError(f"{str(path)!r} 比它的头里说的短", "重新下载这个文件")
    wanted = {name: place_of(name) or "" for name in names}
    missing = sorted(name for name, place in wanted.items() if place not in infos)
    if missing:
        raise SourceError(
            f"{str(path)!r} 里没有 {missing[0]!r}（共缺 {len(missing)} 个）",
            "换一个完整的 GGUF 文件",
        )
    rows = None if vocab_ids is None else np.asarray(vocab_ids)

    def read(name: str) -> tuple[str, Tensor]:
        info = infos[wanted[name]]
        chosen = rows if info.name in ("token_embd.weight", "output.weight") else None
        return name, _tensor(
            path,
            head.data_start + info.offset,
            info,
            rows=chosen,
            name=name,
            config=config,
            dtype=dtype,
        )

    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        return dict(pool.map(read, wanted))


def _tensor(
    path: Path,
    start: int,
    info: TensorInfo,
    *,
    rows: np.ndarray | None,
    name: str,
    config: Any,
    dtype: torch.dtype,
) -> Tensor:
    """One tensor, a few rows at a time."""
    kind, columns = GGMLQuantizationType(info.kind), info.shape[0]
    count = int(np.prod(info.shape[1:], dtype=np.int64))
    width = info.bytes // count
    numbers = np.arange(count) if rows is None else rows
    vector = len(info.shape) == 1  # small, and Gemma's norms lose their one in full precision
    out = torch.empty(len(numbers), columns, dtype=torch.float32 if vector else dtype)
    step = max(1, _AT_ONCE // columns)
    with path.open(
        "rb", buffering=0
    ) as file:  # read, not mapped: mapped pages count as the process's own
        for at in range(0, len(numbers), step):
            part = numbers[at : at + step]
            first, last = int(part[0]), int(part[-1]) + 1
            file.seek(start + first * width)
            read = file.read((last - first) * width)
            raw = np.frombuffer(read, dtype=np.uint8).reshape(-1, width)
            if len(raw) != last - first:
                raise SourceError(f"{str(path)!r} 比它的头里说的短", "重新下载这个文件")
            values = _numbers(raw[part - first], kind)
            out[at : at + len(part)] = torch.from_numpy(values)
    whole: Tensor = convert.as_loaded(
        convert.architecture_of(config), name, out[0] if vector else out, config
    )
    return whole.to(dtype)


def _numbers(raw: np.ndarray, kind: GGMLQuantizationType) -> np.ndarray:
    """Stored rows → fp32."""
    if kind == GGMLQuantizationType.F32:
        return raw.view(np.float32)
    if kind == GGMLQuantizationType.F16:
        return raw.view(np.float16).astype(np.float32)
    return dequantize(raw, kind)

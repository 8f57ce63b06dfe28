"""What is computed on, and in which number type.

A card computes in bf16 where it can, else in fp16. A CPU answers in fp32, and trains in bf16 where that is faster: with
AVX512-BF16 or AMX several times, without them hundreds of times slower, so it is measured, once for a machine.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from ..errors import DiskError, InputError
from ..machine import Rates, read_rates, write_rates

ComputeType = Literal["fp32", "bf16", "fp16"]
DTYPES: dict[ComputeType, torch.dtype] = {
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}


def pick_device(wanted: Literal["auto", "cpu", "cuda"]) -> str:
    """`auto` is CUDA where there is a card.

    Raises:
        InputError: CUDA was asked for and there is none.
    """
    if wanted == "cuda" and not torch.cuda.is_available():
        raise InputError("要求在 cuda 上算，但这台机器没有可用的显卡", "改用 --device cpu")
    return ("cuda" if torch.cuda.is_available() else "cpu") if wanted == "auto" else wanted


def compute_dtype(device: str) -> torch.dtype:
    """In which a model answers on `device`."""
    if device == "cpu":
        return torch.float32
    return (
        torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    )


def remember_few_products() -> None:
    """Keep oneDNN's two caches small; to be called before the first product.

    It keeps a compiled product for every shape it meets, 1,024 by default in either cache; rows of ever new lengths made
    that a gigabyte. 64 hold the shapes of a step.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")
    os.environ.setdefault("LRU_CACHE_CAPACITY", "64")


def training_type(
    device: str, wanted: Literal["auto"] | ComputeType, home: Path | None = None
) -> ComputeType:
    """In which a model is trained on `device`; `auto` takes the faster one.

    Raises:
        InputError: a CPU is asked for fp16, which has no products for it.
    """
    if wanted == "fp16" and device == "cpu":
        raise InputError(
            "compute_type=fp16 只能在显卡上算", "去掉它（auto 会挑快的），或 --compute-type fp32"
        )
    if wanted != "auto":
        return wanted
    if device != "cpu":
        return "bf16" if compute_dtype(device) == torch.bfloat16 else "fp16"
    return measured_rates(home).faster


def measured_rates(home: Path | None = None) -> Rates:
    """Speed of products on this CPU; measured for a second, then remembered for this machine."""
    machine = f"{_cpu_name()}, torch {torch.__version__}"
    known = read_rates(home)
    if known is not None and known.machine == machine:
        return known
    rates = Rates(machine=machine, fp32=_rate(torch.float32), bf16=_rate(torch.bfloat16))
    with suppress(DiskError):  # then it is measured again next time
        write_rates(rates, home)
    return rates


def _rate(dtype: torch.dtype) -> float:
    """GFLOP/s of the fastest of a few products; one is enough where it takes long."""
    left, right = torch.ones(256, 640, dtype=dtype), torch.ones(2048, 640, dtype=dtype)
    operations, began = 2 * 256 * 640 * 2048, time.monotonic()
    seconds: list[float] = []
    while time.monotonic() - began < 0.4 or not seconds:
        seconds.append(_seconds(left, right))
    return operations / min(seconds) / 1e9


def _seconds(left: Tensor, right: Tensor) -> float:
    began = time.perf_counter()
    left @ right.t()
    return time.perf_counter() - began


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        said = {
            key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)
        }
        return " ".join(
            said.get(key, "") for key in ("model name", "cpu family", "model", "stepping")
        )
    except OSError:
        import platform

        return platform.processor() or platform.machine()

"""What this machine was measured to do, remembered in the cache for who plans without torch; how its cores are shared."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from .files import write_json
from .resources import custome_home

RATES_FILE = "machine.json"
WORTH_IT = 1.5
"""How much faster bf16 products must be than fp32 ones before a CPU trains with them."""

SPINS = 1_000
"""Turns a thread looks whether the others have come before it goes to sleep: a few microseconds."""


def share_the_cores() -> None:
    """Have threads that wait for each other go to sleep soon; only before OpenMP is loaded does it listen.

    llama.cpp and torch meet at a barrier after every product. OpenMP waits there for milliseconds on a core that whoever is
    waited for needs: beside another busy process a reply took fifty times as long, and takes twice as long so (docs/log.md).
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", str(SPINS))


def device_here() -> Literal["cpu", "cuda"]:
    """Without torch: a card is there when its driver's tool is."""
    return "cuda" if shutil.which("nvidia-smi") else "cpu"


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Speed of matrix products on a CPU by number type, GFLOP/s."""

    machine: str
    """The CPU, and the version of what multiplied."""
    fp32: float
    bf16: float

    @property
    def faster(self) -> Literal["fp32", "bf16"]:
        """The type to train in."""
        return "bf16" if self.bf16 > WORTH_IT * self.fp32 else "fp32"

    def of(self, kind: Literal["fp32", "bf16"]) -> float:
        return self.bf16 if kind == "bf16" else self.fp32


def read_rates(home: Path | None = None) -> Rates | None:
    """What was measured last, None when nothing was."""
    try:
        known = json.loads(((home or custome_home()) / RATES_FILE).read_text(encoding="utf-8"))
        return Rates(
            machine=str(known["machine"]), fp32=float(known["fp32"]), bf16=float(known["bf16"])
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_rates(rates: Rates, home: Path | None = None) -> None:
    write_json((home or custome_home()) / RATES_FILE, asdict(rates))

"""Which base a command takes where it is not given a run folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..reporter import ConsoleReporter

if TYPE_CHECKING:
    from ..engine.base import Engine

NO_MODEL = "none"
USUAL_BASE = "qwen2.5-coder-1.5b"


def usual_or(base: str, missing: str, reporter: ConsoleReporter) -> str:
    """The name of a base; NO_MODEL for auto where the usual one is not on this machine.

    Args:
        missing: what is said then, before how to get it.
    """
    from ..resources import where

    if base != "auto":
        return base
    if where(USUAL_BASE).is_file():
        return USUAL_BASE
    reporter.note(f"{missing}；取一个：custome models get {USUAL_BASE}")
    return NO_MODEL


def open_named(base: str, reporter: ConsoleReporter) -> Engine:
    """The engine of a base."""
    from ..config import ModelConfig
    from ..engine.open import open_base

    return open_base(ModelConfig(base_model=base), reporter)

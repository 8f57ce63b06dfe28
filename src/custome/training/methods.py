"""Tuning methods: a method's config → what is trainable on a frozen base."""

from __future__ import annotations

from typing import Any

from ..config import LoraConfig
from ..models.adapters import attach_lora


def attach(model: Any, method: LoraConfig) -> Any:
    """Make a frozen base trainable the way `method` says."""
    return attach_lora(model, r=method.lora_r, alpha=method.lora_alpha, dropout=method.lora_dropout, targets=method.lora_targets)  # fmt: skip

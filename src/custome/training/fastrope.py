"""Rotary positions in one kernel on a card: as transformers writes them they take a dozen, half of them copies.

https://arxiv.org/abs/2104.09864. The functions stay transformers' own; here they are compiled.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from .kernels import one_kernel

NAME = "apply_rotary_pos_emb"


def install(model: nn.Module) -> int:
    """Compile the rotary positions of this kind of model, for cards; returns how many functions that are."""
    homes = {type(module).__module__ for module in model.modules()}
    found = [home for name in homes if hasattr(home := sys.modules.get(name), NAME)]
    for home in found:
        plain = getattr(home, NAME)
        if not hasattr(plain, "plain"):
            setattr(home, NAME, _on_cards(plain))
    return len(found)


def _on_cards(plain: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(plain)
    def rotated(*given: Any, **named: Any) -> Any:
        first: Tensor = given[0] if given else next(iter(named.values()))
        chosen = one_kernel(plain, first) if first.requires_grad else plain
        return chosen(*given, **named)

    rotated.plain = plain  # type: ignore[attr-defined]
    return rotated

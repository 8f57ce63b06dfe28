"""Optimizers by name; parameters of different learning rates and weight decay in groups."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from ..errors import TrainingError


def make_optimizer(
    name: str,
    parameters: dict[str, nn.Parameter],
    *,
    rate: float,
    weight_decay: float,
    rate_of: Callable[[str], float],
) -> torch.optim.Optimizer:
    """An optimizer over named parameters.

    Args:
        rate: peak learning rate; the loop sets the rate of every step.
        rate_of: factor on the rate, by name; kept in the group as `scale`.

    Raises:
        TrainingError: its package is not installed.
    """
    if name == "muon":
        return Muon(parameters, rate=rate, weight_decay=weight_decay)
    scales: dict[float, list[nn.Parameter]] = {}
    for key, parameter in parameters.items():
        scales.setdefault(rate_of(key), []).append(parameter)
    groups = [
        {"params": chosen, "scale": scale, "lr": rate * scale} for scale, chosen in scales.items()
    ]
    if name == "adafactor":
        return torch.optim.Adafactor(groups, lr=rate, weight_decay=weight_decay)
    if name == "adamw8bit":
        return _adamw8bit(groups, rate, weight_decay)
    return torch.optim.AdamW(groups, lr=rate, weight_decay=weight_decay)


def _adamw8bit(
    groups: list[dict[str, Any]], rate: float, weight_decay: float
) -> torch.optim.Optimizer:
    try:
        from bitsandbytes.optim import AdamW8bit
    except ImportError as error:
        raise TrainingError(
            "adamw8bit 需要 bitsandbytes，没有装",
            "pip install 'llm-custome[8bit]'，或用 --optimizer adafactor",
        ) from error
    made: torch.optim.Optimizer = AdamW8bit(groups, lr=rate, weight_decay=weight_decay)
    return made


class Muon(torch.optim.Optimizer):
    """torch's Muon for matrices inside the network, AdamW for vectors and for matrices with one row a token.

    One momentum an element instead of AdamW's two (https://kellerjordan.github.io/posts/muon/). `match_rms_adamw` makes
    its steps as long as AdamW's, so that one learning rate serves both.
    """

    def __init__(
        self, parameters: dict[str, nn.Parameter], *, rate: float, weight_decay: float
    ) -> None:
        inside = [
            p
            for name, p in parameters.items()
            if p.ndim == 2 and "embed" not in name and "lm_head" not in name
        ]
        chosen = {id(p) for p in inside}
        others = [p for p in parameters.values() if id(p) not in chosen]
        self.inner: list[torch.optim.Optimizer] = []
        if inside:
            self.inner.append(
                torch.optim.Muon(
                    inside, lr=rate, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"
                )
            )
        if others:
            self.inner.append(torch.optim.AdamW(others, lr=rate, weight_decay=weight_decay))
        super().__init__(list(parameters.values()), {"lr": rate})
        self.param_groups = [group for each in self.inner for group in each.param_groups]

    def step(self, closure: Any = None) -> None:
        for each in self.inner:
            each.step(closure)

    def zero_grad(self, set_to_none: bool = True) -> None:
        for each in self.inner:
            each.zero_grad(set_to_none)

    def state_dict(self) -> dict[str, Any]:
        return {"inner": [each.state_dict() for each in self.inner]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for each, state in zip(self.inner, state_dict["inner"], strict=True):
            each.load_state_dict(state)
        self.param_groups = [group for each in self.inner for group in each.param_groups]

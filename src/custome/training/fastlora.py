"""LoRA layers in one piece: base product and low-rank product in one autograd function.

The base weight is frozen, so its gradient is never computed, and only the layer's input and the r-wide product are kept
for the backward pass. The parameters stay peft's; saving, loading and merging do not notice. Layers with dropout, DoRA,
several adapters or mixed number types keep peft's own forward.
"""

from __future__ import annotations

import types
from typing import Any

import torch
from peft.tuners.lora import Linear as PeftLinear
from torch import Tensor, nn


class FusedLora(torch.autograd.Function):
    """y = x Wᵀ + b + s (x Aᵀ) Bᵀ for x (..., in), frozen W (out, in) and b (out,), A (r, in), B (out, r)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, a: Tensor, b: Tensor, scale: float) -> Tensor:
        rows = x.reshape(-1, x.shape[-1])  # (N, in)
        low = rows @ a.t()  # (N, r)
        out = rows @ weight.t() if bias is None else torch.addmm(bias, rows, weight.t())  # (N, out)
        ctx.save_for_backward(rows, low, weight, a, b)
        ctx.scale, ctx.shape = scale, x.shape
        return out.addmm_(low, b.t(), alpha=scale).view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, None, None, Tensor, Tensor, None]:
        rows, low, weight, a, b = ctx.saved_tensors
        gradient = upstream[0].reshape(-1, upstream[0].shape[-1])  # (N, out)
        towards_low = (gradient @ b).mul_(ctx.scale)  # (N, r)
        towards_x = None
        if ctx.needs_input_grad[0]:
            towards_x = (gradient @ weight).addmm_(towards_low, a).view(ctx.shape)
        return towards_x, None, None, towards_low.t() @ rows, (gradient.t() @ low).mul_(ctx.scale), None


def install(model: nn.Module) -> int:
    """Let every LoRA layer that qualifies compute in one piece; returns how many do."""
    count = 0
    for module in model.modules():
        if isinstance(module, PeftLinear) and _qualifies(module):
            module.forward = types.MethodType(_forward, module)
            count += 1
    return count


def _qualifies(layer: PeftLinear) -> bool:
    base, names = layer.get_base_layer(), list(layer.lora_A)
    if type(base) is not nn.Linear or len(names) != 1 or base.weight.requires_grad:
        return False
    name = names[0]
    plain = isinstance(layer.lora_dropout[name], nn.Identity) and not layer.use_dora.get(name, False)
    same = layer.lora_A[name].weight.dtype == layer.lora_B[name].weight.dtype == base.weight.dtype
    return plain and same and not layer.lora_bias.get(name, False) and name not in layer.lora_variant


def _forward(self: PeftLinear, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    name = self.active_adapters[0] if self.active_adapters else ""
    if (
        self.disable_adapters
        or self.merged
        or name not in self.lora_A
        or args
        or kwargs
        or x.dtype != self.lora_A[name].weight.dtype
    ):
        plain: Tensor = PeftLinear.forward(self, x, *args, **kwargs)
        return plain
    base = self.get_base_layer()
    fused: Tensor = FusedLora.apply(
        x, base.weight, base.bias, self.lora_A[name].weight, self.lora_B[name].weight, self.scaling[name]
    )
    return fused

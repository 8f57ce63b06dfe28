"""LoRA layers in one piece: base product and low-rank product in one autograd function; a gated MLP likewise.

The base weight is frozen, so its gradient is never computed, and only the layer's input and the r-wide product are kept
for the backward pass. Of a gated MLP only the two wide products are kept; what the activation makes of them is cheap and
computed again. The parameters stay peft's; saving, loading and merging do not notice. Layers with dropout, DoRA or several adapters
keep peft's own forward.

Everything is computed in the number type of the frozen weights, as autocast would: adapters stay fp32 (autograd makes
their gradients so), and in between an fp16 or bf16 base has half of everything to move.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn

from .kernels import one_kernel


class FusedLora(torch.autograd.Function):
    """y = x Wᵀ + b + s (x Aᵀ) Bᵀ for x (..., in), frozen W (out, in) and b (out,), A (r, in), B (out, r)."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        a: Tensor,
        b: Tensor,
        scale: float,
        state: Any,
    ) -> Tensor:
        rows = x.reshape(-1, x.shape[-1]).to(_kind(weight, state))  # (N, in)
        out, low = _product(rows, weight, bias, a, b, scale, state)
        ctx.save_for_backward(rows, low, weight, a, b)
        ctx.scale, ctx.state, ctx.shape = scale, state, x.shape
        return out.view(*x.shape[:-1], out.shape[-1])

    @staticmethod
    def backward(
        ctx: Any, *upstream: Tensor
    ) -> tuple[Tensor | None, None, None, Tensor, Tensor, None, None]:
        rows, low, weight, a, b = ctx.saved_tensors
        gradient = upstream[0].reshape(-1, upstream[0].shape[-1])  # (N, out)
        towards_x, towards_a, towards_b = _gradients(
            gradient, rows, low, weight, a, b, ctx.scale, ctx.state, wants_x=ctx.needs_input_grad[0]
        )
        shaped = None if towards_x is None else towards_x.view(ctx.shape)
        return shaped, None, None, towards_a, towards_b, None, None


def dense(weight: Tensor, state: Any) -> Tensor:
    """A frozen weight (out, in) to multiply with; `state` is how bitsandbytes packed it into four bits, None if it did not."""
    if state is None:
        return weight
    from bitsandbytes.functional import dequantize_4bit

    unpacked: Tensor = dequantize_4bit(weight, state)
    return unpacked


def _kind(weight: Tensor, state: Any) -> torch.dtype:
    """The number type a weight is multiplied in."""
    return weight.dtype if state is None else state.dtype


def _product(
    rows: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    a: Tensor,
    b: Tensor,
    scale: float,
    state: Any,
) -> tuple[Tensor, Tensor]:
    """(output (N, out), rows Aᵀ (N, r)), both of the rows' type."""
    a, b, whole = a.to(rows.dtype), b.to(rows.dtype), dense(weight, state)
    low = rows @ a.t()
    out = rows @ whole.t() if bias is None else torch.addmm(bias, rows, whole.t())
    return out.addmm_(low, b.t(), alpha=scale), low


def _gradients(
    gradient: Tensor,
    rows: Tensor,
    low: Tensor,
    weight: Tensor,
    a: Tensor,
    b: Tensor,
    scale: float,
    state: Any,
    *,
    wants_x: bool,
) -> tuple[Tensor | None, Tensor, Tensor]:
    """Gradients towards rows (N, in), A (r, in) and B (out, r), from the one towards the output (N, out)."""
    low_a, low_b = a.to(rows.dtype), b.to(rows.dtype)
    towards_low = (gradient @ low_b).mul_(scale)  # (N, r)
    towards_x = (gradient @ dense(weight, state)).addmm_(towards_low, low_a) if wants_x else None
    return towards_x, towards_low.t() @ rows, (gradient.t() @ low).mul_(scale)


class FusedMlp(torch.autograd.Function):
    """down(act(gate(x)) * up(x)), each of the three a LoRA layer without bias; x (..., D)."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        act: Callable[[Tensor], Tensor],
        scales: tuple[float, ...],
        states: tuple[Any, ...],
        *weights: Tensor,
    ) -> Tensor:
        """weights: W, A, B of gate, up and down."""
        rows = x.reshape(-1, x.shape[-1]).to(_kind(weights[0], states[0]))  # (N, D)
        (gate_w, gate_a, gate_b), (up_w, up_a, up_b), (down_w, down_a, down_b) = _triples(weights)
        gate, gate_low = _product(
            rows, gate_w, None, gate_a, gate_b, scales[0], states[0]
        )  # (N, F)
        up, up_low = _product(rows, up_w, None, up_a, up_b, scales[1], states[1])
        wide = one_kernel(gated, gate)(act, gate, up)
        out, down_low = _product(wide, down_w, None, down_a, down_b, scales[2], states[2])
        ctx.save_for_backward(rows, gate, up, gate_low, up_low, down_low, *weights)
        ctx.act, ctx.scales, ctx.states, ctx.shape = act, scales, states, x.shape
        return out.view(x.shape)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        rows, gate, up, gate_low, up_low, down_low, *weights = ctx.saved_tensors
        gate_layer, up_layer, (down_w, down_a, down_b) = _triples(weights)
        gradient = upstream[0].reshape(-1, upstream[0].shape[-1])  # (N, out)
        towards_low = (gradient @ down_b.to(gradient.dtype)).mul_(ctx.scales[2])  # (N, r)
        towards_wide = (gradient @ dense(down_w, ctx.states[2])).addmm_(
            towards_low, down_a.to(gradient.dtype)
        )
        wide, towards_gate, towards_up = one_kernel(gated_gradients, gate)(
            ctx.act, gate, up, towards_wide
        )
        del towards_wide
        down_a, down_b = towards_low.t() @ wide, (gradient.t() @ down_low).mul_(ctx.scales[2])
        del wide
        wants_x = ctx.needs_input_grad[0]
        from_gate, gate_a, gate_b = _gradients(
            towards_gate, rows, gate_low, *gate_layer, ctx.scales[0], ctx.states[0], wants_x=wants_x
        )
        from_up, up_a, up_b = _gradients(
            towards_up, rows, up_low, *up_layer, ctx.scales[1], ctx.states[1], wants_x=wants_x
        )
        towards_x = (
            from_gate.add_(from_up).view(ctx.shape)
            if from_gate is not None and from_up is not None
            else None
        )
        return (
            towards_x,
            None,
            None,
            None,
            None,
            gate_a,
            gate_b,
            None,
            up_a,
            up_b,
            None,
            down_a,
            down_b,
        )


def gated(act: Callable[[Tensor], Tensor], gate: Tensor, up: Tensor) -> Tensor:
    """What a gated MLP makes of its two wide products (N, F)."""
    return act(gate) * up


def gated_gradients(
    act: Callable[[Tensor], Tensor], gate: Tensor, up: Tensor, towards: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """(`gated` again, its gradient towards gate, towards up), each (N, F)."""
    wide, pull = torch.func.vjp(functools.partial(gated, act), gate, up)
    towards_gate, towards_up = pull(towards)
    return wide, towards_gate, towards_up


_Layer = tuple[Tensor, Tensor, Tensor]


def _triples(weights: Sequence[Tensor]) -> tuple[_Layer, _Layer, _Layer]:
    """W, A, B of gate, of up and of down."""
    w = weights
    return (w[0], w[1], w[2]), (w[3], w[4], w[5]), (w[6], w[7], w[8])


def install(model: nn.Module) -> int:
    """Let every LoRA layer that qualifies compute in one piece; returns how many do."""
    count = 0
    for module in model.modules():
        if _qualifies(module):
            module.forward = functools.partial(_forward, module, module.forward)
            count += 1
        elif _is_gated_mlp(module):
            module.forward = functools.partial(_mlp_forward, module, module.forward)
    return count


def _is_gated_mlp(module: nn.Module) -> bool:
    parts: list[Any] = [
        getattr(module, name, None) for name in ("gate_proj", "up_proj", "down_proj")
    ]
    linear = all(_qualifies(part) and part.get_base_layer().bias is None for part in parts)
    return (
        linear
        and callable(getattr(module, "act_fn", None))
        and {name for name, _ in module.named_children()}
        <= {"gate_proj", "up_proj", "down_proj", "act_fn"}
    )


def _mlp_forward(module: Any, plain: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    layers = (module.gate_proj, module.up_proj, module.down_proj)
    names = [_active(layer, x) for layer in layers]
    if not all(names):
        return plain(x)
    pairs = list(zip(layers, names, strict=True))
    weights = [
        w
        for layer, name in pairs
        for w in (
            layer.get_base_layer().weight,
            layer.lora_A[name].weight,
            layer.lora_B[name].weight,
        )
    ]
    scales = tuple(layer.scaling[name] for layer, name in pairs)
    states = tuple(_state(layer) for layer in layers)
    fused: Tensor = FusedMlp.apply(x, module.act_fn, scales, states, *weights)
    return fused


def _qualifies(layer: Any) -> bool:
    if not isinstance(layer, LoraLayer) or not type(layer).__module__.startswith(
        "peft.tuners.lora."
    ):
        return False  # AdaLoRA's are LoRA layers by name, with other factors
    base, names = layer.get_base_layer(), list(layer.lora_A)
    plain = type(base) is nn.Linear and base.weight.dtype.is_floating_point
    if (
        not (plain or type(base).__name__ == "Linear4bit")
        or len(names) != 1
        or base.weight.requires_grad
    ):
        return False
    name = names[0]
    whole = isinstance(layer.lora_dropout[name], nn.Identity) and not layer.use_dora.get(
        name, False
    )
    return whole and not layer.lora_bias.get(name, False) and name not in layer.lora_variant


def _state(layer: Any) -> Any:
    """How bitsandbytes packed a layer's frozen weight, if it did."""
    return getattr(layer.get_base_layer().weight, "quant_state", None)


def _active(layer: Any, x: Tensor) -> str:
    """The adapter that works in a layer, '' when peft's own forward should have it."""
    name: str = layer.active_adapters[0] if layer.active_adapters else ""
    usable = name in layer.lora_A and not layer.disable_adapters and not layer.merged
    weight = layer.get_base_layer().weight
    known = (_kind(weight, _state(layer)), layer.lora_A[name].weight.dtype) if usable else ()
    return name if x.dtype in known else ""


def _forward(
    self: Any, plain: Callable[..., Tensor], x: Tensor, *args: Any, **kwargs: Any
) -> Tensor:
    name = _active(self, x)
    if not name or args or kwargs:
        return plain(x, *args, **kwargs)
    base = self.get_base_layer()
    fused: Tensor = FusedLora.apply(
        x,
        base.weight,
        base.bias,
        self.lora_A[name].weight,
        self.lora_B[name].weight,
        self.scaling[name],
        _state(self),
    )
    return fused

"""Several samples in one row without padding, each seeing only itself.

N tokens of a row, H heads, D head size. Positions start anew at every sample, and attention runs sample by sample, so a
row costs what its samples cost one by one, while all other layers work on N tokens at once. On a CPU short samples take
plain products: torch's fused backward pass for CPUs needs two to three times as long for them. On a card, where a call costs
more than a short sample, samples of about the same length go in one call. The attention function is one of transformers'
registered kinds (https://huggingface.co/docs/transformers/attention_interface); without `lengths` it is
its `sdpa`, which is what generation and padded batches use.
"""

from __future__ import annotations

import functools
import heapq
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

ATTENTION = "sdpa_by_sample"
SHORT = 256
"""Tokens up to which a CPU multiplies out a sample's attention; its (H, n, n) weights are then kept."""
SHORTEST = 32
"""Samples up to so many tokens go in one call on a card; longer ones with those up to twice as long."""


def fill_rows(
    indices: Sequence[int], lengths: Sequence[int] | Mapping[int, int], budget: int
) -> list[list[int]]:
    """Examples in few rows of about the same number of tokens, at most `budget`; a longer example gets a row alone.

    Rows alike leave the allocator alike blocks. Longest first, each into the emptiest row, is within a third of the best.
    """
    ordered = sorted(indices, key=lambda i: (-lengths[i], i))
    count = max(1, -(-sum(lengths[i] for i in ordered) // budget))
    while True:
        rows: list[list[int]] = [[] for _ in range(count)]
        filled = [(0, row) for row in range(count)]
        for index in ordered:
            tokens, row = heapq.heappop(filled)
            rows[row].append(index)
            heapq.heappush(filled, (tokens + lengths[index], row))
        if all(tokens <= budget or len(rows[row]) == 1 for tokens, row in filled):
            return [row for row in rows if row]
        count += 1


def attention_by_sample(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    dropout: float = 0.0,
    scaling: float | None = None,
    sliding_window: int | None = None,
    lengths: Sequence[int] | None = None,
    **others: Any,
) -> tuple[Tensor, None]:
    """Causal attention of query (1, H, N, D) over key and value (1, G, N, D), cut into samples of `lengths`; → (1, N, H, D)."""
    if lengths is None:
        plain: tuple[Tensor, None] = sdpa_attention_forward(
            module,
            query,
            key,
            value,
            attention_mask,
            dropout=dropout,
            scaling=scaling,
            sliding_window=sliding_window,
            **others,
        )
        return plain
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    if query.device.type == "cpu" and max(lengths) <= SHORT and not dropout:
        short: Tensor = ShortAttention.apply(
            query, key, value, tuple(lengths), scale, sliding_window
        )
        return short.transpose(1, 2), None
    if query.device.type == "cuda":
        return attention_by_length(
            query, key, value, tuple(lengths), scale, dropout=dropout, window=sliding_window
        ), None
    out, grouped = [], key.shape[1] != query.shape[1]
    for q, k, v in zip(
        *(whole.split(list(lengths), dim=2) for whole in (query, key, value)), strict=True
    ):
        n = q.shape[2]
        mask = (
            _window(n, sliding_window, q.device) if sliding_window and n > sliding_window else None
        )
        out.append(
            F.scaled_dot_product_attention(
                q,
                k,
                v,
                attn_mask=mask,
                dropout_p=dropout,
                scale=scale,
                is_causal=mask is None,
                enable_gqa=grouped,
            )  # (1, H, n, D)
        )
    return torch.cat(out, dim=2).transpose(1, 2).contiguous(), None


def attention_by_length(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    lengths: tuple[int, ...],
    scale: float,
    *,
    dropout: float = 0.0,
    window: int | None = None,
) -> Tensor:
    """The same in few calls: samples side by side, those of about the same length in one, padded behind their end.

    Causal attention never looks behind the end, so padding needs no mask and gets no gradient.
    query (1, H, N, D), key (1, G, N, D) and value (1, G, N, E) → (1, N, H, E).
    """
    place, back, groups = _side_by_side(lengths, query.device)
    wholes = [
        Spread.apply(whole[0].transpose(0, 1), place, back) for whole in (query, key, value)
    ]  # (P, H, D)
    repeats, out = query.shape[1] // key.shape[1], []
    for (samples, n), *parts in zip(
        groups, *(whole.split([s * n for s, n in groups]) for whole in wholes), strict=True
    ):
        q, k, v = (
            part.unflatten(0, (samples, n)).transpose(1, 2) for part in parts
        )  # (S, H, n, D)
        mask = _window(n, window, query.device) if window and n > window else None
        if repeats > 1 and mask is not None:  # no kernel of torch's takes shared keys and a mask
            k, v = (whole.repeat_interleave(repeats, dim=1) for whole in (k, v))
        some = F.scaled_dot_product_attention(
            q,
            k,
            v,
            attn_mask=mask,
            dropout_p=dropout,
            scale=scale,
            is_causal=mask is None,
            enable_gqa=k.shape[1] < q.shape[1],
        )
        out.append(some.transpose(1, 2).flatten(0, 1))  # (S n, H, E)
    gathered: Tensor = Collect.apply(torch.cat(out), back)
    return gathered[None]


class Spread(torch.autograd.Function):
    """A row's tokens (N, H, D) → their places side by side (P, H, D). Padding repeats a token and gets no gradient."""

    @staticmethod
    def forward(ctx: Any, whole: Tensor, place: Tensor, back: Tensor) -> Tensor:
        ctx.save_for_backward(back)
        return whole[place]

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None, None]:
        return upstream[0][ctx.saved_tensors[0]], None, None


class Collect(torch.autograd.Function):
    """The other way: (P, H, E) → (N, H, E)."""

    @staticmethod
    def forward(ctx: Any, spread: Tensor, back: Tensor) -> Tensor:
        ctx.save_for_backward(back)
        ctx.shape = spread.shape
        return spread[back]

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None]:
        return upstream[0].new_zeros(ctx.shape).index_copy_(
            0, ctx.saved_tensors[0], upstream[0]
        ), None


@functools.lru_cache(maxsize=8)
def _side_by_side(
    lengths: tuple[int, ...], device: torch.device
) -> tuple[Tensor, Tensor, list[tuple[int, int]]]:
    """(which token of the row stands at each place (P,), at which place each token stands (N,), how many samples of how many
    places a group has)."""
    starts = [0, *itertools.accumulate(lengths)]
    alike: dict[int, list[int]] = {}
    for sample, length in enumerate(lengths):
        alike.setdefault(max(SHORTEST, 1 << (length - 1).bit_length()), []).append(sample)
    place, back, groups, before = [], torch.empty(starts[-1], dtype=torch.long), [], 0
    for samples in alike.values():
        width = max(lengths[sample] for sample in samples)
        for sample in samples:
            place.append(starts[sample] + torch.arange(width).clamp(max=lengths[sample] - 1))
            back[starts[sample] : starts[sample + 1]] = torch.arange(
                before, before + lengths[sample]
            )
            before += width
        groups.append((len(samples), width))
    return torch.cat(place).to(device), back.to(device), groups


class ShortAttention(torch.autograd.Function):
    """Causal attention within samples, multiplied out: query (1, H, N, D), key (1, G, N, D) and value (1, G, N, E) → (1, H, N, E).

    The H / G query heads that share a key are rows of one product.
    """

    @staticmethod
    def forward(
        ctx: Any,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        lengths: tuple[int, ...],
        scale: float,
        window: int | None,
    ) -> Tensor:
        dtype = _product_type(value)
        query, key, value = (whole.to(dtype) for whole in (query, key, value))
        out, weights = query.new_empty(*query.shape[:-1], value.shape[-1]), []
        groups, repeats = key.shape[1], query.shape[1] // key.shape[1]
        for q, k, v, o in _cut(lengths, query, key, value, out):
            n = q.shape[2]
            scores = (
                (q.reshape(groups, repeats * n, -1) @ k[0].mT).float().mul_(scale)
            )  # (G, H/G n, n)
            unseen = ~_window(n, min(window or n, n), q.device).repeat(repeats, 1)
            shares = scores.masked_fill_(unseen, -torch.inf).softmax(-1).to(dtype)
            o.copy_((shares @ v[0]).view(o.shape))
            weights.append(shares)
        ctx.save_for_backward(query, key, value, out, *weights)
        ctx.lengths, ctx.scale = lengths, scale
        return out

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, out, *weights = ctx.saved_tensors
        gradients = [torch.empty_like(whole) for whole in (query, key, value)]
        groups, repeats = key.shape[1], query.shape[1] // key.shape[1]
        parts = _cut(ctx.lengths, query, key, value, out, upstream[0].to(out.dtype), *gradients)
        for shares, (q, k, v, o, g, to_q, to_k, to_v) in zip(weights, parts, strict=True):
            q, o, g = (
                part.reshape(groups, repeats * part.shape[2], -1) for part in (q, o, g)
            )  # (G, H/G n, D)
            to_v.copy_((shares.mT @ g)[None])
            inner = (g * o).sum(-1, keepdim=True, dtype=torch.float32)
            scores = (
                (g @ v[0].mT).float().sub_(inner).mul_(shares).mul_(ctx.scale).to(q.dtype)
            )  # their gradient
            to_q.copy_((scores @ k[0]).view(to_q.shape))
            to_k.copy_((scores.mT @ q)[None])
        return (*gradients, None, None, None)


def _product_type(tensor: Tensor) -> torch.dtype:
    """What autocast would multiply in."""
    kind = tensor.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else tensor.dtype


def _cut(lengths: tuple[int, ...], *wholes: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Views of each sample's part of tensors (1, H, N, D)."""
    return zip(*(whole.split(list(lengths), dim=2) for whole in wholes), strict=True)


def _window(n: int, width: int, device: torch.device) -> Tensor:
    """(n, n), true where a token may look: itself and the `width` - 1 before it."""
    place = torch.arange(n, device=device)
    distance = place[:, None] - place[None, :]
    return (distance >= 0) & (distance < width)


AttentionInterface.register(ATTENTION, attention_by_sample)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)

"""Several samples in one row without padding, each seeing only itself.

N tokens of a row, H heads, D head size. Positions start anew at every sample, and attention runs sample by sample, so a
row costs what its samples cost one by one, while all other layers work on N tokens at once. The attention function is one
of transformers' registered kinds (https://huggingface.co/docs/transformers/attention_interface); without `lengths` it is
its `sdpa`, which is what generation and padded batches use.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

ATTENTION = "sdpa_by_sample"


def fill_rows(indices: Sequence[int], lengths: Sequence[int] | Mapping[int, int], budget: int) -> list[list[int]]:
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
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, dropout: float = 0.0,
    scaling: float | None = None, sliding_window: int | None = None, lengths: Sequence[int] | None = None, **others: Any,
) -> tuple[Tensor, None]:  # fmt: skip
    """Causal attention of query (1, H, N, D) over key and value (1, G, N, D), cut into samples of `lengths`; → (1, N, H, D)."""
    if lengths is None:
        plain: tuple[Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, sliding_window=sliding_window, **others
        )  # fmt: skip
        return plain
    out, grouped = [], key.shape[1] != query.shape[1]
    for q, k, v in zip(*(whole.split(list(lengths), dim=2) for whole in (query, key, value)), strict=True):
        n = q.shape[2]
        mask = _window(n, sliding_window, q.device) if sliding_window and n > sliding_window else None
        out.append(
            F.scaled_dot_product_attention(
                q, k, v, attn_mask=mask, dropout_p=dropout, scale=scaling, is_causal=mask is None, enable_gqa=grouped
            )  # (1, H, n, D)
        )
    return torch.cat(out, dim=2).transpose(1, 2).contiguous(), None


def _window(n: int, width: int, device: torch.device) -> Tensor:
    """(n, n), true where a token may look: itself and the `width` - 1 before it."""
    place = torch.arange(n, device=device)
    distance = place[:, None] - place[None, :]
    return (distance >= 0) & (distance < width)


AttentionInterface.register(ATTENTION, attention_by_sample)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)

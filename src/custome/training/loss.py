"""Cross-entropy of the reply tokens, without ever holding the logits of all tokens.

B batch, T tokens, N reply tokens, D hidden size, V vocabulary. With V = 262,144 a logit row is a megabyte; a chunk of
rows at a time keeps memory flat, and since the head is frozen its gradient towards the hidden state is computed in the
forward pass, where the probabilities are at hand (the idea of Liger Kernel's fused linear cross-entropy,
https://arxiv.org/abs/2410.10989).
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..models.loading import has_plain_head, split_head

IGNORED = -100
CHUNK_LOGITS = 2**25
"""Logits held at once (128 MB in fp32): 128 rows of V = 262,144, the whole micro-batch with a trimmed vocabulary."""


class FrozenHeadCrossEntropy(torch.autograd.Function):
    """Sum of -log p(label) over hidden (N, D), for a frozen head (V, D) and labels (N,)."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, head: Tensor, labels: Tensor) -> Tensor:
        gradient = torch.empty_like(hidden) if ctx.needs_input_grad[0] else None
        total = torch.zeros((), dtype=torch.float32, device=hidden.device)
        chunk = max(1, CHUNK_LOGITS // len(head))
        for start in range(0, len(hidden), chunk):
            rows = slice(start, start + chunk)
            logits = (hidden[rows] @ head.t()).float()  # (n, V)
            log_z = torch.logsumexp(logits, dim=-1)  # (n,)
            target = labels[rows, None]  # (n, 1)
            total += (log_z - logits.gather(1, target)[:, 0]).sum()
            if gradient is not None:
                probabilities = logits.sub_(log_z[:, None]).exp_()
                probabilities.scatter_add_(1, target, torch.full_like(target, -1, dtype=torch.float32))
                gradient[rows] = probabilities.to(head.dtype) @ head
        ctx.gradient = gradient
        return total

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None, None]:
        return ctx.gradient * upstream[0].to(ctx.gradient.dtype), None, None


class ReplyLoss(nn.Module):
    """(ids, mask, labels), each (B, T) → summed loss over labelled tokens. A module, so that it can be distributed."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: Tensor, mask: Tensor, labels: Tensor) -> Tensor:
        wanted = labels[:, 1:] != IGNORED
        targets = labels[:, 1:][wanted]  # (N,)
        backbone, head = split_head(self.model)
        plain = type(head) is nn.Linear and head.bias is None and not head.weight.requires_grad
        if plain and has_plain_head(self.model):
            hidden = backbone(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state[
                :, :-1
            ]  # (B, T-1, D)
            return FrozenHeadCrossEntropy.apply(hidden[wanted], head.weight, targets)
        logits = self.model(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, :-1]  # (B, T-1, V)
        return F.cross_entropy(logits[wanted].float(), targets, reduction="sum")

"""Cross-entropy of the reply tokens, without ever holding the logits of all tokens.

B batch, T tokens, N reply tokens, D hidden size, V vocabulary. With V = 262,144 a logit row is a megabyte; a chunk of
rows at a time keeps memory flat, and since the head is frozen its gradient towards the hidden state is computed in the
forward pass, where the probabilities are at hand (the idea of Liger Kernel's fused linear cross-entropy,
https://arxiv.org/abs/2410.10989).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ..models.loading import has_plain_head, split_head
from .activation_cache import ActivationCache

IGNORED = -100
CHUNK_LOGITS = 2**25
"""Logits held at once (128 MB in fp32): 128 rows of V = 262,144, the whole micro-batch with a trimmed vocabulary."""


class FrozenHeadCrossEntropy(torch.autograd.Function):
    """Sum of -log p(label) over hidden (N, D), for a frozen head (V, D) and labels (N,)."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, head: Tensor, labels: Tensor) -> Tensor:
        hidden = hidden.to(head.dtype)
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
                probabilities.scatter_add_(
                    1, target, torch.full_like(target, -1, dtype=torch.float32)
                )
                gradient[rows] = probabilities.to(head.dtype) @ head
        ctx.gradient = gradient
        return total

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None, None]:
        return ctx.gradient * upstream[0].to(ctx.gradient.dtype), None, None


def head_loss(hidden: Tensor, head: nn.Linear, labels: Tensor) -> Tensor:
    """Sum of -log p(label) over hidden (N, D); a trainable head's logits are computed again for the gradient, by chunks."""
    if not head.weight.requires_grad:
        return FrozenHeadCrossEntropy.apply(hidden, head.weight, labels)
    chunk = max(1, CHUNK_LOGITS // len(head.weight))

    def part(some: Tensor, wanted: Tensor) -> Tensor:
        return F.cross_entropy(head(some).float(), wanted, reduction="sum")

    pieces = zip(hidden.split(chunk), labels.split(chunk), strict=True)
    return torch.stack(
        [checkpoint(part, some, wanted, use_reentrant=False) for some, wanted in pieces]
    ).sum()


class ReplyLoss(nn.Module):
    """A batch → summed loss over labelled tokens. A module, so that it can be distributed."""

    def __init__(self, model: Any, cache: ActivationCache | None = None) -> None:
        super().__init__()
        self.model, self._cache = model, cache
        self.narrow = Narrow(split_head(model)[0])

    def forward(
        self,
        ids: Tensor,
        labels: Tensor,
        mask: Tensor | None = None,
        positions: Tensor | None = None,
        lengths: tuple[int, ...] | None = None,
        samples: tuple[int, ...] | None = None,
    ) -> Tensor:
        """ids, labels, mask, positions (B, T); see data.Batch."""
        given: dict[str, Any] = {"input_ids": ids, "attention_mask": mask, "use_cache": False}
        if lengths is not None:
            given |= {"position_ids": positions, "lengths": lengths}
        shifted = F.pad(
            labels[:, 1:], (0, 1), value=IGNORED
        )  # what the token at each place should predict
        wanted = shifted != IGNORED
        targets = shifted[wanted]  # (N,)
        backbone, head = split_head(self.model)
        prompts = getattr(self.model, "active_peft_config", None)
        prompts = prompts is not None and prompts.is_prompt_learning
        if type(head) is not nn.Linear or head.bias is not None or not has_plain_head(self.model):
            logits = self.model(**given).logits[:, -ids.shape[1] :]  # (B, T, V)
            return F.cross_entropy(logits[wanted].float(), targets, reduction="sum")
        if prompts:  # virtual tokens are peft's business, and come before ours
            hidden = _hidden_behind(self.model, backbone, given)[:, -ids.shape[1] :]
        elif self._cache is not None and samples is not None:
            with self.narrow.to(wanted):
                hidden = self._cache.hidden(samples, **given)
        else:
            with self.narrow.to(wanted):
                hidden = backbone(**given).last_hidden_state  # (B, T, D)
        return head_loss(hidden[wanted], head, targets)


def _hidden_behind(model: Any, backbone: nn.Module, given: dict[str, Any]) -> Tensor:
    """The backbone's output when the whole model is called."""
    seen: list[Tensor] = []
    hook = backbone.register_forward_hook(
        lambda module, args, output: seen.append(output.last_hidden_state)
    )
    try:
        model(**given, logits_to_keep=1)
    finally:
        hook.remove()
    return seen[0]


class Narrow:
    """Spares the last layer the work whose result nobody reads.

    Behind its attention every token of the last layer is for itself, and only those before a label matter: output
    projection and MLP compute these rows only.
    """

    def __init__(self, backbone: Any) -> None:
        self._wanted: Tensor | None = None
        last = (
            backbone.layers[-1]
            if isinstance(getattr(backbone, "layers", None), nn.ModuleList)
            else None
        )
        found: list[Any] = [
            getattr(getattr(last, "self_attn", None), "o_proj", None),
            getattr(last, "mlp", None),
        ]
        if any(
            getattr(backbone.config, name, None) for name in ("num_experts", "num_local_experts")
        ):
            return  # experts want whole batches
        recomputes = any(
            getattr(module, "gradient_checkpointing", False) for module in backbone.modules()
        )
        for module in (
            found if not recomputes and all(isinstance(part, nn.Module) for part in found) else []
        ):
            module.forward = functools.partial(self._rows_only, module.forward)

    @contextmanager
    def to(self, wanted: Tensor) -> Iterator[None]:
        """wanted (B, T): true where the output is used."""
        self._wanted = wanted
        try:
            yield
        finally:
            self._wanted = None

    def _rows_only(
        self, whole: Callable[..., Tensor], x: Tensor, *others: Any, **more: Any
    ) -> Tensor:
        if self._wanted is None or x.shape[:-1] != self._wanted.shape:
            return whole(x, *others, **more)
        some = whole(x[self._wanted][None], *others, **more)[0]  # (N, D)
        return some.new_zeros(*x.shape[:-1], some.shape[-1]).index_put((self._wanted,), some)

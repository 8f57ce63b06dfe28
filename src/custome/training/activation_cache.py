"""Frozen lower layers compute the same for a sample in every epoch; what they gave is kept in a file and read again.

L layers, the last k trained. The hidden states that enter layer L - k are written when a sample is first seen (fp32,
T × D numbers a sample); from then on only the upper layers run. For methods that leave everything below layer L - k alone,
and only without dropout there.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


class LowerStates:
    """Hidden states of samples as they enter the upper layers, in a file that nobody else sees.

    Args:
        lengths: tokens of each sample.
        path: where the file may lie until the run ends.
    """

    def __init__(self, lengths: Sequence[int], hidden_size: int, path: Path) -> None:
        self._starts = np.concatenate([[0], np.cumsum(lengths)]).tolist()
        self._known = [False] * len(lengths)
        self._file: Any = np.memmap(
            path, dtype=np.float32, mode="w+", shape=(self._starts[-1], hidden_size)
        )
        path.unlink()  # stays readable while it is open, and is gone after a crash

    def get(self, samples: Sequence[int]) -> Tensor | None:
        """(1, N, D) of samples end to end, None when one of them has not been seen."""
        if not all(self._known[i] for i in samples):
            return None
        rows = [self._file[self._starts[i] : self._starts[i + 1]] for i in samples]
        return torch.from_numpy(np.concatenate(rows))[None]

    def put(self, samples: Sequence[int], states: Tensor) -> None:
        """states (1, N, D) of samples end to end."""
        at = 0
        for i in samples:
            n = self._starts[i + 1] - self._starts[i]
            self._file[self._starts[i] : self._starts[i + 1]] = (
                states[0, at : at + n].float().cpu().numpy()
            )
            self._known[i] = True
            at += n


class SplitBackbone(nn.Module):
    """A backbone whose lower layers are asked once a sample. Called like the backbone, with packed rows."""

    def __init__(self, backbone: Any, upper: int) -> None:
        super().__init__()
        self.backbone, self._upper = backbone, upper
        config = backbone.config
        self._configs = {}
        for name, part in (("lower", slice(None, -upper)), ("upper", slice(-upper, None))):
            cut = copy.copy(config)
            cut.num_hidden_layers = len(backbone.layers[part])
            if getattr(config, "layer_types", None):
                cut.layer_types = list(config.layer_types)[part]
            self._configs[name] = (part, cut)

    @contextmanager
    def _only(self, which: str) -> Iterator[None]:
        """The backbone has only its lower or upper layers while this is open."""
        part, config = self._configs[which]
        layers, whole = self.backbone.layers, self.backbone.config
        self.backbone.layers, self.backbone.config = layers[part], config
        try:
            yield
        finally:
            self.backbone.layers, self.backbone.config = layers, whole

    @torch.no_grad()
    def lower(self, **given: Any) -> Tensor:
        """What enters the upper layers, (1, N, D)."""
        seen: list[Tensor] = []
        with self._only("lower"):
            hook = self.backbone.layers[-1].register_forward_hook(
                lambda module, args, output: seen.append(
                    output[0] if isinstance(output, tuple) else output
                )
            )
            try:
                self.backbone(**given)
            finally:
                hook.remove()
        return seen[0]

    def upper(self, states: Tensor, **given: Any) -> Any:
        """The backbone's output from states (1, N, D)."""
        given.pop("input_ids", None)
        with self._only("upper"):
            return self.backbone(inputs_embeds=states, **given)


class ActivationCache:
    """Both together: a backbone's output for packed samples, the lower layers asked once a sample."""

    def __init__(self, backbone: Any, upper: int, lengths: Sequence[int], path: Path) -> None:
        self._split = SplitBackbone(backbone, upper)
        self._states = LowerStates(lengths, backbone.config.hidden_size, path)

    def hidden(self, samples: Sequence[int], **given: Any) -> Tensor:
        """(1, N, D), as the whole backbone gives it."""
        states = self._states.get(samples)
        if states is None:
            states = self._split.lower(**given)
            self._states.put(samples, states)
        weight = next(self._split.backbone.parameters())
        out: Tensor = self._split.upper(
            states.to(weight.device, weight.dtype), **given
        ).last_hidden_state
        return out

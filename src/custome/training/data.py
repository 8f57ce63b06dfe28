"""Encoded examples and which of them make up step k. A plan, not a stream: any step can be had without the ones before,
which is what makes an exact resume simple. Knows no model.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ..models.chat_format import ChatFormat, Encoded
from ..report import Reporter
from ..types import Sample
from .loss import IGNORED

PAD_MULTIPLE = 8
"""Widths are rounded up to this, so that the allocator meets few different shapes."""


@dataclass(frozen=True, kw_only=True)
class Example:
    """One encoded sample and where it was read."""

    ids: tuple[int, ...]
    replies: tuple[tuple[int, int], ...]
    """Start and end (exclusive) of the stretches the loss counts."""
    source: str

    @property
    def labelled(self) -> int:
        """Tokens the loss counts (the first token of all is never predicted)."""
        return sum(end - max(1, start) for start, end in self.replies)


@dataclass(frozen=True, kw_only=True)
class EncodedSet:
    """Examples, and how many were cut to fit."""

    examples: list[Example]
    cut: int

    def __len__(self) -> int:
        return len(self.examples)

    def renumbered(self, new_ids: Callable[[Iterable[int]], tuple[int, ...]]) -> EncodedSet:
        """The same examples in another numbering of the tokens."""
        return replace(self, examples=[replace(example, ids=new_ids(example.ids)) for example in self.examples])


def encode_samples(
    samples: Sequence[Sample],
    chat_format: ChatFormat,
    *,
    cutoff_len: int,
    whole_text: bool,
    reporter: Reporter,
    title: str,
) -> EncodedSet:
    """Samples → token ids of at most `cutoff_len`; with `whole_text` the context is learnt as well."""
    examples, cut = [], 0
    for done, sample in enumerate(samples, 1):
        encoded: Encoded = chat_format.encode(sample, cutoff_len)
        cut += encoded.cut
        replies = ((0, len(encoded.ids)),) if whole_text else encoded.replies
        examples.append(Example(ids=encoded.ids, replies=replies, source=sample.source))
        if done % 500 == 0 or done == len(samples):
            reporter.progress(title, done, len(samples))
    return EncodedSet(examples=examples, cut=cut)


@dataclass(frozen=True, kw_only=True)
class BatchPlan:
    """Which examples step k (from 1) uses: a pure function of the seed and k."""

    lengths: Sequence[int]
    batch_size: int
    seed: int
    group_by_length: bool = False

    @property
    def steps_per_epoch(self) -> int:
        return math.ceil(len(self.lengths) / self.batch_size)

    def batch(self, step: int) -> list[int]:
        """Indices of the examples of one step."""
        epoch, position = divmod(step - 1, self.steps_per_epoch)
        order = np.random.default_rng((self.seed, epoch)).permutation(len(self.lengths))
        if self.group_by_length:
            order = self._grouped(order, epoch)
        chosen: list[int] = order[position * self.batch_size : (position + 1) * self.batch_size].tolist()
        return chosen

    def _grouped(self, order: np.ndarray, epoch: int) -> np.ndarray:
        """Neighbours in length share a batch; the batches themselves come in random order, a short one last."""
        by_length = order[np.argsort([self.lengths[i] for i in order], kind="stable")]
        full = len(order) // self.batch_size
        shuffled = np.random.default_rng((self.seed, epoch, 1)).permutation(full)
        blocks = [by_length[b * self.batch_size : (b + 1) * self.batch_size] for b in shuffled]
        return np.concatenate([*blocks, by_length[full * self.batch_size :]])


def micro_batches(indices: Iterable[int], lengths: Sequence[int] | Mapping[int, int], size: int) -> list[list[int]]:
    """A step's examples in groups of `size`, neighbours in length together, so that little is padded."""
    ordered = sorted(indices, key=lambda index: (lengths[index], index))
    return [ordered[start : start + size] for start in range(0, len(ordered), size)]


def collate(examples: Sequence[Example], pad_id: int) -> tuple[Tensor, Tensor, Tensor]:
    """Right-padded ids, attention mask and labels, each (B, T)."""
    width = math.ceil(max(len(e.ids) for e in examples) / PAD_MULTIPLE) * PAD_MULTIPLE
    ids = torch.full((len(examples), width), pad_id)
    mask = torch.zeros_like(ids)
    labels = torch.full_like(ids, IGNORED)
    for row, example in enumerate(examples):
        n = len(example.ids)
        ids[row, :n] = torch.tensor(example.ids)
        mask[row, :n] = 1
        for start, end in example.replies:
            labels[row, start:end] = ids[row, start:end]
    return ids, mask, labels


def data_fingerprint(*sets: EncodedSet) -> str:
    """Tells whether a resumed run sees the tokens it saw before."""
    digest = hashlib.sha256()
    for encoded in sets:
        for example in encoded.examples:
            digest.update(np.asarray((*sum(example.replies, ()), *example.ids), dtype=np.int64).tobytes())
        digest.update(b"|")
    return digest.hexdigest()[:16]

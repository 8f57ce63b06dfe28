"""Encoded examples and which of them make up step k. A plan, not a stream: any step can be had without the ones before,
which is what makes an exact resume simple. Knows no model.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from ..models.chat_format import ChatFormat
from ..models.encoded import Encoded
from ..reporter import Reporter
from ..types import Sample
from .loss import IGNORED
from .packing import fill_rows

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
        return replace(
            self, examples=[replace(example, ids=new_ids(example.ids)) for example in self.examples]
        )


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


def encode_text(
    novels: Sequence[tuple[str, str]], tokenizer: Any, *, cutoff_len: int
) -> EncodedSet:
    """(name, text) → stretches of `cutoff_len` tokens of running text, every token learnt."""
    examples = []
    start = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
    width = cutoff_len - len(start)
    for name, text in novels:
        lines = [line.strip() + "\n" for line in text.split("\n") if line.strip()]
        ids = [i for row in tokenizer(lines, add_special_tokens=False).input_ids for i in row]
        for at in range(0, len(ids), width):
            piece = (*start, *ids[at : at + width])
            if len(piece) > len(start) + 1:
                examples.append(
                    Example(
                        ids=piece, replies=((0, len(piece)),), source=f"{name} 第 {at} 个 token 起"
                    )
                )
    return EncodedSet(examples=examples, cut=0)


def lines_of_text(lines: Iterable[str], tokenizer: Any, cutoff_len: int, source: str) -> EncodedSet:
    """Each line of running text an example, every token learnt."""
    start = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
    examples = []
    for number, line in enumerate(lines, 1):
        ids = [*start, *tokenizer(line, add_special_tokens=False).input_ids][:cutoff_len]
        examples.append(
            Example(ids=tuple(ids), replies=((0, len(ids)),), source=f"{source}:{number}")
        )
    return EncodedSet(examples=examples, cut=0)


def hold_out(encoded: EncodedSet, held_out: int, seed: int) -> tuple[EncodedSet, EncodedSet]:
    """(the rest, `held_out` of a fixed shuffle), a tenth at most."""
    order = np.random.default_rng(seed).permutation(len(encoded)).tolist()
    cut = len(order) - min(held_out, len(order) // 10)
    rest, held = (
        [encoded.examples[i] for i in sorted(part)] for part in (order[:cut], order[cut:])
    )
    return EncodedSet(examples=rest, cut=encoded.cut), EncodedSet(examples=held, cut=0)


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
        chosen: list[int] = order[
            position * self.batch_size : (position + 1) * self.batch_size
        ].tolist()
        return chosen

    def _grouped(self, order: np.ndarray, epoch: int) -> np.ndarray:
        """Neighbours in length share a batch; the batches themselves come in random order, a short one last."""
        by_length = order[np.argsort([self.lengths[i] for i in order], kind="stable")]
        full = len(order) // self.batch_size
        shuffled = np.random.default_rng((self.seed, epoch, 1)).permutation(full)
        blocks = [by_length[b * self.batch_size : (b + 1) * self.batch_size] for b in shuffled]
        return np.concatenate([*blocks, by_length[full * self.batch_size :]])


class StepPlan(Protocol):
    """Which examples make up which step."""

    def batch(self, step: int) -> list[int]:
        """Indices of the examples of step `step` (from 1)."""


@dataclass(frozen=True, kw_only=True)
class TwoStages:
    """Steps of one plan, then steps of another whose examples follow the first one's in the list."""

    first: BatchPlan
    first_steps: int
    second: StepPlan

    def batch(self, step: int) -> list[int]:
        if step <= self.first_steps:
            return self.first.batch(step)
        return [
            len(self.first.lengths) + index for index in self.second.batch(step - self.first_steps)
        ]


@dataclass(frozen=True, kw_only=True)
class Mixed:
    """Each step of one plan together with the same step of another, whose examples stand at the end of the list."""

    main: StepPlan
    beside: BatchPlan
    first: int
    """Where the other's examples begin."""

    def batch(self, step: int) -> list[int]:
        return [*self.main.batch(step), *(self.first + index for index in self.beside.batch(step))]


class Batch(NamedTuple):
    """What one forward pass sees; padded rows have a mask, packed samples have positions and lengths.

    Shapes: B rows of T tokens; packed B = 1.
    """

    ids: Tensor  # (B, T)
    labels: Tensor  # (B, T)
    mask: Tensor | None = None  # (B, T)
    positions: Tensor | None = None  # (B, T)
    lengths: tuple[int, ...] | None = None
    samples: tuple[int, ...] | None = None
    """Which training samples these are, where that is of use."""

    def to(self, device: torch.device) -> Batch:
        return Batch(*(part.to(device) if isinstance(part, Tensor) else part for part in self))


@dataclass(frozen=True, kw_only=True)
class Batching:
    """How the samples of a step become forward passes."""

    micro_batch_size: int
    pad_id: int
    row_tokens: int = 0
    """Longest packed row; 0 pads instead."""

    def divide(
        self, indices: Iterable[int], lengths: Sequence[int] | Mapping[int, int]
    ) -> list[list[int]]:
        """Groups of samples, each for one forward pass."""
        if self.row_tokens:
            return fill_rows(list(indices), lengths, self.row_tokens)
        return micro_batches(indices, lengths, self.micro_batch_size)

    def collate(self, examples: Sequence[Example]) -> Batch:
        return pack(examples) if self.row_tokens else pad(examples, self.pad_id)


def micro_batches(
    indices: Iterable[int], lengths: Sequence[int] | Mapping[int, int], size: int
) -> list[list[int]]:
    """A step's examples in groups of `size`, neighbours in length together, so that little is padded."""
    ordered = sorted(indices, key=lambda index: (lengths[index], index))
    return [ordered[start : start + size] for start in range(0, len(ordered), size)]


def pad(examples: Sequence[Example], pad_id: int) -> Batch:
    """One example a row, padded on the right."""
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
    return Batch(ids, labels, mask=mask)


def pack(examples: Sequence[Example]) -> Batch:
    """All examples in one row; the first token of each is no label, as nothing before it belongs to its sample."""
    ids = torch.cat([torch.tensor(e.ids) for e in examples])
    labels = torch.full_like(ids, IGNORED)
    at = 0
    for example in examples:
        for start, end in example.replies:
            labels[at + max(1, start) : at + end] = ids[at + max(1, start) : at + end]
        at += len(example.ids)
    positions = torch.cat([torch.arange(len(e.ids)) for e in examples])
    return Batch(
        ids[None],
        labels[None],
        positions=positions[None],
        lengths=tuple(len(e.ids) for e in examples),
    )


def data_fingerprint(*sets: EncodedSet) -> str:
    """Tells whether a resumed run sees the tokens it saw before."""
    digest = hashlib.sha256()
    for encoded in sets:
        for example in encoded.examples:
            digest.update(
                np.asarray((*sum(example.replies, ()), *example.ids), dtype=np.int64).tobytes()
            )
        digest.update(b"|")
    return digest.hexdigest()[:16]

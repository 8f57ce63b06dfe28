"""What is looked at during a run: the validation loss, what is being forgotten, how the model answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..reporter import NullReporter, Reporter
from ..types import Request
from . import trainer
from .encoded_data import EncodedData
from .watch import LONGEST_REPLY, Panel, perplexity, put_to, sample_replies, write_samples


@dataclass(frozen=True, kw_only=True)
class Validation:
    """Called at every evaluation; returns the validation loss."""

    folder: Path
    model: Any
    data: EncodedData
    most: int
    """Validation samples that are used; 0 for all."""
    panel: Panel | None

    def __call__(self, learner: trainer.Learner, step: int, metrics: Reporter) -> float:
        valid = self.data.valid.examples[: self.most or None]
        loss = trainer.mean_loss(learner, valid, metrics, "验证")
        forgotten = trainer.mean_loss(learner, self.data.probe.examples, NullReporter(), "")
        metrics.metrics(step, {"probe_perplexity": perplexity(forgotten)})
        if learner.accelerator.num_processes > 1:  # a model shared out cannot answer in one process
            return loss
        kind = self.data.chat_format.kind
        asked = [put_to(text, cue, kind) for text, cue in self.data.asked]
        write_samples(self.folder, step, self.data.asked, self._replies(learner, asked))
        if self.panel is not None:
            replies = self._replies(learner, self.panel.asked(kind), LONGEST_REPLY)
            metrics.metrics(step, self.panel.measure(replies))
        return loss

    def _replies(self, learner: trainer.Learner, asked: Sequence[Request], *longest: int) -> Any:
        with learner.accelerator.autocast():
            return sample_replies(
                self.model, self.data.tokenizer, self.data.chat_format, asked, *longest
            )

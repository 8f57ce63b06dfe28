"""What the local engine gives transformers' generate: options, stopping, streaming."""

from __future__ import annotations

import queue
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import StoppingCriteria
from transformers.generation.streamers import BaseStreamer

from ..types import GenerateOptions
from .base import Cancel


def _without_half_a_stop(text: str, stops: Sequence[str]) -> str:
    """A growing text without an end that may turn out to begin a stop string."""
    held = max(
        (n for stop in stops for n in range(1, len(stop)) if text.endswith(stop[:n])), default=0
    )
    return text[: len(text) - held]


def _sampling(options: GenerateOptions) -> dict[str, Any]:
    """Our options as generate()'s keywords; sampling settings are left out where nothing is sampled."""
    drawn = {
        "temperature": options.temperature,
        "top_p": options.top_p,
        "top_k": options.top_k,
        "min_p": options.min_p or None,
    }
    return {
        "max_new_tokens": options.max_new_tokens,
        "num_beams": options.num_beams,
        "num_return_sequences": options.num_beams,
        "repetition_penalty": options.repetition_penalty,
        "do_sample": options.do_sample and options.temperature > 0,
        **(drawn if options.do_sample and options.temperature > 0 else {}),
    }


def _end_tokens(model: Any, tokenizer: Any) -> list[int]:
    configured = model.generation_config.eos_token_id
    ends = set(configured if isinstance(configured, list) else [configured]) | {
        tokenizer.eos_token_id
    }
    return sorted(end for end in ends if end is not None)


class _Stop(StoppingCriteria):
    """A row is done when its text is over; everybody is done when cancelled."""

    def __init__(
        self, tokenizer: Any, over: Callable[[str], bool], prompt_width: int, cancel: Cancel
    ) -> None:
        self._tokenizer, self._over, self._width, self._cancel = (
            tokenizer,
            over,
            prompt_width,
            cancel,
        )

    def __call__(self, input_ids: Tensor, scores: Any, **options: Any) -> Any:
        if self._cancel.is_set():
            return torch.ones(len(input_ids), dtype=torch.bool, device=input_ids.device)
        texts = self._tokenizer.batch_decode(input_ids[:, self._width :], skip_special_tokens=True)
        return torch.tensor([self._over(text) for text in texts], device=input_ids.device)


class _QueueStreamer(BaseStreamer):
    """Hands token ids over as they are drawn; the first call carries the prompt and is passed over."""

    def __init__(self, pieces: queue.Queue[Any]) -> None:
        self._pieces, self._prompt_seen = pieces, False

    def put(self, value: Tensor) -> None:
        if self._prompt_seen:
            self._pieces.put(value.flatten().tolist())
        self._prompt_seen = True

    def end(self) -> None:
        pass

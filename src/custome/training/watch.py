"""Metrics of an evaluation besides its loss: sampled replies to fixed questions, and perplexity of everyday Chinese."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Protocol

import torch

from ..files import write_text
from ..models import proof
from ..models.chat_format import ChatFormat, persona
from ..models.loading import padded
from ..models.run_folder import SAMPLES_FILE
from ..types import Character, Message, Request
from .data import EncodedSet, lines_of_text

LONGEST_SAMPLE = 48
LONGEST_REPLY = 96
"""Tokens of a sample, and of a reply that is measured."""
AT_ONCE = 24
QUESTIONS = proof.QUESTIONS[:3]
"""Asked at every evaluation, each to one of the people who speak most."""


def questions(people: Sequence[Character]) -> list[tuple[str, str]]:
    """(question, cue of who is asked)."""
    cues = [person.cue for person in people[: len(QUESTIONS)]] or [""]
    return [(text, cues[place % len(cues)]) for place, text in enumerate(QUESTIONS)]


def put_to(text: str, cue: str, kind: str) -> Request:
    """A question as a model of this kind reads it; an instruct model is told who it is."""
    system = [Message(role="system", content=persona(cue))] if kind == "template" and cue else []
    return Request(messages=(*system, Message(role="user", content=text)), speaker=cue)


class Panel(Protocol):
    """Asks the same questions at every evaluation and measures the replies."""

    def asked(self, kind: str) -> Sequence[Request]:
        """What a model of this kind reads."""

    def measure(self, replies: Sequence[str]) -> dict[str, float]:
        """Curves of the run."""


def sample_replies(
    model: Any,
    tokenizer: Any,
    chat_format: ChatFormat,
    asked: Sequence[Request],
    longest: int = LONGEST_SAMPLE,
) -> list[str]:
    """Greedy replies of at most `longest` tokens, so many in one batch."""
    return [
        reply
        for start in range(0, len(asked), AT_ONCE)
        for reply in _batch(model, tokenizer, chat_format, asked[start : start + AT_ONCE], longest)
    ]


@torch.no_grad()
def _batch(
    model: Any, tokenizer: Any, chat_format: ChatFormat, asked: Sequence[Request], longest: int
) -> list[str]:
    prompts = [chat_format.prompt(request.messages, request.speaker) for request in asked]
    ids, mask = padded(prompts, tokenizer.pad_token_id, model.device, left=True)
    was_training = model.training
    model.eval()
    out = model.generate(
        input_ids=ids,
        attention_mask=mask,
        max_new_tokens=longest,
        do_sample=False,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    model.train(was_training)
    return [
        chat_format.reply(text)
        for text in tokenizer.batch_decode(out[:, ids.shape[1] :], skip_special_tokens=True)
    ]


def write_samples(
    folder: Path, step: int, asked: Sequence[tuple[str, str]], replies: Sequence[str]
) -> None:
    rows = [
        {"question": q, "speaker": who, "reply": reply}
        for (q, who), reply in zip(asked, replies, strict=True)
    ]
    with (folder / SAMPLES_FILE).open("a", encoding="utf-8") as out:
        out.write(json.dumps({"step": step, "replies": rows}, ensure_ascii=False) + "\n")


def keep_samples_until(folder: Path, step: int) -> None:
    """Forget the samples behind `step`: a resumed run writes them again."""
    path = folder / SAMPLES_FILE
    if path.is_file():
        lines = path.read_text(encoding="utf-8").split("\n")[
            :-1
        ]  # what follows the last line break is half a line
        write_text(path, "".join(line + "\n" for line in lines if json.loads(line)["step"] <= step))


def probe_examples(tokenizer: Any, cutoff_len: int) -> EncodedSet:
    """Our own everyday Chinese, one paragraph an example; its loss tells what a run forgets."""
    text = (files("custome") / "data" / "probe.txt").read_text(encoding="utf-8")
    return lines_of_text(text.splitlines(), tokenizer, cutoff_len, "probe.txt")


def perplexity(loss: float) -> float:
    return math.exp(min(loss, 20.0))

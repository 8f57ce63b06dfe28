"""Does what was exported say what the model in training said? Asked token by token, of another program.

The tuned model answers prompts greedily; at every place of its replies the exported one is asked what comes next, given
the same beginning. What counts is the share of places with the same answer; where they differ, by how much the tuned
model preferred its own.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..errors import ExportError, InputError
from .loading import padded

QUESTIONS = (
    "博物馆大火，救名画还是救猫？",
    "怎样才能国富民强？",
    "你平生最得意的一件事是什么？",
    "今夜可有酒？",
    "敌军来了，怎么办？",
)
"""What a model is asked where nothing was held out."""
REPLY_TOKENS = 40
TOP = 20
Prediction = dict[int, float]
"""The likeliest next tokens with their log-probabilities, the likeliest first."""
END, HALF = -1, -2
"""Instead of a token: the reply ends here; half a character, of which llama.cpp does not say which."""


@dataclass(frozen=True, kw_only=True)
class Bar:
    """Agreement that an export must reach to be accepted."""

    share: float
    """Of places with the same greedy token."""
    error: float
    """At most: mean difference of the tuned model's five best log-probabilities."""


NEEDED = {
    "f32": Bar(share=0.99, error=0.02),
    "f16": Bar(share=0.99, error=0.02),
    "bf16": Bar(share=0.96, error=0.1),
    "q8_0": Bar(share=0.93, error=0.2),
    "q5_1": Bar(share=0.9, error=0.4),
    "q5_0": Bar(share=0.9, error=0.4),
    "q4_1": Bar(share=0.8, error=1.0),
    "q4_0": Bar(share=0.8, error=1.0),
    "": Bar(share=0.85, error=0.3),
}
"""By quantization; '' is an adapter on a base as quantized as it came. llama.cpp rounds what it multiplies with quantized
weights to eight bits as well, and a small model is often undecided: docs/log.md has what was measured."""


@dataclass(frozen=True, kw_only=True)
class Expected:
    """A reply of the tuned model."""

    prompt: tuple[int, ...]
    reply: tuple[int, ...]
    predictions: tuple[Prediction, ...]
    """One for each token of the reply."""


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How alike two models are."""

    places: int
    same: int
    gaps: tuple[float, ...]
    """By how many nats the tuned model preferred its own token where they differ; TOP tokens are looked at."""
    error: float
    """Mean difference of log-probabilities of the tuned model's five likeliest tokens."""
    with_program: str

    @property
    def share(self) -> float:
        return self.same / max(1, self.places)

    def describe(self) -> str:
        differ = (
            f"；不同的 {len(self.gaps)} 处，原模型自己也只偏 {max(self.gaps):.3f} nat 以内"
            if self.gaps
            else ""
        )
        return f"用 {self.with_program} 重新读回：{self.places} 处贪心选词 {self.same} 处相同（{self.share:.2%}）{differ}；前五名对数概率平均差 {self.error:.4f}"


@torch.no_grad()
def expect(
    model: Any, prompts: Sequence[Sequence[int]], pad_id: int, eos_id: int | None
) -> list[Expected]:
    """The tuned model's greedy replies and what it thinks at every place of them."""
    ids, mask = padded(prompts, pad_id, model.device, left=True)
    out = model.generate(
        input_ids=ids,
        attention_mask=mask,
        max_new_tokens=REPLY_TOKENS,
        do_sample=False,
        pad_token_id=pad_id,
        eos_token_id=eos_id,
    )
    expected = []
    for prompt, row in zip(prompts, out[:, ids.shape[1] :].tolist(), strict=True):
        reply = row[: row.index(eos_id) + 1] if eos_id in row else row
        whole = torch.tensor([[*prompt, *reply]], device=model.device)
        logits = model(input_ids=whole).logits[0, len(prompt) - 1 : -1].float()  # (R, V)
        expected.append(
            Expected(prompt=tuple(prompt), reply=tuple(reply), predictions=tuple(likeliest(logits)))
        )
    return expected


def likeliest(logits: torch.Tensor) -> list[Prediction]:
    """logits (R, V) → a prediction for each place."""
    values, tokens = logits.log_softmax(dim=-1).topk(min(TOP, logits.shape[-1]))
    return [
        dict(zip(t, v, strict=True)) for t, v in zip(tokens.tolist(), values.tolist(), strict=True)
    ]


def compare(
    expected: Sequence[Expected],
    found: Sequence[Sequence[Prediction | None]],
    program: str,
    ends: Collection[int],
) -> Agreement:
    """`found` has a prediction for every place of every reply, None for those to pass over; `ends` may end a reply."""
    gaps, errors, places = [], [], 0
    for one, others in zip(expected, found, strict=True):
        for ours, theirs in zip(one.predictions, others, strict=True):
            if theirs is None:
                continue
            places += 1
            mine, other = next(iter(ours)), next(iter(theirs))
            other = mine if other == END and mine in ends else other
            if mine != other:
                gaps.append(ours[mine] - ours.get(other, min(ours.values())))
            errors += [
                abs(ours[token] - theirs[token]) for token in list(ours)[:5] if token in theirs
            ]
    error = sum(errors) / max(1, len(errors))
    return Agreement(
        places=places, same=places - len(gaps), gaps=tuple(gaps), error=error, with_program=program
    )


def check(agreement: Agreement, quant: str) -> None:
    """Raise ExportError when the exported model is another one."""
    bar = NEEDED[quant]
    if agreement.places == 0 or agreement.share < bar.share or not agreement.error <= bar.error:
        raise ExportError(
            f"导出的模型和训练出的不一样：{agreement.describe()}；{quant or '适配器'} 至少要 {bar.share:.0%} 相同、平均差不超过 {bar.error:g}",
            "换精度高一些的 --quant（f16），还不行就是程序的错误，请报告",
        )


def check_installed() -> None:
    """Raise InputError when llama.cpp is not there to be asked."""
    if importlib.util.find_spec("xllamacpp") is None:
        raise InputError("核对 GGUF 要用 xllamacpp（llama.cpp），没有装", "pip install xllamacpp")


class LlamaCpp:
    """A GGUF file in llama.cpp, asked for the next token.

    Raises:
        ExportError: llama.cpp cannot load the file.
    """

    def __init__(self, model: Path, adapter: Path | None = None) -> None:
        import xllamacpp

        params = xllamacpp.CommonParams()
        params.model.path = str(model)
        params.n_ctx, params.n_parallel, params.warmup, params.verbosity = 1024, 1, False, -1
        # Each question goes on from the last one: nothing but the whole window need be kept.
        params.swa_full, params.n_ctx_checkpoints, params.cache_ram_mib = True, 0, 0
        # The weights are on trial, so nothing else is rounded.
        params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
        params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
        if adapter is not None:
            params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(adapter), 1.0)]
        try:
            self._server = xllamacpp.Server(params)
        except RuntimeError as error:
            raise ExportError(
                f"llama.cpp 读不了写好的 {model.name!r}：{error}", "请带着底座的 config.json 报告"
            ) from error

    def predictions(
        self, expected: Expected, readable: Callable[[int], bool]
    ) -> list[Prediction | None]:
        """What comes next at every place of the expected reply; None where that is no whole character.

        llama.cpp tells of a token only once its bytes are text, so it is asked for one at a time.
        """
        whole = [*expected.prompt, *expected.reply]
        places = range(len(expected.prompt), len(whole))
        return [self._next(whole[:end]) if readable(whole[end]) else None for end in places]

    def tokens_of(self, text: str) -> int:
        """Into how many tokens it takes a text apart, with those it puts around it."""
        answer = self._ask({"prompt": text, "n_predict": 1, "cache_prompt": False})
        return int(answer["usage"]["prompt_tokens"])

    def _next(self, ids: list[int]) -> Prediction:
        answer = self._ask(
            {
                "prompt": ids,
                "n_predict": 1,
                "temperature": 0,
                "n_probs": TOP,
                "samplers": ["top_k"],
                "top_k": 1,
                "cache_prompt": True,
            }
        )
        choice = answer["choices"][0]
        places = (choice.get("logprobs") or {}).get("content") or []
        if places:
            return _chosen_first(places[0])
        return {END if choice["finish_reason"] == "stop" else HALF: 0.0}

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = self._server.handle_completions(question)
        except RuntimeError as error:
            raise ExportError(f"llama.cpp 没有回答：{error}", "请带着 run.json 报告") from error
        if "choices" not in answer:
            raise ExportError(
                f"llama.cpp 没有回答：{json.dumps(answer, ensure_ascii=False)[:200]}",
                "请带着 run.json 报告",
            )
        return answer


def _chosen_first(place: dict[str, Any]) -> Prediction:
    return {
        place["id"]: place["logprob"],
        **{top["id"]: top["logprob"] for top in place["top_logprobs"]},
    }


PLAIN = """
import json, sys, torch
from transformers import AutoModelForCausalLM
folder, top, own, cases = sys.argv[1], int(sys.argv[2]), sys.argv[3], json.load(sys.stdin)
if own:  # an architecture transformers does not have
    import importlib
    importlib.import_module(own).register()
model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
out = []
with torch.no_grad():
    for prompt, reply in cases:
        logits = model(input_ids=torch.tensor([prompt + reply])).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
        values, tokens = logits.topk(min(top, logits.shape[-1]))
        out.append([list(zip(t, v)) for t, v in zip(tokens.tolist(), values.tolist())])
print("RESULT" + json.dumps(out))
"""
"""Somebody else's program: transformers alone, knowing nothing of ours but what it has no architecture for."""


def ask_transformers(
    folder: Path, expected: Sequence[Expected], architecture: str = ""
) -> list[list[Prediction | None]]:
    """Predictions of a model folder by transformers in a process of its own.

    Raises:
        ExportError: it cannot load the folder.
    """
    cases = json.dumps([[one.prompt, one.reply] for one in expected])
    done = subprocess.run(
        [sys.executable, "-c", PLAIN, str(folder), str(TOP), architecture],
        input=cases,
        capture_output=True,
        text=True,
        check=False,
    )
    line = next((line for line in done.stdout.splitlines() if line.startswith("RESULT")), None)
    if line is None:
        reason = (done.stderr.strip().splitlines() or ["没有说明原因"])[-1]
        raise ExportError(
            f"transformers 读不了写好的 {str(folder)!r}：{reason[:200]}", "请带着 run.json 报告"
        )
    raw = json.loads(line.removeprefix("RESULT"))
    return [[{int(token): value for token, value in place} for place in case] for case in raw]


def ask_llamacpp(
    model: Path,
    expected: Sequence[Expected],
    readable: Callable[[int], bool],
    progress: Callable[[int], None],
    adapter: Path | None = None,
    texts: Sequence[tuple[str, int]] = (),
) -> list[list[Prediction | None]]:
    """Predictions of a GGUF file by llama.cpp.

    Args:
        texts: what it must take apart into how many tokens.

    Raises:
        ExportError: it takes a text apart in another way.
    """
    program = LlamaCpp(model, adapter)
    for text, wanted in texts:
        if (found_tokens := program.tokens_of(text)) != wanted:
            raise ExportError(
                f"llama.cpp 把 {text[:24]!r} 分成 {found_tokens} 个 token，训练时是 {wanted} 个：分词器没写对",
                "导出成 --to hf；并请带着底座的 tokenizer.json 报告",
            )
    found = []
    for number, one in enumerate(expected, 1):
        found.append(program.predictions(one, readable))
        progress(number)
    return found

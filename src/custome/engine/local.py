"""An engine on transformers: CPU or CUDA, greedy, sampling and beams, one base with its adapter on or off.

One generation at a time; others wait for the lock. B batch, T tokens, V vocabulary.
"""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor
from transformers import StoppingCriteriaList
from transformers.generation.streamers import BaseStreamer

from ..errors import InputError, LengthError
from ..models.chat_format import ChatFormat, cued, plain_prompt
from ..models.loading import has_plain_head, padded, split_head
from ..types import GenerateOptions, Piece, Reply, Request, Sample, Score
from .base import COMMON, Cancel, OnPiece, from_stream, remembered_biases
from .local_generation import _end_tokens, _QueueStreamer, _sampling, _Stop, _without_half_a_stop

MAX_CONTEXT = 4096
"""Longest prompt and reply, in tokens; a longer prompt would keep everybody waiting while it is read."""
SCORE_ROWS = 8
"""Rows scored in one forward pass."""


class LocalEngine:
    """Answers with a model in this process."""

    several = 1
    supports = COMMON | {"num_beams", "min_p", "stop", "logit_bias"}
    slots = 1

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        chat_format: ChatFormat,
        name: str,
        *,
        adapter_on: bool = True,
    ) -> None:
        self.name = name
        self.kind: Literal["novel", "template"] = chat_format.kind
        self._model, self._tokenizer, self._format = model, tokenizer, chat_format
        self._adapter_on = adapter_on
        self.max_context = self._max_length()
        self._lock = threading.Lock()
        self._biases = remembered_biases(tokenizer)
        self._ends = _end_tokens(model, tokenizer)

    def base(self) -> LocalEngine:
        """The same model with its adapter switched off; shares the weights and the lock."""
        twin = LocalEngine(
            self._model, self._tokenizer, self._format, f"{self.name}（底座）", adapter_on=False
        )
        twin._lock = self._lock
        return twin

    def run(
        self,
        request: Request,
        options: GenerateOptions,
        on_piece: OnPiece | None = None,
        cancel: Cancel | None = None,
    ) -> Reply:
        return from_stream(self.stream(request, options, cancel), on_piece)

    def stream(
        self, request: Request, options: GenerateOptions, cancel: Cancel | None = None
    ) -> Iterator[Piece]:
        cancel = cancel or Cancel()
        pieces: queue.Queue[list[int] | Exception | None] = queue.Queue()
        prompt = self._prompt(request)
        result: list[Tensor] = []

        def work() -> None:
            try:
                if options.num_beams > 1:
                    result.append(self._beams([prompt], options, cancel)[0])
                else:
                    result.append(
                        self._generate(
                            [prompt],
                            options,
                            cancel,
                            _QueueStreamer(pieces),
                            raw=bool(request.text),
                        )[0]
                    )
            except Exception as error:  # it is raised again where the pieces are read
                pieces.put(error)
            pieces.put(None)

        worker = threading.Thread(target=work, daemon=True)
        worker.start()
        ids: list[int] = []
        try:
            while (item := pieces.get()) is not None:
                if isinstance(item, Exception):
                    raise item
                ids += item
                yield Piece(
                    text=_without_half_a_stop(
                        self._said(self._decode(ids), request, options), options.stop
                    )
                )
        finally:  # also when the reader goes away
            finished = bool(result)
            if not finished:
                cancel.set()
            worker.join()
        reply = self._reply(request, prompt, result[0].tolist(), options, cancelled=cancel.is_set())
        yield Piece(text=reply.text, reply=reply)

    def generate(
        self,
        requests: Sequence[Request],
        options: GenerateOptions,
        cancel: Cancel | None = None,
        on_piece: OnPiece | None = None,
    ) -> list[Reply]:
        prompts = [self._prompt(request) for request in requests]
        rows = (
            self._beams(prompts, options, cancel or Cancel())
            if options.num_beams > 1
            else self._generate(
                prompts,
                options,
                cancel or Cancel(),
                None,
                raw=all(request.text for request in requests),
            )
        )
        return [
            self._reply(request, prompt, row.tolist(), options, cancelled=False)
            for request, prompt, row in zip(requests, prompts, rows, strict=True)
        ]

    def score(self, requests: Sequence[Request], replies: Sequence[str]) -> list[Score]:
        return self._logprobs(
            [self._read(request, reply) for request, reply in zip(requests, replies, strict=True)]
        )

    @torch.no_grad()
    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        vectors = []
        with self._lock, self._adapter():
            for text in texts:
                ids = plain_prompt(self._tokenizer, text)
                self._check_length(len(ids))
                backbone, _ = split_head(self._model)
                hidden = backbone(
                    input_ids=torch.tensor([ids], device=self._model.device)
                ).last_hidden_state  # (1, T, D)
                mean = hidden[0].float().mean(dim=0)
                vectors.append((mean / mean.norm()).tolist())
        return vectors

    def prompt_tokens(self, request: Request) -> int:
        return len(self._prompt(request))

    def count_tokens(self, text: str) -> int:
        return len(self._tokenizer(text, add_special_tokens=False).input_ids)

    def close(self) -> None:
        self._model = None

    # -- inside ------------------------------------------------------------------------------------------------------

    def _prompt(self, request: Request) -> list[int]:
        if request.text:
            return plain_prompt(self._tokenizer, request.text)
        return self._format.prompt(request.messages, request.speaker)

    def _read(self, request: Request, reply: str) -> tuple[list[int], int]:
        """Tokens of a request with its reply, and where the reply begins."""
        if not request.text:
            encoded = self._format.encode(_as_sample(request, reply, self.kind), self._max_length())
            return list(encoded.ids), encoded.replies[-1][0]
        before, whole = (
            plain_prompt(self._tokenizer, text) for text in (request.text, request.text + reply)
        )
        alike = (a == b for a, b in zip(before, whole, strict=False))
        return whole, sum(itertools.takewhile(bool, alike))

    def _check_length(self, tokens: int) -> None:
        if tokens > self.max_context:
            raise LengthError(
                f"提示加回答共 {tokens} token，超过模型的 {self.max_context}，多了 {tokens - self.max_context}",
                "清空或删掉一些历史，或减小“最多记住几轮”",
            )

    def _said(self, text: str, request: Request, options: GenerateOptions) -> str:
        """What to show of a reply, finished or not."""
        if not (request.text or options.as_written):
            text = self._format.reply(text)
        return text[
            : min((at for at in map(text.find, options.stop) if at >= 0), default=len(text))
        ]

    def _max_length(self) -> int:
        trained = getattr(
            self._model.config.get_text_config(), "max_position_embeddings", MAX_CONTEXT
        )
        return min(int(trained), MAX_CONTEXT)

    def _adapter(self) -> AbstractContextManager[Any]:
        return (
            nullcontext()
            if self._adapter_on or not hasattr(self._model, "disable_adapter")
            else self._model.disable_adapter()
        )

    def _pad(self, rows: list[list[int]], *, left: bool) -> tuple[Tensor, Tensor]:
        return padded(rows, self._tokenizer.pad_token_id, self._model.device, left=left)

    @torch.no_grad()
    def _generate(
        self,
        prompts: list[list[int]],
        options: GenerateOptions,
        cancel: Cancel,
        streamer: BaseStreamer | None,
        raw: bool = False,
    ) -> list[Tensor]:
        """New token ids of each prompt, end tokens and padding removed."""
        self._check_length(max(map(len, prompts)) + options.max_new_tokens)

        def over(text: str) -> bool:
            return any(mark in text for mark in options.stop) or (
                not raw and self._format.is_complete(text)
            )

        biases = {(token,): lean for token, lean in self._biases(options.logit_bias).items()}
        with self._lock, self._adapter():
            ids, mask = self._pad(prompts, left=True)
            if options.seed is not None:
                torch.manual_seed(options.seed)
            out = self._model.generate(
                input_ids=ids,
                attention_mask=mask,
                streamer=streamer,
                stopping_criteria=StoppingCriteriaList(
                    [_Stop(self._tokenizer, over, ids.shape[1], cancel)]
                ),
                eos_token_id=self._ends,
                pad_token_id=self._tokenizer.pad_token_id,
                sequence_bias=biases or None,
                **_sampling(options),
            )
        ends = torch.tensor([*self._ends, self._tokenizer.pad_token_id])
        rows = []
        for row in out[:, ids.shape[1] :].cpu():
            at_end = torch.isin(row, ends).nonzero()
            rows.append(row[: int(at_end[0])] if len(at_end) else row)
        return rows

    def _beams(
        self, prompts: list[list[int]], options: GenerateOptions, cancel: Cancel
    ) -> list[Tensor]:
        """The best reply of each prompt: a finished one before an unfinished one, then by mean log probability a token.

        The greedy path is a candidate too, since a beam can lose it. An unfinished reply comes last because one that
        repeats itself until it is cut off costs almost nothing a token and would win.
        """
        n = options.num_beams
        rows = self._generate(prompts, options, cancel, None)
        ways = [rows[i * n : (i + 1) * n] for i in range(len(prompts))]
        if not options.do_sample:
            greedy = self._generate(prompts, replace(options, num_beams=1), cancel, None)
            ways = [[*beams, path] for beams, path in zip(ways, greedy, strict=True)]
        return [
            self._likeliest(prompt, candidates, n_max=options.max_new_tokens)
            for prompt, candidates in zip(prompts, ways, strict=True)
        ]

    def _likeliest(self, prompt: list[int], candidates: list[Tensor], n_max: int) -> Tensor:
        rows = [row.tolist() for row in candidates]
        finished = [len(row) < n_max or self._format.is_complete(self._decode(row)) for row in rows]
        ended = [
            [*row, self._tokenizer.eos_token_id] if end else row
            for row, end in zip(rows, finished, strict=True)
        ]
        scores = self._logprobs([([*prompt, *row], len(prompt)) for row in ended])
        means = [score.logprob / max(1, score.tokens) for score in scores]
        return candidates[
            max(range(len(rows)), key=lambda i: (len(rows[i]) > 0, finished[i], means[i]))
        ]

    def _logits(self, ids: Tensor, mask: Tensor) -> Callable[[int, slice], Tensor]:
        """(row, positions) → logits (N, V); where the head is plain only those positions are computed."""
        if not has_plain_head(self._model):
            logits = self._model(
                input_ids=ids, attention_mask=mask, use_cache=False
            ).logits  # (B, T, V)
            return lambda row, where: logits[row, where]
        backbone, head = split_head(self._model)
        hidden = backbone(
            input_ids=ids, attention_mask=mask, use_cache=False
        ).last_hidden_state  # (B, T, D)
        return lambda row, where: head(hidden[row, where])

    @torch.no_grad()
    def _logprobs(self, rows: Sequence[tuple[list[int], int]]) -> list[Score]:
        """Log probability of each row's ids from a position on, given what stands before it."""
        scores = [Score(logprob=0.0, tokens=0)] * len(rows)
        by_length = sorted(
            range(len(rows)), key=lambda i: len(rows[i][0])
        )  # neighbours in length waste no padding
        with self._lock, self._adapter():
            for start in range(0, len(rows), SCORE_ROWS):
                chosen = by_length[start : start + SCORE_ROWS]
                part = [rows[i] for i in chosen]
                ids, mask = self._pad([row for row, _ in part], left=False)
                logits_at = self._logits(ids, mask)
                for row, (tokens, reply_start) in enumerate(part):
                    first, end = max(1, reply_start), len(tokens)
                    log_p = (
                        logits_at(row, slice(first - 1, end - 1))
                        .float()
                        .log_softmax(-1)
                        .gather(1, ids[row, first:end, None])
                    )
                    scores[chosen[row]] = Score(logprob=log_p.sum().item(), tokens=end - first)
        return scores

    def _decode(self, ids: list[int]) -> str:
        text: str = self._tokenizer.decode(ids, skip_special_tokens=True)
        return text.rstrip("\ufffd")  # the bytes of half a character; the rest is still to come

    def _reply(
        self,
        request: Request,
        prompt: list[int],
        ids: list[int],
        options: GenerateOptions,
        *,
        cancelled: bool,
    ) -> Reply:
        whole = self._decode(ids)
        text = self._said(whole, request, options)
        ended = len(ids) < options.max_new_tokens or any(mark in whole for mark in options.stop)
        ended = ended or (not request.text and self._format.is_complete(whole))
        return Reply(
            text=text,
            prompt_tokens=len(prompt),
            completion_tokens=len(ids),
            finish_reason="cancelled" if cancelled else "stop" if ended else "length",
        )


def _as_sample(request: Request, reply: str, kind: str) -> Sample:
    """A request with one question, and its reply, as a row to learn from."""
    system = "\n".join(m.content for m in request.messages if m.role == "system")
    asked = [m.content for m in request.messages if m.role != "system"]
    if len(asked) != 1:
        raise InputError("score 只支持单轮请求", "一次给一条上文和一条回答")
    context = cued(asked[0], request.speaker) if kind == "novel" else asked[0]
    return Sample(context=context, chat=reply, speaker=request.speaker, persona_prefix=system)

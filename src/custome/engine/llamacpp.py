"""An engine on llama.cpp in this process: many replies at once, prompt cache, JSON schemas, LoRA chosen per request.

Knows GGUF files and token ids. Neither torch nor transformers is loaded. One `LlamaServer` (a model in memory) may carry
several engines: the base and each of its adapters.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from ..errors import EngineError, InputError, LengthError
from ..models.chat_format import ChatFormat, plain_prompt
from ..models.normalisation import CLOSE
from ..models.plain_tokenizer import PlainTokenizer
from ..types import GenerateOptions, Piece, Reply, Request, Score, TokenChoice
from .base import COMMON, Cancel, OnPiece, all_the_same, as_stream, remembered_biases, run_all
from .llama_server import POOL, LlamaServer
from .shown_tokens import ShownTokens

LONGEST_REPEAT, LOOKED_BACK = 5, 64
"""Tokens said again that are no repetition yet, so that a name of the question may come back; tokens among which one is looked
for: the reply's, and what stands right before a short one."""
LONG_PROMPT = 512
"""From here on the reading of a prompt is watched too, so that it can be broken off."""


class LlamaCppEngine:
    """A model, or one of its adapters, on a LlamaServer.

    Args:
        adapter: which of the server's adapters to answer with; None for the bare base.
        strength: of that adapter, where a request does not say otherwise.
    """

    supports = COMMON | {
        "min_p",
        "presence_penalty",
        "frequency_penalty",
        "stop",
        "logprobs",
        "json_schema",
        "grammar",
        "logit_bias",
        "dry_multiplier",
    }

    def __init__(
        self,
        server: LlamaServer,
        tokenizer: PlainTokenizer,
        chat_format: ChatFormat,
        name: str,
        *,
        adapter: int | None = None,
        strength: float = 1.0,
    ) -> None:
        self.name = name
        self.kind: Literal["novel", "template"] = chat_format.kind
        # An instruct model is a large one: eight replies take three times as long as one, and are not chosen from (docs/log.md).
        self.several = 8 if self.kind == "novel" else 1
        self.slots, self.max_context = server.slots, server.context
        self._server: LlamaServer | None = server
        self._tokenizer, self._format = tokenizer, chat_format
        self._biases = remembered_biases(tokenizer)
        self._adapter = adapter
        self._lora = [
            {"id": number, "scale": strength * (number == adapter)}
            for number in range(len(server.adapters))
        ]
        if adapter is not None:
            self.supports = self.supports | {"strength"}

    def run(
        self,
        request: Request,
        options: GenerateOptions,
        on_piece: OnPiece | None = None,
        cancel: Cancel | None = None,
    ) -> Reply:
        prompt = self._prompt(request)
        self._check_length(len(prompt), options.max_new_tokens)
        cancel, server = cancel or Cancel(), self._open_server()
        written_as = None if _is_whole(request, options) else self._format
        reading = _Reading(written_as, self._tokenizer, options, on_piece, cancel)
        with server.room(
            len(prompt) + options.max_new_tokens, cancel, empty=_is_alone(options)
        ) as granted:
            if not granted:
                return reading.reply(len(prompt))
            # Bytes in, bytes out: the binding would make an object of every message.
            question = json.dumps(self._question(prompt, request, options)).encode()
            server.server.handle_completions(question, reading.take)
        return reading.reply(len(prompt))

    def stream(
        self, request: Request, options: GenerateOptions, cancel: Cancel | None = None
    ) -> Iterator[Piece]:
        return as_stream(self, request, options, cancel)

    def generate(
        self,
        requests: Sequence[Request],
        options: GenerateOptions,
        cancel: Cancel | None = None,
        on_piece: OnPiece | None = None,
    ) -> list[Reply]:
        if all_the_same(requests):
            return self._several(requests[0], len(requests), options, cancel or Cancel(), on_piece)
        return run_all(self, requests, options, cancel, on_piece)

    def score(self, requests: Sequence[Request], replies: Sequence[str]) -> list[Score]:
        raise InputError("llama.cpp 引擎不会给现成的文字打分", "用 --engine local")

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        server = self._open_server()
        alone = len(server.adapters) == (self._adapter is not None)
        if not alone:  # all of a server's adapters are laid over a text at once
            raise InputError("共用底座时没有向量：算出来的不是这个适配器的", "去掉 --shared-base")
        tokens = [plain_prompt(self._tokenizer, text) for text in texts]
        for ids in tokens:
            self._check_length(len(ids), 0)
        answer = server.embedder().server.handle_embeddings(
            {"input": tokens, "encoding_format": "float"}
        )
        if "data" not in answer:
            raise _as_error(answer)
        return [row["embedding"] for row in sorted(answer["data"], key=lambda row: row["index"])]

    def count_tokens(self, text: str) -> int:
        return len(self._tokenizer(text, add_special_tokens=False).input_ids)

    def prompt_tokens(self, request: Request) -> int:
        return len(self._prompt(request))

    def close(self) -> None:
        self._server = None  # the model goes with its last engine

    def _several(
        self,
        request: Request,
        count: int,
        options: GenerateOptions,
        cancel: Cancel,
        on_piece: OnPiece | None = None,
    ) -> list[Reply]:
        """Different replies to one request; its prompt is read once."""
        prompt, server = self._prompt(request), self._open_server()
        self._check_length(len(prompt), options.max_new_tokens)
        at_once = max(1, min(self.slots, (POOL - len(prompt)) // options.max_new_tokens))
        if count > at_once:
            first = self._several(request, at_once, options, cancel, on_piece)
            seed = None if options.seed is None else options.seed + at_once
            others = replace(options, seed=seed)
            return [*first, *self._several(request, count - at_once, others, cancel)]
        show = str if _is_whole(request, options) else self._format.reply
        answers = _Answers(count, show, cancel, on_piece)
        tokens = len(prompt) + count * options.max_new_tokens
        with server.room(tokens, cancel, empty=_is_alone(options)) as granted:
            if granted:
                question = {
                    **self._question(prompt, request, options),
                    "n_cmpl": count,
                    "return_progress": False,
                }
                server.server.handle_completions(json.dumps(question).encode(), answers.take)
        answers.check()
        return [
            Reply(
                text=show(text),
                prompt_tokens=len(prompt),
                completion_tokens=self.count_tokens(text),
                finish_reason=reason,
                logprob=logprob,
            )
            for text, reason, logprob in zip(
                answers.texts, answers.reasons, answers.logprobs, strict=True
            )
        ]

    # -- inside ------------------------------------------------------------------------------------------------------

    def _open_server(self) -> LlamaServer:
        if self._server is None:
            raise EngineError(f"{self.name!r} 已经关了", "换一个模型")
        return self._server

    def _prompt(self, request: Request) -> list[int]:
        if request.text:
            return plain_prompt(self._tokenizer, request.text)
        return self._format.prompt(request.messages, request.speaker)

    def _check_length(self, prompt_tokens: int, reply_tokens: int) -> None:
        over = prompt_tokens + reply_tokens - self.max_context
        if over > 0:
            raise LengthError(
                f"提示 {prompt_tokens} token 加回答 {reply_tokens} token 超过模型的 {self.max_context}，多了 {over}",
                "删掉一些历史，或把 max_tokens 调小",
            )

    def _question(
        self, prompt: list[int], request: Request, options: GenerateOptions
    ) -> dict[str, Any]:
        stop = list(options.stop)
        if self.kind == "novel" and not _is_whole(request, options):
            stop.append(CLOSE)
        question: dict[str, Any] = {
            "prompt": prompt,
            "n_predict": options.max_new_tokens,
            "stream": True,
            "stop": stop,
            "temperature": options.temperature if options.do_sample else 0.0,
            "top_p": options.top_p,
            "top_k": options.top_k,
            "min_p": options.min_p,
            "repeat_penalty": options.repetition_penalty,
            "repeat_last_n": self.max_context,
            "presence_penalty": options.presence_penalty,
            "frequency_penalty": options.frequency_penalty,
            "lora": [{**one, "scale": one["scale"] * options.strength} for one in self._lora],
            "return_progress": len(prompt) > LONG_PROMPT,
        }
        question["cache_prompt"] = not _is_alone(
            options
        )  # what was read in another batch differs in its last digits
        if options.seed is not None:
            question["seed"] = options.seed % 2**32
        if options.dry_multiplier:
            question |= {
                "dry_multiplier": options.dry_multiplier,
                "dry_allowed_length": LONGEST_REPEAT,
                "dry_penalty_last_n": LOOKED_BACK,
            }
        if options.logprobs is not None:
            question["n_probs"] = max(1, options.logprobs)
        if options.logit_bias:
            question["logit_bias"] = list(self._biases(options.logit_bias).items())
        if options.grammar:
            question["grammar"] = options.grammar
        if options.json_schema:
            # Without this a small model writes white space for ever.
            question["json_schema"] = {
                **json.loads(options.json_schema),
                "x-guidance": {"whitespace_flexible": False},
            }
        return question


def _is_alone(options: GenerateOptions) -> bool:
    """Must a reply not depend on what was read before it?"""
    return options.seed is not None and options.afresh


class _Answers:
    """Several replies to one request, as llama.cpp hands them over piece by piece."""

    def __init__(
        self, count: int, show: Callable[[str], str], cancel: Cancel, on_piece: OnPiece | None
    ) -> None:
        self.texts, self._ends = [""] * count, [""] * count
        self.logprobs: list[float | None] = [None] * count
        self._show, self._cancel, self._on_piece = show, cancel, on_piece
        self._wrong: dict[str, Any] = {}

    def take(self, data: bytes) -> bool:
        """One message of the server; True where no more is wanted."""
        chunk = json.loads(data)
        if "choices" not in chunk:
            self._wrong.update(chunk)
            return True
        choice = chunk["choices"][0]
        self.texts[choice["index"]] += choice["text"]
        self._ends[choice["index"]] = choice["finish_reason"] or ""
        self.logprobs[choice["index"]] = _more(self.logprobs[choice["index"]], choice)
        if self._on_piece is not None and choice["index"] == 0:
            self._on_piece(Piece(text=self._show(self.texts[0].rstrip("\ufffd"))))
        return self._cancel.is_set()

    def check(self) -> None:
        """Raise what went wrong."""
        if self._wrong:
            raise _as_error(self._wrong)
        if not all(self._ends) and not self._cancel.is_set():
            raise EngineError("llama.cpp 没有说完就停了", "再试一次；总是这样就 --engine local")

    @property
    def reasons(self) -> list[Any]:
        return [end or "cancelled" for end in self._ends]


def _is_whole(request: Request, options: GenerateOptions) -> bool:
    """Is a reply shown as it is, or without the quotation marks around what somebody says?"""
    return bool(request.text or options.as_written or options.json_schema or options.grammar)


def _places(choice: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What llama.cpp tells of the tokens of a piece; nothing where that was not asked for."""
    return (choice.get("logprobs") or {}).get("content") or []


def _more(before: float | None, choice: Mapping[str, Any]) -> float | None:
    """The sum of log probabilities with those of a piece; None while none was told."""
    told = [float(place["logprob"]) for place in _places(choice)]
    return (before or 0.0) + sum(told) if told else before


class _Reading:
    """Takes what llama.cpp says chunk by chunk; says True to make it stop."""

    def __init__(
        self,
        chat_format: ChatFormat | None,
        tokenizer: PlainTokenizer,
        options: GenerateOptions,
        on_piece: OnPiece | None,
        cancel: Cancel,
    ) -> None:
        self._format, self._tokenizer = chat_format, tokenizer
        self._options, self._on_piece, self._cancel = options, on_piece, cancel
        self._raw, self._said, self._count = "", "", 0
        self._logprob: float | None = None
        self._last: dict[str, Any] | None = None
        self._error: dict[str, Any] | None = None
        self._tokens = ShownTokens()

    def take(self, data: bytes) -> bool:
        chunk: dict[str, Any] = json.loads(data)
        if "choices" not in chunk:
            self._error = chunk
            return True
        choice = chunk["choices"][0]
        if choice["finish_reason"] is not None:
            self._last = chunk
        elif "prompt_progress" not in chunk:
            self._count += 1
            self._raw += choice["text"]
            if places := _places(choice):
                self._logprob = _more(self._logprob, choice)
                tokens = [self._token(place) for place in places]
                self._tokens.take(choice["text"], tokens, together=bool(choice["text"]))
            self._show()
        return self._cancel.is_set()

    def _show(self, *, over: bool = False) -> None:
        if self._on_piece is None:
            return
        text, tokens = self._text(), tuple[TokenChoice, ...]()
        if self._options.logprobs is not None:
            whole = self._whole()
            kept = [(0, len(whole))] if self._format is None else self._format.kept(whole)
            tokens = self._tokens.tell(whole, kept, text, over=over)
            text = self._tokens.text  # with whole tokens only
        if text != self._said or tokens:
            self._on_piece(Piece(text=text, tokens=tokens))
            self._said = text

    def _whole(self) -> str:
        return self._raw.rstrip("\ufffd")

    def _text(self) -> str:
        return self._whole() if self._format is None else self._format.reply(self._whole())

    def _token(self, place: dict[str, Any]) -> TokenChoice:
        """A token as llama.cpp tells of it: its `token` and `bytes` are those of the text sent with it, its number is its own."""
        return TokenChoice(
            token=place["token"],
            logprob=place["logprob"],
            data=self._tokenizer.bytes_of(place["id"]),
            alternatives=tuple(
                TokenChoice(token=top["token"], logprob=top["logprob"], data=bytes(top["bytes"]))
                for top in place["top_logprobs"][: self._options.logprobs]
            ),
        )

    def reply(self, prompt_tokens: int) -> Reply:
        if self._error is not None:
            raise _as_error(self._error)
        self._show(over=True)
        ended = self._last
        if ended is None and not self._cancel.is_set():
            raise EngineError("llama.cpp 没有说完就停了", "再试一次；总是这样就 --engine local")
        reason: Any = "cancelled" if ended is None else ended["choices"][0]["finish_reason"]
        spent = self._count if ended is None else ended["usage"]["completion_tokens"]
        return Reply(
            text=self._text(),
            prompt_tokens=prompt_tokens,
            completion_tokens=spent,
            finish_reason=reason,
            logprob=self._logprob,
        )


def _as_error(answer: dict[str, Any]) -> InputError | EngineError:
    detail = answer.get("error", answer)
    message = str(detail.get("message", detail))[:200]
    if detail.get("code") == 400:
        return InputError(f"llama.cpp 不接受这个请求：{message}", "改一改请求再试")
    return EngineError(f"llama.cpp 出错：{message}", "再试一次；总是这样就 --engine local")

"""An engine behind an OpenAI-compatible URL: vLLM, SGLang, Ollama, llama-server, another custome serve, a commercial API.

Trouble before the first piece is tried again with growing pauses; afterwards it is told, since half a reply is not to be said
twice. Imports neither torch nor any model.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal

import httpx

from ..errors import BusyError, EngineError, InputError, LengthError
from ..models.chat_format import novel_text
from ..models.normalisation import CLOSE, after_opening
from ..types import GenerateOptions, Piece, Reply, Request, Score, TokenChoice
from .base import COMMON, Cancel, OnPiece, as_stream, run_all
from .shown_tokens import ShownTokens

CONNECT_S, READ_S = 5.0, 120.0
TRIES = 4
FIRST_PAUSE_S = 0.5
AGAIN = {429, 500, 502, 503, 504}
HALF = re.compile(r"bytes:((?:\\x[0-9a-f]{2})+)")
"""How OpenAI's completions write half a character."""


class RemoteEngine:
    """One model of a server.

    Args:
        url: up to and including /v1.
        model: its name there.
        kind: novel sends running prose to /completions, template messages to /chat/completions.
        plain: send nothing but OpenAI's own parameters; top_k and the like are left out.
    """

    several = 1

    def __init__(
        self,
        url: str,
        model: str,
        *,
        kind: Literal["novel", "template"] = "template",
        key: str = "",
        plain: bool = False,
        slots: int = 64,
        context: int = 32_768,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.name, self.kind, self.slots, self.max_context = model, kind, slots, context
        self.supports = (COMMON - {"top_k", "repetition_penalty"} if plain else COMMON) | {
            "stop",
            "presence_penalty",
            "frequency_penalty",
            "logprobs",
            "json_schema",
            *(() if plain else ("min_p",)),
        }
        self._plain = plain
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.Client(
            base_url=url.rstrip("/") + "/",
            headers=headers,
            transport=transport,
            timeout=httpx.Timeout(READ_S, connect=CONNECT_S),
            limits=httpx.Limits(max_connections=slots),
        )

    def run(
        self,
        request: Request,
        options: GenerateOptions,
        on_piece: OnPiece | None = None,
        cancel: Cancel | None = None,
    ) -> Reply:
        cancel = cancel or Cancel()
        raw = bool(request.text) or self.kind == "novel"
        body, path = (
            (self._completion(request, options), "completions")
            if raw
            else (self._chat(request, options), "chat/completions")
        )
        for attempt in range(TRIES):
            reading = _Reading(
                quoted=raw and not (request.text or options.json_schema or options.as_written),
                with_logprobs=options.logprobs is not None,
            )
            try:
                with self._http.stream("POST", path, json=body) as answer:
                    if answer.status_code != 200:
                        answer.read()
                        raise _refused(self.name, answer)
                    return reading.read(answer.iter_lines(), on_piece, cancel)
            except (httpx.TransportError, BusyError, EngineError) as error:
                again = (
                    isinstance(error, (httpx.TransportError, BusyError, _AwayError))
                    and not reading.text
                )
                if not again or attempt + 1 == TRIES or cancel.is_set():
                    raise self._away(error) from error
                _pause(FIRST_PAUSE_S * 2**attempt, cancel)
        raise AssertionError("unreachable")

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
        return run_all(self, requests, options, cancel, on_piece)

    def score(self, requests: Sequence[Request], replies: Sequence[str]) -> list[Score]:
        raise InputError("远端引擎不会给现成的文字打分", "用 --engine local")

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        answer = self._answer("POST", "embeddings", {"model": self.name, "input": list(texts)})
        if answer.status_code != 200:
            raise _refused(self.name, answer)
        return [
            row["embedding"] for row in sorted(answer.json()["data"], key=lambda row: row["index"])
        ]

    def count_tokens(self, text: str) -> int:
        return len(text)  # near enough for Chinese; only the server knows

    def prompt_tokens(self, request: Request) -> int:
        return len(request.text) + sum(len(message.content) for message in request.messages)

    def close(self) -> None:
        self._http.close()

    def models(self) -> list[str]:
        """Names of what the server has.

        Raises:
            EngineError: it is not there.
        """
        answer = self._answer("GET", "models")
        if answer.status_code != 200:
            raise _refused(self.name, answer)
        return [row["id"] for row in answer.json()["data"]]

    # -- inside ------------------------------------------------------------------------------------------------------

    def _answer(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        """Asked twice at most: that the other side has let go of a kept connection is noticed only when it is used."""
        try:
            return self._http.request(method, path, json=body)
        except httpx.TransportError:
            try:
                return self._http.request(method, path, json=body)
            except httpx.TransportError as error:
                raise self._away(error) from error

    def _common(self, options: GenerateOptions) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.name,
            "stream": True,
            "stream_options": {"include_usage": True},
            "max_tokens": options.max_new_tokens,
            "temperature": options.temperature if options.do_sample else 0.0,
            "top_p": options.top_p,
            "presence_penalty": options.presence_penalty,
            "frequency_penalty": options.frequency_penalty,
        }
        if not self._plain:
            body |= {
                "top_k": options.top_k,
                "min_p": options.min_p,
                "repetition_penalty": options.repetition_penalty,
            }
        if options.seed is not None:
            body["seed"] = options.seed
        return body

    def _chat(self, request: Request, options: GenerateOptions) -> dict[str, Any]:
        messages = [{"role": m.role, "content": m.content} for m in request.messages]
        body = {**self._common(options), "messages": messages}
        if options.stop:
            body["stop"] = list(options.stop)
        if options.logprobs is not None:
            body |= {"logprobs": True, "top_logprobs": options.logprobs}
        if options.json_schema:
            schema = {"name": "reply", "schema": json.loads(options.json_schema)}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        return body

    def _completion(self, request: Request, options: GenerateOptions) -> dict[str, Any]:
        if options.json_schema:
            raise InputError(
                f"{self.name!r} 在远端按小说体续写，没有 json_schema",
                "去掉这一项，或用 --engine llamacpp",
            )
        text = request.text or novel_text(request.messages, request.speaker)
        stop = [*options.stop, *([] if request.text else [CLOSE])]
        body = {**self._common(options), "prompt": text}
        if stop:
            body["stop"] = stop
        if options.logprobs is not None:
            body["logprobs"] = options.logprobs
        return body

    def _away(self, error: Exception) -> Exception:
        if isinstance(error, (EngineError, BusyError)):
            return error
        reason = str(error) or type(error).__name__
        return EngineError(
            f"远端 {self._http.base_url} 断了或连不上：{reason[:160]}",
            "等它起来再试一次；地址对吗：--url",
        )


class _AwayError(EngineError):
    """Worth trying again."""


def _pause(seconds: float, cancel: Cancel) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and not cancel.is_set():
        time.sleep(0.05)


def _refused(model: str, answer: httpx.Response) -> Exception:
    try:
        detail = answer.json()["error"]
        detail = detail if isinstance(detail, dict) else {"message": detail}
    except (ValueError, KeyError, TypeError):
        detail = {"message": answer.text}
    message = f"远端不接受：{str(detail.get('message'))[:300]}（HTTP {answer.status_code}）"
    if (
        detail.get("code") == "context_length_exceeded"
        or detail.get("type") == "exceed_context_size_error"
    ):
        return LengthError(message, "删掉一些历史，或把 max_tokens 调小")
    if answer.status_code == 429:
        wait = answer.headers.get("retry-after", "")
        return BusyError(message, "过几秒再来", retry_after_s=int(wait) if wait.isdigit() else 1)
    if answer.status_code in AGAIN:
        return _AwayError(message, "过一会儿再试")
    if answer.status_code in (401, 403):
        return EngineError(message, "密钥对吗：环境变量 OPENAI_API_KEY，或 --remote-key-file")
    return InputError(message, f"看看远端有哪些模型；这里用的是 {model!r}")


class _Reading:
    """Takes a stream of server-sent events."""

    def __init__(self, *, quoted: bool, with_logprobs: bool) -> None:
        self._quoted, self._with_logprobs = quoted, with_logprobs
        self._raw, self._count, self._finish = "", 0, ""
        self._usage: dict[str, Any] = {}
        self._tokens = ShownTokens()
        self._logprob: float | None = None

    @property
    def text(self) -> str:
        return self._raw[self._begin() :]

    def _begin(self) -> int:
        """Where what is shown begins."""
        return after_opening(self._raw) if self._quoted else 0

    def read(self, lines: Iterator[str], on_piece: OnPiece | None, cancel: Cancel) -> Reply:
        for line in lines:
            if cancel.is_set():
                break
            if (
                not line.startswith("data:")
                or (data := line.removeprefix("data:").strip()) == "[DONE]"
            ):
                continue
            chunk = json.loads(data)
            if "error" in chunk:
                detail = chunk["error"]
                raise EngineError(
                    f"远端出错：{str(detail.get('message', detail) if isinstance(detail, dict) else detail)[:300]}",
                    "再试一次",
                )
            self._usage = chunk.get("usage") or self._usage
            if chunk.get("choices"):
                self._take(chunk["choices"][0], on_piece)
        if not self._finish and not cancel.is_set():
            raise httpx.RemoteProtocolError("回答没写完就断了")
        self._tell(on_piece, over=True)
        reason: Any = (
            "cancelled" if not self._finish else "length" if self._finish == "length" else "stop"
        )
        return Reply(
            text=self.text,
            prompt_tokens=self._usage.get("prompt_tokens", 0),
            completion_tokens=self._usage.get("completion_tokens", self._count),
            finish_reason=reason,
            logprob=self._logprob,
        )

    def _take(self, choice: dict[str, Any], on_piece: OnPiece | None) -> None:
        new = choice.get("text") if "text" in choice else (choice.get("delta") or {}).get("content")
        self._finish = choice.get("finish_reason") or self._finish
        if self._with_logprobs:
            tokens = list(_tokens(choice.get("logprobs")))
            if tokens:
                self._logprob = (self._logprob or 0.0) + sum(token.logprob for token in tokens)
            self._tokens.take(new or "", tokens, together=False)
        if new:
            self._raw += new
            self._count += 1
            self._tell(on_piece)

    def _tell(self, on_piece: OnPiece | None, *, over: bool = False) -> None:
        """What can be shown now; where log probabilities are wanted, with whole tokens only.

        Raises:
            InputError: they are wanted, and the other side gives none.
        """
        text, tokens = self.text, tuple[TokenChoice, ...]()
        if self._with_logprobs:
            if over:
                self._tokens.take("", [], together=True)
            kept = [(self._begin(), len(self._raw))]
            tokens = self._tokens.tell(self._raw, kept, text, over=over)
            if self._finish and over and text and not self._tokens.text:
                raise InputError("远端没有给 logprobs", "去掉 logprobs，或换一个给它的服务")
            text = self._tokens.text
        if on_piece is not None and (tokens or not (over or self._with_logprobs)):
            on_piece(Piece(text=text, tokens=tokens))


def _tokens(logprobs: dict[str, Any] | None) -> Iterator[TokenChoice]:
    """Of both forms: a chat's places, and the lists beside each other that completions have."""
    lists = logprobs if logprobs and "tokens" in logprobs else {"tokens": [], "token_logprobs": []}
    others_of = lists.get("top_logprobs") or [{} for _ in lists["tokens"]]
    for token, logprob, others in zip(
        lists["tokens"], lists["token_logprobs"], others_of, strict=False
    ):
        alternatives = [_token(other, value) for other, value in (others or {}).items()]
        yield replace(_token(token, logprob), alternatives=tuple(alternatives))
    for place in (logprobs or {}).get("content") or []:
        alternatives = [
            _token(other["token"], other["logprob"], other.get("bytes"))
            for other in place.get("top_logprobs") or []
        ]
        yield replace(
            _token(place["token"], place["logprob"], place.get("bytes")),
            alternatives=tuple(alternatives),
        )


def _token(token: str, logprob: float, data: Sequence[int] | None = None) -> TokenChoice:
    """A token without alternatives; bytes that nobody tells of are its text's, where that is whole."""
    if data is None and (half := HALF.fullmatch(token)):
        data = bytes.fromhex(half[1].replace("\\x", ""))
    if data is None:
        data = b"" if "\ufffd" in token else token.encode()
    return TokenChoice(token=token, logprob=logprob, data=bytes(data))

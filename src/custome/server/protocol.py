"""What the API takes and gives, in OpenAI's words: requests → our Request and GenerateOptions, replies → response bodies.

A parameter that is unknown, or known and not supported here, is refused by name; one that changes nothing (`user`,
`metadata`) is taken. Beside OpenAI's: top_k, min_p, repetition_penalty, strength, grammar, character, scene, truncation.
Source: https://platform.openai.com/docs/api-reference
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any, Literal

from jsonschema import Draft202012Validator, SchemaError
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, model_validator

from ..apps.cosplay.prompt import GUEST, Said, Setting
from ..errors import LengthError
from ..types import GenerateOptions, Message, Request
from .neutral import without_neutral

LONGEST_TEXT = 400_000
MOST_MESSAGES = 4_096
MOST_CHOICES = 16
DEFAULTS = GenerateOptions()

Text = Annotated[str, Field(max_length=LONGEST_TEXT)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)


class TextPart(Strict):
    """Part of a message; pictures and sound are refused."""

    type: Literal["text"]
    text: Text


class ChatMessage(Strict):
    """One message of a conversation."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Text | list[TextPart]
    name: Annotated[str, Field(max_length=64)] | None = None
    refusal: None = None
    """This and what follows is what a client sends back of an answer's message."""
    tool_calls: None = None
    function_call: None = None
    audio: None = None
    annotations: list[Any] | None = None

    def text(self) -> str:
        return (
            self.content
            if isinstance(self.content, str)
            else "".join(part.text for part in self.content)
        )


class JsonSchema(Strict):
    name: Annotated[str, Field(max_length=128)]
    description: str | None = None
    strict: bool | None = None
    schema_: Annotated[dict[str, Any], Field(alias="schema")]

    @model_validator(mode="after")
    def _is_a_schema(self) -> JsonSchema:
        try:
            Draft202012Validator.check_schema(self.schema_)
        except SchemaError as error:
            raise ValueError(f"不是 JSON Schema：{error.message[:200]}") from error
        return self


class ResponseFormat(Strict):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None

    @model_validator(mode="after")
    def _complete(self) -> ResponseFormat:
        if (self.type == "json_schema") != (self.json_schema is not None):
            raise ValueError("type 为 json_schema 时要有、也只有这时才有 json_schema")
        return self

    def schema_text(self) -> str:
        if self.type == "text":
            return ""
        return json.dumps(
            {"type": "object"} if self.json_schema is None else self.json_schema.schema_
        )


class StreamOptions(Strict):
    include_usage: bool = False


class Common(Strict):
    """What chat and completions share."""

    model: Annotated[str, Field(max_length=256)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    n: Annotated[int, Field(ge=1, le=MOST_CHOICES)] | None = None
    stop: (
        Annotated[str, Field(min_length=1, max_length=256)]
        | Annotated[list[Annotated[str, Field(min_length=1, max_length=256)]], Field(max_length=16)]
        | None
    ) = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=10**9)] | None = None
    top_k: Annotated[int, Field(ge=0, le=10**6)] | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    repetition_penalty: Annotated[float, Field(gt=0, le=10)] | None = None
    strength: Annotated[float, Field(ge=0, le=3)] | None = None
    """How strongly what was learnt is laid over the base, where the adapter stands beside it (custome serve --shared-base)."""
    grammar: Annotated[str, Field(min_length=1, max_length=20_000)] | None = None
    """A grammar in llama.cpp's GBNF that the reply keeps to."""
    character: Annotated[str, Field(max_length=64)] | None = None
    """Who answers; the same as model 'run:character'."""
    truncation: Literal["auto", "disabled"] | None = None
    """auto drops the oldest messages of a conversation that is too long."""
    user: str | None = None
    metadata: dict[str, Any] | None = None
    store: bool | None = None

    @model_validator(mode="before")
    @classmethod
    def _without_what_asks_for_nothing(cls, given: Any) -> Any:
        """Clients send every parameter they know; one at its neutral value changes nothing."""
        return without_neutral(given, cls.model_fields) if isinstance(given, dict) else given

    @model_validator(mode="after")
    def _what_is_not_done_here(self) -> Common:
        if self.store:
            raise ValueError("store：这里不存请求；去掉它")
        if self.stream_options is not None and not self.stream:
            raise ValueError("stream_options 只和 stream=true 一起用")
        return self

    def choices(self) -> int:
        return self.n or 1

    def _options(
        self, *, logprobs: int | None, json_schema: str = "", most: int | None = None
    ) -> GenerateOptions:
        given = {
            name: getattr(self, name)
            for name in (
                "top_p",
                "top_k",
                "min_p",
                "repetition_penalty",
                "seed",
                "presence_penalty",
                "frequency_penalty",
                "strength",
            )
        }
        stop = (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())
        temperature = DEFAULTS.temperature if self.temperature is None else self.temperature
        return GenerateOptions(
            **{name: value for name, value in given.items() if value is not None},
            max_new_tokens=most or self.max_tokens or DEFAULTS.max_new_tokens,
            do_sample=temperature > 0,
            temperature=temperature if temperature > 0 else DEFAULTS.temperature,
            stop=stop,
            logprobs=logprobs,
            json_schema=json_schema,
            grammar=self.grammar or "",
        )


class SceneRequest(Strict):
    """Several people in one place, asked as a chat page would ask them: with their persona, their own lines, their lorebook."""

    people: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=64)]], Field(min_length=1, max_length=8)
    ]
    order: Literal["named", "turn", "model"] = "named"
    """Who answers: who is addressed, everybody in turn, whoever the model gives the word to."""
    user: Annotated[str, Field(max_length=64)] = ""
    user_persona: Annotated[str, Field(max_length=4_000)] = ""
    note: Annotated[str, Field(max_length=4_000)] = ""
    as_of: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """The chapter the story has come to."""
    examples: Annotated[int, Field(ge=0, le=8)] = Setting.examples
    persona: bool = True
    as_speech: bool = True
    summary: Annotated[str, Field(max_length=4_000)] = ""
    """What happened before the first message."""
    contrast_strength: Annotated[
        float,
        Field(ge=0, le=2, validation_alias=AliasChoices("contrast_strength", "manner")),
    ] = Setting.contrast_strength
    """How much the character's own words are made likelier."""
    regex: bool = False
    candidates: Annotated[int, Field(ge=1, le=16)] = 1
    """Replies that are written, of which the best is given; it then comes at once."""

    def setting(self) -> Setting:
        names = (
            "user",
            "user_persona",
            "note",
            "as_of",
            "examples",
            "persona",
            "as_speech",
            "summary",
            "contrast_strength",
            "regex",
        )
        return Setting(**{name: getattr(self, name) for name in names})


class ChatRequest(Common):
    """POST /v1/chat/completions"""

    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=MOST_MESSAGES)]
    max_completion_tokens: Annotated[int, Field(ge=1, le=10**9)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    response_format: ResponseFormat | None = None
    scene: SceneRequest | None = None
    """Who is there; the answer's model then says who spoke, its messages' names say who said what."""

    @model_validator(mode="after")
    def _fits_together(self) -> ChatRequest:
        if (
            self.grammar
            and self.response_format is not None
            and self.response_format.type != "text"
        ):
            raise ValueError("grammar 和 response_format 只能给一个")
        if self.top_logprobs is not None and not self.logprobs:
            raise ValueError("top_logprobs 要和 logprobs=true 一起用")
        if all(message.role in ("system", "developer") for message in self.messages):
            raise ValueError("messages 里至少要有一条 user 或 assistant")
        return self

    def said(self) -> list[Said]:
        """The conversation as a scene has it."""
        user = self.scene.user if self.scene else ""
        return [
            Said(
                name=(m.name or user or GUEST) if m.role == "user" else (m.name or ""),
                text=m.text(),
                by_user=m.role == "user",
            )
            for m in self.messages
            if m.role in ("user", "assistant")
        ]

    def setting(self, scene: SceneRequest) -> Setting:
        """How the scene is set; system messages are told beside the persona."""
        system_text = "\n".join(
            m.text() for m in self.messages if m.role in ("system", "developer")
        )
        return replace(scene.setting(), system_text=system_text)

    def options(self) -> GenerateOptions:
        schema = self.response_format.schema_text() if self.response_format else ""
        return self._options(
            logprobs=(self.top_logprobs or 0) if self.logprobs else None,
            json_schema=schema,
            most=self.max_completion_tokens,
        )

    def request(self) -> Request:
        """As ours, to nobody in particular; a developer message is a system message."""
        roles: dict[str, Literal["system", "user", "assistant"]] = {
            "developer": "system",
            "system": "system",
            "user": "user",
            "assistant": "assistant",
        }
        return Request(
            messages=tuple(
                Message(role=roles[m.role], content=m.text(), name=m.name or "")
                for m in self.messages
            )
        )


class CompletionRequest(Common):
    """POST /v1/completions"""

    prompt: Text | Annotated[list[Text], Field(min_length=1, max_length=MOST_CHOICES)]
    logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    echo: bool | None = None
    suffix: str | None = None
    best_of: int | None = None

    @model_validator(mode="after")
    def _supported(self) -> CompletionRequest:
        if self.echo or self.suffix or (self.best_of or 1) != 1:
            raise ValueError("echo、suffix、best_of 这里不支持")
        if not all(self.prompts()):
            raise ValueError("prompt 是空的")
        if self.character or self.truncation:
            raise ValueError("character、truncation 只用于 /v1/chat/completions")
        return self

    @model_validator(mode="after")
    def _not_too_many(self) -> CompletionRequest:
        if len(self.prompts()) * self.choices() > MOST_CHOICES:
            raise ValueError(f"prompt 的条数乘 n 最多 {MOST_CHOICES}")
        return self

    def prompts(self) -> list[str]:
        return [self.prompt] if isinstance(self.prompt, str) else self.prompt

    def options(self) -> GenerateOptions:
        return self._options(logprobs=self.logprobs)


class EmbeddingRequest(Strict):
    """POST /v1/embeddings"""

    model: Annotated[str, Field(max_length=256)]
    input: (
        Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT)]
        | Annotated[
            list[Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT)]],
            Field(min_length=1, max_length=256),
        ]
    )
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: int | None = None
    user: str | None = None

    @model_validator(mode="after")
    def _whole(self) -> EmbeddingRequest:
        if self.dimensions is not None:
            raise ValueError("dimensions 这里不支持：向量有多长由模型定")
        return self

    def texts(self) -> list[str]:
        return [self.input] if isinstance(self.input, str) else self.input


class LoadRequest(Strict):
    """POST /v1/load_lora_adapter, in vLLM's words"""

    lora_name: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[\w.-]+$")]
    lora_path: Annotated[str, Field(min_length=1, max_length=1024)]


class UnloadRequest(Strict):
    """POST /v1/unload_lora_adapter"""

    lora_name: Annotated[str, Field(min_length=1, max_length=64)]


# -- answers ---------------------------------------------------------------------------------------------------------


def fitted(request: Request, tokens: Callable[[Request], int], most: int) -> Request:
    """The conversation without as many of its oldest exchanges as it takes; system messages and the last question stay.

    Args:
        tokens: of a request.

    Raises:
        LengthError: the last question alone is too long.
    """
    system = tuple(message for message in request.messages if message.role == "system")
    rest = tuple(message for message in request.messages if message.role != "system")
    starts = [i for i, message in enumerate(rest) if message.role == "user"] or [0]

    def cut(number: int) -> Request:
        kept = rest if number == 0 else rest[starts[number] :]
        return Request(messages=(*system, *kept), speaker=request.speaker)

    if tokens(request) <= most:
        return request
    low, high = 0, len(starts) - 1
    if tokens(cut(high)) > most:
        raise LengthError(
            "最后一条消息自己就太长，没有历史可以删", "写短一些，或把 max_tokens 调小"
        )
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if tokens(cut(middle)) <= most else (middle, high)
    return cut(high)

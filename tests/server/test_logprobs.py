"""Log probabilities are those of the tokens of the text that is given: joined they are it, to the byte."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from fastapi.testclient import TestClient
from openai import OpenAI

from custome.engine.base import ServedModel
from custome.engine.scripted import ScriptedEngine
from custome.server.app import create_app
from custome.server.auth import KeyAuth
from custome.server.catalogue import Catalogue
from custome.types import Character

ASK = [{"role": "user", "content": "粮草何在？"}]
BARE = {"people": ["张三"], "as_speech": False, "persona": False, "examples": 0}
WAYS: list[dict[str, Any]] = [
    {},
    {"stop": ["送到"]},
    {"stop": ["何", "送x", "到y"], "seed": 4},  # held back, and no stop string after all
    {"max_tokens": 4},
    {"n": 3, "seed": 5, "temperature": 1.5},
    {"n": 2, "seed": 7, "temperature": 2, "extra_body": {"top_k": 0}},  # half characters too
    {"extra_body": {"grammar": 'root ::= "猫龘😀，“是”。"'}},
]


@pytest.fixture(scope="module")
def client(server) -> OpenAI:
    return OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)


def asked(way: dict[str, Any]) -> dict[str, Any]:
    extra = {"scene": BARE, **way.get("extra_body", {})}
    return {
        "model": "east:张三",
        "messages": ASK,
        "temperature": 0,
        "max_tokens": 24,
        **way,
        "extra_body": extra,
    }


@pytest.mark.parametrize("way", WAYS)
def test_tokens_of_a_conversation_are_the_content(client: OpenAI, way: dict[str, Any]):
    answer = client.chat.completions.create(**asked(way), logprobs=True, top_logprobs=2)
    plain = client.chat.completions.create(**asked(way))
    assert len(answer.choices) == way.get("n", 1)
    for choice, other in zip(answer.choices, plain.choices, strict=True):
        content, tokens = choice.message.content, choice.logprobs.content
        if len(answer.choices) == 1:  # several at a time are computed in another order
            assert content == other.message.content
        assert "".join(token.token for token in tokens) == content
        assert b"".join(bytes(token.bytes) for token in tokens) == content.encode()
        assert all(len(token.top_logprobs) == 2 for token in tokens)


@pytest.mark.parametrize("way", WAYS)
def test_every_streamed_piece_has_the_tokens_of_its_text(client: OpenAI, way: dict[str, Any]):
    said = [""] * way.get("n", 1)
    data = [b""] * len(said)
    for chunk in client.chat.completions.create(**asked(way), logprobs=True, stream=True):
        for choice in chunk.choices:
            came = choice.logprobs.content if choice.logprobs else []
            assert "".join(token.token for token in came) == (choice.delta.content or "")
            said[choice.index] += choice.delta.content or ""
            data[choice.index] += b"".join(bytes(token.bytes) for token in came)
    assert data == [text.encode() for text in said]
    if len(said) == 1:
        whole = client.chat.completions.create(**asked(way), logprobs=True).choices[0]
        assert said == [whole.message.content]


def test_what_the_format_takes_away_has_no_token(client: OpenAI):
    """Told as running prose the same reply has its marks, and one token a character."""
    spoken = client.chat.completions.create(**asked({}), logprobs=True).choices[0]
    written = client.completions.create(
        model="east", prompt="粮草何在？张三曰：", max_tokens=24, temperature=0, logprobs=0
    ).choices[0]
    assert written.text == f"“{spoken.message.content}”"
    assert written.logprobs.tokens == list(written.text)
    assert [token.token for token in spoken.logprobs.content] == written.logprobs.tokens[1:-1]
    assert [token.logprob for token in spoken.logprobs.content] == pytest.approx(
        written.logprobs.token_logprobs[1:-1], abs=1e-3
    )


@pytest.mark.parametrize("way", [{}, {"stop": ["送到"]}, {"stop": ["送x"]}, {"n": 2, "seed": 3}])
def test_tokens_of_a_text_stand_where_they_say(client: OpenAI, way: dict[str, Any]):
    body = {"model": "east", "prompt": ["粮草何在？张三曰：", "书信何在？张三曰："]}
    more: dict[str, Any] = {"max_tokens": 12, "temperature": 0, "logprobs": 2, **way}
    whole = client.completions.create(**body, **more)
    said = [""] * len(whole.choices)
    for chunk in client.completions.create(**body, **more, stream=True):
        for choice in chunk.choices:
            if choice.logprobs:
                assert choice.logprobs.text_offset[0] == len(said[choice.index])
                assert "".join(choice.logprobs.tokens) == choice.text
            said[choice.index] += choice.text
    assert len(said) == 2 * way.get("n", 1) and all(said)
    for choice in whole.choices:
        logprobs = choice.logprobs
        assert "".join(logprobs.tokens) == choice.text
        for token, at in zip(logprobs.tokens, logprobs.text_offset, strict=True):
            assert choice.text.startswith(token, at)
        assert all(len(others) == 2 for others in logprobs.top_logprobs)


@pytest.mark.parametrize("path", ["chat/completions", "completions"])
@pytest.mark.parametrize("stream", [False, True])
def test_an_engine_without_them_says_so(path: str, stream: bool):
    hosted = ServedModel(
        name="m", engine=ScriptedEngine(["好。"]), people=(Character(name="曹操", cue="操"),)
    )
    body: dict[str, Any] = {"model": "m", "stream": stream}
    body |= (
        {"prompt": "何在", "logprobs": 0}
        if path == "completions"
        else {"messages": ASK, "logprobs": True}
    )
    with TestClient(create_app(Catalogue([hosted]), KeyAuth([]))) as served:
        answer = served.post(f"/v1/{path}", json=body)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["type"] == "invalid_request_error" and "logprobs" in error["message"]


def test_candidates_have_none(client: OpenAI):
    with pytest.raises(openai.BadRequestError, match="candidates"):
        client.chat.completions.create(
            **asked({"extra_body": {"scene": {**BARE, "candidates": 2}}}), logprobs=True
        )

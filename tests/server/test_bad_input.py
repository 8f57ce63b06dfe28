"""What an API is sent by mistake or in malice: OpenAI-shaped errors, and the server goes on."""

from __future__ import annotations

import json

import httpx
import pytest

ASK = {
    "model": "east:张三",
    "messages": [{"role": "user", "content": "粮草何在？"}],
    "temperature": 0,
}
CHAT = "/v1/chat/completions"


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": -1}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"n": 0}, "n"),
        ({"n": 10**6}, "n"),
        ({"max_tokens": -5}, "max_tokens"),
        ({"max_tokens": 10**30}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"seed": 2**70}, "seed"),
        ({"stop": [""]}, "stop"),
        ({"stop": ["a"] * 99}, "stop"),
        ({"top_logprobs": 3}, None),
        ({"logprobs": True, "top_logprobs": 99}, "top_logprobs"),
        ({"messages": []}, "messages"),
        ({"messages": "hello"}, "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "system", "content": "x"}]}, None),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "image_url", "image_url": {"url": "data:"}}],
                    }
                ]
            },
            "messages.0.content",
        ),
        ({"messages": [{"role": "user", "content": "x"}] * 10_000}, "messages"),
        ({"colour": "red"}, "colour"),
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"logit_bias": {"5": 3}}, "logit_bias"),
        ({"response_format": {"type": "json_schema"}}, "response_format"),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "a", "schema": {"type": "wrong"}},
                }
            },
            "response_format.json_schema",
        ),
        ({"stream_options": {"include_usage": True}}, None),
        ({"model": 5}, "model"),
        ({"store": True}, None),
        ({"truncation": "maybe"}, "truncation"),
    ],
)
def test_a_wrong_value_is_named(server, change: dict, param: str | None):
    answer = server.post(CHAT, {**ASK, **change})
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["type"] == "invalid_request_error" and error["message"]
    if param is not None:
        assert error["param"] is not None and error["param"].startswith(param), error


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[1]",
        b"\xff\xfe",
        b'{"model": NaN}',
        b"[" * 200_000,
        b'{"model":"east","messages":[{"role":"user","content":"\\ud800"}]}',
        b'{"a":' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_no_request_at_all(server, body: bytes):
    answer = httpx.post(
        server.url + CHAT, content=body, headers={"Content-Type": "application/json"}, timeout=30
    )
    assert answer.status_code == 400 and answer.json()["error"]["type"] == "invalid_request_error"


def test_a_form_of_another_site_is_not_read(server):
    answer = httpx.post(
        server.url + CHAT, content=json.dumps(ASK), headers={"Content-Type": "text/plain"}
    )
    assert answer.status_code == 400


def test_another_name_for_this_machine_is_not_answered(server):
    assert httpx.get(server.url + "/v1/models", headers={"Host": "evil.example"}).status_code == 400
    assert (
        "access-control-allow-origin"
        not in httpx.get(
            server.url + "/v1/models", headers={"Origin": "http://evil.example"}
        ).headers
    )


def test_too_large_a_body(server):
    answer = server.post(CHAT, {**ASK, "metadata": {"x": "y" * (5 << 20)}})
    assert answer.status_code == 413 and answer.json()["error"]["code"] == "body_too_large"


def test_an_adapter_twice_one_that_is_none_and_one_of_another_base(server, gguf_runs, tmp_path):
    load = "/v1/load_lora_adapter"
    assert (
        server.post(load, {"lora_name": "east", "lora_path": str(gguf_runs["east"])})
        .json()["error"]["message"]
        .startswith("名字 'east'")
    )
    answer = server.post(load, {"lora_name": "third", "lora_path": str(tmp_path)})
    assert answer.status_code == 400 and answer.json()["error"]["code"] == "bad_adapter"
    other = tmp_path / "other"
    other.mkdir()
    for file in gguf_runs["east"].iterdir():
        if file.is_file():
            (other / file.name).write_bytes(file.read_bytes())
    info = json.loads((other / "run.json").read_text(encoding="utf-8"))
    (other / "run.json").write_text(
        json.dumps({**info, "base_fingerprint": "0" * 16}), encoding="utf-8"
    )
    answer = server.post(load, {"lora_name": "other", "lora_path": str(other)})
    assert answer.status_code == 400 and "另一个底座" in answer.json()["error"]["message"]
    assert server.post("/v1/unload_lora_adapter", {"lora_name": "nobody"}).status_code == 404


def test_adapters_come_and_go_while_others_are_answered(server, gguf_runs):
    assert (
        server.post(
            "/v1/load_lora_adapter", {"lora_name": "again", "lora_path": str(gguf_runs["west"])}
        ).status_code
        == 200
    )
    mine, theirs = (
        server.post(CHAT, {**ASK, "model": model}).json()["choices"]
        for model in ("again:李四", "west:李四")
    )
    assert mine[0]["message"] == theirs[0]["message"]
    assert server.post("/v1/unload_lora_adapter", {"lora_name": "again"}).status_code == 200
    assert server.post(CHAT, {**ASK, "model": "again"}).status_code == 404


def test_it_is_unharmed(server):
    assert (
        server.get("/health").json() == {"status": "ok"} and server.get("/ready").status_code == 200
    )
    assert "送到" in server.post(CHAT, ASK).json()["choices"][0]["message"]["content"]
    assert server.metric("custome_waiting") == 0

"""The remote engine against a really running llama.cpp HTTP server, which is killed and comes back."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from custome.engine.base import Cancel
from custome.engine.remote import RemoteEngine
from custome.errors import BusyError, EngineError, InputError, LengthError
from custome.models import gguf_cache
from custome.reporter import NullReporter
from custome.types import GenerateOptions, Message, Piece, Request
from llama_server import Llama

ASK = Request(messages=(Message(role="user", content="粮草何在？"),), speaker="张三")
GREEDY = GenerateOptions(do_sample=False, max_new_tokens=24, repetition_penalty=1.0)


@pytest.fixture(scope="module")
def served_run(gguf_runs: dict[str, Path]) -> gguf_cache.CachedGguf:
    run = gguf_runs["east"]
    return gguf_cache.prepare(run, NullReporter(), quant="f16", home=run.parents[1] / "home")


@pytest.fixture(scope="module")
def llama(served_run: gguf_cache.CachedGguf) -> Iterator[Llama]:
    server = Llama(served_run.model)
    yield server
    server.kill()


@pytest.fixture
def engine(llama: Llama) -> Iterator[RemoteEngine]:
    made = RemoteEngine(llama.url, "whatever", kind="novel")
    yield made
    made.close()


def test_the_words_the_server_itself_gives(llama, engine):
    """Running prose with its cue, ended by the closing mark."""
    plain = {"prompt": "粮草何在？张三曰：", "max_tokens": 24, "temperature": 0, "stop": ["”"]}
    wanted = httpx.post(f"{llama.url}/completions", json=plain, timeout=30).json()["choices"][0]
    pieces: list[str] = []
    reply = engine.run(ASK, GREEDY, lambda piece: pieces.append(piece.text))
    assert (
        reply.text == wanted["text"].removeprefix("“")
        and reply.finish_reason == wanted["finish_reason"]
    )
    assert (
        pieces[-1] == reply.text
        and len(pieces) > 2
        and reply.completion_tokens > 3
        and engine.models()
    )


def test_killed_in_the_middle_it_says_so_and_recovers(llama, engine):
    long = GenerateOptions(max_new_tokens=400, temperature=1.5)
    seen = threading.Event()

    def killer() -> None:
        seen.wait()
        llama.kill()

    thread = threading.Thread(target=killer)
    thread.start()
    with pytest.raises(EngineError, match="断了"):
        while True:  # a small model may be done before it is hit
            engine.run(Request(text="粮草何在？"), long, lambda _: seen.set())
    thread.join()
    started = time.monotonic()
    with pytest.raises(
        EngineError, match="连不上"
    ):  # still away: tried again with pauses, then told
        engine.run(ASK, GREEDY)
    assert time.monotonic() - started > 1
    llama.start()
    assert engine.run(ASK, GREEDY).text


def test_it_waits_for_one_that_is_coming_back(llama, engine):
    llama.kill()
    threading.Timer(0.5, llama.start).start()
    assert engine.run(ASK, GREEDY).text
    time.sleep(0.5)


def test_what_the_other_side_refuses(llama):
    with pytest.raises(LengthError):
        RemoteEngine(llama.url, "x", kind="novel").run(Request(text="粮草" * 600), GREEDY)

    def answers(status: int, **headers: str) -> RemoteEngine:
        body = {"error": {"message": "no", "type": "x"}}
        transport = httpx.MockTransport(
            lambda _: httpx.Response(status, json=body, headers=headers)
        )
        return RemoteEngine("http://x/v1", "m", transport=transport)

    with pytest.raises(InputError, match="HTTP 404"):
        answers(404).run(ASK, GREEDY)
    with pytest.raises(EngineError, match="HTTP 401"):
        answers(401).run(ASK, GREEDY)
    with pytest.raises(BusyError) as found:
        answers(429, **{"retry-after": "7"}).run(ASK, GREEDY)
    assert found.value.retry_after_s == 7


def test_a_connection_let_go_of_meanwhile_is_opened_again():
    calls: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        calls.append(request.url.path)
        if len(calls) == 1:
            raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
        return httpx.Response(200, json={"data": [{"id": "m"}]})

    def gone(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    assert RemoteEngine("http://x/v1", "m", transport=httpx.MockTransport(answer)).models() == ["m"]
    assert calls == ["/v1/models"] * 2
    with pytest.raises(EngineError, match="refused"):
        RemoteEngine("http://x/v1", "m", transport=httpx.MockTransport(gone)).models()


def test_it_stops_when_nobody_reads(engine):
    cancel = Cancel()
    reply = engine.run(
        Request(text="粮草何在？"),
        GenerateOptions(max_new_tokens=400, temperature=1.5),
        lambda _: cancel.set(),
        cancel,
    )
    assert reply.finish_reason == "cancelled"


@pytest.mark.parametrize("stop", [(), ("送到",), ("送x",)])
def test_tokens_are_those_of_the_text(engine, stop: tuple[str, ...]):
    pieces: list[Piece] = []
    reply = engine.run(ASK, replace(GREEDY, logprobs=1, stop=stop), pieces.append)
    assert reply.text == engine.run(ASK, replace(GREEDY, stop=stop)).text
    told = [token for piece in pieces for token in piece.tokens]
    assert "".join(token.token for token in told) == reply.text == pieces[-1].text
    assert all(token.alternatives for token in told)


def answering(*choices: dict) -> RemoteEngine:
    """A server that streams these."""
    data = [f"data: {json.dumps({'choices': [choice]})}\n\n" for choice in choices]
    transport = httpx.MockTransport(lambda _: httpx.Response(200, text="".join(data)))
    return RemoteEngine("http://x/v1", "m", transport=transport)


def piece_of(text: str, *tokens: tuple[str, list[int] | None]) -> dict:
    content = [
        {
            "token": token,
            "bytes": data,
            "logprob": -1.0,
            "top_logprobs": [{"token": "\ufffd", "bytes": [233], "logprob": -0.5}],
        }
        for token, data in tokens
    ]
    return {"delta": {"content": text}, "logprobs": {"content": content}, "finish_reason": None}


STOP = {"delta": {}, "finish_reason": "stop"}


def test_half_a_character_keeps_its_bytes_and_what_is_not_shown_goes():
    """As vLLM reports: text comes after its tokens, and the tokens of a stop string are there."""
    remote = answering(
        piece_of("", ("“", [226, 128, 156]), ("\\xe9\\xbe", [233, 190])),
        piece_of("“龘", ("\\x98", [152]), ("好。", None)),
        piece_of("好", ("<|im_end|>", [])),
        STOP,
    )
    pieces: list[Piece] = []
    reply = remote.run(ASK, replace(GREEDY, logprobs=1), pieces.append)
    told = [token for piece in pieces for token in piece.tokens]
    assert reply.text == "“龘好" == pieces[-1].text
    assert [(token.token, token.data) for token in told] == [
        ("“", b"\xe2\x80\x9c"),
        ("", b"\xe9\xbe"),
        ("龘", b"\x98"),
        ("好", "好".encode()),
    ]
    assert told[0].alternatives[0].data == b"\xe9"


def test_half_a_character_of_completions_and_a_text_that_looks_like_one():
    half = "bytes:\\xe9\\xbe\\x98"
    lists = {
        "tokens": [half, "bytes:x"],
        "token_logprobs": [-1.0, -2.0],
        "top_logprobs": [{half: -1.0}, None],
    }
    remote = answering({"text": "龘bytes:x", "logprobs": lists, "finish_reason": "stop"})
    pieces: list[Piece] = []
    remote.run(Request(text="问"), replace(GREEDY, logprobs=1), pieces.append)
    told = [token for piece in pieces for token in piece.tokens]
    assert [token.token for token in told] == ["龘", "bytes:x"]
    assert told[0].alternatives[0].data == "龘".encode() and not told[1].alternatives


def test_a_server_that_ignores_them_is_told_of():
    remote = answering({"delta": {"content": "好。"}, "finish_reason": None}, STOP)
    seen: list[Piece] = []
    with pytest.raises(InputError, match="logprobs"):
        remote.run(ASK, replace(GREEDY, logprobs=1), seen.append)
    assert not seen and remote.run(ASK, GREEDY).text == "好。"

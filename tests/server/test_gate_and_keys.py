"""Who is let in, how many, and what becomes of those who wait."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from starlette.testclient import TestClient

from custome.engine.base import Cancel, ServedModel
from custome.engine.gate import Gate, GatedEngine
from custome.engine.scripted import ScriptedEngine
from custome.errors import BusyError, InputError, UnknownModelError
from custome.models.chat_format import open_format
from custome.server.app import create_app
from custome.server.auth import KeyAuth, add_key, read_keys, remove_key
from custome.server.catalogue import Catalogue
from custome.types import Character, GenerateOptions, Message, Piece, Reply, Request
from tiny import any_port, make_tiny_tokenizer

ASK = {"model": "run:张三", "messages": [{"role": "user", "content": "何在？"}]}
PEOPLE = (Character(name="张三", cue="张三", utterances=1),)


def api(engine: ScriptedEngine, keys=(), most_waiting: int = 64) -> TestClient:
    catalogue = Catalogue(
        [ServedModel(name="run", engine=engine, people=PEOPLE)], most_waiting=most_waiting
    )
    return TestClient(create_app(catalogue, KeyAuth(list(keys))))


def test_a_full_queue_says_when_to_come_back():
    client = api(ScriptedEngine(["一二三四五六七八九十"], delay_s=0.1, slots=1), most_waiting=1)
    answers = []
    threads = [
        threading.Thread(
            target=lambda: answers.append(client.post("/v1/chat/completions", json=ASK))
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
        time.sleep(0.05)
    for thread in threads:
        thread.join()
    busy = [answer for answer in answers if answer.status_code == 429]
    assert len(busy) == 2 and sum(answer.status_code == 200 for answer in answers) == 2
    assert (
        int(busy[0].headers["retry-after"]) >= 1
        and busy[0].json()["error"]["code"] == "rate_limit_exceeded"
    )


def test_everybody_in_the_queue_is_served_and_one_who_gives_up_is_not():
    gate = Gate(slots=2)
    engine = GatedEngine(ScriptedEngine(["一二三"], delay_s=0.05, slots=2), gate)
    request, options = (
        Request(messages=(Message(role="user", content="何在？"),)),
        GenerateOptions(),
    )
    replies, cancel = [], Cancel()
    threads = [
        threading.Thread(target=lambda: replies.append(engine.run(request, options)))
        for _ in range(10)
    ]
    given_up = threading.Thread(
        target=lambda: replies.append(engine.run(request, options, cancel=cancel))
    )
    for thread in [*threads, given_up]:
        thread.start()
    cancel.set()
    for thread in [*threads, given_up]:
        thread.join()
    assert sorted(reply.finish_reason for reply in replies) == ["cancelled", *["stop"] * 10]
    assert gate.running == gate.waiting == 0


@pytest.mark.parametrize("how", ["streaming", "whole", "before the first word"])
def test_a_client_that_leaves_frees_its_slot_within_a_token(how: str):
    engine = ScriptedEngine(
        ["一" * 400], delay_s=5.0 if how == "before the first word" else 0.05, slots=1
    )
    catalogue = Catalogue([ServedModel(name="run", engine=engine, people=PEOPLE)])
    ((_, gate),) = catalogue.gates()
    with running(create_app(catalogue, KeyAuth([]))) as port:
        body = json.dumps({**ASK, "stream": how == "streaming", "max_tokens": 400}).encode()
        connection = socket.create_connection(("127.0.0.1", port))
        connection.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
            % len(body)
            + body
        )
        wait_for(lambda: gate.running == 1)
        if how == "streaming":
            connection.recv(4096)
        connection.close()
        wait_for(lambda: gate.running == 0, seconds=6.0 if how == "before the first word" else 1.0)
        assert httpx.get(f"http://127.0.0.1:{port}/health").status_code == 200


def wait_for(true: Callable[[], bool], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextmanager
def running(app: FastAPI) -> Iterator[int]:
    """A real server on a thread."""
    port = any_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_for(lambda: server.started)
    yield port
    server.should_exit = True
    thread.join()


def test_a_template_that_refuses_a_conversation_is_a_bad_request():
    class Refusing(ScriptedEngine):
        kind = "template"

        def stream(self, request, options, cancel=None):
            tokenizer = make_tiny_tokenizer("何在？")
            tokenizer.chat_template = "{{ raise_exception('roles must alternate') }}"
            open_format(tokenizer).prompt(request.messages, "")
            return super().stream(request, options, cancel)

    answer = api(Refusing()).post("/v1/chat/completions", json=ASK)
    assert answer.status_code == 400 and "roles must alternate" in answer.json()["error"]["message"]


def test_one_choice_that_says_nothing_does_not_keep_the_loop_busy():
    class Halves(ScriptedEngine):
        def stream(self, request, options, cancel=None):
            if options.seed == 1:
                yield Piece(
                    text="",
                    reply=Reply(
                        text="", prompt_tokens=1, completion_tokens=0, finish_reason="stop"
                    ),
                )
                return
            time.sleep(1.0)
            yield from super().stream(request, options, cancel)

    client = api(Halves(["一二三"], slots=4))
    began = time.process_time()
    answer = client.post("/v1/chat/completions", json={**ASK, "n": 2, "seed": 1, "stream": True})
    assert "一" in answer.text and answer.text.rstrip().endswith("[DONE]")
    assert time.process_time() - began < 0.5


def test_a_model_that_is_removed_finishes_what_it_writes_and_refuses_what_comes():
    catalogue = Catalogue(
        [ServedModel(name="run", engine=ScriptedEngine(["一二三"], delay_s=0.1), people=PEOPLE)]
    )
    found = catalogue.find("run", None)
    replies = []
    thread = threading.Thread(
        target=lambda: replies.append(found.engine.run(Request(text="何在？"), GenerateOptions()))
    )
    thread.start()
    time.sleep(0.1)
    catalogue.unload("run")
    time.sleep(0.05)
    with pytest.raises(UnknownModelError):
        found.engine.run(Request(text="何在？"), GenerateOptions())
    thread.join()
    assert replies[0].text == "一二三"
    with pytest.raises(UnknownModelError):
        catalogue.find("run", None)


def test_nobody_adds_adapters_to_an_open_server_that_others_reach():
    catalogue = Catalogue(
        [ServedModel(name="run", engine=ScriptedEngine(), people=PEOPLE)],
        open_run=lambda path, name: pytest.fail("opened"),
    )
    client = TestClient(create_app(catalogue, KeyAuth([]), manageable=False))
    assert (
        client.post("/v1/load_lora_adapter", json={"lora_name": "a", "lora_path": "x"}).status_code
        == 403
    )


def test_an_option_the_engine_would_ignore_is_refused():
    client = api(ScriptedEngine())
    answer = client.post(
        "/v1/chat/completions", json={**ASK, "response_format": {"type": "json_object"}}
    )
    assert answer.status_code == 400 and "json_schema" in answer.json()["error"]["message"]


def test_keys_are_kept_as_hashes_and_lost_when_removed(tmp_path: Path):
    path = tmp_path / "keys.json"
    text = add_key(path, "小王", requests_per_minute=2)
    assert text not in path.read_text(encoding="utf-8") and path.stat().st_mode & 0o077 == 0
    with pytest.raises(InputError, match="已经有"):
        add_key(path, "小王")
    client = api(ScriptedEngine(), read_keys(path))
    assert client.get("/health").status_code == 200
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {text}"}):
        answer = client.get("/v1/models", headers=headers)
        assert answer.status_code == 401 and answer.json()["error"]["code"] == "invalid_api_key"
    right = {"Authorization": f"Bearer {text}"}
    assert client.get("/metrics").status_code == 401
    assert [client.get("/v1/models", headers=right).status_code for _ in range(3)] == [
        200,
        200,
        429,
    ]
    remove_key(path, "小王")
    assert read_keys(path) == []


def test_only_an_admin_adds_adapters(tmp_path: Path):
    text = add_key(tmp_path / "keys.json", "小王")
    client = api(ScriptedEngine(), read_keys(tmp_path / "keys.json"))
    answer = client.post(
        "/v1/load_lora_adapter",
        json={"lora_name": "a", "lora_path": "x"},
        headers={"Authorization": f"Bearer {text}"},
    )
    assert answer.status_code == 403


def test_at_the_same_time(tmp_path: Path):
    key = read_keys(tmp_path / "keys.json") or add_key(tmp_path / "keys.json", "a", concurrent=1)
    door = KeyAuth(read_keys(tmp_path / "keys.json"))
    found = door.find(str(key))
    with door.inside(found), pytest.raises(BusyError), door.inside(found):
        pass
    with door.inside(found):
        pass

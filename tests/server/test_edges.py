"""The API at its edges: what asks for nothing is taken, what is wrong is named as it was written, what is not there says so."""

from __future__ import annotations

import json
from collections.abc import Iterator

import openai
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from custome.engine.base import ServedModel
from custome.engine.scripted import ScriptedEngine
from custome.server.app import create_app
from custome.server.auth import KeyAuth
from custome.server.catalogue import Catalogue
from custome.types import Character

CHAT = "/v1/chat/completions"
ASK = {"model": "m", "messages": [{"role": "user", "content": "粮草何在？"}]}
PEOPLE = tuple(Character(name=name, cue=name, utterances=9) for name in ("刘备", "曹操"))


@pytest.fixture
def engine() -> ScriptedEngine:
    return ScriptedEngine(["在江边。"])


@pytest.fixture
def server(engine: ScriptedEngine) -> FastAPI:
    return create_app(Catalogue([ServedModel(name="m", engine=engine, people=PEOPLE)]), KeyAuth([]))


@pytest.fixture
def client(server: FastAPI) -> Iterator[TestClient]:
    with TestClient(server) as client:
        yield client


@pytest.mark.parametrize(
    "nothing",
    [
        {"tools": []},
        {"tools": None, "tool_choice": "auto", "parallel_tool_calls": True},
        {"logit_bias": {}, "modalities": ["text"], "service_tier": "auto"},
        {"stop": None, "seed": None, "response_format": None, "prediction": None},
    ],
)
def test_what_asks_for_nothing_is_taken(client: TestClient, nothing: dict):
    assert client.post(CHAT, json={**ASK, **nothing}).status_code == 200


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"stop": 5}, "stop"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages.0.content"),
        ({"messages": [{"role": "user"}]}, "messages.0.content"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image"}]}]},
            "messages.0.content.0.type",
        ),
        ({"tools": [{}]}, "tools"),
        ({"temperatur": None}, "temperatur"),
    ],
)
def test_what_is_wrong_is_named_as_it_was_written(client: TestClient, wrong: dict, param: str):
    answer = client.post(CHAT, json={**ASK, **wrong})
    assert answer.status_code == 400 and answer.json()["error"]["param"] == param


def test_an_unknown_path_is_refused_in_openais_shape_whoever_stands_at_the_root(server: FastAPI):
    server.mount("/", FastAPI())
    client = TestClient(server)
    lost = client.get("/v1/threads/5")
    assert lost.status_code == 404 and "/v1/threads/5" in lost.json()["error"]["message"]
    wrong = client.get(CHAT)
    assert wrong.status_code == 405 and wrong.headers["allow"] == "POST"
    assert wrong.json()["error"]["type"] == "invalid_request_error"


def test_the_documentation_asks_nobody_else(client: TestClient):
    page = client.get("/docs").text
    assert "POST /v1/chat/completions" in page and "temperature" in page
    assert "http://" not in page and "https://" not in page and "<script" not in page


def test_a_bare_model_answers_as_the_first_of_its_people_and_never_with_nothing(
    client: TestClient, engine: ScriptedEngine
):
    answer = client.post(CHAT, json=ASK).json()
    assert answer["choices"][0]["message"]["content"] == "在江边。"
    assert engine.requests[-1].speaker == "刘备"
    asked = [{"role": "user", "content": "粮草何在？曹操曰："}]
    client.post(CHAT, json={**ASK, "messages": asked})
    assert engine.requests[-1].speaker == ""  # the words say it themselves


# -- /v1/responses -----------------------------------------------------------------------------------------------------


@pytest.fixture
def official(client: TestClient) -> openai.OpenAI:
    return openai.OpenAI(base_url="http://testserver/v1", api_key="none", http_client=client)


def test_the_official_client_reads_a_response(official: openai.OpenAI, engine: ScriptedEngine):
    answer = official.responses.create(
        model="m:曹操", input="粮草何在？", instructions="夜深了。", max_output_tokens=50
    )
    assert answer.output_text == "在江边。" and answer.status == "completed"
    assert answer.model == "m:曹操" and answer.usage.total_tokens > 0
    assert engine.requests[-1].speaker == "曹操"


def test_an_answer_is_sent_back_as_it_came(official: openai.OpenAI, engine: ScriptedEngine):
    first = official.responses.create(model="m:曹操", input="粮草何在？")
    said = [
        {"role": "user", "content": "粮草何在？"},
        *(item.model_dump() for item in first.output),
        {"role": "user", "content": [{"type": "input_text", "text": "何时到？"}]},
    ]
    official.responses.create(model="m:曹操", input=said)  # type: ignore[arg-type]
    assert "在江边。" in str(engine.requests[-1]) and "何时到？" in str(engine.requests[-1])


def test_a_response_comes_piece_by_piece(official: openai.OpenAI):
    with official.responses.stream(model="m:曹操", input="粮草何在？") as stream:
        kinds, deltas = [], []
        for event in stream:
            kinds.append(event.type)
            deltas += [event.delta] if event.type == "response.output_text.delta" else []
        final = stream.get_final_response()
    assert kinds[0] == "response.created" and kinds[-1] == "response.completed"
    assert "".join(deltas) == final.output_text == "在江边。"


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"tools": [{"type": "web_search"}]}, "tools"),
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image"}]}]},
            "input.0.content.0.type",
        ),
    ],
)
def test_what_a_response_cannot_carry_is_named(client: TestClient, wrong: dict, param: str):
    answer = client.post("/v1/responses", json={"model": "m", "input": "x", **wrong})
    assert answer.status_code == 400 and answer.json()["error"]["param"] == param


def test_events_are_numbered_and_name_themselves(client: TestClient):
    body = {"model": "m", "input": "x", "stream": True}
    events = client.post("/v1/responses", json=body).text.strip().split("\n\n")
    for number, event in enumerate(events):
        name, data = event.split("\n")
        told = json.loads(data.removeprefix("data: "))
        assert told["sequence_number"] == number and name == f"event: {told['type']}"

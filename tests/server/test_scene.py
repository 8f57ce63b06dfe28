"""Several people in one place, asked through the API."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from custome.engine.base import ServedModel
from custome.engine.scripted import ScriptedEngine
from custome.server.app import create_app
from custome.server.auth import KeyAuth
from custome.server.catalogue import Catalogue
from custome.types import Character

CHAT = "/v1/chat/completions"


def ask(server, words: str, **scene: object):
    body = {
        "model": "east",
        "messages": [{"role": "user", "content": words}],
        "temperature": 0,
        "scene": scene,
    }
    return server.post(CHAT, body)


@pytest.fixture(scope="module")
def three():
    """A server whose model can be three people."""
    people = tuple(
        Character(name=name, cue=name, utterances=9) for name in ("刘备", "曹操", "孙权")
    )
    engine = ScriptedEngine()
    with TestClient(
        create_app(Catalogue([ServedModel(name="m", engine=engine, people=people)]), KeyAuth([]))
    ) as client:
        yield client


def test_whoever_is_addressed_answers_and_the_answer_says_who(three):
    for name in ("曹操", "孙权"):
        body = {
            "model": "m",
            "messages": [{"role": "user", "content": f"{name}，如何？"}],
            "scene": {"people": ["刘备", "曹操", "孙权"], "note": "夜深了"},
        }
        answer = three.post(CHAT, json=body).json()
        assert answer["model"] == f"m:{name}"
        assert (
            answer["choices"][0]["message"]["content"]
            == f"{name}闻：夜深了。客问{name}曰：“{name}，如何？”"
        )


def test_in_turn_by_the_names_of_the_messages(three):
    messages = [
        {"role": "user", "content": "谁去？"},
        {"role": "assistant", "name": "刘备", "content": "我去。"},
        {"role": "user", "content": "还有呢？"},
    ]
    body = {
        "model": "m",
        "messages": messages,
        "scene": {"people": ["刘备", "曹操"], "order": "turn"},
    }
    answer = three.post(CHAT, json=body).json()
    assert (
        answer["model"] == "m:曹操"
        and "刘备曰：“我去。”" in answer["choices"][0]["message"]["content"]
    )


def test_a_real_model_in_a_scene(server):
    answer = ask(server, "粮草何在？", people=["张三"])
    assert answer.status_code == 200 and answer.json()["model"] == "east:张三", answer.text


@pytest.mark.parametrize(
    ("scene", "param"),
    [
        ({"people": []}, "scene.people"),
        ({"people": ["张三"] * 9}, "scene.people"),
        ({"people": ["张三"], "order": "x"}, "scene.order"),
        ({"people": ["张三"], "as_of": 0}, "scene.as_of"),
        ({"people": ["张三"], "mood": "x"}, "scene.mood"),
        ({}, "scene.people"),
    ],
)
def test_a_wrong_scene_is_named(server, scene: dict, param: str):
    answer = ask(server, "在么？", **scene)
    assert answer.status_code == 400 and answer.json()["error"]["param"].startswith(param), (
        answer.text
    )


def test_somebody_nobody_knows_is_named(server):
    answer = ask(server, "在么？", people=["孙悟空"])
    assert answer.status_code == 400 and "孙悟空" in answer.json()["error"]["message"]

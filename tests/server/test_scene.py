"""Several people in one place, asked through the API."""

from __future__ import annotations

import pytest

CHAT = "/v1/chat/completions"


def ask(server, words: str, **scene: object):
    body = {"model": "east", "messages": [{"role": "user", "content": words}], "temperature": 0, "scene": scene}
    return server.post(CHAT, body)


def test_whoever_is_addressed_answers_and_the_answer_says_who(server):
    for name in ("李四", "张三"):
        answer = ask(server, f"{name}，粮草何在？", people=["张三", "李四"])
        assert answer.status_code == 200, answer.text
        assert answer.json()["model"] == f"east:{name}" and answer.json()["choices"][0]["message"]["content"]


def test_in_turn_by_the_names_of_the_messages(server):
    messages = [{"role": "user", "content": "谁去？"}, {"role": "assistant", "name": "张三", "content": "我去。"}, {"role": "user", "content": "还有呢？"}]
    body = {"model": "east", "messages": messages, "scene": {"people": ["张三", "李四"], "order": "turn"}, "max_tokens": 8}
    assert server.post(CHAT, body).json()["model"] == "east:李四"


@pytest.mark.parametrize(
    ("scene", "param"),
    [({"people": []}, "scene.people"), ({"people": ["张三"] * 9}, "scene.people"), ({"people": ["张三"], "order": "x"}, "scene.order"),
     ({"people": ["张三"], "as_of": 0}, "scene.as_of"), ({"people": ["张三"], "mood": "x"}, "scene.mood"), ({}, "scene.people")],
)  # fmt: skip
def test_a_wrong_scene_is_named(server, scene: dict, param: str):
    answer = ask(server, "在么？", **scene)
    assert answer.status_code == 400 and answer.json()["error"]["param"].startswith(param), answer.text


def test_somebody_nobody_knows_is_named(server):
    answer = ask(server, "在么？", people=["孙悟空"])
    assert answer.status_code == 400 and "孙悟空" in answer.json()["error"]["message"]

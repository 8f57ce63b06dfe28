"""The same words to the same person through page, terminal, API and `custome evaluate`: one prompt, one greedy reply; and what an
instruct model reads of a whole conversation of three, to be read by a person."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from custome.apps.cosplay.casting import company_of
from custome.apps.cosplay.prompt import Said, Setting
from custome.apps.cosplay.responder import Responder
from custome.apps.cosplay.scene import Scene
from custome.apps.cosplay.service import ConversationService
from custome.apps.cosplay.writing import Tab
from custome.cli.terminal_chat import terminal_chat
from custome.conversations.store import Store
from custome.corpus.cast import Cast, Line, read_cast, write_cast
from custome.engine.base import ServedModel
from custome.engine.scripted import ScriptedEngine
from custome.evaluation import evaluate
from custome.models.chat_format import novel_text, open_format
from custome.server.app import create_app
from custome.server.auth import KeyAuth
from custome.server.catalogue import Catalogue
from custome.types import Character, GenerateOptions, Portrait

GREEDY = GenerateOptions(do_sample=False)
WORDS = "粮草何在"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder's cast: two people, lines of even chapters only, which evaluate shows too."""
    people = tuple(
        Portrait(
            name=name, cue=cue, utterances=9, aliases=(), chapters=2, speaks_to=(), openings=()
        )
        for name, cue in (("曹操", "操"), ("刘备", "玄德"))
    )
    said = {
        "曹操": ("粮草在此，休要多问。", "吾自有主张。"),
        "刘备": ("备不知粮草何在。", "仁义为先。"),
    }
    lines = tuple(
        Line(speaker=name, text=text, asked="粮草何在？", novel="三国", chapter=2)
        for name, some in said.items()
        for text in some
    )
    folder = tmp_path / "run"
    folder.mkdir()
    write_cast(folder, Cast(people=people, lines=lines))
    return folder


@pytest.mark.parametrize("kind", ["novel", "template"])
def test_every_door_leads_to_the_same_prompt(
    kind: str, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    engine = ScriptedEngine()
    engine.kind = kind
    people = tuple(Character(name=one.name, cue=one.cue) for one in read_cast(run).people)
    hosted = ServedModel(name="m", engine=engine, people=people, folder=run)
    play = ConversationService(lambda: [hosted], Store(tmp_path / "chats.db"))
    replies = {}

    scene = Scene(people=("曹操",))
    *_, (_, grown) = play.say(Tab(owner="a"), "k", WORDS, "m", scene, GREEDY)
    replies["page"] = grown.chat.turns[-1].text
    typed = [WORDS, "/退出"]
    monkeypatch.setattr("builtins.input", lambda _: typed.pop(0))
    terminal_chat(play, "m", ["曹操"], Scene(), GREEDY)
    replies["terminal"] = (
        play.store.read(play.store.chats("terminal")[0].id, "terminal").turns[-1].text
    )
    with TestClient(create_app(Catalogue([hosted]), KeyAuth([]))) as client:
        body = {
            "model": "m:曹操",
            "messages": [{"role": "user", "content": WORDS}],
            "temperature": 0,
        }
        for name, more in (
            ("api", {}),
            ("api, a scene", {"model": "m", "scene": {"people": ["曹操"]}}),
        ):
            answer = client.post("/v1/chat/completions", json={**body, **more}).json()
            replies[name] = answer["choices"][0]["message"]["content"]
    answering = evaluate.answering(engine, run, evaluate.Drawing(candidates=1), ["曹操", "刘备"])
    replies["evaluate"] = answering([(WORDS, "曹操")], True)[0].text

    assert len(engine.requests) == len(replies) == 5
    assert len(set(engine.requests)) == 1, engine.requests
    assert len(set(replies.values())) == 1, replies
    asked = "".join(message.content for message in engine.requests[0].messages)
    assert "休要多问" in asked and WORDS in asked


@pytest.mark.parametrize(
    "how", [{"model": "m:曹操"}, {"model": "m"}, {"model": "m", "scene": {"people": ["曹操"]}}]
)
def test_over_the_api_the_assistants_own_words_stay_its_own(how: dict, run: Path):
    """A client sends its replies back without a name, whatever it calls the model."""
    engine = ScriptedEngine()
    engine.kind, engine.supports = "template", engine.supports | {"logprobs"}
    people = tuple(Character(name=one.name, cue=one.cue) for one in read_cast(run).people)
    hosted = ServedModel(name="m", engine=engine, people=people, folder=run)
    talk = [
        {"role": "user", "content": "在么？"},
        {"role": "assistant", "content": "在。"},
        {"role": "user", "content": "粮草何在？"},
    ]
    with TestClient(create_app(Catalogue([hosted]), KeyAuth([]))) as client:
        answer = client.post(
            "/v1/chat/completions",
            json={**how, "messages": [{"role": "system", "content": "夜深了。"}, *talk]},
        )
        assert answer.status_code == 200, answer.text
        several = {
            **how,
            "messages": talk,
            "logprobs": True,
            "scene": {"people": ["曹操"], "candidates": 2},
        }
        refused = client.post("/v1/chat/completions", json=several)
        assert refused.status_code == 400 and "candidates" in refused.json()["error"]["message"]
    told, *turns = engine.requests[0].messages
    assert [message.role for message in turns] == ["user", "assistant", "user"] and turns[
        1
    ].content == "在。"
    assert "你就是曹操" in told.content and "夜深了。" in told.content


def test_the_base_of_a_run_knows_its_people_too(run: Path):
    engine, base = ScriptedEngine(), ScriptedEngine()
    hosted = ServedModel(
        name="m",
        engine=engine,
        people=(Character(name="曹操", cue="操"),),
        folder=run,
        open_base=lambda: base,
    )
    with TestClient(create_app(Catalogue([hosted]), KeyAuth([]))) as client:
        body = {
            "model": "m:base",
            "character": "曹操",
            "messages": [{"role": "user", "content": WORDS}],
        }
        assert client.post("/v1/chat/completions", json=body).status_code == 200
    assert not engine.requests and "休要多问" in base.requests[0].messages[0].content


THREE = [
    Said(name="客", text="二位可有主张", by_user=True),
    Said(name="曹操", text="已有了。"),
    Said(name="刘备", text="备还未有。"),
    Said(name="客", text="天下英雄，当今有谁？", by_user=True),
]
TOLD = (
    "你就是曹操，正和客当面说话。用曹操的口吻，一两句话，直接回答对方；不复述自己的来历，不替别人说话，不分点，不说自己是人工智能。\n"
    "曹操，《三国》中人。\n曹操说过：“粮草在此，休要多问。”"
)
ASKED = ("二位可有主张。你怎么看？", "已有了。", "刘备：备还未有。\n天下英雄，当今有谁？")
GOLDEN = {
    "novel": "曹操，《三国》中人。操曰：“吾自有主张。”客问操曰：“二位可有主张”操曰：“已有了。”玄德曰：“备还未有。”客问操曰：“天下英雄，当今有谁？”操曰：",
    "chatml": "<|im_start|>system\n{0}<|im_end|>\n<|im_start|>user\n{1}<|im_end|>\n<|im_start|>assistant\n{2}<|im_end|>\n<|im_start|>user\n{3}<|im_end|>\n<|im_start|>assistant\n",
    "glm4": "[gMASK]<sop><|system|>\n{0}<|user|>\n{1}<|assistant|>\n{2}<|user|>\n{3}<|assistant|>\n",
    "llama3": "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\n{0}<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n{1}<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\n{2}<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n{3}<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
}


@pytest.mark.parametrize("name", GOLDEN)
def test_a_conversation_of_three_as_it_is_read(name: str, run: Path):
    from template_tokenizer import tokenizer_for

    engine = ScriptedEngine()
    engine.kind = "novel" if name == "novel" else "template"
    request = (
        Responder(engine, company_of(read_cast(run)))
        .prompt("曹操", THREE, Setting(examples=1), GREEDY)
        .request
    )
    if name == "novel":
        text = novel_text(request.messages, request.speaker)
        print(text)
        assert text == GOLDEN[name]
        return
    tokenizer = tokenizer_for(name, TOLD + "".join(ASKED))
    text = tokenizer.decode(open_format(tokenizer, name).prompt(request.messages, request.speaker))
    print(text)
    assert text == GOLDEN[name].format(TOLD, *ASKED)

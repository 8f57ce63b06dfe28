"""Games over the API: what can be done is listed and can be done; back, elsewhere, anew, saved; whose they are, who may."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from custome.apps.context import AppContext
from custome.cli.serve import speaker_of
from custome.conversations.store import Store
from custome.engine.base import ServedModel
from custome.engine.scripted import ScriptedEngine
from custome.server.adventure import adventure_router
from custome.server.app import create_app
from custome.server.auth import Key, KeyAuth
from custome.server.catalogue import Catalogue

GAME = "/v1/adventure/wugang"


def served(
    tmp_path: Path,
    *,
    workplace: bool = True,
    keys: list[Key] | None = None,
    models: Sequence[ServedModel] = (),
) -> TestClient:
    context = AppContext(
        hosted=lambda: models,
        store=lambda: Store(tmp_path / "chats.db"),
        workplace=tmp_path if workplace else None,
        speaker_of=speaker_of,
    )
    auth = KeyAuth(keys or [])
    return TestClient(create_app(Catalogue([]), auth, routers=[adventure_router(context)]))


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    return served(tmp_path)


def posted(client: TestClient, what: str, **body: Any) -> dict[str, Any]:
    answer = client.post(f"{GAME}/{what}", json=body)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_everything_that_is_listed_can_be_done(client: TestClient):
    games = client.get("/v1/adventure").json()["data"]
    assert {"jiejian", "wugang"} <= {one["id"] for one in games}
    told = client.get(GAME).json()
    assert told["state"]["place"] == "码头" and told["turn"] == 0
    for number in range(30):
        if not told["admissible"]:
            assert told["state"]["ended"]
            break
        action = told["admissible"][number % len(told["admissible"])]
        action = {key: action[key] for key in ("verb", "target", "using")}
        told = posted(client, "act", **action)
        assert told["turn"] == number + 1 and told["answer"] == ""


def test_typed_undone_and_another_way(client: TestClient):
    told = posted(client, "act", typed="去茶棚")
    assert told["state"]["place"] == "茶棚" and "到" in told["turns"][-1]["text"]
    refused = posted(client, "act", typed="去灯室")
    assert refused["answer"] == "从茶棚去不了灯室。" and refused["turn"] == told["turn"]
    assert posted(client, "act", verb="飞", target="灯室")["answer"] != ""
    assert posted(client, "undo")["state"]["place"] == "码头"
    assert posted(client, "redo")["state"]["place"] == "茶棚"
    posted(client, "undo")
    assert posted(client, "act", typed="往北走")["turn"] == 2
    assert posted(client, "go", turn=1)["state"]["place"] == "茶棚"


def test_saved_loaded_and_begun_anew(client: TestClient):
    posted(client, "act", typed="去茶棚")
    posted(client, "save", slot="4")
    assert posted(client, "new", seed=5) | {"seed": 5} == client.get(GAME).json()
    assert posted(client, "load", slot="4")["state"]["place"] == "茶棚"
    assert client.get("/v1/adventure").json()["data"][-1]["saved"] == ["auto", "4"]


@pytest.mark.parametrize(
    ("what", "body", "status"),
    [
        ("go", {"turn": 99}, 400),
        ("load", {"slot": "7"}, 400),
        ("load", {"slot": "auto"}, 422),
        ("act", {"typed": "去" * 10_001}, 422),
        ("act", {"verb": "走", "give": "金子"}, 422),
        ("new", {"seed": -1}, 422),
    ],
)
def test_bad_input_is_told_and_changes_nothing(
    client: TestClient, what: str, body: dict[str, Any], status: int
):
    before = client.get(GAME).json()
    answer = client.post(f"{GAME}/{what}", json=body)
    assert answer.status_code in (status, 400) and answer.json()["error"]["message"]
    assert client.get(GAME).json() == before
    assert client.get("/v1/adventure/没有").status_code == 400


def test_a_damaged_save_is_told(client: TestClient, tmp_path: Path):
    posted(client, "act", typed="去茶棚")
    (path,) = (tmp_path / "games").rglob("auto.json")
    client = served(tmp_path)
    path.write_text("{", encoding="utf-8")
    assert "坏了" in client.get(GAME).json()["error"]["message"]
    assert path.read_text(encoding="utf-8") == "{"
    assert posted(client, "new")["state"]["place"] == "码头"


def test_no_file_of_the_server_is_read_as_a_game(
    client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text("编号: 密码", encoding="utf-8")
    answer = client.get("/v1/adventure/config.yaml")
    assert answer.status_code == 400 and "密码" not in answer.text


def test_everybody_has_games_of_their_own_and_strangers_without_a_key_none(tmp_path: Path):
    assert served(tmp_path, workplace=False).post(f"{GAME}/undo").status_code == 403
    keys = [
        Key(name=name, sha256=hashlib.sha256(name.encode()).hexdigest())
        for name in ("east", "west")
    ]
    client = served(tmp_path, keys=keys)
    assert client.get(GAME).status_code == 401
    for secret, place in (("east", "茶棚"), ("west", "码头")):
        client.headers["Authorization"] = f"Bearer {secret}"
        if secret == "east":
            posted(client, "act", typed="去茶棚")
        assert client.get(GAME).json()["state"]["place"] == place


def test_somebody_answers_with_a_model_and_words_are_changed_and_taken_home(tmp_path: Path):
    engine = ScriptedEngine(["灯是自己灭的。", "问这个做什么？"])
    client = served(tmp_path, models=[ServedModel(name="m", engine=engine)])
    told = posted(client, "act", typed="问老魏你冷不冷")
    turn = told["turns"][-1]
    assert "老魏道：“灯是自己灭的。”" in turn["text"] and len(turn["versions"]) == 2
    assert "你冷不冷" in engine.requests[0].messages[-1].content
    number = told["turn"]
    again = posted(client, "words", turn=number)["turns"][-1]
    assert "老魏道：“问这个做什么？”" in again["text"] and again["shown"] == 2
    assert posted(client, "words", turn=number, version=0)["turns"][-1]["shown"] == 0
    mine = posted(client, "words", turn=number, text="老魏没有作声。")
    assert mine["turns"][-1]["text"] == "老魏没有作声。" and mine["state"] == told["state"]
    assert client.post(f"{GAME}/words", json={"turn": 99}).status_code == 400
    book = client.get(f"{GAME}/export", params={"form": "md"})
    assert "老魏没有作声。" in book.text and "attachment" in book.headers["content-disposition"]
    assert client.get(f"{GAME}/export", params={"form": "exe"}).status_code in (400, 422)

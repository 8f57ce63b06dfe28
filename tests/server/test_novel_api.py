"""Novels over the API: begun, planned, written, edited, checked, taken away; who may, and what is told of what cannot be."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from custome.apps.context import AppContext
from custome.conversations.store import Store
from custome.server.app import create_app
from custome.server.auth import Key, KeyAuth
from custome.server.catalogue import Catalogue
from custome.server.novel import novel_router

BRIEF = {
    "title": "盐灯",
    "premise": "一本账。",
    "chapters": 3,
    "people": ["沈青"],
    "things": ["账簿"],
}


def served(tmp_path: Path, *, workplace: bool = True, keys: list[Key] | None = None) -> TestClient:
    context = AppContext(
        hosted=list,
        store=lambda: Store(tmp_path / "chats.db"),
        workplace=tmp_path if workplace else None,
    )
    auth = KeyAuth(keys or [])
    return TestClient(create_app(Catalogue([]), auth, routers=[novel_router(context)]))


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    return served(tmp_path)


def written(client: TestClient, count: int) -> dict[str, Any]:
    for _ in range(500):
        novel: dict[str, Any] = client.get("/v1/novels/盐灯").json()
        if len(novel["written"]) == count and not novel["writing"]:
            return novel
        time.sleep(0.02)
    raise AssertionError("it was not written")


def test_a_novel_from_nothing_to_a_book(client: TestClient):
    begun = client.post("/v1/novels", json=BRIEF)
    assert begun.status_code == 200 and begun.json()["chapters"] == 3
    rows = client.get("/v1/novels/盐灯/outline").json()["data"]
    assert [row["number"] for row in rows] == [1, 2, 3] and "沈青" in rows[0]["people"]
    client.post("/v1/novels/盐灯/write", json={"chapters": [1]})
    assert written(client, 1)["written"] == [1]
    client.post("/v1/novels/盐灯/write", json={})
    written(client, 3)
    chapter = client.get("/v1/novels/盐灯/chapters/1").json()
    assert chapter["text"].startswith("# 第1回") and not chapter["edited"] and not chapter["stale"]
    checks = client.get("/v1/novels/盐灯/checks").json()["data"]
    assert {one["chapter"] for one in checks} == {1, 2, 3}
    assert client.get("/v1/novels/盐灯/facts").json()["data"]
    book = client.get("/v1/novels/盐灯/export/epub")
    assert (
        book.content.startswith(b"PK")
        and "%E7%9B%90%E7%81%AF.epub" in book.headers["content-disposition"]
    )
    assert client.get("/v1/novels").json()["data"][0]["written"] == [1, 2, 3]


def test_somebodys_own_words(client: TestClient):
    client.post("/v1/novels", json=BRIEF)
    kept = client.put("/v1/novels/盐灯/chapters/2", json={"text": "# 第2回　我的\n\n我写的。\n"})
    assert kept.json()["edited"]
    client.post("/v1/novels/盐灯/write", json={})
    written(client, 3)
    assert client.get("/v1/novels/盐灯/chapters/2").json()["text"].endswith("我写的。\n")
    stopped = client.post("/v1/novels/盐灯/stop")
    assert stopped.status_code == 200 and not stopped.json()["writing"]


@pytest.mark.parametrize(
    ("method", "path", "body", "told"),
    [
        ("get", "/v1/novels/没有", None, "没有小说"),
        ("post", "/v1/novels", {**BRIEF, "title": "../盐"}, "不能当文件夹的名字"),
        ("post", "/v1/novels", {**BRIEF, "chapters": 0}, "chapters"),
        ("post", "/v1/novels", {**BRIEF, "people": ["先生"]}, "常用的词"),
        ("post", "/v1/novels/盐灯/write", {"chapters": [9]}, "没有第 9 回"),
        ("get", "/v1/novels/盐灯/chapters/9", None, "没有第 9 回"),
        ("get", "/v1/novels/盐灯/export/epub", None, "还没有写好"),
        ("get", "/v1/novels/盐灯/export/pdf", None, "epub"),
    ],
)
def test_what_cannot_be_is_told(
    client: TestClient, method: str, path: str, body: dict[str, Any] | None, told: str
):
    if path != "/v1/novels":
        client.post("/v1/novels", json=BRIEF)
    answer = client.request(method, path, json=body)
    assert 400 <= answer.status_code < 500 and told in answer.text, answer.text


def test_who_may_write(tmp_path: Path):
    strangers = served(tmp_path, workplace=False)
    assert strangers.get("/v1/novels").status_code == 200
    assert strangers.post("/v1/novels", json=BRIEF).status_code == 403

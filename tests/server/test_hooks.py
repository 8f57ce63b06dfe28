"""Customers who write from elsewhere: signed, once, and back to where they wrote from."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from custome.apps.context import AppContext
from custome.apps.service.channels import setup, webhook
from custome.apps.service.channels.wecom import WeCom
from custome.apps.service.importing import read_shop
from custome.apps.service.shelves import Catalogues
from custome.conversations.store import Store
from custome.server.app import create_app
from custome.server.auth import KeyAuth
from custome.server.catalogue import Catalogue
from custome.server.service import service_router
from custome.server.shop import public_router

SHOP = "青石茶铺"
WECOM = {
    "token": "QDG6eK",
    "encoding_aes_key": "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C",
    "receiver": "wx5823bf96d3bd56c7",
}
CHANNELS = {
    SHOP: {
        "webhook": {"secret": "s", "answers_to": "https://shop.example/answers"},
        "chatwoot": {"url": "https://chat.example", "account": 1, "token": "t", "word": "w"},
        "wecom": WECOM,
    }
}


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """What was sent to other services."""
    seen: list[tuple[str, Any]] = []

    class There:
        def __init__(self, url: str, account: int, token: str) -> None:
            self._where = f"{url}/{account}/{token}"

        def answer(self, conversation: str, text: str) -> None:
            seen.append((f"{self._where}/{conversation}", text))

        def hand_over(self, conversation: str) -> None:
            seen.append((f"{self._where}/{conversation}", "OPEN"))

    class Answer:
        def raise_for_status(self) -> None: ...

    def post(url: str, **more: Any) -> Answer:
        seen.append((url, more))
        return Answer()

    monkeypatch.setattr(setup, "Chatwoot", There)
    monkeypatch.setattr(setup.httpx, "post", post)
    return seen


@pytest.fixture
def server(tmp_path: Path, own_home: Path, sent: list[tuple[str, Any]]) -> Iterator[TestClient]:
    (own_home / "channels.json").write_text(json.dumps(CHANNELS), encoding="utf-8")
    store = Store(tmp_path / "chats.db")
    Catalogues(store).keep(read_shop(Path(str(files("custome") / "data" / "shop")), SHOP))
    context = AppContext(hosted=lambda: [], store=lambda: store)
    app = create_app(
        Catalogue([]),
        KeyAuth([]),
        routers=[service_router(context)],
        public=[public_router(context)],
    )
    with TestClient(app) as client:
        yield client
    store.close()


def delivered(server: TestClient, text: str, key: str, secret: str = "s", age: int = 0):
    body = json.dumps({"id": key, "customer": "甲", "text": text}).encode()
    stamp = str(int(time.time()) - age)
    headers = {webhook.TIMESTAMP: stamp, webhook.SIGNATURE: webhook.sign(secret, body, stamp)}
    return server.post(f"/hooks/{SHOP}/webhook", content=body, headers=headers)


def test_the_webhook_there_and_back(server: TestClient, sent: list[tuple[str, Any]]):
    first = delivered(server, "鸭屎香多少钱", "1").json()
    assert "126.00元" in first["text"] and delivered(server, "鸭屎香多少钱", "1").json() == first
    assert delivered(server, "x", "2", secret="wrong").status_code == 401
    assert delivered(server, "x", "3", age=400).status_code == 401
    assert delivered(server, "转人工", "4").json()["state"] == "queued"
    (case,) = server.get(f"/v1/service/{SHOP}/cases").json()["data"]
    where = f"/v1/service/{SHOP}/cases/{case['chat']}"
    assert len(server.get(where).json()["turns"]) == 4
    server.post(f"{where}/take", json={"agent": "小王"})
    server.post(f"{where}/answer", json={"agent": "小王", "text": "您好。"})
    ((url, more),) = sent
    body, headers = more["content"], more["headers"]
    assert url == "https://shop.example/answers" and json.loads(body)["text"] == "您好。"
    assert headers[webhook.SIGNATURE] == webhook.sign("s", body, headers[webhook.TIMESTAMP])


def test_chatwoot_there_and_back(server: TestClient, sent: list[tuple[str, Any]]):
    def event(number: int, content: str, status: str = "pending", word: str = "w"):
        sent_by = {"event": "message_created", "id": number, "content": content}
        where = {"message_type": "incoming", "conversation": {"id": 3, "status": status}}
        return server.post(f"/hooks/{SHOP}/chatwoot?word={word}", json={**sent_by, **where})

    assert event(1, "鸭屎香多少钱", word="wrong").status_code == 401
    assert event(1, "鸭屎香多少钱").status_code == 200
    assert event(2, "转人工").status_code == 200
    event(3, "在吗", status="open")
    there = "https://chat.example/1/t/3"
    assert [where for where, _ in sent] == [there] * 3
    assert "126.00元" in sent[0][1] and "转人工" in sent[1][1] and sent[2][1] == "OPEN"
    back = {"event": "conversation_status_changed", "id": 3, "status": "pending"}
    server.post(f"/hooks/{SHOP}/chatwoot?word=w", json=back)
    event(4, "有实体店吗")
    assert "没有实体店" in sent[3][1]


def test_wecom_there_and_back(server: TestClient):
    there = WeCom(**WECOM)
    sealed = there.seal(
        "<xml><FromUserName>甲</FromUserName><MsgType>text</MsgType><Content>鸭屎香多少钱</Content><MsgId>7</MsgId></xml>"
    )
    body = f"<xml><Encrypt>{sealed}</Encrypt></xml>".encode()
    asked = {"msg_signature": there.sign("1", "2", sealed), "timestamp": "1", "nonce": "2"}
    answer = server.post(f"/hooks/{SHOP}/wecom", params=asked, content=body).text
    field = {
        name: re.search(rf"<{name}>(?:<!\[CDATA\[)?(.*?)(?:\]\]>)?</{name}>", answer)[1]
        for name in ("Encrypt", "MsgSignature", "TimeStamp", "Nonce")
    }
    assert field["MsgSignature"] == there.sign(field["TimeStamp"], field["Nonce"], field["Encrypt"])
    assert "126.00元" in there._open(field["Encrypt"])
    wrong = server.post(f"/hooks/{SHOP}/wecom", params={**asked, "nonce": "3"}, content=body)
    assert wrong.status_code == 401


def test_a_channel_that_is_not_open(server: TestClient):
    assert server.post("/hooks/没有/webhook", content=b"{}").status_code == 400

"""Signatures by the vendors' published examples, old and false deliveries, what needs no answer."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import httpx
import pytest

from custome.apps.service.channels import alerts, chatwoot, webhook
from custome.apps.service.channels.incoming import GivenBack, Incoming, SignatureError
from custome.apps.service.channels.wecom import WeCom
from custome.apps.service.desk import Case
from custome.errors import InputError

WECOM = WeCom(
    token="QDG6eK",
    encoding_aes_key="jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C",
    receiver="wx5823bf96d3bd56c7",
)
"""The published example's."""


def test_wecoms_published_example():
    echo = (
        "P9nAzCzyDtyTWESHep1vC5X9xho/qYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp+4RPcs8TgAE7OaBO+FZXvnaqQ=="
    )
    signature = "5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3"
    assert WECOM.verify_url(signature, "1409659589", "263014780", echo) == "1616140317555161061"
    with pytest.raises(SignatureError):
        WECOM.verify_url(signature, "1409659589", "263014781", echo)


def delivered(text: str, who: WeCom = WECOM) -> tuple[str, bytes]:
    sealed = who.seal(
        f"<xml><FromUserName><![CDATA[甲]]></FromUserName><MsgType>text</MsgType><Content><![CDATA[{text}]]></Content><MsgId>7</MsgId></xml>"
    )
    body = f"<xml><ToUserName>x</ToUserName><Encrypt><![CDATA[{sealed}]]></Encrypt></xml>"
    return who.sign("1", "2", sealed), body.encode()


def test_a_message_of_wecom():
    signature, body = delivered("在吗")
    assert WECOM.receive(signature, "1", "2", body) == Incoming(customer="甲", text="在吗", key="7")
    with pytest.raises(SignatureError):
        WECOM.receive("0" * 40, "1", "2", body)
    other = WeCom(token=WECOM.token, encoding_aes_key=WECOM.encoding_aes_key, receiver="wxother")
    with pytest.raises(SignatureError):
        WECOM.receive(*delivered("在吗", other)[:1], "1", "2", delivered("在吗", other)[1])


@pytest.mark.parametrize(
    "body", [b"", b"x", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a/>", b"<a>" + b"x" * 70_000 + b"</a>"]
)
def test_what_is_not_from_wecom(body: bytes):
    with pytest.raises(InputError, match="不是企业微信的 XML"):
        WECOM.receive("x", "1", "2", body)


def signed(body: bytes, at: float, secret: str = "s") -> dict[str, str]:
    stamp = str(int(at))
    wanted = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {webhook.TIMESTAMP: stamp, webhook.SIGNATURE: wanted}


def test_the_webhook():
    body = json.dumps({"id": "1", "customer": "甲", "text": "在吗"}).encode()
    now = 1_764_230_400.0
    got = webhook.receive("s", signed(body, now), body, lambda: now)
    assert got == Incoming(customer="甲", text="在吗", key="1")
    for headers in (
        {},
        signed(body, now - 301),
        signed(body, now, "another"),
        {**signed(body, now), webhook.TIMESTAMP: "nan"},
        {**signed(body, now), webhook.TIMESTAMP: str(int(now) + 1)},
    ):
        with pytest.raises(SignatureError):
            webhook.receive("s", headers, body, lambda: now)
    for bad in (b"x", b"{}", b'{"id": 1, "customer": "a", "text": "b"}', b"[]"):
        with pytest.raises(InputError):
            webhook.receive("s", signed(bad, now), bad, lambda: now)


def event(**changed: object) -> dict[str, object]:
    return {
        "event": "message_created",
        "id": 11,
        "content": "在吗",
        "message_type": "incoming",
        "private": False,
        "conversation": {"id": 3, "status": "pending"},
        **changed,
    }


def test_chatwoots_events():
    assert chatwoot.receive(event()) == Incoming(customer="3", text="在吗", key="11")
    for other in (
        event(message_type="outgoing"),
        event(private=True),
        event(content=None),
        event(conversation={"id": 3, "status": "open"}),
        event(event="conversation_created"),
        {},
    ):
        assert chatwoot.receive(other) is None
    changed = {"event": "conversation_status_changed", "id": 3, "status": "pending"}
    assert chatwoot.receive(changed) == GivenBack(customer="3")


def test_answers_to_chatwoot():
    seen: list[tuple[str, str, dict]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        token = request.headers["api_access_token"]
        seen.append((request.url.path, token, json.loads(request.content)))
        return httpx.Response(200, json={})

    client = httpx.Client(transport=httpx.MockTransport(answer))
    there = chatwoot.Chatwoot("https://chat.example", 1, "t", client)
    there.answer("3", "您好")
    there.hand_over("3")
    root = "/api/v1/accounts/1/conversations/3"
    assert seen == [
        (f"{root}/messages", "t", {"content": "您好", "message_type": "outgoing"}),
        (f"{root}/toggle_status", "t", {"status": "open"}),
    ]


CASE = Case(
    chat="c",
    customer="客甲",
    state="queued",
    reason="投诉",
    assignee="",
    waiting_s=0.0,
    last="快来",
)


def test_alerts_are_signed_as_the_vendors_say():
    # by the formula of each vendor's page, written out once more here
    key = b"1599360473\ndemo"
    wanted = base64.b64encode(hmac.new(key, digestmod=hashlib.sha256).digest()).decode()
    assert alerts.feishu_sign("demo", "1599360473") == wanted
    wanted = base64.b64encode(
        hmac.new(b"SECdemo", b"1577262236757\nSECdemo", digestmod=hashlib.sha256).digest()
    ).decode()
    assert alerts.dingtalk_sign("SECdemo", "1577262236757") == wanted


def test_an_alert_is_sent_and_its_failure_disturbs_nobody():
    sent: list[tuple[str, dict]] = []
    robot = "https://open.feishu.cn/open-apis/bot/v2/hook/x"
    alerts.alert_to("feishu", robot, "s", lambda url, **more: sent.append((url, more["json"])))(
        "店", CASE
    )
    assert sent[0][0] == robot and "客甲 在等人工（投诉）" in sent[0][1]["content"]["text"]

    def away(*_: object, **__: object) -> None:
        raise httpx.ConnectError("away")

    alerts.alert_to("dingtalk", "https://oapi.dingtalk.com/robot/send?access_token=x", "", away)(
        "店", CASE
    )


@pytest.mark.parametrize(
    "url",
    [
        "http://open.feishu.cn/x",
        "https://169.254.169.254/x",
        "https://open.feishu.cn.evil.example/x",
        "",
    ],
)
def test_an_alert_goes_to_a_robot_only(url: str):
    with pytest.raises(InputError, match="不是 feishu 机器人的地址"):
        alerts.alert_to("feishu", url)

"""When people are there, what the assistant is called, orders out of the shop's own system, people's words to WeCom."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from custome.apps.service.catalogue import Profile, Shop
from custome.apps.service.channels.wecom_sender import WeComSender
from custome.apps.service.desk import Desk
from custome.apps.service.hours import is_open, read_hours
from custome.apps.service.importing import read_shop
from custome.apps.service.looking_up import order_lookup
from custome.apps.service.shelves import Catalogues
from custome.cli.service import service_import
from custome.conversations.store import Store, open_store
from custome.errors import DataError, EngineError, InputError

FRIDAY_NOON, FRIDAY_NIGHT = datetime(2026, 11, 27, 12), datetime(2026, 11, 27, 22, 30)
SUNDAY, MONDAY_EARLY = datetime(2026, 11, 29, 12), datetime(2026, 11, 30, 1, 30)


@pytest.mark.parametrize(
    ("hours", "open_at"),
    [
        ("", (FRIDAY_NOON, FRIDAY_NIGHT, SUNDAY, MONDAY_EARLY)),
        ("周一至周五 9:00-18:00", (FRIDAY_NOON,)),
        ("周一到五 9：00－18：00；周日 10:00-13:00", (FRIDAY_NOON, SUNDAY)),
        ("每天 20:00-2:00", (FRIDAY_NIGHT, MONDAY_EARLY)),
        ("星期六至星期一 0:00-24:00", (SUNDAY, MONDAY_EARLY)),
    ],
)
def test_hours(hours: str, open_at: tuple[datetime, ...]):
    every = (FRIDAY_NOON, FRIDAY_NIGHT, SUNDAY, MONDAY_EARLY)
    assert tuple(at for at in every if is_open(read_hours(hours), at)) == open_at


@pytest.mark.parametrize(
    "hours", ["上班时间", "周八 9:00-18:00", "周一 9:00-25:00", "周一 9:00-9:00"]
)
def test_what_is_no_time(hours: str):
    with pytest.raises(ValueError, match=hours[:2]):
        read_hours(hours)


def folder_of(path: Path, **files: Any) -> Path:
    path.mkdir()
    (path / "faq.jsonl").write_text('{"问": "几点关门？", "答": "九点。"}', encoding="utf-8")
    for name, content in files.items():
        (path / f"{name}.json").write_text(
            json.dumps(content, ensure_ascii=False), encoding="utf-8"
        )
    return path


def test_the_settings_of_a_shop(tmp_path: Path):
    about = {"assistant": "小渡", "greeting": "来啦！", "hours": "周一至周五 9:00-18:00"}
    assert read_shop(folder_of(tmp_path / "a", shop=about)).profile == Profile(**about)
    for number, (wrong, why) in enumerate(
        [
            ({"hours": "随时"}, "时间 '随时' 应写成"),
            ({"opening": "x"}, "读不懂"),
            ({"hours": 9}, "hours 应是文字"),
            ([], "读不懂"),
        ]
    ):
        with pytest.raises(DataError, match=why):
            read_shop(folder_of(tmp_path / str(number), shop=wrong))


def test_the_assistant_by_its_card(tmp_path: Path, own_home: Path):
    card = {"spec": "chara_card_v2", "spec_version": "2.0", "data": {"name": "小渡", "first_mes": "{{user}}来啦，我是{{char}}。"}}  # fmt: skip
    assert service_import(["渡口", str(folder_of(tmp_path / "店", card=card))]) == 0
    store = open_store("")
    desk = Desk("渡口", store, Catalogues(store))
    chat = desk.begin("甲")
    assert desk.profile().assistant == "小渡"
    assert desk.say(chat, "甲", "你好").text == "您来啦，我是小渡。"
    assert desk.say(chat, "甲", "你是机器人吗").text.startswith(
        "我是小渡，渡口的自动助手，不是真人"
    )
    store.close()


@pytest.fixture
def desk_at(tmp_path: Path) -> Callable[..., Desk]:
    """A desk at a moment."""

    def make(now: datetime, **more: Any) -> Desk:
        store = Store(tmp_path / "chats.db")
        catalogues = Catalogues(store)
        catalogues.keep(Shop(name="渡口", profile=Profile(hours="周一至周五 9:00-18:00")))
        return Desk("渡口", store, catalogues, now=lambda: now, **more)

    return make


def test_whoever_calls_a_person_at_night_is_told(desk_at: Callable[..., Desk]):
    day, night = desk_at(FRIDAY_NOON), desk_at(FRIDAY_NIGHT)
    assert "没有人在线" not in day.say(day.begin("甲"), "甲", "转人工").text
    chat = night.begin("甲")
    said = night.say(chat, "甲", "转人工")
    assert said.state == "queued" and "周一至周五 9:00-18:00" in said.text


def test_a_shop_of_the_last_release_has_no_profile(tmp_path: Path):
    store = Store(tmp_path / "chats.db")
    catalogues = Catalogues(store)
    catalogues.keep(Shop(name="渡口"))
    things = store.things("service", "catalogue")
    kept = things.get("shop:渡口", "catalogue")
    assert kept is not None
    bare = {key: value for key, value in kept.content.items() if key != "profile"}
    things.keep("shop:渡口", replace(kept, content=bare))
    assert Catalogues(store).get("渡口").profile == Profile()


ORDER = {"number": "QC7654321", "tail": "13800000417", "status": "运输中", "carrier": "顺风"}


def lookup(answer: Callable[[httpx.Request], httpx.Response]) -> Callable[[str], Any]:
    client = httpx.Client(transport=httpx.MockTransport(answer))
    return order_lookup("https://shop.example/orders", "s", client)


def test_an_order_out_of_the_shops_own_system(desk_at: Callable[..., Desk]):
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        wanted = json.loads(request.content)["number"]
        return httpx.Response(200, json=ORDER) if wanted == "QC7654321" else httpx.Response(404)

    desk = desk_at(FRIDAY_NOON, find_order=lookup(answer))
    chat = desk.begin("甲")
    assert "尾号" in desk.say(chat, "甲", "查订单QC7654321").text
    assert "不符" in desk.say(chat, "甲", "尾号0418").text
    assert desk.say(chat, "甲", "尾号0417").text.startswith("订单 QC7654321：运输中")
    assert "不符" in desk.say(chat, "甲", "查订单QC1111111，尾号0417").text
    stamp = seen[0].headers["x-custome-timestamp"]
    wanted = hmac.new(b"s", stamp.encode() + b"." + seen[0].content, hashlib.sha256).hexdigest()
    assert seen[0].headers["x-custome-signature"] == wanted


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500),
        httpx.Response(302, headers={"location": "http://169.254.169.254/"}),
        httpx.Response(200, text="x"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json=ORDER | {"number": "QC0000001"}),
        httpx.Response(200, json=ORDER | {"tail": "无"}),
        httpx.Response(200, content=b"1" * 70_000),
    ],
)
def test_a_system_that_does_not_answer_calls_a_person(
    answer: httpx.Response, desk_at: Callable[..., Desk]
):
    find = lookup(lambda _: answer)
    with pytest.raises(EngineError, match="订单系统没有回应"):
        find("QC7654321")
    desk = desk_at(FRIDAY_NOON, find_order=find)
    said = desk.say(desk.begin("甲"), "甲", "查订单QC7654321，尾号0417")
    assert said.state == "queued" and "订单系统没有回应" in said.text and "运输中" not in said.text


def test_people_answer_in_wecom():
    asked: list[tuple[str, dict[str, Any]]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append((request.url.path, json.loads(request.content or b"{}")))
        if request.url.path.endswith("gettoken"):
            assert dict(request.url.params) == {"corpid": "ww1", "corpsecret": "s"}
            return httpx.Response(200, json={"errcode": 0, "access_token": f"t{len(asked)}", "expires_in": 7200})  # fmt: skip
        stale = request.url.params["access_token"] == "t1" and len(asked) > 2
        return httpx.Response(200, json={"errcode": 42001 if stale else 0, "errmsg": "stale"})

    sender = WeComSender("ww1", "s", 7, httpx.Client(transport=httpx.MockTransport(answer)))
    sender.answer("甲", "您好")
    sender.answer("甲", "在的")  # the token ended early: asked for anew, said once more
    paths = [path.rsplit("/", 1)[1] for path, _ in asked]
    assert paths == ["gettoken", "send", "send", "gettoken", "send"]
    assert asked[-1][1] == {
        "touser": "甲",
        "msgtype": "text",
        "agentid": 7,
        "text": {"content": "在的"},
    }


def test_wecom_says_why_not():
    answers = httpx.MockTransport(
        lambda _: httpx.Response(200, json={"errcode": 40001, "errmsg": "invalid credential"})
    )
    with pytest.raises(InputError, match="不给凭证：invalid credential"):
        WeComSender("ww1", "s", 7, httpx.Client(transport=answers)).answer("甲", "您好")

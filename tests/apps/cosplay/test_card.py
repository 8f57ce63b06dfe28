"""Cards of SillyTavern's specification, versions 1 to 3: ours read by a reader that follows the specification, theirs by us."""

from __future__ import annotations

import base64
import json
import struct
import zlib

import pytest

from custome.apps.cosplay.card import Card, dump_card, filled, read_card, write_json, write_png
from custome.apps.cosplay.lorebook import Entry, Lorebook
from custome.errors import DataError, InputError
from custome.webui.seal import seal_png, thumbnail

BOOK = Lorebook(
    name="东门志",
    entries=(
        Entry(keys=("客栈", "东门"), content="客栈在东门外。", name="客栈（第3回）", chapter=3),
        Entry(
            keys=("/掌柜.*/",),
            content="x",
            use_regex=True,
            secondary_keys=("账",),
            selective=True,
            constant=False,
            enabled=False,
        ),
    ),
)
CARD = Card(
    name="王掌柜",
    description="{{char}}开客栈。",
    personality="精明",
    scenario="东门外",
    greeting="客官里面请！",
    cue="掌柜",
    examples="<START>\n{{user}}: 有房么\n{{char}}: 有",
    system="s",
    reminder="r",
    aliases=("老王",),
    novel="x",
    book=BOOK,
    rest={
        "tags": ["甲"],
        "creator": "某",
        "extensions": {"别家": {"a": 1}},
        "alternate_greetings": ["来了？"],
    },
)


def chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """A reader that follows the PNG specification and nothing of ours."""
    found, at = [], 8
    while at < len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        kind, body, check = (
            data[at + 4 : at + 8],
            data[at + 8 : at + 8 + size],
            data[at + 8 + size : at + 12 + size],
        )
        assert struct.pack(">I", zlib.crc32(kind + body)) == check
        found.append((kind, body))
        at += 12 + size
    return found


def test_an_independent_reader_finds_v2_and_v3_in_our_picture():
    found = chunks(write_png(CARD, seal_png("王掌柜")))
    assert found[0][0] == b"IHDR" and found[-1][0] == b"IEND"
    texts = dict(body.split(b"\0", 1) for kind, body in found if kind == b"tEXt")
    v2, v3 = (
        json.loads(base64.b64decode(texts[name], validate=True)) for name in (b"chara", b"ccv3")
    )
    assert (v2["spec"], v2["spec_version"]) == ("chara_card_v2", "2.0") and (
        v3["spec"],
        v3["spec_version"],
    ) == (
        "chara_card_v3",
        "3.0",
    )
    required = {
        "name": str,
        "description": str,
        "personality": str,
        "scenario": str,
        "first_mes": str,
        "mes_example": str,
        "creator_notes": str,
        "system_prompt": str,
        "post_history_instructions": str,
        "alternate_greetings": list,
        "tags": list,
        "creator": str,
        "character_version": str,
        "extensions": dict,
    }
    for card in (v2, v3):
        assert {key: type(card["data"][key]) for key in required} == required
        book = card["data"]["character_book"]
        assert type(book["extensions"]) is dict and len(book["entries"]) == 2
        for entry in book["entries"]:
            assert (
                type(entry["keys"]) is list
                and type(entry["content"]) is str
                and type(entry["extensions"]) is dict
            )
            assert type(entry["enabled"]) is bool and type(entry["insertion_order"]) is int
        assert all(type(entry["use_regex"]) is bool for entry in book["entries"])
    assert (
        type(v3["data"]["group_only_greetings"]) is list
        and "group_only_greetings" not in v2["data"]
    )


@pytest.mark.parametrize("version", [2, 3])
def test_out_and_in_again_nothing_is_lost(version: int):
    back = read_card(write_json(CARD, version), "x.json")
    assert dump_card(back) == dump_card(CARD)
    assert back.book is not None and back.book.entries[0].chapter == 3 and back.aliases == ("老王",)
    assert dump_card(read_card(write_png(CARD, seal_png("x")), "x.png")) == dump_card(CARD)
    again = write_png(
        read_card(write_png(CARD, seal_png("x")), "x.png"), write_png(CARD, seal_png("x"))
    )
    assert again.count(b"ccv3\0") == 1  # the old card makes room


V1 = {
    "name": "店小二",
    "description": "跑堂的",
    "personality": "",
    "scenario": "",
    "first_mes": "来了！",
    "mes_example": "",
}
V2 = {
    "spec": "chara_card_v2",
    "spec_version": "2.0",
    "data": {
        **V1,
        "character_book": {
            "entries": [
                {
                    "keys": ["酒"],
                    "content": "三碗不过冈",
                    "extensions": {},
                    "enabled": True,
                    "insertion_order": 1,
                }
            ]
        },
        "extensions": {"depth_prompt": {"depth": 4}},
    },
}
V3 = {
    "spec": "chara_card_v3",
    "spec_version": "3.0",
    "data": {
        **V1,
        "name": "酒保",
        "assets": [{"type": "icon", "uri": "ccdefault:"}],
        "group_only_greetings": ["诸位"],
        "nickname": "小二",
        "creation_date": 1,
    },
}


@pytest.mark.parametrize(("raw", "name"), [(V1, "店小二"), (V2, "店小二"), (V3, "酒保")])
def test_cards_made_by_others_come_in_with_all_they_say(raw: dict, name: str):
    card = read_card(json.dumps(raw).encode(), "别人的.json")
    assert card.name == name and card.greeting == "来了！" and card.description == "跑堂的"
    data = dump_card(card, 3)["data"]
    for key, value in (raw.get("data") or raw).items():
        if key not in ("extensions", "character_book"):
            assert data[key] == value
    if raw is V2:
        assert (
            card.book is not None
            and card.book.entries[0].keys == ("酒",)
            and data["extensions"]["depth_prompt"] == {"depth": 4}
        )
    chunk = b"tEXtchara\0" + base64.b64encode(json.dumps(raw).encode())
    picture = seal_png("x")
    packed = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    assert read_card(picture[:33] + packed + picture[33:], "别人的.png") == card


@pytest.mark.parametrize(
    "wild", [[], "x", 3, None, {"custome": "x"}, {"custome": {"aliases": "x", "cue": 3}}]
)
def test_wild_extensions_are_no_trouble(wild):
    raw = {
        "name": "a",
        "extensions": wild,
        "character_book": {"entries": [{"keys": ["x"], "content": "y", "extensions": wild}]},
    }
    card = read_card(json.dumps(raw).encode(), "x.json")
    assert card.aliases == () and dump_card(read_card(write_json(card), "x")) == dump_card(card)


def zipped(text: bytes) -> bytes:
    chunk = b"zTXtchara\0\0" + zlib.compress(text)
    return struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))


PICTURE = seal_png("x")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (PICTURE, "里面没有人物卡"),
        (PICTURE[:100], "不完整|损坏"),
        (PICTURE[:60] + b"\0\0" + PICTURE[62:], "损坏"),
        (PICTURE[:33] + zipped(b"0" * 50_000_000) + PICTURE[33:], "MB"),
        (b"GIF89a", "不是人物卡"),
        (b"", "不是人物卡"),
        (b"[" * 200_000, "不是人物卡"),
        (b"[1]", "没有名字"),
        (b'{"name": 3}', "没有名字"),
        (
            json.dumps({"name": "a", "description": "长" * 3_400_000}, ensure_ascii=False).encode(),
            "description 有 3,400,000 字",
        ),
        (json.dumps({"name": "a", "description": ["x"]}).encode(), "description 应是文字"),
        (json.dumps({"name": "a", "character_book": {"entries": 3}}).encode(), "没有 entries"),
        (
            json.dumps({"name": "a", "character_book": {"entries": [{"keys": 3}]}}).encode(),
            "第 1 条",
        ),
        (b"x" * 16_000_001, "超过 16 MB"),
    ],
)
def test_what_is_no_card_is_said(data: bytes, why: str):
    with pytest.raises((InputError, DataError), match=why) as caught:
        read_card(data, "坏的.png")
    assert "坏的.png" in caught.value.message and caught.value.hint


def test_braces_and_html_are_text():
    wild = "{{char}} {{user}} {{roll:d20}} {% for x in y %} ${x} <script>alert(1)</script>"
    assert (
        filled(wild, Card(name="甲"), "乙")
        == "甲 乙 {{roll:d20}} {% for x in y %} ${x} <script>alert(1)</script>"
    )


def test_a_thumbnail_is_small_and_of_pictures_only():
    assert (
        thumbnail(seal_png("曹操", 1024)).startswith("data:image/png;base64,")
        and len(thumbnail(seal_png("曹操", 1024))) < 20_000
    )
    assert thumbnail(b"{}") == "" and thumbnail(PICTURE[:80]) == ""

"""Character cards: SillyTavern's V1, V2 and V3 in JSON or inside a PNG, in and out.

Everything in a card is text to be shown; nothing of it is run. V2: github.com/malfoyslastname/character-card-spec-v2, V3:
github.com/kwaroran/character-card-spec-v3. What we do not know is kept for the way out.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...errors import DataError, InputError
from ...types import Character
from . import png
from .lorebook import Lorebook, dump_book, read_book

LONGEST_TEXT = 20_000
"""Characters of one field of a card."""
LARGEST_FILE = 16_000_000
_FIELDS = {
    "description": "description",
    "personality": "personality",
    "scenario": "scenario",
    "first_mes": "greeting",
    "mes_example": "examples",
    "system_prompt": "system",
    "post_history_instructions": "reminder",
}
"""Field of the specification → field of a Card."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """Somebody to play."""

    name: str
    description: str = ""
    """Who they are: the persona."""
    personality: str = ""
    scenario: str = ""
    greeting: str = ""
    """What they say first."""
    examples: str = ""
    """Lines of theirs, `<START>` between conversations."""
    system: str = ""
    reminder: str = ""
    """Said to the model behind the conversation."""
    cue: str = ""
    """What the book calls them before 曰 or 道."""
    aliases: tuple[str, ...] = ()
    novel: str = ""
    """The book they are from, as its corpus calls it."""
    book: Lorebook | None = None
    rest: Mapping[str, Any] = field(default_factory=dict)
    """The other fields of the specification."""

    @property
    def greetings(self) -> tuple[str, ...]:
        """What they may say first, the usual words in front."""
        others = self.rest.get("alternate_greetings")
        every = [self.greeting, *(others if isinstance(others, list) else [])]
        return tuple(words for words in every if isinstance(words, str) and words.strip())


def read_card(data: bytes, where: str) -> Card:
    """A card from the content of a .json or .png file.

    Raises:
        InputError: neither, a picture without a card, or too large.
        DataError: JSON of another shape; the field is named.
    """
    if len(data) > LARGEST_FILE:
        raise InputError(
            f"{where!r} 有 {len(data) / 1e6:.0f} MB，超过 {LARGEST_FILE // 1_000_000} MB",
            "人物卡一般不到 1 MB；换一张",
        )
    if data.startswith(png.SIGNATURE):
        texts = png.read_texts(data, where)
        packed = texts.get("ccv3") or texts.get("chara")
        if packed is None:
            raise InputError(
                f"{where!r} 是图片，里面没有人物卡",
                "要带 chara 或 ccv3 的 PNG，从 SillyTavern 一类的软件导出",
            )
        try:
            data = base64.b64decode(packed, validate=False)
        except (binascii.Error, ValueError) as error:
            raise DataError(
                f"{where}: 图片里的人物卡不是 base64：{error}", "重新导出这张卡"
            ) from error
    try:
        raw = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:  # also numbers of thousands of digits
        raise InputError(f"{where!r} 不是人物卡：{error}", "人物卡是 .png 或 .json 文件") from error
    return card_from(raw, where)


def card_from(raw: Any, where: str) -> Card:
    """A card from its JSON value."""
    data = raw.get("data", raw) if isinstance(raw, dict) else None
    if (
        not isinstance(data, dict)
        or not isinstance(data.get("name"), str)
        or not data["name"].strip()
    ):
        raise DataError(
            f"{where}: 没有名字（name），不是人物卡", '至少要有 {"name": …, "description": …}'
        )
    texts = {}
    for theirs, ours in _FIELDS.items():
        value = data.get(theirs) or ""
        if not isinstance(value, str):
            raise DataError(
                f"{where}: {theirs} 应是文字，这里是 {type(value).__name__}", "改正后再导入"
            )
        if len(value) > LONGEST_TEXT:
            raise DataError(
                f"{where}: {theirs} 有 {len(value):,} 字，最多 {LONGEST_TEXT:,}",
                "删短后再导入；长的资料放进世界书",
            )
        texts[ours] = value
    extensions = _object(data.get("extensions"))
    own = _object(extensions.get("custome"))
    aliases = own.get("aliases")
    book = read_book(data["character_book"], where) if data.get("character_book") else None
    known = {"name", "character_book", *_FIELDS}
    return Card(
        name=data["name"].strip()[:80],
        **texts,
        cue=str(own.get("cue") or ""),
        novel=str(own.get("novel") or ""),
        aliases=tuple(str(name) for name in aliases) if isinstance(aliases, list) else (),
        book=book,
        rest={
            **{key: value for key, value in data.items() if key not in known},
            "extensions": extensions,
        },
    )


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def dump_card(card: Card, version: int = 3) -> dict[str, Any]:
    """As JSON of the specification, version 2 or 3."""
    extensions = dict(card.rest.get("extensions") or {})
    extensions["custome"] = {"cue": card.cue, "aliases": list(card.aliases), "novel": card.novel}
    data = {
        "creator": "",
        "creator_notes": "",
        "character_version": "",
        "tags": [],
        "alternate_greetings": [],
        **card.rest,
        "name": card.name,
        **{theirs: getattr(card, ours) for theirs, ours in _FIELDS.items()},
        "extensions": extensions,
    }
    if card.book is not None:
        data["character_book"] = dump_book(card.book)
    if version == 3:
        data.setdefault("group_only_greetings", [])
        return {"spec": "chara_card_v3", "spec_version": "3.0", "data": data}
    for only_v3 in (
        "group_only_greetings",
        "assets",
        "nickname",
        "creator_notes_multilingual",
        "source",
        "creation_date",
        "modification_date",
    ):
        data.pop(only_v3, None)
    return {"spec": "chara_card_v2", "spec_version": "2.0", "data": data}


def write_json(card: Card, version: int = 3) -> bytes:
    return json.dumps(dump_card(card, version), ensure_ascii=False, indent=1).encode()


def write_png(card: Card, picture: bytes, where: str = "头像") -> bytes:
    """The card inside a PNG, as V2 and V3 both, so that every reader finds one it knows."""

    def packed(version: int) -> bytes:
        return base64.b64encode(json.dumps(dump_card(card, version), ensure_ascii=False).encode())

    return png.with_texts(picture, {"chara": packed(2), "ccv3": packed(3)}, where)


def filled(text: str, card: Card, user: str) -> str:
    """With {{char}} and {{user}} replaced; any other braces are text."""
    for braces, name in (
        ("{{char}}", card.name),
        ("{{user}}", user),
        ("<BOT>", card.name),
        ("<USER>", user),
    ):
        text = (
            text.replace(braces, name).replace(braces.upper(), name)
            if braces.startswith("{")
            else text.replace(braces, name)
        )
    return text


def cue_of(person: Character, kind: str) -> str:
    """What to call a character: a novel needs the words the book uses before 曰, an instruct model the name."""
    return person.name if kind == "template" else person.cue

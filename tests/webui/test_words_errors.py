"""What the rooms below complain of, said in English on an English page."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import custome
from custome.conversations.store import Store
from custome.errors import CustomeError, InputError, StoreError
from custome.webui.words import Words
from simulated_tab import Tab

ROOT = Path(custome.__file__).parent
ROOMS = ("conversations", "apps", "engine", "retrieval", "webui", "files.py", "report/books.py")
"""What a page calls: their errors reach it."""
NOT_ON_A_PAGE = {
    "engine/open.py",
    "engine/open_local.py",
    "apps/knowledge/measuring.py",
    "apps/service/importing.py",
    "apps/service/measuring.py",
    *(f"apps/service/channels/{one}.py" for one in ("alerts", "incoming", "webhook", "wecom")),
}
LISTED = json.loads((ROOT / "webui" / "english_errors.json").read_text(encoding="utf-8"))


def template(node: ast.expr) -> str:
    """A message with {} where a value stands; '' for what is no text."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        parts = (one.value if isinstance(one, ast.Constant) else "{}" for one in node.values)
        return "".join(str(part) for part in parts)
    return ""


def messages(path: Path) -> Iterator[str]:
    """Every Chinese message an error is raised with."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if not re.fullmatch(r"[A-Z]\w*Error", name):
            continue
        for given in [*node.args, *(one.value for one in node.keywords)]:
            choices = [given.body, given.orelse] if isinstance(given, ast.IfExp) else [given]
            yield from filter(re.compile("[一-鿿]").search, map(template, choices))


def raised() -> set[str]:
    found: set[str] = set()
    for room in ROOMS:
        place = ROOT / room
        for path in [place] if place.is_file() else sorted(place.rglob("*.py")):
            if path.relative_to(ROOT).as_posix() not in NOT_ON_A_PAGE:
                found |= set(messages(path))
    return found


def test_every_message_has_its_english_and_no_english_is_left_over():
    assert raised() == set(LISTED)


@pytest.mark.parametrize("chinese", LISTED)
def test_a_message_is_said_in_english_with_its_values(chinese: str):
    slots = chinese.count("{}")
    values = [f"v{place}" for place in range(slots)]
    english = Words(english=True).told(_filled(chinese, values))
    assert not re.search("[一-鿿]", english)
    assert english == _filled(LISTED[chinese], values)


def _filled(message: str, values: list[str]) -> str:
    first, *rest = message.split("{}")
    assert len(rest) == len(values), message
    return first + "".join(value + part for value, part in zip(values, rest, strict=True))


def test_a_chinese_page_says_it_as_it_is():
    error = InputError("没有人叫 “甲”", "先选人物")
    assert Words().error(error) == "没有人叫 “甲”。先选人物"
    assert Words(english=True).error(error) == "Nobody is called “甲”. Choose somebody first"


def test_what_has_no_english_stays_readable():
    assert Words(english=True).error(CustomeError("一句没有见过的话")) == "一句没有见过的话"


@pytest.mark.anyio
async def test_an_english_page_complains_in_english(site, monkeypatch: pytest.MonkeyPatch):
    tab = await Tab(site.new_user(), site).open("/en")
    await tab.say("一" * 20_001)
    assert tab.sees("At most")

    def full(*_: object, **__: object) -> int:
        raise StoreError("对话存不进 chats.db：disk full", "检查磁盘和权限；完整经过：加 --debug")

    monkeypatch.setattr(Store, "say", full)
    await tab.say("一")
    assert tab.sees("Conversations cannot be written to chats.db: disk full. Check the disk")

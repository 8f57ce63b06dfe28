"""Every word of the pages has its English, and English pages show no Chinese of ours."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest
from nicegui.testing import User

import custome.webui
from custome.webui import (
    adventure_editor,
    novel_brief,
    novel_chapter,
    novel_page,
    people_page,
    service_page,
    shell,
    training_page,
    workshop_page,
)
from simulated_tab import PEOPLE, Tab

ROOM = Path(custome.webui.__file__).parent
ENGLISH = json.loads((ROOM / "english.json").read_text(encoding="utf-8"))


def _is_words(function: ast.expr) -> bool:
    name = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
    return name in ("t", "_t", "words")


def used() -> set[str]:
    found = {
        "对话",
        "人物",
        "训练",
        "书与模型",
        "知识库",
        "客服",
        *workshop_page.FORMATS.values(),
        *shell.SCRIPT_WORDS.values(),
        *shell.FACES.values(),
        *people_page.REST.values(),
        *service_page.STATES.values(),
        *novel_page.TABS,
        *adventure_editor.labels(),
        *novel_chapter.STALE.values(),
        *(words for some in novel_brief.CHOICES.values() for words in some.values()),
        "小说",
    }
    for kind in (novel_brief.PEOPLE, novel_brief.SECRETS, novel_brief.PROMISES):
        found |= {kind.name, kind.add, *kind.fields.values()}
    found |= {label for label, _ in people_page.LINES.values()}
    found |= set(training_page._STATUS.values())
    for title, axis, names, _ in training_page._PLOTS:
        found |= {title, axis, *names.values()}
    for path in ROOM.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _is_words(node.func) and node.args:
                first = node.args[0]
                found |= {first.value} if isinstance(first, ast.Constant) else set()
    for path in (ROOM.parent / "report" / "templates").glob("*.html"):
        found |= set(re.findall(r't\("([^"]+)"\)', path.read_text(encoding="utf-8")))
    return found


def test_every_word_has_its_english_and_no_english_is_left_over():
    assert used() == set(ENGLISH)


def test_the_english_has_the_same_slots_and_no_chinese():
    slots = re.compile(r"\{\w+\}")
    for chinese, english in ENGLISH.items():
        assert sorted(slots.findall(chinese)) == sorted(slots.findall(english)), chinese
        assert not re.search(r"[一-鿿]", english.replace("曹操曰：", "")), chinese


def shown(user: User) -> list[str]:
    """Every word on a page: texts, labels, tooltips, placeholders, what a screen reader is told."""
    said = []
    for one in user.client.elements.values():
        props = ("label", "placeholder", "aria-label", "text")
        said += [str(one.props.get(name) or "") for name in props] + [
            getattr(one, "text", "") or ""
        ]
    return [text for text in said if text]


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["/en", "/en/people", "/en/workshop"])
async def test_an_english_page_is_english(site, path: str):
    user = Tab(site.new_user(), site).user
    await user.open(path)
    words = shown(user)
    assert len(words) > 15, words
    names = "|".join([*(person.name for person in PEOPLE), "中文", "客", "、"])
    chinese = [text for text in words if re.search(r"[一-鿿]", re.sub(names, "", text))]
    starters = [one.text for one in user.client.elements.values() if "starter" in one._markers]
    assert [text for text in chinese if text not in starters] == []

"""Every code block of the documents does what it says.

What happens to a line of shell is decided by the program it calls, and for `custome` by the command: those of RUN really run on
a tiny book and a tiny model, with fewer steps than the line asks for; the others are parsed by their own flags. The files that a
line names (三国演义.txt, runs/sanguo …) are made to exist before it. Python and curl talk to a server.
"""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest
import yaml

from custome import recipe_file
from custome.apps.adventure.problems import checked
from custome.apps.adventure.scenario import parse_scenario
from custome.corpus.formats import read_samples
from desk import Desk
from documents import (
    PAGES,
    PROGRAMS,
    REPOSITORY,
    blocks,
    inline_commands,
    said_by_the_program,
)

BLOCKS = [block for page in PAGES for block in blocks(page)]
LANGUAGES = ("bash", "python", "json", "yaml", "text")


def of(language: str) -> pytest.MarkDecorator:
    """Once for each block of a language."""
    chosen = [block for block in BLOCKS if block.language == language]
    return pytest.mark.parametrize("block", chosen, ids=lambda block: block.place)


def test_every_block_says_what_it_is():
    """One that is nothing of these is checked by nothing here."""
    assert [block.place for block in BLOCKS if block.language not in LANGUAGES] == []
    hidden = [
        block.place
        for block in BLOCKS
        if block.language == "text"
        and any(line.split(" ")[0] in PROGRAMS for line in block.text.split("\n"))
    ]
    assert not hidden, "commands in a block of text"


@of("bash")
def test_commands(block, desk: Desk):
    assert block.commands, block.place
    for command in block.commands:
        desk.type(command)


@of("python")
def test_programs(block, desk: Desk, capsys: pytest.CaptureFixture[str]):
    exec(compile(desk.here(block.text), block.place, "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out.strip(), f"{block.place} prints nothing"


@of("json")
def test_data(block, tmp_path: Path):
    parsed = [json.loads(line) for line in block.text.split("\n")]
    if all("context" in row for row in parsed):
        (tmp_path / "rows.jsonl").write_text(block.text, encoding="utf-8")
        assert read_samples(tmp_path / "rows.jsonl")


@of("yaml")
def test_recipes_and_scenarios(block, tmp_path: Path):
    """The only YAML that the documents speak of."""
    if "编号" in yaml.safe_load(block.text):
        checked(*parse_scenario(block.text))
        return
    (tmp_path / "recipe.yaml").write_text(block.text, encoding="utf-8")
    recipe_file.load_recipe(tmp_path / "recipe.yaml").resolved().check()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_sentences(page: Path, desk: Desk):
    """They have placeholders, and are parsed: `look_at` fails with the line of one that its program would refuse."""
    commands = inline_commands(page)
    for command in commands:
        desk.look_at(command)
    assert commands or page.name in ("design.md", "prompts.md"), "has it no command any more?"


def test_the_page_for_trouble_quotes_what_the_program_says():
    """Each … stands for something in between."""
    page = REPOSITORY / "docs" / "troubleshooting.md"
    quotes, texts = said_by_the_program(page), program_texts()
    quoted = re.findall(r"^> (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert [line for line in quoted if line[1:-1] not in quotes] == []
    patterns = {one: ".*".join(map(re.escape, one.split("…"))) for one in quotes}
    unsaid = [
        one for one, pattern in patterns.items() if not any(re.search(pattern, t) for t in texts)
    ]
    assert unsaid == []


def program_texts() -> list[str]:
    """Every text in the source, with … where a value is put in."""
    found = []
    for path in (REPOSITORY / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [getattr(part, "value", "") for part in node.values]
                found.append("".join(part if isinstance(part, str) else "…" for part in parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return found


def test_both_readmes_have_the_same_blocks():
    chinese, english = (blocks(REPOSITORY / name) for name in ("README.md", "README_en.md"))
    assert [block.language for block in chinese] == [block.language for block in english]
    for one, other in zip(chinese, english, strict=True):
        assert [line.words for line in one.commands] == [line.words for line in other.commands]

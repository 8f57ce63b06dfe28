"""Documents that cannot go stale."""

from __future__ import annotations

import re
from pathlib import Path

from custome.cli.app import COMMANDS
from custome.cli.reference import reference

REPOSITORY = Path(__file__).parents[2]


def test_the_reference_page_is_current():
    assert (REPOSITORY / "docs" / "reference.md").read_text(encoding="utf-8") == reference() + "\n"


def test_both_readmes_name_the_same_commands():
    chinese, english = (
        (REPOSITORY / name).read_text(encoding="utf-8") for name in ("README.md", "README_en.md")
    )
    commands = re.compile(r"`custome ([a-z]+)|^(?:make|python) (\S+)", re.MULTILINE)
    assert commands.findall(chinese) == commands.findall(english)
    named = set(re.findall(r"custome ([a-z]+(?: [a-z]+)?)", chinese))
    first = {name.split()[0] for name in COMMANDS}
    assert {name.split()[0] for name in named} - first == set()


def test_links_in_documents_lead_somewhere():
    for page in [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} → {target}"

"""Code blocks and commands of the documents, as a reader would type them."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
PAGES = [
    *(REPOSITORY / name for name in ("README.md", "README_en.md")),
    *sorted(page for page in (REPOSITORY / "docs").glob("*.md") if page.name != "log.md"),
]
"""What somebody reads in order to type it; the log says what was typed once."""
PROGRAMS = ("custome", "make", "python", "torchrun", "curl", "pip", "docker", "bash")
"""Programs whose lines are checked; a line of shell that calls another one fails."""
_INLINE = re.compile(rf"`((?:\.venv/bin/)?(?:{'|'.join(PROGRAMS)}) [^`]+)`")

_CODE = re.compile(r"`([^`\n]+)`")
_SAID = re.compile(r"[…（“\u4e00-\u9fff]")


@dataclass(frozen=True, kw_only=True)
class Command:
    """One command line."""

    place: str
    """file:line."""
    words: tuple[str, ...]

    @property
    def open_ended(self) -> bool:
        """Does it leave something to the reader?"""
        return "…" in self.words


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block."""

    place: str
    """file:line of its first line."""
    language: str
    text: str

    @property
    def commands(self) -> list[Command]:
        """Of a block of shell, without comments; a line that ends in a backslash goes on."""
        page, line = self.place.rsplit(":", 1)
        found = []
        for number, typed in enumerate(self.text.split("\n"), int(line)):
            if found and found[-1].words[-1:] == ("\\",):
                last = found.pop()
                found.append(Command(place=last.place, words=(*last.words[:-1], *split(typed))))
            elif words := split(typed):
                found.append(Command(place=f"{page}:{number}", words=words))
        return found


def split(typed: str) -> tuple[str, ...]:
    """The words of a line, as a shell in the virtual environment sees them."""
    goes_on = typed.endswith("\\")
    words = shlex.split(typed.removesuffix("\\"), comments=True)
    if words:
        words[0] = words[0].removeprefix(".venv/bin/")
    return (*words, *["\\"] * goes_on)


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page."""
    found, opened, lines = [], 0, page.read_text(encoding="utf-8").split("\n")
    for number, line in enumerate(lines, 1):
        if not line.startswith("```"):
            continue
        if opened:
            place = f"{page.relative_to(REPOSITORY)}:{opened + 1}"
            text = "\n".join(lines[opened : number - 1])
            found.append(Block(place=place, language=lines[opened - 1][3:], text=text))
        opened = 0 if opened else number
    assert not opened, f"{page}:{opened} is never closed"
    return found


def said_by_the_program(page: Path) -> list[str]:
    """What a page quotes of the program, messages and words of its pages: code in sentences that begins in Chinese or with the
    … for what differs each time."""
    spans = _CODE.findall(page.read_text(encoding="utf-8"))
    return [span for span in spans if _SAID.match(span)]


def inline_commands(page: Path) -> list[Command]:
    """Commands inside sentences and tables."""
    found = []
    for number, line in enumerate(page.read_text(encoding="utf-8").split("\n"), 1):
        place = f"{page.relative_to(REPOSITORY)}:{number}"
        found += [Command(place=place, words=split(typed)) for typed in _INLINE.findall(line)]
    return found

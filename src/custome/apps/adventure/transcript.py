"""A game that was played → a text to read (txt, Markdown, EPUB, docx), or the whole tree of it as Twee 3, which Twine opens.

Twee 3: https://github.com/iftechfoundation/twine-specs/blob/master/twee-3-specification.md
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

from ...errors import InputError
from ...files import atomic_file, disk_errors
from ...report.books import FORMS, Chapter, printable, write_book
from .game import Game
from .telling import rolls_told

TWEE = ".twee"
ENDINGS = (*FORMS, TWEE)
"""What a file of a game may end with."""
PART = 60
"""Turns of one part of the text."""


def write_game(game: Game, path: Path) -> Path:
    """Write it, in the form the file's name says.

    Raises:
        InputError: a form nobody knows, or nothing has been done yet.
    """
    if len(game.turns) == 1:
        raise InputError("这一局还没有走一步", "先玩几步再存成书")
    if path.suffix.lower() == TWEE:
        with disk_errors(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path) as temporary:
            temporary.write_text(as_twee(game), encoding="utf-8")
        return path
    return write_book(path, game.world.scenario.title, lambda: list(chapters(game)))


def chapters(game: Game) -> Iterator[Chapter]:
    """The turns from the beginning to here, some to a part."""
    line = game.line()[1:]
    scenario = game.world.scenario
    parts = [line[at : at + PART] for at in range(0, len(line), PART)] or [[]]
    for number, part in enumerate(parts, 1):
        paragraphs = [scenario.about] if number == 1 and scenario.about else []
        for turn in part:
            paragraphs += [f"▷ {said(game, turn)}", *told(game, turn)]
        title = scenario.title if len(parts) == 1 else f"{scenario.title}（{number}）"
        yield Chapter(title=printable(title), paragraphs=tuple(map(printable, paragraphs)))


def said(game: Game, number: int) -> str:
    """What the player did, in their own words where they typed them."""
    turn = game.turns[number]
    typed = " ".join(turn.said.split())
    return typed if len(typed) > 1 else str(turn.action or typed)


def told(game: Game, number: int) -> list[str]:
    """How the dice fell, and the words of a turn."""
    lines = [rolls_told(game.outcome(number)), *game.turns[number].text.split("\n")]
    return [line.strip() for line in lines if line.strip()]


def as_twee(game: Game) -> str:
    """Every turn of the tree is a passage, everything that was done from there a link."""
    scenario = game.world.scenario
    number = uuid.uuid5(uuid.NAMESPACE_URL, f"{scenario.id} {game.seed} {len(game.turns)}")
    data = {
        "ifid": str(number).upper(),
        "format": "Harlowe",
        "format-version": "3.3.9",
        "start": _passage(0),
    }
    parts = [
        f":: StoryTitle\n{_safe(' '.join(scenario.title.split()))}",
        f":: StoryData\n{json.dumps(data, ensure_ascii=False, indent=2)}",
    ]
    for at in range(len(game.turns)):
        lines = told(game, at) if at else (scenario.about or scenario.title).split("\n")
        lines = [_plain(line) for line in lines]
        lines += [f"[[{_plain(said(game, one))}->{_passage(one)}]]" for one in game.branches(at)]
        parts.append(f":: {_passage(at)}\n" + "\n".join(map(_safe, lines)))
    return "\n\n".join(parts) + "\n"


def _passage(number: int) -> str:
    return f"回合 {number}" if number else "开头"


_MEANS = str.maketrans("[]<>$(){}|", "［］＜＞＄（）｛｝｜")


def _plain(text: str) -> str:
    """With what means something to Twine in its wide form."""
    return text.replace("->", "→").replace("<-", "←").translate(_MEANS)


def _safe(line: str) -> str:
    """A line that no passage begins with."""
    return "\\" + line if line.startswith("::") else line

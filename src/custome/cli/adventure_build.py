"""`custome adventure build|export`: a chapter of a book becomes a game, a game that was played becomes a book."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from tyro.conf import Positional

from ..errors import InputError
from .adventure import chosen
from .flags import parse

if TYPE_CHECKING:
    from ..apps.adventure.finding import Stage
    from ..apps.adventure.scenario import Scenario


@dataclass(frozen=True, kw_only=True)
class AdventureBuild:
    """把小说的一章做成文字冒险：去过的地方、说话的人、东西、题目里的事，都带着原文；认错的划掉再做一次。"""

    novel: Positional[str]
    """小说：txt、epub……，或 embedded（内置的《三国演义》）。"""
    chapter: int = 1
    """第几章（回）。"""
    me: str = ""
    """你是谁，这一章里的一个人；不给就是话最多的那个。"""
    without: tuple[str, ...] = ()
    """划掉哪些认错的地方、人、东西。"""
    output: str = ""
    """写到哪个文件；默认是 adventures/书名-回数.yaml。"""
    again: bool = False
    """盖掉已经有的那个文件。"""


@dataclass(frozen=True, kw_only=True)
class AdventureExport:
    """把玩过的一局存成书：txt、md、epub、docx；twee 是整棵分支树，Twine 打得开。"""

    game: Positional[str]
    """哪个剧本：编号、题目，或 .yaml 文件。"""
    output: Positional[str]
    """存成哪个文件，按名字的结尾定样子。"""
    slot: str = "auto"
    """哪个存档：auto 或 1 到 9。"""
    folder: str = "."
    """存档（games/）在哪个文件夹。"""


def adventure_build(argv: list[str]) -> int:
    flags = parse(AdventureBuild, argv, "custome adventure build")
    from ..apps.adventure.building import built
    from ..apps.adventure.finding import stage_of
    from ..apps.adventure.library import FOLDER
    from ..apps.adventure.problems import checked
    from ..apps.adventure.proving import prove
    from ..apps.adventure.scenario import as_file
    from ..corpus.reading import read_novel
    from ..files import disk_errors, write_text
    from ..reporter import ConsoleReporter
    from ..resources import EMBEDDED_NAME, fetch

    console = Console(markup=False, highlight=False)
    embedded = flags.novel == "embedded"
    path = fetch(EMBEDDED_NAME, ConsoleReporter()) if embedded else Path(flags.novel)
    stage = stage_of(
        read_novel(path, "三国演义" if embedded else ""), flags.chapter, without=flags.without
    )
    scenario = built(stage, flags.me)
    output = Path(flags.output or f"{FOLDER}/{scenario.id}.yaml")
    if output.exists() and not flags.again:
        raise InputError(f"已经有 {str(output)!r}", "换一个 --output，或 --again 盖掉它")
    text = as_file(scenario)
    checked(scenario, where=str(output))
    _show(console, stage, scenario)
    proof = prove(scenario, most=200_000, seconds=30, first_line=True)
    if proof.line is None:
        raise InputError(f"《{scenario.title}》没有找到赢法", "划掉认错的（--without），或换一章")
    with disk_errors(output.parent):
        output.parent.mkdir(parents=True, exist_ok=True)
    write_text(output, text)
    console.print(f"能赢，{len(proof.line)} 步。写进 {output}；玩：custome adventure play {output}")
    console.print("认错的划掉再做：--without 地上 那人 --again")
    return 0


def _show(console: Console, stage: Stage, scenario: Scenario) -> None:
    """What was found, each with its words."""
    console.print(
        f"《{stage.novel}》第 {stage.number} 章　{stage.title}　你是{scenario.player.name}"
    )
    for heading, found in (("地方", stage.places), ("人物", stage.people), ("东西", stage.things)):
        console.print(f"{heading}：")
        for one in found:
            console.print(f"  {one.name}　{one.count} 次　“{one.quote}”")
    console.print("要成的事：" + "、".join(one.name for one in scenario.events))


def adventure_export(argv: list[str]) -> int:
    flags = parse(AdventureExport, argv, "custome adventure export")
    from ..apps.adventure.library import Library
    from ..apps.adventure.transcript import write_game

    library = Library(Path(flags.folder))
    game = library.open(chosen(library, flags.game), flags.slot)
    written = write_game(game, Path(flags.output))
    Console(markup=False).print(f"{len(game.line()) - 1} 个回合写进 {written}")
    return 0

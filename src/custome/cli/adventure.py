"""`custome adventure …`: play a game in the terminal, look over a scenario and prove that it can be won."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from tyro.conf import Positional

from ..engine.open import EngineOptions, open_models
from ..errors import CustomeError, InputError
from ..reporter import ConsoleReporter
from .bases import NO_MODEL, open_named, usual_or
from .flags import parse

if TYPE_CHECKING:
    from ..apps.adventure.game import Game
    from ..apps.adventure.library import Library
    from ..apps.adventure.scenario import Scenario
    from ..apps.adventure.storyteller import Storyteller

_HELP = """想做什么就写什么：去江边、把酒给甘宁、问孔明箭的事；也可以只按一个数字。
看（四周）、包（身上）、撤销、重做、换个说法、重来、退出。每一回合都自己存着，下次接着玩。"""
_UNDO, _REDO, _OTHERWISE, _AGAIN, _QUIT = (
    ("撤销", "退回", "undo"),
    ("重做", "redo"),
    ("换个说法", "换句话说", "retry"),
    ("重来", "restart"),
    ("退出", "quit", "q", "exit"),
)


@dataclass(frozen=True, kw_only=True)
class AdventurePlay:
    """在终端里玩一局文字冒险；不用模型也能玩，有模型人物会自己答话；每一回合都存着，断了接着来。"""

    game: Positional[str] = "jiejian"
    """哪个剧本：编号、题目，或自己的 .yaml 文件；custome adventure list 看有哪些。"""
    seed: int = 0
    """骰子的种子；0：新开一局时随便一个。"""
    again: bool = False
    """从头来，不接着上次的。"""
    run: str = ""
    """谁来演人物：一个运行目录的模型；它认得的人用自己的口吻。"""
    base: str = "auto"
    """没有运行目录时用的底座；auto：这台机器上已经有 1.5B 就用它；none：不用模型。"""
    engine: EngineOptions = field(default_factory=EngineOptions)
    folder: str = "."
    """自己的剧本（adventures/）和存档（games/）在哪个文件夹。"""


@dataclass(frozen=True, kw_only=True)
class AdventureList:
    """有哪些剧本，哪几个有存档。"""

    folder: str = "."
    """自己的剧本（adventures/）和存档（games/）在哪个文件夹。"""


@dataclass(frozen=True, kw_only=True)
class AdventureCheck:
    """查一个剧本：名字对不对得上，能不能赢（最短怎么走），有没有走进去就赢不了的死路，哪些从来用不上。"""

    game: Positional[str]
    """剧本：编号、题目，或 .yaml 文件。"""
    seconds: float = 60.0
    """最多找多少秒。"""
    folder: str = "."
    """自己的剧本在哪个文件夹。"""


def chosen(library: Library, name: str) -> Scenario:
    """A game by its id or title, or a file."""
    from ..apps.adventure.problems import checked
    from ..apps.adventure.scenario import read_scenario

    if name.endswith((".yaml", ".yml", ".json")):
        return checked(*read_scenario(Path(name)), name)
    return library.get(name)


def adventure_list(argv: list[str]) -> int:
    flags = parse(AdventureList, argv, "custome adventure list")
    from ..apps.adventure.library import Library

    library, console = Library(Path(flags.folder)), Console()
    found, wrong = library.scenarios()
    table = Table("编号", "题目", "讲什么", "存档", box=None)
    for one in found.values():
        table.add_row(one.id, escape(one.title), escape(one.about), "、".join(library.saved(one)))
    console.print(table)
    for error in wrong:
        console.print(f"{error.message}\n  {error.hint}", style="yellow", markup=False)
    return 0


def adventure_check(argv: list[str]) -> int:
    flags = parse(AdventureCheck, argv, "custome adventure check")
    from ..apps.adventure.library import Library
    from ..apps.adventure.proving import prove

    scenario = chosen(Library(Path(flags.folder)), flags.game)
    console = Console(markup=False)
    console.print(
        f"《{scenario.title}》名字都对得上：{len(scenario.places)} 处地方，{len(scenario.people)} 个人，"
        f"{len(scenario.items)} 件东西，{len(scenario.rules)} 条规则"
    )
    proof = prove(scenario, most=1_000_000, seconds=flags.seconds)
    looked = f"看了 {proof.states:,} 个局面" + ("，都看完了" if proof.whole else "，没有看完")
    if proof.line is None:
        console.print(f"{'赢不了' if proof.whole else '没有找到赢法'}：{looked}")
        return 1
    words = " → ".join(f"{move.action}{'（看骰子）' if move.lucky else ''}" for move in proof.line)
    console.print(f"能赢，{len(proof.line)} 步：{words}\n{looked}")
    if proof.dead_ends:
        dead = " → ".join(str(move.action) for move in proof.dead_line)
        console.print(f"死路：有 {proof.dead_ends:,} 个局面再也赢不了，最近的：{dead}")
    if proof.unused:
        console.print(f"从来用不上：{'、'.join(proof.unused)}")
    return 0


def adventure_play(argv: list[str]) -> int:
    flags = parse(AdventurePlay, argv, "custome adventure play")
    from ..apps.adventure.game import Game
    from ..apps.adventure.library import Library

    library, console = Library(Path(flags.folder)), Console()
    scenario = chosen(library, flags.game)
    if "auto" in library.saved(scenario) and not flags.again:
        game = library.open(scenario, "auto")
    else:
        game = Game(scenario, flags.seed or secrets.randbelow(2**31 - 1) + 1)
    teller = _storyteller(flags)
    console.print(f"《{scenario.title}》\n{scenario.about}\n{_HELP}\n", markup=False)
    return _Table(console, library, game, teller).play()


def _storyteller(flags: AdventurePlay) -> Storyteller:
    """Who puts turns into words."""
    from functools import partial

    from ..apps.adventure.storyteller import Storyteller
    from ..engine.base import ServedModel
    from .serve import speaker_of

    reporter = ConsoleReporter()
    if flags.run:
        (model,) = open_models([flags.run], flags.engine, reporter).hosted
    else:
        base = usual_or(flags.base, "这里没有会演人物的模型，只说写好的话", reporter)
        if base == NO_MODEL:
            return Storyteller()
        model = ServedModel(name=base, engine=open_named(base, reporter))
    return Storyteller(partial(speaker_of, model), model.engine)


class _Table:
    """One game in a terminal."""

    def __init__(self, console: Console, library: Library, game: Game, teller: Storyteller) -> None:
        self._console, self._library, self._game = console, library, game
        self._teller = teller
        self._last = ""

    def play(self) -> int:
        from ..apps.adventure.telling import suggestions

        self._scene()
        while True:
            offered = suggestions(self._game)
            for number, action in enumerate(offered, 1):
                self._console.print(f"  [cyan]{number}[/] {escape(str(action))}")
            try:
                typed = self._console.input("[bold]> [/]").strip()
            except (EOFError, KeyboardInterrupt):
                return 0
            if typed in _QUIT:
                return 0
            numbers = [str(number) for number in range(1, len(offered) + 1)]
            try:
                if typed in numbers:
                    self._do(offered[numbers.index(typed)], typed)
                elif typed:
                    self._typed(typed)
            except CustomeError as error:
                self._say(f"{error.message}\n  {error.hint}")

    def _typed(self, typed: str) -> None:
        from ..apps.adventure.telling import bag, looked_at
        from ..apps.adventure.understanding import understand

        game = self._game
        if typed in (*_UNDO, *_REDO, *_AGAIN):
            if typed in _AGAIN:
                game.go(0)
            elif not (game.undo() if typed in _UNDO else game.redo()):
                raise InputError("没有可以撤销的了" if typed in _UNDO else "没有可以重做的了")
            self._library.save(game, "auto")
            self._scene()
            return
        if typed in _OTHERWISE:
            if game.here == 0:
                raise InputError("还没有走一步", "先做点什么")
            game.tell(self._teller.otherwise(game, game.here))
            self._library.save(game, "auto")
            self._say(game.turns[game.here].text)
            return
        one = understand(game.world, game.state, typed, self._last)
        if one.action is not None:
            self._do(one.action, typed)
        elif one.kind == "look":
            self._scene()
        elif one.kind == "bag":
            self._say(bag(game.world, game.state))
        elif one.kind == "examine":
            self._say(looked_at(game.world, game.state, one.what))
        elif one.kind == "refused":
            self._say(f"{one.why}。")
        else:
            options = "、".join(map(str, one.options))
            self._say(
                f"{one.why or '说的是哪一样？'}" + (f"　是不是：{options}" if options else "")
            )

    def _do(self, action: object, typed: str) -> None:
        from ..apps.adventure.rules import Action
        from ..apps.adventure.telling import rolls_told

        assert isinstance(action, Action)
        game, at, teller = self._game, self._game.state.at, self._teller
        outcome = game.act(action, typed)
        if outcome.refused:
            self._say(f"{outcome.refused}。")
            return
        if rolls := rolls_told(outcome):
            self._say(rolls)
        if not game.turns[game.here].texts:
            game.tell(teller.words(game, game.here))
            self._library.save(game, "auto")
            if teller.is_asked(game, game.here) and (text := teller.answered(game, game.here)):
                game.tell(text)
        self._library.save(game, "auto")
        self._last = action.target if action.target in game.world.people else self._last
        self._say(game.turns[game.here].text)
        if game.state.ended:
            self._say("这一局完了：撤销退一步，重来从头开始，退出。")
        elif game.state.at != at:
            self._scene(about=False)

    def _scene(self, *, about: bool = True) -> None:
        from ..apps.adventure.telling import scene

        self._say("\n" + scene(self._game.world, self._game.state, about=about))

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False)

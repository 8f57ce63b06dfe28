"""Text adventures measured.

    python benchmarks/adventure.py                              turns a second, what is typed, the words of turns; no model
    python benchmarks/adventure.py --base qwen2.5-coder-1.5b    people who answer, turns said otherwise: how many tries, how long; all printed
    python benchmarks/adventure.py --books 三国.txt:46,21 水浒.txt:16    chapters made into games, each with what was found, to be read

What people type is in tests/golden/adventure; the questions here are our own.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from custome.apps.adventure.building import built
from custome.apps.adventure.finding import stage_of
from custome.apps.adventure.game import Game
from custome.apps.adventure.library import built_in
from custome.apps.adventure.narrating import by_author, narrated
from custome.apps.adventure.problems import checked
from custome.apps.adventure.proving import prove
from custome.apps.adventure.rewording import Rewriter
from custome.apps.adventure.rules import ASK, Action, admissible, step
from custome.apps.adventure.scenario import Scenario
from custome.apps.adventure.speaking import TRIES
from custome.apps.adventure.storyteller import Storyteller
from custome.apps.context import Part, Speaker
from custome.cli.bases import open_named
from custome.cli.serve import speaker_of
from custome.corpus.reading import read_novel
from custome.engine.base import Cancel, ServedModel
from custome.reporter import ConsoleReporter

TESTS = Path(__file__).parents[1] / "tests"
ASKED = (
    ("jiejian", (), "周瑜", ("都督，三天造得出十万支箭吗？", "孔明靠得住吗", "今天天气不错", "你是不是想害孔明")),
    ("jiejian", ("营门", "江边", "孔明的小船"), "诸葛亮", ("先生，箭从哪里来", "先生怕不怕", "要我做什么", "周都督要杀你")),
    ("wugang", ("茶棚",), "茶婆", ("婆婆，你等谁呢", "灯塔灭了", "有什么吃的", "老魏这个人怎么样", "你会用手机吗")),
    ("wugang", (), "老魏", ("魏叔，你怎么在发抖", "今晚还有船吗", "你守了多少年灯", "我帮你吧")),
    ("shengchengang", (), "晁盖", ("天王，生辰纲劫不劫", "官府来抓怎么办", "杨志这个人怎么样", "你有几个兄弟")),
    ("bajiaoshan", (), "猪八戒", ("呆子，热不热", "师父在哪里", "你去借扇子好不好", "我们往哪走")),
    ("liulaolao", (), "板儿", ("板儿怕不怕", "想吃什么", "认得路吗", "我们回家好不好", "你爹呢")),
)  # fmt: skip
"""(scenario, the way there, who is asked, what)."""


def engine_speed(turns: int = 60_000) -> None:
    """Turns a second of the engine, all games."""
    for scenario in built_in().values():
        game, dice = Game(scenario, 1), random.Random(1)
        state, done, begun = game.world.first(), 0, time.perf_counter()
        while done < turns // 5:
            able = admissible(game.world, state)
            state = (
                step(game.world, state, dice.choice(able), 1).state if able else game.world.first()
            )
            done += 1
        print(f"{scenario.title}：{done / (time.perf_counter() - begun):,.0f} 回合/秒")


def typed() -> None:
    """How many lines are understood; those of others had not been seen when the parser was made, and have been read since."""
    sys.path.insert(0, str(TESTS / "apps" / "adventure"))
    import test_understanding as lines

    for name in ("typed.jsonl", "typed_by_others.jsonl"):
        text = (TESTS / "golden" / "adventure" / name).read_text(encoding="utf-8")
        rows = [json.loads(line) for line in text.splitlines()]
        wrong = [
            (row["means"], got)
            for row in rows
            if not lines.right(row["means"], got := lines.meant(row["setup"], row["typed"]))
        ]
        quiet = lines.ASKED_BACK | {"look", "bag"}
        harmful = sum(got not in quiet and not got.startswith("examine") for _, got in wrong)
        print(
            f"{name}：{len(rows)} 句，懂了 {1 - len(wrong) / len(rows):.1%}，做错事 {harmful / len(rows):.1%}"
        )


def lengths(turns: int = 500) -> None:
    """Characters of a turn's words, without a model."""
    for scenario in built_in().values():
        told = [len(str(narrated(*row))) for row in _walk(scenario, turns)]
        print(
            f"{scenario.title}：一回合 {statistics.mean(told):.0f} 字（中位 {statistics.median(told):.0f}）"
        )


def _walk(scenario: Scenario, turns: int):
    game, dice = Game(scenario, 1), random.Random(2)
    for _ in range(turns):
        if game.state.ended:
            game.go(0)
        before, action = game.state, dice.choice(admissible(game.world, game.state))
        yield game.world, before, action, game.act(action)


def people(model: ServedModel) -> None:
    """Everything that is answered, printed whole."""
    scenarios, times, tries, silent, asked = built_in(), [], [], 0, 0
    for name, way, person, questions in ASKED:
        game = Game(scenarios[name], 1)
        for place in way:
            game.act(Action("走", place))
        for question in questions:
            here, counted = game.here, [0]

            def counting(part: Part, counted: list[int] = counted) -> Speaker:
                speak = speaker_of(model, part)

                def once(lines: Sequence, seed: int, cancel: Cancel | None) -> str:
                    counted[0] += 1
                    return speak(lines, seed, cancel)

                return once

            teller = Storyteller(counting)
            if game.act(Action(ASK, person), question).refused or not teller.is_asked(
                game, game.here
            ):
                game.go(here)
                continue
            begun = time.perf_counter()
            text = teller.answered(game, game.here)
            times.append(time.perf_counter() - begun)
            tries.append(counted[0])
            asked, silent = asked + 1, silent + (not text)
            game.tell(text or teller.words(game, game.here))
            print(
                f"{game.world.scenario.player.name}问{person}：{question}\n    {game.turns[game.here].text}"
            )
    print(
        f"答话：{asked} 句，{TRIES} 次之内说得出 {1 - silent / asked:.1%}，第一次就行 {tries.count(1) / asked:.1%}；"
        f"中位 {statistics.median(times):.1f} 秒，最长 {max(times):.1f} 秒"
    )


def otherwise(model: ServedModel, turns: int) -> None:
    """Turns in other words, printed beside our own."""
    rewriter, times, tries, passed = Rewriter(model.engine), [], [], 0
    walks = [_walk(scenario, 10_000) for scenario in built_in().values()]
    while len(times) < turns:
        world, before, action, outcome = next(walks[len(times) % len(walks)])
        if by_author(outcome.facts) or action.verb == ASK:
            continue
        own = narrated(world, before, action, outcome).prose
        begun = time.perf_counter()
        told = rewriter.reworded(world, outcome.state, own, 10 * len(times))
        times.append(time.perf_counter() - begun)
        tries.append(told.tries if told.text else 0)
        passed += bool(told.text)
        print(f"  = {own}\n  > {told.text or '（没有一次行）'}")
    print(
        f"换个说法：{turns} 回合，过了核对 {passed / turns:.1%}，第一次就过 {tries.count(1) / turns:.1%}；"
        f"中位 {statistics.median(times):.1f} 秒，最长 {max(times):.1f} 秒"
    )


def books(wanted: Sequence[str]) -> None:
    """Chapters made into games."""
    for one in wanted:
        path, _, numbers = one.rpartition(":")
        novel = read_novel(Path(path))
        for number in map(int, numbers.split(",")):
            begun = time.perf_counter()
            stage = stage_of(novel, number)
            scenario = checked(built(stage))
            took = time.perf_counter() - begun
            proof = prove(scenario, most=200_000, seconds=20, first_line=True)
            steps = len(proof.line) if proof.line is not None else "赢不了"
            print(f"## {novel.name} {number} {stage.title}：{took:.1f} 秒，赢 {steps} 步")
            for place in stage.places:
                print(f"  地方 {place.name}　“{place.quote}”")
            for person in stage.people:
                print(
                    f"  人物 {person.name}（{person.count} 句）在 {stage.place_of(x.offset for x in person.said)}"
                )
            print("  东西 " + "、".join(thing.name for thing in stage.things))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--base", default="")
    parser.add_argument("--turns", type=int, default=40)
    parser.add_argument("--books", nargs="*", default=())
    flags = parser.parse_args()
    if flags.books:
        books(flags.books)
        return
    if not flags.base:
        engine_speed()
        typed()
        lengths()
        return
    model = ServedModel(name=flags.base, engine=open_named(flags.base, ConsoleReporter()))
    people(model)
    otherwise(model, flags.turns)


if __name__ == "__main__":
    main()

"""What a reply of a character costs: one candidate against eight, a first turn against a later one.

    python benchmarks/cosplay.py runs/mingzhu

Eight: all written in one batch, the best by voice, point and length shown. The prompts are those of the chat page (who the
person is, two of their own lines, what was asked), and a bare one. Every ratio is of one run on one machine.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

from custome.apps.cosplay.casting import open_company
from custome.apps.cosplay.prompt import Said, Setting
from custome.apps.cosplay.responder import Responder
from custome.engine.open import EngineOptions, open_models
from custome.evaluation.persona import questions
from custome.reporter import ConsoleReporter, NullReporter
from custome.types import GenerateOptions, Message, Request

ASKED = [question.text for question in questions()[::8]]
CANDIDATES = 8
TURNS = 7


def seconds(call: object) -> float:
    started = time.perf_counter()
    call()  # type: ignore[operator]
    return time.perf_counter() - started


def candidates(responder: Responder, names: list[str]) -> list[list[str]]:
    """One reply and eight candidates for the same questions, in turn."""
    rows = []
    ways = {"bare": Setting(persona=False, examples=0), "as on the page": Setting()}
    for way, setting in ways.items():
        one, eight, tokens = [], [], []
        for number, text in enumerate(ASKED):
            name, said = names[number % len(names)], [Said(name="客", text=text, by_user=True)]
            options = GenerateOptions()  # the page gives no seed
            tokens.append(responder.prompt(name, said, setting, options).tokens)
            one.append(
                seconds(lambda n=name, s=said, w=setting, o=options: responder.speak(n, s, w, o))
            )
            eight.append(
                seconds(
                    lambda n=name, s=said, w=setting, o=options: responder.speak(
                        n, s, w, o, candidates=CANDIDATES
                    )
                )
            )
        mean = [statistics.mean(times) for times in (one, eight)]
        rows.append(
            [
                way,
                f"{statistics.mean(tokens):.0f}",
                f"{mean[0]:.3f}",
                f"{mean[1]:.3f}",
                f"{mean[1] / mean[0]:.2f}",
            ]
        )
    return rows


def turns(responder: Responder, name: str) -> list[list[str]]:
    """Time to the first character of a conversation's first turns, its beginning read once or every time."""
    talk = "".join(
        f"客问{name}曰：“{text}”{name}曰：“此事容吾细细思之，不可造次。”" for text in ASKED
    )

    def first_character(turn: int, seed: int | None) -> float:
        text, came = talk + f"客问{name}曰：“后来如何？”{name}曰：“容后再说。”" * turn, []
        started = time.perf_counter()
        request = Request(messages=(Message(role="user", content=text),), speaker=name)
        options = GenerateOptions(max_new_tokens=8, seed=seed)
        responder.engine.run(request, options, lambda _: came.append(time.perf_counter() - started))
        return came[0] if came else time.perf_counter() - started

    # A seed empties what was kept; without one what was read for the turn before is there.
    warm = statistics.mean([first_character(turn, None) for turn in range(TURNS)][1:])
    cold = statistics.mean(first_character(turn, turn) for turn in range(1, TURNS))
    tokens = responder.engine.count_tokens(talk)
    return [[str(tokens), f"{cold:.3f}", f"{warm:.3f}", f"{cold / warm:.1f}"]]


def main() -> None:
    flags = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    flags.add_argument("run", type=Path)
    run = flags.parse_args().run
    engine = open_models([str(run)], EngineOptions(), NullReporter()).hosted[0].engine
    responder = Responder(engine, open_company(run))
    names = responder.names[:12]
    responder.speak(
        names[0], [Said(name="客", text="在么？", by_user=True)], Setting(), GenerateOptions()
    )  # warm up
    reporter = ConsoleReporter()
    reporter.table(
        "One and eight, seconds a reply",
        ("prompt", "tokens", "one", "eight", "ratio"),
        candidates(responder, names),
    )
    reporter.table(
        "First character, seconds",
        ("conversation, tokens", "read again", "kept", "ratio"),
        turns(responder, names[0]),
    )


if __name__ == "__main__":
    main()

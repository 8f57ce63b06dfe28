"""A judge of sense: what it says of replies whose sense is known."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from custome.engine.scripted import ScriptedEngine
from custome.evaluation.persona import Answer
from custome.evaluation.sense import area_under_curve, calibrate, sense_of, shuffled
from custome.reporter import NullReporter
from custome.types import Request, Score

THINGS = ("马", "酒", "书", "剑", "雨", "花", "鱼")
REAL = [
    Answer(question=f"{thing}如何？", kind="", name=name, text=f"{thing}好得很。")
    for name in ("甲", "乙")
    for thing in THINGS
]


class KnowsWords(ScriptedEngine):
    """A reply that repeats a question's subject is the likelier one; 是 where the answer does so, 否 where not."""

    def score(self, requests: Sequence[Request], replies: Sequence[str]) -> list[Score]:
        found = []
        for request, reply in zip(requests, replies, strict=True):
            asked = request.messages[-1].content
            if reply in ("是", "否"):
                question, said = (line[2:] for line in asked.split("\n")[1:3])
                sense = said[:1] in question
                wants = sense != ("不通顺，" in asked)
                found.append(Score(logprob=-0.1 if (reply == "是") == wants else -3.0, tokens=1))
            else:
                found.append(
                    Score(
                        logprob=-float(len(reply)) * (1 if reply[:1] in asked else 2),
                        tokens=len(reply),
                    )
                )
        return found


def test_a_reply_wins_under_its_own_question():
    sense = sense_of(KnowsWords(), REAL, NullReporter(), direct=True)
    assert all(sense.wins) and sense.means()["information"] == pytest.approx(1.0)
    assert sense.means()["language"] == pytest.approx(1.0) and sense.means()["direct"] > 2
    wrong = sense_of(KnowsWords(), shuffled(REAL), NullReporter(), direct=True)
    assert not any(wrong.wins) and wrong.means()["direct"] < -2


def test_an_empty_reply_makes_no_sense():
    nothing = [*REAL[:6], Answer(question="鱼如何？", kind="", name="甲", text="")]
    sense = sense_of(KnowsWords(), nothing, NullReporter())
    assert not sense.wins[-1] and sense.information[-1] == 0 and sense.language[-1] > 5


def test_a_judge_is_shown_to_work_before_it_is_believed():
    good = calibrate(KnowsWords(), REAL, NullReporter())
    assert (
        good.trusted("information")
        and good.trusted("direct")
        and good.areas["information"][0] == 1.0
    )
    blind = calibrate(
        ScriptedEngine(), REAL, NullReporter()
    )  # to it every text of a length is alike
    assert (
        not blind.trusted("information")
        and blind.areas["information"][1] < 0.5 < blind.areas["information"][2]
    )


def test_the_area_under_the_curve_and_its_interval():
    assert area_under_curve([2, 3], [0, 1])[0] == 1.0 and area_under_curve([0, 1], [2, 3])[0] == 0.0
    area, low, high = area_under_curve([1, 2, 3, 4] * 10, [0, 2, 3, 5] * 10)
    assert area == pytest.approx(0.5) and low < 0.5 < high

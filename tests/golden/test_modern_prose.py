"""Speakers in six made-up passages of modern prose, written and labelled by somebody who did not know the rules.

The rules were written against passages 1, 3 and 5. A passage is a few pages long: people who are met thousands of times in a
novel are met ten times here, so names are found less often than in a book.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from custome.corpus.aliases import AliasTable
from custome.corpus.dialogue import extract
from custome.corpus.text import Novel

PASSAGES = Path(__file__).parent / "modern"
NOBODY = ("某人", "群体", "我")


def right(number: int, *, told: bool) -> tuple[int, int]:
    """(right speakers, speakers) of a passage.

    Args:
        told: with a table of its people, so that only who speaks is asked.
    """
    text = (PASSAGES / f"{number}.txt").read_text(encoding="utf-8")
    labels = (PASSAGES / f"{number}.speakers.txt").read_text(encoding="utf-8").split("\n")[:-1]
    people = {name: () for name in labels if name not in (*NOBODY, "无")}
    result = extract(Novel(name="x", text=text), AliasTable(people=people) if told else None)
    found = [
        one
        for one in result.utterances
        if text[one.offset] in "“「" and one.kind != "nested" and one.quote
    ]
    assert len(found) == len(labels)
    spoken = [(one, label) for one, label in zip(found, labels, strict=True) if label != "无"]
    names = {
        name: person for person, names in result.table.people.items() for name in (person, *names)
    }
    good = sum(
        one.speaker == label or names.get(label, "") == one.speaker != "" for one, label in spoken
    )
    return good, len(spoken)


@pytest.mark.parametrize(
    ("numbers", "told", "least"),
    [
        ((1, 3, 5), False, 0.80),
        ((2, 4, 6), False, 0.58),
        ((1, 3, 5), True, 0.80),
        ((2, 4, 6), True, 0.70),
    ],
)
def test_who_speaks(numbers: tuple[int, ...], told: bool, least: float):
    scores = [right(number, told=told) for number in numbers]
    share = sum(good for good, _ in scores) / sum(count for _, count in scores)
    print(f"{share:.3f}", scores)
    assert share >= least

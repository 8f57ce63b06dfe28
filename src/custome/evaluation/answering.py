"""Questions to a run's people, answered as its chat page would."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..apps.cosplay.card import Card
from ..apps.cosplay.casting import company_of
from ..apps.cosplay.choosing import drawn
from ..apps.cosplay.prompt import GUEST, Said, Setting
from ..apps.cosplay.responder import Responder
from ..corpus.cast import read_cast
from ..engine.base import Engine
from ..types import Message, Reply, Request
from .panel import unseen_by_judge

SEED = 7


class Answering:
    """((question, who is asked) …, greedy?) → replies; a question to nobody is put to the model as it is.

    Args:
        run: has the cast; own lines that the judge of voices has learnt from are not shown.
        people: who is asked, and told from each other.
        others: who may be asked beside them. Whoever is not of the cast is known by name only.
        drawing: options of the drawing that are not the usual ones.
    """

    def __init__(
        self,
        engine: Engine,
        run: Path,
        people: Sequence[str],
        setting: Setting | None = None,
        *,
        candidates: int = 1,
        others: Sequence[str] = (),
        drawing: Mapping[str, Any] | None = None,
        seed: int = SEED,
    ) -> None:
        company = company_of(unseen_by_judge(read_cast(run)))
        strangers = {
            name: Card(name=name, cue=name)
            for name in (*people, *others)
            if name and not company.knows(name)
        }
        self._stage, self._people = (
            Responder(engine, company, strangers),
            [name for name in people if name],
        )
        self._setting, self._candidates, self._seed = setting or Setting(), candidates, seed
        self._options = replace(drawn(engine.kind, candidates > 1), **(drawing or {}))

    def __call__(self, jobs: Sequence[tuple[str, str]], greedy: bool) -> list[Reply]:
        count = 1 if greedy else self._candidates
        # Greedy replies are compared letter by letter; and only an instruct model reads the same for every question.
        afresh = greedy or self._stage.engine.kind == "novel"
        options = replace(self._options, do_sample=not greedy, afresh=afresh)

        def answer(job: tuple[str, str]) -> Reply:
            question, name = job
            seed = (
                self._seed
                if greedy
                else zlib.crc32(f"{self._seed}{question}{name}".encode()) % 2**31
            )
            own = replace(options, seed=seed)
            if not name:
                return self._stage.engine.run(
                    Request(messages=(Message(role="user", content=question),)), own
                )
            said = [Said(name=GUEST, text=question, by_user=True)]
            return self._stage.speak(
                name, said, self._setting, own, candidates=count, among=self._people
            ).reply

        # Several at once are multiplied by other kernels: greedy replies would differ by the company they keep. An instruct
        # model reads what stands before a question once for a person, so they come one after the other.
        alone = greedy or self._stage.engine.kind == "template"
        at_once = 1 if alone else max(1, self._stage.engine.slots // max(1, count))
        order = sorted(range(len(jobs)), key=lambda place: jobs[place][1])
        with ThreadPoolExecutor(max_workers=at_once) as pool:
            replies = dict(
                zip(order, pool.map(answer, [jobs[place] for place in order]), strict=True)
            )
        return [replies[place] for place in range(len(jobs))]

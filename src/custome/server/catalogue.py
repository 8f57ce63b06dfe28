"""The models being served, by the names the API knows them by: a run, its base, and each of its characters.

    sanguo            the run; whoever the last message's own cue names, or its first character
    sanguo:诸葛亮      one of its people
    sanguo:base       the model it was trained from

Adapters come and go while others are being answered. Knows engines, not how they are opened: that is given.
"""

from __future__ import annotations

import difflib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..apps.session import cue_of
from ..engine.base import Hosted
from ..engine.gate import Gate, GatedEngine
from ..errors import InputError, UnknownModelError
from ..types import Reply

BASE = "base"
Told = Callable[[str, str, Reply | None, float, float], None]
"""(model, outcome, reply, seconds to the first piece, seconds)"""


@dataclass(frozen=True, kw_only=True)
class Found:
    """A model as asked for."""

    name: str
    engine: GatedEngine
    speaker: str
    """Cue of the character who answers, '' for nobody in particular."""


class Catalogue:
    """Args:
    open_run: path of a run folder → what is served of it; None when nothing can be added.
    open_base: name of a served run → its base; None where there is none to be had.
    told: hears of every reply.
    """

    def __init__(
        self, hosted: list[Hosted], *, open_run: Callable[[str, str], Hosted] | None = None,
        open_base: Callable[[str], Hosted | None] | None = None, most_waiting: int = 64,
    ) -> None:  # fmt: skip
        self._open_run, self._open_base, self._most_waiting = open_run, open_base, most_waiting
        self._lock = threading.Lock()
        self._hosted: dict[str, Hosted] = {}
        self.created = int(time.time())
        self.told: Told = lambda *_: None
        for one in hosted:
            self._add(one)

    def hosted(self) -> list[Hosted]:
        """What is served now, each behind its gate."""
        with self._lock:
            return list(self._hosted.values())

    def gates(self) -> Iterator[tuple[str, Gate]]:
        for one in self.hosted():
            if isinstance(one.engine, GatedEngine):
                yield one.name, one.engine.gate

    def names(self) -> list[tuple[str, str]]:
        """(name, the name it stands under) of everything that can be asked for."""
        names = []
        for one in self.hosted():
            names += [(one.name, one.name), *((f"{one.name}:{person.name}", one.name) for person in one.people)]
            if self._open_base is not None and not one.name.endswith(f":{BASE}"):
                names.append((f"{one.name}:{BASE}", one.name))
        return list(dict.fromkeys(names))

    def at_hand(self, model: str) -> bool:
        """Can `find` answer at once, without opening a model?"""
        return not model.endswith(f":{BASE}") or model in self._hosted

    def find(self, model: str, character: str | None) -> Found:
        """The engine and the speaker of a model's name.

        Raises:
            UnknownModelError: nobody serves it; what is like it is named.
        """
        run, _, person = model.partition(":")
        person = character or person
        with self._lock:
            one = self._hosted.get(model) or self._hosted.get(run)
        if one is None:
            raise UnknownModelError(f"没有模型 {model!r}", self._like(run, [name for name, _ in self.names()]))
        if person == BASE:
            one, person = self._base_of(run), ""
        assert isinstance(one.engine, GatedEngine)
        if not person or not one.people:
            first = cue_of(one.people[0], one.engine.kind) if one.people and one.engine.kind == "template" else ""
            return Found(name=model, engine=one.engine, speaker=person or first)
        for known in one.people:
            if person in (known.name, known.cue):
                return Found(name=model, engine=one.engine, speaker=cue_of(known, one.engine.kind))
        raise UnknownModelError(f"模型 {run!r} 里没有人物 {person!r}", self._like(person, [p.name for p in one.people]))

    def load(self, path: str, name: str) -> None:
        """Serve one more run.

        Raises:
            InputError: the name is taken, or nothing can be added here.
        """
        if self._open_run is None:
            raise InputError("这个服务不能再加适配器", "启动时给出：custome serve 运行目录 运行目录")
        if name in {one.name for one in self.hosted()}:
            raise InputError(f"名字 {name!r} 已经有了", "换一个 lora_name，或先 unload_lora_adapter")
        self._add(self._open_run(path, name))

    def unload(self, name: str) -> None:
        """Serve a run no longer; replies being written are finished first.

        Raises:
            UnknownModelError: there is none of that name.
        """
        with self._lock:
            gone = [key for key in self._hosted if key in (name, f"{name}:{BASE}")]
            removed = [self._hosted.pop(key) for key in gone]
        if name not in gone:
            raise UnknownModelError(f"没有模型 {name!r}", self._like(name, [one.name for one in self.hosted()]))
        for one in removed:
            threading.Thread(target=_close_when_idle, args=(one,), daemon=True).start()

    def close(self) -> None:
        for one in self.hosted():
            one.engine.close()

    # -- inside ------------------------------------------------------------------------------------------------------

    def _add(self, one: Hosted) -> Hosted:
        def told(outcome: str, reply: Reply | None, first_s: float, whole_s: float) -> None:
            self.told(one.name, outcome, reply, first_s, whole_s)

        gated = Hosted(name=one.name, engine=GatedEngine(one.engine, Gate(one.engine.slots, self._most_waiting), told), people=one.people)  # fmt: skip
        with self._lock:
            if one.name in self._hosted:
                raise InputError(f"名字 {one.name!r} 已经有了", "换一个名字")
            self._hosted[one.name] = gated
        return gated

    def _base_of(self, run: str) -> Hosted:
        name = f"{run}:{BASE}"
        with self._lock:
            known = self._hosted.get(name)
        if known is not None:
            return known
        opened = self._open_base(run) if self._open_base is not None else None
        if opened is None:
            raise UnknownModelError(f"没有模型 {name!r}", "这个运行目录的底座不是 GGUF，单独拿不出来")
        return self._add(Hosted(name=name, engine=opened.engine, people=opened.people))

    @staticmethod
    def _like(wanted: str, names: list[str]) -> str:
        close = difflib.get_close_matches(wanted, names, n=3, cutoff=0.3) or names[:5]
        return f"可用：{'、'.join(close)}；全部：GET /v1/models" if close else "一个都没有在服务"


def _close_when_idle(one: Hosted) -> None:
    while isinstance(one.engine, GatedEngine) and (one.engine.gate.running or one.engine.gate.waiting):
        time.sleep(0.05)
    one.engine.close()

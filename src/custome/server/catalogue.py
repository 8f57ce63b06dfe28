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
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from ..apps.cosplay.card import cue_of
from ..engine.base import ServedModel
from ..engine.gate import Gate, GatedEngine
from ..errors import InputError, UnknownModelError
from ..types import Reply

if TYPE_CHECKING:
    from .protocol import ChatRequest
    from .writing import Write

BASE = "base"
Observe = Callable[[str, str, Reply | None, float, float], None]
"""(model, outcome, reply, seconds to the first piece, seconds)"""


@dataclass(frozen=True, kw_only=True)
class Found:
    """A model as asked for."""

    name: str
    engine: GatedEngine
    speaker: str
    """Cue of the character who answers, '' for nobody in particular."""
    hosted: ServedModel
    """What it belongs to."""
    by_name: bool = True
    """Was the speaker asked for? Else it is the first of the book, who answers for a bare model."""


class AppModels(Protocol):
    """What an app answers as a model, under names that begin with its own."""

    prefix: str

    def names(self) -> list[str]:
        """Names it can be asked for by."""

    def writes(self, body: ChatRequest, name: str, root: str) -> list[Write]:
        """What writes each choice of an answer.

        Args:
            name: what stands behind the prefix.
            root: address of the server, for links in answers.
        """


class Catalogue:
    """What is served, under the names it is asked for by.

    Args:
        open_run: (path of a run folder, name) → what is served of it; None when nothing can be added.
        most_waiting: how many may wait for each model.
    """

    def __init__(
        self,
        hosted: list[ServedModel],
        *,
        open_run: Callable[[str, str], ServedModel] | None = None,
        most_waiting: int = 64,
    ) -> None:
        self._open_run, self._most_waiting = open_run, most_waiting
        self._lock = threading.Lock()
        self._opening = threading.Lock()
        """Models are opened one after the other, and no model twice."""
        self._hosted: dict[str, ServedModel] = {}
        self._bases: dict[str, ServedModel] = {}
        self.created = int(time.time())
        self.observe: Observe = lambda *_: None
        self.app_models: list[AppModels] = []
        """What apps answer; a run of the same name goes before."""
        for one in hosted:
            if one.name in self._hosted:
                raise InputError(f"两个模型都叫 {one.name!r}", "换一个名字")
            self._hosted[one.name] = self._gated(one)

    def hosted(self) -> list[ServedModel]:
        """What is served now, each behind its gate."""
        with self._lock:
            return list(self._hosted.values())

    def gates(self) -> Iterator[tuple[str, Gate]]:
        with self._lock:
            everything = [*self._hosted.values(), *self._bases.values()]
        for one in everything:
            if isinstance(one.engine, GatedEngine):
                yield one.name, one.engine.gate

    def names(self) -> list[tuple[str, str]]:
        """(name, the name it stands under) of everything that can be asked for."""
        names = []
        for one in self.hosted():
            names += [
                (one.name, one.name),
                *((f"{one.name}:{person.name}", one.name) for person in one.people),
            ]
            if one.open_base is not None:
                names.append((f"{one.name}:{BASE}", one.name))
        for app in self.app_models:
            names += [(name, name) for name in app.names()]
        return names

    def serves(self, name: str) -> bool:
        """Is there a run of that name?"""
        with self._lock:
            return name in self._hosted

    def at_hand(self, model: str) -> bool:
        """Can `find` answer at once, without opening a model?"""
        return not model.endswith(f":{BASE}") or model in self._bases

    def find(self, model: str, character: str | None) -> Found:
        """The engine and the speaker of a model's name.

        Raises:
            UnknownModelError: nobody serves it; what is like it is named.
        """
        run, _, person = model.partition(":")
        with self._lock:
            one = self._hosted.get(run)
        if one is None:
            raise UnknownModelError(
                f"没有模型 {model!r}", self._like(run, [name for name, _ in self.names()])
            )
        people = one.people
        if person == BASE:
            one, person = self._base_of(one), ""
        person = character or person
        assert isinstance(one.engine, GatedEngine)
        if not person or not people:
            first = cue_of(people[0], one.engine.kind) if people else ""
            return Found(
                name=model,
                engine=one.engine,
                speaker=person or first,
                hosted=one,
                by_name=bool(person),
            )
        for known in people:
            if person in (known.name, known.cue):
                return Found(
                    name=model,
                    engine=one.engine,
                    speaker=cue_of(known, one.engine.kind),
                    hosted=one,
                )
        raise UnknownModelError(
            f"模型 {run!r} 里没有人物 {person!r}", self._like(person, [p.name for p in people])
        )

    def load(self, path: str, name: str) -> None:
        """Serve one more run.

        Raises:
            InputError: the name is taken, or nothing can be added here.
        """
        if self._open_run is None:
            raise InputError(
                "这个服务不能再加适配器", "启动时给出：custome serve 运行目录 运行目录"
            )
        with self._opening:
            if name in {one.name for one in self.hosted()}:
                raise InputError(
                    f"名字 {name!r} 已经有了", "换一个 lora_name，或先 unload_lora_adapter"
                )
            opened = self._gated(self._open_run(path, name))
            with self._lock:
                self._hosted[name] = opened

    def replace(self, one: ServedModel) -> None:
        """Serve a model in the place of the one of the same name; replies that the other is writing are finished first."""
        fresh = self._gated(one)
        with self._lock:
            before, self._hosted[one.name] = self._hosted.get(one.name), fresh
        if before is not None:
            assert isinstance(before.engine, GatedEngine) and isinstance(fresh.engine, GatedEngine)
            before.engine.follow(fresh.engine)

    def busy(self) -> bool:
        """Is anybody being answered, or waiting to be?"""
        return any(gate.running or gate.waiting for _, gate in self.gates())

    def unload(self, name: str) -> None:
        """Serve a run no longer; replies being written are finished first.

        Raises:
            UnknownModelError: there is none of that name.
        """
        with self._lock:
            removed = [
                one
                for one in (self._hosted.pop(name, None), self._bases.pop(f"{name}:{BASE}", None))
                if one
            ]
        if not removed:
            raise UnknownModelError(
                f"没有模型 {name!r}", self._like(name, [one.name for one in self.hosted()])
            )
        for one in removed:
            threading.Thread(target=one.engine.close, daemon=True).start()

    # -- inside ------------------------------------------------------------------------------------------------------

    def _gated(self, one: ServedModel) -> ServedModel:
        def observe(outcome: str, reply: Reply | None, first_s: float, whole_s: float) -> None:
            self.observe(one.name, outcome, reply, first_s, whole_s)

        return replace(
            one, engine=GatedEngine(one.engine, Gate(one.engine.slots, self._most_waiting), observe)
        )

    def _base_of(self, one: ServedModel) -> ServedModel:
        name = f"{one.name}:{BASE}"
        with self._opening:
            if name not in self._bases:
                if one.open_base is None:
                    raise UnknownModelError(f"没有模型 {name!r}", "它的底座不是 GGUF，单独拿不出来")
                opened = self._gated(
                    ServedModel(
                        name=name, engine=one.open_base(), people=one.people, folder=one.folder
                    )
                )
                with self._lock:
                    self._bases[name] = opened
            return self._bases[name]

    @staticmethod
    def _like(wanted: str, names: list[str]) -> str:
        close = difflib.get_close_matches(wanted, names, n=3, cutoff=0.3) or names[:5]
        return f"可用：{'、'.join(close)}；全部：GET /v1/models" if close else "一个都没有在服务"

"""A shop's desk: customers on one side, the assistant and people on the other. Who answers is a state of the conversation, not a
message in it: while a person has it the assistant is silent, and it goes on where it was when it is given back.

    bot → queued (a person is called) → human (somebody took it) → bot (given back) or closed
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, Literal

from ...conversations.records import Thing, Turn
from ...conversations.store import Store
from ...errors import InputError
from .catalogue import Faq, Order, Profile, Shop
from .handing_over import REASONS
from .hours import is_open, read_hours
from .ordering import MOST_WRONG
from .shelves import APP, Catalogues, owner_of
from .turning import CLOSED, SILENT, Assistant, Slots

State = Literal["bot", "queued", "human", "closed"]
LONGEST = 50_000
"""Characters of a message that is taken; what is answered is its beginning and its end."""
BOT, SYSTEM = "助手", "系统"
KEYS = 50
"""Deliveries that are remembered, so that one that comes twice is answered once."""
FIRST = 24
DAY_S = 86_400
MOST_CASES = 500


@dataclass(frozen=True, kw_only=True)
class Case:
    """A conversation as an agent sees it in the list."""

    chat: str
    customer: str
    state: State
    reason: str
    assignee: str
    waiting_s: float
    """Since a person was called."""
    last: str


@dataclass(frozen=True, kw_only=True)
class Answered:
    """What came of a customer's message."""

    text: str
    """What is said; '' where a person has the conversation and the assistant is silent."""
    kind: str
    state: State
    sources: tuple[str, ...] = ()


class Desk:
    """One shop.

    Args:
        now: the moment at which answers must hold.
        find_order: asked for an order that the shop's table does not have.
        alert: told when somebody waits for a person.
        outgoing: told what an agent says, for customers who write from elsewhere.
    """

    def __init__(
        self,
        shop: str,
        store: Store,
        catalogues: Catalogues,
        *,
        now: Callable[[], datetime] = datetime.now,
        find_order: Callable[[str], Order | None] = lambda _: None,
        alert: Callable[[Case], None] = lambda _: None,
        outgoing: Callable[[str, str], None] = lambda *_: None,
    ) -> None:
        self.shop, self.store, self._catalogues = shop, store, catalogues
        self._owner, self._now, self._find_order = owner_of(shop), now, find_order
        self._alert, self._outgoing = alert, outgoing
        self._assistant: tuple[Shop, date, Assistant] | None = None
        self._locks: weakref.WeakValueDictionary[str, _Lock] = weakref.WeakValueDictionary()
        self._guard = threading.Lock()
        self._checks = store.things(APP, "checks")

    def profile(self) -> Profile:
        """How the assistant appears now."""
        return self._catalogues.get(self.shop).profile

    # -- customers ---------------------------------------------------------------------------------------------------

    def begin(self, customer: str) -> str:
        """A new conversation; returns its id."""
        self._catalogues.get(self.shop)
        scene = {"customer": customer, "state": "bot", "slots": {}, "seen": {}}
        return self.store.begin(self._owner, customer[:FIRST], app=APP, scene=scene)

    def say(self, chat: str, customer: str, words: str, key: str = "") -> Answered:
        """A customer says something.

        Args:
            key: of the delivery: one that was answered is given the same answer, and nothing is said twice.

        Raises:
            InputError: it is not their conversation, or nothing was said.
        """
        if not words.strip():
            raise InputError("没有写内容", "写一句再发")
        if len(words) > LONGEST:
            raise InputError(f"这条消息有 {len(words):,} 字，超过 {LONGEST:,} 字", "分几条发")
        with self._one_at_a_time(chat):
            scene = self._scene(chat, customer)
            if key and key in scene["seen"]:
                return Answered(**{**scene["seen"][key], "sources": ()})
            if scene["state"] == "closed":
                scene = self._turn_to(chat, "bot")
            if scene["state"] == "human":
                return self._keep(chat, words, Answered(text="", kind="silent", state="human"), key)
            if scene["state"] == "queued":
                return self._waiting(chat, scene, words, key)
            return self._answer(chat, scene, words, key)

    def history(self, chat: str, customer: str) -> tuple[Turn, ...]:
        """What was said in a conversation of theirs."""
        self._scene(chat, customer)
        return self.store.read(chat, self._owner).turns

    def state(self, chat: str, customer: str) -> State:
        state: State = self._scene(chat, customer)["state"]
        return state

    def rate(self, chat: str, customer: str, stars: int) -> None:
        """How satisfied a customer is, 1 to 5."""
        if not 1 <= stars <= 5:
            raise InputError(f"评分 {stars} 应在 1 到 5 之间", "5 是最满意")
        self._scene(chat, customer)
        self.store.change(chat, self._owner, lambda scene: {**scene, "stars": stars})

    # -- agents ------------------------------------------------------------------------------------------------------

    def cases(self, *states: State) -> list[Case]:
        """Conversations in some states, who has waited longest first; in all of them without any."""
        chats = self.store.chats(self._owner, limit=MOST_CASES, app=APP, states=states)
        found = [self._case(one.id, one.scene, one.last) for one in chats]
        return sorted(found, key=lambda one: -one.waiting_s)

    def take(self, chat: str, agent: str) -> None:
        """Take a conversation over.

        Raises:
            InputError: another agent has it.
        """

        def change(scene: dict[str, Any]) -> dict[str, Any]:
            if scene["state"] == "human" and scene["assignee"] != agent:
                raise InputError(f"{scene['assignee']} 已经接了这位客人", "接别的，或请对方交回")
            return {**scene, "state": "human", "assignee": agent, "taken": time.time()}

        self.store.change(chat, self._owner, change)
        self._note(chat, f"{agent} 接手")

    def answer_as(self, chat: str, agent: str, words: str) -> None:
        """An agent says something.

        Raises:
            InputError: they do not have it, or nothing was said.
        """
        self._mine(chat, agent)
        if not words.strip():
            raise InputError("没有写内容", "写一句再发")
        self._outgoing(chat, words.strip())
        self.store.say(
            chat, self._owner, agent, words.strip(), by_user=False, stats={"agent": True}
        )

    def give_back(self, chat: str, agent: str) -> None:
        """The assistant goes on, with all it knew."""
        self._mine(chat, agent)
        self._turn_to(chat, "bot")
        self._note(chat, f"{agent} 交回给助手，{datetime.now():%m-%d %H:%M}")

    def back_to_the_assistant(self, chat: str, where: str) -> None:
        """People elsewhere are done with a customer."""
        self._turn_to(chat, "bot")
        self._note(chat, f"{where} 交回给助手，{datetime.now():%m-%d %H:%M}")

    def close(self, chat: str, agent: str) -> None:
        """The conversation is over; what the customer says next begins anew with the assistant."""
        self._mine(chat, agent)
        self._turn_to(chat, "closed", slots={})
        self._note(chat, f"{agent} 结束")

    def turns(self, chat: str) -> tuple[Turn, ...]:
        """What was said, notes included."""
        return self._read(chat)[1]

    def summary(self, chat: str) -> list[str]:
        """What an agent should know before they read, in the customer's own words."""
        scene, turns = self._read(chat)
        slots = Slots(**_tuples(scene["slots"])) if scene["slots"] else Slots()
        lines = [f"为什么：{scene['reason']}"] if scene.get("reason") else []
        if slots.order:
            lines.append(
                f"订单：{slots.order}（{'核对过' if slots.checked == slots.order else '没有核对'}）"
            )
        shop = self._catalogues.get(self.shop)
        names = [one.name for id in slots.products if (one := shop.product(id))]
        lines += [f"说到：{'、'.join(names[:4])}"] if names else []
        asked = [turn.text for turn in turns if turn.by_user][-3:]
        return lines + [f"“{words[:80]}”" for words in asked]

    def save_as_faq(self, chat: str, question: str, answer: str) -> None:
        """What an agent answered becomes a question with its answer."""
        self._read(chat)
        if not question.strip() or not answer.strip():
            raise InputError("问和答不能空", "写好再存")
        self._catalogues.add_faq(self.shop, Faq(question=question.strip(), answer=answer.strip()))

    # -- inside ------------------------------------------------------------------------------------------------------

    def _answer(self, chat: str, scene: dict[str, Any], words: str, key: str) -> Answered:
        slots = Slots(**_tuples(scene["slots"])) if scene["slots"] else Slots()
        said = self.assistant().answer(words, slots, self._wrong_lately)
        if said.wrong_order:
            self._count_wrong(said.wrong_order)
        state: State = "queued" if said.reason else "bot"
        closed = self._closed() if said.reason else ""
        answered = Answered(
            text=said.text + closed, kind=said.kind, state=state, sources=said.sources
        )
        changed: dict[str, Any] = {"slots": asdict(said.slots)}
        if said.reason:
            changed |= {"state": "queued", "reason": REASONS[said.reason], "queued": time.time()}
        self._keep(chat, words, answered, key, changed)
        if said.reason:
            self._alert(self._case(chat, {**scene, **changed}, words))
        return answered

    def _waiting(self, chat: str, scene: dict[str, Any], words: str, key: str) -> Answered:
        """A person was called and has not come yet: that is said once more, not every time."""
        text = "" if scene.get("told") else SILENT
        answered = Answered(text=text, kind="silent", state="queued")
        return self._keep(chat, words, answered, key, {"told": True})

    def _keep(
        self,
        chat: str,
        words: str,
        answered: Answered,
        key: str,
        changed: Mapping[str, Any] | None = None,
    ) -> Answered:
        """What a customer said and was told, and the state after it: in one go, or not at all."""
        turns = [Turn(id=0, name="", by_user=True, versions=(words,))]
        if answered.text:
            stats = {"kind": answered.kind, "sources": list(answered.sources), "at": time.time()}
            turns.append(
                Turn(id=0, name=BOT, by_user=False, versions=(answered.text,), stats=stats)
            )

        def change(now: dict[str, Any]) -> dict[str, Any]:
            new = dict(changed or {})
            if now["state"] == "human":  # somebody took it meanwhile
                new.pop("state", None)
            told = {"text": answered.text, "kind": answered.kind, "state": answered.state}
            seen = {**now["seen"], key: told} if key else now["seen"]
            return {**now, **new, "seen": dict(list(seen.items())[-KEYS:])}

        self.store.exchange(chat, self._owner, turns, change)
        return answered

    def _wrong_lately(self, order: str) -> int:
        """How often an order was asked for with a wrong tail in the last day, by whomever."""
        found = self._checks.get(self._owner, order)
        since = time.time() - DAY_S
        return sum(at > since for at in found.content["at"]) if found else 0

    def _count_wrong(self, order: str) -> None:
        with self._guard:  # many tries at once are counted as many
            self._count(order)

    def _count(self, order: str) -> None:
        found = self._checks.get(self._owner, order)
        times = [*(found.content["at"] if found else ()), time.time()][-MOST_WRONG * 4 :]
        self._checks.keep(self._owner, Thing(name=order, content={"at": times}))

    def assistant(self) -> Assistant:
        """The assistant with what the shop knows now."""
        shop, today = self._catalogues.get(self.shop), self._now().date()
        known = self._assistant
        if known is None or known[0] is not shop or known[1] != today:
            self._assistant = known = (shop, today, Assistant(shop, today, self._find_order))
        return known[2]

    def _closed(self) -> str:
        """What is added for whoever calls a person when none is there; '' while somebody is."""
        hours = self.profile().hours
        return "" if is_open(read_hours(hours), self._now()) else CLOSED.format(hours=hours)

    def _scene(self, chat: str, customer: str) -> dict[str, Any]:
        scene = self.store.scene(chat, self._owner)
        if scene["customer"] != customer:
            raise InputError(
                f"没有这段对话：{chat!r}", "它可能已经删了，或是别人的；从列表里另选一段"
            )
        return scene

    def _read(self, chat: str) -> tuple[dict[str, Any], tuple[Turn, ...]]:
        kept = self.store.read(chat, self._owner)
        return dict(kept.scene), kept.turns

    def _mine(self, chat: str, agent: str) -> None:
        scene = self.store.scene(chat, self._owner)
        if scene["state"] != "human" or scene.get("assignee") != agent:
            raise InputError("这位客人现在不归您接待", "先点“接手”")

    def _turn_to(self, chat: str, state: State, **more: Any) -> dict[str, Any]:
        fresh = {**more, "state": state, "assignee": "", "reason": "", "told": False}
        return self.store.change(chat, self._owner, lambda scene: {**scene, **fresh})

    def _note(self, chat: str, text: str) -> None:
        self.store.say(chat, self._owner, SYSTEM, text, by_user=False, stats={"kind": "note"})

    def _case(self, chat: str, scene: Mapping[str, Any], last: str) -> Case:
        waits = scene["state"] == "queued"
        return Case(
            chat=chat,
            customer=scene["customer"],
            state=scene["state"],
            reason=scene.get("reason", ""),
            assignee=scene.get("assignee", ""),
            waiting_s=time.time() - scene.get("queued", time.time()) if waits else 0.0,
            last=last,
        )

    def _one_at_a_time(self, chat: str) -> _Lock:
        with self._guard:
            lock = self._locks.get(chat)
            if lock is None:
                lock = self._locks[chat] = _Lock()
            return lock


class _Lock:
    """A lock that can be forgotten when nobody holds it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def _tuples(slots: Mapping[str, Any]) -> dict[str, Any]:
    """Slots out of JSON, where a tuple is a list."""
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in slots.items()
    }

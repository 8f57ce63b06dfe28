"""What can be done now, and what comes of it: pure and total, no text of a model, no clock, no chance but the dice.

A turn is: the deed, then whatever happens by itself, then perhaps an ending. What is refused changes nothing at all.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from .dice import Roll, throw
from .phrases import Phrase
from .state import ME, State
from .world import MONEY, Deed, Fact, World

GO, TAKE, DROP, GIVE, OPEN, FIGHT, WAIT, BUY, SELL, ASK = (
    "走",
    "拿",
    "放",
    "给",
    "开",
    "打",
    "等",
    "买",
    "卖",
    "问",
)
VERBS = (GO, TAKE, DROP, GIVE, OPEN, FIGHT, WAIT, BUY, SELL, ASK)
"""Verbs that every game has; a scenario's rules add theirs."""
MARTIAL = "武艺"
"""The skill of a fight."""
EVEN = 7
"""What two dice must reach against somebody without skill."""
WOUND = 3
"""hp that a blow costs."""
PLEASED = 2
"""How much more somebody likes who gives them what they wanted."""


Throw = Callable[[int, str, int, int, str], Roll]
"""(turn, label, bonus, needed, skill) → how the dice fell."""


@dataclass(frozen=True, slots=True, order=True)
class Action:
    """Something to do."""

    verb: str
    target: str = ""
    using: str = ""

    def __str__(self) -> str:
        """As a person would say it."""
        if self.verb == GIVE:
            return f"把{self.using}给{self.target}"
        if self.verb == OPEN:
            return f"用{self.using}打开去{self.target}的路"
        if self.verb == GO:
            return f"去{self.target}"
        if self.verb == ASK and self.using:
            return f"问{self.target}：{self.using}"
        if self.verb == BUY:
            return f"向{self.target}买{self.using}"
        if self.verb == SELL:
            return f"把{self.using}卖给{self.target}"
        return f"用{self.using}{self.verb}{self.target}" if self.using else self.verb + self.target


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of an action."""

    state: State
    facts: tuple[Fact, ...] = ()
    rolls: tuple[Roll, ...] = ()
    refused: str = ""
    """Why nothing came of it; then the state is the one before."""


def admissible(world: World, state: State) -> list[Action]:
    """Everything that can be done now, each once; nothing after an ending."""
    if state.ended:
        return []
    return list(dict.fromkeys(_possible(world, state)))


def _possible(world: World, state: State) -> Iterator[Action]:
    for rule in world.rules:
        if _applies(world, rule, state):
            yield Action(rule.verb, rule.target, rule.using)
    for way in world.places[state.at].exits:
        if world.is_open(state, way.to):
            yield Action(GO, way.to)
        elif way.key and state.things.get(way.key) == ME and (state.at, way.to) not in state.opened:
            yield Action(OPEN, way.to, way.key)
    company, bag = state.company(), state.bag()
    for thing in state.here():
        if not world.items[thing].fixed:
            yield Action(TAKE, thing)
    for person in company:
        yield Action(ASK, person)
        if world.people[person].hp > 0:
            yield Action(FIGHT, person)
        for thing in bag:
            yield Action(GIVE, person, thing)
        yield from _trades(world, state, person, bag)
    for thing in bag:
        yield Action(DROP, thing)
    yield Action(WAIT)


def _trades(world: World, state: State, person: str, bag: list[str]) -> Iterator[Action]:
    if not world.people[person].trades or MONEY not in state.counters:
        return
    for thing in state.held_by(person):
        if 0 < world.items[thing].price <= state.counters[MONEY]:
            yield Action(BUY, person, thing)
    for thing in bag:
        if world.items[thing].price > 0:
            yield Action(SELL, person, thing)


def _applies(world: World, rule: Deed, state: State) -> bool:
    if rule.once and rule.name in state.done:
        return False
    target, using = rule.target, rule.using
    if target in world.people and target not in state.company():
        return False
    if target in world.items and state.things[target] not in (ME, state.at):
        return False
    if target in world.places and target != state.at and world.way(state.at, target) is None:
        return False
    if using in world.items and state.things[using] != ME:
        return False
    return world.all_hold(rule.when, state)


def step(world: World, state: State, action: Action, seed: int) -> Outcome:
    """One turn.

    Args:
        seed: of the dice.
    """
    return step_with(world, state, action, functools.partial(throw, seed))


def step_with(world: World, state: State, action: Action, dice: Throw) -> Outcome:
    """One turn with other dice."""
    if state.ended:
        return Outcome(state=state, refused="这一局已经完了")
    if action not in admissible(world, state):
        return Outcome(state=state, refused=why_not(world, state, action))
    return taken(world, state, action, dice)


def taken(world: World, state: State, action: Action, dice: Throw) -> Outcome:
    """One turn with an action that is known to be admissible."""
    after, facts, rolls = _deed(world, state, action, dice)
    after = replace(after, turn=max(after.turn, state.turn) + 1)
    after, more, thrown = _by_itself(world, after, dice)
    after, last = _ending(world, after)
    return Outcome(state=after, facts=(*facts, *more, *last), rolls=(*rolls, *thrown))


def _deed(
    world: World, state: State, action: Action, dice: Throw
) -> tuple[State, list[Fact], list[Roll]]:
    for rule in world.rules:
        if Action(rule.verb, rule.target, rule.using) == action and _applies(world, rule, state):
            return _by_rule(world, state, rule, dice)
    verb, target, using = action.verb, action.target, action.using
    if verb == FIGHT:
        return _fight(world, state, target, dice)
    if verb == GO:
        state, facts = world.moved(state, target)
    elif verb == OPEN:
        state, facts = world.after([Phrase("打开", (target,))], state)
    elif verb == TAKE:
        state, facts = world.put(state, target, ME)
    elif verb == DROP:
        state, facts = world.put(state, target, state.at)
    elif verb == GIVE:
        state, facts = _give(world, state, target, using)
    elif verb in (BUY, SELL):
        state, facts = _trade(world, state, action)
    elif verb == ASK:
        state, facts = _ask(world, state, target)
    else:
        facts = [Fact(kind="wait", text="你等了一会儿。")]
    return state, facts, []


def _by_rule(
    world: World, state: State, rule: Deed, dice: Throw
) -> tuple[State, list[Fact], list[Roll]]:
    rolls, success = [], True
    if rule.check is not None:
        bonus = world.scenario.player.skills.get(rule.check.skill, 0)
        label = f"{rule.verb} {rule.target} {rule.using}"
        roll = dice(state.turn, label, bonus, rule.check.difficulty, rule.check.skill)
        rolls, success = [roll], roll.success
    if success and rule.once:
        state = replace(state, done=state.done | {rule.name})
    text = rule.text if success else rule.failure_text or "没有成。"
    first = [Fact(kind="told", what=rule.name, who=rule.target, text=text)] if text else []
    state, facts = world.after(rule.success if success else rule.failure, state)
    return state, first + facts, rolls


def _fight(
    world: World, state: State, person: str, dice: Throw
) -> tuple[State, list[Fact], list[Roll]]:
    bonus = world.scenario.player.skills.get(MARTIAL, 0)
    needed = EVEN + world.people[person].skill
    roll = dice(state.turn, f"{FIGHT} {person}", bonus, needed, MARTIAL)
    words = f"你打中了{person}。" if roll.success else f"{person}打中了你。"
    blow = Phrase("体力", (person,) if roll.success else (), "-", WOUND)
    angry = Phrase("好感", (person,), "-", PLEASED)
    state, facts = world.after([blow, angry], state)
    return state, [Fact(kind="blow", who=person, text=words), *facts], [roll]


def _give(world: World, state: State, person: str, thing: str) -> tuple[State, list[Fact]]:
    state, facts = world.put(state, thing, person)
    if thing in world.people[person].wants:
        state, more = world.after([Phrase("好感", (person,), "+", PLEASED)], state)
        facts += more
    return state, facts


def _trade(world: World, state: State, action: Action) -> tuple[State, list[Fact]]:
    buys = action.verb == BUY
    pay = Phrase(MONEY, (), "-" if buys else "+", world.items[action.using].price)
    state, facts = world.put(state, action.using, ME if buys else action.target)
    state, more = world.after([pay], state)
    return state, facts + more


def _ask(world: World, state: State, person: str) -> tuple[State, list[Fact]]:
    """Whoever trusts one enough tells a secret, one at a time."""
    for secret in world.scenario.secrets:
        knows = person in secret.known_to and secret.name not in state.secrets
        if knows and state.people[person].relation >= secret.trust:
            state, facts = world.after([Phrase("知道", (secret.name,))], state)
            return state, [Fact(kind="talk", who=person, text=f"你跟{person}说话。"), *facts]
    return state, [Fact(kind="talk", who=person, text=f"你跟{person}说话。")]


def _by_itself(world: World, state: State, dice: Throw) -> tuple[State, list[Fact], list[Roll]]:
    """Events, in order, until none comes any more; each at most once a turn."""
    facts: list[Fact] = []
    rolls: list[Roll] = []
    tried: set[str] = set()
    again = True
    while again and not state.ended:
        again = False
        for event in world.events:
            if event.name in tried or not _comes(world, event, state):
                continue
            tried.add(event.name)
            if event.chance:
                roll = dice(state.turn, f"event {event.name}", 0, event.chance, "")
                rolls.append(replace(roll, label=event.name))
                if not roll.success:
                    continue
            again = True
            if event.once:
                state = replace(state, done=state.done | {event.name})
            else:
                state = replace(state, last={**state.last, event.name: state.turn})
            state, more = world.after(event.success, state)
            first = [Fact(kind="event", who=event.who, what=event.name, text=event.text)]
            facts += first * bool(event.text) + more
    return state, facts, rolls


def _comes(world: World, event: Deed, state: State) -> bool:
    if event.once and event.name in state.done:
        return False
    if event.every and state.turn - state.last.get(event.name, 0) < event.every:
        return False
    if event.who and state.people[event.who].down:
        return False
    return world.all_hold(event.when, state)


def _ending(world: World, state: State) -> tuple[State, list[Fact]]:
    for one in world.endings:
        if state.ended == one.name or (
            not state.ended and one.when and world.all_hold(one.when, state)
        ):
            told = Fact(kind="ending", what=one.name, text=one.text or f"——{one.name}——")
            return replace(state, ended=one.name), [told]
    if state.hp <= 0 and not state.ended:
        return replace(state, ended=FALLEN), [Fact(kind="ending", what=FALLEN, text="你倒下了。")]
    return state, []


FALLEN = "倒下"
"""The ending of whoever has no hp left, where a scenario has none for it."""


def why_not(world: World, state: State, action: Action) -> str:
    """Why something cannot be done now, in a sentence."""
    verb, target, using = action.verb, action.target, action.using
    for name in (target, using):
        if name in world.people and name not in state.company():
            down = state.people[name].down and state.people[name].at == state.at
            return f"{name}倒在地上，什么也做不了" if down else f"{name}不在这里"
        if name in world.items and state.things[name] not in (ME, state.at):
            return f"这里没有{name}"
    if verb in (GIVE, DROP, SELL) and state.things.get(using or target) != ME:
        return f"你没有{using or target}"
    if verb == TAKE and state.things.get(target) == ME:
        return f"{target}已经在你身上"
    if verb == TAKE and target in world.items:
        return f"{target}拿不动"
    if verb == GO and target in world.places:
        return _no_way(world, state, target)
    if verb == BUY:
        return f"{using}不卖，或者钱不够"
    if verb == FIGHT and target in world.people:
        return f"跟{target}动不得手"
    return "现在做不了这件事"


def _no_way(world: World, state: State, to: str) -> str:
    if to == state.at:
        return f"你就在{to}"
    way = world.way(state.at, to)
    if way is None:
        return f"从{state.at}去不了{to}"
    if way.key and (state.at, to) not in state.opened:
        return f"去{to}的路锁着"
    return f"现在还去不了{to}"

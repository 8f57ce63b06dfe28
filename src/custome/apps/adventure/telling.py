"""What is so, in plain sentences; and which few things to offer."""

from __future__ import annotations

from .game import Game
from .rules import (
    ASK,
    BUY,
    DROP,
    FIGHT,
    GIVE,
    GO,
    OPEN,
    SELL,
    TAKE,
    WAIT,
    Action,
    Outcome,
    admissible,
)
from .state import State
from .understanding import OFFERED
from .world import World

_LATER = {BUY: 2, GIVE: 3, SELL: 4, DROP: 5, FIGHT: 6, WAIT: 7}


def rolls_told(outcome: Outcome) -> str:
    """How the dice fell."""
    return "".join(f"【{roll}】" for roll in outcome.rolls)


def scene(world: World, state: State, *, about: bool = True) -> str:
    """Where one is, what lies there, who is there, where one can go from there.

    Args:
        about: how it looks there, too.
    """
    place = world.places[state.at]
    hour = world.hour(state)
    lines = [f"【{place.name}】" + (f"　{hour}" if hour else ""), place.about if about else ""]
    if state.here():
        lines.append(f"这里有：{'、'.join(state.here())}")
    company = [
        name + ("（跟着你）" if state.people[name].follows else "") for name in state.company()
    ]
    down = [
        f"{name}（倒下了）" for name, one in state.people.items() if one.at == state.at and one.down
    ]
    if company or down:
        lines.append(f"在场：{'、'.join(company + down)}")
    ways = [
        f"{way.way + '·' if way.way else ''}{way.to}"
        + ("" if world.is_open(state, way.to) else "（去不了）")
        for way in place.exits
    ]
    if ways:
        lines.append(f"出口：{'、'.join(ways)}")
    return "\n".join(line for line in lines if line)


def bag(world: World, state: State) -> str:
    """What one carries, and how one is."""
    things = "、".join(state.bag()) or "什么也没有"
    counters = "".join(f"　{name} {figure}" for name, figure in state.counters.items())
    known = "".join(f"\n你知道：{world.secrets[name].what}" for name in sorted(state.secrets))
    return f"身上：{things}\n体力 {state.hp}/{world.scenario.player.hp}{counters}{known}"


def looked_at(world: World, state: State, name: str) -> str:
    """How somebody or something looks."""
    if name in world.places:
        return scene(world, state)
    about = (world.people.get(name) or world.items[name]).about
    if name in world.people:
        held = state.held_by(name)
        about += f"（手里有{'、'.join(held)}）" if held else ""
    return f"{name}：{about or '看不出什么特别的。'}"


def suggestions(game: Game, most: int = OFFERED) -> list[Action]:
    """A few of the things that can be done now, those that lead on first, no two of one kind while there are others."""
    world, state = game.world, game.state
    done = {turn.action for turn in game.turns if turn.action is not None}
    own = {(rule.verb, rule.target, rule.using) for rule in world.rules}

    def rank(action: Action) -> tuple[int, int]:
        if action.verb in _LATER:
            return 2, _LATER[action.verb]
        again = int(action in done)
        if (action.verb, action.target, action.using) in own or action.verb == OPEN:
            return again, 0
        if action.verb == GO:
            return again, 1 if action.target not in state.visited else 4
        if action.verb == ASK:
            tells = any(action.target in one.known_to for one in world.scenario.secrets)
            return again, 2 if tells else 4
        return again, 2 if action.verb == TAKE else 4

    ranked = sorted(admissible(world, state), key=rank)
    first: dict[str, Action] = {}
    for one in ranked:
        first.setdefault(one.verb, one)
    alone = set(first.values())
    chosen = set(
        sorted([*first.values(), *(one for one in ranked if one not in alone)], key=rank)[:most]
    )
    return [one for one in ranked if one in chosen]

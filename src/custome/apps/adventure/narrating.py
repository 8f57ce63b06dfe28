"""A turn in prose, by our own sentences: what the author wrote stands as it is written, what the engine did is put into one of several
sentences, and an arrival shows where one is and who is there. Every word of it is so; a model may only reword it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .rules import ASK, BUY, DROP, FIGHT, GIVE, GO, OPEN, SELL, TAKE, WAIT, Action, Outcome
from .state import State
from .world import Fact, World

_DEEDS: Mapping[str, tuple[str, ...]] = {
    GO: ("你到了{target}。", "你一路走到{target}。", "你来到{target}。", "走不多时，到了{target}。"),
    TAKE: ("你把{target}拿了起来，收在身边。", "你拿起{target}，收好了。", "你把{target}带在身上。"),
    DROP: ("你把{target}放在{at}。", "你放下{target}，把它留在{at}。", "你松开手，{target}留在了{at}。"),
    GIVE: ("你把{using}递给{target}，{target}接在手里。", "{target}接过{using}，看了一看，收下了。", "你把{using}交到{target}手里。"),
    OPEN: ("{using}派上了用场，去{target}的路开了。", "你用{using}开了路，可以去{target}了。"),
    BUY: ("你向{target}买下{using}，付了钱。", "{target}收了钱，把{using}推到你面前。"),
    SELL: ("你把{using}卖给{target}，收了钱。", "{target}收下{using}，把钱点给你。"),
    WAIT: ("你等了一会儿。", "你站了一阵，没有动。", "你没有急着走，等了等。"),
}  # fmt: skip
"""Verb of every game → how the deed is told; a rule's own deed is told by its author."""
_PLEASED = ("{target}接过{using}，眉头松开了。", "{target}得了{using}，脸上有了笑意。")
"""For whoever is given what they wanted."""
_HIT = ("你抢上一步，打中了{target}。", "你一下打在{target}身上。")
_MISSED = ("{target}让过这一下，反手打中了你。", "你没有打着，倒挨了{target}一下。")
_COMPANY: Mapping[int, tuple[str, ...]] = {
    1: ("{name}见是你，点了点头。", "{name}朝你笑了笑。", "{name}让出一步，等你过来。"),
    0: ("{name}也在这里。", "{name}抬头看了看你。", "{name}看了你一眼，没有说话。"),
    -1: ("{name}看见是你，把脸转了过去。", "{name}冷冷地看着你。"),
}
"""How somebody stands with one → what is seen of them."""
_LYING = ("这里有{things}。", "你看见{things}。", "{things}就在眼前。")
_FOLLOWS = ("{name}跟在你身后。", "{name}同你一道。")
_DOWN = "{name}还倒在地上。"
_ALONE = ("这里没有别人。", "四下里不见有人。")
_SAYS: Mapping[int, tuple[str, ...]] = {
    1: ("{name}同你说了几句，没有什么新的消息。", "{name}和和气气地应着，说的都是闲话。"),
    0: ("{name}听你说完，没有多说。", "{name}应了一声，再没有别的话。"),
    -1: ("{name}不愿同你多说。", "{name}只当没有听见。"),
}
"""How somebody stands with one → what comes of talking, where nobody gives them words."""
_HOUR = ("这时已是{hour}。", "不觉已到{hour}。")
MOST_SEEN = 2
"""People that are told of on an arrival."""
_TOLD_BY_DEED = {
    GO: "go",
    TAKE: "get",
    DROP: "drop",
    GIVE: "give",
    OPEN: "open",
    FIGHT: "blow",
    BUY: "get",
    SELL: "give",
    WAIT: "wait",
    ASK: "talk",
}
"""Verb → the kind of fact that its sentence tells."""
AUTHORED = ("told", "event", "ending")
"""Kinds of facts whose sentences the author of a scenario wrote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrated:
    """The words of a turn."""

    prose: str
    figures: str = ""
    """What was counted, behind the prose."""

    def __str__(self) -> str:
        return self.prose + (f"〔{self.figures}〕" if self.figures else "")


def narrated(
    world: World,
    before: State,
    action: Action,
    outcome: Outcome,
    *,
    version: int = 0,
    speech: str = "",
) -> Narrated:
    """The words of a turn.

    Args:
        before: what was so before it.
        version: another one gives other words for the same.
        speech: what whoever is spoken to says.
    """
    counted = [fact.text for fact in outcome.facts if _is_counted(world, fact)]
    sentences = _Narration(world, before, action, outcome, version, speech).sentences()
    prose = "".join(sentences) or f"你{action}。"
    return Narrated(prose=prose, figures="".join(counted).removesuffix("。"))


def _is_counted(world: World, fact: Fact) -> bool:
    return fact.kind == "count" and fact.what in world.counters


def by_author(facts: Sequence[Fact]) -> bool:
    """Did the author of the scenario write some of it?"""
    return any(fact.kind in AUTHORED for fact in facts)


class _Narration:
    def __init__(
        self,
        world: World,
        before: State,
        action: Action,
        outcome: Outcome,
        version: int,
        speech: str,
    ) -> None:
        self._world, self._before, self._action = world, before, action
        self._after, self._facts = outcome.state, outcome.facts
        self._version, self._speech = version, speech

    def sentences(self) -> list[str]:
        verb = self._action.verb
        by_rule = bool(self._facts) and self._facts[0].kind == "told"
        told = "" if by_rule else _TOLD_BY_DEED.get(verb, "")
        lines, arrived = [], False
        for fact in self._facts:
            if _is_counted(self._world, fact):
                continue
            if fact.kind == told:
                lines.append(self._deed(fact))
                told = ""
            else:
                lines.append(fact.text)
            arrived = arrived or fact.kind == "go"
        if self._after.ended:
            return lines
        hour = self._world.hour(self._after)
        if hour != self._world.hour(self._before):
            lines.append(self._one(_HOUR, hour=hour))
        if arrived or (verb == WAIT and not by_author(self._facts)):
            lines += self._scene()
        return lines

    def _deed(self, fact: Fact) -> str:
        action, verb = self._action, self._action.verb
        if verb == FIGHT:
            return self._one(_HIT if fact.text.startswith("你") else _MISSED, target=action.target)
        if verb == ASK and self._speech:
            return self._speech
        if verb == ASK:
            return self._one(_SAYS[self._stands_with(action.target)], name=action.target)
        if verb == GIVE and action.using in self._world.people[action.target].wants:
            return self._one(_PLEASED, target=action.target, using=action.using)
        words = self._one(
            _DEEDS[verb], target=action.target, using=action.using, at=self._before.at
        )
        about = self._world.items[action.target].about if verb == TAKE else ""
        return words + about

    def _scene(self) -> list[str]:
        """Where one is and who is there."""
        state, lines = self._after, []
        if state.at != self._before.at:
            lines.append(self._world.places[state.at].about)
        if state.at != self._before.at and (lying := state.here()):
            lines.append(self._one(_LYING, things="、".join(lying)))
        company = sorted(state.company(), key=lambda name: state.people[name].follows)
        by_manner: dict[Sequence[str], list[str]] = {}
        for name in company[:MOST_SEEN]:
            follows = state.people[name].follows
            manner = _FOLLOWS if follows else _COMPANY[self._stands_with(name)]
            by_manner.setdefault(manner, []).append(name)
        lines += [self._one(manner, name="和".join(names)) for manner, names in by_manner.items()]
        down = [n for n, one in state.people.items() if one.at == state.at and one.down]
        lines += [_DOWN.format(name=name) for name in down[:1]]
        if not company and not down:
            lines.append(self._one(_ALONE))
        return lines

    def _stands_with(self, person: str) -> int:
        relation = self._after.people[person].relation
        return (relation >= 2) - (relation < 0)

    def _one(self, some: Sequence[str], **names: str) -> str:
        """One of several sentences: the next version another one, the same turn always the same."""
        told = f"{self._after.turn} {some[0]} {sorted(names.items())}"
        start = hashlib.sha256(told.encode()).digest()[0]
        return some[(start + self._version) % len(some)].format(**names)

"""What somebody types → one thing that can be done now, or a question back. It never invents: whatever is taken is in the list of what is
admissible, and where two would do it asks which.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ...corpus.script import convert
from .naming import Mention, called_in, in_chinese, mentions_in
from .rules import (
    ASK,
    BUY,
    GIVE,
    GO,
    SELL,
    TAKE,
    WAIT,
    Action,
    admissible,
    why_not,
)
from .state import ME, State
from .verbs import BAG, LOOK, LOOK_AROUND, SEE, WORDS
from .world import World

LONGEST = 200
"""Characters that are read of what was typed."""
OFFERED = 4
"""Things that are offered when it is not clear which is meant."""
_DIRECTIONS = {"n": "北", "s": "南", "e": "东", "w": "西", "u": "上", "d": "下"}
_DIRECTIONS |= {"north": "北", "south": "南", "east": "东", "west": "西", "up": "上", "down": "下"}
_HE = ("他", "她", "对方", "那人", "这人", "此人", "him", "her")
_CLAUSES = re.compile(r"[，。！？、；,.!?;…\n]+|然后|接着|随后|再(?=[^次])")
_NO = re.compile(
    r"(?<!好)(?<!要)(?<!会)(?<!能)(?:不(?!停|断|如|错|禁|知|成敬意|要了|用了)|别(?!处|的|人)|勿|休要)|给.{0,4}看"
)
_THEN = re.compile("然后|接着|随后|再")
_ASKS = re.compile("问|打听|请教")
_PUT = re.compile("[吗么呢]$|[没不]有?$|为何|为什么|怎么|什么|[哪谁几]|好$")
"""How a question or a greeting goes that begins with a name."""
_CALLED = re.compile(
    "[^求问请找打杀给劝约看拉叫等告跟对向和同]?□+(?:[哥姐叔伯爷婶嫂弟妹]{1,2}|兄弟|老儿)?[啊呀哟呢，]?"
)
"""Somebody's name and nothing more, with the surname before it that is no part of it: 晁天王."""
_A_NOT_A = re.compile(r"(.)不\1")
_PARTICLES = "我你他她它们的了吧呢啊呀着过一下会儿点个就再先快来起去把向跟和与同想要请叫让那这些条只坛匹件在里边面头口旁"
"""Characters that say nothing of what is meant."""
_IF = re.compile(r"如果|要是|假如|吗$|么$|(.)不\1|可以.*吗|怎么|为什么|为何|多少|哪里|哪儿")
_THAT_ONE = re.compile("[这那][位个]|此人")


@dataclass(frozen=True, kw_only=True)
class Understood:
    """What was understood."""

    kind: Literal["do", "look", "bag", "examine", "which", "refused", "nothing"]
    """do: `action`; examine: `what` is to be looked at; which: one of `options` is meant; refused: `why`."""
    action: Action | None = None
    what: str = ""
    options: tuple[Action, ...] = ()
    why: str = ""


def understand(world: World, state: State, typed: str, last: str = "") -> Understood:
    """What is to be done.

    Args:
        last: the person who was spoken of last, whom 他 means.
    """
    clauses = [one for one in map(plain, _CLAUSES.split(_even(typed))) if one]
    clauses = [in_chinese(one, _vocabulary(world, state)) for one in clauses]
    if not clauses:
        return Understood(kind="nothing", why="什么也没有写")
    whole = "".join(clauses)
    if BAG.fullmatch(whole):
        return Understood(kind="bag")
    possible = admissible(world, state)
    if state.ended and not LOOK.fullmatch(whole):
        return Understood(kind="refused", why="这一局已经完了")
    exact = [one for one in possible if whole in (plain(str(one)), _bare(world, one))]
    if exact:
        return Understood(kind="do", action=exact[0])
    if (spoken := _spoken_to(world, state, clauses, possible)) is not None:
        return spoken
    wanted = [one for one in clauses if _ASKS.search(one) or not _NO.search(_A_NOT_A.sub("", one))]
    if not wanted:
        return Understood(kind="nothing", options=tuple(possible[:OFFERED]), why="没有听懂要做什么")
    together = _Reading(world, state, "".join(wanted), last, possible).meant()
    if len(wanted) == 1:
        return together
    apart = [_Reading(world, state, one, last, possible).meant() for one in wanted]
    done = list(dict.fromkeys(one.action for one in apart if one.action is not None))
    if len(done) > 1:
        return Understood(kind="which", options=tuple(done), why="一次做一件")
    if done and _THEN.search(typed) and any(one.kind == "refused" for one in apart):
        return Understood(kind="which", options=tuple(done), why="一次做一件")
    if together.action is not None and done and together.action not in done:
        return Understood(kind="which", options=(*done, together.action), why="一次做一件")
    if together.action is None and done:
        return next(one for one in apart if one.action is not None)
    return together


def _bare(world: World, action: Action) -> str:
    """A place one can go to, named and no more."""
    return plain(action.target) if action.verb == GO else ""


def _spoken_to(
    world: World, state: State, clauses: list[str], possible: list[Action]
) -> Understood | None:
    """Words to somebody who is called by their name first or last: 魏伯，灯怎么灭了？"""
    if len(clauses) < 2:
        return _asked_at_once(world, state, clauses[0], possible)
    for called in (clauses[0], clauses[-1]):
        mentions, rest = mentions_in(world, state, called, plain)
        people = {name for one in mentions for name in one.means if name in state.company()}
        if len(people) != 1 or not _CALLED.fullmatch(rest):
            continue
        (person,) = people
        said = [one for one in clauses if one is not called]
        reading = _Reading(world, state, "".join(said) + person, person, possible).meant()
        apart = [_Reading(world, state, one + person, person, possible).meant() for one in said]
        if reading.kind != "do" and sum(one.kind == "do" for one in apart) == 1:
            reading = next(one for one in apart if one.kind == "do")
        asks = _asks("".join(said))
        if asks and reading.action is not None and reading.action.target != person:
            reading = Understood(kind="nothing")
        if reading.kind == "do" or _NO.search("".join(said)) and not asks:
            return reading if reading.kind == "do" else None
        if Action(ASK, person) not in possible:
            return None
        topics = [
            one
            for one in possible
            if one.verb == ASK
            and one.target == person
            and one.using
            and any(
                word in "".join(said) for word, name in called_in(world, plain) if name == one.using
            )
        ]
        return Understood(kind="do", action=topics[0] if topics else Action(ASK, person))
    return None


def _asked_at_once(
    world: World, state: State, said: str, possible: list[Action]
) -> Understood | None:
    """A question that begins with somebody's name: 婆婆认得老魏吗."""
    mentions, _ = mentions_in(world, state, said, plain)
    if not mentions or mentions[0].at != 0 or not _PUT.search(said):
        return None
    people = [name for name in mentions[0].means if name in state.company()]
    ask = Action(ASK, people[0]) if people else None
    return Understood(kind="do", action=ask) if ask in possible else None


def _asks(said: str) -> bool:
    return (
        _IF.search(said) is not None or re.search("什么|几|谁|吧$|呢$|没有$|没$", said) is not None
    )


def _vocabulary(world: World, state: State) -> list[str]:
    """Words that somebody who writes pinyin may mean."""
    ways = [plain(way.way) for way in world.places[state.at].exits]
    names = [word for word, _ in called_in(world, plain)]
    own = [plain(word) for rule in world.scenario.rules for word in (rule.verb, *rule.said)]
    return [*names, *ways, *own, *(word for some in WORDS.values() for word in some)]


def _even(typed: str) -> str:
    return convert(unicodedata.normalize("NFKC", typed[:LONGEST]), "t2s").lower()


def plain(typed: str) -> str:
    """Simplified, of one width, in small letters, without blanks and marks between Chinese characters."""
    text = SEE.sub("看", _even(typed).strip())
    text = re.sub(r"[，。！？、；：“”‘’…,.!?;:\"'~\-—()（）《》【】\[\]]", "", text)
    return re.sub(r"(?<=[^a-z])\s+|\s+(?=[^a-z])", "", text)


class _Reading:
    """One text against what can be done."""

    def __init__(
        self, world: World, state: State, text: str, last: str, possible: list[Action]
    ) -> None:
        text = text.replace("一下", "").replace("看下", "看") or text
        self._world, self._state, self._text, self._possible = world, state, text, possible
        self._own = {rule.verb for rule in world.rules}
        self._said: dict[str, set[str]] = {}
        """A scenario's own verb → what it is called."""
        for rule in world.scenario.rules:
            self._said.setdefault(rule.verb, {rule.verb}).update(map(plain, rule.said))
        rest = text
        now = {action.verb for action in possible}
        own = {one for verb, some in self._said.items() for one in some if verb in now}
        for word in sorted(own, key=len, reverse=True):
            if len(word) > 1:
                rest = rest.replace(word, "□")
        ways, rest = self._ways(text, rest)
        self._mentions, rest = mentions_in(world, state, rest, plain)
        self._mentions += ways
        self._verbs = dict(self._verbs_in(text, rest))
        if ways:
            self._verbs[GO] = LONGEST
        if "自己" in text or "卖" in text:  # what one eats oneself, or sells, nobody is given
            self._verbs.pop(GIVE, None)
        self._he(text, last)
        words = {word for verb in self._verbs for word in (verb, *WORDS.get(verb, ()))}
        for word in sorted(words, key=len, reverse=True):
            rest = rest.replace(word, "□")
        self._more = bool(re.sub(rf"[□{_PARTICLES}]", "", rest))

    def meant(self) -> Understood:
        around = LOOK_AROUND.search(self._text) and not self._others()
        if around or LOOK.fullmatch(self._text):
            return Understood(kind="look")
        if seen := self._seen():
            return Understood(kind="examine", what=seen)
        if _IF.search(self._text) and not (self._verbs.keys() & ({ASK} | self._own)):
            return Understood(kind="nothing", why="没有听懂要做什么")
        ranked = sorted(
            (rank, number)
            for number, one in enumerate(self._possible)
            if (rank := self._rank(one)) is not None
        )
        best = [self._possible[number] for rank, number in ranked if rank == ranked[0][0]]
        if len(best) == 1:
            return Understood(kind="do", action=best[0])
        if best:
            return Understood(kind="which", options=tuple(best[:OFFERED]))
        if refused := self._refused():
            return Understood(kind="refused", why=refused)
        named = {name for one in self._mentions for name in one.means}
        some = [one for one in self._possible if one.target in named][:OFFERED]
        return Understood(kind="nothing", options=tuple(some), why="没有听懂要做什么")

    # -- what stands in it ---------------------------------------------------------------------------------------------

    def _verbs_in(self, text: str, rest: str) -> Iterator[tuple[str, int]]:
        """(verb, length of the word that says it)."""
        for verb in {*WORDS, *self._own}:
            size = max(
                (len(word) for word in WORDS.get(verb, ()) if _stands(word, rest)), default=0
            )
            if any(_loosely(word).search(text) for word in self._said.get(verb, ())):
                size = max(size, len(verb) + 1)
            if size:
                yield verb, size

    def _he(self, text: str, last: str) -> None:
        """Whom 他 means."""
        company = self._state.company()
        if any(he in text for he in _HE):
            who = last if last in company else company[0] if len(company) == 1 else ""
            if who:
                at = min(at for he in _HE if (at := text.find(he)) >= 0)
                self._mentions = sorted(
                    [*self._mentions, Mention(at=at, means=(who,))], key=lambda one: one.at
                )

    def _ways(self, text: str, rest: str) -> tuple[list[Mention], str]:
        """Ways that are called by their direction, and the text without them."""
        direction = _DIRECTIONS.get(text.removeprefix("go").strip(), "")
        exits, found = self._world.places[self._state.at].exits, []
        for way in exits:
            bare = plain(way.way).removeprefix("往").removesuffix("边")
            if bare and (direction == bare or _goes(rest, bare)):
                found.append(Mention(at=len(text), means=(way.to,)))
                rest = rest.replace(bare, "□")
        leaves = text in ("出去", "离开", "走", f"离开{self._state.at}", f"走出{self._state.at}")
        if leaves and len(exits) == 1:
            found.append(Mention(at=0, means=(exits[0].to,)))
        return found, rest

    def _looks(self) -> bool:
        text = re.sub("看[门守家院]", "", self._text)
        return any(word in text for word in ("看", "查", "什么样", "什么模样", "look", "examine"))

    def _others(self) -> bool:
        """Is somebody or something named beside the place where one is?"""
        return any(self._state.at not in one.means for one in self._mentions)

    def _seen(self) -> str:
        """What is to be looked at, where no rule says what comes of that."""
        if not self._looks():
            return ""
        named = [name for one in self._mentions for name in one.means]
        if any(one.verb == "查" and one.target in named for one in self._possible):
            return ""
        bag = [name for name in named if self._state.things.get(name) == ME]
        busy = {GIVE, TAKE, ASK, GO, BUY, SELL} - ({TAKE} if bag else set())
        if self._verbs.keys() & busy and "看看" not in self._text:
            return ""
        company = self._state.company()
        if not named and len(company) == 1 and _THAT_ONE.search(self._text):
            return company[0]
        return next((name for name in named if self._is_here(name)), "")

    def _is_here(self, name: str) -> bool:
        state, company = self._state, self._state.company()
        return name in (state.at, *company) or state.things.get(name) in (ME, state.at, *company)

    # -- what is meant -------------------------------------------------------------------------------------------------

    def _rank(self, action: Action) -> tuple[int, int, int] | None:
        """How far an action is from what was said, the least first; None where it is something else."""
        size = self._verbs.get(action.verb, 0)
        looked_into = action.verb == "查" and self._looks()
        if not size and not looked_into:
            return None
        names = {action.target, action.using} - {""}
        missing, extra = set(names), 0
        about = (action.verb == ASK and not action.using) or action.verb in self._own
        about = about and action.target in self._world.people and self._is_asked(action.target)
        for one in self._mentions:
            hit = names & set(one.means)
            missing -= hit
            if not hit and not about and not self._may_be_beside(action, one):
                return None  # somebody or something that has no part in it
            extra += not hit
        plainly = action.verb in self._own and size > 2
        if missing == names and names and (action.verb == GO or (self._more and not plainly)):
            return None
        return len(missing), extra, -2 * size - (action.verb in self._own)

    def _is_asked(self, person: str) -> bool:
        """Is somebody the one who is asked, whatever it is about: the first of those here who are named?"""
        company = self._state.company()
        here = [name for one in self._mentions for name in one.means if name in company]
        return here[:1] == [person]

    def _may_be_beside(self, action: Action, one: Mention) -> bool:
        """May something be named that has no part in it? Where one is, and with a scenario's own verbs what they are about."""
        if self._state.at in one.means:
            return True
        people = all(name in self._world.people for name in one.means)
        known = (self._world.people, self._world.places, self._world.items)
        topic = not any(name in some for name in one.means for some in known)
        if action.verb == GO:
            there = any(action.target in other.means for other in self._mentions)
            held = all(self._state.things.get(name) == ME for name in one.means)
            return (people or topic or held) and there
        if action.verb == WAIT:
            return people
        things = all(
            name not in self._world.people and name not in self._world.places for name in one.means
        )
        return things and action.verb in self._own and action.verb != ASK

    def _refused(self) -> str:
        """Why the one thing that was clearly meant cannot be done."""
        most = max(self._verbs.values(), default=0)
        verbs = [verb for verb, size in self._verbs.items() if size == most]
        names = [one.means[0] for one in self._mentions]
        if len(verbs) != 1 or not names:
            return ""
        verb = verbs[0]
        if verb not in (GIVE, SELL, BUY):
            return why_not(self._world, self._state, Action(verb, names[0]))
        people = [name for name in names if name in self._world.people]
        things = [name for name in names if name in self._world.items]
        if not people or not things:
            return ""
        return why_not(self._world, self._state, Action(verb, people[0], things[0]))


def _loosely(verb: str) -> re.Pattern[str]:
    """A verb with a few characters between its own: 借我二十条船 for 借船, 把船备好 for 备船."""
    letters = [re.escape(one) for one in verb]
    turned = f"|把.{{0,3}}?{letters[1]}.{{0,3}}?{letters[0]}" if len(verb) == 2 else ""
    return re.compile(".{0,6}?".join(letters) + turned)


def _goes(text: str, way: str) -> bool:
    """Does a text say to go that way?"""
    if len(way) > 1:
        return way in text
    way = re.escape(way)
    return bool(
        re.search(
            rf"(?:去|走|往|向|到|进|出|朝|爬|登)[^□]{{0,2}}{way}|(?<![脸手身头地心口]){way}(?:边|面|走|去|来|楼)|^{way}$",
            text,
        )
    )


def _stands(word: str, text: str) -> bool:
    if word.isascii():
        return re.search(rf"(?<![a-z]){re.escape(word)}(?![a-z])", text) is not None
    return word in text

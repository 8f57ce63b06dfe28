"""What somebody of a game says when they are spoken to, in the words of a model that plays them. What was said to the model and what it
may say is decided here: nobody tells another's secret, gives away a thing that stays where it is, or speaks of the game.

Who plays them is given as a callable (apps/context.py): this app knows no engine.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...corpus.script import convert
from ...engine.base import Cancel
from ..context import Line, Part, Speaker
from .game import Game
from .rules import ASK, Action
from .state import State
from .world import World

TRIES = 4
HEARD = 6
"""Earlier lines of the two that are told to a model."""
LONGEST = 90
"""Characters of what is said; it ends with a sentence."""
SHORTEST = 2
_MANNER = {
    "古": ("天色不早了，你还不歇着？", "睡不着。心里装着事，闭上眼也是它。",
           "你说这一趟走得成么？", "成不成，走了才知道。坐在这里叹气，一步也走不成。"),
    "今": ("这么晚了，你还不睡？", "睡不着。心里有事，闭上眼也是它。",
           "你说这一趟走得成吗？", "成不成，走了才知道。坐在这儿叹气，一步也走不成。"),
}  # fmt: skip
"""What a model is shown said before the first line, by whoever it plays: how people of a story answer; version 1."""
_STANDING = {1: "信得过{player}", 0: "同{player}不熟", -1: "不喜欢{player}"}
_TO_SOMEBODY = re.compile(
    r"^我?(?:想|要|去|再|先)*(?:问问|问|打听|请教|询问|告诉|对|跟|和|向|同|找)(?P<who>{who})?(?:一下|一声|打听|问问?|说说?|讲|聊聊?|谈谈?|请教)*[：，,: ]*(?P<rest>.*)$"
)
_ORDERS = re.compile(r"^(?:关于|有关)?(?P<what>.{1,8}?)(?:的事情?|的情况)?$")
_SENTENCE = re.compile(r"[^。！？…]*[。！？…]+[”’）]?")
_OUTSIDE = re.compile(
    r"游戏|玩家|扮演|角色|剧本|AI|ai|人工智能|语言模型|程序|助手|[A-Za-z]{3,}|[\u3040-\u30ff\uac00-\ud7af]"
)
_GIVES = "给你|拿去|送你|送给|交给你|收下|接着吧|归你|拿着"


def words_said(world: World, action: Action, typed: str) -> str:
    """What the player says to somebody: what was typed, without to whom."""
    person = world.people[action.target]
    names = "|".join(map(re.escape, sorted((person.name, *person.aliases), key=len, reverse=True)))
    said = re.sub(
        rf"^(?:{names}|[\u4e00-\u9fff]{{1,2}}[叔伯爷哥嫂婶姐])[，,！! ]+", "", typed.strip()
    )
    asked = re.compile(
        _TO_SOMEBODY.pattern.replace("{who}", f"{names}|他|她|对方|那人|此人")
    ).fullmatch(said)
    rest = asked["rest"].strip() if asked else said
    if not rest or typed.strip() == str(action):
        rest = action.using
    if not rest:
        return "眼下的事，你怎么看？"
    if (
        re.search("[？?吗呢吧。！!]|什么|怎|哪|谁|几|多少|我|你|(.)不\\1|有没有", rest)
        or len(rest) > 6
    ):
        return rest
    what = _ORDERS.fullmatch(rest)
    return f"{what['what']}的事，你知道些什么？" if what else rest


def part_of(game: Game, number: int, person: str) -> Part:
    """Who is to be played, and in which situation: that after a turn."""
    world, state = game.world, game.outcome(number).state
    scenario, somebody = world.scenario, world.people[person]
    player = scenario.player
    relation = state.people[person].relation
    standing = _STANDING[(relation >= 2) - (relation < 0)].format(player=player.name)
    place, hour = world.places[state.at], world.hour(state)
    others = "、".join(name for name in state.company() if name != person)
    held = "、".join(state.held_by(person))
    known = [one.what for one in scenario.secrets if person in one.known_to]
    known = [what for what in known if _is_told(world, state, what)]
    scene = "".join(
        [
            f"{hour + '，' if hour else ''}在{place.name}，{place.about}",
            f"在场的还有{others}。" if others else "",
            f"{person}身上有{held}。" if held else "",
            f"{person}{standing}。",
            *(f"{person}对{player.name}说过：{what}。" for what in known),
            f"眼下的事：{scenario.about}" if scenario.about else "",
        ]
    )
    source = scenario.source
    return Part(
        name=person,
        aliases=somebody.aliases,
        about=somebody.about,
        scene=scene,
        to=player.name,
        chapter=source.chapter or None if source is not None else None,
    )


def _is_told(world: World, state: State, what: str) -> bool:
    return any(one.what == what and one.name in state.secrets for one in world.scenario.secrets)


def heard(game: Game, person: str, before: int) -> list[Line]:
    """What the two have said to each other before a turn, the oldest first."""
    lines: list[Line] = []
    for number in game.line(before)[:-1]:
        turn = game.turns[number]
        if turn.action is None:
            continue
        if turn.action.verb == ASK and turn.action.target == person and (said := quoted(turn.text)):
            lines.append(Line(by_player=True, text=words_said(game.world, turn.action, turn.said)))
            lines.append(Line(by_player=False, text=said))
    return lines[-HEARD:]


def quoted(text: str) -> str:
    """What stands between quotation marks at the beginning of a turn's words."""
    found = re.match(r"[^“”。]{0,20}“([^”]+)”", text)
    return found[1] if found else ""


def spoken(
    game: Game,
    number: int,
    speaker: Speaker,
    cancel: Cancel | None = None,
) -> str:
    """Somebody's answer at a turn that asks them, in quotation marks; '' where no try will do.

    Args:
        number: the turn.
    """
    turn = game.turns[number]
    assert turn.action is not None
    world, person = game.world, turn.action.target
    state = game.outcome(number).state
    manner = _MANNER[world.scenario.era]
    lines = [
        *(Line(text=text, by_player=not at % 2) for at, text in enumerate(manner)),
        *heard(game, person, number),
        Line(by_player=True, text=words_said(world, turn.action, turn.said)),
    ]
    for attempt in range(TRIES):
        seed = game.seed + 1000 * number + 10 * len(turn.texts) + attempt
        said = trimmed(speaker(lines, seed, cancel))
        if cancel is not None and cancel.is_set():
            return ""
        if said and not astray(world, state, person, said) and not _again(said, lines):
            return f"{person}道：“{said}”"
    return ""


def trimmed(said: str) -> str:
    """The sentences of a reply that are speech and are whole, as many as there is room for."""
    said = re.sub(r"[（(][^）)]*[）)]|\*[^*]*\*", "", said.split("\n")[0]).strip().strip("“”\"'")
    kept = ""
    for sentence in _SENTENCE.findall(said):
        if kept and len(kept) + len(sentence) > LONGEST:
            break
        kept += sentence
    kept = kept.replace("“", "‘").replace("”", "’")
    return kept if SHORTEST <= len(kept) <= 2 * LONGEST else ""


def astray(world: World, state: State, person: str, said: str) -> str:
    """What is wrong with it: a secret that is not theirs or is not told yet, a thing given away, words from outside the story."""
    said = convert(said, "t2s")
    for secret in world.scenario.secrets:
        may = person in secret.known_to and secret.name in state.secrets
        if not may and secret.words and all(convert(word, "t2s") in said for word in secret.words):
            return secret.name
    for name, where in state.things.items():
        thing = re.escape(name)
        if where == person and re.search(
            f"(?:{_GIVES}).{{0,6}}{thing}|{thing}.{{0,6}}(?:{_GIVES})", said
        ):
            return name
    found = _OUTSIDE.search(said)
    return found[0] if found else ""


def _again(said: str, lines: Sequence[Line]) -> bool:
    """Is it what was said before, or the question and no more?"""
    if any(not line.by_player and line.text == said for line in lines):
        return True
    letters = set(re.sub(r"\W", "", said))
    return len(letters) > 1 and letters <= set(lines[-1].text)

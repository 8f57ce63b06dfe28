"""`kill -9` at twenty moments of a customer's talk: what was answered is kept, nothing is half there, nothing is said twice."""

from __future__ import annotations

import itertools
import multiprocessing
import random
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from custome.apps.service.catalogue import Faq, Shop
from custome.apps.service.desk import Desk
from custome.apps.service.shelves import Catalogues
from custome.conversations.store import Store

KILLS, BEGUN = 20, -1
SHOP = Shop(name="渡口", faqs=(Faq(question="几点开船？", answer="八点。"),))


def talk(path: Path, chat: str, first: int, told: Connection) -> None:
    """Say one thing after the other and tell of each that was answered."""
    store = Store(path)
    desk = Desk("渡口", store, Catalogues(store))
    told.send(BEGUN)
    for number in itertools.count(first):
        desk.say(chat, "甲", "几点开船？" if number % 3 else "转人工", key=str(number))
        told.send(number)


def test_killed_twenty_times(tmp_path: Path):
    path = tmp_path / "chats.db"
    store = Store(path)
    Catalogues(store).keep(SHOP)
    chat = Desk("渡口", store, Catalogues(store)).begin("甲")
    store.close()
    forked, dice, said = multiprocessing.get_context("fork"), random.Random(0), 0
    for _ in range(KILLS):
        here, there = forked.Pipe(duplex=False)
        process = forked.Process(target=talk, args=(path, chat, said, there))
        process.start()
        there.close()
        assert here.recv() == BEGUN
        time.sleep(dice.uniform(0.0, 0.2))
        process.kill()
        process.join()
        answered = said + len(_all_of(here))
        store = Store(path)
        desk = Desk("渡口", store, Catalogues(store))
        said = _is_whole(desk, store.scene(chat, "shop:渡口"), chat)
        assert answered <= said <= answered + 1  # the last one may have been kept and not told of
        if said:  # sent again, it is not said again
            desk.say(chat, "甲", "几点开船？", key=str(said - 1))
            assert _is_whole(desk, store.scene(chat, "shop:渡口"), chat) == said
        if desk.state(chat, "甲") == "queued":  # somebody comes, and the assistant goes on
            desk.take(chat, "小王")
            desk.give_back(chat, "小王")
        store.close()
    assert said > KILLS


def _all_of(told: Connection) -> list[int]:
    found: list[int] = []
    with suppress(EOFError):
        while True:
            found.append(told.recv())
    return found


def _is_whole(desk: Desk, scene: dict[str, Any], chat: str) -> int:
    """How many things were said: each with its delivery remembered and its answer, and the state that the last of them left."""
    turns = desk.turns(chat)
    said = [at for at, turn in enumerate(turns) if turn.by_user]
    seen = list(scene["seen"].values())
    assert list(scene["seen"]) == [str(number) for number in range(len(said))][-len(seen) :]
    for at, told in zip(said[-len(seen) :], seen, strict=True):
        if told["text"]:
            assert turns[at + 1].text == told["text"]
    assert not seen or scene["state"] in (seen[-1]["state"], "bot")  # or it was given back since
    return len(said)

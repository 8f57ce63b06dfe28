"""Pages clicked through without a browser: NiceGUI's simulated user on the scripted engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from fastapi import FastAPI
from nicegui import core
from nicegui.client import Client
from nicegui.testing import User
from nicegui.testing.general import prepare_simulation
from nicegui.testing.user import User as SimulatedUser

from custome.apps.context import AppContext, Work
from custome.apps.cosplay.card import Card
from custome.apps.cosplay.own_cards import OwnCards
from custome.conversations.store import Store
from custome.engine.base import ServedModel
from custome.engine.scripted import ScriptedEmbedder, ScriptedEngine
from custome.errors import CustomeError
from custome.types import Character
from custome.webui.adventure_page import add_pages as add_adventure
from custome.webui.chat_app import add_pages
from custome.webui.elements import Composer, TurnView
from custome.webui.knowledge_page import add_pages as add_knowledge
from custome.webui.novel_page import add_pages as add_novel
from custome.webui.service_page import add_pages as add_service
from custome.webui.shell import OWNER, Shell
from custome.webui.workshop_page import add_pages as add_workshop

OWN = "0123456789abcdef0123456789abcdef"
LONG = "此事容吾细细思之，" * 12
REPLIES = ["先救猫。", LONG, "第三次回答。", "第四次回答。", "第五次回答。", "第六次回答。"]
PEOPLE = tuple(
    Character(name=name, cue=cue, utterances=9)
    for name, cue in (("曹操", "操公"), ("诸葛亮", "孔明"), ("刘备", "玄德"), ("孙权", "孙权"))
)


def forget_pages() -> None:
    """NiceGUI keeps the pages of a process; those of an earlier server are not this one's."""
    core.app.routes[:] = [
        one for one in core.app.routes if getattr(one, "path", "").startswith("/_nicegui")
    ]
    core.app.middleware_stack = None
    core.app.user_middleware.clear()
    Client.instances.clear()


class Tab:
    """What a person does in one tab."""

    def __init__(self, user: SimulatedUser, site: Site) -> None:
        self.user, self.site = user, site

    async def open(self, path: str = "/") -> Tab:
        await self.user.open(path)
        await self.settle()
        return self

    async def settle(self, wait_s: float = 0.0) -> None:
        """Until nobody is being answered any more."""
        await asyncio.sleep(wait_s or 0.01)
        for _ in range(1000):
            if not self.composer.shows("busy"):
                return
            await asyncio.sleep(0.01)
        raise AssertionError("it is still being answered")

    async def settle_until(self, what: Callable[[], object]) -> None:
        for _ in range(500):
            if what():
                return
            await asyncio.sleep(0.01)
        raise AssertionError("it did not come to that")

    @property
    def composer(self) -> Composer:
        (found,) = self.user.find(Composer).elements
        return found

    async def say(self, words: str, *, settled: bool = True) -> None:
        self.user.find(Composer).trigger("send", {"words": words})
        if settled:
            await asyncio.sleep(0.02)
            await self.settle()

    def turns(self) -> list[TurnView]:
        """In the order they stand in."""
        try:
            found = self.user.find(TurnView).elements
        except AssertionError:
            return []
        return sorted(found, key=lambda one: one.id)

    def texts(self, kind: str = "") -> list[str]:
        """What is said; of 'mine' or 'theirs' only."""
        mine = {"mine": True, "theirs": False}.get(kind)
        return [one.text for one in self.turns() if mine in (None, one.shows("mine"))]

    async def act(self, place: int, what: str, text: str = "") -> None:
        """Something is done with a turn."""
        view = self.turns()[place]
        self.user.find(marker=f"turn-{view.shows('number')}").trigger(
            "act", {"do": what, "text": text}
        )
        await asyncio.sleep(0.02)
        await self.settle()

    async def click(self, marker: str) -> None:
        self.user.find(marker=marker).click()
        await asyncio.sleep(0.02)

    def given_back(self) -> str:
        """What returned to the box."""
        return self.site.given_back[-1] if self.site.given_back else ""

    def sees(self, text: str) -> bool:
        try:
            self.user.find(content=text)
        except AssertionError:
            return False
        return True


class Site:
    """One server; people open tabs on it."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder / "chats.db")
        self.engine = ScriptedEngine(REPLIES, slots=2)
        self.models = [ServedModel(name="三国", engine=self.engine, people=PEOPLE)]
        self.allowed: Callable[[str, str], bool] | None = None
        self.progress: Callable[[], str] | None = None
        self.workplace = folder
        self.served: list[Path] = []
        self.given_back: list[str] = []
        self.embedder = ScriptedEmbedder(("船票", "车马费"))
        self.new_user: Callable[..., SimulatedUser]
        self.context: AppContext

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Callable[..., SimulatedUser]]:
        forget_pages()
        prepare_simulation()
        server = FastAPI()
        self.context = context = AppContext(
            hosted=lambda: self.models,
            store=lambda: self.store,
            allowed=self.allowed,
            work=[Work(progress=self.progress, stop=lambda: None)] if self.progress else [],
            workplace=self.workplace,
            serve_run=self.served.append,
            voice_of=lambda model, person: lambda question, fact, cancel: f"{person}说：{fact}",
            embedder_of=lambda _: self.embedder,
        )
        shell = Shell(server, context)
        add_pages(shell)
        add_workshop(shell)
        add_knowledge(shell)
        add_service(shell)
        add_novel(shell)
        add_adventure(shell)
        core.app.routes.extend(server.routes[4:])  # behind FastAPI's own
        wrong: list[Exception] = []
        core.app.on_exception(lambda error: isinstance(error, CustomeError) or wrong.append(error))
        async with core.app.router.lifespan_context(core.app):
            yield self._user
        assert not wrong, wrong

    def store_cards(self) -> dict[str, Card]:
        """The cards somebody brought along."""
        return OwnCards(self.store).all(OWN)

    def _user(self, owner: str = OWN) -> SimulatedUser:
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(core.app),
            base_url="http://test",
            cookies={OWNER: owner},
        )
        return User(client)

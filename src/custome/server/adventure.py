"""The routes of games: what is so, what can be done, do it, go back. Whoever calls has games of their own.

/v1/adventure  /v1/adventure/{game}  …/act  …/undo  …/redo  …/go  …/new  …/save  …/load  …/words  …/export
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as HttpRequest

from ..apps.adventure.game import LONGEST_WORDS
from ..apps.adventure.rules import Action, admissible
from ..apps.adventure.tables import Table, Tables, tables_of
from ..apps.adventure.transcript import write_game
from ..apps.context import AppContext
from .auth import Key
from .protocol import Strict
from .rights import may_change

Name = Annotated[str, Field(max_length=40)]
Form = Literal["md", "txt", "epub", "docx", "twee"]


TOLD = 100
"""Turns that are told of, the newest."""


class Act(Strict):
    """POST /v1/adventure/{game}/act: an action of the list, or what somebody typed."""

    verb: Name = ""
    target: Name = ""
    using: Name = ""
    typed: Annotated[str, Field(max_length=10_000)] = ""


class Go(Strict):
    """POST /v1/adventure/{game}/go"""

    turn: Annotated[int, Field(ge=0)]


class Words(Strict):
    """POST /v1/adventure/{game}/words: one's own words for a turn, one of its versions, or (with neither) another version."""

    turn: Annotated[int, Field(ge=1)]
    text: Annotated[str, Field(max_length=LONGEST_WORDS)] = ""
    version: Annotated[int, Field(ge=0)] | None = None


class Begin(Strict):
    """POST /v1/adventure/{game}/new"""

    seed: Annotated[int, Field(ge=0, le=2**31)] | None = None
    """Of the dice; none: any."""


class Slot(Strict):
    """POST /v1/adventure/{game}/save and /load"""

    slot: Annotated[str, Field(pattern="^[1-9]$")]


def adventure_router(context: AppContext) -> APIRouter:
    """The routes of a server's games."""
    router, tables = APIRouter(prefix="/v1/adventure", tags=["adventure"]), tables_of(context)

    def player(http: HttpRequest) -> str:
        """Whose games they are: a key's."""
        key: Key | None = http.state.key
        return f"key-{key.name}" if key is not None else "api"

    async def done(http: HttpRequest, game: str, do: Callable[[str], object]) -> Response:
        """Do it, and say what is so then."""

        def both() -> dict[str, Any]:
            who = player(http)
            do(who)
            tables.wait(who, game)
            with tables.at(who, game) as table:
                return _told(table)

        if http.method != "GET" and http.state.key is None:
            may_change(http, "玩", keyless=context.workplace is not None)
        return JSONResponse(await run_in_threadpool(both))

    @router.get("")
    async def every_game(http: HttpRequest) -> Response:
        """Every scenario, with the slots that are taken."""

        def made() -> list[dict[str, Any]]:
            library = tables.library(player(http))
            return [
                {"id": one.id, "title": one.title, "about": one.about, "saved": library.saved(one)}
                for one in library.scenarios()[0].values()
            ]

        return JSONResponse({"object": "list", "data": await run_in_threadpool(made)})

    @router.get("/{game}")
    async def one_game(game: str, http: HttpRequest) -> Response:
        """What is so, and everything that can be done."""
        return await done(http, game, lambda who: None)

    @router.post("/{game}/act")
    async def act(game: str, body: Act, http: HttpRequest) -> Response:
        """Do something; what is refused changes nothing and says why in `answer`."""
        return await done(http, game, lambda who: _act(tables, who, game, body))

    @router.post("/{game}/undo")
    async def undo(game: str, http: HttpRequest) -> Response:
        """One turn back."""
        return await done(http, game, lambda who: tables.undo(who, game))

    @router.post("/{game}/redo")
    async def redo(game: str, http: HttpRequest) -> Response:
        """Forward again."""
        return await done(http, game, lambda who: tables.redo(who, game))

    @router.post("/{game}/go")
    async def go(game: str, body: Go, http: HttpRequest) -> Response:
        """To any turn; what is done from there is another branch."""
        return await done(http, game, lambda who: tables.go(who, game, body.turn))

    @router.post("/{game}/new")
    async def begin(game: str, body: Begin, http: HttpRequest) -> Response:
        """From the beginning."""
        return await done(http, game, lambda who: tables.begin(who, game, body.seed))

    @router.post("/{game}/save")
    async def save(game: str, body: Slot, http: HttpRequest) -> Response:
        """Keep a copy."""
        return await done(http, game, lambda who: tables.keep(who, game, body.slot))

    @router.post("/{game}/load")
    async def load(game: str, body: Slot, http: HttpRequest) -> Response:
        """Go on with a copy."""
        return await done(http, game, lambda who: tables.take_up(who, game, body.slot))

    @router.post("/{game}/words")
    async def words(game: str, body: Words, http: HttpRequest) -> Response:
        """Other words for a turn: what is so does not change."""
        return await done(http, game, lambda who: _reword(tables, who, game, body))

    @router.get("/{game}/export")
    async def export(game: str, http: HttpRequest, form: Form = "md") -> Response:
        """What was played, as a file."""

        def made() -> bytes:
            with TemporaryDirectory() as folder, tables.at(player(http), game) as table:
                return write_game(table.game, Path(folder) / f"game.{form}").read_bytes()

        headers = {"Content-Disposition": f'attachment; filename="game.{form}"'}
        content = await run_in_threadpool(made)
        return Response(content, media_type="application/octet-stream", headers=headers)

    return router


def _reword(tables: Tables, who: str, game: str, body: Words) -> None:
    if body.text:
        tables.reword(who, game, body.turn, body.text)
    elif body.version is not None:
        tables.show(who, game, body.turn, body.version)
    else:
        tables.say_otherwise(who, game, body.turn)


def _act(tables: Tables, who: str, game: str, body: Act) -> None:
    if body.typed:
        tables.typed(who, game, body.typed)
    else:
        tables.act(who, game, Action(body.verb, body.target, body.using))


def _told(table: Table) -> dict[str, Any]:
    game = table.game
    state, world = game.state, game.world
    return {
        "game": world.scenario.id,
        "seed": game.seed,
        "turn": game.here,
        "turns": [
            {
                "number": number,
                "before": turn.before,
                "did": str(turn.action) if turn.action else "",
                "said": turn.said,
                "text": turn.text,
                "versions": list(turn.texts),
                "shown": turn.shown,
            }
            for number, turn in list(enumerate(game.turns))[-TOLD:]
        ],
        "state": {
            "place": state.at,
            "hour": world.hour(state),
            "hp": state.hp,
            "bag": state.bag(),
            "here": state.here(),
            "people": {
                name: {"relation": state.people[name].relation, "holds": state.held_by(name)}
                for name in state.company()
            },
            "counters": dict(state.counters),
            "secrets": sorted(state.secrets),
            "ended": state.ended,
            "won": state.ended in world.good,
        },
        "rolls": [str(roll) for roll in game.outcome(game.here).rolls],
        "admissible": [
            {"verb": one.verb, "target": one.target, "using": one.using, "words": str(one)}
            for one in admissible(world, state)
        ],
        "answer": table.aside,
    }

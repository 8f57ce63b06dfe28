"""The routes of novels: the same steps as the command line and the page.

/v1/novels  /v1/novels/{novel}  …/outline  …/plan  …/write  …/stop  …/chapters/{number}  …/checks  …/facts  …/export/{form}
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import quote

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as HttpRequest

from ..apps.context import AppContext
from ..apps.novel.brief import MOST_CHAPTERS, Brief, Person
from ..apps.novel.checking import check
from ..apps.novel.export import export
from ..apps.novel.inventing import cast
from ..apps.novel.ledger import ledger, promises
from ..apps.novel.service import Novels, novels_of
from ..apps.novel.writing import plan
from .protocol import Strict, Text
from .rights import may_change

T = TypeVar("T")
Name = Annotated[str, Field(min_length=1, max_length=60)]
Number = Annotated[int, Field(ge=1, le=MOST_CHAPTERS)]


class NewNovel(Strict):
    """POST /v1/novels"""

    title: Name
    premise: Annotated[str, Field(min_length=1, max_length=2_000)]
    chapters: Number = 10
    length: Annotated[int, Field(ge=200, le=20_000)] = 1_200
    era: Literal["古", "今"] = "古"
    titles: Literal["plain", "couplet"] = "couplet"
    people: Annotated[list[Name], Field(max_length=300)] = []
    """In the order hero, helper, foe, henchman, double-dealer, elder; whoever is missing is invented."""
    things: Annotated[list[Name], Field(max_length=50)] = []
    places: Annotated[list[Name], Field(max_length=100)] = []
    seed: Annotated[int, Field(ge=0, le=2**31)] = 42


class PlanRequest(Strict):
    """POST /v1/novels/{novel}/plan"""

    again: bool = False
    """In place of an outline that was made for another brief, or edited."""


class WriteRequest(Strict):
    """POST /v1/novels/{novel}/write"""

    chapters: Annotated[list[Number], Field(max_length=MOST_CHAPTERS)] = []
    """Empty: all that are missing."""
    again: bool = False


class NewText(Strict):
    """PUT /v1/novels/{novel}/chapters/{number}"""

    text: Text


def novel_router(context: AppContext) -> APIRouter:
    """The routes of a server's novels."""
    router, novels = APIRouter(prefix="/v1/novels", tags=["novels"]), novels_of(context)

    async def done(do: Callable[[], T]) -> Response:
        return JSONResponse(await run_in_threadpool(do))

    @router.get("")
    async def every_novel() -> Response:
        """Every novel, with how far it is."""
        return await done(
            lambda: {"object": "list", "data": [_novel(novels, name) for name in novels.names()]}
        )

    @router.post("")
    async def new_novel(body: NewNovel, http: HttpRequest) -> Response:
        """Begin a novel, with an outline."""
        may_change(http, "写小说", keyless=context.workplace is not None)

        def make() -> dict[str, Any]:
            plain = body.model_dump(exclude={"people", "things", "places"})
            named = [Person(name=name) for name in body.people]
            brief = Brief(
                **plain,
                things=tuple(body.things),
                places=tuple(body.places),
                people=cast(body.chapters, body.seed, named),
            )
            name = novels.create(brief)
            plan(novels.get(name))
            return _novel(novels, name)

        return await done(make)

    @router.get("/{novel}")
    async def one_novel(novel: str) -> Response:
        """How far a novel is: its brief, and the chapters that are written."""
        return await done(
            lambda: {**_novel(novels, novel), "brief": asdict(novels.get(novel).brief())}
        )

    @router.post("/{novel}/plan")
    async def make_outline(novel: str, body: PlanRequest, http: HttpRequest) -> Response:
        """Make the outline, or make it anew."""
        may_change(http, "写小说", keyless=context.workplace is not None)
        return await done(
            lambda: _listed([asdict(row) for row in plan(novels.get(novel), again=body.again)])
        )

    @router.get("/{novel}/outline")
    async def outline(novel: str) -> Response:
        """A row a chapter."""
        return await done(lambda: _listed([asdict(row) for row in novels.get(novel).outline()]))

    @router.post("/{novel}/write")
    async def write(novel: str, body: WriteRequest, http: HttpRequest) -> Response:
        """Begin to write chapters; ask for the novel to see how far it is."""
        may_change(http, "写小说", keyless=context.workplace is not None)

        def begin() -> dict[str, Any]:
            folder = novels.get(novel)
            missing = [row.number for row in folder.outline() if not folder.has_chapter(row.number)]
            novels.begin(novel, body.chapters or missing, again=body.again)
            return _novel(novels, novel)

        return await done(begin)

    @router.post("/{novel}/stop")
    async def stop(novel: str, http: HttpRequest) -> Response:
        """Stop writing; what is written is kept."""
        may_change(http, "写小说", keyless=context.workplace is not None)

        def end() -> dict[str, Any]:
            novels.get(novel)
            if novels.busy(novel):
                novels.stop()
                novels.wait()
            return _novel(novels, novel)

        return await done(end)

    @router.get("/{novel}/chapters/{number}")
    async def chapter(novel: str, number: int) -> Response:
        """A chapter as it is read, and what of it is stale."""
        return await done(lambda: _chapter(novels, novel, number))

    @router.put("/{novel}/chapters/{number}")
    async def edit(novel: str, number: int, body: NewText, http: HttpRequest) -> Response:
        """Somebody's own words; from then on nothing writes over them."""
        may_change(http, "写小说", keyless=context.workplace is not None)

        def keep() -> dict[str, Any]:
            folder = novels.get(novel)
            folder.row(number)
            folder.edit_chapter(number, body.text)
            return _chapter(novels, novel, number)

        return await done(keep)

    @router.get("/{novel}/checks")
    async def checks(novel: str) -> Response:
        """Everything that code checks of the chapters that are written."""

        def made() -> dict[str, Any]:
            folder = novels.get(novel)
            every = [asdict(one) for number in folder.written() for one in check(folder, number)]
            return _listed(every)

        return await done(made)

    @router.get("/{novel}/facts")
    async def facts(novel: str) -> Response:
        """What is so after each chapter, and the promises."""

        def made() -> dict[str, Any]:
            folder = novels.get(novel)
            kept = [asdict(one) for one in promises(folder)]
            return {**_listed([asdict(one) for one in ledger(folder)]), "promises": kept}

        return await done(made)

    @router.get("/{novel}/export/{form}")
    async def take_away(novel: str, form: Literal["txt", "md", "epub", "docx"]) -> Response:
        """All chapters as one file."""

        def made() -> bytes:
            with tempfile.TemporaryDirectory() as place:
                return export(novels.get(novel), Path(place) / f"novel.{form}").read_bytes()

        content = await run_in_threadpool(made)
        named = f"attachment; filename*=UTF-8''{quote(f'{novel}.{form}')}"
        return Response(content, media_type=_KINDS[form], headers={"Content-Disposition": named})

    return router


_KINDS = {
    "txt": "text/plain; charset=utf-8",
    "md": "text/markdown; charset=utf-8",
    "epub": "application/epub+zip",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}


def _listed(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"object": "list", "data": rows}


def _novel(novels: Novels, name: str) -> dict[str, Any]:
    """How far a novel is."""
    folder = novels.get(name)
    return {
        "object": "novel",
        "title": name,
        "chapters": len(folder.outline()),
        "written": folder.written(),
        "writing": novels.busy(name),
        "progress": novels.told() if novels.busy(name) else "",
    }


def _chapter(novels: Novels, name: str, number: int) -> dict[str, Any]:
    folder = novels.get(name)
    return {
        "object": "chapter",
        "number": number,
        "title": folder.row(number).title,
        "text": folder.chapter(number),
        "edited": folder.is_edited(number),
        "stale": folder.stale(number),
    }

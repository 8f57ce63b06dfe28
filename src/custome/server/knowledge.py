"""The routes of knowledge bases, and `kb:NAME` as a model: an answer with the places it stands on.

/v1/knowledge  /v1/knowledge/{base}  …/documents  …/search  …/passages  …/refresh  …/embedder  …/compact
`kb:NAME:诸葛亮` has one of the served model's people word the answer.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as HttpRequest

from ..apps.context import AppContext
from ..apps.knowledge.answering import Answer
from ..apps.knowledge.base import KnowledgeBase
from ..apps.knowledge.service import Asking, KnowledgeService, service_of
from ..engine.base import Cancel, OnPiece
from ..errors import InputError
from ..reporter import NullReporter
from ..retrieval.base import Added
from ..retrieval.search import Hit
from ..retrieval.store import Passage
from ..types import Piece, Reply
from .protocol import ChatRequest, Strict, Text
from .rights import may_change
from .writing import Write

PREFIX = "kb"
MOST_HITS = 50


class NewBase(Strict):
    """POST /v1/knowledge"""

    name: Annotated[str, Field(min_length=1, max_length=40)]


class NewDocument(Strict):
    """POST /v1/knowledge/{base}/documents"""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    """Its file name; the ending says what it is."""
    text: Text


class SearchRequest(Strict):
    """POST /v1/knowledge/{base}/search"""

    question: Annotated[str, Field(min_length=1, max_length=2_000)]
    most: Annotated[int, Field(ge=1, le=MOST_HITS)] = 5
    chapter: Annotated[int, Field(ge=0, le=100_000)] = 0
    """Nothing that comes after it is found; 0 for everything."""


class NewEmbedder(Strict):
    """POST /v1/knowledge/{base}/embedder"""

    embedder: Literal["", "e5-small"]
    """Files and addresses are for the command line: nobody is to make a server read or call something."""


def knowledge_router(context: AppContext) -> APIRouter:
    """The routes of a server's bases."""
    router, service = APIRouter(prefix="/v1/knowledge", tags=["knowledge"]), service_of(context)
    shelf = service.shelf

    @router.get("")
    async def bases() -> Response:
        """Every base, with how much is in it."""
        return JSONResponse(
            {
                "object": "list",
                "data": await run_in_threadpool(
                    lambda: [_base(shelf.get(name)) for name in shelf.names()]
                ),
            }
        )

    @router.post("")
    async def new_base(body: NewBase, http: HttpRequest) -> Response:
        """A new, empty base; one of that name that is there stays as it is."""
        may_change(http, "改知识库", keyless=context.workplace is not None)
        return JSONResponse(await run_in_threadpool(lambda: _base(shelf.create(body.name))))

    @router.get("/{base}")
    async def documents(base: str) -> Response:
        """The documents of a base."""
        found = await run_in_threadpool(
            lambda: [asdict(one) for one in shelf.get(base).documents()]
        )
        return JSONResponse({"object": "list", "data": found})

    @router.delete("/{base}")
    async def remove_base(base: str, http: HttpRequest) -> Response:
        """Delete a base with all that was uploaded to it."""
        may_change(http, "改知识库", keyless=context.workplace is not None)
        await run_in_threadpool(lambda: shelf.remove(base))
        return JSONResponse({"deleted": base})

    @router.post("/{base}/documents")
    async def add_document(base: str, body: NewDocument, http: HttpRequest) -> Response:
        """Take a document in, in place of an uploaded one of its name."""
        may_change(http, "改知识库", keyless=context.workplace is not None)
        here = await run_in_threadpool(lambda: shelf.get(base))
        added = await run_in_threadpool(lambda: here.take_file(body.name, body.text.encode()))
        service.vectors.begin(here)
        return JSONResponse(_added(added))

    @router.delete("/{base}/documents/{document:path}")
    async def remove_document(base: str, document: str, http: HttpRequest) -> Response:
        """Take a document out: it is in no answer from now on."""
        may_change(http, "改知识库", keyless=context.workplace is not None)
        await run_in_threadpool(lambda: shelf.get(base).remove(document))
        return JSONResponse({"deleted": document})

    @router.post("/{base}/search")
    async def find(base: str, body: SearchRequest) -> Response:
        """The passages that have to do with a question, with why."""

        def look() -> list[dict[str, Any]]:
            found = shelf.get(base).search(body.question, body.most, body.chapter)
            return [_hit(one) for one in found]

        return JSONResponse({"object": "list", "data": await run_in_threadpool(look)})

    @router.get("/{base}/passages")
    async def passages(
        base: str, document: str, at: Annotated[int, Field(ge=0, le=2**53)]
    ) -> Response:
        """The passage at a place of a document, with the one before and the one after."""
        found = await run_in_threadpool(
            lambda: [_passage(one) for one in shelf.get(base).around(document, at)]
        )
        return JSONResponse({"object": "list", "data": found})

    @router.post("/{base}/refresh")
    async def refresh(base: str, http: HttpRequest) -> Response:
        """Look at the folders a base follows again."""
        may_change(http, "改知识库", keyless=context.workplace is not None)
        here = await run_in_threadpool(lambda: shelf.get(base))
        added = await run_in_threadpool(lambda: here.refresh(NullReporter()))
        service.vectors.begin(here)
        return JSONResponse(_added(added))

    @router.post("/{base}/embedder")
    async def find_by(base: str, body: NewEmbedder, http: HttpRequest) -> Response:
        """Find by meaning as well, or by words only; the vectors are made behind."""
        may_change(http, "改知识库", keyless=context.workplace is not None)
        here = await run_in_threadpool(lambda: shelf.get(base))
        await run_in_threadpool(lambda: here.find_by(body.embedder))
        service.vectors.begin(here)
        return JSONResponse(await run_in_threadpool(lambda: _base(here)))

    @router.post("/{base}/compact")
    async def compact(base: str, http: HttpRequest) -> Response:
        """Leave nothing in the file of what was taken out."""
        may_change(http, "改知识库", keyless=context.workplace is not None)
        await run_in_threadpool(lambda: shelf.get(base).compact())
        return JSONResponse({"status": "ok"})

    return router


class KnowledgeModels:
    """Bases as models of the chat routes."""

    prefix = PREFIX

    def __init__(self, context: AppContext) -> None:
        self._service: KnowledgeService = service_of(context)

    def names(self) -> list[str]:
        return [f"{PREFIX}:{name}" for name in self._service.shelf.names()]

    def writes(self, body: ChatRequest, name: str, root: str) -> list[Write]:
        """What writes the answer to a conversation.

        Args:
            name: BASE or BASE:PERSON.
            root: address of the server, for links to the places.
        """
        if body.logprobs:
            raise InputError("知识库的回答没有逐词的概率", "去掉 logprobs")
        base, _, person = name.partition(":")
        asking = Asking(base=base, person=person or body.character or "")
        self._service.shelf.get(base)
        earlier: list[tuple[str, str]] = []
        question = ""
        for message in body.messages:
            if message.role == "user":
                question = message.text()
            elif message.role == "assistant":
                earlier.append((question, message.text()))
        if body.messages[-1].role != "user":
            raise InputError("最后一条消息不是问题", "最后一条的 role 用 user")

        def write(on_piece: OnPiece, cancel: Cancel) -> Reply:
            given, spoken = self._service.answer(asking, question, earlier, cancel=cancel)
            said = spoken or given.text
            on_piece(Piece(text=said))
            return Reply(
                text=said,
                prompt_tokens=given.prompt_tokens,
                completion_tokens=given.completion_tokens,
                finish_reason="stop",
                annotations=tuple(_annotation(base, given, said, root)),
            )

        return [write for _ in range(body.choices())]


def _annotation(base: str, given: Answer, said: str, root: str) -> list[dict[str, Any]]:
    """OpenAI's url_citation, with the quotation and its place beside it."""
    return [
        {
            "type": "url_citation",
            "url_citation": {
                "start_index": 0,
                "end_index": len(said),
                "title": "　".join([one.passage.name, *one.passage.heading]),
                "url": f"{root}v1/knowledge/{quote(base)}/passages?document={quote(one.passage.name, safe='')}&at={one.start}",
                "quote": one.quote,
                "document": one.passage.name,
                "page": one.passage.page or None,
                "start": one.start,
                "end": one.end,
            },
        }
        for one in given.citations
    ]


def _base(base: KnowledgeBase) -> dict[str, Any]:
    documents = base.documents()
    return {
        "name": base.name,
        "model": f"{PREFIX}:{base.name}",
        "documents": len(documents),
        "characters": sum(one.characters for one in documents),
        "embedder": base.settings().embedder,
    }


def _added(added: Added) -> dict[str, Any]:
    return {
        "read": added.read,
        "unchanged": added.unchanged,
        "gone": added.gone,
        "failed": {name: error.message for name, error in added.failed.items()},
    }


def _hit(hit: Hit) -> dict[str, Any]:
    return {
        **_passage(hit.passage),
        "score": round(hit.score, 3),
        "meant": round(hit.meant, 3),
        "own": round(hit.own, 3),
        "words": list(hit.words),
    }


def _passage(passage: Passage) -> dict[str, Any]:
    return {
        "document": passage.name,
        "start": passage.start,
        "end": passage.end,
        "heading": list(passage.heading),
        "page": passage.page or None,
        "text": passage.text,
    }

"""Where a page finds everybody's face: GET /portrait?name=…, the picture of a card one brought along, else a seal."""

from __future__ import annotations

import base64
from urllib.parse import quote

from fastapi import FastAPI
from fastapi.responses import Response
from starlette.requests import Request

from ..apps.cosplay.own_cards import OwnCards
from .seal import seal_svg
from .shell import OWNER

KEPT_S = 3600
LONGEST_NAME = 80


class Portraits:
    """The faces of a server."""

    def __init__(self, server: FastAPI, cards: OwnCards) -> None:
        self._cards, self._version = cards, 0

        async def portrait(name: str, request: Request) -> Response:
            """A face as a picture; whose card it is says the browser's cookie."""
            name = name[:LONGEST_NAME]
            kept = {"Cache-Control": f"private, max-age={KEPT_S}"}
            own = self._cards.portrait(request.cookies.get(OWNER, ""), name)
            if own.startswith("data:image/png;base64,"):
                picture = base64.b64decode(own.partition(",")[2])
                return Response(picture, media_type="image/png", headers=kept)
            return Response(seal_svg(name), media_type="image/svg+xml", headers=kept)

        server.add_api_route("/portrait", portrait, methods=["GET"], include_in_schema=False)

    def address(self, name: str) -> str:
        return f"/portrait?name={quote(name[:LONGEST_NAME], safe='')}&v={self._version}"

    def changed(self) -> None:
        """A card came or went: browsers are to look again."""
        self._version += 1

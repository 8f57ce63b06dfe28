"""Chatwoot's agent bot: it posts events, answers go back over its API; a conversation that is opened is people's, one that is pending
again is the assistant's.

Source: https://www.chatwoot.com/docs/product/others/webhook-events and /developers/api
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from .incoming import GivenBack, Incoming

PENDING, OPEN = "pending", "open"
TIMEOUT_S = 10.0


def receive(event: Mapping[str, Any]) -> Incoming | GivenBack | None:
    """What an event says; None for what needs no answer: people's own messages, notes, conversations that are theirs."""
    if event.get("event") == "conversation_status_changed" and event.get("status") == PENDING:
        return GivenBack(customer=str(event.get("id", "")))
    if event.get("event") != "message_created" or event.get("private"):
        return None
    conversation = event.get("conversation") or {}
    incoming = event.get("message_type") in ("incoming", 0)
    content = event.get("content")
    if (
        not incoming
        or conversation.get("status") != PENDING
        or not isinstance(content, str)
        or not content
    ):
        return None
    if not str(conversation.get("id", "")).isdigit():
        return None
    return Incoming(
        customer=str(conversation.get("id", "")), text=content, key=str(event.get("id", ""))
    )


class Chatwoot:
    """One account of a Chatwoot server.

    Args:
        url: of the server.
        token: the bot's api_access_token.
    """

    def __init__(
        self, url: str, account: int, token: str, client: httpx.Client | None = None
    ) -> None:
        self._root = f"{url.rstrip('/')}/api/v1/accounts/{account}/conversations"
        self._client = client or httpx.Client(timeout=TIMEOUT_S)
        self._headers = {"api_access_token": token}

    def answer(self, conversation: str, text: str) -> None:
        """Say something to the customer."""
        self._post(f"{conversation}/messages", {"content": text, "message_type": "outgoing"})

    def hand_over(self, conversation: str) -> None:
        """Open the conversation: it is in people's inbox now."""
        self._post(f"{conversation}/toggle_status", {"status": OPEN})

    def _post(self, where: str, body: dict[str, Any]) -> None:
        self._client.post(
            f"{self._root}/{where}", json=body, headers=self._headers
        ).raise_for_status()

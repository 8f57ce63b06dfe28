"""Orders out of a shop's own system, asked for one at a time: POST {"number": "…"}, signed as our webhook is; the answer is
{"number", "tail", "status", …} as in the table of orders, or 404. Whoever asks still has to know the tail: that is checked here.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import httpx

from ...errors import EngineError
from .catalogue import Order
from .channels import webhook

TIMEOUT_S = 5.0
LARGEST = 64 << 10
"""Bytes of an answer."""
_NAMES = tuple(one.name for one in fields(Order))
FindOrder = Callable[[str], Order | None]
"""Number → the order; raises EngineError where nobody answers."""


def order_lookup(url: str, secret: str, client: httpx.Client | None = None) -> FindOrder:
    """Asks an address.

    Args:
        url: http(s)://…
        secret: what both sides know.
    """
    line = client or httpx.Client(timeout=TIMEOUT_S, follow_redirects=False)

    def find(number: str) -> Order | None:
        body = json.dumps({"number": number}).encode()
        stamp = str(int(time.time()))
        headers = {
            webhook.TIMESTAMP: stamp,
            webhook.SIGNATURE: webhook.sign(secret, body, stamp),
            "content-type": "application/json",
        }
        try:
            answer = line.post(url, content=body, headers=headers)
            if answer.status_code == 404:
                return None
            answer.raise_for_status()
            return _order(answer.content, number)
        except (httpx.HTTPError, ValueError) as error:
            raise EngineError(f"订单系统没有回应：{error}", "看看那边的服务") from error

    return find


def _order(raw: bytes, number: str) -> Order:
    """What was answered.

    Raises:
        ValueError: no order, or another one's.
    """
    found: Any = json.loads(raw) if len(raw) <= LARGEST else None
    if not isinstance(found, dict):
        raise ValueError("no order")
    values = {name: str(found.get(name) or "") for name in _NAMES}
    values["tail"] = values["tail"][-4:].zfill(4)
    if values["number"].upper() != number.upper() or not re.fullmatch(r"\d{4}", values["tail"]):
        raise ValueError("another order, or no tail")
    return Order(**values)

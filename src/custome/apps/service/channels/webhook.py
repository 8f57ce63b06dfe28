"""The generic webhook: JSON in, JSON out, HMAC-SHA256 over timestamp and body.

X-Custome-Timestamp: 1764230400
X-Custome-Signature: hex of HMAC-SHA256(secret, timestamp + "." + body)
{"id": "delivery", "customer": "whoever", "text": "…"}
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping

from ....errors import InputError
from .incoming import Incoming, SignatureError, check_same, check_time, hmac_hex

TIMESTAMP, SIGNATURE = "x-custome-timestamp", "x-custome-signature"


def sign(secret: str, body: bytes, timestamp: str) -> str:
    """The signature of a body at a time, in seconds since 1970."""
    return hmac_hex(secret, timestamp.encode() + b"." + body)


def receive(
    secret: str, headers: Mapping[str, str], body: bytes, now: Callable[[], float] = time.time
) -> Incoming:
    """A delivery.

    Raises:
        SignatureError: not signed with the secret, or too old.
        InputError: another JSON than this.
    """
    if not secret:
        raise SignatureError("这个渠道没有写 secret", "在 channels.json 里写一个")
    timestamp = headers.get(TIMESTAMP, "")
    check_time(timestamp, now)
    check_same(headers.get(SIGNATURE, ""), sign(secret, body, timestamp))
    try:
        sent = json.loads(body)
        values = [sent["customer"], sent["text"], sent["id"]]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"请求体读不懂：{error!r}", '例如 {"id": "1", "customer": "甲", "text": "在吗"}'
        ) from error
    if not all(isinstance(one, str) for one in values):
        raise InputError(
            "id、customer、text 都要是文字", '例如 {"id": "1", "customer": "甲", "text": "在吗"}'
        )
    return Incoming(customer=values[0], text=_whole(values[1]), key=values[2][:64])


def _whole(text: str) -> str:
    """Half a character of JSON is none."""
    return text.encode("utf-8", "replace").decode()

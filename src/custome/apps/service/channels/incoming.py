"""What every channel makes of what it is sent, and how a signature is checked: in constant time, and not too late."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass

from ....errors import CustomeError

WINDOW_S = 300
"""How old a signed delivery may be: an older one may be somebody's copy."""


class SignatureError(CustomeError):
    """A delivery that is not from whom it says, or too old."""


@dataclass(frozen=True, kw_only=True)
class Incoming:
    """A customer's message."""

    customer: str
    """Who they are there."""
    text: str
    key: str
    """Of the delivery."""


@dataclass(frozen=True, kw_only=True)
class GivenBack:
    """People there are done with a customer."""

    customer: str


def check_time(timestamp: str, now: Callable[[], float] = time.time) -> None:
    """Raises SignatureError for a time that is none, or too far from now."""
    try:
        sent = float(timestamp)
    except ValueError:
        sent = float("nan")
    if not abs(now() - sent) <= WINDOW_S:
        raise SignatureError(
            f"时间 {timestamp!r} 不在前后 {WINDOW_S // 60} 分钟之内",
            "核对两边的时钟；旧的请求不会再处理",
        )


def check_same(given: str, wanted: str) -> None:
    """Raises SignatureError where two signatures differ."""
    if not hmac.compare_digest(given.encode(), wanted.encode()):
        raise SignatureError("签名不对", "核对两边的密钥")


def hmac_hex(secret: str, data: bytes) -> str:
    return hmac.new(secret.encode(), data, hashlib.sha256).hexdigest()

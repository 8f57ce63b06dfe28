"""“Somebody is waiting”, told to a group: robots of Feishu (飞书) and DingTalk (钉钉).

Sources: https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot
and https://open.dingtalk.com/document/robots/customize-robot-security-settings
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import time
from collections.abc import Callable
from typing import Any, Literal
from urllib.parse import quote_plus, urlparse

import httpx

from ....errors import InputError
from ..desk import Case

TIMEOUT_S = 10.0
HOSTS = {"feishu": ("open.feishu.cn", "open.larksuite.com"), "dingtalk": ("oapi.dingtalk.com",)}
"""Where robots live: an address elsewhere is nobody's robot."""
LOG = logging.getLogger(__name__)
Kind = Literal["feishu", "dingtalk"]


def feishu_sign(secret: str, timestamp: str) -> str:
    """Base64 of HMAC-SHA256 of nothing, under timestamp and secret as its key."""
    key = f"{timestamp}\n{secret}".encode()
    return base64.b64encode(hmac.new(key, b"", hashlib.sha256).digest()).decode()


def dingtalk_sign(secret: str, timestamp_ms: str) -> str:
    """Base64 of HMAC-SHA256 of timestamp and secret, under the secret."""
    said = f"{timestamp_ms}\n{secret}".encode()
    return base64.b64encode(hmac.new(secret.encode(), said, hashlib.sha256).digest()).decode()


def request_of(
    kind: Kind, url: str, secret: str, text: str, now: float
) -> tuple[str, dict[str, Any]]:
    """(address, body) of a message of a robot.

    Raises:
        InputError: the address is no robot's.
    """
    if urlparse(url).scheme != "https" or urlparse(url).hostname not in HOSTS[kind]:
        raise InputError(
            f"{url!r} 不是 {kind} 机器人的地址", f"应以 https://{HOSTS[kind][0]}/ 开头"
        )
    if kind == "feishu":
        body: dict[str, Any] = {"msg_type": "text", "content": {"text": text}}
        if secret:
            stamp = str(int(now))
            body |= {"timestamp": stamp, "sign": feishu_sign(secret, stamp)}
        return url, body
    if secret:
        stamp = str(int(now * 1000))
        url += f"&timestamp={stamp}&sign={quote_plus(dingtalk_sign(secret, stamp))}"
    return url, {"msgtype": "text", "text": {"content": text}}


def alert_to(
    kind: Kind, url: str, secret: str = "", send: Callable[..., Any] = httpx.post
) -> Callable[[str, Case], None]:
    """Tells a group who waits; what goes wrong is in the log and disturbs nobody."""
    request_of(kind, url, secret, "", time.time())

    def tell(shop: str, case: Case) -> None:
        text = f"{shop}：{case.customer[:9]} 在等人工（{case.reason}）。{case.last[:60]}"
        where, body = request_of(kind, url, secret, text, time.time())
        try:
            send(where, json=body, timeout=TIMEOUT_S)
        except httpx.HTTPError as error:
            LOG.warning("%s 的提醒没有送到：%s", kind, error)

    return tell

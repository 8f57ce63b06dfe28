"""What people say to customers in WeCom (企业微信): an application's message, with a token that is asked for and kept while it holds.

Source: https://developer.work.weixin.qq.com/document/path/91039 and /path/90236
"""

from __future__ import annotations

import threading
import time
from typing import Any

import httpx

from ....errors import InputError

ROOT = "https://qyapi.weixin.qq.com/cgi-bin"
TIMEOUT_S = 10.0
EARLY_S = 300
"""A token is asked for anew so long before it ends."""
STALE = (40014, 42001)
"""Codes of a token that no longer holds."""


class WeComSender:
    """One application of a company.

    Args:
        company: the corp's id.
        secret: of the application.
        agent: its number.
    """

    def __init__(
        self, company: str, secret: str, agent: int, client: httpx.Client | None = None
    ) -> None:
        self._company, self._secret, self._agent = company, secret, agent
        self._client = client or httpx.Client(timeout=TIMEOUT_S)
        self._lock = threading.Lock()
        self._token, self._holds_until = "", 0.0

    def answer(self, customer: str, text: str) -> None:
        """Say something to a customer.

        Raises:
            InputError: WeCom says why not.
            httpx.HTTPError: it does not answer.
        """
        message = {
            "touser": customer,
            "msgtype": "text",
            "agentid": self._agent,
            "text": {"content": text},
        }
        code, why = self._send(message)
        if code in STALE:
            self._token = ""
            code, why = self._send(message)
        if code:
            raise InputError(f"企业微信没有收下：{why}", "核对 secret、agent_id 和应用的可见范围")

    def _send(self, message: dict[str, Any]) -> tuple[int, str]:
        """(code, why) of the answer; 0 where it was taken."""
        where = {"access_token": self._current_token()}
        answer = self._client.post(f"{ROOT}/message/send", params=where, json=message)
        return _said(answer)[:2]

    def _current_token(self) -> str:
        with self._lock:
            if not self._token or time.monotonic() > self._holds_until:
                asked = {"corpid": self._company, "corpsecret": self._secret}
                code, why, found = _said(self._client.get(f"{ROOT}/gettoken", params=asked))
                if code:
                    raise InputError(f"企业微信不给凭证：{why}", "核对企业 ID 和应用的 secret")
                self._token = str(found["access_token"])
                self._holds_until = time.monotonic() + int(found["expires_in"]) - EARLY_S
            return self._token


def _said(answer: httpx.Response) -> tuple[int, str, dict[str, Any]]:
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return int(found.get("errcode", 0)), str(found.get("errmsg", "")), found

"""Which channels a shop has: channels.json in the user's folder, readable by its owner only. Conversations there and here are joined
by whoever writes.

    {"SHOP": {"webhook": {"secret": "…", "answers_to": "https://…"},
              "chatwoot": {"url": "https://…", "account": 1, "token": "…", "word": "in the address of the hook"},
              "wecom": {"token": "…", "encoding_aes_key": "…", "receiver": "corp id", "secret": "…", "agent_id": 1},
              "orders": {"url": "https://…", "secret": "…"},
              "alerts": [{"kind": "feishu", "url": "https://…", "secret": "…"}]}}
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from ....conversations.records import Thing
from ....conversations.store import Store
from ....errors import InputError
from ....files import read_text
from ....resources import custome_home
from ..desk import Answered, Case, Desk
from ..desks import Alert, Desks
from ..looking_up import order_lookup
from ..shelves import APP, owner_of
from . import webhook
from .alerts import alert_to
from .chatwoot import Chatwoot
from .incoming import GivenBack, Incoming, SignatureError
from .wecom import WeCom
from .wecom_sender import WeComSender

KINDS = ("webhook", "chatwoot", "wecom", "orders", "alerts")
LONGEST_NAME = 80
"""Characters of a customer's name there."""


def channels_path() -> Path:
    return custome_home() / "channels.json"


def read_channels(path: Path | None = None) -> dict[str, dict[str, Any]]:
    """Shop → channel → its settings; nothing where there is no file.

    Raises:
        InputError: it cannot be understood.
    """
    path = path or channels_path()
    if not path.is_file():
        return {}
    try:
        found = json.loads(read_text(path, "渠道设置"))
        for channels in found.values():
            if wrong := [kind for kind in channels if kind not in KINDS]:
                raise ValueError(wrong[0])
    except (ValueError, AttributeError) as error:
        raise InputError(
            f"渠道设置 {str(path)!r} 读不懂：{error}", "写法见 docs/service.md"
        ) from error
    known: dict[str, dict[str, Any]] = found
    return known


class Channels:
    """The channels of all shops of a server."""

    def __init__(
        self, desks: Desks, store: Callable[[], Store], settings: dict[str, dict[str, Any]]
    ) -> None:
        self._desks, self._store, self._settings = desks, store, settings
        self._joining = threading.Lock()
        self._senders: dict[str, WeComSender] = {}
        """A customer's first two deliveries at once are one conversation."""
        for shop, channels in settings.items():
            for one in channels.get("alerts", ()):
                self._alert(shop, alert_to(one["kind"], one["url"], one.get("secret", "")))
            if "orders" in channels:
                found = self.of(shop, "orders")
                desks.lookups[shop] = order_lookup(found["url"], found["secret"])
        desks.outgoing.append(self._to_customer)

    def _alert(self, shop: str, tell: Alert) -> None:
        def only_of_this_shop(name: str, case: Case) -> None:
            if name == shop:
                tell(name, case)

        self._desks.alerts.append(only_of_this_shop)

    def of(self, shop: str, kind: str) -> dict[str, Any]:
        """Settings of a channel.

        Raises:
            InputError: the shop has none of that kind.
        """
        found = self._settings.get(shop, {}).get(kind)
        if not isinstance(found, dict):
            raise InputError(f"商店 {shop!r} 没有开 {kind} 渠道", "写法见 docs/service.md")
        return found

    def wecom(self, shop: str) -> WeCom:
        found = self.of(shop, "wecom")
        return WeCom(
            token=found["token"],
            encoding_aes_key=found["encoding_aes_key"],
            receiver=found["receiver"],
        )

    def wecom_sender(self, shop: str) -> WeComSender:
        """Who brings people's words to WeCom.

        Raises:
            InputError: it was not set up to send.
        """
        found = self.of(shop, "wecom")
        if not found.get("secret") or not found.get("agent_id"):
            raise InputError(
                "企业微信没有写 secret 和 agent_id，人工说的话送不过去",
                "在 channels.json 里写上应用的 secret 和 agent_id",
            )
        with self._joining:
            sender = self._senders.get(shop)
            if sender is None:
                sender = WeComSender(found["receiver"], found["secret"], int(found["agent_id"]))
                self._senders[shop] = sender
            return sender

    def chatwoot(self, shop: str) -> Chatwoot:
        one = self.of(shop, "chatwoot")
        return Chatwoot(one["url"], one["account"], one["token"])

    def check_word(self, shop: str, word: str) -> None:
        """Raises SignatureError where the address does not hold the word that was agreed on."""
        wanted = str(self.of(shop, "chatwoot").get("word", ""))
        if (
            not wanted
            or not hashlib.sha256(word.encode()).digest()
            == hashlib.sha256(wanted.encode()).digest()
        ):
            raise SignatureError("签名不对", "核对两边的密钥")

    def say(self, shop: str, kind: str, incoming: Incoming) -> Answered:
        """What the assistant says to somebody who wrote from elsewhere."""
        desk = self._desks.get(shop)
        chat = self._chat(desk, kind, incoming.customer)
        return desk.say(chat, incoming.customer, incoming.text, incoming.key)

    def chatwoot_event(self, shop: str, event: Incoming | GivenBack) -> None:
        """Answer there, hand over there; or go on here once people there are done."""
        desk, there = self._desks.get(shop), self.chatwoot(shop)
        if isinstance(event, GivenBack):
            desk.back_to_the_assistant(self._chat(desk, "chatwoot", event.customer), "Chatwoot")
            return
        answered = self.say(shop, "chatwoot", event)
        if answered.text:
            there.answer(event.customer, answered.text)
        if answered.kind == "handoff":
            there.hand_over(event.customer)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _chat(self, desk: Desk, kind: str, customer: str) -> str:
        """The conversation of somebody there; a new one the first time."""
        if not 0 < len(customer) <= LONGEST_NAME:
            raise InputError("客人的名字是空的或太长", f"不超过 {LONGEST_NAME} 字")
        with self._joining:
            return self._joined(desk, kind, customer)

    def _joined(self, desk: Desk, kind: str, customer: str) -> str:
        things = self._store().things(APP, "channel")
        name = hashlib.sha256(f"{kind}:{customer}".encode()).hexdigest()
        found = things.get(owner_of(desk.shop), name)
        if found is not None:
            return str(found.content["chat"])
        chat = desk.begin(customer)
        content = {"chat": chat, "kind": kind, "customer": customer}
        things.keep(owner_of(desk.shop), Thing(name=name, content=content))
        things.keep(owner_of(desk.shop), Thing(name=chat, content=content))
        return chat

    def _to_customer(self, shop: str, chat: str, text: str) -> None:
        """An agent's words go to where the customer wrote from."""
        found = self._store().things(APP, "channel").get(owner_of(shop), chat)
        if found is None:
            return
        kind, customer = found.content["kind"], found.content["customer"]
        try:
            if kind == "chatwoot":
                self.chatwoot(shop).answer(customer, text)
            elif kind == "wecom":
                self.wecom_sender(shop).answer(customer, text)
            elif kind == "webhook" and (url := self.of(shop, "webhook").get("answers_to")):
                body = json.dumps({"customer": customer, "text": text}, ensure_ascii=False).encode()
                stamp = str(int(time.time()))
                signature = webhook.sign(self.of(shop, "webhook")["secret"], body, stamp)
                headers = {
                    webhook.TIMESTAMP: stamp,
                    webhook.SIGNATURE: signature,
                    "content-type": "application/json",
                }
                httpx.post(url, content=body, headers=headers, timeout=10.0).raise_for_status()
            else:
                raise InputError(f"{kind} 收不到人工说的话", "webhook 要写 answers_to")
        except httpx.HTTPError as error:
            raise InputError(
                f"这句话没有送到 {kind}：{error}", "看看那边的服务，再说一次"
            ) from error

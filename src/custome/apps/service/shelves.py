"""Where a shop's catalogue is kept: one thing of the store, written whole, and beside it what its people answered. A price that
was changed is in the next answer, whichever process changed it.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import asdict
from typing import Any

from ...conversations.records import Thing
from ...conversations.store import Store
from ...errors import InputError
from .catalogue import Faq, Order, Profile, Rule, Shop, faq_from, faq_row, product_from, product_row

APP = "service"
_NAME = "catalogue"


def owner_of(shop: str) -> str:
    """Who owns what is kept of a shop."""
    return f"shop:{shop}"[:80]


class Catalogues:
    """The catalogues of all shops in a store; any thread may ask."""

    def __init__(self, store: Store) -> None:
        self._things, self._answers = store.things(APP, _NAME), store.things(APP, "answer")
        self._lock = threading.Lock()
        self._known: dict[str, tuple[tuple[Any, Any], Shop]] = {}

    def get(self, name: str) -> Shop:
        """A shop as it is now.

        Raises:
            InputError: there is none of that name.
        """
        owner = owner_of(name)
        written = (self._things.latest(owner), self._answers.latest(owner))
        with self._lock:
            known = self._known.get(name)
        if known is not None and known[0] == written:
            return known[1]
        thing = self._things.get(owner, _NAME)
        if thing is None:
            raise InputError(
                f"没有商店 {name!r}", f"先导入：custome service import {name or '名字'} 文件夹"
            )
        answers = sorted(self._answers.all(owner), key=lambda one: -one.updated)
        shop = _shop(name, thing.content, tuple(faq_from(one.content) for one in answers))
        with self._lock:
            self._known[name] = (written, shop)
        return shop

    def keep(self, shop: Shop) -> None:
        """Put a catalogue in the place of the one that is there, whole or not at all."""
        content: dict[str, Any] = {
            "profile": asdict(shop.profile),
            "products": [product_row(one) for one in shop.products],
            "faqs": [faq_row(one) for one in shop.faqs],
            "orders": [asdict(one) for one in shop.orders.values()],
            "rules": [asdict(one) for one in shop.rules],
        }
        self._things.keep(owner_of(shop.name), Thing(name=_NAME, content=content))

    def add_faq(self, name: str, faq: Faq) -> None:
        """A question that somebody of the shop answered: it goes before what was imported, and an import leaves it alone."""
        key = hashlib.sha256(faq.question.encode()).hexdigest()
        self._answers.keep(owner_of(name), Thing(name=key, content=faq_row(faq)))


def _shop(name: str, content: dict[str, Any], answers: tuple[Faq, ...]) -> Shop:
    orders = [Order(**row) for row in content["orders"]]
    return Shop(
        name=name,
        profile=Profile(**content.get("profile", {})),  # there was none in earlier releases
        products=tuple(map(product_from, content["products"])),
        faqs=(*answers, *map(faq_from, content["faqs"])),
        orders={one.number: one for one in orders},
        rules=tuple(Rule(**row) for row in content["rules"]),
    )

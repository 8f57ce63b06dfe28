"""The desks of all shops of a server, and who is told when somebody waits."""

from __future__ import annotations

import threading
from collections.abc import Callable

from ...conversations.store import Store
from ..context import AppContext
from .catalogue import Order
from .desk import Case, Desk
from .looking_up import FindOrder
from .shelves import APP, Catalogues

Alert = Callable[[str, Case], None]
"""(shop, who waits)"""
Outgoing = Callable[[str, str, str], None]
"""(shop, conversation, what an agent says)"""


class Desks:
    """Any thread may ask.

    Args:
        store: opened when there is a shop.
    """

    def __init__(self, store: Callable[[], Store]) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._catalogues: Catalogues | None = None
        self._desks: dict[str, Desk] = {}
        self.alerts: list[Alert] = []
        self.outgoing: list[Outgoing] = []
        self.lookups: dict[str, FindOrder] = {}
        """Shop → where its orders are asked for that its table does not have."""

    @property
    def catalogues(self) -> Catalogues:
        with self._lock:
            if self._catalogues is None:
                self._catalogues = Catalogues(self._store())
            return self._catalogues

    def names(self) -> list[str]:
        """Every shop there is."""
        owners = self._store().owners_of_things(APP, "catalogue")
        return sorted(one.removeprefix("shop:") for one in owners)

    def get(self, shop: str) -> Desk:
        """A shop's desk.

        Raises:
            InputError: there is no such shop.
        """
        self.catalogues.get(shop)
        with self._lock:
            if shop not in self._desks:
                assert self._catalogues is not None
                self._desks[shop] = Desk(
                    shop,
                    self._store(),
                    self._catalogues,
                    alert=lambda case: self._tell(shop, case),
                    find_order=lambda number: self._find_order(shop, number),
                    outgoing=lambda chat, words: self._send(shop, chat, words),
                )
            return self._desks[shop]

    def _find_order(self, shop: str, number: str) -> Order | None:
        find = self.lookups.get(shop)
        return find(number) if find is not None else None

    def _send(self, shop: str, chat: str, words: str) -> None:
        for send in self.outgoing:
            send(shop, chat, words)

    def _tell(self, shop: str, case: Case) -> None:
        for alert in self.alerts:
            alert(shop, case)


def desks_of(context: AppContext) -> Desks:
    """Those of a server."""
    return context.shared(Desks, lambda: Desks(context.store))

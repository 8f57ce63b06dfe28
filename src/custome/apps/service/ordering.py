"""Orders: shown to whoever knows the number and the last four digits of the phone, both; to others the same words whether it is
there or not.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ...errors import EngineError
from .catalogue import Order
from .handing_over import Reason
from .understanding import Understood

if TYPE_CHECKING:
    from .turning import Slots

LOG = logging.getLogger(__name__)
MOST_WRONG = 3
"""Wrong checks in a conversation, or of one order in a day by whomever, until a person is called: there are ten thousand tails."""
ASK_BOTH = "请告诉我订单号和下单手机的尾号（后四位），两样都对上才能查。"
ASK_TAIL = "请再告诉我这个订单下单手机的尾号（后四位）。"
ASK_NUMBER = "请告诉我订单号。"
AWAY = "现在查不到订单。"
WRONG = "订单号和手机尾号不符，请核对后再发一次。"


@dataclass(frozen=True, kw_only=True)
class Checked:
    text: str
    slots: Slots
    reason: Reason = ""
    wrong: str = ""
    """The order that was asked for with a wrong tail."""


def ask_order(
    find_order: Callable[[str], Order | None],
    heard: Understood,
    slots: Slots,
    wrong_lately: Callable[[str], int],
) -> Checked:
    """The next step of looking an order up.

    Args:
        find_order: number → the order; raises EngineError where that cannot be told now.
        wrong_lately: order → how often it was asked for with a wrong tail in the last day, in any conversation.
    """
    number = heard.order or slots.order
    tail = heard.tail
    if not tail and not (heard.order and slots.checked):
        tail = slots.tail  # said before, and not of an order that was shown already
    if slots.checked and number == slots.checked:
        tail = tail or slots.tail
    kept = replace(slots, wish="order", order=number, tail=tail)
    if not number:
        return Checked(text=ASK_BOTH if not tail else ASK_NUMBER, slots=kept)
    if not tail:
        return Checked(text=ASK_TAIL, slots=replace(kept, checked=""))
    try:
        found = find_order(number)
    except EngineError as error:
        LOG.warning("an order could not be looked up: %s", error.message)
        return Checked(text=AWAY, slots=kept, reason="away")
    closed = wrong_lately(number) >= MOST_WRONG
    if closed or found is None or found.tail != tail:
        wrong = slots.wrong_checks + 1
        kept = replace(kept, wrong_checks=wrong, checked="")
        called: Reason = "check" if closed or wrong >= MOST_WRONG else ""
        return Checked(text=WRONG, slots=kept, reason=called, wrong=number[:40])
    return Checked(text=_told(found), slots=replace(kept, checked=number, wrong_checks=0))


def _told(order: Order) -> str:
    parts = [f"订单 {order.number}：{order.status}"]
    if order.carrier and order.tracking:
        parts.append(f"{order.carrier} 运单号 {order.tracking}")
    if order.eta:
        parts.append(f"预计送达 {order.eta}")
    if order.paid:
        parts.append(f"实付 {order.paid} 元")
    return "，".join(parts) + "。"

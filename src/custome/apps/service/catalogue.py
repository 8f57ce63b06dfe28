"""What a shop knows of itself: products with their variants, questions with answers, orders. Values without behaviour, and what is
kept of them as JSON. Prices are decimals from the file to the customer's eye; nothing here ever computes with a float.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

_PARENS = re.compile(r"[（(「【].*?[）)」】]")


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One thing that can be bought."""

    sku: str
    options: Mapping[str, str]
    """What tells it from the product's others: 净含量 → 50g."""
    price: Decimal
    stock: int

    @property
    def spec(self) -> str:
        return " ".join(self.options.values())


@dataclass(frozen=True, kw_only=True)
class Product:
    """Something the shop sells, in one or several variants."""

    id: str
    name: str
    aliases: tuple[str, ...] = ()
    category: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    sold: bool = True
    """False once it is no longer sold, whatever is left of it."""
    variants: tuple[Variant, ...] = ()

    @property
    def bare(self) -> str:
        """The name without what stands in brackets."""
        return _PARENS.sub("", self.name).strip() or self.name

    @property
    def keys(self) -> tuple[str, ...]:
        """Everything it is called."""
        return tuple(dict.fromkeys([self.name, self.bare, *self.aliases]))


@dataclass(frozen=True, kw_only=True)
class Faq:
    """A question with its answer."""

    question: str
    answer: str
    wordings: tuple[str, ...] = ()
    start: date | None = None
    """First and last day on which the answer holds; None for always."""
    end: date | None = None

    def holds(self, today: date) -> bool:
        return (self.start is None or self.start <= today) and (
            self.end is None or today <= self.end
        )


@dataclass(frozen=True, kw_only=True)
class Order:
    """An order, read-only."""

    number: str
    tail: str
    """The last four digits of the customer's phone: told to nobody, asked of everybody."""
    status: str
    carrier: str = ""
    tracking: str = ""
    eta: str = ""
    items: str = ""
    paid: str = ""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A sentence of a policy, with where it stands."""

    document: str
    heading: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Profile:
    """How the shop's assistant appears, and when people are there."""

    assistant: str = ""
    """What it is called; '' for the usual name."""
    greeting: str = ""
    """What it says to a good day; '' for the usual words."""
    hours: str = ""
    """When people answer, as somebody wrote it (hours.py); '' for always."""


@dataclass(frozen=True, kw_only=True)
class Shop:
    """All of it, at one moment."""

    name: str
    profile: Profile = Profile()
    products: tuple[Product, ...] = ()
    faqs: tuple[Faq, ...] = ()
    orders: Mapping[str, Order] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()

    def product(self, id: str) -> Product | None:
        return next((one for one in self.products if one.id == id), None)


# -- as JSON ---------------------------------------------------------------------------------------------------------


def product_row(one: Product) -> dict[str, Any]:
    variants = [
        {"sku": v.sku, "options": dict(v.options), "price": str(v.price), "stock": v.stock}
        for v in one.variants
    ]
    return {
        "id": one.id,
        "name": one.name,
        "aliases": list(one.aliases),
        "category": one.category,
        "attributes": dict(one.attributes),
        "description": one.description,
        "sold": one.sold,
        "variants": variants,
    }


def product_from(row: Mapping[str, Any]) -> Product:
    variants = tuple(
        Variant(sku=v["sku"], options=v["options"], price=Decimal(v["price"]), stock=v["stock"])
        for v in row["variants"]
    )
    return Product(**{**row, "aliases": tuple(row["aliases"]), "variants": variants})


def faq_row(one: Faq) -> dict[str, Any]:
    return {
        "question": one.question,
        "answer": one.answer,
        "wordings": list(one.wordings),
        "start": one.start.isoformat() if one.start else "",
        "end": one.end.isoformat() if one.end else "",
    }


def faq_from(row: Mapping[str, Any]) -> Faq:
    return Faq(
        question=row["question"],
        answer=row["answer"],
        wordings=tuple(row["wordings"]),
        start=date.fromisoformat(row["start"]) if row["start"] else None,
        end=date.fromisoformat(row["end"]) if row["end"] else None,
    )

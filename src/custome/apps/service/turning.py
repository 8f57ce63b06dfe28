"""One turn of a customer: hand-off first, then the exact question, orders, prices and stock out of rows, comparison and
recommendation by hard filters, the shop's own sentences, and in the end “没有查到”. No model is asked; what is said of prices and
stock is written from rows of this very moment.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Literal

from .catalogue import Order, Product, Shop
from .finding import SURE, Finder, Fit, categories_of, exact, nearest_of
from .handing_over import REASONS, Reason, reason_for
from .offering import advise, compare, facts, names_of, price_of, relevant, stock_of
from .ordering import ask_order
from .understanding import ABOUT_ORDERS, Understood, Wish, is_named, narrowed, plain, understand

Kind = Literal[
    "faq", "price", "stock", "product", "compare", "recommend", "order", "suggest", "unknown", "chat", "handoff", "silent"
]  # fmt: skip
MOST_FAILURES = 2
"""Questions in a row that were not answered, until a person is called."""
GREETING = re.compile(
    r"^(?:你好|您好|hi|hello|哈喽|嗨|在吗|在么|有人吗|早上好|下午好|晚上好|亲)[\W_]*(?:在吗)?[\W_]*$"
)
THANKS = re.compile(
    r"^(?:好的?|嗯+|哦+|谢谢?.{0,6}|感谢.{0,4}|知道了|明白了?|再见|拜拜|没事了|ok)[\W_]*$|谢谢.{0,6}$"
)
WHO = re.compile(r"(?:你|您)是(?:真人|人工|机器人|ai|谁)|真人还是")
_OWN_ORDER = re.compile(r"我的|我(?:买|订|下)|查|到哪|在哪|运单号|尾号")
_BLANK = re.compile(r"[\W_]+")
SHORT = 12
"""Characters of a question that is about what was spoken of just now, where it names nothing."""
_ORDINAL = re.compile(r"(?:第|前面第)([一二三1-3])(?:个|款|种)")
_FOLLOWS = re.compile(r"到哪|什么时候(?:能)?到|几时到|几天到|发货了|发了吗|签收|运单")
BEFORE = re.compile(r"前面那|前一|第一个|前者")
AFTER = re.compile(r"后面那|后一|第二个|后者")
SILENT = "已经在为您转人工，您说的话客服都能看到，请稍等。"
CLOSED = "\n现在没有人在线，人工客服的时间是：{hours}。留下您的电话和要说的事，上班后第一时间回您。"
HANDED = "这就为您转人工客服（{why}）。您可以先把情况写下来，客服接手后就能看到。"


@dataclass(frozen=True, kw_only=True)
class Slots:
    """What a conversation has come to."""

    products: tuple[str, ...] = ()
    """Ids of what is spoken of."""
    compared: tuple[str, ...] = ()
    wish: Wish = ""
    said: str = ""
    """Words that named a size or colour, kept until others do."""
    order: str = ""
    tail: str = ""
    checked: str = ""
    """The order whose tail was right."""
    wrong_checks: int = 0
    filters: dict[str, Any] = field(default_factory=dict)
    """Of the last recommendation."""
    failures: int = 0


@dataclass(frozen=True, kw_only=True)
class Said:
    """What the assistant says."""

    text: str
    kind: Kind
    slots: Slots
    reason: Reason = ""
    """Why a person is called; '' where none is."""
    sources: tuple[str, ...] = ()
    """SKUs, questions and policies it was written from."""
    wrong_order: str = ""
    """An order that was asked for with a wrong tail."""


class Assistant:
    """A shop's assistant on one day.

    Args:
        find_order: asked for an order that the shop's table does not have.
    """

    def __init__(
        self, shop: Shop, today: date, find_order: Callable[[str], Order | None] = lambda _: None
    ) -> None:
        self.shop, self.today, self._elsewhere = shop, today, find_order
        self._finder = Finder(shop, today, categories_of(shop))

    def answer(
        self,
        text: str,
        slots: Slots = Slots(),
        wrong_lately: Callable[[str], int] = lambda _: 0,
    ) -> Said:
        """The next turn.

        Args:
            wrong_lately: order → how often it was asked for with a wrong tail in the last day, by whomever.
        """
        words = plain(text)
        same = exact(text, self.shop, self.today)
        if reason := reason_for(words, fine=same is not None):
            return self._hand_over(reason, slots)
        if same is not None:
            return self._done(
                Said(text=same.answer, kind="faq", slots=slots, sources=(same.question,))
            )
        understood = understand(text, self.shop)
        order = functools.partial(self._order, wrong_lately=wrong_lately)
        for step in (self._small_talk, order, self._goods, self._own_words):
            said = step(understood, slots)
            if said is None:
                continue
            if said.reason:
                handed = self._hand_over(said.reason, said.slots)
                return replace(handed, wrong_order=said.wrong_order)
            return self._done(said)
        return self._unknown(slots)

    # -- the steps ---------------------------------------------------------------------------------------------------

    def _small_talk(self, heard: Understood, slots: Slots) -> Said | None:
        words = heard.text
        if not re.search(r"[\w]", words):
            said = "请说说想问什么：价格、有没有货、订单，都可以。"
        elif WHO.search(words):
            name = self.shop.profile.assistant
            who = f"{name}，{self.shop.name}的自动助手" if name else f"{self.shop.name}的自动助手"
            said = f"我是{who}，不是真人；要找人工客服，说“转人工”就行。"
        elif GREETING.match(words):
            usual = f"您好，这里是{self.shop.name}。想问价格、库存、订单，还是别的？"
            said = self.shop.profile.greeting or usual
        elif THANKS.search(words) and not heard.products and not heard.wish:
            said = "不客气，有事再找我。"
        else:
            return None
        return Said(text=said, kind="chat", slots=slots)

    def _order(
        self, heard: Understood, slots: Slots, wrong_lately: Callable[[str], int]
    ) -> Said | None:
        going_on = (
            bool(slots.order or slots.wish == "order")
            and bool(heard.tail or heard.order)
            and not heard.products
        )
        going_on = going_on or bool(slots.order and _FOLLOWS.search(heard.text))
        if not (heard.order or going_on or ABOUT_ORDERS.search(heard.text)):
            return None
        fit = nearest_of(self._finder.find(heard.text))
        if fit and not heard.order and not going_on and not _OWN_ORDER.search(heard.text):
            return self._told(fit, slots)
        result = ask_order(self._find_order, heard, slots, wrong_lately)
        return Said(
            text=result.text,
            kind="order",
            slots=result.slots,
            reason=result.reason,
            wrong_order=result.wrong,
        )

    def _find_order(self, number: str) -> Order | None:
        return self.shop.orders.get(number) or self._elsewhere(number)

    def _goods(self, heard: Understood, slots: Slots) -> Said | None:
        """Prices, stock, comparison, recommendation, what a product is."""
        heard, products, wish = self._carried(heard, slots)
        if wish == "recommend" or heard.budget is not None:
            text, filters, found = advise(self.shop, heard, slots.filters)
            if text:
                kept = replace(slots, wish="recommend", filters=filters, products=tuple(found))
                return Said(text=text, kind="recommend", slots=kept, sources=tuple(found))
        if not products:
            return None
        ids = tuple(one.id for one in products)
        kept = replace(slots, products=ids, wish=wish, said=heard.rest, filters={})
        if wish == "compare" and len(products) > 1:
            return Said(
                text=compare(products, heard),
                kind="compare",
                slots=replace(kept, compared=ids),
                sources=ids,
            )
        if wish in ("price", "stock", "order", ""):
            if not wish and not heard.measures and not self._chooses(heard, products):
                return self._about(heard, products, kept)
            return self._row(heard, products, replace(kept, wish=wish or "price"))
        if wish == "list":
            return Said(text=self._listed(heard, products), kind="product", slots=kept, sources=ids)
        return self._about(heard, products, kept)

    def _own_words(self, heard: Understood, slots: Slots) -> Said | None:
        fits = self._finder.find(heard.text)
        best = nearest_of(fits)
        return None if best is None else self._told(best, slots)

    # -- goods -------------------------------------------------------------------------------------------------------

    def _carried(self, heard: Understood, slots: Slots) -> tuple[Understood, list[Product], Wish]:
        """With what was spoken of before, where the words lean on it."""
        known = [one for id in slots.products if (one := self.shop.product(id))]
        if heard.products:
            each = heard.wish == "compare" or heard.named == len(heard.products)
            products = list(heard.products) if each else narrowed(heard.products, heard)
            wish = heard.wish
            if (
                not wish
                and not heard.measures
                and slots.wish in ("price", "stock")
                and re.search(r"不对|说的是|那|呢$", heard.text)
            ):
                wish = slots.wish
            if not heard.measures and wish and wish == slots.wish:
                heard = replace(heard, measures=understand(slots.said, self.shop).measures)
            return heard, products, wish
        if slots.compared and (BEFORE.search(heard.text) or AFTER.search(heard.text)):
            id = slots.compared[0 if BEFORE.search(heard.text) else -1]
            one = self.shop.product(id)
            return heard, [one] if one else [], heard.wish or "price"
        place = _place(heard.text)
        if place is not None and slots.wish in ("recommend", "compare") and place < len(known):
            return heard, [known[place]], heard.wish or "price"
        if known and heard.wish in ("price", "stock") and len(_BLANK.sub("", heard.rest)) <= SHORT:
            said = understand(slots.said, self.shop)  # 还有货吗: of what was spoken of just now
            return replace(heard, measures=heard.measures or said.measures), known, heard.wish
        if known and (heard.measures or self._chooses(heard, known)):
            chosen = narrowed(known, heard) if len(known) > 1 else known
            return heard, chosen, heard.wish or slots.wish or "price"
        return heard, [], heard.wish

    def _chooses(self, heard: Understood, products: Sequence[Product]) -> bool:
        """Do the words name a colour, a shape, a grade of these products?"""
        if len(products) > 1 and len(narrowed(products, heard)) < len(products):
            return True
        options = {
            plain(v)
            for one in products
            for variant in one.variants
            for v in variant.options.values()
        }
        return any(
            is_named(option, heard.rest) for option in options if not re.match(r"\d", option)
        )

    def _row(self, heard: Understood, products: Sequence[Product], slots: Slots) -> Said:
        """A price or stock, or the question that is still to be asked."""
        sold = [one for one in products if one.sold]
        if not sold:
            text = f"{names_of(products)}已经停售，不再卖了。"
            return Said(text=text, kind="stock" if slots.wish == "stock" else "price", slots=slots)
        if len(sold) > 1 and heard.named == len(products):  # each by its name
            told = [self._row(part, [one], slots) for one, part in self._apart(heard, products)]
            return replace(
                told[0],
                text="\n".join(one.text for one in told),
                sources=tuple(sku for one in told for sku in one.sources),
            )
        if len(sold) > 1:
            shown = sold[:6]
            text = f"您问的是哪一款：{names_of(shown)}？"
            kept = replace(slots, products=tuple(one.id for one in sold))
            return Said(text=text, kind="stock" if slots.wish == "stock" else "price", slots=kept)
        if slots.wish == "stock":
            text, skus = stock_of(sold[0], heard)
            return Said(text=text + self._besides(heard), kind="stock", slots=slots, sources=skus)
        text, skus = price_of(sold[0], heard)
        return Said(text=text + self._besides(heard), kind="price", slots=slots, sources=skus)

    def _apart(
        self, heard: Understood, products: Sequence[Product]
    ) -> list[tuple[Product, Understood]]:
        """Each product with what is said of it: the words from its name to that of the next."""
        places = [
            (min(heard.text.find(plain(key)) for key in one.keys if plain(key) in heard.text), one)
            for one in products
            if any(plain(key) in heard.text for key in one.keys)
        ]
        places.sort(key=lambda place: place[0])
        ends = [start for start, _ in places[1:]] + [len(heard.text)]
        found = []
        for (start, one), end in zip(places, ends, strict=True):
            part = understand(heard.text[start:end], self.shop)
            measures = part.measures or heard.measures
            found.append((one, replace(part, measures=measures, wish=heard.wish)))
        return found

    def _besides(self, heard: Understood) -> str:
        """Answers to what else was asked in the same breath, word for word."""
        found = [
            exact(part, self.shop, self.today)
            for part in re.split(r"[,，。;；?？!！]", heard.text)
            if part.strip()
        ]
        return "".join(f"\n{one.answer}" for one in found if one is not None)

    def _about(self, heard: Understood, products: Sequence[Product], slots: Slots) -> Said | None:
        """What a product is."""
        if len(products) > 1:
            kinds = {
                one.category for one in products if one.category and one.category in heard.text
            }
            if not kinds and len(products) > 3:
                return None
        one = products[0]
        said = relevant(one, heard)
        if not said and (fit := self._sure(heard)):
            return self._told(fit, slots)
        said = said or relevant(one, heard, described=True)
        if said:
            others = [relevant(other, heard) for other in products[1:3]]
            text = "\n".join([said, *(other for other in others if other)])
            return Said(text=text, kind="product", slots=slots, sources=(one.id,))
        if fit := nearest_of(self._finder.find(heard.text)):
            return self._told(fit, slots)
        text = f"这一点资料里没有写。{facts(one)}"
        return Said(text=text, kind="unknown", slots=slots, sources=(one.id,))

    def _listed(self, heard: Understood, products: Sequence[Product]) -> str:
        """Everything of a kind."""
        kinds = {
            one.category
            for one in self.shop.products
            if one.category and plain(one.category) in heard.text
        }
        listed = [one for one in self.shop.products if one.category in kinds and one.sold] or list(
            products
        )
        return f"有这些：{names_of(listed)}。想看哪一款？"

    # -- the shop's own words ----------------------------------------------------------------------------------------

    def _sure(self, heard: Understood) -> Fit | None:
        fits = self._finder.find(heard.text)
        return fits[0] if fits and fits[0].score >= SURE else None

    def _told(self, fit: Fit, slots: Slots) -> Said:
        if fit.score >= SURE:
            return Said(text=fit.text, kind="faq", slots=slots, sources=(fit.title,))
        text = f"您是不是想问“{fit.title}”？{fit.text}"
        return Said(text=text, kind="suggest", slots=slots, sources=(fit.title,))

    # -- ends --------------------------------------------------------------------------------------------------------

    def _done(self, said: Said) -> Said:
        failures = said.slots.failures + 1 if said.kind in ("unknown", "suggest") else 0
        if said.kind == "suggest" and failures > MOST_FAILURES:  # offered again and again
            return self._hand_over("failed", replace(said.slots, failures=failures))
        return replace(said, slots=replace(said.slots, failures=failures))

    def _unknown(self, slots: Slots) -> Said:
        failures = slots.failures + 1
        if failures >= MOST_FAILURES:
            return self._hand_over("failed", replace(slots, failures=failures))
        text = "这个我没有查到。可以换个说法再问，或者说“转人工”。"
        return Said(text=text, kind="unknown", slots=replace(slots, failures=failures))

    def _hand_over(self, reason: Reason, slots: Slots) -> Said:
        text = HANDED.format(why=REASONS[reason])
        return Said(text=text, kind="handoff", slots=slots, reason=reason)


def _place(words: str) -> int | None:
    """第二个 → 1; None where none is meant."""
    found = _ORDINAL.search(words)
    return {"一": 0, "1": 0, "二": 1, "2": 1, "三": 2, "3": 2}[found[1]] if found else None

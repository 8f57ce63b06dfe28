"""A shop's tables (csv, xlsx, jsonl) and policies → what the shop knows. Every fault is told with file, row and column; a file with
a fault changes nothing.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from ...corpus.reading import decode
from ...errors import DataError
from ...files import read_bytes
from .catalogue import Faq, Order, Product, Profile, Rule, Shop, Variant
from .hours import read_hours

NAMES: dict[str, dict[str, str]] = {
    "products": {
        "商品编号": "id", "品名": "name", "别名": "aliases", "类别": "category", "属性": "attributes",
        "说明": "description", "状态": "status",
    },
    "variants": {"SKU": "sku", "商品编号": "product", "规格": "options", "价格": "price", "库存": "stock"},
    "faq": {
        "问": "question", "问题": "question", "别的问法": "wordings", "答": "answer", "答案": "answer",
        "有效期起": "start", "有效期止": "end",
    },
    "orders": {
        "订单号": "number", "手机尾号": "tail", "状态": "status", "物流公司": "carrier", "运单号": "tracking",
        "预计送达": "eta", "商品": "items", "实付": "paid",
    },
}  # fmt: off
"""Table → heading of a column → what it is; the English words are taken as well."""
NEEDED = {
    "products": ("id", "name"),
    "variants": ("sku", "product", "price", "stock"),
    "faq": ("question", "answer"),
    "orders": ("number", "tail", "status"),
}
MOST_FAULTS = 20
_MANY = re.compile(r"[、,，;；|]")
_BULLET = re.compile(r"^\s*(?:[-*•·]|\d+[.、])\s*(?P<text>.+)$")
_HEADING = re.compile(r"^#+\s*(?P<text>.+?)\s*#*$")
STOPPED = ("停售", "下架", "停产", "discontinued", "stopped")


class Faults:
    """What is wrong, all of it at once."""

    def __init__(self) -> None:
        self._found: list[str] = []

    def add(self, where: str, why: str) -> None:
        self._found.append(f"{where}：{why}")

    def check(self) -> None:
        """Raises DataError where something was."""
        if self._found:
            more = len(self._found) - MOST_FAULTS
            raise DataError(
                "；".join(self._found[:MOST_FAULTS]) + (f"；还有 {more} 处" if more > 0 else ""),
                "改好这些行再导入；现在的数据没有动",
            )


def read_shop(folder: Path, name: str = "") -> Shop:
    """A folder: products, variants, faq, orders as .csv, .xlsx or .jsonl; policies in policies/ as .md or .txt; in shop.json when
    people answer and what the assistant is called. What is missing is empty.

    Raises:
        DataError: everything that is wrong in it.
    """
    if not folder.is_dir():
        raise DataError(
            f"没有文件夹 {str(folder)!r}",
            "里面放 products.csv、variants.csv、faq.csv、orders.csv、policies/",
        )
    tables = {kind: _rows(folder, kind) for kind in NAMES}
    if not any(tables.values()):
        raise DataError(
            f"{str(folder)!r} 里没有商店的表", "放 products.csv、variants.csv、faq.csv、orders.csv"
        )
    faults = Faults()
    shop = Shop(
        name=name or folder.name,
        profile=_profile(folder / "shop.json", faults),
        products=_products(tables["products"], tables["variants"], faults),
        faqs=tuple(_faqs(tables["faq"], faults)),
        orders=_orders(tables["orders"], faults),
        rules=tuple(read_rules(folder / "policies")),
    )
    faults.check()
    return shop


def _profile(path: Path, faults: Faults) -> Profile:
    if not path.is_file():
        return Profile()
    try:
        found = json.loads(decode(read_bytes(path, "商店设置"), path))
        profile = Profile(**found)
        wrong = next((key for key, one in found.items() if not isinstance(one, str)), "")
    except (ValueError, TypeError) as error:
        faults.add(path.name, f"读不懂：{error}；可以写 assistant、greeting、hours")
        return Profile()
    if wrong:
        faults.add(path.name, f"{wrong} 应是文字")
        return Profile()
    try:
        read_hours(profile.hours)
    except ValueError as error:
        faults.add(path.name, f"时间 {str(error)!r} 应写成 周一至周五 9:00-18:00")
    return profile


Row = tuple[str, dict[str, Any]]
"""(file:row, name → value)"""


def _rows(folder: Path, kind: str) -> list[Row]:
    for suffix in (".csv", ".xlsx", ".jsonl"):
        path = folder / f"{kind}{suffix}"
        if path.is_file():
            return _named(kind, path, list(_raw(path, suffix)))
    return []


def _raw(path: Path, suffix: str) -> Iterator[tuple[int, dict[str, Any]]]:
    raw = read_bytes(path, "表")
    if suffix == ".jsonl":
        for number, line in enumerate(decode(raw, path).splitlines(), 1):
            if line.strip():
                try:
                    row = json.loads(line)
                except json.JSONDecodeError as error:
                    raise DataError(
                        f"{path.name}:{number} 不是 JSON：{error}", "一行一个 JSON"
                    ) from error
                if not isinstance(row, dict):
                    raise DataError(
                        f"{path.name}:{number} 不是一个对象", '例如 {"问": "…", "答": "…"}'
                    )
                yield number, row
        return
    if suffix == ".xlsx":
        from openpyxl import load_workbook

        sheet = load_workbook(io.BytesIO(raw), read_only=True).worksheets[0]
        cells: Sequence[Sequence[Any]] = list(sheet.iter_rows(values_only=True))
    else:
        cells = list(csv.reader(io.StringIO(decode(raw, path))))
    header = [str(one or "").strip() for one in cells[0]] if cells else []
    for number, row in enumerate(cells[1:], 2):
        if any(str(one or "").strip() for one in row):
            yield number, dict(zip(header, row, strict=False))


def _named(kind: str, path: Path, rows: list[tuple[int, dict[str, Any]]]) -> list[Row]:
    """Rows by our names; a table without a column it must have is no table of its kind."""
    known = NAMES[kind] | {name: name for name in NAMES[kind].values()}
    named = [
        (
            f"{path.name}:{number}",
            {
                known[key.strip()]: value
                for key, value in row.items()
                if key and key.strip() in known
            },
        )
        for number, row in rows
    ]
    if named:
        missing = [name for name in NEEDED[kind] if all(name not in row for _, row in named)]
        if missing:
            wanted = [
                next(key for key, one in NAMES[kind].items() if one == name) for name in missing
            ]
            raise DataError(
                f"{path.name} 没有这些列：{'、'.join(wanted)}",
                f"第一行写列名：{'、'.join(NAMES[kind])}",
            )
    return named


def _text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value).strip()


def _many(value: Any) -> tuple[str, ...]:
    parts = value if isinstance(value, list) else _MANY.split(_text(value))
    return tuple(one for one in (_text(part) for part in parts) if one)


def _pairs(value: Any) -> dict[str, str]:
    """净含量=50g;颜色=白 → a mapping."""
    if isinstance(value, Mapping):
        return {_text(key): _text(one) for key, one in value.items()}
    pairs = (part.partition("=") for part in re.split(r"[;；]", _text(value)) if part.strip())
    return {key.strip(): one.strip() if sign else "" for key, sign, one in pairs}


def _products(rows: Sequence[Row], variants: Sequence[Row], faults: Faults) -> tuple[Product, ...]:
    found: dict[str, Product] = {}
    for where, row in rows:
        id, name = _text(row.get("id")), _text(row.get("name"))
        if not id or not name:
            faults.add(where, "商品编号、品名不能空")
        elif id in found:
            faults.add(where, f"商品编号 {id!r} 重复")
        else:
            found[id] = Product(
                id=id,
                name=name,
                aliases=_many(row.get("aliases")),
                category=_text(row.get("category")),
                attributes=_pairs(row.get("attributes")),
                description=_text(row.get("description")),
                sold=_text(row.get("status")) not in STOPPED,
            )
    skus: set[str] = set()
    kept: dict[str, list[Variant]] = {}
    for where, row in variants:
        sku, product = _text(row.get("sku")), _text(row.get("product"))
        price, stock = (
            _price(row.get("price"), where, faults),
            _stock(row.get("stock"), where, faults),
        )
        if not sku or sku in skus:
            faults.add(where, f"SKU {sku!r} 重复" if sku else "SKU 是空的")
        if product not in found:
            faults.add(where, f"商品编号 {product!r} 在 products 里没有")
        skus.add(sku)
        if price is not None and stock is not None:
            kept.setdefault(product, []).append(
                Variant(sku=sku, options=_pairs(row.get("options")), price=price, stock=stock)
            )
    return tuple(replace(one, variants=tuple(kept.get(one.id, ()))) for one in found.values())


def _price(value: Any, where: str, faults: Faults) -> Decimal | None:
    text = _text(value).lstrip("¥￥").removesuffix("元")
    if text.startswith("="):
        faults.add(where, f"价格是公式 {text!r}，要写数")
        return None
    try:
        price = Decimal(text)
    except InvalidOperation:
        faults.add(where, f"价格 {_text(value)!r} 不是数")
        return None
    if not price.is_finite() or price < 0 or price != price.quantize(Decimal("0.01")):
        faults.add(where, f"价格 {_text(value)!r} 应是不小于 0、最多两位小数的数")
        return None
    return price.quantize(Decimal("0.01"))


def _stock(value: Any, where: str, faults: Faults) -> int | None:
    text = _text(value)
    if not re.fullmatch(r"\d{1,9}", text):
        faults.add(where, f"库存 {text!r} 应是不小于 0 的整数")
        return None
    return int(text)


def _day(value: Any, where: str, faults: Faults) -> date | None:
    text = _text(value)[:10]
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        faults.add(where, f"日期 {text!r} 应写成 2026-01-31")
        return None


def _faqs(rows: Sequence[Row], faults: Faults) -> Iterator[Faq]:
    seen: set[str] = set()
    for where, row in rows:
        question, answer = _text(row.get("question")), _text(row.get("answer"))
        if not question or not answer:
            faults.add(where, "问和答不能空")
        elif question in seen:
            faults.add(where, f"问题 {question!r} 重复")
        else:
            seen.add(question)
            yield Faq(
                question=question,
                answer=answer,
                wordings=_many(row.get("wordings")),
                start=_day(row.get("start"), where, faults),
                end=_day(row.get("end"), where, faults),
            )


def _orders(rows: Sequence[Row], faults: Faults) -> dict[str, Order]:
    found: dict[str, Order] = {}
    for where, row in rows:
        values = {name: _text(row.get(name)) for name in NAMES["orders"].values()}
        number, tail = values["number"].upper(), values["tail"].zfill(4)
        if not number or number in found:
            faults.add(where, f"订单号 {number!r} 重复" if number else "订单号是空的")
        elif not re.fullmatch(r"\d{4}", tail):
            faults.add(where, f"手机尾号 {values['tail']!r} 应是四位数")
        else:
            found[number] = Order(**{**values, "number": number, "tail": tail})
    return found


def read_rules(folder: Path) -> Iterator[Rule]:
    """The sentences of policies: a point of a list, or a paragraph, each with the heading it stands under."""
    for path in sorted(folder.glob("*")) if folder.is_dir() else ():
        if path.suffix.lower() not in (".md", ".txt"):
            continue
        heading = path.stem
        for line in decode(read_bytes(path, "政策"), path).splitlines():
            if match := _HEADING.match(line):
                heading = match["text"]
            elif line.strip():
                point = _BULLET.match(line)
                text = point["text"] if point else line.strip()
                yield Rule(document=path.stem, heading=heading, text=text)

"""A shop read from its tables, and what its assistant says: prices from rows, orders for those who prove themselves, a person when
one is needed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from importlib.resources import files
from pathlib import Path

import pytest

from custome.apps.service.catalogue import Shop
from custome.apps.service.importing import read_shop
from custome.apps.service.measuring import figures, measure, read_messages
from custome.apps.service.turning import Assistant, Slots
from custome.errors import DataError

TODAY = date(2026, 11, 27)
MESSAGES = Path(__file__).parents[2] / "golden" / "service" / "messages.jsonl"


@pytest.fixture(scope="module")
def shop() -> Shop:
    return read_shop(Path(str(files("custome") / "data" / "shop")), "青石茶铺")


def test_the_messages_come_out_as_they_should(shop: Shop):
    outcomes = measure(Assistant(shop, TODAY), read_messages(MESSAGES))
    told = figures(outcomes)
    right = sum(not one.problems for one in outcomes)
    assert len(outcomes) == 177 and right >= 0.9 * 177, told
    assert told["说错价格或库存"].startswith("0/") and told["没核对就说了订单"] == "0"
    assert told["转人工：准"] == told["转人工：全"] == "13/13"


def say(shop: Shop, *turns: str) -> list[str]:
    assistant, slots, answers = Assistant(shop, TODAY), Slots(), []
    for turn in turns:
        said = assistant.answer(turn, slots)
        slots = said.slots
        answers.append(said.text)
    return answers


def test_a_price_that_was_changed_is_in_the_next_answer(shop: Shop, tmp_path: Path):
    folder = copied(tmp_path)
    table = folder / "variants.csv"
    table.write_text(table.read_text(encoding="utf-8").replace("168.00", "199.90"), "utf-8")
    assert "199.90元" in say(read_shop(folder), "明前龙井50g多少钱")[0]


def test_every_price_that_is_said_stands_in_a_row(shop: Shop):
    import re

    known = {f"{one.price:.2f}元" for product in shop.products for one in product.variants}
    for product in shop.products:
        for question in ("多少钱", "有货吗", "有什么规格"):
            (said,) = say(shop, f"{product.name}{question}")
            assert set(re.findall(r"\d+\.\d\d元", said)) <= known, said


def test_what_a_wrong_tail_is_told_does_not_say_whether_there_is_such_an_order(shop: Shop):
    (wrong,) = say(shop, "查QC261122003，尾号0000")
    (missing,) = say(shop, "查QC269999999，尾号0000")
    assert wrong == missing and "QC26" not in wrong


def copied(tmp_path: Path) -> Path:
    import shutil

    folder = tmp_path / "shop"
    shutil.copytree(str(files("custome") / "data" / "shop"), folder)
    return folder


@pytest.mark.parametrize(
    ("table", "spoil", "why"),
    [
        (
            "variants.csv",
            lambda t: t.replace("168.00", "一百"),
            "variants.csv:2：价格 '一百' 不是数",
        ),
        ("variants.csv", lambda t: t.replace("168.00", "=A1*2"), "公式"),
        ("variants.csv", lambda t: t.replace("168.00", "-3"), "不小于 0"),
        ("variants.csv", lambda t: t.replace("168.00", "NaN"), "不小于 0"),
        ("variants.csv", lambda t: t.replace("168.00", "1.999"), "两位小数"),
        ("variants.csv", lambda t: t.replace("168.00,23", "168.00,很多"), "库存 '很多'"),
        ("variants.csv", lambda t: t.replace("P001-B", "P001-A"), "SKU 'P001-A' 重复"),
        (
            "variants.csv",
            lambda t: t.replace("P001-A,P001", "P001-A,P999"),
            "'P999' 在 products 里没有",
        ),
        ("products.csv", lambda t: t.replace("P002,", "P001,", 1), "'P001' 重复"),
        ("orders.csv", lambda t: t.replace(",0417,", ",04x7,", 1), "尾号 '04x7'"),
        ("faq.jsonl", lambda t: t.replace("2026-11-01", "十一月"), "日期 '十一月'"),
        ("faq.jsonl", lambda t: "{" + t, "faq.jsonl:1 不是 JSON"),
        ("products.csv", lambda t: t.replace("品名", "品"), "没有这些列：品名"),
    ],
)
def test_a_table_with_a_fault_is_refused_by_row(
    tmp_path: Path, table: str, spoil: Callable[[str], str], why: str
):
    folder = copied(tmp_path)
    path = folder / table
    path.write_text(spoil(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(DataError) as error:
        read_shop(folder)
    assert why in error.value.message


def test_tables_of_excel(tmp_path: Path):
    from openpyxl import Workbook

    for kind, rows in {
        "products": [["商品编号", "品名", "状态"], ["A", "铁壶", "在售"]],
        "variants": [["SKU", "商品编号", "规格", "价格", "库存"], ["A1", "A", "容量=1L", 88, 3]],
    }.items():
        book = Workbook()
        for row in rows:
            book.active.append(row)
        book.save(tmp_path / f"{kind}.xlsx")
    assert say(read_shop(tmp_path), "铁壶多少钱") == ["铁壶 1L：88.00元。"]


@pytest.mark.parametrize(
    "words",
    [
        "",
        " ",
        "啊" * 50_000,
        "'; DROP TABLE orders; --",
        "<img src=x onerror=alert(1)>",
        "\x00\x1b[2J",
        "{{7*7}}",
    ],
)
def test_whatever_is_written_is_answered_and_nothing_is_repeated(shop: Shop, words: str):
    said = Assistant(shop, TODAY).answer(words)
    assert (
        said.text and "<img" not in said.text and "DROP" not in said.text and "49" not in said.text
    )

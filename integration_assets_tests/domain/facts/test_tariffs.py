"""Tariff books: what they say, and which sentences refuse those that cannot be used."""

from collections.abc import Callable
from datetime import date
from typing import Any

import polars as pl
import pytest

from integration_assets.domain.facts.agreements import desired_states, state_of
from integration_assets.domain.facts.operands import BadConfiguration
from integration_assets.domain.facts.tariffs import Document, book_of, fingerprint, typed
from integration_assets.domain.facts.values import Value, ValueClass
from integration_assets.domain.tables import KMD_INSTALLATIONS

BOOK: Document = {
    "operands": [
        {"name": "ENERGIPRIS", "category": "QPRICE", "prodrel": "X"},
        {"name": "TARIFTYPE", "category": "RATETYPE", "prodrel": "true"},
        {"name": "RABAT", "category": "FACTOR", "conrel": "x", "prodrel": "", "umzug": "1"},
    ],
    "templates": [
        {"product": "LILLE", "operand": "ENERGIPRIS", "kind": "PARAMETER", "ref": "energi"},
        {"product": "LILLE", "operand": "TARIFTYPE", "kind": "CONSTANT", "ref": "100"},
        {
            "product": "LILLE",
            "operand": "RABAT",
            "kind": "PARAMETER",
            "ref": "rabat",
            "bis": "contract_start_plus_months_minus_1d 12",
        },
        {"product": "STOR", "valid_to": "2024-12-31", "operand": "TARIFTYPE", "kind": "CONSTANT", "ref": "200"},
        {"product": "STOR", "valid_from": "2025-01-01", "operand": "TARIFTYPE", "kind": "CONSTANT", "ref": "201"},
    ],
    "prices": [
        {"product": "LILLE", "parameter": "energi", "value": "0.5|DKK/kWh"},
        {"product": "LILLE", "parameter": "energi", "valid_from": "2025-07-01", "value": "E25"},
        {"product": "LILLE", "parameter": "rabat", "valid_from": "2025-01-01", "value": "0.95"},
    ],
    "products": [
        {"product": "LILLE"},
        {"product": "STOR", "meter_type": "big"},
        {"product": "LILLE", "meter_type": "big", "supply_area": "8000", "valid_from": "2025-03-01"},
        {"product": "STOR", "installation": "7"},
    ],
}


def test_a_product_has_an_edition_for_each_time_of_its_template_and_prices() -> None:
    editions = book_of(BOOK).editions
    assert [(one.first, dict(one.values)) for one in editions["LILLE"]] == [
        (date.min, {"energi": (0.5, "DKK/kWh")}),
        (date(2025, 1, 1), {"energi": (0.5, "DKK/kWh"), "rabat": 0.95}),
        (date(2025, 7, 1), {"energi": "E25", "rabat": 0.95}),
    ]
    assert [one.first for one in editions["STOR"]] == [date.min, date(2025, 1, 1)]
    assert len({one.name for several in editions.values() for one in several}) == 5


def test_what_is_loaded_again_has_the_same_editions() -> None:
    again = {
        table: [dict(row) for row in reversed(rows)] if table == "prices" else rows for table, rows in BOOK.items()
    }
    assert book_of(again).editions == book_of(BOOK).editions
    assert fingerprint(again) != fingerprint(BOOK)
    assert fingerprint(dict(BOOK)) == fingerprint(BOOK)


@pytest.mark.parametrize(
    ("installation", "area", "meter", "products"),
    [
        (None, "5000", "small", [(date.min, "LILLE")]),
        (None, "5000", "big", [(date.min, "STOR")]),
        (None, "8000", "big", [(date.min, "STOR"), (date(2025, 3, 1), "LILLE")]),
        ("7", "8000", "big", [(date.min, "STOR")]),
        (None, None, None, [(date.min, "LILLE")]),
    ],
)
def test_the_row_that_says_most_assigns_the_product(
    installation: str | None, area: str | None, meter: str | None, products: list[tuple[date, str]]
) -> None:
    assert book_of(BOOK).products_of(installation, area, meter) == products


@pytest.mark.parametrize(
    ("text", "value_class", "value"),
    [
        ("0.5", ValueClass.PRICE, 0.5),
        ("E25", ValueClass.PRICE, "E25"),
        ("0.5|DKK/kWh|DKK", ValueClass.PRICE, (0.5, "DKK/kWh", "DKK")),
        ("1200", ValueClass.MONEY, 1200),
        ("-0.95", ValueClass.NUMBER, -0.95),
        ("100", ValueClass.CODE, "100"),
        ("true", ValueClass.BOOL, True),
        ("X", ValueClass.BOOL, "X"),
        ("120 | m2", ValueClass.TUPLE, (120, "m2")),
    ],
)
def test_a_cell_is_read_by_the_class_of_its_operand(text: str, value_class: ValueClass, value: Value) -> None:
    read = typed(text, value_class, "here")
    assert (read, type(read)) == (value, type(value))


Change = Callable[[dict[str, list[dict[str, str]]]], Any]

BAD: list[tuple[str, Change, str]] = [
    ("a table that is none", lambda book: book.update(tarifs=[]), "There is no table tarifs"),
    ("a column that is none", lambda book: book["prices"][0].update(amount="1"), "prices, row 1: there is no column"),
    ("an operand twice", lambda book: book["operands"].append(book["operands"][0]), "Operand ENERGIPRIS occurs twice"),
    ("an unknown category", lambda book: book["operands"][0].update(category="WISH"), "unknown category WISH"),
    ("an unknown mark", lambda book: book["operands"][0].update(prodrel="perhaps"), "prodrel is true, false, X"),
    ("an unknown UMZUGKZ", lambda book: book["operands"][0].update(umzug="7"), "unknown UMZUGKZ 7"),
    ("an unknown operand", lambda book: book["templates"][0].update(operand="GAS"), "unknown operand GAS"),
    ("an operand twice in a template", lambda book: book["templates"].append(book["templates"][0]), "names operand"),
    ("overlapping templates", lambda book: book["templates"][3].update(valid_to="2025-01-01"), "valid on 2025-01-01"),
    ("a constant of the wrong class",
     lambda book: book["templates"][2].update(kind="CONSTANT", ref="cheap"),
     "The template of LILLE, operand RABAT: 'cheap' is no NUMBER"),
    ("an unknown virtual day", lambda book: book["templates"][2].update(bis="doomsday"), "There is no virtual day"),
    ("a product's name with a bar", lambda book: book["templates"][0].update(product="A|B"), "is no name of a product"),
    ("a price of no template", lambda book: book["prices"][0].update(product="GAS"), "there is no template"),
    ("a price of no parameter", lambda book: book["prices"][0].update(parameter="enrgi"), "has such a parameter"),
    ("two prices for one day", lambda book: book["prices"].append(book["prices"][1]), "two values from 2025-07-01"),
    ("a price of the wrong class", lambda book: book["prices"][2].update(value="a lot"), "'a lot' is no NUMBER"),
    ("a character that cannot be stored", lambda book: book["prices"][1].update(value="E\0"), "the character NUL"),
    ("no price", lambda book: book["prices"][2].update(value=""), "parameter rabat: '' is no NUMBER"),
    ("a decimal comma", lambda book: book["prices"][0].update(value="0,55"), "write 0,55 with a point"),
    ("a day that is none", lambda book: book["prices"][1].update(valid_from="2025-02-30"), "'2025-02-30' is no day"),
    ("a product without template", lambda book: book["products"][0].update(product="GAS"), "no template of GAS"),
    ("two products for one", lambda book: book["products"].append({"product": "STOR"}),
     "Two products are assigned to all installations"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "change", "sentence"), BAD, ids=[one[0] for one in BAD])
def test_a_book_that_cannot_be_used_is_refused_with_a_sentence(what: str, change: Change, sentence: str) -> None:
    book = {table: [dict(row) for row in rows] for table, rows in BOOK.items()}
    book_of(book)
    change(book)
    with pytest.raises(BadConfiguration) as refused:
        book_of(book)
    assert sentence in str(refused.value), what


def test_the_products_of_an_agreement_follow_meters_rules_and_prices() -> None:
    """Computed by hand: big meter in area 8000 is LILLE from March on, whose prices change in July."""
    resolved = pl.DataFrame(
        {
            "customer_number": ["1", "2"],
            "supply_area": ["8000", "8000"],
            "party_id": ["anna", "bo"],
            "moved_in": [date(2024, 6, 1), date(2025, 9, 1)],
            "moved_out": [date(2025, 9, 1), None],
            "consumption_place_id": [1, 1],
        }
    )
    meter = {"installation_number": "9", "supply_area": "8000", "consumption_place_id": 1}
    replaced = date(2025, 2, 1)
    meters = pl.DataFrame(
        [
            {**meter, "meter_number": "a", "meter_type": "small", "meter_from": date(2024, 7, 1), "meter_to": replaced},
            {**meter, "meter_number": "b", "meter_type": "big", "meter_from": replaced, "meter_to": None},
        ],
        schema=KMD_INSTALLATIONS.schema,
    )  # fmt: skip
    known = pl.DataFrame(schema={"customer_number": pl.String, "installation": pl.String})
    book = book_of(BOOK)
    states = desired_states(resolved, meters, known, pl.Series(dtype=pl.String), book)
    first, second = (state_of("9", number, told, book) for number, told in zip("12", states["told"], strict=True))
    assert (first.partner, first.moved_in, first.moved_out) == ("anna", date(2024, 6, 1), date(2025, 9, 1))
    assert [(period.first, period.product, dict(period.values)) for period in first.products] == [
        (date(2024, 6, 1), "LILLE", {"energi": (0.5, "DKK/kWh")}),
        (date(2025, 1, 1), "LILLE", {"energi": (0.5, "DKK/kWh"), "rabat": 0.95}),
        (date(2025, 2, 1), "STOR", {}),
        (date(2025, 3, 1), "LILLE", {"energi": (0.5, "DKK/kWh"), "rabat": 0.95}),
        (date(2025, 7, 1), "LILLE", {"energi": "E25", "rabat": 0.95}),
    ]
    assert [(period.first, period.product) for period in second.products] == [(date(2025, 9, 1), "LILLE")]
    annulled = desired_states(resolved.head(1), meters, known, pl.Series(["1"]), book)
    assert annulled.is_empty(), "what was never followed and never had a day is nothing"
    followed = pl.DataFrame({"customer_number": ["1"], "installation": ["9"]})
    annulled = desired_states(resolved.head(1), meters, followed, pl.Series(["1"]), book)
    assert state_of("9", "1", annulled["told"][0], book).is_annulled

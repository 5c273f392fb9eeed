"""What completion keeps and what it asks with: numbers that are known already, addresses to search."""

from dataclasses import replace

import polars as pl
import pytest

from integration_assets.domain.people.completion import address_keys, known_numbers
from integration_assets.domain.people.parties import AddressKey

HOME = AddressKey("0866", "12B", "5000", "2", "tv")
OFFICE = AddressKey("0012", "3", "5240")


@pytest.mark.parametrize(
    ("name", "number", "co_number", "expected"),
    [
        ("DORTHEA dahl", "1303814074", None, [("1", "1303814074", None)]),
        ("Dorthea Dahl", "1403814074", None, []),  # born another day
        ("Doris Dahl", "1303814074", None, []),  # somebody else took the customer number over
        (None, "1303814074", None, []),
        ("Dorthea Dahl", "1303810000", None, []),
        ("Dorthea Dahl", "1303814074", "0101701234", [("1", "1303814074", "0101701234")]),
        ("Dorthea Dahl", None, "0101701234", []),
        ("Dahl, Dorthéa Jensine", "1303814074", "0101701234", [("1", "1303814074", "0101701234")]),
        ("D. Dahl", "1303814074", None, []),  # perhaps her brother
        ("Dorthea Holm Dahl", "1303814074", None, [("1", "1303814074", None)]),
    ],
)
def test_earlier_completions_that_still_fit(
    name: str | None, number: str | None, co_number: str | None, expected: list[tuple[str, str | None, str | None]]
) -> None:
    rows = pl.DataFrame(
        {
            "customer_number": ["1"],
            "id_number": ["1303810000"],
            "co_id_number": ["0101700000"],
            "name": ["Dorthea  Dahl"],
        }
    )
    schema = dict.fromkeys(("customer_number", "name", "number", "co_number"), pl.String)
    earlier = pl.DataFrame(
        [("1", name, number, co_number), ("2", name, number, co_number)], schema=schema, orient="row"
    )
    assert known_numbers(rows, earlier).rows() == expected


@pytest.mark.parametrize(
    ("main", "earlier_main", "inherited"),
    [
        ("1303814074", "1303814074", True),
        ("25052943", "25052943", True),
        ("1303814082", "1303814074", False),  # her twin took the customer number over
        ("25052943", "1303814074", False),
        (None, "1303814074", False),
    ],
)
def test_a_co_customer_stays_only_with_the_same_main_customer(
    main: str | None, earlier_main: str, inherited: bool
) -> None:
    schema = dict.fromkeys(("customer_number", "id_number", "co_id_number", "name"), pl.String)
    rows = pl.DataFrame([("1", main, "0101700000", "Dahl")], schema=schema, orient="row")
    schema = dict.fromkeys(("customer_number", "name", "number", "co_number"), pl.String)
    earlier = pl.DataFrame([("1", "Dahl", earlier_main, "0101701234")], schema=schema, orient="row")
    assert known_numbers(rows, earlier).rows() == ([("1", None, "0101701234")] if inherited else [])


def test_address_keys_of_typed_rows_and_of_register_rows() -> None:
    schema = dict.fromkeys(
        ("customer_number", "street_code", "house_number", "house_letter", "floor", "door", "postcode"), pl.String
    )
    typed = pl.DataFrame(
        [
            ("1", "866", "012", "b", "02", "TV.", "5000"),
            ("2", "0012", "3", None, "-", None, "5240"),
            ("3", None, "3", None, None, None, "5240"),
            ("4", "0012", None, "B", None, None, "5240"),
            ("5", "0012", "3", None, None, None, "unknown"),
        ],
        schema=schema,
        orient="row",
    )
    assert address_keys(typed, by="customer_number") == {"1": HOME, "2": OFFICE}
    register = typed.head(1).drop("house_letter").with_columns(pl.lit("12B").alias("house_number"))
    assert address_keys(register, by="customer_number") == {"1": HOME}
    for kind in ("unit", "access"):
        known = register.with_columns(pl.lit("461").alias("municipality_code"), pl.lit(kind).alias("kind"))
        assert address_keys(known, by="customer_number") == {
            "1": replace(HOME, municipality_code="0461", is_unit=kind == "unit")
        }

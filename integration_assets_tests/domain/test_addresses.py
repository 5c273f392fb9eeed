"""Finding the one register address behind what was typed."""

import time
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_assets.domain.addresses import texts
from integration_assets.domain.addresses.resolve import (
    Register,
    alternative,
    billing,
    billing_line_addresses,
    consumption,
    party_address,
)
from integration_assets.domain.source import REJECTIONS
from integration_assets.domain.tables import (
    ADDRESS_REGISTER,
    KMD_CUSTOMERS,
    KMD_INSTALLATIONS,
    RESOLVED_BILLING_ADDRESSES,
    RESOLVED_CONSUMPTION_ADDRESSES,
    RESOLVED_INSTALLATION_ADDRESSES,
)

BASE = {
    "municipality_code": "0461",
    "kind": "unit",
    "access_id": "access-12B",
    "street_name": "Hans Mules Gade",
    "short_street_name": "H Mules Gade",
    "street_code": "0866",
    "house_number": "12B",
    "floor": None,
    "door": None,
    "supplementary_town": None,
    "postcode": "5000",
    "district": "Odense C",
    "status": 3,
    "easting": 587_000.0,
    "northing": 6_140_000.0,
}


def register(*rows: dict[str, Any]) -> Register:
    return Register(pl.DataFrame([BASE | row for row in rows], schema=ADDRESS_REGISTER.schema))


HOUSE = register(
    {"address_id": "access-12B", "kind": "access"},
    {"address_id": "unit-2tv", "floor": "2", "door": "tv"},
    {"address_id": "unit-2th", "floor": "2", "door": "th"},
    {"address_id": "unit-st4", "floor": "st", "door": "4"},
    {"address_id": "access-3", "kind": "access", "house_number": "3", "access_id": "access-3"},
    {"address_id": "unit-3", "house_number": "3", "access_id": "access-3"},
    {"address_id": "unit-5", "house_number": "5", "status": 2, "supplementary_town": "Næsby"},
    {"address_id": "closed-9", "house_number": "9", "status": 4},
    {"address_id": "closed-access-9", "kind": "access", "house_number": "9", "status": 5},
    {"address_id": "twin-a", "house_number": "7"},
    {"address_id": "twin-b", "house_number": "7"},
    # The same street code in another municipality, and the same street in another postal district.
    {"address_id": "elsewhere", "municipality_code": "0751", "house_number": "3", "postcode": "8000"},
)

PLACE = {
    "street_name": "Hans Mules Gade",
    "street_code": "0866",
    "house_number": "12",
    "house_letter": "B",
    "floor": "2",
    "door": "tv",
    "postcode": "5000",
    "city": "Odense C",
}


def customers(*rows: dict[str, Any]) -> pl.DataFrame:
    numbered = [{"customer_number": str(n), "supply_area": "5000"} | row for n, row in enumerate(rows, start=1)]
    return pl.DataFrame(numbered, schema=KMD_CUSTOMERS.schema)


def place(**changes: str | None) -> tuple[str | None, str]:
    """Address id and method of a consumption place that differs from PLACE in `changes`."""
    return consumption(customers(PLACE | changes), HOUSE).rows.select("address_id", "method").row(0)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"street_name": "Something else"},
        {"house_letter": "b"},
        {"house_number": "012"},
        {"house_number": "12B", "house_letter": None},
        {"floor": "02"},
        {"floor": "2."},
        {"door": "TV"},
        {"door": "tv."},
        {"door": "00tv"},
        {"street_code": "866"},
        {"postcode": " 5000 "},
    ],
)
def test_a_unit_by_its_codes(changes: dict[str, str | None]) -> None:
    assert place(**changes) == ("unit-2tv", "components")


@pytest.mark.parametrize(("floor", "door"), [("ST", "4"), ("st.", "0004"), ("St", "4.")])
def test_floor_and_door_as_typed(floor: str, door: str) -> None:
    assert place(floor=floor, door=door) == ("unit-st4", "components")


@pytest.mark.parametrize("floor", [None, "-", "", "0"])
def test_no_floor_and_door_mean_the_unit_without(floor: str | None) -> None:
    assert place(house_number="3", house_letter=None, floor=floor, door="-") == ("unit-3", "components")


@pytest.mark.parametrize(
    "changes",
    [
        {"street_code": None},
        {"street_code": "0999"},
        {"street_code": None, "street_name": "HANS  MULES gade"},
        {"street_code": None, "street_name": "H. Mules Gade"},
        {"street_code": None, "city": "odense c."},
    ],
)
def test_a_unit_by_its_text_where_the_codes_say_nothing(changes: dict[str, str | None]) -> None:
    assert place(**changes) == ("unit-2tv", "text")


def test_the_access_address_where_no_unit_is_meant() -> None:
    assert place(floor="7", door="mf") == ("access-12B", "access_address")
    assert place(floor=None, door=None) == ("access-12B", "access_address")
    assert place(floor="7", street_code=None, city="Odense") == ("access-12B", "access_address")


@pytest.mark.parametrize(
    "changes",
    [
        {"street_code": None, "street_name": "Hans Mules Gadde"},
        {"street_code": None, "street_name": None},
        {"postcode": "5200", "city": "Odense V"},
        {"house_number": "14"},
        {"house_number": None, "house_letter": None},
        {"house_number": "9", "house_letter": None, "floor": None, "door": None},  # closed
        {"house_number": "7", "house_letter": None, "floor": None, "door": None},  # two hits
        {"house_number": "1-2", "house_letter": "B"},
    ],
)
def test_what_means_no_single_address_is_rejected(changes: dict[str, str | None]) -> None:
    assert place(**changes) == (None, "none")


def test_provisional_addresses_exist() -> None:
    assert place(house_number="5", house_letter=None, floor=None, door=None) == ("unit-5", "components")


def test_the_frame_of_consumption_addresses() -> None:
    resolved = consumption(customers(PLACE, PLACE | {"house_number": "99"}), HOUSE)
    assert resolved.rows.schema == RESOLVED_CONSUMPTION_ADDRESSES.schema
    assert resolved.rows["address_line"].to_list() == [
        "Hans Mules Gade 12B 2tv, 5000 Odense C",
        "Hans Mules Gade 99B 2tv, 5000 Odense C",
    ]
    assert resolved.rejections.schema == REJECTIONS
    assert resolved.rejections.drop("text").rows() == [("2", "consumption_address_not_found", "2", "5000")]
    assert "Hans Mules Gade 99B" in resolved.rejections["text"][0]


def test_nothing_to_resolve() -> None:
    assert consumption(customers(), HOUSE).rows.schema == RESOLVED_CONSUMPTION_ADDRESSES.schema
    assert consumption(customers(PLACE), register()).rows["method"].to_list() == ["none"]


LINES = [
    ("Hans Mules Gade 12B, 2. tv", "5000 Odense C", "unit-2tv"),
    ("hans mules gade 12 b 2 TV", "5000  ODENSE C", "unit-2tv"),
    ("Hans Mules Gade 012B, 02.tv", "5000 Odense C", "unit-2tv"),
    ("H. Mules Gade 12 B, 2.-tv", "5000 Odense C", None),
    ("Hans Mules Gade 12B, 2 - tv", "5000 Odense C", "unit-2tv"),
    ("Hans Mules Gade 3", "5000 Odense C", "unit-3"),
    ("Hans Mules Gade 3, -", "5000 Odense C", "unit-3"),
    ("Hans Mules Gade 5", "5000 Odense C", "unit-5"),
    ("Hans Mules Gade 5, Næsby", "5000 Odense C", "unit-5"),
    ("Hans Mules Gade 5, Na\u0308sby", "5000 Odense C", None),  # ä is not æ
    ("Hans Mules Gade 12B", "5000 Odense C", None),  # an access address is no billing address
    ("Hans Mules Gade 7", "5000 Odense C", None),
    ("Hans Mules Gade 9", "5000 Odense C", None),
    ("Hans Mules Gade 3", "Odense C", None),
    ("Postboks 12", "5000 Odense C", None),
    (None, None, None),
]


@pytest.mark.parametrize(("street_line", "district", "address_id"), LINES)
def test_billing_lines(street_line: str | None, district: str | None, address_id: str | None) -> None:
    rows = customers({"billing_street_line": street_line, "billing_district": district})
    found = billing_line_addresses(rows, HOUSE).row(0, named=True)
    assert (found["address_id"], found["method"]) == (address_id, "text" if address_id else "none")


def test_the_registered_address_stands_in_for_a_billing_line() -> None:
    typed = {"billing_street_line": "Hans Mules Gade 3", "billing_district": "5000 Odense C"}
    unknown = {"billing_street_line": "Postboks 12"}
    registered = pl.DataFrame({"customer_number": ["1", "2", "2"], "address_id": ["unit-2th", "unit-2tv", "unit-2tv"]})
    resolved = billing(customers(typed, unknown, {}), HOUSE, registered)
    assert resolved.rows.schema == RESOLVED_BILLING_ADDRESSES.schema
    assert resolved.rows.select("address_line", "address_id", "method").rows() == [
        ("Hans Mules Gade 3, 5000 Odense C", "unit-3", "text"),
        ("Postboks 12", "unit-2tv", "registered_address"),
        (None, None, "none"),
    ]
    assert resolved.rejections.select("record_key", "reason").rows() == [("3", "billing_address_not_found")]


def test_alternative_places_are_access_addresses_of_the_latest_meter() -> None:
    def meter(number: str, start: str, **changes: Any) -> dict[str, Any]:
        typed = {f"alt_{name}": value for name, value in PLACE.items()}
        row = {"meter_period": f"{number}|x|{start}", "supply_area": "5000", "installation_number": number}
        return row | {"alternative_place_id": 1, "meter_from": start} | typed | changes

    rows = pl.DataFrame(
        [
            meter("1", "2020-01-01", alt_house_number="3", alt_house_letter=None),
            meter("1", "2024-01-01"),
            meter("2", "2020-01-01", alternative_place_id=None),
            meter("3", "2020-01-01", alt_street_code=None),
            meter("4", "2020-01-01", alt_house_number="99"),
            meter("5", "2020-01-01", **{f"alt_{name}": None for name in PLACE}),
        ],
        schema=dict(KMD_INSTALLATIONS.schema) | {"meter_from": pl.String},
    ).with_columns(pl.col("meter_from").str.to_date())
    resolved = alternative(rows, HOUSE)
    assert resolved.rows.schema == RESOLVED_INSTALLATION_ADDRESSES.schema
    assert resolved.rows.select("installation_number", "address_id", "method").rows() == [
        ("1", "access-12B", "components"),
        ("3", "access-12B", "text"),
        ("4", None, "none"),
        ("5", None, "none"),
    ]
    assert resolved.rejections.select("record_key", "reason", "customer_number").rows() == [
        ("4", "alternative_address_not_found", None),
        ("5", "alternative_address_not_found", None),
    ]
    assert resolved.rejections["text"].null_count() == 0


@pytest.mark.parametrize(
    ("changes", "address_id"),
    [
        ({}, "unit-2tv"),
        ({"floor": "02", "door": "00tv", "house_number": "012b"}, "unit-2tv"),
        ({"postcode": None}, "unit-2tv"),
        ({"municipality_code": None}, "unit-2tv"),
        ({"municipality_code": None, "postcode": None}, None),
        ({"municipality_code": "0101"}, None),
        ({"house_number": "3", "floor": None, "door": None}, "unit-3"),
        ({"house_number": "3", "floor": None, "door": None, "municipality_code": "0751"}, "elsewhere"),
        ({"unit_id": "UNIT-2TH"}, "unit-2th"),
        ({"unit_id": "unit-of-nowhere"}, "unit-2tv"),
        ({"unit_id": "closed-9"}, "unit-2tv"),
        ({"floor": "8"}, None),
        ({"street_code": None}, None),
    ],
)
def test_registered_addresses(changes: dict[str, str | None], address_id: str | None) -> None:
    answer = {"municipality_code": "0461", "street_code": "0866", "house_number": "12B", "floor": "2", "door": "tv"}
    row = answer | {"postcode": "5000", "unit_id": None} | changes
    schema = dict.fromkeys(row, pl.String)
    assert party_address(pl.DataFrame([row], schema=schema), HOUSE).to_list() == [address_id]


def test_the_addresses_of_the_register_that_exist() -> None:
    assert HOUSE.addresses.schema == ADDRESS_REGISTER.schema
    assert set(HOUSE.addresses["status"]) == {2, 3}


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "Hans Mules Gade 12B 2tv, 5000 Odense C"),
        ({"floor": None, "door": None}, "Hans Mules Gade 12B, 5000 Odense C"),
        ({"house_letter": None}, "Hans Mules Gade 12 2tv, 5000 Odense C"),
        ({"house_number": None, "house_letter": None, "floor": None, "door": None}, "Hans Mules Gade, 5000 Odense C"),
        ({"postcode": None}, "Hans Mules Gade 12B 2tv, Odense C"),
        ({"postcode": None, "city": None}, "Hans Mules Gade 12B 2tv"),
        (dict.fromkeys(("street_name", "house_number", "house_letter", "floor", "door")), "5000 Odense C"),
        (dict.fromkeys(PLACE), None),
    ],
)
def test_address_lines_are_tidy(changes: dict[str, str | None], line: str | None) -> None:
    frame = pl.DataFrame([PLACE | changes], schema=dict.fromkeys(PLACE, pl.String))
    line_of = texts.address_line("street_name", "house_number", "house_letter", "floor", "door", "postcode", "city")
    assert frame.select(line_of).item() == line


TYPED = st.text(st.sampled_from("aAåÅæØ019 .,-\tBvTH\u030a\u0308ßİ") | st.characters(codec="utf-8"), max_size=14)


@given(st.lists(TYPED, min_size=1, max_size=8))
def test_normalising_twice_changes_nothing(typed: list[str]) -> None:
    frame = pl.DataFrame({"typed": typed})
    for normalise in (texts.line, texts.floor, texts.door, texts.house, texts.street_code, texts.postcode):
        once = frame.select(normalise("typed"))
        assert once.select(normalise("typed")).equals(once), normalise.__name__


def test_å_is_not_aa() -> None:
    assert pl.DataFrame({"typed": ["Åboulevarden"]}).select(texts.line("typed")).item() == "åboulevarden"
    assert pl.DataFrame({"typed": ["Aaboulevarden"]}).select(texts.line("typed")).item() == "aaboulevarden"


def test_a_hundred_thousand_rows_against_150_000_addresses_take_less_than_three_seconds() -> None:
    houses = pl.DataFrame({"house": range(1, 101)}).join(pl.DataFrame({"street": range(1, 501)}), how="cross")
    places = houses.with_columns(
        pl.format("Gaden {}", pl.col("street").cast(pl.String).str.replace_all(r"(\d)", "x$1")).alias("street_name"),
        pl.col("street").cast(pl.String).str.zfill(4).alias("street_code"),
        pl.col("house").cast(pl.String).alias("house_number"),
    )
    units = places.join(
        pl.DataFrame({"kind": ["access", "unit", "unit"], "floor": [None, "1", "1"], "door": [None, "tv", "th"]}),
        how="cross",
    )
    big = units.with_columns(
        pl.lit(value, ADDRESS_REGISTER.schema[name]).alias(name)
        for name, value in BASE.items()
        if name not in units.columns
    ).with_row_index("n")
    big = big.with_columns(pl.col("n").cast(pl.String).alias("address_id"))
    rows = big.filter(pl.col("kind") == "unit").head(100_000)
    rows = rows.with_columns(
        pl.col("address_id").alias("customer_number"),
        pl.lit("5000").alias("supply_area"),
        pl.lit(None, pl.String).alias("house_letter"),
        pl.when(pl.col("n") % 3 > 1).then("street_code").alias("street_code"),
        pl.col("district").alias("city"),
    )
    start = time.process_time()
    resolved = consumption(rows, Register(big.select(list(ADDRESS_REGISTER.schema)))).rows
    elapsed = time.process_time() - start
    assert resolved["address_id"].to_list() == rows["address_id"].to_list()
    assert set(resolved["method"]) == {"components", "text"}
    assert elapsed < 3, f"{elapsed:.1f} s of CPU time"

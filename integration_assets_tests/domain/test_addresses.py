"""What the answers about addresses mean for the rows of the main flow, and the parts that addresses are typed in."""

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_assets.domain.addresses import texts
from integration_assets.domain.addresses.municipalities import KEYS, rows_of
from integration_assets.domain.addresses.resolve import (
    FOUND,
    alternative,
    alternative_places,
    billing,
    billing_lines,
    consumption,
    party_address,
    unit_ids,
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
from integration_assets_tests.domain.register_rows import frames_of, id_of, index_of, register

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
LINE = "Hans Mules Gade 12B 2tv, 5000 Odense C"
TEXT = "Hans Mules Gade 12B, 2. tv, 5000 Odense C"
UNKNOWN = "No single address of the register is meant by:"
CLOSED = "The register has closed the address that is meant by:"

UNIT = {"category": "A", "outcome": "unit", "method": "exact", "unit_id": "u", "access_id": "h", "status": 3}
HOUSE_ONLY = {"category": "C", "outcome": "access_address", "method": "exact", "access_id": "h", "status": 3}
UNSURE = {"category": "C", "outcome": "ambiguous", "method": "none", "nearest": ["X 1", "X 2", "X 3", "X 4"]}
NOTHING = {"category": "C", "outcome": "none", "method": "none", "nearest": []}
DECIDED_NONE = {"category": "C", "outcome": "none", "method": "decision", "nearest": ["X 1"]}


def found(*answers: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame([{"text": TEXT} | answer for answer in answers], schema=FOUND)


def customers(*rows: dict[str, Any]) -> pl.DataFrame:
    numbered = [{"customer_number": str(n), "supply_area": "5000"} | row for n, row in enumerate(rows, start=1)]
    return pl.DataFrame(numbered, schema=KMD_CUSTOMERS.schema)


def placed(answer: dict[str, Any]) -> tuple[tuple[Any, ...], list[str]]:
    """Address, category and method of a consumption place with this answer, and the texts of its rejections."""
    resolved = consumption(customers(PLACE), found(answer))
    assert resolved.rows.schema == RESOLVED_CONSUMPTION_ADDRESSES.schema
    assert resolved.rejections.schema == REJECTIONS
    row = resolved.rows.row(0, named=True)
    assert row["address_line"] == LINE
    return (row["address_id"], row["category"], row["method"]), resolved.rejections["text"].to_list()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (UNIT, ("u", "A", "exact")),
        (UNIT | {"category": "B", "method": "spelling"}, ("u", "B", "spelling")),
        (UNIT | {"status": 2}, ("u", "A", "exact")),
        (UNIT | {"method": "components", "status": None}, ("u", "A", "components")),
        (UNIT | {"category": "B", "method": "decision", "status": None}, ("u", "B", "decision")),
        (HOUSE_ONLY, ("h", "H", "access_address")),
    ],
)
def test_answers_that_are_used(answer: dict[str, Any], expected: tuple[str, ...]) -> None:
    assert placed(answer) == (expected, [])


@pytest.mark.parametrize(
    ("answer", "method", "sentence"),
    [
        (NOTHING, "none", f"{UNKNOWN} {TEXT}"),
        (NOTHING | {"text": None}, "none", f"{UNKNOWN} (nothing typed)"),
        (UNSURE, "none", f"{UNKNOWN} {TEXT}. Nearest: X 1; X 2; X 3"),
        (UNSURE | {"unit_id": "u"}, "none", f"{UNKNOWN} {TEXT}. Nearest: X 1; X 2; X 3"),
        (UNIT | {"status": 4}, "none", f"{CLOSED} {TEXT}"),
        (UNIT | {"status": 5}, "none", f"{CLOSED} {TEXT}"),
        (HOUSE_ONLY | {"status": 4}, "none", f"{CLOSED} {TEXT}"),
        (DECIDED_NONE, "decision", f"An operator decided that no address is meant by: {TEXT}"),
    ],
)  # fmt: skip
def test_answers_that_are_not_used_are_rejected_with_their_reason(
    answer: dict[str, Any], method: str, sentence: str
) -> None:
    (address, _, said), texts_of = placed(answer)
    assert (address, said, texts_of) == (None, method, [sentence])


def test_the_rejections_of_consumption_addresses_name_their_row() -> None:
    resolved = consumption(customers(PLACE, PLACE | {"house_number": "99"}), found(UNIT, NOTHING))
    assert resolved.rows["address_line"].to_list() == [LINE, "Hans Mules Gade 99B 2tv, 5000 Odense C"]
    assert resolved.rejections.drop("text").rows() == [("2", "consumption_address_not_found", "2", "5000")]


def test_nothing_to_resolve() -> None:
    resolved = consumption(customers(), found())
    assert resolved.rows.schema == RESOLVED_CONSUMPTION_ADDRESSES.schema
    assert resolved.rejections.is_empty()


def test_a_billing_line_is_street_line_and_district_as_typed() -> None:
    rows = customers(
        {"billing_street_line": "Nygade 1, 2. tv", "billing_district": "5000 Odense C"},
        {"billing_street_line": "Nygade 1"},
        {"billing_district": "5000 Odense C"},
        {"billing_street_line": ""},
        {},
    )
    assert billing_lines(rows).to_list() == ["Nygade 1, 2. tv, 5000 Odense C", "Nygade 1", "5000 Odense C", None, None]


def test_units_of_answers_that_count() -> None:
    """An access address is no billing address, and a closed unit is none either."""
    answers = found(UNIT, HOUSE_ONLY, UNSURE, UNIT | {"status": 4}, UNIT | {"category": "B", "status": 2})
    assert unit_ids(answers).to_list() == ["u", None, None, None, "u"]


def test_the_registered_address_stands_in_for_a_billing_line() -> None:
    line = {"billing_street_line": "Nygade 1", "billing_district": "5000 Odense C"}
    registered = pl.DataFrame(
        {
            "customer_number": ["1", "2", "2", "3", "4"],
            "address_id": ["other", "own", "own", "own", None],
            "withheld": False,
        }
    )
    answers = found(UNIT, NOTHING, HOUSE_ONLY, UNIT | {"status": 4}, NOTHING | {"text": None})
    resolved = billing(customers(line, line, line, line, {}), answers, registered)
    assert resolved.rows.schema == RESOLVED_BILLING_ADDRESSES.schema
    assert resolved.rows.select("customer_number", "address_line", "address_id", "method").rows() == [
        ("1", "Nygade 1, 5000 Odense C", "u", "exact"),
        ("2", "Nygade 1, 5000 Odense C", "own", "registered_address"),
        ("3", "Nygade 1, 5000 Odense C", "own", "registered_address"),
        ("4", "Nygade 1, 5000 Odense C", None, "none"),
        ("5", None, None, "none"),
    ]
    assert resolved.rejections.select("record_key", "reason", "text").rows() == [
        ("4", "billing_address_not_found", f"{CLOSED} {TEXT}"),
        ("5", "billing_address_not_found", f"{UNKNOWN} (nothing typed)"),
    ]


def test_alternative_places_are_those_of_the_latest_meter() -> None:
    def meter(number: str, start: str, **changes: Any) -> dict[str, Any]:
        typed = {f"alt_{name}": value for name, value in PLACE.items()}
        row = {"meter_period": f"{number}|x|{start}", "supply_area": "5000", "installation_number": number}
        return row | {"alternative_place_id": 1, "meter_from": start} | typed | changes

    rows = pl.DataFrame(
        [
            meter("1", "2020-01-01", alt_house_number="3", alt_house_letter=None),
            meter("1", "2024-01-01"),
            meter("2", "2020-01-01", alternative_place_id=None),
            meter("3", "2020-01-01", **{f"alt_{name}": None for name in PLACE}),
        ],
        schema=dict(KMD_INSTALLATIONS.schema) | {"meter_from": pl.String},
    ).with_columns(pl.col("meter_from").str.to_date())
    places = alternative_places(rows)
    house = ("street_name", "street_code", "house_number", "house_letter", "postcode", "city")
    assert places.columns == ["installation_number", "supply_area", "address_line", *house]
    assert places.rows() == [
        ("1", "5000", LINE, *(PLACE[name] for name in house)),
        ("3", "5000", *[None] * 7),
    ]
    resolved = alternative(places, found(UNIT | {"outcome": "access", "unit_id": None}, NOTHING | {"text": ""}))
    assert resolved.rows.schema == RESOLVED_INSTALLATION_ADDRESSES.schema
    assert resolved.rows.select("installation_number", "address_id", "method").rows() == [
        ("1", "h", "exact"),
        ("3", None, "none"),
    ]
    assert resolved.rejections.rows() == [
        (
            "3",
            "alternative_address_not_found",
            f"{UNKNOWN} (nothing typed)",
            None,
            "5000",
        )
    ]


BASE = {
    "municipality_code": "0461",
    "kind": "unit",
    "street_name": "Hans Mules Gade",
    "short_street_name": "H Mules Gade",
    "street_code": "0866",
    "postcode": "5000",
    "district": "Odense C",
    "status": 3,
}


def houses(*names: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The access address and the unit without floor and door of each house number, with what differs from BASE."""
    rows: list[dict[str, Any]] = []
    for name, given_ in names:
        own = BASE | {"house_number": name.split()[0], "access_id": id_of(f"access {name}")} | given_
        rows += [own | {"kind": "access", "address_id": own["access_id"]}, own | {"address_id": id_of(f"unit {name}")}]
    return rows


FLATS = [
    BASE | {"house_number": "12B", "access_id": id_of("access 12B"), "floor": floor, "door": door, "status": status,
            "address_id": id_of(f"unit 12B {floor} {door}")}
    for floor, door, status in (("2", "tv", 3), ("2", "th", 3), ("9", "tv", 4))
]  # fmt: skip
STREET = register(
    *houses(("12B", {}), ("3", {}), ("3 elsewhere", {"municipality_code": "0751", "postcode": "8000"})),
    *FLATS,
)


@pytest.mark.parametrize(
    ("changes", "unit"),
    [
        ({}, "12B 2 tv"),
        ({"floor": "02", "door": "00tv", "house_number": "012b"}, "12B 2 tv"),
        ({"postcode": None}, "12B 2 tv"),
        ({"municipality_code": None}, "12B 2 tv"),
        ({"municipality_code": None, "postcode": None}, None),
        ({"municipality_code": "0101"}, None),
        ({"house_number": "3", "floor": None, "door": None}, "3"),
        ({"house_number": "3", "floor": None, "door": None, "municipality_code": "0751"}, "3 elsewhere"),
        ({"unit_id": id_of("unit 12B 2 th").upper()}, "12B 2 th"),
        ({"unit_id": id_of("nowhere")}, "12B 2 tv"),
        ({"unit_id": "no uuid"}, "12B 2 tv"),
        ({"unit_id": id_of("unit 12B 9 tv")}, "12B 2 tv"),  # closed
        ({"unit_id": id_of("access 12B")}, "12B 2 tv"),  # no unit
        ({"floor": "8"}, None),
        ({"street_code": None}, None),
    ],
)
def test_registered_addresses(changes: dict[str, str | None], unit: str | None) -> None:
    answer = {"municipality_code": "0461", "street_code": "0866", "house_number": "12B", "floor": "2", "door": "tv"}
    row = answer | {"postcode": "5000", "unit_id": None} | changes
    found_ids = party_address(pl.DataFrame([row], schema=dict.fromkeys(row, pl.String)), index_of(STREET))
    assert found_ids.to_list() == [unit and id_of(f"unit {unit}")]


def test_registered_addresses_keep_the_order_of_the_rows() -> None:
    answer = {"municipality_code": "0461", "street_code": "0866", "house_number": "12B", "door": "tv", "postcode": None}
    rows = [answer | {"floor": floor, "unit_id": None} for floor in ("8", "2", "8", "2")]
    schema = dict.fromkeys(rows[0], pl.String)
    assert party_address(pl.DataFrame(rows, schema=schema), index_of(STREET)).is_null().to_list() == [
        True, False, True, False,
    ]  # fmt: skip
    assert party_address(pl.DataFrame(schema=schema), index_of(STREET)).is_empty()


def test_rows_by_municipality_lose_none() -> None:
    """Codes that are no municipality's today are kept under the last key."""
    rows = register(
        *houses(
            ("1 a", {"municipality_code": "0461"}),
            ("1 b", {"municipality_code": "0751"}),
            ("1 c", {"municipality_code": "0445"}),  # Middelfart until 2007
            ("1 d", {"municipality_code": "unknown"}),
            ("1 e", {"municipality_code": "0751", "status": 4}),
        )
    )
    frames = frames_of(rows)

    def ids(*keys: str) -> dict[str, str]:
        kept = rows_of(frames, keys)
        assert kept.schema == ADDRESS_REGISTER.schema
        return dict(kept.select("address_id", "municipality_code").iter_rows())

    def named(name: str, code: str) -> dict[str, str]:
        return {id_of(f"access {name}"): code, id_of(f"unit {name}"): code}

    assert ids("0461") == named("1 a", "0461")
    assert ids("0751", "0461") == named("1 a", "0461") | named("1 b", "0751") | named("1 e", "0751")
    assert ids("unknown") == named("1 c", "unknown") | named("1 d", "unknown")
    assert ids("0101") == {}
    assert set(ids(*KEYS)) == set(rows["address_id"])


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

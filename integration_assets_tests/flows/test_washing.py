"""The three procedures from what was typed to the address, and what is remembered of the answers."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from integration_assets.cache.washings import Washings
from integration_assets.domain.addresses.resolve import (
    FOUND,
    Resolved,
    alternative,
    alternative_places,
    billing,
    billing_lines,
    consumption,
)
from integration_assets.domain.addresses.washing import RULE_VERSION, WashingIndex
from integration_assets.domain.addresses.washing.text import normalized
from integration_assets.domain.addresses.washing.washed import ACCESS, UNIT
from integration_assets.domain.tables import KMD_CUSTOMERS, KMD_INSTALLATIONS
from integration_assets.flows.address_providers import LocalRegister
from integration_assets.flows.washing import Washer
from integration_assets_tests.domain.register_rows import id_of, index_of, register

NOW = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=1)

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
NO_UNIT: dict[str, str | None] = {"floor": None, "door": None}


def house(number: str, *units: str, access: str | None = None, status: int = 3, **given: Any) -> list[dict[str, Any]]:
    """The access address "access 3" and its units "3", or "3 2 tv" for the unit "2 tv"; `access` tells twins apart."""
    own = {
        "municipality_code": "0461",
        "access_id": id_of(f"access {access or number}"),
        "street_name": "Hans Mules Gade",
        "short_street_name": "H Mules Gade",
        "street_code": "0866",
        "house_number": number,
        "postcode": "5000",
        "district": "Odense C",
        "status": status,
    } | given
    rows = [own | {"kind": "access", "address_id": own["access_id"]}]
    for unit in units or ("",):
        floor, _, door = unit.partition(" ")
        name = f"{access or number} {unit}".strip()
        rows.append(own | {"kind": "unit", "address_id": id_of(name), "floor": floor or None, "door": door or None})
    return rows


STREET = register(
    *house("12B", "2 tv", "2 th", "st 4"),
    *house("3"),
    *house("5", status=2, supplementary_town="Næsby"),
    *house("9", status=4),
    *house("7", access="7 a"),
    *house("7", access="7 b"),
    # The same street code in another municipality and postal district.
    *house("3", access="3 elsewhere", municipality_code="0751", postcode="8000", district="Aarhus C"),
)
NAMES = {
    id_of(name): name
    for name in ("12B 2 tv", "12B 2 th", "12B st 4", "3", "5", "9", "3 elsewhere", "access 12B", "access 3")
}


@pytest.fixture(scope="module")
def index() -> WashingIndex:
    return index_of(STREET)


@pytest.fixture
def washings(cache: sa.Engine) -> Washings:
    return Washings(cache)


def washer(washings: Washings, index: WashingIndex, now: datetime | None = NOW) -> Washer:
    return Washer(index, washings, LocalRegister(index, workers=1), now)


def customers(*rows: dict[str, Any]) -> pl.DataFrame:
    numbered = [{"customer_number": str(n), "supply_area": "5000"} | row for n, row in enumerate(rows, start=1)]
    return pl.DataFrame(numbered, schema=KMD_CUSTOMERS.schema)


def consumed(asked: Washer, *rows: dict[str, Any]) -> Resolved:
    frame = customers(*rows)
    return consumption(frame, asked.components(frame, UNIT))


def told(resolved: Resolved) -> list[tuple[str | None, str, str]]:
    """Readable address, category and method of each row."""
    rows = resolved.rows.select("address_id", "category", "method").rows()
    return [(address and NAMES[address], category, method) for address, category, method in rows]


def typed(*changes: Mapping[str, str | None]) -> list[dict[str, str | None]]:
    return [{**PLACE, **change} for change in changes]


def test_a_unit_by_its_codes(washings: Washings, index: WashingIndex) -> None:
    changes: list[dict[str, str | None]] = [
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
        {"city": None},
    ]
    resolved = consumed(washer(washings, index), *typed(*changes))
    assert told(resolved) == [("12B 2 tv", "A", "components")] * len(changes)
    assert resolved.rejections.is_empty()


def test_floor_and_door_as_typed(washings: Washings, index: WashingIndex) -> None:
    forms = [("ST", "4"), ("st.", "0004"), ("St", "4.")]
    resolved = consumed(washer(washings, index), *typed(*({"floor": floor, "door": door} for floor, door in forms)))
    assert told(resolved) == [("12B st 4", "A", "components")] * len(forms)


def test_no_floor_and_door_mean_the_unit_without(washings: Washings, index: WashingIndex) -> None:
    empty = ({"house_number": "3", "house_letter": None, "floor": floor, "door": "-"} for floor in (None, "-", "", "0"))
    assert told(consumed(washer(washings, index), *typed(*empty))) == [("3", "A", "components")] * 4


@pytest.mark.parametrize(
    ("changes", "category", "method"),
    [
        ({"street_code": None}, "A", "exact"),
        ({"street_code": "0999"}, "A", "exact"),  # no such street in the postal code: the code says nothing
        ({"street_code": None, "street_name": "HANS  MULES gade"}, "A", "exact"),
        ({"street_code": None, "street_name": "H. Mules Gade"}, "A", "exact"),  # its short name
        ({"street_code": None, "city": "odense c."}, "A", "exact"),
        ({"street_code": None, "street_name": "Hans Mules Gadde"}, "B", "spelling"),
        ({"street_code": None, "street_name": "HansMules Gade"}, "B", "synonym"),
    ],
)
def test_a_unit_by_its_text_where_the_codes_say_nothing(
    washings: Washings, index: WashingIndex, changes: dict[str, str | None], category: str, method: str
) -> None:
    assert told(consumed(washer(washings, index), PLACE | changes)) == [("12B 2 tv", category, method)]


def test_the_house_where_no_unit_is_meant(washings: Washings, index: WashingIndex) -> None:
    rows = typed(
        {"floor": "7", "door": "mf"},
        NO_UNIT,
        {"floor": "7", "street_code": None, "city": "Odense"},
        {"floor": "7", "street_name": "Something else"},  # the codes tell the house
    )
    resolved = consumed(washer(washings, index), *rows)
    assert told(resolved) == [("access 12B", "H", "access_address")] * 4
    assert resolved.rejections.is_empty()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"street_code": None, "street_name": "Vestre Ringvej"}, "No single address"),
        ({"street_code": None, "street_name": None}, "No single address"),
        ({"postcode": "5200", "city": "Odense V"}, "No single address"),
        ({"house_number": "14"}, "No single address"),
        ({"house_number": None, "house_letter": None}, "No single address"),
        ({"house_number": "9", "house_letter": None, **NO_UNIT}, "The register has closed the address"),
        ({"house_number": "7", "house_letter": None, **NO_UNIT}, "No single address"),  # twins
        ({"house_number": "1-2"}, "No single address"),
    ],
)
def test_what_means_no_single_address_is_rejected(
    washings: Washings, index: WashingIndex, changes: dict[str, str | None], sentence: str
) -> None:
    resolved = consumed(washer(washings, index), PLACE | changes)
    assert resolved.rows.select("address_id", "method").rows() == [(None, "none")]
    assert resolved.rejections["reason"].to_list() == ["consumption_address_not_found"]
    assert resolved.rejections["text"][0].startswith(sentence)


def test_a_rejection_shows_the_addresses_that_may_have_been_meant(washings: Washings, index: WashingIndex) -> None:
    rows = typed({"house_number": "7", "house_letter": None, "street_code": None, **NO_UNIT}, {"house_number": "14"})
    twins, unknown = consumed(washer(washings, index), *rows).rejections["text"]
    line = "Hans Mules Gade 7, 5000 Odense C"
    assert twins == f"No single address of the register is meant by: {line}. Nearest: {line}; {line}"
    assert "by: Hans Mules Gade 14B, 2. tv, 5000 Odense C. Nearest: Hans Mules Gade " in unknown


def test_provisional_addresses_exist(washings: Washings, index: WashingIndex) -> None:
    number: dict[str, str | None] = {"house_number": "5", "house_letter": None, **NO_UNIT}
    resolved = consumed(washer(washings, index), *typed(number, number | {"street_code": None}))
    assert told(resolved) == [("5", "A", "components"), ("5", "A", "exact")]


def test_an_empty_register_finds_nothing(washings: Washings) -> None:
    assert told(consumed(washer(washings, index_of(register())), PLACE)) == [(None, "C", "none")]


LINES = [
    ("Hans Mules Gade 12B, 2. tv", "5000 Odense C", "12B 2 tv"),
    ("hans mules gade 12 b 2 TV", "5000  ODENSE C", "12B 2 tv"),
    ("Hans Mules Gade 012B, 02.tv", "5000 Odense C", "12B 2 tv"),
    ("H. Mules Gade 12 B, 2.-tv", "5000 Odense C", "12B 2 tv"),
    ("Hans Mules Gade 12B, 2 - tv", "5000 Odense C", "12B 2 tv"),
    ("Hans Mules Gade 12B, 2. sal tv", "5000 Odense C", "12B 2 tv"),
    ("Hans Mules Gade 12B, stuen 4", "5000 Odense C", "12B st 4"),
    ("Hans Mules Gd 12B, 2tv", "5000 Odense C", "12B 2 tv"),
    ("Hans Mules Gade 3", "5000 Odense C", "3"),
    ("Hans Mules Gade 3, -", "5000 Odense C", "3"),
    ("Hans Mules Gade 5", "5000 Odense C", "5"),
    ("Hans Mules Gade 5, Næsby", "5000 Odense C", "5"),
    ("Hans Mules Gade 5, Na\u0308sby", "5000 Odense C", "5"),  # a town is not what tells addresses apart
    ("Hans Mules Gade 12B", "5000 Odense C", None),  # an access address is no billing address
    ("Hans Mules Gade 7", "5000 Odense C", None),
    ("Hans Mules Gade 9", "5000 Odense C", None),
    ("Hans Mules Gade 3", "Odense C", "3"),  # the district tells the postal code
    ("Postboks 12", "5000 Odense C", None),
    (None, None, None),
]


def test_billing_lines(washings: Washings, index: WashingIndex) -> None:
    rows = customers(*({"billing_street_line": line, "billing_district": district} for line, district, _ in LINES))
    found = washer(washings, index).texts(billing_lines(rows), UNIT)
    nobody = pl.DataFrame(schema={"customer_number": pl.String, "address_id": pl.String, "withheld": pl.Boolean})
    resolved = billing(rows, found, nobody)
    assert [address for address, _, _ in told(resolved)] == [expected for _, _, expected in LINES]
    assert resolved.rejections.height == sum(expected is None for _, _, expected in LINES)


def test_alternative_places_are_houses(washings: Washings, index: WashingIndex) -> None:
    def place(number: str, **changes: Any) -> dict[str, Any]:
        row = {"meter_period": number, "supply_area": "5000", "installation_number": number, "alternative_place_id": 1}
        return row | {f"alt_{name}": value for name, value in (PLACE | changes).items()}

    rows = [
        place("1"),
        place("2", street_code=None),
        place("3", house_number="99"),
        place("4", **dict.fromkeys(PLACE)),
        place("5", street_code=None, street_name="Hans Muls Gade", floor="8"),
    ]
    places = alternative_places(pl.DataFrame(rows, schema=KMD_INSTALLATIONS.schema))
    resolved = alternative(places, washer(washings, index).components(places, ACCESS))
    assert told(resolved) == [
        ("access 12B", "A", "components"),
        ("access 12B", "A", "exact"),
        (None, "C", "none"),
        (None, "C", "none"),
        ("access 12B", "B", "spelling"),
    ]
    assert resolved.rejections["record_key"].to_list() == ["3", "4"]
    assert resolved.rejections["text"][1] == "No single address of the register is meant by: (nothing typed)"


KNOWN = "Hans Mules Gade 3, 5000 Odense C"
NEW = "Hans Mules Gade 44, 5000 Odense C"
STRANGE = "Ingensteds 1, 9990 Skagen"


def kept(cache: sa.Engine) -> list[dict[str, Any]]:
    """The remembered answers, by text."""
    columns = "kind, text, category, unit_id, generation, rule_version, washed_at, changed_at"
    with cache.connect() as connection:
        rows = connection.execute(sa.text(f"SELECT {columns} FROM washing ORDER BY kind, text")).mappings()
        return [dict(row) for row in rows]


def test_answers_stand_in_the_order_of_the_rows(washings: Washings, index: WashingIndex) -> None:
    """Duplicates and missing texts included, whether the answers are remembered or new."""
    texts = pl.Series([STRANGE, None, KNOWN, "", STRANGE, KNOWN])
    for _ in range(2):
        found = washer(washings, index).texts(texts, UNIT)
        assert found.schema == FOUND
        assert found["text"].to_list() == [STRANGE, "", KNOWN, "", STRANGE, KNOWN]
        assert found["unit_id"].to_list() == [None, None, id_of("3"), None, None, id_of("3")]
        assert found["category"].to_list() == ["C", "C", "A", "C", "C", "A"]
        texts = pl.concat([texts.head(0), texts])
    components = pl.DataFrame(typed({"house_number": "99"}, {}, {"house_number": "99"}, {"street_code": None}, {}))
    found = washer(washings, index).components(components, UNIT)
    assert found.schema == FOUND
    unit = id_of("12B 2 tv")
    assert found["unit_id"].to_list() == [None, unit, None, unit, unit]


def test_no_texts_at_all(washings: Washings, index: WashingIndex) -> None:
    asked = washer(washings, index)
    assert asked.texts(pl.Series("text", [], dtype=pl.String), UNIT).schema == FOUND
    assert asked.components(customers(), UNIT).is_empty()
    assert asked.components(customers(), ACCESS).schema == FOUND


def test_a_second_wash_computes_nothing(washings: Washings, index: WashingIndex, cache: sa.Engine) -> None:
    texts = pl.Series([KNOWN, STRANGE])
    first = washer(washings, index).texts(texts, UNIT)
    before = kept(cache)
    assert [(row["text"], row["generation"], row["rule_version"], row["washed_at"]) for row in before] == [
        (KNOWN, 1, RULE_VERSION, NOW),
        (STRANGE, 1, RULE_VERSION, NOW),
    ]
    assert washer(washings, index, LATER).texts(texts, UNIT).equals(first)
    assert kept(cache) == before
    washer(washings, index, LATER).texts(pl.Series([KNOWN, NEW]), UNIT)
    assert {row["text"]: row["washed_at"] for row in kept(cache)} == {KNOWN: NOW, STRANGE: NOW, NEW: LATER}
    washer(washings, index, LATER).texts(pl.Series([KNOWN]), ACCESS)
    assert [(row["kind"], row["washed_at"]) for row in kept(cache) if row["text"] == KNOWN] == [
        ("access", LATER),
        ("unit", NOW),
    ]


def test_codes_are_not_remembered(washings: Washings, index: WashingIndex, cache: sa.Engine) -> None:
    """They cost nothing, and a register that changes them is seen at once."""
    consumed(washer(washings, index), PLACE)
    assert kept(cache) == []


def test_another_generation_washes_again_and_tells_what_it_changed(
    washings: Washings, index: WashingIndex, cache: sa.Engine
) -> None:
    texts = pl.Series([KNOWN, NEW])
    washer(washings, index).texts(texts, UNIT)
    built = index_of(pl.concat([STREET, register(*house("44"))]), generation=2)
    second = washer(washings, built, LATER)
    assert second.texts(texts, UNIT)["unit_id"].to_list() == [id_of("3"), id_of("44")]
    assert second.changed == 1
    assert {(row["generation"], row["washed_at"]) for row in kept(cache)} == {(2, LATER)}
    assert {row["text"]: row["changed_at"] for row in kept(cache)} == {KNOWN: None, NEW: LATER}
    changes = washings.changed_since(LATER)
    assert changes.select("text", "category", "address_id", "generation").rows() == [(NEW, "A", id_of("44"), 2)]
    assert changes.select("category_before", "address_id_before", "generation_before").rows() == [("C", None, 1)]


def test_a_plan_keeps_nothing(washings: Washings, index: WashingIndex, cache: sa.Engine) -> None:
    planned = washer(washings, index, None)
    assert planned.texts(pl.Series([KNOWN]), UNIT)["unit_id"].to_list() == [id_of("3")]
    consumed(planned, *typed({"street_code": None}))
    assert kept(cache) == []
    # What runs remembered counts in a plan too.
    washer(washings, index).texts(pl.Series([KNOWN]), UNIT)
    before = kept(cache)
    assert planned.texts(pl.Series([KNOWN, NEW]), UNIT)["category"].to_list() == ["A", "C"]
    assert kept(cache) == before


def decide(washings: Washings, text: str, address: str | None, kind: str = UNIT) -> None:
    own = pl.select(normalized(pl.lit(text))).item()
    washings.decide(kind, own, address and id_of(address), by="ann", note=None, now=NOW)


def test_a_decision_counts_where_no_rule_answers(washings: Washings, index: WashingIndex) -> None:
    decide(washings, STRANGE, "12B 2 th")
    decide(washings, NEW, None)
    decide(washings, KNOWN, "12B 2 th")
    upper = STRANGE.upper()
    found = washer(washings, index).texts(pl.Series([STRANGE, upper, NEW, KNOWN]), UNIT)
    flat = id_of("12B 2 th")
    assert found.select("category", "outcome", "method", "unit_id").rows() == [
        ("B", "unit", "decision", flat),
        ("B", "unit", "decision", flat),
        ("C", "none", "decision", None),
        ("A", "unit", "exact", id_of("3")),  # the rules find it themselves
    ]
    access = washer(washings, index).texts(pl.Series([STRANGE]), ACCESS)
    assert access["method"].to_list() == ["none"], "a decision counts for its kind only"


def test_a_decision_counts_at_once_for_a_text_that_is_remembered(washings: Washings, index: WashingIndex) -> None:
    asked = washer(washings, index)
    assert asked.texts(pl.Series([STRANGE]), UNIT)["category"].to_list() == ["C"]
    decide(washings, STRANGE, "3")
    assert asked.texts(pl.Series([STRANGE]), UNIT)["unit_id"].to_list() == [id_of("3")]
    decide(washings, STRANGE, "access 12B", ACCESS)
    assert asked.texts(pl.Series([STRANGE]), ACCESS)["access_id"].to_list() == [id_of("access 12B")]


def test_a_decision_counts_before_the_house(washings: Washings, index: WashingIndex) -> None:
    """Of the consumption place whose house is certain by codes, or by its text."""
    by_codes, by_text = {"floor": "7", "door": "mf"}, {"floor": "7", "door": "th", "street_code": None}
    rows = typed(by_codes, by_text)
    lines = ("Hans Mules Gade 12B, 7. mf, 5000 Odense C", "Hans Mules Gade 12B, 7. th, 5000 Odense C")
    assert told(consumed(washer(washings, index), *rows)) == [("access 12B", "H", "access_address")] * 2
    for line in lines:
        decide(washings, line, "12B 2 th")
    assert told(consumed(washer(washings, index), *rows)) == [("12B 2 th", "B", "decision")] * 2
    for line in lines:
        decide(washings, line, None)
    resolved = consumed(washer(washings, index), *rows)
    assert told(resolved) == [(None, "C", "decision")] * 2
    assert resolved.rejections["text"].to_list() == [
        f"An operator decided that no address is meant by: {line}" for line in lines
    ]


def test_a_decided_billing_line_leaves_the_registered_address_to_the_others(
    washings: Washings, index: WashingIndex
) -> None:
    decide(washings, "Postboks 12, 5000 Odense C", "12B 2 th")
    decide(washings, "Postboks 13, 5000 Odense C", None)
    rows = customers(
        *({"billing_street_line": f"Postboks {n}", "billing_district": "5000 Odense C"} for n in (12, 13, 14))
    )
    registered = pl.DataFrame({"customer_number": ["1", "2", "3"], "address_id": [id_of("3")] * 3, "withheld": False})
    found = washer(washings, index).texts(billing_lines(rows), UNIT)
    assert told(billing(rows, found, registered)) == [
        ("12B 2 th", "B", "decision"),
        ("3", "C", "registered_address"),
        ("3", "C", "registered_address"),
    ]

"""From the register's tables of versions to places, access and unit addresses."""

import uuid
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from integration_assets.domain.addresses.dar_frames import register_frames
from integration_assets.domain.addresses.dar_tables import DAR_TABLES, Table
from integration_assets.domain.addresses.flat_register import flat
from integration_assets.domain.addresses.ids import halves, uuid_texts
from integration_assets.domain.addresses.register import ACCESS, PLACES, UNITS, RegisterFrames
from integration_assets.domain.tables import ADDRESS_REGISTER

Rows = dict[str, list[dict[str, Any]]]


def day(number: int | None) -> datetime | None:
    return None if number is None else datetime(2000, 1, number, tzinfo=UTC)


def tables(rows: Rows) -> Table:
    def table(entity: str) -> pl.DataFrame:
        return pl.DataFrame(rows.get(entity, []), schema=DAR_TABLES[entity])

    return table


def frames_of(rows: Rows) -> RegisterFrames:
    return register_frames(1, tables(rows))[0]


def house(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id_high": 1, "id_low": number, "house_number": "1", "road": "r", "postcode_id": "p", "status": 3,
        "valid_from": day(1), **more,
    }  # fmt: skip


def unit(number: int, of: int, **more: Any) -> dict[str, Any]:
    return {"id_high": 2, "id_low": number, "house_high": 1, "house_low": of, "status": 3, "valid_from": day(1), **more}


def part(road: str, municipality: str, street: str, **more: Any) -> dict[str, Any]:
    return {"road": road, "municipality_code": municipality, "street_code": street, **more}


POST: dict[str, Any] = {"id": "p", "postcode": "8000", "district": "Aarhus C"}


@given(st.lists(st.uuids(), min_size=1, max_size=20))
def test_uuids_come_back_from_their_halves(ids: list[uuid.UUID]) -> None:
    frame = pl.DataFrame({"text": [str(each).upper() for each in ids]})
    high, low = halves(pl.col("text"))
    found = frame.select(high.alias("high"), low.alias("low"))
    assert found["high"].to_list() == [each.int >> 64 for each in ids]
    assert found["low"].to_list() == [each.int & (2**64 - 1) for each in ids]
    assert uuid_texts(found["high"], found["low"]).to_list() == [str(each) for each in ids]


def test_what_is_no_uuid_has_no_halves() -> None:
    frame = pl.DataFrame({"text": ["", "389176", None, "0a3f50a0-0000-42b8-8044-0003ba29801g"]})
    high, low = halves(pl.col("text"))
    assert frame.select(high.alias("high"), low.alias("low")).null_count().row(0) == (4, 4)


_NAMES = st.dictionaries(st.integers(1, 9), st.sampled_from(["Nygade", "Gammelgade", "Torvet"]), min_size=1, max_size=4)
_DISTRICTS = st.dictionaries(st.integers(1, 9), st.sampled_from(["Aarhus", "Århus C"]), min_size=1, max_size=3)
_HOUSES = st.dictionaries(st.integers(1, 9), st.sampled_from(["1", "1A", "2"]), min_size=1, max_size=3)


def versions(timeline: dict[int, str], last: int | None = None) -> list[tuple[int, int | None, str]]:
    starts = sorted(timeline)
    return [(start, end, timeline[start]) for start, end in zip(starts, [*starts[1:], last], strict=True)]


def at(timeline: dict[int, str], number: int) -> str:
    """What holds on a day; the first value before it began."""
    starts = sorted(timeline)
    return timeline[max((start for start in starts if start <= number), default=starts[0])]


@settings(deadline=None)
@given(road=_NAMES, district=_DISTRICTS, numbers=_HOUSES)
def test_on_every_day_an_access_address_is_called_what_its_parts_were_called(
    road: dict[int, str], district: dict[int, str], numbers: dict[int, str]
) -> None:
    """Against looking each part up by itself; versions of one address follow each other without gap or overlap."""
    frames = frames_of(
        {
            "Husnummer": [
                house(7, house_number=text, valid_from=day(start), valid_to=day(end))
                for start, end, text in versions(numbers)
            ],
            "NavngivenVej": [
                {"id": "r", "street_name": name, "valid_from": day(start), "valid_to": day(end)}
                for start, end, name in versions(road)
            ],
            "Postnummer": [
                {**POST, "district": name, "valid_from": day(start), "valid_to": day(end)}
                for start, end, name in versions(district)
            ],
        }
    )
    rows = frames.access.join(frames.places.select("place", "street_name", "district"), on="place").sort("valid_from")
    for number in range(min(numbers), 12):
        moment = day(number)
        held = rows.filter(pl.col("valid_from") <= moment, (pl.col("valid_to") > moment).fill_null(value=True))
        assert held.select("street_name", "district", "house_number").rows() == [
            (at(road, number), at(district, number), at(numbers, number))
        ]
    assert rows["valid_from"].to_list()[1:] == rows["valid_to"].to_list()[:-1]
    assert rows["valid_to"][-1] is None
    said = rows.select("street_name", "district", "house_number").rows()
    assert all(one != other for one, other in pairwise(said))
    assert rows["access"].unique().to_list() == [0]


def test_frames_are_sorted_numbered_and_independent_of_the_order_of_rows() -> None:
    rows: Rows = {
        "Adresse": [unit(number, of=number % 5, floor=str(number)) for number in range(20)],
        "Husnummer": [
            house(number, house_number=text, road=road)
            for number, (text, road) in enumerate([("2", "r"), ("10", "s"), ("1", "r"), (None, "r"), ("1B", "s")])
        ],
        "NavngivenVej": [{"id": "s", "street_name": "Algade"}, {"id": "r", "street_name": "Bygade"}],
        "Postnummer": [POST],
        "NavngivenVejKommunedel": [part("r", "0751", "0001"), part("s", "0751", "0002")],
    }
    frames = frames_of(rows)
    assert (frames.places.schema, frames.access.schema, frames.units.schema) == (PLACES, ACCESS, UNITS)
    assert frames.places.select("place", "street_name").rows() == [(0, "Algade"), (1, "Bygade")]
    assert frames.access.select("access", "place", "house_number", "id_low").rows() == [
        (0, 0, "10", 1), (1, 0, "1B", 4), (2, 1, "1", 2), (3, 1, "2", 0), (4, 1, None, 3),
    ]  # fmt: skip
    assert frames.units["access"].to_list() == [access for access in range(5) for _ in range(4)]
    turned = frames_of({entity: listed[::-1] for entity, listed in rows.items()})
    for one, other in ((frames.places, turned.places), (frames.access, turned.access), (frames.units, turned.units)):
        assert_frame_equal(one, other)


def test_versions_that_say_the_same_are_one_and_the_last_has_no_end() -> None:
    frames = frames_of(
        {
            "Husnummer": [house(7)],
            "Postnummer": [POST],
            "Adresse": [
                unit(1, of=7, floor="1", valid_to=day(3)),
                unit(1, of=7, floor="1", valid_from=day(3), valid_to=day(5)),
                unit(1, of=7, floor="1", valid_from=day(5), status=4),
                unit(2, of=7, valid_to=day(4)),
                unit(3, of=7, valid_to=day(4), status=5),
            ],
        }
    )
    assert frames.units.select("id_low", "status", "valid_from", "valid_to").rows() == [
        (1, 3, day(1), day(5)),
        (1, 4, day(5), None),
        (2, 4, day(1), None),  # ended without another word: closed
        (3, 5, day(1), None),
    ]


def test_ended_parts_of_a_road_do_not_make_it_run_through_two_municipalities() -> None:
    rows: Rows = {
        "Husnummer": [house(1, division="389751"), house(2, road="s", division="389751")],
        "Postnummer": [POST],
        "NavngivenVejKommunedel": [
            part("r", "0713", "0009", valid_to=day(2)),
            part("r", "0727", "0008", status=4),
            part("r", "0751", "0007", status=3),
            part("s", "0751", "0006"),
            part("s", "0713", "0005"),
        ],
    }
    places = frames_of(rows).places.sort("road_id")
    assert places.select("road_id", "municipality_code", "street_code").rows() == [
        ("r", "0751", "0007"), ("s", "0751", "0006"),
    ]  # fmt: skip


def test_the_flat_register_is_the_addresses_of_today() -> None:
    frames = frames_of(
        {
            "Adresse": [unit(1, of=7, floor="st", valid_to=day(4)), unit(1, of=8, floor="st", valid_from=day(4))],
            "Husnummer": [house(7), house(8, house_number="2", point_high=3, point_low=1)],
            "Adressepunkt": [
                {"id_high": 3, "id_low": 1, "easting": 1.0, "northing": 2.0, "valid_from": day(1), "valid_to": day(2)},
                {"id_high": 3, "id_low": 1, "easting": 5.0, "northing": 6.0, "valid_from": day(2)},
            ],
            "NavngivenVej": [{"id": "r", "street_name": "Nygade"}],
            "Postnummer": [POST],
            "NavngivenVejKommunedel": [part("r", "0751", "0007")],
        }
    )
    rows = flat(frames)
    assert rows.schema == ADDRESS_REGISTER.schema
    last = str(uuid.UUID(int=1 << 64 | 8))
    assert rows.select("kind", "address_id", "access_id", "house_number", "floor", "easting").rows() == [
        ("access", str(uuid.UUID(int=1 << 64 | 7)), str(uuid.UUID(int=1 << 64 | 7)), "1", None, None),
        ("access", last, last, "2", None, 5.0),
        ("unit", str(uuid.UUID(int=2 << 64 | 1)), last, "2", "st", 5.0),
    ]
    assert_frame_equal(flat(frames, ["0751", "0999"]), rows)
    assert flat(frames, ["0999"]).is_empty()

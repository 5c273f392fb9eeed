"""Addresses by codes alone, against a look-up in plain Python over the rows of the register."""

from collections import defaultdict

import polars as pl

from integration_assets.domain.addresses.ids import uuid_texts
from integration_assets.domain.addresses.washing.exact import FOUND, by_codes
from integration_assets.domain.addresses.washing.washed import ACCESS
from integration_assets_tests.domain.washing.register import frames, index

LIVE = (2, 3)


def living(kind: str) -> pl.DataFrame:
    """Existing addresses with their codes: id, street_code, municipality_code, postcode, house_number, floor, door."""
    register = frames()
    places = register.places.select("place", "street_code", "municipality_code", "postcode")
    houses = register.access.filter(pl.col("valid_to").is_null() & pl.col("status").is_in(LIVE)).join(
        places, on="place"
    )
    if kind == ACCESS:
        found = houses.with_columns(floor=pl.lit(None, pl.String), door=pl.lit(None, pl.String))
    else:
        units = register.units.filter(pl.col("valid_to").is_null() & pl.col("status").is_in(LIVE))
        found = units.join(houses.drop("id_high", "id_low", "status", "valid_to"), on="access")
    ids = uuid_texts(found["id_high"], found["id_low"]).alias("id")
    columns = ("street_code", "municipality_code", "postcode", "house_number", "floor", "door")
    return found.select(columns).with_columns(ids)


def expected(rows: pl.DataFrame) -> list[str | None]:
    ids: dict[tuple[str | None, ...], set[str]] = defaultdict(set)
    for *key, identity in rows.select("street_code", "postcode", "house_number", "floor", "door", "id").rows():
        ids[tuple(key)].add(identity)
    keys = rows.select("street_code", "postcode", "house_number", "floor", "door").rows()
    return [next(iter(ids[key])) if len(ids[key]) == 1 else None for key in keys]


def found(rows: pl.DataFrame, kind: str, column: str) -> list[str | None]:
    hits = by_codes(rows.drop("id", "municipality_code"), index(), kind)
    assert hits.schema == FOUND
    ids = dict(hits.select("row", column).rows())
    return [ids.get(number) for number in range(rows.height)]


def test_every_unit_of_the_sample_by_its_codes() -> None:
    rows = living("unit")
    assert rows.height > 2000
    wanted = expected(rows)
    assert found(rows, "unit", "unit_id") == wanted
    assert sum(identity is not None for identity in wanted) > 2000


def test_every_house_of_the_sample_by_its_codes() -> None:
    rows = living(ACCESS)
    assert found(rows, ACCESS, "access_id") == expected(rows)


def test_typed_forms_and_what_codes_do_not_say() -> None:
    rows = living("unit").filter(pl.col("floor") == "2", pl.col("door") == "tv").head(1)
    (right,) = rows["id"]
    typed = {
        "as typed": {"house_number": "0" + rows["house_number"][0].lower(), "floor": "02.", "door": "TV"},
        "another door": {"door": "mf"},
        "no floor": {"floor": None, "door": None},
        "no street code": {"street_code": "0"},
        "another postal code": {"postcode": "9999"},
        "no such house": {"house_number": "997"},
        "a house number that is none": {"house_number": "12-14"},
    }
    asked = pl.concat(
        [
            rows.with_columns(pl.lit(value, pl.String).alias(name) for name, value in way.items())
            for way in typed.values()
        ]
    )
    assert found(asked, "unit", "unit_id") == [right, *[None] * 6]


def test_without_postal_code_the_municipality_counts() -> None:
    rows = living("unit").filter(pl.col("floor") == "2", pl.col("door") == "tv").head(1)
    municipal = rows.with_columns(pl.lit(None, pl.String).alias("postcode"))
    assert by_codes(municipal.drop("id"), index())["unit_id"].to_list() == rows["id"].to_list()
    elsewhere = municipal.with_columns(pl.lit("0101").alias("municipality_code"))
    assert by_codes(elsewhere.drop("id"), index()).is_empty()


def test_nothing_asked() -> None:
    nothing = living("unit").drop("id").clear()
    assert by_codes(nothing, index()).is_empty()
    assert by_codes(nothing, index(), ACCESS).schema == FOUND

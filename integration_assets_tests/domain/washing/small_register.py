"""Registers of a few houses, for the rules of washing one by one."""

from typing import Any

import polars as pl

from integration_assets.domain.addresses.register import ACCESS, PLACES, UNITS, RegisterFrames
from integration_assets.domain.addresses.washing import WashingIndex, wash


def house(street: str, number: str = "5", *units: tuple[str | None, str | None], **given: Any) -> dict[str, Any]:
    """One version of a house with its units (floor, door); without any, one unit without floor."""
    base = {
        "road": street, "short": street, "postcode": "7600", "district": "Struer", "town": None, "status": 3, "id":
        None, "valid_from": None, "valid_to": None, "street_code": "0042",
    }  # fmt: skip
    return base | given | {"street": street, "number": number, "units": units or ((None, None),)}


def register(*houses: dict[str, Any]) -> WashingIndex:
    """The index of these houses; `id` joins versions of one house. The unit ids are 100, 101, …, the access ids the
    given ones or 1, 2, …"""
    ids = {row["id"] or f"house {number}": number + 1 for number, row in reversed(list(enumerate(houses)))}
    places, access, units = [], [], {}
    for number, row in enumerate(houses):
        own = ids[row["id"] or f"house {number}"]
        times = {"valid_from": row["valid_from"], "valid_to": row["valid_to"]}
        places.append(
            {
                "place": number, "road_id": row["road"], "street_name": row["street"], "short_street_name":
                row["short"], "municipality_code": "0671", "street_code": row["street_code"], "postcode":
                row["postcode"], "district": row["district"], "supplementary_town": row["town"], "large_receiver":
                False, }
        )  # fmt: skip
        access.append(
            {
                "access": own - 1,
                "id_high": 0,
                "id_low": own,
                "place": number,
                "house_number": row["number"],
                "status": 3,
            }
            | times
        )
        for floor, door in row["units"]:
            key = (own, floor, door)
            units.setdefault(
                key,
                {
                    "id_high": 0, "id_low": 100 + len(units), "access": own - 1, "floor": floor, "door": door,
                    "status": row["status"],
                },
            )  # fmt: skip
    return WashingIndex.build(
        RegisterFrames(
            7,
            pl.DataFrame(places, schema=PLACES),
            pl.DataFrame(access, schema=ACCESS),
            pl.DataFrame(list(units.values()), schema=UNITS),
        )
    )


def uuid(number: int) -> str:
    return f"00000000-0000-0000-0000-{number:012x}"


def washed(index: WashingIndex, text: str, kind: str = "unit") -> dict[str, Any]:
    return wash(pl.Series([text]), index, kind).row(0, named=True)


def found(index: WashingIndex, text: str) -> tuple[str, str, str | None]:
    row = washed(index, text)
    return row["category"], row["method"], row["unit_id"]

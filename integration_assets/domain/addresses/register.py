"""The national address register in compact form: what the register's files become, and what washing reads.

Three frames in the manner of a star. A *place* is a road within one postal district, municipality and supplementary
town, as it was named during one time; an *access* row is one version of an access address (husnummer); a *unit* row is
one version of a unit address (adresse). Versions point at the numbers of things, not at versions of them: what held
together at one time is found by comparing the times.

Ids are held as two unsigned halves (`id_high`, `id_low`: the first and last 16 hexadecimal digits of the uuid), which
takes a third of the room of their text.
"""

from dataclasses import dataclass
from typing import Final

import polars as pl

PLACES: Final = pl.Schema(
    {
        "place": pl.UInt32,  # number of the row, 0, 1, 2, …
        "road_id": pl.String,  # NavngivenVej.id_lokalId
        "street_name": pl.String,  # vejnavn
        "short_street_name": pl.String,  # vejadresseringsnavn
        "municipality_code": pl.String,  # four digits, "unknown" where no road part says it
        "street_code": pl.String,  # vejkode, four digits
        "postcode": pl.String,  # four digits
        "district": pl.String,  # postnrnavn
        "supplementary_town": pl.String,  # supplerende bynavn, null for none
        "large_receiver": pl.Boolean,  # the postcode is that of a large receiver (stormodtager), not the district's
        "valid_from": pl.Datetime("us", "UTC"),  # virkningFra of these names; null for always
        "valid_to": pl.Datetime("us", "UTC"),  # virkningTil; null while in force
    }
)
"""A road within a district: the names of an address."""

ACCESS: Final = pl.Schema(
    {
        "access": pl.UInt32,  # number of the access address, dense from 0; its versions share it
        "id_high": pl.UInt64,
        "id_low": pl.UInt64,
        "place": pl.UInt32,  # PLACES.place
        "house_number": pl.String,  # number and letter, no leading zeros, letter upper case: "12B"
        "status": pl.UInt8,  # DAR: 2 provisional, 3 current, 4 closed, 5 abandoned
        "easting": pl.Float64,  # metres, EPSG:25832; null where unknown
        "northing": pl.Float64,
        "valid_from": pl.Datetime("us", "UTC"),
        "valid_to": pl.Datetime("us", "UTC"),  # null for the version in force, or the last one
    }
)
"""Versions of access addresses (husnumre), sorted by place and house number."""

UNITS: Final = pl.Schema(
    {
        "id_high": pl.UInt64,
        "id_low": pl.UInt64,
        "access": pl.UInt32,  # ACCESS.access
        "floor": pl.String,  # lower case, null for none: "st", "kl", "2"
        "door": pl.String,  # lower case, no leading zeros, null for none: "tv", "4"
        "status": pl.UInt8,
        "valid_from": pl.Datetime("us", "UTC"),
        "valid_to": pl.Datetime("us", "UTC"),
    }
)
"""Versions of unit addresses (adresser), sorted by access."""


@dataclass(frozen=True)
class RegisterFrames:
    """One generation of the register: frames of PLACES, ACCESS and UNITS."""

    generation: int
    places: pl.DataFrame
    access: pl.DataFrame
    units: pl.DataFrame

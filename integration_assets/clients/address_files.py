"""The content of DAR's files: reading one file, and joining the entities to addresses.

Belongs here: field names of the register and how its entities point at each other. Fetching is
`clients.address_register`.

Promises: a file is read in portions, never as one Python object; unknown fields are ignored. Does not promise to read
files whose rows are not one JSON array of objects.
"""

import codecs
import io
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Final

import polars as pl

from integration_assets.clients.http import PermanentError
from integration_assets.domain.tables import ADDRESS_REGISTER

ENTITIES: Final[dict[str, tuple[str, ...]]] = {
    "Adresse": ("id_lokalId", "husnummer", "etagebetegnelse", "doerbetegnelse", "dørbetegnelse", "status"),
    "Husnummer": (
        "id_lokalId",
        "husnummertekst",
        "navngivenVej",
        "postnummer",
        "supplerendeBynavn",
        "kommuneinddeling",
        "adgangspunkt",
        "status",
    ),
    "Adressepunkt": ("id_lokalId", "position"),
    "NavngivenVej": ("id_lokalId", "vejnavn", "vejadresseringsnavn"),
    "NavngivenVejKommunedel": ("kommune", "vejkode", "navngivenVej"),
    "NavngivenVejPostnummer": ("navngivenVej", "postnummer"),
    "Postnummer": ("id_lokalId", "postnr", "navn"),
    "SupplerendeBynavn": ("id_lokalId", "navn"),
}
"""The eight entities that make addresses, with the fields that are read."""

UNKNOWN_MUNICIPALITY: Final = "unknown"
_CUT_WINDOW_BYTES = 256 << 10
_CUTS_TRIED = 32
_BETWEEN = re.compile(rb"\}\s*,\s*\{")
_NUMBER = r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"
_POINT = rf"(?i)^\s*POINT\s*(?:Z|M|ZM)?\s*\(\s*({_NUMBER})\s+({_NUMBER})"


def read_entity(entity: str, path: Path) -> pl.DataFrame:
    """The rows of a zipped JSON array, with the fields of ENTITIES[entity] as text (null where absent).

    Raises PermanentError when the file is no zip with one JSON member, or the member no array of objects.
    """
    schema = pl.Schema(dict.fromkeys(ENTITIES[entity], pl.String()))
    try:
        with zipfile.ZipFile(path) as archive:
            members = [name for name in archive.namelist() if name.lower().endswith(".json")]
            if len(members) != 1:
                raise PermanentError(f"The zip of {entity} holds {len(members)} JSON files, not one.", code="file_form")
            with archive.open(members[0]) as file:
                return pl.concat([schema.to_frame(), *portions(file, schema)])
    except (zipfile.BadZipFile, pl.exceptions.PolarsError, ValueError) as failure:
        message = f"The file of {entity} is not a zipped JSON array: {type(failure).__name__}."
        raise PermanentError(message, code="file_form") from None


def joined(frames: Mapping[str, pl.DataFrame]) -> tuple[pl.DataFrame, int]:
    """The flat register (schema of ADDRESS_REGISTER, sorted) of the eight entities' rows, by entity name.

    Also returns how many units were left out because their access address is not among the rows.
    """
    access = _access(frames)
    units = frames["Adresse"].select(
        pl.col("id_lokalId").str.to_lowercase().alias("address_id"),
        pl.col("husnummer").str.to_lowercase().alias("access_id"),
        _text(pl.col("etagebetegnelse")).alias("floor"),
        _text(pl.coalesce("doerbetegnelse", "dørbetegnelse")).alias("door"),
        pl.col("status").cast(pl.Int64),
    )
    placed = units.join(access.drop("address_id", "kind", "floor", "door", "status"), on="access_id", how="inner")
    placed = placed.with_columns(pl.lit("unit").alias("kind"))
    columns = list(ADDRESS_REGISTER.schema)
    register = pl.concat([access.select(columns), placed.select(columns)])
    return register.sort("municipality_code", "kind", "address_id"), units.height - placed.height


def portions(file: IO[bytes], schema: pl.Schema, portion_bytes: int = 32 << 20) -> Iterator[pl.DataFrame]:
    """The rows of a JSON array portion by portion.

    A portion is cut between two objects. What looks like that may stand inside a text, so the parser is the judge: of
    the last places that look right, the last that leaves a readable array is taken.
    """
    rest = file.read(portion_bytes).removeprefix(codecs.BOM_UTF8).lstrip()
    if not rest.startswith(b"["):
        raise ValueError("no array")
    rest = rest[1:]
    while piece := file.read(portion_bytes):
        rest += piece
        for cut in _cuts(rest):
            try:
                frame = _rows(rest[: cut.start() + 1], schema)
            except pl.exceptions.PolarsError:
                continue
            yield frame
            rest = rest[cut.end() - 1 :]
            break
    body = rest.rstrip()
    if not body.endswith(b"]"):
        raise ValueError("the array does not end")
    if content := body[:-1].strip():
        yield _rows(content, schema)


def _cuts(rest: bytes) -> list[re.Match[bytes]]:
    """Places between two objects near the end, the last first."""
    near_end = list(_BETWEEN.finditer(rest, max(0, len(rest) - _CUT_WINDOW_BYTES)))
    return near_end[: -_CUTS_TRIED - 1 : -1]


def _rows(objects: bytes, schema: pl.Schema) -> pl.DataFrame:
    return pl.read_json(io.BytesIO(b"[" + objects + b"]"), schema=schema).select(list(schema))


def _text(column: pl.Expr) -> pl.Expr:
    """Stripped lower-case text; empty is null."""
    stripped = column.str.strip_chars().str.to_lowercase()
    return pl.when(stripped != "").then(stripped)


def _access(frames: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """The access addresses with road, municipality, postal code, town and position."""
    postcodes = frames["Postnummer"].select(
        pl.col("id_lokalId").alias("postnummer"),
        pl.col("postnr").str.zfill(4).alias("postcode"),
        pl.col("navn").alias("district"),
    )
    towns = frames["SupplerendeBynavn"].select(
        pl.col("id_lokalId").alias("supplerendeBynavn"), pl.col("navn").alias("supplementary_town")
    )
    points = frames["Adressepunkt"].select(
        pl.col("id_lokalId").alias("adgangspunkt"),
        pl.col("position").str.extract(_POINT, 1).cast(pl.Float64).alias("easting"),
        pl.col("position").str.extract(_POINT, 2).cast(pl.Float64).alias("northing"),
    )
    roads = frames["NavngivenVej"].select(
        pl.col("id_lokalId").alias("navngivenVej"),
        pl.col("vejnavn").alias("street_name"),
        pl.col("vejadresseringsnavn").alias("short_street_name"),
    )
    only_postcode = (
        frames["NavngivenVejPostnummer"]
        .unique()
        .group_by("navngivenVej")
        .agg(pl.when(pl.len() == 1).then(pl.col("postnummer").first()).alias("only_postcode"))
    )
    houses = (
        frames["Husnummer"]
        .join(only_postcode, on="navngivenVej", how="left")
        .with_columns(pl.coalesce("postnummer", "only_postcode").alias("postnummer"))
        .join(postcodes.unique("postnummer"), on="postnummer", how="left")
        .join(towns.unique("supplerendeBynavn"), on="supplerendeBynavn", how="left")
        .join(points.unique("adgangspunkt"), on="adgangspunkt", how="left")
        .join(roads.unique("navngivenVej"), on="navngivenVej", how="left")
    )
    address_id = pl.col("id_lokalId").str.to_lowercase()
    return (
        _with_municipality(houses, frames["NavngivenVejKommunedel"])
        .with_columns(
            address_id.alias("address_id"),
            address_id.alias("access_id"),
            pl.lit("access").alias("kind"),
            pl.col("husnummertekst").str.strip_chars().alias("house_number"),
            pl.lit(None, pl.String).alias("floor"),
            pl.lit(None, pl.String).alias("door"),
            pl.col("status").cast(pl.Int64),
        )
        .select(list(ADDRESS_REGISTER.schema))
    )


def _with_municipality(houses: pl.DataFrame, road_parts: pl.DataFrame) -> pl.DataFrame:
    """Adds municipality_code and street_code.

    A road's part in a municipality carries both codes. On a road of one part they are certain. A road through several
    municipalities is settled by the house's own municipality, which is only an id of the administrative division
    (DAGI): what it stands for is learnt from houses on roads of one part, and failing that the postal code's.
    """
    parts = road_parts.select(
        "navngivenVej",
        pl.col("kommune").str.zfill(4).alias("municipality_code"),
        pl.col("vejkode").str.zfill(4).alias("street_code"),
    ).sort("navngivenVej", "municipality_code", "street_code")
    parts = parts.unique(["navngivenVej", "municipality_code"], keep="first", maintain_order=True)
    single = parts.filter(pl.len().over("navngivenVej") == 1).rename(
        {"municipality_code": "sure_municipality", "street_code": "sure_street"}
    )
    certain = houses.join(single, on="navngivenVej", how="left")
    by_division = _usual(certain, "kommuneinddeling", "division_municipality")
    by_postcode = _usual(certain, "postcode", "postcode_municipality")
    settled = (
        certain.join(by_division, on="kommuneinddeling", how="left")
        .join(by_postcode, on="postcode", how="left")
        .with_columns(
            pl.coalesce("sure_municipality", "division_municipality", "postcode_municipality").alias(
                "municipality_code"
            )
        )
        .join(parts, on=["navngivenVej", "municipality_code"], how="left")
    )
    return settled.with_columns(pl.col("municipality_code").fill_null(UNKNOWN_MUNICIPALITY))


def _usual(certain: pl.DataFrame, by: str, name: str) -> pl.DataFrame:
    """For each value of the column `by` the municipality that most of its certain houses are in."""
    counted = certain.drop_nulls([by, "sure_municipality"]).group_by(by, "sure_municipality").len()
    return (
        counted.sort("len", "sure_municipality", descending=[True, False])
        .unique(by, keep="first", maintain_order=True)
        .select(by, pl.col("sure_municipality").alias(name))
    )

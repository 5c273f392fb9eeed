"""Download files of the address register for benchmarks, made of compact frames, a batch of rows at a time.

The rows carry what the real ones carry beside the fields that are read, so that their size is right: about 450 bytes
for an address, 1,150 for a house number.
"""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import polars as pl

from integration_assets.domain.addresses.ids import uuid_texts
from integration_assets.domain.addresses.register import RegisterFrames

_BATCH: Final = 100_000
_FILLER_BYTES: Final = {"Adresse": 60, "Husnummer": 620, "Adressepunkt": 200}
_TIMES: Final = {
    "registreringFra": "2018-05-31T22:00:00.000000Z",
    "registreringTil": None,
    "virkningFra": "2000-02-05T11:00:00.000000Z",
    "virkningTil": None,
    "datafordelerOpdateringstid": "2018-06-01T01:00:00.000000Z",
}


def write_totals(folder: Path, frames: RegisterFrames, *, history: bool = False) -> int:
    """Writes the eight total files of the last versions of the frames and returns their JSON's size in bytes.

    With `history` they are bitemporal, and every address has an earlier registration beside the present one.
    """
    kind = "Bitemporal" if history else "Current"
    written = 0
    for entity, rows in entity_batches(frames):
        batches = (with_replaced(batch) for batch in rows) if history else rows
        name = f"DAR_V3_{entity}_TotalDownload_json_{kind}_{frames.generation}.zip"
        written += write_file(folder / name, entity, batches)
    return written


def write_file(path: Path, entity: str, batches: Iterator[pl.DataFrame]) -> int:
    """Writes one zipped JSON array and returns the size of its JSON in bytes."""
    size = 0
    filler = pl.lit("x" * _FILLER_BYTES.get(entity, 0)).alias("forretningshaendelse")
    always = [pl.lit(value, pl.String).alias(name) for name, value in _TIMES.items()]
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open(path.with_suffix(".json").name, "w", force_zip64=True) as file,
    ):
        file.write(b"[")
        between = b""
        for batch in batches:
            missing = [each for each in always if each.meta.output_name() not in batch.columns]
            lines = batch.with_columns(filler, *missing).write_ndjson().encode()
            array = between + lines.rstrip(b"\n").replace(b"}\n{", b"},\n{")
            file.write(array)
            size += len(array)
            between = b",\n"
        file.write(b"]")
    return size


def with_replaced(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows, and each a second time with a registration that has been replaced."""
    replaced = rows.with_columns(
        pl.lit("2010-01-01T00:00:00.000000Z").alias("registreringFra"),
        pl.lit("2018-05-31T22:00:00.000000Z").alias("registreringTil"),
    )
    present = rows.with_columns(
        pl.lit("2018-05-31T22:00:00.000000Z").alias("registreringFra"), pl.lit(None, pl.String).alias("registreringTil")
    )
    return pl.concat([replaced, present])


def entity_batches(frames: RegisterFrames) -> Iterator[tuple[str, Iterator[pl.DataFrame]]]:
    """Each entity with the batches of its rows in the fields of the register."""
    places = frames.places.filter(pl.col("valid_to").is_null())
    access = frames.access.filter(pl.col("valid_to").is_null())
    units = frames.units.filter(pl.col("valid_to").is_null())
    ids = access_ids(frames)
    yield "Adresse", (address_rows(batch, ids) for batch in units.iter_slices(_BATCH))
    yield "Husnummer", (_houses(batch, places) for batch in access.iter_slices(_BATCH))
    yield "Adressepunkt", (_points(batch) for batch in access.iter_slices(_BATCH))
    roads = places.unique("road_id", maintain_order=True)
    yield "NavngivenVej", iter([roads.select(_ROAD_ID, vejnavn="street_name", vejadresseringsnavn="short_street_name")])
    parts = places.unique(["road_id", "municipality_code"], maintain_order=True)
    yield (
        "NavngivenVejKommunedel",
        iter([parts.select(_ROW_ID, navngivenVej="road_id", kommune="municipality_code", vejkode="street_code")]),
    )
    links = places.unique(["road_id", "postcode"], maintain_order=True)
    yield "NavngivenVejPostnummer", iter([links.select(_ROW_ID, _postal_id("postnummer"), navngivenVej="road_id")])
    posts = places.unique("postcode", maintain_order=True)
    yield "Postnummer", iter([posts.select(_postal_id("id_lokalId"), postnr="postcode", navn="district")])
    towns = places.drop_nulls("supplementary_town").unique("supplementary_town", maintain_order=True)
    yield "SupplerendeBynavn", iter([towns.select(_town_id("id_lokalId"), navn="supplementary_town")])


_ROAD_ID: Final = pl.col("road_id").alias("id_lokalId")
_ROW_ID: Final = pl.format("00000000-0000-4000-8000-{}", pl.col("place").cast(pl.String).str.zfill(12)).alias(
    "id_lokalId"
)


def _postal_id(name: str) -> pl.Expr:
    return pl.format("00000000-0000-4000-8001-{}", pl.col("postcode").str.zfill(12)).alias(name)


def _town_id(name: str) -> pl.Expr:
    hashed = pl.col("supplementary_town").hash().mod(10**12).cast(pl.String).str.zfill(12)
    return (
        pl.when(pl.col("supplementary_town").is_not_null())
        .then(pl.format("00000000-0000-4000-8002-{}", hashed))
        .alias(name)
    )


def access_ids(frames: RegisterFrames) -> pl.DataFrame:
    """The halves of the access addresses' ids, at the row of their number."""
    return frames.access.unique("access").sort("access").select("id_high", "id_low")


def address_rows(units: pl.DataFrame, access_ids: pl.DataFrame) -> pl.DataFrame:
    """Rows of Adresse for rows of UNITS; `access_ids` are the halves of the access addresses' ids by their number."""
    houses = access_ids[units["access"]]
    return units.select(
        uuid_texts(units["id_high"], units["id_low"]).alias("id_lokalId"),
        pl.lit("http://data.gov.dk/dar/adresse").alias("id_namespace"),
        pl.col("status").cast(pl.String),
        pl.col("floor").fill_null("").alias("etagebetegnelse"),
        pl.col("door").fill_null("").alias("doerbetegnelse"),
        uuid_texts(houses["id_high"], houses["id_low"]).alias("husnummer"),
        pl.lit(None, pl.String).alias("bygning"),
    )


def _houses(access: pl.DataFrame, places: pl.DataFrame) -> pl.DataFrame:
    rows = access.join(places, on="place", maintain_order="left")
    return rows.select(
        uuid_texts(rows["id_high"], rows["id_low"]).alias("id_lokalId"),
        pl.lit("http://data.gov.dk/dar/husnummer").alias("id_namespace"),
        pl.col("status").cast(pl.String),
        pl.col("house_number").alias("husnummertekst"),
        pl.col("road_id").alias("navngivenVej"),
        _postal_id("postnummer"),
        _town_id("supplerendeBynavn"),
        (pl.lit("3890") + pl.col("municipality_code").str.slice(1)).alias("kommuneinddeling"),
        _point_id(rows).alias("adgangspunkt"),
    )


def _points(access: pl.DataFrame) -> pl.DataFrame:
    return access.select(
        _point_id(access).alias("id_lokalId"),
        pl.format("POINT({} {})", pl.col("easting").fill_null(0), pl.col("northing").fill_null(0)).alias("position"),
        pl.lit("3").alias("status"),
    )


def _point_id(access: pl.DataFrame) -> pl.Series:
    return uuid_texts(access["id_high"], access["id_low"] ^ 1)

"""The register as one flat frame: the addresses of today, as the CRM receives them."""

from collections.abc import Collection
from typing import Final

import polars as pl

from integration_assets.domain.addresses.ids import uuid_texts
from integration_assets.domain.addresses.register import RegisterFrames
from integration_assets.domain.tables import ADDRESS_REGISTER

_NAMES: Final = (
    "municipality_code",
    "street_name",
    "short_street_name",
    "street_code",
    "supplementary_town",
    "postcode",
    "district",
)


def flat(frames: RegisterFrames, municipalities: Collection[str] | None = None) -> pl.DataFrame:
    """Unit and access addresses of any status by their last versions, with the schema of ADDRESS_REGISTER.

    All municipalities, or those of the codes given (four digits). Sorted by municipality, kind and id. Costs about
    0.5 kB of memory per row: for the whole country take the municipalities in turn.
    """
    places = frames.places.select("place", *_NAMES)
    if municipalities is not None:
        places = places.filter(pl.col("municipality_code").is_in(sorted(set(municipalities))))
    access = frames.access.filter(pl.col("valid_to").is_null()).join(places, on="place")
    access = access.with_columns(uuid_texts(access["id_high"], access["id_low"]).alias("access_id"))
    units = frames.units.filter(pl.col("valid_to").is_null()).select(
        "id_high", "id_low", "access", "floor", "door", "status"
    )
    units = units.join(access.drop("id_high", "id_low", "status"), on="access")
    rows = [
        access.with_columns(
            pl.lit("access").alias("kind"),
            pl.col("access_id").alias("address_id"),
            pl.lit(None, pl.String).alias("floor"),
            pl.lit(None, pl.String).alias("door"),
        ),
        units.with_columns(
            pl.lit("unit").alias("kind"), uuid_texts(units["id_high"], units["id_low"]).alias("address_id")
        ),
    ]
    columns = [pl.col(name).cast(dtype) for name, dtype in ADDRESS_REGISTER.schema.items()]
    return pl.concat([frame.select(columns) for frame in rows]).sort("municipality_code", "kind", "address_id")

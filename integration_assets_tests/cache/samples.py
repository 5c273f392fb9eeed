"""A table of the cache with every type that a column can have, for the tests of merging."""

from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import sqlalchemy as sa

from integration_assets.cache.cipher import Cipher
from integration_assets.domain.schema import Column, EntityTable

NOW = datetime(2024, 5, 1, 6, 0, tzinfo=UTC)
CIPHER = Cipher.from_secret("a secret of the tests")

SAMPLE = EntityTable(
    asset=("sample", "rows"),
    key="key",
    description="",
    columns=(
        Column("key", pl.String, ""),
        Column("supply_area", pl.String, ""),
        Column("secret", pl.String, "", sealed=True),
        Column("text", pl.String, ""),
        Column("number", pl.Int64, ""),
        Column("amount", pl.Float64, ""),
        Column("day", pl.Date, ""),
        Column("flag", pl.Boolean, ""),
        Column("instant", pl.Datetime("us", "UTC"), ""),
    ),
)


def create(engine: sa.Engine) -> None:
    """Create the sample's SQL table."""
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE sample_rows (key text, supply_area text, secret bytea, text text, number bigint, "
            "amount double precision, day date, flag boolean, instant timestamptz, fingerprint bigint NOT NULL, "
            "first_seen_at timestamptz NOT NULL, changed_at timestamptz NOT NULL, vanished_at timestamptz, "
            "PRIMARY KEY (supply_area, key))"
        )


def row(key: str, area: str = "5000", **values: Any) -> dict[str, Any]:
    """A row of the sample with ordinary values where none are given."""
    ordinary = {
        "secret": "0101701234",
        "text": "Vestergade 1",
        "number": 1,
        "amount": 0.5,
        "day": date(2024, 1, 31),
        "flag": True,
        "instant": datetime(2024, 1, 31, 12, 30, 0, 123456, tzinfo=UTC),
    }
    return {"key": key, "supply_area": area, **ordinary, **values}


def frame(*rows: dict[str, Any]) -> pl.DataFrame:
    """The rows as a frame of the sample."""
    return pl.DataFrame(list(rows), schema=SAMPLE.schema)

"""Which ids the register holds, and what the addresses behind them are called."""

import numpy as np
import polars as pl

from integration_assets.domain.addresses.dar_tables import LIVE_STATUSES
from integration_assets.domain.addresses.ids import halves
from integration_assets.domain.addresses.washing import answers
from integration_assets.domain.addresses.washing.index import END, AccessRows, UnitRows, WashingIndex
from integration_assets.domain.addresses.washing.washed import ACCESS

_UNIT_BITS = 28  # a unit's number is that of its access address, shifted by so many bits, and more


def live_units(ids: pl.Series, index: WashingIndex) -> pl.Series:
    """Boolean per id text: whether it is a unit address in use, which has a version in force of DAR status 2 or 3.

    Null and what is no uuid are false.
    """
    return _rows(ids, index.units).is_not_null().alias(ids.name)


def live_access(ids: pl.Series, index: WashingIndex) -> pl.Series:
    """Boolean per id text: whether it is an access address in use, as `live_units`.

    The few whose house number is no number with at most one letter are not in the index and are false.
    """
    return _rows(ids, index.access).is_not_null().alias(ids.name)


def lines(ids: pl.Series, index: WashingIndex, kind: str) -> pl.Series:
    """The lines of the present versions of addresses of this kind (`washed.UNIT`, `washed.ACCESS`), null for ids that
    are not in use."""
    rows = _rows(ids, index.access if kind == ACCESS else index.units)
    held = rows.drop_nulls().to_numpy()
    if kind == ACCESS:
        found = answers.addresses(held, None, None, index)
    else:
        access = index.access.last[index.units.unit[held] >> _UNIT_BITS]
        found = answers.addresses(access, held, None, index)
    line = pl.DataFrame({"row": rows.drop_nulls(), "line": found.select(answers.line()).to_series()}).unique("row")
    return rows.to_frame("row").join(line, on="row", how="left", maintain_order="left")["line"].alias(ids.name)


def _rows(ids: pl.Series, rows: AccessRows | UnitRows) -> pl.Series:
    """The row of the version in force of each id (UInt32), null where the address is not in use."""
    high, low = halves(pl.col("id"))
    asked = ids.cast(pl.String).to_frame("id").select(high.alias("high"), low.alias("low"))
    wanted = asked["high"].unique().drop_nulls()
    in_use = np.isin(rows.status, LIVE_STATUSES) & (rows.valid_to == END)
    near = np.flatnonzero(pl.Series(rows.id_high).is_in(wanted.implode()).to_numpy() & in_use).astype(np.uint32)
    held = pl.DataFrame({"high": rows.id_high[near], "low": rows.id_low[near], "row": near})
    held = held.unique(["high", "low"], keep="first", maintain_order=True)
    return asked.join(held, on=["high", "low"], how="left", maintain_order="left")["row"]

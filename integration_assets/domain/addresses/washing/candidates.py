"""Addresses that may have been meant by texts that no single address answers."""

import polars as pl

from integration_assets.domain.addresses.washing import choosing, houses, roads
from integration_assets.domain.addresses.washing.index import WashingIndex
from integration_assets.domain.addresses.washing.judging import judged
from integration_assets.domain.addresses.washing.washed import CANDIDATES, UNIT


def candidates(
    several: pl.DataFrame,
    at_house: pl.DataFrame,
    found: pl.DataFrame,
    rest: pl.DataFrame,
    index: WashingIndex,
    kind: str,
) -> pl.DataFrame:
    """At most CANDIDATES addresses per text of `rest`, nearest first (columns of `choosing.with_versions`).

    `several` are the addresses that fit in all that was typed; where there are none, the other units of the house and
    the same address in other postal codes; else the houses with the nearest numbers.
    """
    without = rest.join(several, on="t", how="anti", maintain_order="left")
    if without.is_empty():
        return _first(several)
    there = roads.elsewhere(without, index)
    elsewhere = houses.houses(there, without, index)
    exact = _addresses(elsewhere, without, index, kind, every=False)
    other = elsewhere.join(exact, on="t", how="anti", maintain_order="left")
    same_house = at_house.join(without, on="t", how="semi", maintain_order="left")
    near = [exact, _addresses(pl.concat([same_house, other]), without, index, kind, every=True)]
    if kind != UNIT:
        near = [exact]
    still = without.join(pl.concat(near), on="t", how="anti", maintain_order="left")
    streets = found.join(still, on="t", how="semi", maintain_order="left")
    next_door = houses.neighbours(streets, still, index)
    proposed = pl.concat([several, *near, _addresses(next_door, still, index, kind, every=True)])
    return _first(proposed)


def _addresses(rows: pl.DataFrame, zoned: pl.DataFrame, index: WashingIndex, kind: str, *, every: bool) -> pl.DataFrame:
    if kind != UNIT:
        hits = rows.with_columns(unit_row=pl.lit(None, pl.UInt32), as_door=pl.lit(False))
    elif every:
        hits = houses.units_of_house(rows, index)
    else:
        hits = houses.units(rows, zoned, index)
    return choosing.per_address(choosing.with_versions(judged(hits, zoned, index, kind == UNIT), index))


def _first(addresses: pl.DataFrame) -> pl.DataFrame:
    nearest = addresses.sort(
        "t", "category", "distance", pl.col("active").not_(), "access_row", "unit_row", nulls_last=True
    )
    unique = nearest.unique(["t", "id_high", "id_low"], keep="first", maintain_order=True)
    return unique.filter(pl.int_range(pl.len()).over("t") < CANDIDATES)

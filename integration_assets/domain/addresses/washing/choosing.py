"""The one address among several that were found, or that there is none."""

import numpy as np
import numpy.typing as npt
import polars as pl

from integration_assets.domain.addresses.dar_tables import LIVE_STATUSES
from integration_assets.domain.addresses.washing.index import END, AccessRows, Ints, Numbers, WashingIndex


def with_versions(judged: pl.DataFrame, index: WashingIndex) -> pl.DataFrame:
    """`judged` with id_high and id_low (of the unit, or of the access address where units were not asked for),
    last_unit and last_access (rows of the present version), active (the address exists today), in_force (the version
    that was typed is the present one) and lettered (the present house number is the typed one with a letter, and
    another house has the number with another letter)."""
    access = judged["access_row"].to_numpy()
    rows, houses = index.access, index.units
    if judged["unit_row"].null_count() < len(judged) or judged.is_empty():
        unit = judged["unit_row"].to_numpy()
        last_unit = houses.last[unit]
        last_access = rows.last[houses.unit[last_unit] >> 28]
        high, low = houses.id_high[unit], houses.id_low[unit]
        status, end = houses.status[last_unit], houses.valid_to[last_unit]
        typed_is_last = (last_unit == unit) & (last_access == access)
        units = pl.Series("last_unit", last_unit, dtype=pl.UInt32)
    else:
        last_access = rows.last[rows.access[access]]
        high, low = rows.id_high[access], rows.id_low[access]
        status, end = rows.status[last_access], rows.valid_to[last_access]
        typed_is_last = last_access == access
        units = pl.Series("last_unit", [None], dtype=pl.UInt32).new_from_index(0, len(judged))
    return judged.with_columns(
        pl.Series("id_high", high, dtype=pl.UInt64),
        pl.Series("id_low", low, dtype=pl.UInt64),
        units.alias("last_unit"),
        pl.Series("last_access", last_access, dtype=pl.UInt32),
        pl.Series("active", np.isin(status, LIVE_STATUSES) & (end == END), dtype=pl.Boolean),
        pl.Series("in_force", typed_is_last, dtype=pl.Boolean) & pl.col("fits"),
        pl.Series("lettered", _lettered(rows.house[access], last_access, rows), dtype=pl.Boolean),
    )


def _lettered(house: Ints, last_access: Numbers, rows: AccessRows) -> npt.NDArray[np.bool_]:
    """Whether a letter may have been left out in the number that was typed: the address had it without one, has it
    with one today, and another house with the number and a letter exists."""
    present = rows.house[last_access]
    lettered = (house >> 8 == present >> 8) & (house & 255 == 0) & (present & 255 != 0)
    for at in np.flatnonzero(lettered):
        first, last = np.searchsorted(rows.house, [house[at] + 1, house[at] + 256])
        others = rows.access[first:last] != rows.access[last_access[at]]
        exists = np.isin(rows.status[first:last], LIVE_STATUSES) & (rows.valid_to[first:last] == END)
        lettered[at] = bool(np.any(others & exists))
    return lettered


def per_address(versioned: pl.DataFrame) -> pl.DataFrame:
    """The best version of each address per text (t): best category, then fewest differences, then the present version,
    then the oldest."""
    if not versioned.select("t").is_duplicated().any():
        return versioned
    ranked = versioned.sort(
        "t",
        "category",
        "distance",
        "in_force",
        "fits",
        "access_row",
        descending=[False, False, False, True, True, False],
    )
    return ranked.unique(["t", "id_high", "id_low"], keep="first", maintain_order=True)


def chosen(addresses: pl.DataFrame) -> pl.DataFrame:
    """The addresses (one row per text and address) that are left as A or B: best category per text, existing ones
    before closed ones, those named by their present version before those by a former one.

    A text with one row left is answered by it, unless the row is `lettered`: whether the letter of one of the houses
    was forgotten or the former number meant cannot be told.
    """
    good = addresses.filter(pl.col("category") != "C")
    good = good.filter(pl.col("category") == pl.col("category").min().over("t"))
    several = good.filter(pl.len().over("t") > 1)
    if several.is_empty():
        return good
    for preferred in ("active", "in_force"):
        some = pl.col(preferred).any().over("t")
        several = several.filter(pl.col(preferred) | ~some)
    return pl.concat([good.join(several, on="t", how="anti", maintain_order="left"), several])


def settled(left: pl.DataFrame) -> pl.DataFrame:
    """Of `chosen`, the texts that one address answers."""
    return left.filter((pl.len().over("t") == 1) & ~pl.col("lettered"))

"""What a new generation of the address register must be like before it is put in use."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import polars as pl

from integration_assets.cache.register_files import rows_of, table
from integration_assets.domain.addresses.dar_tables import Kind, id_columns, live, merged

NATIONAL_FLOORS: Final[Mapping[str, int]] = {
    "Adresse": 3_000_000,
    "Husnummer": 2_000_000,
    "Adressepunkt": 2_000_000,
    "NavngivenVej": 80_000,
    "NavngivenVejKommunedel": 80_000,
    "NavngivenVejPostnummer": 80_000,
    "Postnummer": 900,
    "SupplerendeBynavn": 500,
}
"""Rows below which a file cannot be that of the whole country (about 3.8 million addresses, 110,000 roads)."""

_REFERENCES: Final = (
    ("Adresse", ["house_high", "house_low"], "Husnummer", "access address"),
    ("Husnummer", ["road"], "NavngivenVej", "road"),
    ("Husnummer", ["postcode_id"], "Postnummer", "postal district"),
)


class RegisterRefused(Exception):
    """A new generation was not put in use; the message says why and what is in use."""


@dataclass(frozen=True)
class Limits:
    """What passes. `min_rows` by entity (default 1, for supplementary towns 0); shares between 0 and 1.

    `max_vanished_share`: live units of the register in use that are no longer live; `max_homeless_share`: rows that
    point at something that is not there. Up to `tolerated` rows pass whatever their share.
    """

    min_rows: Mapping[str, int] = field(default_factory=dict)
    max_vanished_share: float = 0.02
    max_homeless_share: float = 0.01
    tolerated: int = 20

    def allow(self, found: int, of: int, share: float) -> bool:
        """Whether so many rows of so many pass."""
        return found <= max(self.tolerated, share * of)


@dataclass(frozen=True)
class Vanished:
    """Counts of a checked generation: live units, those of the generation before that are not, units without house."""

    live_units: int
    vanished: int
    homeless: int


def check_total(
    paths: Mapping[str, Sequence[Path]],
    before: tuple[Kind, Sequence[Path]] | None,
    limits: Limits,
) -> Vanished:
    """Checks a whole register: rows of each entity, references, and the units of the register before.

    `paths` are its files, `before` kind and files of Adresse of the register in use. Raises RegisterRefused.
    """
    for entity, files in paths.items():
        rows = pl.scan_parquet(files[0]).select(pl.len()).collect().item()
        least = limits.min_rows.get(entity, 0 if entity == "SupplerendeBynavn" else 1)
        if rows < least:
            raise _refused(f"it holds {rows} rows of {entity}, at least {least} are expected")
    homeless = 0
    for entity, references, target, what in _REFERENCES:
        pointing = pl.read_parquet(paths[entity][0], columns=references).drop_nulls()
        lost, rows = _lost(pointing, references, target, paths, None), pointing.height
        homeless = lost if entity == "Adresse" else homeless
        _check_references(lost, rows, entity, what, limits)
    names = id_columns("Adresse")
    # A thing has one row without end at most: nothing to make unique.
    units = live(pl.read_parquet(paths["Adresse"][0], columns=[*names, "status", "valid_to"])).select(names)
    vanished = 0
    if before is not None:
        earlier = live(table("Adresse", *before, ["status", "valid_to"])).select(names)
        vanished = earlier.join(units, on=names, how="anti").height
        _check_vanished(vanished, earlier.height, limits)
    return Vanished(units.height, vanished, homeless)


def check_delta(
    kind: Kind,
    paths: Mapping[str, Sequence[Path]],
    changes: Mapping[str, pl.DataFrame],
    live_units: int,
    limits: Limits,
) -> Vanished:
    """Checks changes of a register with these files and so many live units: references and units. Raises as above."""
    homeless = 0
    for entity, references, target, what in _REFERENCES:
        pointing = changes[entity].filter(~pl.col("ended")).select(references).drop_nulls()
        lost = _lost(pointing, references, target, paths, changes[target])
        homeless = lost if entity == "Adresse" else homeless
        _check_references(lost, pointing.height, entity, what, limits)
    names = id_columns("Adresse")
    things = changes["Adresse"].select(names).unique()
    rows = rows_of("Adresse", kind, paths["Adresse"], things)
    earlier = live(rows).select(names).unique()
    later = live(merged("Adresse", kind, rows, changes["Adresse"])).select(names).unique()
    vanished = earlier.join(later, on=names, how="anti").height
    _check_vanished(vanished, live_units, limits)
    return Vanished(live_units - earlier.height + later.height, vanished, homeless)


def _lost(
    pointing: pl.DataFrame,
    references: Sequence[str],
    target: str,
    paths: Mapping[str, Sequence[Path]],
    added: pl.DataFrame | None,
) -> int:
    """How many rows point at things that are neither in the files of the target nor among the added rows."""
    if pointing.is_empty():
        return 0
    names = id_columns(target)
    wanted = pointing.rename(dict(zip(references, names, strict=True)))
    if added is not None:
        wanted = wanted.join(added.filter(~pl.col("ended")).select(names), on=names, how="anti")
    there = pl.concat([pl.scan_parquet(path).select(names) for path in paths[target]])
    return wanted.lazy().join(there, on=names, how="anti").select(pl.len()).collect().item()


def _check_references(lost: int, rows: int, entity: str, what: str, limits: Limits) -> None:
    if not limits.allow(lost, rows, limits.max_homeless_share):
        raise _refused(f"{lost} of {rows} rows of {entity} point at a missing {what}")


def _check_vanished(vanished: int, units: int, limits: Limits) -> None:
    if not limits.allow(vanished, units, limits.max_vanished_share):
        raise _refused(f"{vanished} of {units} addresses in use would vanish")


def _refused(reason: str) -> RegisterRefused:
    return RegisterRefused(f"The new address register was not put in use: {reason}. The one before it stays in use.")

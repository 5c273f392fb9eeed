"""Reads the billing system by supply area and explains what disappeared from its window."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from integration_assets.cache.store import Cache
from integration_assets.clients.kmd_ee import KmdEe
from integration_assets.domain import gates
from integration_assets.domain.facts.agreements import moved_out_of
from integration_assets.domain.source import (
    REJECTIONS,
    clean_by_number,
    clean_customers,
    clean_installations,
    explain_vanished,
    supply_area,
)
from integration_assets.domain.tables import KMD_CUSTOMERS, REGISTRY_ROWS


@dataclass(frozen=True)
class SourceLimits:
    """How far back moved-out customers are read (days), how areas are cut, and when a run refuses to go on."""

    window_days: int
    area_digits: int
    max_vanished_share: float
    tolerated_rows: int


@dataclass(frozen=True)
class SourceRead:
    """Cleaned rows of the source and the rows that could not be used, as frames."""

    rows: pl.DataFrame
    rejections: pl.DataFrame


def read_customers(kmd_ee: KmdEe, cache: Cache, areas: Sequence[str], as_of: date, limits: SourceLimits) -> SourceRead:
    """The customer rows of these areas: columns of `kmd_ee/customers`.

    A row known before that is no longer in the window is read again by its number without the date filter: a
    retroactive move-out gets its end, a row that ended before or moved to another area is let go, one that the source
    no longer has is rejected and left as it was. A customer relation that an adopted registry had is read so too, once.
    Raises GateClosed when an implausible share would vanish.
    """
    window_start = as_of - timedelta(days=limits.window_days)
    postcodes = _postcodes(kmd_ee, areas, limits.area_digits)
    cleaned = clean_customers(kmd_ee.customers(postcodes, as_of, window_start), limits.area_digits)
    adopted = _read_once(kmd_ee, cache, areas, cleaned.rows, limits.area_digits)
    # What the window rejects may be rejected once more when it is read by its number.
    rejected = pl.concat([cleaned.rejections, adopted.rejections]).unique(["record_key", "reason"], maintain_order=True)
    cleaned = SourceRead(pl.concat([cleaned.rows, adopted.rows]), rejected)
    known = cache.read(KMD_CUSTOMERS, list(areas), columns=["customer_number"])
    gone = known.join(cleaned.rows, on="customer_number", how="anti")
    if gone.is_empty():
        return SourceRead(cleaned.rows, cleaned.rejections)
    missing = cache.read(KMD_CUSTOMERS, list(areas)).join(gone, on="customer_number", how="semi")
    reread = kmd_ee.customers_by_number(missing.get_column("customer_number").to_list())
    explained = explain_vanished(missing, reread, window_start=window_start, digits=limits.area_digits)
    gates.require_plausible_share(
        explained.left.filter(pl.col("why") == "not_in_source").height,
        known.height,
        f"Customer rows of supply area {', '.join(areas)} that the source no longer has",
        largest_share=limits.max_vanished_share,
        tolerated=limits.tolerated_rows,
    )
    rejections = pl.concat([cleaned.rejections, explained.rejections])
    ended = explained.left.filter(pl.col("why") == "ended").select("customer_number")
    unfinished = _not_yet_ended(missing.join(ended, on="customer_number", how="semi"), cache, areas)
    return SourceRead(
        pl.concat([cleaned.rows, explained.rows, unfinished]),
        rejections.unique(["record_key", "reason"], maintain_order=True),
    )


def _read_once(kmd_ee: KmdEe, cache: Cache, areas: Sequence[str], read: pl.DataFrame, digits: int) -> SourceRead:
    """Rows, outside the window, of customer relations that an adopted registry had and that no run has read yet.

    So what ended while nobody told the registry gets its end.
    """
    waiting = pl.DataFrame(
        {"customer_number": cache.adoptions.unasked_customer_numbers(areas)}, schema={"customer_number": pl.String}
    ).join(read, on="customer_number", how="anti")
    if waiting.is_empty():
        return SourceRead(read.clear(), REJECTIONS.to_frame())
    found = clean_by_number(kmd_ee.customers_by_number(waiting.get_column("customer_number").to_list()), digits)
    here = pl.col("supply_area").is_in(list(areas))
    return SourceRead(found.rows.filter(here), found.rejections.filter(here))


def _not_yet_ended(rows: pl.DataFrame, cache: Cache, areas: Sequence[str]) -> pl.DataFrame:
    """Those of the ended rows whose end has not arrived everywhere, e.g. because a run died in between."""
    if rows.is_empty():
        return rows
    known_end = rows.select("customer_number", "moved_out")
    running = pl.concat([_ends_asked_for(cache, areas), _ends_billed(cache, known_end["customer_number"])])
    behind = running.join(known_end, on="customer_number", how="inner").filter(
        pl.col("valid_to").is_null() | (pl.col("valid_to") > pl.col("moved_out"))
    )
    return rows.join(behind, on="customer_number", how="semi")


def _ends_asked_for(cache: Cache, areas: Sequence[str]) -> pl.DataFrame:
    """The ends (customer_number, valid_to) that the registry was asked to hold."""
    return pl.concat(
        cache.deliveries.desired("lora", entity, areas, REGISTRY_ROWS[entity]).select("customer_number", "valid_to")
        for entity in ("customer_relations", "customer_roles", "agreements")
    )


def _ends_billed(cache: Cache, customers: pl.Series) -> pl.DataFrame:
    """The ends (customer_number, valid_to) that installation accounts show and that events were derived from."""
    shown = cache.account_links.contracts(customers).select("customer_number", pl.col("end").alias("valid_to"))
    followed = cache.agreement_events.followed([], customers.to_list()).select(
        "customer_number", moved_out_of("wanted").alias("valid_to")
    )
    return pl.concat([shown, followed])


def read_installations(kmd_ee: KmdEe, areas: Sequence[str], as_of: date, limits: SourceLimits) -> SourceRead:
    """The installation rows of these areas with all their meters: columns of `kmd_ee/installations`."""
    postcodes = _postcodes(kmd_ee, areas, limits.area_digits)
    cleaned = clean_installations(kmd_ee.installations(postcodes, as_of), limits.area_digits)
    return SourceRead(cleaned.rows, cleaned.rejections)


def _postcodes(kmd_ee: KmdEe, areas: Sequence[str], digits: int) -> list[str | None]:
    """The postal codes, as typed in the source, that make up these areas."""
    present = pl.DataFrame({"postcode": kmd_ee.postcodes()})
    return present.filter(supply_area("postcode", digits).is_in(list(areas))).get_column("postcode").to_list()

"""What the body of an asset needs from its run: supply areas, the journal, rejections recorded with metadata."""

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Protocol

import dagster as dg
import polars as pl

from integration_assets.cache.store import Cache

_SECONDS_BETWEEN_REPORTS = 10.0


def areas_of(context: dg.AssetExecutionContext) -> list[str]:
    """The supply areas of this run, sorted (a range run hands them over in no order)."""
    return sorted(context.partition_keys)


def name_of(context: dg.AssetExecutionContext) -> str:
    """The asset as group/name, as journal and rejections know it."""
    return context.asset_key.to_user_string()


@contextmanager
def journaled(
    context: dg.AssetExecutionContext, cache: Cache, *, areas: Collection[str] | None = None
) -> Iterator[dict[str, int]]:
    """Gives a dict of counts to fill; writes it to the journal and to the asset's metadata when the body succeeds.

    `areas` are the supply areas that were worked on, as they are when the body ends; default: those of the run.
    """
    counts: dict[str, int] = {}
    started = datetime.now(UTC)
    yield counts
    if areas is None:
        areas = areas_of(context) if context.has_partition_key_range or context.has_partition_key else []
    cache.journal.record(context.run.run_id, name_of(context), sorted(areas), counts, started, datetime.now(UTC))
    context.add_output_metadata({name: dg.MetadataValue.int(value) for name, value in counts.items()})


class _Counting(Protocol):
    """A client that knows how many requests it sent, by kind."""

    def requests(self) -> Counter[str]: ...


@contextmanager
def counting_requests(system: str, client: _Counting, counts: dict[str, int]) -> Iterator[None]:
    """Adds to the counts what the body asks of an outside system: requests_<system>, and as many of each kind."""
    before = client.requests()
    yield
    sent = client.requests() - before
    counts[f"requests_{system}"] = sent.total()
    counts |= {f"requests_{system}_{kind}": number for kind, number in sorted(sent.items())}


def report_progress(context: dg.AssetExecutionContext) -> Callable[[str, int, int], None]:
    """Tells the run's log, every few seconds, what is being done and how much of it is done."""
    told = time.monotonic()

    def tell(what: str, done: int, size: int) -> None:
        nonlocal told
        if time.monotonic() - told > _SECONDS_BETWEEN_REPORTS:
            told = time.monotonic()
            context.log.info("%s: %s of %s bytes", what, f"{done:,}", f"{size:,}")

    return tell


def record_rejections(
    context: dg.AssetExecutionContext,
    cache: Cache,
    found: pl.DataFrame,
    as_of: date,
    counts: dict[str, int],
    *,
    areas: Sequence[str],
    at_once: Collection[str] = (),
) -> None:
    """Records what this asset could not process in these areas; closes what it now could. Adds counts per reason.

    Reasons in `at_once` have passing causes and are due again on the same day.
    """
    recorded = cache.rejections.replace(name_of(context), areas, found, as_of, at_once=at_once)
    counts["rejected"] = found.height
    counts |= {f"rejected_{reason}": number for reason, number in sorted(recorded.by_reason.items())}

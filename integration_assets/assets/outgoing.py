"""Before anything is sent: whether a run changes implausibly much, and what it will change, for people to read."""

from collections.abc import Callable
from datetime import UTC, datetime

import dagster as dg
import polars as pl

from integration_assets.assets.context import areas_of
from integration_assets.cache.deliveries import DesireCounts
from integration_assets.cache.let_throughs import LetThrough
from integration_assets.cache.store import Cache
from integration_assets.domain import differences
from integration_assets.flows.guard import LET_THROUGH, guard
from integration_assets.settings import Settings

SHOWN = 5
"""Objects of which the changes are shown, in the metadata of a delivery."""


def desire(
    context: dg.AssetExecutionContext,
    store: Cache,
    settings: Settings,
    system: str,
    entity: str,
    rows: pl.DataFrame,
    counts: dict[str, int],
) -> None:
    """States what a system should hold of an entity; adds how many objects, and how many as before.

    What is about to be sent is shown in the asset's metadata. Raises GateClosed, with nothing stated, when it is
    implausibly much and the run is not tagged to be let through.
    """
    compared = state(store, system, entity, rows, counts, check=_guard(context, store, settings, system, entity))
    if compared.new or compared.changed:
        difference = store.deliveries.difference(system, entity, rows)
        context.add_output_metadata({"plan": dg.MetadataValue.md(markdown(entity, difference))})


def state(
    store: Cache,
    system: str,
    entity: str,
    rows: pl.DataFrame,
    counts: dict[str, int],
    *,
    check: Callable[[DesireCounts], None] | None = None,
) -> DesireCounts:
    """States what a system should hold of an entity, and adds the counts; see `Deliveries.desire`."""
    compared = store.deliveries.desire(system, entity, rows, check=check)
    counts["desired"] = compared.new + compared.changed + compared.unchanged
    counts["unchanged"] = compared.unchanged
    return compared


def markdown(entity: str, difference: pl.DataFrame) -> str:
    """What a delivery sends, as Markdown: how many objects of each kind, and the changes of the first, masked."""
    counted = differences.summary(entity, difference)
    lines = ["| " + " | ".join(counted["change"]) + " |", "|" + "---|" * counted.height]
    lines += ["| " + " | ".join(str(number) for number in counted["count"]) + " |", ""]
    clearing = differences.clearing(difference).height
    lines += [f"{clearing} of them lose a value.", ""] if clearing else []
    shown = [
        differences.samples(entity, part, SHOWN)
        for part in (difference.filter(pl.col("change") == "create"), differences.shown_updates(difference, SHOWN))
    ]
    lines += ["| key | change | field | before | after |", "|---|---|---|---|---|"]
    lines += [
        "| " + " | ".join(_cell(row[name]) for name in ("business_key", "change", "field", "before", "after")) + " |"
        for row in pl.concat(shown).iter_rows(named=True)
    ]
    return "\n".join(lines)


def _cell(text: str | None) -> str:
    return "–" if text is None else text.replace("|", "\\|").replace("\n", " ")


def _guard(
    context: dg.AssetExecutionContext, store: Cache, settings: Settings, system: str, entity: str
) -> Callable[[DesireCounts], None] | None:
    """None where the run is tagged to be let through."""
    if context.run.tags.get(LET_THROUGH) == "yes":
        return None

    def told(passed: LetThrough) -> None:
        context.log.warning("%s let these changes through: %s", passed.given_by, passed.why)
        context.add_output_metadata({"let_through_by": passed.given_by, "let_through_why": passed.why})

    areas = areas_of(context) if context.has_partition_key or context.has_partition_key_range else []
    return guard(
        *(settings, store.let_throughs, system, entity, areas, context.run.run_id), now=datetime.now(UTC), told=told
    )

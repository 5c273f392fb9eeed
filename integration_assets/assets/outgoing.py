"""Before anything is sent: whether a run changes implausibly much, and what it will change, for people to read."""

from collections.abc import Callable

import dagster as dg
import polars as pl

from integration_assets.assets.context import name_of
from integration_assets.cache.deliveries import DesireCounts
from integration_assets.cache.store import Cache
from integration_assets.domain import differences
from integration_assets.domain.gates import GateClosed, require_plausible_changes
from integration_assets.settings import Settings

LET_THROUGH = "integration/let_through"
"""Tag by which a run is told to go on however much it changes; its value is "yes"."""

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
    compared = state(store, system, entity, rows, counts, check=_guard(context, settings, system))
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
    shown = [
        differences.samples(entity, difference.filter(pl.col("change") == change), SHOWN)
        for change in ("create", "update")
    ]
    lines += ["| key | change | field | before | after |", "|---|---|---|---|---|"]
    lines += [
        "| " + " | ".join(_cell(row[name]) for name in ("business_key", "change", "field", "before", "after")) + " |"
        for row in pl.concat(shown).iter_rows(named=True)
    ]
    return "\n".join(lines)


def _cell(text: str | None) -> str:
    return "–" if text is None else text.replace("|", "\\|").replace("\n", " ")


def _guard(context: dg.AssetExecutionContext, settings: Settings, system: str) -> Callable[[DesireCounts], None]:
    def check(counts: DesireCounts) -> None:
        if context.run.tags.get(LET_THROUGH) == "yes":
            return
        most, share = f"{system}_max_changes", f"{system}_max_changed_share"
        try:
            require_plausible_changes(
                counts.new,
                counts.changed,
                counts.changed + counts.unchanged,
                name_of(context),
                most=getattr(settings, most),
                largest_share=getattr(settings, share),
                tolerated=settings.tolerated_rows,
            )
        except GateClosed as closed:
            raise GateClosed(f"{closed} {how_to_let_through(system)}") from None

    return check


def how_to_let_through(system: str) -> str:
    """What an operator does who wants the changes all the same."""
    name = f"INTEGRATION_{system.upper()}_MAX_CHANGE"
    return (
        "`integration-assets plan` shows them. When they are right, start the run again with the tag "
        f"{LET_THROUGH}=yes, or raise {name}S or {name}D_SHARE."
    )

"""What registry (LoRa) and CRM hold otherwise than it was delivered: one is looked at by turns, one by its changes."""

from collections.abc import Iterable

import dagster as dg
import polars as pl

from integration_assets.assets.context import counting_requests, journaled
from integration_assets.assets.declare import plain_asset
from integration_assets.assets.outside import DYNAMICS, LORA
from integration_assets.cache.drift import OPEN
from integration_assets.cache.store import Cache
from integration_assets.domain.crm.fields import TABLE_FACTS
from integration_assets.domain.registry.objects import LORA_CLASSES
from integration_assets.flows import crm, registry
from integration_assets.flows.crm_drift import look_for_changes
from integration_assets.flows.drift import look_by_turn
from integration_assets.resources.business_day import BusinessDay
from integration_assets.resources.cache import CacheResource
from integration_assets.resources.dynamics import DynamicsResource
from integration_assets.resources.lora import LoraResource

SHOWN_OBJECTS = 20
DRIFT_LORA = dg.AssetKey(["drift", "lora"])
DRIFT_CRM = dg.AssetKey(["drift", "crm"])


class Reconciliation(dg.Config):
    """How much is looked at: today's turn, or what the CRM says has changed; or everything."""

    everything: bool = False


@plain_asset(
    DRIFT_LORA,
    kinds={"rest", "json"},
    deps=[LORA.key, *(dg.AssetKey(["lora", entity]) for entity in LORA_CLASSES)],
    description="Objects that the registry holds otherwise than they were delivered: changed, deleted or made passive "
    "by others, or never arrived. Every object has its turn once in LORA_RECONCILE_DAYS; run it with `everything` to "
    "look at all of them. What drifts is delivered again, or left and told of, as LORA_DRIFT says for its entity.",
    schema=OPEN,
)
def drift_lora(
    context: dg.AssetExecutionContext,
    config: Reconciliation,
    cache: CacheResource,
    lora: LoraResource,
    business_day: BusinessDay,
) -> None:
    """Reads the objects whose turn it is, entity by entity, and has repaired what is to be repaired."""
    store = cache.get()
    means = lora.means(store, business_day.of_run(context))
    days = None if config.everything else lora.settings.lora_reconcile_days
    with journaled(context, store) as counts, counting_requests(registry.SYSTEM, means.client, counts):
        for entity in LORA_CLASSES:
            looked = look_by_turn(means, entity, days)
            for name, number in looked.counts().items():
                counts[name] = counts.get(name, 0) + number
        found = _open(store, registry.SYSTEM, LORA_CLASSES, counts)
    _tell(context, found, counts, "objects of the registry", lora.settings.lora_repair_limit)


@plain_asset(
    DRIFT_CRM,
    kinds={"dynamics"},
    deps=[DYNAMICS.key, *(dg.AssetKey(["crm", entity]) for entity in TABLE_FACTS)],
    description="Rows that the CRM holds otherwise than they were delivered, in columns of ours: changed or deleted by "
    "others. The CRM says itself what changed since the last look; run it with `everything` to look at all rows. What "
    "drifts is delivered again, or left and told of, as CRM_DRIFT says for its entity.",
    schema=OPEN,
)
def drift_crm(
    context: dg.AssetExecutionContext,
    config: Reconciliation,
    cache: CacheResource,
    dynamics: DynamicsResource,
    business_day: BusinessDay,
) -> None:
    """Asks for what changed, entity by entity, and has repaired what is to be repaired."""
    store = cache.get()
    means = dynamics.means(store, business_day.of_run(context))
    with journaled(context, store) as counts, counting_requests(crm.SYSTEM, means.client, counts):
        for entity in TABLE_FACTS:
            looked = look_for_changes(means, entity, everything=config.everything)
            for name, number in looked.counts().items():
                counts[name] = counts.get(name, 0) + number
        found = _open(store, crm.SYSTEM, TABLE_FACTS, counts)
    _tell(context, found, counts, "rows of the CRM", dynamics.settings.crm_repair_limit)


def _open(store: Cache, system: str, entities: Iterable[str], counts: dict[str, int]) -> pl.DataFrame:
    """The open drift of a system; adds how much there is, and how much is left as it is."""
    found = store.drifts.open(system)
    counts["drift_open"] = found.height
    counts["drift_left"] = found.filter(~pl.col("is_due")).height
    counts |= {f"drift_open_{entity}": found.filter(pl.col("entity") == entity).height for entity in entities}
    return found


def _tell(
    context: dg.AssetExecutionContext, found: pl.DataFrame, counts: dict[str, int], what: str, repair_limit: int
) -> None:
    """Warns of drift that is left, and shows the first of what is open."""
    if counts["drift_left"]:
        context.log.warning(
            "%s %s are not as they were delivered, and are left so: their entity is not repaired, or they were "
            "repaired %s times and drifted again. See `integration-assets drift`.",
            *(counts["drift_left"], what, repair_limit),
        )
    context.add_output_metadata({"open_drift": dg.MetadataValue.md(as_markdown(found.head(SHOWN_OBJECTS)))})


def as_markdown(found: pl.DataFrame) -> str:
    """Open drift (OPEN) as a Markdown table with a line per field that differs; values are masked already."""
    head = ("entity", "key", "kind", "since", "repairs", "field", "delivered", "found")
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in found.iter_rows(named=True):
        for name, delivered, shown in row["differences"] or [("", None, None)]:
            cells = (
                *(row["entity"], row["business_key"], row["kind"], str(row["first_on"]), str(row["repairs"])),
                *(name, delivered or "", shown or ""),
            )
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)

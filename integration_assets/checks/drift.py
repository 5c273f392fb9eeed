"""Asset checks of what registry and CRM hold: nothing is left otherwise than delivered, everything was looked at."""

from collections.abc import Iterator
from datetime import date, timedelta

import dagster as dg
import polars as pl

from integration_assets.assets.drift import DRIFT_CRM, DRIFT_LORA
from integration_assets.cache.store import Cache
from integration_assets.domain.crm.fields import TABLE_FACTS
from integration_assets.domain.registry.objects import LORA_CLASSES
from integration_assets.flows import crm, registry
from integration_assets.flows.crm_drift import taken_in
from integration_assets.resources.business_day import BusinessDay
from integration_assets.resources.cache import CacheResource

NOTHING_LEFT, ALL_READ, CHANGES_READ = "nothing_is_left", "everything_was_read", "changes_were_read"
GRACE_DAYS = 7
"""Turns that were missed are made up for within some days."""
TOKEN_DAYS = 7
"""So long Dataverse knows what changed since a delta link was given (its default)."""

_LEFT = "is left otherwise than it was delivered, by its entity's rule or because repairs do not last."


@dg.multi_asset_check(
    specs=[
        dg.AssetCheckSpec(NOTHING_LEFT, asset=DRIFT_LORA, description=f"No object {_LEFT}"),
        dg.AssetCheckSpec(
            ALL_READ, asset=DRIFT_LORA, description="Every delivered object was read again in LORA_RECONCILE_DAYS."
        ),
    ],
    name="registry_drift",
)
def drift_checks(
    context: dg.AssetCheckExecutionContext, cache: CacheResource, business_day: BusinessDay
) -> Iterator[dg.AssetCheckResult]:
    """Looks at the drift table and at the days on which objects were read."""
    del context
    store, settings, as_of = cache.get(), cache.settings, business_day.today()
    yield _nothing_left(store, registry.SYSTEM, DRIFT_LORA)
    looks = pl.concat(store.drifts.last_looks(registry.SYSTEM, entity) for entity in LORA_CLASSES)
    age = (pl.lit(as_of) - pl.col("as_of")).dt.total_days()
    late = looks.filter((age > settings.lora_reconcile_days + GRACE_DAYS).fill_null(True)).height
    yield _warning(DRIFT_LORA, ALL_READ, passed=not late, metadata={"late": late, "objects": looks.height})


@dg.multi_asset_check(
    specs=[
        dg.AssetCheckSpec(NOTHING_LEFT, asset=DRIFT_CRM, description=f"No row {_LEFT}"),
        dg.AssetCheckSpec(
            CHANGES_READ,
            asset=DRIFT_CRM,
            description="What changed in each table was asked for while the CRM still knew it (7 days).",
        ),
    ],
    name="crm_drift",
)
def crm_drift_checks(
    context: dg.AssetCheckExecutionContext, cache: CacheResource, business_day: BusinessDay
) -> Iterator[dg.AssetCheckResult]:
    """Looks at the drift table and at the days up to which changes were taken in."""
    del context
    store, as_of = cache.get(), business_day.today()
    yield _nothing_left(store, crm.SYSTEM, DRIFT_CRM)
    days = {entity: taken_in(store, entity) for entity in TABLE_FACTS}
    late = [entity for entity, taken in days.items() if as_of - (taken.on or date.min) > timedelta(days=TOKEN_DAYS)]
    untracked = [entity for entity, taken in days.items() if taken.on is not None and not taken.link]
    yield _warning(
        DRIFT_CRM,
        CHANGES_READ,
        passed=not late,
        metadata={"late": ", ".join(late) or "none", "read_as_a_whole": ", ".join(untracked) or "none"},
    )


def _nothing_left(store: Cache, system: str, asset: dg.AssetKey) -> dg.AssetCheckResult:
    left = store.drifts.open(system).filter(~pl.col("is_due"))
    kinds = left.group_by("entity", "kind").len().sort("entity", "kind")
    shown = ", ".join(f"{entity} {kind} {number}" for entity, kind, number in kinds.iter_rows()) or "none"
    return _warning(asset, NOTHING_LEFT, passed=left.is_empty(), metadata={"left": left.height, "kinds": shown})


def _warning(asset: dg.AssetKey, name: str, *, passed: bool, metadata: dict[str, int | str]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=passed,
        check_name=name,
        asset_key=asset,
        severity=dg.AssetCheckSeverity.WARN,
        metadata=metadata,
    )

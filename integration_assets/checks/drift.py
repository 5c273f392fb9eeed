"""Asset checks of what the registry holds: nothing is left otherwise than delivered, and everything had its turn."""

from collections.abc import Iterator

import dagster as dg
import polars as pl

from integration_assets.assets.drift import DRIFT_LORA
from integration_assets.domain.registry.objects import LORA_CLASSES
from integration_assets.flows.registry import SYSTEM
from integration_assets.resources.business_day import BusinessDay
from integration_assets.resources.cache import CacheResource

NOTHING_LEFT, ALL_READ = "nothing_is_left", "everything_was_read"
GRACE_DAYS = 7
"""Turns that were missed are made up for within some days."""


@dg.multi_asset_check(
    specs=[
        dg.AssetCheckSpec(
            NOTHING_LEFT,
            asset=DRIFT_LORA,
            description="No object is left otherwise than it was delivered, by its entity's rule or because repairs do "
            "not last.",
        ),
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
    left = store.drifts.open(SYSTEM).filter(~pl.col("is_due"))
    kinds = left.group_by("entity", "kind").len().sort("entity", "kind")
    yield dg.AssetCheckResult(
        passed=left.is_empty(),
        check_name=NOTHING_LEFT,
        asset_key=DRIFT_LORA,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "left": left.height,
            "kinds": ", ".join(f"{entity} {kind} {number}" for entity, kind, number in kinds.iter_rows()) or "none",
        },
    )
    looks = pl.concat(store.drifts.last_looks(SYSTEM, entity) for entity in LORA_CLASSES)
    age = (pl.lit(as_of) - pl.col("as_of")).dt.total_days()
    late = looks.filter((age > settings.lora_reconcile_days + GRACE_DAYS).fill_null(True)).height
    yield dg.AssetCheckResult(
        passed=not late,
        check_name=ALL_READ,
        asset_key=DRIFT_LORA,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"late": late, "objects": looks.height},
    )

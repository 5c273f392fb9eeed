"""Asset checks generated from the mapping: no CRM row may point at a row that the cache does not have."""

from collections.abc import Iterator

import dagster as dg

from integration_assets.cache.references import dangling
from integration_assets.domain.crm.field import Field
from integration_assets.domain.crm.fields import CRM_TABLES, FIELDS, TABLE_FACTS
from integration_assets.resources.cache import CacheResource

_BY_SET = {facts.set_name: entity for entity, facts in TABLE_FACTS.items()}
_LOOKUPS = [
    (entity, field) for entity in CRM_TABLES for field in FIELDS[entity] if field.kind == "lookup" and field.target
]


def _name(field: Field) -> str:
    return f"{field.name.lower()}_exists"


def _asset(entity: str) -> dg.AssetKey:
    return dg.AssetKey(["cache", entity])


@dg.multi_asset_check(
    specs=[
        dg.AssetCheckSpec(
            name=_name(field),
            asset=_asset(entity),
            description=f"Every row's {field.name} leads to a row of {_BY_SET[field.target or '']}.",
        )
        for entity, field in _LOOKUPS
    ],
    name="references",
)
def reference_checks(cache: CacheResource) -> Iterator[dg.AssetCheckResult]:
    """Compares the lookups of all cached CRM rows with the rows they lead to."""
    engine = cache.get().engine
    for entity, field in _LOOKUPS:
        found = dangling(engine, CRM_TABLES[entity], field.name, CRM_TABLES[_BY_SET[field.target or ""]])
        yield dg.AssetCheckResult(
            passed=not found.rows,
            check_name=_name(field),
            asset_key=_asset(entity),
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"dangling": found.rows, "examples": ", ".join(found.examples) or "none"},
        )

"""Asset checks generated from the mapping: no CRM row may point at a row that the cache does not have."""

from collections.abc import Iterator

import dagster as dg
import polars as pl

from integration_assets.domain.crm.fields import CRM_TABLES, FIELDS, TABLE_FACTS, Field
from integration_assets.resources.cache import CacheResource

_BY_SET = {facts.set_name: entity for entity, facts in TABLE_FACTS.items()}
_LOOKUPS = [
    (entity, field) for entity, fields in FIELDS.items() for field in fields if field.kind == "lookup" and field.target
]


def _name(field: Field) -> str:
    return f"{field.name.lower()}_exists"


def _columns(entity: str) -> list[str]:
    """The columns that the comparison needs: the row's own key, its lookups and what to call it by."""
    return [CRM_TABLES[entity].key, "business_key", *(field.name for owner, field in _LOOKUPS if owner == entity)]


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
    store = cache.get()
    rows = {entity: store.read(table, columns=_columns(entity)) for entity, table in CRM_TABLES.items()}
    for entity, field in _LOOKUPS:
        target_entity = _BY_SET[field.target or ""]
        target = rows[target_entity].get_column(CRM_TABLES[target_entity].key).unique()
        missing = rows[entity].filter(pl.col(field.name).is_not_null() & ~pl.col(field.name).is_in(target.implode()))
        yield dg.AssetCheckResult(
            passed=missing.is_empty(),
            check_name=_name(field),
            asset_key=_asset(entity),
            severity=dg.AssetCheckSeverity.WARN,
            metadata={
                "dangling": missing.height,
                "examples": ", ".join(missing.get_column("business_key").head(5).to_list()) or "none",
            },
        )

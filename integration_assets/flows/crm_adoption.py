"""Adopts a CRM that others filled: reads it, tells which rows are ours, and fills the cross reference.

The CRM is never written here: the first delivery of an adopted row brings it to what it should be, under its own
primary id, and leaves what belongs to others.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any, Final

import polars as pl

from integration_assets.cache.store import Cache
from integration_assets.clients.dynamics import DynamicsClient
from integration_assets.domain.crm.adoption import FOUND_ROWS, Source, match
from integration_assets.domain.crm.fields import TABLE_FACTS
from integration_assets.domain.crm.found import read_name
from integration_assets.domain.crm.tables import CrmMapping
from integration_assets.domain.identity import ObjectIds
from integration_assets.domain.tables import ADDRESS_REGISTER
from integration_assets.flows.crm import SYSTEM
from integration_assets.flows.identity import party_ids

_FIELDS: Final[dict[str, dict[str, str]]] = {
    "addresses": {
        "access_id": "ava_dawaadgangsadresseid",
        "kvhx": "ava_kvhx",
        "municipality_code": "ava_kommunenummer",
        "street_code": "ava_vejkode",
        "house_digits": "ava_husnummer",
        "house_letter": "ava_bogstav",
        "floor": "ava_etage",
        "door": "ava_doer",
    },
    "contacts": {"cpr_number": "ava_cpr_nummer", "cvr_number": "ava_cvr_nummer"},
    "accounts": {"customer_number": "ava_kundenummer", "utility": "ava_kundetype"},
    "customer_roles": {"role_code": "ava_rolle", "party": "ava_aktoer", "relation": "ava_kundeforhold"},
    "agreements": {"relation": "ava_kundeforhold", "utility": "ava_aftaletype"},
    "installations": {"installation_number": "ava_identifikation", "utility": "ava_installationstype"},
}
"""The fields that a row says by what it is, by entity and the name that `domain.crm.adoption` has for them."""

COUNTS: Final = pl.Schema(
    {
        "entity": pl.String,
        "found": pl.Int64,
        "taken": pl.Int64,
        "wanted_now": pl.Int64,
        "left_for_another": pl.Int64,
        "not_ours": pl.Int64,
        "new": pl.Int64,
    }
)
DUPLICATES: Final = pl.Schema(
    {
        "entity": pl.String,
        "business_key": pl.String,
        "taken": pl.String,
        "left": pl.List(pl.String),
    }
)


@dataclass(frozen=True)
class Means:
    """What an adoption is made with. `utility` is that of this billing system."""

    client: DynamicsClient
    cache: Cache
    ids: ObjectIds
    by: CrmMapping
    utility: str


@dataclass(frozen=True)
class RowAdoption:
    """What an adoption found.

    `adopted`: the cross reference (ADOPTED_ROWS). `counts` (COUNTS), by entity: rows found; taken for an object of
    ours; of those, `wanted_now`: what runs have asked for so far; left for another that is taken for the same; not
    ours, or not telling whose they are; `new` in the cross reference. `duplicates` (DUPLICATES) by object: the row that
    is taken and those that are left alone. `addresses_known`: whether the address register was loaded.
    """

    adopted: pl.DataFrame
    counts: pl.DataFrame
    duplicates: pl.DataFrame
    addresses_known: bool


def adopt_rows(means: Means, as_of: date, *, dry_run: bool) -> RowAdoption:
    """Reads the CRM, and fills the cross reference unless `dry_run`. Raises CallError.

    May be repeated at any time: what was adopted stays so, and rows that others added since are looked at too.
    """
    found = {entity: read_rows(means.client, entity, means.by) for entity in TABLE_FACTS}
    register = means.cache.read(ADDRESS_REGISTER)
    aliases = means.cache.answers.aliases()
    source = Source(means.ids, partial(party_ids, means.ids, aliases), register, _option(means))
    before = means.cache.row_adoptions.rows()
    matched = match(found, source, before.filter("taken"))
    adopted = _needed(matched, before)
    adoption = RowAdoption(
        adopted=adopted,
        counts=_counts(means.cache, found, matched, adopted.join(before, on=("entity", "row_id"), how="anti")),
        duplicates=_duplicates(matched),
        addresses_known=not register.is_empty(),
    )
    if not dry_run:
        means.cache.row_adoptions.record(adopted, as_of)
    return adoption


def read_rows(client: DynamicsClient, entity: str, by: CrmMapping) -> pl.DataFrame:
    """The rows of an entity as far as they say what they are: frame of FOUND_ROWS. Raises CallError."""
    facts = TABLE_FACTS[entity]
    fields = {field.name: field for field in by.fields[entity]}
    columns = {name: read_name(fields[field]) for name, field in _FIELDS[entity].items()}
    selected = [facts.primary_id, "createdon", "statecode", *columns.values()]
    rows = [
        {
            "row_id": str(row[facts.primary_id]),
            "active": row.get("statecode") == 0,
            "created_at": row.get("createdon"),
            **{name: _value(row, column) for name, column in columns.items()},
        }
        for row in client.query(facts.set_name, selected)
    ]
    return pl.DataFrame(rows, schema=FOUND_ROWS[entity])


def _value(row: Mapping[str, Any], column: str) -> Any:
    value = row.get(column)
    return None if value == "" else value


def _option(means: Means) -> int | None:
    """The number of our utility in the choices of the CRM."""
    (field,) = (field for field in means.by.fields["accounts"] if field.value == "utility")
    return (field.options or {}).get(means.utility)


def _needed(matched: pl.DataFrame, before: pl.DataFrame) -> pl.DataFrame:
    """Without what stands under our own id and nothing beside it; a row that was adopted before and is gone stays."""
    elsewhere = matched.filter(pl.col("row_id") != pl.col("object_id"))
    needed = matched.join(elsewhere.select("entity", "object_id").unique(), on=("entity", "object_id"), how="semi")
    standing = before.filter("taken").join(matched, on=("entity", "row_id"), how="anti")
    kept = standing.select("entity", "object_id", stood=pl.lit(True))
    return (
        needed.join(kept, on=("entity", "object_id"), how="left")
        .with_columns(taken=pl.col("taken") & pl.col("stood").is_null())
        .drop("stood")
    )


def _counts(
    cache: Cache, found: Mapping[str, pl.DataFrame], matched: pl.DataFrame, fresh: pl.DataFrame
) -> pl.DataFrame:
    rows: list[dict[str, Any]] = []
    for entity, frame in found.items():
        here = matched.filter(pl.col("entity") == entity)
        taken = here.filter("taken")
        wanted = pl.Series(cache.deliveries.object_ids(SYSTEM, entity, None), dtype=pl.String)
        rows.append(
            {
                "entity": entity,
                "found": frame.height,
                "taken": taken.height,
                "wanted_now": taken.filter(pl.col("object_id").is_in(wanted.implode())).height,
                "left_for_another": here.height - taken.height,
                "not_ours": frame.height - here.height,
                "new": fresh.filter(pl.col("entity") == entity).height,
            }
        )
    return pl.DataFrame(rows, schema=COUNTS)


def _duplicates(matched: pl.DataFrame) -> pl.DataFrame:
    """Objects that several rows stand for."""
    several = matched.filter(pl.len().over("entity", "object_id") > 1)
    return (
        several.group_by("entity", "object_id", maintain_order=True)
        .agg(
            pl.col("business_key").drop_nulls().first(),
            pl.col("row_id").filter("taken").first().alias("taken"),
            pl.col("row_id").filter(~pl.col("taken")).alias("left"),
        )
        .select(list(DUPLICATES))
        .sort("entity", "business_key", "taken", nulls_last=True)
    )

"""What the registry should hold for the supply areas of a run: resolved rows turned into registry rows."""

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from datetime import date
from itertools import chain

import polars as pl

from integration_assets.cache.locks import advisory_lock
from integration_assets.cache.store import Cache
from integration_assets.domain import gates
from integration_assets.domain.addresses.washing import WashingIndex
from integration_assets.domain.identity import ObjectIds
from integration_assets.domain.people.notices import CO_SUFFIX
from integration_assets.domain.registry import desired, history
from integration_assets.domain.registry.continuity import continue_roles
from integration_assets.domain.registry.superseding import SUPERSEDED, superseded
from integration_assets.domain.tables import REGISTRY_ROWS, RESOLVED_CUSTOMERS
from integration_assets.flows.parties import named_parties, party_frame

SYSTEM = "lora"


def desired_customers(
    resolved: pl.DataFrame, cache: Cache, ids: ObjectIds, index: WashingIndex, areas: Sequence[str]
) -> pl.DataFrame:
    """Registry rows of all parties that these areas name, or named when they were last delivered.

    A party may have customer relations in other areas: their rows, those that ended before included, are taken from
    the cache, so that the outcome is the same whichever area asks.
    """
    everywhere = _newest(rows_by_customer_number(cache), resolved, areas)
    here = set(named_parties(resolved).get_column("party_id"))
    here |= set(cache.deliveries.object_ids(SYSTEM, "customers", areas))
    return customers_of(here, everywhere, cache, ids, index)


def rows_by_customer_number(cache: Cache) -> pl.DataFrame:
    """One row of resolved/customers per customer number: the living one, else one that ended."""
    living = cache.read(RESOLVED_CUSTOMERS, columns=("customer_number", "supply_area")).with_columns(_living=True)
    rows = cache.read(RESOLVED_CUSTOMERS, None, include_vanished=True)
    known = rows.join(living, on=["customer_number", "supply_area"], how="left", maintain_order="left")
    first = known.sort("_living", nulls_last=True, maintain_order=True)
    return first.unique("customer_number", keep="first", maintain_order=True).drop("_living")


def customers_of(
    party_ids: Collection[str], everywhere: pl.DataFrame, cache: Cache, ids: ObjectIds, index: WashingIndex
) -> pl.DataFrame:
    """Registry rows of these parties, from all rows of resolved/customers (`everywhere`, ended ones included)."""
    wanted = list(party_ids)
    naming = everywhere.filter(pl.col("party_id").is_in(wanted) | pl.col("co_party_id").is_in(wanted))
    named = named_parties(naming).filter(pl.col("party_id").is_in(wanted))
    return desired.customers(naming, party_frame(named, cache.answers, ids, index))


def _newest(cached: pl.DataFrame, resolved: pl.DataFrame, areas: Sequence[str]) -> pl.DataFrame:
    """One row per customer number: this run's where it has one, else the cached one."""
    elsewhere = cached.filter(~pl.col("supply_area").is_in(list(areas))).join(
        resolved, on="customer_number", how="anti"
    )
    ended_here = cached.filter(pl.col("supply_area").is_in(list(areas))).join(
        pl.concat([resolved, elsewhere]), on="customer_number", how="anti"
    )
    return pl.concat([resolved, elsewhere, ended_here]).unique("customer_number", keep="first", maintain_order=True)


def unresolved_co_customers(rejections: pl.DataFrame) -> list[str]:
    """Customer numbers whose co-customer could not be identified, from rejections of resolved/customers."""
    return (
        rejections.filter(pl.col("record_key").str.ends_with(CO_SUFFIX))
        .get_column("customer_number")
        .unique()
        .to_list()
    )


def desired_roles(
    resolved: pl.DataFrame, cache: Cache, ids: ObjectIds, as_of: date, *, rejections: pl.DataFrame
) -> pl.DataFrame:
    """Registry rows of the customer roles; a party who left a row is ended on the business day.

    What was desired before is looked up by customer number in all areas: a place whose postal code was corrected takes
    its roles along. `rejections` are those of resolved/customers for the same areas: a co-customer among them goes on.
    """
    schema = REGISTRY_ROWS["customer_roles"]
    here = resolved.select("customer_number", area="supply_area")
    previous = (
        cache.deliveries.desired(SYSTEM, "customer_roles", None, schema)
        .unique("object_id", keep="first", maintain_order=True)
        .join(here, on="customer_number", how="inner")
        .with_columns(pl.col("area").alias("supply_area"))
        .drop("area")
    )
    roles = continue_roles(
        desired.customer_roles(resolved, ids),
        previous,
        as_of,
        unresolved_co_customers=unresolved_co_customers(rejections),
    )
    gates.require_unique(roles, ["object_id"], "Customer roles")
    return roles


def desiring(cache: Cache, entity: str) -> AbstractContextManager[None]:
    """Held while what is desired of an entity is read, changed and stated: of two who do, one waits for the other."""
    return advisory_lock(cache.engine, f"desired:{SYSTEM}/{entity}")


def with_history(entity: str, rows: pl.DataFrame, cache: Cache, as_of: date) -> pl.DataFrame:
    """The desired rows with the days on which their undated values changed (see `domain.registry.history`).

    What was desired before is looked up by object, so it does not matter which supply areas ask.
    """
    if not history.UNDATED[entity]:
        return rows
    before = cache.deliveries.before(SYSTEM, entity, rows, REGISTRY_ROWS[entity])
    return history.continued(entity, rows, before, as_of)


def desired_superseded(
    cache: Cache, areas: Sequence[str], *, rejections: pl.DataFrame, soon: Collection[str] = ()
) -> pl.DataFrame:
    """Objects of an adopted registry that end because others stand for them (`domain.registry.superseding`).

    `rejections` are those of resolved/customers for the same areas; `soon` are objects to be taken for delivered.
    """
    adopted = cache.adoptions.of_areas(areas)
    entities = adopted.get_column("entity").unique()

    def ids(*, delivered: bool) -> pl.Series:
        known = (cache.deliveries.object_ids(SYSTEM, entity, None, delivered=delivered) for entity in entities)
        return pl.Series([*chain.from_iterable(known), *soon], dtype=pl.String)

    return superseded(adopted, ids(delivered=False), ids(delivered=True), unresolved_co_customers(rejections))


def withdraw_superseded(cache: Cache, areas: Sequence[str], rows: pl.DataFrame) -> None:
    """Takes back what earlier runs of these areas wanted to end and did not, where it is not among `rows` any more.

    Otherwise a role that KMD EE names again would be ended by a delivery that is tried once more.
    """
    cache.deliveries.withdraw(SYSTEM, SUPERSEDED, areas, rows.get_column("object_id").to_list())

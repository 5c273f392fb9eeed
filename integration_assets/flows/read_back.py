"""Reads back from the registry what was delivered, so that the CRM is fed by what the registry really holds.

What it holds is mapped to CRM rows here too, entity by entity: a run maps what was read back, a plan what would stand
there after a run.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date

import polars as pl

from integration_assets.cache.deliveries import Deliveries
from integration_assets.domain.addresses.coordinates import latitude, longitude
from integration_assets.domain.crm import mapping
from integration_assets.domain.crm.fitting import Fitted
from integration_assets.domain.crm.tables import STANDARD, CrmMapping
from integration_assets.domain.tables import REGISTRY_ROWS
from integration_assets.flows.drift import Looked, Means, look_at, order_repairs
from integration_assets.flows.registry import SYSTEM

RegistryRows = Callable[[str], pl.DataFrame]
"""Gives the registry rows of an entity: object_id, business_key, supply_area, REGISTRY_ROWS."""

REGISTRY_ENTITY = {
    "contacts": "customers",
    "accounts": "customer_relations",
    "customer_roles": "customer_roles",
    "agreements": "agreements",
    "installations": "installations",
}
"""The entity of the registry that each entity of the CRM is made of; the CRM's addresses come with them."""


def read_changed(means: Means, entity: str, areas: Sequence[str]) -> Looked:
    """Reads the objects of these areas that were delivered since they were last read; how many, and how they drift.

    An object that the registry does not show is noted as missing, and repaired like all others that drift where the
    entity is repaired; it is not asked for again before it was delivered again, or its turn comes.
    """
    looked = look_at(means, entity, list(means.cache.deliveries.unread(SYSTEM, entity, areas)))
    if looked.kinds and entity in means.repaired:
        looked.repairs = order_repairs(means, entity)
    return looked


def registry_rows(deliveries: Deliveries, entity: str, areas: Sequence[str]) -> pl.DataFrame:
    """The registry rows of these areas as last read back: object_id, business_key, supply_area, REGISTRY_ROWS.

    An object that belongs to several of the areas has a row in each.
    """
    return deliveries.found(SYSTEM, entity, areas, REGISTRY_ROWS[entity])


def crm_rows(
    entity: str,
    registry: RegistryRows,
    known_addresses: pl.Series,
    as_of: date,
    *,
    share_protected: bool = False,
    by: CrmMapping = STANDARD,
) -> Fitted:
    """The rows of `CRM_TABLES` for an entity of REGISTRY_ENTITY, from the registry's rows of the same areas.

    References to addresses that are not among `known_addresses` (ids of the address register) are left out, and so are
    the registered addresses of protected persons unless `share_protected`.
    """
    made_of = registry(REGISTRY_ENTITY[entity])
    match entity:
        case "contacts":
            fitted = mapping.contacts(made_of, as_of, share_protected=share_protected, by=by)
        case "accounts":
            fitted = mapping.accounts(made_of, as_of, by=by)
        case "customer_roles":
            fitted = mapping.customer_roles(made_of, as_of, by=by)
        case "agreements":
            fitted = mapping.agreements(made_of, as_of, by=by)
        case _:
            relations = registry("customer_relations")
            fitted = mapping.installations(made_of, registry("agreements"), relations, as_of, by=by)
    return Fitted(mapping.without_unknown_addresses(entity, fitted.rows, known_addresses), fitted.misfits)


def crm_addresses(rows: Mapping[str, pl.DataFrame], register: pl.DataFrame, *, by: CrmMapping = STANDARD) -> Fitted:
    """The CRM's addresses: those that CRM rows (by entity) point at, placed by latitude and longitude.

    `register` are the rows of addresses/register.
    """
    references = mapping.address_references(rows)
    placed = register.join(references, on="address_id", how="semi").with_columns(
        latitude("easting", "northing").alias("latitude"), longitude("easting", "northing").alias("longitude")
    )
    return mapping.addresses(references, placed, by=by)

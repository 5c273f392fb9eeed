"""Reads back from the registry what was delivered, so that the CRM is fed by what the registry really holds."""

from collections import defaultdict
from collections.abc import Sequence

import polars as pl

from integration_assets.cache.deliveries import Deliveries
from integration_assets.clients.lora import LoraClient
from integration_assets.domain.registry.objects import LORA_CLASSES
from integration_assets.domain.registry.reading import from_object
from integration_assets.domain.tables import REGISTRY_ROWS
from integration_assets.flows.registry import SYSTEM


def read_changed(deliveries: Deliveries, client: LoraClient, entity: str, areas: Sequence[str]) -> int:
    """Reads the objects of these areas that were delivered since they were last read; returns how many.

    An object that the registry does not show (deleted by others) stays unread and is asked for again next time.
    """
    wanted = deliveries.unread(SYSTEM, entity, areas)
    found: dict[str, dict[str, object]] = {}
    for lora_class in LORA_CLASSES[entity]:
        missing = [object_id for object_id in wanted if object_id not in found]
        for object_id, read in client.read_many(lora_class, missing).items():
            found[object_id] = from_object(entity, read)
    deliveries.record_found(SYSTEM, entity, found, of=wanted)
    return len(found)


def registry_rows(deliveries: Deliveries, entity: str, areas: Sequence[str]) -> pl.DataFrame:
    """The registry rows of these areas as last read back: object_id, business_key, supply_area, REGISTRY_ROWS.

    An object that belongs to several of the areas has a row in each.
    """
    return deliveries.found(SYSTEM, entity, areas, REGISTRY_ROWS[entity])


def referenced_addresses(rows: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """Which addresses the rows of all entities point at: address_id, supply_area, each pair once."""
    columns: dict[str, list[str]] = defaultdict(list)
    for entity, frame in rows.items():
        columns[entity] = [name for name in ("address_id", "billing_address_id") if name in frame.columns]
    return (
        pl.concat(
            frame.select(pl.col(name).alias("address_id"), "supply_area")
            for entity, frame in rows.items()
            for name in columns[entity]
        )
        .drop_nulls("address_id")
        .unique()
    )

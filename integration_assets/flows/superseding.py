"""Ends objects of an adopted registry that others stand for."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from integration_assets.cache.deliveries import Delivery, Outcome
from integration_assets.clients.http import CallError, NotAllowedError, TransientError
from integration_assets.clients.lora import LoraClient
from integration_assets.domain.registry.content import ENDED
from integration_assets.domain.registry.objects import Tenant
from integration_assets.domain.registry.superseding import ending
from integration_assets.flows.delivery import Send, failure


def superseded_sender(client: LoraClient, tenant: Tenant, pool: ThreadPoolExecutor) -> Send:
    """Makes objects inactive from their day on; those that are inactive, passive or deleted already are left alone."""

    def send_one(row: Delivery, found: dict[str, dict[str, Any]]) -> Outcome:
        lora_class = row.desired["lora_class"]
        standing = found.get(row.object_id)
        try:
            if standing is not None and standing["registreringer"][0].get("livscykluskode") not in ENDED:
                body = ending(lora_class, standing, row.desired["ended_on"], tenant.actor)
                if body is not None:
                    client.patch(lora_class, row.object_id, body)
        except NotAllowedError:
            raise
        except CallError as error:
            return failure(row, error)
        return Outcome(row.object_id, ok=True, external_ref=row.object_id)

    def send(rows: Sequence[Delivery]) -> list[Outcome]:
        by_class: dict[str, list[str]] = {}
        for row in rows:
            by_class.setdefault(row.desired["lora_class"], []).append(row.object_id)
        try:
            found = {
                object_id: each
                for lora_class, ids in by_class.items()
                for object_id, each in client.read_many(lora_class, ids).items()
            }
        except TransientError as error:
            return [failure(row, error) for row in rows]
        return list(pool.map(lambda row: send_one(row, found), rows))

    return send

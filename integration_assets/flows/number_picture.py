"""What the billing system says of one customer or installation, what registry and CRM have of it, and what waits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from integration_assets.cache.number_rows import Delivered, Drift, NumberRows
from integration_assets.cache.register_answers import Lookup
from integration_assets.cache.store import Cache
from integration_assets.cache.worklist_rows import Item
from integration_assets.domain.identity import ObjectIds
from integration_assets.domain.tables import (
    KMD_CUSTOMERS,
    KMD_INSTALLATIONS,
    RESOLVED_BILLING_ADDRESSES,
    RESOLVED_CONSUMPTION_ADDRESSES,
    RESOLVED_CUSTOMERS,
    RESOLVED_INSTALLATION_ADDRESSES,
)

VIEW: Final = "number_view"
"""The service that the audit names where a person looked at personal numbers."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Picture:
    """The rows of the billing system, what they were resolved to, the objects outside, and what waits or is wrong.

    `neighbours` are the other customer numbers, or the installation numbers, of the same consumption places.
    """

    number: str
    customers: Sequence[Row]
    meters: Sequence[Row]
    resolved: Sequence[Row]
    addresses: Mapping[str, Sequence[Row]]
    objects: Sequence[Delivered]
    items: Sequence[Item]
    drift: Sequence[Drift]
    neighbours: Sequence[str]

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known of the number."""
        return not (self.customers or self.meters or self.resolved or self.objects or self.items)


def customer_picture(cache: Cache, number: str) -> Picture:
    """All of a customer number. Raises CipherError."""
    rows = NumberRows(cache.engine, cache.cipher)
    customers = rows.of(KMD_CUSTOMERS, {"customer_number": [number]})
    places = {row["consumption_place_id"] for row in customers} - {None}
    meters = rows.of(KMD_INSTALLATIONS, {"consumption_place_id": places})
    areas = {row["supply_area"] for row in customers}
    key = {"supply_area": areas, "customer_number": [number]}
    resolved = rows.of(RESOLVED_CUSTOMERS, key)
    addresses = {
        "consumption": rows.of(RESOLVED_CONSUMPTION_ADDRESSES, key),
        "billing": rows.of(RESOLVED_BILLING_ADDRESSES, key),
    }
    parties = {row[name] for row in resolved for name in ("party_id", "co_party_id")} - {None}
    installations = sorted({row["installation_number"] for row in meters} - {None})
    objects = rows.deliveries([number], parties)
    return Picture(
        number=number,
        customers=customers,
        meters=meters,
        resolved=resolved,
        addresses=addresses,
        objects=objects,
        items=cache.worklist.of_numbers([number]),
        drift=rows.drift({each.object_id for each in objects}),
        neighbours=installations,
    )


def installation_picture(cache: Cache, number: str) -> Picture:
    """All of an installation number. Raises CipherError."""
    rows = NumberRows(cache.engine, cache.cipher)
    meters = rows.of(KMD_INSTALLATIONS, {"installation_number": [number]})
    places = {row["consumption_place_id"] for row in meters} - {None}
    living = rows.of(KMD_CUSTOMERS, {"consumption_place_id": places})
    areas = {row["supply_area"] for row in meters}
    objects = rows.deliveries([number], ())
    return Picture(
        number=number,
        customers=(),
        meters=meters,
        resolved=(),
        addresses={
            "installation": rows.of(
                RESOLVED_INSTALLATION_ADDRESSES, {"supply_area": areas, "installation_number": [number]}
            )
        },
        objects=objects,
        items=cache.worklist.of_numbers([number, *(row["meter_period"] for row in meters)]),
        drift=rows.drift({each.object_id for each in objects}),
        neighbours=sorted({row["customer_number"] for row in living}),
    )


def note_view(cache: Cache, ids: ObjectIds, number: str, purpose: str, by: str) -> None:
    """Writes into the audit that a person saw the personal numbers of a customer number, and what for."""
    lookup = Lookup(purpose, "role privacy", "shown with personal numbers", f"page, by {by}")
    cache.answers.audit(VIEW, ids.subject(f"customer|{number}"), lookup)

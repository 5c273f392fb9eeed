"""The CRM by our own ids: where it was adopted, primary ids are translated on the way out and on the way in.

Everything else of the product knows our ids only. A CRM that was not adopted costs one question to the cache per batch
and none to the CRM.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from integration_assets.cache.claims import Delivery
from integration_assets.cache.row_adoptions import RowAdoptions
from integration_assets.domain.crm.tables import STANDARD, CrmMapping

Payload = Mapping[str, Any]


class AdoptedRows:
    """Translates deliveries of an entity into those of the rows that the CRM had before us."""

    def __init__(self, adoptions: RowAdoptions | None, entity: str, by: CrmMapping = STANDARD) -> None:
        self._adoptions = adoptions
        self._entity = entity
        self._lookups = tuple(field.name for field in by.fields[entity] if field.target is not None)

    def there(self, rows: Sequence[Delivery]) -> list[Delivery]:
        """The deliveries under the ids that the CRM knows, of the rows and of those they point at; in their order."""
        mentioned = {row.object_id for row in rows}
        for row in rows:
            mentioned.update(self._pointed_at(row.desired))
            mentioned.update(self._pointed_at(row.delivered or {}))
        ids = row_ids(self._adoptions, mentioned)
        if not ids:
            return list(rows)
        return [
            replace(
                row,
                object_id=ids.get(row.object_id, row.object_id),
                desired=self.renamed(row.desired, ids),
                delivered=None if row.delivered is None else self.renamed(row.delivered, ids),
            )
            for row in rows
        ]

    def renamed(self, payload: Payload, ids: Mapping[str, str]) -> dict[str, Any]:
        """A payload whose lookups name the CRM's ids."""
        return {
            name: ids.get(value, value) if name in self._lookups and value is not None else value
            for name, value in payload.items()
        }

    def pointed_at(self, payloads: Iterable[Payload]) -> dict[str, str]:
        """The CRM's ids of the adopted rows that payloads point at, by ours."""
        return row_ids(self._adoptions, {each for payload in payloads for each in self._pointed_at(payload)})

    def _pointed_at(self, payload: Payload) -> set[str]:
        return {value for name in self._lookups if (value := payload.get(name)) is not None}


def row_ids(adoptions: RowAdoptions | None, object_ids: Iterable[str]) -> dict[str, str]:
    """The CRM's ids of those of these objects that were adopted, by ours."""
    return {} if adoptions is None or not adoptions.are_any() else adoptions.row_ids(object_ids)

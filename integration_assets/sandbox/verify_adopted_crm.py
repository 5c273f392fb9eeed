"""Whether a CRM that was filled before us (`original_crm`) holds the truth after it was adopted.

What counts is every row but those that were left for another and those of strangers; addresses are known by the
register's ids, whatever ids their rows have.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from integration_assets.sandbox.original_crm import PlantedRows
from integration_assets.sandbox.verify_compare import Difference
from integration_assets.sandbox.verify_crm import compare_crm
from integration_assets.sandbox.verify_read import Crm

Json = dict[str, Any]

PRIMARY_IDS = {
    "contacts": "contactid",
    "accounts": "accountid",
    "ava_adresses": "ava_adresseid",
    "ava_kunderolles": "ava_kunderolleid",
    "ava_aftales": "ava_aftaleid",
    "ava_installations": "ava_installationid",
    "incidents": "incidentid",
}
"""Primary keys by entity set."""


class AdoptedCrm(Crm):
    """A CRM without what is none of ours, whose addresses have the register's ids."""

    def __init__(self, settings: Mapping[str, str], planted: PlantedRows) -> None:
        super().__init__(settings)
        self._aside = planted.left | planted.strangers
        self._addresses = planted.addresses

    def rows(self, set_name: str) -> list[Json]:
        """All rows of an entity set that stand for something of ours."""
        primary_id = PRIMARY_IDS[set_name]
        counting = (row for row in super().rows(set_name) if (set_name, row[primary_id]) not in self._aside)
        return [
            {
                name: self._addresses.get(value, value) if isinstance(value, str) else value
                for name, value in row.items()
            }
            for row in counting
        ]

    def linked(self, set_name: str, navigation: str, row_ids: Iterable[str], target_id: str) -> dict[str, list[str]]:
        """As `Crm.linked`, without links to contacts that were left."""
        aside = {row_id for name, row_id in self._aside if name == "contacts"}
        found = super().linked(set_name, navigation, row_ids, target_id)
        return {row_id: [each for each in targets if each not in aside] for row_id, targets in found.items()}


def compare_adopted_crm(
    settings: Mapping[str, str], truth: Mapping[str, Any], planted: PlantedRows
) -> list[Difference]:
    """All differences between an adopted CRM and the truth, whose primary e-mail addresses are people's where they
    wrote one. Raises httpx.HTTPError."""
    contacts = {
        number: contact | {"primary_email": planted.emails.get(number, contact["primary_email"])}
        for number, contact in truth["contacts"].items()
    }
    return compare_crm(settings, {**truth, "contacts": contacts}, lambda given: AdoptedCrm(given, planted))


def versions(settings: Mapping[str, str], rows: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str | None]:
    """The etag of each of these rows: (entity set, id). None for one that is gone."""
    wanted = set(rows)
    found: dict[tuple[str, str], str | None] = dict.fromkeys(wanted)
    with Crm(settings) as crm:
        for set_name in sorted({each for each, _ in wanted}):
            etags = {row[PRIMARY_IDS[set_name]]: row["@odata.etag"] for row in crm.rows(set_name)}
            found |= {each: etags.get(each[1]) for each in wanted if each[0] == set_name}
    return found


def lost(settings: Mapping[str, str], planted: PlantedRows) -> list[tuple[str, str, str]]:
    """What people wrote into rows of ours and that is not there any more: (entity set, id, column)."""
    with Crm(settings) as crm:
        rows = {
            (set_name, row[PRIMARY_IDS[set_name]]): row
            for set_name in sorted({each[0] for each in planted.kept})
            for row in crm.rows(set_name)
        }
    return [
        (set_name, row_id, column)
        for set_name, row_id, column, value in planted.kept
        if rows.get((set_name, row_id), {}).get(column) != value
    ]

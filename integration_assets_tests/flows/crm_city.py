"""A city of invented customers as rows of all CRM entities, and what the CRM has of them.

Each customer has an address, a contact, an account, a role, an agreement with its link, and an installation. `version`
changes a text in every row but the links.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import polars as pl

from integration_assets.clients.dynamics import DynamicsClient
from integration_assets.domain.crm.fields import CRM_TABLES, FIELDS, TABLE_FACTS
from integration_assets.flows.crm import LINKS

AREA = "5000"
ORDER = (*TABLE_FACTS, LINKS)
"""Entities in the order of a delivery: who is pointed at comes first."""

CHANGING = {
    "addresses": "ava_by",
    "contacts": "ava_kmdeemasterid",
    "accounts": "name",
    "customer_roles": "ava_rolle",
    "agreements": "ava_name",
    "installations": "ava_maalertype",
}
"""The column of each entity that another version changes."""

TOO_LONG = "x" * 300

_KINDS = {entity: number for number, entity in enumerate(ORDER, start=1)}


def row_id(entity: str, number: int) -> str:
    """The id of a customer's row."""
    return f"{_KINDS[entity]:08x}-0000-8000-8000-{number:012x}"


def city(customers: Sequence[int], version: int = 0) -> dict[str, pl.DataFrame]:
    """Rows by entity, in `ORDER`: object_id, business_key, supply_area and the mapped columns."""
    frames: dict[str, pl.DataFrame] = {}
    for entity in TABLE_FACTS:
        schema = {"object_id": pl.String, **CRM_TABLES[entity].schema}
        del schema[TABLE_FACTS[entity].primary_id]
        rows = (_row(entity, number, version) for number in customers)
        frames[entity] = pl.DataFrame(list(rows), schema=schema)
    frames[LINKS] = pl.DataFrame(
        [
            {
                **_keys(LINKS, number),
                "agreement_id": row_id("agreements", number),
                "contact_id": row_id("contacts", number),
                "linked": True,
            }
            for number in customers
        ]
    )
    return frames


def _keys(entity: str, number: int) -> dict[str, Any]:
    return {"object_id": row_id(entity, number), "business_key": f"{number:07}", "supply_area": AREA}


def _row(entity: str, number: int, version: int) -> dict[str, Any]:
    active = {"statecode": 0, "statuscode": 1}
    address = row_id("addresses", number)
    own: Mapping[str, Any]
    match entity:
        case "addresses":
            own = {"ava_name": f"Vej {number}", "ava_by": f"By {version}", "ava_land": "Danmark"}
        case "contacts":
            own = {
                "firstname": f"Fornavn {number}",
                "lastname": "Prøve",
                "ava_kmdeemasterid": f"{number}-{version}",
                "emailaddress1": f"n{number}@example.dk",
                "ava_emailkmdee": f"n{number}@example.dk",
                "ava_adresse": address,
            }
        case "accounts":
            own = {"name": f"Varme {version}", "ava_kundenummer": str(number), "ava_adresse": address, **active}
        case "customer_roles":
            own = {
                "ava_rolle": 915240000 + (4 + version) % 7,
                "ava_aktoer": row_id("contacts", number),
                "ava_kundeforhold": row_id("accounts", number),
                **active,
            }
        case "agreements":
            own = {
                "ava_name": f"Aftale {version}",
                "ava_aftaletype": 915240001,
                "ava_startdato": date(2020, 1, 1),
                "ava_slutdato": date(9999, 12, 31),
                "ava_kundeforhold": row_id("accounts", number),
                "ava_faktureringsadresse": address,
                **active,
            }
        case _:
            own = {
                "ava_name": f"Maaler {number}",
                "ava_identifikation": f"I{number}",
                "ava_maalertype": f"qp {version}",
                "ava_aftale": row_id("agreements", number),
                "ava_adresse": address,
                **active,
            }
    return {**_keys(entity, number), **own}


def in_crm(client: DynamicsClient, entity: str) -> dict[str, dict[str, Any]]:
    """What the CRM has of an entity, by id: the mapped columns that have a value, by field name."""
    fields = FIELDS[entity]
    facts = TABLE_FACTS[entity]
    columns = {field.name: f"_{field.column}_value" if field.target else field.column for field in fields}
    rows = client.query(facts.set_name, [facts.primary_id, *columns.values()])
    found = [
        (row[facts.primary_id], {name: row[read] for name, read in columns.items() if row.get(read) is not None})
        for row in rows
    ]
    assert len({key for key, _ in found}) == len(found)
    return dict(found)


def wanted(frame: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """What the CRM should have of an entity, in the form of `in_crm`."""
    return {row.pop("object_id"): dict(_shown(row)) for row in frame.to_dicts()}


def _shown(row: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        if value is not None and name not in ("business_key", "supply_area"):
            yield name, value.isoformat() if isinstance(value, date) else value

"""Customers as a cache holds them after runs: source rows, resolved rows, deliveries, answers, audit, rejections."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import sqlalchemy as sa

from integration_assets.cache.deliveries import Outcome
from integration_assets.cache.merge import merge_partition
from integration_assets.cache.register_answers import Lookup
from integration_assets.cache.store import Cache
from integration_assets.domain.crm.fields import CRM_TABLES
from integration_assets.domain.identity import ObjectIds
from integration_assets.domain.schema import EntityTable
from integration_assets.domain.tables import (
    KMD_CUSTOMERS,
    REGISTRY_ROWS,
    RESOLVED_CONSUMPTION_ADDRESSES,
    RESOLVED_CUSTOMERS,
)

AREA = "5000"


def place_text(customer_number: str) -> str:
    """What the washing is asked about the consumption place of `OnFile.add`."""
    return f"Vestergade {customer_number}, 1. tv, 5000 Odense C"


def billing_text(customer_number: str) -> str:
    """What the washing is asked about its billing line."""
    return f"c/o Hansen, Søvej {customer_number}, 5700 Svendborg"


LOOKUP = Lookup("keeping customer data true", "an act of these tests", "found", "run 1")


def frame(rows: list[dict[str, Any]], schema: pl.Schema) -> pl.DataFrame:
    """The rows as a frame of the schema; what a row does not name is null."""
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=schema)


@dataclass
class OnFile:
    """A cache and the customer relations in it, by customer number; `write` puts them there as a run does."""

    store: Cache
    ids: ObjectIds
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    ended: dict[str, dict[str, Any]] = field(default_factory=dict)

    def party(self, number: str) -> str:
        return str(self.ids.of("person", number))

    def add(self, customer_number: str, main: str, co: str | None = None, moved_out: date | None = None) -> None:
        """A customer relation in Vestergade; the house number is the customer number."""
        self.rows[customer_number] = {
            "customer_number": customer_number,
            "supply_area": AREA,
            "id_number": main,
            "co_id_number": co,
            "number": main,
            "co_number": co,
            "party_id": self.party(main),
            "party_kind": "person",
            "co_party_id": self.party(co) if co else None,
            "name": f"Name {customer_number}",
            "phone": "65123456",
            "moved_in": date(2015, 1, 1),
            "moved_out": moved_out,
            "street_name": "Vestergade",
            "house_number": customer_number,
            "floor": "1",
            "door": "tv",
            "postcode": "5000",
            "city": "Odense C",
            "billing_street_line": f"c/o Hansen, Søvej {customer_number}",
            "billing_district": "5700 Svendborg",
            "address_line": f"Vestergade {customer_number} 1tv, 5000 Odense C",
        }

    def end(self, customer_number: str) -> None:
        """The row leaves the window of the source; what was delivered stays."""
        self.ended[customer_number] = self.rows.pop(customer_number)

    def write(self, now: datetime) -> None:
        """Merges the rows, and delivers what belongs to them and to those that ended."""
        rows = list(self.rows.values())
        for table in (KMD_CUSTOMERS, RESOLVED_CUSTOMERS, RESOLVED_CONSUMPTION_ADDRESSES):
            self.merge(table, rows, now)
        everything = [*rows, *self.ended.values()]
        people = {row[key]: row for row in everything for key in ("number", "co_number") if row[key]}
        customers = [
            {**row, "object_id": self.party(number), "number": number, "last_name": f"Last {number[:6]}"}
            for number, row in people.items()
        ]
        roles = [
            {
                **row,
                "object_id": f"role-{row['customer_number']}-{party}",
                "party_id": party,
                "valid_to": row["moved_out"],
            }
            for row in everything
            for party in (row["party_id"], row["co_party_id"])
            if party
        ]
        relations = [
            {
                **row,
                "object_id": f"relation-{row['customer_number']}",
                "name": f"Varme, {row['address_line']}",
                "valid_to": row["moved_out"],
            }
            for row in everything
        ]
        for entity, desired in (("customers", customers), ("customer_roles", roles), ("customer_relations", relations)):
            self._deliver("lora", entity, desired, REGISTRY_ROWS[entity])
        contacts = CRM_TABLES["contacts"]
        crm = [
            {"contactid": row["object_id"], "ava_cpr_nummer": row["number"], "lastname": row["last_name"], **row}
            for row in customers
            if self.is_read_back(row["object_id"])
        ]
        payload = pl.Schema({"ava_cpr_nummer": pl.String, "lastname": pl.String})
        self._deliver("crm", "contacts", crm, payload)
        self.merge(contacts, [{**row, "business_key": row["customer_number"]} for row in crm], now)

    def is_read_back(self, party: str) -> bool:
        """Whether the registry's row of a party is at hand, which the CRM's is made of."""
        found = self.store.deliveries.found("lora", "customers", None, REGISTRY_ROWS["customers"])
        return party in found["object_id"].to_list()

    def merge(self, table: EntityTable, rows: list[dict[str, Any]], now: datetime) -> None:
        merge_partition(
            self.store.engine, table, [AREA], frame(rows, table.schema), cipher=self.store.cipher, as_of_now=now
        )

    def answer(self, number: str, as_of: date) -> None:
        """The person register's answer about a number, with its audit."""
        subject = self.ids.subject(f"person|{number}")
        self.store.answers.put("person", subject, {"kind": "person", "number": number}, as_of, lookup=LOOKUP)

    def completed(self, question: str, number: str | None, as_of: date) -> None:
        """A remembered completion, which says whom it found."""
        outcome = f"|{number}|consumption_address" if number else "completion_no_match||"
        self.store.answers.put("completion", self.ids.subject(f"completion|{question}"), {"outcome": outcome}, as_of)

    def washed(self, *texts: str) -> None:
        """Answers of the washing to address texts; what counts for texts is the same but for case."""
        with self.store.engine.begin() as connection:
            for text in texts:
                connection.execute(
                    sa.text(
                        "INSERT INTO washing (kind, text, normalized, category, outcome, evidence, generation, "
                        "rule_version, washed_at) VALUES ('unit', :text, :normalized, 'A', 'unit', '{}', 1, '1', now())"
                    ),
                    {"text": text, "normalized": text.lower()},
                )

    def sent(self) -> int:
        """How many objects wait to be sent now."""
        return int(self.store.deliveries.due(datetime.now(UTC))["count"].sum())

    def _deliver(self, system: str, entity: str, rows: list[dict[str, Any]], payload: pl.Schema) -> None:
        keys = pl.Schema({"object_id": pl.String, "business_key": pl.String, "supply_area": pl.String})
        named = [{**row, "business_key": row["customer_number"]} for row in rows]
        schema = pl.Schema({**keys, **payload})
        self.store.deliveries.desire(system, entity, frame(named, schema))
        with self.store.deliveries.claim(system, entity, 1000, datetime.now(UTC)) as claim:
            claim.record([Outcome(row.object_id, ok=True) for row in claim.rows])
            sent = {row.object_id: row.desired for row in claim.rows}
        if system == "lora":
            self.store.deliveries.record_found(system, entity, sent)

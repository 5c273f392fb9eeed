"""Sends CRM rows in bulk, and the links between contacts and agreements."""

from collections.abc import Sequence

from integration_assets.cache.deliveries import Delivery, Outcome
from integration_assets.clients.dynamics import DynamicsClient, RowOutcome, TableName
from integration_assets.clients.http import CallError
from integration_assets.domain.crm.fields import AGREEMENT_CONTACTS, TABLE_FACTS
from integration_assets.domain.crm.wire import first_writer_fields, wire
from integration_assets.flows.delivery import Send, failure

SYSTEM = "crm"
LINKS = "agreement_contacts"


def table_name(entity: str) -> TableName:
    """The names that the client needs, from the declaration of the mapping."""
    facts = TABLE_FACTS[entity]
    return TableName(facts.set_name, facts.logical_name, facts.primary_id)


def row_sender(client: DynamicsClient, entity: str) -> Send:
    """Sends the changed columns of CRM rows by bulk upsert on our own primary keys.

    Columns that belong to whoever writes them first are looked at in the CRM before they are sent.
    """
    table = table_name(entity)

    def send(rows: Sequence[Delivery]) -> list[Outcome]:
        try:
            lacking = _lacking(client, entity, table, rows)
        except CallError as error:
            return [failure(row, error) for row in rows]
        payloads = {
            row.object_id: wire(
                entity,
                {**row.desired, table.primary_id: row.object_id},
                row.delivered,
                crm_lacks=lacking.get(row.object_id, ()),
            )
            for row in rows
        }
        # A row in which only a column changed that the CRM's own value keeps has nothing to send.
        outcomes = {key: RowOutcome(key, True) for key, payload in payloads.items() if len(payload) == 1}
        wanted = [payload for key, payload in payloads.items() if key not in outcomes]
        known = [row.object_id for row in rows if row.delivered is not None]
        outcomes |= {outcome.row_id: outcome for outcome in client.upsert(table, wanted, known=known)}
        return [_outcome(outcomes[row.object_id]) for row in rows]

    return send


def _lacking(
    client: DynamicsClient, entity: str, table: TableName, rows: Sequence[Delivery]
) -> dict[str, tuple[str, ...]]:
    """Which first-writer columns the CRM has no value for, by row; only rows that would send one are looked at."""
    columns = first_writer_fields(entity)
    asking = [
        row.object_id
        for row in rows
        if any(row.desired.get(name) and row.desired.get(name) != (row.delivered or {}).get(name) for name in columns)
    ]
    if not asking:
        return {}
    present = client.select(table, columns, asking)
    return {key: tuple(name for name in columns if not present.get(key, {}).get(name)) for key in asking}


def link_sender(client: DynamicsClient) -> Send:
    """Adds and removes the links between agreements and contacts (N:N)."""
    facts = AGREEMENT_CONTACTS

    def send(rows: Sequence[Delivery]) -> list[Outcome]:
        outcomes: dict[str, RowOutcome] = {}
        for linked, change in ((True, client.link), (False, client.unlink)):
            chosen = [row for row in rows if bool(row.desired["linked"]) is linked]
            pairs = [(row.desired["agreement_id"], row.desired["contact_id"]) for row in chosen]
            answers = change(facts.set_name, facts.navigation, facts.target_set, pairs) if pairs else []
            outcomes |= {row.object_id: answer for row, answer in zip(chosen, answers, strict=True)}
        return [_outcome(outcomes[row.object_id], row.object_id) for row in rows]

    return send


def _outcome(outcome: RowOutcome, object_id: str | None = None) -> Outcome:
    return Outcome(
        object_id or outcome.row_id,
        ok=outcome.ok,
        external_ref=outcome.row_id if outcome.ok else None,
        error_code=outcome.code,
        error_text=outcome.text,
        permanent=outcome.permanent,
    )

"""Sends CRM rows in bulk, and the links between contacts and agreements.

New rows are created, known ones updated; neither can make a row twice, and an update cannot make one at all. Where a
row was thought to be new and is there already, was there before us (adopted) or is to be repaired, what the CRM has is
looked at, and the difference is written. What was thought to be there and is gone is sent as a whole row.
"""

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import polars as pl

from integration_assets.cache.deliveries import Deliveries, Delivery, Outcome
from integration_assets.cache.row_adoptions import RowAdoptions
from integration_assets.clients.dynamics import DynamicsClient, RowOutcome, TableName
from integration_assets.clients.dynamics_pace import SMALLEST_BATCH
from integration_assets.clients.dynamics_rows import DUPLICATE, MISSING, TAKEN_KEY, failed
from integration_assets.clients.http import CallError, PermanentError
from integration_assets.domain.crm.fields import AGREEMENT_CONTACTS, CASE_REFERENCES, CASES
from integration_assets.domain.crm.found import mended, read_columns, read_name, shown
from integration_assets.domain.crm.tables import STANDARD, CrmMapping
from integration_assets.domain.crm.wire import first_writer_fields, remapped, wire
from integration_assets.flows.adopted_rows import AdoptedRows, row_ids
from integration_assets.flows.delivery import DeliveryReport, Send, deliver, failure

SYSTEM = "crm"
LINKS = "agreement_contacts"
OPEN_CASE = "open_case"
"""Code of a row that would end and is left alone, because an open case refers to it."""

_ADOPT = " A row that others made stands for it: `integration-assets adopt --system crm` takes it over."

_SENDERS_PER_USER = 6
"""Batches claimed at once: those that may be under way, and some ready for the turns that come free."""
_MOST_SENDERS = 12
"""Each holds a connection to the cache."""


def table_name(entity: str, by: CrmMapping = STANDARD) -> TableName:
    """The names that the client needs, from the declaration of the mapping."""
    facts = by.tables[entity]
    return TableName(facts.set_name, facts.logical_name, facts.primary_id)


def deliver_rows(
    deliveries: Deliveries,
    client: DynamicsClient,
    entity: str,
    send: Send,
    areas: Sequence[str],
    by: CrmMapping = STANDARD,
) -> DeliveryReport:
    """Sends all due rows of an entity in these areas, several batches at once, and records their outcomes.

    Each sender claims, sends and records batches of its own, so the CRM is never waited for with nothing under way.
    Towards the end batches get smaller, so that all senders end at about the same time.
    """
    sized_by = AGREEMENT_CONTACTS.navigation if entity == LINKS else by.tables[entity].set_name
    report = DeliveryReport()
    counts = Counter(deliveries.counts(SYSTEM, entity, areas))
    shares = _Shares(counts.total() - counts["delivered"], min(_SENDERS_PER_USER * client.users, _MOST_SENDERS))

    def sender(_: int) -> DeliveryReport:
        return deliver(
            deliveries, SYSTEM, entity, send, areas=areas, claim_rows=lambda: shares.next(client.batch_rows(sized_by))
        )

    senders = shares.senders
    if senders <= 1:
        return sender(0)
    with ThreadPoolExecutor(senders) as pool:
        for part in pool.map(sender, range(senders)):
            report.add(part)
    return report


class _Shares:
    """How rows are shared out among senders that take batch after batch."""

    def __init__(self, rows: int, most_senders: int) -> None:
        self.senders = max(1, min(rows // SMALLEST_BATCH, most_senders))
        self._left = rows
        self._lock = threading.Lock()

    def next(self, most: int) -> int:
        """Rows of the next batch: at most so many, and of what is left half a sender's share."""
        with self._lock:
            rows = max(1, min(most, max(SMALLEST_BATCH, self._left // (2 * self.senders))))
            self._left = max(0, self._left - rows)
            return rows


def row_sender(
    client: DynamicsClient, entity: str, by: CrmMapping = STANDARD, *, adoptions: RowAdoptions | None = None
) -> Send:
    """Sends the changed columns of CRM rows by bulk messages on primary keys: ours, or those of adopted rows.

    Columns that belong to whoever writes them first are looked at in the CRM before they are sent, and only written
    into the version that was looked at. Rows that would end while an open case refers to them are left alone.
    """
    return _RowSender(client, entity, by, adoptions).send


class _RowSender:
    def __init__(self, client: DynamicsClient, entity: str, by: CrmMapping, adoptions: RowAdoptions | None) -> None:
        self._client = client
        self._entity = entity
        self._by = by
        self._table = table_name(entity, by)
        self._adopted = AdoptedRows(adoptions, entity, by)
        self._first_written = first_writer_fields(entity, by)
        self._state_columns = frozenset(
            field.column for field in by.fields[entity] if field.rule in ("state", "status")
        )

    def send(self, rows: Sequence[Delivery]) -> list[Outcome]:
        """One outcome per row, in order."""
        there = self._adopted.there(rows)
        outcomes: dict[str, RowOutcome] = {}
        own_ids = {row.object_id: each.object_id for each, row in zip(rows, there, strict=True)}
        # Repairs have nothing new to say; of an adopted row nothing was ever said by us.
        unclear = {
            key
            for key, row in zip(own_ids, there, strict=True)
            if row.revive or row.delivered == row.desired or (row.delivered is None and key != own_ids[key])
        }
        clear = [row for row in there if row.object_id not in unclear]
        new = [row for row in clear if row.delivered is None]
        known = [row for row in clear if row.delivered is not None]
        try:
            outcomes |= self._kept_for_cases([row for row in known if _ends(row)])
            outcomes |= self._create(new)
            outcomes |= self._update([row for row in known if row.object_id not in outcomes])
            outcomes |= self._mend([row for row in there if row.object_id in unclear])
        except CallError as error:
            return [
                _outcome(outcomes[key], own_id) if key in outcomes else failure(each, error)
                for each, (key, own_id) in zip(rows, own_ids.items(), strict=True)
            ]
        return [_outcome(outcomes[key], own_id) for key, own_id in own_ids.items()]

    def _create(self, rows: Sequence[Delivery]) -> dict[str, RowOutcome]:
        """Rows that the CRM has not: all that they have is sent, first-writer columns too."""
        if not rows:
            return {}
        every = [field.name for field in self._first_written]
        payloads = [self._made_active(row, self._wire(row, {}, every)) for row in rows]
        outcomes = {each.row_id: each for each in self._client.create(self._table, payloads)}
        outcomes |= self._end([row for row in rows if outcomes[row.object_id].ok])
        return outcomes | self._mend([row for row in rows if outcomes[row.object_id].code == DUPLICATE])

    def _update(self, rows: Sequence[Delivery]) -> dict[str, RowOutcome]:
        filling = [row for row in rows if self._would_fill(row)]
        found = self._look(filling)
        lacking = {key: self._lacking(row) for key, row in found.items()}
        payloads = {row.object_id: self._wire(row, row.delivered or {}, lacking.get(row.object_id, ())) for row in rows}
        etags = {key: str(found[key]["@odata.etag"]) for key, names in lacking.items() if names}
        outcomes = self._written(payloads, etags)
        return outcomes | self._make_again([row for row in rows if outcomes[row.object_id].code in MISSING])

    def _mend(self, rows: Sequence[Delivery]) -> dict[str, RowOutcome]:
        """Rows of which is not known what the CRM has in them: looked at, and brought to what they should be."""
        if not rows:
            return {}
        columns = read_columns(self._entity, self._by)
        found = self._client.select(self._table, columns, [row.object_id for row in rows])
        standing = [row for row in rows if row.object_id in found]
        outcomes = self._kept_for_cases(
            [row for row in standing if _is_ended(row.desired) and self._is_active(found[row.object_id])]
        )
        payloads = {
            row.object_id: mended(self._entity, self._with_id(row), found[row.object_id], self._by)
            for row in standing
            if row.object_id not in outcomes
        }
        filled = {field.column for field in self._first_written}
        etags = {key: str(found[key]["@odata.etag"]) for key, payload in payloads.items() if filled & payload.keys()}
        outcomes |= self._written(payloads, etags)
        gone = [row for row in rows if row.object_id not in found or outcomes[row.object_id].code in MISSING]
        return outcomes | self._make_again(gone)

    def _written(self, payloads: Mapping[str, Mapping[str, object]], etags: Mapping[str, str]) -> dict[str, RowOutcome]:
        """Updates by row id. Where nothing is left to be written, all is well."""
        wanted = [payload for payload in payloads.values() if len(payload) > 1]
        outcomes = {key: RowOutcome(key, True) for key, payload in payloads.items() if len(payload) == 1}
        if wanted:
            outcomes |= {each.row_id: each for each in self._client.update(self._table, wanted, etags=etags)}
        return outcomes

    def _make_again(self, rows: Sequence[Delivery]) -> dict[str, RowOutcome]:
        """Rows that were there and are gone, or that point at one that is: sent as they are, without blanks."""
        if not rows:
            return {}
        found = self._look([row for row in rows if self._would_fill(replace(row, delivered=None))])
        payloads = [
            self._made_active(row, self._wire(row, {}, self._lacking(found.get(row.object_id, {})))) for row in rows
        ]
        outcomes = {each.row_id: each for each in self._client.upsert(self._table, payloads)}
        return outcomes | self._end([row for row in rows if outcomes[row.object_id].ok])

    def _made_active(self, row: Delivery, payload: dict[str, object]) -> dict[str, object]:
        """What creates a row: in most tables every row begins active, so one that has ended is ended afterwards."""
        if not _is_ended(row.desired):
            return payload
        return {column: value for column, value in payload.items() if column not in self._state_columns}

    def _end(self, created: Sequence[Delivery]) -> dict[str, RowOutcome]:
        """Ends those of the rows, created a moment ago, that should be ended."""
        kept = {self._table.primary_id, *self._state_columns}
        payloads = [
            {column: value for column, value in self._wire(row, {}, ()).items() if column in kept}
            for row in created
            if _is_ended(row.desired)
        ]
        return {each.row_id: each for each in self._client.update(self._table, payloads)} if payloads else {}

    def _wire(self, row: Delivery, delivered: Mapping[str, object], lacking: Sequence[str]) -> dict[str, object]:
        return wire(self._entity, self._with_id(row), delivered or None, crm_lacks=lacking, by=self._by)

    def _with_id(self, row: Delivery) -> dict[str, object]:
        return {**row.desired, self._table.primary_id: row.object_id}

    def _would_fill(self, row: Delivery) -> bool:
        """Whether a column that belongs to its first writer has a value that was not sent before."""
        before = row.delivered or {}
        moved = remapped(self._entity, before, self._by)
        names = [field.name for field in self._first_written]
        return any(
            row.desired.get(name) and (name in moved or row.desired.get(name) != before.get(name)) for name in names
        )

    def _look(self, rows: Sequence[Delivery]) -> dict[str, dict[str, object]]:
        """What the CRM has in the first-writer columns of these rows, by id; not those that it has not."""
        if not rows:
            return {}
        columns = [read_name(field) for field in self._first_written]
        return self._client.select(self._table, columns, [row.object_id for row in rows])

    def _lacking(self, found: Mapping[str, object]) -> tuple[str, ...]:
        """Names of the first-writer fields that have no value in a row of the CRM."""
        return tuple(field.name for field in self._first_written if shown(field, found) is None)

    def _is_active(self, found: Mapping[str, object]) -> bool:
        """Whether a row of the CRM is active."""
        states = [field for field in self._by.fields[self._entity] if field.rule == "state"]
        return any(shown(field, found) == 0 for field in states)

    def _kept_for_cases(self, ending: Sequence[Delivery]) -> dict[str, RowOutcome]:
        """Those of the rows to be ended that an open case refers to: left as they are, and asked again daily.

        All of them, to be tried again soon, where the CRM does not tell which cases are open.
        """
        ids = [row.object_id for row in ending]
        if not ids:
            return {}
        kept: dict[str, RowOutcome] = {}
        cases = TableName(CASES.set_name, CASES.logical_name, CASES.primary_id)
        try:
            for column in CASE_REFERENCES.get(self._entity, ()):
                for case in self._client.select_where(cases, ["ticketnumber", column], column, ids, "statecode eq 0"):
                    name = case.get("ticketnumber") or case[cases.primary_id]
                    text = f"The open case {name} refers to it; it ends when the case is closed."
                    kept[str(case[column])] = RowOutcome(str(case[column]), False, OPEN_CASE, text, permanent=True)
        except CallError as error:
            return {key: replace(failed(key, error), text=_not_told(error), permanent=False) for key in ids}
        return kept


def _not_told(error: CallError) -> str:
    needed = " The application user needs Read on Case (incident), for the whole organisation."
    return (
        "It is not ended before the CRM tells whether an open case refers to it."
        f"{needed if isinstance(error, PermanentError) else ''} {error}"
    )


def _ends(row: Delivery) -> bool:
    return (row.delivered or {}).get("statecode") == 0 and _is_ended(row.desired)


def _is_ended(content: Mapping[str, object]) -> bool:
    return content.get("statecode") == 1


def worklist(entity: str, refused: pl.DataFrame) -> pl.DataFrame:
    """Rejections (columns of `cache.rejections.FOUND`) of rows that the CRM refused or that wait for a case.

    `refused` as from `cache.refused`. Reasons are open_case and crm_refused.
    """
    waits = pl.col("error_code") == OPEN_CASE
    hint = pl.when(pl.col("error_code") == TAKEN_KEY).then(pl.lit(_ADOPT)).otherwise(pl.lit(""))
    known = entity not in ("installations", "addresses")
    return refused.select(
        pl.col("business_key").alias("record_key"),
        pl.when(waits).then(pl.lit(OPEN_CASE)).otherwise(pl.lit("crm_refused")).alias("reason"),
        pl.when(waits)
        .then("error_text")
        .otherwise(pl.format("{} {}{}", "error_code", pl.col("error_text").fill_null(""), hint))
        .alias("text"),
        (pl.col("business_key") if known else pl.lit(None, pl.String)).alias("customer_number"),
        "supply_area",
    )


def link_sender(client: DynamicsClient, *, adoptions: RowAdoptions | None = None) -> Send:
    """Adds and removes the links between agreements and contacts (N:N), adopted rows under their own ids."""
    facts = AGREEMENT_CONTACTS

    def send(rows: Sequence[Delivery]) -> list[Outcome]:
        ends = [(str(row.desired["agreement_id"]), str(row.desired["contact_id"])) for row in rows]
        ids = row_ids(adoptions, {each for pair in ends for each in pair})
        pairs = {
            row.object_id: (ids.get(agreement, agreement), ids.get(contact, contact))
            for row, (agreement, contact) in zip(rows, ends, strict=True)
        }
        outcomes: dict[str, RowOutcome] = {}
        for linked, change in ((True, client.link), (False, client.unlink)):
            chosen = [row.object_id for row in rows if bool(row.desired["linked"]) is linked]
            answers = (
                change(facts.set_name, facts.navigation, facts.target_set, [pairs[key] for key in chosen])
                if chosen
                else []
            )
            outcomes |= dict(zip(chosen, answers, strict=True))
        return [_outcome(outcomes[row.object_id], row.object_id) for row in rows]

    return send


def _outcome(outcome: RowOutcome, object_id: str) -> Outcome:
    return Outcome(
        object_id,
        ok=outcome.ok,
        external_ref=outcome.row_id if outcome.ok else None,
        error_code=outcome.code,
        error_text=outcome.text,
        permanent=outcome.permanent,
    )

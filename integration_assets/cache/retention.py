"""What is taken out of the cache when its time is over, in small transactions that no run waits for.

Which rows go, and when, is decided by the caller and by conditions on what no run can need: rows that are locked at the
moment stay until the next time.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

import polars as pl
import sqlalchemy as sa

from integration_assets.cache import payloads
from integration_assets.cache.cipher import Cipher
from integration_assets.cache.copying import fetch
from integration_assets.domain.tables import ADDRESS_REGISTER, ENTITY_TABLES, KMD_CUSTOMERS, RESOLVED_CUSTOMERS

BATCH_ROWS: Final = 1000

PERSONAL_ENTITIES: Final = ("customers", "contacts")
"""Entities of the delivery table that describe a party: its id is the same in every system."""

_BLANK: Final = "'{}'::bytea"
"""What stands in place of a payload that was taken out: an object without any value."""

_LIVING_PARTIES: Final = " UNION ".join(
    f'SELECT {column} FROM "{RESOLVED_CUSTOMERS.name}" WHERE vanished_at IS NULL AND {column} IS NOT NULL'
    for column in ("party_id", "co_party_id")
)


@dataclass(frozen=True)
class Expired:
    """Rows whose time is over: a table, and the SQL condition with its parameters."""

    table: str
    condition: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


def old_audit(before: datetime) -> Expired:
    """Look-ups audited before an instant."""
    return Expired("audit", "at < :before", {"before": before})


def old_journal(before: datetime) -> Expired:
    """Steps of runs that ended before an instant, but the last of each step in each supply area.

    What a step did last is looked at by sensors: a row before it would start a run for nothing.
    """
    last = "SELECT step, max(ended_at) FROM journal LEFT JOIN LATERAL unnest(areas) AS area ON true GROUP BY step, area"
    return Expired("journal", f"ended_at < :before AND (step, ended_at) NOT IN ({last})", {"before": before})


def old_rejections(before: date) -> Expired:
    """Rejections closed before a day."""
    return Expired("rejection", "closed_on < :before", {"before": before})


def old_claim_messages(before: datetime) -> Expired:
    """Messages of the debt authority that came before an instant."""
    return Expired("claim_message", "received_at < :before", {"before": before})


def old_recall_transactions(before: datetime) -> Expired:
    """Messages to the debt authority that were made before an instant, and whose delivery is not sent any more."""
    waiting = "SELECT transaction_id FROM recall_delivery WHERE next_attempt_at IS NOT NULL OR outcome <> 'DELIVERED'"
    return Expired("recall_transaction", f"made_at < :before AND transaction_id NOT IN ({waiting})", {"before": before})


def old_drift(before: date) -> Expired:
    """Drift closed before a day."""
    return Expired("drift", "closed_on < :before", {"before": before})


def old_supervision(before: datetime) -> list[Expired]:
    """Mails that were sent or given up, alarms that ended, and acknowledgements withdrawn, before an instant."""
    since = {"before": before}
    return [
        Expired("mail_outbox", "state IN ('sent', 'given_up') AND created_at < :before", since),
        Expired("alarm", "ended_at < :before", since),
        Expired("acknowledgement", "withdrawn_at < :before", since),
    ]


def vanished_rows(before: datetime, living: Collection[str], undated: Collection[str]) -> list[Expired]:
    """Rows that vanished from their source before an instant, of all entity tables but the address register.

    The former rows of a party that has others, or is among the `living`, stay: which customer number a party goes by,
    and the phone number it is called by, are told from all its rows. So do those of the `undated` customer numbers,
    whose end is told by nothing else.
    """
    found: list[Expired] = []
    for table in ENTITY_TABLES.values():
        if table is ADDRESS_REGISTER:  # public data
            continue
        condition, parameters = "vanished_at < :before", {"before": before}
        if table is RESOLVED_CUSTOMERS:
            needed = f"{_LIVING_PARTIES} UNION SELECT unnest(CAST(:living AS text[]))"
            condition += " AND customer_number <> ALL(:undated)" + "".join(
                f" AND coalesce({column}, '') NOT IN ({needed})" for column in ("party_id", "co_party_id")
            )
            parameters |= {"living": list(living), "undated": list(undated)}
        found.append(Expired(table.name, condition, parameters))
    return found


def answers_under(subjects: Collection[tuple[str, str]], before: date | None = None) -> Expired:
    """Register answers by service and subject; those given before a day, where one is named."""
    services, keys = [service for service, _ in subjects], [subject for _, subject in subjects]
    condition = "(service, subject) IN (SELECT * FROM unnest(CAST(:services AS text[]), CAST(:subjects AS text[])))"
    parameters: dict[str, Any] = {"services": services, "subjects": keys}
    if before is not None:
        condition, parameters = f"{condition} AND as_of < :before", parameters | {"before": before}
    return Expired("register_answer", condition, parameters)


def washed_texts(engine: sa.Engine) -> pl.DataFrame:
    """The address texts that answers are kept of: text, each once; the empty one tells nothing and is left out."""
    with engine.connect() as connection:
        return fetch(connection, "SELECT DISTINCT text FROM washing WHERE text <> ''", {"text": pl.String}, [])


def count(engine: sa.Engine, expired: Expired) -> int:
    """How many rows `delete` would take out."""
    query = sa.text(f'SELECT count(*) FROM "{expired.table}" WHERE {expired.condition}')
    with engine.connect() as connection:
        return connection.execute(query, expired.parameters).scalar_one()


def delete(engine: sa.Engine, expired: Expired, *, batch_rows: int = BATCH_ROWS) -> int:
    """Takes the rows out, batch after batch, and returns how many; what others hold stays."""
    chosen = f'SELECT ctid FROM "{expired.table}" WHERE {expired.condition} LIMIT {batch_rows} FOR UPDATE SKIP LOCKED'
    query = sa.text(f'DELETE FROM "{expired.table}" WHERE ctid = ANY(ARRAY({chosen}))')
    deleted = 0
    while True:
        with engine.begin() as connection:
            gone = connection.execute(query, expired.parameters).rowcount
        deleted += gone
        if gone < batch_rows:
            return deleted


def answers_before(engine: sa.Engine, cipher: Cipher, before: date) -> pl.DataFrame:
    """Register answers given before a day: service, subject, answer (JSON text). Raises CipherError."""
    query = "SELECT service, subject, answer FROM register_answer WHERE as_of < %s"
    schema = {"service": pl.String, "subject": pl.String, "answer": pl.Binary}
    with engine.connect() as connection:
        stored = fetch(connection, query, schema, [before])
    return stored.with_columns(payloads.to_texts(stored["answer"], cipher))


def delivered_parties(engine: sa.Engine) -> pl.DataFrame:
    """Parties whose payloads are kept somewhere: party_id, known_on (day of the last change), delivered in full."""
    query = (
        "SELECT object_id, max(desired_at)::date, bool_and(delivered_fingerprint IS NOT DISTINCT FROM "
        f"desired_fingerprint) FROM delivery WHERE entity = ANY(%s) AND desired <> {_BLANK} GROUP BY object_id"
    )
    schema = {"party_id": pl.String, "known_on": pl.Date, "settled": pl.Boolean}
    with engine.connect() as connection:
        return fetch(connection, query, schema, [list(PERSONAL_ENTITIES)])


def presumed_ends(engine: sa.Engine) -> pl.DataFrame:
    """When customer roles ended whose relation no living row tells of: object_id, presumed_end.

    That is the day on which the relation's last row vanished or, where none is kept, the day of the role's last change.
    """
    rows = " UNION ALL ".join(
        f'SELECT customer_number, vanished_at FROM "{table.name}"' for table in (KMD_CUSTOMERS, RESOLVED_CUSTOMERS)
    )
    query = (
        "SELECT role.object_id, coalesce(max(known.vanished_at), role.desired_at)::date FROM delivery AS role "
        f"LEFT JOIN ({rows}) AS known ON known.customer_number = role.business_key "
        "WHERE role.system = 'lora' AND role.entity = 'customer_roles' GROUP BY role.object_id, role.desired_at "
        "HAVING count(known.customer_number) = count(known.vanished_at)"
    )
    with engine.connect() as connection:
        return fetch(connection, query, {"object_id": pl.String, "presumed_end": pl.Date}, [])


def blank_parties(engine: sa.Engine, parties: Sequence[str], roles: Sequence[str]) -> int:
    """Takes out all that deliveries tell of these parties; returns how many payloads were blanked.

    Object ids and fingerprints stay, so that equal rows are not sent again. What was read back goes as a whole, with
    that of `roles` (ids of their customer roles): the CRM's rows are mapped from it, and a blank one would overwrite
    what stands there. Objects that still wait to be sent stay as they are.
    """
    blanked = 0
    for start in range(0, len(parties), BATCH_ROWS):
        batch = list(parties[start : start + BATCH_ROWS])
        with engine.begin() as connection:
            parameters = {"ids": batch, "entities": list(PERSONAL_ENTITIES)}
            blanked += connection.execute(sa.text(_BLANK_PARTIES), parameters).rowcount
            connection.execute(sa.text(_FORGET_DRIFT), {"ids": batch})
    for start in range(0, len(roles), BATCH_ROWS):
        with engine.begin() as connection:
            connection.execute(sa.text(_FORGET_ROLES), {"ids": list(roles[start : start + BATCH_ROWS])})
    return blanked


_BLANK_PARTIES: Final = f"""
UPDATE delivery SET desired = {_BLANK}, delivered = NULL, found = NULL, error_text = NULL
WHERE (system, entity, object_id) IN (
  SELECT system, entity, object_id FROM delivery
  WHERE object_id = ANY(:ids) AND entity = ANY(:entities) AND desired <> {_BLANK}
    AND delivered_fingerprint IS NOT DISTINCT FROM desired_fingerprint
  ORDER BY object_id FOR UPDATE SKIP LOCKED)
"""

# What cannot be compared any more cannot drift; what still waits to be sent can.
_FORGET_DRIFT: Final = f"""
DELETE FROM drift AS f USING delivery AS d
WHERE f.object_id = ANY(:ids) AND d.system = f.system AND d.entity = f.entity AND d.object_id = f.object_id
  AND d.desired = {_BLANK}
"""

_FORGET_ROLES: Final = """
UPDATE delivery SET found = NULL
WHERE (system, entity, object_id) IN (
  SELECT system, entity, object_id FROM delivery
  WHERE object_id = ANY(:ids) AND system = 'lora' AND entity = 'customer_roles' AND found IS NOT NULL
  ORDER BY object_id FOR UPDATE SKIP LOCKED)
"""

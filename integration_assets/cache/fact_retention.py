"""Agreements whose time is over: their events, and what the facts and the journal of installations tell of them.

A contract on an installation has the customer number in its own number, so its slices and processes name the customer.
They go as a whole; what other contracts of the installation wrote stays.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Final

import sqlalchemy as sa

from integration_assets.cache.retrying import retrying
from integration_assets.domain.tables import KMD_CUSTOMERS, RESOLVED_CUSTOMERS

Agreement = tuple[str, str]
"""A customer number and an installation."""

_LIVING: Final = " UNION ALL ".join(
    f'SELECT customer_number FROM "{table.name}" WHERE vanished_at IS NULL'
    for table in (KMD_CUSTOMERS, RESOLVED_CUSTOMERS)
)
_ENDED: Final = f"""
SELECT customer_number, installation FROM agreement_followed
WHERE nullif(split_part(wanted, '|', 3), '')::date < :before AND customer_number NOT IN ({_LIVING})
ORDER BY installation, customer_number
"""
_THEIRS: Final = "(contract = :number OR contract LIKE :number || '-%')"
_CALLED: Final = f"EXISTS (SELECT FROM (SELECT call ->> 'contract' AS contract) AS called WHERE {_THEIRS})"
_PLACES: Final = "installation IN (SELECT installation FROM agreement_followed WHERE customer_number = :number)"
_MENTIONED: Final = """
UPDATE fact_journal SET
  removed = (SELECT coalesce(jsonb_agg(e), '[]') FROM jsonb_array_elements(removed) AS e
             WHERE e ->> 6 IS NULL OR NOT (e ->> 6 = :number OR e ->> 6 LIKE :number || '-%')),
  added = (SELECT coalesce(jsonb_agg(e), '[]') FROM jsonb_array_elements(added) AS e
           WHERE e ->> 6 IS NULL OR NOT (e ->> 6 = :number OR e ->> 6 LIKE :number || '-%'))
WHERE installation = :installation
"""
_WRITE: Final = """
UPDATE installation_fact SET slices = CAST(:slices AS jsonb), contracts = CAST(:contracts AS jsonb)
WHERE installation = :installation
"""


def ended_agreements(engine: sa.Engine, before: date) -> list[Agreement]:
    """Agreements that ended before a day and that neither the source nor what was resolved from it names any more."""
    with engine.connect() as connection:
        return [(row[0], row[1]) for row in connection.execute(sa.text(_ENDED), {"before": before})]


def agreements_of(engine: sa.Engine, customer_number: str) -> list[tuple[Agreement, date | None]]:
    """The agreements of a customer number, each with the first day after it; None: it has not ended."""
    query = (
        "SELECT installation, nullif(split_part(wanted, '|', 3), '')::date FROM agreement_followed "
        "WHERE customer_number = :number ORDER BY 1"
    )
    with engine.connect() as connection:
        rows = connection.execute(sa.text(query), {"number": customer_number})
        return [((customer_number, row[0]), row[1]) for row in rows]


def forget_agreements(engine: sa.Engine, agreements: Sequence[Agreement]) -> int:
    """Takes these agreements out: events, slices, contracts, and processes of the journal; how many there were.

    Each in a transaction of its own, so that no run waits for long.
    """
    for customer_number, installation in agreements:
        retrying(lambda number=customer_number, name=installation: _forget(engine, number, name))
    return len(agreements)


def facts_of(connection: sa.Connection, customer_number: str) -> Mapping[str, list[dict[str, Any]]]:
    """What the facts of installations and their journal tell of the agreements of a customer number, by table."""
    parameters = {"number": customer_number}
    slices = f"SELECT * FROM fact_slice WHERE {_PLACES} AND {_THEIRS} ORDER BY installation, operand, valid_from"
    processes = f"SELECT * FROM fact_journal WHERE {_PLACES} AND {_CALLED} ORDER BY entry_id"
    return {
        table: [dict(row) for row in connection.execute(sa.text(query), parameters).mappings()]
        for table, query in (("installation_fact", slices), ("fact_journal", processes))
    }


def _forget(engine: sa.Engine, customer_number: str, installation: str) -> None:
    parameters = {"number": customer_number, "installation": installation}
    with engine.begin() as connection:
        query = "SELECT slices, contracts FROM installation_fact WHERE installation = :installation FOR UPDATE"
        row = connection.execute(sa.text(query), parameters).one_or_none()
        if row is not None:
            slices, contracts = _without(row[0], row[1], customer_number)
            told = {"slices": json.dumps(slices), "contracts": json.dumps(contracts)}
            connection.execute(sa.text(_WRITE), parameters | told)
        here = f"installation = :installation AND {_CALLED}"
        connection.execute(sa.text(f"DELETE FROM fact_journal WHERE {here}"), parameters)
        connection.execute(sa.text(_MENTIONED), parameters)
        for table in ("agreement_event", "agreement_followed"):
            here = "customer_number = :number AND installation = :installation"
            connection.execute(sa.text(f"DELETE FROM {table} WHERE {here}"), parameters)


def _without(
    slices: Mapping[str, Any], contracts: Iterable[Mapping[str, Any]], customer_number: str
) -> tuple[dict[str, Any], list[Any]]:
    """Documents of `cache.fact_rows` without what contracts of a customer number wrote."""

    def is_theirs(contract: str | None) -> bool:
        return contract is not None and (contract == customer_number or contract.startswith(f"{customer_number}-"))

    kept = [place for place, by in enumerate(slices["by"]) if not is_theirs(by[1])]
    places = {old: new for new, old in enumerate(kept)}
    lines: list[Any] = []
    for operand, season, pieces in slices["lines"]:
        left = [[*piece[:3], places[piece[3]], *piece[4:]] for piece in pieces if piece[3] in places]
        if left:
            lines.append([operand, season, left])
    by = [slices["by"][place] for place in kept]
    return {"by": by, "lines": lines}, [row for row in contracts if not is_theirs(row["id"])]

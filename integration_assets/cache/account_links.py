"""Which billing contracts (aftaler) the installation accounts show: linked, revised, forgotten, or waiting.

Links are decided under locks of the customers they concern, so any number of workers may link at once. What one
customer fails by is told, and the others go on.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date
from itertools import groupby
from typing import Any, Final, NamedTuple

import polars as pl
import sqlalchemy as sa

from integration_assets.cache.account_marks import mark_accounts
from integration_assets.cache.copying import as_number, copy_in, copy_out, fetch
from integration_assets.cache.locks import lock_key
from integration_assets.cache.parts import Failure, in_parts
from integration_assets.cache.retrying import retrying
from integration_assets.domain.accounts.contracts import DECIDING, KEY, LINKS
from integration_assets.domain.accounts.decision import Decision, LinkedContract, Order, Outcome
from integration_assets.domain.accounts.linking import AccountBook, Kept
from integration_assets.domain.accounts.marking import Reason

CUSTOMERS_AT_ONCE: Final = 1000
"""Customers of one transaction."""

_LOCKS: Final = 256
"""Customers share so many locks: PostgreSQL's table of locks is small."""

STORED: Final = pl.Schema({**LINKS, "account_id": pl.String})
WAITING: Final = pl.Schema(
    {
        "customer_number": pl.String,
        "installation": pl.String,
        "supply_area": pl.String,
        "missing": pl.List(pl.String),
        "since": pl.Date,
    }
)


_LOCK: Final = "SELECT pg_advisory_xact_lock(k) FROM (SELECT unnest(CAST(:keys AS bigint[])) AS k ORDER BY 1) AS s"
_KEPT: Final = """
SELECT account_id, party_id, installation, market_location, superseded_by, is_double FROM installation_account
WHERE party_id = ANY(:parties) ORDER BY is_double, created_at, account_id
"""
_GIVE_UP: Final = """
UPDATE installation_account SET installation = NULL, market_location = NULL WHERE account_id = ANY(:ids)
"""
_CHANGE_ACCOUNTS: Final = """
UPDATE installation_account AS a SET installation = n.installation, market_location = n.number,
  superseded_by = n.superseding, is_double = n.double, changed_at = now()
FROM unnest(CAST(:ids AS text[]), CAST(:installations AS text[]), CAST(:numbers AS text[]),
  CAST(:superseding AS text[]), CAST(:doubles AS boolean[])) AS n (id, installation, number, superseding, double)
WHERE a.account_id = n.id
"""
_CREATE_ACCOUNTS: Final = """
INSERT INTO installation_account (account_id, party_id, installation, market_location, superseded_by, is_double,
  supply_area, mark_reasons, mark_version, marked_at)
SELECT n.*, CAST(:reasons AS text[]), 1, now() FROM unnest(CAST(:ids AS text[]), CAST(:parties AS text[]),
  CAST(:installations AS text[]), CAST(:numbers AS text[]), CAST(:superseding AS text[]), CAST(:doubles AS boolean[]),
  CAST(:areas AS text[])) AS n
"""
_OF_CUSTOMER: Final = """
SELECT account_id FROM account_contract WHERE customer_number = :number
UNION SELECT account_id FROM installation_account WHERE customer_number = :number OR party_id = ANY(:parties)
"""
_UNLINK: Final = "DELETE FROM account_contract WHERE customer_number = :number RETURNING account_id"
_FORGET_WAITING: Final = "DELETE FROM account_waiting WHERE customer_number = :number"
_ERASE_UNLINKED: Final = """
DELETE FROM installation_account AS a WHERE a.account_id = ANY(:ids)
  AND NOT EXISTS (SELECT FROM account_contract AS c WHERE c.account_id = a.account_id)
"""
_FORGET: Final = """
DELETE FROM account_contract WHERE (customer_number, installation) IN
  (SELECT * FROM unnest(CAST(:customers AS text[]), CAST(:installations AS text[])))
RETURNING account_id
"""
_FOUND: Final = """
CREATE TEMP TABLE found (customer_number text, installation text, supply_area text, missing text) ON COMMIT DROP
"""
_NO_LONGER_WAITING: Final = """
DELETE FROM account_waiting AS w WHERE (customer_number = ANY(:customers) OR supply_area = ANY(:areas)) AND NOT EXISTS
  (SELECT FROM found AS f WHERE f.customer_number = w.customer_number AND f.installation = w.installation)
"""
_WAIT: Final = """
INSERT INTO account_waiting AS w (customer_number, installation, supply_area, missing, since)
SELECT customer_number, installation, supply_area, string_to_array(missing, ','), :today FROM found
ON CONFLICT (customer_number, installation) DO UPDATE SET supply_area = excluded.supply_area, missing = excluded.missing
WHERE (w.supply_area, w.missing) IS DISTINCT FROM (excluded.supply_area, excluded.missing)
"""


class LinkEvent(NamedTuple):
    """A contract that is to be decided: what it is linked with, and its row (LINKS)."""

    contract: LinkedContract
    row: Mapping[str, Any]


class LinkReport(NamedTuple):
    """Decisions by customer number and installation, and the customer numbers for whom nothing was done."""

    decisions: Mapping[tuple[str, str], Decision]
    failures: Sequence[Failure]


class AccountLinks:
    """The tables account_contract and account_waiting, and the making of accounts."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def contracts(self, customers: pl.Series | None = None) -> pl.DataFrame:
        """The links (STORED) of these customer numbers; of all where none are named."""
        columns = ", ".join(as_number(name, dtype) for name, dtype in STORED.items())
        query = (
            f"SELECT {columns} FROM account_contract "
            "WHERE (%s::text[] IS NULL OR customer_number = ANY(%s)) ORDER BY customer_number, installation"
        )
        named = None if customers is None else customers.to_list()
        with self._engine.connect() as connection:
            return copy_out(connection, query, STORED, [named, named])

    def link(self, events: Iterable[LinkEvent], order: Order, new_id: Callable[[str], str]) -> LinkReport:
        """Decides the contracts in their order, customer by customer, and stores what follows.

        Contracts that another worker has linked in the same way meanwhile are left alone. A contract that waits
        changes nothing. `new_id` computes the id of an account from the text that names it.
        """
        decisions: dict[tuple[str, str], Decision] = {}
        by_party = sorted(events, key=lambda event: event.contract.partner or "")
        parties = [(name, list(group)) for name, group in groupby(by_party, lambda event: event.contract.partner or "")]

        def act(part: Sequence[tuple[str, list[LinkEvent]]]) -> None:
            together = [event for _, group in part for event in group]
            decisions.update(retrying(lambda: self._link(together, order, new_id)))

        failures = [
            Failure(str(failed[0][1][0].row["customer_number"]), str(failed[0][1][0].row["supply_area"]), sentence)
            for start in range(0, len(parties), CUSTOMERS_AT_ONCE)
            for failed, sentence in in_parts(parties[start : start + CUSTOMERS_AT_ONCE], act)
        ]
        return LinkReport(decisions, failures)

    def revise(self, rows: pl.DataFrame) -> int:
        """Writes what contracts (LINKS) show otherwise than before, and marks their accounts; how many were changed."""
        if rows.is_empty():
            return 0

        def write() -> int:
            with self._engine.begin() as connection:
                accounts = _put_links(connection, rows)
                mark_accounts(connection, accounts, Reason.CHANGED)
                return len(accounts)

        return retrying(write)

    def unlink(self, gone: pl.DataFrame) -> None:
        """Forgets contracts (customer_number, installation) that are no longer there, and marks their accounts."""
        if gone.is_empty():
            return

        def forget() -> None:
            keys = {"customers": gone["customer_number"].to_list(), "installations": gone["installation"].to_list()}
            with self._engine.begin() as connection:
                mark_accounts(connection, connection.execute(sa.text(_FORGET), keys).scalars().all(), Reason.LINKED)

        retrying(forget)

    def waiting(self) -> pl.DataFrame:
        """The contracts that wait (WAITING), by supply area and customer number."""
        columns = "customer_number, installation, supply_area, missing, since"
        with self._engine.connect() as connection:
            query = f"SELECT {columns} FROM account_waiting ORDER BY supply_area, customer_number, installation"
            return fetch(connection, query, WAITING, [])

    def wait(self, areas: Sequence[str], customers: pl.Series, waiting: pl.DataFrame, today: date) -> None:
        """Makes `waiting` (KEY, supply_area, missing) all that waits in these areas and of these customers, of any
        area; the first day is kept. A customer who has left the source waits no more."""
        concerned = pl.col("customer_number").is_in(customers.implode()) | pl.col("supply_area").is_in(list(areas))
        if waiting.is_empty() and self.waiting().filter(concerned).is_empty():
            return
        rows = waiting.select(*KEY, "supply_area", pl.col("missing").list.join(","))
        with self._engine.begin() as connection:
            connection.execute(sa.text(_FOUND))
            copy_in(connection, "found", rows)
            connection.execute(sa.text(_NO_LONGER_WAITING), {"customers": customers.to_list(), "areas": list(areas)})
            connection.execute(sa.text(_WAIT), {"today": today})

    def erase(self, customer_number: str, parties: Collection[str], *, dry_run: bool = False) -> int:
        """Takes out what is linked to a customer number and what waits of it; how many rows.

        With it go the accounts that were linked to it, and those of `parties`, which nothing else is linked to; those
        that show other contracts too are marked. A dry run takes all of it back.
        """
        number = {"number": customer_number, "parties": sorted(parties)}
        with self._engine.connect() as connection, connection.begin() as transaction:
            accounts = connection.execute(sa.text(_OF_CUSTOMER), number).scalars().all()
            linked = connection.execute(sa.text(_UNLINK), number).scalars().all()
            gone = len(linked) + connection.execute(sa.text(_FORGET_WAITING), number).rowcount
            gone += connection.execute(sa.text(_ERASE_UNLINKED), {"ids": accounts}).rowcount
            mark_accounts(connection, linked, Reason.LINKED)
            if dry_run:
                transaction.rollback()
        return gone

    def _link(
        self, events: Sequence[LinkEvent], order: Order, new_id: Callable[[str], str]
    ) -> dict[tuple[str, str], Decision]:
        parties = sorted({event.contract.partner for event in events if event.contract.partner})
        customers = [str(event.row["customer_number"]) for event in events]
        with self._engine.begin() as connection:
            _lock(connection, parties)
            book = AccountBook.of(_kept(connection, parties), order, new_id)
            linked = _links(connection, customers)
            decisions: dict[tuple[str, str], Decision] = {}
            links: list[dict[str, Any]] = []
            former: list[str] = []
            for event in events:
                key = (str(event.row["customer_number"]), str(event.row["installation"]))
                before = linked.get(key)
                if before is not None and _is_linked_so(event, before):
                    decisions[key] = Decision(Outcome.UPDATED, before["account_id"])
                    continue
                decision = decisions[key] = book.link(event.contract)
                if decision.account is None:
                    continue
                links.append({**event.row, "account_id": decision.account})
                if before is not None and before["account_id"] != decision.account:
                    former.append(before["account_id"])
            _store(connection, book, links, former)
        return decisions


def _is_linked_so(event: LinkEvent, before: Mapping[str, Any]) -> bool:
    """Whether the contract is linked already as it would be now, and nothing of it is missing."""
    contract = event.contract
    needed = (contract.contract_account, contract.partner, contract.installation, contract.connection_object)
    return None not in needed and all(before[name] == event.row[name] for name in DECIDING)


def _lock(connection: sa.Connection, parties: Sequence[str]) -> None:
    keys = sorted({lock_key(f"account {lock_key(party) % _LOCKS}") for party in parties})
    connection.execute(sa.text(_LOCK), {"keys": keys})


def _kept(connection: sa.Connection, parties: Sequence[str]) -> list[Kept]:
    return [Kept(*row) for row in connection.execute(sa.text(_KEPT), {"parties": list(parties)})]


def _links(connection: sa.Connection, customers: Sequence[str]) -> dict[tuple[str, str], Mapping[str, Any]]:
    columns = ", ".join([*KEY, *DECIDING, "account_id"])
    query = sa.text(f"SELECT {columns} FROM account_contract WHERE customer_number = ANY(:customers)")
    rows = connection.execute(query, {"customers": list(customers)}).mappings()
    return {(row["customer_number"], row["installation"]): dict(row) for row in rows}


def _store(connection: sa.Connection, book: AccountBook, links: Sequence[Mapping[str, Any]], former: list[str]) -> None:
    """Writes what the book changed, the links, and the marks of all accounts that are concerned."""
    changed = [book.accounts[name] for name in sorted(book.changed - book.created)]
    if changed:
        given = {
            "ids": [one.id for one in changed],
            "installations": [one.installation for one in changed],
            "numbers": [one.market_location for one in changed],
            "superseding": [one.superseded_by for one in changed],
            "doubles": [one.is_double for one in changed],
        }
        # Taken away from all of them first: one account may get what another one gives up.
        connection.execute(sa.text(_GIVE_UP), given)
        connection.execute(sa.text(_CHANGE_ACCOUNTS), given)
    for name, by in sorted(book.superseded.items()):
        connection.execute(
            sa.text("UPDATE account_contract SET account_id = :by WHERE account_id = :name"), {"name": name, "by": by}
        )
    areas = {str(row["account_id"]): str(row["supply_area"]) for row in links}
    created = [book.accounts[name] for name in sorted(book.created)]
    if created:
        connection.execute(
            sa.text(_CREATE_ACCOUNTS),
            {
                "ids": [one.id for one in created],
                "parties": [one.partner for one in created],
                "installations": [one.installation for one in created],
                "numbers": [one.market_location for one in created],
                "superseding": [one.superseded_by for one in created],
                "doubles": [one.is_double for one in created],
                "areas": [areas[one.id] for one in created],
                "reasons": [Reason.LINKED.value, Reason.NEVER_CALCULATED.value],
            },
        )
    if links:
        rows = pl.DataFrame(links, schema=STORED).with_columns(
            pl.col("account_id").replace(book.superseded)  # linked first, superseded by a later contract
        )
        _put_links(connection, rows)
    concerned = {str(row["account_id"]) for row in links} | set(former) | set(book.superseded.values())
    mark_accounts(connection, sorted(concerned - book.created), Reason.LINKED)


def _put_links(connection: sa.Connection, rows: pl.DataFrame) -> list[str]:
    """Writes links; those without account_id keep the account they have, and those that are not there stay away.

    Returns the accounts of the rows written.
    """
    with_account = "account_id" in rows.columns
    schema = STORED if with_account else LINKS
    names = [f'"{name}"' for name in schema]
    listed = ", ".join(names)
    connection.execute(
        sa.text(f"CREATE TEMP TABLE put_links ON COMMIT DROP AS SELECT {listed} FROM account_contract WITH NO DATA")
    )
    copy_in(connection, "put_links", rows.select(schema.names()))
    payload = [name for name in names if name.strip('"') not in KEY]
    if with_account:
        values = ", ".join(f"{name} = excluded.{name}" for name in payload)
        statement = (
            f"INSERT INTO account_contract ({listed}) SELECT {listed} FROM put_links "
            "ORDER BY customer_number, installation ON CONFLICT (customer_number, installation) "
            f"DO UPDATE SET {values}, changed_at = now() RETURNING account_id"
        )
    else:
        values = ", ".join(f"{name} = n.{name}" for name in payload)
        statement = (
            f"UPDATE account_contract AS c SET {values}, changed_at = now() FROM put_links AS n "
            "WHERE c.customer_number = n.customer_number AND c.installation = n.installation RETURNING c.account_id"
        )
    accounts = connection.execute(sa.text(statement)).scalars().all()
    connection.execute(sa.text("DROP TABLE put_links"))
    return sorted(set(accounts))

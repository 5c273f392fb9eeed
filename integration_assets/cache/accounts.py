"""Installation accounts as they are stored: marked for an update, written, and looked at.

An update writes an account only while its mark is the one that was read before its data, so a mark that is set
meanwhile is not lost, and any number of workers may update at once.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, NamedTuple

import polars as pl
import sqlalchemy as sa

from integration_assets.cache.copying import as_number, copy_in, copy_out, fetch
from integration_assets.cache.parts import Failure, in_parts
from integration_assets.cache.retrying import retrying
from integration_assets.domain.accounts.derived import COLLECTIONS, FIELDS, UPDATES
from integration_assets.domain.accounts.marking import Reason

ACCOUNTS_AT_ONCE: Final = 5000
"""Accounts of one transaction that updates."""

MARKED: Final = pl.Schema(
    {
        "account_id": pl.String,
        "party_id": pl.String,
        "installation": pl.String,
        "supply_area": pl.String,
        "mark_version": pl.Int64,
        "reasons": pl.String,
        "linked_stamp": pl.String,
    }
)
"""A marked account; `linked_stamp` is that of the rows of its installation as they are now."""
ROWS: Final = pl.Schema(
    {
        "account_id": pl.String,
        "party_id": pl.String,
        "installation": pl.String,
        "market_location": pl.String,
        "superseded_by": pl.String,
        **FIELDS,
    }
)
ISSUES: Final = pl.Schema(
    {"account_id": pl.String, "installation": pl.String, "supply_area": pl.String, "customer_number": pl.String,
     "status": pl.String, "issue": pl.String}
)  # fmt: skip

_STAMPS = """
SELECT installation, count(*) || ':' || sum(micros) AS stamp FROM (
  SELECT installation_number AS installation, extract(epoch FROM changed_at) * 1000000 AS micros
  FROM kmd_ee_installations WHERE vanished_at IS NULL
  UNION ALL
  SELECT installation_number, extract(epoch FROM changed_at) * 1000000 + 1
  FROM resolved_installation_addresses WHERE vanished_at IS NULL
  UNION ALL
  SELECT installation, extract(epoch FROM changed_at) * 1000000 + 2 FROM installation_fact
) AS linked {chosen} GROUP BY installation
"""
"""In which state the rows of each installation are. Numbers of changes, not the latest one: transactions may end in
another order than they began in."""

_NO_LOOPS = "SET LOCAL enable_nestloop = off"
"""The planner takes the stamps for a few rows, and would go through all of them for each account."""

_MARK = f"""
WITH stamps AS ({_STAMPS.format(chosen="")}),
found AS (
  SELECT a.account_id, array_remove(ARRAY[
    CASE WHEN a.last_calculated_at IS NULL THEN '{Reason.NEVER_CALCULATED}' END,
    CASE WHEN a.last_calculated_at IS NOT NULL AND (a.linked_stamp IS DISTINCT FROM coalesce(s.stamp, '')
      OR a.open_collection IS DISTINCT FROM (c.account_id IS NOT NULL)) THEN '{Reason.CHANGED}' END,
    CASE WHEN a.next_begins_on <= :today THEN '{Reason.ROW_BEGINS}' END,
    CASE WHEN a.next_ended_on <= :today THEN '{Reason.ROW_ENDED}' END], NULL) AS reasons
  FROM installation_account AS a
  LEFT JOIN stamps AS s ON s.installation = a.installation
  LEFT JOIN (SELECT DISTINCT t.account_id FROM account_contract AS t JOIN collected AS o
    ON o.customer_number = t.customer_number AND (o.installation IS NULL OR o.installation = t.installation)
  ) AS c ON c.account_id = a.account_id
  WHERE a.superseded_by IS NULL AND (CAST(:areas AS text[]) IS NULL OR a.supply_area = ANY(:areas))
    AND NOT (a.last_calculated_at IS NULL AND '{Reason.NEVER_CALCULATED}' = ANY(a.mark_reasons))
)
UPDATE installation_account AS a SET
  mark_reasons = ARRAY(SELECT DISTINCT r FROM unnest(a.mark_reasons || f.reasons) AS r ORDER BY r),
  mark_version = a.mark_version + 1, marked_at = now()
FROM found AS f WHERE f.account_id = a.account_id AND f.reasons <> '{{}}' RETURNING f.reasons
"""

_MARKED = f"""
SELECT a.account_id, a.party_id, a.installation, a.supply_area, a.mark_version, array_to_string(a.mark_reasons, ','),
  coalesce(s.stamp, '')
FROM installation_account AS a
LEFT JOIN ({_STAMPS.format(chosen="WHERE installation = ANY(%s)")}) AS s ON s.installation = a.installation
WHERE a.account_id = ANY(%s) AND a.mark_reasons <> '{{}}' ORDER BY a.account_id
"""

_FIELDS = ", ".join(f"{name} = n.{name}" for name in FIELDS)
_DIFFERS = " OR ".join(f"a.{name} IS DISTINCT FROM n.{name}" for name in FIELDS)
_WRITE = f"""
UPDATE installation_account AS a SET {_FIELDS}, issues = n.issues, linked_stamp = n.linked_stamp,
  next_begins_on = n.next_begins_on, next_ended_on = n.next_ended_on, left_version = NULL,
  last_calculated_on = :today, last_calculated_at = :now, mark_reasons = '{{}}', marked_at = NULL,
  changed_at = CASE WHEN {_DIFFERS} THEN :now ELSE a.changed_at END
FROM written AS n
WHERE a.account_id = n.account_id AND a.mark_version = n.mark_version AND NOT n.is_left
RETURNING a.account_id, a.changed_at = :now AS differs
"""
_LEAVE = """
UPDATE installation_account AS a SET issues = n.issues, linked_stamp = n.linked_stamp, left_version = n.mark_version,
  next_begins_on = n.next_begins_on, next_ended_on = n.next_ended_on
FROM written AS n WHERE a.account_id = n.account_id AND a.mark_version = n.mark_version AND n.is_left
RETURNING a.account_id
"""
_WRITTEN = (
    "CREATE TEMP TABLE written ON COMMIT DROP AS SELECT account_id, "
    f"{', '.join(FIELDS)}, ''::text AS issue_texts, issues, linked_stamp, next_begins_on, next_ended_on, mark_version, "
    "false AS is_left FROM installation_account WITH NO DATA"
)


_FIND = """
SELECT * FROM installation_account AS a WHERE a.installation = :number OR a.customer_number = :number
  OR a.account_id = :number OR a.market_location = :number
  OR a.account_id IN (SELECT account_id FROM account_contract WHERE customer_number = :number)
ORDER BY a.superseded_by IS NOT NULL, a.installation, a.contract_start, a.account_id
"""
_CONTRACTS_OF = """
SELECT * FROM account_contract WHERE account_id = :account ORDER BY "start", customer_number, installation
"""
_ADD_PROSPECT = """
INSERT INTO installation_account (account_id, party_id, market_location, supply_area, mark_reasons, mark_version,
  marked_at)
SELECT :id, :party, :number, :area, ARRAY['NEVER_CALCULATED'], 1, now()
ON CONFLICT DO NOTHING
"""
_NOTE = """
UPDATE installation_account SET user_fields = (user_fields - CAST(:cleared AS text[])) || CAST(:kept AS jsonb)
WHERE account_id = :id
"""
_COUNTS = """
SELECT CASE WHEN superseded_by IS NULL THEN lower(coalesce(status, 'not_calculated')) ELSE 'superseded' END, count(*)
FROM installation_account WHERE (CAST(:areas AS text[]) IS NULL OR supply_area = ANY(:areas)) GROUP BY 1 ORDER BY 1
"""


class WriteReport(NamedTuple):
    """Accounts calculated, those of them that are different now, those left as they were, and those that failed."""

    calculated: int
    changed: int
    left: int
    failures: Sequence[Failure]


class Accounts:
    """The table installation_account."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def mark(self, areas: Sequence[str] | None, today: date, collections: pl.DataFrame) -> dict[str, int]:
        """Marks the accounts (of these areas) that are to be updated on a day; how many by reason.

        An account is marked when it was never calculated, when rows of its installation or its open collection
        (COLLECTIONS) changed since, and when a row of it began or ended since: by windows from its last calculation to
        today, so that whatever was missed is made up for.
        """

        def act() -> dict[str, int]:
            counts: dict[str, int] = {}
            with self._engine.begin() as connection:
                connection.execute(
                    sa.text("CREATE TEMP TABLE collected (customer_number text, installation text) ON COMMIT DROP")
                )
                copy_in(connection, "collected", collections.select(list(COLLECTIONS)))
                connection.execute(sa.text(_NO_LOOPS))
                parameters = {"today": today, "areas": None if areas is None else list(areas)}
                for (reasons,) in connection.execute(sa.text(_MARK), parameters):
                    for reason in reasons:
                        counts[reason] = counts.get(reason, 0) + 1
            return counts

        return retrying(act)

    def areas_to_update(self) -> list[str]:
        """The supply areas with marked accounts that no update has left as they were since they were marked."""
        query = sa.text(
            "SELECT DISTINCT supply_area FROM installation_account WHERE mark_reasons <> '{}'::text[] "
            "AND superseded_by IS NULL AND left_version IS DISTINCT FROM mark_version ORDER BY 1"
        )
        with self._engine.connect() as connection:
            return list(connection.execute(query).scalars())

    def marked_ids(self, areas: Sequence[str] | None) -> list[tuple[str, str | None]]:
        """The marked accounts (of these areas): id and installation, in the order of the ids."""
        query = sa.text(
            "SELECT account_id, installation FROM installation_account WHERE mark_reasons <> '{}'::text[] "
            "AND superseded_by IS NULL AND (CAST(:areas AS text[]) IS NULL OR supply_area = ANY(:areas)) ORDER BY 1"
        )
        with self._engine.connect() as connection:
            rows = connection.execute(query, {"areas": None if areas is None else list(areas)})
            return [(row.account_id, row.installation) for row in rows]

    def marked(self, ids: Sequence[tuple[str, str | None]]) -> pl.DataFrame:
        """Those of the accounts that are still marked (MARKED). To be read before what the accounts are made of."""
        installations = [installation for _, installation in ids if installation is not None]
        with self._engine.connect() as connection:
            connection.execute(sa.text(_NO_LOOPS))
            return copy_out(connection, _MARKED, MARKED, [installations, [name for name, _ in ids]])

    def write(self, updates: pl.DataFrame, today: date, now: datetime) -> WriteReport:
        """Writes calculated accounts (UPDATES with mark_version and linked_stamp of MARKED) and takes off their marks.

        An account whose mark was set anew since it was read stays as it is, marked. Only derived fields are written,
        and `changed_at` only where one is different.
        """
        calculated, changed, left = 0, 0, 0

        def act(part: pl.DataFrame) -> None:
            nonlocal calculated, changed, left
            written, differing, staying = retrying(lambda: self._write(part, today, now))
            calculated, changed, left = calculated + written, changed + differing, left + staying

        failures = [
            Failure(failed["account_id"][0], failed["supply_area"][0], sentence)
            for part in updates.iter_slices(ACCOUNTS_AT_ONCE)
            for failed, sentence in in_parts(part, act)
        ]
        return WriteReport(calculated, changed, left, failures)

    def rows(self, areas: Sequence[str] | None) -> pl.DataFrame:
        """All accounts (of these areas) that were calculated or superseded: ROWS, by id."""
        columns = ", ".join(as_number(name, dtype) for name, dtype in ROWS.items())
        query = (
            f"SELECT {columns} FROM installation_account WHERE status IS NOT NULL AND (%s::text[] IS NULL "
            "OR supply_area = ANY(%s)) ORDER BY account_id"
        )
        listed = None if areas is None else list(areas)
        with self._engine.connect() as connection:
            return copy_out(connection, query, ROWS, [listed, listed])

    def issues(self, areas: Sequence[str] | None) -> pl.DataFrame:
        """The issues of accounts (of these areas): ISSUES, a row for each."""
        query = (
            "SELECT account_id, installation, supply_area, customer_number, status, issue "
            "FROM installation_account, unnest(issues) AS issue WHERE superseded_by IS NULL "
            "AND (%s::text[] IS NULL OR supply_area = ANY(%s)) ORDER BY installation, account_id, issue"
        )
        listed = None if areas is None else list(areas)
        with self._engine.connect() as connection:
            return fetch(connection, query, ISSUES, [listed, listed])

    def find(self, number: str) -> list[dict[str, Any]]:
        """The accounts of a customer number, of an installation or of an id: all columns, and `contracts` as rows.

        A customer number finds the accounts that it is linked to, whichever contract they show today.
        """
        with self._engine.connect() as connection:
            accounts = [dict(row) for row in connection.execute(sa.text(_FIND), {"number": number}).mappings()]
            for account in accounts:
                rows = connection.execute(sa.text(_CONTRACTS_OF), {"account": account["account_id"]}).mappings()
                account["contracts"] = [dict(row) for row in rows]
        return accounts

    def add_prospect(self, account_id: str, party_id: str, market_location: str, supply_area: str) -> bool:
        """Makes an account of a customer at a market location, before any contract; whether there was none yet."""
        given = {"id": account_id, "party": party_id, "number": market_location, "area": supply_area}
        with self._engine.begin() as connection:
            return connection.execute(sa.text(_ADD_PROSPECT), given).rowcount == 1

    def note(self, account_id: str, fields: Mapping[str, str | None]) -> bool:
        """Sets fields that belong to people, or clears them (None); whether there is such an account."""
        kept = {name: value for name, value in fields.items() if value is not None}
        given = {"id": account_id, "kept": json.dumps(kept), "cleared": sorted(set(fields) - set(kept))}
        with self._engine.begin() as connection:
            return connection.execute(sa.text(_NOTE), given).rowcount == 1

    def counts(self, areas: Sequence[str] | None) -> dict[str, int]:
        """How many accounts (of these areas) there are by status; superseded ones are `superseded`."""
        with self._engine.connect() as connection:
            rows = connection.execute(sa.text(_COUNTS), {"areas": None if areas is None else list(areas)})
            return {row[0]: row[1] for row in rows}

    def _write(self, part: pl.DataFrame, today: date, now: datetime) -> tuple[int, int, int]:
        rows = part.with_columns(pl.col("issues").list.join("\n").alias("issue_texts")).drop("issues")
        with self._engine.begin() as connection:
            connection.execute(sa.text(_WRITTEN))
            copy_in(connection, "written", rows.select(name for name in rows.columns if name in _WRITTEN_COLUMNS))
            connection.execute(sa.text("UPDATE written SET issues = string_to_array(nullif(issue_texts, ''), chr(10))"))
            connection.execute(sa.text("UPDATE written SET issues = '{}' WHERE issues IS NULL"))
            calculated = connection.execute(sa.text(_WRITE), {"today": today, "now": now}).all()
            left = connection.execute(sa.text(_LEAVE)).all()
        return len(calculated), sum(differs for _, differs in calculated), len(left)


_WRITTEN_COLUMNS: Final = {*UPDATES.names(), "mark_version", "linked_stamp", "issue_texts"}

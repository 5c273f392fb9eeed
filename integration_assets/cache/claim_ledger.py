"""The ledger of claims handed over: what the authority has of us, taken in from files, read by whoever needs it."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import polars as pl
import sqlalchemy as sa

from integration_assets.cache.copying import as_number, copy_in, copy_out
from integration_assets.domain.claims import ledger, proposals, reconciliation

OPEN_COLLECTIONS = pl.Schema(
    {"customer_number": pl.String, "claims": pl.Int64, "amount": ledger.AMOUNT, "since": pl.Date}
)
"""Customers with claims under collection: how many, principal in DKK less write-downs, and since when."""

_NEW = """
INSERT INTO claim ({columns}) SELECT {columns} FROM claim_given
ON CONFLICT (claim_id) DO UPDATE SET {assignments} WHERE ({stored}) IS DISTINCT FROM ({given})
RETURNING (xmax = 0)
"""
_MOVES = """
INSERT INTO claim_movement SELECT reference, claim_id, kind, amount, effective_on FROM claim_movement_given
ON CONFLICT (reference) DO NOTHING
"""
_ENTRIES = f"""
SELECT {as_number("day", pl.Date)}, kind, amount FROM (
  SELECT date_trunc('month', received_on)::date AS day, 'received' AS kind, sum(amount) AS amount FROM claim GROUP BY 1
  UNION ALL SELECT date_trunc('month', recalled_on)::date, 'recalled', sum(recalled_amount) FROM claim
    WHERE recalled_for IS NOT NULL AND recalled_on IS NOT NULL GROUP BY 1
  UNION ALL SELECT date_trunc('month', effective_on)::date, kind, sum(amount) FROM claim_movement GROUP BY 1, 2
) AS entry
"""
_OPEN_COLLECTIONS = """
SELECT c.customer_number, count(*), sum(greatest(c.amount - coalesce(m.down, 0), 0)),
  min(c.received_on) - DATE '1970-01-01'
FROM claim AS c LEFT JOIN (
  SELECT claim_id, sum(CASE kind WHEN 'written_down' THEN amount ELSE -amount END) AS down
  FROM claim_movement GROUP BY claim_id) AS m USING (claim_id)
WHERE c.recalled_for IS NULL GROUP BY c.customer_number ORDER BY c.customer_number
"""
_EVENTS = f"""
SELECT event_id, customer_number, contract, kind, {as_number("day", pl.Date)},
  {as_number("moved_in_before", pl.Date)}, {as_number("moved_out_before", pl.Date)}, {as_number("moved_in", pl.Date)},
  {as_number("moved_out", pl.Date)}, {as_number("seen_on", pl.Date)}
FROM agreement_event
WHERE customer_number IN (SELECT customer_number FROM claim WHERE recalled_for IS NULL) ORDER BY event_id
"""
_MAIN_CLAIMS = f"""
SELECT claim_id, customer_number, {as_number("period_from", pl.Date)}, {as_number("period_to", pl.Date)},
  {as_number("received_on", pl.Date)} FROM claim WHERE recalled_for IS NULL AND claim_id = main_claim_id
"""


class TakenIn(NamedTuple):
    """Rows of a file by what became of them; `moves` are new write-downs and write-ups."""

    new: int
    changed: int
    unchanged: int
    moves: int


class ClaimLedger:
    """The tables claim and claim_movement."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def main_claims(self, among: Collection[int]) -> Sequence[int]:
        """Which of these ids are of main claims that are known."""
        return self._known("claim_id = main_claim_id", among)

    def claims(self, among: Collection[int]) -> Sequence[int]:
        """Which of these ids are of claims that are known."""
        return self._known("true", among)

    def take_in(self, claims: pl.DataFrame, movements: pl.DataFrame) -> TakenIn:
        """Stores claims (CLAIMS) and movements (MOVEMENTS) of checked files; what is known of recalls stays."""
        columns = list(ledger.CLAIMS)
        statement = _NEW.format(
            columns=", ".join(columns),
            assignments=", ".join(f"{name} = excluded.{name}" for name in columns[1:]),
            stored=", ".join(f"claim.{name}" for name in columns[1:]),
            given=", ".join(f"excluded.{name}" for name in columns[1:]),
        )
        with self._engine.begin() as connection:
            for table, frame in (("claim", claims), ("claim_movement", movements)):
                like = f"CREATE TEMPORARY TABLE {table}_given (LIKE {table}) ON COMMIT DROP"
                connection.execute(sa.text(like))
                for name in ("taken_in_at",) if table == "claim" else ():
                    connection.execute(sa.text(f"ALTER TABLE {table}_given ALTER {name} SET DEFAULT now()"))
                copy_in(connection, f"{table}_given", frame)
            written = connection.scalars(sa.text(statement)).all()
            moves = connection.execute(sa.text(_MOVES)).rowcount
        new = sum(written)
        return TakenIn(new, len(written) - new, claims.height - len(written), moves)

    def open_collections(self) -> pl.DataFrame:
        """Customers with claims under collection (OPEN_COLLECTIONS), by customer number."""
        return self._read(_OPEN_COLLECTIONS, OPEN_COLLECTIONS)

    def entries(self) -> pl.DataFrame:
        """What changed the collection base (domain.claims.reconciliation.ENTRIES): sums by month, in no order."""
        return self._read(_ENTRIES, reconciliation.ENTRIES)

    def under_collection(self) -> pl.DataFrame:
        """Main claims that lie with the authority (domain.claims.proposals.CLAIMS)."""
        return self._read(_MAIN_CLAIMS, proposals.CLAIMS)

    def agreement_events(self) -> pl.DataFrame:
        """All events of the agreements of customers under collection (domain.claims.proposals.EVENTS)."""
        return self._read(_EVENTS, proposals.EVENTS)

    def _known(self, condition: str, among: Collection[int]) -> Sequence[int]:
        query = sa.text(f"SELECT claim_id FROM claim WHERE claim_id = ANY(:ids) AND {condition}")
        with self._engine.connect() as connection:
            return connection.scalars(query, {"ids": list(among)}).all()

    def _read(self, query: str, schema: pl.Schema) -> pl.DataFrame:
        with self._engine.connect() as connection:
            return copy_out(connection, query, schema)

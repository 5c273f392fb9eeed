"""What happened to agreements, and up to which state each of them is followed: agreement_event, agreement_followed.

Whether an event was carried out is told by the facts' journal alone, which is written together with the facts: so a run
that is killed at any moment loses nothing and repeats nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Final, NamedTuple

import polars as pl
import sqlalchemy as sa

from integration_assets.cache.copying import copy_in, driver, fetch
from integration_assets.cache.retrying import retrying

LOCK: Final = "billing/agreement_events"
"""Who makes events, and supersedes open ones, holds this lock alone; who carries them out shares it."""

EVENTS: Final = pl.Schema(
    {
        "process_id": pl.String,
        "installation": pl.String,
        "agreement_id": pl.String,
        "customer_number": pl.String,
        "contract": pl.String,
        "supply_area": pl.String,
        "revision": pl.Int64,
        "kind": pl.String,
        "day": pl.Date,
        "moved_in_before": pl.Date,
        "moved_out_before": pl.Date,
        "moved_in": pl.Date,
        "moved_out": pl.Date,
        "product_before": pl.String,
        "product": pl.String,
        "call": pl.String,
        "seen_on": pl.Date,
    }
)
"""New events; see the table agreement_event."""

FOLLOWED: Final = pl.Schema(
    {
        "customer_number": pl.String,
        "installation": pl.String,
        "agreement_id": pl.String,
        "supply_area": pl.String,
        "wanted": pl.String,
        "wanted_life": pl.Int64,
        "reached": pl.String,
        "reached_life": pl.Int64,
        "revision": pl.Int64,
        "seen_on": pl.Date,
    }
)
"""How far agreements are followed; see the table agreement_followed."""

_READ: Final = pl.Schema(
    {"event_id": pl.Int64, **EVENTS, "outcome": pl.String, "why": pl.String, "settled_on": pl.Date}
)

_COLUMNS: Final = ", ".join("call::text" if name == "call" else name for name in _READ)

_CARRIED_OUT = """
UPDATE agreement_event AS e SET outcome = 'carried_out', why = NULL, settled_on = %(as_of)s
FROM fact_journal AS j
WHERE j.installation = e.installation AND j.process_id = e.process_id
AND e.outcome IN ('waiting', 'refused') AND e.supply_area = ANY(%(areas)s)
"""
_REACHED = """
UPDATE agreement_followed AS f SET reached = wanted, reached_life = wanted_life
WHERE supply_area = ANY(%(areas)s) AND (reached, reached_life) IS DISTINCT FROM (wanted, wanted_life)
AND NOT EXISTS (SELECT FROM agreement_event AS e WHERE e.customer_number = f.customer_number
                AND e.installation = f.installation AND e.outcome IN ('waiting', 'refused'))
"""
_SUPERSEDED = """
UPDATE agreement_event AS e SET outcome = 'superseded', settled_on = n.seen_on FROM followed_now AS n
WHERE e.customer_number = n.customer_number AND e.installation = n.installation
AND e.outcome IN ('waiting', 'refused')
"""
_FOLLOW = f"""
INSERT INTO agreement_followed ({", ".join(FOLLOWED)}) SELECT {", ".join(FOLLOWED)} FROM followed_now
ON CONFLICT (customer_number, installation) DO UPDATE SET
  agreement_id = excluded.agreement_id, supply_area = excluded.supply_area, wanted = excluded.wanted,
  wanted_life = excluded.wanted_life, reached = excluded.reached, reached_life = excluded.reached_life,
  revision = excluded.revision, seen_on = excluded.seen_on
"""
_OPEN = """
SELECT event_id, process_id, installation, contract, customer_number, supply_area, revision, call
FROM agreement_event WHERE outcome IN ('waiting', 'refused') AND supply_area = ANY(%(areas)s) ORDER BY event_id
"""
_REFUSE = """
UPDATE agreement_event AS e SET outcome = 'refused', why = r.why
FROM unnest(%(installations)s::text[], %(processes)s::text[], %(sentences)s::text[]) AS r(installation, process_id, why)
WHERE e.installation = r.installation AND e.process_id = r.process_id AND e.outcome IN ('waiting', 'refused')
"""


class OpenEvent(NamedTuple):
    """An event that has not been carried out yet; `call` as a row of the exchange format."""

    event_id: int
    process_id: str
    installation: str
    contract: str
    customer_number: str
    supply_area: str
    revision: int
    call: Mapping[str, Any]


class AgreementEvents:
    """The tables agreement_event and agreement_followed."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def settle(self, areas: Sequence[str], as_of: date) -> int:
        """Notes what the facts' journal says was carried out, and which states were reached by it; how many events."""
        return retrying(lambda: self._settle(sorted(areas), as_of))

    def _settle(self, areas: list[str], as_of: date) -> int:
        parameters = {"areas": areas, "as_of": as_of}
        with self._engine.begin() as connection, driver(connection).cursor() as cursor:
            settled = cursor.execute(_CARRIED_OUT, parameters).rowcount
            cursor.execute(_REACHED, parameters)
        return settled

    def followed(self, areas: Sequence[str], customer_numbers: Sequence[str] = ()) -> pl.DataFrame:
        """How far the agreements of these areas, and those of these customer numbers, are followed (FOLLOWED)."""
        query = (
            f"SELECT {', '.join(FOLLOWED)} FROM agreement_followed "
            "WHERE supply_area = ANY(%s) OR customer_number = ANY(%s)"
        )
        with self._engine.connect() as connection:
            return fetch(connection, query, FOLLOWED, [sorted(areas), list(customer_numbers)])

    def append(self, events: pl.DataFrame, followed: pl.DataFrame) -> None:
        """Adds events (EVENTS) and notes what their agreements are followed to (FOLLOWED), both or neither.

        Events of these agreements that are still open are superseded.
        """
        retrying(lambda: self._append(events, followed))

    def _append(self, events: pl.DataFrame, followed: pl.DataFrame) -> None:
        with self._engine.begin() as connection:
            connection.execute(sa.text("CREATE TEMP TABLE followed_now (LIKE agreement_followed) ON COMMIT DROP"))
            copy_in(connection, "followed_now", followed.select(list(FOLLOWED)))
            connection.execute(sa.text(_SUPERSEDED))
            copy_in(connection, "agreement_event", events.select(list(EVENTS)))
            connection.execute(sa.text(_FOLLOW))

    def open(self, areas: Sequence[str]) -> list[OpenEvent]:
        """The events of these areas that wait, or were refused, in the order in which they happened."""
        with self._engine.connect() as connection, driver(connection).cursor() as cursor:
            return [OpenEvent(*row) for row in cursor.execute(_OPEN, {"areas": sorted(areas)}).fetchall()]

    def refuse(self, refusals: Iterable[tuple[str, str, str]]) -> None:
        """Notes why events were not carried out: installation, process id, sentence."""
        told = list(refusals)
        names = ("installations", "processes", "sentences")
        parameters = {name: [one[place] for one in told] for place, name in enumerate(names)}

        def note() -> None:
            with self._engine.begin() as connection, driver(connection).cursor() as cursor:
                cursor.execute(_REFUSE, parameters)

        retrying(note)

    def of_installation(self, installation: str) -> pl.DataFrame:
        """The events of an installation in the order in which they happened; columns as `read`."""
        query = f"SELECT {_COLUMNS} FROM agreement_event WHERE installation = %s ORDER BY event_id"
        with self._engine.connect() as connection:
            return fetch(connection, query, _READ, [installation])

    def read(self, areas: Sequence[str] | None = None, *, after: int = 0) -> pl.DataFrame:
        """Events in the order in which they happened, of all areas or of these, and of higher event ids than `after`.

        Columns: event_id, EVENTS, outcome, why, settled_on.
        """
        query = (
            f"SELECT {_COLUMNS} FROM agreement_event WHERE event_id > %s "
            "AND (%s::text[] IS NULL OR supply_area = ANY(%s)) ORDER BY event_id"
        )
        wanted = None if areas is None else sorted(areas)
        with self._engine.connect() as connection:
            return fetch(connection, query, _READ, [after, wanted, wanted])

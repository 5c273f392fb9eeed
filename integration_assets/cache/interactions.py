"""The state of the interactions by folder: written by the supervision process, read by everybody else."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from integration_assets.cache.locks import lock_key
from integration_assets.cache.supervision_tables import interactions_erpcrm
from integration_assets.domain.supervision.interactions import Interactions

_OF_OPERATORS = ("paused", "paused_by", "paused_reason", "paused_until")
_KEPT = ("folder", "created_at", *_OF_OPERATORS)
"""What a refresh leaves as it is."""


class InteractionStates:
    """The table interactions_erpcrm."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def all(self) -> list[Interactions]:
        """The rows of all folders, by name."""
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(interactions_erpcrm).order_by(interactions_erpcrm.c.folder))
            return [_as_interactions(row) for row in rows.mappings()]

    def of(self, folder: str) -> Interactions | None:
        """The row of a folder, None where it was never refreshed."""
        with self._engine.connect() as connection:
            return read(connection, folder)

    def pause(self, folder: str, *, by: str, reason: str, until: datetime | None = None) -> bool:
        """Pauses a folder, for good or until an instant; False where it has no row yet."""
        return self._set(folder, paused=True, paused_by=by, paused_reason=reason, paused_until=until)

    def resume(self, folder: str) -> bool:
        """Ends the pause of a folder; False where it has no row."""
        return self._set(folder, paused=False, paused_by=None, paused_reason=None, paused_until=None)

    def _set(self, folder: str, **values: Any) -> bool:
        statement = sa.update(interactions_erpcrm).where(interactions_erpcrm.c.folder == folder).values(**values)
        with self._engine.begin() as connection:
            return bool(connection.execute(statement).rowcount)


@contextmanager
def refreshing(engine: sa.Engine, folder: str) -> Iterator[sa.Connection]:
    """A transaction in which nobody else refreshes the folder: two runs at once never mail of the same anomaly."""
    with engine.begin() as connection:
        key = {"key": lock_key(f"supervision {folder}")}
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), key)
        yield connection


def read(connection: sa.Connection, folder: str) -> Interactions | None:
    """The row of a folder inside a transaction, None where it was never refreshed."""
    query = sa.select(interactions_erpcrm).where(interactions_erpcrm.c.folder == folder)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else _as_interactions(row)


def write(connection: sa.Connection, row: Interactions) -> None:
    """Keeps what a refresh found; `created_at` and the pause of a row that exists stay as they are."""
    values = {field.name: getattr(row, field.name) for field in fields(row)}
    values["entities"] = {name: dict(counts) for name, counts in row.entities.items()}
    changed = {name: value for name, value in values.items() if name not in _KEPT}
    statement = insert(interactions_erpcrm).values(**values)
    connection.execute(statement.on_conflict_do_update(index_elements=["folder"], set_=changed))


def _as_interactions(row: Mapping[Any, Any]) -> Interactions:
    return Interactions(**dict(row))

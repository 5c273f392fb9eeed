"""Locks by name across processes, held by the database and freed when the holder's process ends, however it ends."""

import contextlib
import hashlib
from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError


@contextlib.contextmanager
def advisory_lock(engine: sa.Engine, name: str, *, shared: bool = False) -> Iterator[None]:
    """Hold the lock `name` during the with-block, on a connection of its own; waits until it is free.

    Any number may hold it at once as `shared`, while nobody holds it alone.
    """
    kind = "_shared" if shared else ""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        key = {"key": lock_key(name)}
        connection.execute(sa.text(f"SELECT pg_advisory_lock{kind}(:key)"), key)
        try:
            yield
        finally:
            # A connection that broke meanwhile has lost its lock already; the original error must stay visible.
            with contextlib.suppress(DBAPIError):
                connection.execute(sa.text(f"SELECT pg_advisory_unlock{kind}(:key)"), key)


def lock_key(name: str) -> int:
    """The signed 64-bit key of an advisory lock, from SHA-256 of its name."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)

"""Who is logged in to the pages. The browser has a random token; the table has its hash, so a copy opens nothing."""

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from integration_assets.cache.supervision_tables import web_session

_SEEN_AGAIN: Final = timedelta(minutes=1)
"""The table is told that a session is in use at most so often."""


@dataclass(frozen=True)
class WebSession:
    """A session that is in force: who, in which roles, until when at most."""

    user_name: str
    roles: frozenset[str]
    ends_at: datetime


class WebSessions:
    """The table web_session. A session ends `idle` after its last use, and at its end in any case."""

    def __init__(self, engine: sa.Engine, idle: timedelta) -> None:
        self._engine = engine
        self._idle = idle

    def begin(self, user_name: str, roles: Collection[str], now: datetime, lasts: timedelta) -> str:
        """Begins a session, forgets those that are over, and returns the new one's token."""
        token = secrets.token_urlsafe(32)
        over = (web_session.c.ends_at < now) | (web_session.c.seen_at < now - self._idle)
        values = {
            "token_hash": _hashed(token),
            "user_name": user_name,
            "roles": sorted(roles),
            "began_at": now,
            "seen_at": now,
            "ends_at": now + lasts,
        }
        with self._engine.begin() as connection:
            connection.execute(sa.delete(web_session).where(over))
            connection.execute(sa.insert(web_session).values(values))
        return token

    def of(self, token: str, now: datetime) -> WebSession | None:
        """The session of a token; None where there is none in force."""
        key = web_session.c.token_hash == _hashed(token)
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(web_session).where(key)).first()
        if row is None or row.ends_at <= now or row.seen_at <= now - self._idle:
            return None
        if row.seen_at <= now - _SEEN_AGAIN:
            with self._engine.begin() as connection:
                connection.execute(sa.update(web_session).where(key).values(seen_at=now))
        return WebSession(row.user_name, frozenset(row.roles), row.ends_at)

    def end(self, token: str) -> None:
        """Ends the session of a token, if there is one."""
        with self._engine.begin() as connection:
            connection.execute(sa.delete(web_session).where(web_session.c.token_hash == _hashed(token)))


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()

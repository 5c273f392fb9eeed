"""What we know of following the registers: subscriptions, event deliveries taken in, and who is to be asked again.

A *subject* is the keyed hash of a number, as in `cache.register_answers`.
"""

from collections.abc import Collection
from datetime import date

import polars as pl
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from integration_assets.cache.cipher import Cipher
from integration_assets.cache.copying import fetch
from integration_assets.cache.tables import event_cursor, person_subscription, register_answer


class Following:
    """The tables person_subscription and event_cursor, and the marks of register_answer."""

    def __init__(self, engine: sa.Engine, cipher: Cipher) -> None:
        self._engine = engine
        self._cipher = cipher

    def subscriptions(self) -> pl.DataFrame:
        """What we asked for: columns subject, number (the one subscribed to)."""
        schema = {"subject": pl.String, "number": pl.Binary}
        with self._engine.connect() as connection:
            stored = fetch(connection, "SELECT subject, number FROM person_subscription", schema, [])
        return stored.with_columns(self._cipher.open_series(stored["number"]))

    def subscribed_before(self, day: date) -> bool:
        """Whether any subscription was made on an earlier day."""
        earlier = sa.select(sa.exists().where(person_subscription.c.since < day))
        with self._engine.connect() as connection:
            return bool(connection.scalar(earlier))

    def note_subscribed(self, subject: str, number: str, since: date) -> None:
        """Remember a subscription, in the place of one to a former number of the same person."""
        values = {"number": self._cipher.seal(number.encode()), "since": since}
        statement = insert(person_subscription).values(subject=subject, **values)
        with self._engine.begin() as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=["subject"], set_=values))

    def note_unsubscribed(self, subjects: Collection[str]) -> None:
        """Forget subscriptions that ended."""
        with self._engine.begin() as connection:
            connection.execute(sa.delete(person_subscription).where(person_subscription.c.subject.in_(subjects)))

    def compared_on(self, source: str) -> date | None:
        """The day on which our subscriptions were last held against those of the source; None: not yet."""
        stored = self.cursor(f"{source}/subscriptions")
        return None if stored is None else date.fromisoformat(stored)

    def note_compared(self, source: str, on: date) -> None:
        """Remember that they were on this day."""
        self.take_in(f"{source}/subscriptions", on.isoformat(), changed=())

    def cursor(self, source: str) -> str | None:
        """Up to where deliveries of the source were taken in; None before the first."""
        with self._engine.connect() as connection:
            return connection.scalar(sa.select(event_cursor.c.cursor).where(event_cursor.c.source == source))

    def take_in(
        self,
        source: str,
        cursor: str | None,
        *,
        changed: Collection[str],
        ended: Collection[str] = (),
        everybody: bool = False,
    ) -> None:
        """Take in a delivery: mark the subjects to be asked again and move the cursor, both or neither.

        Subscriptions of `ended` subjects are forgotten, so that they are made again where they are still wanted.
        `everybody`: all persons are to be asked again, since a delivery is missing.
        """
        with self._engine.begin() as connection:
            self._mark(connection, None if everybody else [*changed, *ended])
            connection.execute(sa.delete(person_subscription).where(person_subscription.c.subject.in_(ended)))
            if cursor is not None:
                values = {"cursor": cursor, "updated_at": sa.func.now()}
                statement = insert(event_cursor).values(source=source, **values)
                connection.execute(statement.on_conflict_do_update(index_elements=["source"], set_=values))

    def mark(self, subjects: Collection[str]) -> None:
        """Have these persons asked again."""
        with self._engine.begin() as connection:
            self._mark(connection, subjects)

    def checks(self, service: str) -> pl.DataFrame:
        """When each subject was asked last: columns subject, as_of, recheck."""
        schema = {"subject": pl.String, "as_of": pl.Date, "recheck": pl.Boolean}
        query = "SELECT subject, as_of, recheck FROM register_answer WHERE service = %s"
        with self._engine.connect() as connection:
            return fetch(connection, query, schema, [service])

    @staticmethod
    def _mark(connection: sa.Connection, subjects: Collection[str] | None) -> None:
        statement = sa.update(register_answer).values(recheck=True).where(register_answer.c.service == "person")
        if subjects is not None:
            statement = statement.where(register_answer.c.subject.in_(subjects))
        connection.execute(statement)

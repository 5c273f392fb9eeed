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
        """What we asked for: columns number_subject (keyed hash of the number), subject (of the person), number."""
        schema = {"number_subject": pl.String, "subject": pl.String, "number": pl.Binary}
        query = "SELECT number_subject, subject, number FROM person_subscription"
        with self._engine.connect() as connection:
            stored = fetch(connection, query, schema, [])
        return stored.with_columns(self._cipher.open_series(stored["number"]))

    def subscribed_before(self, day: date) -> bool:
        """Whether any subscription was made on an earlier day."""
        earlier = sa.select(sa.exists().where(person_subscription.c.since < day))
        with self._engine.connect() as connection:
            return bool(connection.scalar(earlier))

    def note_subscribed(self, number_subject: str, subject: str, number: str, since: date) -> None:
        """Remember a subscription, and have the person asked again who was asked before that day.

        Of changes between that question and the subscription no event tells.
        """
        values = {"subject": subject, "number": self._cipher.seal(number.encode()), "since": since}
        statement = insert(person_subscription).values(number_subject=number_subject, **values)
        asked_before = (register_answer.c.subject == subject) & (register_answer.c.as_of < since)
        with self._engine.begin() as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=["number_subject"], set_=values))
            connection.execute(_marking().where(asked_before))

    def note_unsubscribed(self, number_subjects: Collection[str]) -> None:
        """Forget subscriptions that ended."""
        with self._engine.begin() as connection:
            self._forget(connection, number_subjects)

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
        again_until: date | None = None,
        ended: Collection[str] = (),
        everybody: bool = False,
    ) -> None:
        """Take in a delivery: mark the subjects to be asked again and move the cursor, both or neither.

        Those in `changed` are asked daily until `again_until` or until their answer differs. Subscriptions of `ended`
        number subjects are forgotten, so that they are made again where they are still wanted. `everybody`: all persons
        are to be asked again, since a delivery is missing.
        """
        with self._engine.begin() as connection:
            if everybody:
                connection.execute(_marking())
            told = _marking() if again_until is None else _marking().values(again_until=again_until)
            connection.execute(told.where(register_answer.c.subject.in_(changed)))
            self._forget(connection, ended)
            if cursor is not None:
                values = {"cursor": cursor, "updated_at": sa.func.now()}
                statement = insert(event_cursor).values(source=source, **values)
                connection.execute(statement.on_conflict_do_update(index_elements=["source"], set_=values))

    def checks(self, service: str) -> pl.DataFrame:
        """When each subject was asked last (CHECKS of `domain.people.sweep`), its mark, and whether what was answered
        is still to be delivered: columns subject, as_of, recheck, again_until, mark, to_deliver."""
        schema = {
            "subject": pl.String,
            "as_of": pl.Date,
            "recheck": pl.Boolean,
            "again_until": pl.Date,
            "mark": pl.Int64,
            "to_deliver": pl.Boolean,
        }
        query = (
            "SELECT subject, as_of, marked > answered, again_until, marked::bigint, to_deliver FROM register_answer "
            "WHERE service = %s"
        )
        with self._engine.connect() as connection:
            return fetch(connection, query, schema, [service])

    def note_delivered(self, service: str, subjects: Collection[str]) -> None:
        """Remember that the registry was told what the registers say of these parties."""
        theirs = (register_answer.c.service == service) & register_answer.c.subject.in_(subjects)
        with self._engine.begin() as connection:
            connection.execute(sa.update(register_answer).where(theirs).values(to_deliver=False))

    @staticmethod
    def _forget(connection: sa.Connection, number_subjects: Collection[str]) -> None:
        statement = sa.delete(person_subscription).where(person_subscription.c.number_subject.in_(number_subjects))
        connection.execute(statement)


def _marking() -> sa.Update:
    marked = register_answer.c.marked + 1
    return sa.update(register_answer).values(marked=marked).where(register_answer.c.service == "person")

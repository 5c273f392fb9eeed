"""Tariff books: every version that was ever in force, the last one being the one in force."""

import json
from datetime import datetime
from typing import Any, NamedTuple, cast

import sqlalchemy as sa

from integration_assets.cache.copying import driver
from integration_assets.domain.facts.tariffs import Document, fingerprint

_LAST = "SELECT version, document, source, loaded_by, loaded_at FROM tariff_book ORDER BY version DESC LIMIT 1"
_NEW = """
INSERT INTO tariff_book (fingerprint, document, source, loaded_by) VALUES (%s, %s, %s, %s)
RETURNING version
"""


class StoredBook(NamedTuple):
    """A version of the tariff book, as it was loaded."""

    version: int
    document: Document
    source: str
    loaded_by: str
    loaded_at: datetime


class TariffBooks:
    """The table tariff_book."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def in_force(self) -> StoredBook | None:
        """The version in force; None before the first."""
        with self._engine.connect() as connection:
            row = connection.execute(sa.text(_LAST)).one_or_none()
        return None if row is None else StoredBook(*row)

    def load(self, document: Document, source: str, loaded_by: str) -> tuple[int, bool]:
        """Puts a document in force; its version, and whether it is a new one: what is in force already stays.

        The caller has validated it. Of two who load at once, the second one waits for the first.
        """
        name = fingerprint(document)
        with self._engine.begin() as connection, driver(connection).cursor() as cursor:
            cursor.execute("LOCK TABLE tariff_book IN SHARE ROW EXCLUSIVE MODE")
            query = "SELECT version, fingerprint FROM tariff_book ORDER BY version DESC LIMIT 1"
            last = cursor.execute(query).fetchone()
            if last is not None and last[1] == name:
                return last[0], False
            told = json.dumps(document, ensure_ascii=False)
            row = cursor.execute(_NEW, (name, told, source, loaded_by)).fetchone()
        return cast("tuple[Any, ...]", row)[0], True

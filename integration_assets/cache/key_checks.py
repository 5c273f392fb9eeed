"""Tells at opening, before anything is read or written, whether the given keys are those of the cache.

For each key ever in use the table cipher_check holds a known text sealed with it. A wrong secret under a known id does
not open it; a key that is missing has its row there all the same. A key that seals nothing any more is retired: it may
be left out of the settings, and comes back into use only with the same secret. A run that was under way when its key
was retired may still have sealed something with it, so the values themselves are looked at for some time after that.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from integration_assets.cache.cipher import HOW_TO_GIVE_KEYS, SHORTEST_SECRET, Cipher, CipherError
from integration_assets.cache.sealed import SEALED_TABLES, key_counts, sample
from integration_assets.cache.tables import cipher_check

_KNOWN_TEXT: Final = b"integration-assets: this key opens"
_HARMLESS: Final = "Nothing was read or written."

_LONGEST_RUN: Final = timedelta(days=30)
"""After that no run that began before its key was retired is under way any more."""


@dataclass(frozen=True)
class KeyCheck:
    """What the cache knows of a key: the known text sealed with it, and since when it seals nothing any more."""

    sealed: bytes
    retired_at: datetime | None


def check_keys(engine: sa.Engine, cipher: Cipher) -> None:
    """Raises CipherError, with a sentence for the operator, unless the cipher has all keys of the cache in use.

    A key that becomes current for the first time is noted, so that another secret under its id is told from then on.
    """
    with engine.begin() as connection:
        known = key_checks(connection) or _checks_of_values(connection, cipher)
        _check(connection, known, cipher)
        if cipher.current in cipher.short and cipher.current not in known:
            raise CipherError(
                f"The secret of the key {cipher.current!r} has fewer than {SHORTEST_SECRET} bytes, so it can be tried "
                f"out. {_HARMLESS} Give a longer one, made by chance. {HOW_TO_GIVE_KEYS}"
            )
        current = known.get(cipher.current)
        if current is not None and current.retired_at is None:
            return
        statement = insert(cipher_check).values(key_id=cipher.current, sealed=cipher.seal(_KNOWN_TEXT))
        unretired = statement.on_conflict_do_update(index_elements=["key_id"], set_={"retired_at": None})
        connection.execute(unretired)
        # Another process may have been the first one, with another secret.
        _check(connection, key_checks(connection), cipher)


def key_checks(connection: sa.Connection) -> Mapping[str, KeyCheck]:
    """What the cache knows of its keys, by their ids."""
    rows = connection.execute(sa.select(cipher_check.c.key_id, cipher_check.c.sealed, cipher_check.c.retired_at))
    return {key_id: KeyCheck(sealed, retired_at) for key_id, sealed, retired_at in rows}


def retire_unused(connection: sa.Connection, cipher: Cipher) -> list[str]:
    """Marks the keys, other than the current one, that seal nothing any more; returns their ids. Reads every value."""
    in_use = {cipher.current, *key_counts(connection)["key_id"]}
    statement = (
        sa.update(cipher_check)
        .where(cipher_check.c.retired_at.is_(None), cipher_check.c.key_id.not_in(in_use))
        .values(retired_at=sa.func.now())
        .returning(cipher_check.c.key_id)
    )
    return sorted(connection.execute(statement).scalars())


def _check(connection: sa.Connection, known: Mapping[str, KeyCheck], cipher: Cipher) -> None:
    not_given = sorted(known.keys() - cipher.key_ids)
    if missing := [key_id for key_id in not_given if _is_in_use(connection, key_id, known[key_id])]:
        named = ", ".join(map(repr, missing))
        raise CipherError(
            f"The cache holds values that are sealed with the key {named}, which the settings do not give. {_HARMLESS} "
            f"{HOW_TO_GIVE_KEYS} Once `integration-assets keys rotate` is through, a former key may be left out."
        )
    for key_id in sorted(cipher.key_ids & known.keys()):
        try:
            cipher.open(known[key_id].sealed)
        except CipherError:
            raise CipherError(
                f"The settings give another secret for the key {key_id!r} than the one that this cache is sealed with. "
                f"{_HARMLESS} Give the right secret, or a new secret under a new id. {HOW_TO_GIVE_KEYS}"
            ) from None


def _is_in_use(connection: sa.Connection, key_id: str, check: KeyCheck) -> bool:
    """Whether the key is not retired, or was of late and seals something all the same."""
    if check.retired_at is None:
        return True
    if datetime.now(UTC) - check.retired_at > _LONGEST_RUN:
        return False
    columns = ((table.name, column) for table in SEALED_TABLES for column in table.columns)
    return any(sample(connection, *column, key_id) is not None for column in columns)


def _checks_of_values(connection: sa.Connection, cipher: Cipher) -> Mapping[str, KeyCheck]:
    """For a cache that is older than the table of checks: the keys must open one value of each column; they are noted.

    Raises CipherError as `check_keys` does.
    """
    counts = key_counts(connection)
    noted: dict[str, KeyCheck] = {}
    for table, column, key_id, _ in counts.iter_rows():
        value = sample(connection, table, column, key_id)
        if value is not None:
            noted[key_id] = KeyCheck(value, None)
            _check(connection, noted, cipher)
    for key_id in noted:
        sealed = cipher.with_current(key_id).seal(_KNOWN_TEXT)
        connection.execute(insert(cipher_check).values(key_id=key_id, sealed=sealed).on_conflict_do_nothing())
    return noted

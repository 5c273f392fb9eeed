"""Errors of the database name tables and constraints, and none of the values."""

import polars as pl
import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from integration_assets.cache.copying import copy_in, copy_out, driver

SECRETS = ("0101701234", "010170-1234", "Viggo", "Vestergade")


@pytest.fixture
def people(cache: sa.Engine) -> sa.Engine:
    with cache.begin() as connection:
        connection.execute(
            sa.text("CREATE TABLE people (number text PRIMARY KEY, name text CHECK (name <> 'Viggo'), street text)")
        )
        connection.execute(sa.text("INSERT INTO people VALUES ('0101701234', 'Åse', 'Vestergade 1')"))
    return cache


@pytest.mark.parametrize(
    ("statement", "kind", "sentence"),
    [
        ("INSERT INTO people VALUES ('0101701234', 'Åse', 'Vestergade 1')", "UniqueViolation", "people_pkey"),
        ("INSERT INTO people VALUES ('1', 'Viggo', 'Vestergade 1')", "CheckViolation", "people_name_check"),
        ("INSERT INTO people VALUES (NULL, 'Åse', 'Vestergade 1')", "NotNullViolation", "number"),
        ("SELECT CAST('0101701234 Viggo' AS bigint) FROM people WHERE '010170-1234' = ''", "InvalidText", "bigint"),
        ("SELECT nothing FROM people WHERE street = 'Vestergade 1'", "UndefinedColumn", "nothing"),
    ],
)
def test_statements(people: sa.Engine, statement: str, kind: str, sentence: str) -> None:
    with pytest.raises(DBAPIError) as failure, people.begin() as connection:
        connection.execute(sa.text(statement))
    assert kind in type(failure.value.orig).__name__
    said = str(failure.value.orig)
    assert sentence in said
    assert not any(secret in said for secret in SECRETS if secret != "Viggo" or "bigint" not in said)


def test_copying(people: sa.Engine) -> None:
    frame = pl.DataFrame({"number": ["2"], "name": ["Viggo"], "street": ["Vestergade 1"]})
    with (
        pytest.raises(psycopg.errors.CheckViolation, match="people_name_check") as failure,
        people.begin() as connection,
    ):
        copy_in(connection, "people", frame)
    assert not any(secret in str(failure.value) for secret in SECRETS)
    with people.connect() as connection:
        assert copy_out(connection, "SELECT number FROM people", {"number": pl.String})["number"].to_list() == [
            "0101701234"
        ]


def test_the_driver_itself(people: sa.Engine) -> None:
    with pytest.raises(psycopg.errors.UniqueViolation) as failure, people.begin() as connection:
        driver(connection).execute("INSERT INTO people VALUES (%s)", ["0101701234"])
    assert "0101701234" not in str(failure.value)

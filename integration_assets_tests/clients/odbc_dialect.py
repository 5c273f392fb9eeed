"""PostgreSQL over ODBC for SQLAlchemy, which has no such dialect of its own.

Production reads KMD EE through pyodbc and Microsoft's driver. Here the same client code runs through pyodbc and a real
ODBC driver (psqlODBC) against PostgreSQL, so that parameters, types and portions of that road are tested too.
"""

from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pyodbc
import sqlalchemy as sa
from sqlalchemy.connectors.pyodbc import PyODBCConnector
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.base import PGDialect

DRIVER = "PostgreSQL Unicode"


class PostgresOdbc(PyODBCConnector, PGDialect):
    """PostgreSQL's SQL by pyodbc's wire."""

    supports_statement_cache = True
    driver = "pyodbc"

    def _get_server_version_info(self, connection: Any) -> tuple[int, ...]:
        return PGDialect._get_server_version_info(self, connection)


registry.register("postgresql.pyodbc", __name__, "PostgresOdbc")


def missing_driver() -> str | None:
    """Why this machine cannot run ODBC tests; None when it can."""
    return None if DRIVER in pyodbc.drivers() else f"the ODBC driver {DRIVER!r} (Debian: odbc-postgresql) is missing"


def odbc_url(socket_dir: Path, user: str, database: str) -> str:
    """The URL of a database on a server that listens on a unix socket only."""
    parts = (
        f"Driver={{{DRIVER}}};Server={socket_dir};Port=5432;Database={database};Uid={user};UseDeclareFetch=1;Fetch=2"
    )
    return sa.URL.create("postgresql+pyodbc").render_as_string() + f"/?odbc_connect={quote_plus(parts)}"

"""Where the cache lives: an embedded PostgreSQL by default, or a server named by URL; one SQL dialect for both."""

from pathlib import Path

import sqlalchemy as sa

from integration_assets.cache.quiet_errors import QuietCursor
from integration_assets.cache.server import embedded_server

_DRIVER = "postgresql+psycopg"


def embedded_server_url(data_dir: Path, database: str) -> str:
    """The URL of a database on the embedded server of `data_dir`; starts the server and creates the database if needed.

    This process holds the server until it ends. Raises cache.server.ServerError when the server cannot be started.
    """
    server = embedded_server(data_dir)
    server.create_database(database)
    url = sa.URL.create(_DRIVER, username="postgres", database=database, query={"host": str(server.socket_dir())})
    return url.render_as_string(hide_password=False)


def drop_database(data_dir: Path, database: str) -> None:
    """Drops a database of the embedded server, whoever is connected to it; does nothing when it does not exist."""
    engine = sa.create_engine(embedded_server_url(data_dir, "postgres"), isolation_level="AUTOCOMMIT")
    quoted = engine.dialect.identifier_preparer.quote_identifier(database)
    with engine.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE IF EXISTS {quoted} WITH (FORCE)"))
    engine.dispose()


def cache_engine(settings_url: str | None, data_dir: Path) -> sa.Engine:
    """An engine for the cache: the server at `settings_url`, else the embedded server's database `cache`.

    URLs of any PostgreSQL driver (also ``postgres://``) are accepted and use psycopg 3. Neither parameters nor rows
    appear in errors, since they may hold personal data.
    """
    url = sa.make_url(normalised(settings_url) if settings_url else embedded_server_url(data_dir, "cache"))
    return sa.create_engine(
        url,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={
            "application_name": "integration-assets",
            "options": "-c timezone=UTC",
            "cursor_factory": QuietCursor,
        },
    )


def normalised(url: str) -> str:
    """The URL with the driver psycopg 3. Raises ValueError when it does not name a PostgreSQL server."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.partition("+")[0] not in ("postgres", "postgresql"):
        raise ValueError("The cache needs a PostgreSQL URL: postgresql://user:password@host:port/database.")
    return f"{_DRIVER}://{rest}"


def migrate(engine: sa.Engine) -> None:
    """Bring the cache's schema to the newest revision; safe when several processes start at once."""
    from integration_assets.cache.migrations import upgrade  # alembic is slow to import and needed once

    upgrade(engine)

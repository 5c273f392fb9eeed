"""The tables of the billing system (KMD EE, schema dbo) as far as the integration or an analyst meets them.

Column names are the system's own (Danish). Numbers such as customer and personal numbers are floats, dates carry a time
and no zone, 9999-12-31 is an open end, a missing door is "-". Most columns of `Kunde` are never read by the
integration; a dozen of them stand here so that a query which names its columns is told from one that does not.
"""

from collections.abc import Iterable
from typing import Any, Final

import psycopg
import sqlalchemy as sa

SCHEMA: Final = "dbo"
METADATA: Final = sa.MetaData(schema=SCHEMA)
_NUMBER = sa.Double()

KUNDE: Final = sa.Table(
    "Kunde",
    METADATA,
    sa.Column("KundeID", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("Kundenr", _NUMBER),
    sa.Column("ForbrugsstedID", sa.Integer),
    sa.Column("PersonnrSEnr", _NUMBER),
    sa.Column("LigestPersonnr", _NUMBER),
    sa.Column("KundeSagsnr", _NUMBER),
    sa.Column("KundeNavn", sa.String(80)),
    sa.Column("Telefonnr", sa.Integer),
    sa.Column("EmailKunde", sa.String(100)),
    sa.Column("MobilTlf", sa.String(20)),
    sa.Column("VejNavn", sa.String(100)),
    sa.Column("Postdistrikt", sa.String(50)),
    sa.Column("Tilflytningsdato", sa.DateTime),
    sa.Column("Fraflytningsdato", sa.DateTime),
    sa.Column("Status", sa.Integer),
    sa.Column("FasadministratorID", sa.Integer),
    sa.Column("BoligadminID", sa.Integer),
    sa.Column("AfregningsgrpNr", sa.Integer),
    # Never read by the integration.
    sa.Column("KundeCprNr", _NUMBER),
    sa.Column("FaxNr", sa.String(20)),
    sa.Column("AdresFormKunde", sa.Integer),
    sa.Column("Afregningskode", sa.Integer),
    sa.Column("Regningstekst", sa.String(80)),
    sa.Column("SidsteAfregnDato", sa.DateTime),
    sa.Column("StopAfregning", sa.Boolean),
    sa.Column("Rykkerstatus", sa.Integer),
    sa.Column("PbsAftale", sa.Boolean),
    sa.Column("Bankkonto", sa.String(20)),
    sa.Column("KundeAntVoksne", sa.Integer),
    sa.Column("CONavn", sa.String(80)),
    sa.Column("ByNavn", sa.String(50)),
    sa.Index("Kunde_Forbrugssted", "ForbrugsstedID"),
    sa.Index("Kunde_Kundenr", "Kundenr"),
)

FORBRUGSSTED: Final = sa.Table(
    "Forbrugssted",
    METADATA,
    sa.Column("ForbrugsstedID", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("ForbrStVejnavn", sa.String(60)),
    sa.Column("Vejkode", sa.Integer),
    sa.Column("Husnr", sa.Integer),
    sa.Column("Bogstav", sa.String(2)),
    sa.Column("Etage", sa.String(4)),
    sa.Column("Sidedørnr", sa.String(6), nullable=False),
    sa.Column("Postnr", sa.String(4)),
    sa.Column("Postdistrikt", sa.String(50)),
    sa.Column("Ejendomsnr", sa.Integer),
    sa.Column("ViceværtID", sa.Integer),
)

TREF_INSTALLATION: Final = sa.Table(
    "TrefInstallation",
    METADATA,
    sa.Column("InstallationID", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("InstalNummer", sa.Integer),
    sa.Column("ForbrugsstedID", sa.Integer),
    sa.Column("AlternativStedID", sa.Integer),
    sa.Index("TrefInstallation_Forbrugssted", "ForbrugsstedID"),
)

TREF_MAALER: Final = sa.Table(
    "TrefMaaler",
    METADATA,
    sa.Column("MaalerID", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("InstallationID", sa.Integer),
    sa.Column("Målernr", sa.String(20)),
    sa.Column("MaalerTypeBetegnel", sa.String(40)),
    sa.Column("Målertypefabrikat", sa.String(40)),
    sa.Column("DatoFra", sa.DateTime),
    sa.Column("DatoTil", sa.DateTime),
    sa.Index("TrefMaaler_Installation", "InstallationID"),
)

ALTERNATIV_STED: Final = sa.Table(
    "AlternativSted",
    METADATA,
    sa.Column("AlternativStedID", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("ForbrStVejnavn", sa.String(60)),
    sa.Column("VejkodeAltern", sa.Integer),
    sa.Column("HusnrAltern", sa.Integer),
    sa.Column("Bogstav", sa.String(2)),
    sa.Column("EtageAltAdr", sa.String(4)),
    sa.Column("SidedørnrAltern", sa.String(6)),
    sa.Column("Postnr", sa.String(4)),
    sa.Column("Postdistrikt", sa.String(50)),
)


def connect(url: str) -> psycopg.Connection[Any]:
    """A psycopg connection to a SQLAlchemy URL of PostgreSQL; its block is one transaction."""
    scheme, _, rest = url.partition("://")
    return psycopg.connect(f"{scheme.partition('+')[0]}://{rest}")


def create_tables(url: str) -> None:
    """Create the schema with all tables, empty; what was there before is gone."""
    engine = sa.create_engine(url)
    try:
        with engine.begin() as connection:
            connection.execute(sa.schema.CreateSchema(SCHEMA, if_not_exists=True))
            METADATA.drop_all(connection)
            METADATA.create_all(connection)
    finally:
        engine.dispose()


def copy_rows(connection: psycopg.Connection[Any], table: sa.Table, rows: Iterable[dict[str, Any]]) -> None:
    """Add many rows by COPY. Every row names the same columns."""
    quoted = f'"{SCHEMA}"."{table.name}"'
    iterator = iter(rows)
    first = next(iterator, None)
    if first is None:
        return
    names = tuple(first)
    columns = ", ".join(f'"{name}"' for name in names)
    with connection.cursor().copy(f"copy {quoted} ({columns}) from stdin".encode()) as copy:
        copy.write_row(tuple(first.values()))
        for row in iterator:
            copy.write_row(tuple(row[name] for name in names))


def replace_row(connection: psycopg.Connection[Any], table: sa.Table, values: dict[str, Any]) -> None:
    """Insert one row, or update the named columns of the row that has its primary key."""
    key = next(iter(table.primary_key)).name
    columns = ", ".join(f'"{name}"' for name in values)
    places = ", ".join(["%s"] * len(values))
    assignments = ", ".join(f'"{name}" = excluded."{name}"' for name in values)
    statement = (
        f'insert into "{SCHEMA}"."{table.name}" ({columns}) values ({places}) on conflict ("{key}") do update set '
        f"{assignments}"
    )
    connection.execute(statement.encode(), tuple(values.values()))

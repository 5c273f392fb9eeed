"""The tables of KMD EE that the integration reads, with the Danish column names of the system (schema dbo).

Belongs here: names and types, and which columns a raw frame has. What a column means is `domain.source`.
Promises nothing about columns of these tables that are not listed; types are those the database is known to use.
"""

from typing import Any, Final

import polars as pl
import sqlalchemy as sa

_METADATA = sa.MetaData(schema="dbo")
_NUMBER = sa.Double()  # customer and personal numbers are floats in KMD EE
_TEXT = sa.String()

KUNDE: Final = sa.Table(
    "Kunde",
    _METADATA,
    sa.Column("PersonnrSEnr", _NUMBER),
    sa.Column("LigestPersonnr", _NUMBER),
    sa.Column("Kundenr", _NUMBER),
    sa.Column("KundeSagsnr", _NUMBER),
    sa.Column("KundeNavn", _TEXT),
    sa.Column("Telefonnr", sa.Integer),
    sa.Column("EmailKunde", _TEXT),
    sa.Column("MobilTlf", _TEXT),
    sa.Column("ForbrugsstedID", sa.Integer),
    sa.Column("VejNavn", _TEXT),
    sa.Column("Postdistrikt", _TEXT),
    sa.Column("Tilflytningsdato", sa.DateTime),
    sa.Column("Fraflytningsdato", sa.DateTime),
    sa.Column("Status", sa.Integer),
    sa.Column("FasadministratorID", sa.Integer),
    sa.Column("BoligadminID", sa.Integer),
    sa.Column("AfregningsgrpNr", sa.Integer),
)

FORBRUGSSTED: Final = sa.Table(
    "Forbrugssted",
    _METADATA,
    sa.Column("ForbrugsstedID", sa.Integer),
    sa.Column("Husnr", sa.Integer),
    sa.Column("ForbrStVejnavn", _TEXT),
    sa.Column("Vejkode", sa.Integer),
    sa.Column("Postdistrikt", _TEXT),
    sa.Column("Postnr", _TEXT),
    sa.Column("Bogstav", _TEXT),
    sa.Column("Etage", _TEXT),
    sa.Column("Sidedørnr", _TEXT),
)

TREF_INSTALLATION: Final = sa.Table(
    "TrefInstallation",
    _METADATA,
    sa.Column("InstallationID", sa.Integer),
    sa.Column("InstalNummer", sa.Integer),
    sa.Column("AlternativStedID", sa.Integer),
    sa.Column("ForbrugsstedID", sa.Integer),
)

TREF_MAALER: Final = sa.Table(
    "TrefMaaler",
    _METADATA,
    sa.Column("InstallationID", sa.Integer),
    sa.Column("Målernr", _TEXT),
    sa.Column("MaalerTypeBetegnel", _TEXT),
    sa.Column("Målertypefabrikat", _TEXT),
    sa.Column("DatoFra", sa.DateTime),
    sa.Column("DatoTil", sa.DateTime),
)

ALTERNATIV_STED: Final = sa.Table(
    "AlternativSted",
    _METADATA,
    sa.Column("AlternativStedID", sa.Integer),
    sa.Column("HusnrAltern", sa.Integer),
    sa.Column("ForbrStVejnavn", _TEXT),
    sa.Column("VejkodeAltern", sa.Integer),
    sa.Column("Postdistrikt", _TEXT),
    sa.Column("Postnr", _TEXT),
    sa.Column("Bogstav", _TEXT),
    sa.Column("EtageAltAdr", _TEXT),
    sa.Column("SidedørnrAltern", _TEXT),
)

CUSTOMER_COLUMNS: Final[tuple[sa.Label[Any], ...]] = (
    *(KUNDE.c[name].label(name) for name in KUNDE.c.keys() if name != "AfregningsgrpNr"),  # noqa: SIM118 - names
    *(
        FORBRUGSSTED.c[name].label("ForbrStPostdistrikt" if name == "Postdistrikt" else name)
        for name in FORBRUGSSTED.c.keys()  # noqa: SIM118
        if name != "ForbrugsstedID"
    ),
)
"""The 24 columns of customer and consumption place."""

INSTALLATION_COLUMNS: Final[tuple[sa.Label[Any], ...]] = (
    *(TREF_INSTALLATION.c[name].label(name) for name in ("InstalNummer", "AlternativStedID")),
    *(TREF_MAALER.c[name].label(name) for name in TREF_MAALER.c.keys() if name != "InstallationID"),  # noqa: SIM118
    TREF_INSTALLATION.c.ForbrugsstedID.label("ForbrugsstedID"),
)
"""The 8 columns of installation and meter."""

ALTERNATIVE_COLUMNS: Final[tuple[sa.Label[Any], ...]] = tuple(
    ALTERNATIV_STED.c[name].label(f"Alt_{name}")
    for name in ALTERNATIV_STED.c.keys()  # noqa: SIM118
    if name != "AlternativStedID"
)
"""The 8 columns of the alternative place, prefixed because some names are those of Forbrugssted."""

_KEPT_NUMBERS = frozenset({"PersonnrSEnr", "LigestPersonnr", "Kundenr", "KundeSagsnr"})
_KEPT_IDS = frozenset({"ForbrugsstedID", "AlternativStedID", "AfregningsgrpNr"})


def raw_schema(columns: tuple[sa.Label[Any], ...]) -> pl.Schema:
    """The schema of a raw frame: dates and the joining ids typed, everything typed by hand or of unsure type as text.

    The four floats stay floats; a telephone or installation number is text because installations differ in its type.
    """
    types: dict[str, pl.DataType] = {}
    for column in columns:
        if column.name in _KEPT_NUMBERS:
            types[column.name] = pl.Float64()
        elif column.name in _KEPT_IDS:
            types[column.name] = pl.Int64()
        else:
            types[column.name] = pl.Datetime("us") if isinstance(column.type, sa.DateTime) else pl.String()
    return pl.Schema(types)

"""What is read from the billing system (KMD EE): every column, and what becomes of it.

Each source column is declared once, with the column of our frames it becomes and how its value is read, or with the
reason why it is ignored. The cleaning (`domain.source`) is driven by these declarations.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import polars as pl

from integration_assets.domain.people.numbers import normalised, whole_number

_OPEN_YEAR: Final = 9999

Reader = Callable[[str], pl.Expr]


@dataclass(frozen=True)
class SourceColumn:
    """One column of the source: what it becomes, or why it is ignored.

    `name` is its name in the raw frame; `read` gives the cleaned value from it.
    """

    table: str
    name: str
    target: str | None = None
    read: Reader | None = None
    ignored: str | None = None

    def __post_init__(self) -> None:
        if (self.target is None) == (self.ignored is None) or (self.target is None) != (self.read is None):
            raise ValueError(f"Source column {self.name!r} must be either mapped or ignored with a reason.")


def _text(name: str) -> pl.Expr:
    """Stripped text; empty is null."""
    text = pl.col(name).cast(pl.String).str.strip_chars()
    return pl.when(text != "").then(text)


def _unless_dash(name: str) -> pl.Expr:
    """Stripped text; "-" means none."""
    text = _text(name)
    return pl.when(text != "-").then(text)


def _billing_line(name: str) -> pl.Expr:
    """The billing line, in which ",-" is typed for a blank."""
    text = pl.col(name).cast(pl.String).str.replace_all(",-", " ", literal=True)
    text = text.str.replace_all(r"\s+", " ").str.strip_chars()
    return pl.when(text != "").then(text)


def _id_number(name: str) -> pl.Expr:
    """The normalised number; a single digit stands for nobody."""
    number = normalised(name)
    return pl.when(~number.str.contains(r"^[0-9]?$")).then(number)


def _phone(name: str) -> pl.Expr:
    """Digits without the blanks, dots and hyphens between them; what is no single number stays as typed; 0 is none."""
    text = _text(name)
    digits = text.str.replace_all(r"[\s.\-()]", "")
    return (
        pl.when(digits.str.contains(r"^0*$"))
        .then(None)
        .when(digits.str.contains(r"^\+?[0-9]+$"))
        .then(digits)
        .otherwise(text)
    )


def _number(name: str) -> pl.Expr:
    """A number as text; 0 is none."""
    text = whole_number(name)
    return pl.when(text != "0").then(text)


def four_digits(name: str) -> pl.Expr:
    """A code of four digits, with the leading zeros that a number loses; 0 is none."""
    text = _number(name)
    return pl.when(text.str.contains(r"^[0-9]{1,4}$")).then(text.str.zfill(4)).otherwise(text)


def _identity(name: str) -> pl.Expr:
    """An internal id as integer; 0 is none."""
    return _number(name).cast(pl.Int64, strict=False)


def _day(name: str) -> pl.Expr:
    """A Danish calendar day; the source's last year stands for an open end and is null."""
    return pl.when(pl.col(name).dt.year() < _OPEN_YEAR).then(pl.col(name))


def _declared(
    table: str, mapped: Iterable[tuple[str, str, Reader]], ignored: Iterable[tuple[str, str]] = ()
) -> tuple[SourceColumn, ...]:
    return (
        *(SourceColumn(table, name, target, read) for name, target, read in mapped),
        *(SourceColumn(table, name, ignored=reason) for name, reason in ignored),
    )


KUNDE_COLUMNS: Final = (
    *_declared(
        "Kunde",
        (
            ("Kundenr", "customer_number", _number),
            ("PersonnrSEnr", "id_number", _id_number),
            ("LigestPersonnr", "co_id_number", _id_number),
            ("KundeSagsnr", "master_id", _number),
            ("KundeNavn", "name", _text),
            ("Telefonnr", "phone", _phone),
            ("MobilTlf", "mobile", _phone),
            ("EmailKunde", "email", _text),
            ("ForbrugsstedID", "consumption_place_id", _identity),
            ("VejNavn", "billing_street_line", _billing_line),
            ("Postdistrikt", "billing_district", _text),
            ("Tilflytningsdato", "moved_in", _day),
            ("Fraflytningsdato", "moved_out", _day),
        ),
        (
            ("Status", "its code values are not documented and no rule uses them"),
            ("FasadministratorID", "a role Administrator was intended once; those parties carry no id number"),
            ("BoligadminID", "housing administrators are no parties of the agreement"),
        ),
    ),
    *_declared(
        "Forbrugssted",
        (
            ("ForbrStVejnavn", "street_name", _text),
            ("Vejkode", "street_code", four_digits),
            ("Husnr", "house_number", _number),
            ("Bogstav", "house_letter", _text),
            ("Etage", "floor", _unless_dash),
            ("Sidedørnr", "door", _unless_dash),
            ("Postnr", "postcode", four_digits),
            ("ForbrStPostdistrikt", "city", _text),
        ),
    ),
)
"""The 24 columns of customer and consumption place. ForbrStPostdistrikt is Forbrugssted.Postdistrikt under an alias."""

INSTALLATION_COLUMNS: Final = (
    *_declared(
        "TrefInstallation",
        (
            ("InstalNummer", "installation_number", _number),
            ("AlternativStedID", "alternative_place_id", _identity),
            ("ForbrugsstedID", "consumption_place_id", _identity),
        ),
    ),
    *_declared("Forbrugssted", (("Postnr", "supply_area", four_digits),)),
    *_declared(
        "TrefMaaler",
        (
            ("Målernr", "meter_number", _text),
            ("MaalerTypeBetegnel", "meter_type", _text),
            ("Målertypefabrikat", "meter_make", _text),
            ("DatoFra", "meter_from", _day),
            ("DatoTil", "meter_to", _day),
        ),
    ),
)
"""Installation and meter, with the postal code of their place.

The original query also took Kundenr from a join with Kunde, which repeated each installation for every customer of its
place and let the last row win; ForbrugsstedID replaces it, and the agreements that an installation belongs to follow
from place and dates.
"""

PLACE_COLUMNS: Final = tuple(column for column in KUNDE_COLUMNS if column.table == "Forbrugssted")
"""Those of them that describe the consumption place; all are null where a row of Kunde has lost its place."""

ALTERNATIVE_COLUMNS: Final = _declared(
    "AlternativSted",
    (
        ("Alt_ForbrStVejnavn", "alt_street_name", _text),
        ("Alt_VejkodeAltern", "alt_street_code", four_digits),
        ("Alt_HusnrAltern", "alt_house_number", _number),
        ("Alt_Bogstav", "alt_house_letter", _text),
        ("Alt_EtageAltAdr", "alt_floor", _unless_dash),
        ("Alt_SidedørnrAltern", "alt_door", _unless_dash),
        ("Alt_Postnr", "alt_postcode", four_digits),
        ("Alt_Postdistrikt", "alt_city", _text),
    ),
)
"""The eight columns of the alternative place, prefixed Alt_ in the raw frame of installations."""

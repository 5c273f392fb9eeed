"""Parts and lines of Danish addresses in one form, so that the same address is the same text.

Only what cannot change the meaning is folded: letter case, composed letters, blanks, dots, commas, leading zeros and
"-" for none. å and aa, abbreviations and typing errors are left alone. All functions give polars expressions, take a
column by name or an expression, return lower-case text (the house number upper case) and null for none; what they
return they leave as it is.
"""

import polars as pl

from integration_assets.domain.people.numbers import Text


def _column(column: Text) -> pl.Expr:
    return pl.col(column) if isinstance(column, str) else column


def _or_null(text: pl.Expr) -> pl.Expr:
    return pl.when(text != "").then(text)


def street_code(column: Text) -> pl.Expr:
    """The street code (vejkode): four digits; null for zero or what is no code."""
    return _code(_column(column), 4)


def municipality_code(column: Text) -> pl.Expr:
    """The municipality code (kommunekode): four digits; null for zero or what is no code."""
    return _code(_column(column), 4)


def postcode(column: Text) -> pl.Expr:
    """The postal code (postnummer): four digits; null for zero or what is no code."""
    return _code(_column(column), 4)


def _code(column: pl.Expr, digits: int) -> pl.Expr:
    bare = column.str.strip_chars().str.strip_chars_start("0")
    return pl.when(bare.str.contains(rf"^[0-9]{{1,{digits}}}$")).then(bare.str.zfill(digits))


def house(number: Text, letter: Text | None = None) -> pl.Expr:
    """The house number with its letter (husnr): "012 b" -> "12B". `letter` is given where it has its own column."""
    text = _column(number)
    if letter is not None:
        text = pl.concat_str(text, _column(letter).fill_null(""))
    text = text.str.to_uppercase().str.normalize("NFC").str.replace_all(r"[\s.,]", "").str.strip_chars("-")
    return _or_null(text.str.strip_chars_start("0"))


def floor(column: Text) -> pl.Expr:
    """The floor (etage): "ST." -> "st", "01" -> "1"; "-" and zero are none."""
    return _or_null(_bare(column))


def door(column: Text) -> pl.Expr:
    """The door or side (dør): "TV" -> "tv", "th." -> "th", "0004" -> "4"; "-" and zero are none."""
    return _or_null(_bare(column))


def _bare(column: Text) -> pl.Expr:
    text = _column(column).str.to_lowercase().str.normalize("NFC").str.replace_all(r"[\s.,]", "")
    return text.str.replace(r"^[0\-]+", "").str.strip_chars_end("-")


def line(column: Text) -> pl.Expr:
    """A whole address line, or a part of one such as a street name.

    "Eksempelgade 012B, 2.TV, 8000  Aarhus C" -> "eksempelgade 12 b 2 tv 8000 aarhus c": dots and commas are blanks, a
    number stands apart from the letters after it, without leading zeros; a hyphen that stands alone is dropped.
    """
    text = _column(column).str.to_lowercase().str.normalize("NFC")
    text = text.str.replace_all(r"[\s.,]+", " ").str.replace_all(r"([0-9])(\p{L})", "$1 $2")
    text = text.str.replace_all(r"(^| )(?:-+(?: |$))+", "$1").str.replace_all(r"(^| )0+([0-9])", "$1$2")
    return _or_null(text.str.strip_chars())


def address_line(
    street: Text, house_number: Text, house_letter: Text | None, floor: Text, door: Text, postcode: Text, city: Text
) -> pl.Expr:
    """The line that people read: ``<street> <no><letter> <floor><door>, <zip> <city>``, as typed.

    Missing parts leave no stray blank or comma; null when nothing is there.
    """
    letter = pl.lit("") if house_letter is None else _column(house_letter).fill_null("")
    number = pl.concat_str(_column(house_number).fill_null(""), letter)
    unit = pl.concat_str(_column(floor).fill_null(""), _column(door).fill_null(""))
    place = _spaced(_column(street), number, unit)
    district = _spaced(_column(postcode), _column(city))
    return _or_null(pl.concat_str(_or_null(place), _or_null(district), separator=", ", ignore_nulls=True))


def _spaced(*parts: pl.Expr) -> pl.Expr:
    """The parts that are there, with single blanks between them; "" when none is."""
    text = pl.concat_str(*parts, separator=" ", ignore_nulls=True)
    return text.str.replace_all(r"\s+", " ").str.strip_chars()

"""An address line cut into its fields, before anything is looked up."""

from typing import Final

import polars as pl

from integration_assets.domain.addresses.washing import words
from integration_assets.domain.addresses.washing.large_receivers import RECEIVER_POSTCODES
from integration_assets.domain.addresses.washing.unit_text import UnitText, unit_text

PARSED: Final = pl.Schema(
    {
        "t": pl.UInt32,  # number of the text
        "street": pl.String,  # as `words.plain`
        "street_key": pl.String,
        "house_number": pl.String,  # "12B", null where none was found
        "stray": pl.String,  # a letter alone at the number ("Nygade l4"), which may be a digit; "" for none
        "floor": pl.String,
        "door": pl.String,
        "other_door": pl.String,  # the number of `floor` where it may be the door as well
        "place": pl.String,  # words behind floor and door, as `words.plain`; "" for none
        "behind": pl.String,  # all words behind the house number, as `words.plain`; "" for none
        "surplus": pl.String,  # what belongs nowhere; "" for none
        "postcode": pl.String,
        "district": pl.String,  # as `words.plain`; "" for none
    }
)
"""What a line says, field by field."""

_TAIL: Final = r"^(|.*?[^\d])(\d{4})[ ,.]*([^\d]*)$"
_BEFORE_POSTCODE: Final = r"[ ,]*(?:\b(?:dk?-|dk) ?)?$"
_NUMBER: Final = r"(?:[ ,.]nr\.?|[ ,.]no\.?)?[ ,.]*0*([1-9]\d{0,2}) ?([a-zæøå])?((?:[ ,.;:/–\-].*)?)$"
_FIRST_NUMBER: Final = r"^((?:\d+[. ]*)?[^\d]*?\p{L}[^\d]*?)" + _NUMBER
_LETTER_AT_NUMBER: Final = r"^[^\d]*[ .,](\p{L})\d"
_LATER_NUMBER: Final = r"^(.*\p{L}.*?\d.*?[^\d])" + _NUMBER


def normalized(text: pl.Expr) -> pl.Expr:
    """Lower case, composed letters, single blanks, commas followed by a blank, without the name of the country at the
    end: it is no part of an address. (DAWA takes it for an unknown word.)"""
    lower = text.str.to_lowercase().str.normalize("NFC").str.replace_all(r"[\s()]+", " ")
    one_comma = lower.str.replace_all(r" ?(?:, ?)+", ", ").str.strip_chars(" ,.")
    return one_comma.str.replace(r"[ ,]+(?:danmark|denmark|dk)$", "")


def parsed(lines: pl.DataFrame, later_number: bool = False) -> pl.DataFrame:
    """PARSED, one row per row of `lines` (t, normalized).

    The first number behind a letter is the house number; with `later_number` a later one, which leaves the earlier to
    the name of the street ("Vej 5 12").
    """
    cut = lines.with_columns(pl.col("normalized").str.extract_groups(_TAIL).alias("tail")).unnest("tail")
    is_postcode = ~pl.col("2").str.starts_with("0") | pl.col("2").is_in(RECEIVER_POSTCODES)
    cut = cut.select(
        "t",
        pl.when(is_postcode).then("2").alias("postcode"),
        pl.when(is_postcode).then("3").fill_null("").alias("district"),
        pl.when(is_postcode)
        .then("1")
        .otherwise("normalized")
        .fill_null("")
        .str.replace(_BEFORE_POSTCODE, "")
        .alias("head"),
    )
    apart = pl.col("head").str.replace_all(r"(\d)(\p{L}{2,})", "$1 $2").str.replace_all(r"(\d\p{L})(\d)", "$1 $2")
    pattern = _LATER_NUMBER if later_number else _FIRST_NUMBER
    fields = cut.with_columns(apart.str.extract_groups(pattern).alias("groups")).unnest("groups")
    fields = fields.select(
        "t",
        pl.coalesce("1", "head").alias("street"),
        (pl.col("2") + pl.col("3").fill_null("").str.to_uppercase()).alias("house_number"),
        pl.col("4").fill_null("").alias("middle"),
        apart.str.extract(_LETTER_AT_NUMBER).fill_null("").alias("stray"),
        "postcode",
        "district",
    )
    for name in ("street", "district"):
        fields = _each_once(fields, name, words.plain(pl.col(name)).alias("plain")).drop(name).rename({"plain": name})
    return with_keys(fields.join(_units(fields["middle"]), on="middle", how="left", maintain_order="left"))


def _each_once(rows: pl.DataFrame, name: str, value: pl.Expr) -> pl.DataFrame:
    """The rows with a value that depends on one column, worked out once per distinct text in it."""
    return rows.join(rows.select(name).unique().with_columns(value), on=name, how="left", maintain_order="left")


def with_keys(fields: pl.DataFrame) -> pl.DataFrame:
    """PARSED from the same columns without street_key."""
    return _each_once(fields, "street", words.key(pl.col("street")).alias("street_key")).select(list(PARSED))


def _units(middles: pl.Series) -> pl.DataFrame:
    """The floor, door and further words of each distinct text behind a house number."""
    distinct = middles.unique()
    read: list[UnitText] = [unit_text(middle) for middle in distinct]
    frame = pl.DataFrame(
        {
            "middle": distinct,
            "floor": [unit.floor for unit in read],
            "door": [unit.door for unit in read],
            "other_door": [unit.other_door for unit in read],
            "place": [unit.rest for unit in read],
            "surplus": [unit.surplus for unit in read],
        },
        schema=dict.fromkeys(("middle", "floor", "door", "other_door", "place", "surplus"), pl.String),
    )
    return frame.with_columns(words.plain(pl.col("place")), words.plain(pl.col("middle")).alias("behind"))

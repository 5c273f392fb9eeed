"""Danish words that are written in several ways, and the key that all these ways share.

A key serves for finding, never for judging: how far a typed name is from the name of the register is counted on the
plain texts.
"""

from typing import Final

import polars as pl

_LETTERS: Final = {
    "å": "aa", "æ": "ae", "ø": "oe", "ä": "ae", "ö": "oe", "é": "e", "è": "e", "ê": "e", "á": "a", "à": "a",
    "ó": "o", "í": "i", "ü": "u", "ú": "u", "ô": "o", "ë": "e", "ï": "i", "x": "ks",
}  # fmt: skip
"""Letters and how they are typed without them."""

_SAME_WORDS: Final = {
    "gammel": ("gl", "gamle", "gml", "gamel"),
    "sankt": ("skt", "sanct", "sct", "sankte", "sanctus"),
    "store": ("st", "stor", "sten", "stuen"),
    "lille": ("ll", "lill", "lil"),
    "noerre": ("nr", "noer"),
    "nordre": ("ndr",),
    "soender": ("sdr", "soendre", "sndr", "sr", "soend"),
    "vester": ("vestre", "vstr", "vest"),
    "oester": ("oestre", "oestr", "oest"),
    "kongens": ("kgs", "kong"),
    "dronning": ("dronn", "dronningens"),
    "borgmester": ("borgm", "borgmstr", "bgm", "borgmest"),
    "doktor": ("dr", "dokt", "doctor"),
    "professor": ("prof",),
    "pastor": ("past",),
    "provst": ("prst",),
    "kaptajn": ("kapt", "kaptain"),
    "general": ("gen",),
    "admiral": ("adm",),
    "direktoer": ("dir",),
    "ingenioer": ("ing",),
    "inspektoer": ("insp",),
    "overlaerer": ("overl", "overlaege"),
    "froeken": ("frk",),
    "christian": ("chr", "kristian", "christians", "kristians"),
    "frederik": ("fr", "frederiks", "frd", "fred", "frdr"),
    "johannes": ("johs",),
    "vilhelm": ("vilh", "wilhelm"),
    "august": ("aug",),
    "edvard": ("edv", "eduard"),
    "rasmus": ("rasm",),
    "paludan": ("pal",),
    "alfred": ("alfr",),
    "alle": ("all", "aleen", "alleen"),
    "gade": ("gd", "g", "gaden"),
    "vej": ("vj", "v", "vejen"),
    "plads": ("pl", "pladsen"),
    "straede": ("str", "straedet"),
    "torv": ("torvet", "trv"),
    "boulevard": ("boul", "blvd", "bvd", "boulevarden"),
    "park": ("parken", "pk"),
    "have": ("haven",),
    "haveforening": ("hf", "haveforeningen"),
    "og": ("u", "and"),
    "koebenhavn": ("kbh", "kobenhavn", "kopenhagen", "copenhagen", "khvn"),
    "frederiksberg": ("frb", "frbg"),
    "sjaelland": ("sj", "sjaell", "sjl"),
    "midtsjaelland": ("midtsj", "midtsjaell"),
}  # fmt: skip
"""Words that stand for each other when they stand alone, by the spelling that stands in keys: the long one, so that a
typing error in it is one edit of the key."""

_WORDS: Final = {f" {word} ": f" {long} " for long, words in _SAME_WORDS.items() for word in words}


def plain(text: pl.Expr) -> pl.Expr:
    """The text as it is compared: lower case, composed letters; dots, commas and runs of blanks are one blank."""
    lower = text.str.to_lowercase().str.normalize("NFC")
    return lower.str.replace_all(r"[\s.,;:'\"()`´’]+", " ").str.strip_chars()


def key(text: pl.Expr) -> pl.Expr:
    """The key of a `plain` name: letters as typed without Danish ones, words in their one spelling, no blanks.

    "gammel åvej", "gl aavej" and "gl. åvej" share the key "gammelaavej".
    """
    bare = text.str.replace_many(_LETTERS).str.replace_all(r"&", " og ").str.replace_all(r"[^\p{L}\p{N}]+", "  ")
    spaced = pl.concat_str(pl.lit(" "), bare.str.strip_chars(), pl.lit(" "))
    words = spaced.str.replace_many(_WORDS).str.replace_all(r"([a-z]{3})gd ", "${1}gade ")
    return words.str.replace_all(r"([a-z]{3})vj ", "${1}vej ").str.replace_all(r" ", "")

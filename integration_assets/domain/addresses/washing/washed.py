"""What washing answers: its columns, its words and their meaning."""

from typing import Final

import polars as pl

RULE_VERSION: Final = "1"
"""Raised with every change that can change an answer."""

ADDRESS: Final = pl.Struct(
    {
        "street_name": pl.String,  # vejnavn
        "short_street_name": pl.String,  # adresseringsvejnavn
        "house_number": pl.String,  # husnr
        "floor": pl.String,  # etage
        "door": pl.String,  # dør
        "supplementary_town": pl.String,  # supplerende bynavn
        "postcode": pl.String,  # postnr
        "district": pl.String,  # postnrnavn
        "status": pl.UInt8,  # DAR: 2 provisional, 3 current, 4 closed, 5 abandoned
        "valid_from": pl.Datetime("us", "UTC"),  # virkningstart; null for always
        "valid_to": pl.Datetime("us", "UTC"),  # virkningslut; null while in force
    }
)
"""One version of an address of the register."""

DIFFERENCES: Final = pl.Struct(
    dict.fromkeys(("street", "house_number", "floor", "door", "supplementary_town", "postcode", "district"), pl.UInt16)
)
"""Edits (Levenshtein) between what was typed and what the register says, field by field; an absent supplementary town
is no difference. In a misspelt street name those are counted that decide whether it is repaired: with abbreviations
and Danish letters written out where that makes them fewer."""

CANDIDATE: Final = pl.Struct(
    {
        "unit_id": pl.String,  # null for access addresses
        "access_id": pl.String,
        "text": pl.String,
        "category": pl.String,  # what the text would be if this address were the only one
        "distance": pl.UInt16,
        "differences": DIFFERENCES,
        "unknown_tokens": pl.List(pl.String),
        "matched": ADDRESS,
        "current": ADDRESS,
    }
)
"""An address that may have been meant, nearest first."""

WASHED: Final = pl.Schema(
    {
        "text": pl.String,
        "normalized": pl.String,
        "category": pl.String,  # A, B or C
        "outcome": pl.String,  # see below
        "unit_id": pl.String,  # of A and B of units
        "access_id": pl.String,  # of A and B, and of the outcome access_address
        "method": pl.String,  # see below
        "matched_text": pl.String,  # line of the version that the text names
        "current_text": pl.String,  # line of the same address today; of the house where only that is certain
        "distance": pl.UInt16,  # sum of the differences
        "differences": DIFFERENCES,
        "unknown_tokens": pl.List(pl.String),
        "parsed": pl.Struct(
            dict.fromkeys(
                ("street", "house_number", "floor", "door", "supplementary_town", "postcode", "district"), pl.String
            )
        ),
        "matched": ADDRESS,
        "current": ADDRESS,
        "large_receiver_postcode": pl.String,  # where the receiver's own postal code was typed
        "large_receiver_district": pl.String,
        "candidates": pl.List(CANDIDATE),  # of C; at most CANDIDATES
        "generation": pl.Int64,  # of the register
        "rule_version": pl.String,
    }
)
"""One row per text."""

CANDIDATES: Final = 10

UNIT: Final = "unit"
ACCESS: Final = "access"
"""Kinds of washing, and the outcomes that are a hit of that kind."""

ACCESS_ADDRESS: Final = "access_address"
"""Outcome: a unit was asked for, the house is certain, the unit is not. Never a unit match; category C."""

AMBIGUOUS: Final = "ambiguous"
"""Outcome: several addresses are meant equally well."""

CANDIDATE_ONLY: Final = "candidates"
"""Outcome: addresses like it exist, none is certain."""

NONE: Final = "none"
"""Outcome: nothing like it was found."""

EXACT: Final = "exact"
COMPONENTS: Final = "components"
SYNONYM: Final = "synonym"
SPELLING: Final = "spelling"
DISTRICT: Final = "district"
LARGE_RECEIVER: Final = "large_receiver"
HISTORICAL: Final = "historical"
OTHER_POSTCODE: Final = "other_postcode"
"""Methods, in the order in which one outdoes the other from the last to the first: as the register writes it; by codes;
other writing of the same words; repaired street name; postal code by the district's name; a large receiver's postal
code; a former name or number of the address; the street in another postal code than typed (never A or B)."""

"""The municipalities of Denmark (kommuner), by which the rows of the address register are kept.

The codes are those in force since the reform of 2007, with Christiansø (0411), which belongs to no municipality.
"""

from collections.abc import Collection
from typing import Final

import polars as pl

from integration_assets.domain.addresses.dar_places import UNKNOWN_MUNICIPALITY
from integration_assets.domain.addresses.flat_register import flat
from integration_assets.domain.addresses.register import RegisterFrames

CODES: Final = (
    *("0101", "0147", "0151", "0153", "0155", "0157", "0159", "0161", "0163", "0165", "0167", "0169", "0173", "0175"),
    *("0183", "0185", "0187", "0190", "0201", "0210", "0217", "0219", "0223", "0230", "0240", "0250", "0253", "0259"),
    *("0260", "0265", "0269", "0270", "0306", "0316", "0320", "0326", "0329", "0330", "0336", "0340", "0350", "0360"),
    *("0370", "0376", "0390", "0400", "0410", "0411", "0420", "0430", "0440", "0450", "0461", "0479", "0480", "0482"),
    *("0492", "0510", "0530", "0540", "0550", "0561", "0563", "0573", "0575", "0580", "0607", "0615", "0621", "0630"),
    *("0657", "0661", "0665", "0671", "0706", "0707", "0710", "0727", "0730", "0740", "0741", "0746", "0751", "0756"),
    *("0760", "0766", "0773", "0779", "0787", "0791", "0810", "0813", "0820", "0825", "0840", "0846", "0849", "0851"),
    "0860",
)
"""Municipality codes (kommunekoder), four digits."""

KEYS: Final = (*CODES, UNKNOWN_MUNICIPALITY)
"""The codes, and a last key for addresses whose municipality the register does not tell."""


def rows_of(frames: RegisterFrames, keys: Collection[str]) -> pl.DataFrame:
    """The addresses of today of these municipalities (`KEYS`), with the schema of ADDRESS_REGISTER.

    Addresses under a code that is no municipality's are among the unknown: none is lost.
    """
    wanted = set(keys)
    if UNKNOWN_MUNICIPALITY in wanted:
        wanted |= set(frames.places["municipality_code"].unique()) - set(CODES)
    rows = flat(frames, wanted)
    known = pl.col("municipality_code").is_in(list(CODES))
    return rows.with_columns(
        pl.when(known).then("municipality_code").otherwise(pl.lit(UNKNOWN_MUNICIPALITY)).alias("municipality_code")
    )

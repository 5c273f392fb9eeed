"""What the registers answered about a party, as flat rows for the registry and as JSON for the look-up cache."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from typing import Final, cast

import polars as pl

from integration_assets.domain.people.parties import Company, Person, RegisteredAddress

PARTY_ROWS: Final = pl.Schema(
    {
        "party_id": pl.String,  # uuid of the party
        "party_kind": pl.String,  # person | company
        "name": pl.String,  # addressing name of a person, name of a company
        "first_name": pl.String,
        "middle_name": pl.String,
        "last_name": pl.String,
        "gender": pl.String,  # M | K
        "civil_status": pl.String,
        "address_protected": pl.Boolean,
        "business_code": pl.String,  # branchekode
        "company_form": pl.String,  # virksomhedsform
        "municipality_code": pl.String,
        "street_code": pl.String,
        "house_number": pl.String,  # with its letter
        "floor": pl.String,
        "door": pl.String,
        "postcode": pl.String,
        "unit_id": pl.String,  # uuid of the unit address, where the register knows it
    }
)
"""One row per party: what CPR or CVR says. The personal number is not among it."""

Answer = dict[str, object]
"""A register answer as JSON: plain types only."""


NOBODY: Final = "nobody"
"""The kind of an answer that says that the register does not know the number."""

_ADDRESS: Final = ("municipality_code", "street_code", "house_number", "floor", "door", "postcode", "unit_id")
_NAMES: Final = ("first_name", "middle_name", "last_name")
_STORED: Final = pl.Struct(
    {
        "kind": pl.String,
        "name": pl.String,
        "addressing_name": pl.String,
        **dict.fromkeys((*_NAMES, "gender", "civil_status", "business_code", "company_form"), pl.String),
        "address_protected": pl.Boolean,
        "address": pl.Struct(dict.fromkeys(_ADDRESS, pl.String)),
    }
)


def party_rows(answers: pl.DataFrame) -> pl.DataFrame:
    """The frame of PARTY_ROWS for stored answers: columns party_id and answer (JSON of `to_answer`), in their order.

    Answers that say that nobody is known give no row; what a kind of party does not have is null. Raises ValueError,
    without the content, when an answer has another shape than this version writes.
    """
    try:
        decoded = answers.select("party_id", pl.col("answer").str.json_decode(_STORED).alias("party")).unnest("party")
    except pl.exceptions.PolarsError:
        raise ValueError("A stored register answer has an unknown shape.") from None
    is_person = pl.col("kind") == "person"
    known = decoded.filter(pl.col("kind").ne_missing(NOBODY)).unnest("address")
    if not known.get_column("kind").is_in(["person", "company"]).all() or known.get_column("kind").null_count():
        raise ValueError("A stored register answer has an unknown shape.")
    whole_name = pl.concat_str(*(_text(name) for name in _NAMES), separator=" ", ignore_nulls=True).replace("", None)
    return known.select(
        "party_id",
        pl.col("kind").alias("party_kind"),
        pl.when(is_person).then(pl.coalesce(_text("addressing_name"), whole_name)).otherwise("name").alias("name"),
        *(name for name in PARTY_ROWS if name not in ("party_id", "party_kind", "name")),
    ).cast(PARTY_ROWS)


def _text(name: str) -> pl.Expr:
    return pl.col(name).replace("", None)


def to_answer(party: Person | Company | None) -> Answer:
    """The answer as JSON, for the sealed look-up cache (it holds the personal number); None = nobody known."""
    if party is None:
        return {"kind": NOBODY}
    answer: Answer = {"kind": "person" if isinstance(party, Person) else "company", **asdict(party)}
    if isinstance(party, Company) and party.ceased_on is not None:
        answer["ceased_on"] = party.ceased_on.isoformat()
    return answer


def from_answer(answer: Mapping[str, object]) -> Person | Company | None:
    """The party of a stored answer, inverse of `to_answer`.

    Raises ValueError, without the content, when the answer has another shape than this version writes.
    """
    fields = {name: value for name, value in answer.items() if name != "kind"}
    try:
        address = fields.get("address")
        if address is not None:
            fields["address"] = RegisteredAddress(**cast("dict[str, str | None]", address))
        match answer.get("kind"):
            case "nobody":
                return None
            case "person":
                return Person(**fields)  # pyright: ignore[reportArgumentType]
            case "company":
                ceased_on = fields.get("ceased_on")
                fields["ceased_on"] = None if ceased_on is None else date.fromisoformat(str(ceased_on))
                return Company(**fields)  # pyright: ignore[reportArgumentType]
            case _:
                pass
    except TypeError:
        pass
    raise ValueError("A stored register answer has an unknown shape.")

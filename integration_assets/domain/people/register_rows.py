"""What the registers answered about a party: as JSON for the look-up cache, and as flat rows, one per version.

A stored answer is the last one, with `seen_on` (the day on which it was first given) and `former`: the answers that it
replaced, oldest first, each with its own `seen_on`. What they mean over time is `domain.people.history`.
"""

from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import date
from typing import Any, Final, cast

import polars as pl

from integration_assets.domain.people.parties import Company, Person, RegisteredAddress

NOBODY: Final = "nobody"
"""The kind of an answer that says that the register does not know the number."""

_ADDRESS: Final = ("municipality_code", "street_code", "house_number", "floor", "door", "postcode", "unit_id")
_NAMES: Final = ("first_name", "middle_name", "last_name")
_TEXTS: Final = ("number", "status", *_NAMES, "gender", "civil_status", "business_code", "company_form")
_DAYS: Final = (
    *("status_from", "number_from", "name_from", "civil_status_from", "protected_from", "protected_until"),
    *("address_from", "emigrated_on", "ceased_on", "business_code_from", "company_form_from"),
)
_VERSION: Final = {
    "kind": pl.String,
    "seen_on": pl.String,
    "name": pl.String,
    "addressing_name": pl.String,
    **dict.fromkeys(_TEXTS, pl.String),
    **dict.fromkeys(_DAYS, pl.String),
    "address_protected": pl.Boolean,
    "address": pl.Struct(dict.fromkeys(_ADDRESS, pl.String)),
}
_STORED: Final = pl.Struct({**_VERSION, "former": pl.List(pl.Struct(_VERSION))})

VERSIONS: Final = pl.Schema(
    {
        "party_id": pl.String,  # uuid of the party
        "version": pl.UInt32,  # 0 is the oldest answer, the highest one the last
        "party_kind": pl.String,  # person | company
        "seen_on": pl.Date,  # day on which the answer was first given; null where that was not kept
        "name": pl.String,  # addressing name of a person, name of a company
        **dict.fromkeys(_TEXTS, pl.String),  # number: the one in force; gender M | K; status: two digits, persons only
        "address_protected": pl.Boolean,
        **dict.fromkeys(_DAYS, pl.Date),  # the register's own first days of what it says
        **dict.fromkeys(_ADDRESS, pl.String),  # house number with its letter; unit_id where the register knows it
    }
)
"""One row per party and answer: what CPR or CVR said, and from when on it holds."""

Answer = dict[str, object]
"""A register answer as JSON: plain types only."""


def answer_versions(answers: pl.DataFrame) -> pl.DataFrame:
    """The frame of VERSIONS for stored answers: columns party_id and answer (JSON), by party and version.

    Answers that say that nobody is known give no row; what a kind of party does not have is null. Raises ValueError,
    without the content, when an answer has another shape than this version writes.
    """
    try:
        decoded = answers.select("party_id", pl.col("answer").str.json_decode(_STORED).alias("party")).unnest("party")
        former = decoded.select("party_id", "former").filter(pl.col("former").list.len() > 0)
        earlier = former.with_columns(pl.int_ranges(pl.col("former").list.len(), dtype=pl.UInt32).alias("version"))
        earlier = earlier.explode("former", "version").unnest("former")
        last = decoded.with_columns(pl.col("former").list.len().fill_null(0).cast(pl.UInt32).alias("version"))
        rows = pl.concat([earlier, last.drop("former").select(earlier.columns)])
        known = rows.filter(pl.col("kind").ne_missing(NOBODY)).unnest("address")
        known = known.with_columns(pl.col("seen_on", *_DAYS).str.to_date("%Y-%m-%d"))
    except pl.exceptions.PolarsError:
        raise ValueError("A stored register answer has an unknown shape.") from None
    if not known.get_column("kind").is_in(["person", "company"]).all() or known.get_column("kind").null_count():
        raise ValueError("A stored register answer has an unknown shape.")
    whole_name = pl.concat_str(*(_text(name) for name in _NAMES), separator=" ", ignore_nulls=True).replace("", None)
    is_person = pl.col("kind") == "person"
    return (
        known.with_columns(
            pl.col("kind").alias("party_kind"),
            pl.when(is_person).then(pl.coalesce(_text("addressing_name"), whole_name)).otherwise("name").alias("name"),
        )
        .select(list(VERSIONS))
        .cast(VERSIONS)
        .sort("party_id", "version")
    )


def _text(name: str) -> pl.Expr:
    return pl.col(name).replace("", None)


def to_answer(party: Person | Company | None) -> Answer:
    """The answer as JSON, for the sealed look-up cache (it holds the personal number); None = nobody known."""
    if party is None:
        return {"kind": NOBODY}
    plain = {name: value.isoformat() if isinstance(value, date) else value for name, value in asdict(party).items()}
    return {"kind": "person" if isinstance(party, Person) else "company", **plain}


def from_answer(answer: Mapping[str, object]) -> Person | Company | None:
    """The party of a stored answer, inverse of `to_answer`; what it replaced is left out.

    Raises ValueError, without the content, when the answer has another shape than this version writes.
    """
    of_kind: dict[object, type[Person] | type[Company]] = {"person": Person, "company": Company}
    kind = of_kind.get(answer.get("kind"))
    if answer.get("kind") == NOBODY:
        return None
    if kind is None:
        raise ValueError("A stored register answer has an unknown shape.")
    names = {each.name for each in fields(kind)}
    given: dict[str, Any] = {name: value for name, value in answer.items() if name in names}
    try:
        if given.get("address") is not None:
            given["address"] = RegisteredAddress(**cast("dict[str, str | None]", given["address"]))
        for name in given.keys() & {*_DAYS, "birth_date"}:
            given[name] = None if given[name] is None else date.fromisoformat(given[name])
        return kind(**given)
    except TypeError:
        raise ValueError("A stored register answer has an unknown shape.") from None


def succeeded_by(stored: Mapping[str, object] | None, answer: Mapping[str, object], seen_on: date) -> Answer | None:
    """The answer to keep after `answer` was given on `seen_on`; None where the stored one says the same already.

    The service that an answer came from makes no difference. The stored answer becomes the last of the `former`.
    """
    fresh: Answer = {**answer, "seen_on": seen_on.isoformat()}
    if stored is None:
        return fresh
    aside = ("former", "seen_on", "source")
    before, after = (
        {name: value for name, value in each.items() if name not in aside and value is not None}
        for each in (stored, answer)
    )
    if before == after:
        return None
    former = cast("list[Answer]", stored.get("former") or [])
    replaced = {name: value for name, value in stored.items() if name != "former"}
    return {**fresh, "former": [*former, replaced]}

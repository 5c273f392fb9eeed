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


def party_rows(answers: Mapping[str, Person | Company]) -> pl.DataFrame:
    """The frame of PARTY_ROWS for answers by party id, in their order."""
    rows = [{"party_id": party_id, **party_fields(party)} for party_id, party in answers.items()]
    return pl.DataFrame(rows, schema=PARTY_ROWS)


def party_fields(party: Person | Company) -> dict[str, object]:
    """The fields of PARTY_ROWS but the id; what a kind of party does not have is None."""
    fields: dict[str, object] = {name: None for name in PARTY_ROWS if name != "party_id"}
    if isinstance(party, Person):
        fields |= {
            "party_kind": "person",
            "name": party.addressing_name or _joined(party.first_name, party.middle_name, party.last_name),
            "first_name": party.first_name,
            "middle_name": party.middle_name,
            "last_name": party.last_name,
            "gender": party.gender,
            "civil_status": party.civil_status,
            "address_protected": party.address_protected,
        }
    else:
        fields |= {
            "party_kind": "company",
            "name": party.name,
            "business_code": party.business_code,
            "company_form": party.company_form,
        }
    if party.address is not None:
        fields |= {name: value for name, value in asdict(party.address).items() if name in fields}
    return fields


def _joined(*names: str | None) -> str | None:
    return " ".join(name for name in names if name) or None


def to_answer(party: Person | Company | None) -> Answer:
    """The answer as JSON, for the sealed look-up cache (it holds the personal number); None = nobody known."""
    if party is None:
        return {"kind": "nobody"}
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

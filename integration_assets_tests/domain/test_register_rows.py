"""Answers of the registers as they are kept, and their versions as rows."""

import json
from datetime import date

import polars as pl
import pytest

from integration_assets.domain.people.parties import Company, Person, RegisteredAddress
from integration_assets.domain.people.register_rows import VERSIONS, answer_versions, from_answer, to_answer

ADDRESS = RegisteredAddress("0461", "0866", "12B", "2", "tv", "5000", "Eksempelgade", "Odense C", "unit-1")
PERSON = Person("1303814074", "01", "Dorthea", None, "Dahl", None, "K", "G", True, ADDRESS)
COMPANY = Company("25052943", "Firma A/S", "351300", "60", None, date(2025, 6, 30))


def test_register_answers_survive_the_look_up_cache() -> None:
    for party in (PERSON, COMPANY, None):
        assert from_answer(json.loads(json.dumps(to_answer(party)))) == party
    for broken in ({}, {"kind": "person"}, {"kind": "dog", "number": "1303814074"}):
        with pytest.raises(ValueError, match="unknown shape") as caught:
            from_answer(broken)
        assert "1303814074" not in str(caught.value)


def stored(**parties: Person | Company | None) -> pl.DataFrame:
    """Answers as they are kept, by party id."""
    rows = [(party_id, json.dumps(to_answer(party))) for party_id, party in parties.items()]
    return pl.DataFrame(rows, schema={"party_id": pl.String, "answer": pl.String}, orient="row")


def test_versions_of_stored_answers() -> None:
    rows = answer_versions(stored(p=PERSON, c=COMPANY, n=None))
    assert rows.schema == VERSIONS
    company, person = rows.to_dicts()
    assert {name: value for name, value in person.items() if value is not None} == {
        "party_id": "p",
        "version": 0,
        "party_kind": "person",
        "number": "1303814074",
        "status": "01",
        "name": "Dorthea Dahl",
        "first_name": "Dorthea",
        "last_name": "Dahl",
        "gender": "K",
        "civil_status": "G",
        "address_protected": True,
        "municipality_code": "0461",
        "street_code": "0866",
        "house_number": "12B",
        "floor": "2",
        "door": "tv",
        "postcode": "5000",
        "unit_id": "unit-1",
    }
    assert {name: value for name, value in company.items() if value is not None} == {
        "party_id": "c",
        "version": 0,
        "party_kind": "company",
        "number": "25052943",
        "name": "Firma A/S",
        "business_code": "351300",
        "company_form": "60",
        "ceased_on": date(2025, 6, 30),
    }
    assert answer_versions(stored()).schema == VERSIONS
    for broken in ('{"number": "1303814074"}', '{"kind": "dog", "number": "1303814074"}', "1303814074"):
        with pytest.raises(ValueError, match="unknown shape") as caught:
            answer_versions(pl.DataFrame({"party_id": ["p"], "answer": [broken]}))
        assert "1303814074" not in str(caught.value)

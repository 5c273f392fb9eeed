"""Completion of personal numbers: only the one person who can be meant, and only when the search was complete."""

import json
from datetime import date
from typing import Any

import polars as pl
import pytest

from integration_assets.domain.people.completion import (
    CompletionKind,
    address_keys,
    choose,
    complete_co,
    complete_main,
    known_numbers,
    needs_completion,
)
from integration_assets.domain.people.names import folded, same_name
from integration_assets.domain.people.parties import (
    AddressKey,
    Company,
    Person,
    RegisteredAddress,
    Resident,
    SearchResult,
)
from integration_assets.domain.people.register_rows import PARTY_ROWS, from_answer, party_rows, to_answer

BORN = date(1981, 3, 13)
BIRTH6 = "130381"
HOME = AddressKey("0866", "12B", "5000", "2", "tv")
OFFICE = AddressKey("0012", "3", "5240")


def resident(number: str = "1303814074", name: str | None = "Dorthea Dahl", **changes: Any) -> Resident:
    fields = {"birth_date": BORN, "status": "01", "moved_out": False} | changes
    return Resident(number=number, addressing_name=name, **fields)


class Town:
    """Who lives where, and which addresses were asked for."""

    def __init__(
        self, residents: dict[AddressKey, list[Resident]], capped: frozenset[AddressKey] = frozenset()
    ) -> None:
        self.residents = residents
        self.capped = capped
        self.asked: list[AddressKey] = []

    def __call__(self, key: AddressKey) -> SearchResult:
        self.asked.append(key)
        return SearchResult(tuple(self.residents.get(key, [])), key not in self.capped)


def test_the_one_person_of_that_name_and_day() -> None:
    others = [resident("1303814082", "Jens Dahl"), resident("0101701234", birth_date=date(1970, 1, 1))]
    outcome = choose("dorthea  DAHL ", BIRTH6, [resident(), *others], complete=True)
    assert outcome.kind is CompletionKind.UNIQUE
    assert outcome.number == "1303814074"
    assert "1303814074" not in repr(outcome)


@pytest.mark.parametrize(
    "hit",
    [
        resident(name="Dorthea Dahl-Eriksen"),
        resident(name="Dorthéa Dahl"),
        resident(name=None),
        resident(moved_out=True),
        resident("1303810000"),
        resident("garbage"),
        resident("1403814074"),
        resident(birth_date=date(1981, 3, 14)),
        *(resident(status=status) for status in ("30", "50", "60", "70", "80", "90", "")),
    ],
)
def test_nobody_else_is_meant(hit: Resident) -> None:
    assert choose("Dorthea Dahl", BIRTH6, [hit], complete=True).kind is CompletionKind.NONE


@pytest.mark.parametrize("status", ["01", "03", "05", "07", "20"])
def test_statuses_of_valid_numbers(status: str) -> None:
    assert choose("Dorthea Dahl", BIRTH6, [resident(status=status)], complete=True).kind is CompletionKind.UNIQUE


def test_a_birth_date_that_the_answer_lacks_is_that_of_the_number() -> None:
    assert choose("Dorthea Dahl", BIRTH6, [resident(birth_date=None)], complete=True).kind is CompletionKind.UNIQUE


def test_two_people_are_ambiguous_and_one_listed_twice_is_not() -> None:
    assert choose("Dorthea Dahl", BIRTH6, [resident(), resident("1303814082")], complete=True).kind is (
        CompletionKind.AMBIGUOUS
    )
    assert choose("Dorthea Dahl", BIRTH6, [resident(), resident()], complete=True).kind is CompletionKind.UNIQUE


def test_a_hundred_years_between_them_are_ambiguous() -> None:
    elder = resident("1303814074", birth_date=date(1881, 3, 13))
    assert choose(None, BIRTH6, [resident("1303811234"), elder], complete=True).kind is CompletionKind.AMBIGUOUS


@pytest.mark.parametrize("hits", [[], [resident()], [resident(), resident("1303814082")]])
def test_a_capped_answer_proves_nothing(hits: list[Resident]) -> None:
    outcome = choose("Dorthea Dahl", BIRTH6, hits, complete=False)
    assert (outcome.kind, outcome.number) == (CompletionKind.INCOMPLETE_SEARCH, None)


def test_without_name_exactly_one_person_of_that_day() -> None:
    twins = [resident("1303814074", "A"), resident("1303814082", "B")]
    assert choose(None, BIRTH6, twins, complete=True).kind is CompletionKind.AMBIGUOUS
    outcome = choose(None, BIRTH6, twins, complete=True, besides="1303814074")
    assert (outcome.kind, outcome.number) == (CompletionKind.UNIQUE, "1303814082")
    assert choose(None, BIRTH6, [resident(name=None)], complete=True).kind is CompletionKind.UNIQUE
    assert choose(None, BIRTH6, [resident()], complete=True, besides="1303814074").kind is CompletionKind.NONE


def test_a_nameless_main_customer_matches_no_nameless_resident() -> None:
    for name in (None, "", "  "):
        assert complete_main(name, BIRTH6, HOME, None, Town({HOME: [resident(name=None)]})).outcome.kind is (
            CompletionKind.NONE
        )


def test_the_consumption_address_comes_first_then_the_billing_address() -> None:
    town = Town({HOME: [resident()], OFFICE: [resident("1303814082")]})
    found = complete_main("Dorthea Dahl", BIRTH6, HOME, OFFICE, town)
    assert (found.outcome.number, found.origin, found.found_at) == ("1303814074", "consumption_address", HOME)
    assert town.asked == [HOME]

    town = Town({OFFICE: [resident()]})
    found = complete_main("Dorthea Dahl", BIRTH6, HOME, OFFICE, town)
    assert (found.outcome.number, found.origin, found.found_at) == ("1303814074", "billing_address", OFFICE)
    assert town.asked == [HOME, OFFICE]


def test_one_address_is_asked_once_and_none_never() -> None:
    town = Town({})
    complete_main("Dorthea Dahl", BIRTH6, HOME, HOME, town)
    complete_main("Dorthea Dahl", BIRTH6, None, OFFICE, town)
    assert complete_main("Dorthea Dahl", BIRTH6, None, None, town).outcome.kind is CompletionKind.NONE
    assert complete_co(BIRTH6, None, None, None, town).outcome.kind is CompletionKind.NONE
    assert town.asked == [HOME, OFFICE]


def test_the_outcome_that_says_more_than_nobody_tells_why() -> None:
    crowded = Town({HOME: [resident(), resident("1303814082")]})
    assert complete_main("Dorthea Dahl", BIRTH6, HOME, OFFICE, crowded).outcome.kind is CompletionKind.AMBIGUOUS
    capped = Town({}, capped=frozenset({OFFICE}))
    assert complete_main("Dorthea Dahl", BIRTH6, HOME, OFFICE, capped).outcome.kind is (
        CompletionKind.INCOMPLETE_SEARCH
    )


def test_the_co_customer_is_sought_where_the_main_customer_was_found() -> None:
    main, co = resident("0101701234", birth_date=date(1970, 1, 1)), resident(name="Another Name")
    town = Town({OFFICE: [main, co], HOME: []})
    found = complete_co(BIRTH6, main.number, OFFICE, HOME, town)
    assert (found.outcome.number, found.origin, found.found_at) == (co.number, "inferred", OFFICE)
    found = complete_co(BIRTH6, main.number, None, HOME, Town({HOME: [main, co]}))
    assert (found.outcome.number, found.found_at) == (co.number, HOME)


def test_names_are_compared_but_for_case_and_blanks() -> None:
    assert folded("  Åse\tBjørn ") == "åse bjørn"
    assert same_name("A\u030ase", "Åse")  # a ring of its own
    assert not same_name("Aase", "Åse")
    assert not same_name(None, None)


CUSTOMER_ROWS = pl.DataFrame(
    {
        "customer_number": ["1", "2", "3", "4"],
        "id_number": ["1303810000", "25052943", "0101701234", None],
        "co_id_number": [None, "1303810000", None, "0101700000"],
        "name": ["Dorthea Dahl", "Firma", "Jens", "X"],
    }
)


def test_rows_that_need_completion() -> None:
    needed = needs_completion(CUSTOMER_ROWS)
    assert needed.select("customer_number", "main_incomplete", "co_incomplete").rows() == [
        ("1", True, False),
        ("2", False, True),
        ("4", False, True),
    ]


@pytest.mark.parametrize(
    ("name", "number", "co_number", "expected"),
    [
        ("DORTHEA dahl", "1303814074", None, [("1", "1303814074", None)]),
        ("Dorthea Dahl", "1403814074", None, []),  # born another day
        ("Doris Dahl", "1303814074", None, []),  # somebody else took the customer number over
        (None, "1303814074", None, []),
        ("Dorthea Dahl", "1303810000", None, []),
        ("Dorthea Dahl", "1303814074", "0101701234", [("1", "1303814074", "0101701234")]),
        ("Dorthea Dahl", None, "0101701234", [("1", None, "0101701234")]),
    ],
)
def test_earlier_completions_that_still_fit(
    name: str | None, number: str | None, co_number: str | None, expected: list[tuple[str, str | None, str | None]]
) -> None:
    rows = pl.DataFrame(
        {
            "customer_number": ["1"],
            "id_number": ["1303810000"],
            "co_id_number": ["0101700000"],
            "name": ["Dorthea  Dahl"],
        }
    )
    schema = dict.fromkeys(("customer_number", "name", "number", "co_number"), pl.String)
    earlier = pl.DataFrame(
        [("1", name, number, co_number), ("2", name, number, co_number)], schema=schema, orient="row"
    )
    assert known_numbers(rows, earlier).rows() == expected


def test_address_keys_of_typed_rows_and_of_register_rows() -> None:
    schema = dict.fromkeys(
        ("customer_number", "street_code", "house_number", "house_letter", "floor", "door", "postcode"), pl.String
    )
    typed = pl.DataFrame(
        [
            ("1", "866", "012", "b", "02", "TV.", "5000"),
            ("2", "0012", "3", None, "-", None, "5240"),
            ("3", None, "3", None, None, None, "5240"),
            ("4", "0012", None, "B", None, None, "5240"),
            ("5", "0012", "3", None, None, None, "unknown"),
        ],
        schema=schema,
        orient="row",
    )
    assert address_keys(typed, by="customer_number") == {"1": HOME, "2": OFFICE}
    register = typed.head(1).drop("house_letter").with_columns(pl.lit("12B").alias("house_number"))
    assert address_keys(register, by="customer_number") == {"1": HOME}


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


def test_party_rows() -> None:
    rows = party_rows(stored(p=PERSON, c=COMPANY, n=None))
    assert rows.schema == PARTY_ROWS
    person, company = rows.to_dicts()
    assert {name: value for name, value in person.items() if value is not None} == {
        "party_id": "p",
        "party_kind": "person",
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
        "party_kind": "company",
        "name": "Firma A/S",
        "business_code": "351300",
        "company_form": "60",
    }
    assert party_rows(stored()).schema == PARTY_ROWS
    for broken in ('{"number": "1303814074"}', '{"kind": "dog", "number": "1303814074"}', "1303814074"):
        with pytest.raises(ValueError, match="unknown shape") as caught:
            party_rows(pl.DataFrame({"party_id": ["p"], "answer": [broken]}))
        assert "1303814074" not in str(caught.value)

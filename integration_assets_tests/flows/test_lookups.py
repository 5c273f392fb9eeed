"""Questions to the registers: asked once, kept sealed, audited; against a real cache and registers written by hand."""

from datetime import date

import polars as pl
import pytest
import sqlalchemy as sa

from integration_assets.cache.store import Cache
from integration_assets.domain.identity import ObjectIds
from integration_assets.domain.people.parties import AddressKey
from integration_assets.flows.lookups import Lookups, Mandate
from integration_assets_tests.flows.village import TODAY, Registers, company, person, resident

ANNA, BO, NOBODY = "0101701234", "0202721111", "0303731234"
BAKER, GONE = "25052943", "12345678"
PLACE = AddressKey("1111", "1", "5000")


def known_to(registers: Registers) -> None:
    registers.people[ANNA] = person(ANNA, "Anna Prøve")
    registers.companies[BAKER] = company(BAKER, "Bager & Søn")


def again(store: Cache, ids: ObjectIds, registers: Registers | None, day: date = TODAY) -> Lookups:
    """Look-ups of a later run."""
    return Lookups(store.answers, ids, registers, Mandate("Prøveby", "an act"), as_of=day, run_id="later run")


def numbers(*values: str) -> pl.Series:
    return pl.Series("number", values, dtype=pl.String)


def audit(store: Cache) -> list[tuple[str, ...]]:
    with store.engine.connect() as connection:
        query = "SELECT service, outcome, purpose, legal_basis, run_id FROM audit ORDER BY audit_id"
        return [tuple(row) for row in connection.execute(sa.text(query))]


def test_a_person_is_asked_for_once(lookups: Lookups, store: Cache, ids: ObjectIds, registers: Registers) -> None:
    known_to(registers)
    first = lookups.people([ANNA, ANNA, NOBODY])
    assert first.known == {ANNA: registers.people[ANNA], NOBODY: None}
    assert first.unanswered == {}
    assert sorted(registers.asked) == [("person", ANNA), ("person", NOBODY)]
    assert again(store, ids, registers).people([NOBODY, ANNA]).known == first.known
    assert len(registers.asked) == 2


def test_what_is_due_is_asked_again_and_the_new_answer_kept(
    lookups: Lookups, store: Cache, ids: ObjectIds, registers: Registers
) -> None:
    assert lookups.people([ANNA, BO]).known == {ANNA: None, BO: None}
    known_to(registers)
    later = again(store, ids, registers)
    assert later.people([ANNA, BO], refresh=[ANNA]).known == {ANNA: registers.people[ANNA], BO: None}
    assert registers.asked[2:] == [("person", ANNA)]
    assert again(store, ids, None).people([ANNA]).known == {ANNA: registers.people[ANNA]}


def test_confirming_tells_unknown_numbers_and_asks_once(
    lookups: Lookups, store: Cache, ids: ObjectIds, registers: Registers
) -> None:
    known_to(registers)
    people = lookups.confirm_people(numbers(ANNA, NOBODY))
    companies = lookups.confirm_companies(numbers(BAKER, GONE))
    assert (people.unknown, companies.unknown) == ({NOBODY}, {GONE})
    assert (people.unanswered, companies.unanswered) == (frozenset(), frozenset())
    assert len(registers.asked) == 4
    later = again(store, ids, registers)
    assert later.confirm_people(numbers(NOBODY, ANNA)).unknown == {NOBODY}
    assert later.confirm_companies(numbers(GONE)).unknown == {GONE}
    assert len(registers.asked) == 4
    registers.people[NOBODY] = person(NOBODY, "Now Known")
    assert later.confirm_people(numbers(NOBODY, ANNA), refresh=[NOBODY]).unknown == frozenset()
    assert registers.asked[4:] == [("person", NOBODY)]


def test_a_register_that_gives_no_answer_is_asked_next_time(
    lookups: Lookups, store: Cache, ids: ObjectIds, registers: Registers
) -> None:
    known_to(registers)
    registers.down = {"person", "company"}
    answered = lookups.people([ANNA])
    assert (answered.known, answered.unanswered) == ({}, {ANNA: "The register does not answer."})
    assert lookups.confirm_companies(numbers(BAKER)).unanswered == {BAKER}
    registers.down = set()
    later = again(store, ids, registers)
    assert later.people([ANNA]).known == {ANNA: registers.people[ANNA]}
    assert later.confirm_companies(numbers(BAKER)).unanswered == frozenset()


def test_a_plan_asks_nobody_and_uses_what_is_remembered(
    lookups: Lookups, store: Cache, ids: ObjectIds, registers: Registers
) -> None:
    known_to(registers)
    lookups.people([ANNA])
    plan = again(store, ids, None)
    assert not plan.asks
    answered = plan.people([ANNA, BO])
    assert answered.known == {ANNA: registers.people[ANNA]}
    assert set(answered.unanswered) == {BO}
    confirmed = plan.confirm_people(numbers(ANNA, BO))
    assert (confirmed.unknown, confirmed.unanswered) == (frozenset(), {BO})
    assert plan.people([ANNA], refresh=[ANNA]).unanswered.keys() == {ANNA}
    with pytest.raises(RuntimeError, match="may not be asked"):
        plan.residents(PLACE)
    assert len(registers.asked) == 1
    assert len(audit(store)) == 1


def test_questions_about_people_are_audited_and_those_about_companies_are_not(
    lookups: Lookups, store: Cache, registers: Registers
) -> None:
    known_to(registers)
    registers.homes[PLACE] = [resident(ANNA, "Anna Prøve"), resident(BO, "Bo Prøve")]
    lookups.people([ANNA])
    lookups.people([NOBODY])
    lookups.confirm_companies(numbers(BAKER))
    lookups.residents(PLACE)
    registers.down = {"person"}
    lookups.people([BO])
    reason = ("keeping customer data true", "an act of these tests", "run")
    assert audit(store) == [
        ("person", "found", *reason),
        ("person", "not found", *reason),
        ("person_search", "2 residents", *reason),
        ("person", "no answer", *reason),
    ]


def test_no_number_stands_in_clear(lookups: Lookups, store: Cache, registers: Registers) -> None:
    known_to(registers)
    lookups.people([ANNA, NOBODY])
    lookups.remember_completion("the question", f"|{ANNA}|consumption_address")
    with store.engine.connect() as connection:
        for table in ("register_answer", "audit"):
            rows = connection.execute(sa.text(f"SELECT t::text FROM {table} AS t")).scalars().all()
            assert rows
            for row in rows:
                assert ANNA not in row
                assert NOBODY not in row
                assert ANNA.encode().hex() not in row
                assert "Prøve" not in row


def test_the_outcome_of_a_completion_is_remembered_by_its_question(
    lookups: Lookups, store: Cache, ids: ObjectIds
) -> None:
    assert lookups.remembered_completions(["a question"]) == {}
    lookups.remember_completion("a question", f"|{ANNA}|consumption_address")
    plan = again(store, ids, None)
    remembered = {"a question": f"|{ANNA}|consumption_address"}
    assert plan.remembered_completions(["a question", "another question"]) == remembered

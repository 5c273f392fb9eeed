"""Completing numbers: who is found at which address, what is remembered, and what a look-up must confirm."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from integration_assets.cache.store import Cache
from integration_assets.domain.identity import ObjectIds
from integration_assets.domain.people.parties import AddressKey
from integration_assets.flows.completion import Found, Question, complete_cos, complete_mains
from integration_assets.flows.lookups import Lookups, Mandate
from integration_assets_tests.flows.conftest import MANDATE
from integration_assets_tests.flows.village import TODAY, Registers, person, resident

HOME = AddressKey("1111", "1", "5000", "1", "tv")
BILLED = AddressKey("3333", "20", "5000")
ANNA, TWIN, BO = "0101701234", "0101705555", "0202721111"
QUESTION = Question("1001", "1001", ANNA[:6], "Anna Prøve", HOME, BILLED)
CO_QUESTION = Question("1001/co", "1001", BO[:6], None, HOME, BILLED)


def at_home(registers: Registers, *people: tuple[str, str], place: AddressKey = HOME, **values: Any) -> None:
    """People who live at a place and whom the person register knows."""
    for number, name in people:
        registers.homes.setdefault(place, []).append(resident(number, name, **values))
        registers.people[number] = person(number, name)


def main(lookups: Lookups, question: Question = QUESTION) -> Found:
    return complete_mains([question], lookups)[question.customer_number]


def co(lookups: Lookups, main_number: str | None, found_at: AddressKey | None = None) -> Found:
    mains = {"1001": (main_number, found_at)} if main_number else {}
    return complete_cos([CO_QUESTION], lookups, mains)["1001"]


def services(registers: Registers) -> Sequence[str]:
    return [service for service, _ in registers.asked]


def test_the_one_resident_who_fits_is_found_and_confirmed(lookups: Lookups, registers: Registers) -> None:
    at_home(registers, (ANNA, "Anna  PRØVE"), (BO, "Anna Prøve"), (TWIN, "Anne Prøve"))
    found = main(lookups)
    assert found == Found(ANNA, "consumption_address", None)
    assert found.place(QUESTION) == HOME
    assert registers.asked == [("residents", HOME), ("person", ANNA)]
    assert ANNA not in repr(found)


def test_she_may_live_at_the_billing_address(lookups: Lookups, registers: Registers) -> None:
    at_home(registers, (BO, "Bo Prøve"))
    at_home(registers, (ANNA, "Anna Prøve"), place=BILLED)
    found = main(lookups)
    assert found == Found(ANNA, "billing_address", None)
    assert found.place(QUESTION) == BILLED


def test_two_who_fit_are_none(lookups: Lookups, registers: Registers) -> None:
    at_home(registers, (ANNA, "Anna Prøve"), (TWIN, "Anna Prøve"))
    assert main(lookups) == Found(None, None, "completion_ambiguous")


def test_a_capped_answer_proves_nothing(lookups: Lookups, registers: Registers) -> None:
    at_home(registers, (ANNA, "Anna Prøve"))
    registers.capped.add(HOME)
    assert main(lookups) == Found(None, None, "completion_incomplete_search")


def test_nobody_fits(lookups: Lookups, registers: Registers) -> None:
    at_home(registers, (ANNA, "Anna Prøve"), moved_out=True)
    at_home(registers, (BO, "Anna Prøve"))
    assert main(lookups) == Found(None, None, "completion_no_match")
    assert services(registers) == ["residents", "residents"]
    nowhere = replace(QUESTION, customer_number="1002", consumption=None, billing=None)
    assert main(lookups, nowhere) == Found(None, None, "completion_no_match")


@pytest.mark.parametrize("values", [{"status": "80"}, {"number": BO}, None])
def test_a_hit_that_the_look_up_does_not_confirm_is_none(
    lookups: Lookups, registers: Registers, values: dict[str, Any] | None
) -> None:
    at_home(registers, (ANNA, "Anna Prøve"))
    if values is None:
        del registers.people[ANNA]
    else:  # emigrated, or her number is another one now
        registers.people[ANNA] = replace(registers.people[ANNA], **values)
    assert main(lookups) == Found(None, None, "completion_no_match")


@pytest.mark.parametrize("mandate", [Mandate(None, None), Mandate("Prøveby", None), Mandate(None, "an act")])
def test_without_authority_and_legal_basis_nobody_is_asked(
    store: Cache, ids: ObjectIds, registers: Registers, mandate: Mandate
) -> None:
    at_home(registers, (ANNA, "Anna Prøve"))
    lookups = Lookups(store.answers, ids, registers, mandate, as_of=TODAY, run_id="run")
    assert main(lookups) == Found(None, None, "completion_not_allowed")
    assert registers.asked == []


@pytest.mark.parametrize("service", ["residents", "person"])
def test_a_register_that_is_down_leaves_the_question_open(lookups: Lookups, registers: Registers, service: str) -> None:
    at_home(registers, (ANNA, "Anna Prøve"))
    registers.down = {service}
    assert main(lookups) == Found(None, None, "register_unavailable")
    registers.down = set()
    assert main(lookups) == Found(ANNA, "consumption_address", None)


def test_an_outcome_is_remembered_without_asking(
    lookups: Lookups, store: Cache, ids: ObjectIds, registers: Registers
) -> None:
    at_home(registers, (ANNA, "Anna Prøve"))
    first = main(lookups)
    asked = len(registers.asked)
    plan = Lookups(store.answers, ids, None, MANDATE, as_of=TODAY, run_id="plan")
    for later in (lookups, plan):
        found = main(later, replace(QUESTION, name="ANNA prøve "))
        assert found == first
        assert found.place(QUESTION) == HOME
    assert len(registers.asked) == asked


def test_in_vain_is_remembered_too_until_it_is_asked_again(lookups: Lookups, registers: Registers) -> None:
    assert main(lookups) == Found(None, None, "completion_no_match")
    at_home(registers, (ANNA, "Anna Prøve"))
    assert main(lookups) == Found(None, None, "completion_no_match")
    assert main(lookups, replace(QUESTION, again=True)) == Found(ANNA, "consumption_address", None)
    assert main(lookups) == Found(ANNA, "consumption_address", None)


@pytest.mark.parametrize(
    "other",
    [{"name": "Berta Prøve"}, {"consumption": BILLED}, {"billing": None}, {"birth6": "010271"}],
)
def test_another_question_is_asked_anew(lookups: Lookups, registers: Registers, other: dict[str, Any]) -> None:
    main(lookups)
    asked = len(registers.asked)
    main(lookups, replace(QUESTION, **other))
    assert len(registers.asked) > asked


def test_a_plan_leaves_new_questions_open(store: Cache, ids: ObjectIds) -> None:
    plan = Lookups(store.answers, ids, None, MANDATE, as_of=TODAY, run_id="plan")
    assert main(plan) == Found(None, None, "lookup_pending")
    assert co(plan, ANNA) == Found(None, None, "lookup_pending")


@pytest.mark.parametrize("main_number", [ANNA, "25052943", None])
def test_a_co_customer_is_completed_whoever_the_main_customer_is(
    lookups: Lookups, registers: Registers, main_number: str | None
) -> None:
    at_home(registers, (ANNA, "Anna Prøve"), (BO, "Bo Prøve"))
    assert co(lookups, main_number) == Found(BO, "inferred", None)


def test_a_co_customer_is_sought_where_the_main_customer_was_found(lookups: Lookups, registers: Registers) -> None:
    at_home(registers, (BO, "Bo Prøve"), place=BILLED)
    assert co(lookups, ANNA) == Found(None, None, "completion_no_match")
    assert co(lookups, ANNA, BILLED) == Found(BO, "inferred", None)


def test_the_main_customer_is_not_her_own_co_customer(lookups: Lookups, registers: Registers) -> None:
    at_home(registers, (ANNA, "Anna Prøve"))
    question = replace(CO_QUESTION, birth6=ANNA[:6])
    mains = {"1001": (ANNA, None)}
    assert complete_cos([question], lookups, mains)["1001"].reason == "completion_no_match"
    at_home(registers, (TWIN, "Tvilling Prøve"))
    again = replace(question, again=True)
    assert complete_cos([again], lookups, mains)["1001"] == Found(TWIN, "inferred", None)


def test_two_who_could_be_the_co_customer_are_none(lookups: Lookups, registers: Registers) -> None:
    at_home(registers, (ANNA, "Anna Prøve"), (BO, "Bo Prøve"), ("0202725555", "Bodil Prøve"))
    assert co(lookups, ANNA) == Found(None, None, "completion_ambiguous")


def test_another_main_customer_makes_another_question(lookups: Lookups, registers: Registers) -> None:
    at_home(registers, (BO, "Bo Prøve"))
    assert co(lookups, BO) == Found(None, None, "completion_no_match")
    assert co(lookups, ANNA) == Found(BO, "inferred", None)

"""Completing numbers: who is found at which address, what is remembered, and what a look-up must confirm."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from integration_assets.cache.store import Cache
from integration_assets.clients.http import CallError, NotAllowedError, PermanentError, TransientError
from integration_assets.domain.identity import ObjectIds
from integration_assets.domain.people.parties import AddressKey, SearchResult
from integration_assets.flows.completion import Completion, Found, Question
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
    return Completion(lookups).mains([question])[question.customer_number]


def co(lookups: Lookups, main_number: str | None, question: Question = CO_QUESTION) -> Found:
    return Completion(lookups).cos([replace(question, other_number=main_number)])[question.customer_number]


def services(registers: Registers) -> Sequence[str]:
    return [service for service, _ in registers.asked]


def test_the_one_resident_who_fits_is_found_and_confirmed(lookups: Lookups, registers: Registers) -> None:
    at_home(registers, (ANNA, "Anna  PRØVE"), (BO, "Anna Prøve"), (TWIN, "Anne Prøve"))
    found = main(lookups)
    assert found == Found(ANNA, "consumption_address", None)
    assert registers.asked == [("residents", HOME), ("person", ANNA)]
    assert ANNA not in repr(found)
    assert ANNA not in repr(replace(CO_QUESTION, other_number=ANNA))


def test_she_may_live_at_the_billing_address(lookups: Lookups, registers: Registers) -> None:
    at_home(registers, (BO, "Bo Prøve"))
    at_home(registers, (ANNA, "Anna Prøve"), place=BILLED)
    assert main(lookups) == Found(ANNA, "billing_address", None)


def test_two_who_fit_are_none(lookups: Lookups, registers: Registers) -> None:
    at_home(registers, (ANNA, "Anna Prøve"), (TWIN, "Anna Prøve"))
    assert main(lookups) == Found(None, None, "completion_ambiguous")


def test_a_capped_answer_proves_nothing(lookups: Lookups, registers: Registers) -> None:
    at_home(registers, (ANNA, "Anna Prøve"))
    registers.capped.add(HOME)
    assert main(lookups) == Found(None, None, "completion_incomplete_search")


def test_nobody_fits(lookups: Lookups, registers: Registers) -> None:
    at_home(registers, (BO, "Anna Prøve"))
    assert main(lookups) == Found(None, None, "completion_no_match")
    assert services(registers) == ["residents", "residents"]
    nowhere = replace(QUESTION, customer_number="1002", consumption=None, billing=None)
    assert main(lookups, nowhere) == Found(None, None, "completion_no_match")


def test_the_only_one_who_fits_has_moved_out(lookups: Lookups, registers: Registers) -> None:
    at_home(registers, (ANNA, "Anna Prøve"), moved_out=True)
    assert main(lookups) == Found(None, None, "completion_inactive_only")
    assert co(lookups, None, replace(CO_QUESTION, birth6=ANNA[:6])).reason == "completion_inactive_only"


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"status": "80"}, "completion_inactive_only"),
        ({"number": BO}, "completion_error"),
        ({"first_name": "Anne"}, "completion_no_match"),
        (None, "completion_error"),
    ],
)
def test_a_hit_that_the_look_up_does_not_confirm_is_none(
    lookups: Lookups, registers: Registers, values: dict[str, Any] | None, reason: str
) -> None:
    at_home(registers, (ANNA, "Anna Prøve"))
    registers.people[BO] = person(BO, "Anna Prøve")
    if values is None:
        del registers.people[ANNA]
    else:  # emigrated, another number now, another name in full
        registers.people[ANNA] = replace(registers.people[ANNA], addressing_name=None, **values)
    assert main(lookups) == Found(None, None, reason)


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


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (NotAllowedError("No access."), "completion_not_allowed"),
        (PermanentError("A wrong field."), "completion_error"),
        (TransientError("Silence."), "register_unavailable"),
    ],
)
def test_what_the_register_refuses_is_told_and_not_remembered(
    lookups: Lookups, registers: Registers, error: CallError, reason: str
) -> None:
    at_home(registers, (ANNA, "Anna Prøve"))
    answers = registers.residents

    def refuse(_address: AddressKey) -> SearchResult:
        raise error

    registers.residents = refuse  # pyright: ignore[reportAttributeAccessIssue] - the register changes its mind
    assert main(lookups) == Found(None, None, reason)
    registers.residents = answers  # pyright: ignore[reportAttributeAccessIssue]
    assert main(lookups) == Found(ANNA, "consumption_address", None)


def test_a_register_that_does_not_let_us_search_is_asked_once(lookups: Lookups, registers: Registers) -> None:
    asked: list[AddressKey] = []

    def refuse(address: AddressKey) -> SearchResult:
        asked.append(address)
        raise NotAllowedError("No access.")

    registers.residents = refuse  # pyright: ignore[reportAttributeAccessIssue]
    completion = Completion(lookups)
    assert completion.mains([QUESTION])["1001"].reason == "completion_not_allowed"
    assert completion.cos([CO_QUESTION])["1001"].reason == "completion_not_allowed"
    assert completion.mains([replace(QUESTION, consumption=BILLED)])["1001"].reason == "completion_not_allowed"
    assert asked == [HOME]


def test_an_address_is_searched_once_for_all_who_may_live_there(lookups: Lookups, registers: Registers) -> None:
    at_home(registers, (ANNA, "Anna Prøve"), (BO, "Bo Prøve"))
    answers = registers.residents

    def slowly(address: AddressKey) -> SearchResult:
        time.sleep(0.02)  # the others ask meanwhile
        return answers(address)

    registers.residents = slowly  # pyright: ignore[reportAttributeAccessIssue]
    completion = Completion(lookups)
    questions = [replace(QUESTION, customer_number=str(number), birth6=f"{number}") for number in range(300001, 300009)]
    completion.mains([QUESTION, *questions])
    completion.cos([replace(CO_QUESTION, other_number=ANNA)])
    assert sorted(place.house_number for service, place in registers.asked if service == "residents") == ["1", "20"]
    # The next run asks anew.
    main(lookups, replace(QUESTION, again=True))
    assert services(registers).count("residents") == 3


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


def test_a_co_customer_is_sought_at_both_addresses(lookups: Lookups, registers: Registers) -> None:
    at_home(registers, (BO, "Bo Prøve"), place=BILLED)
    assert co(lookups, ANNA) == Found(BO, "inferred", None)
    at_home(registers, ("0202725555", "Bodil Prøve"))
    assert co(lookups, ANNA, replace(CO_QUESTION, again=True)) == Found(None, None, "completion_ambiguous")


def test_the_main_customer_is_not_her_own_co_customer(lookups: Lookups, registers: Registers) -> None:
    at_home(registers, (ANNA, "Anna Prøve"))
    question = replace(CO_QUESTION, birth6=ANNA[:6])
    assert co(lookups, ANNA, question).reason == "completion_no_match"
    at_home(registers, (TWIN, "Tvilling Prøve"))
    assert co(lookups, ANNA, replace(question, again=True)) == Found(TWIN, "inferred", None)


def test_not_under_a_number_either_that_replaced_hers(lookups: Lookups, registers: Registers) -> None:
    """The billing system has the main customer's former number; the address search has the one in force."""
    at_home(registers, (TWIN, "Anna Prøve"))
    registers.people[ANNA] = person(TWIN, "Anna Prøve")
    question = replace(CO_QUESTION, birth6=ANNA[:6])
    assert co(lookups, ANNA, question).reason == "completion_no_match"


def test_nor_is_the_co_customer_the_main_customer(lookups: Lookups, registers: Registers) -> None:
    """The billing system has the co-customer's former number, of another birth date; only its look-up tells."""
    former = "1503701234"
    at_home(registers, (ANNA, "Anna Prøve"))
    question = replace(QUESTION, name="A. Prøve", other_number=former)
    assert main(lookups, question) == Found(ANNA, "consumption_address", None)
    registers.people[former] = person(ANNA, "Anna Prøve")
    lookups.people([former], refresh=[former])
    assert main(lookups, replace(question, again=True)) == Found(None, None, "completion_ambiguous")
    assert main(lookups, replace(question, name="Anna Prøve")) == Found(ANNA, "consumption_address", None)


def test_a_main_customer_of_a_certain_name_does_not_wait_for_her_co_customer(
    lookups: Lookups, registers: Registers
) -> None:
    at_home(registers, (ANNA, "Anna Prøve"))
    assert main(lookups, replace(QUESTION, other_number=BO)).number == ANNA
    assert registers.asked == [("residents", HOME), ("person", ANNA)]


def test_nor_one_who_is_unknown_and_born_on_the_same_day(lookups: Lookups, registers: Registers) -> None:
    at_home(registers, (ANNA, "Anna Prøve"))
    question = replace(QUESTION, name="A. Prøve", other_number=f"{ANNA[:6]}0000")
    assert main(lookups, question) == Found(None, None, "completion_ambiguous")
    assert main(lookups, replace(question, other_number=f"{BO[:6]}0000")).number == ANNA


def test_who_has_left_may_be_meant_by_an_initial_or_as_co_customer(lookups: Lookups, registers: Registers) -> None:
    at_home(registers, (ANNA, "Anna Prøve"))
    at_home(registers, (TWIN, "Anders Prøve"), moved_out=True)
    assert main(lookups, replace(QUESTION, name="A. Prøve")) == Found(None, None, "completion_ambiguous")
    assert main(lookups) == Found(ANNA, "consumption_address", None)
    assert co(lookups, BO, replace(CO_QUESTION, birth6=ANNA[:6])) == Found(None, None, "completion_ambiguous")


def test_nor_while_the_main_customer_is_unknown_herself(lookups: Lookups, registers: Registers) -> None:
    at_home(registers, (ANNA, "Anna Prøve"))
    assert co(lookups, f"{ANNA[:6]}0000", replace(CO_QUESTION, birth6=ANNA[:6])).reason == "completion_ambiguous"


def test_two_who_could_be_the_co_customer_are_none(lookups: Lookups, registers: Registers) -> None:
    at_home(registers, (ANNA, "Anna Prøve"), (BO, "Bo Prøve"), ("0202725555", "Bodil Prøve"))
    assert co(lookups, ANNA) == Found(None, None, "completion_ambiguous")


def test_another_main_customer_makes_another_question(lookups: Lookups, registers: Registers) -> None:
    at_home(registers, (BO, "Bo Prøve"))
    assert co(lookups, BO) == Found(None, None, "completion_no_match")
    assert co(lookups, ANNA) == Found(BO, "inferred", None)

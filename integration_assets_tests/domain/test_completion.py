"""Completion of personal numbers: only the one person who can be meant, and only when the search was complete."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_assets.domain.people.completion import (
    Completed,
    CompletionKind,
    CompletionOutcome,
    choose,
    choose_unnamed,
    complete_co,
    complete_main,
)
from integration_assets.domain.people.parties import AddressKey, Resident, SearchResult

BORN = date(1981, 3, 13)
BIRTH6 = "130381"
HOME = AddressKey("0866", "12B", "5000", "2", "tv")
OFFICE = AddressKey("0012", "3", "5240")
UNIQUE, AMBIGUOUS = CompletionKind.UNIQUE, CompletionKind.AMBIGUOUS


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


def chosen(name: str | None, hits: Sequence[Resident], place: AddressKey = HOME, **known: Any) -> CompletionOutcome:
    return choose(name, BIRTH6, place, SearchResult(tuple(hits), complete=True), **known)


def unnamed(hits: Sequence[Resident], place: AddressKey = HOME, **known: Any) -> CompletionOutcome:
    return choose_unnamed(BIRTH6, place, SearchResult(tuple(hits), complete=True), **known)


def test_the_one_person_of_that_name_and_day() -> None:
    others = [resident("1303814082", "Jens Dahl"), resident("0101701234", birth_date=date(1970, 1, 1))]
    outcome = chosen("dorthea  DAHL ", [resident(), *others])
    assert outcome.kind is UNIQUE
    assert outcome.number == "1303814074"
    assert (outcome.certain, outcome.alone) == (True, False)
    assert "1303814074" not in repr(outcome)
    assert chosen("Dorthea Dahl", [resident(name="Dorthéa J Dahl")]).alone


@pytest.mark.parametrize(
    "hit",
    [
        resident(name="Dorthea Dahl-Eriksen"),
        resident(name="Dorte Dahl"),
        resident(name=None),
        resident("1303810000"),
        resident("7303814074"),
        resident("garbage"),
        resident("1403814074"),
        resident(birth_date=date(1981, 3, 14)),
        resident(house_number="12"),
        resident(house_number="12C"),
        resident(floor="3"),
        resident(door="th"),
    ],
)
def test_nobody_else_is_meant(hit: Resident) -> None:
    assert chosen("Dorthea Dahl", [hit]).kind is CompletionKind.NONE
    assert chosen("Dorthea Dahl", [hit, resident()]).number == "1303814074"


@pytest.mark.parametrize(
    "hit",
    [resident(moved_out=True), *(resident(status=status) for status in ("30", "50", "60", "70", "80", "90", ""))],
)
def test_who_is_gone_is_never_taken_but_told(hit: Resident) -> None:
    assert chosen("Dorthea Dahl", [hit]).kind is CompletionKind.INACTIVE_ONLY
    assert unnamed([hit]).kind is CompletionKind.INACTIVE_ONLY
    assert chosen("Jens Dahl", [hit]).kind is CompletionKind.NONE
    assert chosen("Dorthea Dahl", [hit, resident("1303814082")]).number == "1303814082"
    assert unnamed([hit], main_number=hit.number).kind is CompletionKind.NONE


@pytest.mark.parametrize("status", ["01", "03", "05", "07", "20", "1"])
def test_statuses_of_valid_numbers(status: str) -> None:
    assert chosen("Dorthea Dahl", [resident(status=status)]).kind is UNIQUE


def test_the_address_is_compared_but_for_zeros_and_case() -> None:
    hit = resident(house_number="012b", floor="02", door="TV")
    assert chosen("Dorthea Dahl", [hit]).kind is UNIQUE
    assert chosen("Dorthea Dahl", [hit], AddressKey("0866", "12B", "5000")).kind is UNIQUE


def test_a_birth_date_that_the_answer_lacks_is_that_of_the_number() -> None:
    assert chosen("Dorthea Dahl", [resident(birth_date=None)]).kind is UNIQUE


def test_two_people_are_ambiguous_and_one_listed_twice_is_not() -> None:
    assert chosen("Dorthea Dahl", [resident(), resident("1303814082")]).kind is AMBIGUOUS
    assert chosen("Dorthea Dahl", [resident(), resident("1303814082", "D Dahl")]).kind is AMBIGUOUS
    assert chosen("Dorthea Dahl", [resident(), resident()]).kind is UNIQUE
    assert chosen("Dorthea Dahl", [resident(), resident(moved_out=True)]).kind is UNIQUE


def test_a_hundred_years_between_them_are_ambiguous() -> None:
    elder = resident("1303814074", birth_date=date(1881, 3, 13))
    assert chosen("Dorthea Dahl", [resident("1303811234"), elder]).kind is AMBIGUOUS
    assert unnamed([resident("1303811234"), elder]).kind is AMBIGUOUS


@pytest.mark.parametrize("name", ["D. Dahl", "Dahl Dorthea", "Jens & Dorthea Dahl", "Jens Bo og Dorthea Dahl"])
def test_a_name_that_is_only_possibly_hers_needs_nobody_else_of_that_birth_date(name: str) -> None:
    outcome = chosen(name, [resident()])
    assert (outcome.kind, outcome.certain, outcome.alone) == (UNIQUE, False, True)
    twin = resident("1303814082", "Karen Holm")
    assert chosen(name, [resident(), twin]).kind is AMBIGUOUS
    assert chosen(name, [resident(), replace(twin, addressing_name=None)]).kind is AMBIGUOUS
    assert chosen(name, [resident()], co_number="1303814074").kind is AMBIGUOUS
    assert chosen("Dorthea Dahl", [resident(), twin], co_number="1303814074").kind is UNIQUE


@pytest.mark.parametrize("gone", [{"moved_out": True}, {"status": "90"}, {"status": "80"}, {"status": "60"}])
@pytest.mark.parametrize("twin_name", ["Ditte Dahl", "Ditte Holm", None])  # Holm: she may have married since
def test_nor_may_anybody_of_that_birth_date_have_lived_there(gone: dict[str, Any], twin_name: str | None) -> None:
    twin = resident("1303814082", twin_name, **gone)
    outcome = chosen("D. Dahl", [resident(), twin])
    assert (outcome.kind, outcome.number, outcome.candidates) == (AMBIGUOUS, None, {"1303814074"})
    assert (chosen("Dorthea Dahl", [resident(), twin]).kind, chosen("D. Dahl", [resident()]).kind) == (UNIQUE, UNIQUE)
    assert not chosen("Dorthea Dahl", [resident(), twin]).alone
    # She herself, listed with an earlier stay, is nobody else.
    assert chosen("D. Dahl", [resident(), resident(moved_out=True)]).kind is UNIQUE


def test_whose_name_is_the_same_has_moved_out_and_another_may_be_meant() -> None:
    assert chosen("Dorthea Dahl", [resident(moved_out=True), resident("1303814082", "D. Dahl")]).kind is AMBIGUOUS
    assert chosen("D. Dahl", [resident(moved_out=True), resident("1303814082", status="90")]).kind is (
        CompletionKind.INACTIVE_ONLY
    )


@pytest.mark.parametrize("co_number", ["1303810000", "1303814082", "1303814074"])
def test_a_possible_name_may_be_that_of_a_co_customer_born_on_the_same_day(co_number: str) -> None:
    town = Town({HOME: [resident()]})
    assert complete_main("D. Dahl", BIRTH6, HOME, None, town, co_number=co_number).outcome.kind is AMBIGUOUS
    outcome = complete_main("Dorthea Dahl", BIRTH6, HOME, None, town, co_number=co_number).outcome
    assert (outcome.number, outcome.alone) == ("1303814074", False)
    for other in ("1403810000", "1403814074", None):
        assert complete_main("D. Dahl", BIRTH6, HOME, None, town, co_number=other).outcome.number == "1303814074"


@pytest.mark.parametrize("hits", [(), (resident(),), (resident(), resident("1303814082"))])
def test_a_capped_answer_proves_nothing(hits: tuple[Resident, ...]) -> None:
    capped = SearchResult(hits, complete=False)
    for outcome in (choose("Dorthea Dahl", BIRTH6, HOME, capped), choose_unnamed(BIRTH6, HOME, capped)):
        assert (outcome.kind, outcome.number) == (CompletionKind.INCOMPLETE_SEARCH, None)


def test_without_name_exactly_one_person_of_that_day() -> None:
    twins = [resident("1303814074", "A"), resident("1303814082", "B")]
    assert unnamed(twins).kind is AMBIGUOUS
    outcome = unnamed(twins, main_number="1303814074")
    assert (outcome.kind, outcome.number) == (UNIQUE, "1303814082")
    assert unnamed([resident(name=None)]).kind is UNIQUE
    assert unnamed([resident()], main_number="1303814074").kind is CompletionKind.NONE
    assert unnamed([]).kind is CompletionKind.NONE


@pytest.mark.parametrize("gone", [{"moved_out": True}, {"status": "90"}, {"status": "80"}])
def test_without_name_nobody_else_of_that_day_may_have_lived_there(gone: dict[str, Any]) -> None:
    """The billing system may still name a co-customer who has left or died."""
    left = resident("1303814082", **gone)
    outcome = unnamed([resident(), left])
    assert (outcome.kind, outcome.number, outcome.candidates) == (AMBIGUOUS, None, {"1303814074"})
    assert unnamed([resident(), left], main_number=left.number).number == "1303814074"
    assert unnamed([resident(), resident(moved_out=True)]).number == "1303814074"
    assert unnamed([resident(), resident("0101701234", birth_date=date(1970, 1, 1), **gone)]).kind is UNIQUE
    assert unnamed([resident(), replace(left, floor="3")]).kind is UNIQUE  # in another flat


@pytest.mark.parametrize("place", [AddressKey("0866", "12B", "5000"), AddressKey("0866", "12B", "5000", "2")])
def test_without_name_and_flat_she_is_told_only_where_there_is_one_dwelling(place: AddressKey) -> None:
    her = resident(floor="2", door="tv")
    neighbour = resident("0101701234", birth_date=date(1970, 1, 1), floor="2", door="th")
    assert unnamed([her], place).kind is UNIQUE
    assert unnamed([her, replace(neighbour, door="tv")], place).kind is UNIQUE
    assert unnamed([her, neighbour], place).kind is AMBIGUOUS
    assert unnamed([her, replace(neighbour, moved_out=True)], place).kind is UNIQUE
    assert unnamed([neighbour], place).kind is CompletionKind.NONE
    assert chosen("Dorthea Dahl", [her, neighbour], place).kind is UNIQUE
    assert unnamed([her, neighbour], HOME).kind is UNIQUE  # the neighbour is not at the address asked for


def test_a_unit_of_the_register_without_floor_and_door_is_a_dwelling_by_itself() -> None:
    unit = AddressKey("0866", "12B", "5000", is_unit=True)
    upstairs = resident("1303814082", floor="1", door="tv")
    assert unnamed([resident(), upstairs], unit).number == "1303814074"
    assert unnamed([upstairs], unit).kind is CompletionKind.NONE
    assert unnamed([resident(), resident("1303811234")], unit).kind is AMBIGUOUS
    # By name, she is found even where the two registers do not agree on the floor.
    assert chosen("Dorthea Dahl", [upstairs], unit).number == "1303814082"


BORN_DAYS = (BORN, date(1881, 3, 13), date(1981, 3, 14), None)
ANYBODY = st.builds(
    Resident,
    number=st.sampled_from(["1303814074", "1303814082", "1303811234", "1303810000", "1403814074"]),
    addressing_name=st.sampled_from(["Dorthea Dahl", "Dorthea J Dahl", "D Dahl", "Jens Dahl", "Dahl Dorthea", None]),
    birth_date=st.sampled_from(BORN_DAYS),
    status=st.sampled_from(["01", "90"]),
    moved_out=st.booleans(),
    house_number=st.sampled_from([None, "12B", "12"]),
    floor=st.sampled_from([None, "2"]),
    door=st.sampled_from([None, "tv", "th"]),
)
PEOPLE = st.lists(ANYBODY, max_size=5)
TYPED = st.sampled_from(["Dorthea Dahl", "D. Dahl", "Dorthea Jensine Dahl", "Jens & Dorthea Dahl", "", None])
PLACE = st.sampled_from([HOME, AddressKey("0866", "12B", "5000"), AddressKey("0866", "12B", "5000", is_unit=True)])


@given(TYPED, PEOPLE, PLACE, st.randoms(use_true_random=False))
def test_the_order_of_the_answer_does_not_matter(
    name: str | None, people: list[Resident], place: AddressKey, random: Random
) -> None:
    shuffled = random.sample(people, len(people))
    assert chosen(name, people, place) == chosen(name, shuffled, place)
    assert unnamed(people, place) == unnamed(shuffled, place)


@given(TYPED, PEOPLE, ANYBODY, PLACE)
def test_one_more_resident_never_makes_somebody_else_unique(
    name: str | None, people: list[Resident], another: Resident, place: AddressKey
) -> None:
    """Whoever is unique with her was so without her, or is herself: she may cast doubt on others, never remove it."""
    for choice in (lambda hits: chosen(name, hits, place), lambda hits: unnamed(hits, place)):
        before, after = choice(people), choice([*people, another])
        if after.kind is UNIQUE:
            assert after.number in (before.number, another.number)
            if after.number != before.number:
                assert before.kind in (CompletionKind.NONE, CompletionKind.INACTIVE_ONLY, AMBIGUOUS)
                assert before.kind is not AMBIGUOUS or before.candidates == {another.number}


@given(TYPED, PEOPLE, PLACE)
def test_whoever_is_unique_fits_and_lives_there(name: str | None, people: list[Resident], place: AddressKey) -> None:
    for outcome in (chosen(name, people, place), unnamed(people, place)):
        assert (outcome.number is not None) == (outcome.kind is UNIQUE)
        if outcome.number is not None:
            assert any(
                hit.number == outcome.number and hit.status == "01" and not hit.moved_out and hit.house_number != "12"
                for hit in people
            )
            assert outcome.number.startswith(BIRTH6)
            assert not outcome.number.endswith("0000")


def test_a_nameless_main_customer_matches_no_nameless_resident() -> None:
    for name in (None, "", "  "):
        assert complete_main(name, BIRTH6, HOME, None, Town({HOME: [resident(name=None)]})).outcome.kind is (
            CompletionKind.NONE
        )


def test_the_consumption_address_comes_first_then_the_billing_address() -> None:
    town = Town({HOME: [resident()], OFFICE: [resident("1303814082")]})
    found = complete_main("Dorthea Dahl", BIRTH6, HOME, OFFICE, town)
    assert (found.outcome.number, found.origin) == ("1303814074", "consumption_address")
    assert town.asked == [HOME]

    town = Town({OFFICE: [resident()], HOME: [resident(moved_out=True)]})
    found = complete_main("Dorthea Dahl", BIRTH6, HOME, OFFICE, town)
    assert (found.outcome.number, found.origin) == ("1303814074", "billing_address")
    assert town.asked == [HOME, OFFICE]


def test_a_possible_name_must_not_be_contradicted_at_the_billing_address() -> None:
    def found(at_office: list[Resident], capped: frozenset[AddressKey] = frozenset()) -> Completed:
        return complete_main("D. Dahl", BIRTH6, HOME, OFFICE, Town({HOME: [resident()], OFFICE: at_office}, capped))

    assert found([]).outcome.number == "1303814074"
    assert found([resident()]).origin == "consumption_address"
    assert found([resident("1303814082", "D Dahl")]).outcome.kind is AMBIGUOUS
    assert found([resident("1303814082", "D. Dahl"), resident("1303811234", "Ib Dahl")]).outcome.kind is AMBIGUOUS
    assert found([], frozenset({OFFICE})).outcome.kind is CompletionKind.INCOMPLETE_SEARCH


def test_who_has_left_one_address_casts_doubt_on_who_lives_at_the_other() -> None:
    twin = resident("1303814082", "Ditte Dahl", moved_out=True)
    for here, there in ((HOME, OFFICE), (OFFICE, HOME)):
        town = Town({here: [twin], there: [resident()]})
        assert complete_main("D. Dahl", BIRTH6, HOME, OFFICE, town).outcome.kind is AMBIGUOUS
        assert complete_main("Dorthea Dahl", BIRTH6, HOME, OFFICE, town).outcome.number == "1303814074"
        assert complete_co(BIRTH6, None, HOME, OFFICE, town).outcome.kind is AMBIGUOUS
        # She herself, who has moved from one to the other.
        moved = Town({here: [resident(moved_out=True)], there: [resident()]})
        assert complete_main("D. Dahl", BIRTH6, HOME, OFFICE, moved).outcome.number == "1303814074"
        assert complete_co(BIRTH6, None, HOME, OFFICE, moved).outcome.number == "1303814074"


def test_one_address_is_asked_once_and_none_never() -> None:
    town = Town({})
    complete_main("Dorthea Dahl", BIRTH6, HOME, HOME, town)
    complete_main("Dorthea Dahl", BIRTH6, None, OFFICE, town)
    assert complete_main("Dorthea Dahl", BIRTH6, None, None, town).outcome.kind is CompletionKind.NONE
    assert complete_co(BIRTH6, None, None, None, town).outcome.kind is CompletionKind.NONE
    assert town.asked == [HOME, OFFICE]


def test_the_outcome_that_says_more_than_nobody_tells_why() -> None:
    def kind(town: Town) -> CompletionKind:
        return complete_main("Dorthea Dahl", BIRTH6, HOME, OFFICE, town).outcome.kind

    assert kind(Town({HOME: [resident(), resident("1303814082")]})) is AMBIGUOUS
    assert kind(Town({}, capped=frozenset({OFFICE}))) is CompletionKind.INCOMPLETE_SEARCH
    assert kind(Town({OFFICE: [resident(status="90")]})) is CompletionKind.INACTIVE_ONLY


def test_a_capped_search_at_one_address_spoils_only_what_is_not_certain() -> None:
    town = Town({OFFICE: [resident()]}, capped=frozenset({HOME}))
    assert complete_main("Dorthea Dahl", BIRTH6, HOME, OFFICE, town).origin == "billing_address"
    assert complete_main("D. Dahl", BIRTH6, HOME, OFFICE, town).outcome.kind is CompletionKind.INCOMPLETE_SEARCH
    assert complete_co(BIRTH6, None, HOME, OFFICE, town).outcome.kind is CompletionKind.INCOMPLETE_SEARCH


def test_the_flat_that_bills_go_to_tells_who_is_meant_in_the_house() -> None:
    house = AddressKey("0866", "12B", "5000")
    her, namesake = resident(floor="2", door="tv"), resident("1303814082", floor="st", door="th")
    town = Town({house: [her, namesake], HOME: [her]})
    for found in (
        complete_main("Dorthea Dahl", BIRTH6, house, HOME, town),
        complete_co(BIRTH6, None, house, HOME, town),
    ):
        assert found.outcome.number == her.number
    elsewhere = Town({house: [her, namesake], OFFICE: [resident("1303811234")]})
    assert complete_main("Dorthea Dahl", BIRTH6, house, OFFICE, elsewhere).outcome.kind is AMBIGUOUS
    assert complete_co(BIRTH6, None, house, OFFICE, elsewhere).outcome.kind is AMBIGUOUS


def test_the_co_customer_is_sought_at_both_addresses() -> None:
    main, co = resident("0101701234", birth_date=date(1970, 1, 1)), resident(name="Another Name")
    for town in (Town({OFFICE: [main, co]}), Town({HOME: [co]}), Town({HOME: [co], OFFICE: [co]})):
        found = complete_co(BIRTH6, main.number, HOME, OFFICE, town)
        assert (found.outcome.number, found.origin) == (co.number, "inferred")
        assert town.asked == [HOME, OFFICE]
    rival = Town({HOME: [co], OFFICE: [main, resident("1303814082")]})
    assert complete_co(BIRTH6, main.number, HOME, OFFICE, rival).outcome.kind is AMBIGUOUS


@pytest.mark.parametrize("main", ["25052943", "0101701234", None, "1403810000"])
def test_a_co_customer_does_not_depend_on_the_main_customer(main: str | None) -> None:
    assert complete_co(BIRTH6, main, HOME, None, Town({HOME: [resident()]})).outcome.number == "1303814074"


def test_the_main_customer_is_never_her_own_co_customer() -> None:
    town = Town({HOME: [resident()]})
    assert complete_co(BIRTH6, "1303814074", HOME, None, town).outcome.kind is CompletionKind.NONE
    # Whose number is still unknown may be the only one of that birth date herself.
    assert complete_co(BIRTH6, "1303810000", HOME, None, town).outcome.kind is AMBIGUOUS

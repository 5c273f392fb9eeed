"""Means the registers: deliveries taken in, who is asked again, subscriptions; against a real cache."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from integration_assets.cache.merge import merge_partition
from integration_assets.cache.store import Cache
from integration_assets.clients.http import NotAllowedError, TransientError
from integration_assets.domain.identity import ObjectIds
from integration_assets.domain.people.ports import EventBatch, PersonEvent
from integration_assets.domain.tables import RESOLVED_CUSTOMERS
from integration_assets.flows.lookups import COMPANY, PERSON, Lookups, Mandate, person_ids
from integration_assets.flows.notifications import (
    Checked,
    Means,
    Subscribed,
    check,
    follow_relations,
    named_living,
    open_notices,
    registry_rows,
    take_in,
)
from integration_assets_tests.domain.register_rows import index_of
from integration_assets_tests.flows.village import TODAY, Registers, address, address_register, company, person

ANNA, ANNA_NOW, BO, CARL, BAKER = "0101701234", "0101701242", "0202721111", "0303731234", "25052943"
HOME, FLAT = address("Nørregade", "10"), address("Nørregade", "20")
INDEX = index_of(address_register(HOME, FLAT))
TOMORROW = TODAY + timedelta(days=1)


class Deliveries:
    """Deliveries of events as a test writes them; the cursor is the number of those taken in."""

    def __init__(self, *batches: EventBatch) -> None:
        self.batches = list(batches)

    def since(self, cursor: str | None) -> EventBatch:
        seen = int(cursor or 0)
        if seen == len(self.batches):
            return EventBatch((), cursor)
        return replace(self.batches[seen], cursor=str(seen + 1), more=seen + 1 < len(self.batches))


class Subscriptions:
    """The subscription service; `calls` keeps what was asked, `down` refuses to add or remove these."""

    def __init__(self, *numbers: str) -> None:
        self.numbers = set(numbers)
        self.down: set[str] = set()
        self.calls: list[tuple[str, str]] = []

    def add(self, number: str) -> None:
        self._called("add", number)
        self.numbers.add(number)

    def remove(self, number: str) -> None:
        self._called("remove", number)
        self.numbers.discard(number)

    def subscribed(self) -> frozenset[str]:
        return frozenset(self.numbers)

    def _called(self, what: str, number: str) -> None:
        self.calls.append((what, number))
        if number in self.down:
            raise TransientError("The service does not answer.", text="no answer")


def event(number: str, new: str | None = None) -> PersonEvent:
    return PersonEvent(number, frozenset({"A01"}), TODAY, new)


def delivery(*events: PersonEvent, **values: Any) -> EventBatch:
    return EventBatch(events, None, **values)


@pytest.fixture
def registers(registers: Registers) -> Registers:
    registers.people = {
        ANNA: person(ANNA, "Anna Prøve", HOME["address_id"]),
        BO: person(BO, "Bo Prøve", HOME["address_id"]),
        CARL: person(CARL, "Carl Prøve"),
    }
    registers.companies = {BAKER: company(BAKER, "Bager & Søn", HOME["address_id"])}
    return registers


@pytest.fixture
def relations(store: Cache, ids: ObjectIds, lookups: Lookups, registers: Registers) -> Callable[..., None]:
    """Puts customer relations into resolved/customers and asks the registers for their parties."""

    def put(*rows: tuple[str, str, str | None], ended: date | None = None, ask: bool = True) -> None:
        if ask:
            lookups.people([number for row in rows for number in row[1:] if number and len(number) == 10])
            lookups.confirm_companies(
                pl.Series("number", [row[1] for row in rows if len(row[1]) == 8], dtype=pl.String)
            )
        registers.asked.clear()

        def party(number: str | None) -> str | None:
            if number is None:
                return None
            if len(number) == 8:
                return str(ids.of("company", number))
            return person_ids(ids, pl.Series("number", [number]), store.answers.aliases()).item()

        frame = pl.DataFrame(
            [
                {
                    "customer_number": number,
                    "supply_area": "5000",
                    "party_id": party(main),
                    "party_kind": "company" if len(main) == 8 else "person",
                    "number": main,
                    "co_party_id": party(second),
                    "co_number": second,
                    "moved_out": ended,
                }
                for number, main, second in rows
            ],
            schema=RESOLVED_CUSTOMERS.schema,
        )
        merge_partition(
            store.engine, RESOLVED_CUSTOMERS, ["5000"], frame, cipher=store.cipher, as_of_now=datetime.now(UTC)
        )

    return put


def at(store: Cache, ids: ObjectIds, day: date, *, sweep_days: int = 30) -> Means:
    return Means(store, ids, day, sweep_days, None)


def checked(means: Means, registers: Registers, kind: str = PERSON, *, watch: bool = False) -> Checked:
    mandate = Mandate("Prøveby", "an act")
    lookups = Lookups(means.cache.answers, means.ids, registers, mandate, as_of=means.as_of, run_id="night")
    return check(means, lookups, kind, named_living(means, kind), watch=watch)


def asked(registers: Registers) -> list[str]:
    numbers = sorted(number for _service, number in registers.asked)
    registers.asked.clear()
    return numbers


def rows_of(means: Means, party_id: str) -> dict[str, Any]:
    (row,) = registry_rows(means, [party_id], INDEX).to_dicts()
    return row


def test_a_delivery_costs_a_look_up_of_whom_it_names(
    store: Cache, ids: ObjectIds, registers: Registers, relations: Callable[..., None]
) -> None:
    relations(("1", ANNA, BO), ("2", CARL, None))
    means = at(store, ids, TOMORROW)
    assert follow_relations(means, Subscriptions(), named_living(means, PERSON)) == Subscribed(3, 0, 0)
    assert checked(means, registers, watch=True).by_event == 3, "new subscriptions: what came before no event tells"
    asked(registers)
    registers.people[BO] = replace(registers.people[BO], last_name="Ny", name_from=TOMORROW)
    events = Deliveries(delivery(event(BO), event("0909771234")), delivery(event(BO)))
    assert (take_in(means, events).deliveries, take_in(means, events).deliveries) == (2, 0)
    result = checked(means, registers, watch=True)
    assert (asked(registers), result.by_event, result.by_sweep) == ([BO], 1, 0)
    assert result.changed == {str(ids.of("person", BO))}
    row = rows_of(means, str(ids.of("person", BO)))
    assert row["last_name"] == "Ny"
    assert row["history"] == [
        {"field": "last_name", "from": None, "value": "Prøve"},
        {"field": "last_name", "from": TOMORROW, "value": "Ny"},
    ]
    store.following.note_delivered(PERSON, result.subjects)
    assert checked(means, registers, watch=True) == Checked(frozenset(), frozenset(), 0, 0, 0)
    assert asked(registers) == []


def test_a_silent_register_keeps_the_mark(
    store: Cache, ids: ObjectIds, registers: Registers, relations: Callable[..., None]
) -> None:
    relations(("1", ANNA, None))
    means = at(store, ids, TODAY)
    take_in(means, Deliveries(delivery(event(ANNA))))
    registers.down = {"person"}
    assert checked(means, registers).unanswered == 1
    registers.down = set()
    assert checked(at(store, ids, TOMORROW), registers).by_event == 1
    assert checked(at(store, ids, TOMORROW), registers).by_event == 0


def test_a_register_that_lets_us_in_no_more_is_not_asked_again_and_again(
    store: Cache, ids: ObjectIds, registers: Registers, relations: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    relations(*((str(n), ANNA, BO) for n in range(1, 3)), ("3", CARL, None))
    calls: list[str] = []

    def refuse(number: str) -> None:
        calls.append(number)
        raise NotAllowedError("The agreement is not approved.")

    monkeypatch.setattr(registers, "person", refuse)
    lookups = Lookups(store.answers, ids, registers, Mandate("a", "b"), as_of=TOMORROW, run_id="night", workers=1)
    assert len(lookups.refresh(PERSON, dict.fromkeys((ANNA, BO, CARL), 1))) == 3
    assert len(calls) == 1


def test_after_a_gap_everybody_is_asked_again(
    store: Cache, ids: ObjectIds, registers: Registers, relations: Callable[..., None]
) -> None:
    relations(("1", ANNA, BO), ("2", CARL, None))
    means = at(store, ids, TODAY)
    taken = take_in(means, Deliveries(delivery(event(ANNA), missing_since=TODAY)))
    assert any("is missing; everybody is asked again" in note for note in taken.notes)
    assert checked(means, registers, watch=True).by_event == 3
    assert asked(registers) == [ANNA, BO, CARL]


def test_a_first_delivery_that_names_one_before_it_which_we_should_have_had_is_a_gap(
    store: Cache, ids: ObjectIds, registers: Registers, relations: Callable[..., None]
) -> None:
    relations(("1", ANNA, BO))
    follow_relations(at(store, ids, TODAY), Subscriptions(), named_living(at(store, ids, TODAY), PERSON))
    means = at(store, ids, TOMORROW)
    assert take_in(means, Deliveries(delivery(event(ANNA), previous_on=TODAY))).notes == ()
    assert checked(means, registers, watch=True).by_event == 1
    with store.engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM event_cursor"))
    assert len(take_in(means, Deliveries(delivery(event(ANNA), previous_on=TOMORROW))).notes) == 1
    assert checked(means, registers, watch=True).by_event == 2


def test_without_events_everybody_has_a_turn_and_nothing_changes(
    store: Cache, ids: ObjectIds, registers: Registers, relations: Callable[..., None]
) -> None:
    relations(("1", ANNA, BO), ("2", CARL, None), ("3", BAKER, None))
    turns = [checked(at(store, ids, TODAY + timedelta(days=day), sweep_days=3), registers) for day in range(1, 4)]
    assert [(turn.by_sweep, turn.changed) for turn in turns] == [(1, frozenset())] * 3
    assert asked(registers) == sorted([ANNA, BO, CARL])
    assert checked(at(store, ids, TOMORROW, sweep_days=1), registers, COMPANY).by_sweep == 1
    assert asked(registers) == [BAKER]


def test_a_person_with_a_new_number_stays_the_same_object(
    store: Cache, ids: ObjectIds, registers: Registers, relations: Callable[..., None]
) -> None:
    relations(("1", ANNA, None))
    anna = str(ids.of("person", ANNA))
    registers.people[ANNA_NOW] = replace(registers.people[ANNA], number=ANNA_NOW)
    registers.people[ANNA] = replace(
        registers.people[ANNA], number=ANNA_NOW, status="60", status_from=date(2026, 11, 20), address=None
    )
    means = at(store, ids, TOMORROW)
    take_in(means, Deliveries(delivery(event(ANNA, ANNA_NOW))))
    assert checked(means, registers).changed == {anna}
    row = rows_of(means, anna)
    assert (row["number"], row["address_id"], row["ended_on"]) == (ANNA_NOW, HOME["address_id"], None)
    assert row["history"] == [
        {"field": "number", "from": None, "value": ANNA},
        {"field": "number", "from": date(2026, 11, 20), "value": ANNA_NOW},
    ]
    named = named_living(means, PERSON)
    assert open_notices(means, named, INDEX).select("record_key", "reason").rows() == [("1", "number_changed")]
    # A clerk corrects the number: the same person, and nothing to put right any more.
    relations(("1", ANNA_NOW, None))
    named = named_living(means, PERSON)
    assert named["party_id"].to_list() == [anna]
    assert open_notices(means, named, INDEX).is_empty()
    assert rows_of(means, anna)["history"] == row["history"]
    subscriptions = Subscriptions(ANNA)
    assert follow_relations(means, subscriptions, named).added == 1
    assert subscriptions.calls == [("add", ANNA_NOW)]


def test_the_dead_and_the_ceased_are_told_to_operators(
    store: Cache, ids: ObjectIds, registers: Registers, relations: Callable[..., None]
) -> None:
    registers.people[BO] = replace(registers.people[BO], status="90", status_from=date(2026, 11, 1), address=None)
    registers.companies[BAKER] = replace(registers.companies[BAKER], ceased_on=date(2026, 10, 1))
    relations(("1", ANNA, BO), ("2", BAKER, None))
    means = at(store, ids, TODAY)
    found = open_notices(means, named_living(means, PERSON), INDEX)
    assert found.select("record_key", "reason", "customer_number", "supply_area").rows() == [
        ("1/co", "person_died", "1", "5000")
    ]
    assert "co-customer of customer number 1 died on 2026-11-01" in found["text"].item()
    found = open_notices(means, named_living(means, COMPANY), INDEX)
    assert found.select("record_key", "reason").rows() == [("2", "company_ceased")]
    assert BO not in str(found.to_dicts())
    relations(("1", ANNA, BO), ("2", BAKER, None), ended=TODAY)
    assert named_living(means, PERSON).is_empty()


def test_subscriptions_follow_the_customer_relations(
    store: Cache, ids: ObjectIds, registers: Registers, relations: Callable[..., None]
) -> None:
    relations(("1", ANNA, BO), ("2", BAKER, None), ("3", "0404741111", None))
    service, means = Subscriptions("0909771234"), at(store, ids, TODAY)
    service.down = {BO}
    assert follow_relations(means, service, named_living(means, PERSON)) == Subscribed(1, 0, 1)
    service.down = set()
    assert follow_relations(means, service, named_living(means, PERSON)) == Subscribed(1, 0, 0)
    assert service.numbers == {ANNA, BO, "0909771234"}, "subscriptions of others stay; who is unknown has none"
    service.calls.clear()
    assert follow_relations(means, service, named_living(means, PERSON)) == Subscribed(0, 0, 0)
    assert service.calls == []
    relations(("1", ANNA, None), ("2", BAKER, None))
    assert follow_relations(means, service, named_living(means, PERSON)) == Subscribed(0, 1, 0)
    assert service.numbers == {ANNA, "0909771234"}
    # What the service has lost is found by the weekly comparison.
    service.numbers.discard(ANNA)
    assert follow_relations(means, service, named_living(means, PERSON)).added == 0
    later = at(store, ids, TODAY + timedelta(days=7))
    assert follow_relations(later, service, named_living(later, PERSON)).added == 1
    assert checked(later, registers).by_event == 1, "of changes meanwhile no event tells"
    # The register deletes a subscription and says so: it is made again, and she is asked again.
    service.numbers.discard(ANNA)
    later = at(store, ids, TODAY + timedelta(days=8))
    take_in(later, Deliveries(delivery(ended=(ANNA,))))
    assert follow_relations(later, service, named_living(later, PERSON)) == Subscribed(1, 0, 0)
    assert checked(later, registers).by_event == 1


def test_a_change_waits_until_the_registry_was_told(
    store: Cache, ids: ObjectIds, registers: Registers, relations: Callable[..., None]
) -> None:
    relations(("1", ANNA, None), ("2", ANNA, None))
    means = at(store, ids, TOMORROW)
    take_in(means, Deliveries(delivery(event(ANNA))))
    registers.people[ANNA] = replace(registers.people[ANNA], last_name="Ny")
    first = checked(means, registers)
    assert first.changed == {str(ids.of("person", ANNA))}
    # The run is killed before it delivers; the next one finds nothing to ask and all the more to deliver.
    second = checked(means, registers)
    assert (second.by_event, second.changed) == (0, first.changed)
    store.following.note_delivered(PERSON, second.subjects)
    assert checked(means, registers).changed == frozenset()


def test_an_answer_to_another_question_leaves_the_mark(
    store: Cache, ids: ObjectIds, registers: Registers, relations: Callable[..., None]
) -> None:
    relations(("1", ANNA, None))
    means = at(store, ids, TODAY)
    take_in(means, Deliveries(delivery(event(ANNA))))
    other_run = Lookups(store.answers, ids, registers, Mandate("a", "b"), as_of=TODAY, run_id="other")
    other_run.people([ANNA], refresh=[ANNA])
    assert checked(means, registers).by_event == 1
    assert checked(means, registers).by_event == 0


def test_a_register_that_lags_behind_its_events_is_asked_again_on_the_next_days(
    store: Cache, ids: ObjectIds, registers: Registers, relations: Callable[..., None]
) -> None:
    relations(("1", ANNA, None), ("2", BO, None))
    take_in(at(store, ids, TODAY), Deliveries(delivery(event(ANNA), event(BO))))
    days = [at(store, ids, TODAY + timedelta(days=day)) for day in range(6)]
    assert [checked(day, registers, watch=True).by_event for day in days[:2]] == [2, 2]
    registers.people[ANNA] = replace(registers.people[ANNA], last_name="Ny")
    assert checked(days[2], registers, watch=True).changed == {str(ids.of("person", ANNA))}
    assert [checked(day, registers, watch=True).by_event for day in days[3:]] == [1, 0, 0]


def test_a_new_number_that_the_register_does_not_know_yet_is_no_answer(
    store: Cache, ids: ObjectIds, registers: Registers, relations: Callable[..., None]
) -> None:
    relations(("1", ANNA, None), ("2", ANNA_NOW, None))
    registers.people[ANNA] = replace(registers.people[ANNA], number=ANNA_NOW, status="60", address=None, last_name=None)
    means = at(store, ids, TOMORROW)
    take_in(means, Deliveries(delivery(event(ANNA))))
    assert checked(means, registers).unanswered == 1
    registers.people[ANNA_NOW] = person(ANNA_NOW, "Anna Prøve", HOME["address_id"])
    assert checked(means, registers).unanswered == 0
    # That nobody was known under the new number before does not make it another person.
    assert rows_of(means, str(ids.of("person", ANNA)))["number"] == ANNA_NOW
    assert store.answers.aliases()[ids.subject(f"person|{ANNA_NOW}")].party_id == str(ids.of("person", ANNA))


def test_two_numbers_with_one_successor_are_one_person(
    store: Cache, ids: ObjectIds, registers: Registers, relations: Callable[..., None]
) -> None:
    relations(("1", ANNA, None), ("2", BO, None))
    service, means = Subscriptions(), at(store, ids, TODAY)
    follow_relations(means, service, named_living(means, PERSON))
    for old in (ANNA, BO):
        registers.people[old] = replace(registers.people[old], number=ANNA_NOW, status="60")
    registers.people[ANNA_NOW] = person(ANNA_NOW, "Anna Prøve", HOME["address_id"])
    means = at(store, ids, TOMORROW)
    take_in(means, Deliveries(delivery(event(ANNA), event(BO))))
    assert checked(means, registers).unanswered == 0
    numbers = pl.Series("number", [ANNA, BO, ANNA_NOW])
    assert person_ids(ids, numbers, store.answers.aliases()).n_unique() == 1
    follow_relations(means, service, named_living(means, PERSON))
    assert service.numbers == {ANNA_NOW}
    relations(("1", ANNA, None), ask=False)
    follow_relations(means, service, named_living(means, PERSON))
    assert service.numbers == {ANNA_NOW}, "the other relation lives on"


def test_a_subscription_to_a_former_number_is_ended_however_often_it_takes(
    store: Cache, ids: ObjectIds, registers: Registers, relations: Callable[..., None]
) -> None:
    relations(("1", ANNA, None))
    service, means = Subscriptions(), at(store, ids, TODAY)
    follow_relations(means, service, named_living(means, PERSON))
    registers.people[ANNA_NOW] = replace(registers.people[ANNA], number=ANNA_NOW)
    registers.people[ANNA] = replace(registers.people[ANNA], number=ANNA_NOW, status="60")
    means = at(store, ids, TOMORROW)
    take_in(means, Deliveries(delivery(event(ANNA))))
    checked(means, registers)
    service.down = {ANNA}
    assert follow_relations(means, service, named_living(means, PERSON)) == Subscribed(1, 0, 1)
    service.down = set()
    assert follow_relations(means, service, named_living(means, PERSON)) == Subscribed(0, 1, 0)
    assert service.numbers == {ANNA_NOW}

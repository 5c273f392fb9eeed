"""Days of the registers: what happens to people and companies, what subscribers are told, what the truth says of it."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from integration_assets.cache.engine import embedded_server_url
from integration_assets.sandbox import town
from integration_assets.sandbox.days_register import PERSON_EVENTS
from integration_assets.sandbox.days_register_companies import COMPANY_EVENTS
from integration_assets.sandbox.kmd_ee_tables import connect
from integration_assets.sandbox.store import Store
from integration_assets.sandbox.town_model import load

Json = dict[str, Any]
DAYS = (1, 2, 3, 4)
CODES = {
    "A01": {"registered_move", "billed_person_moved", "protected_person_moved"},
    "A13": {"name_change", "co_name_change"},
    "A33": {"protection_granted", "protection_granted_briefly", "billed_person_protected"},
    "A21": {"death", "co_death"},
    "A06": {"emigration"},
    "P03": {"number_change", "co_number_change"},
}
"""Codes as CPR has them (spec, section 1.8), each with the events of the town that it stands for."""


def days_before(day: str, days: int) -> str:
    return (date.fromisoformat(day) - timedelta(days=days)).isoformat()


class Played:
    """A town of 1000 rows over four days: persons, companies, source, truth and report of each, the base day first."""

    def __init__(self, sandbox_url: str, kmd_ee_url: str) -> None:
        self.store = Store(sandbox_url)
        self.kmd_ee_url = kmd_ee_url
        town.build(self.store, kmd_ee_url, 1000, 21)
        self.reports: list[Json] = [{"customers": {}}]
        self.persons: list[dict[str, Json]] = []
        self.companies: list[dict[str, Json]] = []
        self.written: list[str] = []
        self.sources: list[dict[str, tuple[str, str]]] = []
        self.truths: list[Json] = []
        self._note()
        for day in DAYS:
            self.reports.append(town.play_day(self.store, kmd_ee_url, day))
            self._note()

    def _note(self) -> None:
        self.persons.append(dict(self.store.load("register:person")))
        self.companies.append(dict(self.store.load("register:company")))
        self.written.append(json.dumps(self.persons[-1]))
        self.truths.append(town.truth(self.store))
        with connect(self.kmd_ee_url) as connection:
            rows = connection.execute(b'select "Kundenr", "PersonnrSEnr", "LigestPersonnr" from dbo."Kunde"')
            self.sources.append({f"{row[0]:.0f}": (f"{row[1]:010.0f}", f"{row[2]:010.0f}") for row in rows})

    def told(self, code: str) -> list[tuple[int, Json]]:
        """(day, notice) of every notice with a code."""
        days = self.store.load("register:events")
        return [
            (day, notice)
            for day in DAYS
            for notice in days[self.truths[day]["as_of"]]["events"]
            if code in notice["codes"]
        ]

    def customers(self, event: str) -> list[tuple[int, str]]:
        """(day, customer number) of every occurrence of an event."""
        return [(day, key) for day in DAYS for key, events in self.reports[day]["customers"].items() if event in events]

    def companies_of(self, event: str) -> set[tuple[int, str]]:
        """(day, company number) of the main customers whom an event of companies met."""
        return {(day, main_party(self.truths[day], key)) for day, key in self.customers(event)}


def main_party(truth: Json, number: str) -> str:
    """The main customer of a row, by the role that goes on."""
    roles = (role for role in truth["roles"] if role["customer_number"] == number and role["role_code"] == "915240004")
    return next(role["party"] for role in roles if not role["ended"])


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("register_days")


@pytest.fixture(scope="module")
def played(data_dir: Path) -> Iterator[Played]:
    result = Played(embedded_server_url(data_dir, "sandbox"), embedded_server_url(data_dir, "kmd_ee"))
    yield result
    result.store.close()


def test_every_event_happens(played: Played) -> None:
    happened = {event for day in DAYS for events in played.reports[day]["customers"].values() for event in events}
    assert {*PERSON_EVENTS, *COMPANY_EVENTS} <= happened


def test_a_row_and_a_party_have_one_event_a_day(played: Played) -> None:
    for day in DAYS:
        for events in played.reports[day]["customers"].values():
            assert len(events) == 1 or not {*PERSON_EVENTS, *COMPANY_EVENTS} & set(events)
        told = played.store.load("register:events")[played.truths[day]["as_of"]]
        assert told["day"] == played.truths[day]["as_of"]
        assert max(Counter(notice["pnr"] for notice in told["events"]).values()) == 1


def test_records_are_replaced_and_never_changed(played: Played) -> None:
    assert [json.dumps(persons) for persons in played.persons] == played.written


def test_subscribers_are_told_of_every_record_that_changed_and_of_no_other(played: Played) -> None:
    for day in DAYS:
        before, after = played.persons[day - 1], played.persons[day]
        changed = {number for number, record in before.items() if after[number] != record}
        replaced_before = {number for number in changed if before[number]["status"] == "60"}
        told = played.store.load("register:events")[played.truths[day]["as_of"]]["events"]
        assert {notice["pnr"] for notice in told} == changed - replaced_before


def test_the_codes_are_those_of_the_events(played: Played) -> None:
    for code, events in CODES.items():
        told = Counter(day for day, _notice in played.told(code))
        # An event is reported at every row of the party, and told once.
        rows = Counter(day for event in events for day, _number in played.customers(event))
        assert told
        assert all(told[day] <= rows[day] for day in DAYS)
        assert set(told) == set(rows)


def test_a_move_leaves_the_former_address_on_the_day_of_the_new_one(played: Played) -> None:
    for day, notice in played.told("A01"):
        before, after = (played.persons[each][notice["pnr"]] for each in (day - 1, day))
        today = played.truths[day]["as_of"]
        moved_in = after["address"]["moved_in"]
        assert before["address"]["unit_id"] != after["address"]["unit_id"]
        assert days_before(today, 5) <= moved_in <= today or moved_in == before["address"]["moved_in"]
        former = {**before["address"], "moved_out": moved_in}
        assert after["former_addresses"] == [*before["former_addresses"], former]
        contact = played.truths[day]["contacts"][notice["pnr"]]
        assert contact["address_id"] == after["address"]["unit_id"]
        assert contact["history"]["address_id"][-1] == [moved_in, after["address"]["unit_id"]]


def test_the_first_move_is_told_from_the_beginning(played: Played) -> None:
    first = played.told("A01")[0]
    assert first[0] == 1
    number = first[1]["pnr"]
    old, new = (played.persons[day][number]["address"] for day in (0, 1))
    line = played.truths[1]["contacts"][number]["history"]["address_id"]
    assert line == [[None, old["unit_id"]], [new["moved_in"], new["unit_id"]]]
    assert "address_id" not in played.truths[0]["contacts"][number]["history"]


def test_who_was_completed_long_ago_stays_known_after_a_move_or_a_death(played: Played) -> None:
    seen = 0
    for event in ("registered_move", "death"):
        for day, number in played.customers(event):
            if played.sources[day][number][0].endswith("0000"):
                seen += 1
                party = main_party(played.truths[day], number)
                assert main_party(played.truths[day - 1], number) == party
                assert all(
                    key != number for asset, key, _ in played.truths[day]["rejections"] if asset == "resolved/customers"
                )
    assert seen


def test_no_completion_of_somebody_else_is_disturbed(played: Played) -> None:
    """Nobody changes address, name or number in a house where a row that does not name her seeks somebody."""
    state = load(played.store)
    incomplete = [
        row for row in state.customers.values() if row.id_number[6:] == "0000" or row.co_id_number[6:] == "0000"
    ]
    houses = {number: unit["access_id"] for number, unit in played.store.load("register:unit").items()}
    for code in CODES:
        for day, notice in played.told(code):
            unit = played.persons[day - 1][notice["pnr"]]["address"]["unit_id"]
            now = played.store.load("register:person")[notice["pnr"]].get("current_pnr") or notice["pnr"]
            for row in incomplete:
                if houses[unit] in (houses[state.places[row.place].unit], houses.get(row.billing_unit or "")):
                    assert now in (row.party, row.co)


def test_a_name_changes_with_the_marriage(played: Played) -> None:
    for day, notice in played.told("A13"):
        before, after = (played.persons[each][notice["pnr"]] for each in (day - 1, day))
        today = played.truths[day]["as_of"]
        assert after["last_name"] != before["last_name"]
        assert after["last_name"] in after["addressing_name"] or len(after["addressing_name"]) == 34
        assert days_before(today, 10) <= after["name_from"] <= today
        contact = played.truths[day]["contacts"][notice["pnr"]]
        assert (contact["last_name"], contact["civil_status"]) == (after["last_name"], "G")
        assert contact["name"] == (contact["kmd_name"] or after["addressing_name"])
        assert contact["history"]["last_name"][-1] == [after["name_from"], after["last_name"]]
        assert "first_name" not in contact["history"]
        if before["civil_status"] != "G":
            assert "A24" in notice["codes"]
            assert after["civil_status_from"] == after["name_from"]
            line = contact["history"]["civil_status"]
            assert line == [[None, before["civil_status"]], [after["civil_status_from"], "G"]]


def test_the_dead_and_the_emigrated_live_nowhere_and_only_the_dead_have_ended(played: Played) -> None:
    for code, status in (("A21", "90"), ("A06", "80")):
        for day, notice in played.told(code):
            before, after = (played.persons[each][notice["pnr"]] for each in (day - 1, day))
            today = played.truths[day]["as_of"]
            since = after["status_from"]
            assert (after["status"], after["address"]) == (status, None)
            assert days_before(today, 3) <= since <= today
            assert after["former_addresses"][-1] == {**before["address"], "moved_out": since}
            contact = played.truths[day]["contacts"][notice["pnr"]]
            assert (contact["address_id"], contact["ended_on"]) == (None, since if status == "90" else None)
            assert contact["history"]["address_id"][-1] == [since, None]
            assert after.get("emigrated_on") == (since if status == "80" else None)


def test_a_death_is_reported_while_the_relation_goes_on(played: Played) -> None:
    suffixes: set[str] = set()
    for day, number in played.customers("death") + played.customers("co_death"):
        died = {key for _, key, reason in played.truths[day]["rejections"] if reason == "person_died"}
        named = died & {number, f"{number}/co"}
        assert named
        suffixes |= {key.removeprefix(number) for key in named}
    assert suffixes == {"", "/co"}
    day, number = played.customers("death")[-1]
    state = load(played.store)
    row = state.customers[int(number)]
    was = row.moved_out
    for moved_out, reported in (("2026-03-06", True), ("2026-03-05", False)):
        row.moved_out = moved_out
        state.save(played.store, [("customers", row.number)])
        rejections = town.truth(played.store)["rejections"]
        assert (["notifications/notices", number, "person_died"] in rejections) is reported
    row.moved_out = was
    state.save(played.store, [("customers", row.number)])
    assert town.truth(played.store) == played.truths[day if day == DAYS[-1] else -1]


def test_a_changed_number_is_the_same_person_under_the_new_one(played: Played) -> None:
    for day, notice in played.told("P03"):
        old, new = notice["pnr"], notice["new_pnr"]
        before, after = played.persons[day - 1], played.persons[day]
        since = after[old]["status_from"]
        assert (after[old]["status"], after[old]["current_pnr"], after[old]["address"]) == ("60", new, None)
        assert after[new] == {**before[old], "pnr": new, "status_from": since}
        assert new[:6] == old[:6]
        assert days_before(played.truths[day]["as_of"], 3) <= since <= played.truths[day]["as_of"]
        contacts, earlier = played.truths[day]["contacts"], played.truths[day - 1]["contacts"]
        assert old not in contacts
        assert new not in earlier
        line = [[None, old], [since, new]]
        assert contacts[new] == {**earlier[old], "history": {**earlier[old]["history"], "number": line}}
        assert len(contacts) - len(earlier) == len(contacts.keys() - earlier.keys()) - len(
            earlier.keys() - contacts.keys()
        )
        for group in ("roles", "links"):
            assert old not in json.dumps(played.truths[day][group])
        had = [role for role in played.truths[day - 1]["roles"] if role["party"] == old]
        has = [{**role, "party": old} for role in played.truths[day]["roles"] if role["party"] == new]
        assert {(r["customer_number"], r["role_code"], r["valid_from"]) for r in had} == {
            (r["customer_number"], r["role_code"], r["valid_from"]) for r in has
        }


def test_an_old_number_is_reported_until_a_clerk_types_the_new_one(played: Played) -> None:
    seen: Counter[str] = Counter()
    for day in DAYS:
        old = {number for number, person in played.persons[day].items() if person["status"] == "60"}
        expected = set()
        for number, typed in played.sources[day].items():
            for suffix, each in zip(("", "/co"), typed, strict=True):
                if each in old and number in played.truths[day]["accounts"]:
                    expected.add(f"{number}{suffix}")
        keys = {key for _, key, reason in played.truths[day]["rejections"] if reason == "number_changed"}
        assert keys <= expected
        assert all(_has_ended(played.truths[day], key) for key in expected - keys)
        seen.update(keys)
    corrected = played.customers("number_corrected")
    for day, number in corrected:
        assert played.sources[day][number] != played.sources[day - 1][number]
        assert set(played.sources[day][number]) <= {*played.truths[day]["contacts"], "0000000000"}
        assert {number, f"{number}/co"} & seen.keys()
    assert corrected


def _has_ended(truth: Json, key: str) -> bool:
    return truth["accounts"][key.removesuffix("/co")]["ended"]


def test_a_brief_protection_ends_by_itself(played: Played) -> None:
    brief = [
        (day, notice["pnr"])
        for day, notice in played.told("A33")
        if days_before(played.persons[day][notice["pnr"]]["protected_until"], 1) == played.truths[day]["as_of"]
    ]
    assert brief
    for day, number in brief:
        contact = played.truths[day]["contacts"][number]
        until = played.persons[day][number]["protected_until"]
        assert (contact["protected"], contact["shown_address_id"]) == (True, None)
        assert contact["address_id"] is not None
        line = [[None, False], [played.truths[day]["as_of"], True], [until, False]]
        assert contact["history"]["protected"] == line
        if day < DAYS[-1] and number in played.truths[day + 1]["contacts"]:
            contact = played.truths[day + 1]["contacts"][number]
            assert contact["protected"] is False
            assert contact["shown_address_id"] == contact["address_id"]
            assert contact["history"]["protected"] == line


def test_a_long_protection_lasts_a_year_and_bills_do_not_follow_it_home(played: Played) -> None:
    for day, number in played.customers("billed_person_protected"):
        party = main_party(played.truths[day], number)
        person = played.persons[day][party]
        assert days_before(person["protected_until"], 365) == person["protected_from"] == played.truths[day]["as_of"]
        assert played.truths[day - 1]["agreements"][number]["billing_address_id"] == person["address"]["unit_id"]
        assert played.truths[day]["agreements"][number]["billing_address_id"] is None
        reasons = [r for asset, key, r in played.truths[day]["rejections"] if key == number and "billing" in asset]
        assert reasons == ["billing_address_protected"]


def test_bills_follow_a_move_where_their_own_line_leads_nowhere(played: Played) -> None:
    for day, number in played.customers("billed_person_moved"):
        address = played.persons[day][main_party(played.truths[day], number)]["address"]
        assert played.truths[day]["agreements"][number]["billing_address_id"] == address["unit_id"]


def test_the_new_address_of_a_protected_person_must_not_be_shown(played: Played) -> None:
    for day, number in played.customers("protected_person_moved"):
        party = main_party(played.truths[day], number)
        truth = played.truths[day]
        assert truth["contacts"][party]["protected"]
        assert truth["contacts"][party]["address_id"] not in truth["addresses"]
        if "protected" not in truth["contacts"][party]["history"]:
            assert truth["contacts"][party]["address_id"] in truth["withheld_addresses"]
    for truth in played.truths:
        assert not set(truth["withheld_addresses"]) & set(truth["addresses"])


@pytest.mark.parametrize(
    ("event", "field", "first_day"),
    [
        ("company_renamed", "name", "name_from"),
        ("company_code_changed", "business_code", "business_code_from"),
        ("company_form_changed", "company_form", "company_form_from"),
    ],
)
def test_a_company_changes_from_the_register_s_own_day(played: Played, event: str, field: str, first_day: str) -> None:
    for day, number in played.companies_of(event):
        before, after = played.companies[day - 1][number], played.companies[day][number]
        assert {key for key in after if after[key] != before.get(key)} - {first_day} == {field}
        today = played.truths[day]["as_of"]
        assert days_before(today, 10) <= after[first_day] <= today
        contact = played.truths[day]["contacts"][number]
        assert contact[field] == after[field]
        assert contact["history"][field][-1] == [after[first_day], after[field]]


def test_a_company_moves(played: Played) -> None:
    for day, number in played.companies_of("company_moved"):
        after = played.companies[day][number]
        contact, earlier = (played.truths[each]["contacts"][number] for each in (day, day - 1))
        assert contact["history"]["address_id"][-1] == [after["address_from"], contact["address_id"]]
        assert contact["address_id"] not in (None, earlier["address_id"])
        unit = played.store.load("register:unit")[contact["address_id"]]
        assert (unit["floor"], unit["door"]) == (after["address"]["floor"], after["address"]["door"])


def test_a_company_that_ceases_has_ended_and_is_reported(played: Played) -> None:
    for day, number in played.customers("company_ceased"):
        party = main_party(played.truths[day], number)
        assert played.companies[day][party]["ceased"] == played.truths[day]["as_of"]
        assert played.truths[day]["contacts"][party]["ended_on"] == played.truths[day]["as_of"]
        assert ["notifications/notices", number, "company_ceased"] in played.truths[day]["rejections"]
        assert ["notifications/notices", number, "company_ceased"] not in played.truths[day - 1]["rejections"]


def test_a_row_may_have_stood_under_a_replaced_number_from_the_beginning(data_dir: Path) -> None:
    """One contact under the number in force, its data those of the row, until and after a clerk corrects it."""
    store, kmd_ee = Store(embedded_server_url(data_dir, "sandbox_2")), embedded_server_url(data_dir, "kmd_ee_2")
    number = town.build(store, kmd_ee, 200, 4)["examples"]["leading_zero"]
    before = town.truth(store)
    old = main_party(before, number)
    new = f"{old[:6]}9999"
    person = store.load("register:person")[old]
    store.put("register:person", new, {**person, "pnr": new})
    store.put("register:person", old, {**person, "status": "60", "current_pnr": new, "address": None})
    after = town.truth(store)
    assert after["contacts"].pop(new) == before["contacts"].pop(old)
    assert after["contacts"] == before["contacts"]
    assert [number, new] in after["links"]
    assert main_party(after, number) == new
    assert ["notifications/notices", number, "number_changed"] in after["rejections"]
    report = town.play_day(store, kmd_ee, 1)
    assert report["customers"][number] == ["number_corrected"]
    after = town.truth(store)
    assert new in after["contacts"]
    assert old not in after["contacts"]
    assert [role["party"] for role in after["roles"] if role["customer_number"] == number] == [new]
    assert ["notifications/notices", number, "number_changed"] not in after["rejections"]
    store.close()

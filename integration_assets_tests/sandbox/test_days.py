"""Days of the town: what happens, that tables and truth move together, and that days are repeatable."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from psycopg.rows import dict_row

from integration_assets.cache.engine import embedded_server_url
from integration_assets.sandbox import town
from integration_assets.sandbox.days import EVENTS
from integration_assets.sandbox.days_register import PERSON_EVENTS
from integration_assets.sandbox.days_register_companies import COMPANY_EVENTS
from integration_assets.sandbox.kmd_ee_tables import connect
from integration_assets.sandbox.store import Store

Json = dict[str, Any]
TABLES = ("Kunde", "Forbrugssted", "TrefInstallation", "TrefMaaler", "AlternativSted")
WATCHED = ("contacts", "accounts", "agreements", "installations")


def tables(url: str) -> dict[str, dict[int, Json]]:
    """All rows of the billing system by table and first column."""
    with connect(url) as connection:
        cursor = connection.cursor(row_factory=dict_row)
        return {
            name: {next(iter(row.values())): row for row in cursor.execute(f'select * from dbo."{name}"'.encode())}
            for name in TABLES
        }


class Played:
    """A town of 200 rows over three days: source tables, truth and report of each, the base day first."""

    def __init__(self, sandbox_url: str, kmd_ee_url: str) -> None:
        self.store = Store(sandbox_url)
        town.build(self.store, kmd_ee_url, 200, 11)
        self.reports: list[Json] = [{}]
        self.sources = [tables(kmd_ee_url)]
        self.truths = [town.truth(self.store)]
        for day in (1, 2, 3):
            self.reports.append(town.play_day(self.store, kmd_ee_url, day))
            self.sources.append(tables(kmd_ee_url))
            self.truths.append(town.truth(self.store))

    def customers(self, event: str) -> list[tuple[int, str]]:
        """(day, customer number) of every occurrence of an event."""
        return [
            (day, number)
            for day, report in enumerate(self.reports)
            for number, events in report.get("customers", {}).items()
            if event in events
        ]

    def row(self, day: int, number: str) -> Json:
        """The row of Kunde of a customer number."""
        return next(row for row in self.sources[day]["Kunde"].values() if row["Kundenr"] == float(number))


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    data_dir: Path = tmp_path_factory.mktemp("days")
    result = Played(embedded_server_url(data_dir, "sandbox"), embedded_server_url(data_dir, "kmd_ee"))
    yield result
    result.store.close()


def test_every_event_happens_within_three_days(played: Played) -> None:
    happened = Counter(
        event for report in played.reports for events in report.get("customers", {}).values() for event in events
    )
    assert set(EVENTS) - {*PERSON_EVENTS, *COMPANY_EVENTS} <= set(happened)
    assert "came_into_view" in happened


def test_the_business_day_moves(played: Played) -> None:
    assert [truth["as_of"] for truth in played.truths] == ["2026-03-01", "2026-03-02", "2026-03-03", "2026-03-04"]


def test_only_reported_rows_change_in_the_source(played: Played) -> None:
    for day in (1, 2, 3):
        before, after = played.sources[day - 1]["Kunde"], played.sources[day]["Kunde"]
        changed = {str(int(row["Kundenr"])) for key, row in after.items() if before.get(key) != row}
        calendar = {number for at, number in played.customers("came_into_view") if at == day}
        assert changed <= set(played.reports[day]["customers"])
        assert set(played.reports[day]["customers"]) - changed <= calendar | _elsewhere(played, day)
        assert set(before) <= set(after)


def _elsewhere(played: Played, day: int) -> set[str]:
    """Rows that were touched by way of their place, installations or parties only."""
    elsewhere = (
        "typing_repaired",
        "consumption_address_corrected",
        "meter_swapped",
        "meter_removed",
        "installation_added",
        *(PERSON_EVENTS.keys() - {"number_corrected"}),
        *COMPANY_EVENTS,
    )
    return {number for event in elsewhere for at, number in played.customers(event) if at == day}


@pytest.mark.parametrize(
    ("event", "column"),
    [
        ("phone_changed", "Telefonnr"),
        ("mobile_changed", "MobilTlf"),
        ("mobile_removed", "MobilTlf"),
        ("email_changed", "EmailKunde"),
        ("typed_name_changed", "KundeNavn"),
        ("master_id_changed", "KundeSagsnr"),
        ("move_out_announced", "Fraflytningsdato"),
        ("moved_out", "Fraflytningsdato"),
        ("moved_out_retroactively", "Fraflytningsdato"),
        ("move_out_cancelled", "Fraflytningsdato"),
    ],
)
def test_a_column_changes_alone(played: Played, event: str, column: str) -> None:
    occurrences = played.customers(event)
    assert occurrences
    for day, number in occurrences:
        before, after = played.row(day - 1, number), played.row(day, number)
        assert {name for name in after if before[name] != after[name]} == {column}


def test_the_truth_follows_a_changed_phone_number(played: Played) -> None:
    for day, number in played.customers("phone_changed"):
        party = _main_party(played, day, number)
        contact = played.truths[day]["contacts"][party]
        assert contact["phone"] in (
            str(played.row(day, number)["Telefonnr"]),
            played.truths[day - 1]["contacts"][party]["phone"],
        )


def _main_party(played: Played, day: int, number: str) -> str:
    return next(
        role["party"]
        for role in played.truths[day]["roles"]
        if role["customer_number"] == number and role["role_code"] == "915240004" and not role["ended"]
    )


def test_the_primary_email_stays_when_the_email_changes(played: Played) -> None:
    for day, number in played.customers("email_changed"):
        party = _main_party(played, day, number)
        before = played.truths[day - 1]["contacts"][party]["primary_email"]
        assert played.truths[day]["contacts"][party]["primary_email"] in (before, f"ny{number}.{day}@eksempel.example")
        if before is not None:
            assert played.truths[day]["contacts"][party]["primary_email"] == before


def test_a_retroactive_move_out_ends_everything_of_the_agreement(played: Played) -> None:
    for day, number in played.customers("moved_out_retroactively"):
        truth = played.truths[day]
        assert truth["agreements"][number]["ended"]
        assert truth["accounts"][number]["valid_to"] < "2026-01-10"
        assert all(role["ended"] for role in truth["roles"] if role["customer_number"] == number)
        assert number in played.truths[3]["agreements"]


def test_a_company_takes_over_from_today(played: Played) -> None:
    for day, number in played.customers("company_took_over"):
        roles = [role for role in played.truths[3]["roles"] if role["customer_number"] == number]
        today = played.truths[day]["as_of"]
        assert [(len(role["party"]), role["valid_to"]) for role in roles] == [(10, today), (8, None)]
        assert roles[1]["valid_from"] == today
        assert roles[0]["party"] in played.truths[3]["contacts"]
        assert [number, roles[0]["party"]] not in played.truths[3]["links"]


def test_a_co_customer_comes_and_goes(played: Played) -> None:
    for day, number in played.customers("co_added"):
        today = played.truths[day]["as_of"]
        co = [role for role in played.truths[day]["roles"] if _is_co(role, number)]
        assert [(role["valid_from"], role["valid_to"]) for role in co] == [(today, None)]
    for day, number in played.customers("co_removed"):
        today = played.truths[day]["as_of"]
        co = [role for role in played.truths[day]["roles"] if _is_co(role, number) and role["valid_to"] is not None]
        assert [role["valid_to"] for role in co] == [today]
        assert played.row(day, number)["LigestPersonnr"] == 0


def _is_co(role: Json, number: str) -> bool:
    return role["customer_number"] == number and role["role_code"] == "915240006"


def test_a_row_that_becomes_garbage_is_refused_and_keeps_its_last_good_state(played: Played) -> None:
    for day, number in played.customers("garbage_number"):
        assert ["resolved/customers", number, "unreadable_id_number"] in played.truths[day]["rejections"]
        for group in ("accounts", "agreements"):
            assert played.truths[day][group][number] == played.truths[day - 1][group][number]
    for day, number in played.customers("number_repaired"):
        assert all(key != number for _, key, _ in played.truths[day]["rejections"])


def test_a_repaired_address_is_found(played: Played) -> None:
    for day, number in played.customers("typing_repaired"):
        assert played.truths[day - 1]["accounts"][number]["address_id"] is None
        assert played.truths[day]["accounts"][number]["address_id"] is not None


def test_a_swapped_meter_keeps_its_history(played: Played) -> None:
    for day, report in enumerate(played.reports):
        for number, events in report.get("installations", {}).items():
            if "meter_swapped" in events:
                before = played.truths[day - 1]["installations"][number]
                after = played.truths[day]["installations"][number]
                assert after["meters"][-2][:4] == before["meters"][-1][:4]
                assert after["meters"][-2][4] == after["meters"][-1][3] == played.truths[day]["as_of"]
                assert after["title"].startswith(after["meter_number"])


def test_nothing_that_was_true_disappears(played: Played) -> None:
    for day in (1, 2, 3):
        told = played.store.load("register:events")[played.truths[day]["as_of"]]["events"]
        replaced = {event["pnr"] for event in told if event["new_pnr"]}
        for group in WATCHED:
            assert set(played.truths[day - 1][group]) - replaced <= set(played.truths[day][group])


def test_the_days_are_the_same_when_played_again(played: Played, tmp_path: Path) -> None:
    store, kmd_ee = Store(embedded_server_url(tmp_path, "sandbox")), embedded_server_url(tmp_path, "kmd_ee")
    town.build(store, kmd_ee, 200, 11)
    for day in (1, 2, 3):
        assert town.play_day(store, kmd_ee, day) == played.reports[day]
    assert town.truth(store) == played.truths[3]
    assert tables(kmd_ee) == played.sources[3]
    assert all(store.load(name) == played.store.load(name) for name in store.collections())
    store.close()


def test_the_truth_survives_a_new_reader(played: Played) -> None:
    assert town.truth(played.store) == town.truth(played.store) == played.truths[3]


def test_a_day_is_not_played_twice(played: Played) -> None:
    with pytest.raises(ValueError, match="stands at day 3"):
        town.play_day(played.store, "postgresql:///unused", 3)

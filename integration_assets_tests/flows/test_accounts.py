"""Installation accounts from the rows of the cache: made, updated, marked by windows, waiting, never out of date."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from integration_assets.cache.facts import Asked, Facts
from integration_assets.cache.store import Cache
from integration_assets.domain.accounts.decision import Order
from integration_assets.domain.accounts.derived import COLLECTIONS
from integration_assets.domain.facts.calls import NewContract, ProductChange
from integration_assets.domain.facts.replay import rules_of
from integration_assets.domain.tables import KMD_INSTALLATIONS
from integration_assets.flows.accounts import (
    BadMarketLocations,
    follow_contracts,
    read_market_locations,
    update_marked,
)
from integration_assets_tests.domain.facts.sequences import FULL, case
from integration_assets_tests.flows.account_street import IDS, Street, at_five

DAY = date(2025, 7, 1)
IN = date(2024, 1, 1)
MALO, OTHER_MALO = "41373559241", "48662918097"
QUIET = {
    "accounts_created", "contracts_linked", "accounts_reassigned", "accounts_superseded", "contracts_waiting",
    "contracts_revised", "contracts_gone", "accounts_calculated", "accounts_changed", "accounts_left",
    "accounts_failed",
}  # fmt: skip


@pytest.fixture
def street(store: Cache) -> Street:
    return Street(store)


def day(offset: int) -> date:
    return DAY + timedelta(days=offset)


def changed_at(street: Street) -> dict[str, Any]:
    with street.store.engine.connect() as connection:
        rows = connection.execute(sa.text("SELECT account_id, changed_at FROM installation_account"))
        return {row.account_id: row.changed_at for row in rows}


def test_every_customer_and_installation_has_one_account_that_shows_the_day(street: Street) -> None:
    street.customer("100", "Anna", 1, IN)
    street.meter("7", 1, IN, meter="A")
    street.meter("8", 1, IN, day(10), meter="B")
    street.customer("200", "Bent", 2, IN, day(-30))
    street.customer("201", "Carl", 2, day(-30))
    street.meter("9", 2, IN, meter="C")
    counts = street.refresh(DAY).counts
    assert (counts["accounts_created"], counts["accounts_calculated"], counts["accounts_changed"]) == (4, 4, 4)
    shown = [
        (row["party_id"], row["installation"], row["status"], row["customer_number"], row["meter_number"])
        for row in street.accounts()
    ]
    assert shown == [
        ("Anna", "7", "ACTIVE", "100", "A"),
        ("Anna", "8", "ACTIVE", "100", "B"),
        ("Bent", "9", "ENDED", "200", "C"),
        ("Carl", "9", "ACTIVE", "201", "C"),
    ]
    carl = street.account("Carl", "9")
    assert carl["account_id"] == str(IDS.of("installation_account", "Carl|9"))
    assert (carl["address_line"], carl["address_id"], carl["billing_line"]) == ("Vej 2", "address of Vej 2", "Bakken 1")
    assert (carl["contract_start"], carl["contract_end"], carl["utility"]) == (day(-30), None, "Varme")
    assert (carl["product"], carl["tariff_facts"], carl["open_collection"]) == (None, "{}", False)


def test_a_day_without_changes_decides_marks_and_writes_nothing(street: Street) -> None:
    street.customer("100", "Anna", 1, IN)
    street.meter("7", 1, IN)
    street.refresh(DAY)
    before = changed_at(street)
    for later in (DAY, day(1), day(40)):
        counts = street.refresh(later).counts
        assert {name: number for name, number in counts.items() if number} == {}
        assert set(counts) >= QUIET
    assert changed_at(street) == before


def test_a_timer_that_was_missed_for_ten_days_loses_nothing(street: Street) -> None:
    """A meter is changed, and another contract follows, on days on which nothing runs; the source does not change."""
    street.customer("100", "Anna", 1, IN, day(4))
    street.customer("101", "Anna", 1, day(4))
    street.meter("7", 1, IN, day(3), meter="old")
    street.meter("7", 1, day(3), meter="new")
    street.refresh(DAY)
    assert street.account("Anna", "7")["meter_number"] == "old"
    assert street.store.accounts.mark(None, day(2), street.collections) == {}
    marked = street.store.accounts.mark(None, day(10), street.collections)
    assert marked == {"ROW_BEGINS": 1, "ROW_ENDED": 1}
    update_marked(street.store, None, day(10), at_five(day(10)), utility="Varme")
    account = street.account("Anna", "7")
    assert (account["meter_number"], account["customer_number"], account["status"]) == ("new", "101", "ACTIVE")
    assert street.store.accounts.mark(None, day(10), street.collections) == {}
    assert street.store.accounts.mark(None, day(300), street.collections) == {}


def test_a_change_that_was_committed_late_is_noticed_all_the_same(street: Street) -> None:
    """Rows are stamped when their transaction begins: one may become visible after an account was calculated."""
    street.customer("100", "Anna", 1, IN)
    street.meter("7", 1, IN, meter="old")
    street.refresh(DAY)
    with street.store.engine.begin() as connection:
        long_ago = {"stamp": datetime(2020, 1, 1, tzinfo=UTC)}
        connection.execute(
            sa.text("UPDATE kmd_ee_installations SET meter_number = 'new', changed_at = :stamp"), long_ago
        )
    assert street.store.accounts.mark(None, DAY, street.collections) == {"CHANGED": 1}


def test_a_contract_that_is_revised_marks_its_account_and_one_out_of_the_window_stays(street: Street) -> None:
    street.customer("100", "Anna", 1, IN)
    street.meter("7", 1, IN)
    street.refresh(DAY)
    street.customer("100", "Anna", 1, IN, day(5))
    assert street.refresh(day(1)).counts["contracts_revised"] == 1
    assert (street.account("Anna", "7")["status"], street.account("Anna", "7")["contract_end"]) == ("ACTIVE", day(5))
    for rows in street.rows.values():
        rows.pop("100", None)
    counts = street.refresh(day(60)).counts
    assert (counts["contracts_gone"], counts["accounts_changed"]) == (0, 1)
    account = street.account("Anna", "7")
    assert (account["status"], account["address_line"], account["billing_line"]) == ("ENDED", "Vej 1", "Bakken 1")


def test_a_corrected_party_gets_an_account_and_the_former_one_shows_nothing_any_more(street: Street) -> None:
    street.customer("100", "Anna", 1, IN)
    street.meter("7", 1, IN)
    street.refresh(DAY)
    street.customer("100", "Bent", 1, IN)
    assert street.refresh(DAY).counts["accounts_created"] == 1
    assert (street.account("Bent", "7")["status"], street.account("Anna", "7")["status"]) == ("ACTIVE", "PROSPECT")
    street.customer("100", "Bent", 2, IN)
    street.meter("8", 2, IN)
    counts = street.refresh(DAY).counts
    assert (counts["accounts_created"], counts["contracts_gone"]) == (1, 1)
    assert (street.account("Bent", "8")["status"], street.account("Bent", "7")["status"]) == ("ACTIVE", "PROSPECT")


def test_a_renumbered_installation_keeps_the_account_and_a_move_does_not(street: Street) -> None:
    street.customer("100", "Anna", 1, IN)
    street.meter("7", 1, IN)
    street.numbers = {"7": MALO}
    street.refresh(DAY)
    account = street.account("Anna", "7")
    assert account["market_location"] == MALO
    street.remove(KMD_INSTALLATIONS, f"7|M1|{IN}")
    street.meter("70", 1, IN)
    street.numbers = {"70": MALO}
    assert street.refresh(DAY).counts["accounts_reassigned"] == 1
    assert street.account("Anna", "70")["account_id"] == account["account_id"]
    street.customer("100", "Anna", 1, IN, day(1))
    street.customer("101", "Bent", 1, day(1))
    assert street.refresh(day(1)).counts["accounts_created"] == 1
    assert street.account("Bent", "70")["account_id"] != account["account_id"]


@pytest.mark.parametrize(("order", "standing"), [(Order.PURPOSE, 1), (Order.DOCUMENT, 2)])
def test_two_accounts_that_turn_out_to_be_one(street: Street, order: Order, standing: int) -> None:
    """Installation 8 is told to be the market location that the account of installation 7 has: example B5."""
    street.customer("100", "Anna", 1, IN)
    street.meter("7", 1, IN)
    street.meter("8", 1, IN)
    street.numbers = {"7": MALO}
    street.refresh(DAY, order=order)
    first, second = street.account("Anna", "7"), street.account("Anna", "8")
    street.numbers = {"7": MALO, "8": MALO}
    street.refresh(DAY, order=order)
    rows = [row for row in street.accounts() if row["superseded_by"] is None]
    assert len([row for row in rows if row["installation"] == "8"]) == standing
    superseded = [row for row in street.accounts() if row["superseded_by"]]
    expected = [(second["account_id"], first["account_id"])] if order is Order.PURPOSE else []
    assert [(row["account_id"], row["superseded_by"]) for row in superseded] == expected
    counts = street.refresh(day(1), order=order).counts
    assert {name: number for name, number in counts.items() if number} == {}
    assert street.store.accounts.areas_to_update() == []


def test_a_number_of_no_scheme_is_told_with_the_installation_and_not_matched_by(street: Street) -> None:
    street.customer("100", "Anna", 1, IN)
    street.meter("7", 1, IN)
    street.numbers = {"7": "41373559242"}
    found = street.refresh(DAY).rejections
    assert found.select("record_key", "reason", "customer_number").rows() == [("7", "invalid_market_location", "100")]
    assert street.account("Anna", "7")["market_location"] is None
    street.numbers = {"7": MALO}
    assert street.refresh(DAY).rejections.is_empty()
    assert street.account("Anna", "7")["market_location"] == MALO


def waiting(street: Street) -> list[tuple[str, str, list[str]]]:
    return street.store.account_links.waiting().select("customer_number", "installation", "missing").rows()


def test_a_contract_waits_for_its_customer_relation_and_is_linked_when_it_comes(street: Street) -> None:
    street.customer("100", None, 1, IN)
    street.meter("7", 1, IN)
    assert street.refresh(DAY).counts["contracts_waiting"] == 1
    assert (waiting(street), street.accounts()) == ([("100", "7", ["contract_account", "business_partner"])], [])
    street.refresh(day(3))
    assert street.store.account_links.waiting()["since"].to_list() == [DAY]
    street.customer("100", "Anna", 1, IN)
    assert street.refresh(day(4)).counts["accounts_created"] == 1
    assert waiting(street) == []
    street.customer("100", None, 1, IN)
    assert street.refresh(day(5)).counts["contracts_waiting"] == 1
    assert street.account("Anna", "7")["status"] == "ACTIVE"


def test_a_contract_waits_for_an_installation_that_arrives_in_another_supply_area(street: Street) -> None:
    """The installation's rows are rejected; they come back under another postal code, whose run is the only one."""
    street.customer("100", "Anna", 1, IN)
    street.meter("7", 1, IN, meter="old")
    street.refresh(DAY)
    street.remove(KMD_INSTALLATIONS, f"7|old|{IN}")
    found = street.refresh(day(1)).rejections
    assert waiting(street) == [("100", "7", ["installation"])]
    assert found.select("record_key", "reason").rows() == [("7", "no_meter")]
    assert street.account("Anna", "7")["meter_number"] is None
    street.customer("100", "Anna", 1, IN, day(30))
    street.refresh(day(1))
    assert street.account("Anna", "7")["contract_end"] == day(30), "what it shows does not wait"
    street.meter("7", 1, IN, meter="new", area="8000")
    street.refresh(day(2), "8000")
    assert waiting(street) == []
    street.refresh(day(2))
    assert street.account("Anna", "7")["meter_number"] == "new"


def test_meters_that_overlap_leave_the_account_marked_until_they_do_not(street: Street) -> None:
    street.customer("100", "Anna", 1, IN)
    street.meter("7", 1, IN, meter="A")
    street.refresh(DAY)
    street.meter("7", 1, day(-5), meter="B")
    refreshed = street.refresh(day(1))
    assert (refreshed.counts["accounts_left"], refreshed.counts["accounts_calculated"]) == (1, 0)
    (row,) = refreshed.rejections.to_dicts()
    assert (row["record_key"], row["reason"]) == ("7", "overlapping_meters")
    assert row["text"] == "Installation 7 has several meters on 2025-07-02 (A, B); the account was left as it is."
    assert street.account("Anna", "7")["meter_number"] == "A"
    assert street.store.accounts.areas_to_update() == []
    counts = street.refresh(day(2)).counts
    assert (counts["accounts_left"], counts.get("marked_changed", 0)) == (1, 0)
    street.meter("7", 1, IN, day(-5), meter="A")
    assert street.refresh(day(3)).rejections.is_empty()
    assert street.account("Anna", "7")["meter_number"] == "B"


def test_facts_and_product_of_the_day_are_shown_and_change_with_time(street: Street) -> None:
    street.customer("100", "Anna", 1, IN)
    street.meter("7", 1, IN)
    told = case([])
    calls = [
        NewContract("100", "Anna", IN, "VARME_STD", FULL),
        ProductChange("100", day(5), "VARME_STD", {**FULL, "energipris": "E2"}),
    ]
    Facts(street.store.engine).carry_out(
        {"7": [Asked(str(number), call) for number, call in enumerate(calls)]}, rules_of(told)
    )
    street.refresh(DAY)
    before = street.account("Anna", "7")
    assert before["product"] == "VARME_STD"
    assert '"ENERGIPRIS": "E1"' in before["tariff_facts"]
    counts = street.refresh(day(5)).counts
    assert counts["marked_row_begins"] == 1
    assert '"ENERGIPRIS": "E2"' in street.account("Anna", "7")["tariff_facts"]


def test_an_open_collection_shows_on_the_accounts_it_concerns_and_goes_again(street: Street) -> None:
    street.customer("100", "Anna", 1, IN)
    street.customer("200", "Bent", 2, IN)
    for installation, place in (("7", 1), ("8", 1), ("9", 2), ("10", 2)):
        street.meter(installation, place, IN)
    street.refresh(DAY)
    claims = {"customer_number": ["100", "200"], "installation": [None, "9"]}
    street.collections = pl.DataFrame(claims, schema=COLLECTIONS)
    assert street.refresh(DAY).counts["marked_changed"] == 3
    shown = {row["installation"]: row["open_collection"] for row in street.accounts()}
    assert shown == {"7": True, "8": True, "9": True, "10": False}
    street.collections = street.collections.clear()
    assert street.refresh(DAY).counts["accounts_changed"] == 3
    assert not any(row["open_collection"] for row in street.accounts())


def test_workers_at_the_same_time_make_one_account_each_and_lose_no_mark(street: Street) -> None:
    """Four workers refresh the same areas at once, again and again, while contracts change."""
    for number in range(40):
        street.customer(str(1000 + number), f"party {number % 25}", number % 30, IN)
    for number in range(30):
        street.meter(str(number), number, IN)
        street.numbers[str(number)] = MALO if number % 2 else OTHER_MALO
    street.keep()
    for round_ in range(3):
        street.customer("1000", "party 0" if round_ % 2 else "party 24", 0, IN, day(round_ + 5))
        street.keep()
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(street.refresh_kept, [day(round_)] * 4))
    street.refresh_kept(day(2))
    with street.store.engine.connect() as connection:
        doubles = (
            "SELECT party_id, installation FROM installation_account WHERE superseded_by IS NULL "
            "AND installation IS NOT NULL GROUP BY 1, 2 HAVING count(*) > 1"
        )
        assert connection.execute(sa.text(doubles)).all() == []
        contracts = "SELECT count(*) FROM account_contract"
        assert connection.scalar(sa.text(contracts)) == 40
        adrift = (
            "SELECT count(*) FROM account_contract AS c LEFT JOIN installation_account AS a USING (account_id) "
            "WHERE a.account_id IS NULL OR a.superseded_by IS NOT NULL OR a.party_id <> c.party_id"
        )
        assert connection.scalar(sa.text(adrift)) == 0
        assert connection.scalar(sa.text("SELECT count(*) FROM installation_account WHERE mark_reasons <> '{}'")) == 0
        end = connection.scalar(sa.text("SELECT \"end\" FROM account_contract WHERE customer_number = '1000'"))
    assert end == day(7)


def test_a_mark_that_is_set_while_an_update_runs_is_not_lost(street: Street) -> None:
    street.customer("100", "Anna", 1, IN)
    street.meter("7", 1, IN)
    street.refresh(DAY)
    accounts = street.store.accounts
    street.customer("100", "Anna", 1, IN, day(9))
    street.keep()
    follow_contracts(street.store, IDS, ["5000"], DAY, market_locations=read_market_locations(None))
    ids = accounts.marked_ids(None)
    read = accounts.marked(ids)
    street.customer("100", "Anna", 1, IN, day(8))
    street.keep()
    follow_contracts(street.store, IDS, ["5000"], DAY, market_locations=read_market_locations(None))
    assert accounts.marked(ids)["mark_version"][0] == read["mark_version"][0] + 1
    update_marked(street.store, None, DAY, at_five(DAY), utility="Varme")
    assert street.account("Anna", "7")["contract_end"] == day(8)


def test_what_the_database_refuses_of_one_account_does_not_stop_the_others(street: Street) -> None:
    """A customer with the character NUL in a line, which PostgreSQL cannot keep, among many."""
    with street.store.engine.begin() as connection:
        connection.execute(
            sa.text("ALTER TABLE installation_account ADD CONSTRAINT odd CHECK (meter_number <> 'odd')")
        )  # as any rule of a database may be
    try:
        for number in range(9):
            street.customer(str(100 + number), f"party {number}", number, IN)
            street.meter(str(number), number, IN, meter="odd" if number == 4 else "plain")
        refreshed = street.refresh(DAY)
    finally:
        with street.store.engine.begin() as connection:
            connection.execute(sa.text("ALTER TABLE installation_account DROP CONSTRAINT odd"))
    assert (refreshed.counts["accounts_failed"], refreshed.counts["accounts_calculated"]) == (1, 8)
    (failed,) = refreshed.rejections.filter(pl.col("reason") == "account_failed").to_dicts()
    assert (failed["record_key"], failed["supply_area"]) == ("4", "5000")
    assert '"odd"' in failed["text"]
    assert street.refresh(DAY).counts["accounts_calculated"] == 1


def test_fields_of_people_are_never_written(street: Street) -> None:
    street.customer("100", "Anna", 1, IN)
    street.meter("7", 1, IN)
    street.refresh(DAY)
    with street.store.engine.begin() as connection:
        connection.execute(sa.text('UPDATE installation_account SET user_fields = \'{"notes": "calls on Mondays"}\''))
    street.customer("100", "Anna", 1, IN, day(9))
    assert street.refresh(DAY).counts["accounts_changed"] == 1
    with street.store.engine.connect() as connection:
        kept = connection.scalar(sa.text("SELECT user_fields FROM installation_account"))
    assert kept == {"notes": "calls on Mondays"}


def test_a_file_of_market_locations_is_read_or_told_why_not(tmp_path: Any) -> None:
    file = tmp_path / "numbers.csv"
    file.write_text("installation_number,market_location,note\n007,41373559241,x\n8,,\n")
    assert read_market_locations(file).rows() == [("007", MALO)]
    file.write_text("installation_number,market_location\n7,1\n7,2\n")
    with pytest.raises(BadMarketLocations, match="installation 7 twice"):
        read_market_locations(file)
    file.write_text("installation,market_location\n7,1\n")
    with pytest.raises(BadMarketLocations, match="no column installation_number"):
        read_market_locations(file)
    with pytest.raises(BadMarketLocations, match="cannot be read"):
        read_market_locations(tmp_path / "none.csv")

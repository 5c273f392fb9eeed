"""Reading the billing system by supply area: what is in the window, and what became of rows that are not."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from integration_assets.cache.merge import merge_partition
from integration_assets.cache.store import Cache
from integration_assets.domain.gates import GateClosed
from integration_assets.domain.registry.adoption import ADOPTED
from integration_assets.domain.tables import KMD_CUSTOMERS, REGISTRY_ROWS
from integration_assets.flows.source import SourceLimits, SourceRead, read_customers, read_installations
from integration_assets.sandbox import kmd_ee_tables as tables
from integration_assets_tests.flows.village import OPEN, TODAY, Source

LIMITS = SourceLimits(window_days=35, area_digits=4, max_vanished_share=0.2, tolerated_rows=1)
AREAS = ["5000", "5200"]
WINDOW_START = TODAY - timedelta(days=35)
LONG_AGO = WINDOW_START - timedelta(days=1)


def read(source: Source, store: Cache, areas: list[str] = AREAS, **limits: Any) -> SourceRead:
    return read_customers(source.kmd_ee, store, areas, TODAY, SourceLimits(**{**vars(LIMITS), **limits}))


def keep(store: Cache, rows: pl.DataFrame, areas: list[str] = AREAS) -> None:
    """Stores the rows as those of the last run."""
    merge_partition(store.engine, KMD_CUSTOMERS, areas, rows, cipher=store.cipher, as_of_now=datetime.now(UTC))


def ask_for_ends(store: Cache, number: str, ends: date | None) -> None:
    """The registry was asked to hold the relation of this customer number with this end."""
    row = {"object_id": f"relation {number}", "business_key": number, "supply_area": "5000"}
    payload = {"customer_number": number, "valid_from": date(2020, 1, 1), "valid_to": ends}
    schema = {"object_id": pl.String, "business_key": pl.String, "supply_area": pl.String}
    frame = pl.DataFrame([row | payload], schema={**schema, **REGISTRY_ROWS["customer_relations"]})
    store.deliveries.desire("lora", "customer_relations", frame)


def numbers(read: SourceRead) -> list[tuple[str, ...]]:
    return read.rows.select("customer_number", "supply_area").sort("customer_number").rows()


def reasons(read: SourceRead) -> list[tuple[str, ...]]:
    return read.rejections.select("record_key", "reason").rows()


@pytest.fixture
def village(source: Source) -> Source:
    """Two places in 5000, one in 5200; customers 1001 and 1002 in 5000, 1003 in 5200."""
    source.place(1, 1)
    source.place(2, 2)
    source.place(3, 3, Postnr="5200", Postdistrikt="Odense V")
    for number, place in ((1001, 1), (1002, 2), (1003, 3)):
        source.customer(number, 101701234, ForbrugsstedID=place)
    return source


def change(source: Source, number: int, **values: Any) -> None:
    source.put(tables.KUNDE, KundeID=number, **values)


def test_the_window_has_who_lives_there_and_who_left_lately(village: Source, store: Cache) -> None:
    village.customer(1004, 101701234, Tilflytningsdato=TODAY)
    village.customer(1005, 101701234, Tilflytningsdato=TODAY + timedelta(days=1))
    village.customer(1006, 101701234, Fraflytningsdato=WINDOW_START)
    village.customer(1007, 101701234, Fraflytningsdato=LONG_AGO)
    village.customer(1008, 101701234, AfregningsgrpNr=999)
    found = read(village, store)
    assert found.rows.schema == KMD_CUSTOMERS.schema
    assert numbers(found) == [
        ("1001", "5000"), ("1002", "5000"), ("1003", "5200"), ("1004", "5000"), ("1006", "5000"),
    ]  # fmt: skip
    assert found.rejections.is_empty()
    assert numbers(read(village, store, ["5200"])) == [("1003", "5200")]


def test_a_supply_area_may_be_coarser_than_a_postal_code(village: Source, store: Cache) -> None:
    village.place(4, 4, Postnr="4200", Postdistrikt="Slagelse")
    village.customer(1004, 101701234, ForbrugsstedID=4)
    assert numbers(read(village, store, ["5"], area_digits=1)) == [("1001", "5"), ("1002", "5"), ("1003", "5")]


def test_a_place_without_postal_code_has_an_area_too(village: Source, store: Cache) -> None:
    village.place(4, 4, Postnr=None)
    village.customer(1004, 101701234, ForbrugsstedID=4)
    assert numbers(read(village, store, ["unknown"])) == [("1004", "unknown")]


def test_rows_that_cannot_be_read_are_rejected(village: Source, store: Cache) -> None:
    change(village, 1002, Tilflytningsdato=None)
    found = read(village, store)
    assert numbers(found) == [("1001", "5000"), ("1003", "5200")]
    assert reasons(found) == [("1002", "unreadable_dates")]


def test_a_retroactive_move_out_gets_its_end_and_then_is_let_go(village: Source, store: Cache) -> None:
    keep(store, read(village, store).rows)
    ask_for_ends(store, "1002", None)
    change(village, 1002, Fraflytningsdato=LONG_AGO)
    found = read(village, store)
    assert found.rows.filter(customer_number="1002")["moved_out"].to_list() == [LONG_AGO]
    assert found.rejections.is_empty()
    # The run died before the registry was asked to hold the end: the row stays until it was.
    keep(store, found.rows)
    assert read(village, store).rows.filter(customer_number="1002")["moved_out"].to_list() == [LONG_AGO]
    ask_for_ends(store, "1002", LONG_AGO)
    again = read(village, store)
    assert numbers(again) == [("1001", "5000"), ("1003", "5200")]
    assert again.rejections.is_empty()


@pytest.mark.parametrize("follower", ["accounts", "events"])
def test_an_end_is_kept_until_billing_has_seen_it_too(village: Source, store: Cache, follower: str) -> None:
    """The registry was asked to hold the end, and the run died before it came to the accounts or the events."""
    follow = {"accounts": _shown_by_an_account, "events": _followed_by_events}[follower]
    keep(store, read(village, store).rows)
    ask_for_ends(store, "1002", LONG_AGO)
    follow(store, "1002", None)
    change(village, 1002, Fraflytningsdato=LONG_AGO)
    keep(store, read(village, store).rows)
    assert numbers(read(village, store)) == [("1001", "5000"), ("1002", "5000"), ("1003", "5200")]
    follow(store, "1002", LONG_AGO)
    assert numbers(read(village, store)) == [("1001", "5000"), ("1003", "5200")]


def _shown_by_an_account(store: Cache, number: str, ends: date | None) -> None:
    statement = (
        'INSERT INTO account_contract (customer_number, installation, account_id, supply_area, party_id, start, "end") '
        "VALUES (:number, '7', 'a', '5000', 'p', '2020-01-01', :ends) "
        'ON CONFLICT (customer_number, installation) DO UPDATE SET "end" = excluded."end"'
    )
    with store.engine.begin() as connection:
        connection.execute(sa.text(statement), {"number": number, "ends": ends})


def _followed_by_events(store: Cache, number: str, ends: date | None) -> None:
    statement = (
        "INSERT INTO agreement_followed (customer_number, installation, agreement_id, supply_area, wanted, "
        "wanted_life, revision, seen_on) VALUES (:number, '7', 'a', '5000', :wanted, 1, 1, '2026-01-01') "
        "ON CONFLICT (customer_number, installation) DO UPDATE SET wanted = excluded.wanted"
    )
    wanted = f"p|2020-01-01|{ends or ''}|2020-01-01=VARME=1"
    with store.engine.begin() as connection:
        connection.execute(sa.text(statement), {"number": number, "wanted": wanted})


def test_a_move_in_that_is_put_off_goes_on(village: Source, store: Cache) -> None:
    keep(store, read(village, store).rows)
    change(village, 1002, Tilflytningsdato=TODAY + timedelta(days=7))
    found = read(village, store)
    assert found.rows.filter(customer_number="1002")["moved_in"].to_list() == [TODAY + timedelta(days=7)]


def test_a_row_that_moved_to_another_area_is_read_there(village: Source, store: Cache) -> None:
    keep(store, read(village, store).rows)
    village.place(2, 2, Postnr="5200", Postdistrikt="Odense V")
    assert numbers(read(village, store, ["5000"])) == [("1001", "5000")]
    assert numbers(read(village, store, ["5200"])) == [("1002", "5200"), ("1003", "5200")]
    assert numbers(read(village, store)) == [("1001", "5000"), ("1002", "5200"), ("1003", "5200")]


def test_a_row_that_joins_the_excluded_group_is_let_go(village: Source, store: Cache) -> None:
    keep(store, read(village, store).rows)
    change(village, 1002, AfregningsgrpNr=999)
    found = read(village, store)
    assert numbers(found) == [("1001", "5000"), ("1003", "5200")]
    assert found.rejections.is_empty()


def test_a_row_that_is_gone_stays_as_known_and_a_person_is_asked(village: Source, store: Cache) -> None:
    known = read(village, store).rows
    keep(store, known)
    village.take_away(tables.KUNDE, 1002)
    found = read(village, store)
    assert found.rows.sort("customer_number").equals(known.sort("customer_number"))
    assert reasons(found) == [("1002", "vanished_from_source")]
    keep(store, found.rows)
    change_back = {"KundeNavn": "Name 1002", "ForbrugsstedID": 2}
    village.customer(1002, 101701234, **change_back)
    assert read(village, store).rejections.is_empty()


def test_a_place_that_is_gone_takes_no_customer_with_it(village: Source, store: Cache) -> None:
    known = read(village, store).rows
    keep(store, known)
    village.take_away(tables.FORBRUGSSTED, 2)
    found = read(village, store)
    assert found.rows.sort("customer_number").equals(known.sort("customer_number"))
    assert reasons(found) == [("1002", "vanished_from_source")]


def test_many_rows_that_are_gone_close_the_gate(village: Source, store: Cache) -> None:
    keep(store, read(village, store).rows)
    village.take_away(tables.KUNDE, 1001)
    assert reasons(read(village, store)) == [("1001", "vanished_from_source")]  # one is tolerated
    village.take_away(tables.KUNDE, 1002)
    with pytest.raises(GateClosed, match=r"supply area 5000, 5200 .*: 2 of 3 rows"):
        read(village, store)
    assert len(reasons(read(village, store, max_vanished_share=0.7))) == 2


def test_installations_come_with_all_their_meters(village: Source, store: Cache) -> None:
    meter = {"MaalerTypeBetegnel": "qp 1,5", "Målertypefabrikat": "Nordlys"}
    village.put(tables.TREF_INSTALLATION, InstallationID=10, InstalNummer=501, ForbrugsstedID=1, AlternativStedID=0)
    village.put(tables.TREF_INSTALLATION, InstallationID=11, InstalNummer=502, ForbrugsstedID=3, AlternativStedID=7)
    village.put(tables.ALTERNATIV_STED, AlternativStedID=7, ForbrStVejnavn="Vestergade", HusnrAltern=5, Postnr="5200")
    spans = [(10, "A", date(2010, 1, 1), date(2020, 1, 1)), (10, "B", date(2020, 1, 1), OPEN)]
    spans += [(10, "C", TODAY + timedelta(days=1), OPEN), (11, "D", date(2015, 1, 1), OPEN)]
    for key, (installation, number, start, end) in enumerate(spans):
        days = {"DatoFra": start, "DatoTil": end}
        village.put(tables.TREF_MAALER, MaalerID=key, InstallationID=installation, Målernr=number, **days, **meter)
    found = read_installations(village.kmd_ee, AREAS, TODAY, LIMITS)
    columns = ("supply_area", "installation_number", "meter_number", "meter_to", "alternative_place_id", "alt_postcode")
    assert found.rows.select(columns).rows() == [
        ("5000", "501", "A", date(2020, 1, 1), None, None),
        ("5000", "501", "B", None, None, None),
        ("5200", "502", "D", None, 7, "5200"),
    ]
    assert found.rejections.is_empty()
    assert read_installations(village.kmd_ee, ["5200"], TODAY, LIMITS).rows["installation_number"].to_list() == ["502"]
    assert read_customers(village.kmd_ee, store, ["4000"], TODAY, LIMITS).rows.is_empty()


def adopted(store: Cache, number: str, area: str) -> None:
    """The registry had a customer relation of this number before us."""
    row = {
        "registry_id": f"uuid {number}", "entity": "customer_relations", "object_id": f"relation {number}",
        "lora_class": "organisation/interessefaellesskab", "business_key": number, "supply_area": area,
        "superseded": False,
    }  # fmt: skip
    store.adoptions.record(pl.DataFrame([row], schema=ADOPTED), TODAY)


def test_a_customer_relation_of_an_adopted_registry_is_read_whenever_it_ended_until_it_was_asked_to_hold_it(
    village: Source, store: Cache
) -> None:
    village.customer(1007, 101701234, Fraflytningsdato=LONG_AGO)
    village.customer(1008, 101701234, Fraflytningsdato=LONG_AGO, AfregningsgrpNr=999)
    for number, area in (("1001", "5000"), ("1007", "5000"), ("1008", "5000"), ("9999", "5000")):
        adopted(store, number, area)
    assert numbers(read(village, store, ["5200"])) == [("1003", "5200")]
    found = read(village, store)
    assert numbers(found) == [("1001", "5000"), ("1002", "5000"), ("1003", "5200"), ("1007", "5000")]
    assert found.rows.filter(customer_number="1007")["moved_out"].to_list() == [LONG_AGO]
    assert found.rejections.is_empty(), "what KMD EE does not know any more was told when it was adopted"
    keep(store, found.rows)
    assert numbers(read(village, store)) == numbers(found), "a run that died is repeated"
    ask_for_ends(store, "1007", LONG_AGO)
    assert numbers(read(village, store)) == [("1001", "5000"), ("1002", "5000"), ("1003", "5200")]


def test_a_customer_relation_of_an_adopted_registry_that_cannot_be_read_is_rejected_once(
    village: Source, store: Cache
) -> None:
    adopted(store, "1002", "5000")
    change(village, 1002, Tilflytningsdato=None)
    assert reasons(read(village, store)) == [("1002", "unreadable_dates")]

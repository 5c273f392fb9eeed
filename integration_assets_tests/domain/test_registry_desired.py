"""What the registry should hold, computed by hand from small towns."""

from datetime import date, timedelta
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from integration_assets.domain.identity import ObjectIds
from integration_assets.domain.people.history import PARTY_ROWS
from integration_assets.domain.registry import desired
from integration_assets.domain.registry.meters import coverage, meter_line
from integration_assets.domain.tables import (
    KMD_INSTALLATIONS,
    REGISTRY_ROWS,
    RESOLVED_BILLING_ADDRESSES,
    RESOLVED_CONSUMPTION_ADDRESSES,
    RESOLVED_CUSTOMERS,
    RESOLVED_INSTALLATION_ADDRESSES,
)

IDS = ObjectIds("a key for these tests only")
ANNA, BO, BAKER = "uuid-anna", "uuid-bo", "uuid-baker"
NUMBERS = {ANNA: "0101701234", BO: "0202721111", BAKER: "12345678"}


def row(number: str, party: str, *, co: str | None = None, **values: Any) -> dict[str, Any]:
    return {
        "customer_number": number,
        "supply_area": "5000",
        "party_id": party,
        "party_kind": "company" if party == BAKER else "person",
        "number": NUMBERS[party],
        "co_party_id": co,
        "co_number": NUMBERS[co] if co else None,
        "name": f"Typed {number}",
        "master_id": f"M{number}",
        "phone": f"86{number}",
        "mobile": f"20{number}",
        "email": f"{number}@example.dk",
        "consumption_place_id": 7,
        "moved_in": date(2020, 1, 1),
        "moved_out": None,
        **values,
    }


def resolved(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=RESOLVED_CUSTOMERS.schema)


def parties(*ids: str) -> pl.DataFrame:
    rows = [
        {
            "party_id": party,
            "party_kind": "company" if party == BAKER else "person",
            "name": f"Registered {party}",
            "first_name": None if party == BAKER else "First",
            "company_form": "80" if party == BAKER else None,
            "address_id": f"home of {party}",
        }
        for party in ids
    ]
    return pl.DataFrame(rows, schema=PARTY_ROWS)


def meter(installation: str, number: str, start: date | None, end: date | None = None, **values: Any) -> dict[str, Any]:
    return {
        "meter_period": f"{installation}|{number}|{start}",
        "supply_area": "5000",
        "installation_number": installation,
        "consumption_place_id": 7,
        "meter_number": number,
        "meter_type": "qp 1,5",
        "meter_make": "Kamstrup",
        "meter_from": start,
        "meter_to": end,
        **values,
    }


def meters(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=KMD_INSTALLATIONS.schema)


def one(frame: pl.DataFrame, **where: str) -> dict[str, Any]:
    return frame.filter(**where).row(0, named=True)


def test_contact_data_come_from_the_relation_moved_into_last() -> None:
    frame = desired.customers(
        resolved(
            row("900", ANNA, moved_in=date(2010, 5, 1)),
            row("1001", ANNA, moved_in=date(2021, 5, 1), supply_area="5200"),
            row("1002", ANNA, moved_in=date(2021, 5, 1), supply_area="5200"),
        ),
        parties(ANNA),
    )
    assert frame["supply_area"].to_list() == ["5000", "5200"]
    for anna in frame.iter_rows(named=True):
        assert (anna["object_id"], anna["business_key"], anna["user_key"]) == (ANNA, "900", "900")
        assert (anna["phone"], anna["mobile"], anna["email"]) == ("861002", "201002", "1002@example.dk")
        assert (anna["master_id"], anna["kmd_name"], anna["name"]) == ("M1002", "Typed 1002", "Typed 1002")
        assert (anna["number"], anna["address_id"]) == ("0101701234", "home of uuid-anna")


def test_a_co_customer_is_known_by_her_own_data_only() -> None:
    frame = desired.customers(resolved(row("1001", ANNA, co=BO)), parties(ANNA, BO))
    bo = one(frame, object_id=BO)
    assert (bo["party_kind"], bo["number"], bo["name"]) == ("person", "0202721111", "Registered uuid-bo")
    assert [bo[name] for name in ("phone", "mobile", "email", "master_id", "kmd_name")] == [None] * 5
    assert bo["user_key"] == "1001"


def test_a_co_customer_who_is_main_customer_elsewhere_brings_her_data_along() -> None:
    frame = desired.customers(resolved(row("1001", ANNA, co=BO), row("1002", BO)), parties(ANNA, BO))
    assert (one(frame, object_id=BO)["phone"], one(frame, object_id=BO)["user_key"]) == ("861002", "1001")


def test_a_company_has_its_registered_name_and_its_master_id() -> None:
    baker = one(desired.customers(resolved(row("1001", BAKER)), parties(BAKER)))
    assert (baker["name"], baker["kmd_name"], baker["master_id"]) == ("Registered uuid-baker", "Typed 1001", "M1001")
    assert (baker["party_kind"], baker["company_form"]) == ("company", "80")


def test_a_party_without_register_answer_has_no_row() -> None:
    assert desired.customers(resolved(row("1001", ANNA, co=BO)), parties(ANNA))["object_id"].to_list() == [ANNA]


def test_blank_texts_are_no_values() -> None:
    anna = one(desired.customers(resolved(row("1001", ANNA, phone="  ", email="")), parties(ANNA)))
    assert (anna["phone"], anna["email"]) == (None, None)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([ANNA, BO]), st.sampled_from(["5000", "5200", "4130"]), st.integers(0, 3)),
        min_size=1,
        max_size=6,
    ),
    st.randoms(use_true_random=False),
)
def test_a_party_looks_alike_whichever_area_asks(homes: list[tuple[str, str, int]], chance: Any) -> None:
    rows = [
        row(str(95 + n), party, supply_area=area, moved_in=date(2020, 1, 1) + timedelta(days))
        for n, (party, area, days) in enumerate(homes)
    ]
    frame = desired.customers(resolved(*rows), parties(ANNA, BO))
    chance.shuffle(rows)
    assert_frame_equal(desired.customers(resolved(*rows), parties(ANNA, BO)), frame)
    assert frame.drop("supply_area").unique().height == frame["object_id"].n_unique()
    assert set(frame.select("object_id", "supply_area").rows()) == {(party, area) for party, area, _ in homes}


def test_a_relation_is_named_after_its_address() -> None:
    places = pl.DataFrame(
        [{"customer_number": "1001", "address_line": "Åboulevarden 3B 2.th, 5000 Odense C", "address_id": "dar"}],
        schema=RESOLVED_CONSUMPTION_ADDRESSES.schema,
    )
    frame = desired.customer_relations(
        resolved(row("1001", ANNA, moved_out=date(2024, 1, 1)), row("1002", BO)), places, IDS, utility="Varme"
    )
    first = one(frame, customer_number="1001")
    assert first == {
        "object_id": str(IDS.of("customer_relation", "1001")),
        "business_key": "1001",
        "supply_area": "5000",
        "customer_number": "1001",
        "name": "Varme, Åboulevarden 3B 2.th, 5000 Odense C",
        "utility": "Varme",
        "address_id": "dar",
        "valid_from": date(2020, 1, 1),
        "valid_to": date(2024, 1, 1),
        "history": [],
    }
    assert (one(frame, customer_number="1002")["name"], one(frame, customer_number="1002")["address_id"]) == (
        "Varme",
        None,
    )


def test_main_and_co_customers_have_their_own_role_codes() -> None:
    frame = desired.customer_roles(resolved(row("1001", BAKER, co=BO, moved_out=date(2024, 1, 1))), IDS)
    main, co = one(frame, party_id=BAKER), one(frame, party_id=BO)
    assert (main["role_code"], main["role_name"], main["party_kind"]) == ("915240004", "Kunde", "company")
    assert (co["role_code"], co["role_name"], co["party_kind"]) == ("915240006", "Ligestillingskunde", "person")
    assert co["object_id"] == str(IDS.of("customer_role", f"1001|915240006|{BO}"))
    assert main["relation_id"] == str(IDS.of("customer_relation", "1001"))
    assert (main["valid_from"], main["valid_to"]) == (date(2020, 1, 1), date(2024, 1, 1))


NO_ALTERNATIVES = pl.DataFrame(schema=RESOLVED_INSTALLATION_ADDRESSES.schema)
NO_BILLING = pl.DataFrame(schema=RESOLVED_BILLING_ADDRESSES.schema)


def test_an_installation_keeps_the_history_of_its_meters() -> None:
    frame = desired.installations(
        meters(
            meter("47", "M2", date(2020, 6, 1)),
            meter("47", "M1", date(2010, 1, 1), date(2020, 6, 1)),
            meter("48", "M3", date(2015, 1, 1), date(2019, 1, 1)),
        ),
        pl.DataFrame([{"installation_number": "47", "address_id": "dar"}], schema=NO_ALTERNATIVES.schema),
        IDS,
        utility="Varme",
    )
    first, second = one(frame, installation_number="47"), one(frame, installation_number="48")
    assert [(m["meter_number"], m["from"], m["to"]) for m in first["meters"]] == [
        ("M1", date(2010, 1, 1), date(2020, 6, 1)),
        ("M2", date(2020, 6, 1), None),
    ]
    assert (first["valid_from"], first["valid_to"], first["address_id"]) == (date(2010, 1, 1), None, "dar")
    assert (second["valid_from"], second["valid_to"]) == (date(2015, 1, 1), date(2019, 1, 1))
    assert first["object_id"] == str(IDS.of("installation", "47"))


def test_an_agreement_has_all_installations_for_the_days_they_share() -> None:
    kmd = meters(
        meter("10", "M10", date(2010, 1, 1), date(2021, 1, 1)),
        meter("10", "M11", date(2021, 1, 1), date(2022, 1, 1)),
        meter("9", "M9", date(2019, 1, 1), meter_make=None),
        meter("8", "M8", date(2010, 1, 1), date(2020, 1, 1)),
        meter("7", "M7", date(2010, 1, 1), consumption_place_id=8),
    )
    billing = pl.DataFrame([{"customer_number": "1001", "address_id": "bill"}], schema=NO_BILLING.schema)
    rows = resolved(row("1001", ANNA), row("1002", BO, consumption_place_id=99))
    frame = desired.agreements(rows, kmd, billing, IDS, utility="Varme")
    agreement = one(frame, customer_number="1001")
    assert {(i["installation_id"], i["from"], i["to"]) for i in agreement["installations"]} == {
        (str(IDS.of("installation", "10")), date(2020, 1, 1), date(2022, 1, 1)),
        (str(IDS.of("installation", "9")), date(2020, 1, 1), None),
    }
    assert (agreement["name"], agreement["billing_address_id"]) == ("Varme, M9, qp 1,5", "bill")
    assert agreement["relation_id"] == str(IDS.of("customer_relation", "1001"))
    assert agreement["object_id"] == str(IDS.of("agreement", "1001"))
    empty = one(frame, customer_number="1002")
    assert (empty["name"], empty["installations"]) == ("Varme, Fjernvarmeaftale", [])


def test_an_ended_agreement_is_named_after_the_meter_of_its_time() -> None:
    kmd = meters(meter("10", "M10", date(2010, 1, 1), date(2021, 1, 1)), meter("10", "M11", date(2021, 1, 1)))
    rows = resolved(row("1001", ANNA, moved_out=date(2020, 7, 1)), row("1002", BO, moved_in=date(2020, 7, 1)))
    frame = desired.agreements(rows, kmd, NO_BILLING, IDS, utility="Varme")
    assert one(frame, customer_number="1001")["name"] == "Varme, M10, Kamstrup qp 1,5"
    assert one(frame, customer_number="1002")["name"] == "Varme, M11, Kamstrup qp 1,5"


def test_an_agreement_is_called_on_each_day_after_what_it_had_by_then() -> None:
    kmd = meters(
        meter("10", "M10", date(2015, 1, 1), date(2021, 1, 1)),
        meter("10", "M11", date(2021, 1, 1), date(2022, 1, 1)),
        meter("10", "M12", date(2023, 1, 1)),
        meter("9", "M9", date(2022, 6, 1)),
    )
    rows = resolved(
        row("1001", ANNA),
        row("1002", BO, moved_in=date(2010, 1, 1), moved_out=date(2021, 6, 1)),
        row("1003", BO, moved_in=date(2022, 7, 1)),
    )
    frame = desired.agreements(rows, kmd, NO_BILLING, IDS, utility="Varme")

    def names(number: str) -> list[tuple[date | None, str]]:
        return [(piece["from"], piece["value"]) for piece in one(frame, customer_number=number)["history"]]

    assert names("1001") == [
        (None, "Varme, M10, Kamstrup qp 1,5"),
        (date(2021, 1, 1), "Varme, M11, Kamstrup qp 1,5"),
        (date(2022, 6, 1), "Varme, M9, Kamstrup qp 1,5"),
    ]
    assert names("1002") == [
        (None, "Varme, Fjernvarmeaftale"),
        (date(2015, 1, 1), "Varme, M10, Kamstrup qp 1,5"),
        (date(2021, 1, 1), "Varme, M11, Kamstrup qp 1,5"),
    ]
    assert names("1003") == []
    for number, last in (("1001", "M9"), ("1002", "M11"), ("1003", "M9")):
        assert one(frame, customer_number=number)["name"] == f"Varme, {last}, Kamstrup qp 1,5"


def test_empty_frames_keep_their_schema() -> None:
    nobody, none = resolved(), meters()
    frames = {
        "customers": desired.customers(nobody, parties()),
        "customer_relations": desired.customer_relations(
            nobody, pl.DataFrame(schema=RESOLVED_CONSUMPTION_ADDRESSES.schema), IDS, utility="Varme"
        ),
        "customer_roles": desired.customer_roles(nobody, IDS),
        "installations": desired.installations(none, NO_ALTERNATIVES, IDS, utility="Varme"),
        "agreements": desired.agreements(nobody, none, NO_BILLING, IDS, utility="Varme"),
    }
    for entity, frame in frames.items():
        assert frame.is_empty()
        first = dict.fromkeys(("object_id", "business_key", "supply_area"), pl.String)
        assert frame.schema == pl.Schema({**first, **REGISTRY_ROWS[entity]})


def test_touching_rows_of_one_meter_are_one_period() -> None:
    line = meter_line(
        meters(
            meter("47", "M1", date(2010, 1, 1), date(2012, 1, 1)),
            meter("47", "M1", date(2012, 1, 1), date(2014, 1, 1)),
            meter("47", "M2", date(2013, 1, 1), date(2013, 1, 1)),
        )
    )
    assert line.select("meter_number", "from", "to").rows() == [("M1", date(2010, 1, 1), date(2014, 1, 1))]


FIRST = date(2020, 1, 1)
_DAY = st.none() | st.integers(0, 12).map(lambda n: FIRST + timedelta(days=n))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("AB"), _DAY, _DAY), min_size=1, max_size=5))
def test_the_line_of_meters_is_right_on_every_day(rows: list[tuple[str, date | None, date | None]]) -> None:
    """Day by day against a plain search: the meter set up last that covers the day."""
    kmd = meters(*(meter("47", number, start, end) for number, start, end in rows))
    line = meter_line(kmd)
    covered = coverage(line)

    def on(frame: pl.DataFrame, day: date) -> list[tuple[Any, ...]]:
        return [
            values
            for *values, start, end in frame.rows()
            if (start is None or start <= day) and (end is None or day < end)
        ]

    for day in (FIRST + timedelta(days=n) for n in range(-1, 15)):
        standing = [
            (start or date.min, end or date.max, number)
            for number, start, end in rows
            if (start is None or start <= day) and (end is None or day < end)
        ]
        expected = [max(standing)[2]] if standing else []
        assert [values[0] for values in on(line.select("meter_number", "from", "to"), day)] == expected
        assert len(on(covered, day)) == len(expected)

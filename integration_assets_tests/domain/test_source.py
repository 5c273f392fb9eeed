"""Cleaning what the billing system delivers, and explaining what it no longer delivers."""

from datetime import date, datetime
from typing import Any

import polars as pl
import pytest

from integration_assets.domain.source import (
    ALTERNATIVE_COLUMNS,
    INSTALLATION_COLUMNS,
    KUNDE_COLUMNS,
    REJECTIONS,
    Cleaned,
    Explained,
    clean_customers,
    clean_installations,
    explain_vanished,
    supply_area,
)
from integration_assets.domain.tables import KMD_CUSTOMERS, KMD_INSTALLATIONS


def at(*parts: int) -> datetime:
    """A moment as the source keeps it: Danish time without a zone."""
    return datetime(*parts)  # noqa: DTZ001 - the column has none


OPEN = at(9999, 12, 31)
NUMBERS = {"PersonnrSEnr", "LigestPersonnr", "Kundenr", "KundeSagsnr"}
DATES = {"Tilflytningsdato", "Fraflytningsdato", "DatoFra", "DatoTil"}
WINDOW = date(2026, 3, 1)

CUSTOMER = {
    "PersonnrSEnr": 101701234.0,
    "LigestPersonnr": 0.0,
    "Kundenr": 4711.0,
    "KundeSagsnr": 900123.0,
    "KundeNavn": " Dorthea Dahl ",
    "Telefonnr": "86123456",
    "EmailKunde": "",
    "MobilTlf": "20 12 34 56",
    "ForbrugsstedID": 55,
    "VejNavn": "Eksempelgade 12 B,- 2. tv",
    "Postdistrikt": "8000 Aarhus C",
    "Tilflytningsdato": at(2020, 2, 1),
    "Fraflytningsdato": OPEN,
    "Status": "1",
    "FasadministratorID": None,
    "BoligadminID": None,
    "Husnr": "12",
    "ForbrStVejnavn": "Eksempelgade",
    "Vejkode": "866",
    "ForbrStPostdistrikt": "Odense C",
    "Postnr": "5000",
    "Bogstav": "B",
    "Etage": "2",
    "Sidedørnr": "-",
}
METER = {
    "InstalNummer": "77",
    "AlternativStedID": 0,
    "ForbrugsstedID": 55,
    "Postnr": "5240",
    "Målernr": "00123",
    "MaalerTypeBetegnel": "Multical 403",
    "Målertypefabrikat": "Kamstrup",
    "DatoFra": at(2019, 5, 1),
    "DatoTil": OPEN,
    "Alt_ForbrStVejnavn": None,
    "Alt_VejkodeAltern": None,
    "Alt_HusnrAltern": None,
    "Alt_Bogstav": None,
    "Alt_EtageAltAdr": None,
    "Alt_SidedørnrAltern": None,
    "Alt_Postnr": None,
    "Alt_Postdistrikt": None,
}


def _raw(template: dict[str, Any], rows: tuple[dict[str, Any], ...]) -> pl.DataFrame:
    """Typed as the client types them: four floats, ids as integers, dates without zone, the rest text."""

    def dtype(name: str) -> Any:
        if name in NUMBERS:
            return pl.Float64
        if name in {"ForbrugsstedID", "AlternativStedID", "AfregningsgrpNr"}:
            return pl.Int64
        return pl.Datetime("us") if name in DATES else pl.String

    return pl.DataFrame([template | row for row in rows], schema={name: dtype(name) for name in template})


def customers(*rows: dict[str, Any]) -> Cleaned:
    return clean_customers(_raw(CUSTOMER, rows), 4)


def installations(*rows: dict[str, Any]) -> Cleaned:
    return clean_installations(_raw(METER, rows), 4)


def test_every_source_column_is_mapped_or_ignored_with_a_reason() -> None:
    assert len(KUNDE_COLUMNS) == 24
    assert {column.name for column in KUNDE_COLUMNS} == set(CUSTOMER)
    assert {column.name for column in (*INSTALLATION_COLUMNS, *ALTERNATIVE_COLUMNS)} == set(METER)
    assert len(ALTERNATIVE_COLUMNS) == 8
    for column in (*KUNDE_COLUMNS, *INSTALLATION_COLUMNS, *ALTERNATIVE_COLUMNS):
        assert (column.target is None) != (column.ignored is None)
    assert {column.name for column in KUNDE_COLUMNS if column.ignored} == {
        "Status",
        "FasadministratorID",
        "BoligadminID",
    }


def test_every_column_of_our_frames_has_one_source_column() -> None:
    customer_targets = [column.target for column in KUNDE_COLUMNS if column.target]
    assert sorted([*customer_targets, "supply_area"]) == sorted(KMD_CUSTOMERS.schema)
    meter_targets = [column.target for column in (*INSTALLATION_COLUMNS, *ALTERNATIVE_COLUMNS) if column.target]
    assert sorted([*meter_targets, "meter_period"]) == sorted(KMD_INSTALLATIONS.schema)


def test_a_plain_customer() -> None:
    cleaned = customers({})
    assert cleaned.rejections.is_empty()
    assert cleaned.rejections.schema == REJECTIONS
    assert cleaned.rows.schema == KMD_CUSTOMERS.schema
    assert cleaned.rows.row(0, named=True) == {
        "customer_number": "4711",
        "supply_area": "5000",
        "id_number": "0101701234",
        "co_id_number": None,
        "master_id": "900123",
        "name": "Dorthea Dahl",
        "phone": "86123456",
        "mobile": "20123456",
        "email": None,
        "consumption_place_id": 55,
        "billing_street_line": "Eksempelgade 12 B 2. tv",
        "billing_district": "8000 Aarhus C",
        "moved_in": date(2020, 2, 1),
        "moved_out": None,
        "street_name": "Eksempelgade",
        "street_code": "0866",
        "house_number": "12",
        "house_letter": "B",
        "floor": "2",
        "door": None,
        "postcode": "5000",
        "city": "Odense C",
    }


def test_types_that_other_drivers_deliver_clean_alike() -> None:
    plain = customers({"Fraflytningsdato": at(2026, 4, 1, 13, 30)}).rows
    raw = _raw(CUSTOMER, ({"Fraflytningsdato": at(2026, 4, 1, 13, 30)},))
    floats = raw.with_columns(
        pl.col("Telefonnr", "Husnr", "Vejkode", "Postnr", "ForbrugsstedID").cast(pl.Float64),
        pl.col("FasadministratorID").cast(pl.Null),
    )
    texts = raw.with_columns(pl.all().cast(pl.String))
    integers = raw.with_columns(pl.col("Kundenr", "PersonnrSEnr", "Vejkode", "Husnr", "Telefonnr").cast(pl.Int64))
    zoned = raw.with_columns(
        pl.col("Tilflytningsdato", "Fraflytningsdato")
        .dt.replace_time_zone("Europe/Copenhagen")
        .dt.convert_time_zone("UTC")
    )
    for other in (floats, texts, integers, zoned):
        assert clean_customers(other, 4).rows.equals(plain)


@pytest.mark.parametrize(
    ("typed", "phone"),
    [
        ("86 12 34 56", "86123456"),
        ("86.12.34-56", "86123456"),
        ("+45 86123456", "+4586123456"),
        ("004586123456", "004586123456"),
        ("86123456 / 20123456", "86123456 / 20123456"),
        ("0", None),
        (" ", None),
        (None, None),
    ],
)
def test_phone_numbers(typed: str | None, phone: str | None) -> None:
    row = customers({"MobilTlf": typed, "Telefonnr": typed}).rows.row(0, named=True)
    assert (row["mobile"], row["phone"]) == (phone, phone)


def test_garbage_costs_its_column_and_not_the_row() -> None:
    cleaned = customers({"Postnr": "50O0", "Vejkode": "?", "ForbrugsstedID": None, "PersonnrSEnr": 12.5, "Husnr": "0"})
    row = cleaned.rows.row(0, named=True)
    assert cleaned.rejections.is_empty()
    assert (row["supply_area"], row["street_code"], row["consumption_place_id"]) == ("unknown", "?", None)
    assert (row["id_number"], row["house_number"]) == ("12.5", None)


def test_rows_without_key_or_dates_are_rejected_by_name() -> None:
    moved = at(2026, 1, 1)
    cleaned = customers(
        {"Kundenr": None},
        {"Kundenr": 0.0, "ForbrugsstedID": 56},
        {"Kundenr": 1.0, "Tilflytningsdato": None},
        {"Kundenr": 2.0, "Tilflytningsdato": moved, "Fraflytningsdato": moved},
        {"Kundenr": 3.0, "Tilflytningsdato": moved, "Fraflytningsdato": at(2025, 12, 31)},
        {"Kundenr": 4.0, "Tilflytningsdato": moved, "Fraflytningsdato": at(2026, 1, 2)},
        {"Kundenr": 5.0, "Tilflytningsdato": moved, "Fraflytningsdato": None},
    )
    assert cleaned.rows["customer_number"].to_list() == ["4", "5"]
    found = cleaned.rejections.select("record_key", "reason", "customer_number").sort("record_key").rows()
    assert found == [
        ("1", "unreadable_dates", "1"),
        ("2", "annulled_move_in", "2"),
        ("3", "annulled_move_in", "3"),
        ("consumption place 55 from 2020-02-01", "no_customer_number", None),
        ("consumption place 56 from 2020-02-01", "no_customer_number", None),
    ]
    assert cleaned.rejections["text"].null_count() == 0
    assert set(cleaned.rejections["supply_area"]) == {"5000"}
    assert not any("101701234" in text for text in cleaned.rejections["text"])


def test_an_unreadable_move_out_is_not_an_open_end() -> None:
    raw = _raw(CUSTOMER, ({},)).with_columns(pl.lit("31.02.2026").alias("Fraflytningsdato"))
    cleaned = clean_customers(raw, 4)
    assert cleaned.rows.is_empty()
    assert cleaned.rejections["reason"].to_list() == ["unreadable_dates"]


def test_one_customer_number_on_several_rows_keeps_the_latest_move_in() -> None:
    again = {"Tilflytningsdato": at(2024, 1, 1), "ForbrugsstedID": 56}
    for rows in (({}, again, {}), (again, {}, {})):
        cleaned = customers(*rows)
        assert cleaned.rows.select("customer_number", "moved_in").rows() == [("4711", date(2024, 1, 1))]
        assert cleaned.rejections.select("record_key", "reason").rows() == [
            ("4711, consumption place 55 from 2020-02-01", "duplicate_customer_number")
        ]


def test_an_installation_with_an_alternative_place_and_two_meters() -> None:
    place = {
        "AlternativStedID": 9,
        "Alt_ForbrStVejnavn": "Baggade",
        "Alt_VejkodeAltern": "12",
        "Alt_HusnrAltern": "3",
        "Alt_Bogstav": "A",
        "Alt_SidedørnrAltern": "-",
        "Alt_Postnr": "5240",
        "Alt_Postdistrikt": "Odense NØ",
    }
    cleaned = installations({"DatoTil": at(2024, 3, 1)}, place | {"Målernr": "A9", "DatoFra": at(2024, 3, 1)})
    assert cleaned.rejections.is_empty()
    assert cleaned.rows.schema == KMD_INSTALLATIONS.schema
    first, second = cleaned.rows.to_dicts()
    assert first["meter_period"] == "77|00123|2019-05-01"
    assert (first["meter_from"], first["meter_to"]) == (date(2019, 5, 1), date(2024, 3, 1))
    assert (first["supply_area"], first["alternative_place_id"]) == ("5240", None)
    assert (second["meter_period"], second["meter_to"]) == ("77|A9|2024-03-01", None)
    assert (second["alternative_place_id"], second["alt_street_code"], second["alt_door"]) == (9, "0012", None)
    assert (second["meter_type"], second["meter_make"]) == ("Multical 403", "Kamstrup")


def test_meters_that_cannot_be_used() -> None:
    start = METER["DatoFra"]
    cleaned = installations(
        {"InstalNummer": None},
        {"InstalNummer": "1", "DatoFra": None},
        {"InstalNummer": "2", "DatoTil": start},
        {"InstalNummer": "3", "Målernr": None},
        {"InstalNummer": "4"},
        {"InstalNummer": "4", "DatoTil": at(2020, 1, 1)},
    )
    assert cleaned.rows.select("meter_period", "meter_to").rows() == [
        ("3||2019-05-01", None),
        ("4|00123|2019-05-01", None),
    ]
    assert cleaned.rejections.select("record_key", "reason").sort("record_key").rows() == [
        ("1|00123|?", "unreadable_meter"),
        ("2|00123|2019-05-01", "unreadable_meter"),
        ("4|00123|2019-05-01", "duplicate_meter_period"),
        ("?|00123|2019-05-01", "unreadable_meter"),
    ]
    assert cleaned.rejections["customer_number"].null_count() == 4
    assert cleaned.rejections["text"].null_count() == 0


def test_nothing_read_cleans_to_empty_frames_of_the_right_columns() -> None:
    assert customers().rows.schema == KMD_CUSTOMERS.schema
    assert installations().rows.schema == KMD_INSTALLATIONS.schema
    assert installations().rejections.schema == REJECTIONS


@pytest.mark.parametrize(
    ("postcode", "digits", "area"),
    [("5000", 4, "5000"), ("5000", 2, "50"), (" 800", 4, "0800"), ("500", 1, "0"), ("", 4, "unknown"),
     (None, 4, "unknown"), ("DK-5000", 4, "unknown"), ("50000", 4, "unknown"), ("0", 4, "unknown")],
)  # fmt: skip
def test_supply_area(postcode: str | None, digits: int, area: str) -> None:
    frame = pl.DataFrame({"postcode": [postcode]}, schema={"postcode": pl.String})
    assert frame.select(supply_area("postcode", digits)).item() == area


def explained(known: dict[str, Any], today: dict[str, Any] | None) -> Explained:
    reread = {"AfregningsgrpNr": 1, **CUSTOMER}
    rows = () if today is None else (today,)
    return explain_vanished(customers(known).rows, _raw(reread, rows), window_start=WINDOW, digits=4)


def test_a_retroactive_move_out_is_returned_once() -> None:
    ended = {"Fraflytningsdato": at(2026, 1, 31)}
    first = explained({}, ended)
    assert first.rows.select("customer_number", "moved_out").rows() == [("4711", date(2026, 1, 31))]
    assert first.rows.schema == KMD_CUSTOMERS.schema
    assert first.left.is_empty()
    assert first.rejections.is_empty()
    again = explained(ended, ended)
    assert again.rows.is_empty()
    assert again.left.rows() == [("4711", "ended")]


def test_a_move_in_that_is_put_off_is_kept() -> None:
    later = explained({}, {"Tilflytningsdato": at(2026, 12, 1)})
    assert later.rows["moved_in"].to_list() == [date(2026, 12, 1)]
    assert later.left.is_empty()


def test_a_row_that_moved_to_another_area_leaves() -> None:
    moved = explained({}, {"Postnr": "5240"})
    assert moved.rows.is_empty()
    assert moved.left.rows() == [("4711", "moved_area")]


def test_a_row_that_ended_and_moved_gets_its_end_where_it_is_known() -> None:
    today = {"Postnr": "5240", "Fraflytningsdato": at(2026, 1, 31)}
    moved = explained({}, today)
    assert moved.rows.select("supply_area", "moved_out").rows() == [("5000", date(2026, 1, 31))]
    known = moved.rows
    reread = _raw({"AfregningsgrpNr": 1, **CUSTOMER}, (today,))
    assert explain_vanished(known, reread, window_start=WINDOW, digits=4).left.rows() == [("4711", "ended")]


def test_the_excluded_settlement_group_leaves() -> None:
    left = explained({}, {"AfregningsgrpNr": 999})
    assert left.rows.is_empty()
    assert left.left.rows() == [("4711", "excluded_group")]
    assert left.rejections.is_empty()


@pytest.mark.parametrize("today", [None, dict.fromkeys((
    "Husnr", "ForbrStVejnavn", "Vejkode", "ForbrStPostdistrikt", "Postnr", "Bogstav", "Etage", "Sidedørnr"))],
)  # fmt: skip
def test_a_row_the_source_no_longer_has_is_kept_and_asked_about(today: dict[str, Any] | None) -> None:
    gone = explained({}, today)
    assert gone.rows.equals(customers({}).rows)
    assert gone.left.rows() == [("4711", "not_in_source")]
    assert gone.rejections.schema == REJECTIONS
    assert gone.rejections.select("record_key", "reason", "customer_number", "supply_area").rows() == [
        ("4711", "vanished_from_source", "4711", "5000")
    ]


def test_a_row_whose_known_end_has_passed_may_vanish() -> None:
    gone = explained({"Fraflytningsdato": at(2026, 1, 31)}, None)
    assert gone.rows.is_empty()
    assert gone.left.rows() == [("4711", "ended")]
    assert gone.rejections.is_empty()


def test_a_row_that_became_unreadable_stays_as_known() -> None:
    broken = explained({}, {"Tilflytningsdato": None})
    assert broken.rows.equals(customers({}).rows)
    assert broken.left.is_empty()
    assert broken.rejections["reason"].to_list() == ["unreadable_dates"]

"""The questions to KMD EE: on PostgreSQL by psycopg, by a real ODBC driver, and as SQL Server would read them."""

import re
from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mssql, postgresql

from integration_assets.cache.engine import embedded_server_url
from integration_assets.clients import kmd_ee
from integration_assets.clients.http import PermanentError, TransientError
from integration_assets.clients.kmd_ee import KmdEe
from integration_assets_tests.clients import odbc_dialect

DATABASE = "kmd_ee_clients"
TODAY = date(2026, 11, 21)
WINDOW = date(2026, 11, 1)

# The columns by name, as the system's documentation lists them.
CUSTOMER_NAMES = [
    "PersonnrSEnr",
    "LigestPersonnr",
    "Kundenr",
    "KundeSagsnr",
    "KundeNavn",
    "Telefonnr",
    "EmailKunde",
    "MobilTlf",
    "ForbrugsstedID",
    "VejNavn",
    "Postdistrikt",
    "Tilflytningsdato",
    "Fraflytningsdato",
    "Status",
    "FasadministratorID",
    "BoligadminID",
    "Husnr",
    "ForbrStVejnavn",
    "Vejkode",
    "ForbrStPostdistrikt",
    "Postnr",
    "Bogstav",
    "Etage",
    "Sidedørnr",
]
INSTALLATION_NAMES = [
    "InstalNummer",
    "AlternativStedID",
    "Målernr",
    "MaalerTypeBetegnel",
    "Målertypefabrikat",
    "DatoFra",
    "DatoTil",
    "ForbrugsstedID",
]
ALTERNATIVE_NAMES = [
    "HusnrAltern",
    "ForbrStVejnavn",
    "VejkodeAltern",
    "Postdistrikt",
    "Postnr",
    "Bogstav",
    "EtageAltAdr",
    "SidedørnrAltern",
]

TABLES = """
create schema if not exists dbo;
drop table if exists dbo."Kunde", dbo."Forbrugssted", dbo."TrefInstallation", dbo."TrefMaaler", dbo."AlternativSted";
create table dbo."Kunde" ("Kundenr" float8, "PersonnrSEnr" float8, "LigestPersonnr" float8, "KundeSagsnr" float8,
  "KundeNavn" varchar(80), "Telefonnr" int, "EmailKunde" varchar(100), "MobilTlf" varchar(20), "ForbrugsstedID" int,
  "VejNavn" varchar(100), "Postdistrikt" varchar(50), "Tilflytningsdato" timestamp, "Fraflytningsdato" timestamp,
  "Status" int, "FasadministratorID" int, "BoligadminID" int, "AfregningsgrpNr" int, "FaxNr" varchar(20));
create table dbo."Forbrugssted" ("ForbrugsstedID" int, "ForbrStVejnavn" varchar(60), "Vejkode" int, "Husnr" int,
  "Bogstav" varchar(2), "Etage" varchar(4), "Sidedørnr" varchar(6), "Postnr" varchar(4), "Postdistrikt" varchar(50),
  "Ejendomsnr" int);
create table dbo."TrefInstallation" ("InstallationID" int, "InstalNummer" int, "ForbrugsstedID" int,
  "AlternativStedID" int);
create table dbo."TrefMaaler" ("InstallationID" int, "Målernr" varchar(20), "MaalerTypeBetegnel" varchar(40),
  "Målertypefabrikat" varchar(40), "DatoFra" timestamp, "DatoTil" timestamp);
create table dbo."AlternativSted" ("AlternativStedID" int, "ForbrStVejnavn" varchar(60), "VejkodeAltern" int,
  "HusnrAltern" int, "Bogstav" varchar(2), "EtageAltAdr" varchar(4), "SidedørnrAltern" varchar(6),
  "Postnr" varchar(4), "Postdistrikt" varchar(50));
insert into dbo."Forbrugssted" values
  (1, 'Ålborggade', 95, 12, 'B', '2', 'tv', '5000', 'Odense C', 77),
  (2, 'Bygade', 7, 1, null, null, '-', '5240', 'Odense NØ', null),
  (3, 'Ukendt', 8, 2, null, null, '-', null, null, null);
insert into dbo."TrefInstallation" values (10, 4711, 1, 5), (11, 4712, 2, 0);
insert into dbo."AlternativSted" values (5, 'Baggade', 9, 3, 'C', 'st', '-', '5000', 'Odense C');
insert into dbo."TrefMaaler" values
  (10, 'M-1', 'type', 'Kamstrup', '2020-01-01', '2024-06-01'),
  (10, 'M-2', 'type', 'Kamstrup', '2024-06-01', '9999-12-31'),
  (10, 'M-3', 'type', 'Kamstrup', '2026-11-22', '9999-12-31'),
  (11, 'M-4', null, null, '2026-11-21 13:45', '2026-11-22');
"""

OPEN = "9999-12-31"
CUSTOMERS = (
    # number, place, in, out, group
    (100, 1, "2020-01-01", OPEN, 1),
    (101, 1, "2026-11-21 08:00", OPEN, None),  # moved in today, with a time of day
    (102, 1, "2026-11-22", OPEN, 1),  # tomorrow
    (103, 2, "2010-01-01", "2026-11-01", 1),  # moved out on the window's first day
    (104, 2, "2010-01-01", "2026-10-31 23:00", 1),  # before the window
    (105, 2, "2010-01-01", OPEN, 999),
    (106, 3, "2010-01-01", OPEN, 1),  # a place without postal code
    (107, 99, "2010-01-01", OPEN, 1),  # no such place
    (108, 2, None, OPEN, 1),
    (109, 2, "2020-01-01", "2026-11-22", 1),  # moves out tomorrow
)


def fill(connection: psycopg.Connection[Any]) -> None:
    connection.execute(TABLES)  # type: ignore[arg-type]
    for number, place, moved_in, moved_out, group in CUSTOMERS:
        connection.execute(
            """insert into dbo."Kunde" values (%s, 101701234, 0, 12.0, 'Åse Æbelø', 86123456, null, '+45 1', %s,
               'Bygade 1,-', '5000 Odense C', %s, %s, 3, null, 4, %s, 'never read')""",
            (number, place, moved_in, moved_out, group),
        )


@pytest.fixture(scope="module")
def url(server_dir: Path) -> str:
    address = embedded_server_url(server_dir, DATABASE)
    with psycopg.connect(address.replace("+psycopg", "")) as connection:
        fill(connection)
    return address


def odbc_address(url: str) -> str:
    parts = sa.make_url(url)
    return odbc_dialect.odbc_url(Path(str(parts.query["host"])), str(parts.username), str(parts.database))


@pytest.fixture(params=["psycopg", "odbc"])
def source(request: pytest.FixtureRequest, url: str) -> Iterator[KmdEe]:
    if request.param == "odbc" and (reason := odbc_dialect.missing_driver()):
        pytest.skip(reason)
    engine = sa.create_engine(url if request.param == "psycopg" else odbc_address(url), hide_parameters=True)
    yield KmdEe(engine, batch_rows=2)
    engine.dispose()


def numbers(frame: pl.DataFrame) -> list[int]:
    return sorted(int(number) for number in frame["Kundenr"])


def test_customers_of_a_postal_code_within_the_window(source: KmdEe) -> None:
    assert numbers(source.customers(["5000"], TODAY, WINDOW)) == [100, 101]
    assert numbers(source.customers(["5240"], TODAY, WINDOW)) == [103, 108, 109]
    assert numbers(source.customers([None], TODAY, WINDOW)) == [106]
    assert numbers(source.customers(["5000", None, "9999"], TODAY, WINDOW)) == [100, 101, 106]
    assert numbers(source.customers([], TODAY, WINDOW)) == []
    assert numbers(source.customers(["5000"], date(2026, 11, 22), WINDOW)) == [100, 101, 102]


def test_a_customer_row_has_its_columns_types_and_values(source: KmdEe) -> None:
    frame = source.customers(["5000"], TODAY, WINDOW).filter(pl.col("Kundenr") == 100)
    assert sorted(frame.columns) == sorted(CUSTOMER_NAMES)
    assert frame.row(0, named=True) == {
        "PersonnrSEnr": 101701234.0,
        "LigestPersonnr": 0.0,
        "Kundenr": 100.0,
        "KundeSagsnr": 12.0,
        "KundeNavn": "Åse Æbelø",
        "Telefonnr": "86123456",
        "EmailKunde": None,
        "MobilTlf": "+45 1",
        "ForbrugsstedID": 1,
        "VejNavn": "Bygade 1,-",
        "Postdistrikt": "5000 Odense C",
        "Tilflytningsdato": datetime.fromisoformat("2020-01-01"),
        "Fraflytningsdato": datetime.fromisoformat(OPEN),
        "Status": "3",
        "FasadministratorID": None,
        "BoligadminID": "4",
        "Husnr": "12",
        "ForbrStVejnavn": "Ålborggade",
        "Vejkode": "95",
        "ForbrStPostdistrikt": "Odense C",
        "Postnr": "5000",
        "Bogstav": "B",
        "Etage": "2",
        "Sidedørnr": "tv",
    }


def test_an_empty_answer_has_the_same_schema(source: KmdEe) -> None:
    assert source.customers(["0000"], TODAY, WINDOW).schema == kmd_ee.CUSTOMERS
    assert source.customers(["5000"], TODAY, WINDOW).schema == kmd_ee.CUSTOMERS
    assert source.installations(["0000"], TODAY).schema == kmd_ee.INSTALLATIONS
    assert source.customers_by_number([]).schema == kmd_ee.CUSTOMERS_BY_NUMBER


def test_customers_by_number_know_no_filter(source: KmdEe) -> None:
    frame = source.customers_by_number(["104", "105", "107", "424242", "102"])
    assert numbers(frame) == [102, 104, 105, 107]
    assert dict(frame.select("Kundenr", "AfregningsgrpNr").iter_rows()) == {102: 1, 104: 1, 105: 999, 107: 1}
    assert frame.filter(pl.col("Kundenr") == 107)["Postnr"].to_list() == [None]


def test_installations_with_history_and_alternative_place(source: KmdEe) -> None:
    frame = source.installations(["5000", "5240"], TODAY)
    assert sorted(frame.columns) == sorted(
        [*INSTALLATION_NAMES, "Postnr", *(f"Alt_{name}" for name in ALTERNATIVE_NAMES)]
    )
    assert sorted(frame["Målernr"]) == ["M-1", "M-2", "M-4"]
    second = frame.filter(pl.col("Målernr") == "M-2").row(0, named=True)
    assert (second["InstalNummer"], second["AlternativStedID"], second["ForbrugsstedID"]) == ("4711", 5, 1)
    assert (second["DatoFra"], second["DatoTil"]) == (
        datetime.fromisoformat("2024-06-01"),
        datetime.fromisoformat(OPEN),
    )
    assert (second["Postnr"], second["Alt_ForbrStVejnavn"], second["Alt_SidedørnrAltern"]) == ("5000", "Baggade", "-")
    fourth = frame.filter(pl.col("Målernr") == "M-4").row(0, named=True)
    assert (fourth["AlternativStedID"], fourth["Alt_Postnr"], fourth["Målertypefabrikat"]) == (0, None, None)


def test_postcodes_are_those_of_all_places_the_missing_one_included(source: KmdEe) -> None:
    assert sorted(source.postcodes(), key=str) == ["5000", "5240", None]


def prints(source: KmdEe, day: date = TODAY) -> dict[str | None, tuple[int, str]]:
    frame = source.area_fingerprints(day, WINDOW)
    assert frame.schema == kmd_ee.FINGERPRINTS
    return {postcode: (rows, text) for postcode, rows, text in frame.iter_rows()}


def test_fingerprints_count_the_rows_of_both_questions(source: KmdEe) -> None:
    found = prints(source)
    assert {postcode: rows for postcode, (rows, _) in found.items()} == {"5000": 4, "5240": 4, None: 1}
    assert prints(source) == found


def test_fingerprints_change_when_a_day_makes_rows_visible_or_ends_effective(source: KmdEe) -> None:
    today, tomorrow, later = (prints(source, day) for day in (TODAY, date(2026, 11, 22), date(2026, 11, 23)))
    assert today["5000"][0] + 2 == tomorrow["5000"][0]  # customer 102 and meter M-3
    assert today["5240"][0] == tomorrow["5240"][0]
    assert today["5240"][1] != tomorrow["5240"][1]  # customer 109 has moved out, meter M-4 has ended
    assert tomorrow == later
    assert today[None] == tomorrow[None]


CHANGES = [
    *(("Kunde", name, 'where "Kundenr" = 100') for name in CUSTOMER_NAMES[:16] if name != "ForbrugsstedID"),
    *(
        ("Forbrugssted", "Postdistrikt" if name == "ForbrStPostdistrikt" else name, 'where "ForbrugsstedID" = 1')
        for name in CUSTOMER_NAMES[16:]
        if name != "Postnr"
    ),
    ("TrefInstallation", "InstalNummer", 'where "InstallationID" = 10'),
    *(
        ("TrefMaaler", name, "where \"Målernr\" = 'M-2'")
        for name in INSTALLATION_NAMES
        if name not in ("InstalNummer", "AlternativStedID", "ForbrugsstedID", "DatoFra")
    ),
    *(("AlternativSted", name, 'where "AlternativStedID" = 5') for name in ALTERNATIVE_NAMES),
]


def test_a_change_of_any_column_that_is_read_shows_and_of_others_does_not(url: str) -> None:
    source = KmdEe(sa.create_engine(url))
    plain = url.replace("+psycopg", "")
    before = prints(source)
    values: Callable[[str], str] = lambda kind: {  # noqa: E731
        "double precision": "424242.5",
        "integer": "4242",
        "timestamp without time zone": "'2019-05-05'",
    }.get(kind, "'x'")
    with psycopg.connect(plain) as connection:
        kinds = {
            (table, column): kind
            for table, column, kind in connection.execute(
                "select table_name, column_name, data_type from information_schema.columns where table_schema = 'dbo'"
            )
        }
        try:
            for table, column, condition in CHANGES:
                for value in (values(kinds[table, column]), "null"):
                    if (column, value) in {("Fraflytningsdato", "'2019-05-05'")}:
                        continue  # outside the window: another count, tested above
                    statement = f'update dbo."{table}" set "{column}" = {value} {condition}'
                    was = connection.execute(f'select "{column}" from dbo."{table}" {condition}').fetchone()  # type: ignore[arg-type]
                    connection.execute(statement)  # type: ignore[arg-type]
                    connection.commit()
                    changed = prints(source)
                    assert (changed["5000"] != before["5000"]) == (was != (None,) or value != "null"), (table, column)
                    assert changed["5240"] == before["5240"]
                    fill(connection)
                    connection.commit()
            connection.execute(
                'update dbo."Kunde" set "FaxNr" = \'new\'; update dbo."Forbrugssted" set "Ejendomsnr" = 1'
            )
            connection.commit()
            assert prints(source) == before
        finally:
            connection.rollback()
            fill(connection)


DIALECTS = {"mssql": mssql.dialect(), "postgresql": postgresql.dialect()}


def sql(statement: sa.Executable, dialect: str) -> str:
    return str(statement.compile(dialect=DIALECTS[dialect])).replace("[", '"').replace("]", '"')


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_column_is_asked_for_and_takes_part_in_the_fingerprint(dialect: str) -> None:
    fingerprint = sql(kmd_ee.fingerprint_statement(TODAY, WINDOW), dialect)
    customers = sql(kmd_ee.customers_statement(["5000"], TODAY, WINDOW), dialect)
    by_number = sql(kmd_ee.customers_by_number_statement(["1"]), dialect)
    installations = sql(kmd_ee.installations_statement(["5000"], TODAY), dialect)
    assert (len(CUSTOMER_NAMES), len(INSTALLATION_NAMES), len(ALTERNATIVE_NAMES)) == (24, 8, 8)
    for name in CUSTOMER_NAMES:
        assert f' AS "{name}"' in customers
        assert f' AS "{name}"' in by_number
    for name in [*INSTALLATION_NAMES, *(f"Alt_{name}" for name in ALTERNATIVE_NAMES)]:
        assert f' AS "{name}"' in installations
    for table, names in (
        ("Kunde", CUSTOMER_NAMES[:16]),
        ("Forbrugssted", [name.replace("ForbrStPostdistrikt", "Postdistrikt") for name in CUSTOMER_NAMES[16:]]),
        ("TrefInstallation", ["InstalNummer", "AlternativStedID", "ForbrugsstedID"]),
        ("TrefMaaler", INSTALLATION_NAMES[2:7]),
        ("AlternativSted", ALTERNATIVE_NAMES),
    ):
        for name in names:
            assert f'dbo."{table}"."{name}"' in fingerprint.split("GROUP BY")[0]


def test_sql_server_s_fingerprint_is_one_statement_of_its_own_functions() -> None:
    statement = sql(kmd_ee.fingerprint_statement(TODAY, WINDOW), "mssql")
    assert statement.count("UNION ALL") == 1
    assert "COUNT_BIG(*)" in statement
    assert statement.count("HASHBYTES('SHA2_256', CONCAT(CAST(N'' AS nvarchar(max)),") == 2
    assert re.findall(r"CHECKSUM_AGG\(CAST\(SUBSTRING\(source_rows\.hash, (\d), 4\) AS int\)\)", statement) == [
        "1",
        "5",
    ]
    assert "WHEN dbo.\"Kunde\".\"KundeNavn\" IS NULL THEN N'-' ELSE CONCAT(N'+', " in statement
    assert 'CONVERT(nvarchar(max), dbo."Kunde"."Kundenr", 2)' in statement
    assert 'CONVERT(nvarchar(max), dbo."TrefMaaler"."DatoTil", 126)' in statement


def test_values_are_bound_never_written_into_the_statement() -> None:
    for dialect in DIALECTS:
        for statement in (
            kmd_ee.fingerprint_statement(TODAY, WINDOW),
            kmd_ee.customers_statement(["5000"], TODAY, WINDOW),
            kmd_ee.customers_by_number_statement(["123456"]),
            kmd_ee.installations_statement(["5000"], TODAY),
        ):
            text = sql(statement, dialect)
            assert not re.search(r"2026|5000|123456|'5", text), dialect


def test_an_unreachable_database_is_transient_and_a_missing_table_permanent(url: str, tmp_path: Path) -> None:
    away = KmdEe.from_url(f"postgresql+psycopg:///none?host={tmp_path}")
    with pytest.raises(TransientError):
        away.area_fingerprints(TODAY, WINDOW)
    other = KmdEe.from_url(str(sa.make_url(url).set(database="postgres").render_as_string(hide_password=False)))
    with pytest.raises(PermanentError) as caught:
        other.customers_by_number(["1234567890"])
    assert "1234567890" not in str(caught.value)


def test_a_column_of_an_unknown_type_is_named() -> None:
    with pytest.raises(PermanentError, match="Kundenr") as caught:
        kmd_ee._series("Kundenr", ["0101701234x"], pl.Float64())
    assert "0101701234" not in str(caught.value)
    assert kmd_ee._series("Telefonnr", [86123456, 1.0, None, "a"], pl.String()).to_list() == [
        "86123456",
        "1",
        None,
        "a",
    ]

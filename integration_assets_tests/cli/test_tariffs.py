"""`facts tariffs load` and `show` as people start them: refused as a whole, or a new version in force."""

from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from integration_assets.cache.tariff_books import TariffBooks
from integration_assets.cli import app
from integration_assets.domain.facts.tariffs import book_of
from integration_assets.flows.tariffs import built_in, load_tariffs, tables_of, tariffs_in_force

PRICES = "product;parameter;valid_from;value\nFJERN;energi;;0.58|DKK/kWh\nFJERN;energi;2026-01-01;0.61|DKK/kWh\n"
TEMPLATES = "product,operand,kind,ref\nFJERN,ENERGIPRIS,PARAMETER,energi\nFJERN,TARIFTYPE,CONSTANT,T100\n"
PRODUCTS = "product,meter_type\nFJERN,\n"


@pytest.fixture
def folder(tmp_path: Path, cache_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INTEGRATION_CACHE_URL", cache_url)
    monkeypatch.setenv("INTEGRATION_CIPHER_KEY", "a secret of the tests")
    for name, text in (("prices", PRICES), ("templates", TEMPLATES), ("products", PRODUCTS)):
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    return tmp_path


def versions(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        return connection.execute(sa.text("SELECT count(*) FROM tariff_book")).scalar_one()


def command(*arguments: str | Path) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["facts", "tariffs", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


def test_tables_are_loaded_once_and_shown(folder: Path, cache: sa.Engine) -> None:
    assert command("show")[0] == 2
    assert command("load", "--dry-run", folder)[:2] == (
        0,
        "The tables can be used (operands: 8, products: 1, editions: 2, rules: 1). Nothing was written.\n",
    )
    assert versions(cache) == 0
    code, told, _ = command("load", folder)
    assert (code, versions(cache)) == (0, 1)
    assert "is in force (operands: 8, products: 1, editions: 2, rules: 1)" in told
    assert "is in force already" in command("load", folder)[1]
    assert versions(cache) == 1
    _code, shown, _ = command("show")
    assert "product FJERN, parameter energi, valid_from 2026-01-01, value 0.61|DKK/kWh" in shown
    with cache.connect() as connection:
        prices = connection.execute(sa.text("SELECT product, valid_from::text, value FROM tariff_price")).all()
    assert [tuple(row) for row in prices] == [
        ("FJERN", None, "0.58|DKK/kWh"),
        ("FJERN", "2026-01-01", "0.61|DKK/kWh"),
    ]


@pytest.mark.parametrize(
    ("file", "text", "sentence"),
    [
        ("prices", PRICES.replace("0.61", "0,61"), "write 0,61 with a point"),
        ("prices", PRICES.replace("energi;2026", "enrgi;2026"), "no template of the product has such a parameter"),
        ("templates", TEMPLATES.replace("TARIFTYPE", "TARIFF"), "unknown operand TARIFF"),
        ("products", "product,meter\nFJERN,\n", "there is no column meter"),
        ("prices", "product;parameter;value\nFJERN;energi;1;2;3\n", "cannot be read"),
    ],
)
def test_what_cannot_be_used_is_refused_and_nothing_is_written(
    folder: Path, cache: sa.Engine, file: str, text: str, sentence: str
) -> None:
    (folder / f"{file}.csv").write_text(text, encoding="utf-8")
    code, told, why = command("load", folder)
    assert (code, told, versions(cache)) == (2, "", 0), why
    assert sentence in why
    assert why.strip().endswith("Nothing was written.")


def test_files_of_other_names_and_missing_ones_are_refused(folder: Path, cache: sa.Engine) -> None:
    (folder / "tariffs.csv").write_text(PRICES)
    assert "is no table of tariffs" in command("load", folder / "tariffs.csv")[2]
    assert "there is no such file" in command("load", folder / "gone.csv")[2]
    assert versions(cache) == 0


def test_parquet_says_the_same_as_csv(folder: Path) -> None:
    frame = pl.DataFrame(
        {
            "product": ["FJERN"] * 2,
            "parameter": ["energi"] * 2,
            "valid_from": pl.Series([None, "2026-01-01"]).str.to_date(),
            "value": ["0.58|DKK/kWh", "0.61|DKK/kWh"],
        }
    )
    told = tables_of([folder])
    (folder / "prices.csv").unlink()
    frame.write_parquet(folder / "prices.parquet")
    assert tables_of([folder]) == told


def test_one_table_alone_changes_the_book_in_force(folder: Path, cache: sa.Engine) -> None:
    books = TariffBooks(cache)
    load_tariffs(books, [folder], "a clerk")
    (folder / "prices.csv").write_text(PRICES.replace("0.61", "0.63"), encoding="utf-8")
    loaded = load_tariffs(books, [folder / "prices.csv"], "a clerk")
    assert loaded.is_new
    assert [dict(one.values) for one in loaded.book.editions["FJERN"]] == [
        {"energi": (0.58, "DKK/kWh")},
        {"energi": (0.63, "DKK/kWh")},
    ]


def test_without_any_file_the_built_in_book_is_in_force(cache: sa.Engine) -> None:
    books = TariffBooks(cache)
    first = tariffs_in_force(books, None, "a run")
    assert (first.is_new, set(first.book.templates)) == (True, {"VARME"})
    assert tariffs_in_force(books, None, "a run")[:2] == (first.version, False)
    assert book_of(built_in()).operands["ACONTO"].relation == "CONTRACT"

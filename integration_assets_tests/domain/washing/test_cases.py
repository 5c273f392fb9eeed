"""What DAWA's own regression tests expect of washing, on the register that they use."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from integration_assets.domain.addresses.washing import datavask_answer, wash
from integration_assets_tests.domain.washing.register import DATA, access_rows, index, unit_rows

KINDS = {"adresser": "unit", "adgangsadresser": "access"}


def cases() -> list[Any]:
    rows = pl.read_csv(Path(DATA / "cases.csv")).iter_rows()
    return [pytest.param(*row, id=f"{row[0]}: {row[1]}") for row in rows]


@pytest.mark.parametrize(("endpoint", "text", "category", "address"), cases())
def test_published_cases(endpoint: str, text: str, category: str, address: str) -> None:
    [row] = wash(pl.Series([text]), index(), KINDS[endpoint]).iter_rows(named=True)
    answer = datavask_answer(row, KINDS[endpoint])
    assert answer["kategori"] == category
    assert answer["resultater"][0]["adresse"]["id"] == address


def test_every_unit_text_of_the_register_means_its_unit() -> None:
    """The exception is DAWA's rule: of two addresses with one text the existing one is meant."""
    rows = unit_rows()
    washed = rows.with_columns(wash(rows["text"], index()).select("category", "unit_id"))
    assert washed["category"].unique().to_list() == ["A"]
    other = washed.filter(pl.col("id") != pl.col("unit_id"))
    assert other["text"].unique().to_list() == ["Eliasgade 10, 2300 København S"]
    assert other["unit_id"].unique().to_list() == ["f481e7d5-989e-4372-86a2-58e72cf64e44"]


def test_every_access_text_of_the_register_means_its_access_address() -> None:
    """Two houses are left out: the extract gives their units a letter that it does not give the houses themselves."""
    rows = access_rows().filter(~pl.col("text").str.contains("^(Søndergade 27|Vestergade 14), 4130 "))
    washed = rows.with_columns(wash(rows["text"], index(), "access").select("category", "access_id", "outcome"))
    shared = pl.len().over("text") > 1
    clear = washed.filter(~shared)
    assert clear.height > 1_300
    assert clear["category"].unique().to_list() == ["A"]
    assert clear["access_id"].to_list() == clear["id"].to_list()
    assert set(washed.filter(shared)["outcome"]) <= {"ambiguous"}

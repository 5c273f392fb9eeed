"""Previews show shapes, not people."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from integration_assets.domain.tables import ENTITY_TABLES, KMD_CUSTOMERS
from integration_assets.io_managers.preview import OPEN_COLUMNS, PREVIEW_ROWS, preview


def _row(**values: object) -> pl.DataFrame:
    return pl.DataFrame([values], schema=KMD_CUSTOMERS.schema)


def test_names_contact_data_and_numbers_do_not_show() -> None:
    shown = preview(
        KMD_CUSTOMERS,
        _row(
            customer_number="200017",
            supply_area="5000",
            id_number="0101701234",
            co_id_number="0202721234",
            name="Viggo Åkjær",
            phone="65123456",
            email="viggo@example.dk",
            street_name="Vestergade",
        ),
    ).value
    assert isinstance(shown, str)
    for secret in ("0101701234", "0202721234", "iggo", "Åkjær", "5123456", "example", "estergade", "id_number"):
        assert secret not in shown
    for known in ("200017", "5000", "V…", "6…"):
        assert known in shown


@given(number=st.from_regex(r"[0-3]\d{5}[- ]?\d{4}", fullmatch=True), column=st.sampled_from(sorted(OPEN_COLUMNS)))
def test_a_personal_number_in_the_wrong_column_does_not_show(number: str, column: str) -> None:
    for table in ENTITY_TABLES.values():
        if column in table.schema:
            shown = preview(table, pl.DataFrame([{column: f"x {number}"}], schema=table.schema)).value
            assert isinstance(shown, str)
            assert number not in shown


def test_the_table_stays_a_table() -> None:
    rows = pl.concat([_row(customer_number="1|2", supply_area="5")] * (PREVIEW_ROWS + 3))
    shown = preview(KMD_CUSTOMERS, rows).value
    assert isinstance(shown, str)
    lines = shown.split("\n")
    assert len(lines) == 2 + PREVIEW_ROWS
    assert {line.replace("\\|", "").count("|") for line in lines} == {lines[0].count("|")}

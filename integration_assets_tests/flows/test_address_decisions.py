"""What operators decide about texts is checked against the register before it is remembered."""

from datetime import UTC, datetime

import polars as pl
import pytest
import sqlalchemy as sa

from integration_assets.cache.washings import BOOK, DECISIONS, Washings
from integration_assets.flows.address_decisions import Decision, DecisionRefused, decide
from integration_assets_tests.domain.washing.register import index, unit_rows

NOW = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
TEXT = "Ved  Magrethe PLADSEN ,opgang fire"
NORMALIZED = "ved magrethe pladsen, opgang fire"
UNIT_ID = "91b21c97-fb07-4aac-98c5-61bcb4689f78"
UNIT_LINE = "Margrethepladsen 4, 4., 8000 Aarhus C"
ACCESS_ID = unit_rows().filter(pl.col("id") == UNIT_ID)["access_id"][0]
CLOSED = unit_rows().filter(pl.col("valid_to").is_null() & (pl.col("status") == "4"))["id"][0]


@pytest.fixture
def washings(cache: sa.Engine) -> Washings:
    return Washings(cache)


def decided(
    washings: Washings,
    address: str | None,
    kind: str = "unit",
    text: str = TEXT,
    by: str = "ann",
    note: str | None = None,
) -> Decision:
    return decide(washings, index(), kind, text, address, by=by, note=note, now=NOW)


def test_a_decision_counts_for_the_text_in_any_letter_case_and_is_listed(washings: Washings) -> None:
    assert decided(washings, UNIT_ID.upper(), note="seen on site") == Decision(
        NORMALIZED, UNIT_ID, UNIT_LINE, replaces=None, rules_say=None
    )
    assert decided(washings, None, kind="access", by=" bo ") == Decision(NORMALIZED, None, None, None, None)
    found = washings.decisions("unit", pl.Series([NORMALIZED]))
    assert found.schema == DECISIONS
    assert found.rows() == [(NORMALIZED, UNIT_ID, "ann", "seen on site")]
    book = washings.all_decisions()
    assert book.schema == BOOK
    assert book.rows() == [
        ("access", NORMALIZED, None, "bo", None, NOW),
        ("unit", NORMALIZED, UNIT_ID, "ann", "seen on site", NOW),
    ]


def test_who_is_overruled_is_told(washings: Washings) -> None:
    assert decided(washings, UNIT_ID).replaces is None
    assert decided(washings, UNIT_ID, by="bo").replaces is None
    assert decided(washings, None, by="cai").replaces == "bo"
    assert decided(washings, UNIT_ID).replaces == "cai"
    assert washings.all_decisions().height == 1


def test_what_the_rules_find_themselves_is_told(washings: Washings) -> None:
    made = decided(washings, None, text="Margrethepladsen 4, 4. 8000 Aarhus C")
    assert made.rules_say == UNIT_LINE


@pytest.mark.parametrize(
    ("address", "kind", "sentence"),
    [
        ("00000000-0000-4000-8000-000000000000", "unit", "is not a unit address in use in generation 20190401"),
        ("no uuid", "unit", "no uuid is not a unit address in use"),
        (CLOSED, "unit", "is not a unit address in use"),
        (UNIT_ID, "access", f"is not an access address in use .* It is a unit address: {UNIT_LINE}"),
        (ACCESS_ID, "unit", "is not a unit address in use .* It is an access address: Margrethepladsen 4, 8000 Aarhus"),
    ],
)
def test_an_address_that_is_not_in_use_is_refused(washings: Washings, address: str, kind: str, sentence: str) -> None:
    with pytest.raises(DecisionRefused, match=sentence):
        decided(washings, address, kind)
    assert washings.all_decisions().is_empty()


def test_empty_texts_and_names_are_refused(washings: Washings) -> None:
    with pytest.raises(DecisionRefused, match="empty text"):
        decided(washings, UNIT_ID, text=" , ")
    with pytest.raises(DecisionRefused, match="needs the name"):
        decided(washings, UNIT_ID, by="  ")
    assert washings.all_decisions().is_empty()

"""Evidence of washing: what is reused, what a new register changes, what operators decided."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
import sqlalchemy as sa

from integration_assets.cache.washings import DECISIONS, Washings
from integration_assets.domain.addresses.washing.evidence import ANSWERS

NOW = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)


def answers(*rows: tuple[str, str, str | None]) -> pl.DataFrame:
    """Text, category and unit id; the rest as it usually is."""
    usual = {"normalized": None, "outcome": "unit", "method": "exact", "access_id": "house", "evidence": '{"a": 1}'}
    return pl.DataFrame(
        [{"text": text, "category": category, "unit_id": unit, **usual} for text, category, unit in rows],
        schema=ANSWERS,
    )


@pytest.fixture
def washings(cache: sa.Engine) -> Washings:
    return Washings(cache)


def known(washings: Washings, *texts: str, kind: str = "unit", generation: int = 7, rules: str = "1") -> list[str]:
    found = washings.known(kind, pl.Series(texts), generation=generation, rule_version=rules)
    assert found.schema == ANSWERS
    return sorted(found["text"])


def test_an_answer_counts_for_its_kind_generation_and_rules(washings: Washings) -> None:
    odd = 'Nørregade 1, "st"; 5000 Odense C\\'
    washings.record("unit", answers(("Vestergade 4", "A", "u1"), (odd, "C", None)),
                    generation=7, rule_version="1", now=NOW)  # fmt: skip
    assert known(washings, "Vestergade 4", odd, "Østergade 9") == [odd, "Vestergade 4"]
    assert known(washings, "Vestergade 4", kind="access") == []
    assert known(washings, "Vestergade 4", generation=8) == []
    assert known(washings, "Vestergade 4", rules="2") == []


def test_a_new_register_shows_what_it_changed_and_only_that(washings: Washings) -> None:
    first = answers(("Vestergade 4", "A", "u1"), ("Østergade 9", "C", None))
    assert washings.record("unit", first, generation=7, rule_version="1", now=NOW).is_empty()
    later = NOW + timedelta(days=1)
    second = answers(("Vestergade 4", "A", "u1"), ("Østergade 9", "B", "u9"))
    changed = washings.record("unit", second, generation=8, rule_version="1", now=later)
    assert changed.to_dicts() == [
        {
            "kind": "unit", "text": "Østergade 9", "category": "B", "address_id": "u9", "generation": 8,
            "rule_version": "1", "category_before": "C", "address_id_before": "house", "generation_before": 7,
            "rule_version_before": "1",
        }
    ]  # fmt: skip
    assert washings.changed_since(later).equals(changed)
    assert known(washings, "Vestergade 4", "Østergade 9", generation=8) == ["Vestergade 4", "Østergade 9"]


def test_the_last_decision_about_a_text_counts(washings: Washings) -> None:
    washings.decide("unit", "vestergade 4", "u1", by="ann", note=None, now=NOW)
    washings.decide("unit", "vestergade 4", "u2", by="bo", note="seen on site", now=NOW)
    washings.decide("unit", "nowhere 1", None, by="bo", note=None, now=NOW)
    found = washings.decisions("unit", pl.Series(["vestergade 4", "nowhere 1", "other"])).sort("normalized")
    assert found.schema == DECISIONS
    assert found.rows() == [("nowhere 1", None, "bo", None), ("vestergade 4", "u2", "bo", "seen on site")]
    assert washings.decisions("access", pl.Series(["vestergade 4"])).is_empty()

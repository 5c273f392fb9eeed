"""The four catalogues say the same things, and every text that a page asks for is there."""

import re
import string
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_assets.domain.addresses import resolve
from integration_assets.domain.addresses.washing import washed
from integration_assets.domain.people import notices
from integration_assets.domain.tables import KMD_CUSTOMERS, RESOLVED_CUSTOMERS
from integration_assets.flows.resolution import SENTENCES
from integration_assets.web.languages import CODES, chosen, language
from integration_assets.web.rendering import FOLDER

PLACES = string.Formatter()


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in PLACES.parse(text) if name}


@pytest.mark.parametrize("code", CODES)
def test_every_language_has_every_text_with_the_same_places(code: str) -> None:
    english, texts = language("en").texts, language(code).texts
    assert texts.keys() == english.keys()
    assert all(text.strip() for text in texts.values())
    assert {key: places(text) for key, text in texts.items()} == {key: places(text) for key, text in english.items()}


def test_languages_are_not_copies_of_each_other() -> None:
    english = language("en").texts
    for code in ("da", "de", "fr"):
        same = [key for key, text in language(code).texts.items() if text == english[key]]
        assert len(same) < len(english) / 5, same


def test_every_text_that_a_page_names_exists() -> None:
    known = language("en").texts
    sources = [*FOLDER.rglob("*.html"), *FOLDER.rglob("*.py")]
    named = {
        (path.name, key)
        for path in sources
        for key in re.findall(r'\bt\(\s*f?"([a-z_.]+)"', path.read_text(encoding="utf-8"))
        if not key.endswith((".", "_"))
    }
    assert len(named) > 100
    assert sorted(each for each in named if each[1] not in known) == []
    groups = {
        group for path in sources for group in re.findall(r't\("([a-z_]+\.)" ~', path.read_text(encoding="utf-8"))
    }
    assert groups
    assert [group for group in groups if not any(key.startswith(group) for key in known)] == []


def test_every_reason_and_field_has_a_name() -> None:
    known = language("da").texts
    reasons = [*SENTENCES, *(f"co_{reason}" for reason in SENTENCES)]
    reasons += [resolve.CONSUMPTION_NOT_FOUND, resolve.BILLING_NOT_FOUND, resolve.BILLING_PROTECTED,
                resolve.ALTERNATIVE_NOT_FOUND, notices.PERSON_DIED, notices.NUMBER_CHANGED, notices.COMPANY_CEASED,
                "no_customer_number", "unreadable_dates", "duplicate_customer_number", "unreadable_meter",
                "duplicate_meter_period", "vanished_from_source", "crm_refused", "open_case", "crm_too_long",
                "crm_no_option"]  # fmt: skip
    assert [reason for reason in reasons if f"reason.{reason}" not in known] == []
    fields = {*KMD_CUSTOMERS.schema, *RESOLVED_CUSTOMERS.schema}
    assert [name for name in fields if f"field.{name}" not in known] == []
    methods = (washed.EXACT, washed.COMPONENTS, washed.SYNONYM, washed.SPELLING, washed.DISTRICT, washed.NONE,
               washed.LARGE_RECEIVER, washed.HISTORICAL, washed.OTHER_POSTCODE, resolve.DECISION)  # fmt: skip
    assert [name for name in methods if f"method.{name}" not in known] == []


@pytest.mark.parametrize(
    ("asked", "remembered", "accepted", "code"),
    [
        (None, None, "", "da"),
        (None, None, "en-GB,en;q=0.9", "en"),
        (None, None, "pl, fr;q=0.3, de;q=0.7", "de"),
        (None, None, "nb-NO, en;q=0.8", "da"),
        (None, "fr", "en", "fr"),
        ("de", "fr", "en", "de"),
        ("xx", "yy", "es, *;q=0.5", "da"),
        (None, None, "en;q=x, fr;q=0.1", "fr"),
    ],
)
def test_the_language_is_the_one_asked_for_remembered_or_accepted(
    asked: str | None, remembered: str | None, accepted: str, code: str
) -> None:
    assert chosen(asked, remembered, accepted) == code


@given(st.text(max_size=300))
def test_any_header_gives_a_language(header: str) -> None:
    assert chosen(None, None, header) in CODES


def test_values_are_written_as_the_language_does() -> None:
    moment = datetime(2026, 7, 1, 22, 30, tzinfo=UTC)  # after midnight in Denmark
    assert [language(code).moment(moment) for code in CODES] == [
        "02.07.2026 00:30", "02 Jul 2026 00:30", "02.07.2026 00:30", "02/07/2026 00:30",
    ]  # fmt: skip
    assert language("en").day(date(2026, 7, 1)) == "01 Jul 2026"
    assert [language(code).number(1234567) for code in CODES] == [
        "1.234.567",
        "1,234,567",
        "1.234.567",
        "1\u202f234\u202f567",
    ]
    ages = [language("en").age(timedelta(minutes=minutes)) for minutes in (0, 119, 120, 1439, 1440, 2880, 99999)]
    assert ages == ["0 min", "119 min", "2 hours", "23 hours", "1 day", "2 days", "69 days"]


def test_the_folder_has_these_catalogues_only() -> None:
    assert {path.stem for path in Path(FOLDER / "texts").iterdir()} == set(CODES)

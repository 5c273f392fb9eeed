"""Folders as they are configured: what does not fit is refused in a sentence, what will surprise is told."""

import json
from datetime import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pydantic import ValidationError

from integration_assets.domain.supervision.datasets import NOT_OK, STANDARD_CLASSES, DatasetClass, not_ok
from integration_assets.domain.supervision.folders import Folder, is_address
from integration_assets.domain.supervision.mails import FIELDS, fields_of, one_line, written
from integration_assets.domain.supervision.windows import Window
from integration_assets.settings import Settings
from integration_assets_tests.domain.supervision.test_state import NOW, ROW


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def settings(monkeypatch: pytest.MonkeyPatch, folders: list[dict[str, Any]]) -> Settings:
    monkeypatch.setenv("INTEGRATION_SUPERVISION_FOLDERS", json.dumps(folders))
    return Settings()


def test_there_is_a_standard_folder() -> None:
    (folder,) = Settings().supervision_folders
    assert folder.name == "standard"
    assert folder.window.is_always
    assert folder.alert_delay_min >= folder.frequency_min
    assert folder.warnings() == []


def test_folders_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    window = {"weekdays": ["mon", "fri"], "start": "08:20", "hours": 10}
    told = [
        {"name": "varme", "alert_delay_min": 30, "frequency_min": 15, "window": window, "recipients": ["a@b.dk"]},
        {"name": "affald", "alert_delay_min": 0, "areas": ["8000", "8200"], "marker": "notifications/persons"},
    ]
    varme, affald = settings(monkeypatch, told).supervision_folders
    assert varme.window == Window(weekdays=("mon", "fri"), start=time(8, 20), hours=10)
    assert (varme.recipients, affald.areas) == (("a@b.dk",), ("8000", "8200"))


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"alert_delay_min": 10, "frequency_min": 15}, "delay of 10 minutes is shorter than the 15"),
        ({"alert_delay_min": -1}, "alert_delay_min is -1"),
        ({"period_min": 0}, "period_min is 0"),
        ({"name": "varme nord"}, "letters, digits and underscores"),
        ({"recipients": ["a@b.dk\r\nBcc: c@d.dk"]}, "no plain mail address"),
        ({"recipients": ["Drift <a@b.dk>"]}, "no plain mail address"),
        ({"mail_subject": "${etatsynchro} ${password}"}, "fields that there are not \\(password\\)"),
        ({"mail_body": "100 $"}, "a \\$ that starts no field"),
        ({"delay": 30}, "delay"),
        ({"window": {"from": "08:20"}}, "from"),
        ({"window": {"weekdays": []}}, "A window needs a weekday"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused(monkeypatch: pytest.MonkeyPatch, wrong: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        settings(monkeypatch, [wrong])


def test_a_folder_shows_what_is_not_the_standard() -> None:
    assert repr(Folder()) == "Folder(name='standard')"
    shown = repr(Folder(name="varme", areas=("8000",), window=Window(hours=10)))
    assert shown.startswith("Folder(name='varme', window=Window(")
    assert shown.endswith("hours=10), areas=('8000',))")


def test_folders_have_names_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValidationError, match="stand more than once: varme"):
        settings(monkeypatch, [{"name": "varme"}, {"name": "varme"}])
    with pytest.raises(ValidationError, match="must be a folder"):
        settings(monkeypatch, [])


@pytest.mark.parametrize(
    ("start", "warns"), [(time(8, 20), False), (time(8, 15), False), (time(8, 14), True), (time(7), True)]
)
def test_a_window_that_opens_before_the_first_synchronisation_is_warned_of(start: time, *, warns: bool) -> None:
    folder = Folder(
        name="varme",
        alert_delay_min=30,
        frequency_min=15,
        first_sync=time(8),
        window=Window(start=start, hours=10),
    )
    assert bool(folder.warnings()) == warns
    if warns:
        assert "start it at 08:15 or later" in folder.warnings()[0]


def test_the_warning_is_given_when_the_configuration_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    early = {"first_sync": "08:00", "frequency_min": 15, "window": {"start": "07:00", "hours": 10}}
    with pytest.warns(UserWarning, match="Its first run would alarm about the night"):
        settings(monkeypatch, [early])


def test_addresses_are_checked_wherever_they_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTEGRATION_MAIL_RECIPIENTS", '["drift@varme.dk"]')
    monkeypatch.setenv("INTEGRATION_MAIL_SENDER", "x@y.dk>")
    with pytest.raises(ValidationError, match="no plain mail address"):
        Settings()
    assert not is_address("a@b.dk\n")
    assert not is_address("æ@b.dk")


def test_every_field_of_a_template_has_a_value() -> None:
    fields = fields_of(ROW, text="Noget.", severity="error", since=NOW)
    assert set(fields) == FIELDS
    assert written(Folder().mail_subject, fields) == "[varme] Normal: Noget."
    assert "Last synchronisation: 2025-11-03 12:55" in written(Folder().mail_body, fields)


def test_a_subject_is_one_line() -> None:
    assert one_line("a\r\nBcc: b\tc\x00\u2028d") == "a Bcc: b c d"
    assert len(one_line("x" * 500)) == 200


def test_datasets_are_counted_once_and_by_class() -> None:
    found = pl.DataFrame(
        [
            ("delivery", "lora/installations", 5, 2),
            ("delivery", "crm/installations", 3, 1),
            ("rejection", "crm/installations", 3, 1),  # the worklist of those above
            ("rejection", "kmd_ee/installations", 7, 0),
            ("rejection", "notifications/notices", 11, 4),
            ("delivery", "crm/agreements", 13, 6),
            ("delivery", "crm/agreement_contacts", 17, 8),
            ("rejection", "claims/recalls", 19, 10),
            ("delivery", "crm/contacts", 100, 100),
        ],
        schema=NOT_OK,
        orient="row",
    )
    assert not_ok(STANDARD_CLASSES, found, ["installation"], "total") == 5 + 3 + 7
    assert not_ok(STANDARD_CLASSES, found, ["installation"], "today") == 2 + 1
    assert not_ok(STANDARD_CLASSES, found, ["notification"], "today") == 4
    assert not_ok(STANDARD_CLASSES, found, ["claim", "aftale"], "today") == 6 + 8 + 10
    own = {**STANDARD_CLASSES, "notification": DatasetClass(deliveries=("crm/contacts",))}
    assert not_ok(own, found, ["notification"], "today") == 100

"""The worked examples of supervision: states, a sequence of mails, delays that do not fit their frequency."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from integration_assets.domain.supervision.folders import Folder
from integration_assets.domain.supervision.state import NORMAL, LastMail, mail_is_due, sync_state
from integration_assets.domain.supervision.windows import COPENHAGEN

VECTORS: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "vectors.json").read_text(encoding="utf-8"))
NOW = datetime(2025, 11, 3, 12, 0, tzinfo=COPENHAGEN)
AGE_OF_FOLDER = {"S5": timedelta(hours=2), "S6": timedelta(minutes=10)}
"""The two folders that were never synchronised, by the names of their examples."""


@pytest.mark.parametrize("case", VECTORS["state"], ids=lambda case: case["name"])
def test_state(case: dict[str, Any]) -> None:
    minutes = case["minutes_since_sync"]
    last = None if minutes is None else NOW - timedelta(minutes=minutes)
    created = NOW - AGE_OF_FOLDER.get(case["name"][:2], timedelta(days=300))
    assert sync_state(last, created, NOW, case["delay"]) == case["expect"]


def test_mails_of_the_sequence() -> None:
    last: LastMail | None = None
    for step in VECTORS["mail_sequence_delay30_interval60"]:
        now = datetime.fromisoformat(step["t"]).replace(tzinfo=COPENHAGEN)
        state = sync_state(now - timedelta(minutes=step["minutes_since_sync"]), now, now, 30)
        assert state == step["state"], step
        if state == NORMAL:
            last = None  # whatever comes next is another anomaly
        mails = state != NORMAL and mail_is_due(last, now, interval_min=60, period_min=20)
        assert mails == step["mail"], step
        if mails:
            last = LastMail(now, now + timedelta(seconds=3))


@pytest.mark.parametrize("case", VECTORS["consistency"], ids=lambda case: f"{case['delay']} at {case['frequency']}")
def test_consistency(case: dict[str, Any]) -> None:
    if case["ok"]:
        Folder(alert_delay_min=case["delay"], frequency_min=case["frequency"])
    else:
        with pytest.raises(ValueError, match="shorter than the 15 minutes between two synchronisations"):
            Folder(alert_delay_min=case["delay"], frequency_min=case["frequency"])

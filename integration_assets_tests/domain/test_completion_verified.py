"""The look-up that a completed number must stand: only what the register's own answer bears out is kept."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from integration_assets.domain.people.completion import CompletionKind, CompletionOutcome, verified
from integration_assets.domain.people.parties import Person

BORN = date(1981, 3, 13)
BIRTH6 = "130381"
UNIQUE, AMBIGUOUS = CompletionKind.UNIQUE, CompletionKind.AMBIGUOUS
DORTHEA = Person("1303814074", "01", "Dorthea Jensine", "Holm", "Dahl", "Dorthea J H Dahl", "K", "G", False, None, BORN)
HIT = CompletionOutcome(UNIQUE, "1303814074", certain=True, alone=True)


@pytest.mark.parametrize(
    ("name", "changes", "alone", "kind"),
    [
        ("Dorthea Dahl", {}, False, UNIQUE),
        (None, {}, False, UNIQUE),
        (None, {"first_name": None, "last_name": None, "addressing_name": None}, False, UNIQUE),
        ("Dorthea J H Dahl", {}, False, UNIQUE),
        ("D J H Dahl", {"addressing_name": "D J H Dahl"}, False, UNIQUE),  # as the register itself writes her
        ("D. Dahl", {}, True, UNIQUE),
        ("D. Dahl", {}, False, AMBIGUOUS),
        ("Dorthea Bech Dahl", {}, True, CompletionKind.NONE),
        ("Dorthea Dahl", {"first_name": None, "last_name": None, "addressing_name": None}, True, CompletionKind.NONE),
        ("Dorthea Dahl", {"status": "90"}, True, CompletionKind.INACTIVE_ONLY),
        ("Dorthea Dahl", {"status": "1"}, True, UNIQUE),
        ("Dorthea Dahl", {"number": "1303814082"}, True, CompletionKind.ERROR),
        ("Dorthea Dahl", {"birth_date": date(1981, 3, 14)}, True, CompletionKind.ERROR),
        ("Dorthea Dahl", {"birth_date": None}, True, UNIQUE),
    ],
)
def test_the_look_up_must_bear_a_hit_out(
    name: str | None, changes: dict[str, Any], alone: bool, kind: CompletionKind
) -> None:
    outcome = verified(replace(HIT, alone=alone), replace(DORTHEA, **changes), BIRTH6, name)
    assert outcome.kind is kind
    assert (outcome.number == HIT.number) == (kind is UNIQUE)


def test_a_hit_whom_the_look_up_does_not_know_is_an_error() -> None:
    assert verified(HIT, None, BIRTH6, None).kind is CompletionKind.ERROR

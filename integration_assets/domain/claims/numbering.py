"""Ids of what is sent to the debt authority: computed from what they name, so that the same recall has the same id.

Action ids are the business key: the authority knows by them that it has seen a recall before, also where our own
database was lost and the recall is proposed anew.
"""

import hashlib
import json
from collections.abc import Iterable
from datetime import date
from typing import Final, NamedTuple

_SMALLEST: Final = 10**17
_DIGITS: Final = 9 * 10**17

LONGEST_TRANSACTION_ID: Final = 100
"""Characters: the public header of the authority takes no more, though error 993 speaks of 255."""


class ActionContent(NamedTuple):
    """What an action asks for."""

    action_id: int
    claim_id: int
    reason: str
    reason_text: str | None
    effective_from: date


def action_id_of(claim_id: int, reason: str, ordinal: int) -> int:
    """The id (MFAktionID, 18 digits) of the recall of a claim for a reason; `ordinal` counts its earlier recalls."""
    return _number("recall", claim_id, reason, ordinal)


def delivery_id_of(action_ids: Iterable[int]) -> int:
    """The id (MFLeveranceID, 18 digits) of the delivery that takes these actions; an action is taken by one only."""
    return _number("delivery", *sorted(action_ids))


def payload_hash(delivery_id: int, creditor_system: str, actions: Iterable[ActionContent]) -> str:
    """SHA-256 (hex) of what a delivery asks for, whatever transaction carries it."""
    rows = [[*action[:4], action.effective_from.isoformat()] for action in sorted(actions)]
    told = json.dumps([delivery_id, creditor_system, rows], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(told.encode()).hexdigest()


def _number(*parts: object) -> int:
    digest = hashlib.sha256("|".join(map(str, parts)).encode()).digest()
    return _SMALLEST + int.from_bytes(digest[:16], "big") % _DIGITS

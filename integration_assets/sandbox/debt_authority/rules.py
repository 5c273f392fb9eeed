"""What the debt authority makes of a recall: allowed or not, for which claims, from which day, of which amount.

Belongs here: the reason codes and their rules, from the service description of DMIFordringAsynkronTilbagekald and the
authority's public guidance. Pure: claims in, decision out.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from integration_assets.sandbox.debt_authority.ledger import Claim, Recall

WRONG: Final = "FEJL"
SET_OFF: Final = "SMTI"
RETURNED_INTEREST: Final = "HAFT"

REASONS: Final = {WRONG: WRONG, "BORD": "BORD", "HENS": "HENS", "KLAG": "KLAG", "HAFT": "HAFT", SET_OFF: "TMIP"}
"""Reasons that creditors may give, each with the authority's word for it."""

FINAL: Final = frozenset({WRONG, SET_OFF})
"""After these nothing can be recalled any more; after the others a claim may still be recalled as wrong."""

UNKNOWN_CLAIM: Final = 8
INVALID_REASON: Final = 10
NOT_YOURS: Final = 421
LAPSE_NOT_HERE: Final = 538
ALREADY_WRONG: Final = 602
ONLY_AS_WRONG: Final = 603

TEXTS: Final = {
    UNKNOWN_CLAIM: "Fordring findes ikke",
    INVALID_REASON: "Ugyldig årsagskode",
    NOT_YOURS: "Fordringshaver må ikke tilbagekalde fordringen",
    LAPSE_NOT_HERE: "Årsagskoden BORT kan ikke anvendes i DMI",
    ALREADY_WRONG: "Fordringen er allerede tilbagekaldt",
    ONLY_AS_WRONG: "Fordringen er tilbagekaldt og kan kun tilbagekaldes med årsag FEJL",
}

# 5.75 % a year, simple. Plausible only: the real authority changes it twice a year.
_YEARLY_RATE: Final = Decimal("0.0575")
_DAYS_OF_YEAR: Final = 365
_DECEMBER: Final = 12
_CENT: Final = Decimal("0.01")


@dataclass(frozen=True)
class Asked:
    """What an action asks for."""

    action: int
    claim: int
    creditor: int
    reason: str


@dataclass(frozen=True)
class Rejected:
    """Why an action is rejected (afvist): number, text, parameters by their names in the service description."""

    number: int
    text: str
    parameters: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Receipt:
    """One claim that was recalled, as it stands afterwards, and its collection interest."""

    claim: Claim
    interest: Decimal | None


Decision = Rejected | tuple[Receipt, ...]


def decided(asked: Asked, claim: Claim | None, subordinate: list[Claim], now: datetime) -> Decision:
    """What becomes of an action. `subordinate` are the sub-claims of the claim, none when it is a sub-claim itself.

    A main claim takes its sub-claims with it, as far as they can still be recalled for this reason.
    """
    number = _objection(asked, claim)
    if claim is None or number is not None:
        return rejected(asked, number or UNKNOWN_CLAIM)
    also = [each for each in subordinate if _repeated(each, asked.reason) is None]
    return tuple(_receipt(asked, each, now) for each in (claim, *also))


def rejected(asked: Asked, number: int, text: str | None = None) -> Rejected:
    """The rejection with a number, and with the parameters that belong to it."""
    named: tuple[tuple[str, str], ...] = (("MFAktionID", str(asked.action)),)
    if number == UNKNOWN_CLAIM:
        named += (("DMIFordringEFIFordringID", str(asked.claim)),)
    elif number in (INVALID_REASON, LAPSE_NOT_HERE):
        named += (("ÅrsagKode", asked.reason),)
    return Rejected(number, text or TEXTS.get(number, "Aktionen er afvist"), named)


def collection_interest(claim: Claim, until: date) -> Decimal:
    """Interest of the authority on what is still owed, from the first of the month after receipt up to a day."""
    received = claim.received_at.date()
    month_after = received.month % _DECEMBER + 1
    begin = date(received.year + (received.month == _DECEMBER), month_after, 1)
    days = max(0, (until - begin).days)
    return (claim.rest * _YEARLY_RATE * days / _DAYS_OF_YEAR).quantize(_CENT, ROUND_HALF_UP)


def _objection(asked: Asked, claim: Claim | None) -> int | None:
    """The number of the first rule that an action breaks."""
    if claim is None:
        return UNKNOWN_CLAIM
    if asked.reason == "BORT":
        return LAPSE_NOT_HERE
    if asked.reason not in REASONS:
        return INVALID_REASON
    if claim.creditor != asked.creditor:
        return NOT_YOURS
    if asked.reason == SET_OFF and claim.art != "MODR":
        return INVALID_REASON
    if claim.state_refund and asked.reason not in (WRONG, "KLAG"):
        return INVALID_REASON
    return _repeated(claim, asked.reason)


def _repeated(claim: Claim, reason: str) -> int | None:
    """Why a claim that was recalled cannot be recalled again; None when it can."""
    if claim.recall is None:
        return None
    if claim.recall.reason in FINAL:
        return ALREADY_WRONG
    return None if reason == WRONG else ONLY_AS_WRONG


def _receipt(asked: Asked, claim: Claim, now: datetime) -> Receipt:
    """The claim recalled. As wrong: as if it had never come, from its receipt; else its rest, from today."""
    wrong = asked.reason == WRONG
    effective = claim.received_at.date() if wrong else now.date()
    recall = Recall(
        action=asked.action,
        reason=asked.reason,
        internal=REASONS[asked.reason],
        effective=effective,
        amount=claim.amount if wrong else claim.rest,
        decided_at=now,
    )
    interest = None
    if claim.interest is not None:
        interest = Decimal("0.00") if wrong else collection_interest(claim, effective)
    return Receipt(claim.recalled(recall, reverse_payments=wrong), interest)

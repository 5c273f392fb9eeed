"""What a carried out recall should have done, and how the authority's receipts differ from it.

Differences are told to a person and change nothing: what the authority says is what counts.
"""

from collections.abc import Iterable, Mapping
from datetime import date

from integration_assets.domain.claims.messages import ActionStatus, Receipt
from integration_assets.domain.claims.reasons import REASONS, Effective, Reason
from integration_assets.domain.claims.rules import Claim


def expected_claims(claim_id: int, claims: Mapping[int, Claim]) -> frozenset[int]:
    """The claims that a recall takes: a main claim with all its sub-claims, a sub-claim alone."""
    claim = claims.get(claim_id)
    if claim is None or not claim.is_main:
        return frozenset({claim_id})
    return frozenset({claim_id} | {one.claim_id for one in claims.values() if one.main_claim_id == claim_id})


def differences(reason_code: str, status: ActionStatus, claims: Mapping[int, Claim], processed_on: date) -> list[str]:
    """Sentences on what the receipts of an UDFOERT lack, have too much, or date and count otherwise than the reason.

    `claims` are those of the ledger with the same main claim; `processed_on` is the day of the status in Denmark.
    Claims that were recalled before may be missing.
    """
    told = {receipt.claim_id: receipt for receipt in status.receipts}
    expected = expected_claims(status.claim_id, claims)
    open_before = {number for number in expected if number not in claims or claims[number].recalled_for is None}
    found = [f"There is no receipt of claim {number}." for number in sorted(open_before - set(told))]
    found += [
        f"There is a receipt of claim {number}, which was not recalled." for number in sorted(set(told) - expected)
    ]
    reason = REASONS.get(reason_code)
    if reason is not None:
        known = [(receipt, claims.get(number)) for number, receipt in sorted(told.items())]
        found += _of_the_reason(reason, known, processed_on)
    return found


def _of_the_reason(reason: Reason, told: Iterable[tuple[Receipt, Claim | None]], processed_on: date) -> list[str]:
    found: list[str] = []
    for receipt, claim in told:
        day = _effective(reason, claim, processed_on)
        if day is not None and receipt.effective_from not in (None, day):
            found.append(
                f"Claim {receipt.claim_id} is recalled from {receipt.effective_from}; {reason.code} means {day}."
            )
        amount = receipt.amount.value
        if claim is not None and reason.balance == "ORIGINAL" and amount != claim.amount:
            found.append(f"Claim {receipt.claim_id} is recalled with {amount}; it was handed over with {claim.amount}.")
        if claim is not None and reason.balance == "REST" and amount > claim.amount:
            found.append(
                f"Claim {receipt.claim_id} is recalled with {amount}, more than the {claim.amount} handed over."
            )
        charged = [one.claim_id for one in receipt.interest_claims if one.amount.value != 0]
        if reason.interest == "ZEROED" and charged:
            listed = ", ".join(map(str, charged))
            found.append(f"Interest of claim {receipt.claim_id} is not zero though {reason.code} cancels it: {listed}.")
    return found


def _effective(reason: Reason, claim: Claim | None, processed_on: date) -> date | None:
    match reason.effective:
        case Effective.CLAIM_RECEIVED:
            return None if claim is None else claim.received_on
        case Effective.PROCESSING:
            return processed_on
        case Effective.CALLER:
            return None

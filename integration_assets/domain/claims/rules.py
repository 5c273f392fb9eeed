"""What a recall may ask for, checked before anything is proposed or sent.

Numbers are those of NyMF, the authority's claim reception, where it has the rule: people find them in its guidance.
"""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Final, NamedTuple

from integration_assets.domain.claims.reasons import NO_RECALL, REASONS, Art, Reason, Then

_FIRST_DAY: Final = date(1900, 1, 1)


class Claim(NamedTuple):
    """A claim that was handed over, as the ledger knows it. `recalled_for` is the reason of its last recall."""

    claim_id: int
    main_claim_id: int
    art: Art
    type_code: str
    creditor_id: int
    creditor_ref: str
    amount: Decimal
    received_on: date
    state_refund: bool = False
    recalled_for: str | None = None

    @property
    def is_main(self) -> bool:
        """Whether it is a main claim (hovedfordring)."""
        return self.claim_id == self.main_claim_id


class Asked(NamedTuple):
    """A recall that somebody asks for. `effective_from` is only given where the caller insists on a date."""

    claim_id: int
    reason: str
    effective_from: date | None = None


class Refused(NamedTuple):
    """Why a recall is not proposed: the number of the rule, and a sentence."""

    number: int
    sentence: str


def refused(
    asked: Asked, claim: Claim | None, pending: Mapping[int, int], creditor_id: int, as_of: date
) -> Refused | None:
    """Why this recall may not be asked for on a business day; None where it may.

    `pending` gives open actions by claim: of the claim, and of its main claim or sub-claims. `creditor_id` is whom we
    send for.
    """
    if claim is None:
        return Refused(509, f"Claim {asked.claim_id} is not in the ledger of claims handed over.")
    if claim.creditor_id != creditor_id:
        return Refused(421, f"Claim {claim.claim_id} is of creditor {claim.creditor_id}, for whom we may not recall.")
    reason = REASONS.get(asked.reason)
    if reason is None:
        why = NO_RECALL.get(asked.reason, "is not known")
        return Refused(10, f"{asked.reason} is no reason of a recall: it {why}.")
    return _unfit(reason, claim) or _dated(asked, reason, as_of) or _followed(reason, claim, pending)


def _unfit(reason: Reason, claim: Claim) -> Refused | None:
    if not reason.in_dmi:
        return Refused(538, f"{reason.code} ({reason.meaning}) is not taken by DMI, where claim {claim.claim_id} lies.")
    if claim.art not in reason.arts:
        fitting = " and ".join(sorted(reason.arts))
        return Refused(
            10, f"{reason.code} is for claims of kind {fitting}; claim {claim.claim_id} is of kind {claim.art}."
        )
    if claim.state_refund and not reason.state_refund:
        return Refused(10, f"The state refunds claim {claim.claim_id}: only FEJL and KLAG recall it.")
    return None


def _dated(asked: Asked, reason: Reason, as_of: date) -> Refused | None:
    day = asked.effective_from
    if day is None:
        return None
    if reason.code == "FEJL":
        return Refused(546, "FEJL takes no date: the claim counts as never sent.")
    if day > as_of:
        return Refused(548, f"The date {day} lies in the future.")
    if day < _FIRST_DAY:
        return Refused(568, f"The date {day} lies before {_FIRST_DAY}.")
    return None


def _followed(reason: Reason, claim: Claim, pending: Mapping[int, int]) -> Refused | None:
    if pending:
        other, action = min(pending.items())
        whose = "it" if other == claim.claim_id else f"claim {other}, which belongs to it,"
        return Refused(418, f"Claim {claim.claim_id} waits: {whose} is being recalled by action {action}.")
    earlier = REASONS.get(claim.recalled_for or "")
    if earlier is None:
        return None
    if earlier.then is Then.NOTHING:
        return Refused(602, f"Claim {claim.claim_id} was recalled for {earlier.code}; nothing can follow.")
    if reason.code != "FEJL":
        return Refused(603, f"Claim {claim.claim_id} was recalled for {earlier.code}; only FEJL can follow.")
    return None

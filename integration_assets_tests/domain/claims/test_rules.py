"""What may be recalled, and what receipts should say."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from integration_assets.domain.claims.effects import differences
from integration_assets.domain.claims.messages import (
    RECALL,
    ActionStatus,
    ActionStatusCode,
    Amount,
    Debtor,
    InterestClaim,
    Liability,
    Receipt,
)
from integration_assets.domain.claims.reasons import REASONS, Art
from integration_assets.domain.claims.rules import Asked, Claim, refused

TODAY = date(2025, 11, 3)
RECEIVED = date(2025, 6, 2)
MAIN = Claim(100001, 100001, Art.INDR, "FOFAKFY", 1999, "K1-1", Decimal("1200.00"), RECEIVED)
FEE = MAIN._replace(claim_id=100002, type_code="CVRYKOP", amount=Decimal("100.00"))
SET_OFF = MAIN._replace(claim_id=100010, main_claim_id=100010, art=Art.MODR)
REFUNDED = MAIN._replace(state_refund=True)


@pytest.mark.parametrize(
    ("reason", "claim", "number"),
    [
        ("FEJL", MAIN, None),
        ("FEJL", SET_OFF, None),
        ("FEJL", REFUNDED, None),
        ("KLAG", REFUNDED, None),
        ("BORD", MAIN, None),
        ("HENS", FEE, None),
        ("HAFT", MAIN, None),
        ("SMTI", SET_OFF, None),
        ("FEJL", None, 509),
        ("FEJL", MAIN._replace(creditor_id=2000), 421),
        ("BORT", MAIN, 538),
        ("SMTI", MAIN, 10),
        ("HENS", SET_OFF, 10),
        ("HENS", REFUNDED, 10),
        ("TMIP", SET_OFF, 10),
        ("REGU", MAIN, 10),
        ("INDB", MAIN, 10),
        ("FAST", MAIN, 10),
        ("AFTL", MAIN, 10),
        ("ANDN", MAIN, 10),
        ("XXXX", MAIN, 10),
        ("FEJL", MAIN._replace(recalled_for="FEJL"), 602),
        ("HENS", MAIN._replace(recalled_for="FEJL"), 602),
        ("FEJL", SET_OFF._replace(recalled_for="SMTI"), 602),
        ("FEJL", MAIN._replace(recalled_for="HENS"), None),
        ("HENS", MAIN._replace(recalled_for="BORD"), 603),
        ("KLAG", MAIN._replace(recalled_for="KLAG"), 603),
    ],
)
def test_numbers_of_refusals(reason: str, claim: Claim | None, number: int | None) -> None:
    found = refused(Asked(100001, reason), claim, {}, 1999, TODAY)
    assert (None if found is None else found.number) == number


@pytest.mark.parametrize(
    ("reason", "day", "number"),
    [
        ("FEJL", TODAY, 546),
        ("HENS", TODAY, None),
        ("HENS", date(2025, 11, 4), 548),
        ("HENS", date(1900, 1, 1), None),
        ("HENS", date(1899, 12, 31), 568),
    ],
)
def test_dates_that_a_caller_insists_on(reason: str, day: date, number: int | None) -> None:
    found = refused(Asked(100001, reason, day), MAIN, {}, 1999, TODAY)
    assert (None if found is None else found.number) == number


def test_a_claim_that_is_being_recalled_waits() -> None:
    own = refused(Asked(100001, "FEJL"), MAIN, {100001: 7}, 1999, TODAY)
    sub = refused(Asked(100001, "FEJL"), MAIN, {100002: 8}, 1999, TODAY)
    assert own is not None
    assert sub is not None
    assert (own.number, sub.number) == (418, 418)
    assert "action 7" in own.sentence
    assert "claim 100002" in sub.sentence


def test_what_nothing_brings_back() -> None:
    assert {code for code, reason in REASONS.items() if reason.is_irreversible} == {"FEJL"}


def receipt(claim: Claim, effective: date | None, amount: str | None = None, interest: str | None = None) -> Receipt:
    worth = Amount("DKK", Decimal(amount) if amount else claim.amount)
    debtor = Liability(Debtor("0000000001", "PERSON"), date(2028, 6, 1), worth)
    charged = (InterestClaim(100003, "RENTE", Amount("DKK", Decimal(interest))),) if interest else ()
    numbers = (claim.claim_id, claim.main_claim_id)
    return Receipt(*numbers, claim.art, claim.type_code, claim.creditor_ref, worth, (debtor,), effective, charged)


def told(claim: Claim, *receipts: Receipt) -> ActionStatus:
    at = datetime(2025, 11, 4, 1, 10, tzinfo=UTC)
    status = ActionStatus(claim.claim_id, 1, RECALL, 1999, ActionStatusCode.UDFOERT, at)
    return replace(status, receipts=receipts)


NIGHT = date(2025, 11, 4)
BOTH = {MAIN.claim_id: MAIN, FEE.claim_id: FEE}


def test_a_wrong_main_claim_goes_with_its_sub_claims_from_its_receipt() -> None:
    good = told(MAIN, receipt(MAIN, RECEIVED, interest="0.00"), receipt(FEE, RECEIVED))
    assert differences("FEJL", good, BOTH, NIGHT) == []


@pytest.mark.parametrize(
    ("status", "reason", "words"),
    [
        (told(MAIN, receipt(MAIN, RECEIVED)), "FEJL", "no receipt of claim 100002"),
        (
            told(FEE, receipt(FEE, NIGHT), receipt(MAIN, NIGHT)),
            "HENS",
            "receipt of claim 100001, which was not recalled",
        ),
        (told(FEE, receipt(FEE, RECEIVED)), "HENS", "HENS means 2025-11-04"),
        (told(FEE, receipt(FEE, NIGHT)), "FEJL", "FEJL means 2025-06-02"),
        (told(FEE, receipt(FEE, RECEIVED, "99.00")), "FEJL", "handed over with 100.00"),
        (told(FEE, receipt(FEE, NIGHT, "100.01")), "HENS", "more than the 100.00"),
        (told(FEE, receipt(FEE, RECEIVED, interest="1.00")), "FEJL", "not zero"),
    ],
)
def test_what_differs_is_told(status: ActionStatus, reason: str, words: str) -> None:
    (sentence,) = differences(reason, status, BOTH, NIGHT)
    assert words in sentence


def test_the_rest_of_a_claim_may_be_less_and_sub_claims_recalled_before_are_not_missed() -> None:
    status = told(MAIN, receipt(MAIN, NIGHT, "900.00"))
    claims = {**BOTH, FEE.claim_id: FEE._replace(recalled_for="FEJL")}
    assert differences("HENS", status, claims, NIGHT) == []

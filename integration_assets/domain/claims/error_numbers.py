"""What each error number of the debt authority asks of its caller, as data.

Numbers and their classes are those of the service description; what a caller does about a class is said here once. A
number that no line names goes to a person: nothing is ever tried again on a guess.
"""

import random
from collections.abc import Iterable
from enum import StrEnum
from typing import Final, NamedTuple


class Policy(StrEnum):
    """What is done about an answer, the most cautious one first: of several errors the first policy counts."""

    STOP_CHANNEL = "STOP_CHANNEL"
    """Configuration or rights: nothing more is sent until a person has put it right."""
    MANUAL_RECONCILE = "MANUAL_RECONCILE"
    """The authority may have done half of it: a person compares with the receipts. Never sent again."""
    CLIENT_BUG = "CLIENT_BUG"
    """Our own fault; to a person."""
    LOG_AND_MANUAL = "LOG_AND_MANUAL"
    """Rejected; a person finds out why."""
    HOLD_FOR_DMI = "HOLD_FOR_DMI"
    """Rejected while the authority mends something: parked until a person releases it."""
    BUSINESS_REJECT = "BUSINESS_REJECT"
    """The recall is refused for good."""
    ALREADY_DELIVERED = "ALREADY_DELIVERED"
    """They have this transaction: delivered, where it is ours with the same content."""
    RETRY_SAME_ID = "RETRY_SAME_ID"
    """Outcome unknown: sent again under the same transaction id."""
    ONE_RECALL_THEN_MANUAL = "ONE_RECALL_THEN_MANUAL"
    """Rejected: called again once, then to a person."""
    RETRY_BACKOFF = "RETRY_BACKOFF"
    """Rejected in passing: called again after a pause under a new transaction id."""
    OK = "OK"
    """No error."""


class Numbers(NamedTuple):
    """Error numbers from `first` to `last`, both included, with what they mean and what is done about them."""

    first: int
    last: int
    policy: Policy
    meaning: str


ERROR_NUMBERS: Final[tuple[Numbers, ...]] = (
    Numbers(-4, -4, Policy.MANUAL_RECONCILE, "compensation is not possible"),
    Numbers(-3, -3, Policy.RETRY_SAME_ID, "the service is not available"),
    Numbers(-1, -1, Policy.RETRY_SAME_ID, "unknown system error"),
    Numbers(0, 0, Policy.OK, "no error"),
    Numbers(8, 8, Policy.BUSINESS_REJECT, "the claim does not exist"),
    Numbers(10, 10, Policy.BUSINESS_REJECT, "the reason code is not valid"),
    Numbers(1, 899, Policy.BUSINESS_REJECT, "business error of this service"),
    Numbers(912, 912, Policy.LOG_AND_MANUAL, "business error in master data"),
    Numbers(913, 913, Policy.LOG_AND_MANUAL, "business error in administration data"),
    Numbers(914, 914, Policy.LOG_AND_MANUAL, "the search found too much"),
    Numbers(915, 915, Policy.LOG_AND_MANUAL, "input or codes are not valid"),
    Numbers(901, 919, Policy.LOG_AND_MANUAL, "general business error"),
    Numbers(921, 921, Policy.HOLD_FOR_DMI, "complex error that the authority handles"),
    Numbers(922, 922, Policy.HOLD_FOR_DMI, "business error that the authority is mending"),
    Numbers(930, 949, Policy.RETRY_BACKOFF, "technical error that passes"),
    Numbers(950, 969, Policy.ONE_RECALL_THEN_MANUAL, "technical error that stays"),
    Numbers(990, 990, Policy.ALREADY_DELIVERED, "the transaction id is registered already"),
    Numbers(991, 991, Policy.STOP_CHANNEL, "the service may not be processed in this system and client"),
    Numbers(992, 992, Policy.ALREADY_DELIVERED, "the transaction has been processed already"),
    Numbers(993, 993, Policy.CLIENT_BUG, "the transaction id is too long"),
    Numbers(994, 994, Policy.STOP_CHANNEL, "our user lacks the authorisation"),
    Numbers(999, 999, Policy.HOLD_FOR_DMI, "business validation without a number of its own yet"),
)
"""The narrowest line first where lines overlap. 921, 922 and 999 are temporary *mappings*, not temporary failures."""

_NOT_DESCRIBED: Final = Numbers(0, 0, Policy.LOG_AND_MANUAL, "not described")

BACKOFF_SECONDS: Final = (60, 120, 240, 480, 960, 1920, 3600, 3600)
"""Pauses before a call is tried again; after the last of them a person is asked."""

_JITTER: Final = 0.1


def described(number: int) -> Numbers:
    """The line of the table that names the number; one of LOG_AND_MANUAL where none does."""
    found = next((line for line in ERROR_NUMBERS if line.first <= number <= line.last), None)
    return found or _NOT_DESCRIBED._replace(first=number, last=number)


def policy_of(number: int) -> Policy:
    """What is done about an error of this number."""
    return described(number).policy


def policy_of_all(numbers: Iterable[int]) -> Policy:
    """What is done about an answer with these errors: the most cautious policy; OK where there are none."""
    order = list(Policy)
    return min((policy_of(number) for number in numbers), key=order.index, default=Policy.OK)


def pause_s(tries: int, spread: float | None = None) -> float:
    """Seconds to wait after the given failed try (from 1), up to a tenth longer so that callers spread.

    `spread` from 0 to 1 fixes how much longer. Raises IndexError for a try after which a person is asked.
    """
    if not 1 <= tries <= len(BACKOFF_SECONDS):
        raise IndexError(f"There is no pause after try {tries}: a person is asked then.")
    return BACKOFF_SECONDS[tries - 1] * (1 + _JITTER * (random.random() if spread is None else spread))

"""What each error number asks for: every number of the service description, and every gap between them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integration_assets.domain.claims.error_numbers import BACKOFF_SECONDS, Policy, pause_s, policy_of, policy_of_all

NAMED = {
    0: "OK",
    921: "HOLD_FOR_DMI",
    922: "HOLD_FOR_DMI",
    999: "HOLD_FOR_DMI",
    990: "ALREADY_DELIVERED",
    992: "ALREADY_DELIVERED",
    991: "STOP_CHANNEL",
    994: "STOP_CHANNEL",
    993: "CLIENT_BUG",
    -1: "RETRY_SAME_ID",
    -3: "RETRY_SAME_ID",
    -4: "MANUAL_RECONCILE",
}


def expected(number: int) -> str:
    """The policy by the ranges of the service description; what it does not describe goes to a person."""
    if number in NAMED:
        return NAMED[number]
    if 0 < number < 900:
        return "BUSINESS_REJECT"
    if 930 <= number < 950:
        return "RETRY_BACKOFF"
    if 950 <= number < 970:
        return "ONE_RECALL_THEN_MANUAL"
    return "LOG_AND_MANUAL"


def test_every_number_and_every_gap() -> None:
    wrong = {number: policy_of(number) for number in range(-20, 1100) if policy_of(number) != expected(number)}
    assert wrong == {}


@settings(deadline=None)
@given(st.integers(min_value=1000) | st.integers(max_value=-5))
def test_numbers_that_nobody_knows_go_to_a_person(number: int) -> None:
    assert policy_of(number) is Policy.LOG_AND_MANUAL


@pytest.mark.parametrize(
    ("numbers", "policy"),
    [
        ([], "OK"),
        ([930, 8], "BUSINESS_REJECT"),
        ([930, -1], "RETRY_SAME_ID"),
        ([990, 994], "STOP_CHANNEL"),
        ([-4, 930], "MANUAL_RECONCILE"),
        ([970, 990], "LOG_AND_MANUAL"),
    ],
)
def test_of_several_errors_the_most_cautious_counts(numbers: list[int], policy: str) -> None:
    assert policy_of_all(numbers) == policy


def test_pauses() -> None:
    minutes = (1, 2, 4, 8, 16, 32, 60, 60)
    assert tuple(seconds // 60 for seconds in BACKOFF_SECONDS) == minutes
    for tries, wanted in enumerate(minutes, 1):
        assert pause_s(tries, 0.0) == wanted * 60
        assert wanted * 60 <= pause_s(tries) <= wanted * 66
    for tries in (0, 9):
        with pytest.raises(IndexError, match="person"):
            pause_s(tries)

"""Agreements that change, and the calls that follow: after them the contract on the installation is as desired."""

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integration_assets.domain.facts.calls import (
    Call,
    CancelContractEnd,
    CancelContractStart,
    ChangeMoveInDate,
    ChangeMoveOutDate,
    ContractChange,
    MoveOut,
    NewContract,
    ProductChange,
    ProductChangeCancel,
)
from integration_assets.domain.facts.days import INFINITY
from integration_assets.domain.facts.engine import apply
from integration_assets.domain.facts.events import AgreementState, Followed, ProductPeriod, events
from integration_assets.domain.facts.replay import rules_of
from integration_assets.domain.facts.store import ContractStatus, Installation
from integration_assets_tests.domain.facts.sequences import FULL, case

RULES = rules_of(case([]))
IN = date(2025, 1, 1)
CONTAINERS = {"VARME_STD": FULL, "VARME_PLUS": {**FULL, "energipris": "E2"}}


def agreement(
    moved_in: date = IN, moved_out: date | None = None, *changes: tuple[date, str], price_list: str = "2025"
) -> AgreementState:
    products = tuple(
        ProductPeriod(day, product, f"{product} {price_list}", CONTAINERS[product])
        for day, product in ((moved_in, "VARME_STD"), *changes)
    )
    return AgreementState("7", "200123", "K1", moved_in, moved_out, products)


CHANGED = (date(2025, 7, 1), "VARME_PLUS")
NEW = NewContract("200123", "K1", IN, "VARME_STD", FULL)

TRANSITIONS: list[tuple[str, AgreementState | None, AgreementState | None, list[Call]]] = [
    ("a new row", None, agreement(), [NEW]),
    ("a new row that has ended", None, agreement(IN, date(2025, 3, 1)), [NEW._replace(end=date(2025, 2, 28))]),
    ("a new row that was annulled", None, agreement(IN, IN), []),
    ("nothing new", agreement(), agreement(), []),
    ("a row that vanished", agreement(), None, []),
    ("moved out", agreement(), agreement(IN, date(2025, 3, 1)), [MoveOut("200123", date(2025, 2, 28))]),
    (
        "moved out on another day",
        agreement(IN, date(2025, 3, 1)),
        agreement(IN, date(2025, 4, 1)),
        [ChangeMoveOutDate("200123", date(2025, 3, 31))],
    ),
    ("not moved out", agreement(IN, date(2025, 3, 1)), agreement(), [CancelContractEnd("200123")]),
    ("moved in later", agreement(), agreement(date(2025, 2, 1)), [ChangeMoveInDate("200123", date(2025, 2, 1))]),
    ("annulled", agreement(), agreement(IN, date(2024, 12, 31)), [CancelContractStart("200123")]),
    (
        "both days later than the former end",
        agreement(IN, date(2025, 3, 1)),
        agreement(date(2025, 4, 1), date(2025, 5, 1)),
        [ChangeMoveOutDate("200123", date(2025, 4, 30)), ChangeMoveInDate("200123", date(2025, 4, 1))],
    ),
    (
        "another product",
        agreement(),
        agreement(IN, None, CHANGED),
        [ProductChange("200123", *CHANGED, CONTAINERS["VARME_PLUS"])],
    ),
    (
        "the former product again",
        agreement(IN, None, CHANGED),
        agreement(),
        [ProductChangeCancel("200123", CHANGED[0], FULL)],
    ),
    ("another price list", agreement(), agreement(price_list="2026"), [ContractChange("200123", FULL, prices=True)]),
    (
        "another price list of two products",
        agreement(IN, None, CHANGED),
        agreement(IN, None, CHANGED, price_list="2026"),
        [
            ContractChange("200123", FULL, prices=True),
            ProductChange("200123", *CHANGED, CONTAINERS["VARME_PLUS"]),
        ],
    ),
]


@pytest.mark.parametrize(("what", "was", "now", "calls"), TRANSITIONS, ids=[one[0] for one in TRANSITIONS])
def test_what_changed_becomes_calls(
    what: str, was: AgreementState | None, now: AgreementState | None, calls: list[Call]
) -> None:
    before = None if was is None else Followed(was, revision=4)
    told, after = events(before, now)
    assert [event.call for event in told] == calls, what
    assert after == before if now is None or was == now else after is not None and after.state == now
    assert events(before, now) == (told, after)
    assert len({event.process_id for event in told}) == len(told)


def test_an_annulled_agreement_that_comes_back_is_another_contract() -> None:
    _begun, first = events(None, agreement())
    _cancelled, annulled = events(first, agreement(IN, IN))
    told, again = events(annulled, agreement())
    assert [event.call for event in told] == [NEW._replace(contract="200123-2")]
    assert again is not None
    assert [event.call for event in events(again, agreement(IN, date(2025, 3, 1)))[0]] == [
        MoveOut("200123-2", date(2025, 2, 28))
    ]


days = st.integers(0, 90).map(lambda offset: IN + timedelta(days=offset))


@st.composite
def agreements(draw: st.DrawFn) -> AgreementState:
    start, change = draw(days), draw(days)
    changes = [(change, "VARME_PLUS")] if change > start and draw(st.booleans()) else []
    end = draw(st.none() | days)
    if end is not None and end > start:
        changes = [(day, product) for day, product in changes if day < end]
    return agreement(start, end, *changes, price_list=draw(st.sampled_from(["2025", "2026"])))


@settings(max_examples=60, deadline=None)
@given(st.lists(agreements(), min_size=1, max_size=6))
def test_whatever_is_desired_the_contract_follows(wishes: list[AgreementState]) -> None:
    """Each state is followed in turn, and derived twice; no call is refused."""
    installation, followed = Installation("7"), None
    for wish in wishes:
        told, after = events(followed, wish)
        for event in [*told, *events(followed, wish)[0]]:
            installation = apply(installation, event.call, RULES, event.process_id).installation
        followed = after
        assert followed is not None
        contract = installation.contracts.get(followed.contract("200123"))
        if wish.is_annulled:
            assert contract is None or contract.status is ContractStatus.CANCELLED
            continue
        assert contract is not None
        assert (contract.start, contract.status) == (wish.moved_in, ContractStatus.ACTIVE)
        assert contract.end == (INFINITY if wish.moved_out is None else wish.moved_out - timedelta(days=1))
        assert contract.products == tuple(period.entry for period in wish.products)
        last_price = wish.products[-1].values["energipris"]
        assert installation.effective("ENERGIPRIS").at(contract.end) == last_price


def facts_of(*wishes: AgreementState) -> list[tuple[object, ...]]:
    """When which energy price holds after an agreement was followed through these states; made one where equal."""
    installation, followed = Installation("7"), None
    for wish in wishes:
        told, followed = events(followed, wish)
        for event in told:
            installation = apply(installation, event.call, RULES, event.process_id).installation
    return [tuple(piece) for piece in installation.effective("ENERGIPRIS")]


JULY, APRIL = date(2025, 7, 1), date(2025, 4, 1)


@pytest.mark.parametrize(
    ("what", "wishes", "facts"),
    [
        (
            "values corrected from the start",
            [agreement(IN, None, CHANGED), agreement(IN, None, CHANGED, price_list="2026")],
            [(IN, JULY, "E1"), (JULY, None, "E2")],
        ),
        (
            "an end before the product change, cancelled",
            [agreement(IN, None, CHANGED), agreement(IN, APRIL), agreement(IN, None, CHANGED)],
            [(IN, JULY, "E1"), (JULY, None, "E2")],
        ),
        (
            "an end before the product change, moved behind it",
            [agreement(IN, None, CHANGED), agreement(IN, APRIL), agreement(IN, date(2025, 9, 1), CHANGED)],
            [(IN, JULY, "E1"), (JULY, date(2025, 9, 1), "E2")],
        ),
    ],
)
def test_each_period_has_the_facts_of_its_product(
    what: str, wishes: list[AgreementState], facts: list[tuple[date, date | None, object]]
) -> None:
    """A process runs one template over its whole generation period; the calls after it give later periods back."""
    assert facts_of(*wishes) == facts, what

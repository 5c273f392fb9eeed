"""Contracts linked one after the other: whatever comes, a customer never has two accounts for one thing."""

import json
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_assets.domain.accounts.decision import LinkedContract, Order, Outcome
from integration_assets.domain.accounts.linking import AccountBook, Kept

VECTORS: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "vectors.json").read_text(encoding="utf-8"))
NUMBERS = (None, "41373559241", "48662918097", "10000000009", "41373559242")


def contract(partner: str, installation: str, number: str | None) -> LinkedContract:
    return LinkedContract(installation, "K", partner, installation, "F", number)


contracts = st.lists(
    st.builds(contract, st.sampled_from(["P", "Q"]), st.sampled_from("1234"), st.sampled_from(NUMBERS)), max_size=12
)


def standing(book: AccountBook) -> list[Kept]:
    return [one for one in book.accounts.values() if one.superseded_by is None]


def doubles(book: AccountBook, column: str) -> list[object]:
    keys = sorted((one.partner, getattr(one, column)) for one in standing(book) if getattr(one, column) is not None)
    return [key for key, several in groupby(keys) if len(list(several)) > 1]


@given(contracts)
def test_among_standing_accounts_installation_and_market_location_are_unique(several: list[LinkedContract]) -> None:
    book = AccountBook.of([], Order.PURPOSE, lambda text: text)
    for each in several:
        decision = book.link(each)
        assert decision.account is not None
        account = book.accounts[decision.account]
        assert (account.partner, account.installation, account.superseded_by) == (each.partner, each.installation, None)
        assert doubles(book, "installation") == doubles(book, "market_location") == []
    assert not any(one.is_double for one in book.accounts.values())


@given(contracts)
def test_a_contract_linked_again_changes_nothing(several: list[LinkedContract]) -> None:
    book = AccountBook.of([], Order.PURPOSE, lambda text: text)
    for each in several:
        first = book.link(each)
        before = dict(book.accounts)
        again = book.link(each)
        assert book.accounts == before
        assert (again.outcome, again.account) == (Outcome.UPDATED, first.account)


@given(contracts)
def test_to_the_letter_only_those_marked_as_doubles_share_anything(several: list[LinkedContract]) -> None:
    """What the unique indexes of the store leave out."""
    book = AccountBook.of([], Order.DOCUMENT, lambda text: text)
    for each in several:
        book.link(each)
    kept = AccountBook.of([one for one in standing(book) if not one.is_double], Order.DOCUMENT, str)
    assert doubles(kept, "installation") == doubles(kept, "market_location") == []


@pytest.mark.parametrize("case", VECTORS["decision"], ids=lambda case: case["name"])
@pytest.mark.parametrize("order", Order)
def test_the_worked_examples_are_done_and_not_only_decided(case: dict[str, Any], order: Order) -> None:
    event = case["event"]
    accounts = [Kept(row["id"], row["bp"], row["inst"], row["malo"]) for row in case["accounts"]]
    book = AccountBook.of(accounts, order, lambda text: f"made of {text}")
    names = ("installation_no", "contract_account", "business_partner", "installation", "connection_object", "malo")
    decision = book.link(LinkedContract(*(event[name] for name in names)))
    outcome, told = case["expect"] if order is Order.PURPOSE else case["expect_document_order"]
    assert decision.outcome == outcome
    match outcome:
        case "CREATED":
            made = f"made of {event['business_partner']}|{event['installation']}"
            assert (decision.account, book.created) == (made, {made})
            assert book.accounts[made].market_location == event["malo"]
        case "REASSIGNED_AND_SUPERSEDED":
            assert book.superseded == {told[1]: told[0]}
            assert book.accounts[told[1]].superseded_by == told[0]
            assert book.accounts[told[0]].installation == event["installation"]
        case "REASSIGNED":
            assert book.accounts[told].installation == event["installation"]
        case "UPDATED":
            assert (decision.account, book.changed) == (told, set())
        case _:
            assert (book.created, book.changed) == (set(), set())


def test_an_account_that_moved_on_leaves_its_id_with_it() -> None:
    """The installation that an account was made for gets another account later, under another id."""
    book = AccountBook.of([], Order.PURPOSE, lambda text: text)
    book.link(contract("P", "1", NUMBERS[1]))
    assert book.link(contract("P", "9", NUMBERS[1])).account == "P|1"
    assert book.link(contract("P", "1", NUMBERS[2])).account == "P|1|2"

"""What happens to installation accounts when a billing contract (aftale) names an installation: create or update."""

from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple

from integration_assets.domain.accounts.market_locations import scheme_of


class Order(StrEnum):
    """In which order the two checks run: is there an account of customer and installation, of customer and MaLo."""

    PURPOSE = "purpose"
    """The MaLo counts also where no account has the installation: a prospect's, or one that was renumbered."""
    DOCUMENT = "document"
    """To the letter of the description, only where there is one; may give a second account for a MaLo."""


class Outcome(StrEnum):
    """What is to be done."""

    NOT_TRIGGERED = "NOT_TRIGGERED"
    PENDING = "PENDING"
    CREATED = "CREATED"
    UPDATED = "UPDATED"
    REASSIGNED = "REASSIGNED"
    REASSIGNED_AND_SUPERSEDED = "REASSIGNED_AND_SUPERSEDED"


class LinkedContract(NamedTuple):
    """A billing contract with what it points at; None where that has not arrived.

    `installation_number` is what stands on the contract, `installation` the number of the installation that was found.
    """

    installation_number: str | None
    contract_account: str | None
    partner: str | None
    installation: str | None
    connection_object: str | None
    market_location: str | None
    billing_contract: str | None = None


class Account(NamedTuple):
    """An installation account, as far as matching goes. A superseded one takes no part in it."""

    id: str
    partner: str
    installation: str | None
    market_location: str | None
    superseded_by: str | None = None


class Decision(NamedTuple):
    """The outcome, the account it is about, the one that this replaces, what is missing, and issues of the data."""

    outcome: Outcome
    account: str | None = None
    superseded: str | None = None
    missing: tuple[str, ...] = ()
    issues: tuple[str, ...] = ()


def decide(event: LinkedContract, accounts: Iterable[Account], order: Order = Order.PURPOSE) -> Decision:
    """What to do for a billing contract that was made, or whose links changed.

    Without an installation number nothing is triggered. What is missing is named in the order contract_account,
    business_partner, installation, connection_object; the contract then waits. The same MaLo with another partner is
    never the same account. An invalid MaLo or GSRN is told as an issue and not matched by.
    """
    if not event.installation_number:
        return Decision(Outcome.NOT_TRIGGERED)
    found = event.installation if event.installation == event.installation_number else None
    needed = {
        "contract_account": event.contract_account,
        "business_partner": event.partner,
        "installation": found,
        "connection_object": event.connection_object,
    }
    missing = tuple(name for name, value in needed.items() if not value)
    if missing:
        return Decision(Outcome.PENDING, missing=missing)
    number = event.market_location or None
    valid = number is not None and scheme_of(number) is not None
    issues = () if number is None or valid else (f"{number} is no valid MaLo-ID or GSRN; it is not matched by.",)
    theirs = [one for one in accounts if one.partner == event.partner and one.superseded_by is None]
    by_installation = next((one for one in theirs if one.installation == found), None)
    others = [one for one in theirs if valid and one is not by_installation]
    by_number = next((one for one in others if one.market_location == number), None)
    return _decided(by_installation, by_number, order)._replace(issues=issues)


def _decided(by_installation: Account | None, by_number: Account | None, order: Order) -> Decision:
    if by_installation is None:
        if by_number is None or order is Order.DOCUMENT:
            return Decision(Outcome.CREATED)
        return Decision(Outcome.REASSIGNED, by_number.id)
    if by_number is None:
        return Decision(Outcome.UPDATED, by_installation.id)
    if order is Order.DOCUMENT:
        return Decision(Outcome.REASSIGNED, by_number.id)
    return Decision(Outcome.REASSIGNED_AND_SUPERSEDED, by_number.id, superseded=by_installation.id)


def to_decide_again(waiting: Mapping[str, Collection[str]], arrived: Collection[str]) -> list[str]:
    """The waiting contracts for which something that is missing has arrived, in order.

    `waiting` tells what each contract waits for, `arrived` what has come: keys such as ("installation", "4711") joined
    as installation:4711.
    """
    come = set(arrived)
    return sorted(contract for contract, missing in waiting.items() if come.intersection(missing))

"""From agreements (aftaler) as they should be to the calls that make an installation's facts follow.

Each agreement is one contract on each of its installations. The state that was followed last is compared with the one
that is desired now; what differs becomes calls, in an order in which they can be carried out. A row that vanished is no
event: it says nothing about the agreement.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

from integration_assets.domain.facts.call_rows import row_of
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
from integration_assets.domain.facts.days import last_day
from integration_assets.domain.facts.values import Value


class ProductPeriod(NamedTuple):
    """A product of an agreement from a day on, until the next one begins.

    `edition` names its template and prices as they are for that day: another edition is generated anew. `values` are
    those of the product's parameters.
    """

    first: date
    product: str
    edition: str
    values: Mapping[str, Value]

    @property
    def entry(self) -> tuple[date, str]:
        """First day and product, as a contract has them."""
        return self.first, self.product


class AgreementState(NamedTuple):
    """An agreement on one installation.

    `moved_out` is the first day after it, None without end, as in the registry; an agreement that ends before it has
    had a day was annulled. `products` begin with the one of the move-in and lie within the agreement.
    """

    installation: str
    agreement: str
    partner: str
    moved_in: date
    moved_out: date | None
    products: tuple[ProductPeriod, ...]

    @property
    def is_annulled(self) -> bool:
        """Whether the agreement never had a day."""
        return self.moved_out is not None and self.moved_out <= self.moved_in


class Followed(NamedTuple):
    """The state of an agreement that its calls were made from, which contract of it that was, and its revision.

    Without a state, calls were made before and none of them was carried out.
    """

    state: AgreementState | None
    life: int = 1
    revision: int = 0

    def contract(self, agreement: str) -> str:
        """The contract's number on the installation: the agreement's; numbered where it was annulled and came back."""
        return agreement if self.life == 1 else f"{agreement}-{self.life}"


class Event(NamedTuple):
    """A call and its process id, the same whenever the same change is derived again."""

    process_id: str
    call: Call


def events(before: Followed | None, desired: AgreementState | None) -> tuple[list[Event], Followed | None]:
    """The calls that lead from what was followed to what is desired, in order, and what is followed then."""
    was = None if before is None else before.state
    if desired is None or was == desired:
        return [], before
    life, revision = (1, 0) if before is None else (before.life, before.revision)
    if was is not None and was.is_annulled and not desired.is_annulled:
        life += 1
    after = Followed(desired, life, revision + 1)
    contract = after.contract(desired.agreement)
    if was is None or was.is_annulled:
        calls = [] if desired.is_annulled else _beginning(desired, contract)
    elif desired.is_annulled:
        calls = [CancelContractStart(contract)]
    else:
        calls = _changes(was, desired, contract)
    return [Event(_process_id(contract, after.revision, call), call) for call in calls], after


def _beginning(state: AgreementState, contract: str) -> list[Call]:
    """One that has ended is told with its end: without, it would be in the way of who has moved in after it."""
    first, *later = state.products
    begun = NewContract(contract, state.partner, state.moved_in, first.product, first.values, last_day(state.moved_out))
    return [begun, *(ProductChange(contract, one.first, one.product, one.values) for one in later)]


def _changes(was: AgreementState, state: AgreementState, contract: str) -> list[Call]:
    """Product changes that are gone, while their days lie in the contract; dates; then what is generated anew."""
    start: list[Call] = [] if was.moved_in == state.moved_in else [ChangeMoveInDate(contract, state.moved_in)]
    end = _end(was.moved_out, state.moved_out, contract)
    begins_after_former_end = was.moved_out is not None and state.moved_in >= was.moved_out
    dates = [*end, *start] if begins_after_former_end else [*start, *end]
    gone, kept = _products_gone(was, state, contract)
    return [*gone, *dates, *_generated_anew(state, contract, kept)]


def _generated_anew(state: AgreementState, contract: str, kept: tuple[ProductPeriod, ...]) -> list[Call]:
    """What is generated from the first product on that is new, or of another edition.

    A contract change generates to the end of the contract with the first product, a product change with its own: so
    what follows the first one that is generated follows it here too, and each period has the facts of its product.
    """
    for place, period in enumerate(state.products):
        standing = kept[place] if place < len(kept) else None
        is_there = standing is not None and standing.entry == period.entry
        if is_there and standing is not None and standing.edition == period.edition:
            continue
        calls: list[Call] = [
            ProductChange(contract, one.first, one.product, one.values) for one in state.products[place:]
        ]
        if is_there and place == 0:
            calls[0] = ContractChange(contract, period.values, prices=True)
        return calls
    return []


def _end(was: date | None, now: date | None, contract: str) -> list[Call]:
    if was == now:
        return []
    if now is None:
        return [CancelContractEnd(contract)]
    return [MoveOut(contract, last_day(now)) if was is None else ChangeMoveOutDate(contract, last_day(now))]


def _products_gone(
    was: AgreementState, state: AgreementState, contract: str
) -> tuple[list[Call], tuple[ProductPeriod, ...]]:
    """What cancels product changes that are gone, all from the first of them on; and the products that stay."""
    wanted = [period.entry for period in state.products]
    standing = _from(was.products, state.moved_in)
    if [period.entry for period in standing] == wanted:
        return [], standing
    place = next((place for place, period in enumerate(was.products) if place and period.entry not in wanted[1:]), None)
    if place is None:
        return [], standing
    former = was.products[place - 1].values
    cancel = ProductChangeCancel(contract, was.products[place].first, former or None)
    return [cancel], _from(was.products[:place], state.moved_in)


def _from(periods: tuple[ProductPeriod, ...], start: date) -> tuple[ProductPeriod, ...]:
    """The products of a contract that begins on another day, as `Contract.started` has them."""
    current = periods[0]
    for period in periods:
        if period.first <= start:
            current = period
    return (current._replace(first=start), *(period for period in periods[1:] if period.first > start))


def _process_id(contract: str, revision: int, call: Call) -> str:
    """Names agreement, revision and what is asked: another wish under the same revision is another process."""
    told = json.dumps(row_of(call), sort_keys=True, default=str)
    return f"{contract}:{revision}:{hashlib.sha256(told.encode()).hexdigest()[:12]}"

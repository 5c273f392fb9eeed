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
from integration_assets.domain.facts.days import INFINITY, last_day
from integration_assets.domain.facts.store import Contract
from integration_assets.domain.facts.values import Value


class AgreementState(NamedTuple):
    """An agreement on one installation.

    `moved_out` is the first day after it, None without end, as in the registry; an agreement that ends before it has
    had a day was annulled. `products` are products with their first days, the first one that of the move-in.
    `containers` tell the values of each product's parameters; `price_list` names the prices in force.
    """

    installation: str
    agreement: str
    partner: str
    moved_in: date
    moved_out: date | None
    products: tuple[tuple[date, str], ...]
    containers: Mapping[str, Mapping[str, Value]]
    price_list: str = ""

    @property
    def is_annulled(self) -> bool:
        """Whether the agreement never had a day."""
        return self.moved_out is not None and self.moved_out <= self.moved_in

    def container(self, product: str) -> dict[str, Value]:
        """The values of a product's parameters."""
        return dict(self.containers.get(product, {}))


class Followed(NamedTuple):
    """The state of an agreement that its calls were made from, which contract of it that was, and its revision."""

    state: AgreementState
    life: int = 1
    revision: int = 0

    @property
    def contract(self) -> str:
        """The contract's number on the installation: the agreement's; numbered where it was annulled and came back."""
        return self.state.agreement if self.life == 1 else f"{self.state.agreement}-{self.life}"


class Event(NamedTuple):
    """A call and its process id, the same whenever the same change is derived again."""

    process_id: str
    call: Call


def events(before: Followed | None, desired: AgreementState | None) -> tuple[list[Event], Followed | None]:
    """The calls that lead from what was followed to what is desired, in order, and what is followed then."""
    if desired is None or (before is not None and before.state == desired):
        return [], before
    life = 1 if before is None else before.life
    if before is not None and before.state.is_annulled and not desired.is_annulled:
        life += 1
    after = Followed(desired, life, 1 if before is None else before.revision + 1)
    begun = before is not None and not before.state.is_annulled
    if desired.is_annulled:
        calls: list[Call] = [CancelContractStart(after.contract)] if begun else []
    elif before is None or not begun:
        calls = _beginning(after)
    else:
        calls = _changes(before.state, after)
    return [Event(_process_id(after, call), call) for call in calls], after


def _beginning(after: Followed) -> list[Call]:
    state, contract = after.state, after.contract
    (_first, product), *later = state.products
    calls: list[Call] = [NewContract(contract, state.partner, state.moved_in, product, state.container(product))]
    calls += [ProductChange(contract, day, name, state.container(name)) for day, name in later]
    if state.moved_out is not None:
        calls.append(MoveOut(contract, last_day(state.moved_out)))
    return calls


def _changes(was: AgreementState, after: Followed) -> list[Call]:
    """Product changes that are gone, while their days lie in the contract; dates; then what is generated anew."""
    state, contract = after.state, after.contract
    start: list[Call] = [] if was.moved_in == state.moved_in else [ChangeMoveInDate(contract, state.moved_in)]
    end = _end(was.moved_out, state.moved_out, contract)
    begins_after_former_end = was.moved_out is not None and state.moved_in >= was.moved_out
    dates = [*end, *start] if begins_after_former_end else [*start, *end]
    gone, kept = _products_gone(was, state, contract)
    return [*gone, *dates, *_generated_anew(was, after, kept)]


def _generated_anew(was: AgreementState, after: Followed, kept: tuple[tuple[date, str], ...]) -> list[Call]:
    """What is generated from the first product on that is new, or whose values or prices are.

    A contract change generates to the end of the contract with the first product, a product change with its own: so
    what follows the first one that is generated follows it here too.
    """
    state, contract = after.state, after.contract
    prices = was.price_list != state.price_list
    for place, entry in enumerate(state.products):
        name = entry[1]
        is_there = kept[place : place + 1] == (entry,)
        if is_there and not prices and was.container(name) == state.container(name):
            continue
        calls: list[Call] = [
            ProductChange(contract, day, product, state.container(product)) for day, product in state.products[place:]
        ]
        if is_there and place == 0:
            calls[0] = ContractChange(contract, state.container(name), prices=prices)
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
) -> tuple[list[Call], tuple[tuple[date, str], ...]]:
    """What cancels product changes that are gone, all from the first of them on; and the products that stay."""
    if _from(was.products, state.moved_in) == state.products:
        return [], state.products
    place = next((place for place, entry in enumerate(was.products) if place and entry not in state.products[1:]), None)
    if place is None:
        return [], _from(was.products, state.moved_in)
    former = was.products[place - 1][1]
    cancel = ProductChangeCancel(contract, was.products[place][0], was.container(former) or None)
    return [cancel], _from(was.products[:place], state.moved_in)


def _from(products: tuple[tuple[date, str], ...], start: date) -> tuple[tuple[date, str], ...]:
    """The products of a contract that begins on another day."""
    return Contract("", "", products[0][0], INFINITY, products).started(start).products


def _process_id(after: Followed, call: Call) -> str:
    """Names agreement, revision and what is asked: another wish under the same revision is another process."""
    told = json.dumps(row_of(call), sort_keys=True, default=str)
    return f"{after.contract}:{after.revision}:{hashlib.sha256(told.encode()).hexdigest()[:12]}"

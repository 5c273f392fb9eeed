"""Linking billing contracts to the accounts of their customers, one after the other: what the decisions do.

Pure: accounts come in as they are stored and go out as they are to be stored.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from integration_assets.domain.accounts.decision import Account, Decision, LinkedContract, Order, Outcome, decide
from integration_assets.domain.accounts.market_locations import scheme_of


class Kept(NamedTuple):
    """An account as it is stored. A double shares its customer's installation or market location with another one,
    which only the literal order of checks makes."""

    id: str
    partner: str
    installation: str | None
    market_location: str | None
    superseded_by: str | None = None
    is_double: bool = False


@dataclass
class AccountBook:
    """The accounts of some customers while contracts are linked to them.

    `created` and `changed` name the accounts that are to be written, `superseded` which account took the place of
    which.
    """

    order: Order
    new_id: Callable[[str], str]
    accounts: dict[str, Kept] = field(default_factory=dict[str, Kept])
    created: set[str] = field(default_factory=set[str])
    changed: set[str] = field(default_factory=set[str])
    superseded: dict[str, str] = field(default_factory=dict[str, str])
    _of_partner: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    @classmethod
    def of(cls, accounts: Iterable[Kept], order: Order, new_id: Callable[[str], str]) -> "AccountBook":
        """The book with these accounts, which come in the order in which they are looked through.

        `new_id` gives the id of a new account from customer and installation.
        """
        book = cls(order, new_id)
        for account in accounts:
            book._add(account)
        return book

    def link(self, contract: LinkedContract) -> Decision:
        """Decides and does it; the decision names the account in any case but PENDING and NOT_TRIGGERED."""
        decision = decide(contract, self._looked_through(contract.partner), self.order)
        if decision.outcome in (Outcome.NOT_TRIGGERED, Outcome.PENDING):
            return decision
        if decision.outcome is Outcome.CREATED:
            return decision._replace(account=self._create(contract))
        assert decision.account is not None
        if decision.superseded is not None:
            former = self.accounts[decision.superseded]
            self._put(former._replace(superseded_by=decision.account))
            self.superseded[former.id] = decision.account
        account = self.accounts[decision.account]
        if decision.outcome is Outcome.UPDATED:
            self._put(self._numbered(account, contract.market_location))
        else:
            shared = self._others_with(account, installation=contract.installation)
            self._put(account._replace(installation=contract.installation, is_double=account.is_double or shared))
        return decision

    def _create(self, contract: LinkedContract) -> str:
        partner, installation = contract.partner or "", contract.installation or ""
        name, number = f"{partner}|{installation}", 1
        # An account that was given another installation keeps the id that it was made with.
        while (made := self.new_id(name if number == 1 else f"{name}|{number}")) in self.accounts:
            number += 1
        account = self._numbered(Kept(made, partner, installation, None), contract.market_location)
        self._add(account)
        self.created.add(made)
        return made

    def _numbered(self, account: Kept, told: str | None) -> Kept:
        """The account with the market location of its installation; one that is not valid is not kept."""
        number = told if told is not None and scheme_of(told) is not None else None
        shared = number is not None and self._others_with(account, market_location=number)
        return account._replace(market_location=number, is_double=account.is_double or shared)

    def _others_with(
        self, account: Kept, *, installation: str | None = None, market_location: str | None = None
    ) -> bool:
        others = (self.accounts[name] for name in self._of_partner.get(account.partner, ()) if name != account.id)
        return any(
            other.superseded_by is None
            and not other.is_double
            and (
                (installation is not None and other.installation == installation)
                or (market_location is not None and other.market_location == market_location)
            )
            for other in others
        )

    def _looked_through(self, partner: str | None) -> list[Account]:
        kept = [self.accounts[name] for name in self._of_partner.get(partner or "", ())]
        return [Account(one.id, one.partner, one.installation, one.market_location, one.superseded_by) for one in kept]

    def _add(self, account: Kept) -> None:
        self.accounts[account.id] = account
        self._of_partner.setdefault(account.partner, []).append(account.id)

    def _put(self, account: Kept) -> None:
        if self.accounts[account.id] != account:
            self.accounts[account.id] = account
            self.changed.add(account.id)

"""One process under way: what it has changed so far and what it has to tell. Processes are functions of a run."""

from collections.abc import Iterator
from datetime import date
from typing import Final, NoReturn

from integration_assets.domain.facts.calls import Call, Container
from integration_assets.domain.facts.extensions import Filler, FollowUp, Occasion
from integration_assets.domain.facts.operands import Operand
from integration_assets.domain.facts.rules import Rules
from integration_assets.domain.facts.store import (
    NO_LINE,
    Contract,
    ContractStatus,
    Followed,
    Installation,
    Line,
    LineKey,
)
from integration_assets.domain.facts.templates import Template

MOVE_OUT_DATE_CHANGED: Final = "MOVEOUTDATE_CHANGED"
MOVE_IN_DATE_CHANGED: Final = "MOVEINDATE_CHANGED"


class Refused(Exception):
    """A call was not carried out and changed nothing; the text says which, on which installation, and why."""


class Run:
    """The working copy of an installation while one process runs."""

    __slots__ = (
        "call", "changed", "contracts", "follow_ups", "followed", "full_generation", "installation", "log",
        "process_id", "reason", "rules",
    )  # fmt: skip

    def __init__(self, installation: Installation, call: Call, rules: Rules, process_id: str) -> None:
        self.installation = installation
        self.call = call
        self.rules = rules
        self.process_id = process_id
        self.contracts = installation.contracts
        self.changed: dict[LineKey, Line] = {}
        self.log: list[str] = []
        self.followed: list[Followed] = []
        self.follow_ups: list[Call] = []
        self.full_generation: bool | None = None
        self.reason = ""

    def refuse(self, why: str) -> NoReturn:
        """Ends the process with a sentence; nothing has been changed."""
        name = type(self.call).__name__
        contract = f", contract {self.call.contract}" if self.call.contract else ""
        raise Refused(f"Installation {self.installation.id}{contract}: {name} was refused, {why}. Nothing was changed.")

    def tell(self, what: str) -> None:
        """Puts a line into the log."""
        self.log.append(f"{self.process_id}: {what}")

    def line(self, key: LineKey) -> Line:
        """A line as it is now."""
        line = self.changed.get(key)
        return self.installation.lines.get(key, NO_LINE) if line is None else line

    def lines(self) -> Iterator[tuple[LineKey, Operand, Line]]:
        """The lines of the installation as they were, with their operands. Refuses where an operand is unknown."""
        operands, changed = self.rules.operands, self.changed
        for key, line in self.installation.lines.items():
            operand = operands.get(key[0])
            if operand is None:
                self.refuse(f"its facts name the unknown operand {key[0]}")
            yield key, operand, changed.get(key, line)

    def contract(self, contract_id: str) -> Contract:
        """The contract, which must exist and be active."""
        contract = self.contracts.get(contract_id)
        if contract is None:
            self.refuse("there is no such contract on the installation")
        if contract.status is not ContractStatus.ACTIVE:
            self.refuse("the contract's start was cancelled")
        return contract

    def others(self, contract_id: str) -> frozenset[str]:
        """The other contracts of the installation, whose facts are none of this one's business."""
        return frozenset(self.contracts) - {contract_id}

    def set_contract(self, contract: Contract) -> None:
        """The contract as it is from now on."""
        self.contracts = {**self.contracts, contract.id: contract}

    def require_free(self, contract_id: str, first: date, last: date) -> None:
        """No other active contract holds on any day from first to last."""
        for other in self.contracts.values():
            if (
                other.id != contract_id
                and other.status is ContractStatus.ACTIVE
                and other.start <= last
                and first <= other.end
            ):
                self.refuse(f"contract {other.id} holds there from {other.start} to {other.end}")

    def template(self, product: str, day: date) -> Template:
        """The version of the product's template that is valid on a day."""
        for version in self.rules.templates.get(product, ()):
            if version.valid_from <= day <= version.valid_to:
                return version
        why = self.rules.unusable.get(product, f"product {product} has no template that is valid on {day}")
        return self.refuse(why.rstrip("."))

    def filled(self, contract: Contract, day: date, container: Container | None, *, rgen: bool = False) -> Container:
        """The container after the extensions have filled it."""
        extensions = self.rules.extensions
        fillers = extensions.fill_container_rgen if rgen else extensions.fill_container
        filled: Container = {} if container is None else container
        for filler in fillers:
            filled = self._filled_by(filler, Occasion(self.installation.id, contract, self.call, day), filled)
        return filled

    def follow(self, point: str, contract: Contract, old: date, new: date) -> None:
        """Tells the extensions that a date was changed, and keeps what they ask for."""
        self.followed.append(Followed(point, contract.id, old, new))
        extensions = self.rules.extensions
        asked = extensions.move_out_date_changed if point == MOVE_OUT_DATE_CHANGED else extensions.move_in_date_changed
        for follow_up in asked:
            self.follow_ups += self._followed_by(
                follow_up, Occasion(self.installation.id, contract, self.call, new), old
            )

    def _filled_by(self, filler: Filler, occasion: Occasion, container: Container) -> Container:
        try:
            return filler(occasion, container)
        except Exception as error:  # somebody else's code: whatever it raises, the call is refused with it
            self.refuse(f"an extension that fills the container failed ({type(error).__name__}: {error})")

    def _followed_by(self, follow_up: FollowUp, occasion: Occasion, old: date) -> list[Call]:
        try:
            return list(follow_up(occasion, old, occasion.day))
        except Exception as error:  # somebody else's code, as above
            self.refuse(f"an extension that follows a changed date failed ({type(error).__name__}: {error})")

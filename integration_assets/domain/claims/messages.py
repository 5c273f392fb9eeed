"""The messages of the debt authority as values: DMIFordringAsynkronTilbagekald and what MFAktionStatusOpdater carries.

Cardinalities are those of the service description: 1{ } is at least one, 0{ } any number, ( ) may be missing. A value
that breaks them is not made: InvalidMessage says in a sentence what is wrong, and never repeats a personal number.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

from integration_assets.domain.claims.numbering import LONGEST_TRANSACTION_ID, ActionContent
from integration_assets.domain.claims.reasons import Art
from integration_assets.domain.people.numbers import Cpr

RECALL: Final = "TILBAGEKALD"
"""The action code (MFAktionKode) of a recall."""

LONGEST_INCOMING_ID: Final = 255
_LARGEST_ID: Final = 10**18 - 1
_MOST_WHOLE_DIGITS: Final = 11
_LARGEST_ERROR_NUMBER: Final = 10**6 - 1
_SE_NUMBER = re.compile(r"[0-9]{8}")
_CODE = re.compile(r"[A-Z]{4}")
_CENT: Final = Decimal("0.01")
_PLAUSIBLE: Final = 1900
_INFINITE: Final = 9999


class InvalidMessage(ValueError):
    """A message breaks the rules of the service; the text says which rule and where."""


class ActionStatusCode(StrEnum):
    """How far the authority is with an action (MFAktionStatusKode)."""

    MODTAGET = "MODTAGET"
    SAGSBEHANDL = "SAGSBEHANDL"
    UDFOERT = "UDFOERT"
    AFVIST = "AFVIST"

    @property
    def is_final(self) -> bool:
        """Whether nothing more comes after it."""
        return self in (ActionStatusCode.UDFOERT, ActionStatusCode.AFVIST)


@dataclass(frozen=True, slots=True)
class Amount:
    """A sum in a currency (BeløbStruktur), at most 13 digits, two of them behind the point."""

    currency: str
    value: Decimal

    def __post_init__(self) -> None:
        _need(bool(self.currency), "An amount has a currency.")
        # By its exponent: arithmetic on a number like 1E+999999999 raises what nobody expects.
        _need(
            self.value.is_finite() and self.value.adjusted() < _MOST_WHOLE_DIGITS,
            "An amount has at most eleven digits before the point.",
        )
        _need(self.value == self.value.quantize(_CENT), f"The amount {self.value} has more than two decimals.")


@dataclass(frozen=True, slots=True)
class RecallRequest:
    """What is sent (DMIFordringAsynkronTilbagekald_I).

    `transaction_id` is at most 100 characters, `creditor_system` the SE number of eight digits. Actions are all of
    `creditor_id` and have different ids.
    """

    transaction_id: str
    transaction_time: datetime
    delivery_id: int
    creditor_system: str
    creditor_id: int
    actions: tuple[ActionContent, ...]

    def __post_init__(self) -> None:
        length = len(self.transaction_id)
        _need(
            0 < length <= LONGEST_TRANSACTION_ID,
            f"A transaction id has 1 to {LONGEST_TRANSACTION_ID} characters, this one {length}.",
        )
        _need(self.transaction_time.tzinfo is not None, "The time of a transaction names its zone.")
        _id(self.delivery_id, "MFLeveranceID")
        _id(self.creditor_id, "DMIFordringHaverID")
        _se_number(self.creditor_system)
        _need(bool(self.actions), "A delivery has at least one action.")
        for action in self.actions:
            _id(action.action_id, "MFAktionID")
            _id(action.claim_id, "DMIFordringID")
            _need(bool(_CODE.fullmatch(action.reason)), f"The reason {action.reason!r} is no code of four capitals.")
        ids = {action.action_id for action in self.actions}
        _need(len(ids) == len(self.actions), f"Delivery {self.delivery_id} names an action twice.")


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why an action was rejected (MFAktionAfvistStruktur); parameters as (name, value) in the order given."""

    number: int
    text: str | None = None
    parameters: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        _error_number(self.number, "MFAktionAfvistNummer")


@dataclass(frozen=True, slots=True)
class InterestClaim:
    """Collection interest that follows a recalled claim (DMIInddrivelseRenteFordringStruktur)."""

    claim_id: int
    type_code: str
    amount: Amount
    effective_from: date | None = None

    def __post_init__(self) -> None:
        _id(self.claim_id, "DMIFordringID of interest")


@dataclass(frozen=True, slots=True, repr=False)
class Debtor:
    """A customer of the authority (KundeStruktur). The owner's personal number stands in `owner` and nowhere else."""

    number: str
    kind: str
    company_number: str | None = None
    name: str | None = None
    business_form: str | None = None
    owner: Cpr | None = None

    def __post_init__(self) -> None:
        _need(bool(self.number and self.kind), "A debtor has KundeNummer and KundeType.")
        if self.company_number is not None:
            _se_number(self.company_number, "VirksomhedCVRNummer")

    def __repr__(self) -> str:
        return f"Debtor(kind={self.kind!r})"  # the number of a person here may be the personal one


@dataclass(frozen=True, slots=True)
class Liability:
    """Who is liable for a claim (hæftelse), until when, and for how much."""

    debtor: Debtor
    limitation_date: date
    amount: Amount


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one claim by a recall (DMITilbagekaldFordringKvittering)."""

    claim_id: int
    main_claim_id: int
    art: Art
    type_code: str
    creditor_ref: str
    amount: Amount
    liabilities: tuple[Liability, ...]
    effective_from: date | None = None
    interest_claims: tuple[InterestClaim, ...] = ()

    def __post_init__(self) -> None:
        _id(self.claim_id, "DMIFordringID of a receipt")
        _id(self.main_claim_id, "DMIFordringHovedFordringID")
        _need(bool(self.liabilities), f"The receipt of claim {self.claim_id} names nobody who is liable.")

    @property
    def is_main(self) -> bool:
        """Whether the claim is a main claim."""
        return self.claim_id == self.main_claim_id


@dataclass(frozen=True, slots=True)
class ActionStatus:
    """How far an action is (FordringAktionStatus): `changed_at` by the authority's clock, `received_at` the claim's."""

    claim_id: int
    action_id: int
    action_code: str
    creditor_id: int
    code: ActionStatusCode
    changed_at: datetime
    creditor_ref: str | None = None
    received_at: datetime | None = None
    rejections: tuple[Rejection, ...] = ()
    receipts: tuple[Receipt, ...] = ()

    def __post_init__(self) -> None:
        _id(self.claim_id, "DMIFordringID")
        _id(self.action_id, "MFAktionID")
        _id(self.creditor_id, "DMIFordringHaverID")
        _need(self.changed_at.tzinfo is not None, "The time of a status names its zone.")
        _need(_PLAUSIBLE <= self.changed_at.year < _INFINITE, f"No status is of the year {self.changed_at.year}.")

    @property
    def lacks(self) -> str | None:
        """What a final status should carry and does not, in a sentence; None where nothing is missing."""
        if self.code is ActionStatusCode.UDFOERT and not self.receipts:
            return f"Action {self.action_id} is UDFOERT without a receipt; the status was not applied."
        if self.code is ActionStatusCode.AFVIST and not self.rejections:
            return f"Action {self.action_id} is AFVIST without a reason; the status was not applied."
        return None


@dataclass(frozen=True, slots=True)
class ClaimInfo:
    """The statuses of one delivery (FordringInfo)."""

    creditor_system: str
    delivery_id: int
    statuses: tuple[ActionStatus, ...]

    def __post_init__(self) -> None:
        _se_number(self.creditor_system)
        _id(self.delivery_id, "MFLeveranceID")
        _need(bool(self.statuses), f"Delivery {self.delivery_id} is told of without any action.")


@dataclass(frozen=True, slots=True)
class Fault:
    """An error (Fejl) of a synchronous answer."""

    number: int
    text: str | None = None

    def __post_init__(self) -> None:
        _error_number(self.number, "The number of an error")


@dataclass(frozen=True, slots=True)
class Answer:
    """The synchronous answer (DMIFordringAsynkronTilbagekald_O): technical errors only, else what was received."""

    transaction_id: str | None
    faults: tuple[Fault, ...] = ()
    notices: tuple[Fault, ...] = ()
    info: ClaimInfo | None = None


@dataclass(frozen=True, slots=True)
class StatusUpdate:
    """What the authority tells of actions later (MFAktionStatusOpdater_I)."""

    transaction_id: str
    infos: tuple[ClaimInfo, ...]

    def __post_init__(self) -> None:
        length = len(self.transaction_id)
        _need(0 < length <= LONGEST_INCOMING_ID, f"A transaction id has 1 to {LONGEST_INCOMING_ID} characters.")
        _need(bool(self.infos), "A status update tells of at least one delivery.")

    def statuses(self) -> Sequence[tuple[ClaimInfo, ActionStatus]]:
        """Each status with the delivery that it is told under, in order."""
        return [(info, status) for info in self.infos for status in info.statuses]


def _need(condition: bool, sentence: str) -> None:
    if not condition:
        raise InvalidMessage(sentence)


def _id(value: int, name: str) -> None:
    _need(0 <= value <= _LARGEST_ID, f"{name} {value} is no number of at most 18 digits.")


def _error_number(value: int, name: str) -> None:
    _need(abs(value) <= _LARGEST_ERROR_NUMBER, f"{name} has more than six digits.")


def _se_number(value: str, name: str = "VirksomhedSENummer") -> None:
    _need(bool(_SE_NUMBER.fullmatch(value)), f"{name} is eight digits.")

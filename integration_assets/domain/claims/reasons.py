"""Reasons of a recall (årsagskoder) and what each of them does to claim and interest.

The service description names SMTI and TMIP only; the others follow the authority's public guidance (DMI, PSRM) and the
rules of NyMF, its claim reception. The reason decides the effective date, not the date that the caller sends.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple


class Art(StrEnum):
    """Kind of a claim (fordringsart)."""

    INDR = "INDR"
    """For collection (inddrivelse)."""
    MODR = "MODR"
    """For set-off (modregning) only."""


class Effective(StrEnum):
    """From which day on the claim counts as recalled."""

    CLAIM_RECEIVED = "CLAIM_RECEIVED"
    """The day on which the authority received the claim: as if it had never been sent."""
    PROCESSING = "PROCESSING"
    """The day on which the authority processes the recall."""
    CALLER = "CALLER"
    """The day that the caller names."""


class Then(StrEnum):
    """Which recall of the same claim may follow."""

    NOTHING = "NOTHING"
    FEJL_ONLY = "FEJL_ONLY"


class Reason(NamedTuple):
    """A reason code.

    `balance` (ORIGINAL or REST) is what the recall takes back, `coverages` what becomes of payments that covered the
    claim, `interest` of collection interest, `resubmit` how the claim may be handed over again. `arts` are the kinds
    of claims that it is for, `state_refund` whether also where the state refunds them, `in_dmi` whether DMI takes it;
    `internal` is the authority's own name for it.
    """

    code: str
    meaning: str
    effective: Effective
    balance: str
    coverages: str
    interest: str
    then: Then
    resubmit: str
    arts: frozenset[Art] = frozenset({Art.INDR})
    state_refund: bool = False
    in_dmi: bool = True
    internal: str | None = None

    @property
    def is_irreversible(self) -> bool:
        """Whether nothing brings the claim back but a new one."""
        return self.resubmit == "NEW_CLAIM_ONLY"


_KEPT = ("REST", "KEPT", "TO_EFFECTIVE_DATE", Then.FEJL_ONLY, "GENINDSEND")

_REASONS: Final = (
    Reason(
        *("FEJL", "wrong claim, should not have been sent", Effective.CLAIM_RECEIVED),
        *("ORIGINAL", "REVERSED", "ZEROED", Then.NOTHING, "NEW_CLAIM_ONLY"),
        arts=frozenset(Art),
        state_refund=True,
    ),
    Reason("BORD", "payment arrangement with the creditor", Effective.PROCESSING, *_KEPT),
    Reason("HENS", "deferral", Effective.PROCESSING, *_KEPT),
    Reason("KLAG", "complaint with suspensive effect", Effective.PROCESSING, *_KEPT, state_refund=True),
    Reason(
        *("HAFT", "a debtor is to be added", Effective.PROCESSING),
        *("REST", "KEPT", "RETURNED", Then.FEJL_ONLY, "GENINDSEND"),
    ),
    Reason(
        *("BORT", "lapse of a coercive fine", Effective.CALLER),
        *("REST", "KEPT_BEFORE_DATE", "TO_EFFECTIVE_DATE", Then.FEJL_ONLY, "NO"),
        in_dmi=False,
    ),
    Reason(
        *("SMTI", "full recall of the rest of a set-off claim", Effective.PROCESSING),
        *("REST", "KEPT", "TO_EFFECTIVE_DATE", Then.NOTHING, "NO"),
        arts=frozenset({Art.MODR}),
        internal="TMIP",
    ),
)

REASONS: Final[Mapping[str, Reason]] = MappingProxyType({reason.code: reason for reason in _REASONS})
"""The reasons by code."""

NO_RECALL: Final[Mapping[str, str]] = MappingProxyType(
    {
        "FAST": "is a reason of write-downs",
        "INDB": "is a reason of write-downs",
        "REGU": "is a reason of write-downs",
        "AFTL": "is a reason for which the authority returns claims",
        "ANDN": "is a reason for which the authority returns claims",
        "TMIP": "is the authority's own name for SMTI",
    }
)
"""Codes that are known and still no reason of a recall, and why."""

"""The claims that the debt authority of the sandbox collects: records, how they are kept, what became of them.

Belongs here: a claim with its debtors, its payments and its recall, and the store collections of the authority. Which
recalls are allowed and what they amount to, `rules` knows.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from integration_assets.sandbox.store import Store

CLAIMS = "dmi:claims"
FAMILIES = "dmi:families"
"""Ids of a main claim's sub-claims, by its id."""
RECALLS = "dmi:recalls"

Json = dict[str, Any]


@dataclass(frozen=True)
class Debtor:
    """Who owes a claim (hæftelse), each for the whole of it. `customer` is the authority's own number (KundeNummer).

    `owner` is the personal number of the owner of a one-man business; nothing but a status message shows it.
    """

    customer: str
    kind: str
    limitation: date
    cvr: str | None = None
    name: str | None = None
    form: str | None = None
    owner: str | None = None


@dataclass(frozen=True)
class Payment:
    """An amount that the authority collected for a claim (dækning)."""

    day: date
    amount: Decimal


@dataclass(frozen=True)
class Recall:
    """That a claim was recalled: by which action, for which reason (`internal` is the authority's word for it)."""

    action: int
    reason: str
    internal: str
    effective: date
    amount: Decimal
    decided_at: datetime


@dataclass(frozen=True)
class Claim:
    """A claim (fordring). A main claim is its own `main`. `interest` is the id of its collection-interest claim.

    `reference` is the creditor's own (DMIFordringFordringHaverRef), `state_refund` whether the state refunds it.
    Amounts are in `currency`; `received_at` is Danish local time.
    """

    id: int
    main: int
    art: str
    type: str
    creditor: int
    reference: str
    amount: Decimal
    received_at: datetime
    debtors: tuple[Debtor, ...]
    payments: tuple[Payment, ...] = ()
    interest: int | None = None
    state_refund: bool = False
    currency: str = "DKK"
    recall: Recall | None = None

    @property
    def rest(self) -> Decimal:
        """What is still owed of the principal."""
        return self.amount - sum((payment.amount for payment in self.payments), Decimal(0))

    def recalled(self, recall: Recall, *, reverse_payments: bool) -> "Claim":
        """The claim after a recall."""
        return replace(self, recall=recall, payments=() if reverse_payments else self.payments)


class Ledger:
    """All claims, and a list of all recalls that were ever posted (a claim may be recalled as wrong after a deferral).

    Both are kept in the store, which tests and `verify_claims` read.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def claim(self, number: int) -> Claim | None:
        """A claim by its id (DMIFordringID)."""
        found = self._store.load(CLAIMS).get(str(number))
        return None if found is None else claim_of(found)

    def subordinate(self, main: int) -> list[Claim]:
        """The sub-claims of a main claim, by id."""
        found = (self.claim(number) for number in self._store.load(FAMILIES).get(str(main), ()))
        return [claim for claim in found if claim is not None]

    def claims(self) -> list[Claim]:
        """All claims, by id."""
        return sorted(map(claim_of, list(self._store.load(CLAIMS).values())), key=lambda claim: claim.id)

    def write(self, claims: Iterable[Claim]) -> None:
        """Keep claims, new or changed."""
        claims = list(claims)
        families: dict[str, list[int]] = {}
        for claim in claims:
            main = str(claim.main)
            known: list[int] = families[main] if main in families else self._store.load(FAMILIES).get(main, [])
            if claim.id != claim.main and claim.id not in known:
                families[main] = sorted([*known, claim.id])
        self._store.put_many(FAMILIES, families)
        self._store.put_many(CLAIMS, {str(claim.id): json_of(claim) for claim in claims})

    def clear(self) -> None:
        """Forget all claims."""
        self._store.clear(CLAIMS, FAMILIES)

    def post(self, claims: Iterable[Claim]) -> None:
        """Keep claims that were recalled just now, and post their recalls, numbered `n` in their order."""
        claims = list(claims)
        self.write(claims)
        first = len(self._store.load(RECALLS)) + 1
        posted = {
            f"{claim.id}/{claim.recall.action}": {"n": n, "claim": claim.id, **_recall_json(claim.recall)}
            for n, claim in enumerate(claims, start=first)
            if claim.recall is not None
        }
        self._store.put_many(RECALLS, posted)


def json_of(claim: Claim) -> Json:
    """A claim as the store keeps it."""
    return {
        **vars(claim),
        "amount": str(claim.amount),
        "received_at": claim.received_at.isoformat(),
        "debtors": [{**vars(debtor), "limitation": debtor.limitation.isoformat()} for debtor in claim.debtors],
        "payments": [{"day": payment.day.isoformat(), "amount": str(payment.amount)} for payment in claim.payments],
        "recall": None if claim.recall is None else _recall_json(claim.recall),
    }


def claim_of(kept: Json) -> Claim:
    """A claim from what the store keeps."""
    recall = kept["recall"]
    return Claim(
        **{
            **kept,
            "amount": Decimal(kept["amount"]),
            "received_at": datetime.fromisoformat(kept["received_at"]),
            "debtors": tuple(
                Debtor(**{**debtor, "limitation": date.fromisoformat(debtor["limitation"])})
                for debtor in kept["debtors"]
            ),
            "payments": tuple(
                Payment(date.fromisoformat(payment["day"]), Decimal(payment["amount"])) for payment in kept["payments"]
            ),
            "recall": None if recall is None else _recall_of(recall),
        }
    )


def _recall_json(recall: Recall) -> Json:
    return {
        **vars(recall),
        "effective": recall.effective.isoformat(),
        "amount": str(recall.amount),
        "decided_at": recall.decided_at.isoformat(),
    }


def _recall_of(kept: Json) -> Recall:
    return Recall(
        **{
            **kept,
            "effective": date.fromisoformat(kept["effective"]),
            "amount": Decimal(kept["amount"]),
            "decided_at": datetime.fromisoformat(kept["decided_at"]),
        }
    )

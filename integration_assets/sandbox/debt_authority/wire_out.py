"""What the debt authority writes: the answers to a delivery, and the message MFAktionStatusOpdater_I.

Belongs here: names and order of the elements. What is in them, the caller says.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from integration_assets.sandbox.debt_authority.ledger import Claim, Debtor
from integration_assets.sandbox.debt_authority.rules import Receipt, Rejected
from integration_assets.sandbox.debt_authority.wire_in import CLAIM_NS, CONTEXT_NS, LONGEST_TRANSACTION_ID, SERVICE
from integration_assets.sandbox.soap import Element, leaf, node

STATUS_SERVICE: Final = "MFAktionStatusOpdater"

# No public source names the type of the authority's own interest claims.
INTEREST_TYPE: Final = "INDDRIVELSESRENTE"


@dataclass(frozen=True)
class Status:
    """A status (FordringAktionStatus) of an action: code, since when, and what was decided.

    `claim_id` is what the action named; `claim` is None where the authority has no such claim.
    """

    claim_id: int
    action: int
    creditor: int
    code: str
    changed_at: datetime
    claim: Claim | None = None
    rejections: tuple[Rejected, ...] = ()
    receipts: tuple[Receipt, ...] = ()


@dataclass(frozen=True)
class Info:
    """The statuses of one delivery (FordringInfo)."""

    creditor_system: str
    leverance: int
    statuses: tuple[Status, ...]


def received(transaction: str, at: datetime, info: Info) -> Element:
    """The answer to a delivery that was taken."""
    return _answer(transaction, at, node(CONTEXT_NS, "SvarReaktion"), _info(info))


def refused(transaction: str, at: datetime, number: int, text: str) -> Element:
    """The answer to a delivery that was refused."""
    error = node(CONTEXT_NS, "Fejl", leaf(CONTEXT_NS, "FejlNummer", number), leaf(CONTEXT_NS, "FejlTekst", text))
    return _answer(transaction, at, node(CONTEXT_NS, "SvarReaktion", error), None)


def status_message(transaction: str, at: datetime, infos: Iterable[Info]) -> Element:
    """A message that tells a creditor of statuses."""
    header = node(
        CONTEXT_NS,
        "HovedOplysninger",
        leaf(CONTEXT_NS, "TransaktionsID", transaction),
        leaf(CONTEXT_NS, "TransaktionsTid", _moment(at)),
    )
    return _node(f"{STATUS_SERVICE}_I", _node("Kontekst", header), *map(_info, infos))


def _answer(transaction: str, at: datetime, reaction: Element, info: Element | None) -> Element:
    header = node(
        CONTEXT_NS,
        "HovedOplysningerSvar",
        leaf(CONTEXT_NS, "TransaktionsID", transaction[:LONGEST_TRANSACTION_ID]),
        leaf(CONTEXT_NS, "ServiceID", SERVICE),
        leaf(CONTEXT_NS, "TransaktionsTid", _moment(at)),
        reaction,
    )
    return _node(f"{SERVICE}_O", _node("Kontekst", header), info)


def _info(info: Info) -> Element:
    return _node(
        "FordringInfo",
        _node("FordringhaverSystemIDStruktur", _leaf("VirksomhedSENummer", info.creditor_system)),
        _leaf("MFLeveranceID", info.leverance),
        _node("FordringAktionStatusListe", *map(_status, info.statuses)),
    )


def _status(status: Status) -> Element:
    claim = status.claim
    return _node(
        "FordringAktionStatus",
        _leaf("DMIFordringID", status.claim_id),
        _leaf("DMIFordringFordringHaverRef", claim.reference) if claim else None,
        _leaf("MFAktionID", status.action),
        _leaf("MFAktionKode", "TILBAGEKALD"),
        _leaf("DMIFordringHaverID", status.creditor),
        _leaf("MFAktionStatusKode", status.code),
        _leaf("MFAktionStatusÆndretDato", _moment(status.changed_at)),
        _leaf("DMIFordringModtagelseDato", _moment(claim.received_at)) if claim else None,
        _node("AfvistÅrsagListe", *map(_rejection, status.rejections)),
        _node("DMITilbagekaldFordringKvitteringListe", *map(_receipt, status.receipts)),
    )


def _rejection(rejected: Rejected) -> Element:
    structure = _node(
        "MFAktionAfvistStruktur",
        _leaf("MFAktionAfvistNummer", rejected.number),
        _leaf("MFAktionAfvistTekst", rejected.text),
        *(_leaf("MFAktionAfvistParameter", value, navn=name) for name, value in rejected.parameters),
    )
    return _node("AfvistÅrsag", structure)


def _receipt(receipt: Receipt) -> Element:
    claim = receipt.claim
    recall = claim.recall
    if recall is None:
        raise ValueError(f"claim {claim.id} was not recalled: there is no receipt for it")
    return _node(
        "DMITilbagekaldFordringKvittering",
        _leaf("DMIFordringID", claim.id),
        _leaf("DMIFordringHovedFordringID", claim.main),
        _leaf("DMIFordringFordringArtKode", claim.art),
        _leaf("DMIFordringTypeKode", claim.type),
        _leaf("DMIFordringFordringHaverRef", claim.reference),
        _amount(claim.currency, recall.amount),
        _leaf("DMIFordringVirkningFra", recall.effective.isoformat()),
        _node("DMIInddrivelseRenteFordringListe", *_interest(claim, receipt.interest)),
        _node(
            "DMITilbagekaldFordringHæftelseListe",
            *(_liability(debtor, claim.currency, recall.amount) for debtor in claim.debtors),
        ),
    )


def _interest(claim: Claim, amount: Decimal | None) -> Sequence[Element]:
    if amount is None or claim.interest is None:
        return ()
    structure = _node(
        "DMIInddrivelseRenteFordringStruktur",
        _leaf("DMIFordringID", claim.interest),
        _leaf("DMIFordringTypeKode", INTEREST_TYPE),
        _amount(claim.currency, amount),
    )
    return (structure,)


def _liability(debtor: Debtor, currency: str, amount: Decimal) -> Element:
    owner = _node("EnkeltmandVirksomhedEjer", _leaf("PersonCPRNummer", debtor.owner)) if debtor.owner else None
    customer = _node(
        "KundeStruktur",
        _leaf("KundeNummer", debtor.customer),
        _leaf("KundeType", debtor.kind),
        _leaf("VirksomhedCVRNummer", debtor.cvr),
        _leaf("KundeNavn", debtor.name),
        _leaf("DriftFormKode", debtor.form),
        owner,
    )
    owed = _node("HæftelseBeløbStruktur", _leaf("ValutaKode", currency), _leaf("HæftelseBeløb", _plain(amount)))
    day = _leaf("HæftelseForældelseDato", debtor.limitation.isoformat())
    return _node("DMITilbagekaldFordringHæftelse", customer, day, owed)


def _amount(currency: str, amount: Decimal) -> Element:
    return _node("FordringBeløbStruktur", _leaf("ValutaKode", currency), _leaf("DMIFordringBeløb", _plain(amount)))


def _plain(amount: Decimal) -> str:
    return f"{amount:.2f}"


def _moment(at: datetime) -> str:
    return at.isoformat(timespec="seconds")


def _leaf(name: str, value: object | None, **attributes: str) -> Element | None:
    return leaf(CLAIM_NS, name, value, **attributes)


def _node(name: str, *parts: Element | None) -> Element:
    return node(CLAIM_NS, name, *parts)

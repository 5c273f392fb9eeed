"""What creditors send: the message DMIFordringAsynkronTilbagekald_I, read element by element.

Belongs here: its names, order and forms, and which mistakes are noticed at once. Without a header there is nobody to
answer: SoapFault. Other mistakes are answered with an error number: `Refused`.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue] - lxml ships no types

from integration_assets.sandbox.debt_authority.rules import Asked
from integration_assets.sandbox.soap import Element, SoapFault, children, content_of

CLAIM_NS: Final = "http://skat.dk/begrebsmodel/2009/01/15/"
CONTEXT_NS: Final = "http://skat.dk/begrebsmodel/xml/schemas/kontekst/2007/05/31/"
SERVICE: Final = "DMIFordringAsynkronTilbagekald"

INVALID: Final = 915
TOO_LONG: Final = 993
LONGEST_TRANSACTION_ID: Final = 255

_NUMBER = re.compile(r"[0-9]{1,18}")
_SE_NUMBER = re.compile(r"[0-9]{8}")
_REASON = re.compile(r"[A-Z]{4}")


class Refused(Exception):
    """A delivery that is refused at once, with the number of the error and a text without anything of the content."""

    def __init__(self, number: int, text: str) -> None:
        super().__init__(text)
        self.number = number
        self.text = text


@dataclass(frozen=True)
class Delivery:
    """A delivery (leverance) of recalls. `digest` is a hash of all but the header, equal for equal content."""

    transaction: str
    leverance: int
    creditor_system: str
    actions: tuple[Asked, ...]
    digest: str


def transaction_of(text: bytes) -> tuple[str, Element]:
    """The transaction id of a message, and the message. SoapFault: it is no message of this service."""
    message = content_of(text)
    if message.tag != _name(f"{SERVICE}_I"):
        raise SoapFault("the operation is unknown here", blame="Client")
    path = f"{_name('Kontekst')}/{{{CONTEXT_NS}}}HovedOplysninger"
    header = message.find(path)
    parts = [] if header is None else children(header)
    if [part.tag for part in parts] != [f"{{{CONTEXT_NS}}}{name}" for name in ("TransaktionsID", "TransaktionsTid")]:
        raise SoapFault("the message has no HovedOplysninger with TransaktionsID and TransaktionsTid", blame="Client")
    transaction = parts[0].text or ""
    if not transaction or not _is(datetime, parts[1].text):
        raise SoapFault("TransaktionsID or TransaktionsTid has no value", blame="Client")
    return transaction, message


def delivery_of(transaction: str, message: Element) -> Delivery:
    """The delivery in a message. Raises Refused for a transaction id that is too long and for invalid content."""
    if len(transaction) > LONGEST_TRANSACTION_ID:
        raise Refused(TOO_LONG, "Feltlængde på TransaktionsID > 255 karakterer")
    _header, leverance, system, listed = _parts(
        message, "Kontekst", "MFLeveranceID", "FordringhaverSystemIDStruktur", "FordringAktionListe"
    )
    (se_number,) = _parts(system, "VirksomhedSENummer")
    actions = tuple(_action(each) for each in _all(listed, "FordringAktion"))
    if len({action.action for action in actions}) != len(actions):
        raise Refused(INVALID, "MFAktionID: den samme aktion to gange i leverancen")
    content = (_text(leverance, _NUMBER), _text(se_number, _SE_NUMBER), actions)
    # The caller's day plays a part in no reason that the authority allows, but a repetition must not differ in it.
    days = [each.findtext(_name("DMIFordringVirkningFra")) for each in children(listed)]
    digest = hashlib.sha256(repr((content, days)).encode()).hexdigest()
    return Delivery(transaction, int(content[0]), content[1], actions, digest)


def _action(element: Element) -> Asked:
    action, code, creditor, recall, day = _parts(
        element,
        *("MFAktionID", "MFAktionKode", "DMIFordringHaverID", "DMITilbagekaldFordringStruktur"),
        "DMIFordringVirkningFra",
    )
    if code.text != "TILBAGEKALD":
        raise Refused(INVALID, "MFAktionKode er ikke TILBAGEKALD")
    if not _is(date, day.text):
        raise Refused(INVALID, "DMIFordringVirkningFra er ikke en dato")
    claim, structure = _parts(recall, "DMIFordringID", "HovedFordringTilbagekaldÅrsagStruktur")
    reason = _parts(structure, "HovedFordringTilbagekaldÅrsagKode", optional="HovedFordringTilbagekaldÅrsagTekst")[0]
    return Asked(
        action=int(_text(action, _NUMBER)),
        claim=int(_text(claim, _NUMBER)),
        creditor=int(_text(creditor, _NUMBER)),
        reason=_text(reason, _REASON),
    )


def _parts(element: Element, *names: str, optional: str | None = None) -> list[Element]:
    """The children of an element, which must have these names in this order; the optional one may follow."""
    found = children(element)
    tags = [part.tag for part in found]
    wanted = [_name(name) for name in names]
    if tags not in (wanted, [*wanted, _name(optional or names[-1])] if optional else wanted):
        raise Refused(INVALID, f"{etree.QName(element).localname}: forkert struktur")
    return found


def _all(element: Element, name: str) -> list[Element]:
    """The children of a list, at least one, which must all have this name."""
    found = children(element)
    if not found or any(part.tag != _name(name) for part in found):
        raise Refused(INVALID, f"{etree.QName(element).localname}: forkert struktur")
    return found


def _text(element: Element, form: re.Pattern[str]) -> str:
    text = element.text or ""
    if form.fullmatch(text) is None or children(element):
        raise Refused(INVALID, f"{etree.QName(element).localname}: ugyldig værdi")
    return text


def _is(kind: Any, text: str | None) -> bool:
    try:
        kind.fromisoformat(text or "")
    except ValueError:
        return False
    return True


def _name(name: str) -> str:
    return f"{{{CLAIM_NS}}}{name}"

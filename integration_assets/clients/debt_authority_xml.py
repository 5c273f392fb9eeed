"""The debt authority's messages as XML: written in the order of the service description, read by names.

Belongs here: elements of DMIFordringAsynkronTilbagekald and MFAktionStatusOpdater, SOAP 1.1 around them, the two known
forms of the error header. What a message may hold is checked by `domain.claims.messages`.

Promises: no entities, document types or network when reading; a personal number is read from `PersonCPRNummer` only,
and no error or text of the other side shows one. Times without a zone are Danish.
"""

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Final
from zoneinfo import ZoneInfo

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue] - lxml has no types

from integration_assets.clients.http import mask
from integration_assets.clients.soap_xml import Element, child, local, parse, text
from integration_assets.domain.claims.messages import (
    RECALL,
    ActionStatus,
    ActionStatusCode,
    Amount,
    Answer,
    ClaimInfo,
    Debtor,
    Fault,
    InterestClaim,
    InvalidMessage,
    Liability,
    RecallRequest,
    Receipt,
    Rejection,
    StatusUpdate,
)
from integration_assets.domain.claims.reasons import Art
from integration_assets.domain.people.numbers import Cpr

RECALL_SERVICE: Final = "DMIFordringAsynkronTilbagekald"
STATUS_SERVICE: Final = "MFAktionStatusOpdater"

_ENVELOPE: Final = "http://schemas.xmlsoap.org/soap/envelope/"
_TERMS: Final = "http://skat.dk/begrebsmodel/2009/01/15/"
_CONTEXT: Final = "http://skat.dk/begrebsmodel/xml/schemas/kontekst/2007/05/31/"
_DANISH_TIME: Final = ZoneInfo("Europe/Copenhagen")
_PLAIN_PARAMETERS: Final = frozenset({"MFAktionID", "DMIFordringEFIFordringID", "ÅrsagKode", "DMITransaktionID"})
"""Parameters of rejections that hold ids and codes; others may hold the number of a person."""


def recall_envelope(request: RecallRequest) -> str:
    """The whole SOAP message of a request as text: what goes over the wire is its UTF-8."""
    root = etree.Element(f"{{{_TERMS}}}{RECALL_SERVICE}_I", nsmap={None: _TERMS, "k": _CONTEXT})
    context = _sub(_sub(root, "Kontekst"), "HovedOplysninger", namespace=_CONTEXT)
    _sub(context, "TransaktionsID", request.transaction_id, _CONTEXT)
    _sub(context, "TransaktionsTid", _danish(request.transaction_time), _CONTEXT)
    _sub(root, "MFLeveranceID", str(request.delivery_id))
    _sub(_sub(root, "FordringhaverSystemIDStruktur"), "VirksomhedSENummer", request.creditor_system)
    listed = _sub(root, "FordringAktionListe")
    for asked in request.actions:
        action = _sub(listed, "FordringAktion")
        _sub(action, "MFAktionID", str(asked.action_id))
        _sub(action, "MFAktionKode", RECALL)
        _sub(action, "DMIFordringHaverID", str(request.creditor_id))
        recall = _sub(action, "DMITilbagekaldFordringStruktur")
        _sub(recall, "DMIFordringID", str(asked.claim_id))
        reason = _sub(recall, "HovedFordringTilbagekaldÅrsagStruktur")
        _sub(reason, "HovedFordringTilbagekaldÅrsagKode", asked.reason)
        if asked.reason_text is not None:
            _sub(reason, "HovedFordringTilbagekaldÅrsagTekst", asked.reason_text)
        _sub(action, "DMIFordringVirkningFra", asked.effective_from.isoformat())
    return _enveloped(root)


def answer_of(content: bytes) -> Answer:
    """The synchronous answer in a SOAP message, a fault that carries error numbers included.

    Raises InvalidMessage for anything else: no SOAP, a fault without a number, an answer that breaks the rules.
    """
    body = _content(content)
    faults = tuple(_errors(body, ("Fejl", "FejlStruktur"), ("FejlNummer", "FejlIdentifikator"), "FejlTekst"))
    if local(body) == "Fault" and not faults:
        said = mask(text(body, "faultstring") or "")
        raise InvalidMessage(f"The answer is a SOAP fault without a number: {said}")
    if local(body) not in ("Fault", f"{RECALL_SERVICE}_O"):
        raise InvalidMessage(f"The answer is {local(body)}, not {RECALL_SERVICE}_O.")
    header = next((part for part in body.iter() if local(part) == "HovedOplysningerSvar"), None)
    if header is None and not faults:
        raise InvalidMessage("The answer has no HovedOplysningerSvar.")
    info = child(body, "FordringInfo")
    return Answer(
        text(header, "TransaktionsID") or text(header, "TransaktionIdentifikator"),
        faults,
        tuple(_errors(body, ("Advis", "AdvisStruktur"), ("AdvisNummer", "AdvisIdentifikator"), "AdvisTekst")),
        None if info is None else _info(info),
    )


def is_client_fault(content: bytes) -> bool:
    """Whether the answer is a SOAP fault that blames our request."""
    try:
        body = _content(content)
    except InvalidMessage:
        return False
    blamed = (text(body, "faultcode") or "").rpartition(":")[2].partition(".")[0]
    return local(body) == "Fault" and blamed in ("Client", "VersionMismatch", "MustUnderstand")


def status_update_of(content: bytes) -> StatusUpdate:
    """The status update in a SOAP message, or as a document of its own (file). Raises InvalidMessage."""
    root = _parsed(content)
    body = _content_of(root) if local(root) == "Envelope" else root
    if local(body) != f"{STATUS_SERVICE}_I":
        raise InvalidMessage(f"The message is {local(body) or 'empty'}, not {STATUS_SERVICE}_I.")
    header = child(body, "Kontekst", "HovedOplysninger")
    transaction = text(header, "TransaktionsID") or text(header, "TransaktionIdentifikator")
    infos = tuple(_info(part) for part in body if local(part) == "FordringInfo")
    return StatusUpdate(transaction or "", infos)


def acknowledgement(transaction_id: str, at: datetime) -> str:
    """Our answer to a status update that was taken in."""
    root = etree.Element(f"{{{_TERMS}}}{STATUS_SERVICE}_O", nsmap={None: _TERMS, "k": _CONTEXT})
    header = _sub(_sub(root, "Kontekst"), "HovedOplysningerSvar", namespace=_CONTEXT)
    _sub(header, "TransaktionsID", transaction_id, _CONTEXT)
    _sub(header, "ServiceID", STATUS_SERVICE, _CONTEXT)
    _sub(header, "TransaktionsTid", _danish(at), _CONTEXT)
    return _enveloped(root)


def soap_fault(blamed: str, sentence: str) -> str:
    """A SOAP 1.1 fault; `blamed` is Client or Server."""
    fault = etree.Element(f"{{{_ENVELOPE}}}Fault", nsmap={"soap": _ENVELOPE})
    etree.SubElement(fault, "faultcode").text = f"soap:{blamed}"
    etree.SubElement(fault, "faultstring").text = mask(sentence)
    return _enveloped(fault)


def _enveloped(content: Element) -> str:
    envelope = etree.Element(f"{{{_ENVELOPE}}}Envelope", nsmap={"soap": _ENVELOPE})
    etree.SubElement(envelope, f"{{{_ENVELOPE}}}Body").append(content)
    return etree.tostring(envelope, encoding="UTF-8", xml_declaration=True).decode()


def _sub(parent: Element, name: str, value: str | None = None, namespace: str = _TERMS) -> Element:
    element = etree.SubElement(parent, f"{{{namespace}}}{name}")
    element.text = value
    return element


def _danish(moment: datetime) -> str:
    return moment.astimezone(_DANISH_TIME).replace(tzinfo=None).isoformat(timespec="seconds")


def _parsed(content: bytes) -> Element:
    try:
        return parse(content)
    except ValueError as failure:
        raise InvalidMessage(f"The message is {failure}.") from None


def _content(content: bytes) -> Element:
    return _content_of(_parsed(content))


def _content_of(envelope: Element) -> Element:
    body = child(envelope, "Body")
    found = next((part for part in body if local(part)), None) if body is not None else None
    if found is None:
        raise InvalidMessage("The message is an empty SOAP envelope, or none.")
    return found


def _errors(root: Element, names: tuple[str, ...], numbers: tuple[str, ...], said: str) -> Iterator[Fault]:
    for part in root.iter():
        if local(part) in names:
            number = next((value for name in numbers if (value := text(part, name))), None)
            try:
                yield Fault(int(number or ""), None if (words := text(part, said)) is None else mask(words))
            except ValueError:
                raise InvalidMessage(f"{local(part)} has no number.") from None


def _info(info: Element) -> ClaimInfo:
    listed = child(info, "FordringAktionStatusListe")
    return ClaimInfo(
        _text(info, "FordringhaverSystemIDStruktur", "VirksomhedSENummer"),
        _number(info, "MFLeveranceID"),
        tuple(_status(part) for part in _all(listed, "FordringAktionStatus")),
    )


def _status(status: Element) -> ActionStatus:
    code = _text(status, "MFAktionStatusKode")
    if code not in ActionStatusCode.__members__:
        raise InvalidMessage(f"MFAktionStatusKode {mask(code)} is not known.")
    rejections = _all(child(status, "AfvistÅrsagListe"), "AfvistÅrsag")
    receipts = _all(child(status, "DMITilbagekaldFordringKvitteringListe"), "DMITilbagekaldFordringKvittering")
    return ActionStatus(
        claim_id=_number(status, "DMIFordringID"),
        action_id=_number(status, "MFAktionID"),
        action_code=_text(status, "MFAktionKode"),
        creditor_id=_number(status, "DMIFordringHaverID"),
        code=ActionStatusCode(code),
        changed_at=_moment(_text(status, "MFAktionStatusÆndretDato")),
        creditor_ref=text(status, "DMIFordringFordringHaverRef"),
        received_at=None if (when := text(status, "DMIFordringModtagelseDato")) is None else _moment(when),
        rejections=tuple(_rejection(part) for part in rejections),
        receipts=tuple(_receipt(part) for part in receipts),
    )


def _rejection(reason: Element) -> Rejection:
    rejected = child(reason, "MFAktionAfvistStruktur")
    words = text(rejected, "MFAktionAfvistTekst")
    parameters = (
        (part.get("navn") or "", (part.text or "").strip()) for part in _all(rejected, "MFAktionAfvistParameter")
    )
    return Rejection(
        _number(rejected, "MFAktionAfvistNummer"),
        None if words is None else mask(words),
        tuple((name, value if name in _PLAIN_PARAMETERS else mask(value)) for name, value in parameters),
    )


def _receipt(receipt: Element) -> Receipt:
    art = _text(receipt, "DMIFordringFordringArtKode")
    if art not in Art.__members__:
        raise InvalidMessage(f"DMIFordringFordringArtKode {mask(art)} is neither INDR nor MODR.")
    interest = child(receipt, "DMIInddrivelseRenteFordringListe")
    liabilities = child(receipt, "DMITilbagekaldFordringHæftelseListe")
    return Receipt(
        claim_id=_number(receipt, "DMIFordringID"),
        main_claim_id=_number(receipt, "DMIFordringHovedFordringID"),
        art=Art(art),
        type_code=_text(receipt, "DMIFordringTypeKode"),
        creditor_ref=_text(receipt, "DMIFordringFordringHaverRef"),
        amount=_amount(child(receipt, "FordringBeløbStruktur"), "DMIFordringBeløb"),
        liabilities=tuple(_liability(part) for part in _all(liabilities, "DMITilbagekaldFordringHæftelse")),
        effective_from=_day(receipt, "DMIFordringVirkningFra"),
        interest_claims=tuple(_interest(part) for part in _all(interest, "DMIInddrivelseRenteFordringStruktur")),
    )


def _interest(interest: Element) -> InterestClaim:
    return InterestClaim(
        _number(interest, "DMIFordringID"),
        _text(interest, "DMIFordringTypeKode"),
        _amount(child(interest, "FordringBeløbStruktur"), "DMIFordringBeløb"),
        _day(interest, "DMIFordringVirkningFra"),
    )


def _liability(liability: Element) -> Liability:
    debtor = child(liability, "KundeStruktur")
    limitation = _day(liability, "HæftelseForældelseDato")
    if limitation is None:
        raise InvalidMessage("HæftelseForældelseDato is missing.")
    owner = text(debtor, "EnkeltmandVirksomhedEjer", "PersonCPRNummer")
    return Liability(
        Debtor(
            number=_text(debtor, "KundeNummer"),
            kind=_text(debtor, "KundeType"),
            company_number=text(debtor, "VirksomhedCVRNummer"),
            name=text(debtor, "KundeNavn"),
            business_form=text(debtor, "DriftFormKode"),
            owner=None if owner is None else _personal(owner),
        ),
        limitation,
        _amount(child(liability, "HæftelseBeløbStruktur"), "HæftelseBeløb"),
    )


def _personal(digits: str) -> Cpr:
    try:
        return Cpr(digits)
    except ValueError as failure:
        raise InvalidMessage(f"PersonCPRNummer: {failure}") from None


def _all(parent: Element | None, name: str) -> list[Element]:
    return [] if parent is None else [part for part in parent if local(part) == name]


def _text(element: Element | None, *path: str) -> str:
    value = text(element, *path)
    if value is None:
        raise InvalidMessage(f"{path[-1]} is missing.")
    return value


def _number(element: Element | None, name: str) -> int:
    value = _text(element, name)
    try:
        return int(value)
    except ValueError:
        raise InvalidMessage(f"{name} is no number.") from None


def _amount(structure: Element | None, name: str) -> Amount:
    try:
        return Amount(_text(structure, "ValutaKode"), Decimal(_text(structure, name)))
    except InvalidOperation:
        raise InvalidMessage(f"{name} is no amount.") from None


def _day(element: Element, name: str) -> date | None:
    value = text(element, name)
    try:
        return None if value is None else date.fromisoformat(value[:10])
    except ValueError:
        raise InvalidMessage(f"{name} is no date.") from None


def _moment(value: str) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise InvalidMessage(f"{mask(value)} is no point in time.") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=_DANISH_TIME)

"""The debt authority's messages as XML: written in the order of the service description, read by names.

Belongs here: elements of DMIFordringAsynkronTilbagekald and MFAktionStatusOpdater, SOAP 1.1 around them, the two known
forms of the error header. What a message may hold is checked by `domain.claims.messages`.

Promises: no entities, document types or network when reading; a personal number is read from `PersonCPRNummer` only,
and no error or text of the other side shows one. Times without a zone are Danish.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
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

_Part = Mapping[str, Element]
"""What an element holds, by local name: a message has dozens of values, and each is looked up once."""


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
    part = _part(info)
    return ClaimInfo(
        _text(_part(part.get("FordringhaverSystemIDStruktur")), "VirksomhedSENummer"),
        _number(part, "MFLeveranceID"),
        tuple(_status(each) for each in _all(part, "FordringAktionStatusListe", "FordringAktionStatus")),
    )


def _status(status: Element) -> ActionStatus:
    part = _part(status)
    code = _text(part, "MFAktionStatusKode")
    if code not in ActionStatusCode.__members__:
        raise InvalidMessage(f"MFAktionStatusKode {mask(code)} is not known.")
    receipts = _all(part, "DMITilbagekaldFordringKvitteringListe", "DMITilbagekaldFordringKvittering")
    return ActionStatus(
        claim_id=_number(part, "DMIFordringID"),
        action_id=_number(part, "MFAktionID"),
        action_code=_text(part, "MFAktionKode"),
        creditor_id=_number(part, "DMIFordringHaverID"),
        code=ActionStatusCode(code),
        changed_at=_moment(_text(part, "MFAktionStatusÆndretDato")),
        creditor_ref=_optional(part, "DMIFordringFordringHaverRef"),
        received_at=None if (when := _optional(part, "DMIFordringModtagelseDato")) is None else _moment(when),
        rejections=tuple(_rejection(each) for each in _all(part, "AfvistÅrsagListe", "AfvistÅrsag")),
        receipts=tuple(_receipt(each) for each in receipts),
    )


def _rejection(reason: Element) -> Rejection:
    rejected = child(reason, "MFAktionAfvistStruktur")
    part = _part(rejected)
    words = _optional(part, "MFAktionAfvistTekst")
    named = [each for each in rejected if local(each) == "MFAktionAfvistParameter"] if rejected is not None else []
    parameters = ((each.get("navn") or "", (each.text or "").strip()) for each in named)
    return Rejection(
        _number(part, "MFAktionAfvistNummer"),
        None if words is None else mask(words),
        tuple((name, value if name in _PLAIN_PARAMETERS else mask(value)) for name, value in parameters),
    )


def _receipt(receipt: Element) -> Receipt:
    part = _part(receipt)
    art = _text(part, "DMIFordringFordringArtKode")
    if art not in Art.__members__:
        raise InvalidMessage(f"DMIFordringFordringArtKode {mask(art)} is neither INDR nor MODR.")
    interest = _all(part, "DMIInddrivelseRenteFordringListe", "DMIInddrivelseRenteFordringStruktur")
    liabilities = _all(part, "DMITilbagekaldFordringHæftelseListe", "DMITilbagekaldFordringHæftelse")
    return Receipt(
        claim_id=_number(part, "DMIFordringID"),
        main_claim_id=_number(part, "DMIFordringHovedFordringID"),
        art=Art(art),
        type_code=_text(part, "DMIFordringTypeKode"),
        creditor_ref=_text(part, "DMIFordringFordringHaverRef"),
        amount=_amount(part.get("FordringBeløbStruktur"), "DMIFordringBeløb"),
        liabilities=tuple(_liability(each) for each in liabilities),
        effective_from=_day(part, "DMIFordringVirkningFra"),
        interest_claims=tuple(_interest(each) for each in interest),
    )


def _interest(interest: Element) -> InterestClaim:
    part = _part(interest)
    return InterestClaim(
        _number(part, "DMIFordringID"),
        _text(part, "DMIFordringTypeKode"),
        _amount(part.get("FordringBeløbStruktur"), "DMIFordringBeløb"),
        _day(part, "DMIFordringVirkningFra"),
    )


def _liability(liability: Element) -> Liability:
    part = _part(liability)
    debtor = _part(part.get("KundeStruktur"))
    limitation = _day(part, "HæftelseForældelseDato")
    if limitation is None:
        raise InvalidMessage("HæftelseForældelseDato is missing.")
    owner = text(debtor.get("EnkeltmandVirksomhedEjer"), "PersonCPRNummer")
    return Liability(
        Debtor(
            number=_text(debtor, "KundeNummer"),
            kind=_text(debtor, "KundeType"),
            company_number=_optional(debtor, "VirksomhedCVRNummer"),
            name=_optional(debtor, "KundeNavn"),
            business_form=_optional(debtor, "DriftFormKode"),
            owner=None if owner is None else _personal(owner),
        ),
        limitation,
        _amount(part.get("HæftelseBeløbStruktur"), "HæftelseBeløb"),
    )


def _personal(digits: str) -> Cpr:
    try:
        return Cpr(digits)
    except ValueError as failure:
        raise InvalidMessage(f"PersonCPRNummer: {failure}") from None


def _part(element: Element | None) -> _Part:
    """What an element holds, by name; of several of a name the first."""
    found: dict[str, Element] = {}
    for each in element if element is not None else ():
        found.setdefault(local(each), each)
    return found


def _all(part: _Part, listed: str, name: str) -> list[Element]:
    """The elements of a name in a list that may be missing."""
    parent = part.get(listed)
    return [] if parent is None else [each for each in parent if local(each) == name]


def _optional(part: _Part, name: str) -> str | None:
    found = part.get(name)
    return ((found.text or "").strip() or None) if found is not None else None


def _text(part: _Part, name: str) -> str:
    value = _optional(part, name)
    if value is None:
        raise InvalidMessage(f"{name} is missing.")
    return value


def _number(part: _Part, name: str) -> int:
    value = _text(part, name)
    try:
        return int(value)
    except ValueError:
        raise InvalidMessage(f"{name} is no number.") from None


def _amount(structure: Element | None, name: str) -> Amount:
    part = _part(structure)
    try:
        return Amount(_text(part, "ValutaKode"), Decimal(_text(part, name)))
    except InvalidOperation:
        raise InvalidMessage(f"{name} is no amount.") from None


def _day(part: _Part, name: str) -> date | None:
    value = _optional(part, name)
    try:
        return None if value is None else date.fromisoformat(value[:10])
    except ValueError:
        raise InvalidMessage(f"{name} is no date.") from None


def _moment(value: str) -> datetime:
    """The instant in UTC: PostgreSQL takes no offsets from it of 16 hours and more, as Python does."""
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=_DANISH_TIME)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidMessage(f"{mask(value)} is no point in time.") from None

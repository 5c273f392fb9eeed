"""CPR, the Danish person register, through Serviceplatformen: one person by number.

Belongs here: SF1520 PersonBaseDataExtended, version 5 or 4 (which differs in its namespace and lacks the address's
uuid). Who may ask, and what an answer is used for, is decided by the callers.

Promises: only the fields of `domain.people.parties.Person` are read; relatives, custody, guardianship and notes never
leave the parser, and former addresses neither. Does not promise that the register is of today: the replica is updated
on weekday nights.
"""

from collections.abc import Mapping
from datetime import date
from typing import Final

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue] - lxml has no types

from integration_assets.clients import register_text
from integration_assets.clients.http import RetryPolicy
from integration_assets.clients.soap import SoapService
from integration_assets.clients.soap_auth import Authentication
from integration_assets.clients.soap_xml import Element, child, text
from integration_assets.domain.people.numbers import Cpr
from integration_assets.domain.people.parties import Person, RegisteredAddress

SERVICES: Final[Mapping[int, str]] = {
    5: "4925d7a0-1b5b-11ec-bdc6-b312b83236d4",
    4: "e6be2436-bf35-4df2-83fe-925142825dc2",
}
"""The versions that are spoken, and the uuid of each service unless the agreement names another."""

_NAMESPACE = "http://serviceplatformen.dk/xml/wsdl/soap11/CPR/PersonBaseDataExtended/{}/"
_PNR = "http://serviceplatformen.dk/xml/schemas/cpr/PNR/1/"
_EMIGRATED = "80"


class PersonLookupClient:
    """The service at one address, as `domain.people.ports.PersonLookup`. Safe for use by several threads."""

    def __init__(
        self,
        url: str,
        auth: Authentication,
        *,
        version: int = 5,
        timeout_s: float = 30.0,
        policy: RetryPolicy | None = None,
    ) -> None:
        self._version = version
        self._service = SoapService("The person look-up (CPR)", url, auth, timeout_s=timeout_s, policy=policy)

    def person(self, number: str) -> Person | None:
        """The person of a CPR number, by the number that is in force for her now; None: the register knows nobody.

        What is no whole CPR number (last four digits missing, or a substitute number, erstatningspersonnummer) is
        never sent. Raises TransientError, NotAllowedError and PermanentError.
        """
        if not may_be_asked(number):
            return None
        answer = self._service.call(
            lookup_request(number, self._version),
            f"{_NAMESPACE.format(self._version)}PersonLookup",
            unknown="PNR not found",
        )
        return person_of(answer, number, f"PersonBaseDataExtended/{self._version}")

    def close(self) -> None:
        """Close the pooled connections."""
        self._service.close()


def may_be_asked(number: str) -> bool:
    """Whether it is a whole CPR number: ten digits, not ending in 0000 (unknown), and no substitute number."""
    try:
        cpr = Cpr(number)
    except ValueError:
        return False
    return not (cpr.is_incomplete or cpr.is_substitute)


def lookup_request(number: str, version: int) -> Element:
    """The request of the look-up, still without what proves who calls."""
    namespace = _NAMESPACE.format(version)
    request = etree.Element(f"{{{namespace}}}PersonLookupRequest", nsmap={None: namespace})
    request.append(pnr_element(number))
    return request


def pnr_element(number: str) -> Element:
    """The element in which CPR's services are given a number."""
    element = etree.Element(f"{{{_PNR}}}PNR", nsmap={"cpr": _PNR})
    element.text = number
    return element


def person_of(answer: Element | None, asked: str, source: str) -> Person | None:
    """The person of a `PersonLookupResponse`; None when it holds nobody. Everything in it may be absent."""
    data = child(answer, "persondata")
    if data is None:
        return None
    name, status = child(data, "navn"), text(data, "status", "status")
    status = "" if status is None else status.zfill(2)  # an integer here, two digits everywhere else
    home = child(answer, "adresse", "aktuelAdresse")
    abroad_from = register_text.certain_day(answer, "adresse", "udrejseoplysninger", "udrejsedato")
    protected, protected_from, protected_until = _protection(child(data, "adressebeskyttelse"))
    number = text(data, "gaeldendePersonnummer") or text(data, "personnummer")
    return Person(
        number=register_text.personal_number(number) or asked,
        status=status,
        first_name=text(name, "fornavn"),
        middle_name=text(name, "mellemnavn"),
        last_name=text(name, "efternavn"),
        addressing_name=text(name, "personadresseringsnavn"),
        gender=text(data, "koen"),
        civil_status=text(data, "civilstand", "civilstand"),
        address_protected=protected,
        address=_address(home),
        birth_date=register_text.certain_day(data, "foedselsdato"),
        status_from=register_text.certain_day(data, "status", "statusdato"),
        name_from=register_text.certain_day(name, "navnestartdato"),
        civil_status_from=register_text.certain_day(data, "civilstand", "civilstandsdato"),
        protected_from=protected_from,
        protected_until=protected_until,
        address_from=register_text.certain_day(home, "tilflytningsdato"),
        emigrated_on=abroad_from if status == _EMIGRATED else None,
        source=source,
    )


def _protection(element: Element | None) -> tuple[bool, date | None, date | None]:
    """Whether name and address are protected (adressebeskyttelse), from when, and from when no longer.

    A protection with a day that does not say whether it holds counts as one that does: the safe side.
    """
    begins, ends = register_text.day(text(element, "startdato")), register_text.day(text(element, "slutdato"))
    said = text(element, "beskyttet")
    holds = (begins or ends) is not None if said is None else register_text.truth(said)
    return (True, begins, ends) if holds else (False, None, None)


def _address(element: Element | None) -> RegisteredAddress | None:
    """The registered address; None without a street code, which every address in Denmark has."""
    street_code = register_text.code(text(element, "vejkode"))
    if street_code is None:
        return None
    unit_id = text(element, "AdresseUUID")
    return RegisteredAddress(
        municipality_code=register_text.code(text(element, "kommunekode")),
        street_code=street_code,
        house_number=register_text.house_number(text(element, "husnummer")),
        floor=register_text.floor(text(element, "etage")),
        door=register_text.door(text(element, "sidedoer")),
        postcode=register_text.code(text(element, "postnummer")),
        street_name=text(element, "vejnavn"),
        district=text(element, "postdistrikt"),
        unit_id=None if unit_id is None else unit_id.lower(),
    )

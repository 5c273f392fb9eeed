"""The person and company registers (CPR and CVR through Serviceplatformen)."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

import dagster as dg
from pydantic import PrivateAttr

from integration_assets.clients import company_register, person_lookup, person_search, person_subscriptions
from integration_assets.clients.company_register import CompanyRegister
from integration_assets.clients.http import NotAllowedError, certificate_expires_on, client_certificate
from integration_assets.clients.person_lookup import PersonLookupClient
from integration_assets.clients.person_search import PersonSearchClient
from integration_assets.clients.person_subscriptions import PersonSubscriptionsClient
from integration_assets.clients.soap_auth import InvocationContextAuth, PlatformUuid, platform_uuid
from integration_assets.domain.people.parties import AddressKey, Company, Person, SearchResult
from integration_assets.domain.people.ports import PersonSubscriptions
from integration_assets.flows.lookups import Mandate
from integration_assets.resources.base import FromSettings, retry_policy
from integration_assets.settings import ServiceSettings, Settings, SpService

CERTIFICATE_DAYS: Final = 30
"""So long before its end a certificate is warned of."""


class Registers:
    """Both registers behind the one port that look-ups use.

    Whoever may not complete numbers has no agreement on the address search, and needs none; nor are subscriptions
    needed (`subscriptions` is None then).
    """

    def __init__(
        self,
        persons: PersonLookupClient,
        search: PersonSearchClient | None,
        companies: CompanyRegister,
        subscriptions: PersonSubscriptionsClient | None = None,
    ) -> None:
        self._persons = persons
        self._search = search
        self._companies = companies
        self._subscriptions = subscriptions

    @property
    def subscriptions(self) -> PersonSubscriptions | None:
        """Whose changes the person register tells us of; None where no address of that service is set."""
        return self._subscriptions

    def person(self, number: str) -> Person | None:
        """The person with this CPR number; None where the register does not know it."""
        return self._persons.person(number)

    def company(self, number: str) -> Company | None:
        """The company with this CVR number; None where the register does not know it."""
        return self._companies.company(number)

    def residents(self, address: AddressKey) -> SearchResult:
        """Who lives, or has lived, at an address. Raises NotAllowedError where no search is configured."""
        if self._search is None:
            raise NotAllowedError(
                "No address search is configured (setting person_search_url); nobody can be completed."
            )
        return self._search.residents(address)

    def close(self) -> None:
        """Closes the connections."""
        for client in (self._persons, self._search, self._companies, self._subscriptions):
            if client is not None:
                client.close()


@dataclass(frozen=True)
class _Known:
    """What is known of a service beforehand: the setting of its address, and the versions that are spoken."""

    endpoint_setting: str
    services: Mapping[int, str]
    version: int


_KNOWN: Final[Mapping[SpService, _Known]] = {
    "person_lookup": _Known("person_register_url", person_lookup.SERVICES, 5),
    "person_search": _Known("person_search_url", person_search.SERVICES, 2),
    "company_lookup": _Known("company_register_url", company_register.SERVICES, 2),
    "person_subscriptions": _Known("person_subscription_url", person_subscriptions.SERVICES, 1),
}


@dataclass(frozen=True)
class ServiceAccess:
    """How one service is reached: everything that may differ by service and environment, resolved and checked."""

    endpoint: str
    version: int
    auth: InvocationContextAuth
    timeout_s: float


def service_access(settings: Settings, name: SpService, tls: ssl.SSLContext | bool = True) -> ServiceAccess:
    """What the settings say about a service: its own values (`sp_services`) before the common ones (`sp_…`).

    Raises MissingSetting for a value that nobody gives and ValueError for one that cannot be right; both name it.
    """
    known, own = _KNOWN[name], settings.sp_services.get(name, ServiceSettings())
    given = settings.person_register_version if name == "person_lookup" else known.version
    version = given if own.version is None else own.version
    if version not in known.services:
        spoken = " and ".join(str(number) for number in sorted(known.services))
        raise ValueError(f"Setting {_inside(name, 'version')} is none of the versions that are spoken: {spoken}.")

    def uuid_of(field: str, common: str) -> PlatformUuid:
        value = getattr(own, field)
        if value is None:
            return platform_uuid(settings.need(common), common)
        return platform_uuid(value, _inside(name, field))

    return ServiceAccess(
        own.endpoint or settings.need(known.endpoint_setting),
        version,
        InvocationContextAuth(
            service=platform_uuid(own.service or known.services[version], _inside(name, "service")),
            service_agreement=uuid_of("agreement", "sp_agreement"),
            user_system=uuid_of("user_system", "sp_user_system"),
            user=uuid_of("authority", "sp_authority"),
            tls=tls,
            on_behalf_of=settings.sp_on_behalf_of,
            accounting_info=settings.sp_accounting_info,
        ),
        own.timeout_seconds or settings.sp_timeout_seconds,
    )


def _inside(name: SpService, field: str) -> str:
    return f"sp_services: {name}.{field}"


def platform_tls(settings: Settings) -> ssl.SSLContext | bool:
    """What connections to Serviceplatformen are made with: our certificate, and whom to trust.

    Raises ValueError, which names the setting, for a file that cannot be used.
    """
    try:
        if settings.sp_certificate is not None:
            return client_certificate(settings.sp_certificate, settings.sp_ca)
        return True if settings.sp_ca is None else ssl.create_default_context(cafile=str(settings.sp_ca))
    except OSError:
        raise ValueError(
            "The files of settings sp_certificate and sp_ca cannot be used. The first must be a PEM file with our "
            "certificate and its key, the second one with the certificate of the authority to trust; both must exist "
            "and be readable by this process."
        ) from None


def certificate_warning(settings: Settings, today: date) -> str | None:
    """A sentence for the operator when our client certificate ends within a month; None while it does not."""
    if settings.sp_certificate is None:
        return None
    ends_on = certificate_expires_on(settings.sp_certificate)
    if (ends_on - today).days > CERTIFICATE_DAYS:
        return None
    return (
        f"The client certificate of Serviceplatformen (setting sp_certificate) ends on {ends_on}; from then on nobody "
        "can be looked up. Put the new one in its place."
    )


def open_registers(settings: Settings) -> Registers:
    """The registers, with the client certificate of the settings where one is named. Nothing is asked yet."""
    tls, policy = platform_tls(settings), retry_policy(settings)

    def access(name: SpService) -> ServiceAccess:
        return service_access(settings, name, tls)

    def is_configured(name: SpService) -> bool:
        own = settings.sp_services.get(name, ServiceSettings())
        return bool(own.endpoint or getattr(settings, _KNOWN[name].endpoint_setting))

    lookup, companies = access("person_lookup"), access("company_lookup")
    searching = subscribing = None
    if is_configured("person_search"):
        at = access("person_search")
        searching = PersonSearchClient(at.endpoint, at.auth, timeout_s=at.timeout_s, policy=policy)
    if is_configured("person_subscriptions"):
        at = access("person_subscriptions")
        subscribing = PersonSubscriptionsClient(at.endpoint, at.auth, timeout_s=at.timeout_s, policy=policy)
    return Registers(
        PersonLookupClient(
            lookup.endpoint, lookup.auth, version=lookup.version, timeout_s=lookup.timeout_s, policy=policy
        ),
        searching,
        CompanyRegister(companies.endpoint, companies.auth, timeout_s=companies.timeout_s, policy=policy),
        subscribing,
    )


class RegistersResource(FromSettings):
    """Opens the registers as the user system of the settings."""

    _registers: Registers | None = PrivateAttr(default=None)

    def get(self) -> Registers:
        """The registers. Raises MissingSetting where addresses or agreement are missing, ValueError where wrong."""
        if self._registers is None:
            self._registers = open_registers(self.settings)
        return self._registers

    @property
    def mandate(self) -> Mandate:
        """In whose name, and on what legal basis, questions are asked."""
        return Mandate(self.settings.completion_authority, self.settings.completion_legal_basis)

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002 - Dagster's signature
        """Closes the connections."""
        if self._registers is not None:
            self._registers.close()
            self._registers = None

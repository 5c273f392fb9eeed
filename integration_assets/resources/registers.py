"""The person and company registers (CPR and CVR through Serviceplatformen)."""

import dagster as dg
from pydantic import PrivateAttr

from integration_assets.clients.company_register import CompanyRegister
from integration_assets.clients.http import client_certificate
from integration_assets.clients.person_register import PersonRegister
from integration_assets.clients.soap import InvocationContext
from integration_assets.domain.people.parties import AddressKey, Company, Person, SearchResult
from integration_assets.flows.lookups import Mandate
from integration_assets.resources.base import FromSettings, retry_policy
from integration_assets.settings import Settings


class Registers:
    """Both registers behind the one port that look-ups use."""

    def __init__(self, persons: PersonRegister, companies: CompanyRegister) -> None:
        self._persons = persons
        self._companies = companies

    def person(self, number: str) -> Person | None:
        """The person with this CPR number; None where the register does not know it."""
        answer = self._persons.person(number)
        return answer if isinstance(answer, Person) else None

    def company(self, number: str) -> Company | None:
        """The company with this CVR number; None where the register does not know it."""
        answer = self._companies.company(number)
        return answer if isinstance(answer, Company) else None

    def residents(self, address: AddressKey) -> SearchResult:
        """Who lives, or has lived, at an address."""
        return self._persons.residents(address)

    def close(self) -> None:
        """Closes the connections."""
        self._persons.close()
        self._companies.close()


def open_registers(settings: Settings) -> Registers:
    """Connects to both registers with the client certificate of the settings, where one is named."""
    context = InvocationContext(
        service_agreement=settings.need("sp_agreement"),
        user_system=settings.need("sp_user_system"),
        user=settings.need("sp_authority"),
    )
    tls = client_certificate(settings.sp_certificate, settings.sp_ca) if settings.sp_certificate else True
    policy = retry_policy(settings)
    persons = PersonRegister(
        settings.need("person_register_url"), settings.need("person_search_url"), context, tls=tls, policy=policy
    )
    return Registers(persons, CompanyRegister(settings.need("company_register_url"), context, tls=tls, policy=policy))


class RegistersResource(FromSettings):
    """Opens the registers as the user system of the settings."""

    _registers: Registers | None = PrivateAttr(default=None)

    def get(self) -> Registers:
        """The registers. Raises MissingSetting where addresses or agreement are missing."""
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

"""How calls of Serviceplatformen (KOMBIT) prove who makes them: one strategy per way that the platform offers.

Belongs here: the strategy as a protocol, and context mode: a client certificate (mutual TLS) and an element
`InvocationContext` in the body of each request. The platform's second way, token mode, is the other strategy of the
same protocol and is not built: a SAML token (holder of key) from the platform's token service, sent in signed headers
of the envelope, and `AuthorityContext` and `CallContext` instead of `InvocationContext` in the body.

Does not belong here: which services there are, and what they are asked.
"""

import re
import ssl
from dataclasses import dataclass
from typing import NewType, Protocol

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue] - lxml has no types

from integration_assets.clients.soap_xml import Element

_INVOCATION = "http://serviceplatformen.dk/xml/schemas/InvocationContext/1/"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LONGEST = 255

PlatformUuid = NewType("PlatformUuid", str)
"""A uuid in lower case: the platform's pattern refuses upper-case digits. Made by `platform_uuid`."""


def platform_uuid(value: str, setting: str) -> PlatformUuid:
    """The uuid in the form that the platform takes. Raises ValueError, which names the setting, for anything else."""
    lowered = value.strip().lower()
    if not _UUID.fullmatch(lowered):
        raise ValueError(
            f"Setting {setting} is no uuid: 32 hexadecimal digits in groups of 8-4-4-4-12 are needed, as on the "
            "approved service agreement (serviceaftale)."
        )
    return PlatformUuid(lowered)


class Authentication(Protocol):
    """A way of proving who calls."""

    @property
    def tls(self) -> ssl.SSLContext | bool:
        """What the connection is made with; True: the system's authorities, and no certificate of our own."""
        ...

    def complete(self, envelope: Element, request: Element, call_id: str) -> None:
        """Write into a finished envelope, and the request in its body, who calls. `call_id` is to be named there."""
        ...


@dataclass(frozen=True)
class InvocationContextAuth:
    """Context mode (kontekstbaseret kald). `user` is the authority on whose behalf the call is made.

    `tls` holds the client certificate. `on_behalf_of` and `accounting_info` are free texts of at most 255 characters:
    the first goes into the register's audit trail, the second onto the bill.
    """

    service: PlatformUuid
    service_agreement: PlatformUuid
    user_system: PlatformUuid
    user: PlatformUuid
    tls: ssl.SSLContext | bool = True
    on_behalf_of: str | None = None
    accounting_info: str | None = None

    def complete(self, envelope: Element, request: Element, call_id: str) -> None:  # noqa: ARG002 - token mode signs it
        """Put the InvocationContext in front of what the request holds: where every contract wants it."""
        context = etree.Element(f"{{{_INVOCATION}}}InvocationContext", nsmap={"inv": _INVOCATION})
        for name, value in (
            ("ServiceAgreementUUID", self.service_agreement),
            ("UserSystemUUID", self.user_system),
            ("UserUUID", self.user),
            ("ServiceUUID", self.service),
            ("OnBehalfOfUser", self.on_behalf_of),
            ("CallersServiceCallIdentifier", call_id),
            ("AccountingInfo", self.accounting_info),
        ):
            if value:
                etree.SubElement(context, f"{{{_INVOCATION}}}{name}").text = value[:_LONGEST]
        request.insert(0, context)

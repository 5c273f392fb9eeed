"""Connections over mutual TLS from those callers alone whose certificates name them.

A certificate authority that is open to all certifies strangers too: the Danish OCES authority has certified most
companies and authorities of the country. Who may post is told by a value of the certificate's subject, which stays the
same when a certificate is renewed, such as the organisation's identifier (NTRDK- and the CVR number).
"""

import asyncio
import logging
from collections.abc import Collection, Mapping
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

_log = logging.getLogger(__name__)


def known_callers(names: Collection[str]) -> type[H11Protocol]:
    """The protocol of a uvicorn server that hangs up on callers whose certificate has none of these in its subject."""
    known = frozenset(names)

    class KnownCallers(H11Protocol):
        """Looks at the certificate before a byte of a request is read."""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            """Goes on with a caller who is known."""
            super().connection_made(transport)
            if not known & subject_values(transport.get_extra_info("peercert") or {}):
                _log.warning("A caller with a certificate of the trusted authority, but none of dmi_status_callers.")
                transport.abort()

    return KnownCallers


def subject_values(certificate: Mapping[str, Any]) -> frozenset[str]:
    """The values of a certificate's subject, as `ssl.SSLSocket.getpeercert` gives it."""
    return frozenset(value for names in certificate.get("subject", ()) for _, value in names)

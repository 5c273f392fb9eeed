"""The debt collection authority (Gældsstyrelsen, DMI): recalls are delivered over SOAP 1.1 with a client certificate.

Promises: one call, one try, never repeated here, since only the outbox knows under which id a repetition is harmless;
the errors say whether the call may have had an effect; certificates that do not do are a NotAllowedError.
"""

import ssl
from collections import Counter
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from integration_assets.clients.debt_authority_xml import RECALL_SERVICE, answer_of, is_client_fault
from integration_assets.clients.http import (
    CallError,
    HttpClient,
    NotAllowedError,
    PermanentError,
    RetryPolicy,
    TransientError,
    client_certificate,
)
from integration_assets.domain.claims.messages import Answer, InvalidMessage

PATH: Final = f"/dmi/{RECALL_SERVICE}"
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
_MISCONFIGURED: Final = (401, 403, 404, 405, 410)
_ONE_TRY: Final = RetryPolicy(attempts=1, attempts_500=1)


class DebtAuthority:
    """The service at `url`, with or without its path. Safe for use by several threads.

    Raises ValueError for an address that is not https (http does on loopback only), or https without a certificate.
    """

    def __init__(self, url: str, *, certificate: Path | None, ca: Path | None, timeout_s: float = 60.0) -> None:
        parts = urlsplit(url)
        plain = parts.scheme == "http" and parts.hostname in _LOOPBACK
        if parts.scheme != "https" and not plain:
            raise ValueError("Setting dmi_url must be an https address: recalls go over mutual TLS.")
        if not plain and certificate is None:
            raise ValueError("Setting dmi_certificate is missing: the debt authority knows us by our certificate.")
        tls: ssl.SSLContext | bool = True if plain or certificate is None else client_certificate(certificate, ca)
        self._url = url if parts.path.strip("/") else f"{url.rstrip('/')}{PATH}"
        self._http = HttpClient(self._url, read_timeout_s=timeout_s, tls=tls, mutual_tls=not plain, policy=_ONE_TRY)

    def deliver(self, envelope: str) -> Answer:
        """Send a delivery and return the synchronous answer, error numbers included.

        Raises TransientError when it is not known what became of it (no connection, no answer, an answer that cannot
        be read), NotAllowedError when nobody would be let in (certificate, rights, address), PermanentError when the
        message itself is refused without a number.
        """
        try:
            response = self._http.request(
                "POST",
                self._url,
                content=envelope.encode(),
                headers={"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{RECALL_SERVICE}"'},
                idempotent=False,
                accept=(500,),
            )
        except PermanentError as failure:
            if isinstance(failure, NotAllowedError) or failure.status in _MISCONFIGURED:
                raise NotAllowedError(_sentence(failure), status=failure.status) from None
            raise PermanentError(_sentence(failure), status=failure.status) from None
        except CallError as failure:
            raise TransientError(_sentence(failure), status=failure.status, code=failure.code) from None
        try:
            return answer_of(response.content)
        except InvalidMessage as failure:
            kind = PermanentError if is_client_fault(response.content) else TransientError
            raise kind(
                f"The debt authority (DMI) did not answer in its own words. {failure}", status=response.status_code
            ) from None

    def requests(self) -> Counter[str]:
        """How many requests were sent, by kind."""
        return self._http.requests()

    def close(self) -> None:
        """Close the pooled connections."""
        self._http.close()


def _sentence(failure: CallError) -> str:
    return f"The debt authority (DMI) did not take the delivery: {failure}"

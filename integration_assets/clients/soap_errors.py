"""What a failed call of Serviceplatformen means: not there, not allowed, temporary or permanent.

Belongs here: the sorting of faults, HTTP errors and receipts into the errors of `clients.http`, and the sentences that
an operator reads. KOMBIT does not publish the error codes, so codes and texts are read for what they say.

Promises: no error holds anything of the request: texts of the services go through `without_content`, codes through the
mask of personal numbers.
"""

import re

from integration_assets.clients.http import CallError, NotAllowedError, PermanentError, TransientError, mask
from integration_assets.clients.soap_xml import Element, local, text

_WITH_DIGITS = re.compile(r"\S*\d\S?\d\S*")
# What the platform itself says about agreement, system or authority; its codes are not public.
_NOT_ALLOWED = (
    "agreement", "aftale", "usersystem", "useruuid", "anvendersystem", "authority", "myndighed", "invocationcontext",
    "unknownservice", "certificate", "certifikat",
)  # fmt: skip
# What any service may say, also a register behind the platform.
_DENIED = ("accessdenied", "unauthori", "notauthori", "notpermitted", "forbidden", "ingenadgang", "ikkeadgang")
_PASSING = (
    "timeout", "timedout", "tidsudløb", "temporar", "midlertidig", "unavailable", "utilgængelig", "ikketilgængelig",
    "tryagain", "prøvigen", "forsøgigen", "overload", "overbelast", "lukket", "driftsforstyrrelse",
)  # fmt: skip
_OURS = ("Client", "VersionMismatch", "MustUnderstand")


class SoapFault(Exception):
    """A fault as it was answered.

    `code` is the error code of a ServiceplatformFault, None for a fault without that detail. `ours` says that the
    service blames the request (SOAP's Client fault). `whole` is all that the fault says, for recognising it only: it
    may repeat the request.
    """

    def __init__(self, code: str | None, reason: str, whole: str, *, ours: bool) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.ours = ours
        self._whole = _squeezed(whole)

    def says(self, *phrases: str) -> bool:
        """Whether the fault says one of the phrases, in a text or in the name of an element, whatever its blanks."""
        return any(_squeezed(phrase) in self._whole for phrase in phrases)


def fault_of(element: Element) -> SoapFault:
    """The fault of a SOAP 1.1 `Fault` element."""
    error = next((part for part in element.iter() if local(part) == "Error"), None)
    of_the_platform = any(local(part) == "ServiceplatformFault" for part in element.iter())
    parts = [text(element, "faultstring"), text(error, "ErrorText")]
    code = text(error, "ErrorCode") or ("ServiceplatformFault" if of_the_platform else None)
    blame = (text(element, "faultcode") or "").rpartition(":")[2].partition(".")[0]
    return SoapFault(
        None if code is None else mask(code),
        without_content(": ".join(dict.fromkeys(part for part in parts if part))),
        "|".join(word for part in element.iter() if local(part) for word in (local(part), part.text or "")),
        ours=blame in _OURS,
    )


def of_fault(service: str, fault: SoapFault, call_id: str) -> CallError:
    """The error of a fault. The platform's own faults stay, unless they say that they pass; others come from the
    registers behind it and often pass."""
    known = fault.code is not None
    if fault.says(*_DENIED) or (known and fault.says(*_NOT_ALLOWED)):
        return not_allowed(service, fault.reason, code=fault.code, status=500, call_id=call_id)
    if not fault.ours and (not known or fault.says(*_PASSING)):
        return temporary(service, fault.reason, status=500, call_id=call_id)
    return permanent(service, fault.reason, code=fault.code, status=500, call_id=call_id)


def of_call(service: str, failure: CallError, call_id: str) -> CallError:
    """The error of a call that brought no SOAP answer, named after the service."""
    said, code = without_content(failure.text or ""), None if failure.code is None else mask(failure.code)
    reason = str(failure).rstrip(".") if failure.status is None else f"HTTP {failure.status} {said}".strip()
    if isinstance(failure, NotAllowedError) or failure.status in (401, 403):
        return not_allowed(service, reason, code=code, status=failure.status, call_id=call_id)
    make = temporary if isinstance(failure, TransientError) else permanent
    return make(service, reason, code=code, status=failure.status, call_id=call_id)


def of_receipt(service: str, code: str | None, reason: str, call_id: str) -> CallError:
    """The error of a GCTP receipt (Kvit) that says neither yes nor nobody.

    184 (no access to the function) and 905 (wrong password) are refusals; 52 (form of the number) and 16 (wrong field)
    are our fault and stay; of other codes the text decides.
    """
    reason = without_content(reason) or "no reason is given"
    if code in ("184", "905"):
        return not_allowed(service, reason, code=code, call_id=call_id)
    if code not in ("52", "16") and any(phrase in _squeezed(reason) for phrase in _PASSING):
        return temporary(service, reason, code=code, call_id=call_id)
    return permanent(service, reason, code=code, call_id=call_id)


def temporary(
    service: str, reason: str, *, call_id: str, code: str | None = None, status: int | None = None
) -> TransientError:
    """The same question may be answered later."""
    return TransientError(
        f"{service} cannot answer at present{_because(code, reason)}. Nothing was changed; the same question is good "
        f"for a later run. Call {call_id}.",
        status=status,
        code=code,
        text=reason,
        request_id=call_id,
    )


def not_allowed(
    service: str, reason: str, *, call_id: str, code: str | None = None, status: int | None = None
) -> NotAllowedError:
    """The service does not let us ask."""
    return NotAllowedError(
        f"{service} does not let us ask{_because(code, reason)}. Nothing was changed. Compare certificate, agreement, "
        "user system and authority (settings sp_certificate, sp_ca, sp_agreement, sp_user_system, sp_authority and "
        f"sp_services) with the approved service agreement; until then it answers nobody. Call {call_id}.",
        status=status,
        code=code,
        text=reason,
        request_id=call_id,
    )


def permanent(
    service: str, reason: str, *, call_id: str, code: str | None = None, status: int | None = None
) -> PermanentError:
    """The same question fails again."""
    return PermanentError(
        f"{service} refused the question{_because(code, reason)}. Nothing was changed, and asking the same again does "
        f"not help: check the address of the service, or give the platform's support the call {call_id}.",
        status=status,
        code=code,
        text=reason,
        request_id=call_id,
    )


def without_content(said: str) -> str:
    """A service's text without what it may repeat of the request: every word with two digits close together goes.

    Requests hold numbers and codes only (CPR, CVR, street codes, house numbers, uuids), so that names cannot come back.
    """
    return mask(_WITH_DIGITS.sub("…", said))


def _because(code: str | None, reason: str) -> str:
    return (f" (code {code})" if code else "") + (f": {reason.rstrip('.')}" if reason else "")


def _squeezed(value: str) -> str:
    return re.sub(r"\s", "", value).lower()

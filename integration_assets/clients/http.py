"""HTTP the way every outside system of this product is spoken to.

Belongs here: time-outs, bounded retries, `Retry-After`, the two kinds of error, and the rule that nothing personal gets
into an error text. Does not belong here: what any system says; that is in its own module.

Promises: a request that may already have been carried out is sent again only if that does no harm; error texts hold
method, path (never the query), status and a masked extract of the answer (never the request's body); cookies are not
kept, so that a load balancer spreads the calls; one client may be used by many threads. Does not promise: ordering
between threads, or that a failed request had no effect.
"""

import hashlib
import json
import logging
import random
import re
import ssl
import threading
import time
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from cryptography import x509

# httpx logs whole addresses at INFO and httpcore headers at DEBUG: both hold keys that must not reach a log.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)

IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
_NUMBER = re.compile(r"(?<!\d)\d{5,6}[- ]?\d{4}(?!\d)")
_TEXT_LIMIT = 300
_NOT_REACHED = (httpx.ConnectError, httpx.ConnectTimeout)
_NEVER_SENT = (*_NOT_REACHED, httpx.PoolTimeout)
UNREACHABLE: Final = "unreachable"
"""Code of the error where no connection could be made."""
NOT_SENT: Final = "not_sent"
"""Code of what was not tried, because something before it failed as a whole."""
# How a server says that it knows us not: TLS 1.2 answers a missing certificate with a plain handshake failure.
_CERTIFICATE_ALERTS = ("CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED", "HANDSHAKE_FAILURE")


class CallError(Exception):
    """A call to an outside system failed.

    `status` is the HTTP status (None without an answer), `code` the system's own error code or UNREACHABLE, `text` a
    masked extract of its message, `request_id` the id that its support can look up, `retry_after_s` the pause it
    asked for.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        text: str | None = None,
        request_id: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.text = text
        self.request_id = request_id
        self.retry_after_s = retry_after_s


class TransientError(CallError):
    """The same request may succeed later: no connection, time-out, 408, 429, 5xx."""


class PermanentError(CallError):
    """The same request fails again: the request, the rights or the configuration must change."""


class NotAllowedError(PermanentError):
    """The other side does not let us in: certificate, agreement, authority or rights are not in order.

    Whatever else is asked of it fails in the same way until a person has put that right.
    """


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how patiently a request is repeated; all times in seconds.

    `attempts` counts every try; `attempts_500` the tries of a request answered by a plain 500, which is often the
    request's own fault. A pause asked for by the server beyond `longest_pause_s` ends the retries.
    """

    attempts: int = 5
    attempts_500: int = 3
    first_pause_s: float = 0.5
    longest_pause_s: float = 120.0

    def pause_s(self, attempt: int, retry_after_s: float | None) -> float:
        """Pause after the given try (from 1): the server's wish, or exponential back-off with jitter."""
        if retry_after_s is not None:
            return retry_after_s + random.uniform(0, min(1.0, self.first_pause_s))
        ceiling = min(self.longest_pause_s, self.first_pause_s * 2 ** (attempt - 1))
        return random.uniform(ceiling / 2, ceiling)


def mask(text: str) -> str:
    """The text without anything that may be a personal number, cut to 300 characters, on one line."""
    return _NUMBER.sub("xxxxxx-xxxx", " ".join(text.split()))[:_TEXT_LIMIT]


def retry_after_s(value: str | None) -> float | None:
    """Seconds to wait by a `Retry-After` header, given as seconds or as an HTTP date; None if absent or unreadable."""
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def client_certificate(certificate: Path, ca: Path | None = None) -> ssl.SSLContext:
    """TLS settings with our own certificate and key (one PEM file) and, if given, the authority to trust.

    Raises OSError when a file cannot be used, also for a key with a passphrase: nobody is there to be asked for it.
    """
    context = ssl.create_default_context(cafile=None if ca is None else str(ca))
    context.load_cert_chain(str(certificate), password=lambda: b"")
    return context


def certificate_expires_on(path: Path) -> date:
    """The day (UTC) on which the first certificate of a PEM file ends, the chain's included; keys are passed over.

    Raises ValueError when the file holds no certificate, and OSError when it cannot be read.
    """
    try:
        certificates = x509.load_pem_x509_certificates(path.read_bytes())
    except ValueError:
        raise ValueError("The file named as client certificate holds no readable PEM certificate.") from None
    return min(certificate.not_valid_after_utc for certificate in certificates).date()


def certificate_trouble(failure: BaseException) -> str | None:
    """What TLS said about a certificate, ours or theirs, when a connection failed; None for failures of other kinds."""
    cause: BaseException | None = failure
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted here ({cause.verify_message})"
        reason = (cause.reason or "") if isinstance(cause, ssl.SSLError) else ""
        if "ALERT" in reason and any(word in reason for word in _CERTIFICATE_ALERTS):
            return f"it does not accept our certificate ({reason.lower().replace('_', ' ')})"
        cause = cause.__cause__ or cause.__context__
    return None


@cache
def _known_authorities() -> ssl.SSLContext:
    """What TLS is verified against by default. Read once: the list of authorities is long."""
    return httpx.create_ssl_context()


def _error_parts(response: httpx.Response) -> tuple[str | None, str]:
    """Code and message of an error answer: OData, LoRa, OAuth, DAWA or plain text."""
    try:
        body = json.loads(response.content)
    except ValueError:
        return None, re.sub(r"<[^>]*>", " ", response.text) if "html" in response.headers.get(
            "Content-Type", ""
        ) else response.text
    if not isinstance(body, dict):
        return None, str(body)
    error = body.get("error", body)
    if isinstance(error, dict):
        code = error.get("code") or error.get("ErrorCode") or error.get("type")
        message = error.get("message") or error.get("Message") or error.get("text") or error.get("title") or ""
        return (None if code in (None, "") else str(code)), str(message)
    return str(error), str(body.get("error_description", body.get("text", "")))


def error_of(response: httpx.Response, what: str) -> CallError:
    """The error that an answer of status 400 and above stands for; `what` names the request."""
    code, text = _error_parts(response)
    text = mask(text)
    transient = response.status_code in (408, 429) or response.status_code >= 500
    kind = TransientError if transient else PermanentError
    label = f"{response.status_code}" + (f" {code}" if code else "")
    return kind(
        f"{what} was answered {label}: {text}" if text else f"{what} was answered {label}.",
        status=response.status_code,
        code=code,
        text=text,
        request_id=response.headers.get("REQ_ID") or response.headers.get("x-ms-service-request-id"),
        retry_after_s=retry_after_s(response.headers.get("Retry-After")),
    )


class HttpClient:
    """A pooled HTTP client for one outside system. Safe for use by several threads.

    `mutual_tls` says that the system knows us by our certificate: trouble with certificates is then a NotAllowedError
    and not tried again. Elsewhere it is an outage, which passes when the other side has renewed its certificate.
    """

    def __init__(
        self,
        base_url: str,
        *,
        connect_timeout_s: float = 10.0,
        read_timeout_s: float = 60.0,
        headers: Mapping[str, str] | None = None,
        tls: ssl.SSLContext | bool = True,
        mutual_tls: bool = False,
        policy: RetryPolicy | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._mutual_tls = mutual_tls
        self._policy = policy or RetryPolicy()
        self._sent: Counter[str] = Counter()
        self._sent_lock = threading.Lock()
        self._client = httpx.Client(
            headers=dict(headers or {}),
            timeout=httpx.Timeout(read_timeout_s, connect=connect_timeout_s, pool=read_timeout_s),
            limits=httpx.Limits(max_connections=64, max_keepalive_connections=16),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            verify=_known_authorities() if tls is True else tls,
        )

    def request(
        self,
        method: str,
        path: str,
        *,
        params: list[tuple[str, str]] | Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        idempotent: bool | None = None,
        accept: Collection[int] = (),
        kind: str | None = None,
    ) -> httpx.Response:
        """Send a request and return its answer, below status 400 or of a status in `accept`.

        `path` is taken below the base address unless it is a whole address. `idempotent` (by default true of GET,
        HEAD, OPTIONS, PUT and DELETE) says that sending it twice does no harm. `kind` is what `requests` counts it as,
        by default its method in small letters.

        Raises TransientError when the retries are used up and PermanentError at once on other errors.
        """
        may_repeat = method in IDEMPOTENT if idempotent is None else idempotent
        url = path if "://" in path else self.base_url + path
        what = f"{method} {urlsplit(url).path}"
        attempt = 0
        while True:
            attempt += 1
            self._count(kind or method.lower())
            error, repeatable = self._try(method, url, what, may_repeat, params, headers, content, accept)
            if not isinstance(error, CallError):
                return error
            limit = self._policy.attempts_500 if error.status == 500 else self._policy.attempts
            wait = error.retry_after_s
            if not repeatable or attempt >= limit or (wait is not None and wait > self._policy.longest_pause_s):
                raise error
            time.sleep(self._policy.pause_s(attempt, wait))

    def _try(
        self,
        method: str,
        url: str,
        what: str,
        may_repeat: bool,
        params: list[tuple[str, str]] | Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        content: bytes | None,
        accept: Collection[int],
    ) -> tuple[httpx.Response | CallError, bool]:
        """One try: the answer or its error, and whether it may be tried again."""
        try:
            response = self._client.request(
                method,
                url,
                params=None if params is None else _query(params),
                headers=dict(headers or {}),
                content=content,
            )
        except httpx.TransportError as failure:
            trouble = certificate_trouble(failure) if self._mutual_tls else None
            if trouble is not None:
                return NotAllowedError(f"{what} failed: {trouble}.", text=trouble), False
            sent = not isinstance(failure, _NEVER_SENT)
            code = UNREACHABLE if isinstance(failure, _NOT_REACHED) else None
            return TransientError(f"{what} failed: {type(failure).__name__}.", code=code), may_repeat or not sent
        if response.status_code < 400 or response.status_code in accept:
            return response, False
        error = error_of(response, what)
        # 429 says that nothing was carried out, so it may be repeated whatever it asked for.
        return error, isinstance(error, TransientError) and (may_repeat or error.status == 429)

    def download(self, path: str, target: Path, *, params: Mapping[str, str] | None = None) -> str:
        """Write the answer of a GET to `target` piece by piece and return its MD5 as lower-case hex.

        Raises as `request`; a broken transfer starts again from the beginning.
        """
        url = path if "://" in path else self.base_url + path
        what = f"GET {urlsplit(url).path}"
        for attempt in range(1, self._policy.attempts + 1):
            self._count("download")
            error = self._try_download(url, what, target, params)
            if isinstance(error, str):
                return error
            wait = error.retry_after_s
            too_long = wait is not None and wait > self._policy.longest_pause_s
            if isinstance(error, PermanentError) or attempt == self._policy.attempts or too_long:
                raise error
            time.sleep(self._policy.pause_s(attempt, wait))
        raise AssertionError("a retry policy allows at least one attempt")

    def _try_download(self, url: str, what: str, target: Path, params: Mapping[str, str] | None) -> str | CallError:
        digest = hashlib.md5(usedforsecurity=False)
        try:
            with self._client.stream("GET", url, params=dict(params or {})) as response:
                if response.status_code >= 400:
                    response.read()
                    return error_of(response, what)
                with target.open("wb") as file:
                    for piece in response.iter_bytes(1 << 20):
                        digest.update(piece)
                        file.write(piece)
        except httpx.TransportError as failure:
            return TransientError(f"{what} failed: {type(failure).__name__}.")
        return digest.hexdigest()

    def requests(self) -> Counter[str]:
        """How many requests were sent so far, by kind; each try counts. A copy, to be compared with a later one."""
        with self._sent_lock:
            return Counter(self._sent)

    def close(self) -> None:
        """Close the pooled connections."""
        self._client.close()

    def _count(self, kind: str) -> None:
        with self._sent_lock:
            self._sent[kind] += 1


def _query(params: list[tuple[str, str]] | Mapping[str, str]) -> httpx.QueryParams:
    pairs = params.items() if isinstance(params, Mapping) else params
    return httpx.QueryParams(tuple((name, value) for name, value in pairs))


def json_body(value: Any) -> bytes:
    """Compact UTF-8 JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def json_answer(response: httpx.Response, what: str) -> Any:
    """The JSON of an answer. Raises TransientError when it is none, as when a gateway answers in a system's place."""
    try:
        return json.loads(response.content)
    except ValueError:
        raise TransientError(f"{what} was answered without readable JSON.", status=response.status_code) from None

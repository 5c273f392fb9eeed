"""The way to one Dynamics CRM 365 organisation: tokens, turns, retries and the log of requests.

Belongs here: who sends (one or several application users), when (`dynamics_pace`), how often, and what is logged. What
is sent is `clients.dynamics`.

Promises: a refused token is renewed once; `Retry-After` is obeyed by everybody who sends as that user; every request's
id, by which the CRM's own log is searched, is in ours. Cookies are not kept, so that requests spread over the web
servers. Everything may be sent twice: callers send nothing that would be done twice.
"""

import logging
import ssl
import threading
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from urllib.parse import urlsplit

import httpx

from integration_assets.clients.dynamics_auth import TokenProvider
from integration_assets.clients.dynamics_pace import Pace
from integration_assets.clients.http import CallError, HttpClient, PermanentError, RetryPolicy, TransientError

_log = logging.getLogger(__name__)

_HEADERS = {
    "Accept": "application/json",
    "OData-MaxVersion": "4.0",
    "OData-Version": "4.0",
    "If-None-Match": "null",
}
_WINDOW_S = 300.0
"""The service-protection limits look back so far: a wait of that length may be asked for."""
_THROTTLED_TRIES = 20
_DEFAULT_PAUSE_S = 5.0


class _User:
    """An application user with its turns."""

    def __init__(self, tokens: TokenProvider) -> None:
        self.tokens = tokens
        self.pace = Pace()


class Session:
    """Requests to one organisation. Safe for use by several threads."""

    def __init__(
        self,
        root: str,
        users: Sequence[TokenProvider],
        *,
        timeout_s: float,
        tls: ssl.SSLContext | bool,
        policy: RetryPolicy,
    ) -> None:
        if not users:
            raise ValueError("At least one application user is needed.")
        self.root = root
        self._users = [_User(tokens) for tokens in users]
        self._policy = policy
        self._sent: Counter[str] = Counter()
        self._sent_lock = threading.Lock()
        once = RetryPolicy(attempts=1, attempts_500=1)
        self._http = HttpClient(root, read_timeout_s=timeout_s, headers=_HEADERS, tls=tls, policy=once)

    @property
    def users(self) -> int:
        """Application users that requests are spread over."""
        return len(self._users)

    def send(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        accept: Collection[int] = (),
        kind: str = "other",
        as_user: int | None = None,
    ) -> httpx.Response:
        """Sends a request when it is its turn and returns the answer, below status 400 or of a status in `accept`.

        It may be carried out twice. `kind` is what `requests` counts it as, `as_user` the number of the application
        user that it is sent by, where not the least busy one. Raises TransientError when the tries are used up,
        PermanentError at once on other errors.
        """
        users = self._users if as_user is None else [self._users[as_user]]
        tries = throttled = 0
        renewed: set[_User] = set()
        stale: _User | None = None
        while True:
            user = stale or min(users, key=lambda each: each.pace.crowd)
            with self._sent_lock:
                self._sent[kind] += 1
            try:
                return self._try(user, method, url, params, headers, content, accept, renew=user is stale)
            except CallError as error:
                stale = user if error.status == 401 and user not in renewed else None
                if stale is not None:
                    renewed.add(user)
                    continue
                # A 429 says that nothing was carried out; how long to wait is kept by the user's pace.
                throttled += error.status == 429
                tries += error.status != 429
                if not self._may_repeat(error, tries, throttled):
                    raise
                if error.status != 429:
                    time.sleep(self._policy.pause_s(tries, error.retry_after_s))

    def requests(self) -> Counter[str]:
        """How many requests were sent so far, by kind; each try counts. A copy, to be compared with a later one."""
        with self._sent_lock:
            return Counter(self._sent)

    def close(self) -> None:
        """Closes the pooled connections."""
        self._http.close()

    def _may_repeat(self, error: CallError, tries: int, throttled: int) -> bool:
        if not isinstance(error, TransientError):
            return False
        limit = self._policy.attempts_500 if error.status == 500 else self._policy.attempts
        too_long = (error.retry_after_s or 0) > max(self._policy.longest_pause_s, _WINDOW_S)
        return tries < limit and throttled < _THROTTLED_TRIES and not too_long

    def _try(
        self,
        user: _User,
        method: str,
        url: str,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        content: bytes | None,
        accept: Collection[int],
        *,
        renew: bool,
    ) -> httpx.Response:
        bearer = {"Authorization": f"Bearer {user.tokens.token(renew=renew)}"}
        what = f"{method} {urlsplit(url).path}"
        with user.pace.turn() as began:
            started = time.monotonic()
            try:
                response = self._http.request(
                    method,
                    url,
                    params=params,
                    headers={**(headers or {}), **bearer},
                    content=content,
                    accept=accept,
                )
            except CallError as error:
                if error.status == 429:
                    user.pace.throttled(began, _DEFAULT_PAUSE_S if error.retry_after_s is None else error.retry_after_s)
                # What becomes of it is told by whoever asked; this is for looking it up in the CRM's log.
                _log.info("CRM: %s failed (REQ_ID %s): %s", what, error.request_id, error)
                raise
        user.pace.answered(_hint(response))
        _log.debug(
            "CRM: %s answered %s in %.2f s (REQ_ID %s)",
            what,
            response.status_code,
            time.monotonic() - started,
            request_id(response),
        )
        return response


def request_id(response: httpx.Response) -> str | None:
    """The id by which the CRM's own log finds a request."""
    return response.headers.get("REQ_ID") or response.headers.get("x-ms-service-request-id")


def same_host(url: str, root: str) -> str:
    """The address that the CRM says to go on at. Raises PermanentError where it is another host's: the token stays."""
    if urlsplit(url)[:2] != urlsplit(root)[:2]:
        raise PermanentError("The next page is on another host; the token stays here.")
    return url


def _hint(response: httpx.Response) -> int | None:
    text = response.headers.get("x-ms-dop-hint", "")
    return int(text) if text.isdigit() else None

"""Adressevask, the washing service of Adressevælger, as a second opinion on texts that were not resolved.

Belongs here: asking, and what an answer is worth. The service gives one address or none, with a code; it has no table
of codes and no categories. Promises: every text gets a row, whatever becomes of the others; only the two codes that
stand for one certain house number (1000 exact, 900 spelling of the road) and an address that exists make an address
resolved; every other code, known or not, leaves it unresolved. At most sixteen questions are under way at once: with
more the service has been seen to break down.
"""

import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import polars as pl

from integration_assets.clients.http import CallError, HttpClient, PermanentError, RetryPolicy, json_answer

PARALLEL_LIMIT: Final = 16
SHORTEST_TOKEN: Final = 10

RESOLVED: Final = "resolved"
UNRESOLVED: Final = "unresolved"
FAILED: Final = "failed"

OPINIONS: Final = pl.Schema(
    {
        "text": pl.String,  # as asked
        "outcome": pl.String,  # resolved, unresolved, or failed: no answer, ask again
        "reason": pl.String,  # why: exact, spelling, interval, not_current, unknown_code, …; null where it failed
        "code": pl.Int32,  # vaskestatus.kode; null where it failed
        "code_text": pl.String,  # vaskestatus.tekst
        "address_id": pl.String,  # of the unit address; null unless resolved
        "address_text": pl.String,  # the service's own text of the address, also of an unused one
        "dar_status": pl.UInt8,  # of the address: 2 provisional, 3 current, 4 closed, 5 abandoned
        "historical_text": pl.String,  # the former text by which the address was found; null for today's
        "failure": pl.String,  # why there is no answer; null where there is one
    }
)
"""One row per distinct text, in the order of the first mention."""

_ACCEPTED: Final = {1000: "exact", 900: "spelling"}
_REFUSED: Final = {
    800: "interval",  # the first number of a house-number interval
    700: "interval",  # the last one, where the first does not exist
    -300: "no_postcode",
    -500: "door_not_found",
    -600: "floor_not_found",
    -700: "house_number_not_found",
    -800: "road_not_found",
    -1000: "not_an_address",
}
"""Codes as several independent clients report them; others have been seen (-400) that nobody explains."""

_EXISTING: Final = (2, 3)
_REFUSING_US: Final = (401, 403, 410)


class Adressevask:
    """The service at one address, e.g. ``https://adressevaelger.dk``. Safe for use by several threads.

    `parallel` is capped at sixteen. The token travels in the address and is never shown. Raises PermanentError for a
    token of fewer than ten characters, which the service refuses.
    """

    def __init__(
        self, base_url: str, token: str, *, parallel: int = PARALLEL_LIMIT, policy: RetryPolicy | None = None
    ) -> None:
        if len(token) < SHORTEST_TOKEN:
            raise PermanentError(
                f"The token of Adressevask has fewer than {SHORTEST_TOKEN} characters; the service would refuse it. "
                "Nothing was asked. Set adressevask_token."
            )
        self._http = HttpClient(base_url, headers={"Accept": "application/json"}, policy=policy)
        self._token = token
        self._parallel = max(1, min(parallel, PARALLEL_LIMIT))

    def second_opinion(self, texts: Iterable[str]) -> pl.DataFrame:
        """What the service makes of each text (frame of OPINIONS). Raises nothing: failures are rows.

        Once it refuses us altogether (401, 403, 410), what has not been asked yet fails by the same error.
        """
        refusal = _Refusal()

        def row(text: str) -> dict[str, Any]:
            if refusal.text is not None:
                return _failed(text, refusal.text)
            try:
                return _opinion(text, self._ask(text))
            except CallError as error:
                if error.status in _REFUSING_US:
                    refusal.note(str(error))
                return _failed(text, str(error))

        with ThreadPoolExecutor(self._parallel) as pool:
            return pl.DataFrame(list(pool.map(row, dict.fromkeys(texts))), schema=OPINIONS)

    def close(self) -> None:
        """Close the pooled connections."""
        self._http.close()

    def _ask(self, text: str) -> Any:
        response = self._http.request("GET", "/vask/", params={"adresse": text, "token": self._token})
        return json_answer(response, "GET /vask/")


class _Refusal:
    """The first error that says that no question of ours will be answered."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.text: str | None = None

    def note(self, text: str) -> None:
        with self._lock:
            self.text = self.text or text


def _failed(text: str, failure: str) -> dict[str, Any]:
    return {"text": text, "outcome": FAILED, "failure": failure}


def _opinion(text: str, answer: Any) -> dict[str, Any]:
    status = _part(answer, "vaskestatus")
    code = _number(status.get("kode"))
    if code is None:
        return _failed(text, "GET /vask/ was answered without a code (vaskestatus.kode).")
    result, former = _part(answer, "vaskeresultat"), _part(answer, "vaskeresultat_historisk")
    address_id, dar_status = result.get("adresse_id_lokalid") or None, _number(result.get("status"))
    reason = _reason(code, address_id, dar_status, result.get("virkningtil"))
    resolved = reason in _ACCEPTED.values()
    return {
        "text": text,
        "outcome": RESOLVED if resolved else UNRESOLVED,
        "reason": reason,
        "code": code,
        "code_text": status.get("tekst"),
        "address_id": address_id if resolved else None,
        "address_text": result.get("adressebetegnelse"),
        "dar_status": dar_status,
        "historical_text": former.get("adressebetegnelse"),
    }


def _reason(code: int, address_id: str | None, dar_status: int | None, valid_to: Any) -> str:
    if code not in _ACCEPTED:
        return _REFUSED.get(code, "unknown_code")
    if address_id is None:
        return "no_address"
    # The service also answers 1000 for versions that are no longer in force.
    if dar_status not in _EXISTING or valid_to:
        return "not_current"
    return _ACCEPTED[code]


def _part(answer: Any, name: str) -> Mapping[str, Any]:
    part = answer.get(name) if isinstance(answer, dict) else None
    return part if isinstance(part, dict) else {}


def _number(value: Any) -> int | None:
    """A whole number that comes as a number or as its text; None for anything else."""
    try:
        return int(value)
    except (TypeError, ValueError):
        return None

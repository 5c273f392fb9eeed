"""DAWA, the web service of Danish addresses, for hosts that still speak its protocol.

Belongs here: look-ups by components, washing of texts (datavask), and the limits that DAWA sets. The original service
closed on 1 October 2026; what it did is done by our own copy of the register, and this client serves those who have
another host.

Promises: statuses come out as those of DAR (DAWA's scale uses the same digits for other things); a washing answer
tells the address as it is today beside the version that was matched; no more than 25 requests a second are begun and
no more than 10 are open (one that was refused is repeated after a pause of its own). Does not promise that an address
found still exists: `exists` tells.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

import httpx
import polars as pl

from integration_assets.clients.http import (
    CallError,
    HttpClient,
    PermanentError,
    RetryPolicy,
    TransientError,
    json_answer,
)

REQUESTS_PER_SECOND: Final = 25.0
OPEN_REQUESTS: Final = 10
"""DAWA refuses (429) what goes beyond 30 a second and some 10 at a time; the rate keeps off the edge of that."""

LONGEST_TEXT: Final = 100
"""Characters that datavask reads; a longer text is refused."""

DAR_STATUS: Final = {1: 3, 2: 4, 3: 2, 4: 5}
"""DAR's status by DAWA's: 2 provisional, 3 current, 4 closed, 5 abandoned."""

_EXISTING: Final = (2, 3)

_Read = TypeVar("_Read")

DATAVASK: Final = pl.Schema(
    {
        "text": pl.String,  # as asked
        "category": pl.String,  # A, B or C; null where the question failed
        "address_id": pl.String,  # of the one address that is meant; null for C
        "access_id": pl.String,  # its access address (itself, for access addresses)
        "dar_status": pl.UInt8,  # today: 2 provisional, 3 current, 4 closed, 5 abandoned; null where nothing tells
        "matched_text": pl.String,  # the text of the version that was matched, which may be a former one
        "current_text": pl.String,  # the text of the address today
        "distance": pl.UInt32,  # edits between what was typed and the matched text, field by field
        "unknown": pl.List(pl.String),  # typed words that belong to no field
        "candidates": pl.List(pl.String),  # ids of all addresses in the answer
        "failure": pl.String,  # why there is no answer; null where there is one
    }
)
"""One row per distinct text, in the order of the first mention."""


@dataclass(frozen=True)
class Components:
    """An address by its parts. Floor and door of None mean: the address has none."""

    house_number: str
    postcode: str
    street_code: str | None = None
    street_name: str | None = None
    floor: str | None = None
    door: str | None = None


@dataclass(frozen=True)
class DawaAddress:
    """A unit or access address; of an access address `access_id` is its own id. `dar_status` is None where unknown."""

    id: str
    access_id: str
    dar_status: int | None
    street_name: str
    short_street_name: str | None
    house_number: str
    floor: str | None
    door: str | None
    supplementary_town: str | None
    postcode: str
    district: str

    @property
    def exists(self) -> bool:
        """Whether it is in use or planned."""
        return self.dar_status in _EXISTING

    @property
    def text(self) -> str:
        """The line of the address: ``Road 12B, 2. tv, Town, 8000 District``."""
        unit = " ".join(part for part in (self.floor and f"{self.floor}.", self.door) if part)
        place = f"{self.postcode} {self.district}".strip()
        parts = (f"{self.street_name} {self.house_number}", unit, self.supplementary_town, place)
        return ", ".join(part for part in parts if part)


@dataclass(frozen=True)
class NotOne:
    """A look-up that did not lead to one address: none, or several (`count` is 2 for two and more)."""

    count: Literal[0, 2]


@dataclass(frozen=True)
class Hit:
    """An address that a text may mean: the version that was matched, and the address today (None where it has no
    version in force). `differences` are edits per field, in DAWA's names."""

    matched: DawaAddress
    current: DawaAddress | None
    differences: Mapping[str, int]
    unknown: tuple[str, ...]

    @property
    def distance(self) -> int:
        """Edits in all fields."""
        return sum(self.differences.values())


@dataclass(frozen=True)
class Washing:
    """The answer to a text: A exact, B sure, C unsure or nothing."""

    category: Literal["A", "B", "C"]
    hits: tuple[Hit, ...]

    @property
    def found(self) -> Hit | None:
        """The one address that is meant; None for C, however few the hits: then it is a guess."""
        return self.hits[0] if self.category != "C" and len(self.hits) == 1 else None


class Dawa:
    """The service at one address, e.g. ``https://dawa.example.dk``. Safe for use by several threads.

    `api_key` travels as the header X-Api-Key, where a host asks for one.
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | None = None,
        requests_per_second: float = REQUESTS_PER_SECOND,
        policy: RetryPolicy | None = None,
    ) -> None:
        headers = {"Accept": "application/json"} | ({"X-Api-Key": api_key} if api_key else {})
        self._http = HttpClient(base_url, headers=headers, policy=policy)
        self._pace = _Pace(min(requests_per_second, REQUESTS_PER_SECOND), OPEN_REQUESTS)

    def unit(self, components: Components) -> DawaAddress | NotOne:
        """The one unit address with these components.

        Raises ValueError without street code and street name, TransientError or PermanentError from the service.
        """
        # Empty ones are sent too: without them DAWA answers with every floor and door of the house.
        return self._one("/adresser", components, {"etage": components.floor or "", "dør": components.door or ""})

    def access(self, components: Components) -> DawaAddress | NotOne:
        """The one access address with these components; floor and door do not count. Raises as `unit`."""
        return self._one("/adgangsadresser", components, {})

    def datavask_units(self, text: str) -> Washing:
        """Which unit address a text means. Raises ValueError for more than 100 characters, else as `unit`."""
        return self._wash("/datavask/adresser", text)

    def datavask_access(self, text: str) -> Washing:
        """Which access address a text means. Raises as `datavask_units`."""
        return self._wash("/datavask/adgangsadresser", text)

    def wash_units(self, texts: Iterable[str]) -> pl.DataFrame:
        """The unit addresses of many texts (frame of DATAVASK).

        A text that cannot be answered fails alone and says why in its row. Raises PermanentError when the service is
        closed or refuses us altogether (401, 403, 410).
        """
        return self._wash_all(self.datavask_units, texts)

    def wash_access(self, texts: Iterable[str]) -> pl.DataFrame:
        """The access addresses of many texts (frame of DATAVASK). Raises as `wash_units`."""
        return self._wash_all(self.datavask_access, texts)

    def close(self) -> None:
        """Close the pooled connections."""
        self._http.close()

    def _one(self, path: str, components: Components, own: Mapping[str, str]) -> DawaAddress | NotOne:
        street = {"vejkode": components.street_code, "vejnavn": components.street_name}
        named = {name: value for name, value in street.items() if value}
        if not named:
            raise ValueError("An address is looked up by street code or street name; neither was given.")
        place = {"husnr": components.house_number.upper(), "postnr": components.postcode}
        # Two rows are enough to know that it is not one.
        rows = self._get(path, {**named, **place, **own, "struktur": "mini", "per_side": "2"})
        if not isinstance(rows, list):
            raise _unreadable(path)
        if len(rows) != 1:
            return NotOne(2 if rows else 0)
        return _reading(path, lambda: _address(rows[0]))

    def _wash(self, path: str, text: str) -> Washing:
        if len(text) > LONGEST_TEXT:
            raise ValueError(f"The text has {len(text)} characters; DAWA reads {LONGEST_TEXT}. It was not sent.")
        answer = self._get(path, {"betegnelse": text})
        return _reading(path, lambda: _washing(answer))

    def _get(self, path: str, params: Mapping[str, str]) -> Any:
        with self._pace.turn():
            try:
                response = self._http.request("GET", path, params=params)
            except PermanentError as error:
                if error.status == httpx.codes.GONE:
                    raise _closed(self._http.base_url) from error
                raise
        return json_answer(response, f"GET {path}")

    def _wash_all(self, wash: Callable[[str], Washing], texts: Iterable[str]) -> pl.DataFrame:
        def row(text: str) -> dict[str, Any]:
            try:
                return _row(text, wash(text))
            except ValueError as error:
                return {"text": text, "failure": str(error)}
            except CallError as error:
                if error.status in (401, 403, 410):
                    raise
                return {"text": text, "failure": str(error)}

        with ThreadPoolExecutor(OPEN_REQUESTS) as pool:
            try:
                rows = list(pool.map(row, dict.fromkeys(texts)))
            except PermanentError:
                pool.shutdown(cancel_futures=True)
                raise
        return pl.DataFrame(rows, schema=DATAVASK)


class _Pace:
    """Keeps all threads of one client within a number of requests per second and a number under way."""

    def __init__(self, per_second: float, at_once: int) -> None:
        self._interval_s = 1 / per_second
        self._places = threading.BoundedSemaphore(at_once)
        self._lock = threading.Lock()
        self._next = 0.0

    @contextmanager
    def turn(self) -> Iterator[None]:
        with self._places:
            with self._lock:
                now = time.monotonic()
                start = max(now, self._next)
                self._next = start + self._interval_s
            time.sleep(start - now)
            yield


def _closed(base_url: str) -> PermanentError:
    return PermanentError(
        f"The address service at {base_url} is closed (410 Gone), as DAWA has been since 1 October 2026. Nothing was "
        "changed. Addresses can be resolved from our own copy of the register (address_provider=local, the file "
        "downloads of Datafordeler), or by another host that speaks DAWA's protocol (dawa_url).",
        status=410,
    )


def _unreadable(path: str) -> TransientError:
    return TransientError(f"GET {path} was answered in a form that DAWA does not have.", code="form")


def _reading(path: str, read: Callable[[], _Read]) -> _Read:
    """What `read` makes of an answer; a part that is missing or of another kind makes the answer unreadable."""
    try:
        return read()
    except (KeyError, TypeError, AttributeError, IndexError):
        raise _unreadable(path) from None


def _address(row: Mapping[str, Any]) -> DawaAddress:
    status = row.get("status")
    return DawaAddress(
        id=row["id"],
        access_id=row.get("adgangsadresseid") or row["id"],
        dar_status=None if status is None else DAR_STATUS.get(int(status)),
        street_name=row["vejnavn"],
        short_street_name=row.get("adresseringsvejnavn"),
        house_number=row["husnr"],
        floor=row.get("etage") or None,
        door=row.get("dør") or None,
        supplementary_town=row.get("supplerendebynavn") or None,
        postcode=row["postnr"],
        district=row.get("postnrnavn") or "",
    )


def _washing(answer: Mapping[str, Any]) -> Washing:
    category = answer["kategori"]
    if category not in ("A", "B", "C"):
        raise KeyError("kategori")
    return Washing(category, tuple(_hit(result) for result in answer["resultater"]))


def _hit(result: Mapping[str, Any]) -> Hit:
    # A closed address without a version in force has no `aktueladresse`, or an empty one.
    current, details = result.get("aktueladresse"), result["vaskeresultat"]
    return Hit(
        matched=_address(result["adresse"]),
        current=_address(current) if current else None,
        differences={str(name): int(edits) for name, edits in details["forskelle"].items()},
        unknown=tuple(details.get("ukendtetokens") or ()),
    )


def _row(text: str, washing: Washing) -> dict[str, Any]:
    found, candidates = washing.found, [hit.matched.id for hit in washing.hits]
    row: dict[str, Any] = {"text": text, "category": washing.category, "candidates": candidates}
    if found is None:
        return row
    current = found.current
    return row | {
        "address_id": found.matched.id,
        "access_id": (current or found.matched).access_id,
        # Not the status of the matched version: that may be a former one, from when the address was in use.
        "dar_status": None if current is None else current.dar_status,
        "matched_text": found.matched.text,
        "current_text": None if current is None else current.text,
        "distance": found.distance,
        "unknown": list(found.unknown),
    }

"""LoRa, the OIO registry (organisation, klassifikation and indsats services) over its REST interface.

Belongs here: paths, life-cycle rules and list limits of LoRa 1.3.0. What an object contains is `domain.registry`.

Promises: an object put is afterwards exactly the body given (see `put` on objects that were deleted); reading gives all
periods of validity, not just today's, and no deleted objects. Does not promise: that an identical PUT is free (LoRa
writes one more registration each time, so callers send differences only), nor any order between two writers of one
id: LoRa has no optimistic locking, so there must be one writer per object.
"""

import re
import ssl
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import httpx

from integration_assets.clients.http import (
    HttpClient,
    NotAllowedError,
    PermanentError,
    RetryPolicy,
    TransientError,
    json_answer,
    json_body,
)
from integration_assets.domain.registry.content import ENDED
from integration_assets.domain.registry.dialect import ClassFields

IDS_PER_LIST = 90
"""A list call is one request line of at most 4,094 bytes: 96 ids without, 90 with the period of validity."""

IDS_PER_PAGE = 1000
"""Ids of a search asked for at once."""

_ALL_VALIDITY = [("virkningfra", "-infinity"), ("virkningtil", "infinity")]
_CLASS = re.compile(r"[a-z]+/[a-z]+")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NO_CHANGE = "Aborted updating"


class LoraClient:
    """A LoRa service. `lora_class` is service and class as in the address, e.g. ``organisation/bruger``.

    `token` is the whole value of the Authorization header: ``saml-gzipped …`` in LoRa 1.3.0, ``Bearer …`` in newer
    ones and at gateways. A LoRa without login (the default of 1.3.0) passes over it. All methods that ask LoRa raise
    NotAllowedError where it does not accept the token.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeout_s: float = 60.0,
        token: str | None = None,
        tls: ssl.SSLContext | bool = True,
        policy: RetryPolicy | None = None,
    ) -> None:
        self._http = HttpClient(
            base_url,
            read_timeout_s=timeout_s,
            headers={"Authorization": token} if token else {},
            tls=tls,
            policy=policy,
        )

    def put(self, lora_class: str, object_id: str, body: dict[str, Any], *, revive: bool = False) -> None:
        """Import or replace an object: afterwards it holds the body and nothing else.

        A PUT over a deleted or passive object merges with its old content; a second one then replaces everything.
        So `revive` (see `life_cycle`) sends the body twice.

        Raises TransientError, also when LoRa reports a clash with another writer of the same id, and PermanentError.
        """
        path = f"/{_checked_class(lora_class)}/{_checked_id(object_id)}"
        for _ in range(2 if revive else 1):
            try:
                self._send("PUT", path, body)
            except PermanentError as error:
                if _is_clash(error):
                    raise TransientError(
                        str(error), status=error.status, code="concurrent_writer", text=error.text
                    ) from error
                raise

    def patch(self, lora_class: str, object_id: str, body: dict[str, Any]) -> None:
        """Lay a partial body over an object that was just PUT: periods that it names win, the rest stays.

        Sending the same again is harmless, also where LoRa says that nothing changed. Raises as `put`.
        """
        path = f"/{_checked_class(lora_class)}/{_checked_id(object_id)}"
        try:
            self._send("PATCH", path, body)
        except PermanentError as error:
            if not _is_no_change(error):
                raise

    def read_many(self, lora_class: str, ids: Iterable[str], *, ended: bool = False) -> dict[str, dict[str, Any]]:
        """The current registrations of the ids that exist, with all their periods of validity.

        Returns {id: object} as LoRa gives it, ``{"id": ..., "registreringer": [{...}]}``; unknown ids are missing, and
        deleted ones too unless `ended` (newer releases never list those).
        """
        found = self._list(lora_class, ids)
        return {item["id"]: item for item in found if ended or _life_cycle_code(item) != "Slettet"}

    def search(self, lora_class: str, **conditions: str) -> Iterator[str]:
        """The uuids, each once, of the objects that are not deleted and of which all conditions hold at any time.

        Conditions by LoRa's names of attributes, states and relations, e.g. ``tilhoerer="<uuid>"``; at least one, since
        LoRa answers a search without any otherwise. Asked for page by page. LoRa has no cursor: objects that others
        write meanwhile may be missed.
        """
        if not conditions:
            raise ValueError("A search needs a condition.")
        path, first = f"/{_checked_class(lora_class)}", 0
        seen: set[str] = set()
        while True:
            paging = [("foersteresultat", str(first)), ("maximalantalresultater", str(IDS_PER_PAGE))]
            answer = self._call("GET", path, params=[*conditions.items(), *paging, *_ALL_VALIDITY])
            page = [each for group in json_answer(answer, f"GET {path}")["results"] for each in group]
            yield from (each for each in page if each not in seen)
            seen.update(page)
            if len(page) < IDS_PER_PAGE:
                return
            first += len(page)

    def life_cycle(self, lora_class: str, ids: Iterable[str]) -> dict[str, str]:
        """The life-cycle code (livscykluskode) of each id that LoRa has ever had, e.g. Importeret or Slettet."""
        return {item["id"]: _life_cycle_code(item) for item in self._list(lora_class, ids)}

    def ended(self, lora_class: str, ids: Iterable[str]) -> frozenset[str]:
        """Those of the ids that are deleted or passive in LoRa: they need ``put(..., revive=True)``."""
        return frozenset(key for key, code in self.life_cycle(lora_class, ids).items() if code in ENDED)

    def get_site_map(self) -> list[str]:
        """All routes of the service: tells which classes it has. It is no health check: no database is asked."""
        answer = json_answer(self._call("GET", "/site-map", kind="describe"), "GET /site-map")
        return list(answer.get("site-map", answer)) if isinstance(answer, dict) else list(answer)

    def served(self, lora_classes: Iterable[str]) -> dict[str, ClassFields]:
        """The attributes and relations of each of the classes that the service has; others are missing.

        Raises TransientError, and PermanentError, also for answers that are not of LoRa's form.
        """
        routes = {route.rstrip("/") for route in self.get_site_map()}
        # A service below a path of its own may name that path in its routes.
        return {
            name: self._fields(name)
            for name in lora_classes
            if any(route.endswith(f"/{_checked_class(name)}") for route in routes)
        }

    def requests(self) -> Counter[str]:
        """How many requests were sent so far: put, patch, list, and describe (what the registry says of itself)."""
        return self._http.requests()

    def close(self) -> None:
        """Close the pooled connections."""
        self._http.close()

    def _fields(self, lora_class: str) -> ClassFields:
        what = f"GET /{lora_class}/fields"
        answer = json_answer(self._call("GET", f"/{lora_class}/fields", kind="describe"), what)
        try:
            attributes = answer["attributter"]["egenskaber"]
            relations = [*answer["relationer_nul_til_en"], *answer["relationer_nul_til_mange"]]
            return ClassFields(frozenset(attributes), frozenset(relations))
        except (KeyError, TypeError):
            raise PermanentError(f"{what} was answered in another form than LoRa's.") from None

    def _send(self, method: str, path: str, body: dict[str, Any]) -> None:
        self._call(method, path, content=json_body(body), headers={"Content-Type": "application/json"}, idempotent=True)

    def _call(self, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **more)
        except PermanentError as error:
            if error.status not in (401, 403):
                raise
            raise NotAllowedError(
                f"The registry (LoRa) does not let us in: {error} Is lora_token still valid? What is left waits for "
                "the next run.",
                status=error.status,
                code=error.code,
                text=error.text,
            ) from None

    def _list(self, lora_class: str, ids: Iterable[str]) -> Iterator[dict[str, Any]]:
        path = f"/{_checked_class(lora_class)}"
        wanted = sorted({_checked_id(value) for value in ids})
        for start in range(0, len(wanted), IDS_PER_LIST):
            chunk = wanted[start : start + IDS_PER_LIST]
            wanted_of = [("uuid", value) for value in chunk] + _ALL_VALIDITY
            answer = self._call("GET", path, params=wanted_of, kind="list")
            # "Nothing" comes as [] from a list and as [[]] from a search.
            for found in json_answer(answer, f"GET {path}")["results"]:
                yield from found


def _life_cycle_code(item: dict[str, Any]) -> str:
    """The code of the newest registration; empty when LoRa left it out (it leaves out every empty value)."""
    registrations = item.get("registreringer") or [{}]
    return registrations[0].get("livscykluskode", "")


def _is_no_change(error: PermanentError) -> bool:
    """Whether LoRa refused a PATCH because the object already is as it says."""
    return error.status == 400 and _NO_CHANGE in (error.text or "")


def _is_clash(error: PermanentError) -> bool:
    """Whether a 400 comes from a rule of the database, not of the schema: a PUT meets one only in a race on its id."""
    return error.status == 400 and (error.text or "").startswith("ERROR:")


def _checked_class(lora_class: str) -> str:
    if not _CLASS.fullmatch(lora_class):
        raise ValueError(f"{lora_class!r} is not a LoRa class such as 'organisation/bruger'.")
    return lora_class


def _checked_id(value: str) -> str:
    """The id in lower case. Ids travel in addresses, so anything but a uuid (a personal number!) is refused unseen."""
    lowered = value.lower()
    if not _UUID.fullmatch(lowered):
        raise ValueError("An object id must be a uuid.")
    return lowered

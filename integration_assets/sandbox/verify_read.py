"""Reads the whole registry (LoRa) and the whole CRM over HTTP, for checking only.

Small reading code of its own: it shares nothing with the clients of the product, so that a mistake there shows here.
"""

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, Final
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import httpx

Json = dict[str, Any]

COPENHAGEN: Final = ZoneInfo("Europe/Copenhagen")
_WIDE: Final = {"virkningfra": "-infinity", "virkningtil": "infinity"}
_LIST: Final = 90
_TIMEOUT_S: Final = 60.0
_LINK_READERS: Final = 4


def business_day(timestamp: str | None) -> str | None:
    """The Danish calendar day of a timestamp as ISO text; None for none, infinity and the year 9999."""
    if timestamp is None or "infinity" in timestamp or timestamp.startswith("9999"):
        return None
    moment = datetime.fromisoformat(timestamp)
    return (moment.astimezone(COPENHAGEN) if moment.tzinfo else moment).date().isoformat()


class RegistryObject:
    """One live object of the registry with all its periods."""

    def __init__(self, object_id: str, registration: Mapping[str, Any]) -> None:
        self.id = object_id
        self._registration = registration
        groups: Mapping[str, Any] = registration.get("attributter") or {}
        self._pieces: list[Json] = [piece for pieces in groups.values() for piece in pieces]
        self._pieces.sort(key=lambda piece: _begin(piece) or "")
        self._states: Mapping[str, Any] = registration.get("tilstande") or {}
        self._relations: Mapping[str, Any] = registration.get("relationer") or {}
        self.extension: Json = json.loads(self.text("integrationsdata") or "{}")
        # Where the registry has fields of its own for them, they stand there.
        own = self._pieces[-1] if self._pieces else {}
        self.extension |= {name: value for name, value in own.items() if name.startswith("ava_")}
        if place := self.latest_uuid("ava_opstillingsadresse"):
            self.extension["ava_opstillingsadresse"] = place

    def on(self, day: str) -> "RegistryObject":
        """The object with nothing but what is valid on an ISO day."""

        def valid(groups: Mapping[str, Any] | None) -> Json:
            return {name: [item for item in items if _holds(item, day)] for name, items in (groups or {}).items()}

        parts = ("attributter", "tilstande", "relationer")
        return RegistryObject(self.id, {part: valid(self._registration.get(part)) for part in parts})

    def text(self, field: str) -> str | None:
        """An attribute as the last period has it."""
        return self._pieces[-1].get(field) if self._pieces else None

    def pieces(self) -> list[tuple[Json, str | None, str | None]]:
        """The attributes of each period, with first day and first day after it, by first day."""
        return [(piece, _begin(piece), _end(piece)) for piece in self._pieces]

    def active(self, *values: str) -> tuple[str | None, str | None] | None:
        """From when until when a state has one of these values; None when it never has."""
        items = [
            item
            for items in self._states.values()
            for item in items
            if any(item.get(name) in values for name in item if name != "virkning")
        ]
        if not items:
            return None
        ends = [_end(item) for item in items]
        return min((_begin(item) or "") for item in items) or None, None if None in ends else max(filter(None, ends))

    def uuids(self, relation: str) -> list[str]:
        """Objects that a relation names, in any period."""
        return [item["uuid"] for item in self._relations.get(relation) or [] if item.get("uuid")]

    def uuid(self, relation: str) -> str | None:
        """The object that a relation names; several are shown joined, which nothing equals."""
        return " and ".join(sorted(set(self.uuids(relation)))) or None

    def latest_uuid(self, relation: str) -> str | None:
        """The object that a relation names in the period that begins last."""
        items = [item for item in self._relations.get(relation) or [] if item.get("uuid")]
        return max(items, key=lambda item: _begin(item) or "")["uuid"] if items else None

    def urn(self, relation: str, scheme: str = "") -> str | None:
        """The value behind the urn of a relation and scheme; several are shown joined, which nothing equals."""
        prefix = f"urn:{scheme}"
        urns = [item["urn"] for item in self._relations.get(relation) or [] if item.get("urn")]
        return " and ".join(sorted(unquote(urn.removeprefix(prefix)) for urn in urns if urn.startswith(prefix))) or None


def _begin(item: Mapping[str, Any]) -> str | None:
    return business_day(item["virkning"].get("from"))


def _end(item: Mapping[str, Any]) -> str | None:
    return business_day(item["virkning"].get("to"))


def _holds(item: Mapping[str, Any], day: str) -> bool:
    end = _end(item)
    return (_begin(item) or "") <= day and (end is None or day < end)


def registry_objects(lora_url: str, lora_class: str) -> list[RegistryObject]:
    """All live objects of a class such as "organisation/bruger", by id. Raises httpx.HTTPError when unreadable."""
    with httpx.Client(base_url=lora_url.rstrip("/"), timeout=_TIMEOUT_S) as client:
        answer = client.get(f"/{lora_class}", params={"bvn": "%", **_WIDE}).raise_for_status().json()
        ids = sorted({object_id for group in answer["results"] for object_id in group})
        objects: list[RegistryObject] = []
        for start in range(0, len(ids), _LIST):
            wanted = [("uuid", object_id) for object_id in ids[start : start + _LIST]]
            answer = client.get(f"/{lora_class}", params=[*wanted, *_WIDE.items()]).raise_for_status().json()
            for item in (item for group in answer["results"] for item in group):
                registration = item["registreringer"][0]
                if registration["livscykluskode"] not in ("Slettet", "Passiveret"):
                    objects.append(RegistryObject(item["id"], registration))
    return objects


class Crm:
    """The CRM as a reader sees it; close it after use."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        """`settings` are the product's settings of the CRM (crm_url, crm_token_url, crm_client_id, …)."""
        form = {
            "grant_type": "client_credentials",
            "client_id": settings["crm_client_id"],
            "client_secret": settings["crm_client_secret"],
            "scope": settings["crm_scope"],
        }
        self._client = httpx.Client(timeout=_TIMEOUT_S)
        token = self._client.post(settings["crm_token_url"], data=form).raise_for_status().json()["access_token"]
        self._client.headers["Authorization"] = f"Bearer {token}"
        self._root = f"{settings['crm_url'].rstrip('/')}/api/data/v9.2"

    def __enter__(self) -> "Crm":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def rows(self, set_name: str) -> list[Json]:
        """All rows of an entity set."""
        url: str | None = f"{self._root}/{set_name}"
        found: list[Json] = []
        while url:
            answer = self._client.get(url, headers={"Prefer": "odata.maxpagesize=5000"}).raise_for_status().json()
            found.extend(answer["value"])
            url = answer.get("@odata.nextLink")
        return found

    def delete(self, set_name: str, row_id: str) -> None:
        """Deletes a row, as a person may."""
        self._client.delete(f"{self._root}/{set_name}({row_id})").raise_for_status()

    def linked(self, set_name: str, navigation: str, row_ids: Iterable[str], target_id: str) -> dict[str, list[str]]:
        """Ids of the rows that each row is linked to, by row id."""

        def one(row_id: str) -> tuple[str, list[str]]:
            url = f"{self._root}/{set_name}({row_id})/{navigation}?$select={target_id}"
            answer = self._client.get(url).raise_for_status().json()
            return row_id, sorted(row[target_id] for row in answer["value"])

        with ThreadPoolExecutor(_LINK_READERS) as readers:
            return dict(readers.map(one, row_ids))

"""What a registry says of a business day, read over HTTP; the code of the tests shares none with the product."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import cache
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import httpx

Json = dict[str, Any]

COPENHAGEN = ZoneInfo("Europe/Copenhagen")
PLACE = "ava_opstillingsadresse"
FIELDS_LIST = 90


@dataclass(frozen=True)
class Said:
    """One object on one day: its fields, whichever form they have, its states, and where its relations lead."""

    fields: Mapping[str, str]
    states: Mapping[str, str]
    related: Mapping[str, tuple[str, ...]]

    def one(self, relation: str, prefix: str = "") -> str | None:
        """Where a relation leads: a uuid, or with a prefix what follows it in a urn. Several are told as such."""
        targets = self.related.get(relation, ())
        found = [each.removeprefix(prefix) for each in targets if each.startswith(prefix or tuple("0123456789abcdef"))]
        return " and ".join(unquote(each) for each in found) or None


def noon(day: str) -> datetime:
    return datetime.combine(date.fromisoformat(day), time(12), COPENHAGEN)


def read(lora_url: str, lora_class: str, **window: str) -> dict[str, Json]:
    """The registrations of all objects of a class by id: with all their validity, or as the window wants them."""
    asked = window or {"virkningfra": "-infinity", "virkningtil": "infinity"}
    with httpx.Client(base_url=lora_url.rstrip("/"), timeout=60) as client:

        def results(*parameters: tuple[str, str]) -> Iterable[Any]:
            answer = client.get(f"/{lora_class}", params=list(parameters)).raise_for_status().json()["results"]
            return (each for group in answer for each in group)

        everything = results(("bvn", "%"), ("virkningfra", "-infinity"), ("virkningtil", "infinity"))
        ids = sorted(set(everything))
        found: dict[str, Json] = {}
        for start in range(0, len(ids), FIELDS_LIST):
            wanted = [("uuid", object_id) for object_id in ids[start : start + FIELDS_LIST]]
            for each in results(*wanted, *asked.items()):
                found[each["id"]] = each["registreringer"][0]
        return found


def on_day(registration: Json, day: str | None) -> Said:
    """What a registration says at noon of the day; with None, all of it, as a question for one moment is answered."""
    moment = None if day is None else noon(day)

    def holding(part: str) -> Iterable[tuple[str, Json]]:
        for name, items in (registration.get(part) or {}).items():
            yield from ((name, item) for item in items if moment is None or _holds(item["virkning"], moment))

    fields: dict[str, str] = {}
    for _group, piece in holding("attributter"):
        told = {**_unpacked(piece.get("integrationsdata") or "{}"), **piece}
        for name, value in told.items():
            if name not in ("virkning", "integrationsdata") and value not in (None, ""):
                assert name not in fields, f"two pieces say {name}"
                fields[name] = str(value).lower() if isinstance(value, bool) else str(value)
    states = {name.removeprefix("klasse"): _state(item) for name, item in holding("tilstande")}
    related: dict[str, list[str]] = {}
    for name, item in holding("relationer"):
        if target := item.get("uuid") or item.get("urn"):
            related.setdefault(name, []).append(target)
    if place := fields.pop(PLACE, None):
        related[PLACE] = [place]
    if states.get("publiceret") == "IkkePubliceret":
        # A plain registry has the place among the attributes, which go on; a relation ends with the installation.
        related.pop(PLACE, None)
    return Said(fields, states, {name: tuple(sorted(targets)) for name, targets in sorted(related.items())})


def _state(item: Json) -> str:
    return next(value for name, value in item.items() if name != "virkning")


def _holds(virkning: Json, moment: datetime) -> bool:
    start, end = _moment(virkning["from"]), _moment(virkning["to"])
    return (start is None or start <= moment) and (end is None or moment < end)


@cache
def _unpacked(text: str) -> Json:
    return json.loads(text)


@cache
def _moment(text: str) -> datetime | None:
    return None if "infinity" in text else datetime.fromisoformat(text)

"""The registry (LoRa) against the truth."""

import json
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from functools import partial
from itertools import pairwise
from typing import Any

from integration_assets.sandbox.verify_compare import Comparison, Difference, Key
from integration_assets.sandbox.verify_read import RegistryObject, business_day, registry_objects

Json = dict[str, Any]

# What a contact must say on the town's day.
_CONTACT_FIELDS = (
    "user_key", "name", "kmd_name", "first_name", "middle_name", "last_name", "gender", "civil_status", "protected",
    "business_code", "company_form", "master_id", "phone", "mobile", "email", "address_id",
)  # fmt: skip


Objects = Callable[[str], list[RegistryObject]]
Reader = Callable[[str, str], list[RegistryObject]]
"""Gives the objects of a class: address of the registry, class."""


def compare_registry(lora_url: str, truth: Mapping[str, Any], read: Reader = registry_objects) -> list[Difference]:
    """All differences between the registry and the truth. Raises httpx.HTTPError when it cannot be read.

    `read` gives the objects that count; by default all there are. Objects are told by their business keys, never by
    uuid.
    """
    comparison = Comparison("LoRa")

    def objects(lora_class: str) -> list[RegistryObject]:
        return read(lora_url, lora_class)

    parties = _contacts(comparison, objects, truth)
    relations = _relations(comparison, objects, truth)
    _roles(comparison, objects, truth, parties, relations)
    installations = _installations(comparison, objects, truth)
    _agreements(comparison, objects, truth, relations, installations)
    return comparison.differences


def _contacts(comparison: Comparison, objects: Objects, truth: Mapping[str, Any]) -> dict[str, str]:
    """Compares parties as they are on the town's day, and their history; returns their numbers in force by uuid."""
    today = truth["as_of"]
    readers = {"organisation/bruger": _person, "organisation/organisation": _company}
    expected: dict[Key, Json] = {}
    for number, contact in truth["contacts"].items():
        ended_on = contact["ended_on"]
        expected[(number,)] = {
            **{field: contact[field] for field in _CONTACT_FIELDS},
            "active": (None, ended_on),
            "inactive": (ended_on, None) if ended_on else None,
            **_told(contact["history"], None),
        }
    found: list[tuple[Key, Json]] = []
    numbers: dict[str, str] = {}
    for lora_class, read in readers.items():
        for obj in objects(lora_class):
            contact = read(obj.on(today))
            numbers[obj.id] = contact["number"]
            history = truth["contacts"].get(contact["number"], {}).get("history", {})
            life = {"active": obj.active("Aktiv"), "inactive": obj.active("Inaktiv")}
            found.append(((contact["number"],), {**contact, **life, **_told(history, partial(_read_on, read, obj))}))
    names = {key: f"of customer number {contact['user_key']}" for key, contact in expected.items()}
    comparison.objects("contact", expected, found, names)
    return numbers


def _read_on(read: Callable[[RegistryObject], Json], obj: RegistryObject, day: str) -> Json:
    return read(obj.on(day))


def _told(history: Mapping[str, list[list[Any]]], read_on: Callable[[str], Json] | None) -> Json:
    """What is said on the days around each change, "<field> on <day>": by the history itself, or by `read_on`.

    Those are the first day of each value and the day before, of which the history knows the value too. Of numbers it
    is only told whether the right one stands there.
    """
    told: Json = {}
    for field, line in history.items():
        for (_, before), (since, value) in pairwise(line):
            for day, wanted in ((_day_before(since), before), (since, value)):
                said = wanted if read_on is None else read_on(day)[field]
                if field == "number":
                    said = "as registered" if said == wanted else "another"
                told[f"{field} on {day}"] = said
    return told


def _day_before(day: str) -> str:
    return (date.fromisoformat(day) - timedelta(days=1)).isoformat()


def _person(obj: RegistryObject) -> Json:
    extension = obj.extension
    return {
        **_party(obj),
        "number": obj.urn("tilknyttedepersoner") or "?",
        "name": obj.text("brugernavn"),
        "protected": obj.extension.get("ava_adressebeskyttelse") in (True, "true"),
        "first_name": extension.get("ava_fornavn"),
        "middle_name": extension.get("ava_mellemnavn"),
        "last_name": extension.get("ava_efternavn"),
        "gender": extension.get("ava_koen"),
        "civil_status": extension.get("ava_civilstand"),
    }


def _company(obj: RegistryObject) -> Json:
    return {
        **_party(obj),
        "number": obj.urn("virksomhed") or "?",
        "name": obj.text("organisationsnavn"),
        "business_code": obj.urn("branche"),
        "company_form": obj.urn("virksomhedstype"),
    }


def _party(obj: RegistryObject) -> Json:
    return {
        "user_key": obj.text("brugervendtnoegle"),
        "kmd_name": obj.extension.get("ava_kmdnavn"),
        "master_id": obj.extension.get("ava_masterid"),
        "phone": obj.urn("adresser", "tel:"),
        "mobile": obj.urn("adresser", "mobile:"),
        "email": obj.urn("adresser", "email:"),
        "address_id": obj.uuid("adresser"),
    }


def _validity(obj: RegistryObject, *active: str) -> Json:
    start, end = obj.active(*active) or ("never", "never")
    return {"valid_from": start, "valid_to": end}


def _stands(obj: RegistryObject, relation: str, today: str, active: str) -> str | None:
    """What a relation names on the town's day; of an object that has ended, what it named last."""
    _start, end = obj.active(active) or (None, today)
    ended = end is not None and end <= today
    return obj.latest_uuid(relation) if ended else obj.on(today).uuid(relation)


def _relations(comparison: Comparison, objects: Objects, truth: Mapping[str, Any]) -> dict[str, str]:
    """Compares customer relations; returns their customer numbers by uuid."""
    found_objects = objects("organisation/interessefaellesskab")
    numbers = {obj.id: obj.text("brugervendtnoegle") or "?" for obj in found_objects}
    expected: dict[Key, Json] = {
        (number,): {field: account[field] for field in ("name", "address_id", "valid_from", "valid_to")}
        for number, account in truth["accounts"].items()
    }
    found = [
        (
            (numbers[obj.id],),
            {
                "name": obj.text("interessefaellesskabsnavn"),
                "address_id": _stands(obj, "adresser", truth["as_of"], "Aktiv"),
                **_validity(obj, "Aktiv"),
            },
        )
        for obj in found_objects
    ]
    comparison.objects("customer relation", expected, found)
    return numbers


def _roles(
    comparison: Comparison,
    objects: Objects,
    truth: Mapping[str, Any],
    parties: Mapping[str, str],
    relations: Mapping[str, str],
) -> None:
    expected: dict[Key, Json] = {
        (role["customer_number"], role["role_code"], role["party"]): {
            "valid_from": role["valid_from"],
            "valid_to": role["valid_to"],
            "type": role["role_code"],
        }
        for role in truth["roles"]
    }
    found: list[tuple[Key, Json]] = []
    for obj in objects("organisation/organisationfunktion"):
        relation = relations.get(obj.uuid("tilknyttedeinteressefaellesskaber") or "", "?")
        party = parties.get(obj.uuid("tilknyttedebrugere") or "", "?")
        kind = obj.urn("organisatoriskfunktionstype")
        found.append(
            ((relation, obj.text("brugervendtnoegle") or "?", party), {"type": kind, **_validity(obj, "Aktiv")})
        )
    comparison.objects("customer role", expected, found)


def _installations(comparison: Comparison, objects: Objects, truth: Mapping[str, Any]) -> dict[str, str]:
    """Compares installations; returns their installation numbers by uuid."""
    found_objects = objects("klassifikation/klasse")
    numbers = {obj.id: obj.text("brugervendtnoegle") or "?" for obj in found_objects}
    expected: dict[Key, Json] = {
        (number,): {
            "meters": [[f"{meter[0]}, {meter[2]} {meter[1]}", *meter[:4]] for meter in installation["meters"]],
            "own_address_id": installation["own_address_id"],
            "valid_from": installation["valid_from"],
            "valid_to": installation["valid_to"],
        }
        for number, installation in truth["installations"].items()
    }
    found: list[tuple[Key, Json]] = []
    for obj in found_objects:
        fields = {
            "meters": _meters(obj),
            "own_address_id": obj.extension.get("ava_opstillingsadresse"),
            **_validity(obj, "Publiceret"),
        }
        found.append(((numbers[obj.id],), fields))
    comparison.objects("installation", expected, found)
    return numbers


def _meters(obj: RegistryObject) -> list[list[Any]]:
    """[title, number, type, make, first day] of each meter; pieces that touch and say the same are one."""
    meters: list[list[Any]] = []
    for piece, start, _end in obj.pieces():
        make = _make(piece.get("integrationsdata"))
        said = [piece.get("titel"), piece.get("eksempel"), piece.get("beskrivelse"), make]
        if not meters or meters[-1][:4] != said:
            meters.append([*said, start])
    return meters


def _make(integration_data: str | None) -> str | None:
    make: str | None = json.loads(integration_data or "{}").get("ava_maalerfabrikat")
    return make


def _agreements(
    comparison: Comparison,
    objects: Objects,
    truth: Mapping[str, Any],
    relations: Mapping[str, str],
    installations: Mapping[str, str],
) -> None:
    expected: dict[Key, Json] = {
        (number,): {
            "name": agreement["name"],
            "product_count": str(agreement["product_count"]),
            "billing_address_id": agreement["billing_address_id"],
            "installations": sorted(agreement["installations"]),
            "valid_from": agreement["valid_from"],
            "valid_to": agreement["valid_to"],
            "start": agreement["valid_from"],
            "end": agreement["valid_to"],
        }
        for number, agreement in truth["agreements"].items()
    }
    found: list[tuple[Key, Json]] = []
    for obj in objects("indsats/indsats"):
        number = relations.get(obj.uuid("indsatsmodtager") or "", "?")
        held = {installations.get(object_id, "?") for object_id in obj.uuids("indsatskvalitet")}
        fields = {
            "name": obj.text("brugervendtnoegle"),
            "product_count": obj.text("beskrivelse"),
            "billing_address_id": _stands(obj, "indsatsdokument", truth["as_of"], "Disponeret"),
            "installations": sorted(held),
            "start": business_day(obj.text("starttidspunkt")),
            "end": business_day(obj.text("sluttidspunkt")),
            **_validity(obj, "Disponeret"),
        }
        found.append(((number,), fields))
    comparison.objects("agreement", expected, found)

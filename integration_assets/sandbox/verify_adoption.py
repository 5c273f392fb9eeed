"""Whether a registry that the first integration filled (`original`) holds the truth after it was adopted.

What counts is every object of ours that stands for something; the rest is looked at by itself: of copies one stays and
the others end on the day of the adoption, nothing is gone, strangers are as they were, additions of others are there.
"""

from collections.abc import Mapping
from typing import Any

import httpx

from integration_assets.sandbox.verify_compare import Difference
from integration_assets.sandbox.verify_lora import Reader, compare_registry
from integration_assets.sandbox.verify_read import RegistryObject, registry_objects

Json = dict[str, Any]

_ACTIVE = ("Aktiv", "Publiceret", "Disponeret")


def compare_adopted(lora_url: str, truth: Mapping[str, Any], planted: Mapping[str, Any], day: str) -> list[Difference]:
    """All differences between an adopted registry and the truth, and what became otherwise of what was planted.

    `planted` as from `original_planted.Planted`, `day` the ISO day of the adoption. Raises httpx.HTTPError.
    """
    return [*compare_registry(lora_url, truth, counting(planted, day)), *_copies(lora_url, planted, day)]


def counting(planted: Mapping[str, Any], day: str) -> Reader:
    """Reads the objects of a class that stand for something: no strangers, nothing that ended for another object."""
    aside = {*planted["unknown"], *planted["waiting"], *(object_id for _, object_id in planted["strangers"])}
    copied = {object_id for _, ids in planted["copies"] for object_id in ids}
    giving_way = copied | set(planted["ending"]) | {each for kind, _, each in planted["faults"] if kind == "role_code"}

    def read(lora_url: str, lora_class: str) -> list[RegistryObject]:
        return [
            each
            for each in registry_objects(lora_url, lora_class)
            if each.id not in aside and not (each.id in giving_way and has_ended(each, day))
        ]

    return read


def has_ended(obj: RegistryObject, day: str) -> bool:
    """Whether an object is active until this day and never again."""
    period = obj.active(*_ACTIVE)
    return period is not None and period[1] == day


def created_and_gone(lora_url: str, planted: Mapping[str, Any]) -> list[str]:
    """The uuids of objects that the first integration created and that are deleted now, or passive."""
    gone: list[str] = []
    for lora_class, ids in planted["created"].items():
        live = {each.id for each in registry_objects(lora_url, lora_class)}
        gone += [object_id for object_id in ids if object_id not in live]
    return gone


def answers(lora_url: str, objects: list[list[str]], *, history: bool = True) -> dict[str, str]:
    """The registry's answers, as text, by uuid, for [class, uuid]: with all periods, and with all registrations."""
    window = {"virkningfra": "-infinity", "virkningtil": "infinity"}
    if history:
        window |= {"registreretfra": "-infinity", "registrerettil": "infinity"}
    with httpx.Client(base_url=lora_url, timeout=60) as client:
        return {
            object_id: client.get(f"/{lora_class}/{object_id}", params=window).raise_for_status().text
            for lora_class, object_id in objects
        }


def additions_lost(lora_url: str, planted: Mapping[str, Any]) -> list[list[str]]:
    """Those of the additions of others that are not there any more."""
    texts = answers(lora_url, [each[:2] for each in planted["added"]], history=False)
    return [each for each in planted["added"] if each[3] not in texts[each[1]]]


def _copies(lora_url: str, planted: Mapping[str, Any], day: str) -> list[Difference]:
    """Copies of which not exactly one stays, and objects that stand for nothing and go on."""
    classes = {lora_class for lora_class, _ in planted["copies"]} | set(planted["created"])
    by_id = {each.id: each for lora_class in classes for each in registry_objects(lora_url, lora_class)}
    found: list[Difference] = []
    for lora_class, ids in planted["copies"]:
        staying = [object_id for object_id in ids if not has_ended(by_id[object_id], day)]
        if len(staying) != 1:
            found.append(Difference("LoRa", lora_class, ids[0], f"{len(staying)} of {len(ids)} copies stay"))
    for object_id in planted["ending"]:
        if not has_ended(by_id[object_id], day):
            found.append(Difference("LoRa", "object for nothing", object_id, "goes on"))
    return found

"""The uuids by which an object of the registry (LoRa) refers to others, and how they are put into other words.

In an adopted registry our objects stand under uuids that are not the computed ones. What goes there and what comes from
there is translated whole, relation by relation; uuids that are nobody's of ours (addresses, owners) stay as they are.
"""

from collections.abc import Mapping
from typing import Any, cast

Json = dict[str, Any]


def referenced(content: Mapping[str, Any]) -> set[str]:
    """All uuids, in lower case, that the relations of a body or registration lead to."""
    relations: Mapping[str, list[Mapping[str, Any]]] = content.get("relationer") or {}
    return {str(item["uuid"]).lower() for items in relations.values() for item in items if item.get("uuid")}


def renamed(content: Mapping[str, Any], names: Mapping[str, str]) -> Json:
    """The body or registration with the relations' uuids (keys of `names`, in lower case) replaced."""
    relations: Mapping[str, list[Mapping[str, Any]]] = content.get("relationer") or {}
    if not relations:
        return dict(content)

    def item_renamed(item: Mapping[str, Any]) -> Json:
        target = cast("str | None", item.get("uuid"))
        other = names.get(target.lower()) if target else None
        return dict(item) if other is None else {**item, "uuid": other}

    return {**content, "relationer": {name: [item_renamed(item) for item in items] for name, items in relations.items()}}


def object_renamed(obj: Mapping[str, Any], names: Mapping[str, str]) -> Json:
    """An object as LoRa answers it, with its own uuid and those of its relations replaced."""
    own = str(obj["id"]).lower()
    registrations: list[Mapping[str, Any]] = obj.get("registreringer") or []
    return {**obj, "id": names.get(own, own), "registreringer": [renamed(each, names) for each in registrations]}

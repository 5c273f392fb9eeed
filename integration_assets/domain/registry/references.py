"""The uuids by which an object of the registry (LoRa) refers to others, and how they are put into other words.

In an adopted registry our objects stand under uuids that are not the computed ones. What goes there and what comes from
there is translated whole, relation by relation; uuids that are nobody's of ours (addresses, owners) stay as they are.
"""

from collections.abc import Mapping
from typing import Any, cast

Json = dict[str, Any]


def pieces(content: Mapping[str, Any], part: str) -> list[Mapping[str, Any]]:
    """All pieces of a part (attributter, tilstande, relationer) of a body or registration, whatever their group."""
    groups: Mapping[str, list[Mapping[str, Any]]] = content.get(part) or {}
    return [piece for group in groups.values() for piece in group]


def targets(content: Mapping[str, Any], relation: str) -> list[str]:
    """The uuids, sorted, each once, that a relation leads to at any time."""
    relations: Mapping[str, list[Mapping[str, Any]]] = content.get("relationer") or {}
    return sorted({str(item["uuid"]) for item in relations.get(relation) or [] if item.get("uuid")})


def referenced(content: Mapping[str, Any]) -> set[str]:
    """All uuids, in lower case, that the relations of a body or registration lead to."""
    return {str(item["uuid"]).lower() for item in pieces(content, "relationer") if item.get("uuid")}


def renamed(content: Mapping[str, Any], names: Mapping[str, str]) -> Json:
    """The body or registration with the relations' uuids (keys of `names`, in lower case) replaced."""
    relations: Mapping[str, list[Mapping[str, Any]]] = content.get("relationer") or {}
    if not relations:
        return dict(content)

    def item_renamed(item: Mapping[str, Any]) -> Json:
        target = cast("str | None", item.get("uuid"))
        other = names.get(target.lower()) if target else None
        return dict(item) if other is None else {**item, "uuid": other}

    new = {name: [item_renamed(item) for item in items] for name, items in relations.items()}
    return {**content, "relationer": new}


def object_renamed(obj: Mapping[str, Any], names: Mapping[str, str]) -> Json:
    """An object as LoRa answers it, with its own uuid and those of its relations replaced."""
    own = str(obj["id"]).lower()
    registrations: list[Mapping[str, Any]] = obj.get("registreringer") or []
    return {**obj, "id": names.get(own, own), "registreringer": [renamed(each, names) for each in registrations]}

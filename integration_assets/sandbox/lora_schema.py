"""The check of POST and PUT bodies by the JSON schema of their class, by hand: it is the busiest path.

Belongs here: the rules that `lora_fields.json_schema` states, and nothing of what the database refuses later. Every
fault found is a 400 with a message.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from integration_assets.sandbox.lora_classes import LoraClass
from integration_assets.sandbox.lora_errors import invalid
from integration_assets.sandbox.lora_fields import MOST_WORDS, UUID_PATTERN

UUID = re.compile(UUID_PATTERN)
_URN = re.compile(r"urn:.[\s\S]*")
_TARGET = frozenset({"uuid", "urn", "objekttype", "virkning"})
_NUMBERED_TARGET = _TARGET | {"indeks"}
_EFFECT_TEXTS = frozenset({"from", "to", "aktoerref", "aktoertypekode", "notetekst"})
_EFFECT_FLAGS = frozenset({"from_included", "to_included"})


def check_body(spec: LoraClass, body: Any) -> None:
    """Raises Refused (400) when the schema of the class forbids the body."""
    if not isinstance(body, dict):
        raise invalid("the body is no object")
    _only(body, {"attributter", "tilstande", "relationer", "note"}, "")
    attributes = _object(body, "attributter", {spec.attribute_group}, required=True)
    states = _object(body, "tilstande", {spec.name + name for name in spec.states}, required=True)
    relations = _object(body, "relationer", {*spec.one, *spec.many}, required=False)
    if not isinstance(body.get("note", ""), str):
        raise invalid("note is not of type 'string'")
    for item in _list(attributes, spec.attribute_group):
        _check_attributes(spec, item)
    for name, values in spec.states.items():
        for item in _list(states, spec.name + name):
            _check_state(name, values, item)
    for name in relations:
        items = _list(relations, name)
        for item in items:
            _check_relation(item, numbered=spec.indexed and name in spec.many)
        if name in spec.one and len(items) > 1:
            raise invalid(f"{name} has too many items")


def _object(body: Mapping[str, Any], key: str, allowed: set[str], *, required: bool) -> dict[str, Any]:
    if key not in body and not required:
        return {}
    group = body.get(key)
    if not isinstance(group, dict):
        raise invalid(f"'{key}' is a required property" if key not in body else f"{key} is not of type 'object'")
    _only(group, allowed, key)
    return group


def _only(given: Mapping[str, Any], allowed: Iterable[str], where: str) -> None:
    if unknown := [key for key in given if key not in allowed]:
        raise invalid(f"Additional properties are not allowed in {where or 'the object'}: {', '.join(unknown)}")


def _list(group: Mapping[str, Any], key: str) -> list[Any]:
    items = group.get(key)
    if items is None and key not in group:
        raise invalid(f"'{key}' is a required property")
    if not isinstance(items, list):
        raise invalid(f"{key} is not of type 'array'")
    return items


def _check_item(item: Any, required: Iterable[str]) -> None:
    if not isinstance(item, dict):
        raise invalid("an item is not of type 'object'")
    for key in (*required, "virkning"):
        if key not in item:
            raise invalid(f"'{key}' is a required property")
    _check_effect(item["virkning"])


def _check_attributes(spec: LoraClass, item: Any) -> None:
    _check_item(item, spec.required)
    _only(item, (*spec.fields, "virkning"), spec.attribute_group)
    for field, value in item.items():
        if field == "virkning":
            continue
        if field == spec.words:
            rows = value if isinstance(value, list) else [None]
            if len(rows) > MOST_WORDS or not all(_are_texts(row) for row in rows):
                raise invalid(f"{field} is no array of at most {MOST_WORDS} arrays of texts")
        elif field in spec.lists:
            if not _are_texts(value):
                raise invalid(f"{field} is no array of texts")
        elif not isinstance(value, str):
            raise invalid(f"{field} is not of type 'string'")


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _check_state(name: str, values: tuple[str, ...], item: Any) -> None:
    _check_item(item, (name,))
    _only(item, (name, "virkning"), name)
    if item[name] not in values:
        raise invalid(f"{name} is not one of {', '.join(values)}")


def _check_relation(item: Any, *, numbered: bool) -> None:
    _check_item(item, ())
    _only(item, _NUMBERED_TARGET if numbered else _TARGET, "a relation")
    if ("uuid" in item) == ("urn" in item):
        raise invalid("a relation has either uuid or urn")
    target = item.get("uuid", item.get("urn"))
    pattern = UUID if "uuid" in item else _URN
    if not isinstance(target, str) or not pattern.fullmatch(target):
        raise invalid("a relation's target has the wrong form")
    if not isinstance(item.get("objekttype", ""), str) or type(item.get("indeks", 0)) is not int:
        raise invalid("a relation's objekttype or indeks has the wrong type")


def _check_effect(effect: Any) -> None:
    if not isinstance(effect, dict):
        raise invalid("virkning is not of type 'object'")
    if "from" not in effect or "to" not in effect:
        raise invalid("virkning needs from and to")
    for key, value in effect.items():
        if key in _EFFECT_TEXTS:
            right = isinstance(value, str) and (key != "aktoerref" or UUID.fullmatch(value))
        else:
            right = key in _EFFECT_FLAGS and isinstance(value, bool)
        if not right:
            raise invalid(f"virkning: {key} is unknown or has the wrong form")

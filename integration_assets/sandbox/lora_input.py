"""Bodies sent to the registry: checked, and turned into the content of a registration.

Belongs here: the rules of the JSON schema for POST and PUT (checked by hand, it is the busiest path), the laxer
reading of PATCH, dates and limits of the database. The content of a registration is

    {"attributter": [item, …], "tilstande": {state: [item, …]}, "relationer": {name: [item, …]}}

with every item as it is read back, `virkning` included, except that empty texts are still there.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from integration_assets.sandbox.bitemporal import (
    Period,
    UnreadableInstant,
    any_overlap,
    database_text,
    iso_text,
    read_instant,
)
from integration_assets.sandbox.lora_classes import ACTOR_TYPES, LoraClass
from integration_assets.sandbox.lora_errors import ServerFault, invalid, rule_broken, unreadable

Item = dict[str, Any]
Content = dict[str, Any]

UUID = re.compile(r"[a-fA-F0-9]{8}-[a-fA-F0-9]{4}-[a-fA-F0-9]{4}-[a-fA-F0-9]{4}-[a-fA-F0-9]{12}")
_EFFECT_TEXTS = frozenset({"from", "to", "aktoerref", "aktoertypekode", "notetekst"})
_EFFECT_FLAGS = frozenset({"from_included", "to_included"})
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")
# A btree entry holds this many bytes of a text, after compression.
_INDEX_BYTES = 2692


def period_of(item: Mapping[str, Any]) -> Period:
    """The period of a stored item."""
    effect = item["virkning"]
    return Period(read_instant(effect["from"]), read_instant(effect["to"]))


def complete_content(spec: LoraClass, body: Any) -> Content:
    """Content of a POST or PUT body. Raises Refused (400) where the schema forbids, ServerFault where it does not."""
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
    for name, items in relations.items():
        for item in _list(relations, name):
            _check_relation(spec, item)
        if name in spec.one and len(items) > 1:
            raise invalid(f"{name} has too many items")
    content = read_content(spec, body, drop_single_word=True)
    if not content["attributter"]:
        raise rule_broken(f"{spec.attribute_group} is required")
    for name in spec.states:
        if not content["tilstande"][name]:
            raise rule_broken(f"{spec.name}{name} is required")
    for items in (content["attributter"], *content["tilstande"].values()):
        if any_overlap(map(period_of, items)):
            raise ServerFault("overlapping periods")
    return content


def read_content(spec: LoraClass, body: Mapping[str, Any], *, drop_single_word: bool = False) -> Content:
    """Content of a body, only the groups that it holds. The schema is not looked at: this is all that PATCH does."""
    content: Content = {"tilstande": {}, "relationer": {}}
    attributes = _group(body, "attributter")
    for group, items in attributes.items():
        if group not in (spec.attribute_group, "egenskaber"):
            raise ServerFault(f"no attribute group {group}")
        content["attributter"] = [_attribute_item(spec, item, drop_single_word) for item in _sent(items)]
    for group, items in _group(body, "tilstande").items():
        name = group.removeprefix(spec.name)
        if name in spec.states:
            content["tilstande"][name] = [_state_item(spec, name, item) for item in _sent(items)]
    for name, items in _group(body, "relationer").items():
        if name not in spec.one and name not in spec.many:
            raise unreadable(f"value for enum {spec.name}relationkode", name)
        if items:
            content["relationer"][name] = [_relation_item(spec, name, item) for item in _sent(items)]
    return content


def check_texts(texts: Iterable[Any]) -> None:
    """ServerFault when a text cannot be stored: it holds NUL or half a character, or is too long for an index."""
    for text in texts:
        if not isinstance(text, str):
            continue
        if "\0" in text or (not text.isascii() and _HALF_CHARACTER.search(text)):
            raise ServerFault("a text that is none")
        raw = text.encode() if len(text) * 4 > _INDEX_BYTES else b""
        if len(raw) > _INDEX_BYTES and _compressed_size(raw) > _INDEX_BYTES:
            raise ServerFault("text too long for its index")


def _sent(items: Any) -> list[Any]:
    """A list of items; null is none of them. ServerFault for anything else."""
    if items is not None and not isinstance(items, list):
        raise ServerFault("items that are no list")
    return items or []


def _attribute_item(spec: LoraClass, item: Any, drop_single_word: bool) -> Item:
    effect = read_effect(item)
    effect.pop("notetekst", None)  # the registry loses it
    result: Item = {}
    for field in spec.fields:
        value = item.get(field)
        if value is None:
            continue
        if field == spec.words:
            if not all(isinstance(word, list) and len(word) == 3 for word in _sent(value)):
                raise ServerFault("a search word has three parts")
            check_texts(text for word in value for text in word)
            if drop_single_word and len(value) == 1:
                continue
        elif field in spec.timestamps:
            value = _timestamp(value)
        result[field] = value if isinstance(value, str | list) else str(value)
    check_texts(result.values())
    result["virkning"] = effect
    return result


def _state_item(spec: LoraClass, name: str, item: Any) -> Item:
    effect = read_effect(item)
    value = item.get(name)
    if value and value not in spec.states[name]:
        raise unreadable(f"value for enum {spec.name}{name}tils", str(value))
    return {name: value, "virkning": effect} if value else {"virkning": effect}


def _relation_item(spec: LoraClass, name: str, item: Any) -> Item:
    result: Item = {"virkning": read_effect(item)}
    target, urn = item.get("uuid"), item.get("urn")
    if target:
        if not isinstance(target, str) or not UUID.fullmatch(target):
            raise unreadable("syntax for type uuid", str(target))
        result["uuid"] = target.lower()
    elif urn:
        result["urn"] = urn
    if item.get("objekttype"):
        result["objekttype"] = item["objekttype"]
    if spec.indexed and name in spec.many and isinstance(item.get("indeks"), int):
        result["indeks"] = item["indeks"]
    check_texts((result.get("urn"), result.get("objekttype")))
    return result


def read_effect(item: Any) -> dict[str, Any]:
    """The `virkning` of a sent item as it is read back. Always half-open, whatever the flags say."""
    effect = item.get("virkning") if isinstance(item, dict) else None
    if not isinstance(effect, dict):
        raise ServerFault("an item without virkning")
    bounds: list[int] = []
    for key in ("from", "to"):
        text = effect.get(key)
        if not isinstance(text, str) or "'" in text:
            raise ServerFault("a date that breaks the statement")
        try:
            bounds.append(read_instant(text))
        except UnreadableInstant:
            raise unreadable("syntax for type timestamp with time zone", text) from None
    start, end = bounds
    if start > end:
        raise unreadable("range: lower bound above upper bound", effect["from"])
    if start == end:
        raise ServerFault("an empty period")
    result: dict[str, Any] = {
        "from": database_text(start) if effect["from"].strip() else "",
        "from_included": bool(effect["from"].strip()),
        "to": database_text(end),
        "to_included": False,
    }
    actor, actor_type, note = effect.get("aktoerref"), effect.get("aktoertypekode"), effect.get("notetekst")
    if actor:
        if not UUID.fullmatch(str(actor)):
            raise unreadable("syntax for type uuid", str(actor))
        result["aktoerref"] = actor.lower()
    if actor_type:
        if actor_type not in ACTOR_TYPES:
            raise unreadable("value for enum aktoertypekode", str(actor_type))
        result["aktoertypekode"] = actor_type
    if note:
        check_texts((note,))
        result["notetekst"] = note
    return result


def _timestamp(value: Any) -> str:
    """A timestamp field as it is read back. An empty text is a ServerFault: such a field cannot be cleared."""
    if not isinstance(value, str) or not value.strip():
        raise ServerFault("an empty timestamp")
    try:
        return iso_text(read_instant(value))
    except UnreadableInstant:
        raise unreadable("syntax for type timestamp with time zone", value) from None


def _group(body: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    group = body.get(key)
    if group is None:
        return {}
    if not isinstance(group, dict):
        raise invalid(f"expected dict for '{key}'")
    return group


def _object(body: Mapping[str, Any], key: str, allowed: set[str], *, required: bool) -> dict[str, Any]:
    if key not in body and not required:
        return {}
    group = body.get(key)
    if not isinstance(group, dict):
        raise invalid(f"'{key}' is a required property" if key not in body else f"{key} is not of type 'object'")
    _only(group, allowed, key)
    return group


def _only(given: Mapping[str, Any], allowed: Iterable[str], where: str) -> None:
    unknown = [key for key in given if key not in allowed]
    if unknown:
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
            if not all(isinstance(row, list) and all(isinstance(text, str) for text in row) for row in rows):
                raise invalid(f"{field} is no array of arrays of texts")
        elif not isinstance(value, str):
            raise invalid(f"{field} is not of type 'string'")


def _check_state(name: str, values: tuple[str, ...], item: Any) -> None:
    _check_item(item, (name,))
    _only(item, (name, "virkning"), name)
    if item[name] not in values:
        raise invalid(f"{name} is not one of {', '.join(values)}")


def _check_relation(spec: LoraClass, item: Any) -> None:
    _check_item(item, ())
    allowed = {"uuid", "urn", "objekttype", "virkning"} | ({"indeks"} if spec.indexed else set())
    _only(item, allowed, "a relation")
    if ("uuid" in item) == ("urn" in item):
        raise invalid("a relation has either uuid or urn")
    target = item.get("uuid", item.get("urn"))
    pattern = UUID if "uuid" in item else re.compile(r"urn:.[\s\S]*")
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


def _compressed_size(raw: bytes) -> int:
    """About what the database's own compression leaves of a text; the full size when it would not compress it.

    It replaces repetitions of three bytes and more, found in the last 4 KB, by two or three bytes, and spends one
    flag per byte or repetition; it gives up when the first kilobyte has no repetition or less than a quarter is won.
    """
    seen: dict[bytes, int] = {}
    position = size = tokens = 0
    repeated = False
    while position < len(raw):
        if position >= 1024 and not repeated:
            return len(raw)
        key = raw[position : position + 3]
        start = seen.get(key, -1)
        seen[key] = position
        length = 0
        if len(key) == 3 and start >= 0 and position - start < 4096:
            while length < 273 and position + length < len(raw) and raw[start + length] == raw[position + length]:
                length += 1
        if length >= 3:
            repeated = True
            size += 3 if length > 17 else 2
            position += length
        else:
            size += 1
            position += 1
        tokens += 1
    size += (tokens + 7) // 8
    return size if size <= len(raw) * 3 // 4 else len(raw)

"""Bodies sent to the registry, turned into the content of a registration.

Belongs here: what the database makes of a body (the schema, for POST and PUT, is the module `lora_schema`'s): dates,
enumerations, limits, and what a new object must hold. The content of a registration is

    {"attributter": [item, …], "tilstande": {state: [item, …]}, "relationer": {name: [item, …]}}

with every item as it is read back, `virkning` included, except that empty texts are still there.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from integration_assets.sandbox.bitemporal import (
    UNBOUNDED,
    Period,
    UnreadableInstant,
    any_overlap,
    database_text,
    iso_text,
    read_fixed_instant,
    read_instant,
)
from integration_assets.sandbox.lora_classes import ACTOR_TYPES, CLASSES, LoraClass
from integration_assets.sandbox.lora_errors import ServerFault, invalid, rule_broken, unreadable
from integration_assets.sandbox.lora_schema import UUID

Item = dict[str, Any]
Content = dict[str, Any]

_GROUPS_OF_ALL_CLASSES = frozenset(spec.attribute_group for spec in CLASSES.values())
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")
# A btree entry holds this many bytes of a text, after compression.
_INDEX_BYTES = 2692


def period_of(item: Mapping[str, Any]) -> Period:
    """The period of a stored item."""
    effect = item["virkning"]
    return Period(read_instant(effect["from"]), read_instant(effect["to"]))


def new_content(spec: LoraClass, content: Content) -> Content:
    """What a new object, or the replacement of a live one, keeps of its content.

    Raises Refused (400) where a group or state is missing, ServerFault where pieces overlap.
    """
    if not content.get("attributter"):
        raise rule_broken(f"{spec.attribute_group} is required")
    for name in spec.states:
        if not content["tilstande"].get(name):
            raise rule_broken(f"{spec.name}{name} is required")
    for items in (content["attributter"], *content["tilstande"].values()):
        if len(items) > 1 and any_overlap(map(period_of, items)):
            raise ServerFault("overlapping periods")
    if spec.words is None:
        return content
    return {**content, "attributter": [_without_single_word(spec.words, item) for item in content["attributter"]]}


def read_content(spec: LoraClass, body: Mapping[str, Any]) -> Content:
    """Content of a body, only the groups that it holds. The schema is not looked at: this is all that PATCH does.

    Raises Refused (400) where the database refuses a value, ServerFault where it was not foreseen.
    """
    content: Content = {"tilstande": {}, "relationer": {}}
    attributes, states, relations = (_group(body, key) for key in ("attributter", "tilstande", "relationer"))
    for group, items in attributes.items():
        if group == spec.attribute_group:
            content["attributter"] = [_attribute_item(spec, item) for item in _sent(items)]
        elif group.lower() not in _GROUPS_OF_ALL_CLASSES:
            raise ServerFault(f"no attribute group {group}")
    for name in spec.states:
        items = states.get(spec.name + name, states.get(name))
        if items is not None:
            content["tilstande"][name] = [_state_item(spec, name, item) for item in _sent(items)]
    for name, items in relations.items():
        if not items:
            continue
        if not all(isinstance(item, dict) for item in _sent(items)):
            raise invalid(f"mapping expected in {name}")
        if name not in spec.one and name not in spec.many:
            raise unreadable(f"value for enum {spec.name}relationkode", name)
        content["relationer"][name] = [_relation_item(spec, name, item) for item in items]
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
    """A list of items; an empty object or text is an empty one. ServerFault for anything else."""
    if items in ({}, ""):
        return []
    if not isinstance(items, list):
        raise ServerFault("items that are no list")
    return items


def _attribute_item(spec: LoraClass, item: Any) -> Item:
    effect = read_effect(item)
    effect.pop("notetekst", None)  # the registry loses it
    result: Item = {}
    for field in spec.fields:
        if field not in item:
            continue
        value = item[field]
        if field in spec.timestamps:
            value = timestamp(value)
        elif field == spec.words:
            if not isinstance(value, list) or not all(_is_word(word) for word in value):
                raise ServerFault("a search word has three parts")
            check_texts(text for word in value for text in word)
        elif field in spec.lists and isinstance(value, list):
            check_texts(value)
        elif isinstance(value, bool):
            value = "true" if value else "false"
        elif value is not None and not isinstance(value, str):
            if not isinstance(value, int | float):
                raise ServerFault("an attribute that is no text")
            value = str(value)
        if value is not None:
            result[field] = value
    check_texts(result.values())
    result["virkning"] = effect
    return result


def _is_word(word: Any) -> bool:
    return isinstance(word, list) and len(word) == 3 and all(isinstance(part, str | None) for part in word)


def _without_single_word(words: str, item: Item) -> Item:
    """The registry forgets the search words of a new item when there is only one."""
    if len(item.get(words, ())) != 1:
        return item
    return {field: value for field, value in item.items() if field != words}


def _state_item(spec: LoraClass, name: str, item: Any) -> Item:
    effect = read_effect(item)
    if name not in item:
        raise ServerFault("a state item without its state")
    value = item[name]
    if value and value not in spec.states[name]:
        raise unreadable(f"value for enum {spec.name}{name}tils", str(value))
    return {name: value, "virkning": effect} if value else {"virkning": effect}


def _relation_item(spec: LoraClass, name: str, item: Any) -> Item:
    result: Item = {"virkning": read_effect(item)}
    target, urn = item.get("uuid"), item.get("urn")
    if target and urn:
        raise ServerFault("a relation to two targets")
    if target:
        if not isinstance(target, str) or not UUID.fullmatch(target):
            raise unreadable("syntax for type uuid", str(target))
        result["uuid"] = target.lower()
    elif urn:
        result["urn"] = str(urn)
    if item.get("objekttype"):
        result["objekttype"] = str(item["objekttype"])
    if spec.indexed and name in spec.many and isinstance(item.get("indeks"), int):
        result["indeks"] = item["indeks"]
    check_texts((result.get("urn"), result.get("objekttype")))
    return result


def read_effect(item: Any) -> dict[str, Any]:
    """The `virkning` of a sent item as it is read back. Always half-open, whatever the flags say."""
    effect = item.get("virkning") if isinstance(item, dict) else None
    if not effect:
        raise ServerFault("an item without virkning")
    if not isinstance(effect, dict):
        raise unreadable("syntax for type timestamp with time zone", str(effect))
    start, end = _bound(effect, "from"), _bound(effect, "to")
    if start > end:
        raise unreadable("range: lower bound above upper bound", str(effect.get("from")))
    if start == end:
        raise ServerFault("an empty period")
    result: dict[str, Any] = {
        "from": database_text(start),
        "from_included": start != UNBOUNDED,
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


def timestamp(value: Any) -> str:
    """A timestamp as it is read back. ServerFault for what is none, an empty text and null included."""
    if not isinstance(value, str):
        raise ServerFault("a timestamp that is no text")
    try:
        return iso_text(read_fixed_instant(value))
    except UnreadableInstant:
        raise ServerFault("a timestamp that cannot be read") from None


def _bound(effect: Mapping[str, Any], key: str) -> int:
    """An end of a period. An empty or missing `from` is no lower bound; the same for `to` cannot be read."""
    text = effect.get(key, "")
    if isinstance(text, str) and "'" in text:
        raise ServerFault("a date that breaks the statement")
    if text == "" and key == "from":
        return UNBOUNDED
    try:
        if not isinstance(text, str) or not text.strip():
            raise UnreadableInstant(str(text))
        return read_instant(text)
    except UnreadableInstant:
        raise unreadable("syntax for type timestamp with time zone", str(text)) from None


def _group(body: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    group = body.get(key)
    if group is None:
        return {}
    if not isinstance(group, dict):
        raise invalid(f"expected dict for '{key}'")
    return group


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

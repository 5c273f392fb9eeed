"""Listing and searching the objects of a class of the registry.

Belongs here: what the parameters of a GET on a class mean. Names of parameters are case-insensitive. With only `uuid`
and time parameters the answer is a list of whole objects, with any other a search for ids. Newer releases know two
parameters more: `konsolider` (joins equal pieces that follow each other) and `list` (a search that answers whole
objects).
"""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from integration_assets.sandbox import bitemporal
from integration_assets.sandbox.bitemporal import (
    FUTURE,
    PAST,
    Period,
    UnreadableInstant,
    database_text,
    read_instant,
)
from integration_assets.sandbox.lora_errors import ServerFault, gone, invalid, unreadable
from integration_assets.sandbox.lora_input import Item, timestamp
from integration_assets.sandbox.lora_schema import UUID
from integration_assets.sandbox.lora_store import CODES, USER, Objects, Registration, Window, overlapping

_TIME = frozenset(
    {"registreretfra", "registrerettil", "registreringstid", "virkningfra", "virkningtil", "virkningstid"}
)
_GENERAL = frozenset(
    {
        "brugerref",
        "foersteresultat",
        "livscykluskode",
        "maximalantalresultater",
        "notetekst",
        "uuid",
        "vilkaarligattr",
        "vilkaarligrel",
    }
)
JOINING = "konsolider"
LISTING = "list"
NEWER = frozenset({JOINING, LISTING})
_INTEGER_LIMIT = 1 << 31
_YEAR_OR_MONTH = re.compile(r"\d{4}(-\d{2})?")

Parameters = dict[str, list[str]]
Condition = Callable[[Registration], bool]


def read_parameters(items: Iterable[tuple[str, str]]) -> Parameters:
    """Values by name: names in lower case up to a colon, the alias `bvn` resolved."""
    parameters: Parameters = {}
    for name, value in items:
        plain, colon, narrowing = name.partition(":")
        plain = plain.lower()
        plain = "brugervendtnoegle" if plain == "bvn" else plain
        parameters.setdefault(plain + colon + narrowing, []).append(value)
    return parameters


def window(parameters: Parameters) -> Window:
    """The time window asked for; without time parameters what is in force now, as registered now.

    Where a time is given twice, the first one counts. Raises Refused (400) for conflicting or unreadable times,
    ServerFault for a single moment that is not ISO.
    """
    effect = _period(parameters, "virkningfra", "virkningtil", "virkningstid")
    present = bitemporal.now()
    registered = _period(parameters, "registreretfra", "registrerettil", "registreringstid")
    return Window(effect or Period(present, present + 1), registered, JOINING in parameters)


def check_read_parameters(parameters: Parameters, newer: frozenset[str]) -> None:
    """Reading one object takes times, and `konsolider` where it is known. Raises Refused (400)."""
    _refuse_unknown(name for name in parameters if name not in _TIME | (newer & {JOINING}))


def list_or_search(objects: Objects, parameters: Parameters, newer: frozenset[str]) -> dict[str, Any]:
    """Answer to GET on a class: `{"results": [[object, …]]}`, `{"results": []}`, or `{"results": [[id, …]]}`.

    `newer` are the parameters of newer releases (`NEWER`) that this registry knows. Raises Refused, ServerFault.
    """
    spec = objects.spec
    relations = {*spec.one, *spec.many}
    known = {*spec.fields, *spec.states, *relations} | _GENERAL | _TIME | newer
    # Only a relation may be narrowed by the type of its target.
    _refuse_unknown(name for name in parameters if name not in known and name.partition(":")[0] not in relations)
    asked = window(parameters)
    ids = [_uuid(text) for text in parameters.get("uuid", ())]
    if set(parameters) <= _TIME | {"uuid", JOINING}:
        return _whole(objects, ids, asked)
    if len(ids) > 1:
        raise invalid("Multiple uuid parameters passed to search operation. Only one is supported.")
    hits = _search(objects, parameters, asked, ids)
    if LISTING not in parameters:
        return {"results": [hits]}
    if any(objects.current(object_id)["kode"] == "Slettet" for object_id in hits):
        raise gone("asked for")
    return _whole(objects, hits, asked)


def _whole(objects: Objects, ids: Iterable[str], asked: Window) -> dict[str, Any]:
    found = [shown for object_id in sorted(set(ids)) if (shown := objects.read(object_id, asked))]
    return {"results": [found] if found else []}


def _search(objects: Objects, parameters: Parameters, asked: Window, ids: list[str]) -> list[str]:
    first, most = _number(parameters, "foersteresultat"), _number(parameters, "maximalantalresultater")
    # Each condition is tested on its own: another registration of the window may fulfil the next one.
    conditions = list(_content_conditions(objects, parameters, asked.effect)) or [lambda _registration: True]
    general = list(_general_conditions(parameters))
    paged = most is not None or bool(first)
    keys: dict[str, str] = {}
    for object_id in ids or objects.ids():
        registrations = [
            registration
            for registration, _ in objects.registrations(object_id, asked.registered)
            if all(condition(registration) for condition in general)
        ]
        if not all(any(map(condition, registrations)) for condition in conditions):
            continue
        user_keys = [
            item.get("brugervendtnoegle", "")
            for registration in registrations
            for item in overlapping(registration["attributter"], asked.effect)
        ]
        if user_keys or not paged:
            keys[object_id] = min(user_keys, default="")
    if not paged:
        return list(keys)
    ordered = sorted(keys, key=lambda object_id: (keys[object_id], object_id))
    start = first or 0
    return ordered[start:] if most is None else ordered[start : start + most]


def _general_conditions(parameters: Parameters) -> Iterable[Condition]:
    codes = parameters.get("livscykluskode")
    if codes is None:
        yield lambda registration: registration["kode"] != "Slettet"
    else:
        if codes[0] not in CODES:
            raise unreadable("value for enum livscykluskode", codes[0])
        yield lambda registration: registration["kode"] == codes[0]
    if "brugerref" in parameters:
        user = _uuid(parameters["brugerref"][0])
        yield lambda _registration: user == USER
    if "notetekst" in parameters:
        pattern = _pattern(parameters["notetekst"][0])
        yield lambda registration: pattern.fullmatch(registration["note"]) is not None


def _content_conditions(objects: Objects, parameters: Parameters, effect: Period) -> Iterable[Condition]:
    spec = objects.spec
    for full_name, values in parameters.items():
        name, _, narrowing = full_name.partition(":")
        for value in values:
            if name in spec.fields:
                if name == spec.words:
                    raise ServerFault("search words cannot be searched by their name")
                yield _in_attributes(effect, _field_test(name, value, timed=name in spec.timestamps))
            if name in spec.states:
                yield _in_state(effect, name, _enumerated(spec.states[name], value, f"{spec.name}{name}tils"))
            if name in spec.one or name in spec.many:
                yield _in_relations(effect, name, _target_test(value, narrowing))
            if name == "vilkaarligattr":
                yield _in_attributes(effect, _any_value_test(value, spec.timestamps))
            if name == "vilkaarligrel":
                target = _uuid(value)
                yield _in_relations(effect, None, lambda item, target=target: item.get("uuid") == target)


def _in_attributes(effect: Period, test: Callable[[Item], bool]) -> Condition:
    return lambda registration: any(test(item) for item in overlapping(registration["attributter"], effect))


def _in_state(effect: Period, name: str, value: str) -> Condition:
    return lambda registration: any(
        item.get(name) == value for item in overlapping(registration["tilstande"].get(name, []), effect)
    )


def _in_relations(effect: Period, name: str | None, test: Callable[[Item], bool]) -> Condition:
    def holds(registration: Registration) -> bool:
        relations: dict[str, list[Item]] = registration["relationer"]
        chosen = relations.values() if name is None else (relations.get(name, []),)
        return any(test(item) for items in chosen for item in overlapping(items, effect))

    return holds


def _field_test(name: str, value: str, *, timed: bool) -> Callable[[Item], bool]:
    if timed:
        wanted = timestamp(value)
        return lambda item: item.get(name) == wanted
    pattern = _pattern(value)
    return lambda item: any(pattern.fullmatch(text) for text in _texts(item.get(name)))


def _any_value_test(value: str, timestamps: frozenset[str]) -> Callable[[Item], bool]:
    pattern = _pattern(value, single="_")

    def holds(item: Item) -> bool:
        for name, found in item.items():
            if name == "virkning":
                continue
            texts = [database_text(read_instant(found))] if name in timestamps else _texts(found)
            if any(map(pattern.fullmatch, texts)):
                return True
        return False

    return holds


def _texts(value: Any) -> list[str]:
    """The texts in a stored value: itself, those of a list, the parts of search words."""
    if isinstance(value, list):
        return [text for entry in value for text in _texts(entry)]
    return [value] if isinstance(value, str) else []


def _target_test(value: str, narrowing: str) -> Callable[[Item], bool]:
    if UUID.fullmatch(value):
        key, wanted = "uuid", value.lower()
    elif value.lower().startswith("urn:"):
        key, wanted = "urn", value
    else:
        raise ServerFault("a relation is searched by uuid or urn")
    return lambda item: item.get(key) == wanted and (not narrowing or item.get("objekttype") == narrowing)


def _pattern(value: str, single: str = "") -> re.Pattern[str]:
    """A text with `%` for anything (and `single` for one character); a backslash makes the next one literal."""
    parts: list[str] = []
    literal = False
    for character in value:
        if literal or character not in ("%", "\\", single):
            parts.append(re.escape(character))
            literal = False
        elif character == "\\":
            literal = True
        else:
            parts.append(".*" if character == "%" else ".")
    return re.compile("".join(parts), re.IGNORECASE | re.DOTALL)


def _enumerated(values: Iterable[str], value: str, name: str) -> str:
    if value not in values:
        raise unreadable(f"value for enum {name}", value)
    return value


def _uuid(text: str) -> str:
    if not UUID.fullmatch(text):
        raise unreadable("syntax for type uuid", text)
    return text.lower()


def _number(parameters: Parameters, name: str) -> int | None:
    if name not in parameters:
        return None
    try:
        number = int(parameters[name][0])
    except ValueError:
        raise ServerFault("a page that is no number") from None
    if number >= _INTEGER_LIMIT:
        raise ServerFault("a page beyond all numbers")
    if number < 0:
        raise unreadable("value: must not be negative", str(number))
    return number


def _period(parameters: Parameters, start: str, end: str, moment: str) -> Period | None:
    given = {name: parameters[name][0] for name in (start, end, moment) if name in parameters}
    if given.get(moment):
        if given.get(start) or given.get(end):
            raise invalid(f"'{start}'/'{end}' conflict with '{moment}'")
        return _moment(given[moment])
    if start not in given and end not in given:
        return None
    try:
        if "" in (given.get(start), given.get(end)):
            raise UnreadableInstant("")
        period = Period(
            read_instant(given[start]) if start in given else PAST - 1,
            read_instant(given[end]) if end in given else FUTURE,
        )
    except UnreadableInstant as error:
        raise unreadable("syntax for type timestamp with time zone", str(error)) from None
    if period.start > period.end:
        raise unreadable("range: lower bound above upper bound", given[start])
    return period


def _moment(text: str) -> Period:
    """The microsecond from an ISO moment; of a year or a month alone its first. ServerFault for anything else."""
    if _YEAR_OR_MONTH.fullmatch(text):
        text = f"{text}-01" if "-" in text else f"{text}-01-01"
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ServerFault("a moment that is not ISO") from None
    instant = read_instant((at if at.tzinfo else at.replace(tzinfo=UTC)).isoformat())
    return Period(instant, instant + 1)


def _refuse_unknown(names: Iterable[str]) -> None:
    unknown = sorted(names)
    if unknown:
        raise invalid(f"Unsupported argument(s): {', '.join(unknown)}")

"""Listing and searching the objects of a class of the registry.

Belongs here: what the parameters of a GET on a class mean. Names of parameters are case-insensitive. With only `uuid`
and time parameters the answer is a list of whole objects, with any other a search for ids.
"""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from integration_assets.sandbox import bitemporal
from integration_assets.sandbox.bitemporal import FUTURE, PAST, Period, UnreadableInstant, read_instant
from integration_assets.sandbox.lora_errors import ServerFault, invalid, unreadable
from integration_assets.sandbox.lora_input import UUID, Item
from integration_assets.sandbox.lora_store import CODES, USER, Objects, Registration, Window, in_force

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
_INTEGER_LIMIT = 1 << 31

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

    Raises Refused (400) for conflicting or unreadable times, ServerFault for a single moment that is not ISO.
    """
    effect = _period(parameters, "virkningfra", "virkningtil", "virkningstid")
    present = bitemporal.now()
    registered = _period(parameters, "registreretfra", "registrerettil", "registreringstid")
    return Window(effect or Period(present, present + 1), registered)


def check_read_parameters(parameters: Parameters) -> None:
    """Reading one object takes times only. Raises Refused (400)."""
    _refuse_unknown(name for name in parameters if name not in _TIME)


def list_or_search(objects: Objects, parameters: Parameters) -> dict[str, Any]:
    """Answer to GET on a class: `{"results": [[object, …]]}`, `{"results": []}`, or `{"results": [[id, …]]}`."""
    spec = objects.spec
    known = {*spec.fields, *spec.states, *spec.one, *spec.many} | _GENERAL | _TIME
    _refuse_unknown(name for name in parameters if name.partition(":")[0] not in known)
    asked = window(parameters)
    ids = [_uuid(text) for text in parameters.get("uuid", ())]
    if set(parameters) <= _TIME | {"uuid"}:
        found = [shown for object_id in sorted(set(ids)) if (shown := objects.read(object_id, asked))]
        return {"results": [found] if found else []}
    if len(ids) > 1:
        raise invalid("Multiple uuid parameters passed to search operation. Only one is supported.")
    return {"results": [_search(objects, parameters, asked, ids)]}


def _search(objects: Objects, parameters: Parameters, asked: Window, ids: list[str]) -> list[str]:
    first, most = _number(parameters, "foersteresultat"), _number(parameters, "maximalantalresultater")
    conditions = [*_content_conditions(objects, parameters, asked.effect), *_general_conditions(parameters)]
    paged = most is not None or bool(first)
    keys: dict[str, str] = {}
    for object_id in ids or objects.ids():
        for registration, _ in objects.registrations(object_id, asked.registered):
            if all(condition(registration) for condition in conditions):
                user_keys = [
                    item.get("brugervendtnoegle", "") for item in in_force(registration["attributter"], asked.effect)
                ]
                if user_keys or not paged:
                    keys[object_id] = min(user_keys, default="")
                break
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
        if codes[-1] not in CODES:
            raise unreadable("value for enum livscykluskode", codes[-1])
        yield lambda registration: registration["kode"] == codes[-1]
    if "brugerref" in parameters:
        user = _uuid(parameters["brugerref"][-1])
        yield lambda _registration: user == USER
    if "notetekst" in parameters:
        pattern = _pattern(parameters["notetekst"][-1])
        yield lambda registration: pattern.fullmatch(registration["note"]) is not None


def _content_conditions(objects: Objects, parameters: Parameters, effect: Period) -> Iterable[Condition]:
    spec = objects.spec
    for full_name, values in parameters.items():
        name, _, narrowing = full_name.partition(":")
        for value in values:
            if name in spec.fields:
                yield _in_attributes(effect, _field_test(name, value, name in spec.timestamps, name == spec.words))
            if name in spec.states:
                yield _in_state(effect, name, _enumerated(spec.states[name], value, f"{spec.name}{name}tils"))
            if name in spec.one or name in spec.many:
                yield _in_relations(effect, name, _target_test(value, narrowing))
            if name == "vilkaarligattr":
                yield _in_attributes(effect, _any_value_test(value))
            if name == "vilkaarligrel":
                target = _uuid(value)
                yield _in_relations(effect, None, lambda item, target=target: item.get("uuid") == target)


def _in_attributes(effect: Period, test: Callable[[Item], bool]) -> Condition:
    return lambda registration: any(test(item) for item in in_force(registration["attributter"], effect))


def _in_state(effect: Period, name: str, value: str) -> Condition:
    return lambda registration: any(
        item.get(name) == value for item in in_force(registration["tilstande"].get(name, []), effect)
    )


def _in_relations(effect: Period, name: str | None, test: Callable[[Item], bool]) -> Condition:
    def holds(registration: Registration) -> bool:
        relations: dict[str, list[Item]] = registration["relationer"]
        chosen = relations.values() if name is None else (relations.get(name, []),)
        return any(test(item) for items in chosen for item in in_force(items, effect))

    return holds


def _field_test(name: str, value: str, timestamp: bool, words: bool) -> Callable[[Item], bool]:
    if words:
        raise ServerFault("search words cannot be searched by their name")
    if timestamp:
        try:
            instant = read_instant(value)
        except UnreadableInstant:
            raise ServerFault("a timestamp search wants a timestamp") from None
        return lambda item: name in item and read_instant(item[name]) == instant
    pattern = _pattern(value)
    return lambda item: bool(item.get(name)) and pattern.fullmatch(item[name]) is not None


def _any_value_test(value: str) -> Callable[[Item], bool]:
    pattern = _pattern(value, single="_")

    def holds(item: Item) -> bool:
        texts = [text for key, text in item.items() if key != "virkning" and isinstance(text, str)]
        texts += [text for word in item.get("soegeord", ()) for text in word]
        return any(pattern.fullmatch(text) or pattern.fullmatch(text.replace("T", " ")) for text in texts)

    return holds


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
        number = int(parameters[name][-1])
    except ValueError:
        raise ServerFault("a page that is no number") from None
    if number >= _INTEGER_LIMIT:
        raise ServerFault("a page beyond all numbers")
    if number < 0:
        raise unreadable("value: must not be negative", str(number))
    return number


def _period(parameters: Parameters, start: str, end: str, moment: str) -> Period | None:
    given = {name: parameters[name][-1] for name in (start, end, moment) if parameters.get(name, [""])[-1]}
    if moment in given:
        if len(given) > 1:
            raise invalid(f"'{start}'/'{end}' conflict with '{moment}'")
        try:
            at = datetime.fromisoformat(given[moment])
        except ValueError:
            raise ServerFault("a moment that is not ISO") from None
        instant = read_instant((at if at.tzinfo else at.replace(tzinfo=UTC)).isoformat())
        return Period(instant, instant + 1)
    if not given:
        return None
    try:
        period = Period(
            read_instant(given[start]) if start in given else PAST - 1,
            read_instant(given[end]) if end in given else FUTURE,
        )
    except UnreadableInstant as error:
        raise unreadable("syntax for type timestamp with time zone", str(error)) from None
    if period.start > period.end:
        raise unreadable("range: lower bound above upper bound", given[start])
    return period


def _refuse_unknown(names: Iterable[str]) -> None:
    unknown = sorted(names)
    if unknown:
        raise invalid(f"Unsupported argument(s): {', '.join(unknown)}")

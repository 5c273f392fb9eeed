"""What an object says, and when, whatever pieces it is written in: for telling whether a registry holds it already.

A nightly delivery needs none of this, because it knows what it delivered. Where it does not (a registry that others
filled, or wrote to since), this decides whether a write would change anything: LoRa itself registers an identical PUT
again each time.

Compared is what LoRa stores, not what it means: the same row in another dialect is other content, and so is anything
that others added, since a PUT would take it away. Not compared: who said so and any notes (virkning's aktoerref and
notetekst), the order and number of pieces, and the numbers (indeks) that LoRa gives to relations of indsats.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from integration_assets.domain.registry.time import ALWAYS_FROM, ALWAYS_TO, COPENHAGEN
from integration_assets.domain.registry.values import unpacked
from integration_assets.domain.timeslices import Period, Periods, periods_of

ENDED: Final = frozenset({"Slettet", "Passiveret"})
"""Life-cycle codes (livscykluskode) of objects that are deleted or passive: what they hold counts for nothing."""

_HIDDEN: Final = "•••"
_TIMESTAMPS: Final = frozenset({"starttidspunkt", "sluttidspunkt"})
_NO_FACT: Final = frozenset({"virkning", "indeks"})

Fact = tuple[str, ...]
Pieces = Mapping[str, list[Mapping[str, Any]]]


def same_content(desired_body: Mapping[str, Any], found_object: Mapping[str, Any]) -> bool:
    """Whether the object, read with all its periods of validity, says at every moment what the body of a PUT says.

    False for an object that is deleted or passive, and for one with times that cannot be read (before the year 1 or
    after 9999), because nothing of ours has such. Raises ValueError for a body with unreadable times.
    """
    registrations: list[Mapping[str, Any]] = found_object.get("registreringer") or [{}]
    if registrations[0].get("livscykluskode") in ENDED:
        return False
    desired = _facts(desired_body)
    try:
        return desired == _facts(registrations[0])
    except ValueError:
        return False


def differing(desired_body: Mapping[str, Any], found_object: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """What body and object say differently: (LoRa's name of it, what only the body says, what only the object says).

    Names are as ``egenskaber.brugernavn``, ``gyldighed``, ``relationer.tilhoerer``; texts name periods, states and
    uuids and hide everything else. Raises ValueError for times that cannot be read.
    """
    registrations: list[Mapping[str, Any]] = found_object.get("registreringer") or [{}]
    ours, theirs = _facts(desired_body), _facts(registrations[0])
    sides = [
        {fact: periods for fact, periods in one.items() if other.get(fact) != periods}
        for one, other in ((ours, theirs), (theirs, ours))
    ]
    names = sorted({_name(fact) for side in sides for fact in side})
    told = [
        {name: "; ".join(sorted(_shown(fact, side[fact]) for fact in side if _name(fact) == name)) for name in names}
        for side in sides
    ]
    return [(name, told[0][name], told[1][name]) for name in names]


def _name(fact: Fact) -> str:
    match fact:
        case ("attributter", _, field, _):
            return f"egenskaber.{field}"
        case ("tilstande", _, field, _):
            return field
        case _:
            return f"relationer.{fact[1]}"


def _shown(fact: Fact, periods: Periods[str]) -> str:
    """A fact as text: attributes and urns may be personal and are hidden."""
    section, _, target, value = fact
    if section == "tilstande":
        shown = value
    elif section == "relationer" and not target.startswith("urn:"):
        shown = target
    else:
        shown = _HIDDEN
    spans = ", ".join(f"{_day(period.start)}–{_day(period.end)}" for period in periods)
    return shown if spans == "–" else f"{shown} {spans}"


def _day(moment: str | None) -> str:
    """The Danish day of a moment; with its time where that is not midnight."""
    if moment is None:
        return ""
    local = datetime.fromisoformat(moment).astimezone(COPENHAGEN).isoformat(timespec="minutes")[:16]
    return local.removesuffix("T00:00")


def _facts(content: Mapping[str, Any]) -> dict[Fact, Periods[str]]:
    """All that is said, each with the periods (of moments) in which it is."""
    times: dict[Fact, list[Period[str]]] = {}
    for fact, virkning in _told(content):
        times.setdefault(fact, []).append(Period(moment(virkning["from"]), moment(virkning["to"])))
    return {fact: periods_of(periods) for fact, periods in times.items()}


def _told(content: Mapping[str, Any]) -> Iterator[tuple[Fact, Mapping[str, str]]]:
    """Attributes field by field, states and relations item by item; what is empty (cleared) says nothing."""
    for section in ("attributter", "tilstande"):
        groups: Pieces = content.get(section) or {}
        for group, pieces in groups.items():
            for piece in pieces:
                for field, value in piece.items():
                    if field not in _NO_FACT and value:
                        yield (section, group, field, _comparable(field, value)), piece["virkning"]
    relations: Pieces = content.get("relationer") or {}
    for relation, items in relations.items():
        for item in items:
            target = item.get("uuid", "").lower() or item.get("urn")
            if target:
                yield ("relationer", relation, target, item.get("objekttype", "")), item["virkning"]


def _comparable(field: str, value: Any) -> str:
    """A value in the one form that equal values share."""
    if field in _TIMESTAMPS:
        return moment(value) or value
    if field == "integrationsdata":
        return json.dumps(unpacked(value), sort_keys=True) if unpacked(value) else value
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def moment(timestamp: str) -> str | None:
    """A moment in UTC, as text of one width so that it sorts; None for ±infinity. Raises ValueError."""
    if timestamp in (ALWAYS_FROM, ALWAYS_TO):
        return None
    moment = datetime.fromisoformat(timestamp)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=COPENHAGEN)
    try:
        return moment.astimezone(UTC).isoformat(timespec="microseconds")
    except OverflowError:
        raise ValueError("a moment beyond the years 1 to 9999") from None

"""How an update is laid over the content that an object has.

Belongs here: the merge rules of PATCH, which are also those of a PUT over a deleted or passive object, and what newer
releases join when they read. Contents have the shape described in `lora_input`; no argument is changed.
"""

import json
from collections.abc import Mapping
from typing import Any

from integration_assets.sandbox.bitemporal import UNBOUNDED, Period, any_overlap, database_text
from integration_assets.sandbox.lora_classes import LoraClass
from integration_assets.sandbox.lora_errors import ServerFault, rule_broken
from integration_assets.sandbox.lora_input import Content, Item, period_of


def merged(spec: LoraClass, old: Content, sent: Content) -> Content:
    """The content after an update.

    Raises Refused (400) when sent attribute items overlap each other; ServerFault when sent states or 0..1 relations
    do, or when a period would be left without a required attribute.
    """
    relations: dict[str, list[Item]] = dict(old["relationer"])
    for name, items in sent["relationer"].items():
        earlier = old["relationer"].get(name, [])
        if name in spec.one:
            relations[name] = _overlaid(earlier, items)
        elif spec.indexed:
            relations[name] = _numbered_over(earlier, items)
        else:
            relations[name] = items
    states = {
        name: _overlaid(old["tilstande"].get(name, []), items) if items else []
        for name, items in sent["tilstande"].items()
    }
    return {
        "attributter": _attributes(spec, old["attributter"], sent.get("attributter")),
        "tilstande": {**old["tilstande"], **states},
        "relationer": relations,
    }


def join_adjacent(items: list[Item]) -> list[Item]:
    """Items that say the same one after the other, as one; the first of them says who did it (`virkning`)."""
    joined: dict[str, list[Item]] = {}
    for item in sorted(items, key=period_of):
        said = json.dumps({key: value for key, value in item.items() if key != "virkning"}, sort_keys=True)
        line = joined.setdefault(said, [])
        if line and period_of(line[-1]).end == period_of(item).start:
            line[-1] = _within(line[-1], Period(period_of(line[-1]).start, period_of(item).end))
        else:
            line.append(item)
    return [item for line in joined.values() for item in line]


def numbered(spec: LoraClass, content: Content) -> Content:
    """New content with the server's numbers on numbered relations, from 1 per name in the order sent."""
    if not spec.indexed:
        return content
    relations = {
        name: [{**item, "indeks": index} for index, item in enumerate(items, 1)] if name in spec.many else items
        for name, items in content["relationer"].items()
    }
    return {**content, "relationer": relations}


def _attributes(spec: LoraClass, old: list[Item], sent: list[Item] | None) -> list[Item]:
    if sent is None:
        return old
    if not sent:
        return []
    periods = [period_of(item) for item in sent]
    if any_overlap(periods):
        raise rule_broken(f"{spec.attribute_group}: overlapping periods in one update")
    result = [piece for item in old for piece in _outside(item, periods)]
    for item, period in zip(sent, periods, strict=True):
        # An item that says everything needs nothing from the old ones and stays one piece. Search words do not count:
        # an item that says everything else loses them.
        whole = all(field in item for field in spec.fields if field != spec.words)
        pieces = [item] if whole else _pieces(old, item, period)
        if any(field not in piece for piece in pieces for field in spec.required):
            raise ServerFault("a period without a required attribute")
        result += pieces
    return result


def _pieces(old: list[Item], item: Item, period: Period) -> list[Item]:
    """The sent item, cut along the old ones: inheriting what it does not say where they reach, alone elsewhere."""
    pieces: list[Item] = []
    covered: list[Period] = []
    for earlier in old:
        reach = period_of(earlier)
        if reach.overlaps(period):
            covered.append(reach)
            pieces.append(_within({**earlier, **item}, reach.common(period)))
    return pieces + [_within(item, rest) for rest in period.without(covered)]


def _overlaid(old: list[Item], sent: list[Item]) -> list[Item]:
    periods = [period_of(item) for item in sent]
    if any_overlap(periods):
        raise ServerFault("overlapping periods in one update")
    return [piece for item in old for piece in _outside(item, periods)] + sent


def _numbered_over(old: list[Item], sent: list[Item]) -> list[Item]:
    """Items with a known number replace their namesake, the others are appended under new numbers."""
    known = {item["indeks"] for item in old}
    replacing = [item for item in sent if item.get("indeks") in known]
    replaced = {item["indeks"] for item in replacing}
    added = [item for item in sent if item.get("indeks") not in known]
    kept = [item for item in old if item["indeks"] not in replaced]
    numbers = range(max(known, default=0) + 1, max(known, default=0) + 1 + len(added))
    return [*kept, *replacing, *({**item, "indeks": number} for item, number in zip(added, numbers, strict=True))]


def _outside(item: Item, periods: list[Period]) -> list[Item]:
    own = period_of(item)
    rest = own.without(periods)
    return [item] if rest == [own] else [_within(item, period) for period in rest]


def _within(item: Mapping[str, Any], period: Period) -> Item:
    effect = {**item["virkning"], "from": database_text(period.start), "to": database_text(period.end)}
    effect["from_included"] = period.start != UNBOUNDED
    return {**item, "virkning": effect}

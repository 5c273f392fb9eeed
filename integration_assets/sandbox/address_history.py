"""What changed in the sandbox's address register from one generation to the next, and what was before.

The register keeps two times. A change ends the registration of the row that was in force, registers that row anew with
the end of its time, and adds the new row. Rows that are no longer in force are kept in `register:former`, the times of
rows that are not as old as the sandbox in `register:since`.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from integration_assets.sandbox.address_rows import LARGE, SINCE_EVER, entities
from integration_assets.sandbox.store import Store

_FORMER = "register:former"
_SINCE = "register:since"
# A register of which more than this share is another one was made anew: it has no history.
_MADE_ANEW = 0.2

Json = dict[str, Any]


class Content(NamedTuple):
    """The addresses of the store at one time."""

    units: list[Json]
    access: list[Json]


class Change(NamedTuple):
    """A row before and after, without times; None where it was not there or is gone."""

    entity: str
    before: Json | None
    after: Json | None


def changes(before: Content, now: Content) -> list[Change] | None:
    """The rows that differ between two contents; None when so much differs that the register was made anew."""
    units, houses = _differing(before.units, now.units), _differing(before.access, now.access)
    if len(units) + len(houses) > _MADE_ANEW * (len(before.units) + len(before.access)):
        return None
    # The designation of a unit holds what its house is called.
    units |= {unit["id"] for content in (before, now) for unit in content.units if unit["access_id"] in houses}
    old, new = _rows(before, units, houses), _rows(now, units, houses)
    return [
        Change(key[0], old.get(key), new.get(key))
        for key in dict.fromkeys((*old, *new))
        if old.get(key) != new.get(key)
    ]


class History:
    """The versions of rows that the sandbox has served."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def record(self, changed: list[Change], moment: str) -> dict[str, dict[str, list[Json]]]:
        """Keeps what changes replaced and returns the rows of the deltas, by kind of data and entity."""
        deltas: dict[str, dict[str, list[Json]]] = {"Bitemporal": {}, "Current": {}}
        former: dict[str, Json] = {}
        since: dict[str, Json] = {}
        for entity, before, after in changed:
            bitemporal = deltas["Bitemporal"].setdefault(entity, [])
            current = deltas["Current"].setdefault(entity, [])
            key = f"{entity}|{(before or after or {})['id_lokalId']}"
            if before is not None:
                stamped = self.stamped(entity, before)
                replaced = {**stamped, "registreringTil": moment}
                ended = {**stamped, "registreringFra": moment, "virkningTil": moment}
                for name, row in (("replaced", replaced), ("ended", ended)):
                    former[f"{key}|{moment}|{name}"] = {"entity": entity, "row": row}
                    bitemporal.append(row)
                if after is None:
                    current.append(ended)
                    self._store.delete(_SINCE, key)
            if after is not None:
                since[key] = {"registreringFra": moment, "virkningFra": moment}
                row = {**after, **since[key]}
                bitemporal.append(row)
                current.append(row)
        self._store.put_many(_FORMER, former)
        self._store.put_many(_SINCE, since)
        return deltas

    def forget(self) -> None:
        """Begins anew."""
        self._store.clear(_FORMER, _SINCE)

    def stamped(self, entity: str, row: Json) -> Json:
        """A row in force with the times since which it is so."""
        times = self._store.load(_SINCE).get(f"{entity}|{row['id_lokalId']}")
        return {**row, **(times or SINCE_EVER)}

    def former(self) -> Mapping[str, list[Json]]:
        """The rows that are no longer in force, by entity."""
        found: dict[str, list[Json]] = {}
        for body in list(self._store.load(_FORMER).values()):
            found.setdefault(body["entity"], []).append(body["row"])
        return found


def _differing(before: list[Json], now: list[Json]) -> set[str]:
    old, new = {row["id"]: row for row in before}, {row["id"]: row for row in now}
    return {key for key in old.keys() | new.keys() if old.get(key) is not new.get(key) and old.get(key) != new.get(key)}


def _rows(content: Content, units: set[str], houses: set[str]) -> dict[tuple[str, str], Json]:
    """The rows of these units and houses, and all rows of names, by entity and id."""
    by_id = {row["id"]: row for row in content.access}
    some = Content(
        [unit for unit in content.units if unit["id"] in units], [row for row in content.access if row["id"] in houses]
    )
    found: dict[tuple[str, str], Json] = {}
    for entity, row in (*_national(some.units, by_id, some.access, large=True), *_national([], by_id, content.access)):
        found[entity, row["id_lokalId"]] = row
    return found


def _national(
    units: list[Json], by_id: dict[str, Json], access: list[Json], *, large: bool = False
) -> Iterator[tuple[str, Json]]:
    """The rows of the large entities of these addresses, or of the others."""
    for entity, municipality, rows in entities(units, by_id, access):
        if municipality is None and (entity in LARGE) == large:
            yield from ((entity, row) for row in rows())

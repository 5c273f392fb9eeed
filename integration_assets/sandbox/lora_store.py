"""The objects of one class of the registry: their registrations, life cycle and reading in time.

Belongs here: which step may follow which, what a new registration contains, what of it shows in a time window. An
object is stored as `{"registreringer": [{"fra", "kode", "note", "attributter", "tilstande", "relationer"}, …]}`, oldest
first; each registration lasts until the next one begins.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from integration_assets.sandbox import bitemporal
from integration_assets.sandbox.bitemporal import FUTURE, PAST, Period, iso_text
from integration_assets.sandbox.lora_classes import LoraClass
from integration_assets.sandbox.lora_errors import ServerFault, no_change, rule_broken, unknown_object
from integration_assets.sandbox.lora_input import Content, Item, check_texts, new_content, period_of
from integration_assets.sandbox.lora_update import join_adjacent, merged, numbered
from integration_assets.sandbox.store import Store

# Who registered, while the registry runs without login.
USER = "42c432e8-9c4a-11e6-9f62-873cf34a735f"
CODES = ("Opstaaet", "Importeret", "Rettet", "Passiveret", "Slettet")
# Names of the three parts of a search word, in the order in which they are sent.
_WORD_PARTS = ("soegeordidentifikator", "beskrivelse", "soegeordskategori")

Registration = dict[str, Any]


@dataclass(frozen=True)
class Window:
    """What a read asks for: pieces in force in `effect`; registrations in `registered`, the current one when None.

    With `joined`, equal pieces that follow each other are one.
    """

    effect: Period
    registered: Period | None = None
    joined: bool = False


class Objects:
    """All objects of one class."""

    def __init__(self, spec: LoraClass, store: Store) -> None:
        self.spec = spec
        self._store = store
        self._collection = f"lora:{spec.path}"
        self._objects = store.load(self._collection)

    def ids(self) -> list[str]:
        """Ids of all objects that were ever registered, sorted."""
        return sorted(self._objects)

    def current(self, object_id: str) -> Registration:
        """The registration in force. Raises Refused (404) for an unknown id."""
        entry = self._objects.get(object_id)
        if entry is None:
            raise unknown_object(self.spec.name, object_id)
        return entry["registreringer"][-1]

    def create(self, object_id: str, content: Content, note: str) -> None:
        """POST: register a new object. Raises as `new_content`."""
        self._register(object_id, "Opstaaet", numbered(self.spec, new_content(self.spec, content)), note)

    def import_or_replace(self, object_id: str, content: Content, note: str) -> None:
        """PUT: import an unknown object, replace a live one, lay the body over what a deleted or passive one held.

        Raises as `new_content` and `merged`; ServerFault when what is in force now cannot be read.
        """
        if object_id not in self._objects:
            self._register(object_id, "Importeret", numbered(self.spec, new_content(self.spec, content)), note)
            return
        current = self._readable(object_id)
        if current["kode"] in ("Passiveret", "Slettet"):
            self._register(object_id, "Importeret", merged(self.spec, _content(current), content), note)
        else:
            self._register(object_id, "Rettet", numbered(self.spec, new_content(self.spec, content)), note)

    def update(self, object_id: str, sent: Content, note: str) -> None:
        """PATCH. Raises Refused (400) in a closed state, and when the result is what is registered already."""
        current = self.current(object_id)
        if current["kode"] in ("Passiveret", "Slettet"):
            raise rule_broken(f"invalid life cycle step from {current['kode']} to Rettet")
        content = merged(self.spec, _content(current), sent)
        if current["kode"] == "Rettet" and _canonical(content) == _canonical(_content(current)):
            raise no_change()
        self._register(object_id, "Rettet", content, note)

    def passivate(self, object_id: str, note: str) -> None:
        """Close an object, its content kept. Raises Refused (400) when it is closed or deleted."""
        current = self.current(object_id)
        if current["kode"] in ("Passiveret", "Slettet"):
            raise rule_broken(f"invalid life cycle step from {current['kode']} to Passiveret")
        self._register(object_id, "Passiveret", _content(current), note)

    def delete(self, object_id: str, note: str) -> None:
        """Mark an object as deleted, its content kept; a second time nothing happens.

        Raises ServerFault when what is in force now cannot be read.
        """
        current = self._readable(object_id)
        if current["kode"] != "Slettet":
            self._register(object_id, "Slettet", _content(current), note)

    def registrations(self, object_id: str, registered: Period | None) -> Iterator[tuple[Registration, int]]:
        """Registrations of the object in a window (the current one when None) with their ends, newest first."""
        entry = self._objects.get(object_id)
        if entry is None:
            return
        end = FUTURE
        for registration in reversed(entry["registreringer"]):
            start = registration["fra"]
            if registered is None or Period(start, end).overlaps(registered):
                yield registration, end
            if registered is None:
                return
            end = start

    def read(self, object_id: str, window: Window) -> dict[str, Any] | None:
        """One object as it is read back; None when nothing of it was registered in the window."""
        found = [
            _output(self.spec, registration, end, window)
            for registration, end in self.registrations(object_id, window.registered)
        ]
        return {"id": object_id, "registreringer": found} if found else None

    def _readable(self, object_id: str) -> Registration:
        """The registration in force, which the registry reads before it writes over it."""
        registration = self.current(object_id)
        for items in (registration["attributter"], *registration["tilstande"].values()):
            _refuse_unbounded(items)
        for items in registration["relationer"].values():
            _refuse_unbounded(items)
        return registration

    def _register(self, object_id: str, code: str, content: Content, note: str) -> None:
        check_texts((note,))
        entry = self._objects.get(object_id)
        earlier: list[Registration] = entry["registreringer"] if entry else []
        start = bitemporal.now()
        if earlier:
            start = max(start, earlier[-1]["fra"] + 1)
        registration = {"fra": start, "kode": code, "note": note, **content}
        self._store.put(self._collection, object_id, {"registreringer": [*earlier, registration]})


def overlapping(items: list[Item], effect: Period) -> list[Item]:
    """The items whose period overlaps the window."""
    if effect.start <= PAST and effect.end == FUTURE:
        return items
    return [item for item in items if period_of(item).overlaps(effect)]


def in_force(items: list[Item], effect: Period) -> list[Item]:
    """As `overlapping`. Raises ServerFault when one of them has no lower bound: it can be found, but not read."""
    found = overlapping(items, effect)
    if any(item["virkning"]["from"] == "" for item in found):
        raise ServerFault("an unbounded period")
    return found


def _refuse_unbounded(items: list[Item]) -> None:
    """ServerFault when an item without lower bound is in force now."""
    for item in items:
        if item["virkning"]["from"] == "":
            present = bitemporal.now()
            in_force([item], Period(present, present + 1))


def _content(registration: Registration) -> Content:
    return {key: registration[key] for key in ("attributter", "tilstande", "relationer")}


def _canonical(content: Content) -> list[str]:
    """The content as a sorted list of texts: equal lists mean equal contents, whatever the order of items."""
    groups = {"": content["attributter"]}
    groups |= {f"t:{name}": items for name, items in content["tilstande"].items()}
    groups |= {f"r:{name}": items for name, items in content["relationer"].items()}
    return sorted(group + json.dumps(item, sort_keys=True) for group, items in groups.items() for item in items)


def _output(spec: LoraClass, registration: Registration, end: int, window: Window) -> dict[str, Any]:
    """A registration as it is read back: pieces in force, everything empty left out."""
    start: dict[str, Any] = {"tidsstempeldatotid": iso_text(registration["fra"]), "graenseindikator": True}
    finish: dict[str, Any] = {"tidsstempeldatotid": iso_text(end)}
    result: dict[str, Any] = {
        "fratidspunkt": start,
        "tiltidspunkt": finish,
        "livscykluskode": registration["kode"],
        "brugerref": USER,
    }
    if registration["note"]:
        result["note"] = registration["note"]
    attributes = [_shown(item) for item in _seen(registration["attributter"], window)]
    if attributes:
        result["attributter"] = {spec.attribute_group: sorted(attributes, key=_order_of_values)}
    for group in ("tilstande", "relationer"):
        prefix = spec.name if group == "tilstande" else ""
        shown = {
            prefix + name: sorted(map(_shown, found), key=_order_of_targets)
            for name, items in registration[group].items()
            if (found := _seen(items, window))
        }
        if shown:
            result[group] = shown
    return result


def _seen(items: list[Item], window: Window) -> list[Item]:
    return in_force(join_adjacent(items) if window.joined else items, window.effect)


def _shown(item: Item) -> Item:
    shown = {key: value for key, value in item.items() if value not in ("", None, [])}
    words = shown.pop("soegeord", None)
    if words:
        rows = sorted([part or "" for part in word] for word in words if any(word))
        named = [{key: part for key, part in zip(_WORD_PARTS, row, strict=True) if part} for row in rows]
        shown |= {"soegeord": named} if named else {}
    return shown


def _order_of_values(item: Item) -> tuple[str, int]:
    texts = [str(value) for key, value in sorted(item.items()) if key != "virkning"]
    return "\0".join(texts), period_of(item).start


def _order_of_targets(item: Item) -> tuple[str, str, int]:
    return str(item.get("uuid", "")), str(item.get("urn", "")), period_of(item).start

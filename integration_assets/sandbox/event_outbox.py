"""The outbox of the sandbox's person register: one file of events for each day, for those who are subscribed to.

Belongs here: which days are delivered, whom their files tell of, where a file and its metadata lie, and the ways in
which a delivery can go wrong. What the records look like is in `event_records`; that customers fetch the files by SFTP
in `event_sftp`. Days and their events come from the town that is played: collection `register:events`.
"""

import shutil
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Literal, cast

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue] - lxml ships no types

from integration_assets.sandbox import event_records, register_surplus
from integration_assets.sandbox.register_switches import switches
from integration_assets.sandbox.store import Store

EVENTS = "register:events"
DELIVERIES = "register:deliveries"
PERSONS = "register:person"
SUBSCRIPTIONS = "register:subscriptions"
IN, OUT = "IN", "OUT"
METADATA = ".metadata"

_METADATA_NS = "http://serviceplatformen.dk/xml/wsdl/soap11/SFTP/1/types"
_DERIVED = "PN"
_SWITCHES = ("skip", "without_metadata", "wrong_count", "full")

Json = dict[str, Any]


@dataclass(frozen=True)
class DeliveryOrder:
    """What to deliver, and what goes wrong with it.

    `day` delivers this day alone, which need not have events; else all days with events are delivered that were not.
    `form` "lines": records end with a line end, without trailing blanks; "fixed": neither. `full` tells of everybody
    subscribed to, not only of those with an event. `skip`: the file is produced and gets lost. `without_metadata`: the
    file lies there but is not complete, until its day, or a later one, is delivered. `wrong_count`: the last record
    miscounts. `ended` are numbers whose subscription the register deletes, and says so in the first file.
    """

    day: date | None = None
    form: Literal["lines", "fixed"] = "lines"
    full: bool = False
    skip: bool = False
    without_metadata: bool = False
    wrong_count: bool = False
    ended: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> "DeliveryOrder":
        """The order of a JSON object. Raises ValueError for unknown names or values; its text holds no value."""
        unknown = sorted(set(body) - {"day", "form", "ended", *_SWITCHES})
        if unknown:
            raise ValueError(f"unknown words in a delivery order: {', '.join(unknown)}")
        form, ended, flags = (
            body.get("form", "lines"),
            body.get("ended", []),
            [body.get(name, False) for name in _SWITCHES],
        )
        if form not in ("lines", "fixed") or not all(isinstance(flag, bool) for flag in flags):
            raise ValueError('form is "lines" or "fixed", and switches are true or false')
        if not isinstance(ended, list) or not all(isinstance(number, str) for number in ended):
            raise ValueError("ended is a list of numbers")
        try:
            day = None if body.get("day") is None else date.fromisoformat(body["day"])
        except (TypeError, ValueError):
            raise ValueError("day is an ISO date") from None
        return cls(
            day=day,
            form=cast(Literal["lines", "fixed"], form),
            ended=tuple(ended),
            **dict(zip(_SWITCHES, flags, strict=True)),
        )


class EventOutbox:
    """Writes the files of events into the folder of a customer. What was delivered is kept in the store."""

    def __init__(self, store: Store, folder: Path) -> None:
        """`folder` is what the customer sees as her root: it gets the folders IN and OUT."""
        self._store = store
        self._folder = folder
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Make the folders."""
        for name in (IN, OUT):
            (self._folder / name).mkdir(parents=True, exist_ok=True)

    def clear(self) -> None:
        """Forget events, deliveries and subscriptions, and remove all files."""
        with self._lock:
            self._store.clear(EVENTS, DELIVERIES, SUBSCRIPTIONS)
            if self._folder.exists():
                for name in (IN, OUT):
                    shutil.rmtree(self._folder / name, ignore_errors=True)
                self.prepare()

    def deliver(self, order: DeliveryOrder) -> Json:
        """Write the files of an order, in the order of their days.

        Returns {deliveries: [{day, previous, file, persons, records}]}, `file` None for one that got lost. A day that
        was delivered is not delivered again: its metadata is completed where it lacks.
        """
        with self._lock:
            self.prepare()
            done = self._store.load(DELIVERIES)
            self._complete([delivery for delivery in done.values() if not delivery["complete"]])
            days = sorted(self._store.load(EVENTS)) if order.day is None else [order.day.isoformat()]
            waiting = [day for day in days if day not in done]
            for number in order.ended:
                self._store.delete(SUBSCRIPTIONS, number)
            ended = order.ended
            deliveries: list[Json] = []
            for day in waiting:
                deliveries.append(self._deliver(date.fromisoformat(day), order, ended))
                ended = ()
        return {"deliveries": deliveries}

    def _deliver(self, day: date, order: DeliveryOrder, ended: tuple[str, ...]) -> Json:
        previous = self._previous(day)
        records, persons = self._records(day, order, ended)
        counted = len(records) + order.wrong_count
        first = event_records.first_record(day, previous)
        content = event_records.content([first, *records, event_records.last_record(counted)], order.form)
        name = None if order.skip else f"D{day:%y%m%d}.L{event_records.TASK:06d}"
        if name is not None:
            path = self._folder / IN / name
            path.write_bytes(content)
            if not order.without_metadata:
                _write_metadata(path)
        complete = name is None or not order.without_metadata
        delivery = {"day": day.isoformat(), "previous": previous.isoformat(), "file": name, "complete": complete}
        self._store.put(DELIVERIES, day.isoformat(), delivery)
        told = {key: delivery[key] for key in ("day", "previous", "file")}
        return {**told, "persons": persons, "records": len(records) + 2}

    def _records(self, day: date, order: DeliveryOrder, ended: tuple[str, ...]) -> tuple[list[str], int]:
        """The records between the first and the last one, and how many persons they are about."""
        events = self._events(day)
        subscribed = self._store.load(SUBSCRIPTIONS)
        register, now = self._store.load(PERSONS), switches(self._store)
        asked = sorted(subscribed) if order.full else sorted(number for number in events if number in subscribed)
        # A number that was replaced is told of together with the new one, which has the person.
        numbers = dict.fromkeys(
            each
            for number in asked
            for each in (number, register.get(number, {}).get("current_pnr"))
            if each in register
        )
        former: dict[str, list[Json]] = {number: [] for number in numbers}
        for person in register.values():
            if person.get("current_pnr") in former:
                former[person["current_pnr"]].append(person)
        records = [event_records.ended_record(number, day) for number in ended]
        for number in numbers:
            person = register[number]
            inherited = [f"{code}{_DERIVED}" for old in former[number] for code in events.get(old["pnr"], [])]
            codes = events.get(number) or inherited
            family = register_surplus.relatives(person) if register_surplus.shown(number, now) else None
            records += event_records.person_records(person, former[number], codes, day, family)
        records += [event_records.clear_text_address(register[number]) for number in numbers]
        return records, len(numbers)

    def _events(self, day: date) -> dict[str, list[str]]:
        """Event codes by number."""
        events: dict[str, list[str]] = {}
        for event in self._store.load(EVENTS).get(day.isoformat(), {}).get("events", []):
            codes = events.setdefault(event["pnr"], [])
            codes += [code for code in event["codes"] if code not in codes]
        return events

    def _previous(self, day: date) -> date:
        """The production day before this one; the calendar day before it for the first there is."""
        earlier = [known for known in self._store.load(DELIVERIES) if known < day.isoformat()]
        return date.fromisoformat(max(earlier)) if earlier else day - timedelta(days=1)

    def _complete(self, deliveries: list[Json]) -> None:
        for delivery in deliveries:
            path = self._folder / IN / delivery["file"]
            if path.exists():
                _write_metadata(path)
            self._store.put(DELIVERIES, delivery["day"], {**delivery, "complete": True})


def _write_metadata(path: Path) -> None:
    """Write the file that says that another one is complete, and how long it is."""
    root = etree.Element(f"{{{_METADATA_NS}}}Trigger", nsmap={"ns2": _METADATA_NS})
    # As the platform writes it: only the root stands in the namespace.
    etree.SubElement(root, "FileTransferUUID").text = str(uuid.uuid4())
    descriptor = etree.SubElement(root, "FileDescriptor")
    for name, text in (
        ("FileName", path.name),
        ("SizeInBytes", str(path.stat().st_size)),
        ("Sender", "CPR"),
        ("SendersFileId", str(uuid.uuid4())),
        ("Recipients", "sandbox"),
    ):
        etree.SubElement(descriptor, name).text = text
    content = etree.tostring(root, encoding="UTF-8", xml_declaration=True)
    path.with_name(path.name + METADATA).write_bytes(content)

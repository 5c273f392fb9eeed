"""A second, plain account of how the registry merges what it is sent, to hold the sandbox against.

Time is a row of days; every day holds the piece in force then, and a piece is known by its token. Pieces as a read
gives them are the runs of neighbouring days with the same token, so cut points come out by themselves. Written from
the rules alone, without intervals, and used by nothing but the model test.
"""

import json
from dataclasses import dataclass, field
from itertools import count
from typing import Any

Json = dict[str, Any]

# Boundaries between the days: day k lies between boundary k and k + 1.
SENT = ["-infinity", *(f"2020-01-0{day}" for day in range(1, 8)), "infinity"]
SHOWN = [text if "infinity" in text else f"{text} 00:00:00+00" for text in SENT]
DAYS = range(len(SENT) - 1)


@dataclass(frozen=True)
class Kind:
    """A class as far as the test uses it: texts, times, the field of search words, states, relations."""

    path: str
    name: str
    texts: tuple[str, ...]
    required: tuple[str, ...]
    states: dict[str, tuple[str, ...]]
    one: str
    many: str
    times: tuple[str, ...] = ()
    words: str | None = None
    numbered: bool = False


@dataclass(frozen=True)
class Piece:
    """What holds on a day: the token of the piece, its content, who said it (`virkning` without the period)."""

    token: int
    content: Json
    actor: Json


class Refusal(Exception):
    """The write is refused with this status; nothing changes."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


Line = dict[int, Piece]


@dataclass
class Content:
    """What a registration holds: a line of days for what is merged by time, lists for the rest."""

    attributes: Line = field(default_factory=dict)
    states: dict[str, Line] = field(default_factory=dict)
    one: Line = field(default_factory=dict)
    many: list[Json] = field(default_factory=list)

    def seen(self) -> dict[str, list[str]]:
        """All pieces, as sorted texts: what tells two contents apart."""
        lines = {"a": self.attributes, "o": self.one} | {f"s{name}": line for name, line in self.states.items()}
        shown = {name: _sorted(runs(line)) for name, line in lines.items()}
        return {name: texts for name, texts in {**shown, "m": _sorted(self.many)}.items() if texts}


@dataclass
class Model:
    """One object of a class, through its life."""

    kind: Kind
    code: str = ""
    content: Content = field(default_factory=Content)
    registrations: int = 0
    _tokens: Any = field(default_factory=count)

    def put(self, body: Json) -> None:
        """Import, replace, or lay over what a closed object held."""
        self._check_complete(body)
        if self.code in ("Passiveret", "Slettet"):
            self._register("Importeret", self._merged(body))
        else:
            self._register("Rettet" if self.code else "Importeret", self._new(body))

    def post(self, body: Json) -> None:
        """Create; the object is another one from now on."""
        self._check_complete(body)
        content = self._new(body)
        self.registrations = 0
        self._register("Opstaaet", content)

    def patch(self, body: Json) -> None:
        """Update."""
        self._check_times(body)
        self._check_open()
        content = self._merged(body)
        if self.code == "Rettet" and content.seen() == self.content.seen():
            raise Refusal(400)
        self._register("Rettet", content)

    def passivate(self) -> None:
        """Close."""
        self._check_open()
        self._register("Passiveret", self.content)

    def delete(self) -> None:
        """Delete; a second time nothing happens."""
        if self.code != "Slettet":
            self._register("Slettet", self.content)

    def shown(self) -> dict[str, list[str]]:
        """What a read of all validity gives, by group, as sorted texts."""
        kind = self.kind
        groups = {f"{kind.name}egenskaber": [shown_item(kind, item) for item in runs(self.content.attributes)]}
        groups |= {kind.name + name: runs(line) for name, line in self.content.states.items()}
        groups |= {kind.one: runs(self.content.one), kind.many: self.content.many}
        return {name: _sorted(map(_without_empty, items)) for name, items in groups.items() if items}

    def _register(self, code: str, content: Content) -> None:
        self.code, self.content = code, content
        self.registrations += 1

    def _check_open(self) -> None:
        if self.code in ("Passiveret", "Slettet"):
            raise Refusal(400)

    def _check_times(self, body: Json) -> None:
        for item in body.get("attributes", ()):
            if any(item["fields"].get(name, "given") in ("", None) for name in self.kind.times):
                raise Refusal(500)

    def _check_complete(self, body: Json) -> None:
        if len(body["one"]) > 1:
            raise Refusal(400)
        self._check_times(body)

    def _new(self, body: Json) -> Content:
        if not body["attributes"] or not all(body["states"].values()):
            raise Refusal(400)
        content = Content()
        for item in body["attributes"]:
            fields = dict(item["fields"])
            if self.kind.words and len(fields.get(self.kind.words, ())) == 1:
                del fields[self.kind.words]
            self._lay(content.attributes, {**item, "fields": fields}, overlap=500)
        for name, items in body["states"].items():
            line = content.states.setdefault(name, {})
            for item in items:
                self._lay(line, item, overlap=500)
        for item in body["one"]:
            self._lay(content.one, item, overlap=500)
        content.many = [
            listed(item) | ({"indeks": number} if self.kind.numbered else {})
            for number, item in enumerate(body["many"], 1)
        ]
        return content

    def _lay(self, line: Line, item: Json, *, overlap: int) -> None:
        """A new piece on its days; they must be free."""
        token = next(self._tokens)
        for day in days(item):
            if day in line:
                raise Refusal(overlap)
            line[day] = Piece(token, item["fields"], item["actor"])

    def _merged(self, body: Json) -> Content:
        old = self.content
        one = self._overlaid(old.one, body.get("one", []))
        states = dict(old.states)
        for name, items in body.get("states", {}).items():
            states[name] = self._overlaid(old.states.get(name, {}), items) if items else {}
        many = self._many(old.many, body["many"]) if body.get("many") else old.many
        attributes = self._attributes(old.attributes, body["attributes"]) if "attributes" in body else old.attributes
        return Content(attributes, states, one, many)

    def _overlaid(self, old: Line, items: list[Json]) -> Line:
        new: Line = {}
        for item in items:
            self._lay(new, item, overlap=500)
        return {**old, **new}

    def _attributes(self, old: Line, items: list[Json]) -> Line:
        if not items:
            return {}
        taken: set[int] = set()
        for item in items:
            if taken.intersection(days(item)):
                raise Refusal(400)
            taken.update(days(item))
        line = dict(old)
        for item in items:
            said = {name: value for name, value in item["fields"].items() if value is not None}
            whole = all(name in said for name in (*self.kind.texts, *self.kind.times))
            tokens: dict[int | None, int] = {}
            for day in days(item):
                # A piece of its own along every old piece, unless the item says everything.
                before = None if whole else old.get(day)
                token = tokens.setdefault(before.token if before else None, next(self._tokens))
                line[day] = Piece(token, {**(before.content if before else {}), **said}, item["actor"])
                if any(name not in line[day].content for name in self.kind.required):
                    raise Refusal(500)
        return line

    def _many(self, old: list[Json], items: list[Json]) -> list[Json]:
        if not self.kind.numbered:
            return [listed(item) for item in items]
        known = {item["indeks"] for item in old}
        result = {item["indeks"]: item for item in old}
        number = max(known, default=0)
        for item in items:
            if item.get("indeks") in known:
                result[item["indeks"]] = listed(item) | {"indeks": item["indeks"]}
            else:
                number += 1
                result[number] = listed(item) | {"indeks": number}
        return list(result.values())


def days(item: Json) -> range:
    """The days of a sent item."""
    return range(item["from"], item["to"])


def listed(item: Json) -> Json:
    """An item of a 0..n relation as it is kept."""
    return {**item["fields"], "virkning": effect(item["from"], item["to"], item["actor"])}


def runs(line: Line) -> list[Json]:
    """The pieces of a line: its days joined where neighbours have the same token."""
    result: list[Json] = []
    start = None
    for day in DAYS:
        piece, following = line.get(day), line.get(day + 1)
        if piece is None:
            continue
        start = day if start is None else start
        if following is None or following.token != piece.token:
            result.append({**piece.content, "virkning": effect(start, day + 1, piece.actor)})
            start = None
    return result


def effect(start: int, end: int, actor: Json) -> Json:
    """`virkning` as it is read."""
    return {"from": SHOWN[start], "from_included": True, "to": SHOWN[end], "to_included": False, **actor}


def shown_item(kind: Kind, item: Json) -> Json:
    """Attributes as they are read: search words by the names of their parts."""
    if kind.words not in item:
        return item
    parts = ("soegeordidentifikator", "beskrivelse", "soegeordskategori")
    words = [dict(zip(parts, word, strict=True)) for word in sorted(item[kind.words])]
    return {**item, kind.words: words}


def read_groups(registration: Json) -> dict[str, list[str]]:
    """The groups of a registration as it was read, in the form of `Model.shown`."""
    groups = [registration.get(key, {}) for key in ("attributter", "tilstande", "relationer")]
    return {name: _sorted(items) for group in groups for name, items in group.items()}


def _without_empty(item: Json) -> Json:
    return {key: value for key, value in item.items() if value not in ("", None, [])}


def _sorted(items: Any) -> list[str]:
    return sorted(json.dumps(item, sort_keys=True) for item in items)

"""Objects of the registry (LoRa) as registry rows again, whoever wrote them last.

A real LoRa leaves empty values out, orders nothing, answers in the time zone of its database and may hold one value in
several adjoining periods. So: missing keys are null, a field has the value with which its line ends, what it had before
is its history, periods that touch are one, and of pieces that overlap the one that begins later counts. What others
added to an object and the integration does not know is passed over. Either dialect is read, whatever the registry
speaks today: content of AVA's own fields first, then that of integrationsdata.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from integration_assets.domain.registry.lines import FLAGS, Line, history_of, last_value
from integration_assets.domain.registry.time import day_of, period_of
from integration_assets.domain.registry.values import as_flag, unpacked, urn_value
from integration_assets.domain.timeslices import Period, periods_of

Piece = Mapping[str, Any]
FlatRow = dict[str, Any]

_PLACE: Final = "ava_opstillingsadresse"


def from_object(entity: str, obj: Mapping[str, Any]) -> FlatRow:
    """The row of `REGISTRY_ROWS` for an object as LoRa answers it (with all periods of validity), dates as ISO texts.

    Inverse of `domain.registry.objects.to_object`. Raises ValueError for an object without registration and KeyError
    for an unknown entity.
    """
    registrations = obj.get("registreringer")
    if not registrations:
        raise ValueError("The object has no registration.")
    return _READERS[entity](_Registration(registrations[0]))


class _Registration:
    """One registration of an object, by its OIO names."""

    def __init__(self, registration: Mapping[str, Any]) -> None:
        attributes: Mapping[str, list[Piece]] = registration.get("attributter") or {}
        self.class_name = next(iter(attributes), "egenskaber").removesuffix("egenskaber")
        self.pieces = sorted(
            (piece for pieces in attributes.values() for piece in pieces),
            key=_beginning,
        )
        self.extensions = [_extensions(piece) for piece in self.pieces]
        self._states: Mapping[str, list[Piece]] = registration.get("tilstande") or {}
        self._relations: Mapping[str, list[Piece]] = registration.get("relationer") or {}

    def text(self, field: str) -> str | None:
        """An attribute, as the piece that begins last has it."""
        return (self.pieces[-1].get(field) or None) if self.pieces else None

    def extension(self, field: str) -> Any:
        """What the piece that begins last has in an extension field."""
        return self.extensions[-1].get(field) if self.extensions else None

    def items(self, relation: str) -> list[Piece]:
        """The items of a relation that have a target, by beginning."""
        items = self._relations.get(relation) or []
        with_target = (item for item in items if item.get("uuid") or item.get("urn"))
        return sorted(
            with_target,
            key=lambda item: (_beginning(item), item.get("uuid") or "", item.get("urn") or ""),
        )

    def uuid(self, relation: str) -> str | None:
        """The object that a relation leads to; with several, the one that begins last."""
        return _last(item.get("uuid") for item in self.items(relation))

    def urn(self, relation: str, scheme: str = "") -> str | None:
        """The value that a relation names by a urn of the scheme."""
        return _last(urn_value(item.get("urn"), scheme) for item in self.items(relation))

    def said(self, value: Callable[[Piece, Mapping[str, Any]], Any]) -> Line:
        """What the pieces of attributes say over time; `value` is given each piece and its extension fields."""
        line = Line.nowhere()
        for piece, extensions in zip(self.pieces, self.extensions, strict=True):
            line = _written(line, piece, value(piece, extensions))
        return line

    def related(self, relation: str, target: Callable[[Piece], str | None]) -> Line:
        """What a relation leads to over time, of the items that have such a target; a gap where there is none."""
        line = Line.nowhere()
        for item in self.items(relation):
            if (value := target(item)) is not None:
                line = _written(line, item, value)
        return line

    def validity(self, state: str, active: str) -> Period[str]:
        """From when to when the object is in its active state; see `domain.registry.objects` for none."""
        pieces = [piece for group, found in self._states.items() if group.endswith(state) for piece in found]
        times = periods_of(period_of(piece) for piece in pieces if piece.get(state) == active).span
        if times is not None:
            return times
        others = periods_of(period_of(piece) for piece in pieces or self.pieces).span
        start = None if others is None else others.start
        return Period(start, self.extension("ava_slutdato") or start)


def _beginning(piece: Piece) -> str:
    """Sort key; the open start comes first."""
    return period_of(piece).start or ""


def _written(line: Line, piece: Piece, value: Any) -> Line:
    period = period_of(piece)
    return line.written(period.start, period.end, value)


def _within(line: Line, life: Period[str]) -> Line:
    """The line of a relation that is held while its object is active (or ever, where it never is): that it leads
    nowhere for a while is said then, and not after."""
    end = None if life.is_empty else life.end
    return line.filled(None, life.start, end) if line.span else line


def _uuid(item: Piece) -> str | None:
    return item.get("uuid")


def _urn(scheme: str = "") -> Callable[[Piece], str | None]:
    return lambda item: urn_value(item.get("urn"), scheme)


def _extensions(piece: Piece) -> dict[str, Any]:
    """The extension fields of a piece: AVA's own, else those in integrationsdata."""
    own = {name: value for name, value in piece.items() if name.startswith("ava_") and value}
    return unpacked(piece.get("integrationsdata")) | own


def _last(values: Iterable[str | None]) -> str | None:
    found: str | None = None
    for value in values:
        found = value or found
    return found


_EXTENSIONS: Final = {
    "kmd_name": "ava_kmdnavn",
    "first_name": "ava_fornavn",
    "middle_name": "ava_mellemnavn",
    "last_name": "ava_efternavn",
    "gender": "ava_koen",
    "civil_status": "ava_civilstand",
    "address_protected": "ava_adressebeskyttelse",
    "master_id": "ava_masterid",
}
"""Extension fields of a customer."""

_OF_ANYBODY: Final = {"phone": "tel:", "mobile": "mobile:", "email": "email:"}
_OF_COMPANIES: Final = {"number": "virksomhed", "business_code": "branche", "company_form": "virksomhedstype"}
_OF_PERSONS: Final = {"number": "tilknyttedepersoner"}


def _customer(found: _Registration) -> FlatRow:
    is_company = found.class_name == "organisation"
    name = "organisationsnavn" if is_company else "brugernavn"
    lines = {field: found.said(_extension_value(field)) for field in _EXTENSIONS}
    lines["user_key"] = found.said(lambda piece, _extensions: piece.get("brugervendtnoegle") or None)
    lines["name"] = found.said(lambda piece, _extensions: piece.get(name) or None)
    relations = {field: found.related("adresser", _urn(scheme)) for field, scheme in _OF_ANYBODY.items()}
    relations["address_id"] = found.related("adresser", _uuid)
    for field, relation in (_OF_COMPANIES if is_company else _OF_PERSONS).items():
        relations[field] = found.related(relation, _urn())
    # A customer is always there, so nothing is said for a while where a relation has a gap.
    lines |= {field: line.filled(None) if line.span else line for field, line in relations.items()}
    last = {field: last_value(line) for field, line in lines.items()}
    return {
        "party_kind": "company" if is_company else "person",
        "number": last["number"],
        "user_key": last["user_key"],
        "name": last["name"],
        "kmd_name": last["kmd_name"],
        "first_name": last["first_name"],
        "middle_name": last["middle_name"],
        "last_name": last["last_name"],
        "gender": last["gender"],
        "civil_status": last["civil_status"],
        "address_protected": last["address_protected"],
        "business_code": last.get("business_code"),
        "company_form": last.get("company_form"),
        "master_id": last["master_id"],
        "phone": last["phone"],
        "mobile": last["mobile"],
        "email": last["email"],
        "address_id": last["address_id"],
        "ended_on": found.validity("gyldighed", "Aktiv").end,
        "history": history_of(lines),
    }


def _extension_value(field: str) -> Callable[[Piece, Mapping[str, Any]], Any]:
    """What an attribute piece has in the extension field."""
    name = _EXTENSIONS[field]

    def value(_piece: Piece, extensions: Mapping[str, Any]) -> Any:
        return as_flag(extensions.get(name)) if field in FLAGS else extensions.get(name)

    return value


def _customer_relation(found: _Registration) -> FlatRow:
    period = found.validity("gyldighed", "Aktiv")
    lines = {
        "name": found.said(lambda piece, _extensions: piece.get("interessefaellesskabsnavn") or None),
        "address_id": _within(found.related("adresser", _uuid), period),
    }
    return {
        "customer_number": found.text("brugervendtnoegle"),
        "name": last_value(lines["name"]),
        "utility": found.text("interessefaellesskabstype"),
        "address_id": last_value(lines["address_id"]),
        "valid_from": period.start,
        "valid_to": period.end,
        "history": history_of(lines),
    }


def _customer_role(found: _Registration) -> FlatRow:
    period = found.validity("gyldighed", "Aktiv")
    parties = found.items("tilknyttedebrugere")
    kind = parties[-1].get("objekttype") if parties else None
    return {
        "customer_number": found.extension("ava_kundenummer"),
        "role_code": found.text("brugervendtnoegle"),
        "role_name": found.text("funktionsnavn"),
        "party_id": found.uuid("tilknyttedebrugere"),
        "party_kind": "company" if kind == "Organisation" else "person",
        "relation_id": found.uuid("tilknyttedeinteressefaellesskaber"),
        "valid_from": period.start,
        "valid_to": period.end,
    }


def _installation(found: _Registration) -> FlatRow:
    period = found.validity("publiceret", "Publiceret")
    place = _within(found.related(_PLACE, _uuid), period)
    if not place.span:
        place = found.said(lambda _piece, extensions: extensions.get(_PLACE))
    return {
        "installation_number": found.text("brugervendtnoegle"),
        "utility": found.urn("overordnetklasse"),
        "address_id": last_value(place),
        "meters": _meters(found, period),
        "valid_from": period.start,
        "valid_to": period.end,
        "history": history_of({"address_id": place}),
    }


def _meters(found: _Registration, life: Period[str]) -> list[FlatRow]:
    """Meters with their periods; adjoining pieces of one meter are one, the open end is that of the installation."""
    line = found.said(
        lambda piece, extensions: (
            piece.get("eksempel") or None,
            piece.get("beskrivelse") or None,
            extensions.get("ava_maalerfabrikat"),
        )
    )
    return [
        {
            "meter_number": meter[0],
            "meter_type": meter[1],
            "meter_make": meter[2],
            "from": start,
            "to": life.end if end is None else end,
        }
        for start, end, meter in line.joined()
    ]


def _agreement(found: _Registration) -> FlatRow:
    start, end = day_of(found.text("starttidspunkt")), day_of(found.text("sluttidspunkt"))
    lines = {
        "name": found.said(lambda piece, _extensions: piece.get("brugervendtnoegle") or None),
        "billing_address_id": _within(found.related("indsatsdokument", _uuid), Period(start, end)),
    }
    return {
        "customer_number": found.extension("ava_kundenummer"),
        "name": last_value(lines["name"]),
        "utility": found.urn("indsatstype"),
        "relation_id": found.uuid("indsatsmodtager"),
        "billing_address_id": last_value(lines["billing_address_id"]),
        "installations": _held_installations(found.items("indsatskvalitet")),
        "valid_from": start,
        "valid_to": end,
        "history": history_of(lines),
    }


def _held_installations(items: list[Piece]) -> list[FlatRow]:
    """Installations with the periods they are held, by id and first day."""
    ids = sorted({str(item["uuid"]) for item in items if item.get("uuid")})
    return [
        {"installation_id": installation, "from": period.start, "to": period.end}
        for installation in ids
        for period in periods_of(period_of(item) for item in items if item.get("uuid") == installation).periods()
    ]


_READERS: Final[dict[str, Callable[[_Registration], FlatRow]]] = {
    "customers": _customer,
    "customer_relations": _customer_relation,
    "customer_roles": _customer_role,
    "installations": _installation,
    "agreements": _agreement,
}

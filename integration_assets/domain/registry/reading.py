"""Objects of the registry (LoRa) as registry rows again, whoever wrote them last.

A real LoRa leaves empty values out, orders nothing, answers in the time zone of its database and may hold one value in
several adjoining periods. So: missing keys are null, the piece that begins last is what an object says, periods that
touch are one. What others added to an object and the integration does not know is passed over. Either dialect is read,
whatever the registry speaks today: content of AVA's own fields first, then that of integrationsdata.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from integration_assets.domain.registry.time import Day, Period, day_of, joined, period_of, start_order
from integration_assets.domain.registry.values import as_flag, as_text, unpacked, urn_value

Piece = Mapping[str, Any]
FlatRow = dict[str, Any]


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
            key=lambda piece: start_order(period_of(piece)),
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
            key=lambda item: (start_order(period_of(item)), item.get("uuid") or "", item.get("urn") or ""),
        )

    def uuid(self, relation: str) -> str | None:
        """The object that a relation leads to; with several, the one that begins last."""
        return _last(item.get("uuid") for item in self.items(relation))

    def urn(self, relation: str, scheme: str = "") -> str | None:
        """The value that a relation names by a urn of the scheme."""
        return _last(urn_value(item.get("urn"), scheme) for item in self.items(relation))

    def validity(self, state: str, active: str) -> Period:
        """From when to when the object is in its active state; see `domain.registry.objects` for none."""
        pieces = [piece for group, found in self._states.items() if group.endswith(state) for piece in found]
        times = joined(period_of(piece) for piece in pieces if piece.get(state) == active)
        if times:
            return Period(times[0].start, times[-1].end)
        others = joined(period_of(piece) for piece in pieces or self.pieces)
        start = others[0].start if others else None
        return Period(start, self.extension("ava_slutdato") or start)


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
    "first_name": "ava_fornavn",
    "middle_name": "ava_mellemnavn",
    "last_name": "ava_efternavn",
    "gender": "ava_koen",
    "civil_status": "ava_civilstand",
    "address_protected": "ava_adressebeskyttelse",
}
"""Extension fields of a customer."""

_FLAGS: Final = frozenset({"address_protected"})

Line = list[tuple[Day, Any]]
"""The values of a field, each with its first day (None: always), in time order."""


def _customer(found: _Registration) -> FlatRow:
    is_company = found.class_name == "organisation"
    name = "organisationsnavn" if is_company else "brugernavn"
    lines = {field: _told(found, field) for field in _EXTENSIONS}
    lines["address_id"] = _related(found.items("adresser"), lambda item: item.get("uuid"))
    if is_company:
        lines["name"] = _changes((period_of(piece).start, piece.get(name) or None) for piece in found.pieces)
        for field, relation in (
            ("number", "virksomhed"),
            ("business_code", "branche"),
            ("company_form", "virksomhedstype"),
        ):
            lines[field] = _related(found.items(relation), lambda item: urn_value(item.get("urn")))
    else:
        lines["number"] = _related(found.items("tilknyttedepersoner"), lambda item: urn_value(item.get("urn")))
    last = {field: line[-1][1] if line else None for field, line in lines.items()}
    return {
        "party_kind": "company" if is_company else "person",
        "number": last["number"],
        "user_key": found.text("brugervendtnoegle"),
        "name": found.text(name),
        "kmd_name": found.extension("ava_kmdnavn"),
        **{field: last[field] for field in _EXTENSIONS},
        "business_code": last.get("business_code"),
        "company_form": last.get("company_form"),
        "master_id": found.extension("ava_masterid"),
        "phone": found.urn("adresser", "tel:"),
        "mobile": found.urn("adresser", "mobile:"),
        "email": found.urn("adresser", "email:"),
        "address_id": last["address_id"],
        "ended_on": found.validity("gyldighed", "Aktiv").end,
        "history": [
            {"field": field, "from": start, "value": as_text(value)}
            for field, line in sorted(lines.items())
            if len(line) > 1
            for start, value in line
        ],
    }


def _told(found: _Registration, field: str) -> Line:
    """The line of a field that is an extension."""
    values = [extensions.get(_EXTENSIONS[field]) for extensions in found.extensions]
    told = [as_flag(value) for value in values] if field in _FLAGS else values
    return _changes((period_of(piece).start, value) for piece, value in zip(found.pieces, told, strict=True))


def _related(items: list[Piece], target: Callable[[Piece], str | None]) -> Line:
    """The line of a relation: its targets over time, None where there is none for a while or any more."""
    line: Line = []
    covered: Day = None
    for item in items:
        value, period = target(item), period_of(item)
        if value is None:
            continue
        if period.start is not None and (not line or (covered is not None and covered < period.start)):
            line.append((covered if line else None, None))
        line.append((period.start, value))
        covered = period.end
    if line and covered is not None:
        line.append((covered, None))
    return _changes(line)


def _changes(line: Iterable[tuple[Day, Any]]) -> Line:
    """The line without pieces that say again what was said before."""
    result: Line = []
    for start, value in line:
        if not result or result[-1][1] != value:
            result.append((start, value))
    return result


def _customer_relation(found: _Registration) -> FlatRow:
    period = found.validity("gyldighed", "Aktiv")
    return {
        "customer_number": found.text("brugervendtnoegle"),
        "name": found.text("interessefaellesskabsnavn"),
        "utility": found.text("interessefaellesskabstype"),
        "address_id": found.uuid("adresser"),
        "valid_from": period.start,
        "valid_to": period.end,
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
    return {
        "installation_number": found.text("brugervendtnoegle"),
        "utility": found.urn("overordnetklasse"),
        "address_id": found.uuid("ava_opstillingsadresse") or found.extension("ava_opstillingsadresse"),
        "meters": _meters(found, period.end),
        "valid_from": period.start,
        "valid_to": period.end,
    }


def _meters(found: _Registration, valid_to: Day) -> list[FlatRow]:
    """Meters with their periods; adjoining pieces of one meter are one, the open end is that of the installation."""
    meters: list[FlatRow] = []
    for piece, extensions in zip(found.pieces, found.extensions, strict=True):
        period = period_of(piece)
        meter = {
            "meter_number": piece.get("eksempel") or None,
            "meter_type": piece.get("beskrivelse") or None,
            "meter_make": extensions.get("ava_maalerfabrikat"),
        }
        last = meters[-1] if meters else None
        if last is not None and last["to"] == period.start and meter.items() <= last.items():
            last["to"] = period.end
        else:
            meters.append({**meter, "from": period.start, "to": period.end})
    if meters and meters[-1]["to"] is None:
        meters[-1]["to"] = valid_to
    return meters


def _agreement(found: _Registration) -> FlatRow:
    return {
        "customer_number": found.extension("ava_kundenummer"),
        "name": found.text("brugervendtnoegle"),
        "utility": found.urn("indsatstype"),
        "relation_id": found.uuid("indsatsmodtager"),
        "billing_address_id": found.uuid("indsatsdokument"),
        "installations": _held_installations(found.items("indsatskvalitet")),
        "valid_from": day_of(found.text("starttidspunkt")),
        "valid_to": day_of(found.text("sluttidspunkt")),
    }


def _held_installations(items: list[Piece]) -> list[FlatRow]:
    """Installations with the periods they are held, by id and first day."""
    ids = sorted({str(item["uuid"]) for item in items if item.get("uuid")})
    return [
        {"installation_id": installation, "from": period.start, "to": period.end}
        for installation in ids
        for period in joined(period_of(item) for item in items if item.get("uuid") == installation)
    ]


_READERS: Final[dict[str, Callable[[_Registration], FlatRow]]] = {
    "customers": _customer,
    "customer_relations": _customer_relation,
    "customer_roles": _customer_role,
    "installations": _installation,
    "agreements": _agreement,
}

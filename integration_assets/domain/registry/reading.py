"""Objects of the registry (LoRa) as registry rows again, whoever wrote them last.

A real LoRa leaves empty values out, orders nothing, answers in the time zone of its database and may hold one value in
several adjoining periods. So: missing keys are null, the piece that begins last is what an object says, periods that
touch are one. What others added to an object and the integration does not know is passed over.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from integration_assets.domain.registry.time import Day, Period, day_of, joined, period_of, start_order
from integration_assets.domain.registry.values import unpacked, urn_value

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
        self._states: Mapping[str, list[Piece]] = registration.get("tilstande") or {}
        self._relations: Mapping[str, list[Piece]] = registration.get("relationer") or {}
        self.extension = unpacked(self.text("integrationsdata"))

    def text(self, field: str) -> str | None:
        """An attribute, as the piece that begins last has it."""
        return (self.pieces[-1].get(field) or None) if self.pieces else None

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
        return Period(start, self.extension.get("ava_slutdato") or start)


def _last(values: Iterable[str | None]) -> str | None:
    found: str | None = None
    for value in values:
        found = value or found
    return found


def _customer(found: _Registration) -> FlatRow:
    is_company = found.class_name == "organisation"
    extension = found.extension
    return {
        "party_kind": "company" if is_company else "person",
        "number": found.urn("virksomhed" if is_company else "tilknyttedepersoner"),
        "user_key": found.text("brugervendtnoegle"),
        "name": found.text("organisationsnavn" if is_company else "brugernavn"),
        "kmd_name": extension.get("ava_kmdnavn"),
        "first_name": extension.get("ava_fornavn"),
        "middle_name": extension.get("ava_mellemnavn"),
        "last_name": extension.get("ava_efternavn"),
        "gender": extension.get("ava_koen"),
        "civil_status": extension.get("ava_civilstand"),
        "address_protected": extension.get("ava_adressebeskyttelse"),
        "business_code": found.urn("branche"),
        "company_form": found.urn("virksomhedstype"),
        "master_id": extension.get("ava_masterid"),
        "phone": found.urn("adresser", "tel:"),
        "mobile": found.urn("adresser", "mobile:"),
        "email": found.urn("adresser", "email:"),
        "address_id": found.uuid("adresser"),
    }


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
        "customer_number": found.extension.get("ava_kundenummer"),
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
        "address_id": found.extension.get("ava_opstillingsadresse"),
        "meters": _meters(found.pieces, period.end),
        "valid_from": period.start,
        "valid_to": period.end,
    }


def _meters(pieces: list[Piece], valid_to: Day) -> list[FlatRow]:
    """Meters with their periods; adjoining pieces of one meter are one, the open end is that of the installation."""
    meters: list[FlatRow] = []
    for piece in pieces:
        period = period_of(piece)
        meter = {
            "meter_number": piece.get("eksempel") or None,
            "meter_type": piece.get("beskrivelse") or None,
            "meter_make": unpacked(piece.get("integrationsdata")).get("ava_maalerfabrikat"),
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
        "customer_number": found.extension.get("ava_kundenummer"),
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

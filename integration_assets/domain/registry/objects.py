"""Registry rows as objects of LoRa 1.3.0 (OIO): the whole body of a PUT. The way back is `domain.registry.reading`.

Rows are dicts with the columns of `REGISTRY_ROWS` as their JSON has them (dates as ISO texts; dates are taken too).
Rules that LoRa enforces and that are kept here: every state is required; a relation item has exactly one of uuid and
urn; a single relation has one item; values are texts and none is empty; periods are half-open and have a day at least.
What LoRa has no field for (the ava_ content) is written by the registry's dialect: where AVA installed fields of its
own, the content that they are made for goes into them, flags as the texts "true" and "false"; all other, and all of it
in a plain registry, travels as compact JSON in ``integrationsdata``.

Validity: customers always, but for their end. Everything else says what it is from valid_from on, is active and related
until valid_to and inactive from then on. Where valid_to is not after valid_from (a party put into a row and taken out
the same day) no day is left to be active on: the object is inactive from valid_from on and ``ava_slutdato`` keeps the
end. Within that, what changed (`history`) is said for the days on which it held.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from integration_assets.domain.registry.dialect import PLAIN, Dialect
from integration_assets.domain.registry.lines import Line, Lines, while_held
from integration_assets.domain.registry.reading import from_object
from integration_assets.domain.registry.time import FAR_END, Day, iso_day, midnight, period_of, validity
from integration_assets.domain.registry.values import LARGEST_TEXT, as_text, packed, urn
from integration_assets.domain.timeslices import Period

__all__ = ["LORA_CLASSES", "Tenant", "from_object", "in_two_steps", "lora_class", "to_object"]

Row = Mapping[str, Any]
Target = dict[str, str]
Related = Iterable[tuple[Target | None, Period[str]]]

LORA_CLASSES: Final[dict[str, tuple[str, ...]]] = {
    "customers": ("organisation/bruger", "organisation/organisation"),
    "customer_relations": ("organisation/interessefaellesskab",),
    "customer_roles": ("organisation/organisationfunktion",),
    "installations": ("klassifikation/klasse",),
    "agreements": ("indsats/indsats",),
}
"""Service and class of the objects of each entity."""

_ALWAYS: Final[Period[str]] = Period(None, None)

_SINGLE_RELATIONS: Final[dict[str, frozenset[str]]] = {
    "organisation/organisation": frozenset({"branche", "virksomhedstype", "virksomhed"}),
    "klassifikation/klasse": frozenset({"ava_opstillingsadresse"}),
}
"""Relations of 0..1 of our objects that may have different targets over time."""

_PARTY_FIELDS: Final = {
    "address_protected": "ava_adressebeskyttelse",
    "kmd_name": "ava_kmdnavn",
    "master_id": "ava_masterid",
}
_PERSON_FIELDS: Final = {
    "first_name": "ava_fornavn",
    "middle_name": "ava_mellemnavn",
    "last_name": "ava_efternavn",
    "gender": "ava_koen",
    "civil_status": "ava_civilstand",
}
_PLACE: Final = "ava_opstillingsadresse"

_KEYS: Final = {
    "customers": "user_key",
    "customer_relations": "customer_number",
    "customer_roles": "customer_number",
    "installations": "installation_number",
    "agreements": "customer_number",
}
"""What an object of each entity is called where something is wrong with it."""


@dataclass(frozen=True)
class Tenant:
    """Whose registry it is: uuid of the organisation that owns the objects, uuid of the actor who writes them."""

    organisation: str
    actor: str


def lora_class(entity: str, row: Row) -> str:
    """Service and class that the row is an object of, e.g. ``organisation/bruger``. Raises KeyError when unknown."""
    classes = LORA_CLASSES[entity]
    return classes[-1] if row.get("party_kind") == "company" else classes[0]


def in_two_steps(lora_class: str, body: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The body for PUT, and the one for the PATCH that must follow it, or None.

    A PUT takes one item only of a relation of 0..1, even when their periods are disjoint; several come by PATCH. The
    PUT then has the last of them.
    """
    relations: Mapping[str, list[Any]] = body["relationer"]
    several = {
        name: items
        for name, items in relations.items()
        if name in _SINGLE_RELATIONS.get(lora_class, ()) and len(items) > 1
    }
    if not several:
        return dict(body), None
    last = {name: [max(items, key=_start_of)] for name, items in several.items()}
    return {**body, "relationer": {**relations, **last}}, {"relationer": several}


def _start_of(item: Mapping[str, Any]) -> tuple[bool, str]:
    start = period_of(item).start
    return start is not None, start or ""


def to_object(entity: str, row: Row, tenant: Tenant, dialect: Dialect = PLAIN) -> dict[str, Any]:
    """The body that makes the object exactly this row when it is PUT (see `in_two_steps`) in a registry of the dialect.

    Raises ValueError, naming customer or installation number only, when LoRa cannot hold the row.
    """
    body = _Body(lora_class(entity, row), row[_KEYS[entity]], tenant.actor, dialect)
    return _WRITERS[entity](body, row, tenant)


class _Body:
    """A body in the making. Items without value are left out, relations without items too."""

    def __init__(self, lora_class: str, business_key: str, actor: str, dialect: Dialect) -> None:
        self._class_name = lora_class.partition("/")[2]
        self._own = dialect.own(lora_class)
        self._business_key = business_key
        self._actor = actor
        self._attributes: list[dict[str, Any]] = []
        self._states: dict[str, list[dict[str, Any]]] = {}
        self._relations: dict[str, list[dict[str, Any]]] = {}

    def says(self, period: Period[str], extension: Mapping[str, str | bool | None], **fields: str | None) -> None:
        """Adds attributes (egenskaber) for a period; those of `extension` where the dialect has them."""
        fields |= {name: as_text(value) for name, value in extension.items() if name in self._own.attributes}
        rest = {name: value for name, value in extension.items() if name not in self._own.attributes}
        fields["integrationsdata"] = packed(rest)
        filled = {name: value for name, value in fields.items() if value}
        for name, value in filled.items():
            if (size := len(value.encode())) >= LARGEST_TEXT:
                raise ValueError(f"{name} of {self._business_key} takes {size} bytes; LoRa holds {LARGEST_TEXT}.")
        self._attributes.append({**filled, "virkning": validity(period, self._actor)})

    def has_relation(self, relation: str) -> bool:
        """Whether the dialect has this relation of AVA's own."""
        return relation in self._own.relations

    def is_in(self, state: str, *values: tuple[str, Period[str]]) -> None:
        """Sets the values of a state (tilstand), named without its class."""
        self._states[f"{self._class_name}{state}"] = [
            {state: value, "virkning": validity(period, self._actor)} for value, period in values
        ]

    def relates(self, relation: str, related: Related) -> None:
        """Adds relation items; missing targets and periods without a day are left out."""
        items = [
            {**target, "virkning": validity(period, self._actor)}
            for target, period in related
            if target is not None and not period.is_empty
        ]
        if items:
            self._relations[relation] = items

    def finished(self) -> dict[str, Any]:
        """The body as JSON."""
        return {
            "attributter": {f"{self._class_name}egenskaber": self._attributes},
            "tilstande": self._states,
            "relationer": self._relations,
        }


@dataclass(frozen=True)
class _Life:
    """How a validity is written: what is said, what holds, and the states over time."""

    said: Period[str]
    held: Period[str]
    end_aside: Day

    @classmethod
    def of(cls, row: Row) -> "_Life":
        period = Period(iso_day(row["valid_from"]), iso_day(row["valid_to"]))
        said: Period[str] = Period(period.start, None)
        return cls(said, said, period.end) if period.is_empty else cls(said, period, None)

    def states(self, active: str, inactive: str) -> list[tuple[str, Period[str]]]:
        if self.end_aside is not None:
            return [(inactive, self.said)]
        if self.held.end is None:
            return [(active, self.said)]
        return [(active, self.held), (inactive, Period(self.held.end, None))]


def _uuid(value: str | None, kind: str | None = None) -> Target | None:
    if not value:
        return None
    return {"uuid": value} if kind is None else {"uuid": value, "objekttype": kind}


def _urn(value: str | None, scheme: str = "") -> Target | None:
    return {"urn": urn(value, scheme)} if value else None


def _targets(line: Line, target: Callable[[Any], Target | None]) -> Related:
    return ((target(piece.value), piece.period) for piece in line)


def _customer(body: _Body, row: Row, tenant: Tenant) -> dict[str, Any]:
    """Person: bruger, with the CPR number as related person. Company: organisation, with the CVR number."""
    lines = Lines(row)
    is_company = row["party_kind"] == "company"
    name = "organisationsnavn" if is_company else "brugernavn"
    extension = _PARTY_FIELDS if is_company else {**_PERSON_FIELDS, **_PARTY_FIELDS}
    for piece in lines.together(("user_key", "name", *extension)):
        told = piece.value
        body.says(
            piece.period,
            {written_as: told[field] for field, written_as in extension.items()},
            brugervendtnoegle=told["user_key"],
            **{name: told["name"]},
        )
    ended_on = iso_day(row["ended_on"])
    body.is_in("gyldighed", *_Life(_ALWAYS, Period(None, ended_on), None).states("Aktiv", "Inaktiv"))
    body.relates("tilhoerer", [(_uuid(tenant.organisation), _ALWAYS)])
    if is_company:
        body.relates("virksomhed", _targets(lines.of("number"), _urn))
        body.relates("virksomhedstype", _targets(lines.of("company_form"), _urn))
        body.relates("branche", _targets(lines.of("business_code"), _urn))
    else:
        body.relates("tilknyttedepersoner", _targets(lines.of("number"), _urn))
    body.relates(
        "adresser",
        [
            *_targets(lines.of("phone"), lambda value: _urn(value, "tel:")),
            *_targets(lines.of("mobile"), lambda value: _urn(value, "mobile:")),
            *_targets(lines.of("email"), lambda value: _urn(value, "email:")),
            *_targets(lines.of("address_id"), _uuid),
        ],
    )
    return body.finished()


def _customer_relation(body: _Body, row: Row, tenant: Tenant) -> dict[str, Any]:
    life, lines = _Life.of(row), Lines(row)
    for piece in lines.of("name").clipped(life.said.start, life.said.end):
        body.says(
            piece.period,
            {"ava_slutdato": life.end_aside},
            brugervendtnoegle=row["customer_number"],
            interessefaellesskabsnavn=piece.value,
            interessefaellesskabstype=row["utility"],
        )
    body.is_in("gyldighed", *life.states("Aktiv", "Inaktiv"))
    body.relates("tilhoerer", [(_uuid(tenant.organisation), life.held)])
    body.relates("adresser", _targets(while_held(lines.of("address_id"), life.held), _uuid))
    return body.finished()


def _customer_role(body: _Body, row: Row, tenant: Tenant) -> dict[str, Any]:
    """A role has no owner in the registry; its customer number is an extension field, for those who look for it."""
    del tenant
    life = _Life.of(row)
    body.says(
        life.said,
        {"ava_kundenummer": row["customer_number"], "ava_slutdato": life.end_aside},
        brugervendtnoegle=row["role_code"],
        funktionsnavn=row["role_name"],
    )
    body.is_in("gyldighed", *life.states("Aktiv", "Inaktiv"))
    kind = "Organisation" if row["party_kind"] == "company" else "Bruger"
    body.relates("organisatoriskfunktionstype", [(_urn(row["role_code"]), life.held)])
    body.relates("tilknyttedebrugere", [(_uuid(row["party_id"], kind), life.held)])
    body.relates("tilknyttedeinteressefaellesskaber", [(_uuid(row["relation_id"]), life.held)])
    return body.finished()


def _installation(body: _Body, row: Row, tenant: Tenant) -> dict[str, Any]:
    """One period of attributes per meter; the last one says on after the end what the installation was.

    Where the registry has no relation for the alternative place, it is an attribute too, with periods of its own.
    """
    if not row["meters"]:
        raise ValueError(f"Installation {row['installation_number']} has no meter.")
    life, place = _Life.of(row), Lines(row).of("address_id")
    apart = body.has_relation(_PLACE)
    for meter in row["meters"]:
        start, end = iso_day(meter["from"]), iso_day(meter["to"])
        said = Line.always(None) if apart else place
        for piece in said.clipped(start, None if end == life.held.end else end):
            body.says(
                piece.period,
                {
                    "ava_maalerfabrikat": meter["meter_make"],
                    "ava_slutdato": life.end_aside,
                    **({} if apart else {_PLACE: piece.value}),
                },
                brugervendtnoegle=row["installation_number"],
                titel=_title(meter) or row["installation_number"],
                eksempel=meter["meter_number"],
                beskrivelse=meter["meter_type"],
            )
    body.is_in("publiceret", *life.states("Publiceret", "IkkePubliceret"))
    body.relates("ejer", [(_uuid(tenant.organisation), life.held)])
    body.relates("overordnetklasse", [(_urn(row["utility"]), life.held)])
    if apart:
        body.relates(_PLACE, _targets(while_held(place, life.held), _uuid))
    return body.finished()


def _title(meter: Row) -> str:
    """ "<meter number>, <make> <type>"; what is missing is left out."""
    model = " ".join(part for part in (meter["meter_make"], meter["meter_type"]) if part)
    return ", ".join(part for part in (meter["meter_number"], model) if part)


def _agreement(body: _Body, row: Row, tenant: Tenant) -> dict[str, Any]:
    """Indsats has no validity state: it is Disponeret (running) until its end, then Leveret (delivered)."""
    del tenant
    life, lines = _Life.of(row), Lines(row)
    start, end = iso_day(row["valid_from"]), iso_day(row["valid_to"])
    held: list[Row] = row["installations"] or []
    for piece in lines.of("name").zipped(_installations_by(held)).clipped(life.said.start, life.said.end):
        name, count = piece.value
        body.says(
            piece.period,
            {"ava_kundenummer": row["customer_number"]},
            brugervendtnoegle=name,
            beskrivelse=str(count),
            starttidspunkt=None if start is None else midnight(start),
            sluttidspunkt=FAR_END if end is None else midnight(end),
        )
    body.is_in("publiceret", ("IkkePubliceret", life.said))
    body.is_in("fremdrift", *life.states("Disponeret", "Leveret"))
    body.relates("indsatstype", [(_urn(row["utility"]), life.held)])
    body.relates("indsatsmodtager", [(_uuid(row["relation_id"]), life.held)])
    body.relates("indsatsdokument", _targets(while_held(lines.of("billing_address_id"), life.held), _uuid))
    body.relates(
        "indsatskvalitet",
        ((_uuid(item["installation_id"]), Period(iso_day(item["from"]), iso_day(item["to"]))) for item in held),
    )
    return body.finished()


def _installations_by(held: Iterable[Row]) -> Line:
    """How many installations the agreement has had by each day."""
    first: dict[str, Day] = {}
    for item in held:
        day, known = iso_day(item["from"]), first.get(item["installation_id"], FAR_END)
        first[item["installation_id"]] = None if day is None or known is None else min(day, known)
    from_the_beginning = sum(day is None for day in first.values())
    count = Line.always(from_the_beginning)
    for number, day in enumerate(sorted(filter(None, first.values())), from_the_beginning + 1):
        count = count.written(day, None, number)
    return count


_WRITERS: Final[dict[str, Callable[[_Body, Row, Tenant], dict[str, Any]]]] = {
    "customers": _customer,
    "customer_relations": _customer_relation,
    "customer_roles": _customer_role,
    "installations": _installation,
    "agreements": _agreement,
}

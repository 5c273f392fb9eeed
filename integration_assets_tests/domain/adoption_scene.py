"""A registry that the first integration filled, by hand, and the rows of the billing system that it was filled from."""

from datetime import date
from typing import Any

import polars as pl

from integration_assets.domain.identity import ObjectIds
from integration_assets.domain.registry.adoption import Source
from integration_assets.domain.registry.found import FOUND, Found, found_frame
from integration_assets.domain.tables import KMD_CUSTOMERS, KMD_INSTALLATIONS
from integration_assets.sandbox.original_bodies import Bodies

Json = dict[str, Any]
IDS = ObjectIds("a key of sixteen bytes")
OWNER, ACTOR = "cccccccc-0000-4000-8000-000000000001", "cccccccc-0000-4000-8000-000000000002"
BODIES = Bodies(OWNER, ACTOR, extended=False)
BRUGER, ORGANISATION = "organisation/bruger", "organisation/organisation"
SINCE, LATER = "2018-03-01 04:00:12.345+00", "2019-05-01 04:00:12.345+00"
CUSTOMER, CO = "915240004", "915240006"
METER = [1, "600", "qp 1,5", "Kamstrup", "2015-01-01", None]


def uid(number: int) -> str:
    """A uuid that sorts like its number."""
    return f"{number:08x}-0000-4000-8000-000000000000"


class Scene:
    """Collects objects, each under a number."""

    def __init__(self) -> None:
        self._objects: dict[str, list[tuple[str, Json]]] = {entity: [] for entity in FOUND}

    def person(self, number: int, cpr: str, since: str = SINCE, **fields: str) -> None:
        """A bruger; `phone` and `mobile` are addresses, other fields attributes."""
        urns = [
            {"urn": f"urn:{name}:{fields.pop(given)}"}
            for name, given in (("tel", "phone"), ("mobile", "mobile"))
            if given in fields
        ]
        body = BODIES.person(since, cpr, {"brugervendtnoegle": "1", "brugernavn": "Anna Holm", **fields}, {}, urns)
        self._add("customers", BRUGER, number, body)

    def company(self, number: int, cvr: str) -> None:
        """An organisation."""
        register = {"company_form": None, "business_code": None}
        body = BODIES.company(SINCE, cvr, {"brugervendtnoegle": "1", "organisationsnavn": "B"}, register, [])
        self._add("customers", ORGANISATION, number, body)

    def relation(self, number: int, customer_number: int, since: str = SINCE) -> None:
        """An interessefaellesskab."""
        body = BODIES.relation(since, customer_number, "Vej 1, 8000 Aarhus C", None)
        self._add("customer_relations", "organisation/interessefaellesskab", number, body)

    def role(self, number: int, code: str, party: int | None, relation: int) -> None:
        """An organisationfunktion."""
        body = BODIES.role(SINCE, code, None if party is None else uid(party), uid(relation))
        self._add("customer_roles", "organisation/organisationfunktion", number, body)

    def installation(self, number: int, installation_number: int, meter: list[Any] = METER) -> None:
        """A klasse."""
        body = BODIES.installation(meter, installation_number, None)
        self._add("installations", "klassifikation/klasse", number, body)

    def agreement(
        self, number: int, relation: int, products: list[int] | None = None, moved_in: str = "2016-04-01"
    ) -> None:
        """An indsats."""
        held = [uid(product) for product in products or []]
        titles = ["600, Kamstrup qp 1,5" for _ in held]
        body = BODIES.agreement(SINCE, moved_in, titles, held, uid(relation), None)
        self._add("agreements", "indsats/indsats", number, body)

    def found(self) -> Found:
        """The frames."""
        return Found(**{entity: found_frame(entity, objects) for entity, objects in self._objects.items()})

    def _add(self, entity: str, lora_class: str, number: int, body: Json) -> None:
        answered = {"id": uid(number), "registreringer": [{**body, "livscykluskode": "Opstaaet"}]}
        self._objects[entity].append((lora_class, answered))


def customer(number: str, id_number: str, co: str | None = None, **fields: Any) -> Json:
    """A row of kmd_ee/customers."""
    row: Json = dict.fromkeys(KMD_CUSTOMERS.schema)
    row |= {"customer_number": number, "supply_area": "8000", "id_number": id_number, "co_id_number": co}
    row |= {"name": "Anna Holm", "moved_in": date(2016, 4, 1), "consumption_place_id": int(number)}
    row |= {"street_name": "Vej", "house_number": "1", "postcode": "8000", "city": "Aarhus C"}
    return row | fields


def source(customers: list[Json], installations: dict[str, str] | None = None) -> Source:
    """The rows; installations by number with the customer number of their place."""
    meters = [
        {
            **dict.fromkeys(KMD_INSTALLATIONS.schema),
            "meter_period": number,
            "supply_area": "8000",
            "installation_number": number,
            "consumption_place_id": int(place),
            "meter_number": "600",
            "meter_type": "qp 1,5",
            "meter_make": "Kamstrup",
            "meter_from": date(2015, 1, 1),
        }
        for number, place in (installations or {}).items()
    ]
    return Source(
        pl.DataFrame(customers, schema=KMD_CUSTOMERS.schema), pl.DataFrame(meters, schema=KMD_INSTALLATIONS.schema)
    )


def party_ids(kinds: pl.Series, numbers: pl.Series) -> pl.Series:
    """Ids by kind and number, one by one."""
    return pl.Series(
        [
            str(IDS.of(kind, number)) if kind in ("person", "company") else None
            for kind, number in zip(kinds, numbers, strict=True)
        ],
        dtype=pl.String,
    )

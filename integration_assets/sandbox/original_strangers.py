"""What else stands in the registry that the first integration filled: another system, customers long gone.

The waste system (Arosia) keeps objects beside ours: of another owner, and of our owner but another utility. Its keys
may be the same as ours (customer numbers, bar codes), its parties the same people. It also puts things of its own into
objects of ours.
"""

import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from integration_assets.sandbox.original_bodies import Bodies
from integration_assets.sandbox.town_model import ROLE_CUSTOMER, Customer, Town
from integration_assets.sandbox.town_numbers import Numbers
from integration_assets.sandbox.town_rules import as_of

if TYPE_CHECKING:
    from integration_assets.sandbox.original import Registry

Json = dict[str, Any]

WASTE: Final = "Affald"
WASTE_OWNER: Final = "0a7f2c58-3a51-4c1e-8f0d-6b5e4d3c2b1a"
GONE_FIRST_NUMBER: Final = 100_001
_SINCE: Final = "2018-06-01 05:00:00.5"
_SHARE: Final = 0.03


def fill_strangers(
    town: Town, registry: "Registry", bodies: Bodies, draw: random.Random, parties: dict[str, list[str]]
) -> None:
    """Add all of it. `parties` are the uuids of the parties by number."""
    rows = [row for _, row in sorted(town.customers.items()) if row.party in parties]
    few = draw.sample(rows, max(2, round(_SHARE * len(rows))))
    theirs = replace(bodies, organisation=WASTE_OWNER, utility=WASTE)
    for row in few:
        _waste(registry, theirs, row, None)
    for row in few[: max(1, len(few) // 2)]:
        _waste(registry, replace(bodies, utility=WASTE), row, parties[row.party or ""][0])
    for row in draw.sample(rows, max(2, round(_SHARE * len(rows)))):
        if row.party is not None and len(row.party) == 10:
            _add_to_ours(registry, town, bodies, row, parties[row.party])
    taken = {number for row in town.customers.values() for number in (row.party, row.co) if number}
    numbers = Numbers(draw, taken)
    for number in range(GONE_FIRST_NUMBER, GONE_FIRST_NUMBER + max(2, round(0.01 * len(rows)))):
        _gone(registry, bodies, number, numbers.cpr(numbers.birth_date(1940, 1990), draw.choice("MK")))


def _waste(registry: "Registry", bodies: Bodies, row: Customer, party: str | None) -> None:
    """A customer of the waste system: a person of its own, unless she is one of ours already."""
    made: list[list[str]] = []

    def create(lora_class: str, body: Json) -> str:
        object_id = registry.create(lora_class, body)
        made.append([lora_class, object_id])
        return object_id

    if party is None:
        key = {"brugervendtnoegle": f"A{row.number}", "brugernavn": row.name}
        urns = [{"urn": f"urn:arosia_tel:{row.phone}"}]
        party = create("organisation/bruger", bodies.person(_SINCE, (row.party or "").zfill(10), key, {}, urns))
    relation = create(
        "organisation/interessefaellesskab", bodies.relation(_SINCE, row.number, "Genbrugsvej 1, 8000 Aarhus C", None)
    )
    create("organisation/organisationfunktion", bodies.role(_SINCE, ROLE_CUSTOMER, party, relation))
    meter = [0, f"spand {row.number}", "Restaffald 240 l", "Skrald", "2018-06-01", None]
    container = create("klassifikation/klasse", bodies.installation(meter, 5_000_000 + row.place, None))
    create("indsats/indsats", bodies.agreement(_SINCE, "2018-06-01", ["Affald"], [container], relation, None))
    registry.planted.strangers += made


def _add_to_ours(registry: "Registry", town: Town, bodies: Bodies, row: Customer, party: list[str]) -> None:
    """What the waste system adds to a person of ours: an address of its own kind, and a note among the extra data."""
    for object_id in party:
        lora_class = "organisation/bruger"
        virkning = bodies.virkning(f"{as_of(town)} 05:00:00.5")
        urn, phone = f"urn:arosia_id:{row.number}", f"urn:arosia_tel:{30_000_000 + row.number}"
        addresses = registry.read(lora_class, object_id)["relationer"].get("adresser", [])
        data = f'{{"arosia_rute":"{row.number % 7}"}}'
        registry.change(
            lora_class,
            object_id,
            {
                "attributter": {"brugeregenskaber": [{"integrationsdata": data, "virkning": virkning}]},
                "relationer": {
                    "tilknyttedeitsystemer": [{"urn": urn, "virkning": virkning}],
                    "adresser": [*addresses, {"urn": phone, "virkning": virkning}],
                },
            },
        )
        registry.planted.added.append([lora_class, object_id, "tilknyttedeitsystemer", urn])
        registry.planted.added.append([lora_class, object_id, "adresser", phone])
        registry.planted.added.append([lora_class, object_id, "integrationsdata", "arosia_rute"])


def _gone(registry: "Registry", bodies: Bodies, number: int, person: str) -> None:
    """A customer whom the billing system has deleted since."""
    key = {"brugervendtnoegle": str(number), "brugernavn": "Bortrejst Kunde"}
    party = registry.create("organisation/bruger", bodies.person(_SINCE, person, key, {}, []))
    relation = registry.create(
        "organisation/interessefaellesskab", bodies.relation(_SINCE, number, "Nedrevet Vej 1, 8000 Aarhus C", None)
    )
    role = registry.create("organisation/organisationfunktion", bodies.role(_SINCE, ROLE_CUSTOMER, party, relation))
    agreement = registry.create("indsats/indsats", bodies.agreement(_SINCE, "2018-06-01", [], [], relation, None))
    registry.planted.unknown += [party, relation, role, agreement]

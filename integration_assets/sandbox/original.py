"""AVA's first integration in small: fills the registry (LoRa) from the billing system as it did, known faults included.

Its ways (2017 to 2019): an import of everybody on one day, then a run each night. It looked objects up one by one and
created what it did not find, so parallel threads made some twice; a run that died left customer relations without roles
and agreements; of most changes it never heard, of retroactive ends neither. Its objects have random uuids.

Works on the town over HTTP, object by object, with no code of the product. The rows that it wrote and that are out of
the source window by now count as known afterwards: the registry has them, so the truth has to.
"""

import random
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

import httpx

from integration_assets.sandbox.original_bodies import FAR_END, Bodies, title
from integration_assets.sandbox.original_planted import Planted
from integration_assets.sandbox.original_strangers import fill_strangers
from integration_assets.sandbox.store import Store
from integration_assets.sandbox.town_model import ROLE_CO_CUSTOMER, ROLE_CUSTOMER, Customer, Installation, Town, load
from integration_assets.sandbox.town_rules import as_of, installations_by_place, is_visible, remember_parties
from integration_assets.sandbox.truth import place_line
from integration_assets.sandbox.truth_registers import Registered, is_company

Json = dict[str, Any]

FIRST_IMPORT: Final = "2018-03-01"

SHARES: Final = {
    "twice_party": 0.02,  # two threads created the same party
    "twice_relation": 0.01,
    "twice_installation": 0.01,
    "twice_agreement": 0.01,
    "doubled_role": 0.02,
    "died": 0.01,  # the run died after the customer relation
    "never_read": 0.02,  # its handler failed; it was never tried again
    "no_party": 0.01,  # the look-up failed, the role was created all the same
    "co_as_customer": 0.25,  # of rows with co-customer: she came later, with the wrong code
    "stale_contact": 0.05,  # phone changed since
    "stale_place": 0.03,  # place corrected since: the name kept the old line
    "billed_twice": 0.03,  # billing address changed: added, not replaced
}
"""Share of the rows that each fault happens to; at least one, where there is any."""


def fill(store: Store, lora_url: str, *, organisation: str, actor: str, extended: bool, seed: int = 1) -> Json:
    """Fill the registry from the town as it stands; what was left there (`Planted`), as plain values.

    Raises LookupError without a town, httpx.HTTPError where the registry does not take an object.
    """
    town = load(store)
    with httpx.Client(base_url=lora_url, timeout=60) as client:
        planted = Planted()
        registry = Registry(client, planted)
        bodies = Bodies(organisation, actor, extended)
        agent = _Agent(town, Registered(store, as_of(town)), registry, bodies, random.Random(f"original {seed}"))
        agent.run()
        fill_strangers(town, registry, bodies, agent.draw, agent.parties)
    for row in agent.imported:
        if not row.exported:
            row.exported = True
            row.roles = [
                [code, party, row.moved_in, None]
                for code, party in ((ROLE_CUSTOMER, row.party), (ROLE_CO_CUSTOMER, row.co))
                if party is not None
            ]
    remember_parties(town)
    town.save(store)
    return planted.as_json()


class Registry:
    """Creates and changes objects; notes what it created."""

    def __init__(self, client: httpx.Client, planted: Planted) -> None:
        self._client = client
        self.planted = planted

    def create(self, lora_class: str, body: Json) -> str:
        """POST an object; its uuid."""
        answer = self._client.post(f"/{lora_class}", json=body).raise_for_status().json()
        object_id: str = answer["uuid"]
        self.planted.created.setdefault(lora_class, []).append(object_id)
        return object_id

    def read(self, lora_class: str, object_id: str) -> Json:
        """The current registration of an object, as far as it holds now."""
        answer = self._client.get(f"/{lora_class}/{object_id}").raise_for_status().json()
        registration: Json = answer[object_id][0]["registreringer"][0]
        return registration

    def change(self, lora_class: str, object_id: str, body: Json) -> None:
        """PATCH an object."""
        self._client.patch(f"/{lora_class}/{object_id}", json=body).raise_for_status()


BRUGER, ORGANISATION = "organisation/bruger", "organisation/organisation"
RELATION, ROLE = "organisation/interessefaellesskab", "organisation/organisationfunktion"
INSTALLATION, AGREEMENT = "klassifikation/klasse", "indsats/indsats"


class _Agent:
    """The runs of all days in one."""

    def __init__(
        self, town: Town, registered: Registered, registry: Registry, bodies: Bodies, draw: random.Random
    ) -> None:
        self.town = town
        self.draw = draw
        self.parties: dict[str, list[str]] = {}
        self.today = as_of(town)
        self.imported = [row for _, row in sorted(town.customers.items()) if self._reads(row)]
        self._registered = registered
        self._registry = registry
        self._planted = registry.planted
        self._bodies = bodies
        self._installations: dict[int, list[str]] = {}
        self._agreements: dict[int, str] = {}
        self._placed = installations_by_place(town)
        self._chosen = self._choose()
        never_read = self._chosen["never_read"]
        self.imported = [row for row in self.imported if row.number not in never_read]
        self._named = self._naming()

    def run(self) -> None:
        """Everything in the order in which it happened."""
        events: list[tuple[str, int, int, Callable[[str], None]]] = []
        for row in self.imported:
            read_on = max(row.moved_in, FIRST_IMPORT)
            events.append((read_on, 0, row.number, partial(self._import, row)))
            if row.moved_out is not None:
                # The import of the first day kept no day of its run: what ended before the second one was lost too.
                told = max(row.moved_out, read_on)
                events.append((told, 2, row.number, partial(self._end, row)))
        for installation in self.town.installations.values():
            for meter in installation.meters[1:]:
                if FIRST_IMPORT < meter[4] <= self.today:
                    changed = partial(self._meter, installation, meter)
                    events.append((meter[4], 1, installation.number, changed))
        for day, _order, _number, act in sorted(events, key=lambda event: event[:3]):
            act(f"{day} 04:00:12.345678")

    def _reads(self, row: Customer) -> bool:
        """Whether a run ever saw the row in good order."""
        in_time = row.moved_in <= self.today and (row.moved_out is None or row.moved_out >= FIRST_IMPORT)
        good = row.reason is None and row.party is not None
        readable = row.exported or not is_visible(row, self.today)
        return in_time and good and readable and row.group != 999

    def _choose(self) -> dict[str, set[int]]:
        """The rows that each fault happens to; no row has two of them, so that what follows from each is plain."""
        alone = [row for row in self.imported if row.co is None and row.co_id_number == "0"]
        with_co = [row for row in self.imported if row.co is not None]
        self.draw.shuffle(alone)
        self.draw.shuffle(with_co)
        chosen: dict[str, set[int]] = {}
        for kind, share in SHARES.items():
            pool = with_co if kind == "co_as_customer" else alone
            number = max(1, round(share * (len(pool) if pool is with_co else len(self.imported))))
            chosen[kind] = {pool.pop().number for _ in range(min(number, len(pool)))}
        return chosen

    def _naming(self) -> dict[str, int]:
        """How many rows, read or not, name each party."""
        counts: dict[str, int] = {}
        for row in self.town.customers.values():
            for party in (row.party, row.co):
                if party is not None:
                    counts[party] = counts.get(party, 0) + 1
        return counts

    def _has(self, kind: str, row: Customer) -> bool:
        return row.number in self._chosen[kind]

    def _import(self, row: Customer, since: str) -> None:
        """A row seen for the first time."""
        party = self._party(row.party or "", row, since)
        place = self.town.places[row.place]
        stale = self._has("stale_place", row)
        line = f"Gammelgade 1, {place.postcode} {place.city}" if stale else place_line(place)
        relation = self._registry.create(RELATION, self._bodies.relation(since, row.number, line, place.address_id))
        relations = [relation]
        if self._has("twice_relation", row):
            again = self._bodies.relation(since, row.number, line, place.address_id)
            relations.append(self._registry.create(RELATION, again))
            self._planted.copies.append([RELATION, relations])
        elif stale:
            self._planted.fault("address_line", RELATION, relation)
        if self._has("died", row):
            self._planted.fault("without_role", RELATION, relation)
            self._planted.fault("without_agreement", RELATION, relation)
            return
        self._roles(row, since, party, self.draw.choice(relations))
        self._agree(row, since, self.draw.choice(relations))

    def _roles(self, row: Customer, since: str, party: str, relation: str) -> None:
        nobody = self._has("no_party", row)
        main = self._bodies.role(since, ROLE_CUSTOMER, None if nobody else party, relation)
        role = self._registry.create(ROLE, main)
        if nobody and _complete(row.id_number):
            self._planted.fault("without_party", ROLE, role)
        elif nobody:
            self._planted.ending.append(role)
        elif since[:10] != row.moved_in and _complete(row.id_number) and not self._has("doubled_role", row):
            self._planted.fault("process_time", ROLE, role)
        if self._has("doubled_role", row):
            self._planted.copies.append([ROLE, [role, self._registry.create(ROLE, main)]])
        co = self._co_number(row)
        if co is not None:
            wrong = self._has("co_as_customer", row)
            code = ROLE_CUSTOMER if wrong else ROLE_CO_CUSTOMER
            second = self._registry.create(
                ROLE, self._bodies.role(since, code, self._party(co, row, since, as_co=True), relation)
            )
            if wrong and _complete(row.co_id_number):
                self._planted.fault("role_code", ROLE, second)
            elif wrong:  # whose it is only the register can tell: another takes its place
                self._planted.ending.append(second)
            if co.endswith("0000"):
                (self._planted.waiting if row.co is None else self._planted.ending).append(second)

    def _co_number(self, row: Customer) -> str | None:
        """The co-customer's number: hers was never completed where the main customer's needed nothing."""
        if row.co_id_number == "0" or len(row.co_id_number) < 9:
            return None
        typed = row.co_id_number.zfill(10)
        return typed if typed.endswith("0000") and not row.id_number.endswith("0000") else row.co

    def _party(self, number: str, row: Customer, since: str, *, as_co: bool = False) -> str:
        """The party, created where a look-up does not find it."""
        if number in self.parties:
            return self.draw.choice(self.parties[number])
        lora_class = ORGANISATION if is_company(number) else BRUGER
        body = self._party_body(number, row, since)
        made = [self._registry.create(lora_class, body)]
        if not as_co and self._has("twice_party", row):
            made.append(self._registry.create(lora_class, body))
            self._planted.copies.append([lora_class, made])
        elif number.endswith("0000") and lora_class == BRUGER:
            (self._planted.waiting if row.co is None else self._planted.ending).append(made[0])
        elif self._named.get(number) == 1 and _complete(row.co_id_number if as_co else row.id_number):
            self._note_faults(lora_class, made[0], row, as_co=as_co)
        self.parties[number] = made
        return self.draw.choice(made)

    def _note_faults(self, lora_class: str, party: str, row: Customer, *, as_co: bool) -> None:
        if as_co:
            self._planted.fault("co_customer_as_main", lora_class, party)
        elif lora_class == ORGANISATION:
            self._planted.fault("master_id", lora_class, party)
        elif self._has("stale_contact", row):
            self._planted.fault("contact_data", lora_class, party)
        elif row.mobile and row.phone:
            self._planted.fault("landline_as_mobile", lora_class, party)

    def _party_body(self, number: str, row: Customer, since: str) -> Json:
        """Name and contact data are those of the row, whoever is meant; the mobile of a person is her landline."""
        phone = 10_000_000 + row.number if self._has("stale_contact", row) else row.phone
        company, known = is_company(number), not number.endswith("0000")
        address_id = self._registered.address_id(number) if known else None
        addresses: list[Json] = [{"urn": f"urn:tel:{phone}"}] if phone else []
        if row.mobile:
            addresses.append({"urn": f"urn:mobile:{row.mobile if company else phone}"})
        addresses += [{"urn": f"urn:email:{row.email}"}] if row.email else []
        addresses += [{"uuid": address_id}] if address_id else []
        key = {"brugervendtnoegle": str(row.number)}
        if company:
            entry = self._registered.entry(number)
            return self._bodies.company(since, number, {**key, "organisationsnavn": entry["name"]}, entry, addresses)
        entry = self._registered.entry(number) if known else {}
        own = {
            "ava_fornavn": entry.get("first_name"),
            "ava_mellemnavn": entry.get("middle_name"),
            "ava_efternavn": entry.get("last_name"),
            "ava_civilstand": entry.get("civil_status"),
            "ava_koen": entry.get("gender"),
            "ava_adressebeskyttelse": str(bool(entry.get("protected"))).lower(),
            "ava_masterid": str(row.master_id),
        }
        return self._bodies.person(since, number, {**key, "brugernavn": row.name}, own, addresses)

    def _agree(self, row: Customer, since: str, relation: str) -> None:
        held: list[tuple[str, str]] = []
        for installation in self._placed.get(row.place, []):
            meter = _in_use(installation, since[:10])
            if meter is not None:
                # That a meter would be taken down one day nobody knew.
                known = meter if (meter[5] or "") <= since[:10] else [*meter[:5], None]
                held.append((self.draw.choice(self._installation(installation, known, row)), title(meter)))
        billing = row.billing_unit or self._registered.billing_fallback(row.party)
        body = self._bodies.agreement(
            since, row.moved_in, [name for _, name in held], [key for key, _ in held], relation, billing
        )
        agreement = self._registry.create(AGREEMENT, body)
        self._agreements[row.number] = agreement
        if self._has("twice_agreement", row):
            self._planted.copies.append([AGREEMENT, [agreement, self._registry.create(AGREEMENT, body)]])
        if self._has("billed_twice", row) and billing:
            others = (place.unit for place in self.town.places.values() if place.unit != billing)
            document = {"uuid": next(others), "virkning": self._bodies.virkning(since)}
            self._registry.change(AGREEMENT, agreement, {"relationer": {"indsatsdokument": [document]}})
            self._planted.fault("billing_addresses", AGREEMENT, agreement)

    def _installation(self, installation: Installation, meter: list[Any], row: Customer) -> list[str]:
        """The installation, created where a look-up does not find it."""
        if installation.number not in self._installations:
            alternative = self.town.alternatives.get(installation.alternative)
            body = self._bodies.installation(meter, installation.number, alternative.access_id if alternative else None)
            made = [self._registry.create(INSTALLATION, body)]
            if self._has("twice_installation", row):
                made.append(self._registry.create(INSTALLATION, body))
                self._planted.copies.append([INSTALLATION, made])
            self._installations[installation.number] = made
        return self._installations[installation.number]

    def _meter(self, installation: Installation, meter: list[Any], since: str) -> None:
        """A meter was replaced: number and type change from now on, the title never does."""
        for object_id in self._installations.get(installation.number, []):
            fields = {"eksempel": meter[1], "beskrivelse": meter[2], "virkning": self._bodies.virkning(since, FAR_END)}
            body = {"attributter": {"klasseegenskaber": [fields]}}
            self._registry.change(INSTALLATION, object_id, body)
        if installation.meters[-1] is meter and len(self._installations.get(installation.number, [])) == 1:
            self._planted.fault("title", INSTALLATION, self._installations[installation.number][0])

    def _end(self, row: Customer, since: str) -> None:
        """A move-out: told where it was registered ahead of time, lost where it came afterwards."""
        agreement = self._agreements.get(row.number)
        if agreement is None:
            return
        if self.draw.random() < 0.5 or (row.moved_out or "") > self.today:
            fields = {"sluttidspunkt": f"{row.moved_out}T00:00:00+01:00", "virkning": self._bodies.virkning(since)}
            self._registry.change(AGREEMENT, agreement, {"attributter": {"indsatsegenskaber": [fields]}})
        elif not self._has("twice_agreement", row):
            self._planted.fault("never_ended", AGREEMENT, agreement)


def _complete(typed: str) -> bool:
    """Whether a number as typed tells by itself who is meant."""
    return not typed.endswith("0000")


def _in_use(installation: Installation, day: str) -> list[Any] | None:
    """The meter of an installation on a day."""
    in_use: Iterable[list[Any]] = (
        meter for meter in installation.meters if meter[4] <= day and (meter[5] is None or day < meter[5])
    )
    return next(iter(in_use), None)

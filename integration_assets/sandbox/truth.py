"""What the registry (LoRa) and the CRM must hold at the town's current day, and which rows must stand refused.

Computed from the town's own knowledge by plain loops; no code of the product takes part. Everything is identified as
people do it: parties by the CPR or CVR number in force, customer relations and agreements by customer number,
installations by installation number, addresses by their id in the address register.
"""

from typing import Any, Final

from integration_assets.sandbox.debt_authority.ledger import Ledger
from integration_assets.sandbox.register_changes import history
from integration_assets.sandbox.store import Store
from integration_assets.sandbox.town_claims import to_recall
from integration_assets.sandbox.town_model import Alternative, Customer, Installation, Place, Town, load, uninterrupted
from integration_assets.sandbox.town_rules import (
    as_of,
    contact_parts,
    exported_rows,
    installations_by_place,
    is_visible,
)
from integration_assets.sandbox.truth_facts import facts_today
from integration_assets.sandbox.truth_registers import Registered, is_company

Json = dict[str, Any]

UTILITY: Final = "Varme"
NAMELESS: Final = "Fjernvarmeaftale"


@uninterrupted
def truth(store: Store) -> Json:
    """The truth of the current day.

    Keys: base_day, day, as_of; `contacts` by number; `accounts` and `agreements` by customer number; `installations` by
    installation number; `addresses` by id, as the CRM shows them; `roles` (list); `links` (list of [customer number,
    party number]); `rejections` (list of [asset, record key, reason]); `withheld_addresses`, the ids of those that the
    CRM must not hold; `facts` by installation number and operand (see `truth_facts`); `recalls`, `write_downs` and
    `claims` as `town_claims.to_recall` gives them. Dates are ISO texts, null is an open end; `ended` says whether the
    end has come.

    Contacts say what the registers say today. Their `ended_on` is the day of death, or on which the company ceased;
    `shown_address_id` the address as the CRM shows it, which leaves out that of a protected person; `history` the
    values over time, [first day or null, value] by field, of what the registers changed while the party was known.
    """
    town = load(store)
    day = as_of(town)
    registered = Registered(store, day)
    rows = [registered.with_numbers_in_force(row) for row in exported_rows(town)]
    placed = installations_by_place(town)
    held = {row.number: _held(row, placed.get(row.place, []), day) for row in rows}
    contacts = _contacts(town, rows, registered)
    accounts = {str(row.number): _account(row, town.places[row.place], day) for row in rows}
    agreements = {
        str(row.number): _agreement(row, held[row.number], registered.billing_fallback(row.party), day) for row in rows
    }
    installations = _installations(town, rows, held, day)
    pointed_at = {entry["address_id"] for group in (accounts, installations) for entry in group.values()}
    pointed_at |= {contact["shown_address_id"] for contact in contacts.values()}
    pointed_at |= {agreement["billing_address_id"] for agreement in agreements.values()}
    withheld = _never_shown(contacts) - pointed_at - {place.unit for place in town.places.values()}
    return {
        "base_day": town.meta["base_day"],
        "day": town.meta["day"],
        "as_of": day,
        "contacts": contacts,
        "accounts": accounts,
        "roles": [role for row in rows for role in _roles(row, day)],
        "agreements": agreements,
        "installations": installations,
        "addresses": {each: _address(store, each) for each in sorted(filter(None, pointed_at))},
        "withheld_addresses": sorted(withheld),
        "links": sorted([str(row.number), party] for row in rows for party in _linked(row)),
        "rejections": _rejections(town, registered, day),
        **to_recall(town, Ledger(store).claims()),
        "facts": facts_today(rows, placed, day),
    }


def _address(store: Store, address_id: str) -> Json:
    """What the CRM shows of a unit or access address that something points at."""
    unit = store.load("register:unit").get(address_id)
    house = store.load("register:access")[unit["access_id"] if unit else address_id]
    floor, door = (unit["floor"], unit["door"]) if unit else (None, None)
    inside = " ".join(part for part in (f"{floor}." if floor else "", door or "") if part)
    parts = [f"{house['street_name']} {house['house_number']}", inside, f"{house['postcode']} {house['district']}"]
    return {
        "ava_name": ", ".join([part for part in parts if part] + ([] if unit else ["adgangsadresse"])),
        "ava_dawaadgangsadresseid": house["id"] if unit else None,
        "ava_gadenavn": house["street_name"],
        "ava_vejkode": house["street_code"],
        "ava_etage": floor,
        "ava_doer": door,
        "ava_postnummer": house["postcode"],
        "ava_by": house["district"],
        "ava_kommunenummer": house["municipality_code"],
        "ava_land": "Danmark",
    }


def _contacts(town: Town, rows: list[Customer], registered: Registered) -> dict[str, Json]:
    parts = {**registered.by_number_in_force(town.kept), **contact_parts(rows)}
    first_emails = registered.by_number_in_force(town.first_emails)
    return {
        number: _contact(number, part, registered, first_emails.get(number), town.register_changes.get(number, []))
        for number, part in sorted(parts.items())
    }


def _contact(number: str, part: Json, registered: Registered, first_email: str | None, changes: list[Json]) -> Json:
    entry = registered.entry(number)
    company = is_company(number)
    protected = None if company else registered.is_protected(number)
    address_id = registered.address_id(number)
    return {
        **part,
        "kind": "company" if company else "person",
        "name": entry["name"] if company else part["kmd_name"] or entry["addressing_name"],
        "first_name": None if company else entry["first_name"],
        "middle_name": None if company else entry["middle_name"],
        "last_name": None if company else entry["last_name"],
        "gender": None if company else entry["gender"],
        "civil_status": None if company else entry["civil_status"],
        "protected": protected,
        "business_code": entry["business_code"] if company else None,
        "company_form": entry["company_form"] if company else None,
        "address_id": address_id,
        "shown_address_id": None if protected else address_id,
        "ended_on": registered.ended_on(number),
        "history": history(changes, registered.unit_at),
        "primary_email": first_email,
    }


def _never_shown(contacts: dict[str, Json]) -> set[str]:
    """Addresses of persons who were protected before their address was known."""
    hidden: set[str] = set()
    for contact in contacts.values():
        if contact["protected"] and contact["address_id"]:
            protection = contact["history"].get("protected", [[None, True]])
            protected_from = next(since for since, value in reversed(protection) if value)
            lives_there_from = contact["history"].get("address_id", [[None, None]])[-1][0]
            if (protected_from or "") <= (lives_there_from or ""):
                hidden.add(contact["address_id"])
    return hidden


def _account(row: Customer, place: Place, day: str) -> Json:
    return {"name": f"{UTILITY}, {place_line(place)}", "address_id": place.address_id, **_life(row, day)}


def _life(row: Customer, day: str) -> Json:
    return {"valid_from": row.moved_in, "valid_to": row.moved_out, "ended": _ended(row.moved_out, day)}


def _ended(end: str | None, day: str) -> bool:
    return end is not None and end <= day


def place_line(place: Place | Alternative) -> str:
    """Street, number and letter, floor and door, postal code and city, as typed, single blanks between."""
    door = "" if place.door == "-" else place.door
    street = f"{place.street} {place.number}{place.letter or ''} {place.floor or ''}{door}"
    return f"{' '.join(street.split())}, {' '.join(f'{place.postcode} {place.city}'.split())}"


def _roles(row: Customer, day: str) -> list[Json]:
    roles: list[Json] = []
    for code, party, begin, removed in row.roles:
        ends = [end for end in (row.moved_out, removed) if end is not None]
        end = min(ends) if ends else None
        roles.append(
            {
                "customer_number": str(row.number),
                "role_code": code,
                "party": party,
                "valid_from": begin,
                "valid_to": end,
                "ended": _ended(end, day),
            }
        )
    return roles


def _linked(row: Customer) -> set[str]:
    """Parties that take part in the agreement: all whose role was not removed; a move-out removes nobody."""
    return {party for _code, party, _begin, removed in row.roles if removed is None}


def _held(row: Customer, installations: list[Installation], day: str) -> list[tuple[Installation, list[Any]]]:
    """Installations that had a meter while the agreement was valid, each with the last such meter."""
    held: list[tuple[Installation, list[Any]]] = []
    for installation in installations:
        overlapping = [
            meter
            for meter in installation.meters
            if meter[4] <= day
            and (row.moved_out is None or meter[4] < row.moved_out)
            and (meter[5] is None or row.moved_in < meter[5])
        ]
        if overlapping:
            held.append((installation, overlapping[-1]))
    return held


def _title(meter: list[Any]) -> str:
    return f"{meter[1]}, {meter[3]} {meter[2]}"


def _agreement(
    row: Customer, held: list[tuple[Installation, list[Any]]], registered_address: str | None, day: str
) -> Json:
    return {
        "name": f"{UTILITY}, {_title(held[0][1]) if held else NAMELESS}",
        "product_count": len(held),
        "installations": [str(installation.number) for installation, _meter in held],
        "billing_address_id": row.billing_unit or registered_address,
        **_life(row, day),
    }


def _installations(
    town: Town, rows: list[Customer], held: dict[int, list[tuple[Installation, list[Any]]]], day: str
) -> dict[str, Json]:
    owners: dict[int, Customer] = {}
    for row in rows:
        for installation, _meter in held[row.number]:
            rival = owners.get(installation.number)
            if rival is None or _claim(row, day) > _claim(rival, day):
                owners[installation.number] = row
    result: dict[str, Json] = {}
    for number, installation in sorted(town.installations.items()):
        meters = [meter for meter in installation.meters if meter[4] <= day]
        if meters:
            result[str(number)] = _installation(town, installation, meters, owners.get(number), day)
    return result


def _claim(row: Customer, day: str) -> tuple[bool, str, int]:
    """How strongly an agreement owns an installation: in force today, else the latest."""
    in_force = row.moved_in <= day and not _ended(row.moved_out, day)
    return in_force, row.moved_in, row.number


def _installation(
    town: Town, installation: Installation, meters: list[list[Any]], owner: Customer | None, day: str
) -> Json:
    in_use = [meter for meter in meters if not _ended(meter[5], day)]
    meter = (in_use or meters)[-1]
    own_address = None
    if installation.alternative:
        own_address = town.alternatives[installation.alternative].access_id
    return {
        "title": _title(meter),
        "meter_number": meter[1],
        "meter_type": meter[2],
        "meters": [[each[1], each[2], each[3], each[4], each[5]] for each in meters],
        "owner": str(owner.number) if owner else None,
        "own_address_id": own_address,
        "address_id": own_address or (town.places[owner.place].address_id if owner else None),
        "valid_from": meters[0][4],
        "valid_to": meters[-1][5],
        "ended": _ended(meters[-1][5], day),
    }


def _rejections(town: Town, registered: Registered, day: str) -> list[list[str]]:
    """Rows that the source shows today and that cannot be processed, wholly or in part."""
    refused: list[list[str]] = []
    for number, row in sorted(town.customers.items()):
        key = str(number)
        # An agreement that was annulled is asked for by its number: nobody lets it go unexplained.
        annulled = row.reason == "annulled_move_in" and row.good is not None
        if not (is_visible(row, day) or annulled):
            continue
        if row.reason == "annulled_move_in":
            refused.append(["kmd_ee/customers", key, row.reason])
            continue
        if row.reason is not None:
            refused.append(["resolved/customers", key, row.reason])
        if row.co_reason is not None:
            refused.append(["resolved/customers", f"{key}/co", row.co_reason])
        if town.places[row.place].address_id is None:
            refused.append(["resolved/consumption_addresses", key, "consumption_address_not_found"])
        if row.reason is None:
            refused += _billing_rejections(row, registered)
            refused += _notifications(row, registered)
    for number, installation in sorted(town.installations.items()):
        begun = any(meter[4] <= day for meter in installation.meters)
        if begun and installation.alternative and town.alternatives[installation.alternative].access_id is None:
            refused.append(["resolved/installation_addresses", str(number), "alternative_address_not_found"])
    return sorted(refused)


def _billing_rejections(row: Customer, registered: Registered) -> list[list[str]]:
    """Why a row whose billing line leads nowhere has no billing address; none where the registered one takes over."""
    if row.billing_unit is not None or registered.billing_fallback(row.party) is not None:
        return []
    hidden = registered.address_id(row.party) is not None
    reason = "billing_address_protected" if hidden else "billing_address_not_found"
    return [["resolved/billing_addresses", str(row.number), reason]]


def _notifications(row: Customer, registered: Registered) -> list[list[str]]:
    """What the registers say of the parties of a row that the billing system should be told, while the row goes on."""
    if _ended(row.moved_out, registered.day):
        return []
    told: list[list[str]] = []
    parties = ((str(row.number), row.party, row.id_number), (f"{row.number}/co", row.co, row.co_id_number))
    for key, party, typed in parties:
        if party is None:
            continue
        if is_company(party):
            if _ended(registered.ended_on(party), registered.day):
                told.append(["notifications/notices", key, "company_ceased"])
            continue
        if registered.is_dead(party):
            told.append(["notifications/notices", key, "person_died"])
        if registered.is_replaced(typed):
            told.append(["notifications/notices", key, "number_changed"])
    return told

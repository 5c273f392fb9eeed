"""Which objects of LoRa and the CRM a day of the town may have written: worked out from its events, by people's keys.

Nothing of the product takes part: the keys behind the ids are read from both systems over HTTP, what belongs together
is taken from the town's truth before and after the day.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from integration_assets.sandbox.verify_read import Crm, RegistryObject, registry_objects
from integration_assets_tests.end_to_end.world import Json, World


@dataclass(frozen=True)
class Touched:
    """What a day touched: customer numbers, installation numbers, parties (CPR or CVR number).

    `calendar_customers`, `calendar_installations` and `calendar_parties` are those that only the date moved: an
    announced end has come, another agreement has come into force, a protection is over. That shows in the CRM (its
    state has no dates), not in the registry.
    """

    customers: frozenset[str]
    installations: frozenset[str]
    parties: frozenset[str]
    calendar_customers: frozenset[str]
    calendar_installations: frozenset[str]
    calendar_parties: frozenset[str]


def touched_by(events: Json, before: Json, after: Json) -> Touched:
    """What the events of a day touched, given the truth of the evening before and of the day."""
    customers = frozenset(events["customers"])
    installations = frozenset(events["installations"])
    roles = [role for truth in (before, after) for role in truth["roles"]]
    moved = {number for name in ("accounts", "agreements") for number in _moved(name, before, after, ("ended",))}
    moved |= _roles_moved(before, after)
    return Touched(
        customers,
        installations,
        frozenset(role["party"] for role in roles if role["customer_number"] in customers),
        frozenset(moved - customers),
        frozenset(_moved("installations", before, after, ("ended", "owner")) - installations),
        frozenset(_moved("contacts", before, after, ("protected", "shown_address_id"))),
    )


def _moved(name: str, before: Json, after: Json, fields: Iterable[str]) -> set[str]:
    both = before[name].keys() & after[name].keys()
    return {key for key in both for field in fields if before[name][key][field] != after[name][key][field]}


def _roles_moved(before: Json, after: Json) -> set[str]:
    def ended(truth: Json) -> dict[tuple[str, str, str], bool]:
        return {(role["customer_number"], role["role_code"], role["party"]): role["ended"] for role in truth["roles"]}

    then = ended(before)
    return {key[0] for key, value in ended(after).items() if key in then and then[key] != value}


def allowed_objects(world: World, touched: Touched, before: Json, after: Json) -> dict[str, set[str]]:
    """Names of the objects that may have been written, as the request log has them, by system. Read on the same day."""
    return {
        "lora": _allowed_in_lora(world.systems["lora"], touched, after["as_of"]),
        "dataverse": _allowed_in_crm(world.given, touched, before, after),
    }


def _allowed_in_lora(lora_url: str, touched: Touched, day: str) -> set[str]:
    """Ids of the registry objects that belong to what was touched, parties by their number of the day."""

    def keyed(lora_class: str, chosen: frozenset[str]) -> set[str]:
        return {obj.id for obj in registry_objects(lora_url, lora_class) if obj.text("brugervendtnoegle") in chosen}

    relations = keyed("organisation/interessefaellesskab", touched.customers)
    roles = _pointing("organisation/organisationfunktion", "tilknyttedeinteressefaellesskaber", lora_url, relations)
    agreements = _pointing("indsats/indsats", "indsatsmodtager", lora_url, relations)
    parties = {
        obj.id
        for obj in [
            *registry_objects(lora_url, "organisation/bruger"),
            *registry_objects(lora_url, "organisation/organisation"),
        ]
        if _number(obj.on(day)) in touched.parties
    }
    return relations | roles | agreements | parties | keyed("klassifikation/klasse", touched.installations)


def _pointing(lora_class: str, relation: str, lora_url: str, targets: set[str]) -> set[str]:
    return {obj.id for obj in registry_objects(lora_url, lora_class) if set(obj.uuids(relation)) & targets}


def _number(obj: RegistryObject) -> str | None:
    return obj.urn("tilknyttedepersoner") or obj.urn("virksomhed")


def _allowed_in_crm(settings: Json, touched: Touched, before: Json, after: Json) -> set[str]:
    """What belongs to it in the CRM, as the request log names it: "contacts(id)"; links under their agreement."""
    numbers = touched.customers | touched.calendar_customers
    held = {
        number
        for truth in (before, after)
        for customer in touched.customers & truth["agreements"].keys()
        for number in truth["agreements"][customer]["installations"]
    }
    with Crm(settings) as crm:
        accounts = {row["accountid"]: row for row in crm.rows("accounts") if row["ava_kundenummer"] in numbers}
        agreements = _of_accounts(crm.rows("ava_aftales"), accounts, "ava_aftaleid")
        roles = _of_accounts(crm.rows("ava_kunderolles"), accounts, "ava_kunderolleid")
        installations = {
            row["ava_installationid"]: row
            for row in crm.rows("ava_installations")
            if row["ava_identifikation"] in held | touched.installations | touched.calendar_installations
        }
        contacts = {
            row["contactid"]: row
            for row in crm.rows("contacts")
            if (row.get("ava_cpr_nummer") or row.get("ava_cvr_nummer")) in touched.parties | touched.calendar_parties
        }
        linked = crm.linked("ava_aftales", "ava_aktoerens_aftaler", agreements, "contactid")
    rows = {
        "accounts": accounts,
        "ava_aftales": agreements,
        "ava_kunderolles": roles,
        "ava_installations": installations,
        "contacts": contacts,
    }
    named = {f"{name}({row_id})" for name, found in rows.items() for row_id in found}
    named |= {f"ava_adresses({address})" for found in rows.values() for row in found.values() for address in _at(row)}
    named |= {f"ava_aftales({agreement})/ava_aktoerens_aftaler({one})" for agreement in linked for one in contacts}
    return named


def _of_accounts(rows: list[Json], accounts: Json, key: str) -> dict[str, Json]:
    return {row[key]: row for row in rows if row.get("_ava_kundeforhold_value") in accounts}


def _at(row: Json) -> list[str]:
    """Addresses that a row points at."""
    lookups = ("_ava_adresse_value", "_ava_faktureringsadresse_value")
    return [row[name] for name in lookups if row.get(name)]

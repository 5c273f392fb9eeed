"""The CRM (Dynamics 365) against the truth."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from integration_assets.sandbox.verify_compare import Comparison, Difference, Key
from integration_assets.sandbox.verify_read import Crm

Json = dict[str, Any]

_HEAT: Final = 915240001
_GENDERS: Final = {"M": 1, "K": 2}
_OPEN_END: Final = "9999-12-31"
_ACCOUNT_NAME: Final = 160
# Lengths that the CRM holds of first, middle and last names.
_FIRST, _MIDDLE, _LAST = 150, 80, 100


def compare_crm(
    settings: Mapping[str, str], truth: Mapping[str, Any], opened: Callable[[Mapping[str, str]], Crm] = Crm
) -> list[Difference]:
    """All differences between the CRM, as `opened` shows it, and the truth. Raises httpx.HTTPError when unreadable."""
    comparison = Comparison("CRM")
    with opened(settings) as crm:
        _addresses(comparison, crm, truth)
        parties = _contacts(comparison, crm, truth)
        accounts = _accounts(comparison, crm, truth)
        _roles(comparison, crm, truth, parties, accounts)
        agreements = _agreements(comparison, crm, truth, accounts)
        _links(comparison, crm, truth, parties, agreements)
        _installations(comparison, crm, truth, agreements)
    return comparison.differences


def _state(ended: bool) -> Json:
    return {"statecode": int(ended), "statuscode": 1 + int(ended)}


def _cut(text: str | None, length: int) -> str | None:
    return text if text is None else text[:length].rstrip()


def _addresses(comparison: Comparison, crm: Crm, truth: Mapping[str, Any]) -> None:
    """Every address that is pointed at must be there; those once pointed at may stay, those never shown must not be."""
    rows = {row["ava_adresseid"]: row for row in crm.rows("ava_adresses")}
    for address_id, address in truth["addresses"].items():
        row = rows.get(address_id)
        if row is None:
            comparison.add("address", address["ava_name"], "is missing")
            continue
        for field, wanted in address.items():
            if row.get(field) != wanted:
                text = f"{field} is {row.get(field)!r} and should be {wanted!r}"
                comparison.add("address", address["ava_name"], text)
    for address_id in truth["withheld_addresses"]:
        if address_id in rows:
            comparison.add("address", address_id, "stands there though only a protected person is registered at it")


def _contacts(comparison: Comparison, crm: Crm, truth: Mapping[str, Any]) -> dict[str, str]:
    """Compares contacts; returns their numbers by contact id."""
    rows = crm.rows("contacts")
    numbers = {row["contactid"]: row.get("ava_cpr_nummer") or row.get("ava_cvr_nummer") or "?" for row in rows}
    expected: dict[Key, Json] = {(number,): _contact(number, one) for number, one in truth["contacts"].items()}
    names = {(number,): f"of customer number {one['user_key']}" for number, one in truth["contacts"].items()}
    comparison.objects("contact", expected, (((numbers[row["contactid"]],), row) for row in rows), names)
    return numbers


def _contact(number: str, contact: Json) -> Json:
    company = contact["kind"] == "company"
    protection = {} if company else {"ava_eradressebeskyttet": contact["protected"]}  # companies have none
    return {
        **protection,
        "firstname": _cut(contact["name"] if company else contact["first_name"], _FIRST),
        "middlename": _cut(contact["middle_name"], _MIDDLE),
        "lastname": _cut(contact["last_name"], _LAST),
        "gendercode": _GENDERS.get(contact["gender"]),
        "ava_cpr_nummer": None if company else number,
        "ava_cvr_nummer": number if company else None,
        "ava_virksomhedsform": contact["company_form"],
        "ava_kmdeemasterid": contact["master_id"],
        "ava_mobilkmdee": contact["mobile"],
        "ava_fastnetkmdee": contact["phone"],
        "ava_emailkmdee": contact["email"],
        "emailaddress1": contact["primary_email"],
        "_ava_adresse_value": contact["shown_address_id"],
    }


def _accounts(comparison: Comparison, crm: Crm, truth: Mapping[str, Any]) -> dict[str, str]:
    """Compares accounts; returns their customer numbers by account id."""
    rows = crm.rows("accounts")
    numbers = {row["accountid"]: row.get("ava_kundenummer") or "?" for row in rows}
    expected: dict[Key, Json] = {
        (number,): {
            "name": _cut(account["name"], _ACCOUNT_NAME),
            "ava_kundetype": _HEAT,
            "_ava_adresse_value": account["address_id"],
            **_state(account["ended"]),
        }
        for number, account in truth["accounts"].items()
    }
    comparison.objects("account", expected, (((numbers[row["accountid"]],), row) for row in rows))
    return numbers


def _roles(
    comparison: Comparison,
    crm: Crm,
    truth: Mapping[str, Any],
    parties: Mapping[str, str],
    accounts: Mapping[str, str],
) -> None:
    expected: dict[Key, Json] = {
        (role["customer_number"], role["role_code"], role["party"]): _state(role["ended"]) for role in truth["roles"]
    }
    found: list[tuple[Key, Json]] = []
    for row in crm.rows("ava_kunderolles"):
        account = accounts.get(row.get("_ava_kundeforhold_value") or "", "?")
        party = parties.get(row.get("_ava_aktoer_value") or "", "?")
        found.append(((account, str(row.get("ava_rolle")), party), row))
    comparison.objects("customer role", expected, found)


def _agreements(
    comparison: Comparison, crm: Crm, truth: Mapping[str, Any], accounts: Mapping[str, str]
) -> dict[str, str]:
    """Compares agreements; returns their customer numbers by agreement id."""
    rows = crm.rows("ava_aftales")
    numbers = {row["ava_aftaleid"]: accounts.get(row.get("_ava_kundeforhold_value") or "", "?") for row in rows}
    expected: dict[Key, Json] = {
        (number,): {
            "ava_name": agreement["name"],
            "ava_aftaletype": _HEAT,
            "ava_antal_produkter": agreement["product_count"],
            "ava_startdato": agreement["valid_from"],
            "ava_slutdato": agreement["valid_to"] or _OPEN_END,
            "_ava_faktureringsadresse_value": agreement["billing_address_id"],
            **_state(agreement["ended"]),
        }
        for number, agreement in truth["agreements"].items()
    }
    comparison.objects("agreement", expected, (((numbers[row["ava_aftaleid"]],), row) for row in rows))
    return numbers


def _links(
    comparison: Comparison,
    crm: Crm,
    truth: Mapping[str, Any],
    parties: Mapping[str, str],
    agreements: Mapping[str, str],
) -> None:
    """Who takes part in which agreement (ava_aktoerens_aftaler)."""
    linked = crm.linked("ava_aftales", "ava_aktoerens_aftaler", agreements, "contactid")
    expected: dict[Key, Json] = {(number, party): {} for number, party in truth["links"]}
    found: list[tuple[Key, Json]] = [
        ((agreements[agreement], parties.get(contact, "?")), {})
        for agreement, contacts in linked.items()
        for contact in contacts
    ]
    comparison.objects("contact's agreement", expected, found)


def _installations(comparison: Comparison, crm: Crm, truth: Mapping[str, Any], agreements: Mapping[str, str]) -> None:
    expected: dict[Key, Json] = {
        (number,): {
            "ava_name": installation["title"],
            "ava_installationstype": _HEAT,
            "ava_maalernummer": installation["meter_number"],
            "ava_maalertype": installation["meter_type"],
            "ava_kundenummer": installation["owner"],
            "agreement": installation["owner"],
            "_ava_adresse_value": installation["address_id"],
            **_state(installation["ended"]),
        }
        for number, installation in truth["installations"].items()
    }
    found: list[tuple[Key, Json]] = []
    for row in crm.rows("ava_installations"):
        agreement = row.get("_ava_aftale_value")
        owner = agreements.get(agreement, "?") if agreement else None
        found.append(((row.get("ava_identifikation") or "?",), {**row, "agreement": owner}))
    comparison.objects("installation", expected, found)

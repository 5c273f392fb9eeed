"""The values that the mapping to Dynamics CRM 365 may write into columns, by entity.

They are the columns of the registry's (for addresses: the register's) rows and what `domain.crm.mapping` adds to them.
"""

from typing import Final

_RELATION: Final = ("name", "customer_number", "utility", "address_id", "valid_from", "valid_to")

VALUES: Final[dict[str, tuple[str, ...]]] = {
    "contacts": (
        "shown_first_name",
        "shown_middle_name",
        "shown_last_name",
        "name",
        "first_name",
        "middle_name",
        "last_name",
        "gender",
        "civil_status",
        "cpr_number",
        "cvr_number",
        "company_form",
        "business_code",
        "address_protected",
        "master_id",
        "mobile",
        "phone",
        "email",
        "shown_address_id",
        "business_key",
    ),
    "accounts": (*_RELATION, "ended"),
    "customer_roles": ("role_code", "customer_number", "party_id", "relation_id", "valid_from", "valid_to", "ended"),
    "agreements": (
        "name",
        "customer_number",
        "utility",
        "installation_count",
        "relation_id",
        "billing_address_id",
        "valid_from",
        "valid_to",
        "ended",
    ),
    "installations": (
        "meter_title",
        "meter_number",
        "meter_type",
        "meter_make",
        "installation_number",
        "utility",
        "owner",
        "owner_number",
        "place_id",
        "valid_from",
        "valid_to",
        "ended",
    ),
    "installation_accounts": (
        "account_number",
        "customer_number",
        "installation",
        "market_location",
        "status",
        "contract_start",
        "contract_end",
        "utility",
        "address_line",
        "meter_number",
        "meter_type",
        "product",
        "tariff_facts",
        "billing_line",
        "open_collection",
        "party_id",
        "relation_id",
        "agreement_id",
        "installation_id",
        "address_id",
        "billing_address_id",
        "ended",
    ),
    "addresses": (
        "address_text",
        "parent_id",
        "access_id",
        "address_id",
        "kind",
        "street_name",
        "street_code",
        "house_number",
        "house_digits",
        "house_letter",
        "unit_floor",
        "unit_door",
        "postcode",
        "district",
        "municipality_code",
        "kvhx",
        "country",
        "latitude",
        "longitude",
        "easting",
        "northing",
    ),
}

_NUMBERS: Final = ("latitude", "longitude", "easting", "northing")
_FORMED_BY: Final = {
    "degrees": _NUMBERS,
    "metres": _NUMBERS,
    "open_end": ("valid_from", "valid_to", "contract_start", "contract_end"),
    "state": ("ended",),
    "status": ("ended",),
}


def suits(rule: str, value: str) -> bool:
    """Whether a value can be written by that rule."""
    return value in _FORMED_BY.get(rule, (value,))


def values_of(entity: str) -> tuple[str, ...]:
    """Names of the values of an entity."""
    return VALUES[entity]

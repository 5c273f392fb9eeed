"""The values that the mapping to Dynamics CRM 365 may write into columns, by entity: their kind, and who may see them.

They are the columns of the registry's (for addresses: the register's) rows and what `domain.crm.mapping` adds to them.
"""

from collections.abc import Mapping
from typing import Final, Literal

from integration_assets.domain.crm.field import Field

ValueKind = Literal["text", "integer", "decimal", "boolean", "date", "id"]
"""What a value is; an id names another row."""

PERSONAL: Final = frozenset({"cpr_number"})
"""Values that go into columns only that are marked for them (sealed)."""

_TEXT, _DATE, _ID = "text", "date", "id"
_LIFE: Final[dict[str, ValueKind]] = {"valid_from": _DATE, "valid_to": _DATE, "ended": "boolean"}

VALUES: Final[dict[str, Mapping[str, ValueKind]]] = {
    "contacts": {
        **dict.fromkeys(("shown_first_name", "shown_middle_name", "shown_last_name", "name"), _TEXT),
        **dict.fromkeys(("first_name", "middle_name", "last_name", "gender", "civil_status"), _TEXT),
        **dict.fromkeys(("cpr_number", "cvr_number", "company_form", "business_code"), _TEXT),
        "address_protected": "boolean",
        **dict.fromkeys(("master_id", "mobile", "phone", "email"), _TEXT),
        "shown_address_id": _ID,
        "business_key": _TEXT,
    },
    "accounts": {**dict.fromkeys(("name", "customer_number", "utility"), _TEXT), "address_id": _ID, **_LIFE},
    "customer_roles": {
        **dict.fromkeys(("role_code", "customer_number"), _TEXT),
        **dict.fromkeys(("party_id", "relation_id"), _ID),
        **_LIFE,
    },
    "agreements": {
        **dict.fromkeys(("name", "customer_number", "utility"), _TEXT),
        "installation_count": "integer",
        **dict.fromkeys(("relation_id", "billing_address_id"), _ID),
        **_LIFE,
    },
    "installations": {
        **dict.fromkeys(("meter_title", "meter_number", "meter_type", "meter_make"), _TEXT),
        **dict.fromkeys(("installation_number", "utility"), _TEXT),
        "owner": _ID,
        "owner_number": _TEXT,
        "place_id": _ID,
        **_LIFE,
    },
    "installation_accounts": {
        **dict.fromkeys(("account_number", "customer_number", "installation", "market_location", "status"), _TEXT),
        **dict.fromkeys(("contract_start", "contract_end"), _DATE),
        **dict.fromkeys(("utility", "address_line", "meter_number", "meter_type", "product"), _TEXT),
        **dict.fromkeys(("tariff_facts", "billing_line"), _TEXT),
        "open_collection": "boolean",
        **dict.fromkeys(("party_id", "relation_id", "agreement_id", "installation_id"), _ID),
        **dict.fromkeys(("address_id", "billing_address_id"), _ID),
        "ended": "boolean",
    },
    "addresses": {
        "address_text": _TEXT,
        **dict.fromkeys(("parent_id", "access_id", "address_id"), _ID),
        **dict.fromkeys(("kind", "street_name", "street_code", "house_number", "house_digits"), _TEXT),
        **dict.fromkeys(("house_letter", "unit_floor", "unit_door", "postcode", "district"), _TEXT),
        **dict.fromkeys(("municipality_code", "kvhx", "country"), _TEXT),
        **dict.fromkeys(("latitude", "longitude", "easting", "northing"), "decimal"),
    },
}

_TAKEN: Final[dict[str, tuple[ValueKind, ...]]] = {
    "text": ("text", "integer", "date", "id"),
    "integer": ("integer",),
    "option": ("integer",),
    "boolean": ("boolean",),
    "date": ("date",),
    "lookup": ("id",),
}
"""The values that a column of each kind takes as they are."""

_RULES: Final[dict[str, tuple[str, ValueKind]]] = {
    "degrees": ("text", "decimal"),
    "metres": ("text", "decimal"),
    "open_end": ("date", "date"),
    "state": ("option", "boolean"),
    "status": ("option", "boolean"),
}
"""What each rule writes into, and what it makes that of."""


def values_of(entity: str) -> tuple[str, ...]:
    """Names of the values of an entity."""
    return tuple(VALUES[entity])


def unsuitable(entity: str, field: Field) -> str | None:
    """Why a field cannot be filled as it says, as a sentence; None where it can."""
    kind = VALUES[entity].get(field.value)
    if kind is None:
        return f"there is no value {field.value!r}."
    if field.value in PERSONAL and not field.sealed:
        return f"the value {field.value!r} is a personal number, and the column is not one that is kept encrypted."
    if field.options is not None and field.rule != "as_is":
        return f"a choice of texts knows no rule, and this has {field.rule!r}."
    if field.rule in _RULES:
        column_kind, made_of = _RULES[field.rule]
        if field.kind != column_kind:
            return f"the rule {field.rule!r} is for columns of kind {column_kind}, and this is {field.kind}."
        if kind != made_of:
            return f"the value {field.value!r} ({kind}) cannot be written by the rule {field.rule!r}."
        return None
    taken = ("text",) if field.options is not None else _TAKEN[field.kind]
    if kind not in taken:
        how = "a choice of texts" if field.options is not None else f"a column of kind {field.kind}"
        return f"the value {field.value!r} ({kind}) does not go into {how}."
    return None

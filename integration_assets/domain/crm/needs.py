"""What the mapping needs of a CRM organisation, for the comparison in `domain.crm.preflight`."""

from typing import Final

from integration_assets.domain.crm.fields import (
    ACTIVE,
    AGREEMENT_CONTACTS,
    COUNTRY,
    FIELDS,
    GENDER_OPTIONS,
    INACTIVE,
    ROLE_OPTIONS,
    TABLE_FACTS,
    UTILITY_OPTIONS,
    Field,
)
from integration_assets.domain.crm.metadata import NeededColumn, NeededLookup, NeededTable

MESSAGES: Final = ("UpsertMultiple",)
"""The bulk messages by which rows are written."""

ALTERNATE_KEYS: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "accounts": (("ava_kundenummer",),),
    "installations": (("ava_identifikation",),),
}
"""Columns that name a row, by entity. Rows are written by their primary ids; a key keeps people from doubling them."""

WRITTEN_OPTIONS: Final[dict[str, tuple[int, ...]]] = {
    "gendercode": tuple(GENDER_OPTIONS.values()),
    "ava_rolle": (ROLE_OPTIONS["Kunde"], ROLE_OPTIONS["Ligestillingskunde"]),
    "statecode": (ACTIVE[0], INACTIVE[0]),
    "statuscode": (ACTIVE[1], INACTIVE[1]),
}
"""The numbers that are written into a choice, by column; those of a utility are in `UTILITY_OPTIONS`."""

LONGEST_VALUES: Final[dict[str, int]] = {
    "ava_cpr_nummer": 10,
    "ava_cvr_nummer": 8,
    "ava_dawaadgangsadresseid": 36,
    "ava_vejkode": 4,
    "ava_husnummer": 3,
    "ava_bogstav": 1,
    "ava_etage": 2,
    "ava_doer": 4,
    "ava_postnummer": 4,
    "ava_kommunenummer": 4,
    "ava_kvhx": 19,
    "ava_land": len(COUNTRY),
    "ava_koordinat_nord": 11,
    "ava_koordinat_oest": 11,
    "ava_laengdegrad": 10,
    "ava_breddegrad": 9,
}
"""Characters of the longest value, by column, where its format bounds it (DAR, CPR, CVR) and no `max_length` does."""

_LOGICAL_NAMES: Final = {facts.set_name: facts.logical_name for facts in TABLE_FACTS.values()}


def needed_tables(utility: str) -> list[NeededTable]:
    """The tables of the mapping with all that is written into them; `utility` is the one that is delivered (Varme)."""
    return [_table(entity, utility) for entity in TABLE_FACTS]


def _table(entity: str, utility: str) -> NeededTable:
    facts = TABLE_FACTS[entity]
    return NeededTable(
        facts.logical_name,
        facts.set_name,
        facts.primary_id,
        columns=tuple(_column(field, utility) for field in FIELDS[entity] if field.target is None),
        lookups=tuple(
            NeededLookup(field.name, _LOGICAL_NAMES[field.target]) for field in FIELDS[entity] if field.target
        ),
        links=_links(facts.set_name),
        keys=ALTERNATE_KEYS.get(entity, ()),
        messages=MESSAGES,
        rights=("Create", "Read", "Write", *_binding_rights(entity)),
    )


def _binding_rights(entity: str) -> tuple[str, ...]:
    """Append for who points at others, AppendTo for whom others point at."""
    links = AGREEMENT_CONTACTS
    ends = (links.set_name, links.target_set)
    own_set = TABLE_FACTS[entity].set_name
    points = own_set in ends or any(field.target for field in FIELDS[entity])
    pointed_at = own_set in ends or any(field.target == own_set for fields in FIELDS.values() for field in fields)
    return (*(("Append",) if points else ()), *(("AppendTo",) if pointed_at else ()))


def _column(field: Field, utility: str) -> NeededColumn:
    if field.kind == "lookup":
        raise ValueError(f"The field {field.name} is a lookup, not a column.")
    written: tuple[int, ...] = ()
    if field.kind == "option":
        written = WRITTEN_OPTIONS.get(field.name) or tuple(
            number for name, number in UTILITY_OPTIONS.items() if name == utility
        )
    longest = field.max_length or LONGEST_VALUES.get(field.name)
    return NeededColumn(field.name, field.kind, longest, frozenset(written))


def _links(set_name: str) -> tuple[NeededLookup, ...]:
    """The relationship between agreements and contacts, from the side of the agreements."""
    facts = AGREEMENT_CONTACTS
    if set_name != facts.set_name:
        return ()
    return (NeededLookup(facts.navigation, _LOGICAL_NAMES[facts.target_set]),)

"""What the mapping needs of a CRM organisation, for the comparison in `domain.crm.preflight`."""

from typing import Final

from integration_assets.domain.crm.field import Field
from integration_assets.domain.crm.fields import ACTIVE, AGREEMENT_CONTACTS, CASES, INACTIVE, TABLE_FACTS
from integration_assets.domain.crm.mapping import COUNTRY
from integration_assets.domain.crm.metadata import NeededColumn, NeededLookup, NeededTable
from integration_assets.domain.crm.tables import STANDARD, CrmMapping

MESSAGES: Final = ("CreateMultiple", "UpdateMultiple", "UpsertMultiple")
"""The bulk messages by which rows are written."""

ALTERNATE_KEYS: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "accounts": (("ava_kundenummer",),),
    "installations": (("ava_identifikation",),),
}
"""Columns that name a row, by entity. Rows are written by their primary ids; a key keeps people from doubling them."""

WRITTEN_ROLES: Final = ("915240004", "915240006")
"""Role codes that are written into ava_rolle: Kunde, Ligestillingskunde."""

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


def needed_tables(utility: str, by: CrmMapping = STANDARD) -> list[NeededTable]:
    """The tables of the mapping with all that is written into them, and cases, which are only read.

    `utility` is the one that is delivered (Varme).
    """
    cases = NeededTable(CASES.logical_name, CASES.set_name, CASES.primary_id, columns=(), rights=("Read",))
    return [*(_table(entity, utility, by) for entity in by.tables), cases]


def _table(entity: str, utility: str, by: CrmMapping) -> NeededTable:
    facts = by.tables[entity]
    written = [field for field in by.fields[entity] if field.owner != "crm"]
    return NeededTable(
        facts.logical_name,
        facts.set_name,
        facts.primary_id,
        columns=tuple(_column(entity, field, utility, by) for field in written if field.target is None),
        lookups=tuple(NeededLookup(field.column, _LOGICAL_NAMES[field.target]) for field in written if field.target),
        links=_links(facts.set_name),
        keys=_keys(entity, by),
        messages=MESSAGES,
        rights=("Create", "Read", "Write", *_binding_rights(entity, by)),
    )


def _keys(entity: str, by: CrmMapping) -> tuple[tuple[str, ...], ...]:
    columns = {field.name: field.column for field in by.fields[entity]}
    return tuple(tuple(columns[name] for name in key) for key in ALTERNATE_KEYS.get(entity, ()))


def _binding_rights(entity: str, by: CrmMapping) -> tuple[str, ...]:
    """Append for who points at others, AppendTo for whom others point at."""
    links = AGREEMENT_CONTACTS
    ends = (links.set_name, links.target_set)
    own_set = by.tables[entity].set_name
    points = own_set in ends or any(field.target for field in by.fields[entity])
    pointed_at = own_set in ends or any(field.target == own_set for each in by.tables for field in by.fields[each])
    return (*(("Append",) if points else ()), *(("AppendTo",) if pointed_at else ()))


def _column(entity: str, field: Field, utility: str, by: CrmMapping) -> NeededColumn:
    if field.kind == "lookup":
        raise ValueError(f"The field {field.name} is a lookup, not a column.")
    length = field.max_length or LONGEST_VALUES.get(field.name)
    return NeededColumn(field.column, field.kind, length, frozenset(_options(entity, field, utility, by)))


def _options(entity: str, field: Field, utility: str, by: CrmMapping) -> list[int]:
    """The numbers that are written into a choice."""
    if field.rule in ("state", "status"):
        states = (ACTIVE, INACTIVE) if by.deactivates(entity) else (ACTIVE,)
        return [state[field.rule == "status"] for state in states]
    written = {"utility": (utility,), "role_code": WRITTEN_ROLES}.get(field.value)
    return [number for text, number in (field.options or {}).items() if written is None or text in written]


def _links(set_name: str) -> tuple[NeededLookup, ...]:
    """The relationship between agreements and contacts, from the side of the agreements."""
    facts = AGREEMENT_CONTACTS
    if set_name != facts.set_name:
        return ()
    return (NeededLookup(facts.navigation, _LOGICAL_NAMES[facts.target_set]),)

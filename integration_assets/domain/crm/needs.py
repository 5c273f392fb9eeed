"""What the mapping needs of a CRM organisation, for the comparison in `domain.crm.preflight`."""

from typing import Final

from integration_assets.domain.crm.fields import (
    AGREEMENT_CONTACTS,
    ALTERNATE_KEYS,
    FIELDS,
    LONGEST_VALUES,
    TABLE_FACTS,
    UTILITY_OPTIONS,
    WRITTEN_OPTIONS,
    Field,
)
from integration_assets.domain.crm.metadata import NeededColumn, NeededLookup, NeededTable

MESSAGES: Final = ("UpsertMultiple",)
"""The bulk messages by which rows are written."""

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
    options: frozenset[int] = frozenset()
    if field.kind == "option":
        options = frozenset(WRITTEN_OPTIONS.get(field.name) or {UTILITY_OPTIONS[utility]})
    return NeededColumn(field.name, field.kind, field.max_length or LONGEST_VALUES.get(field.name), options)


def _links(set_name: str) -> tuple[NeededLookup, ...]:
    """The relationship between agreements and contacts, from the side of the agreements."""
    facts = AGREEMENT_CONTACTS
    if set_name != facts.set_name:
        return ()
    return (NeededLookup(facts.navigation, _LOGICAL_NAMES[facts.target_set]),)

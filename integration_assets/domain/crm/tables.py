"""The mapping to Dynamics CRM 365 that is in force: the standard table, and what a utility's own file changes in it.

The file is JSON. By entity and by the standard name of a field it says what differs; what it does not name stays:

    {"contacts": {"firstname": {"max_length": 50}, "ava_virksomhedsform": {"owner": "crm"}},
     "addresses": {"ava_laengdegrad": {"value": "easting"}, "ava_breddegrad": {"value": "northing"}}}

A field may be given another `column`, `value`, `rule`, `max_length`, `options`, `owner` and `misfit`. Lookups keep
what they are filled from. Every fault of the file is told as a sentence, all of them at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, cast, get_args

from integration_assets.domain.crm.field import Field, Misfit, Owner, Rule
from integration_assets.domain.crm.fields import FIELDS, INSTALLATION_ACCOUNTS, TABLE_FACTS, TableFacts
from integration_assets.domain.crm.values import unsuitable, values_of

Ending = Literal["deactivate", "update"]
"""How a row ends: it becomes inactive, or it stays active and only gets its last day (where its table has one)."""

_CHANGEABLE: Final = ("column", "value", "rule", "max_length", "options", "owner", "misfit")
_CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "rule": get_args(Rule),
    "owner": get_args(Owner),
    "misfit": get_args(Misfit),
}


class MappingFault(ValueError):
    """The file that changes the mapping does not do; the text is one sentence for each of its faults."""


@dataclass(frozen=True)
class CrmMapping:
    """The mapped columns of each entity, how its rows end (those not named become inactive), and the tables in force.

    `tables` has the entities that are delivered, targets of lookups before those who point at them.
    """

    fields: Mapping[str, tuple[Field, ...]] = field(default_factory=lambda: FIELDS)
    endings: Mapping[str, Ending] = field(default_factory=dict[str, Ending])
    tables: Mapping[str, TableFacts] = field(default_factory=lambda: TABLE_FACTS)

    def deactivates(self, entity: str) -> bool:
        """Whether rows of an entity become inactive when they end."""
        return self.endings.get(entity, "deactivate") == "deactivate"

    def with_accounts(self, table: str) -> "CrmMapping":
        """The mapping that delivers installation accounts too, into a custom table.

        `table` is its logical name, with the entity set behind a slash where it is not the name with an s:
        ava_installationskonto, or ava_konto/ava_kontoer. Raises MappingFault where that is no name.
        """
        logical, _, set_name = table.partition("/")
        if not logical.isidentifier() or not (set_name or logical).isidentifier():
            raise MappingFault(
                f"{table!r} names no table: it is to be a logical name, as ava_installationskonto, or that and the "
                "entity set, as ava_konto/ava_kontoer."
            )
        facts = TableFacts(set_name or f"{logical}s", logical, f"{logical}id")
        return replace(self, tables={**self.tables, INSTALLATION_ACCOUNTS: facts})


STANDARD: Final = CrmMapping()
"""The mapping of the tables in `domain.crm.fields`."""


def changed(document: object, endings: Mapping[str, Ending] | None = None) -> CrmMapping:
    """The standard mapping with the changes of a file's JSON. Raises MappingFault, naming everything that is wrong."""
    faults: list[str] = []
    fields = dict(FIELDS)
    for entity, changes in _objects(document, "The file", faults).items():
        if entity not in FIELDS:
            faults.append(f"There is no entity {entity!r}; there are {', '.join(FIELDS)}.")
            continue
        by_name = {each.name: each for each in FIELDS[entity]}
        for name, change in _objects(changes, f"Entity {entity}", faults).items():
            if name not in by_name:
                faults.append(f"Entity {entity} has no field {name!r}; it has {', '.join(by_name)}.")
                continue
            by_name[name] = _changed(by_name[name], entity, _objects(change, f"Field {entity}.{name}", faults), faults)
        fields[entity] = tuple(by_name.values())
        columns = [each.column for each in fields[entity]]
        twice = sorted({column for column in columns if columns.count(column) > 1})
        faults += [f"Entity {entity} writes the column {column!r} from two fields." for column in twice]
    if faults:
        raise MappingFault("\n".join(faults))
    return CrmMapping(fields, dict(endings or {}))


def _objects(value: object, what: str, faults: list[str]) -> dict[str, Any]:
    if isinstance(value, dict):
        return cast("dict[str, Any]", value)
    faults.append(f"{what} is to be an object of JSON.")
    return {}


def _changed(standard: Field, entity: str, change: Mapping[str, Any], faults: list[str]) -> Field:
    """The field with the changes that do; the others are added to the faults."""
    where = f"Field {entity}.{standard.name}"
    good: dict[str, Any] = {}
    for name, value in change.items():
        if fault := _fault(standard, entity, name, value):
            faults.append(f"{where}: {fault}")
        else:
            good[name] = value
    try:
        field = replace(standard, **good)
    except ValueError as error:
        faults.append(f"{where}: {error}")
        return standard
    if standard.target is None and (fault := unsuitable(entity, field)):
        faults.append(f"{where}: {fault}")
    return field


def _fault(standard: Field, entity: str, name: str, value: Any) -> str | None:
    """What is wrong with one change, as a sentence; None when nothing is."""
    if name not in _CHANGEABLE:
        return f"{name!r} cannot be changed; only {', '.join(_CHANGEABLE)} can."
    if name in _CHOICES and not (isinstance(value, str) and value in _CHOICES[name]):
        return f"{name} is one of {', '.join(_CHOICES[name])}, not {value!r}."
    if name == "column" and not (isinstance(value, str) and value.isidentifier()):
        return f"column is the name of a CRM column, not {value!r}."
    if name == "value" and (standard.target is not None or value not in values_of(entity)):
        known = "kept for lookups" if standard.target is not None else f"one of {', '.join(values_of(entity))}"
        return f"value is {known}, not {value!r}."
    if name == "max_length" and not (value is None or (type(value) is int and value > 0)):
        return f"max_length is a number of characters, or null, not {value!r}."
    if name == "max_length" and value is not None and standard.kind != "text":
        return f"only a text has a max_length, and this is {standard.kind}."
    if name == "owner" and (value == "status") != (standard.owner == "status"):
        return "only columns of the state have the owner status, and they keep it."
    if name == "options" and standard.options is None:
        return f"only a choice of texts has options, and this is {standard.kind}."
    if name == "options" and not _is_option_set(value):
        return "options are an object of whole numbers by text, one at least."
    return None


def _is_option_set(value: Any) -> bool:
    if not isinstance(value, dict) or not value:
        return False
    return all(type(number) is int for number in cast("dict[str, Any]", value).values())

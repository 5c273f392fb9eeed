"""Operands: the names under which an installation has facts, and how each behaves at a move (table TE221 of IS-U)."""

from collections.abc import Iterable, Mapping
from enum import IntEnum, StrEnum
from typing import Any, Final, NamedTuple

from integration_assets.domain.facts.values import CATEGORIES, ValueClass


class BadConfiguration(ValueError):
    """Operands, templates or tariffs cannot be used; the text says which and why, for whoever maintains them."""


class Relation(StrEnum):
    """What the facts of an operand hang on. Marked as both counts as related to the product."""

    PRODUCT = "PRODUCT"
    CONTRACT = "CONTRACT"
    NONE = "NONE"


class MoveRule(IntEnum):
    """What a move does to an operand that is related to nothing (UMZUGKZ)."""

    ENDS = 0
    """Its values end at the move-out."""
    STAYS_WITH_CUSTOMER = 1
    """They end when another customer moves in."""
    STAYS = 2
    """They stay with the installation."""


class Operand(NamedTuple):
    """An operand; `contract_related` and `product_related` are the marks CONREL and PRODREL."""

    name: str
    category: str
    value_class: ValueClass
    relation: Relation
    move_rule: MoveRule


Operands = Mapping[str, Operand]

_KNOWN_KEYS: Final = frozenset({"name", "category", "conrel", "prodrel", "umzug", "relation"})


def operands_of(rows: Iterable[Mapping[str, Any]], categories: Mapping[str, ValueClass] = CATEGORIES) -> Operands:
    """The operands by name, of rows with name, category, conrel, prodrel (default false) and umzug (default 2).

    Raises BadConfiguration for an operand without name, a name that occurs twice, an unknown category, an unknown
    UMZUGKZ, an unknown key, or a relation that does not follow from the marks.
    """
    operands: dict[str, Operand] = {}
    for row in rows:
        operand = _operand(row, categories)
        if operand.name in operands:
            raise BadConfiguration(f"Operand {operand.name} occurs twice.")
        operands[operand.name] = operand
    return operands


def _operand(row: Mapping[str, Any], categories: Mapping[str, ValueClass]) -> Operand:
    name, category = row.get("name"), row.get("category")
    if not isinstance(name, str) or not name.strip():
        raise BadConfiguration("An operand has no name.")
    if unknown := sorted(set(row) - _KNOWN_KEYS):
        raise BadConfiguration(f"Operand {name} has an unknown key: {', '.join(unknown)}.")
    if not isinstance(category, str) or category not in categories:
        raise BadConfiguration(f"Operand {name} has the unknown category {category}.")
    marks = (row.get("conrel", False), row.get("prodrel", False))
    if not all(isinstance(mark, bool) for mark in marks):
        raise BadConfiguration(f"Operand {name}: conrel and prodrel are true or false.")
    relation = Relation.PRODUCT if marks[1] else Relation.CONTRACT if marks[0] else Relation.NONE
    if row.get("relation", relation) != relation:
        raise BadConfiguration(f"Operand {name}: by its marks it is related to {relation}, not to {row['relation']}.")
    try:
        move_rule = MoveRule(row.get("umzug", MoveRule.STAYS))
    except ValueError:
        raise BadConfiguration(f"Operand {name} has the unknown UMZUGKZ {row['umzug']}.") from None
    return Operand(name, category, categories[category], relation, move_rule)

"""Master data templates (MDT): what is generated for a product, as data.

A template belongs to a product and may have versions that follow each other; the version that is valid on the first day
of the generation period is run. It has one attribute per operand and season: a constant, a parameter (external: handed
over in the container) or a virtual value, and where wanted virtual first and last days.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from itertools import pairwise
from typing import Any, Final, NamedTuple, cast

from integration_assets.domain.facts.days import INFINITY
from integration_assets.domain.facts.operands import BadConfiguration, Operand, Operands, Relation
from integration_assets.domain.facts.store import Binding, LineKey
from integration_assets.domain.facts.values import FITS, Value, frozen
from integration_assets.domain.facts.virtual import VirtualDay, VirtualValue, virtual_day, virtual_value

_GENERATED: Final = (Binding.CONSTANT, Binding.PARAMETER, Binding.VIRTUAL)
_KEYS: Final = frozenset({"operand", "season", "kind", "ref", "ab", "bis"})
_VERSION_KEYS: Final = frozenset({"valid_from", "valid_to", "attributes"})


class Attribute(NamedTuple):
    """One fact that a template generates.

    `constant`, `parameter` (the external attribute's name) or `compute` says its value, by the binding; `first` and
    `last` its days where they are virtual.
    """

    key: LineKey
    operand: Operand
    binding: Binding
    fits: Callable[[Value], bool]
    constant: Value | None = None
    parameter: str = ""
    compute: VirtualValue | None = None
    first: VirtualDay | None = None
    last: VirtualDay | None = None


class Template(NamedTuple):
    """A version of a product's template, valid on the days from `valid_from` to `valid_to`."""

    product: str
    valid_from: date
    valid_to: date
    attributes: tuple[Attribute, ...]
    external: tuple[Attribute, ...]
    """Those with a parameter."""
    product_related: tuple[Attribute, ...]
    """Those whose operand is related to the product."""


Templates = Mapping[str, Sequence[Template]]
"""The versions of each product's template."""


def templates_of(rows: Mapping[str, Any], operands: Operands) -> Templates:
    """The templates of all products; see `template_versions`."""
    return {product: template_versions(product, told, operands) for product, told in rows.items()}


def template_versions(product: str, told: object, operands: Operands) -> tuple[Template, ...]:
    """The versions of one product's template, by their first days.

    `told` is a list of attributes (operand, season, kind, ref, ab, bis), or one of versions (valid_from, valid_to,
    attributes). Raises BadConfiguration for versions that overlap, unknown operands, keys or functions, two attributes
    for one operand and season, and constants that are not of their operand's value class.
    """
    versions = sorted(_versions(product, told, operands), key=lambda version: version.valid_from)
    for earlier, later in pairwise(versions):
        if later.valid_from <= earlier.valid_to:
            raise BadConfiguration(
                f"Two versions of the template of {product} are valid on {later.valid_from}; end the earlier before."
            )
    return tuple(versions)


def _versions(product: str, told: object, operands: Operands) -> list[Template]:
    rows = _rows(product, told)
    if not any("attributes" in row for row in rows):
        return [_template(product, date.min, INFINITY, rows, operands)]
    versions: list[Template] = []
    for row in rows:
        if "attributes" not in row or set(row) - _VERSION_KEYS:
            raise BadConfiguration(f"A version of the template of {product} has valid_from, valid_to and attributes.")
        first, last = _day(product, row.get("valid_from"), date.min), _day(product, row.get("valid_to"), INFINITY)
        if last < first:
            raise BadConfiguration(f"The version of the template of {product} from {first} ends before it begins.")
        versions.append(_template(product, first, last, _rows(product, row["attributes"]), operands))
    return versions


def _rows(product: str, told: object) -> list[Mapping[str, Any]]:
    if not isinstance(told, list) or not all(isinstance(row, Mapping) for row in cast("list[object]", told)):
        raise BadConfiguration(f"The template of {product} is a list of attributes or of versions.")
    return cast("list[Mapping[str, Any]]", told)


def _day(product: str, told: object, otherwise: date) -> date:
    if told is None:
        return otherwise
    try:
        return date.fromisoformat(str(told))
    except ValueError:
        raise BadConfiguration(f"The template of {product} has {told!r} where a day belongs.") from None


def _template(product: str, first: date, last: date, rows: Sequence[Mapping[str, Any]], operands: Operands) -> Template:
    attributes = tuple(_attribute(product, row, operands) for row in rows)
    seen: set[LineKey] = set()
    for attribute in attributes:
        if attribute.key in seen:
            raise BadConfiguration(f"The template of {product} names operand {attribute.operand.name} twice.")
        seen.add(attribute.key)
    return Template(
        product,
        first,
        last,
        attributes,
        external=tuple(one for one in attributes if one.binding is Binding.PARAMETER),
        product_related=tuple(one for one in attributes if one.operand.relation is Relation.PRODUCT),
    )


def _attribute(product: str, row: Mapping[str, Any], operands: Operands) -> Attribute:
    name = row.get("operand")
    where = f"The template of {product}, operand {name}"
    if unknown := sorted(set(row) - _KEYS):
        raise BadConfiguration(f"{where}: unknown key {', '.join(unknown)}.")
    operand = operands.get(name) if isinstance(name, str) else None
    if operand is None:
        raise BadConfiguration(f"The template of {product} names the unknown operand {name}.")
    try:
        binding = Binding(row.get("kind"))
    except ValueError:
        binding = Binding.MANUAL
    if binding not in _GENERATED:
        raise BadConfiguration(f"{where}: its kind is {row.get('kind')}; known are {', '.join(_GENERATED)}.")
    attribute = Attribute(
        key=(operand.name, str(row.get("season") or "")),
        operand=operand,
        binding=binding,
        fits=FITS[operand.value_class],
        first=None if row.get("ab") is None else virtual_day(row["ab"]),
        last=None if row.get("bis") is None else virtual_day(row["bis"]),
    )
    return _bound(attribute, row.get("ref"), where)


def _bound(attribute: Attribute, ref: object, where: str) -> Attribute:
    """The attribute with what its binding refers to."""
    if attribute.binding is Binding.PARAMETER:
        if not isinstance(ref, str) or not ref:
            raise BadConfiguration(f"{where}: a parameter names the attribute of the container.")
        return attribute._replace(parameter=ref)
    if attribute.binding is Binding.VIRTUAL:
        return attribute._replace(compute=virtual_value(ref))
    try:
        constant = frozen(ref)
    except ValueError as error:
        raise BadConfiguration(f"{where}: {error}") from None
    if constant is None or not attribute.fits(constant):
        raise BadConfiguration(
            f"{where}: the constant {ref!r} is no {attribute.operand.value_class} ({attribute.operand.category})."
        )
    return attribute._replace(constant=constant)

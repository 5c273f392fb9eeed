"""A tariff book: operands, master data templates, prices, and which installation has which product.

A book is told as four tables of texts (see TABLES), as they stand in CSV files. `book_of` reads them as a whole and
refuses, with a sentence for whoever maintains them, before anything is used. Prices and templates that change on a day
make a new *edition* of their product from that day on.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Final, NamedTuple

from integration_assets.domain.facts.days import INFINITY, day_after
from integration_assets.domain.facts.operands import BadConfiguration, Operands, operands_of
from integration_assets.domain.facts.rules import Readings, Rules
from integration_assets.domain.facts.templates import Template, Templates, template_versions
from integration_assets.domain.facts.values import FITS, Value, ValueClass

TABLES: Final[Mapping[str, tuple[str, ...]]] = {
    "operands": ("name", "category", "conrel", "prodrel", "umzug"),
    "templates": ("product", "valid_from", "valid_to", "operand", "season", "kind", "ref", "ab", "bis"),
    "prices": ("product", "parameter", "valid_from", "value"),
    "products": ("product", "installation", "supply_area", "meter_type", "valid_from"),
}
"""The tables of a book and their columns.

``products`` says which product installations have: a row names an installation, a supply area and meter type, one of
these, or nothing at all; the row that says most counts, and of several like it the one valid from the latest day.
"""

Document = Mapping[str, Sequence[Mapping[str, str]]]
"""The rows of each table, every cell a text, blank where nothing stands."""

_PRODUCT: Final = re.compile(r"[\w.+ -]+")
_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_DANISH_NUMBER: Final = re.compile(r"-?[0-9.]*,[0-9]+")
_PARTS: Final = "|"
_FLAGS: Final = {"true": True, "false": False}


class Edition(NamedTuple):
    """Template and prices of a product as they are from a day on; `name` is the same for the same content."""

    first: date
    name: str
    values: Mapping[str, Value]


class Rule(NamedTuple):
    """Which installations have a product from a day on; None: any."""

    product: str
    installation: str | None
    supply_area: str | None
    meter_type: str | None
    first: date

    @property
    def weight(self) -> tuple[bool, bool, bool, date]:
        """How much the rule says: the greatest of those that fit counts."""
        return (
            self.installation is not None,
            self.supply_area is not None and self.meter_type is not None,
            self.meter_type is not None or self.supply_area is not None,
            self.first,
        )

    def fits(self, installation: str | None, supply_area: str | None, meter_type: str | None) -> bool:
        """Whether the rule is about such an installation."""
        return (
            self.installation in (None, installation)
            and self.supply_area in (None, supply_area)
            and self.meter_type in (None, meter_type)
        )


class TariffBook(NamedTuple):
    """All that a book says: operands and templates as the engine takes them, editions by product, and the rules."""

    operands: Operands
    templates: Templates
    editions: Mapping[str, tuple[Edition, ...]]
    rules: tuple[Rule, ...]

    def engine_rules(self, readings: Readings | None = None) -> Rules:
        """Operands and templates for the engine."""
        return Rules(self.operands, self.templates, Readings() if readings is None else readings)

    def products_of(
        self, installation: str | None, supply_area: str | None, meter_type: str | None
    ) -> list[tuple[date, str | None]]:
        """The product of such an installation from each day on on which it changes; None where no rule fits."""
        fitting = [rule for rule in self.rules if rule.fits(installation, supply_area, meter_type)]
        found: list[tuple[date, str | None]] = []
        for day in sorted({date.min, *(rule.first for rule in fitting)}):
            valid = [rule for rule in fitting if rule.first <= day]
            product = max(valid, key=lambda rule: rule.weight).product if valid else None
            if not found or found[-1][1] != product:
                found.append((day, product))
        return found

    def values_of(self, product: str, edition: str) -> Mapping[str, Value]:
        """The values of an edition; none where the book has no such edition (any more)."""
        found = [one.values for one in self.editions.get(product, ()) if one.name == edition]
        return found[0] if found else {}


def fingerprint(document: Document) -> str:
    """Names the content of a document."""
    return _digest(document)


def book_of(document: Document) -> TariffBook:
    """The book that a document tells.

    Raises BadConfiguration for a table or column that is not known or not there, operands and templates that cannot be
    used (see `operands_of`, `template_versions`), prices of products or parameters that no template has, two prices
    for one day, values that are not of their operand's class, and products without template.
    """
    tables = _complete(document)
    operands = operands_of(_operand(row) for row in tables["operands"])
    templates, told = _templates(tables["templates"], operands)
    prices = _prices(tables["prices"], templates)
    editions = {
        product: _editions(versions, told[product], prices.get(product, {})) for product, versions in templates.items()
    }
    return TariffBook(operands, templates, editions, _rules(tables["products"], templates))


def _complete(document: Document) -> Document:
    if unknown := sorted(set(document) - set(TABLES)):
        raise BadConfiguration(f"There is no table {', '.join(unknown)}; there are {', '.join(TABLES)}.")
    tables: dict[str, Sequence[Mapping[str, str]]] = {}
    for name, columns in TABLES.items():
        rows = document.get(name, ())
        for number, row in enumerate(rows, 1):
            if strange := sorted(set(row) - set(columns)):
                raise BadConfiguration(f"Table {name}, row {number}: there is no column {', '.join(strange)}.")
            if any("\0" in text for text in row.values()):
                raise BadConfiguration(f"Table {name}, row {number}: a cell holds the character NUL.")
        tables[name] = [{column: row.get(column, "").strip() for column in columns} for row in rows]
    return tables


def _operand(row: Mapping[str, str]) -> Mapping[str, Any]:
    told: dict[str, Any] = {"name": row["name"], "category": row["category"]}
    for mark in ("conrel", "prodrel"):
        text = row[mark].lower()
        if text not in ("", "x", "true", "false"):
            raise BadConfiguration(f"Operand {row['name']}: {mark} is true, false, X or blank, not {row[mark]}.")
        told[mark] = text in ("x", "true")
    if row["umzug"]:
        told["umzug"] = int(row["umzug"]) if row["umzug"].isdigit() else row["umzug"]
    return told


def _templates(
    rows: Iterable[Mapping[str, str]], operands: Operands
) -> tuple[Templates, Mapping[str, Mapping[date, object]]]:
    """The template versions by product, and what each version was told as, by its first day."""
    grouped: dict[str, dict[tuple[str, str], list[Mapping[str, Any]]]] = {}
    for row in rows:
        product = row["product"]
        if not _PRODUCT.fullmatch(product):
            raise BadConfiguration(f"{product!r} is no name of a product: letters, digits, blanks and . + - _ only.")
        version = (row["valid_from"], row["valid_to"])
        grouped.setdefault(product, {}).setdefault(version, []).append(_attribute(row, operands))
    templates: dict[str, Sequence[Template]] = {}
    told: dict[str, Mapping[date, object]] = {}
    for product, versions in grouped.items():
        templates[product] = template_versions(
            product,
            [
                {"valid_from": first or None, "valid_to": last or None, "attributes": attributes}
                for (first, last), attributes in versions.items()
            ],
            operands,
        )
        told[product] = {
            _day(first, f"The template of {product}", date.min): attributes
            for (first, _last), attributes in versions.items()
        }
    return templates, told


def _attribute(row: Mapping[str, str], operands: Operands) -> Mapping[str, Any]:
    told: dict[str, Any] = {name: row[name] for name in ("operand", "season", "kind") if row[name]}
    told |= {name: _function(row[name]) for name in ("ab", "bis") if row[name]}
    operand = operands.get(row["operand"])
    told["ref"] = row["ref"]
    if row["kind"] == "VIRTUAL":
        told["ref"] = _function(row["ref"])
    elif row["kind"] == "CONSTANT" and operand is not None:
        where = f"The template of {row['product']}, operand {operand.name}"
        told["ref"] = typed(row["ref"], operand.value_class, where)
    return told


def _function(text: str) -> list[str | int]:
    """A virtual function and its arguments, with blanks between them."""
    return [int(part) if part.isdigit() else part for part in text.split()]


def typed(text: str, value_class: ValueClass, where: str) -> Value:
    """The value that a cell tells, by the class of its operand; the parts of one that has several stand between bars.

    Raises BadConfiguration where the cell is empty or tells no such value.
    """
    parts = tuple(_plain(part.strip(), where) for part in text.split(_PARTS))
    value: Value | None = parts[0] if len(parts) == 1 else parts
    if value_class is ValueClass.CODE:
        value = text
    elif value_class is ValueClass.BOOL:
        value = _FLAGS.get(text.lower(), text)
    if value == "" or not FITS[value_class](value):
        raise BadConfiguration(f"{where}: {text!r} is no {value_class}.")
    return value


def _plain(text: str, where: str) -> str | int | float:
    if _DANISH_NUMBER.fullmatch(text):
        raise BadConfiguration(f"{where}: write {text} with a point for the decimals.")
    if not _NUMBER.fullmatch(text):
        return text
    return float(text) if "." in text else int(text)


def _prices(
    rows: Iterable[Mapping[str, str]], templates: Templates
) -> Mapping[str, Mapping[str, Mapping[date, Value]]]:
    """By product and parameter the values from each day on."""
    prices: dict[str, dict[str, dict[date, Value]]] = {}
    for row in rows:
        product, parameter = row["product"], row["parameter"]
        where = f"The price of {product}, parameter {parameter}"
        if product not in templates:
            raise BadConfiguration(f"{where}: there is no template of the product.")
        classes = {
            attribute.operand.value_class
            for version in templates[product]
            for attribute in version.external
            if attribute.parameter == parameter
        }
        if not classes:
            raise BadConfiguration(f"{where}: no template of the product has such a parameter.")
        values = {value_class: typed(row["value"], value_class, where) for value_class in sorted(classes)}
        if len({str(value) for value in values.values()}) > 1:
            raise BadConfiguration(f"{where}: {row['value']!r} is something else for each of its operands.")
        day = _day(row["valid_from"], where, date.min)
        of_parameter = prices.setdefault(product, {}).setdefault(parameter, {})
        if day in of_parameter:
            since = "" if day == date.min else f" from {day}"
            raise BadConfiguration(f"{where}: there are two values{since}.")
        of_parameter[day] = next(iter(values.values()))
    return prices


def _editions(
    versions: Sequence[Template], told: Mapping[date, object], prices: Mapping[str, Mapping[date, Value]]
) -> tuple[Edition, ...]:
    days = {date.min, *(version.valid_from for version in versions)}
    days |= {day_after(version.valid_to) for version in versions if version.valid_to != INFINITY}
    days |= {day for values in prices.values() for day in values}
    editions: list[Edition] = []
    for day in sorted(days):
        version = next((one for one in versions if one.valid_from <= day <= one.valid_to), None)
        values = {
            parameter: of_parameter[max(since for since in of_parameter if since <= day)]
            for parameter, of_parameter in sorted(prices.items())
            if min(of_parameter) <= day
        }
        name = _digest([None if version is None else told[version.valid_from], values])[:12]
        if not editions or editions[-1].name != name:
            editions.append(Edition(day, name, values))
    return tuple(editions)


def _rules(rows: Iterable[Mapping[str, str]], templates: Templates) -> tuple[Rule, ...]:
    rules: dict[tuple[object, ...], Rule] = {}
    for row in rows:
        about = {name: row[name] or None for name in ("installation", "supply_area", "meter_type")}
        where = ", ".join(f"{name} {value}" for name, value in about.items() if value) or "all installations"
        if row["product"] not in templates:
            raise BadConfiguration(f"The product of {where}: there is no template of {row['product'] or 'no name'}.")
        first = _day(row["valid_from"], f"The product of {where}", date.min)
        rule = Rule(row["product"], about["installation"], about["supply_area"], about["meter_type"], first)
        if rule[1:] in rules:
            raise BadConfiguration(f"Two products are assigned to {where} from the same day.")
        rules[rule[1:]] = rule
    return tuple(rules.values())


def _day(text: str, where: str, otherwise: date) -> date:
    if not text:
        return otherwise
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadConfiguration(f"{where}: {text!r} is no day (YYYY-MM-DD).") from None


def _digest(told: object) -> str:
    text = json.dumps(told, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()

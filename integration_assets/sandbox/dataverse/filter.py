"""$filter of the CRM sandbox: from text to a test of rows.

Belongs here: the grammar (eq ne gt ge lt le, and or not, parentheses, contains startswith endswith,
Microsoft.Dynamics.CRM.In, paths through lookups, parameter aliases) and its meaning: text compares without regard to
case, null equals only null.
"""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from integration_assets.sandbox.dataverse import errors
from integration_assets.sandbox.dataverse.model import EDM_TYPES, Kind, Table
from integration_assets.sandbox.dataverse.paths import guid
from integration_assets.sandbox.dataverse.rows import Row, RowSource

Test = Callable[[Row], bool]

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>'(?:[^']|'')*'|"(?:[^"\\]|\\.)*")
    | (?P<guid>[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})
    | (?P<datetime>\d{4}-\d{2}-\d{2}T[0-9:.]+(?:Z|[+-]\d{2}:\d{2})?)
    | (?P<date>\d{4}-\d{2}-\d{2})
    | (?P<number>-?\d+(?:\.\d+)?)
    | (?P<name>@?[A-Za-z_][A-Za-z0-9_./]*)
    | (?P<mark>[(),=\[\]])
    )""",
    re.VERBOSE,
)
_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
_TEXT_TESTS: Mapping[str, Callable[[str, str], bool]] = {
    "contains": lambda text, part: part in text,
    "startswith": str.startswith,
    "endswith": str.endswith,
}
_IN = "Microsoft.Dynamics.CRM.In"
_CONSTANTS = {"true", "false", "null"}
_LITERAL_TYPES = {
    "string": "Edm.String",
    "guid": "Edm.Guid",
    "datetime": "Edm.DateTimeOffset",
    "date": "Edm.Date",
    "number": "Edm.Int32",
    "constant": "Edm.Boolean",
}
_INTEGER_KINDS = {"integer", "bigint", "picklist", "state", "status"}


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str


@dataclass(frozen=True)
class _Property:
    """A property of the row or of a row that a lookup leads to."""

    name: str
    kind: Kind
    read: Callable[[Row], Any]


def compile_filter(rows: RowSource, table: Table, text: str, aliases: Mapping[str, str]) -> Test:
    """A test of rows of `table`. `aliases` are the query options whose names begin with `@`. DataverseError 400."""
    return _Parser(rows, table, text, aliases).whole()


def _tokens(text: str) -> list[_Token]:
    found, position = [], 0
    end = len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise errors.query(f"Syntax error at position {position} in the filter expression.")
        found.append(_Token(match.lastgroup, match[match.lastgroup]))
        position = match.end()
    return found


class _Parser:
    def __init__(self, rows: RowSource, table: Table, text: str, aliases: Mapping[str, str]) -> None:
        self._rows = rows
        self._table = table
        self._aliases = aliases
        self._tokens = _tokens(text)
        self._at = 0

    def whole(self) -> Test:
        test = self._or()
        if self._at < len(self._tokens):
            raise self._syntax()
        return test

    def _or(self) -> Test:
        tests = [self._and()]
        while self._word("or"):
            tests.append(self._and())
        return tests[0] if len(tests) == 1 else lambda row: any(test(row) for test in tests)

    def _and(self) -> Test:
        tests = [self._unary()]
        while self._word("and"):
            tests.append(self._unary())
        return tests[0] if len(tests) == 1 else lambda row: all(test(row) for test in tests)

    def _unary(self) -> Test:
        if self._word("not"):
            inner = self._unary()
            return lambda row: not inner(row)
        if self._mark("("):
            inner = self._or()
            self._need(")")
            return inner
        token = self._next()
        if token.kind != "name":
            raise self._syntax()
        if self._peek("("):
            return self._function(token.text)
        return self._comparison(self._property(token.text))

    def _function(self, name: str) -> Test:
        self._need("(")
        if name == _IN:
            return self._in()
        test = _TEXT_TESTS.get(name)
        if test is None:
            raise errors.query(f"An unknown function with name '{name}' was found.")
        prop = self._property(self._next().text)
        self._need(",")
        part = self._literal(self._next())
        self._need(")")
        if prop.kind != "string" or part.kind != "string":
            raise errors.query(f"No function signature for the function with name '{name}' matches the arguments.")
        folded = part.text.casefold()

        def holds(row: Row) -> bool:
            value = prop.read(row)
            return value is not None and test(value.casefold(), folded)

        return holds

    def _in(self) -> Test:
        arguments: dict[str, list[_Token]] = {}
        while True:
            name = self._next().text
            self._need("=")
            arguments[name] = self._argument()
            if not self._mark(","):
                break
        self._need(")")
        if set(arguments) != {"PropertyName", "PropertyValues"}:
            raise errors.invalid_argument("In needs the parameters PropertyName and PropertyValues.")
        prop = self._property(arguments["PropertyName"][0].text)
        wanted = {_comparable(prop, value, from_text=True) for value in arguments["PropertyValues"]}
        return lambda row: _folded(prop.read(row)) in wanted

    def _argument(self) -> list[_Token]:
        token = self._next()
        if token.text.startswith("@"):
            inner = _Parser(self._rows, self._table, self._alias(token.text), self._aliases)
            return inner._argument()
        if token.text != "[":
            return [self._literal(token)]
        values = []
        while not self._mark("]"):
            values.append(self._literal(self._next()))
            self._mark(",")
        return values

    def _comparison(self, prop: _Property) -> Test:
        name = self._next().text
        compare = _COMPARISONS.get(name)
        if compare is None:
            raise self._syntax()
        value = self._literal(self._next())
        if value.text == "null" and value.kind == "constant":
            if name not in ("eq", "ne"):
                return lambda _row: False
            return lambda row: (prop.read(row) is None) == (name == "eq")
        wanted = _comparable(prop, value)

        def holds(row: Row) -> bool:
            found = _folded(prop.read(row))
            return name == "ne" if found is None else compare(found, wanted)

        return holds

    def _property(self, path: str) -> _Property:
        navigation, slash, name = path.partition("/")
        if not slash:
            return _own_property(self._table, path)
        lookup = self._table.navigations.get(navigation)
        if lookup is None:
            raise errors.query_property(self._table, navigation)
        target = self._rows.schema.by_logical_name[lookup.target]
        inner = _own_property(target, name)

        def read(row: Row) -> Any:
            target_id = row.get(lookup.value_name)
            found = self._rows.get(target, target_id) if target_id else None
            return None if found is None else inner.read(found)

        return _Property(path, inner.kind, read)

    def _literal(self, token: _Token) -> _Token:
        if token.kind == "name" and token.text.startswith("@"):
            inner = _Parser(self._rows, self._table, self._alias(token.text), self._aliases)
            return inner._literal(inner._next())
        if token.kind == "name" and token.text in _CONSTANTS:
            return _Token("constant", token.text)
        if token.kind not in _LITERAL_TYPES:
            raise self._syntax()
        if token.kind == "string":
            return _Token("string", token.text[1:-1].replace("''", "'"))
        return token

    def _alias(self, name: str) -> str:
        if name not in self._aliases:
            raise errors.query(f"The parameter alias '{name}' has no value.")
        return self._aliases[name]

    def _next(self) -> _Token:
        if self._at >= len(self._tokens):
            raise self._syntax()
        self._at += 1
        return self._tokens[self._at - 1]

    def _peek(self, text: str) -> bool:
        return self._at < len(self._tokens) and self._tokens[self._at].text == text

    def _mark(self, text: str) -> bool:
        found = self._peek(text)
        self._at += found
        return found

    def _word(self, text: str) -> bool:
        return self._peek(text) and self._tokens[self._at].kind == "name" and self._mark(text)

    def _need(self, text: str) -> None:
        if not self._mark(text):
            raise self._syntax()

    def _syntax(self) -> errors.DataverseError:
        return errors.query(f"Syntax error at token {self._at} in the filter expression.")


def _own_property(table: Table, name: str) -> _Property:
    kind = table.properties.get(name)
    if kind is None:
        raise errors.query_property(table, name)
    return _Property(name, kind, operator.methodcaller("get", name))


def _folded(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value


def _comparable(prop: _Property, literal: _Token, *, from_text: bool = False) -> Any:
    """A literal as stored values of the property compare; DataverseError 400 when the types do not go together.

    `from_text` is for the In function, whose values are always quoted.
    """
    text, kind = literal.text, literal.kind
    quoted = from_text and kind == "string"
    if prop.kind == "string" and kind == "string":
        return text.casefold()
    if prop.kind == "guid" and kind in ("guid", "string") and (found := guid(text)) is not None:
        return found
    if prop.kind == "boolean" and text in ("true", "false") and (kind == "constant" or quoted):
        return text == "true"
    if prop.kind in _INTEGER_KINDS and (kind == "number" or (quoted and re.fullmatch(r"-?\d+", text))):
        return float(text) if "." in text else int(text)
    if prop.kind == "date" and (kind == "date" or quoted):
        return text
    if prop.kind == "datetime" and kind in ("date", "datetime"):
        # Stored times are UTC with seconds; a shorter text sorts before all times of its day.
        return text.casefold()
    raise errors.query(
        "A binary operator with incompatible types was detected. Found operand types "
        f"'{EDM_TYPES[prop.kind]}' and '{_LITERAL_TYPES[kind]}' for operator kind 'Equal'."
    )

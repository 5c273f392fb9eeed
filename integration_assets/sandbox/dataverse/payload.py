"""Reading JSON bodies as rows: which properties exist, what values they take, what a binding points to.

Belongs here: validation of bodies for create, update and upsert, with the texts of the OData reader.
"""

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

from integration_assets.sandbox.dataverse import errors
from integration_assets.sandbox.dataverse.model import Attribute, Lookup, Table
from integration_assets.sandbox.dataverse.paths import guid, reference
from integration_assets.sandbox.dataverse.rows import Rows
from integration_assets.sandbox.dataverse.wire import Exchange

_BIND = "@odata.bind"
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}$")
_EARLIEST = "1753-01-01"
_INT32 = range(-(2**31), 2**31)
_INT_KINDS = ("integer", "picklist", "state", "status")
_NUMBER_KINDS = ("decimal", "double", "money")


def read_values(rows: Rows, exchange: Exchange, table: Table, body: Mapping[str, Any]) -> dict[str, Any]:
    """Stored values of a body by property name; lookups as `_<attribute>_value` with the id of the target.

    Null means: clear. Annotations such as `@odata.type` are left out. The body is that of `exchange`, or one of those
    in it. DataverseError for everything that Dataverse refuses.
    """
    values: dict[str, Any] = {}
    for name, value in body.items():
        if name.endswith(_BIND):
            lookup, target = _bound(rows, exchange, table, name[: -len(_BIND)], value)
            values[lookup.value_name] = target
        elif "@" in name:
            continue
        elif name in table.attributes:
            attribute = table.attributes[name]
            if attribute.writable:
                if attribute.secured:
                    raise errors.secured_column(exchange.caller.user_id, name)
                values[name] = read_value(table, attribute, value)
        else:
            values[_cleared(table, name, value).value_name] = None
    return values


def _bound(rows: Rows, exchange: Exchange, table: Table, navigation: str, value: Any) -> tuple[Lookup, str]:
    lookup = table.navigations.get(navigation)
    if lookup is None:
        raise errors.undeclared_navigation(table, navigation)
    if not isinstance(value, str):
        if value is None:
            raise errors.null_bind(table, navigation)
        raise errors.payload(table.set_name, f"The value of 'odata.bind' on property '{navigation}' must be a string.")
    target_table, key = reference(rows.schema, value, exchange.created)
    if target_table.logical != lookup.target:
        text = f"A '{target_table.logical}' cannot be bound to the navigation property '{navigation}'."
        raise errors.invalid_argument(text)
    exchange.caller.need("Append", table)
    exchange.caller.need("AppendTo", target_table)
    return lookup, key.need(rows, target_table)


def _cleared(table: Table, name: str, value: Any) -> Lookup:
    """The lookup that null on a navigation property clears; otherwise the error for a name that is no column."""
    lookup = table.navigations.get(name)
    if lookup is not None:
        if value is None:
            return lookup
        if isinstance(value, Mapping):
            raise errors.out_of_play("deep insert")
        text = (
            "A 'PrimitiveValue' node with non-null value was found when trying to read the value of the navigation "
            f"property '{name}'; however, a 'StartArray' node, a 'StartObject' node, or a 'PrimitiveValue' node with "
            "null value was expected."
        )
        raise errors.payload(table.set_name, text)
    if name in table.properties:
        text = "CRM do not support direct update of Entity Reference properties, Use Navigation properties instead."
        raise errors.payload(table.set_name, text)
    if value is None:
        raise errors.untyped_null(table)
    raise errors.unknown_property(table, name)


def read_value(table: Table, attribute: Attribute, value: Any) -> Any:
    """The stored value of one column. DataverseError 400 for a wrong type, length, choice or range."""
    if value is None:
        if attribute.required:
            raise errors.invalid_argument(f"The column '{attribute.name}' cannot be set to null.")
        return None
    if attribute.kind in ("string", "memo"):
        if not isinstance(value, str):
            raise _wrong_type(table, attribute)
        if attribute.max_length is not None and len(value) > attribute.max_length:
            raise errors.too_long(table, attribute.name, attribute.max_length)
        # An empty text is stored as null.
        return value or None
    if attribute.kind in _INT_KINDS:
        if isinstance(value, bool) or not isinstance(value, int):
            raise _wrong_type(table, attribute)
        if attribute.options and value not in attribute.options:
            raise errors.option_out_of_range(table, attribute.name, value, list(attribute.options))
        if value not in _INT32 or not _within(attribute, value):
            raise errors.out_of_range(table, attribute.name, whole=True)
        return value
    if attribute.kind in _NUMBER_KINDS:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _wrong_type(table, attribute)
        if not _within(attribute, value):
            raise errors.out_of_range(table, attribute.name, whole=False)
        # Digits beyond the precision of the column are rounded away without a word.
        return value if attribute.precision is None else round(value, attribute.precision)
    if attribute.kind == "boolean":
        if not isinstance(value, bool):
            raise _wrong_type(table, attribute)
        return value
    if not isinstance(value, str):
        raise _wrong_type(table, attribute)
    if attribute.kind == "guid":
        primary = guid(value)
        if primary is None:
            raise _wrong_type(table, attribute)
        return primary
    return _date(table, attribute, value) if attribute.kind == "date" else _moment(table, attribute, value)


def _within(attribute: Attribute, value: float) -> bool:
    low, high = attribute.minimum, attribute.maximum
    return (low is None or value >= low) and (high is None or value <= high)


def _moment(table: Table, attribute: Attribute, value: str) -> str:
    """A point in time as UTC; a time without offset counts as UTC, whatever the user's time zone."""
    try:
        moment = dt.datetime.fromisoformat(value)
    except ValueError:
        raise _wrong_type(table, attribute) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    _check_earliest(value)
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _check_earliest(value: str) -> None:
    if value < _EARLIEST:
        text = "The date-time format is invalid, or value is outside the supported range."
        raise errors.DataverseError(400, "0x80040239", text)


def _date(table: Table, attribute: Attribute, value: str) -> str:
    try:
        if not _DATE.match(value):
            raise ValueError
        dt.date.fromisoformat(value)
    except ValueError:
        raise _wrong_type(table, attribute) from None
    _check_earliest(value)
    return value


def _wrong_type(table: Table, attribute: Attribute) -> errors.DataverseError:
    # The real text quotes the value; ours does not, values of these tables may be personal.
    text = f"Cannot convert the value of property '{attribute.name}' to the expected type '{attribute.edm_type}'."
    return errors.payload(table.set_name, text)

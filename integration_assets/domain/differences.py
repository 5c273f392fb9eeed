"""What a delivery would change, field by field, fit to be shown: personal data are masked.

The input are the differences of the delivery table (`change` create or update, payloads as JSON before and after).
Numbers lose their digits but the shape, names become initials, mail addresses and telephone numbers keep what is
needed to tell that they changed. Only customers and contacts hold personal data; everything else is shown as it is.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import polars as pl

from integration_assets.domain.registry.superseding import SUPERSEDED

PERSONAL_ENTITIES: Final = frozenset({"customers", "contacts"})
"""Entities whose payloads are about persons."""

_NAMES: Final = ("name", "kmd_name", "first_name", "middle_name", "last_name", "firstname", "middlename", "lastname")
_NUMBERS: Final = ("number", "ava_cpr_nummer", "ava_cvr_nummer")
_MAILS: Final = ("email", "emailaddress1", "ava_emailkmdee")
_PHONES: Final = ("phone", "mobile", "ava_mobilkmdee", "ava_fastnetkmdee")
_HISTORY: Final = "history"
"""The values of other fields over time: pieces with field, from and value."""
_HIDDEN: Final = ("civil_status", "gender", "gendercode", "address_protected", "ava_eradressebeskyttet")

_MASK: Final = "•"
_KEPT_PHONE_DIGITS: Final = 2
_PERSONAL_NUMBER: Final = re.compile(r"(?<![\w-])\d{6}-?\d{4}(?![\w-])")

SUMMARY: Final = pl.Schema({"entity": pl.String, "change": pl.String, "count": pl.Int64})
SAMPLES: Final = pl.Schema(
    {
        "entity": pl.String,
        "business_key": pl.String,
        "change": pl.String,
        "field": pl.String,
        "before": pl.String,
        "after": pl.String,
    }
)


@dataclass(frozen=True)
class FieldChange:
    """One field that differs; values are masked texts, None is no value."""

    field: str
    before: str | None
    after: str | None


def summary(entity: str, difference: pl.DataFrame) -> pl.DataFrame:
    """How many objects would be created, updated and ended: frame of SUMMARY, in that order, all three always.

    `difference` has the columns change, before and after. An update ends an object when it sets an end (valid_to) that
    was not there, or makes an active CRM row inactive (statecode). What is superseded ends in any case.
    """
    ends_validity = _field("before", "valid_to").is_null() & _field("after", "valid_to").is_not_null()
    ends_activity = (_field("before", "statecode") == "0") & (_field("after", "statecode") == "1")
    kind = (
        pl.when(pl.lit(entity == SUPERSEDED) | (pl.col("change") == "update") & (ends_validity | ends_activity))
        .then(pl.lit("end"))
        .otherwise("change")
    )
    counted = difference.select(kind.alias("change")).group_by("change").agg(pl.len().cast(pl.Int64).alias("count"))
    changes = pl.DataFrame({"change": ["create", "update", "end"]})
    return (
        changes.join(counted, on="change", how="left", maintain_order="left")
        .select(pl.lit(entity).alias("entity"), "change", pl.col("count").fill_null(0))
        .cast(SUMMARY)
    )


def clearing(difference: pl.DataFrame) -> pl.DataFrame:
    """The rows of a difference in which a field loses its value."""
    loses = [_loses(before, after) for before, after in difference.select("before", "after").iter_rows()]
    return difference.filter(pl.Series(loses, dtype=pl.Boolean))


def shown_updates(difference: pl.DataFrame, limit: int) -> pl.DataFrame:
    """The updates that are worth showing: up to half of the `limit` lose a value, the others come by business key."""
    updates = difference.filter(pl.col("change") == "update").sort("business_key", "object_id")
    first = clearing(updates).head(-(-limit // 2))
    return pl.concat([first, updates.join(first, on="object_id", how="anti")]).head(limit)


def _loses(before: str | None, after: str) -> bool:
    if before is None:
        return False
    old: dict[str, Any] = json.loads(before)
    new: dict[str, Any] = json.loads(after)
    return any(value is not None and new.get(name) is None for name, value in old.items())


def samples(entity: str, difference: pl.DataFrame, limit: int = 20) -> pl.DataFrame:
    """The changed fields of the first `limit` objects by business key, one row each: frame of SAMPLES.

    The change is the object's, except of a field that loses its value: clear.

    `difference` has the columns object_id, business_key, change, before and after.
    """
    rows = [
        {
            "entity": entity,
            "business_key": row["business_key"],
            "change": "clear" if change.after is None and row["before"] else row["change"],
            "field": change.field,
            "before": change.before,
            "after": change.after,
        }
        for row in difference.sort("business_key", "object_id").head(limit).iter_rows(named=True)
        for change in field_changes(entity, row["before"], row["after"])
    ]
    return pl.DataFrame(rows, schema=SAMPLES)


def field_changes(entity: str, before: str | None, after: str) -> list[FieldChange]:
    """The fields that differ between two JSON payloads, masked, in the order of the payload.

    A payload that was not there counts as empty, so a new object shows its filled fields only.
    """
    old: dict[str, Any] = json.loads(before) if before else {}
    new: dict[str, Any] = json.loads(after)
    return [
        FieldChange(name, _shown(entity, name, old.get(name)), _shown(entity, name, new.get(name)))
        for name in dict.fromkeys([*new, *old])
        if old.get(name) != new.get(name)
    ]


def masked_number(text: str) -> str:
    """A number without its digits: ``••••••••••``."""
    return re.sub(r"\w", _MASK, text)


def masked_name(text: str) -> str:
    """Initials: ``A. B. C.``"""
    return " ".join(f"{part[0]}." for part in text.split())


def masked_mail(text: str) -> str:
    """First letter and end of the domain: ``a•••@•••.dk``."""
    local, at, domain = text.partition("@")
    if not at:
        return _MASK * 3
    ending = domain.rpartition(".")[2] if "." in domain else ""
    return f"{local[:1]}{_MASK * 3}@{_MASK * 3}{'.' if ending else ''}{ending}"


def masked_phone(text: str) -> str:
    """The last two digits: ``••••••56``."""
    digits = re.sub(r"\D", "", text)
    shown = digits[-_KEPT_PHONE_DIGITS:] if len(digits) > 2 * _KEPT_PHONE_DIGITS else ""
    return _MASK * (len(digits) - len(shown)) + shown


def hidden(text: str) -> str:
    """Nothing of the value at all."""
    del text
    return _MASK * 3


_MASKS: Final[dict[str, Callable[[str], str]]] = {
    **dict.fromkeys(_NAMES, masked_name),
    **dict.fromkeys(_NUMBERS, masked_number),
    **dict.fromkeys(_MAILS, masked_mail),
    **dict.fromkeys(_PHONES, masked_phone),
    **dict.fromkeys(_HIDDEN, hidden),
}


def _shown(entity: str, field: str, value: object) -> str | None:
    """A value as text, masked where it is personal. What looks like a CPR number is masked wherever it stands."""
    if value is None:
        return None
    if field == _HISTORY and isinstance(value, list):
        pieces = cast("list[dict[str, Any]]", value)
        return ", ".join(_piece_shown(entity, piece) for piece in pieces)
    if isinstance(value, list):
        text = f"{len(cast('list[Any]', value))}: {json.dumps(value, ensure_ascii=False)}"
    else:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if entity in PERSONAL_ENTITIES and field in _MASKS:
        return _MASKS[field](text)
    return _PERSONAL_NUMBER.sub(_MASK * 10, text)


def _piece_shown(entity: str, piece: Mapping[str, Any]) -> str:
    """A value of a history with its first day, as text."""
    value = _shown(entity, piece["field"], piece["value"]) or "empty"
    return f"{piece['field']} {value} from {piece['from'] or 'the beginning'}"


def _field(side: str, name: str) -> pl.Expr:
    """A field of a JSON payload as text; null when missing or null."""
    value = pl.col(side).str.json_path_match(f"$.{name}")
    return pl.when(value != "null").then(value)


def masked_personal_numbers(column: str) -> pl.Expr:
    """The texts of a column, what has the form of a personal number in them without its digits."""
    return pl.col(column).str.replace_all(r"\b\d{6}-?\d{4}\b", _MASK * 10)

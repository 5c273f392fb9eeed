"""The query parameters of DAWA's address searches: how they are read, and what is wrong with them.

Belongs here: the parameters, their forms, paging. An unknown parameter is ignored, as DAWA does.
"""

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

PAGED_LIMIT = 25_000
DEFAULT_PER_PAGE = 20
LONGEST_TEXT = 100


class IllFormed(Exception):
    """Parameters that cannot be used: pairs of name and reason."""

    def __init__(self, details: list[tuple[str, str]]) -> None:
        super().__init__("ill-formed query parameters")
        self.details = details


@dataclass(frozen=True)
class Asked:
    """A search. `filters` are the accepted values by field (None: the field is empty); a row must satisfy each."""

    filters: dict[str, tuple[str | int | None, ...]] = field(default_factory=dict)
    text: str | None = None
    fuzzy: bool = False
    autocomplete: bool = False
    house_from: str | None = None
    house_to: str | None = None
    with_closed: bool = False
    structure: str = "nestet"
    srid: int = 4326
    form: str = "json"
    first: int = 0
    last: int | None = None


def house_key(house_number: str) -> tuple[int, str]:
    """House numbers in their order: 2, 10, 10A."""
    digits = re.match(r"\d*", house_number)
    number = digits.group() if digits else ""
    return int(number or 0), house_number[len(number) :]


def _code(value: str) -> str:
    if not re.fullmatch(r"\d+", value):
        raise ValueError(f"not an integer: {value}")
    if int(value) > 9999:
        raise ValueError(f"Value {value} is greater than maximum 9999")
    return f"{int(value):04d}"


def _matching(pattern: str, change: Callable[[str], str] = str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if not re.fullmatch(pattern, change(value)):
            raise ValueError(f"String does not match pattern {pattern}: {value}")
        return change(value)

    return parse


def _uuid(value: str) -> str:
    return str(uuid.UUID(value))


_HOUSE = _matching(r"[1-9]\d{0,2}[A-ZÆØÅ]?", str.upper)
_FILTERS: dict[str, Callable[[str], str | int]] = {
    "id": _uuid,
    "status": int,
    "vejkode": _code,
    "vejnavn": str,
    "husnr": _HOUSE,
    "supplerendebynavn": str,
    "postnr": _code,
    "kommunekode": _code,
    "navngivenvej_id": _uuid,
    "kvh": _matching(r"\d{8}.{4}"),
}
_UNIT_FILTERS: dict[str, Callable[[str], str | int]] = {
    "adgangsadresseid": _uuid,
    "etage": _matching(r"[1-9]\d?|st|kl|k[2-9]", str.lower),
    "dør": _matching(r"[1-9]\d{0,3}|[a-zæøå0-9/-]{1,4}", str.lower),
    "kvhx": _matching(r"\d{8}.{11}"),
}
_FORMS = {"json", "ndjson", "csv"}
_STRUCTURES = {"nestet", "flad", "mini"}
_SRIDS = {"4326", "25832"}


def read(query: Mapping[str, str], units: bool) -> Asked:
    """The search that a query asks for; `units` tells unit addresses from access addresses. Raises IllFormed."""
    wrong: list[tuple[str, str]] = []
    filters: dict[str, tuple[str | int | None, ...]] = {}
    for name, parse in (_FILTERS | _UNIT_FILTERS if units else _FILTERS).items():
        if name in query and not (units and name == "kvh"):
            try:
                filters[name] = _values(query[name], parse)
            except ValueError as error:
                wrong.append((name, str(error)))
    bounds: dict[str, str | None] = {"husnrfra": None, "husnrtil": None}
    for name in bounds:
        if query.get(name):
            try:
                bounds[name] = _HOUSE(query[name])
            except ValueError as error:
                wrong.append((name, str(error)))
    form = "ndjson" if "ndjson" in query else query.get("format", "json")
    structure = query.get("struktur", "flad" if form == "csv" else "nestet")
    srid = query.get("srid", "4326")
    for name, value, known in (("format", form, _FORMS), ("struktur", structure, _STRUCTURES), ("srid", srid, _SRIDS)):
        if value not in known:
            wrong.append((name, f"unknown value {value}"))
    first, last = _page(query, wrong)
    if wrong:
        raise IllFormed(wrong)
    return Asked(
        filters=filters,
        text=query.get("q") or None,
        fuzzy=_switched_on(query, "fuzzy"),
        autocomplete=_switched_on(query, "autocomplete"),
        house_from=bounds["husnrfra"],
        house_to=bounds["husnrtil"],
        with_closed=_switched_on(query, "medtagnedlagte"),
        structure=structure,
        srid=int(srid),
        form=form,
        first=first,
        last=last,
    )


def typed_text(query: Mapping[str, str]) -> str:
    """The text to wash. Raises IllFormed when it is missing or longer than 100 characters."""
    text = query.get("betegnelse", "")
    if not text:
        raise IllFormed([("betegnelse", "missing")])
    if len(text) > LONGEST_TEXT:
        raise IllFormed([("betegnelse", f"String is too long ({len(text)} chars), maximum {LONGEST_TEXT}")])
    return text


def _values(raw: str, parse: Callable[[str], str | int]) -> tuple[str | int | None, ...]:
    return tuple(parse(value) if value else None for value in raw.split("|"))


def _switched_on(query: Mapping[str, str], name: str) -> bool:
    return name in query and query[name] != "false"


def _page(query: Mapping[str, str], wrong: list[tuple[str, str]]) -> tuple[int, int | None]:
    """First row and the row after the last; everything where neither page nor size is named."""
    numbers: dict[str, int] = {}
    for name in ("side", "per_side"):
        if name in query:
            if re.fullmatch(r"[1-9]\d*", query[name]):
                numbers[name] = int(query[name])
            else:
                wrong.append((name, f"not a positive integer: {query[name]}"))
    if not numbers:
        return 0, None
    page, size = numbers.get("side", 1), numbers.get("per_side", DEFAULT_PER_PAGE)
    if page > 1 and page * size > PAGED_LIMIT:
        wrong.append(("side", f"only the first {PAGED_LIMIT} rows can be paged through"))
    return (page - 1) * size, page * size

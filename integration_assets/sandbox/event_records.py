"""The records of CPR's event files (P12170) about persons of the sandbox's register.

Belongs here: the layout of the records, what each says about a person, and the two physical forms of a file. Whom a
file tells of, and where it lies, is in `event_outbox`. As in the extracts that are publicly known, the clear-text
addresses (003) of everybody stand at the end of a file, numeric fields without a value are zeros, others blank.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from integration_assets.sandbox.person_answer import standard_address
from integration_assets.sandbox.person_search_answer import house_number_text
from integration_assets.sandbox.register_surplus import Relatives

ENCODING = "iso-8859-1"
TASK = 110901
"""Number of the delivery agreement (OPGAVENR): any six digits."""

_LENGTHS = {
    "000": 35, "001": 106, "002": 306, "003": 249, "004": 37, "005": 200, "008": 193, "012": 95, "014": 23,
    "015": 147, "022": 45, "099": 45, "997": 43, "999": 21,
}  # fmt: skip
_ADDRESS_PROTECTION = "0001"
_EMIGRATED = "80"
_NO_MOMENT = "0" * 12
_ABROAD = "5120"
_HOUR = "0900"

Json = dict[str, Any]
Parts = dict[int, str]


def first_record(day: date, previous: date) -> str:
    """Record 000: this production day and the one before it."""
    return _record("000", "0" * 10, {14: f"{TASK:06d}", 20: f"{day:%Y%m%d}", 28: f"{previous:%Y%m%d}"})


def last_record(records: int) -> str:
    """Record 999 of a file with so many records between its first and its last one, which it does not count."""
    return _record("999", "9" * 10, {14: f"{records:08d}"})


def person_records(
    person: Json, former: Sequence[Json], codes: Sequence[str], day: date, family: Relatives | None
) -> list[str]:
    """All records about one person but the clear-text address.

    `former` are the register's records of numbers that she had before, `codes` the events of the day (HAENDELSE, with
    AFLEDTMRK behind it where there is one), `family` relatives of whom the file tells more than anybody needs.
    """
    number = person["pnr"]
    records = [_person(person)]
    if person["address"]:
        records.append(_address(number, person["address"]))
    if person["protected"] or person.get("protected_until"):
        first, end = person.get("protected_from") or "", person.get("protected_until") or ""
        records.append(_record("004", number, {14: _ADDRESS_PROTECTION, 18: first, 28: end}))
    if person["status"] == _EMIGRATED:
        records.append(_record("005", number, {14: _ABROAD, 18: _moment(person.get("emigrated_on"))}))
    records.append(_name(person))
    if family is not None:
        records += _family(person, family)
    records += [_former(number, each) for each in former]
    records += [_record("099", number, {14: f"{day:%Y%m%d}{_HOUR}", 26: code}) for code in codes]
    return records


def clear_text_address(person: Json) -> str:
    """Record 003: name and address as on an envelope; zeros and blanks without an address."""
    address = person["address"]
    parts = {14: _cut(person["addressing_name"], 34), 184: "0000", 208: "0000", 212: "0000"}
    if address:
        parts |= {
            116: standard_address(address),
            184: address["postcode"],
            188: _cut(address["district"], 20),
            230: _cut(address["street_name"], 20),
            **{position + 194: part for position, part in _unit(address).items()},
        }
    return _record("003", person["pnr"], parts)


def ended_record(number: str, day: date) -> str:
    """Record 997: the register has deleted the subscription to this number."""
    return _record("997", number, {14: f"{day:%Y%m%d}{_HOUR}", 26: "A45"})


def content(records: Iterable[str], form: str) -> bytes:
    """The bytes of a file: "lines" ends each record with a line end and trims its blanks, "fixed" does neither."""
    text = "".join(record.rstrip(" ") + "\n" for record in records) if form == "lines" else "".join(records)
    return text.encode(ENCODING, "replace")


def _record(kind: str, number: str, parts: Parts) -> str:
    """A record of its full length: type, number, and each part at its position, counted from 1."""
    record = f"{kind}{number}".ljust(_LENGTHS[kind])
    for position, part in parts.items():
        record = record[: position - 1] + part + record[position - 1 + len(part) :]
    if len(record) != _LENGTHS[kind]:
        raise ValueError(f"a part of record {kind} is too long")
    return record


def _person(person: Json) -> str:
    return _record(
        "001",
        person["pnr"],
        {
            # Only a number that is no longer in force names another one.
            14: person.get("current_pnr") or "",
            24: person["status"],
            26: _moment(person.get("status_from")),
            39: person["gender"] or " ",
            40: person["birth_date"],
            51: person["birth_date"],
            62: (person.get("status_from") or "") if person.get("current_pnr") else "",
        },
    )


def _address(number: str, address: Json) -> str:
    moments = {70: _moment(address["moved_in"]), 83: _NO_MOMENT, 96: "0000", 100: _NO_MOMENT, 113: "0000"}
    return _record("002", number, {**_unit(address), **moments})


def _unit(address: Json) -> Parts:
    """The codes of an address, at the positions of record 002: KOMKOD, VEJKOD, HUSNR, ETAGE, SIDEDOER."""
    floor, door = address["floor"] or "", address["door"] or ""
    return {
        14: address["municipality_code"],
        18: address["street_code"],
        22: house_number_text(address["house_number"]),
        26: floor.zfill(2) if floor else "",
        28: (door.zfill(4) if door.isdecimal() else door.rjust(4)) if door else "",
    }


def _name(person: Json) -> str:
    return _record(
        "008",
        person["pnr"],
        {
            14: _cut(person["first_name"], 50),
            65: _cut(person["middle_name"], 40),
            106: _cut(person["last_name"], 40),
            147: _moment(person.get("name_from")),
            160: _cut(person["addressing_name"], 34),
        },
    )


def _family(person: Json, family: Relatives) -> list[str]:
    """Civil status with the spouse (012), children (014), parents (015)."""
    number = person["pnr"]
    civil = {14: person["civil_status"] or "U", 15: family.spouse or "", 71: _moment(person.get("civil_status_from"))}
    children = [_record("014", number, {14: child}) for child in family.children]
    born = person["birth_date"]
    parents = {14: born, 25: family.mother, 81: born, 92: family.father}
    return [_record("012", number, civil), *children, _record("015", number, parents)]


def _former(number: str, former: Json) -> str:
    parts = {14: former["pnr"], 24: former["birth_date"], 35: former.get("status_from") or ""}
    return _record("022", number, parts)


def _moment(day: str | None) -> str:
    return f"{day.replace('-', '')}{_HOUR}" if day else _NO_MOMENT


def _cut(text: str | None, length: int) -> str:
    return (text or "")[:length]

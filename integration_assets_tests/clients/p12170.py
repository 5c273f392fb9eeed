"""Records of event files (P12170) written by the register's description, and files of them, for tests.

Positions and lengths are those of the public description of the extract; nothing here is taken from the reader.
"""

import random
from datetime import date
from typing import Final, Literal

from integration_assets.sandbox.town_numbers import Numbers

LENGTHS: Final = {
    "000": 35, "001": 106, "002": 306, "003": 249, "004": 37, "005": 200, "006": 203, "007": 26, "008": 193, "009": 37,
    "010": 30, "011": 25, "012": 95, "013": 36, "014": 23, "015": 147, "016": 58, "017": 272, "018": 60, "019": 75,
    "020": 47, "021": 63, "022": 45, "023": 96, "024": 218, "025": 40, "026": 173, "027": 44, "028": 36, "029": 109,
    "030": 48, "031": 269, "032": 269, "033": 269, "099": 45, "910": 157, "997": 43, "999": 21,
}  # fmt: skip
TASK: Final = "730001"

Form = Literal["fixed", "lines", "crlf"]


def made_up_numbers(count: int) -> list[str]:
    """Numbers of nobody."""
    numbers = Numbers(random.Random(12170), set())
    return [numbers.cpr(date(1950 + index % 50, 2, 1 + index % 28), "MK"[index % 2]) for index in range(count)]


def record(kind: str, fields: dict[int, str]) -> str:
    """A record of full length with texts at positions (from 1)."""
    text = kind.ljust(LENGTHS[kind])
    for position, part in fields.items():
        assert position - 1 + len(part) <= LENGTHS[kind]
        text = text[: position - 1] + part + text[position - 1 + len(part) :]
    return text


def start(produced: str, previous: str, task: str = TASK) -> str:
    return record("000", {4: "0" * 10, 14: task, 20: produced, 28: previous})


def person(number: str, current: str = "", status: str = "01") -> str:
    return record("001", {4: number, 14: current, 24: status, 26: "200101011200", 39: "K", 40: "1950-01-01"})


def name(number: str, first: str = "Bodil Ærøskøbing", last: str = "Åkjær") -> str:
    return record("008", {4: number, 14: first, 106: last, 160: f"{last},{first}"[:34]})


def former(number: str, old: str) -> str:
    return record("022", {4: number, 14: old, 24: "1950-01-01", 35: "2026-11-19"})


def event(number: str, code: str, mark: str = "") -> str:
    return record("099", {4: number, 14: "202611191030", 26: code, 29: mark})


def refused(key: str, code: str) -> str:
    return record("910", {4: key, 14: "OP" + key, 89: code, 93: "Personnummer findes ikke"})


def ended(number: str) -> str:
    return record("997", {4: number, 14: "202611191030", 26: "A45"})


def end(count: int) -> str:
    return record("999", {4: "9" * 10, 14: f"{count:08d}"})


def written(records: list[str], form: Form = "lines") -> bytes:
    """The bytes of records: of fixed length without line ends, or in lines without trailing blanks."""
    if form == "fixed":
        return "".join(records).encode("iso-8859-1")
    line_end = "\n" if form == "lines" else "\r\n"
    return "".join(text.rstrip(" ") + line_end for text in records).encode("iso-8859-1")


def delivery(
    produced: str,
    previous: str,
    between: list[str],
    form: Form = "lines",
    *,
    task: str = TASK,
    count: int | None = None,
) -> bytes:
    """A whole file: start record, the given records, end record with their count (or another)."""
    last = end(len(between) if count is None else count)
    return written([start(produced, previous, task), *between, last], form)


def file_of(day: int, *records: str, form: Form = "lines") -> bytes:
    """A whole file produced on a day of November 2026, after that of the day before."""
    return delivery(f"202611{day:02d}", f"202611{day - 1:02d}", list(records), form)

"""Event files of the person register (CPR Direkte, udtræk P12170): records in, values out.

Belongs here: the record types with their lengths, and what is read of them. Fetching is `clients.event_files`.

Promises: a file is read whole or not at all: start record, end record and its count must fit; of a person nothing but
numbers and event codes is read (names and addresses are stepped over: the person is looked up afterwards); errors
name file, record number and record type, never what a record says. Does not promise that anybody's data changed: a
full delivery holds everybody.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from integration_assets.clients.http import PermanentError, mask
from integration_assets.domain.people.ports import PersonEvent

START_BYTES: Final = 64
"""So many bytes from the beginning of a file hold its start record, whatever the line ends."""

_START: Final = "000"
_PERSON: Final = "001"
_FORMER: Final = "022"
_EVENT: Final = "099"
_REFUSED: Final = "910"
_ENDED: Final = "997"
_END: Final = "999"
_FROM_000: Final = (
    *(35, 106, 306, 249, 37, 200, 203, 26, 193, 37, 30, 25, 95, 36, 23, 147, 58, 272, 60, 75),
    *(47, 63, 45, 96, 218, 40, 173, 44, 36, 109, 48, 269, 269, 269),
)
_LENGTHS: Final[dict[str, int]] = {
    **{f"{kind:03d}": length for kind, length in enumerate(_FROM_000)},
    _EVENT: 45,
    _REFUSED: 157,
    _ENDED: 43,
    _END: 21,
}
"""Characters of a record by its type: what it takes to step through a file without line ends."""

_CODEC: Final = "iso-8859-1"
_PADDING: Final = " \r\n\x1a"
_NO_NUMBER: Final = "0000000000"
_NO_DAY: Final = "00000000"


class EventFileError(PermanentError):
    """A file that is not a whole event file; nothing of it was taken."""

    def __init__(self, file: str, what: str, record: int | None = None, kind: str | None = None) -> None:
        place = "" if record is None else f", record {record}"
        place += "" if kind is None else f" (type {kind})"
        super().__init__(f"Event file {shown(file)}{place}: {what}. Nothing of the file was taken.", code="event_file")


@dataclass(frozen=True)
class Start:
    """What a file says of itself: the task (opgavenummer), its production day, and that of the task's delivery before.

    `previous_on` is None where the register names none.
    """

    task: str
    produced_on: date
    previous_on: date | None


@dataclass(frozen=True)
class Refusal:
    """A line of our requests that the register refused, with its error code; `number` where the line holds one."""

    code: str
    number: str | None = field(repr=False)


@dataclass(frozen=True)
class EventFile:
    """One delivery. `events` has one entry per person, in the order of the file; former numbers come last.

    `ended` are numbers whose subscription was deleted; `unknown` counts the records of types that were stepped over
    because nobody here knows them.
    """

    start: Start
    events: tuple[PersonEvent, ...]
    ended: tuple[str, ...] = field(repr=False)
    refusals: tuple[Refusal, ...]
    unknown: dict[str, int]


def shown(file: str) -> str:
    """A file name as it may stand in a message: printable, and without anything that looks like a personal number."""
    return mask(file.encode("utf-8", "replace").decode())


def read_start(file: str, head: bytes) -> Start:
    """The start record at the beginning of a file, of which START_BYTES bytes are enough. Raises EventFileError."""
    return _start(next(_records(file, head)))


def read_file(file: str, content: bytes) -> EventFile:
    """The values of a whole file, with line ends or without; `file` is its name, for messages.

    Raises EventFileError where the file is cut, miscounted, or not of the form of P12170.
    """
    records = _records(file, content)
    reading = _Reading(_start(next(records)))
    for record in records:
        reading.take(record)
    return reading.result()


@dataclass(frozen=True)
class _Record:
    """One record; in a file with line ends trailing blanks may be missing. `position` counts from 1.

    Characters are counted from 1 too, as the register's descriptions do.
    """

    file: str
    position: int
    kind: str
    text: str = field(repr=False)

    def part(self, first: int, length: int) -> str:
        """So many characters from the first one on, without outer blanks."""
        return self.text[first - 1 : first - 1 + length].strip()

    def number(self, first: int) -> str:
        """The personal number that begins there. Raises EventFileError where there is none."""
        number = self.part(first, 10)
        if not _has_digits(number, 10):
            raise self.wrong("a personal number is unreadable")
        return number

    def day(self, first: int) -> date:
        """The day (YYYYMMDD) that begins there. Raises EventFileError where there is none."""
        digits = self.part(first, 8)
        if _has_digits(digits, 8):
            try:
                return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
            except ValueError:
                pass
        raise self.wrong("a production day is unreadable")

    def wrong(self, what: str) -> EventFileError:
        """The error that this record makes of its file."""
        return EventFileError(self.file, what, self.position, self.kind)


def _records(file: str, content: bytes) -> Iterator[_Record]:
    """The records of a file in turn: first its start, last its end with the right count, none after it.

    A record goes to the next line end, or where there is none within its length, to the end of its length. One of an
    unknown type can be stepped over only in a file with line ends.
    """
    text = content.decode(_CODEC)
    place, position, has_line_ends = 0, 0, False
    while place < len(text):
        if text[place] in "\r\n":
            place += 1
            continue
        position += 1
        kind = text[place : place + 3]
        if not _has_digits(kind, 3):
            raise EventFileError(file, "no record begins here", position)
        if kind not in _LENGTHS and not has_line_ends:
            what = "without line ends, a record of an unknown type cannot be stepped over"
            raise EventFileError(file, what, position, kind)
        record, after, has_line_ends = _cut_out(text, place, _LENGTHS.get(kind))
        if record is None:
            raise EventFileError(file, "the file is cut, or the record not as long as its type", position, kind)
        if (kind == _START) != (position == 1):
            raise EventFileError(file, "a start record is to stand first, and nowhere else", position, kind)
        found = _Record(file, position, kind, record)
        if kind == _END:
            _check_end(found, text[after:])
        yield found
        if kind == _END:
            return
        place = after
    raise EventFileError(file, "the end record is missing" if position else "the start record is missing")


def _cut_out(text: str, place: int, length: int | None) -> tuple[str | None, int, bool]:
    """The record that begins at a place, the place after it, and whether a line end stood between.

    No record where the text ends too early, or where the line is longer than the length of the type.
    """
    reach = len(text) if length is None else place + length + len("\r\n")
    end = text.find("\n", place, reach)
    if end >= 0:
        record = text[place:end].removesuffix("\r")
        return record if length is None or len(record) <= length else None, end + 1, True
    if length is None or place + length > len(text):
        return None, place, False
    return text[place : place + length], place + length, False


def _check_end(record: _Record, rest: str) -> None:
    """The end record counts (tæller) the records between start and end, and nothing follows it."""
    count = record.text[13:21]
    if not _has_digits(count, 8) or int(count) != record.position - 2:
        raise record.wrong("the file does not hold as many records as its end record counts")
    if rest.strip(_PADDING):
        raise record.wrong("the file goes on after its end record")


def _start(record: _Record) -> Start:
    named = record.part(28, 8) not in ("", _NO_DAY)
    return Start(record.part(14, 6), record.day(20), record.day(28) if named else None)


@dataclass
class _Person:
    """What a file says of one number: codes, the number that took its place, and those whose place it took."""

    codes: set[str] = field(default_factory=set)
    successor: str | None = None
    former: list[str] = field(default_factory=list)


class _Reading:
    """What has been read of a file after its start record."""

    def __init__(self, start: Start) -> None:
        self._start = start
        self._persons: dict[str, _Person] = {}
        self._ended: list[str] = []
        self._refusals: list[Refusal] = []
        self._unknown: Counter[str] = Counter()

    def take(self, record: _Record) -> None:
        """Keeps what is wanted of the next record."""
        if record.kind == _REFUSED:
            # The key of a refused line (sorteringsfelt) is a number where the request was about a person.
            key = record.part(4, 10)
            self._refusals.append(Refusal(record.part(89, 4), key if _has_digits(key, 10) else None))
        elif record.kind == _ENDED:
            self._ended.append(record.number(4))
        elif record.kind not in _LENGTHS:
            self._unknown[record.kind] += 1
        elif record.kind != _END:
            self._take_person(record)

    def result(self) -> EventFile:
        """Everything, once the end record has been taken."""
        # Somebody whom we know by a former number is found by her new one only if both are told.
        for number, person in list(self._persons.items()):
            for former in person.former:
                old = self._persons.setdefault(former, _Person())
                old.codes |= person.codes
                old.successor = old.successor or person.successor or number
        events = (
            PersonEvent(number, frozenset(person.codes), self._start.produced_on, person.successor)
            for number, person in self._persons.items()
        )
        ended = tuple(dict.fromkeys(self._ended))
        return EventFile(self._start, tuple(events), ended, tuple(self._refusals), dict(self._unknown))

    def _take_person(self, record: _Record) -> None:
        number = record.number(4)
        person = self._persons.setdefault(number, _Person())
        if record.kind == _PERSON and record.part(14, 10) not in ("", _NO_NUMBER, number):
            person.successor = record.number(14)
        elif record.kind == _FORMER and (former := record.number(14)) != number:
            person.former.append(former)
        elif record.kind == _EVENT:
            code = record.part(26, 3)
            if len(code) != 3:
                raise record.wrong("the event code is missing")
            person.codes.add(code)


def _has_digits(text: str, count: int) -> bool:
    return len(text) == count and text.isascii() and text.isdecimal()

"""The content of DAR's files: field names of the register, and reading a file into the typed rows of its entity.

Belongs here: the wire form of a file and of its values. Fetching is `clients.address_register`, how entities make
addresses `domain.addresses.dar_frames`.

Promises: a file is read in portions, never as one Python object; unknown fields are ignored. Does not promise to read
files whose rows are not one JSON array of objects.
"""

import codecs
import io
import queue
import re
import threading
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Final, Protocol

import polars as pl

from integration_assets.clients.http import PermanentError
from integration_assets.domain.addresses.dar_tables import DAR_TABLES, Kind, id_columns
from integration_assets.domain.addresses.ids import halves

_VERSION: Final = ("status", "virkningFra", "virkningTil", "registreringFra", "registreringTil")
ENTITIES: Final[dict[str, tuple[str, ...]]] = {
    "Adresse": ("id_lokalId", "husnummer", "etagebetegnelse", "doerbetegnelse", "dørbetegnelse", *_VERSION),
    "Husnummer": (
        "id_lokalId",
        "husnummertekst",
        "navngivenVej",
        "postnummer",
        "supplerendeBynavn",
        "kommuneinddeling",
        "adgangspunkt",
        *_VERSION,
    ),
    "Adressepunkt": ("id_lokalId", "position", *_VERSION),
    "NavngivenVej": ("id_lokalId", "vejnavn", "vejadresseringsnavn", *_VERSION),
    "NavngivenVejKommunedel": ("id_lokalId", "kommune", "vejkode", "navngivenVej", *_VERSION),
    "NavngivenVejPostnummer": ("id_lokalId", "navngivenVej", "postnummer", *_VERSION),
    "Postnummer": ("id_lokalId", "postnr", "navn", *_VERSION),
    "SupplerendeBynavn": ("id_lokalId", "navn", *_VERSION),
}
"""The eight entities that make addresses, with the fields that are read."""


class SupportsRead(Protocol):
    """What is needed of an open file."""

    def read(self, size: int, /) -> bytes: ...


Read = Callable[[int, int], None]
"""Told how many bytes of a file have been read, and how many there are."""

_PORTION_BYTES: Final = 16 << 20
_PORTIONS_AHEAD: Final = 1
_CUT_WINDOW_BYTES: Final = 256 << 10
_CUTS_TRIED: Final = 32
_BETWEEN: Final = re.compile(rb"\}\s*,\s*\{")
_NUMBER: Final = r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"
_POINT: Final = rf"(?i)^\s*POINT\s*(?:Z|M|ZM)?\s*\(\s*({_NUMBER})\s+({_NUMBER})"


def entity_rows(entity: str, path: Path, read: Read | None = None) -> Generator[pl.DataFrame, None, None]:
    """The rows of a total file, portion by portion, with the schema of DAR_TABLES[entity].

    Rows of registrations that have been replaced are left out. Raises PermanentError when the file is neither a JSON
    array nor a zip with one, or when rows have no usable id.
    """
    for rows in _typed_portions(entity, path, read):
        yield rows.filter(~pl.col("replaced")).select(list(DAR_TABLES[entity]))


def entity_changes(entity: str, kind: Kind, path: Path) -> pl.DataFrame:
    """The rows of a delta file, with the schema of DAR_TABLES[entity] and `ended`, each in the place of an earlier one.

    Of a bitemporal register, rows whose registration is replaced are no more; of a current one, things whose newest
    version has ended. Where rows follow each other in one file, the last one counts. Raises as `entity_rows`.
    """
    schema = pl.Schema({**DAR_TABLES[entity], "replaced": pl.Boolean})
    rows = pl.concat([schema.to_frame(), *_typed_portions(entity, path, None)])
    if rows.select(pl.any_horizontal(pl.col(id_columns(entity)).is_null()).any()).item():
        raise PermanentError(f"The delta file of {entity} has rows without id.", code="file_form")
    if kind == "current":
        rows = rows.with_columns((pl.col("replaced") | pl.col("valid_to").is_not_null()).alias("ended"))
        rows = rows.sort("ended", "registered_from", "valid_from", descending=[True, False, False], maintain_order=True)
    else:
        rows = rows.with_columns(pl.col("replaced").alias("ended")).sort("ended", maintain_order=True)
    return rows.drop("replaced")


def portions(file: SupportsRead, schema: pl.Schema, portion_bytes: int = _PORTION_BYTES) -> Iterator[pl.DataFrame]:
    """The rows of a JSON array portion by portion.

    A portion is cut between two objects. What looks like that may stand inside a text, so the parser is the judge: of
    the last places that look right, the last that leaves a readable array is taken. Raises ValueError when the file is
    no array.
    """
    rest = file.read(portion_bytes).removeprefix(codecs.BOM_UTF8).lstrip()
    if not rest.startswith(b"["):
        raise ValueError("no array")
    rest = rest[1:]
    while piece := file.read(portion_bytes):
        rest += piece
        for cut in _cuts(rest):
            try:
                frame = _rows(rest[: cut.start() + 1], schema)
            except pl.exceptions.PolarsError:
                continue
            yield frame
            rest = rest[cut.end() - 1 :]
            break
    body = rest.rstrip()
    if not body.endswith(b"]"):
        raise ValueError("the array does not end")
    if content := body[:-1].strip():
        yield _rows(content, schema)


def _cuts(rest: bytes) -> list[re.Match[bytes]]:
    """Places between two objects near the end, the last first."""
    near_end = list(_BETWEEN.finditer(rest, max(0, len(rest) - _CUT_WINDOW_BYTES)))
    return near_end[: -_CUTS_TRIED - 1 : -1]


def _rows(objects: bytes, schema: pl.Schema) -> pl.DataFrame:
    """The rows of objects with commas between them. Raises PolarsError where they are not."""
    between = _BETWEEN.search(objects)
    if between is not None and objects.count(b"\n") == objects.count(between[0]) * between[0].count(b"\n"):
        # One object per line is read four times as fast. A comma that was none of these leaves a line unreadable.
        lines = objects.replace(between[0], b"}\n{")
        try:
            frame = pl.read_ndjson(io.BytesIO(lines), schema=schema)
        except pl.exceptions.PolarsError:
            pass
        else:
            if frame.height == lines.count(b"\n") + 1:
                return frame.select(list(schema))
    return pl.read_json(io.BytesIO(b"[" + objects + b"]"), schema=schema).select(list(schema))


def _typed_portions(entity: str, path: Path, read: Read | None) -> Iterator[pl.DataFrame]:
    """Portions of a file with the columns of DAR_TABLES[entity] and `replaced`, read ahead by a thread of its own."""
    schema = pl.Schema(dict.fromkeys(ENTITIES[entity], pl.String()))
    try:
        with _opened(entity, path, read) as file, closing(_ahead(portions(file, schema))) as ready:
            for rows in ready:
                yield _typed(entity, rows)
    except (zipfile.BadZipFile, zlib.error, EOFError, pl.exceptions.PolarsError, ValueError) as failure:
        message = f"The file of {entity} is not a zipped JSON array: {type(failure).__name__}."
        raise PermanentError(message, code="file_form") from None


@contextmanager
def _opened(entity: str, path: Path, read: Read | None) -> Iterator[SupportsRead]:
    """The JSON text of a zip with one JSON member, or of a plain file."""
    size = path.stat().st_size
    with path.open("rb") as packed:
        if path.suffix.lower() == ".json":
            yield _Watched(packed, packed, size, read)
            return
        with zipfile.ZipFile(packed) as archive:
            members = [name for name in archive.namelist() if name.lower().endswith(".json")]
            if len(members) != 1:
                raise PermanentError(f"The zip of {entity} holds {len(members)} JSON files, not one.", code="file_form")
            with archive.open(members[0]) as file:
                yield _Watched(file, packed, size, read)


class _Watched:
    """A file that tells how far the packed file beneath it has been read."""

    def __init__(self, file: IO[bytes], packed: IO[bytes], size: int, read: Read | None) -> None:
        self._file = file
        self._packed = packed
        self._size = size
        self._told = read

    def read(self, size: int, /) -> bytes:
        piece = self._file.read(size)
        if self._told is not None:
            self._told(min(self._packed.tell(), self._size), self._size)
        return piece


def _ahead(rows: Iterator[pl.DataFrame]) -> Generator[pl.DataFrame, None, None]:
    """The same frames, the next of them made while the last one is worked on. Errors come through."""
    ready: queue.Queue[pl.DataFrame | Exception | None] = queue.Queue(_PORTIONS_AHEAD)
    stopped = threading.Event()

    def put(item: pl.DataFrame | Exception | None) -> None:
        while not stopped.is_set():
            try:
                ready.put(item, timeout=0.1)
            except queue.Full:
                continue
            return

    def make() -> None:
        try:
            for frame in rows:
                put(frame)
                if stopped.is_set():
                    return
            put(None)
        except Exception as failure:
            put(failure)

    maker = threading.Thread(target=make, name="address-file-reader", daemon=True)
    maker.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, Exception):
                raise item
            yield item
    finally:
        stopped.set()
        maker.join()


def _typed(entity: str, rows: pl.DataFrame) -> pl.DataFrame:
    """Text rows with the fields of ENTITIES[entity] as columns of DAR_TABLES[entity], and `replaced`."""
    high, low = halves(pl.col("id_lokalId"))
    ids = {"id": _id("id_lokalId")} if id_columns(entity) == ["id"] else {"id_high": high, "id_low": low}
    typed = rows.select(
        **ids,
        **_CONTENT[entity](),
        **({"status": pl.col("status").cast(pl.UInt8)} if "status" in DAR_TABLES[entity] else {}),
        valid_from=_moment("virkningFra"),
        valid_to=_moment("virkningTil"),
        registered_from=_moment("registreringFra"),
        replaced=pl.col("registreringTil").is_not_null(),
    )
    if "id_high" in ids and (lost := typed["id_high"].null_count()):
        raise PermanentError(f"The file of {entity} has {lost} rows whose id is no uuid.", code="file_form")
    return typed


def _address_fields() -> Mapping[str, pl.Expr]:
    house_high, house_low = halves(pl.col("husnummer"))
    door = _text(pl.coalesce("doerbetegnelse", "dørbetegnelse")).str.to_lowercase()
    return {
        "house_high": house_high,
        "house_low": house_low,
        "floor": _text(pl.col("etagebetegnelse")).str.to_lowercase(),
        "door": _without_zeros(door),
    }


def _house_fields() -> Mapping[str, pl.Expr]:
    point_high, point_low = halves(pl.col("adgangspunkt"))
    return {
        "house_number": _without_zeros(_text(pl.col("husnummertekst")).str.to_uppercase()),
        "road": _id("navngivenVej"),
        "postcode_id": _id("postnummer"),
        "town": _id("supplerendeBynavn"),
        "division": _id("kommuneinddeling"),
        "point_high": point_high,
        "point_low": point_low,
    }


def _point_fields() -> Mapping[str, pl.Expr]:
    position = pl.col("position")
    return {
        "easting": position.str.extract(_POINT, 1).cast(pl.Float64),
        "northing": position.str.extract(_POINT, 2).cast(pl.Float64),
    }


_CONTENT: Final[dict[str, Callable[[], Mapping[str, pl.Expr]]]] = {
    "Adresse": _address_fields,
    "Husnummer": _house_fields,
    "Adressepunkt": _point_fields,
    "NavngivenVej": lambda: {
        "street_name": _text(pl.col("vejnavn")),
        "short_street_name": _text(pl.col("vejadresseringsnavn")),
    },
    "NavngivenVejKommunedel": lambda: {
        "road": _id("navngivenVej"),
        "municipality_code": _text(pl.col("kommune")).str.zfill(4),
        "street_code": _text(pl.col("vejkode")).str.zfill(4),
    },
    "NavngivenVejPostnummer": lambda: {"road": _id("navngivenVej"), "postcode_id": _id("postnummer")},
    "Postnummer": lambda: {"postcode": _text(pl.col("postnr")).str.zfill(4), "district": _text(pl.col("navn"))},
    "SupplerendeBynavn": lambda: {"supplementary_town": _text(pl.col("navn"))},
}


def _text(column: pl.Expr) -> pl.Expr:
    """Stripped text; empty is null."""
    stripped = column.str.strip_chars()
    return pl.when(stripped != "").then(stripped)


def _without_zeros(text: pl.Expr) -> pl.Expr:
    """The text without leading zeros, unless there is nothing else."""
    bare = text.str.strip_chars_start("0")
    return pl.when(bare == "").then(text).otherwise(bare)


def _id(field: str) -> pl.Expr:
    return _text(pl.col(field)).str.to_lowercase()


def _moment(field: str) -> pl.Expr:
    """A time stamp with or without fractions, given in UTC (``Z``) or with an offset."""
    text = pl.col(field)
    moment = text.str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="us", time_zone="UTC", strict=False)
    offset = text.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%z", time_unit="us", time_zone="UTC", strict=False)
    return pl.coalesce(moment, offset)

"""Washing whole files of addresses: a list in, the same list with answers out."""

import hashlib
import time
from collections import Counter, deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import polars as pl
import polars.selectors as cs

from integration_assets.cache.washing_store import NoWashingIndex, open_washing_index, write_washing_index
from integration_assets.clients.address_listing import totals_in
from integration_assets.clients.address_lists import BadList, GivenList, check_new, new_list, open_list
from integration_assets.clients.address_register import Progress
from integration_assets.domain.addresses.washing import WashingIndex, wash, wash_components
from integration_assets.domain.addresses.washing.components import COLUMNS
from integration_assets.domain.addresses.washing.washed import UNIT, WASHED
from integration_assets.flows.address_register import frames_of_folder

TEXT: Final = "text"
PREFIX: Final = "washed_"

_STREET: Final = ("street_name", "street_code")
_TEXTS: Final = (pl.String, pl.Categorical, pl.Enum, pl.Null)
_PORTION: Final = 25_000

_CANDIDATE: Final = pl.struct(
    pl.element().struct.field(name)
    for name in ("unit_id", "access_id", "text", "category", "distance", "differences", "unknown_tokens")
)
_ANSWER: Final = (
    pl.col("category"),
    pl.col("outcome"),
    pl.col("method"),
    pl.col("unit_id"),
    pl.col("access_id"),
    pl.col("matched_text").alias("matched_address"),
    pl.col("current_text").alias("current_address"),
    pl.col("current").struct.field("status").alias("status"),
    pl.col("distance"),
    pl.col("differences"),
    pl.col("unknown_tokens"),
    pl.col("candidates").list.eval(_CANDIDATE).alias("candidates"),
    pl.col("generation").alias("register_generation"),
)
ANSWER: Final = pl.DataFrame(schema=WASHED).select(_ANSWER).schema
"""The columns that a list gets, with the meaning that they have in WASHED: matched_address is the line of the version
that the text names, current_address that of the same address today, status its DAR status, register_generation the
generation of the register."""


@dataclass
class Tally:
    """What became of a list: its rows, how many there are of each category, and how long washing took."""

    rows: int = 0
    seconds: float = 0.0
    categories: Counter[str] = field(default_factory=Counter)

    def add(self, categories: pl.Series) -> None:
        """Counts more rows."""
        self.rows += len(categories)
        self.categories.update(dict(categories.value_counts().iter_rows()))

    def sentence(self) -> str:
        """The figures as one line: "1,200 rows in 0.8 s (1,500 per second): A 91.0 %, B 6.5 %, C 2.5 %."."""
        if not self.rows:
            return "No rows."
        shares = ", ".join(f"{name} {100 * self.categories[name] / self.rows:.1f} %" for name in "ABC")
        rate = self.rows / max(self.seconds, 1e-3)
        return f"{self.rows:,} rows in {self.seconds:.1f} s ({rate:,.0f} per second): {shares}."


def wash_file(
    given: Path,
    target: Path,
    index: Callable[[], WashingIndex],
    kind: str = UNIT,
    workers: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> Tally:
    """Washes the list in `given` and writes it with the columns of ANSWER behind its own to `target`.

    A list has a column `text`, or columns of `washing.components.COLUMNS` with a street among them; letter case and
    blanks around these names do not count. Each row gets one answer, an empty text too. Answer columns whose name is
    taken begin with PREFIX. `index` gives the register once the files were found to do; `workers` threads wash
    portions side by side; `progress` is told how far the list has been read, and its size.

    A few portions at a time are in memory. Raises BadList; `target` is then as it was.
    """
    opened = open_list(given)
    source = _columns(opened)
    names = _free_names(opened.schema)
    schema = pl.Schema({**opened.schema, **{names[name]: dtype for name, dtype in ANSWER.items()}})
    if target.exists() and target.samefile(given):
        raise BadList(f"{given} would be replaced by what is made of it. Name another file to be written.")
    check_new(target, schema)
    register = index()
    tally = Tally()
    started = time.perf_counter()

    def answered(rows: pl.DataFrame) -> pl.DataFrame:
        return _washed(rows, source, register, kind).select(_ANSWER)

    with (
        new_list(target, schema, opened.separator, opened.with_bom) as sheet,
        closing(_side_by_side(opened, answered, workers)) as portions,
    ):
        for rows, answers, read, size in portions:
            sheet.add(rows.hstack(answers.rename(names)))
            tally.add(answers["category"])
            if progress is not None:
                progress(read, size)
    tally.seconds = time.perf_counter() - started
    return tally


def index_of_folder(folder: Path, keep: Path | None = None, progress: Progress | None = None) -> WashingIndex:
    """The washing index of the register whose download files lie in a folder.

    With `keep` the index of these very files is taken from there, or made and left there for the next time, in a folder
    of its own. Raises PermanentError and RegisterRefused as `frames_of_folder`, OSError where it cannot be kept.
    """
    if keep is None:
        return WashingIndex.build(frames_of_folder(folder, progress=progress))
    own = keep / _name_of(folder)
    try:
        return open_washing_index(own)
    except NoWashingIndex:
        write_washing_index(WashingIndex.build(frames_of_folder(folder, progress=progress)), own)
    return open_washing_index(own)


def _name_of(folder: Path) -> str:
    """A name that no other set of download files has: kind, generation, and what names, sizes and times make."""
    kind, generation, paths = totals_in(folder)
    states = sorted((path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in paths.values())
    return f"{kind}-{generation}-{hashlib.sha256(repr(states).encode()).hexdigest()[:12]}"


def _columns(given: GivenList) -> dict[str, str]:
    """The columns that are washed, by the names that washing knows. Raises BadList where they do not do."""
    known = {TEXT, *COLUMNS}
    found: dict[str, str] = {}
    for name in given.schema:
        plain = name.strip().lower()
        if plain in known and found.setdefault(plain, name) != name:
            raise BadList(f"{given.path} has two columns {plain}: {found[plain]!r} and {name!r}.")
    parts = [name for name in COLUMNS if name in found]
    if TEXT in found and parts:
        raise BadList(
            f"{given.path} has a column {TEXT} and columns of components ({', '.join(parts)}): "
            "rename those that are not to be washed."
        )
    if TEXT not in found and not any(name in found for name in _STREET):
        raise BadList(
            f"{given.path} has no column to wash: it needs {TEXT}, or components with {' or '.join(_STREET)} among "
            f"them ({', '.join(COLUMNS)})."
        )
    for plain, name in found.items():
        dtype = given.schema[name]
        if not (isinstance(dtype, _TEXTS) or (plain != TEXT and dtype.is_numeric())):
            raise BadList(f"{given.path} has no text in its column {name} but {dtype}.")
    return found


def _free_names(taken: pl.Schema) -> dict[str, str]:
    """The names of the answer's columns in a list that has columns already."""
    names: dict[str, str] = {}
    for name in ANSWER:
        free = name
        while free in taken or free in names.values():
            free = PREFIX + free
        names[name] = free
    return names


def _washed(rows: pl.DataFrame, columns: dict[str, str], index: WashingIndex, kind: str) -> pl.DataFrame:
    """WASHED of the rows of a list. Whole numbers that were kept as fractions lose their ".0"."""
    asked = rows.select(pl.col(name).alias(plain) for plain, name in columns.items())
    asked = asked.with_columns(cs.float().cast(pl.Int64, strict=False)).cast(pl.String)
    if TEXT in columns:
        return wash(asked[TEXT], index, kind)
    return wash_components(asked.with_columns(pl.when(cs.all() != "").then(cs.all())), index, kind)


def _side_by_side(
    given: GivenList, answered: Callable[[pl.DataFrame], pl.DataFrame], workers: int
) -> Generator[tuple[pl.DataFrame, pl.DataFrame, int, int], None, None]:
    """The portions of a list in order, each with its answers, how far it was read, and its size."""
    waiting: deque[tuple[pl.DataFrame, Future[pl.DataFrame], int, int]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for portion in given.portions(_PORTION):
            waiting.append((portion.rows, pool.submit(answered, portion.rows), portion.read, portion.size))
            if len(waiting) > workers:
                yield _next(waiting)
        while waiting:
            yield _next(waiting)


def _next(
    waiting: deque[tuple[pl.DataFrame, Future[pl.DataFrame], int, int]],
) -> tuple[pl.DataFrame, pl.DataFrame, int, int]:
    rows, answers, read, size = waiting.popleft()
    return rows, answers.result(), read, size

"""`integration-assets addresses`: washes files of addresses, remembers decisions about texts, lists both."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

if TYPE_CHECKING:  # imported by what needs them: the other commands start without
    import polars as pl

    from integration_assets.cache.washings import Washings
    from integration_assets.domain.addresses.washing import WashingIndex
    from integration_assets.settings import Settings

BAD_INPUT = 2
MOST_WORKERS = 4
NOTHING = "–"
WIDTH_OF_FILES = 250

addresses = typer.Typer(
    help="Finds the Danish address that a hand-typed text means.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


class Kind(StrEnum):
    """What texts mean: addresses with floor and door, or those of houses."""

    unit = "unit"
    access = "access"


DataDirOption = Annotated[Path | None, typer.Option(help="Folder of register and cache; that of the settings.")]
KindOption = Annotated[Kind, typer.Option(help="Unit addresses (adresser) or access addresses (adgangsadresser).")]


@addresses.command()
def wash(
    given: Annotated[Path, typer.Argument(metavar="IN", help="CSV or parquet with a column text, or components.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="CSV or parquet, by its ending.")],
    kind: KindOption = Kind.unit,
    register: Annotated[
        Path | None, typer.Option(help="Folder with download files of the address register (DAR_V3_…).")
    ] = None,
    keep_index: Annotated[
        Path | None, typer.Option(help="Folder in which what --register gives is kept for the next time.")
    ] = None,
    data_dir: DataDirOption = None,
) -> None:
    """Writes the rows of IN to OUT, each with the address that it means, a category (A, B, C) and the reasons.

    Exits with 2 and a sentence when a file does not do or no register is there; OUT is then as it was.
    """
    from integration_assets.cache.register_checks import RegisterRefused
    from integration_assets.cache.washing_store import NoWashingIndex, index_folder, open_washing_index
    from integration_assets.clients.address_lists import BadList
    from integration_assets.clients.http import CallError
    from integration_assets.flows.washing_files import index_of_folder, wash_file

    if keep_index is not None and register is None:
        _refuse("--keep-index keeps what is made of --register; name that folder too.")
    with _progress() as progress:

        def index() -> "WashingIndex":
            if register is None:
                return open_washing_index(index_folder(_settings(data_dir).data_dir))
            return index_of_folder(register, keep_index, progress)

        try:
            tally = wash_file(
                given, target, index, kind.value, _workers(), lambda done, size: progress("wash", done, size)
            )
        except NoWashingIndex as error:
            _refuse(f"{error} Or name a folder with its download files: --register.")
        except (BadList, RegisterRefused, CallError, OSError) as error:
            _refuse(str(error))
    print(tally.sentence())


@addresses.command()
def decide(
    text: Annotated[str, typer.Argument(help="The text as it stands in the billing system.")],
    kind: Annotated[Kind, typer.Option(help="What the text is to mean.")],
    by: Annotated[str, typer.Option(help="Who decides.")],
    address: Annotated[str | None, typer.Option(help="Uuid of the address that the text means.")] = None,
    none: Annotated[bool, typer.Option("--none", help="There is no such address.")] = False,
    note: Annotated[str | None, typer.Option(help="Why.")] = None,
    data_dir: DataDirOption = None,
) -> None:
    """Remembers which address a text means that no rule resolves; runs use it from then on."""
    from integration_assets.cache.washing_store import NoWashingIndex, index_folder, open_washing_index
    from integration_assets.flows.address_decisions import DecisionRefused
    from integration_assets.flows.address_decisions import decide as remember

    if (address is None) != none:
        _refuse("Name either the address that is meant (--address) or that there is none (--none).")
    settings = _settings(data_dir)
    try:
        index = open_washing_index(index_folder(settings.data_dir))
        with _washings(settings) as washings:
            made = remember(washings, index, kind.value, text, address, by=by, note=note, now=datetime.now(UTC))
    except (NoWashingIndex, DecisionRefused) as error:
        _refuse(str(error))
    meant = "no address" if made.line is None else f"{made.line} ({made.address_id})"
    print(f'Remembered: "{made.normalized}" ({kind.value}) means {meant}.')
    if made.replaces is not None:
        print(f"{made.replaces} had decided otherwise; that is replaced.")
    if made.rules_say is not None:
        print(f"The rules resolve this text themselves: {made.rules_say}. The decision counts only when they do not.")


@addresses.command()
def decisions(data_dir: DataDirOption = None) -> None:
    """Lists what operators decided, the latest first."""
    with _washings(_settings(data_dir)) as washings:
        rows = washings.all_decisions()
    _print_table(rows, "Nothing has been decided yet.")


@addresses.command()
def changes(
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="First day, in Danish time; all days.")
    ] = None,
    data_dir: DataDirOption = None,
) -> None:
    """Lists the answers that another register or other rules changed."""
    import polars as pl

    from integration_assets.domain.registry.time import COPENHAGEN

    moment = datetime(1970, 1, 1, tzinfo=UTC) if since is None else since.replace(tzinfo=COPENHAGEN)
    with _washings(_settings(data_dir)) as washings:
        rows = washings.changed_since(moment)
    turned = (
        pl.format("{} → {}", f"{name}_before", name).alias(name) for name in ("category", "generation", "rule_version")
    )
    shown = rows.select("kind", "text", *turned, "address_id_before", "address_id")
    _print_table(shown, "No answer has changed.")


def _settings(data_dir: Path | None) -> "Settings":
    from integration_assets.settings import Settings

    return Settings() if data_dir is None else Settings(data_dir=data_dir)


@contextmanager
def _washings(settings: "Settings") -> Iterator["Washings"]:
    """What the cache remembers about texts. It asks for no secret, as the cache as a whole would."""
    from integration_assets.cache.engine import cache_engine, migrate
    from integration_assets.cache.washings import Washings

    url = settings.cache_url.get_secret_value() if settings.cache_url else None
    engine = cache_engine(url, settings.data_dir)
    try:
        migrate(engine)
        yield Washings(engine)
    finally:
        engine.dispose()


def _workers() -> int:
    return min(MOST_WORKERS, os.cpu_count() or 1)


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """A function that shows how far something has come, as one bar for each; only on a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        known: dict[str, TaskID] = {}

        def show(what: str, done: int, size: int) -> None:
            if what not in known:
                known[what] = bars.add_task(what)
            bars.update(known[what], completed=done, total=max(size, 1))

        yield show


def _refuse(sentence: str) -> NoReturn:
    """Says on standard error why the command does nothing, and ends it."""
    print(sentence, file=sys.stderr)
    raise typer.Exit(BAD_INPUT)


def _print_table(rows: "pl.DataFrame", otherwise: str) -> None:
    """Prints the rows, on a terminal in its width, else in the width that they need; or the sentence."""
    if rows.is_empty():
        print(otherwise)
        return
    table = Table(box=None, header_style="bold")
    for name in rows.columns:
        table.add_column(name.replace("_", " "), overflow="fold")
    for row in rows.iter_rows():
        table.add_row(*(_cell(value) for value in row))
    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else WIDTH_OF_FILES)
    console.print(table)


def _cell(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M")
    return NOTHING if value is None else str(value)

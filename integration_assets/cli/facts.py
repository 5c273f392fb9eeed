"""`integration-assets facts`: the facts of an installation, and what processes would do to them."""

import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from integration_assets.cli.exchange import BAD_INPUT, print_answer
from integration_assets.cli.opened import DataDirOption, settings_of

if TYPE_CHECKING:  # imported by what needs it: the other commands start without
    from integration_assets.domain.facts.tariffs import TariffBook

facts = typer.Typer(
    help="Installation facts (anlægsfakta): values of operands over time.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

tariffs = typer.Typer(
    help="Tariffs (tariffer): operands, master data templates, prices, and which installation has which product.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
facts.add_typer(tariffs, name="tariffs")


@facts.command()
def replay(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON; - reads standard input.")],
) -> None:
    """Applies the calls of FILE to the facts told in it and prints the result as JSON; touches nothing.

    FILE has operands, mdts (templates), before (slices), contract_before and call or calls, or many such cases. A call
    that is refused says why in the results and changes nothing. Exits with 2 and a sentence when FILE cannot be read.
    """
    from integration_assets.domain.facts.replay import replay as play

    print_answer(file, play)


@facts.command()
def show(
    installation: Annotated[str, typer.Argument(help="Number of the installation.")],
    on: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only what holds on this day.")] = None,
    history: Annotated[bool, typer.Option("--history", help="The processes too, and why they generated.")] = False,
    svg: Annotated[Path | None, typer.Option(help="Draws the slices into this file.")] = None,
    data_dir: DataDirOption = None,
) -> None:
    """Shows the facts of an installation: which value holds when, and who wrote it.

    Exits with 2 when nothing is stored of the installation.
    """
    import json

    import polars as pl

    from integration_assets.cache.agreement_events import AgreementEvents
    from integration_assets.cache.engine import cache_engine, migrate
    from integration_assets.cache.facts import Facts
    from integration_assets.domain.facts.picture import picture
    from integration_assets.domain.facts.reading import BadExchange

    settings = settings_of(data_dir)
    engine = cache_engine(settings.cache_url.get_secret_value() if settings.cache_url else None, settings.data_dir)
    try:
        migrate(engine)
        stored = Facts(engine)
        rows = stored.slices(installation)
        entries = stored.journal(installation) if history else []
        events = AgreementEvents(engine).of_installation(installation) if history else None
    except BadExchange as error:
        print(error, file=sys.stderr)
        raise typer.Exit(BAD_INPUT) from None
    finally:
        engine.dispose()
    if rows is None:
        print(f"Nothing is stored of installation {installation}.", file=sys.stderr)
        raise typer.Exit(BAD_INPUT)
    if on is not None:
        day = on.date().isoformat()
        rows = [row for row in rows if row["ab"] <= day <= row["bis"] and not row["inactive"]]
    for row in rows:
        season = f" {row['season']}" if row.get("season") else ""
        remark = " inactive" if row["inactive"] else ""
        written = f"{row['binding']}, contract {row['contract']}, product {row['product']}, process {row['process']}"
        value = json.dumps(row["value"], ensure_ascii=False)
        print(f"{row['operand']}{season} {row['ab']} – {row['bis']}{remark}: {value} ({written})")
    causes = {} if events is None else {row["process_id"]: _cause(row) for row in events.iter_rows(named=True)}
    for entry in entries:
        why = f" – full generation {entry['full_generation']}: {entry['reason']}" if entry["reason"] else ""
        print(f"\n{entry['at']:%Y-%m-%d %H:%M} {entry['process_id']} {entry['call']['process']}{why}")
        if cause := causes.get(entry["process_id"]):
            print(f"  {cause}")
        for sign, changed in (("-", entry["removed"]), ("+", entry["added"])):
            for row in changed:
                print(f"  {sign} {row['operand']} {row['ab']} – {row['bis']}: {row['value']}")
    for row in () if events is None else events.filter(pl.col("outcome").is_in(["waiting", "refused"])).to_dicts():
        print(f"\n{row['process_id']} {row['kind']} – {row['outcome']}: {row['why'] or 'the next run carries it out'}")
        print(f"  {_cause(row)}")
    if svg is not None:
        svg.write_text(picture(rows), encoding="utf-8")


def _cause(event: Mapping[str, Any]) -> str:
    """What happened to the agreement, in words."""
    changes = [
        f"{what} {event[f'{name}_before'] or none} → {event[name] or none}"
        for what, name, none in (("moved in", "moved_in", "new"), ("moved out", "moved_out", "open"))
        if event[f"{name}_before"] != event[name]
    ]
    if event["product_before"] != event["product"]:
        changes.append(
            f"product from {event['day']}: {event['product_before'] or 'none'} → {event['product'] or 'none'}"
        )
    told = "; ".join(changes) or f"the product's template or prices from {event['day']}"
    return f"because of agreement {event['customer_number']}, seen on {event['seen_on']}: {told}"


@tariffs.command()
def load(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Tables, or folders of them.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Checks the files and writes nothing.")] = False,
    data_dir: DataDirOption = None,
) -> None:
    """Puts tables of tariffs in force as a new version; tables that are not given stay as they are.

    A file is named operands, templates, prices or products, with .csv or .parquet. The next run follows. Exits with 2
    and a sentence, with nothing written, when a file or the tables together cannot be used.
    """
    from integration_assets.cli.opened import opened_cache, refuse, who
    from integration_assets.domain.facts.operands import BadConfiguration
    from integration_assets.flows.tariffs import checked_tariffs, load_tariffs

    settings = settings_of(data_dir)
    with opened_cache(settings) as cache:
        try:
            if dry_run:
                book = checked_tariffs(cache.tariff_books, files)
                print(f"The tables can be used ({_content(book)}). Nothing was written.")
                return
            loaded = load_tariffs(cache.tariff_books, files, who())
        except BadConfiguration as error:
            refuse(f"{error} Nothing was written.")
    if not loaded.is_new:
        print(f"Version {loaded.version} is in force already: nothing in it differs.")
        return
    print(f"Version {loaded.version} is in force ({_content(loaded.book)}).")
    if settings.tariff_files is not None:
        print(f"The setting tariff_files names {settings.tariff_files}: the next run loads that again.")


@tariffs.command("show")
def show_tariffs(data_dir: DataDirOption = None) -> None:
    """Shows the tariffs in force: products with their attributes and prices, and which installation has which.

    Exits with 2 when none were ever loaded.
    """
    from integration_assets.cli.opened import opened_cache, refuse
    from integration_assets.domain.facts.tariffs import TABLES

    with opened_cache(settings_of(data_dir)) as cache:
        stored = cache.tariff_books.in_force()
    if stored is None:
        refuse("No tariffs were ever loaded; a run loads those of the setting tariff_files, or the built-in ones.")
    print(
        f"Version {stored.version}, loaded {stored.loaded_at:%Y-%m-%d %H:%M} by {stored.loaded_by} from {stored.source}"
    )
    for table, columns in TABLES.items():
        print(f"\n{table}")
        for row in stored.document.get(table, ()):
            print("  " + ", ".join(f"{name} {row[name]}" for name in columns if row.get(name)))


def _content(book: "TariffBook") -> str:
    editions = sum(len(several) for several in book.editions.values())
    told = {"operands": book.operands, "products": book.templates, "editions": range(editions), "rules": book.rules}
    return ", ".join(f"{name}: {len(several)}" for name, several in told.items())

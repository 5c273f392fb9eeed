"""`integration-assets facts`: the facts of an installation, and what processes would do to them."""

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from integration_assets.cli.exchange import BAD_INPUT, print_answer
from integration_assets.cli.opened import DataDirOption, settings_of

facts = typer.Typer(
    help="Installation facts (anlægsfakta): values of operands over time.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


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

    from integration_assets.cache.engine import cache_engine, migrate
    from integration_assets.cache.facts import Facts
    from integration_assets.domain.facts.picture import picture

    settings = settings_of(data_dir)
    engine = cache_engine(settings.cache_url.get_secret_value() if settings.cache_url else None, settings.data_dir)
    try:
        migrate(engine)
        stored = Facts(engine)
        rows = stored.slices(installation)
        entries = stored.journal(installation) if history else []
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
    for entry in entries:
        why = f" – full generation {entry['full_generation']}: {entry['reason']}" if entry["reason"] else ""
        print(f"\n{entry['at']:%Y-%m-%d %H:%M} {entry['process_id']} {entry['call']['process']}{why}")
        for sign, changed in (("-", entry["removed"]), ("+", entry["added"])):
            for row in changed:
                print(f"  {sign} {row['operand']} {row['ab']} – {row['bis']}: {row['value']}")
    if svg is not None:
        svg.write_text(picture(rows), encoding="utf-8")

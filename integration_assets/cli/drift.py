"""`integration-assets drift`: what the registry holds otherwise than it was delivered."""

import json
import uuid
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import typer
from rich.console import Console
from rich.table import Table

from integration_assets.cli.opened import opened_cache, refuse, settings_of

DRIFTS = 1
"""Exit code: something in the registry is not as it was delivered."""

STEP = "drift/lora"
NOTHING = "–"


def show_drift(
    *, everything: bool, entities: Sequence[str], repair: bool, as_json: bool, data_dir: Path | None
) -> None:
    """Runs the command: looks, orders repairs where that is asked for, and prints what is open."""
    from integration_assets.clients.http import CallError
    from integration_assets.domain.registry.objects import LORA_CLASSES
    from integration_assets.flows.drift import look_by_turn, order_repairs
    from integration_assets.flows.registry import SYSTEM
    from integration_assets.resources.business_day import BusinessDay
    from integration_assets.resources.lora import LoraResource

    if strange := sorted(set(entities) - set(LORA_CLASSES)):
        refuse(f"The registry has no {', '.join(strange)}. Entities: {', '.join(LORA_CLASSES)}.")
    settings, started = settings_of(data_dir), datetime.now(UTC)
    as_of = BusinessDay(fixed=settings.business_day or "").today()
    wanted = [entity for entity in LORA_CLASSES if not entities or entity in entities]
    days = None if everything else settings.lora_reconcile_days
    counts: dict[str, int] = {}
    with opened_cache(settings) as cache:
        lora = LoraResource(settings=settings)
        means = lora.means(cache, as_of)
        try:
            for entity in wanted:
                looked = look_by_turn(means, entity, days, repair=False).counts()
                looked["repairs_ordered"] = order_repairs(means, entity, insist=True) if repair else 0
                counts |= {name: counts.get(name, 0) + number for name, number in looked.items()}
        except CallError as error:
            refuse(f"The registry (LoRa) was not read to the end; what was read is kept. {error}")
        finally:
            means.client.close()
        cache.journal.record(f"command {uuid.uuid4()}", STEP, [], counts, started, datetime.now(UTC))
        found = cache.drifts.open(SYSTEM, wanted)
    if as_json:
        print(json.dumps(_as_data(as_of, counts, found), ensure_ascii=False, indent=2))
    else:
        _print(as_of, counts, found)
    raise typer.Exit(0 if found.is_empty() else DRIFTS)


def _as_data(as_of: date, counts: dict[str, int], found: pl.DataFrame) -> dict[str, object]:
    rows = found.with_columns(pl.col(pl.Date, pl.Datetime).cast(pl.String)).to_dicts()
    for row in rows:
        row["differences"] = [
            dict(zip(("field", "delivered", "found"), each, strict=True)) for each in row["differences"]
        ]
    return {"business_day": as_of.isoformat(), "counts": counts, "open": rows}


def _print(as_of: date, counts: dict[str, int], found: pl.DataFrame) -> None:
    console = Console(width=None if Console().is_terminal else 140, highlight=False)
    console.print(f"{counts['read_back']:,} objects of the registry were read on {as_of}.")
    if found.height:
        console.print(_table(found))
    left = found.filter(~pl.col("is_due")).height
    console.print(
        f"{found.height:,} objects are not as they were delivered: {found.height - left:,} are delivered again by the "
        f"next run, {left:,} are left."
        if found.height
        else "All that was read is as it was delivered."
    )


def _table(found: pl.DataFrame) -> Table:
    table = Table(title="Open drift, personal data masked", title_justify="left")
    for name in ("entity", "key", "drift", "since", "repairs", "field", "delivered", "found"):
        table.add_column(name, overflow="fold")
    for row in found.iter_rows(named=True):
        about = (row["entity"], row["business_key"], row["kind"], str(row["first_on"]), str(row["repairs"]))
        for name, delivered, shown in row["differences"] or [("", None, None)]:
            table.add_row(*about, name, delivered or NOTHING, shown or NOTHING)
            about = ("", "", "", "", "")
    return table

"""`integration-assets drift`: what registry and CRM hold otherwise than it was delivered."""

import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import polars as pl
import typer
from rich.console import Console
from rich.table import Table

from integration_assets.cli.opened import opened_cache, refuse, settings_of

if TYPE_CHECKING:  # imported by what needs them: the other commands start without
    from integration_assets.cache.store import Cache
    from integration_assets.flows.drift import Looked
    from integration_assets.settings import Settings

DRIFTS = 1
"""Exit code: something in an outside system is not as it was delivered."""

System = Literal["lora", "crm"]
SYSTEMS: Final[Mapping[System, str]] = {"lora": "The registry (LoRa)", "crm": "The CRM"}
NEEDED: Final[Mapping[System, str]] = {"lora": "lora_url", "crm": "crm_url"}
READ: Final[Mapping[System, str]] = {
    "lora": "objects of the registry were read",
    "crm": "rows of the CRM were read that changed since the last look",
}
NOTHING = "–"


def show_drift(
    *,
    system: System | None,
    everything: bool,
    entities: Sequence[str],
    repair: bool,
    as_json: bool,
    data_dir: Path | None,
) -> None:
    """Runs the command: looks, orders repairs where that is asked for, and prints what is open."""
    from integration_assets.clients.http import CallError
    from integration_assets.domain.crm.tables import MappingFault
    from integration_assets.resources.business_day import BusinessDay

    settings = settings_of(data_dir)
    as_of = BusinessDay(fixed=settings.business_day or "").today()
    known = _known_entities()
    systems = _configured(settings, system)
    if strange := sorted(set(entities) - {entity for each in systems for entity in known[each]}):
        names = "; ".join(f"{each}: {', '.join(known[each])}" for each in systems)
        refuse(f"There is no {', '.join(strange)}. Entities: {names}.")
    counts: dict[str, int] = {}
    read: dict[System, int] = {}
    parts: list[pl.DataFrame] = []
    with opened_cache(settings) as cache:
        for each in systems:
            wanted = [entity for entity in known[each] if not entities or entity in entities]
            started, here = datetime.now(UTC), dict[str, int]()
            try:
                with _opened(each, settings, cache, as_of, everything=everything) as (look, order):
                    for entity in wanted:
                        looked = look(entity).counts() | {"repairs_ordered": order(entity) if repair else 0}
                        here |= {name: here.get(name, 0) + number for name, number in looked.items()}
            except MappingFault as fault:
                refuse(str(fault))
            except CallError as error:
                refuse(f"{SYSTEMS[each]} was not read to the end; what was read is kept. {error}")
            cache.journal.record(f"command {uuid.uuid4()}", f"drift/{each}", [], here, started, datetime.now(UTC))
            read[each] = here.get("read_back", 0)
            counts |= {name: counts.get(name, 0) + number for name, number in here.items()}
            parts.append(cache.drifts.open(each, wanted))
    found = pl.concat(parts)
    if as_json:
        print(json.dumps(_as_data(as_of, counts, found), ensure_ascii=False, indent=2))
    else:
        _print(as_of, read, found)
    raise typer.Exit(0 if found.is_empty() else DRIFTS)


def _known_entities() -> Mapping[System, Sequence[str]]:
    from integration_assets.domain.crm.fields import TABLE_FACTS
    from integration_assets.domain.registry.objects import LORA_CLASSES

    return {"lora": list(LORA_CLASSES), "crm": list(TABLE_FACTS)}


def _configured(settings: "Settings", system: System | None) -> list[System]:
    """The system that is named, or those that the settings have; the registry where they have none, to be missed."""
    if system is not None:
        return [system]
    return [each for each in SYSTEMS if getattr(settings, NEEDED[each]) is not None] or ["lora"]


@contextmanager
def _opened(
    system: System, settings: "Settings", cache: "Cache", as_of: date, *, everything: bool
) -> Iterator["tuple[Callable[[str], Looked], Callable[[str], int]]"]:
    """How an entity of a system is looked at, and how its repairs are ordered, whatever the settings say of them."""
    from integration_assets.flows import crm_drift, drift
    from integration_assets.resources.dynamics import DynamicsResource
    from integration_assets.resources.lora import LoraResource

    if system == "lora":
        registry = LoraResource(settings=settings).means(cache, as_of)
        days = None if everything else settings.lora_reconcile_days
        with closing(registry.client):
            yield (
                lambda entity: drift.look_by_turn(registry, entity, days, repair=False),
                lambda entity: drift.order_repairs(registry, entity, insist=True),
            )
    else:
        crm = DynamicsResource(settings=settings).means(cache, as_of)
        with closing(crm.client):
            yield (
                lambda entity: crm_drift.look_for_changes(crm, entity, everything=everything, repair=False),
                lambda entity: crm_drift.order_repairs(crm, entity, insist=True),
            )


def _as_data(as_of: date, counts: dict[str, int], found: pl.DataFrame) -> dict[str, object]:
    rows = found.with_columns(pl.col(pl.Date, pl.Datetime).cast(pl.String)).to_dicts()
    for row in rows:
        row["differences"] = [
            dict(zip(("field", "delivered", "found"), each, strict=True)) for each in row["differences"]
        ]
    return {"business_day": as_of.isoformat(), "counts": counts, "open": rows}


def _print(as_of: date, read: Mapping[System, int], found: pl.DataFrame) -> None:
    console = Console(width=None if Console().is_terminal else 140, highlight=False)
    for system, number in read.items():
        console.print(f"{number:,} {READ[system]} on {as_of}.")
    for (system,), rows in found.group_by("system", maintain_order=True):
        console.print(_table(str(system), rows))
    left = found.filter(~pl.col("is_due")).height
    console.print(
        f"{found.height:,} objects are not as they were delivered: {found.height - left:,} are delivered again by the "
        f"next run, {left:,} are left."
        if found.height
        else "All that was read is as it was delivered."
    )


def _table(system: str, found: pl.DataFrame) -> Table:
    table = Table(title=f"Open drift in {system}, personal data masked", title_justify="left")
    for name in ("entity", "key", "drift", "since", "repairs", "field", "delivered", "found"):
        table.add_column(name, overflow="fold")
    for row in found.iter_rows(named=True):
        about = (row["entity"], row["business_key"], row["kind"], str(row["first_on"]), str(row["repairs"]))
        for name, delivered, shown in row["differences"] or [("", None, None)]:
            table.add_row(*about, name, delivered or NOTHING, shown or NOTHING)
            about = ("", "", "", "", "")
    return table

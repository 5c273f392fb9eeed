"""`integration-assets plan`: shows what a run would do, as tables or as JSON; touches and writes nothing."""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from integration_assets.assets.kmd_ee import limits_of
from integration_assets.cache.store import Cache
from integration_assets.cache.washing_store import NoWashingIndex
from integration_assets.cli.opened import who
from integration_assets.clients.http import CallError
from integration_assets.clients.kmd_ee import KmdEe
from integration_assets.domain.crm.tables import MappingFault
from integration_assets.domain.gates import GateClosed
from integration_assets.flows.crm_mapping import mapping_in_force
from integration_assets.flows.guard import check_changes
from integration_assets.flows.identity import object_ids
from integration_assets.flows.lookups import Mandate
from integration_assets.flows.plan import Means, Plan, Planned, known_areas, make_plan
from integration_assets.resources.business_day import BusinessDay
from integration_assets.resources.cache import open_cache
from integration_assets.resources.washing import washing_resource
from integration_assets.settings import SETTINGS_FILE_VARIABLE, MissingSetting, Settings

DONE, REFUSED, UNKNOWN_AREA, UNCONFIGURED = 0, 1, 2, 3
"""Exit codes: planned; a run would stop, changes more than was allowed, or the source does not answer; no such area;
settings are missing."""

NEEDED = ("kmd_ee_url", "identity_key", "cipher_key")
TITLES = {"lora": "LoRa (registry)", "crm": "Dynamics CRM 365"}
KINDS = ("create", "update", "end", "unchanged", "clear")
NOTHING = "–"


def show_plan(
    areas: Sequence[str],
    samples: int,
    *,
    as_json: bool = False,
    max_changes: int | None = None,
    let_through: str | None = None,
    by: str | None = None,
    settings: Settings | None = None,
) -> int:
    """Runs the command; returns its exit code. `settings` are those of the environment unless given.

    `let_through` is why the runs that would be stopped may go on, `by` who says so.
    """
    console = Console(width=None if Console().is_terminal else 140, highlight=False)
    complaints = Console(stderr=True, highlight=False)
    settings = settings or Settings()
    if missing := _missing(settings):
        for sentence in missing:
            complaints.print(sentence)
        complaints.print(f"Or name a settings file, such as a sandbox's, as {SETTINGS_FILE_VARIABLE}.")
        return UNCONFIGURED
    as_of = BusinessDay(fixed=settings.business_day or "").today()
    source = sa.create_engine(settings.need("kmd_ee_url"), hide_parameters=True)
    cache = open_cache(settings)
    try:
        means = Means(
            kmd_ee=KmdEe(source),
            cache=cache,
            index=washing_resource(settings).index(),
            ids=object_ids(settings),
            mandate=Mandate(settings.completion_authority, settings.completion_legal_basis),
            limits=limits_of(settings),
            max_rejected_share=settings.max_rejected_share,
            utility=settings.utility,
            share_protected=settings.share_protected_addresses,
            mapping=mapping_in_force(settings),
        )
        known = known_areas(means, as_of)
        if strange := sorted(set(areas) - set(known)):
            complaints.print(f"Neither source nor cache has rows in: {', '.join(strange)}. Known: {', '.join(known)}.")
            return UNKNOWN_AREA
        plan = make_plan(means, areas or known, as_of)
        stopped = would_stop(plan, settings)
        if let_through is not None:
            let_pass(cache, plan, settings, [planned for planned, _ in stopped], why=let_through, by=by or who())
    except NoWashingIndex as missing_index:
        complaints.print(str(missing_index))
        return REFUSED
    except GateClosed as closed:
        complaints.print(f"A run would refuse to go on. {closed}")
        return REFUSED
    except (CallError, MappingFault) as error:
        complaints.print(str(error))
        return REFUSED
    finally:
        cache.close()
        source.dispose()
    if as_json:
        print(json.dumps(as_data(plan, samples), ensure_ascii=False, indent=2))
    else:
        print_plan(console, plan, samples)
    if let_through is not None:
        for planned, _ in stopped:
            complaints.print(f"{planned.system}/{planned.entity} is let through once: {let_through}")
        if not stopped:
            complaints.print("Nothing has to be let through.")
        stopped = []
    stops = [*(f"A run would refuse to go on. {text}" for _, text in stopped), *too_many(plan, max_changes)]
    for sentence in stops:
        complaints.print(sentence)
    return REFUSED if stops else DONE


def would_stop(plan: Plan, settings: Settings) -> list[tuple[Planned, str]]:
    """The entities that a run would not deliver, since it changes implausibly much, with what it would say."""
    stopped: list[tuple[Planned, str]] = []
    for planned in plan.entities:
        try:
            if planned.compared is not None:
                check_changes(settings, planned.system, planned.entity, planned.compared)
        except GateClosed as closed:
            stopped.append((planned, str(closed)))
    return stopped


def let_pass(cache: Cache, plan: Plan, settings: Settings, stopped: Sequence[Planned], *, why: str, by: str) -> None:
    """Lets the next runs of the plan's areas do once what was planned of these entities, and a few rows more."""
    for planned in stopped:
        counts = planned.compared
        if counts is not None:
            most = counts.new + counts.changed + settings.tolerated_rows
            cache.let_throughs.give(
                *(planned.system, planned.entity, plan.areas, most), by=by, why=why, now=datetime.now(UTC)
            )


def too_many(plan: Plan, most: int | None) -> list[str]:
    """A sentence for each outside system of which more objects would be created and changed than `most`."""
    totals = plan.counts().group_by("system", maintain_order=True).agg(pl.sum("create", "update", "end"))
    return [
        f"{TITLES.get(system, system)}: {number} objects would be created or changed, more than the {most} allowed."
        for system, number in totals.select("system", pl.sum_horizontal("create", "update", "end")).iter_rows()
        if most is not None and number > most
    ]


def as_data(plan: Plan, samples: int) -> dict[str, Any]:
    """The plan as JSON takes it: counts by system and entity, masked samples, what waits and what is rejected."""
    systems: dict[str, dict[str, dict[str, int]]] = {}
    for row in plan.counts().iter_rows(named=True):
        systems.setdefault(row["system"], {})[row["entity"]] = {kind: row[kind] for kind in KINDS}
    return {
        "business_day": plan.as_of.isoformat(),
        "areas": list(plan.areas),
        "systems": systems,
        "samples": plan.samples(samples).to_dicts(),
        "customers_waiting_for_lookups": plan.waiting,
        "rejected": plan.rejected(),
        "register_addresses": plan.address_rows,
    }


def print_plan(console: Console, plan: Plan, samples: int) -> None:
    """Prints a table per system, what stands in the way, and the samples."""
    counts = plan.counts()
    console.print(f"{_title(plan.as_of, plan.areas)}. Nothing is sent and nothing is written.")
    for (system,), rows in counts.group_by("system", maintain_order=True):
        console.print(_counts_table(str(system), rows))
    for sentence in remarks(plan):
        console.print(sentence)
    shown = plan.samples(samples)
    for (system,), rows in shown.group_by("system", maintain_order=True):
        console.print(_samples_table(str(system), rows))


def remarks(plan: Plan) -> list[str]:
    """Sentences on what the figures leave out."""
    sentences: list[str] = []
    if plan.waiting:
        customers = "1 customer needs" if plan.waiting == 1 else f"{plan.waiting} customers need"
        sentences.append(f"{customers} a register look-up first; a plan asks nobody, so a run may do more for them.")
    if not plan.address_rows:
        sentences.append("The address register is not loaded yet: no address can be resolved.")
    if rejected := plan.rejected():
        reasons = ", ".join(f"{reason} {number}" for reason, number in rejected.items())
        sentences.append(f"Rejected: {reasons}.")
    return sentences


def _title(as_of: date, areas: Sequence[str]) -> str:
    noun = "supply area" if len(areas) == 1 else "supply areas"
    return f"What a run on {as_of} would do in the {noun} {', '.join(areas) or NOTHING}"


def _counts_table(system: str, rows: pl.DataFrame) -> Table:
    table = Table(title=TITLES.get(system, system), title_justify="left")
    table.add_column("entity")
    for kind in KINDS:
        table.add_column(kind, justify="right")
    for row in rows.iter_rows(named=True):
        table.add_row(row["entity"], *(str(row[kind]) for kind in KINDS))
    return table


def _samples_table(system: str, rows: pl.DataFrame) -> Table:
    table = Table(title=f"{TITLES.get(system, system)}: examples, personal data masked", title_justify="left")
    for name in ("entity", "key", "change", "field", "before", "after"):
        table.add_column(name, overflow="fold")
    last = None
    for row in rows.iter_rows(named=True):
        named = (row["entity"], row["business_key"], row["change"])
        shown = ("", "", "") if named == last else named
        last = named
        table.add_row(*shown, row["field"], row["before"] or NOTHING, row["after"] or NOTHING)
    return table


def _missing(settings: Settings) -> list[str]:
    """A sentence for each setting that a plan needs and that has no value."""
    sentences: list[str] = []
    for name in NEEDED:
        try:
            settings.need(name)
        except MissingSetting as missing:
            sentences.append(str(missing))
    return sentences

"""`integration-assets adopt --system crm`: tells which rows of a CRM that others filled are ours, and remembers it."""

import json
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
from rich.console import Console

from integration_assets.cli.adopt import REPORT_FOLDER
from integration_assets.cli.frames import frame_table, masked_keys
from integration_assets.cli.opened import REFUSED, UNCONFIGURED, opened_cache, settings_of
from integration_assets.clients.http import CallError
from integration_assets.domain.crm.tables import MappingFault
from integration_assets.flows.crm_adoption import Means, RowAdoption, adopt_rows
from integration_assets.flows.crm_mapping import mapping_in_force
from integration_assets.flows.identity import object_ids
from integration_assets.settings import MissingSetting

if TYPE_CHECKING:
    from integration_assets.cache.store import Cache
    from integration_assets.settings import Settings

SHOWN_DUPLICATES = 20


def adopt_crm(*, dry_run: bool, as_json: bool, report: bool, data_dir: Path | None) -> int:
    """Runs the command; returns its exit code."""
    from integration_assets.resources.business_day import BusinessDay

    settings = settings_of(data_dir)
    as_of = BusinessDay(fixed=settings.business_day or "").today()
    with opened_cache(settings) as cache:
        try:
            means = means_of(settings, cache)
            try:
                adoption = adopt_rows(means, as_of, dry_run=dry_run)
            finally:
                means.client.close()
        except MissingSetting as missing:
            print(missing, file=sys.stderr)
            return UNCONFIGURED
        except (CallError, MappingFault) as error:
            print(f"Nothing was adopted: {error}", file=sys.stderr)
            return REFUSED
    if as_json:
        print(json.dumps(as_data(adoption, as_of, dry_run=dry_run), ensure_ascii=False, indent=2))
    else:
        console = Console(width=None if Console().is_terminal else 140, highlight=False)
        print_adoption(console, adoption, dry_run=dry_run)
    if report:
        folder = settings.data_dir / REPORT_FOLDER / "crm"
        write_report(folder, adoption, as_of, dry_run=dry_run)
        print(f"Written to {folder}.", file=sys.stderr)
    return 0


def means_of(settings: "Settings", cache: "Cache") -> Means:
    """The CRM that the settings name, and whose ids we compute. Raises MissingSetting, MappingFault."""
    from integration_assets.resources.dynamics import open_dynamics

    by, ids = mapping_in_force(settings), object_ids(settings)
    return Means(open_dynamics(settings), cache, ids, by, settings.utility)


def as_data(adoption: RowAdoption, as_of: date, *, dry_run: bool) -> dict[str, Any]:
    """The adoption as JSON takes it: counts, and the objects that several rows stand for."""
    return {
        "business_day": as_of.isoformat(),
        "dry_run": dry_run,
        "counts": adoption.counts.to_dicts(),
        "duplicates": masked_keys(adoption.duplicates).to_dicts(),
        "address_register_loaded": adoption.addresses_known,
    }


def write_report(folder: Path, adoption: RowAdoption, as_of: date, *, dry_run: bool) -> None:
    """Writes adoption.json, and every row in cross_reference.csv and duplicates.csv."""
    folder.mkdir(parents=True, exist_ok=True)
    data = json.dumps(as_data(adoption, as_of, dry_run=dry_run), ensure_ascii=False, indent=2)
    (folder / "adoption.json").write_text(data, encoding="utf-8")
    masked_keys(adoption.adopted).write_csv(folder / "cross_reference.csv")
    listed = masked_keys(adoption.duplicates).with_columns(pl.col("left").list.join(" "))
    listed.write_csv(folder / "duplicates.csv")


def print_adoption(console: Console, adoption: RowAdoption, *, dry_run: bool) -> None:
    """Prints what was recognised, and what stands there more than once."""
    done = "Nothing was written" if dry_run else "The cross reference was filled"
    console.print(
        f"{done}; the CRM is not touched. The next runs bring the rows that are taken to what they should be, under "
        "their own ids, and leave all others."
    )
    console.print(frame_table("Rows of the CRM", adoption.counts))
    if not adoption.addresses_known:
        console.print(
            "The address register is not loaded yet, so no address was recognised: load it and adopt once more before "
            "anything is delivered, or addresses will stand there twice."
        )
    if adoption.duplicates.height:
        shown = masked_keys(adoption.duplicates.head(SHOWN_DUPLICATES)).with_columns(pl.col("left").list.join("\n"))
        console.print(frame_table("Several rows for the same: one is taken, the others are left alone", shown))
        more = adoption.duplicates.height - SHOWN_DUPLICATES
        if more > 0:
            console.print(f"… and {more} more; --report lists them all.")

"""`integration-assets adopt`: tells which objects of a registry that others filled are ours, and remembers it."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
from rich.console import Console

from integration_assets.cli.frames import frame_table, masked_keys
from integration_assets.cli.opened import REFUSED, UNCONFIGURED, opened_cache, settings_of
from integration_assets.clients.http import CallError
from integration_assets.domain.registry.adoption_faults import KINDS
from integration_assets.flows.adoption import Adoption, Means, adopt
from integration_assets.flows.identity import object_ids
from integration_assets.settings import MissingSetting

if TYPE_CHECKING:
    from integration_assets.cache.store import Cache
    from integration_assets.settings import Settings

REPORT_FOLDER = "adoption"
EXAMPLES = 3


def adopt_registry(*, dry_run: bool, as_json: bool, report: bool, data_dir: Path | None) -> int:
    """Runs the command; returns its exit code."""
    from integration_assets.resources.business_day import BusinessDay

    settings = settings_of(data_dir)
    as_of = BusinessDay(fixed=settings.business_day or "").today()
    with opened_cache(settings) as cache:
        try:
            with means_of(settings, cache) as means:
                adoption = adopt(means, as_of, dry_run=dry_run)
        except MissingSetting as missing:
            print(missing, file=sys.stderr)
            return UNCONFIGURED
        except CallError as error:
            print(f"Nothing was adopted: {error}", file=sys.stderr)
            return REFUSED
    if as_json:
        print(json.dumps(as_data(adoption, as_of, dry_run=dry_run), ensure_ascii=False, indent=2))
    else:
        print_adoption(
            Console(width=None if Console().is_terminal else 140, highlight=False), adoption, dry_run=dry_run
        )
    if report:
        folder = settings.data_dir / REPORT_FOLDER
        write_report(folder, adoption, as_of, dry_run=dry_run)
        print(f"Written to {folder}.", file=sys.stderr)
    return 0


@contextmanager
def means_of(settings: "Settings", cache: "Cache") -> Iterator[Means]:
    """The registry and KMD EE that the settings name, open. Raises MissingSetting."""
    import sqlalchemy as sa

    from integration_assets.clients.kmd_ee import KmdEe
    from integration_assets.resources.lora import LoraResource

    lora = LoraResource(settings=settings)
    client = lora.get()
    source = sa.create_engine(settings.need("kmd_ee_url"), hide_parameters=True)
    try:
        yield Means(
            lora=client,
            kmd_ee=KmdEe(source),
            cache=cache,
            ids=object_ids(settings),
            organisation=lora.tenant.organisation,
            utility=settings.utility,
            window_days=settings.source_window_days,
            area_digits=settings.supply_area_digits,
        )
    finally:
        client.close()
        source.dispose()


def as_data(adoption: Adoption, as_of: date, *, dry_run: bool) -> dict[str, Any]:
    """The adoption as JSON takes it: counts, faults by kind with examples, what is left alone, additions of others."""
    return {
        "business_day": as_of.isoformat(),
        "dry_run": dry_run,
        "counts": adoption.counts.to_dicts(),
        "faults": _by_kind(adoption.faults).to_dicts(),
        "unknown_to_kmd_ee": masked_keys(adoption.left).to_dicts(),
        "added_by_others": adoption.others.to_dicts(),
        "delivered_before": adoption.delivered_before,
    }


def write_report(folder: Path, adoption: Adoption, as_of: date, *, dry_run: bool) -> None:
    """Writes adoption.json, and every object in cross_reference.csv, faults.csv and unknown_to_kmd_ee.csv."""
    folder.mkdir(parents=True, exist_ok=True)
    data = json.dumps(as_data(adoption, as_of, dry_run=dry_run), ensure_ascii=False, indent=2)
    (folder / "adoption.json").write_text(data, encoding="utf-8")
    masked_keys(adoption.adopted).write_csv(folder / "cross_reference.csv")
    masked_keys(adoption.faults).write_csv(folder / "faults.csv")
    masked_keys(adoption.left).write_csv(folder / "unknown_to_kmd_ee.csv")


def print_adoption(console: Console, adoption: Adoption, *, dry_run: bool) -> None:
    """Prints what was matched, what is wrong, what stays as it is and what others added."""
    done = "Nothing was written" if dry_run else "The cross reference was filled"
    console.print(f"{done}; the registry is not touched. The next runs repair what is listed.")
    console.print(frame_table("Objects of ours in LoRa (registry)", adoption.counts))
    if adoption.delivered_before:
        console.print(
            f"{adoption.delivered_before} objects had been delivered under our own ids before, beside others that are "
            "the same: ours stay, the others are superseded. Where the others are to stay, stop here and start again "
            "with an empty cache before anything is delivered."
        )
    kinds = _by_kind(adoption.faults)
    meanings = pl.col("kind").replace_strict(KINDS).alias("meaning")
    console.print(frame_table("What is repaired", kinds.with_columns(meanings)))
    if adoption.left.height:
        left = masked_keys(adoption.left)
        shown = ", ".join(left["business_key"].drop_nulls().unique(maintain_order=True).head(EXAMPLES))
        console.print(
            f"{left.height} objects are unknown to KMD EE and stay as they are, open ones open ({shown or 'no number'} "
            "…): customers whom it has deleted, and parties whom no row of it names any more."
        )
    if adoption.others.height:
        console.print(frame_table("What other systems put into objects of ours", adoption.others))


def _by_kind(faults: pl.DataFrame) -> pl.DataFrame:
    """entity, kind, objects, examples: the business keys of the first few."""
    return (
        masked_keys(faults)
        .group_by("entity", "kind", maintain_order=True)
        .agg(pl.len().alias("objects"), pl.col("business_key").drop_nulls().head(EXAMPLES).alias("examples"))
        .with_columns(pl.col("examples").list.join(", "))
    )

"""`integration-assets retention`: takes out of cache and run history what is over, as the daily job does."""

import json
import os
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from integration_assets.cli.opened import opened_cache, settings_of

if TYPE_CHECKING:
    from integration_assets.settings import Settings

SENTENCES = {
    "ended_parties": "parties whose names, numbers and contact data were blanked in deliveries",
    "ended_agreements": "agreements on installations whose events and facts the books need no more",
    "register_answers": "answers of the registers that nobody needs",
    "vanished_rows": "rows that vanished from their source",
    "installation_accounts": "installation accounts of ended customers, and the contracts that they showed",
    "closed_rejections": "closed rejections",
    "claim_messages": "messages from and to the debt authority",
    "closed_drift": "objects that once differed from what was delivered",
    "supervision_rows": "alarms, acknowledgements and mails that are over",
    "journal_rows": "rows of the journal",
    "audit_rows": "rows of the audit",
    "address_texts": "answers to address texts that no row asks about",
    "runs_of_history": "runs of Dagster's history",
}


def take_out(*, dry_run: bool, as_json: bool, data_dir: Path | None) -> None:
    """Runs the command and prints the counts."""
    from integration_assets.flows.identity import object_ids
    from integration_assets.flows.retention import STEP, apply_retention
    from integration_assets.resources.business_day import BusinessDay

    settings, started = settings_of(data_dir), datetime.now(UTC)
    as_of = BusinessDay(fixed=settings.business_day or "").today()
    with opened_cache(settings) as cache:
        counts = apply_retention(cache, object_ids(settings), settings, as_of, dry_run=dry_run)
        runs = _history(settings, dry_run=dry_run)
        if runs is not None:
            counts["runs_of_history"] = runs
        if not dry_run:
            cache.journal.record(f"command {uuid.uuid4()}", STEP, [], counts, started, datetime.now(UTC))
    if as_json:
        print(json.dumps({"business_day": as_of.isoformat(), "dry_run": dry_run, "counts": counts}, indent=2))
        return
    print(f"{'Over' if dry_run else 'Taken out'} on {as_of}{' (nothing was changed)' if dry_run else ''}:")
    for name, number in counts.items():
        print(f"{number:>10,}  {SENTENCES[name]}")
    if runs is None:
        print("Dagster's history was left alone: DAGSTER_HOME names none.")


def _history(settings: "Settings", *, dry_run: bool) -> int | None:
    """How many runs went, or would go; None where the environment names no instance of Dagster."""
    if not os.environ.get("DAGSTER_HOME"):
        return None
    import dagster as dg

    from integration_assets.automation.retention import delete_old_runs, history_kept_since, old_runs
    from integration_assets.resources.business_day import BusinessDay

    as_of = BusinessDay(fixed=settings.business_day or "").today()
    act = old_runs if dry_run else delete_old_runs
    with dg.DagsterInstance.get() as instance:
        return len(act(instance, history_kept_since(as_of, settings.run_history_kept_days)))

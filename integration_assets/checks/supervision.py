"""Asset checks of the interactions: Dagster shows the same states and alarms as the pages and the mails."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import dagster as dg

from integration_assets.assets.supervision import INTERACTION_STATE
from integration_assets.domain.supervision.folders import Folder
from integration_assets.domain.supervision.interactions import PAUSED, STALE, Interactions
from integration_assets.domain.supervision.mails import clock
from integration_assets.domain.supervision.state import NORMAL
from integration_assets.resources.cache import CacheResource


def supervision_checks(folders: Sequence[Folder]) -> dg.AssetChecksDefinition:
    """One check for each folder, by the row that supervision keeps of it."""
    names = {folder.name: f"{folder.name}_is_normal" for folder in folders}

    @dg.multi_asset_check(
        specs=[
            dg.AssetCheckSpec(
                check,
                asset=INTERACTION_STATE,
                description=f"The interactions of the folder {name} are in state Normal, without an open alarm.",
            )
            for name, check in names.items()
        ],
        name="interactions",
    )
    def interactions(context: dg.AssetCheckExecutionContext, cache: CacheResource) -> Iterator[dg.AssetCheckResult]:
        """Reads the rows as the pages do."""
        del context
        rows, now = {row.folder: row for row in cache.get().interactions.all()}, datetime.now(UTC)
        for name, check in names.items():
            yield _result(check, rows.get(name), now)

    return interactions


def _result(check: str, row: Interactions | None, now: datetime) -> dg.AssetCheckResult:
    if row is None:
        metadata = {"state": "never refreshed"}
        return dg.AssetCheckResult(
            passed=False,
            check_name=check,
            asset_key=INTERACTION_STATE,
            severity=dg.AssetCheckSeverity.WARN,
            metadata=metadata,
        )
    state = row.shown_state(now)
    is_error = state == STALE or row.severity == "error"
    return dg.AssetCheckResult(
        passed=state == PAUSED or (state == NORMAL and row.severity == "ok"),
        check_name=check,
        asset_key=INTERACTION_STATE,
        severity=dg.AssetCheckSeverity.ERROR if is_error else dg.AssetCheckSeverity.WARN,
        metadata={"state": state, "open_alarms": row.open_alarms, "refreshed_at": clock(row.refreshed_at)},
    )

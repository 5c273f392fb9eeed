"""When installation accounts are marked and updated by the clock, beside the night's main flow.

Marking follows the calendar: rows begin and end at midnight. Updating looks for marks, however they came about, and
asks for runs of the supply areas that have some; the CRM gets what changed by the same run.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime

import dagster as dg

from integration_assets.assets.accounts import ACCOUNTS
from integration_assets.automation.sensors import known_areas
from integration_assets.flows.accounts import open_collections
from integration_assets.partitions import contiguous_ranges, range_tags
from integration_assets.resources.business_day import AS_OF_TAG, COPENHAGEN, BusinessDay
from integration_assets.resources.cache import CacheResource

MARKING = "mark_installation_accounts"


@dg.op(description="Marks the installation accounts that time or a change has overtaken; the counts are journaled.")
def mark_what_is_overtaken(context: dg.OpExecutionContext, cache: CacheResource, business_day: BusinessDay) -> None:
    """By windows from each account's last calculation to today: a run that was missed loses nothing."""
    store, started = cache.get(), datetime.now(UTC)
    tag = context.run.tags.get(AS_OF_TAG)
    today = datetime.fromisoformat(tag).date() if tag else business_day.today()
    marked = store.accounts.mark(None, today, open_collections(store))
    counts = {f"marked_{reason.lower()}": number for reason, number in sorted(marked.items())}
    store.journal.record(context.run.run_id, MARKING, [], counts, started, datetime.now(UTC))
    context.log.info("Marked: %s", ", ".join(f"{name} {number}" for name, number in counts.items()) or "nothing")


@dg.job(name=MARKING, description="Marks the installation accounts of all supply areas that are to be updated.")
def account_marking() -> None:
    """One step."""
    mark_what_is_overtaken()


_ACCOUNTS = dg.AssetSelection.assets(ACCOUNTS)
account_update = dg.define_asset_job(
    "update_installation_accounts",
    # The delivery to the CRM is part of the code location only where it is configured.
    selection=_ACCOUNTS | (_ACCOUNTS.downstream() & dg.AssetSelection.groups("crm")),
    description="Brings the installation accounts of supply areas up to date, and the CRM with them.",
)


@dg.schedule(cron_schedule="10 0 * * *", job=account_marking, execution_timezone=str(COPENHAGEN))
def accounts_marked_daily(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """A new day: rows begin, and others have ended."""
    as_of = context.scheduled_execution_time.astimezone(COPENHAGEN).date()
    return dg.RunRequest(job_name=MARKING, run_key=f"marking:{as_of}", tags={AS_OF_TAG: as_of.isoformat()})


@dg.schedule(cron_schedule="*/15 * * * *", job=account_update, execution_timezone=str(COPENHAGEN))
def accounts_updated(
    context: dg.ScheduleEvaluationContext, cache: CacheResource
) -> list[dg.RunRequest] | dg.SkipReason:
    """The supply areas with marked accounts; those that an update had to leave as they were wait for another mark."""
    moment = context.scheduled_execution_time.astimezone(COPENHAGEN)
    marked = cache.get().accounts.areas_to_update()
    requests = update_requests(marked, known_areas(context.instance), moment.date(), moment.isoformat())
    return requests or dg.SkipReason("No installation account is marked.")


def update_requests(marked: Collection[str], known: Sequence[str], as_of: date, moment: str) -> list[dg.RunRequest]:
    """Runs that update the accounts of the marked areas among the known ones; `moment` tells one tick from the next."""
    return [
        dg.RunRequest(
            job_name=account_update.name,
            run_key=f"accounts:{moment}:{first}:{last}",
            tags={**range_tags(first, last), AS_OF_TAG: as_of.isoformat()},
        )
        for first, last in contiguous_ranges(list(marked), known)
    ]

"""What runs by the clock."""

import dagster as dg

from integration_assets.automation.jobs import (
    claim_recalls,
    follow_relations,
    main_flow,
    register_notifications,
    registry_reconciliation,
)
from integration_assets.automation.sensors import range_requests
from integration_assets.partitions import SUPPLY_AREAS
from integration_assets.resources.business_day import AS_OF_TAG, COPENHAGEN
from integration_assets.resources.debt_authority import DebtAuthorityResource


@dg.schedule(cron_schedule="0 3 * * *", job=register_notifications, execution_timezone=str(COPENHAGEN))
def registers_nightly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """What the registers changed, before the night's main flow brings it on to the CRM."""
    as_of = context.scheduled_execution_time.astimezone(COPENHAGEN).date()
    return dg.RunRequest(
        job_name=register_notifications.name, run_key=f"registers:{as_of}", tags={AS_OF_TAG: as_of.isoformat()}
    )


@dg.schedule(cron_schedule="30 5 * * *", job=follow_relations, execution_timezone=str(COPENHAGEN))
def relations_nightly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Who is to be followed from now on, after the night's main flow found out who is a customer."""
    as_of = context.scheduled_execution_time.astimezone(COPENHAGEN).date()
    return dg.RunRequest(
        job_name=follow_relations.name, run_key=f"relations:{as_of}", tags={AS_OF_TAG: as_of.isoformat()}
    )


@dg.schedule(cron_schedule="30 3 * * *", job=main_flow, execution_timezone=str(COPENHAGEN))
def nightly(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
    """All supply areas as one run, after the person register's nightly update (done by two or three o'clock)."""
    as_of = context.scheduled_execution_time.astimezone(COPENHAGEN).date()
    areas = context.instance.get_dynamic_partitions(str(SUPPLY_AREAS.name))
    if not areas:
        return dg.SkipReason("No supply area is registered yet; the source sensor does that.")
    return range_requests(areas, areas, as_of, run_key=f"nightly:{as_of}")


@dg.schedule(cron_schedule="0 5 * * *", job=registry_reconciliation, execution_timezone=str(COPENHAGEN))
def registry_drift_daily(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """What others changed in the registry, among the objects whose turn it is; `due_again` starts their repair."""
    as_of = context.scheduled_execution_time.astimezone(COPENHAGEN).date()
    return dg.RunRequest(
        job_name=registry_reconciliation.name, run_key=f"drift:{as_of}", tags={AS_OF_TAG: as_of.isoformat()}
    )


@dg.schedule(cron_schedule="*/15 6-20 * * *", job=claim_recalls, execution_timezone=str(COPENHAGEN))
def claims_quarter_hourly(
    context: dg.ScheduleEvaluationContext, debt_authority: DebtAuthorityResource
) -> dg.RunRequest | dg.SkipReason:
    """Recalls that were approved meanwhile, deliveries whose pause is over, and statuses that came."""
    if not debt_authority.is_enabled:
        return dg.SkipReason("Claims are not recalled from here (setting claims_enabled is off).")
    at = context.scheduled_execution_time.astimezone(COPENHAGEN)
    return dg.RunRequest(
        job_name=claim_recalls.name, run_key=f"claims:{at.isoformat()}", tags={AS_OF_TAG: at.date().isoformat()}
    )

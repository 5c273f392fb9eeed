"""Assembles the code location: `build_definitions(settings)` and the one `defs`; nothing else to find here."""

import dagster as dg

from integration_assets.assets import (
    addresses,
    billing,
    claims,
    crm,
    drift,
    kmd_ee,
    lora,
    notifications,
    read_back,
    resolved,
)
from integration_assets.assets.outside import OUTSIDE
from integration_assets.assets.supervision import supervision_assets
from integration_assets.automation.jobs import (
    address_register,
    claim_recalls,
    follow_relations,
    main_flow,
    register_notifications,
    registry_reconciliation,
)
from integration_assets.automation.retention import retention, retention_daily
from integration_assets.automation.schedules import (
    claims_quarter_hourly,
    nightly,
    registers_nightly,
    registry_drift_daily,
    relations_nightly,
)
from integration_assets.automation.sensors import due_again, new_address_register, registry_corrected, source_changes
from integration_assets.automation.supervision import (
    failed_runs,
    mail_outbox,
    succeeded_runs,
    supervise,
    supervision_is_alive,
    supervision_schedules,
)
from integration_assets.checks.drift import drift_checks
from integration_assets.checks.references import reference_checks
from integration_assets.checks.supervision import supervision_checks
from integration_assets.io_managers.cache import CacheIOManager
from integration_assets.resources.address_register import AddressRegisterResource
from integration_assets.resources.business_day import BusinessDay
from integration_assets.resources.cache import CacheResource
from integration_assets.resources.debt_authority import DebtAuthorityResource
from integration_assets.resources.dynamics import DynamicsResource
from integration_assets.resources.kmd_ee import KmdEeResource
from integration_assets.resources.lora import LoraResource
from integration_assets.resources.mail import MailResource
from integration_assets.resources.person_events import PersonEventsResource
from integration_assets.resources.registers import RegistersResource
from integration_assets.resources.washing import washing_resource
from integration_assets.settings import Settings

ASSET_MODULES = [kmd_ee, addresses, resolved, notifications, lora, drift, read_back, crm, billing, claims]


def build_definitions(settings: Settings) -> dg.Definitions:
    """The assets, checks, jobs and automation over the outside systems that `settings` name.

    Nothing is opened here; a setting that is missing is named by the run that needs it.
    """
    cache, folders = CacheResource(settings=settings), settings.supervision_folders
    return dg.Definitions(
        assets=[*OUTSIDE, *dg.load_assets_from_modules(ASSET_MODULES), *supervision_assets(folders)],
        asset_checks=[reference_checks, drift_checks, supervision_checks(folders)],
        jobs=[
            main_flow,
            address_register,
            register_notifications,
            follow_relations,
            registry_reconciliation,
            claim_recalls,
            retention,
            supervise,
        ],
        schedules=[
            nightly,
            registers_nightly,
            relations_nightly,
            registry_drift_daily,
            retention_daily,
            claims_quarter_hourly,
            *supervision_schedules(folders),
        ],
        sensors=[
            source_changes,
            registry_corrected,
            due_again,
            new_address_register,
            failed_runs,
            succeeded_runs,
            mail_outbox,
            supervision_is_alive(folders),
        ],
        resources={
            "cache": cache,
            "cache_tables": CacheIOManager(cache=cache),
            "business_day": BusinessDay(fixed=settings.business_day or ""),
            "kmd_ee": KmdEeResource(settings=settings),
            "lora": LoraResource(settings=settings),
            "debt_authority": DebtAuthorityResource(settings=settings),
            "dynamics": DynamicsResource(settings=settings),
            "address_files": AddressRegisterResource(settings=settings),
            "washing": washing_resource(settings),
            "registers": RegistersResource(settings=settings),
            "person_events": PersonEventsResource(settings=settings),
            "mail": MailResource(settings=settings),
        },
        # A process per step would cost seconds; parallelism comes from parallel runs.
        executor=dg.in_process_executor,
    )


defs = build_definitions(Settings())

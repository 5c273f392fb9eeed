"""Delivers installation accounts to Dynamics CRM 365; part of the code location where a setting names their table."""

import dagster as dg
import polars as pl

from integration_assets.assets.accounts import ACCOUNTS
from integration_assets.assets.context import areas_of, counting_requests, journaled, record_rejections
from integration_assets.assets.declare import kept_asset
from integration_assets.assets.lora import record_report
from integration_assets.assets.outgoing import desire
from integration_assets.cache.refused import refused
from integration_assets.domain.crm.account_rows import installation_accounts
from integration_assets.domain.crm.fields import DESCRIPTIONS, FIELDS, INSTALLATION_ACCOUNTS
from integration_assets.domain.crm.fitting import rejections
from integration_assets.domain.crm.wire import desired_rows
from integration_assets.flows.accounts import delivered_targets
from integration_assets.flows.crm import SYSTEM, deliver_rows, row_sender, worklist
from integration_assets.flows.crm_mapping import mapping_in_force
from integration_assets.flows.identity import object_ids
from integration_assets.flows.preflight import gated
from integration_assets.resources.business_day import BusinessDay
from integration_assets.resources.cache import CacheResource
from integration_assets.resources.dynamics import DynamicsResource

CRM_ACCOUNTS = dg.AssetKey([SYSTEM, INSTALLATION_ACCOUNTS])


@kept_asset(
    CRM_ACCOUNTS,
    kinds={"dynamics"},
    description=f"{DESCRIPTIONS[INSTALLATION_ACCOUNTS]} Delivered to the custom table of CRM_ACCOUNTS_TABLE.",
    schema=dg.TableSchema(
        columns=[
            dg.TableColumn(name=each.name, type=str(each.dtype), description=each.description)
            for each in FIELDS[INSTALLATION_ACCOUNTS]
        ]
    ),
    deps=[ACCOUNTS, dg.AssetKey([SYSTEM, "agreements"]), dg.AssetKey([SYSTEM, "installations"])],
)
def crm_installation_accounts(
    context: dg.AssetExecutionContext, cache: CacheResource, dynamics: DynamicsResource, business_day: BusinessDay
) -> None:
    """Delivers the accounts of the areas, each as it was calculated last."""
    store, settings, areas = cache.get(), dynamics.settings, areas_of(context)
    by, as_of = mapping_in_force(settings), business_day.of_run(context)
    with journaled(context, store) as counts, counting_requests(SYSTEM, dynamics.get(), counts):
        fitted = installation_accounts(store.accounts.rows(areas), object_ids(settings), delivered_targets(store), by)
        rows = desired_rows(INSTALLATION_ACCOUNTS, fitted.rows, by)
        desire(context, store, settings, SYSTEM, INSTALLATION_ACCOUNTS, rows, counts)
        send = gated(
            row_sender(dynamics.get(), INSTALLATION_ACCOUNTS, by, adoptions=store.row_adoptions),
            lambda: dynamics.require_fit(context.log.warning),
        )
        report = deliver_rows(store.deliveries, dynamics.get(), INSTALLATION_ACCOUNTS, send, areas, by)
        record_report(context, report, INSTALLATION_ACCOUNTS, counts)
        kept_back = rejections(INSTALLATION_ACCOUNTS, fitted.misfits, by)
        waiting = worklist(INSTALLATION_ACCOUNTS, refused(store.engine, SYSTEM, INSTALLATION_ACCOUNTS, areas))
        record_rejections(context, store, pl.concat([kept_back, waiting]), as_of, counts, areas=areas)

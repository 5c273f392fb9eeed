"""Claims under collection (fordringer) and their recalls (tilbagekald). Off unless the setting claims_enabled is on."""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import polars as pl

from integration_assets.assets.context import counting_requests, journaled, record_rejections
from integration_assets.assets.declare import plain_asset
from integration_assets.assets.outside import KMD_EE
from integration_assets.cache.claim_ledger import ClaimLedger
from integration_assets.cache.recall_lists import ISSUES, LISTED
from integration_assets.cache.recall_outbox import CHANNEL
from integration_assets.cache.store import Cache
from integration_assets.domain.claims.ledger import CLAIMS
from integration_assets.domain.claims.proposals import WANTED
from integration_assets.domain.claims.reconciliation import monthly_base
from integration_assets.flows.claim_ledger import import_ledger, propose_from_agreements
from integration_assets.flows.claim_statuses import overdue, take_in_folder
from integration_assets.flows.recalls import send_due
from integration_assets.resources.business_day import BusinessDay
from integration_assets.resources.cache import CacheResource
from integration_assets.resources.debt_authority import DebtAuthorityResource

AGREEMENT_EVENTS = dg.AssetKey(["billing", "agreement_events"])
LEDGER = dg.AssetKey(["claims", "ledger"])
PROPOSALS = dg.AssetKey(["claims", "recall_proposals"])
RECALLS = dg.AssetKey(["claims", "recalls"])
STATUSES = dg.AssetKey(["claims", "statuses"])

NO_AREA = ""
"""Claims belong to customers, not to supply areas."""
SHOWN_ROWS = 20
OFF = "Claims are not recalled from here (setting claims_enabled is off): nothing was done."


@plain_asset(
    LEDGER,
    kinds={"csv", "postgresql"},
    deps=[KMD_EE.key],
    description="Claims that were handed over to the debt authority (fordringer under inddrivelse), from the file that "
    "the billing side writes (setting claims_ledger), with write-downs and write-ups. A row that does not do is "
    "rejected with its reason; the others are taken. The metadata reconcile the collection base month by month.",
    schema=CLAIMS,
)
def claim_ledger(
    context: dg.AssetExecutionContext,
    cache: CacheResource,
    debt_authority: DebtAuthorityResource,
    business_day: BusinessDay,
) -> None:
    """Takes the ledger file in."""
    if not _is_on(context, debt_authority):
        return
    store, settings, as_of = cache.get(), debt_authority.settings, business_day.of_run(context)
    ledger = ClaimLedger(store.engine)
    with journaled(context, store, areas=[]) as counts:
        done = import_ledger(ledger, Path(settings.need("claims_ledger")), settings.claims_movements, as_of)
        counts |= done.stored._asdict()
        rejected = done.rejected.with_columns(pl.lit(NO_AREA).alias("supply_area"))
        record_rejections(context, store, rejected, as_of, counts, areas=[NO_AREA])
    months = monthly_base(ledger.entries())
    context.add_output_metadata({"collection_base": dg.MetadataValue.md(_markdown(months.tail(SHOWN_ROWS)))})


@plain_asset(
    PROPOSALS,
    kinds={"postgresql"},
    deps=[LEDGER, AGREEMENT_EVENTS],
    description="Recalls that events of agreements (aftaler) ask for: FEJL for all claims of an agreement that was "
    "annulled, and for those of which nothing is left in the dates that hold now. What is left in part, or was billed "
    "with another product, is a write-down and told to a person. Nothing is sent before a person has approved it.",
    schema=WANTED,
)
def recall_proposals(
    context: dg.AssetExecutionContext,
    cache: CacheResource,
    debt_authority: DebtAuthorityResource,
    business_day: BusinessDay,
) -> None:
    """Proposes what is asked for, and withdraws what is not asked for any more."""
    if not _is_on(context, debt_authority):
        return
    store, as_of = cache.get(), business_day.of_run(context)
    recalls = debt_authority.recalls(store)
    with journaled(context, store, areas=[]) as counts:
        ledger = ClaimLedger(store.engine)
        counts |= propose_from_agreements(ledger, recalls, debt_authority.creditor_id, as_of, _now)
    waiting = recalls.listed(["PROPOSED"])
    context.add_output_metadata({"to_approve": dg.MetadataValue.md(_recalls_markdown(waiting))})


@plain_asset(
    RECALLS,
    kinds={"soap", "xml", "postgresql"},
    deps=[PROPOSALS],
    description="Approved recalls, delivered to the debt authority (DMIFordringAsynkronTilbagekald). What is sent is "
    "committed before it is sent, so that each recall arrives once whatever happens on the way; each error number is "
    "followed as the service description asks. That a delivery was received (MODTAGET) says nothing of its success.",
    schema=LISTED,
)
def recalls(
    context: dg.AssetExecutionContext,
    cache: CacheResource,
    debt_authority: DebtAuthorityResource,
    business_day: BusinessDay,
) -> None:
    """Sends all that is due."""
    if not _is_on(context, debt_authority):
        return
    store = cache.get()
    means = debt_authority.means(store)
    with journaled(context, store, areas=[]) as counts, counting_requests(CHANNEL, means.authority, counts):
        counts |= send_due(means, business_day.of_run(context))
        counts |= {f"open_{state.lower()}": number for state, number in debt_authority.recalls(store).counts().items()}
    if (why := means.outbox.stopped()) is not None:
        context.log.error("The channel to the debt authority is stopped. %s", why)
    waiting = debt_authority.recalls(store).listed(["MANUAL", "HOLD", "CHANNEL_STOPPED"])
    context.add_output_metadata({"for_a_person": dg.MetadataValue.md(_recalls_markdown(waiting))})


@plain_asset(
    STATUSES,
    kinds={"soap", "xml", "postgresql"},
    deps=[RECALLS],
    description="What became of recalls (MFAktionStatusOpdater): statuses dropped as files are taken in; those the "
    "authority posts come in through `integration-assets claims listen`. Receipts are archived, claims marked "
    "as recalled; what fits nothing, and what has no final status after DMI_ANSWER_WORKING_DAYS, is told of.",
    schema=ISSUES,
)
def recall_statuses(
    context: dg.AssetExecutionContext, cache: CacheResource, debt_authority: DebtAuthorityResource
) -> None:
    """Takes the status folder in, and looks for what is overdue."""
    if not _is_on(context, debt_authority):
        return
    store, settings = cache.get(), debt_authority.settings
    with journaled(context, store, areas=[]) as counts:
        folder = settings.dmi_status_folder
        if folder is not None and folder.is_dir():
            counts |= take_in_folder(debt_authority.statuses(store), folder, _now())
        late = overdue(debt_authority.recalls(store), settings.dmi_answer_working_days, _now())
        issues = debt_authority.recalls(store).issues()
        counts |= {"overdue": late.height, "issues": issues.height, **_under_collection(store)}
    if late.height or issues.height:
        context.log.warning(
            "%s recalls are overdue and %s issues are open: integration-assets claims overdue, claims issues.",
            *(late.height, issues.height),
        )
    shown = {
        "open_issues": _markdown(issues.select("issue_id", "kind", "text").tail(SHOWN_ROWS)),
        "overdue_recalls": _recalls_markdown(late),
    }
    context.add_output_metadata({name: dg.MetadataValue.md(text) for name, text in shown.items()})


def _is_on(context: dg.AssetExecutionContext, debt_authority: DebtAuthorityResource) -> bool:
    if not debt_authority.is_enabled:
        context.log.info(OFF)
    context.add_output_metadata({"enabled": debt_authority.is_enabled})
    return debt_authority.is_enabled


def _now() -> datetime:
    return datetime.now(UTC)


def _under_collection(store: Cache) -> dict[str, int]:
    found = ClaimLedger(store.engine).open_collections()
    return {"customers_under_collection": found.height, "claims_under_collection": int(found["claims"].sum())}


def _recalls_markdown(found: pl.DataFrame) -> str:
    columns = ("action_id", "claim_id", "reason", "state", "creditor_ref", "amount", "why", "note")
    return _markdown(found.select(columns).head(SHOWN_ROWS))


def _markdown(found: pl.DataFrame) -> str:
    lines = ["| " + " | ".join(found.columns) + " |", "|" + "---|" * len(found.columns)]
    for row in found.with_columns(pl.all().cast(pl.String).fill_null("")).iter_rows():
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |")
    return "\n".join(lines)

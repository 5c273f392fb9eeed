"""What the person and company registers change in the registry (LoRa); subscriptions, and notices to operators."""

from datetime import UTC, datetime

import dagster as dg
import polars as pl

from integration_assets.assets.context import journaled, name_of, record_rejections
from integration_assets.assets.declare import plain_asset
from integration_assets.assets.lora import deliver_rows
from integration_assets.assets.outgoing import state
from integration_assets.assets.outside import COMPANY_REGISTER, PERSON_REGISTER
from integration_assets.clients.http import CallError
from integration_assets.domain.people.ports import PersonEvents
from integration_assets.domain.source import REJECTIONS
from integration_assets.domain.tables import REGISTRY_ROWS
from integration_assets.flows import notifications
from integration_assets.flows.identity import object_ids
from integration_assets.flows.lookups import COMPANY, PERSON, Lookups
from integration_assets.flows.notifications import Means
from integration_assets.flows.registry import desiring, with_history
from integration_assets.resources.business_day import BusinessDay
from integration_assets.resources.cache import CacheResource
from integration_assets.resources.lora import LoraResource
from integration_assets.resources.person_events import PersonEventsResource
from integration_assets.resources.registers import RegistersResource, certificate_warning
from integration_assets.resources.washing import WashingResource

KINDS = {"xml", "rest"}
PARTIES = dg.AssetKey(["resolved", "customers"])
SUBSCRIPTIONS = pl.Schema({"subject": pl.String, "since": pl.Date})
"""Who is subscribed to, by the keyed hash of her number."""


@plain_asset(
    dg.AssetKey(["notifications", "persons"]),
    kinds=KINDS,
    deps=[PARTIES, PERSON_REGISTER.key],
    description="Names, gender, civil status, protection and address of persons, corrected in the registry (bruger) "
    "with the register's own days. Asked for when the register tells of a change, else by a rolling sweep.",
    schema=REGISTRY_ROWS["customers"],
)
def notification_persons(
    context: dg.AssetExecutionContext,
    cache: CacheResource,
    registers: RegistersResource,
    person_events: PersonEventsResource,
    washing: WashingResource,
    lora: LoraResource,
    business_day: BusinessDay,
) -> None:
    """Takes in the register's deliveries, asks again for everybody who is due, and delivers what changed."""
    means = _means(context, cache, registers, business_day, registers.settings.person_sweep_days)
    events = person_events.get()
    corrected: set[str] = set()
    with journaled(context, cache.get(), areas=corrected) as counts:
        trouble = None if events is None else _take_in(context, means, events, counts)
        told = _follow(context, means, registers, washing, lora, counts, corrected, PERSON, watch=events is not None)
    # Only now is it known on every side whose areas are to be brought to the CRM.
    cache.get().following.note_delivered(PERSON, told)
    if trouble is not None:
        raise trouble


@plain_asset(
    dg.AssetKey(["notifications", "companies"]),
    kinds=KINDS,
    deps=[PARTIES, COMPANY_REGISTER.key],
    description="Names, addresses, business codes (branche) and forms of companies, corrected in the registry "
    "(organisation) with the register's own days, by a rolling sweep.",
    schema=REGISTRY_ROWS["customers"],
)
def notification_companies(
    context: dg.AssetExecutionContext,
    cache: CacheResource,
    registers: RegistersResource,
    washing: WashingResource,
    lora: LoraResource,
    business_day: BusinessDay,
) -> None:
    """Asks again for the companies whose turn it is, and delivers what changed."""
    means = _means(context, cache, registers, business_day, registers.settings.company_sweep_days)
    corrected: set[str] = set()
    with journaled(context, cache.get(), areas=corrected) as counts:
        told = _follow(context, means, registers, washing, lora, counts, corrected, COMPANY, watch=False)
    cache.get().following.note_delivered(COMPANY, told)


@plain_asset(
    dg.AssetKey(["notifications", "subscriptions"]),
    kinds={"xml"},
    deps=[PARTIES, PERSON_REGISTER.key, dg.AssetKey(["notifications", "persons"])],
    description="Subscriptions at the person register (CPR Abonnement): to the persons of living customer relations "
    "(kundeforhold), and nobody else. Without a service for it in the settings there are none.",
    schema=SUBSCRIPTIONS,
)
def notification_subscriptions(
    context: dg.AssetExecutionContext, cache: CacheResource, registers: RegistersResource, business_day: BusinessDay
) -> None:
    """Adds and removes subscriptions as customers move in and out."""
    subscriptions = registers.get().subscriptions
    if subscriptions is None:
        context.log.info("No subscription service is configured; persons are kept true by the sweep.")
        return
    means = _means(context, cache, registers, business_day, registers.settings.person_sweep_days)
    with journaled(context, cache.get()) as counts:
        done = notifications.follow_relations(means, subscriptions, notifications.named_living(means, PERSON))
        counts |= {"added": done.added, "removed": done.removed, "failed": done.failed}


@plain_asset(
    dg.AssetKey(["notifications", "notices"]),
    kinds={"polars"},
    deps=[PARTIES, dg.AssetKey(["notifications", "persons"]), dg.AssetKey(["notifications", "companies"])],
    description="What operators must put right in KMD EE since the registers know better: customers who died or got "
    "another CPR number, companies that ceased. Kept with the rejections until it is done.",
    schema=REJECTIONS,
)
def notification_notices(
    context: dg.AssetExecutionContext,
    cache: CacheResource,
    registers: RegistersResource,
    washing: WashingResource,
    business_day: BusinessDay,
) -> None:
    """Compares the parties of living customer relations with what the registers say of them."""
    means = _means(context, cache, registers, business_day, registers.settings.person_sweep_days)
    store = cache.get()
    with journaled(context, store) as counts:
        named = pl.concat(notifications.named_living(means, kind) for kind in (PERSON, COMPANY))
        found = notifications.open_notices(means, named, washing.index())
        areas = {*found.get_column("supply_area"), *store.rejections.open(name_of(context)).get_column("supply_area")}
        record_rejections(context, store, found, means.as_of, counts, areas=sorted(areas))


def _means(
    context: dg.AssetExecutionContext,
    cache: CacheResource,
    registers: RegistersResource,
    business_day: BusinessDay,
    sweep_days: int,
) -> Means:
    settings = registers.settings
    return Means(
        cache=cache.get(),
        ids=object_ids(settings),
        as_of=business_day.of_run(context),
        sweep_days=sweep_days,
        calls_per_second=settings.register_calls_per_second,
        watched_sweep_days=settings.person_net_days,
    )


def _take_in(
    context: dg.AssetExecutionContext, means: Means, events: PersonEvents, counts: dict[str, int]
) -> CallError | None:
    """Takes in the register's deliveries. What stops it is given back: who is due already need not wait for that."""
    try:
        taken = notifications.take_in(means, events)
    except CallError as failure:
        context.log.error("Event deliveries were not taken in; they are read again in the next run: %s", failure)
        return failure
    counts |= {"deliveries": taken.deliveries, "events": taken.persons}
    for note in taken.notes:
        context.log.warning(note)
    return None


def _follow(
    context: dg.AssetExecutionContext,
    means: Means,
    registers: RegistersResource,
    washing: WashingResource,
    lora: LoraResource,
    counts: dict[str, int],
    corrected: set[str],
    kind: str,
    *,
    watch: bool,
) -> frozenset[str]:
    """Asks for the parties of a kind that are due and delivers what changed; adds its supply areas to `corrected`.

    Returns the subjects of those of whom the registry knows now.
    """
    store = means.cache
    if warning := certificate_warning(registers.settings, datetime.now(UTC).date()):
        context.log.warning(warning)
    lookups = Lookups(
        *(store.answers, means.ids, registers.get(), registers.mandate),
        as_of=means.as_of,
        run_id=context.run.run_id,
    )
    named = notifications.named_living(means, kind)
    checked = notifications.check(means, lookups, kind, named, watch=watch)
    counts |= {
        "parties": named.get_column("party_id").n_unique(),
        "asked_by_event": checked.by_event,
        "asked_by_sweep": checked.by_sweep,
        "unanswered": checked.unanswered,
        "changed": len(checked.changed),
    }
    if checked.unanswered:
        context.log.warning("%s parties gave no answer; they are asked again in the next run.", checked.unanswered)
    if checked.changed:
        with desiring(store, "customers"):
            rows = notifications.registry_rows(means, checked.changed, washing.index())
            dated = with_history("customers", rows, store, means.as_of)
            state(store, "lora", "customers", dated, counts)
        corrected |= set(rows.get_column("supply_area"))
        deliver_rows(context, store, lora, "customers", counts, sorted(corrected))
    return checked.subjects

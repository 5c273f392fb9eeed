"""What happened to agreements since they were followed last, as events that the facts of installations follow."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import polars as pl

from integration_assets.cache.agreement_events import EVENTS, FOLLOWED, LOCK
from integration_assets.cache.locks import advisory_lock
from integration_assets.cache.rejections import FOUND
from integration_assets.cache.store import Cache
from integration_assets.domain.facts.agreements import desired_states, state_of
from integration_assets.domain.facts.call_rows import row_of
from integration_assets.domain.facts.calls import (
    Call,
    CancelContractEnd,
    ChangeMoveInDate,
    ChangeMoveOutDate,
    MoveOut,
    ProductChange,
    ProductChangeCancel,
)
from integration_assets.domain.facts.days import day_after
from integration_assets.domain.facts.events import AgreementState, Event, Followed, ProductPeriod, events
from integration_assets.domain.facts.tariffs import TariffBook
from integration_assets.domain.identity import ObjectIds
from integration_assets.domain.source import ANNULLED
from integration_assets.domain.tables import KMD_CUSTOMERS

_KEY: Final = ["customer_number", "installation"]


@dataclass(frozen=True)
class Derived:
    """What deriving found: how many agreements on installations there are, how many changed, events by kind, and
    those (columns of `cache.rejections.FOUND`) that no product is assigned to."""

    agreements: int
    changed: int
    by_kind: Mapping[str, int]
    events: pl.DataFrame
    rejections: pl.DataFrame


def annulled_agreements(cache: Cache, areas: Sequence[str]) -> pl.Series:
    """Customer numbers whose move-in was annulled: KMD EE has a move-out on or before it."""
    found = cache.rejections.open("/".join(KMD_CUSTOMERS.asset), list(areas))
    return found.filter(pl.col("reason") == ANNULLED)["customer_number"].drop_nulls().unique()


def derive_events(
    cache: Cache,
    ids: ObjectIds,
    resolved: pl.DataFrame,
    meters: pl.DataFrame,
    book: TariffBook,
    areas: Sequence[str],
    as_of: date,
) -> Derived:
    """Compares the agreements of these areas with what was followed last, and keeps what happened as events.

    `resolved` and `meters` are the rows of resolved/customers and kmd_ee/installations of these areas. A row that
    vanished is no event. What was seen already is not seen again; an agreement that changes before its last events
    were carried out is compared with what was reached before them.
    """
    store = cache.agreement_events
    # Of two runs that look at one agreement at a time, the second one sees what the first one has written.
    with advisory_lock(cache.engine, LOCK):
        store.settle(areas, as_of)
        numbers = resolved["customer_number"]
        known = store.followed(areas)
        moved_here = numbers.filter(~numbers.is_in(known["customer_number"].unique().implode()))
        known = pl.concat([known, store.followed([], moved_here.to_list())]).unique(_KEY)
        states = desired_states(resolved, meters, known, annulled_agreements(cache, areas), book)
        compared = states.join(known.drop("supply_area", "agreement_id"), on=_KEY, how="left")
        changed = compared.filter(pl.col("told").ne_missing(pl.col("wanted")) & pl.col("told").is_not_null())
        found, followed = _derived(changed, ids, book, as_of)
        if followed.height:
            store.append(found, followed)
            store.settle(areas, as_of)  # what changed without an event is reached at once
    return Derived(
        agreements=states.height,
        changed=changed.height,
        by_kind=Counter(found["kind"].to_list()),
        events=found,
        rejections=_without_product(states),
    )


def _derived(changed: pl.DataFrame, ids: ObjectIds, book: TariffBook, as_of: date) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Events and what is followed then, of the agreements that changed: those first that give days back."""
    rows = changed.with_columns(ids.series("agreement", changed["customer_number"]).alias("agreement_id"))
    told: list[tuple[tuple[bool, date], list[dict[str, Any]]]] = []
    followed: list[dict[str, Any]] = []
    for row in rows.iter_rows(named=True):
        installation, number = row["installation"], row["customer_number"]
        wanted = state_of(installation, number, row["told"], book)
        reached = None if row["reached"] is None else state_of(installation, number, row["reached"], book)
        before = None if row["revision"] is None else Followed(reached, row["reached_life"] or 1, row["revision"])
        found, after = events(before, wanted)
        revision = (row["revision"] or 0) + 1 if after is before or after is None else after.revision
        followed.append(
            {
                **{name: row[name] for name in (*_KEY, "agreement_id", "supply_area", "reached", "reached_life")},
                "wanted": row["told"],
                "wanted_life": 1 if after is None else after.life,
                "revision": revision,
                "seen_on": as_of,
            }
        )
        common = {name: row[name] for name in (*_KEY, "agreement_id", "supply_area")}
        common |= {"revision": revision, "seen_on": as_of, "contract": (after or Followed(None)).contract(number)}
        told.append((_order(reached, wanted), list(_event_rows(found, reached, wanted, common))))
    told.sort(key=lambda one: one[0])
    listed = [row for _order_of, several in told for row in several]
    return pl.DataFrame(listed, schema=EVENTS), pl.DataFrame(followed, schema=FOLLOWED)


def _order(reached: AgreementState | None, wanted: AgreementState) -> tuple[bool, date]:
    """What only gives days of its installation back comes before what takes any; then the earlier one."""
    if wanted.is_annulled:
        return False, wanted.moved_in
    takes = reached is None or reached.is_annulled or wanted.moved_in < reached.moved_in
    if reached is not None and reached.moved_out is not None:
        takes = takes or wanted.moved_out is None or reached.moved_out < wanted.moved_out
    return takes, wanted.moved_in


def _event_rows(
    found: Iterable[Event], reached: AgreementState | None, wanted: AgreementState, common: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    before = None if reached is None or reached.is_annulled else reached
    for event in found:
        told = row_of(event.call)
        day = _first_day(event.call, before, wanted)
        yield {
            **common,
            "process_id": event.process_id,
            "kind": told["process"],
            "day": day,
            "moved_in_before": None if before is None else before.moved_in,
            "moved_out_before": None if before is None else before.moved_out,
            "moved_in": wanted.moved_in,
            "moved_out": wanted.moved_out,
            "product_before": None if before is None else _product_on(before.products, day),
            "product": None if wanted.is_annulled else _product_on(wanted.products, day),
            "call": json.dumps(told, ensure_ascii=False, default=float),
        }


def _first_day(call: Call, before: AgreementState | None, wanted: AgreementState) -> date:
    """The first day that a call changes; of an end that moves, the first day after the earlier one."""
    match call:
        case MoveOut(day=day):
            return day_after(day)
        case ChangeMoveOutDate(day=day):
            was = None if before is None else before.moved_out
            return day_after(day) if was is None else min(was, day_after(day))
        case ChangeMoveInDate(day=day):
            return day if before is None else min(day, before.moved_in)
        case CancelContractEnd() if before is not None and before.moved_out is not None:
            return before.moved_out
        case ProductChange(day=day) | ProductChangeCancel(day=day):
            return day
        case _:
            return wanted.moved_in


def _product_on(products: Sequence[ProductPeriod], day: date) -> str:
    return next((one.product for one in reversed(products) if one.first <= day), products[0].product)


def _without_product(states: pl.DataFrame) -> pl.DataFrame:
    """Agreements on installations that no rule of the tariff book assigns a product to."""
    sentence = (
        "Installation {} of customer {}: no row of the tariff table products fits its number, supply area and meter "
        "type. Its facts stay as they are until one does."
    )
    return (
        states.filter(pl.col("told").is_null())
        .select(
            pl.concat_str("installation", "customer_number", separator="/").alias("record_key"),
            pl.lit("no_product").alias("reason"),
            pl.format(sentence, "installation", "customer_number").alias("text"),
            "customer_number",
            "supply_area",
        )
        .select(list(FOUND))
    )

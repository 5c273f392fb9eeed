"""The address text behind a rejection: what the washing found about it, and which addresses may have been meant."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import polars as pl

from integration_assets.cache.number_rows import NumberRows
from integration_assets.cache.store import Cache
from integration_assets.cache.worklist_rows import Item
from integration_assets.domain.addresses.resolve import alternative_places, billing_lines
from integration_assets.domain.addresses.washing import components
from integration_assets.domain.addresses.washing.text import normalized
from integration_assets.domain.addresses.washing.washed import ACCESS, UNIT
from integration_assets.domain.schema import EntityTable
from integration_assets.domain.tables import KMD_CUSTOMERS, KMD_INSTALLATIONS

_KINDS: Final = {
    "resolved/consumption_addresses": UNIT,
    "resolved/billing_addresses": UNIT,
    "resolved/installation_addresses": ACCESS,
}
"""What the texts of an asset are to mean."""


@dataclass(frozen=True)
class Candidate:
    """An address of the register that may have been meant; `distance` counts what differs."""

    address_id: str
    text: str
    distance: int | None


@dataclass(frozen=True)
class Decided:
    """What an operator decided: the address (None: there is none), who and when, and why."""

    address_id: str | None
    by: str
    at: datetime
    note: str | None


@dataclass(frozen=True)
class AddressCase:
    """One text and what is known of it. `kind`: unit or access; `method` and the rest are those of the washing, None
    where the text was not washed yet."""

    kind: str
    text: str
    normalized: str
    category: str | None
    method: str | None
    washed_at: datetime | None
    unknown_words: Sequence[str]
    candidates: Sequence[Candidate]
    decided: Decided | None


def address_case(cache: Cache, item: Item) -> AddressCase | None:
    """The case of a rejected address; None for other items, and where the billing system's row is gone."""
    kind = _KINDS.get(item.asset)
    if item.kind != "rejection" or kind is None or not item.areas:
        return None
    text = _text(cache, item)
    if not text:
        return None
    washed = cache.washings.last(kind, text)
    own = pl.select(normalized(pl.lit(text))).item()
    decision = cache.washings.decision(kind, own)
    evidence = {} if washed is None else washed["evidence"]
    return AddressCase(
        kind=kind,
        text=text,
        normalized=own,
        category=None if washed is None else washed["category"],
        method=None if washed is None else washed["method"],
        washed_at=None if washed is None else washed["washed_at"],
        unknown_words=evidence.get("unknown_tokens") or (),
        candidates=[
            Candidate(each["address_id"], each["text"], each.get("distance"))
            for each in evidence.get("candidates") or ()
            if each.get("address_id")
        ],
        decided=None
        if decision is None
        else Decided(decision["address_id"], decision["decided_by"], decision["decided_at"], decision["note"]),
    )


def _text(cache: Cache, item: Item) -> str | None:
    """The text as the washing was asked about it (`flows.washing`)."""
    rows = NumberRows(cache.engine, cache.cipher)
    here = {"supply_area": item.areas}
    if item.asset == "resolved/installation_addresses":
        meters = _frame(
            KMD_INSTALLATIONS, rows.of(KMD_INSTALLATIONS, {**here, "installation_number": [item.record_key]})
        )
        return _first(components.lines(alternative_places(meters)))
    customers = _frame(KMD_CUSTOMERS, rows.of(KMD_CUSTOMERS, {**here, "customer_number": [item.record_key]}))
    if item.asset == "resolved/billing_addresses":
        return _first(billing_lines(customers))
    return _first(components.lines(customers))


def _frame(table: EntityTable, rows: Sequence[dict[str, object]]) -> pl.DataFrame:
    return pl.DataFrame([{name: row[name] for name in table.schema} for row in rows], schema=table.schema)


def _first(texts: pl.Series) -> str | None:
    return texts[0] if len(texts) else None

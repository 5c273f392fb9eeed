"""What an installation account shows: fields derived from the linked entities as they are today, and who owns which.

Fields that come from the billing side mirror it, emptiness included. Fields that people keep in the CRM are never
written.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Final, NamedTuple

from integration_assets.domain.accounts.market_locations import scheme_of
from integration_assets.domain.accounts.marking import Calculated, Mark

FieldValue = str | int | float | bool | date | None | tuple[tuple[str, str], ...]
Fields = Mapping[str, FieldValue]

DERIVED_FIELDS: Final = (
    "status", "address", "division", "market_location", "meter_number", "meter_type", "billing_contract",
    "contract_start", "contract_end", "product", "tariff_facts", "invoice_address", "payment_account",
    "open_collection",
)  # fmt: skip
"""Fields that the billing side owns; write-protected in the CRM."""

CRM_FIELDS: Final = ("notes", "prospect_source", "prospect_owner")
"""Fields that people own; what stands in them is carried along as it is."""


class Status(StrEnum):
    """How the account stands today, by the billing contract that counts."""

    PROSPECT = "PROSPECT"
    FUTURE = "FUTURE"
    ACTIVE = "ACTIVE"
    ENDED = "ENDED"


class TimeRow(NamedTuple):
    """A meter at the installation (Anlagen-Zeitdaten), on the days from first to last."""

    first: date
    last: date
    meter_number: str | None
    meter_type: str | None


class BillingContract(NamedTuple):
    """A billing contract (aftale) of customer and installation; `end` is its last day."""

    id: str
    start: date
    end: date
    product: str | None


class LinkedEntities(NamedTuple):
    """All that an account shows something of, as it is now."""

    address: str | None
    division: str | None
    market_location: str | None
    invoice_address: str | None
    payment_account: str | None
    time_rows: Sequence[TimeRow]
    contracts: Sequence[BillingContract]
    facts: Mapping[str, str]
    """Tariff facts that hold today, as texts by operand."""
    open_collection: bool = False


class AccountState(NamedTuple):
    """An account as it is stored: its fields, its mark, and when it was calculated."""

    fields: Fields
    mark: Mark
    calculated: Calculated


class Update(NamedTuple):
    """An account after its update, the fields that are different now, and issues of the data."""

    state: AccountState
    changed: tuple[str, ...]
    issues: tuple[str, ...]


def contract_that_counts(contracts: Sequence[BillingContract], today: date) -> BillingContract | None:
    """The contract that is valid today; else the next one; else the one that ended last."""
    valid = [one for one in contracts if one.start <= today <= one.end]
    if valid:
        return max(valid, key=lambda one: one.start)
    future = [one for one in contracts if one.start > today]
    if future:
        return min(future, key=lambda one: one.start)
    return max(contracts, key=lambda one: one.end, default=None)


def updated(state: AccountState, linked: LinkedEntities, today: date, now: datetime, seen: int) -> Update:
    """The account with its fields derived anew; `seen` is the version of the mark that was read with the entities.

    Where two meters hold today the account stays as it is, marked, with an issue. A mark that was set again meanwhile
    stays. Where nothing is different, no field is written.
    """
    meters = [row for row in linked.time_rows if row.first <= today <= row.last]
    if len(meters) > 1:
        named = ", ".join(row.meter_number or "without number" for row in meters)
        return Update(state, (), (f"Two meters hold on {today} ({named}); the account was left as it is.",))
    issues: list[str] = []
    if linked.time_rows and not meters:
        issues.append(f"No meter holds on {today}.")
    if linked.market_location and scheme_of(linked.market_location) is None:
        issues.append(f"{linked.market_location} is no valid MaLo-ID or GSRN.")
    derived = _derived(linked, meters[0] if meters else None, today)
    changed = tuple(name for name in DERIVED_FIELDS if state.fields.get(name) != derived[name])
    fields = {**state.fields, **derived} if changed else state.fields
    after = AccountState(fields, state.mark.cleared(seen), Calculated(today, now))
    return Update(after, changed, tuple(issues))


def _derived(linked: LinkedEntities, meter: TimeRow | None, today: date) -> dict[str, FieldValue]:
    contract = contract_that_counts(linked.contracts, today)
    status = (
        Status.PROSPECT
        if contract is None
        else Status.FUTURE
        if contract.start > today
        else Status.ENDED
        if contract.end < today
        else Status.ACTIVE
    )
    return {
        "status": status.value,
        "address": linked.address,
        "division": linked.division,
        "market_location": linked.market_location,
        "meter_number": None if meter is None else meter.meter_number,
        "meter_type": None if meter is None else meter.meter_type,
        "billing_contract": None if contract is None else contract.id,
        "contract_start": None if contract is None else contract.start,
        "contract_end": None if contract is None else contract.end,
        "product": None if contract is None else contract.product,
        "tariff_facts": tuple(sorted(linked.facts.items())),
        "invoice_address": linked.invoice_address,
        "payment_account": linked.payment_account,
        "open_collection": linked.open_collection,
    }

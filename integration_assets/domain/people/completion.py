"""Completion of personal numbers whose last four digits the billing system no longer delivers.

The missing digits are found by an address search in the person register: whoever lives at the customer's address, was
born on the day that the first six digits say and has the customer's name. For a co-customer (ligestillingskunde) no
name of her own is known, so exactly one person born on that day must live there. Only a unique hit is ever used.

Whether completion is allowed at all (authority, legal basis) is decided by configuration, outside of this module.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import polars as pl

from integration_assets.domain.addresses import texts
from integration_assets.domain.people.names import folded_column, same_name
from integration_assets.domain.people.numbers import Cpr, id_kind
from integration_assets.domain.people.parties import AddressKey, Resident, SearchResult

ACTIVE_STATUSES: Final = frozenset({"01", "03", "05", "07", "20"})
"""CPR statuses of valid numbers: resident or administrative; not annulled, changed, missing, emigrated or dead."""

CONSUMPTION_ADDRESS: Final = "consumption_address"
BILLING_ADDRESS: Final = "billing_address"
KNOWN: Final = "known"
INFERRED: Final = "inferred"


class CompletionKind(StrEnum):
    """How a completion ended; only `UNIQUE` carries a number. `NOT_ALLOWED`: no authority or legal basis configured."""

    UNIQUE = "unique"
    NONE = "none"
    AMBIGUOUS = "ambiguous"
    INCOMPLETE_SEARCH = "incomplete_search"
    NOT_ALLOWED = "not_allowed"


@dataclass(frozen=True)
class CompletionOutcome:
    """The outcome of a completion; the number never shows in `repr`."""

    kind: CompletionKind
    number: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Completed:
    """The outcome over several addresses: where (`origin`) and at which address (`found_at`) the number was found."""

    outcome: CompletionOutcome
    origin: str | None = None
    found_at: AddressKey | None = None


Search = Callable[[AddressKey], SearchResult]


def choose(
    name: str | None, birth6: str, hits: Sequence[Resident], complete: bool, *, besides: str | None = None
) -> CompletionOutcome:
    """The one person among the hits of one address who can be meant.

    `name` is compared but for case and blanks; None compares no name (co-customer), an empty one matches nobody.
    `birth6` is DDMMYY. `besides` is the number of somebody known not to be meant: the main customer when a co-customer
    is sought. Former residents, statuses outside ACTIVE_STATUSES and incomplete numbers are never meant. An answer that
    the register has capped (`complete` False) proves no uniqueness and gives incomplete_search.
    """
    if not complete:
        return CompletionOutcome(CompletionKind.INCOMPLETE_SEARCH)
    numbers = {
        hit.number
        for hit in hits
        if hit.number != besides
        and _can_be_meant(hit, birth6)
        and (name is None or same_name(name, hit.addressing_name))
    }
    if len(numbers) > 1:
        return CompletionOutcome(CompletionKind.AMBIGUOUS)
    return (
        CompletionOutcome(CompletionKind.UNIQUE, numbers.pop()) if numbers else CompletionOutcome(CompletionKind.NONE)
    )


def _can_be_meant(hit: Resident, birth6: str) -> bool:
    try:
        number = Cpr(hit.number)
    except ValueError:
        return False
    born = number.birth6 if hit.birth_date is None else hit.birth_date.strftime("%d%m%y")
    # Both must fit: a corrected birth date may differ from the number's, and then nothing is proven.
    return (
        not hit.moved_out
        and hit.status in ACTIVE_STATUSES
        and not number.is_incomplete
        and born == birth6
        and number.birth6 == birth6
    )


def complete_main(
    name: str | None, birth6: str, consumption: AddressKey | None, billing: AddressKey | None, search: Search
) -> Completed:
    """Completes the main customer: at the consumption address, then at the billing address.

    `search` asks the person register for one address; what it raises passes through. A place that is both is asked
    once. Where neither gives a unique hit the first outcome that is more than "nobody" tells why.
    """
    places = [(CONSUMPTION_ADDRESS, consumption)]
    if billing != consumption:
        places.append((BILLING_ADDRESS, billing))
    failed = CompletionOutcome(CompletionKind.NONE)
    for origin, place in places:
        if place is None:
            continue
        result = search(place)
        outcome = choose(name or "", birth6, result.hits, result.complete)
        if outcome.kind is CompletionKind.UNIQUE:
            return Completed(outcome, origin, place)
        if failed.kind is CompletionKind.NONE:
            failed = outcome
    return Completed(failed)


def complete_co(
    birth6: str,
    main_number: str | None,
    main_found_at: AddressKey | None,
    consumption: AddressKey | None,
    search: Search,
) -> Completed:
    """Completes the co-customer: where the main customer was found, or else at the consumption address.

    Independent of whether the main customer's number had to be completed. The main customer herself is never the hit.
    """
    place = main_found_at or consumption
    if place is None:
        return Completed(CompletionOutcome(CompletionKind.NONE))
    result = search(place)
    outcome = choose(None, birth6, result.hits, result.complete, besides=main_number)
    if outcome.kind is CompletionKind.UNIQUE:
        return Completed(outcome, INFERRED, place)
    return Completed(outcome)


def needs_completion(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows of `kmd_ee/customers` with an incomplete number.

    All their columns, and `main_incomplete`, `co_incomplete` (Boolean).
    """
    return rows.with_columns(
        (id_kind("id_number") == "incomplete_person").alias("main_incomplete"),
        (id_kind("co_id_number") == "incomplete_person").alias("co_incomplete"),
    ).filter(pl.col("main_incomplete") | pl.col("co_incomplete"))


def known_numbers(rows: pl.DataFrame, resolved: pl.DataFrame) -> pl.DataFrame:
    """Numbers that an earlier run completed and that still fit: customer_number, known_number, known_co_number.

    `rows` are of `kmd_ee/customers`, `resolved` the earlier rows of `resolved/customers`. A number fits when the first
    six digits are the same and both customer number and name are: somebody else who was born on the same day and took
    over the customer number must not inherit it. Either number may be null; rows with neither are left out.
    """
    earlier = resolved.select(
        "customer_number",
        folded_column("name").alias("_name"),
        pl.col("number").alias("known_number"),
        pl.col("co_number").alias("known_co_number"),
    )
    same = rows.select("customer_number", "id_number", "co_id_number", folded_column("name").alias("_name")).join(
        earlier, on=["customer_number", "_name"], how="inner"
    )
    return same.select(
        "customer_number",
        _still_fits("id_number", "known_number"),
        _still_fits("co_id_number", "known_co_number"),
    ).filter(pl.col("known_number").is_not_null() | pl.col("known_co_number").is_not_null())


def _still_fits(incomplete: str, known: str) -> pl.Expr:
    fits = (
        (id_kind(incomplete) == "incomplete_person")
        & (id_kind(known) == "person")
        & (pl.col(incomplete).str.head(6) == pl.col(known).str.head(6))
    )
    return pl.when(fits).then(known).alias(known)


def address_keys(rows: pl.DataFrame, *, by: str) -> dict[str, AddressKey]:
    """What to ask an address search with, by the column `by`, for each row whose address is complete enough.

    `rows` carry street_code, house_number, floor, door, postcode, and house_letter when the number stands without it:
    typed rows of `kmd_ee/customers` or `Register.addresses`. Needed are street code, house
    number and postal code; without them the row has no key.
    """
    letter = "house_letter" if "house_letter" in rows.columns else None
    keys = rows.select(
        pl.col(by).alias("_by"),
        texts.street_code("street_code").alias("street_code"),
        texts.house("house_number", letter).alias("house_number"),
        texts.postcode("postcode").alias("postcode"),
        texts.floor("floor").alias("floor"),
        texts.door("door").alias("door"),
    ).drop_nulls(["_by", "street_code", "house_number", "postcode"])
    return {str(row.pop("_by")): _address_key(row) for row in keys.to_dicts()}


def _address_key(row: Mapping[str, str | None]) -> AddressKey:
    return AddressKey(
        street_code=row["street_code"] or "",
        house_number=row["house_number"] or "",
        postcode=row["postcode"] or "",
        floor=row["floor"],
        door=row["door"],
    )

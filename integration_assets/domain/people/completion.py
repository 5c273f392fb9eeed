"""Completion of personal numbers whose last four digits the billing system no longer delivers.

The missing digits are found by an address search in the person register: whoever lives at the customer's address, was
born on the day that the first six digits say and has the customer's name. For a co-customer (ligestillingskunde) no
name of her own is known, so exactly one person born on that day must live there. The billing system may still name
somebody who has left or died: unless the name settles it, nobody else born on that day may have lived there either.
Only a unique hit is ever used, and only after the register's look-up of that person has borne it out (`verified`).

Whether completion is allowed at all (authority, legal basis) is decided by configuration, outside of this module.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import polars as pl

from integration_assets.domain.addresses import texts
from integration_assets.domain.people.names import (
    Likeness,
    likeness_to_addressing_name,
    likeness_to_full_name,
    same_name,
)
from integration_assets.domain.people.numbers import UNKNOWN_SERIAL, Cpr, id_kind
from integration_assets.domain.people.parties import AddressKey, Person, Resident, SearchResult

ACTIVE_STATUSES: Final = frozenset({"01", "03", "05", "07", "20"})
"""CPR statuses of valid numbers: resident or administrative; not annulled, changed, missing, emigrated or dead."""

CONSUMPTION_ADDRESS: Final = "consumption_address"
BILLING_ADDRESS: Final = "billing_address"
KNOWN: Final = "known"
INFERRED: Final = "inferred"


class CompletionKind(StrEnum):
    """How a completion ended; only `UNIQUE` carries a number.

    `AMBIGUOUS`: several could be meant, or too little tells that the one is. `INCOMPLETE_SEARCH`: the register did not
    show everybody. `INACTIVE_ONLY`: whoever fits has moved out, emigrated or died, or her number is no longer valid.
    `NOT_ALLOWED`: no authority or legal basis is configured, or the register refuses. `ERROR`: the register refuses the
    question itself, or its look-up contradicts its search.
    """

    UNIQUE = "unique"
    NONE = "none"
    AMBIGUOUS = "ambiguous"
    INCOMPLETE_SEARCH = "incomplete_search"
    INACTIVE_ONLY = "inactive_only"
    NOT_ALLOWED = "not_allowed"
    ERROR = "error"


@dataclass(frozen=True)
class CompletionOutcome:
    """The outcome of a completion; the number never shows in `repr`.

    Of a unique one: `certain`, the name is the same, which settles it whoever else may live elsewhere; `alone`, nobody
    else of that birth date lives or has lived at the address or is the co-customer. `candidates` are the numbers of
    those who fit: of an ambiguous one, who live there; of one that is inactive only, who are gone.
    """

    kind: CompletionKind
    number: str | None = field(default=None, repr=False)
    candidates: frozenset[str] = field(default=frozenset(), repr=False)
    certain: bool = False
    alone: bool = False


@dataclass(frozen=True)
class Completed:
    """The outcome over several addresses, and where (`origin`) the number was found."""

    outcome: CompletionOutcome
    origin: str | None = None


Search = Callable[[AddressKey], SearchResult]
Judge = Callable[[AddressKey, SearchResult], CompletionOutcome]

_NOBODY: Final = CompletionOutcome(CompletionKind.NONE)
_AMBIGUOUS: Final = CompletionOutcome(CompletionKind.AMBIGUOUS)
_CAPPED: Final = CompletionOutcome(CompletionKind.INCOMPLETE_SEARCH)


def choose(
    name: str | None, birth6: str, place: AddressKey, result: SearchResult, *, co_number: str | None = None
) -> CompletionOutcome:
    """The one resident of an address who can be the customer of this name, born on `birth6` (DDMMYY).

    A resident whose name is the same is meant. One whose name is only possibly the same is meant if nobody else of
    that birth date lives or has lived there, whatever that one's name is today, and if the co-customer (`co_number`,
    complete or not) was born on another day. Two that can be meant are ambiguous, be it one by the same and one by a
    possible name. Former residents, statuses outside ACTIVE_STATUSES and incomplete numbers are never meant. An answer
    that the register has capped proves nothing.
    """
    if not result.complete:
        return _CAPPED
    born = _born_that_day(birth6, place, result.hits)
    like = [(hit, likeness_to_addressing_name(name, hit.addressing_name)) for hit in born]
    fitting = [(hit, found) for hit, found in like if found is not Likeness.DIFFERENT]
    numbers = {hit.number for hit, _ in fitting if is_active(hit)}
    if len(numbers) != 1:
        return _ambiguous(numbers) if numbers else _nobody_active(hit for hit, _ in fitting)
    (number,) = numbers
    certain = any(found is Likeness.SAME for hit, found in fitting if hit.number == number and is_active(hit))
    alone = {hit.number for hit in born} == {number} and not (co_number or "").startswith(birth6)
    if not (certain or alone):
        return _ambiguous(numbers)
    return CompletionOutcome(CompletionKind.UNIQUE, number, certain=certain, alone=alone)


def choose_unnamed(
    birth6: str, place: AddressKey, result: SearchResult, *, main_number: str | None = None
) -> CompletionOutcome:
    """The only resident of an address who was born on `birth6` (DDMMYY), the main customer left out.

    She must be the only one at the full address, former residents and the dead included: as long as the billing system
    has not heard of it, one of them may be meant. When she left is not known here, so even one who left before the
    customer relation began makes it ambiguous. So do active residents in several dwellings where the address is not
    known in full (no floor or no door, and no unit of the address register). Otherwise as `choose`.
    """
    if not result.complete:
        return _CAPPED
    there = [hit for hit in result.hits if not place.is_unit or _is_in_unit(hit, place)]
    born = [hit for hit in _born_that_day(birth6, place, there) if hit.number != main_number]
    numbers = {hit.number for hit in born if is_active(hit)}
    if len(numbers) != 1:
        return _ambiguous(numbers) if numbers else _nobody_active(born)
    if {hit.number for hit in born} != numbers:
        return _ambiguous(numbers)
    living = [hit for hit in there if is_active(hit) and _lives_at(hit, place)]
    if not (place.floor and place.door) and not place.is_unit and len({(hit.floor, hit.door) for hit in living}) > 1:
        return _ambiguous(numbers)
    (number,) = numbers
    return CompletionOutcome(CompletionKind.UNIQUE, number)


def _ambiguous(numbers: set[str]) -> CompletionOutcome:
    return CompletionOutcome(CompletionKind.AMBIGUOUS, candidates=frozenset(numbers))


def _nobody_active(fitting: Iterable[Resident]) -> CompletionOutcome:
    gone = frozenset(hit.number for hit in fitting)
    return CompletionOutcome(CompletionKind.INACTIVE_ONLY, candidates=gone) if gone else _NOBODY


def is_active(hit: Resident) -> bool:
    """Whether the resident lives there now under a valid number."""
    return not hit.moved_out and hit.status.zfill(2) in ACTIVE_STATUSES


def _born_that_day(birth6: str, place: AddressKey, hits: Iterable[Resident]) -> list[Resident]:
    """Those at the address, now or formerly, who were born on that day of any century."""
    return [hit for hit in hits if _lives_at(hit, place) and _was_born(hit, birth6)]


def _was_born(hit: Resident, birth6: str) -> bool:
    try:
        number = Cpr(hit.number)
    except ValueError:
        return False
    if number.is_incomplete or number.is_substitute:
        return False
    born = number.birth6 if hit.birth_date is None else hit.birth_date.strftime("%d%m%y")
    # Both must fit: a corrected birth date may differ from the number's, and then nothing is proven.
    return born == birth6 and number.birth6 == birth6


def _lives_at(hit: Resident, place: AddressKey) -> bool:
    """Whether the row is of the house (letter included), floor and door asked for, as far as it names them."""
    asked = ((place.house_number, hit.house_number), (place.floor, hit.floor), (place.door, hit.door))
    return all(not wanted or has is None or _bare(wanted) == _bare(has) for wanted, has in asked)


def _is_in_unit(hit: Resident, place: AddressKey) -> bool:
    """Whether the row names no floor and no door that the unit does not have."""
    return all(wanted or not has for wanted, has in ((place.floor, hit.floor), (place.door, hit.door)))


def _bare(part: str) -> str:
    return part.strip().lstrip("0").casefold()


def complete_main(
    name: str | None,
    birth6: str,
    consumption: AddressKey | None,
    billing: AddressKey | None,
    search: Search,
    *,
    co_number: str | None = None,
) -> Completed:
    """Completes the main customer: at the consumption address, then at the billing address.

    `search` asks the person register for one address; what it raises passes through. A place that is both is asked
    once. The same name settles it; a possible one must not be contradicted at the other address. `co_number` is the
    co-customer's number, complete or not: born on the same day, she may be the one whom a possible name found.
    """

    def judge(place: AddressKey, result: SearchResult) -> CompletionOutcome:
        return choose(name, birth6, place, result, co_number=co_number)

    return _at_either(consumption, billing, search, judge)


def complete_co(
    birth6: str,
    main: str | None,
    consumption: AddressKey | None,
    billing: AddressKey | None,
    search: Search,
) -> Completed:
    """Completes the co-customer: the only one of her birth date at the consumption and billing addresses together.

    `main` is the main customer's number, complete or not, who is never the hit. As long as hers is incomplete and born
    on the same day, nobody can tell who of them was found, and the outcome is ambiguous.
    """
    if main == birth6 + UNKNOWN_SERIAL:
        return Completed(_AMBIGUOUS)

    def judge(place: AddressKey, result: SearchResult) -> CompletionOutcome:
        return choose_unnamed(birth6, place, result, main_number=main)

    completed = _at_either(consumption, billing, search, judge)
    return Completed(completed.outcome, INFERRED if completed.origin else None)


def _at_either(consumption: AddressKey | None, billing: AddressKey | None, search: Search, judge: Judge) -> Completed:
    """The outcomes at both addresses as one. A certain hit at the first address spares the search at the second."""
    found: list[Completed] = []
    for origin, place in ((CONSUMPTION_ADDRESS, consumption), (BILLING_ADDRESS, billing)):
        if place is None or (origin == BILLING_ADDRESS and place == consumption):
            continue
        outcome = judge(place, search(place))
        found.append(Completed(outcome, origin if outcome.kind is CompletionKind.UNIQUE else None))
        if outcome.certain:
            break
    return _together(found)


def _together(found: Sequence[Completed]) -> Completed:
    """One outcome of those at several addresses.

    Only one number may have been found, and whoever was ambiguous at one address must be made out at the other (the
    house was typed here, the flat there). Unless the name is certain, every address must have been searched wholly, and
    nobody else who fits may have left the other one. Without a hit: the first outcome that says more than "nobody".
    """
    unique = [each for each in found if each.origin is not None]
    rivals = [each.outcome.candidates for each in found if each.outcome.kind is CompletionKind.AMBIGUOUS]
    numbers = {each.outcome.number for each in unique}
    if len(numbers) > 1 or (rivals and not (unique and all(numbers <= several for several in rivals))):
        return Completed(_AMBIGUOUS)
    certain = next((each for each in unique if each.outcome.certain), None)
    if certain is not None:
        return certain
    if any(each.outcome.kind is CompletionKind.INCOMPLETE_SEARCH for each in found):
        return Completed(_CAPPED)
    gone = [each.outcome.candidates for each in found if each.outcome.kind is CompletionKind.INACTIVE_ONLY]
    if unique and not all(former <= numbers for former in gone):
        return Completed(_AMBIGUOUS)
    telling = (each for each in found if each.outcome.kind is not CompletionKind.NONE)
    return next(iter(unique), None) or next(telling, Completed(_NOBODY))


def verified(outcome: CompletionOutcome, person: Person | None, birth6: str, name: str | None) -> CompletionOutcome:
    """A unique outcome as far as the register's look-up of the hit bears it out; `name` None compares no name.

    The number in force must be the one that was found, the person born on `birth6` and active. Her name must be the
    same in full; a possible one is enough for an outcome that is `alone`.
    """
    if person is None or person.number != outcome.number or not _is_born(person, birth6):
        return CompletionOutcome(CompletionKind.ERROR)
    if person.status.zfill(2) not in ACTIVE_STATUSES:
        return CompletionOutcome(CompletionKind.INACTIVE_ONLY)
    if name is not None:
        like = likeness_to_full_name(name, person.first_name, person.middle_name, person.last_name)
        if same_name(name, person.addressing_name):  # as the register itself shortens and cuts it
            like = Likeness.SAME
        if like is Likeness.DIFFERENT:
            return _NOBODY
        if like is Likeness.POSSIBLE and not outcome.alone:
            return _AMBIGUOUS
    return outcome


def _is_born(person: Person, birth6: str) -> bool:
    born = person.birth_date is None or person.birth_date.strftime("%d%m%y") == birth6
    return born and person.number.startswith(birth6)


def known_numbers(rows: pl.DataFrame, resolved: pl.DataFrame) -> pl.DataFrame:
    """Numbers that an earlier run completed and that still fit: customer_number, known_number, known_co_number.

    `rows` are of `kmd_ee/customers`, `resolved` the earlier rows of `resolved/customers`. Customer number and main
    customer must be the same: her name, and her number as far as it is typed. Somebody else who was born on the same
    day and took over the customer number must not inherit it; nor may her co-customer, of whom no name is known. Either
    number may be null; rows with neither are left out.
    """
    earlier = resolved.select(
        "customer_number",
        pl.col("name").alias("_earlier_name"),
        pl.col("number").alias("known_number"),
        pl.col("co_number").alias("known_co_number"),
    )
    fitting = (
        rows.select("customer_number", "id_number", "co_id_number", "name")
        .join(earlier, on="customer_number", how="inner")
        .filter((pl.col("id_number") == pl.col("known_number")) | _fits("id_number", "known_number"))
        .select(
            "customer_number",
            "name",
            "_earlier_name",
            pl.when(_fits("id_number", "known_number")).then("known_number").alias("known_number"),
            pl.when(_fits("co_id_number", "known_co_number")).then("known_co_number").alias("known_co_number"),
        )
        .filter(pl.col("known_number").is_not_null() | pl.col("known_co_number").is_not_null())
    )
    unchanged = fitting.select((pl.col("name") == pl.col("_earlier_name")) & (pl.col("name") != "")).to_series()
    # Names are read one by one only where the typing differs: few rows on any day.
    pairs = fitting.select("name", "_earlier_name").rows()
    same = [equal or same_name(*pair) for equal, pair in zip(unchanged, pairs, strict=True)]
    return fitting.filter(pl.Series(same, dtype=pl.Boolean)).select(
        "customer_number", "known_number", "known_co_number"
    )


def _fits(incomplete: str, known: str) -> pl.Expr:
    """Whether the known number completes the incomplete one."""
    return (
        (id_kind(incomplete) == "incomplete_person")
        & (id_kind(known) == "person")
        & (pl.col(incomplete).str.head(6) == pl.col(known).str.head(6))
    )


def address_keys(rows: pl.DataFrame, *, by: str) -> dict[str, AddressKey]:
    """What to ask an address search with, by the column `by`, for each row whose address is complete enough.

    `rows` carry street_code, house_number, floor, door, postcode; house_letter when the number stands without it (typed
    rows of `kmd_ee/customers`); municipality_code and kind (rows of `addresses/register`). Needed are street code,
    house number and postal code; without them the row has no key.
    """
    letter = "house_letter" if "house_letter" in rows.columns else None
    registered = "municipality_code" in rows.columns
    municipality = texts.municipality_code("municipality_code") if registered else pl.lit(None, pl.String)
    is_unit = pl.col("kind") == "unit" if registered else pl.lit(False)
    keys = rows.select(
        pl.col(by).alias("_by"),
        texts.street_code("street_code").alias("street_code"),
        texts.house("house_number", letter).alias("house_number"),
        texts.postcode("postcode").alias("postcode"),
        texts.floor("floor").alias("floor"),
        texts.door("door").alias("door"),
        municipality.alias("municipality_code"),
        is_unit.alias("is_unit"),
    ).drop_nulls(["_by", "street_code", "house_number", "postcode"])
    return {row.pop("_by"): AddressKey(**row) for row in keys.to_dicts()}

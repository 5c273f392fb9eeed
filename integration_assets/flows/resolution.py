"""Identifies the parties of customer rows: numbers completed, people and companies known to their registers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from integration_assets.cache.register_answers import Alias
from integration_assets.domain import gates
from integration_assets.domain.addresses.resolve import billing_lines, unit_ids
from integration_assets.domain.addresses.washing.washed import UNIT
from integration_assets.domain.identity import ObjectIds
from integration_assets.domain.people.completion import KNOWN, address_keys, known_numbers
from integration_assets.domain.people.notices import CO_SUFFIX
from integration_assets.domain.people.numbers import id_kind
from integration_assets.domain.people.parties import AddressKey
from integration_assets.domain.source import REJECTIONS
from integration_assets.domain.tables import RESOLVED_CUSTOMERS
from integration_assets.flows.completion import NO_ANSWER, NOT_ASKED, Completion, Found, Question
from integration_assets.flows.lookups import Lookups, person_ids
from integration_assets.flows.washing import Washer

SENTENCES = {
    "no_id_number": "The row names nobody: the identification number (PersonnrSEnr) is empty.",
    "unreadable_id_number": "The identification number has neither 8 nor 10 digits.",
    "not_a_person_number": "The number has ten digits but begins with no date; it may be a P-number or a substitute "
    "number (erstatningspersonnummer).",
    "person_not_in_register": "The person register (CPR) does not know the number.",
    "company_not_in_register": "The company register (CVR) does not know the number.",
    "completion_no_match": "Nobody at the known addresses has this name and date of birth; asked again later.",
    "completion_ambiguous": "Several people at the known addresses could be meant; asked again later.",
    "completion_incomplete_search": "The register capped its answer, so no hit can be called the only one; asked again "
    "later.",
    "completion_inactive_only": "Whoever fits has moved out, emigrated or died; asked again later.",
    "completion_not_allowed": "Completion is off (no authority and legal basis are configured), or the register "
    "refuses us the address search.",
    "completion_error": "The register refused the question, or its look-up contradicts its address search; asked again "
    "later.",
    NO_ANSWER: "The register gave no answer; it is asked again in the next run.",
    NOT_ASKED: "The register was not asked yet.",
}
"""Operator's sentences per reason; those of a co-customer carry the prefix co_ in the reason."""


PASSING_REASONS = frozenset({NO_ANSWER, "co_" + NO_ANSWER})
"""Reasons that say nothing of the row: the same question may be answered in a minute."""


@dataclass(frozen=True)
class CustomerSources:
    """What is known before: rows of kmd_ee/customers and resolved/consumption_addresses, the rows of
    resolved/customers of earlier runs and the open rejections of this asset. `washer` answers what a billing line
    means, `addresses` gives the rows of addresses/register with these ids."""

    customers: pl.DataFrame
    consumption: pl.DataFrame
    washer: Washer
    addresses: Callable[[pl.Series], pl.DataFrame]
    previous: pl.DataFrame
    rejected: pl.DataFrame


@dataclass(frozen=True)
class ResolvedCustomers:
    """Rows of resolved/customers, and the rejections of those missing there or lacking their co-customer."""

    rows: pl.DataFrame
    rejections: pl.DataFrame


def resolve_customers(sources: CustomerSources, lookups: Lookups, ids: ObjectIds, as_of: date) -> ResolvedCustomers:
    """Identifies main and co-customer of each row, independently of each other.

    A row whose main customer stays unknown is rejected; one whose co-customer does is kept without her, and she is
    rejected under the customer number with "/co". What was rejected before is asked again only when it is due.
    """
    due = frozenset(sources.rejected.filter(pl.col("next_attempt_on") <= as_of).get_column("record_key"))
    slots = _slots(sources)
    slots = _completed(slots, sources, lookups, due)
    slots = _confirmed(slots, lookups, due)
    ok = slots.filter(pl.col("reason").is_null())
    main, second = (
        ok.filter(pl.col("slot") == slot).select("customer_number", "kind", "number", "origin")
        for slot in ("main", "co")
    )
    main = main.with_columns(_party_ids(ids, main, lookups.aliases)).rename(
        {"kind": "party_kind", "origin": "number_origin"}
    )
    second = second.with_columns(_party_ids(ids, second, lookups.aliases)).select(
        "customer_number",
        pl.col("party_id").alias("co_party_id"),
        pl.col("number").alias("co_number"),
        pl.col("origin").alias("co_number_origin"),
    )
    rows = sources.customers.join(main, on="customer_number", how="inner").join(
        second, on="customer_number", how="left"
    )
    return ResolvedCustomers(rows.select(list(RESOLVED_CUSTOMERS.schema)), _rejections(slots))


def require_plausible_rejections(
    resolved: ResolvedCustomers, areas: Sequence[str], *, largest_share: float, tolerated: int
) -> None:
    """Raises GateClosed when an implausible share of the areas' customer rows is withheld.

    Rows that only wait for a question (in a plan, which asks nobody) do not count.
    """
    withheld = resolved.rejections.filter(
        (pl.col("record_key") == pl.col("customer_number")) & (pl.col("reason") != NOT_ASKED)
    ).height
    gates.require_plausible_share(
        withheld,
        withheld + resolved.rows.height,
        f"Rejected customer rows of supply area {', '.join(areas)}",
        largest_share=largest_share,
        tolerated=tolerated,
    )


def waiting_customers(rejections: pl.DataFrame) -> int:
    """How many customer numbers a register must be asked for first, main or co-customer."""
    waiting = rejections.filter(pl.col("reason").is_in([NOT_ASKED, "co_" + NOT_ASKED]))
    return waiting.get_column("customer_number").n_unique()


def _slots(sources: CustomerSources) -> pl.DataFrame:
    """Main and co-customers in one frame: customer_number, slot, record_key, kind, number, origin, reason, name."""
    common = ["customer_number", "supply_area", "name"]
    main = sources.customers.select(
        *common, pl.lit("main").alias("slot"), pl.col("id_number").alias("number"), record_key="customer_number"
    )
    second = sources.customers.select(
        *common,
        pl.lit("co").alias("slot"),
        pl.col("co_id_number").alias("number"),
        record_key=pl.col("customer_number") + CO_SUFFIX,
    ).filter(id_kind("number") != "none")
    kind = id_kind("number")
    reasons = {
        "none": "no_id_number",
        "unreadable": "unreadable_id_number",
        "not_a_person_number": "not_a_person_number",
    }
    return pl.concat([main, second]).with_columns(
        kind.alias("kind"),
        pl.when((pl.col("slot") == "co") & (kind == "company"))
        .then(pl.lit("unreadable_id_number"))
        .otherwise(kind.replace_strict(reasons, default=None))
        .alias("reason"),
        pl.lit("source").alias("origin"),
    )


def _completed(slots: pl.DataFrame, sources: CustomerSources, lookups: Lookups, due: frozenset[str]) -> pl.DataFrame:
    """The slots with their incomplete numbers completed or given a reason."""
    incomplete = slots.filter(pl.col("kind") == "incomplete_person")
    if incomplete.is_empty():
        return slots
    known = known_numbers(sources.customers, sources.previous)
    origins = sources.previous.select("customer_number", "number_origin", "co_number_origin")
    known = known.join(origins.unique("customer_number", keep="first"), on="customer_number", how="left")
    remembered = {
        "main": _numbers(known, "known_number", "number_origin"),
        "co": _numbers(known, "known_co_number", "co_number_origin"),
    }
    consumption, billing = _places(sources, incomplete.get_column("customer_number").unique())
    typed = slots.filter(pl.col("kind").is_in(["person", "incomplete_person"]))

    def questions(slot: str, others: Mapping[str, str]) -> list[Question]:
        rows = incomplete.filter((pl.col("slot") == slot) & ~pl.col("customer_number").is_in(list(remembered[slot])))
        return [
            Question(
                record_key=row["record_key"],
                customer_number=row["customer_number"],
                birth6=row["number"][:6],
                name=row["name"] if slot == "main" else None,
                consumption=consumption.get(row["customer_number"]),
                billing=billing.get(row["customer_number"]),
                again=row["record_key"] in due,
                other_number=others.get(row["customer_number"]),
            )
            for row in rows.iter_rows(named=True)
        ]

    completion = Completion(lookups)
    before = {
        slot: _typed_numbers(typed, slot) | {customer: number for customer, (number, _) in remembered[slot].items()}
        for slot in ("main", "co")
    }
    mains = completion.mains(questions("main", before["co"]))
    now = {customer: found.number for customer, found in mains.items() if found.number is not None}
    cos = completion.cos(questions("co", before["main"] | now))
    outcome = pl.concat([_outcomes("main", mains, remembered["main"]), _outcomes("co", cos, remembered["co"])])
    return _with_outcomes(slots, outcome)


def _typed_numbers(typed: pl.DataFrame, slot: str) -> dict[str, str]:
    """The personal numbers of one slot by customer number, complete or not."""
    return dict(typed.filter(pl.col("slot") == slot).select("customer_number", "number").iter_rows())


def _places(
    sources: CustomerSources, customers: pl.Series
) -> tuple[Mapping[str, AddressKey], Mapping[str, AddressKey]]:
    """Where to search for each customer number: at the consumption address, and at the address of the billing line."""
    rows = sources.customers.filter(pl.col("customer_number").is_in(customers.implode()))
    consumption = address_keys(rows, by="customer_number")
    typed = rows.select("customer_number", typed_floor="floor", typed_door="door")
    here = sources.consumption.join(rows, on="customer_number", how="semi")
    resolved = _register_rows(here, sources).join(typed, on="customer_number", how="inner")
    # An access address has no floor and door: those that were typed keep the search narrow.
    house = pl.col("kind") == "access"
    narrowed = resolved.with_columns(
        pl.when(house).then("typed_floor").otherwise("floor").alias("floor"),
        pl.when(house).then("typed_door").otherwise("door").alias("door"),
    )
    billed = unit_ids(sources.washer.texts(billing_lines(rows), UNIT))
    typed_lines = _register_rows(rows.select("customer_number", billed), sources)
    return (
        {**consumption, **address_keys(narrowed, by="customer_number")},
        address_keys(typed_lines, by="customer_number"),
    )


def _register_rows(resolved: pl.DataFrame, sources: CustomerSources) -> pl.DataFrame:
    """customer_number and the register's row of each resolved address."""
    found = resolved.select("customer_number", "address_id").drop_nulls("address_id")
    return found.join(sources.addresses(found["address_id"].unique()), on="address_id", how="inner")


_OUTCOME = {
    "customer_number": pl.String,
    "slot": pl.String,
    "found": pl.String,
    "found_origin": pl.String,
    "why": pl.String,
}


def _numbers(known: pl.DataFrame, number: str, origin: str) -> dict[str, tuple[str, str]]:
    """Completed numbers of earlier runs that still fit, each with where it was found then, by customer number."""
    rows = known.select("customer_number", number, pl.col(origin).fill_null(KNOWN)).drop_nulls(number)
    return {customer: (value, place) for customer, value, place in rows.iter_rows()}


def _outcomes(slot: str, found: Mapping[str, Found], remembered: Mapping[str, tuple[str, str]]) -> pl.DataFrame:
    rows = [(customer, slot, hit.number, hit.origin, hit.reason) for customer, hit in found.items()]
    rows += [(customer, slot, number, origin, None) for customer, (number, origin) in remembered.items()]
    return pl.DataFrame(rows, schema=_OUTCOME, orient="row")


def _with_outcomes(slots: pl.DataFrame, outcomes: pl.DataFrame) -> pl.DataFrame:
    incomplete = pl.col("kind") == "incomplete_person"
    return (
        slots.join(outcomes, on=["customer_number", "slot"], how="left")
        .with_columns(
            pl.when(incomplete).then("found").otherwise("number").alias("number"),
            pl.when(incomplete).then("found_origin").otherwise("origin").alias("origin"),
            pl.when(incomplete).then("why").otherwise("reason").alias("reason"),
            pl.when(incomplete).then(pl.lit("person")).otherwise("kind").alias("kind"),
        )
        .drop("found", "found_origin", "why")
    )


def _confirmed(slots: pl.DataFrame, lookups: Lookups, due: frozenset[str]) -> pl.DataFrame:
    """The slots with a reason for numbers that their register does not know; numbers that are due are asked again."""
    usable = slots.filter(pl.col("reason").is_null())
    refresh = frozenset(usable.filter(pl.col("record_key").is_in(list(due))).get_column("number"))
    people = usable.filter(pl.col("kind") == "person").get_column("number").unique()
    companies = usable.filter(pl.col("kind") == "company").get_column("number").unique()
    reasons: dict[str, str] = {}
    for confirmed, unknown in (
        (lookups.confirm_people(people, refresh=refresh), "person_not_in_register"),
        (lookups.confirm_companies(companies, refresh=refresh), "company_not_in_register"),
    ):
        reasons |= dict.fromkeys(confirmed.unknown, unknown)
        reasons |= dict.fromkeys(confirmed.unanswered, NO_ANSWER if lookups.asks else NOT_ASKED)
    found = pl.DataFrame(list(reasons.items()), schema={"number": pl.String, "why": pl.String}, orient="row")
    judged = slots.join(found, on="number", how="left").with_columns(pl.coalesce("reason", "why").alias("reason"))
    return judged.drop("why")


def _party_ids(ids: ObjectIds, slots: pl.DataFrame, aliases: Mapping[str, Alias]) -> pl.Expr:
    """Uuids of the parties: persons by CPR, companies by CVR number."""
    kind, number = slots.get_column("kind"), slots.get_column("number")
    people = person_ids(ids, number.set(kind != "person", None), aliases)
    companies = ids.series("company", number.set(kind != "company", None))
    return pl.coalesce(pl.lit(people), pl.lit(companies)).alias("party_id")


def _rejections(slots: pl.DataFrame) -> pl.DataFrame:
    """The slots with a reason, as rejections; a co-customer's reason has the prefix co_."""
    is_co = pl.col("slot") == "co"
    return (
        slots.filter(pl.col("reason").is_not_null())
        .with_columns(
            pl.col("reason").replace_strict(SENTENCES, default=pl.col("reason")).alias("sentence"),
            pl.when(is_co).then("co_" + pl.col("reason")).otherwise("reason").alias("reason"),
        )
        .select(
            "record_key",
            "reason",
            pl.format(
                "{} of customer number {}: {}",
                pl.when(is_co).then(pl.lit("Co-customer")).otherwise(pl.lit("Main customer")),
                "customer_number",
                "sentence",
            ).alias("text"),
            "customer_number",
            "supply_area",
        )
        .select(list(REJECTIONS))
    )

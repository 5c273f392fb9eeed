"""Requests of persons about their data: access (GDPR, article 15) and erasure (article 17), by customer number.

Nothing is asked outside: what is shown and erased is what the cache itself holds. What LoRa, the CRM and the billing
system hold is theirs to show and to erase.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Any, Final

import polars as pl

from integration_assets.cache import fact_retention, person_data, retention
from integration_assets.cache.person_data import Identity, Section
from integration_assets.cache.register_answers import Lookup
from integration_assets.cache.store import Cache
from integration_assets.domain.identity import ObjectIds
from integration_assets.domain.people.numbers import masked_numbers
from integration_assets.domain.registry.ending import ended
from integration_assets.domain.retention import kept_for_the_books_until
from integration_assets.domain.tables import ENTITY_TABLES, REGISTRY_ROWS, RESOLVED_CUSTOMERS
from integration_assets.flows.address_texts import texts_in_use
from integration_assets.flows.retention import (
    answer_subjects,
    blank_parties,
    dated_roles,
    living_parties,
    parties_of,
)

ACCESS: Final = "access_request"
ERASURE: Final = "erasure_request"

_ANY_DAY: Final = date.max
_OF_RELATIONS: Final = ("customer_relations", "customer_roles", "agreements")


class RequestRefused(Exception):
    """A request that cannot be met; the message says why and what to do, for an operator."""


@dataclass(frozen=True)
class Held:
    """All that the cache holds on the persons of a customer number."""

    identity: Identity
    sections: Sequence[Section]


@dataclass(frozen=True)
class Erased:
    """What became of one kind of data: rows taken out (in a dry run: that would be), rows that stay, and why."""

    what: str
    erased: int
    kept: int
    why: str


def held(cache: Cache, ids: ObjectIds, customer_number: str) -> Held:
    """What the cache holds. Raises RequestRefused where it holds nothing, CipherError where it cannot be opened."""
    with cache.engine.connect() as connection:
        identity = person_data.identify(connection, cache.cipher, customer_number)
        numbers = pl.Series("number", sorted(identity.numbers), dtype=pl.String)
        subjects = {_request_subject(ids, customer_number), *answer_subjects(cache, ids, numbers)}
        texts = texts_in_use(cache).filter(pl.col("customer_number") == customer_number)["text"]
        identity = replace(
            identity,
            parties=identity.parties | {*parties_of(cache, ids, numbers).drop_nulls()},
            subjects=frozenset(subjects),
            texts=frozenset(texts),
        )
        found = person_data.sections(connection, cache.cipher, identity, _answers(cache, identity))
    if not any(section.table != "audit" for section in found):
        raise RequestRefused(f"The cache holds nothing on the customer number {customer_number}.")
    return Held(identity, found)


def shown(value: Any, *, unmasked: bool) -> Any:
    """Plain values for a person to read: dates as texts; personal numbers as 010170-xxxx unless unmasked."""
    if isinstance(value, dict):
        return {name: shown(each, unmasked=unmasked) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [shown(each, unmasked=unmasked) for each in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    text = value.isoformat() if hasattr(value, "isoformat") else str(value)
    return text if unmasked else masked_numbers(text)


def note_request(cache: Cache, ids: ObjectIds, customer_number: str, service: str, outcome: str, by: str) -> None:
    """Writes an access or an erasure into the audit, under the hash of the customer number."""
    article = {ACCESS: "15", ERASURE: "17"}[service]
    purpose = {ACCESS: "access request", ERASURE: "erasure request"}[service]
    record = Lookup(purpose, f"GDPR article {article}", outcome, f"command of {by}")
    cache.answers.audit(service, _request_subject(ids, customer_number), record)


def erase(
    cache: Cache, ids: ObjectIds, customer_number: str, as_of: date, *, first_month: int, by: str, dry_run: bool
) -> list[Erased]:
    """Takes out what may go of the persons of an ended customer number, and says of each kind what stays and why.

    A dry run changes nothing. Interrupted, it may be asked for again. What tells who the persons are goes last.
    Raises RequestRefused for a customer number in force, or one that the cache holds nothing on.
    """
    whole = held(cache, ids, customer_number)
    with cache.engine.connect() as connection:
        if person_data.in_force(connection, customer_number):
            raise RequestRefused(
                f"Customer number {customer_number} is in force: KMD EE has its row, and the next run would bring back "
                "whatever is erased here. End the customer relation, or correct it, in KMD EE first. When a run has "
                "seen that KMD EE no longer shows the row, or has reported it as vanished_from_source because it was "
                "deleted there, ask again. Nothing was erased."
            )
        deleted_on = person_data.deleted_on(connection, customer_number)
    steps: Sequence[Callable[[_Erasure], Erased]] = (
        _answers_of_registers,
        _address_texts,
        _payloads,
        _relations,
        _facts,
        _rows,
        _rejections,
        _corrections,
        _following,
        _audit,
    )
    living = living_parties(cache, ids).filter(
        pl.col("customer_number") != customer_number, pl.col("party_id").is_in(sorted(whole.identity.parties))
    )
    roles = dated_roles(cache)
    work = _Erasure(cache, ids, whole, living, roles, deleted_on, as_of, first_month, dry_run)
    done = [step(work) for step in steps]
    if not dry_run:
        total = sum(each.erased for each in done)
        note_request(cache, ids, customer_number, ERASURE, f"{total} rows erased", by)
    return done


@dataclass(frozen=True)
class _Erasure:
    """The erasure at work; `elsewhere` has the parties that other customer numbers in force name (`living_parties`),
    `roles` all roles (`dated_roles`), `deleted_on` the day since when KMD EE lacks the row of the number, or None.
    """

    cache: Cache
    ids: ObjectIds
    whole: Held
    elsewhere: pl.DataFrame
    roles: pl.DataFrame
    deleted_on: date | None
    as_of: date
    first_month: int
    dry_run: bool

    @property
    def number(self) -> str:
        return self.whole.identity.customer_number

    @property
    def staying(self) -> list[str]:
        """The parties that other customer numbers in force name."""
        return self.elsewhere["party_id"].unique().sort().to_list()

    @property
    def others(self) -> str:
        """The customer numbers in force that name one of the parties, as text."""
        return ", ".join(self.elsewhere["customer_number"].unique().sort())

    @cached_property
    def until(self) -> Mapping[str, date]:
        """Until when the books need the parties that nobody else names, as far as they are delivered in full."""
        parties = retention.delivered_parties(self.cache.engine)
        free = sorted(self.whole.identity.parties - set(self.staying))
        ends = self.roles.select("party_id", end=self._ends()).group_by("party_id").agg(pl.col("end").max())
        mine = parties.filter(pl.col("party_id").is_in(free), "settled").join(ends, on="party_id", how="left")
        return {
            party: kept_for_the_books_until(end or known, self.first_month)
            for party, end, known in mine.select("party_id", "end", "known_on").iter_rows()
        }

    @property
    def gone(self) -> list[str]:
        """The parties whose payloads go."""
        return sorted(party for party, day in self.until.items() if day <= self.as_of)

    def _ends(self) -> pl.Expr:
        """The end of each role: of a deleted customer number the day of that; one still open counts as ended today."""
        end = pl.col("valid_to").fill_null(self.as_of)
        if self.deleted_on is None:
            return end
        own = pl.col("customer_number") == self.number
        return pl.when(own).then(pl.min_horizontal("valid_to", pl.lit(self.deleted_on))).otherwise(end)

    def rows(self, table: str) -> list[Mapping[str, Any]]:
        return [row for section in self.whole.sections if section.table == table for row in section.rows]

    def remove(self, expired: retention.Expired) -> int:
        act = retention.count if self.dry_run else retention.delete
        return act(self.cache.engine, expired)


def _answers_of_registers(work: _Erasure) -> Erased:
    what = "answers of the registers, completed numbers included"
    found = _answers(work.cache, work.whole.identity, work.whole.identity.subjects)
    kept = set(found) & _answers_for_others(work)
    erased = work.remove(retention.answers_under(set(found) - kept))
    why = "They are asked for again only if somebody becomes a customer."
    if kept:
        why = f"Customer number {work.others} is in force and names the same person: those answers stay."
    return Erased(what, erased, len(kept), why)


def _rejections(work: _Erasure) -> Erased:
    condition = retention.Expired("rejection", "customer_number = :number", {"number": work.number})
    return Erased("rejections and their texts", work.remove(condition), 0, "Nothing waits for them any more.")


def _corrections(work: _Erasure) -> Erased:
    condition = retention.Expired("history_correction", "customer_number = :number", {"number": work.number})
    why = "What they corrected is delivered; who did so, and their notes, nobody needs any more."
    return Erased("corrections of the past and their notes", work.remove(condition), 0, why)


def _address_texts(work: _Erasure) -> Erased:
    in_use = texts_in_use(work.cache)
    # An installation has no customer number: its texts are others' too.
    theirs = in_use.filter(pl.col("customer_number").fill_null("") != work.number)["text"]
    washed = {row["text"] for row in work.rows("washing")}
    own = washed - set(theirs)
    erased = work.remove(retention.Expired("address_decision", *person_data.own_decisions(own)))
    erased += work.remove(retention.Expired("washing", "text = ANY(:texts)", {"texts": sorted(own)}))
    kept = len(washed - own)
    why = "Texts that other customers have too stay: they tell nothing of this one." if kept else "All were hers alone."
    return Erased("address texts, what they were found or decided to mean", erased, kept, why)


def _payloads(work: _Erasure) -> Erased:
    """Payloads of parties, and the CRM rows mapped from them."""
    gone, until = work.gone, work.until
    known = retention.delivered_parties(work.cache.engine)["party_id"]
    kept = len(set(known) & work.whole.identity.parties - set(gone))
    if not work.dry_run:
        blank_parties(work.cache, gone, work.roles)
    reasons = ["Ids and fingerprints stay in any case, so that nothing is delivered twice; they tell no name."]
    if later := sorted(day for day in until.values() if day > work.as_of):
        reasons.append(
            "Who the customer was belongs to the books (bogføringsloven, section 12: five years from the end of the "
            f"accounting year): name, number and contact data stay until {later[-1]}, and go by themselves then."
        )
    if work.staying:
        reasons.append(f"Customer number {work.others} is in force and names the same person.")
    if kept > len(until) - len(gone) + len(work.staying):
        reasons.append("Something of them still waits to be delivered: ask again when it has been.")
    return Erased("delivered names, numbers and contact data", len(gone), kept, " ".join(reasons))


def _relations(work: _Erasure) -> Erased:
    kept = [row for row in work.rows("delivery") if row["entity"] not in retention.PERSONAL_ENTITIES]
    why = (
        "They name the customer number, the place and the time, and no person. The books need them, and installations "
        "are told by them whose they were; without them the next run would deliver anew."
    )
    if work.deleted_on is not None:
        why += f" KMD EE deleted its row, so they end on {work.deleted_on}, which the next run delivers."
        for entity in () if work.dry_run else _OF_RELATIONS:
            rows = work.cache.deliveries.desired("lora", entity, None, REGISTRY_ROWS[entity])
            mine = rows.filter(pl.col("customer_number") == work.number)
            if mine.height:
                work.cache.deliveries.desire("lora", entity, ended(mine, work.deleted_on))
    return Erased("customer relation, roles and agreements as delivered", 0, len(kept), why)


def _facts(work: _Erasure) -> Erased:
    """Events of the agreements, and the facts of installations that were written for them."""
    known = fact_retention.agreements_of(work.cache.engine, work.number)
    ends = {agreement: min(work.deleted_on or day or work.as_of, day or work.as_of) for agreement, day in known}
    until = {agreement: kept_for_the_books_until(end, work.first_month) for agreement, end in ends.items()}
    over = [agreement for agreement, day in until.items() if day <= work.as_of]
    if not work.dry_run:
        fact_retention.forget_agreements(work.cache.engine, over)
    why = "They name the customer number, dates and prices, and no person."
    if later := sorted(day for day in until.values() if day > work.as_of):
        why += f" The books need what was billed by them until {later[-1]}; they go by themselves then."
    return Erased("events of agreements and facts of installations", len(over), len(known) - len(over), why)


def _rows(work: _Erasure) -> Erased:
    """Rows of the source and what was resolved from them; all of them have vanished, or were deleted there."""
    mine = work.roles.filter(pl.col("customer_number") == work.number)
    told = set(retention.delivered_parties(work.cache.engine)["party_id"]) - set(work.gone)
    undated = mine.filter("is_presumed", pl.col("party_id").is_in(sorted(told))).height > 0
    resolved = work.rows(RESOLVED_CUSTOMERS.name)
    named = {row[name] for row in resolved for name in ("party_id", "co_party_id")} & set(work.staying)
    tables = [
        table
        for table in ENTITY_TABLES.values()
        if table.asset[0] in ("kmd_ee", "resolved") and "customer_number" in table.schema
    ]
    erased = kept = 0
    for table in tables:
        there = sum(row["customer_number"] == work.number for row in work.rows(table.name))
        if table is RESOLVED_CUSTOMERS and (named or undated):
            kept = there
            if not work.dry_run:
                person_data.reduce_rows(work.cache.engine, work.number, named)
            continue
        if not work.dry_run:
            there = person_data.erase_rows(work.cache.engine, table, "customer_number", [work.number])
        erased += there
    why = "KMD EE no longer shows them, so no run brings them back. KMD EE keeps its own books."
    if named:
        why += " That the number named a person who is a customer elsewhere stays: her object is known by it."
    if undated:
        why += " Until when there was a row stays without a name, since nothing else tells when the relation ended."
    return Erased("rows of the billing system and what was resolved from them", erased, kept, why)


def _following(work: _Erasure) -> Erased:
    why = (
        "A subscription is ended at the register, by the next run that follows the customer relations, and forgotten "
        "here with it. Replaced numbers are kept as hashes, so that the person stays the same object in LoRa."
    )
    kept = len(work.rows("person_subscription")) + len(work.rows("person_alias"))
    return Erased("subscriptions and replaced numbers", 0, kept, why)


def _audit(work: _Erasure) -> Erased:
    why = "They show that the register was asked lawfully, hold hashes of numbers only, and go when their time is over."
    return Erased("audit of look-ups and requests", 0, len(work.rows("audit")), why)


def _answers_for_others(work: _Erasure) -> set[tuple[str, str]]:
    """Answers about the parties that other customer numbers in force name."""
    rows = work.cache.deliveries.desired("lora", "customers", None, pl.Schema({"number": pl.String}))
    delivered = rows.filter(pl.col("object_id").is_in(work.staying))["number"]
    theirs = pl.concat([delivered, work.elsewhere["number"]]).drop_nulls().unique()
    identity = replace(work.whole.identity, numbers=frozenset(theirs))
    subjects = frozenset(answer_subjects(work.cache, work.ids, theirs))
    return set(_answers(work.cache, identity, subjects)) if len(theirs) else set()


def _answers(cache: Cache, identity: Identity, subjects: frozenset[str] = frozenset()) -> list[Any]:
    """Service and subject of the register answers under these subjects, or that mention a number of the identity."""
    answers = retention.answers_before(cache.engine, cache.cipher, _ANY_DAY)
    numbers = pl.Series(sorted(identity.numbers), dtype=pl.String)
    mentioned = pl.col("answer").str.extract_all(r"[0-9]{8,}").list.set_intersection(numbers.implode()).list.len() > 0
    return answers.filter(mentioned | pl.col("subject").is_in(list(subjects))).select("service", "subject").rows()


def _request_subject(ids: ObjectIds, customer_number: str) -> str:
    return ids.subject(f"customer|{customer_number}")

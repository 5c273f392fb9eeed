"""Requests of persons about their data: access (GDPR, article 15) and erasure (article 17), by customer number.

Nothing is asked outside: what is shown and erased is what the cache itself holds. What LoRa, the CRM and the billing
system hold is theirs to show and to erase.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

import polars as pl

from integration_assets.cache import person_data, retention
from integration_assets.cache.person_data import Identity, Section
from integration_assets.cache.register_answers import Lookup
from integration_assets.cache.store import Cache
from integration_assets.domain.crm.fields import CRM_TABLES
from integration_assets.domain.identity import ObjectIds
from integration_assets.domain.people.numbers import Cpr
from integration_assets.domain.retention import kept_for_the_books_until
from integration_assets.domain.tables import ENTITY_TABLES, REGISTRY_ROWS
from integration_assets.flows.retention import answer_subjects

ACCESS: Final = "access_request"
ERASURE: Final = "erasure_request"

_ANY_DAY: Final = date.max
_PERSONAL_NUMBER: Final = re.compile(r"(?<!\d)[0-7]\d[01]\d{3}-?\d{4}(?!\d)")


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
        identity = replace(identity, subjects=frozenset(subjects))
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
    return text if unmasked else _PERSONAL_NUMBER.sub(lambda hit: str(Cpr(hit[0].replace("-", ""))), text)


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
        if person_data.living_rows(connection, customer_number):
            raise RequestRefused(
                f"Customer number {customer_number} is in force: KMD EE has its row, and the next run would bring back "
                "whatever is erased here. End the customer relation, or correct it, in KMD EE first. When KMD EE no "
                "longer shows the row and a run has seen that, ask again. Nothing was erased."
            )
        elsewhere = person_data.living_elsewhere(connection, whole.identity)
    steps: Sequence[Callable[[_Erasure], Erased]] = (
        _answers_of_registers,
        _rejections,
        _address_texts,
        _payloads,
        _rows,
        _relations,
        _following,
        _audit,
    )
    work = _Erasure(cache, ids, whole, elsewhere, as_of, first_month, dry_run)
    done = [step(work) for step in steps]
    if not dry_run:
        total = sum(each.erased for each in done)
        note_request(cache, ids, customer_number, ERASURE, f"{total} rows erased", by)
    return done


@dataclass(frozen=True)
class _Erasure:
    """The erasure at work; `elsewhere` has the other customer numbers in force, by party that they name."""

    cache: Cache
    ids: ObjectIds
    whole: Held
    elsewhere: dict[str, list[str]]
    as_of: date
    first_month: int
    dry_run: bool

    @property
    def number(self) -> str:
        return self.whole.identity.customer_number

    @property
    def free(self) -> list[str]:
        """The parties that no other customer number in force names."""
        return sorted(self.whole.identity.parties - self.elsewhere.keys())

    @property
    def others(self) -> str:
        """The customer numbers in force that name one of the parties, as text."""
        return ", ".join(sorted({number for numbers in self.elsewhere.values() for number in numbers}))

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


def _address_texts(work: _Erasure) -> Erased:
    with work.cache.engine.connect() as connection:
        others = person_data.texts_of_others(connection, work.whole.identity)
    own = sorted(work.whole.identity.texts - others)
    erased = work.remove(retention.Expired("washing", "text = ANY(:texts)", {"texts": own}))
    why = (
        "Texts that other customers have too stay: they tell nothing of this one." if others else "All were hers alone."
    )
    return Erased("address texts and the evidence of their washing", erased, len(others), why)


def _payloads(work: _Erasure) -> Erased:
    """Payloads of parties, and the CRM rows mapped from them."""
    roles = work.cache.deliveries.desired("lora", "customer_roles", None, REGISTRY_ROWS["customer_roles"])
    parties = retention.delivered_parties(work.cache.engine)
    # A role without an end counts as if it ended today.
    ends = roles.group_by("party_id").agg(pl.col("valid_to").fill_null(work.as_of).max().alias("end"))
    mine = parties.filter(pl.col("party_id").is_in(work.free), "settled").join(ends, on="party_id", how="left")
    until = {
        party: kept_for_the_books_until(end or known, work.first_month)
        for party, end, known in mine.select("party_id", "end", "known_on").iter_rows()
    }
    gone = [party for party, day in until.items() if day <= work.as_of]
    kept = parties.filter(pl.col("party_id").is_in(sorted(work.whole.identity.parties - set(gone)))).height
    if not work.dry_run and gone:
        theirs = roles.filter(pl.col("party_id").is_in(gone))["object_id"].unique().to_list()
        retention.blank_parties(work.cache.engine, gone, theirs)
        person_data.erase_rows(work.cache.engine, CRM_TABLES["contacts"], CRM_TABLES["contacts"].key, gone)
        person_data.erase_rows(work.cache.engine, CRM_TABLES["customer_roles"], "ava_aktoer", gone)
    reasons = ["Ids and fingerprints stay in any case, so that nothing is delivered twice; they tell no name."]
    if later := sorted(day for day in until.values() if day > work.as_of):
        reasons.append(
            "Who the customer was belongs to the books (bogføringsloven, section 12: five years from the end of the "
            f"accounting year): name, number and contact data stay until {later[-1]}, and go by themselves then."
        )
    if work.elsewhere:
        reasons.append(f"Customer number {work.others} is in force and names the same person.")
    if kept > len(until) - len(gone) + len(work.elsewhere):
        reasons.append("Something of them still waits to be delivered: ask again when it has been.")
    return Erased("delivered names, numbers and contact data", len(gone), kept, " ".join(reasons))


def _rows(work: _Erasure) -> Erased:
    """Rows of the source and what was resolved from them; all of them have vanished."""
    tables = [
        table
        for table in ENTITY_TABLES.values()
        if table.asset[0] in ("kmd_ee", "resolved") and "customer_number" in table.schema
    ]
    erased = sum(row["customer_number"] == work.number for table in tables for row in work.rows(table.name))
    if not work.dry_run:
        erased = sum(
            person_data.erase_rows(work.cache.engine, table, "customer_number", [work.number]) for table in tables
        )
    why = "KMD EE no longer shows them, so no run brings them back. KMD EE keeps its own books."
    return Erased("rows of the billing system and what was resolved from them", erased, 0, why)


def _relations(work: _Erasure) -> Erased:
    kept = [row for row in work.rows("delivery") if row["entity"] not in retention.PERSONAL_ENTITIES]
    why = (
        "They name the customer number, the place and the time, and no person. The books need them, and installations "
        "are told by them whose they were; without them the next run would deliver anew."
    )
    return Erased("customer relation, roles and agreements as delivered", 0, len(kept), why)


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
    theirs = rows.filter(pl.col("object_id").is_in(list(work.elsewhere)))["number"].drop_nulls().unique()
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

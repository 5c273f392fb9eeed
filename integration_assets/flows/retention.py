"""Storage limitation: takes out of the cache what nobody needs any more and no law wants kept."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import polars as pl

from integration_assets.cache import fact_retention, person_data, retention
from integration_assets.cache.store import Cache
from integration_assets.domain.crm.fields import CRM_TABLES
from integration_assets.domain.identity import ObjectIds
from integration_assets.domain.people.completion import known_numbers
from integration_assets.domain.people.numbers import id_kind
from integration_assets.domain.retention import ended_parties, not_needed_if_ended_before, unneeded_answers
from integration_assets.domain.tables import KMD_CUSTOMERS, REGISTRY_ROWS, RESOLVED_CUSTOMERS
from integration_assets.flows.address_texts import texts_in_use
from integration_assets.flows.lookups import COMPANY, PERSON, person_ids, register_subjects
from integration_assets.settings import Settings

STEP = "retention"
"""The step of the journal."""


@dataclass(frozen=True)
class Needed:
    """Whom the cache still tells of: numbers (persons and companies) of rows and payloads, ids of living parties."""

    numbers: pl.Series
    parties: pl.Series


def apply_retention(
    cache: Cache, ids: ObjectIds, settings: Settings, as_of: date, *, dry_run: bool = False
) -> dict[str, int]:
    """Takes out what is over by `as_of`; returns how many of each kind. A dry run counts and leaves everything.

    Payloads of ended customers go first: what they told is then not needed by any register answer. Address texts go
    last, when the rows that used them have gone.
    """

    def since(days: int) -> datetime:
        return datetime.combine(as_of, time(), UTC) - timedelta(days=days)

    remove = retention.count if dry_run else retention.delete
    needed = needed_by(cache, ids)
    roles = dated_roles(cache)
    ended = _ended(cache, roles, needed, as_of, settings.accounting_year_first_month)
    if not dry_run:
        blank_parties(cache, ended.to_list(), roles)
    before = as_of - timedelta(days=settings.answers_kept_days)
    answers = _remove_answers(cache, ids, needed, before, dry_run=dry_run)
    undated = _undated(cache, roles, ended)
    plain = {
        "vanished_rows": retention.vanished_rows(
            since(settings.vanished_rows_kept_days), needed.parties.to_list(), undated.to_list()
        ),
        "closed_rejections": [retention.old_rejections(as_of - timedelta(days=settings.closed_rejections_kept_days))],
        "claim_messages": [
            retention.old_claim_messages(since(settings.claims_messages_kept_days)),
            retention.old_recall_transactions(since(settings.claims_messages_kept_days)),
        ],
        "closed_drift": [retention.old_drift(as_of - timedelta(days=settings.closed_rejections_kept_days))],
        "supervision_rows": retention.old_supervision(since(settings.closed_rejections_kept_days)),
        "journal_rows": [retention.old_journal(since(settings.journal_kept_days))],
        "audit_rows": [retention.old_audit(since(settings.audit_kept_days))],
    }
    over = not_needed_if_ended_before(as_of, settings.accounting_year_first_month)
    agreements = fact_retention.ended_agreements(cache.engine, over)
    if not dry_run:
        fact_retention.forget_agreements(cache.engine, agreements)
    return {
        "ended_parties": len(ended),
        "ended_agreements": len(agreements),
        "register_answers": answers,
        **{name: sum(remove(cache.engine, each) for each in expired) for name, expired in plain.items()},
        "address_texts": remove(cache.engine, _unused_texts(cache)),
    }


def living_parties(cache: Cache, ids: ObjectIds) -> pl.DataFrame:
    """Who is a customer today, main and co: customer_number, party_id (null: not known), number; in no order.

    Living rows of the source count beside the resolved ones, since a row may wait to be resolved. Who stands behind a
    number there that lacks its last digits is told by the row that was resolved before.
    """
    source = cache.read(KMD_CUSTOMERS, columns=["customer_number", "name", "id_number", "co_id_number"])
    names = ["customer_number", "supply_area", "name", "party_id", "co_party_id", "number", "co_number"]
    earlier = cache.read(RESOLVED_CUSTOMERS, columns=names, include_vanished=True)
    living = cache.read(RESOLVED_CUSTOMERS, columns=names[:2])
    resolved = earlier.join(living, on=names[:2], how="semi")
    known = known_numbers(source, earlier)
    typed = [
        rows.select("customer_number", pl.col(column).alias("number"))
        for rows, columns in ((source, ("id_number", "co_id_number")), (known, ("known_number", "known_co_number")))
        for column in columns
    ]
    named = [
        resolved.select("customer_number", pl.col(party).alias("party_id"), pl.col(number).alias("number"))
        for party, number in (("party_id", "number"), ("co_party_id", "co_number"))
    ]
    numbers = pl.concat(typed).drop_nulls("number")
    found = numbers.with_columns(parties_of(cache, ids, numbers["number"]))
    return pl.concat([*named, found.select(named[0].columns)])


def parties_of(cache: Cache, ids: ObjectIds, numbers: pl.Series) -> pl.Series:
    """The uuids (party_id) of persons and companies by their numbers, in their order; null where there is none."""
    kind = pl.select(id_kind(pl.lit(numbers))).to_series()
    people = person_ids(ids, numbers.set(kind != "person", None), cache.answers.aliases())
    companies = ids.series("company", numbers.set(kind != "company", None))
    return pl.select(pl.coalesce(pl.lit(people), pl.lit(companies)).alias("party_id")).to_series()


def needed_by(cache: Cache, ids: ObjectIds) -> Needed:
    """Whom the living rows of the source and of the resolved customers name, main and co."""
    living = living_parties(cache, ids)
    return Needed(numbers=living["number"].drop_nulls().unique(), parties=living["party_id"].drop_nulls().unique())


def dated_roles(cache: Cache) -> pl.DataFrame:
    """All customer roles as they were desired: object_id, customer_number, party_id, valid_to, is_presumed.

    A role without an end whose relation no living row tells of ended, as is presumed, when the last of its rows
    vanished. One that is still open has no `valid_to`.
    """
    roles = cache.deliveries.desired("lora", "customer_roles", None, REGISTRY_ROWS["customer_roles"])
    dated = roles.join(retention.presumed_ends(cache.engine), on="object_id", how="left")
    return dated.select(
        "object_id",
        "customer_number",
        "party_id",
        pl.coalesce("valid_to", "presumed_end").alias("valid_to"),
        (pl.col("valid_to").is_null() & pl.col("presumed_end").is_not_null()).alias("is_presumed"),
    )


def blank_parties(cache: Cache, parties: list[str], roles: pl.DataFrame) -> None:
    """Takes out what deliveries tell of these parties, and the CRM rows mapped from it; `roles` as `dated_roles`."""
    if not parties:
        return
    theirs = roles.filter(pl.col("party_id").is_in(parties))["object_id"].unique().to_list()
    retention.blank_parties(cache.engine, parties, theirs)
    person_data.erase_rows(cache.engine, CRM_TABLES["contacts"], CRM_TABLES["contacts"].key, parties)
    person_data.erase_rows(cache.engine, CRM_TABLES["customer_roles"], "ava_aktoer", parties)


def _ended(cache: Cache, roles: pl.DataFrame, needed: Needed, as_of: date, first_month: int) -> pl.Series:
    """The parties whose payloads are not needed for the books any more."""
    parties = retention.delivered_parties(cache.engine)
    before = not_needed_if_ended_before(as_of, first_month)
    return ended_parties(roles, parties.filter("settled"), needed.parties, before=before)


def _undated(cache: Cache, roles: pl.DataFrame, ended: pl.Series) -> pl.Series:
    """The customer numbers whose end only a vanished row tells, while the books still need who the customer was."""
    told = retention.delivered_parties(cache.engine)["party_id"]
    told = told.filter(~told.is_in(ended.implode()))
    return roles.filter("is_presumed", pl.col("party_id").is_in(told.implode()))["customer_number"].unique()


def _remove_answers(cache: Cache, ids: ObjectIds, needed: Needed, before: date, *, dry_run: bool) -> int:
    """Takes out the answers given before a day about whom neither rows nor deliveries tell anything; how many.

    Runs go on meanwhile: whom they took in, or asked about, since the last batch is looked at before the next.
    """
    old = _unneeded(cache, ids, needed, retention.answers_before(cache.engine, cache.cipher, before))
    if dry_run:
        return old.height
    removed = 0
    for batch in old.iter_slices(retention.BATCH_ROWS):
        still = _unneeded(cache, ids, needed_by(cache, ids), batch).select("service", "subject").rows()
        removed += retention.delete(cache.engine, retention.answers_under(still, before))
    return removed


def _unneeded(cache: Cache, ids: ObjectIds, needed: Needed, answers: pl.DataFrame) -> pl.DataFrame:
    """Those of the answers (service, subject, answer) that nobody needs."""
    if answers.is_empty():
        return answers
    delivered = cache.deliveries.desired("lora", "customers", None, pl.Schema({"number": pl.String}))["number"]
    numbers = pl.concat([needed.numbers, delivered]).drop_nulls().unique()
    return unneeded_answers(answers, answer_subjects(cache, ids, numbers), numbers)


def _unused_texts(cache: Cache) -> retention.Expired:
    """The answers to address texts that no row asks about any more."""
    washed = retention.washed_texts(cache.engine)  # read first: what a run asks about meanwhile has its row already
    unused = washed.join(texts_in_use(cache), on="text", how="anti")
    return retention.Expired("washing", "text = ANY(:texts)", {"texts": unused["text"].to_list()})


def answer_subjects(cache: Cache, ids: ObjectIds, numbers: pl.Series) -> pl.Series:
    """The subjects under which answers about persons and companies of these numbers may be kept.

    Those of the numbers themselves, and for a replaced one that of the number she was known by first.
    """
    of_numbers = [register_subjects(ids, service, numbers) for service in (PERSON, COMPANY)]
    first_known = register_subjects(ids, PERSON, numbers, cache.answers.aliases())
    return pl.concat([*of_numbers, first_known]).unique()

"""Storage limitation: takes out of the cache what nobody needs any more and no law wants kept."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import polars as pl

from integration_assets.cache import retention
from integration_assets.cache.store import Cache
from integration_assets.domain.identity import ObjectIds
from integration_assets.domain.retention import ended_parties, not_needed_if_ended_before, unneeded_answers
from integration_assets.domain.tables import KMD_CUSTOMERS, REGISTRY_ROWS, RESOLVED_CUSTOMERS
from integration_assets.flows.lookups import COMPANY, PERSON, register_subjects
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

    Payloads of ended customers go first: what they told is then not needed by any register answer.
    """

    def since(days: int) -> datetime:
        return datetime.combine(as_of, time(), UTC) - timedelta(days=days)

    plain = {
        "vanished_rows": retention.vanished_rows(since(settings.vanished_rows_kept_days)),
        "closed_rejections": [retention.old_rejections(as_of - timedelta(days=settings.closed_rejections_kept_days))],
        "journal_rows": [retention.old_journal(since(settings.journal_kept_days))],
        "audit_rows": [retention.old_audit(since(settings.audit_kept_days))],
    }
    needed = needed_by(cache)
    ended = _blank_ended(cache, needed, as_of, settings.accounting_year_first_month, dry_run=dry_run)
    before = as_of - timedelta(days=settings.answers_kept_days)
    answers = retention.answers_under(_old_answers(cache, ids, needed, before))
    remove = retention.count if dry_run else retention.delete
    return {
        "ended_parties": ended,
        "register_answers": remove(cache.engine, answers),
        **{name: sum(remove(cache.engine, each) for each in expired) for name, expired in plain.items()},
    }


def needed_by(cache: Cache) -> Needed:
    """Whom the living rows of the source and of the resolved customers name, main and co."""
    resolved = cache.read(
        RESOLVED_CUSTOMERS, columns=["party_id", "co_party_id", "number", "co_number"], include_vanished=False
    )
    source = cache.read(KMD_CUSTOMERS, columns=["id_number", "co_id_number"])
    numbers = [resolved["number"], resolved["co_number"], source["id_number"], source["co_id_number"]]
    return Needed(
        numbers=pl.concat([each.rename("number") for each in numbers]).drop_nulls().unique(),
        parties=pl.concat([resolved["party_id"], resolved["co_party_id"].rename("party_id")]).drop_nulls().unique(),
    )


def _blank_ended(cache: Cache, needed: Needed, as_of: date, first_month: int, *, dry_run: bool) -> int:
    parties = retention.delivered_parties(cache.engine)
    roles = cache.deliveries.desired("lora", "customer_roles", None, REGISTRY_ROWS["customer_roles"])
    before = not_needed_if_ended_before(as_of, first_month)
    ended = ended_parties(roles, parties.filter("settled"), needed.parties, before=before)
    if dry_run:
        return len(ended)
    theirs = roles.filter(pl.col("party_id").is_in(ended.implode()))["object_id"].unique()
    retention.blank_parties(cache.engine, ended.to_list(), theirs.to_list())
    return len(ended)


def _old_answers(cache: Cache, ids: ObjectIds, needed: Needed, before: date) -> list[tuple[str, str]]:
    """Service and subject of the answers given before a day about whom neither rows nor deliveries tell anything."""
    answers = retention.answers_before(cache.engine, cache.cipher, before)
    if answers.is_empty():
        return []
    delivered = cache.deliveries.desired("lora", "customers", None, pl.Schema({"number": pl.String}))["number"]
    numbers = pl.concat([needed.numbers, delivered]).drop_nulls().unique()
    subjects = answer_subjects(cache, ids, numbers)
    return unneeded_answers(answers, subjects, numbers).select("service", "subject").rows()


def answer_subjects(cache: Cache, ids: ObjectIds, numbers: pl.Series) -> pl.Series:
    """The subjects under which answers about persons and companies of these numbers may be kept.

    Those of the numbers themselves, and for a replaced one that of the number she was known by first.
    """
    of_numbers = [register_subjects(ids, service, numbers) for service in (PERSON, COMPANY)]
    first_known = register_subjects(ids, PERSON, numbers, cache.answers.aliases())
    return pl.concat([*of_numbers, first_known]).unique()

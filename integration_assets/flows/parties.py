"""What the registers remember of the parties: rows for the registry, and their registered addresses."""

from datetime import date

import polars as pl

from integration_assets.cache.register_answers import RegisterAnswers
from integration_assets.domain.addresses import resolve
from integration_assets.domain.addresses.washing import WashingIndex
from integration_assets.domain.addresses.washing.washed import UNIT
from integration_assets.domain.identity import ObjectIds
from integration_assets.domain.people import history
from integration_assets.domain.people.register_rows import answer_versions
from integration_assets.domain.registry.history import on_day
from integration_assets.flows.lookups import COMPANY, PERSON, register_subjects
from integration_assets.flows.washing import Washer


def named_parties(resolved: pl.DataFrame) -> pl.DataFrame:
    """All parties that rows of resolved/customers name, main and co: party_id, party_kind, number; each once."""
    main = resolved.select("party_id", "party_kind", "number")
    second = resolved.select(
        pl.col("co_party_id").alias("party_id"),
        pl.lit("person").alias("party_kind"),
        pl.col("co_number").alias("number"),
    )
    return pl.concat([main, second]).drop_nulls("party_id").unique("party_id", keep="first", maintain_order=True)


def party_frame(named: pl.DataFrame, answers: RegisterAnswers, ids: ObjectIds, index: WashingIndex) -> pl.DataFrame:
    """PARTY_ROWS of the named parties, their registered addresses as they stand in the address register.

    Parties whose answer is not remembered, or whom the register does not know, have no row.
    """
    aliases = answers.aliases()
    stored: list[pl.DataFrame] = []
    for kind, service in (("person", PERSON), ("company", COMPANY)):
        asked = named.filter(pl.col("party_kind") == kind)
        subjects = register_subjects(ids, service, asked.get_column("number"), aliases if kind == "person" else {})
        answered = answers.frame(service, subjects.to_list())
        stored.append(asked.select("party_id", subjects).join(answered, on="subject", how="inner"))
    versions = answer_versions(pl.concat(stored).select("party_id", "answer"))
    return history.parties(versions.with_columns(resolve.party_address(versions, index).alias("address_id")))


def registered_addresses(
    resolved: pl.DataFrame,
    answers: RegisterAnswers,
    ids: ObjectIds,
    index: WashingIndex,
    as_of: date,
    *,
    share_protected: bool = False,
) -> pl.DataFrame:
    """The registered address of each row's main customer on `as_of`: customer_number, address_id (null where there is
    none) and withheld: she has one, but it is protected and not shared (`share_protected`)."""
    main = resolved.select("party_id", "party_kind", "number").unique("party_id")
    parties = on_day(party_frame(main, answers, ids, index), as_of)
    protected = pl.col("address_protected").fill_null(False) & pl.col("address_id").is_not_null()
    addresses = parties.select("party_id", "address_id", (protected & (not share_protected)).alias("withheld"))
    return (
        resolved.select("customer_number", "party_id")
        .join(addresses, on="party_id", how="left", maintain_order="left")
        .with_columns(pl.col("withheld").fill_null(False))
        .drop("party_id")
    )


def billing_addresses(
    customers: pl.DataFrame,
    resolved: pl.DataFrame,
    answers: RegisterAnswers,
    ids: ObjectIds,
    washer: Washer,
    as_of: date,
    *,
    share_protected: bool = False,
) -> resolve.Resolved:
    """The billing addresses of the customer rows that are exported: those of `customers` with a row in `resolved`."""
    registered = registered_addresses(resolved, answers, ids, washer.index, as_of, share_protected=share_protected)
    exported = customers.join(resolved, on="customer_number", how="semi", maintain_order="left")
    return resolve.billing(exported, washer.texts(resolve.billing_lines(exported), UNIT), registered)

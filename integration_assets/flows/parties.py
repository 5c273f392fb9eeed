"""What the registers remember of the parties: rows for the registry, and their registered addresses."""

import polars as pl

from integration_assets.cache.register_answers import RegisterAnswers
from integration_assets.domain.addresses import resolve
from integration_assets.domain.addresses.washing import WashingIndex
from integration_assets.domain.addresses.washing.washed import UNIT
from integration_assets.domain.identity import ObjectIds
from integration_assets.domain.people.register_rows import party_rows
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
    """PARTY_ROWS and address_id (the registered address in the register, or null) of the named parties.

    Parties whose answer is not remembered, or whom the register does not know, have no row.
    """
    stored: list[pl.DataFrame] = []
    for kind, service in (("person", PERSON), ("company", COMPANY)):
        asked = named.filter(pl.col("party_kind") == kind)
        subjects = register_subjects(ids, service, asked.get_column("number"))
        answered = answers.frame(service, subjects.to_list())
        stored.append(asked.select("party_id", subjects).join(answered, on="subject", how="inner"))
    frame = party_rows(pl.concat(stored))
    return frame.with_columns(resolve.party_address(frame, index).alias("address_id"))


def registered_addresses(
    resolved: pl.DataFrame, answers: RegisterAnswers, ids: ObjectIds, index: WashingIndex
) -> pl.DataFrame:
    """The registered address of each row's main customer: customer_number, address_id (null where there is none)."""
    main = resolved.select("party_id", "party_kind", "number").unique("party_id")
    addresses = party_frame(main, answers, ids, index).select("party_id", "address_id")
    return resolved.select("customer_number", "party_id").join(addresses, on="party_id", how="left").drop("party_id")


def billing_addresses(
    customers: pl.DataFrame,
    resolved: pl.DataFrame,
    answers: RegisterAnswers,
    ids: ObjectIds,
    washer: Washer,
) -> resolve.Resolved:
    """The billing addresses of the customer rows that are exported: those of `customers` with a row in `resolved`."""
    registered = registered_addresses(resolved, answers, ids, washer.index)
    exported = customers.join(resolved, on="customer_number", how="semi", maintain_order="left")
    return resolve.billing(exported, washer.texts(resolve.billing_lines(exported), UNIT), registered)

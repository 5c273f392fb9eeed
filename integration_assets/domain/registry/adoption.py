"""Which objects of ours those of a registry are that others filled: the cross reference of an adoption.

Matched is by the keys that the registry was looked up with by those who filled it (AVA's first integration): a person
by CPR, a company by CVR number, a customer relation by customer number (Kundenr), a role by customer relation and role
code, an agreement by its customer relation, an installation by installation number (InstalNummer). The object ids are
computed from these keys as every run computes them.

Where several objects are the same one, one stays and the others are superseded by it: the one that was adopted before
or stands under the computed id already, then the one that most others refer to, then the oldest, then the lowest uuid.
A party that stands in the class of the other kind never stays.
Nothing is superseded of which KMD EE knows nothing: such objects stay as they are.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import polars as pl

from integration_assets.domain.identity import ObjectIds
from integration_assets.domain.people.numbers import id_kind, normalised, whole_number
from integration_assets.domain.registry.desired import CO_CUSTOMER_ROLE, CUSTOMER_ROLE
from integration_assets.domain.registry.found import Found
from integration_assets.domain.registry.objects import LORA_CLASSES

ADOPTED: Final = pl.Schema(
    {
        "registry_id": pl.String,
        "entity": pl.String,
        "lora_class": pl.String,
        "object_id": pl.String,
        "business_key": pl.String,
        "supply_area": pl.String,
        "superseded": pl.Boolean,
    }
)
"""The cross reference. `object_id` is computed; null for objects that stand for nothing (a role of nobody). The
business key is a customer or installation number. Supply area: null where KMD EE knows nothing of the object."""

SLOTS: Final = pl.Schema(
    {
        "customer_number": pl.String,
        "supply_area": pl.String,
        "role_code": pl.String,
        "number": pl.String,
        "kind": pl.String,
        "party_id": pl.String,
    }
)
"""Who stands in the rows of KMD EE: `kind` as from `id_kind`; `party_id` null for numbers that are not complete."""

PartyIds = Callable[[pl.Series, pl.Series], pl.Series]
"""Gives the object ids of parties from kinds (`id_kind`) and numbers, as every run does; null for no party."""


@dataclass(frozen=True)
class Source:
    """What KMD EE has: rows of kmd_ee/customers, in the window or not, and of kmd_ee/installations."""

    customers: pl.DataFrame
    meters: pl.DataFrame


def slots(source: Source, party_ids: PartyIds) -> pl.DataFrame:
    """The main and co-customers of the rows of KMD EE: frame of SLOTS."""
    columns = ("customer_number", "supply_area")
    both = pl.concat(
        source.customers.select(*columns, pl.lit(code).alias("role_code"), pl.col(name).alias("number"))
        for name, (code, _) in (("id_number", CUSTOMER_ROLE), ("co_id_number", CO_CUSTOMER_ROLE))
    )
    kinds = both.with_columns(id_kind("number").alias("kind")).filter(pl.col("kind") != "none")
    return kinds.with_columns(party_ids(kinds["kind"], kinds["number"]).alias("party_id")).select(list(SLOTS))


def match(found: Found, source: Source, ids: ObjectIds, party_ids: PartyIds, standing: pl.Series) -> pl.DataFrame:
    """The cross reference of the registry: frame of ADOPTED, by entity and uuid.

    `standing` are uuids that already stand for an object of ours: adopted before, or delivered under their own id.
    """
    named = slots(source, party_ids)
    relations = _relations(found, source, ids, standing)
    installations = _installations(found, source, ids, standing)
    parties = _parties(found, named, relations, party_ids, standing)
    agreements = _agreements(found, relations, ids, standing)
    roles = _roles(found, named, relations, parties, ids, standing)
    return pl.concat(
        _adopted(entity, rows)
        for entity, rows in (
            ("customers", parties),
            ("customer_relations", relations),
            ("customer_roles", roles),
            ("installations", installations),
            ("agreements", agreements),
        )
    )


def _adopted(entity: str, rows: pl.DataFrame) -> pl.DataFrame:
    """What goes into the cross reference: objects that stand for one of ours, or are to give way."""
    known = pl.col("supply_area").is_not_null()
    return (
        rows.with_columns(entity=pl.lit(entity))
        .filter((pl.col("object_id").is_not_null() & ~pl.col("superseded")) | (pl.col("superseded") & known))
        .select(list(ADOPTED))
        .sort("registry_id")
    )


def _relations(found: Found, source: Source, ids: ObjectIds, standing: pl.Series) -> pl.DataFrame:
    relations = found.customer_relations.select(
        "registry_id", "lora_class", "since", whole_number("customer_number").alias("business_key")
    )
    pointing = pl.concat([found.customer_roles.select("relations"), found.agreements.select("relations")])
    areas = source.customers.select(pl.col("customer_number").alias("business_key"), "supply_area")
    identified = relations.with_columns(
        ids.series("customer_relation", relations["business_key"]).alias("object_id")
    ).join(areas, on="business_key", how="left")
    return _ranked(identified, pointing["relations"].explode(), standing)


def _installations(found: Found, source: Source, ids: ObjectIds, standing: pl.Series) -> pl.DataFrame:
    installations = found.installations.select(
        "registry_id", "lora_class", "since", whole_number("installation_number").alias("business_key")
    )
    areas = source.meters.group_by(pl.col("installation_number").alias("business_key")).agg(pl.col("supply_area").min())
    held = found.agreements["installations"].explode().struct.field("installation_id")
    identified = installations.with_columns(
        ids.series("installation", installations["business_key"]).alias("object_id")
    ).join(areas, on="business_key", how="left")
    return _ranked(identified, held, standing)


def _parties(
    found: Found, named: pl.DataFrame, relations: pl.DataFrame, party_ids: PartyIds, standing: pl.Series
) -> pl.DataFrame:
    """Persons and companies. Those whose number has no serial stand for nobody in particular: they are to give way.

    So is a party that is kept in the class of the other kind: an object cannot change its class, and is made anew.
    """
    parties = found.customers.select(
        "registry_id", "lora_class", "since", "user_key", normalised("number").alias("number")
    ).with_columns(id_kind("number").alias("kind"))
    parties = parties.with_columns(party_ids(parties["kind"], parties["number"]).alias("object_id"))
    numerically = pl.col("customer_number").cast(pl.Int64, strict=False)
    by_number = (
        named.drop_nulls("party_id")
        .sort(numerically, nulls_last=True)
        .group_by(pl.col("party_id").alias("object_id"), maintain_order=True)
        .agg(pl.col("customer_number", "supply_area").first())
    )
    relation = relations.select(
        pl.col("registry_id").alias("relations"), pl.col("business_key").alias("role_of"), "supply_area"
    )
    roles = found.customer_roles.select("parties", "relations").explode("parties").explode("relations")
    by_role = (
        roles.join(relation, on="relations", how="inner")
        .sort(pl.col("supply_area").is_null(), pl.col("role_of").cast(pl.Int64, strict=False), nulls_last=True)
        .group_by(pl.col("parties").alias("registry_id"), maintain_order=True)
        .agg(pl.col("role_of").first(), pl.col("supply_area").first().alias("area_of_role"))
    )
    user_key = pl.when(~pl.col("user_key").str.contains(r"^[0-9]{9,10}$")).then("user_key")
    placed = (
        parties.join(by_number, on="object_id", how="left")
        .join(by_role, on="registry_id", how="left")
        .with_columns(
            pl.coalesce("customer_number", "role_of", user_key).alias("business_key"),
            pl.coalesce("supply_area", "area_of_role").alias("supply_area"),
        )
    )
    # Of copies, roles may lead to one only.
    known = pl.when(pl.col("object_id").is_not_null())
    placed = placed.with_columns(
        known.then(pl.col(name).drop_nulls().first().over("object_id")).otherwise(pl.col(name)).alias(name)
        for name in ("business_key", "supply_area")
    )
    referring = found.customer_roles["parties"].explode()
    misplaced = in_other_class("kind")
    ranked = pl.concat(
        [
            _ranked(placed.filter(~misplaced), referring, standing),
            _ranked(placed.filter(misplaced), referring, standing).with_columns(superseded=True),
        ]
    )
    return ranked.with_columns(pl.col("superseded") | (pl.col("kind") == "incomplete_person"))


def in_other_class(kind: str) -> pl.Expr:
    """Whether a party is kept in the class of the other kind (`lora_class`), by the column of its kind (`id_kind`)."""
    person_class, company_class = LORA_CLASSES["customers"]
    company_as_person = (pl.col(kind) == "company") & (pl.col("lora_class") == person_class)
    person_as_company = (pl.col(kind) == "person") & (pl.col("lora_class") == company_class)
    return (company_as_person | person_as_company).fill_null(False)


def _agreements(found: Found, relations: pl.DataFrame, ids: ObjectIds, standing: pl.Series) -> pl.DataFrame:
    relation = relations.select(pl.col("registry_id").alias("relation_id"), "business_key", "supply_area")
    agreements = found.agreements.select("registry_id", "lora_class", "since", "relation_id").join(
        relation, on="relation_id", how="inner"
    )
    identified = agreements.with_columns(ids.series("agreement", agreements["business_key"]).alias("object_id"))
    return _ranked(identified, pl.Series(dtype=pl.String), standing)


def _roles(
    found: Found,
    named: pl.DataFrame,
    relations: pl.DataFrame,
    parties: pl.DataFrame,
    ids: ObjectIds,
    standing: pl.Series,
) -> pl.DataFrame:
    """Roles by what they say; those that say it wrongly by what KMD EE has in their place.

    A role with the wrong code is that of its party in the same customer relation; a role whose party is not there is
    that of whoever has this code there. Each role is one only, and a role that fits is taken before one that does not.
    """
    relation = relations.select(pl.col("registry_id").alias("relation_id"), "business_key", "supply_area")
    party = parties.select(pl.col("registry_id").alias("found_party"), pl.col("object_id").alias("party_id"))
    roles = (
        found.customer_roles.select(
            "registry_id", "lora_class", "since", "role_code", "relation_id", pl.col("party_id").alias("found_party")
        )
        .join(relation, on="relation_id", how="inner")
        .join(party, on="found_party", how="left")
    )
    wanted = (
        named.drop_nulls("party_id")
        .select(pl.col("customer_number").alias("business_key"), "role_code", "party_id")
        .unique(maintain_order=True)
    )
    exact = roles.join(wanted, on=["business_key", "role_code", "party_id"], how="semi")
    missing = wanted.join(exact, on=["business_key", "role_code", "party_id"], how="anti")
    rest = roles.join(exact, on="registry_id", how="anti")
    miscoded = _claimed(rest.drop_nulls("party_id"), missing, ["business_key", "party_id"], "role_code")
    missing = missing.join(miscoded, on=["business_key", "role_code", "party_id"], how="anti")
    rest = rest.join(miscoded, on="registry_id", how="anti")
    nobody = rest.filter(pl.col("party_id").is_null())
    filled = _claimed(nobody.drop("party_id"), missing, ["business_key", "role_code"], "party_id")
    rest = rest.join(filled, on="registry_id", how="anti")
    columns = roles.columns
    settled = pl.concat([exact, miscoded.select(columns), filled.select(columns), rest])
    keys = settled.select(pl.concat_str("business_key", "role_code", "party_id", separator="|")).to_series()
    identified = settled.with_columns(ids.series("customer_role", keys).alias("object_id"))
    ranked = _ranked(identified, pl.Series(dtype=pl.String), standing)
    return ranked.with_columns(pl.col("superseded") | pl.col("object_id").is_null())


def _claimed(roles: pl.DataFrame, missing: pl.DataFrame, on: list[str], taken: str) -> pl.DataFrame:
    """One of the roles for each missing one with which it agrees in `on`; `taken` is what it gets from that."""
    agreeing = roles.drop(taken, strict=False).join(missing, on=on, how="inner").sort("since", "registry_id")
    return agreeing.unique([*on, taken], keep="first", maintain_order=True).unique(
        "registry_id", keep="first", maintain_order=True
    )


def _ranked(identified: pl.DataFrame, referring: pl.Series, standing: pl.Series) -> pl.DataFrame:
    """The objects with `superseded`: another one stands for the same object of ours."""
    references = referring.drop_nulls().value_counts(name="references")
    references.columns = ["registry_id", "references"]
    stands = pl.col("registry_id").is_in(standing.implode()) | (pl.col("registry_id") == pl.col("object_id"))
    ordered = (
        identified.join(references, on="registry_id", how="left")
        .with_columns(stands.alias("stands"), pl.col("references").fill_null(0))
        .sort("stands", "references", "since", "registry_id", descending=[True, True, False, False])
    )
    first = pl.col("object_id").is_null() | pl.col("object_id").is_first_distinct()
    return ordered.with_columns((~first).alias("superseded"))

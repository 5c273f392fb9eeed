"""Adopts a registry (LoRa) that others filled: reads it whole, tells which objects are ours and what is wrong in them,
and fills the cross reference. The registry is never written here; the runs that follow repair it as they always do.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Any, Final

import polars as pl

from integration_assets.cache.store import Cache
from integration_assets.clients.kmd_ee import KmdEe
from integration_assets.clients.lora import LoraClient
from integration_assets.domain.identity import ObjectIds
from integration_assets.domain.people.numbers import whole_number
from integration_assets.domain.registry.adoption import Source, match, slots
from integration_assets.domain.registry.adoption_faults import faults
from integration_assets.domain.registry.found import FOUND, Found, found_frame, is_live
from integration_assets.domain.registry.objects import LORA_CLASSES
from integration_assets.domain.source import clean_by_number, clean_customers, clean_installations
from integration_assets.flows.identity import party_ids
from integration_assets.flows.registry import SYSTEM

Json = dict[str, Any]

_OWNER: Final = {"customers": "tilhoerer", "customer_relations": "tilhoerer", "installations": "ejer"}
"""The relation that names the owner, where the class has one."""

ROLE_CODES: Final = tuple(f"91524000{digit}" for digit in range(7))
"""The codes of the CRM's option set ava_rolle, from Hovedejer to Ligestillingskunde."""

COUNTS: Final = pl.Schema(
    {
        "entity": pl.String,
        "found": pl.Int64,
        "matched": pl.Int64,
        "superseded": pl.Int64,
        "unknown": pl.Int64,
        "passive": pl.Int64,
        "new": pl.Int64,
    }
)

LEFT: Final = pl.Schema({"entity": pl.String, "business_key": pl.String, "registry_id": pl.String})
OTHERS: Final = pl.Schema({"entity": pl.String, "what": pl.String, "kept": pl.Boolean, "objects": pl.Int64})


@dataclass(frozen=True)
class Means:
    """What an adoption is made with. `organisation` owns our objects, `utility` is that of this billing system."""

    lora: LoraClient
    kmd_ee: KmdEe
    cache: Cache
    ids: ObjectIds
    organisation: str
    utility: str
    window_days: int
    area_digits: int


@dataclass(frozen=True)
class Adoption:
    """What an adoption found.

    `adopted`: the cross reference (ADOPTED). `counts` (COUNTS), by entity: objects of ours found; matched with one that
    KMD EE knows; superseded; unknown to KMD EE, which stay as they are; passive, which count for nothing; `new` in the
    cross reference. `faults` (FAULTS); `left` (LEFT): the unknown ones; `others` (OTHERS): what other systems put into
    our objects, and whether it is kept. `delivered_before`: objects that runs had already put there under our own ids,
    beside others: ours stay, the others are superseded.
    """

    adopted: pl.DataFrame
    counts: pl.DataFrame
    faults: pl.DataFrame
    left: pl.DataFrame
    others: pl.DataFrame
    delivered_before: int


def adopt(means: Means, as_of: date, *, dry_run: bool) -> Adoption:
    """Reads registry and KMD EE, and fills the cross reference unless `dry_run`. Raises CallError.

    May be repeated at any time: what was adopted stays so, and what others wrote since is added.
    """
    everything = read_registry(means.lora, means.organisation, means.utility)
    found = Found(**{entity: is_live(everything.of(entity)) for entity in FOUND})
    source = _read_source(means, found, as_of)
    before = means.cache.adoptions.rows()
    delivered = _delivered(means.cache)
    adopted_before = before.filter(~pl.col("superseded")).get_column("registry_id")
    standing = pl.concat([adopted_before, delivered]).unique()
    parties = partial(party_ids, means.ids, means.cache.answers.aliases())
    named = slots(source, parties)
    matched = match(found, source, means.ids, parties, standing)
    # What a run made by itself needs no cross reference, unless others are superseded by it.
    rivals = matched.filter("superseded").get_column("object_id")
    own = pl.col("registry_id").is_in(delivered.implode()) & (pl.col("registry_id") == pl.col("object_id"))
    adopted = matched.filter(~own)
    adoption = Adoption(
        adopted=adopted,
        counts=_counts(everything, matched, adopted.join(before, on="registry_id", how="anti")),
        faults=faults(found, matched, source, named, means.ids, utility=means.utility),
        left=_left(found, matched),
        others=_others(found),
        delivered_before=matched.filter(own & pl.col("object_id").is_in(rivals.drop_nulls().implode())).height,
    )
    if not dry_run:
        means.cache.adoptions.record(adopted, as_of)
    return adoption


def read_registry(client: LoraClient, organisation: str, utility: str) -> Found:
    """Everything of ours in the registry, passive objects included, read with all periods. Raises CallError.

    Ours is what our organisation owns and what is of our utility: others may keep objects there under the same owner.
    Roles and agreements have no owner; theirs is told by the customer relation they lead to.
    """
    owned = {
        entity: found_frame(
            entity,
            (
                (lora_class, each)
                for lora_class in LORA_CLASSES[entity]
                for each in _read(client, lora_class, **{relation: organisation})
            ),
        )
        for entity, relation in _OWNER.items()
    }
    relations = owned["customer_relations"].filter(pl.col("utility") == utility)
    functions, efforts = LORA_CLASSES["customer_roles"][0], LORA_CLASSES["agreements"][0]
    roles = (
        (functions, each)
        for code in ROLE_CODES
        for each in _read(client, functions, organisatoriskfunktionstype=f"urn:{code}")
    )
    agreements = ((efforts, each) for each in _read(client, efforts, indsatstype=f"urn:{utility}"))
    return Found(
        customers=owned["customers"],
        customer_relations=relations,
        customer_roles=_leading_to(found_frame("customer_roles", roles), relations),
        installations=owned["installations"].filter(pl.col("utility") == utility),
        agreements=_leading_to(found_frame("agreements", agreements), relations),
    )


def _read(client: LoraClient, lora_class: str, **condition: str) -> Iterator[Json]:
    yield from client.read_many(lora_class, client.search(lora_class, **condition)).values()


def _leading_to(frame: pl.DataFrame, relations: pl.DataFrame) -> pl.DataFrame:
    """The objects that lead to one of these customer relations; one with several codes is there once."""
    leading = frame.select("registry_id", pl.col("relations").alias("relation")).explode("relation")
    ours = leading.join(relations.select(pl.col("registry_id").alias("relation")), on="relation", how="semi")
    return frame.join(ours, on="registry_id", how="semi").unique("registry_id", keep="first", maintain_order=True)


def _read_source(means: Means, found: Found, as_of: date) -> Source:
    """The rows of the window, and those of all customer numbers that the registry knows; all installations."""
    codes = means.kmd_ee.postcodes().to_list()
    window = means.kmd_ee.customers(codes, as_of, as_of - timedelta(days=means.window_days))
    rows = clean_customers(window, means.area_digits).rows
    numbers = found.customer_relations.select(whole_number("customer_number").alias("customer_number")).drop_nulls()
    digits = numbers.filter(pl.col("customer_number").str.contains(r"^[0-9]{1,15}$")).unique()
    missing = digits.join(rows, on="customer_number", how="anti").get_column("customer_number")
    by_number = clean_by_number(means.kmd_ee.customers_by_number(missing.to_list()), means.area_digits)
    meters = clean_installations(means.kmd_ee.installations(codes, as_of), means.area_digits)
    return Source(pl.concat([rows, by_number.rows]), meters.rows)


def _delivered(cache: Cache) -> pl.Series:
    """Uuids under which runs delivered objects by themselves."""
    ids = [each for entity in FOUND for each in cache.deliveries.object_ids(SYSTEM, entity, None)]
    adopted = frozenset(cache.adoptions.rows().filter(~pl.col("superseded")).get_column("object_id").drop_nulls())
    return pl.Series("registry_id", [each for each in ids if each not in adopted], dtype=pl.String)


def _counts(everything: Found, matched: pl.DataFrame, fresh: pl.DataFrame) -> pl.DataFrame:
    """The frame of COUNTS; `fresh` are the rows that the cross reference did not have before."""
    known = matched.filter(pl.col("supply_area").is_not_null())
    rows: list[Json] = []
    for entity in FOUND:
        live = is_live(everything.of(entity))
        here = known.filter(pl.col("entity") == entity)
        rows.append(
            {
                "entity": entity,
                "found": live.height,
                "matched": here.filter(~pl.col("superseded")).height,
                "superseded": here.filter("superseded").height,
                "unknown": live.height - here.height,
                "passive": everything.of(entity).height - live.height,
                "new": fresh.filter(pl.col("entity") == entity).height,
            }
        )
    return pl.DataFrame(rows, schema=COUNTS)


def _left(found: Found, matched: pl.DataFrame) -> pl.DataFrame:
    """Objects of which KMD EE knows nothing, by the number that an operator knows them by."""
    known = matched.filter(pl.col("supply_area").is_not_null())
    keys = matched.select("registry_id", "business_key")
    return pl.concat(
        found.of(entity)
        .select("registry_id", entity=pl.lit(entity))
        .join(known, on="registry_id", how="anti")
        .join(keys, on="registry_id", how="left")
        .select(list(LEFT))
        for entity in FOUND
    ).sort("entity", "business_key", "registry_id")


def _others(found: Found) -> pl.DataFrame:
    """What others put into objects of ours, without its values."""
    parts = [
        found.of(entity)
        .select(pl.lit(entity).alias("entity"), pl.col(column).alias("what"))
        .explode("what")
        .drop_nulls("what")
        .with_columns(kept=pl.lit(kept))
        for entity in FOUND
        for column, kept in (("others", True), ("lost", False))
    ]
    counted = pl.concat(parts).group_by("entity", "what", "kept").agg(pl.len().cast(pl.Int64).alias("objects"))
    return counted.select(list(OTHERS)).sort("entity", "what")

"""The object ids of this installation, under the key of its settings."""

from collections.abc import Mapping

import polars as pl

from integration_assets.cache.register_answers import Alias
from integration_assets.domain.identity import ObjectIds
from integration_assets.flows.lookups import person_ids
from integration_assets.settings import Settings


def object_ids(settings: Settings) -> ObjectIds:
    """Raises MissingSetting without an identity key."""
    return ObjectIds(settings.need("identity_key"))


def party_ids(ids: ObjectIds, aliases: Mapping[str, Alias], kinds: pl.Series, numbers: pl.Series) -> pl.Series:
    """The object ids of parties by kind (person, company) and number, as `flows.resolution` computes them.

    `aliases` are the numbers of persons who have had another one.
    """
    people = person_ids(ids, numbers.set(kinds != "person", None), aliases)
    companies = ids.series("company", numbers.set(kinds != "company", None))
    return pl.select(pl.coalesce(pl.lit(people), pl.lit(companies))).to_series()

"""Who answers what an address text means: our copy of the register, a host of DAWA's protocol, and a second opinion."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import polars as pl

from integration_assets.domain.addresses.washing import RULE_VERSION, WashingIndex, wash
from integration_assets.domain.addresses.washing.evidence import ANSWERS, EVIDENCE, answers
from integration_assets.domain.addresses.washing.known import live_units
from integration_assets.domain.addresses.washing.text import normalized
from integration_assets.domain.addresses.washing.washed import ACCESS, CANDIDATE_ONLY, NONE, UNIT

DAWA: Final = "dawa"
SECOND_OPINION: Final = "second_opinion"
"""Methods: who answered, where it was not our own washing."""

Washes = Callable[[Iterable[str]], pl.DataFrame]


class Provider(Protocol):
    """Answers texts. `rules` names the rules by which it does: an answer counts as long as they are the same."""

    @property
    def rules(self) -> str: ...

    def wash(self, texts: pl.Series, kind: str) -> pl.DataFrame:
        """ANSWERS of distinct texts, in any order; texts that could not be asked now are missing."""
        ...


@dataclass(frozen=True)
class LocalRegister:
    """Our own washing, with `workers` threads."""

    index: WashingIndex
    workers: int = 2

    @property
    def rules(self) -> str:
        return RULE_VERSION

    def wash(self, texts: pl.Series, kind: str) -> pl.DataFrame:
        """ANSWERS of all texts."""
        return answers(wash(texts, self.index, kind, self.workers), kind)


@dataclass(frozen=True)
class DawaHost:
    """A host of DAWA's protocol: `units` and `access` wash texts (columns as clients.dawa.DATAVASK)."""

    units: Washes
    access: Washes

    @property
    def rules(self) -> str:
        return DAWA

    def wash(self, texts: pl.Series, kind: str) -> pl.DataFrame:
        """ANSWERS of the texts that the host answered. Raises PermanentError when it is closed or refuses us."""
        found = (self.access if kind == ACCESS else self.units)(texts)
        found = found.filter(pl.col("failure").is_null())
        settled = pl.col("category") != "C"
        candidates = pl.col("candidates").list.len() > 0
        own = pl.when(settled).then("address_id")
        told = {
            "status": pl.col("dar_status").cast(pl.Int64),
            "distance": pl.col("distance").cast(pl.Int64),
            "unknown_tokens": pl.col("unknown"),
            "matched_text": pl.col("matched_text"),
            "current_text": pl.col("current_text"),
            "candidates": pl.col("candidates").list.eval(pl.struct(pl.element().alias("address_id"))),
        }
        return found.select(
            "text",
            normalized(pl.col("text")).alias("normalized"),
            "category",
            pl.when(settled).then(pl.lit(kind)).when(candidates).then(pl.lit(CANDIDATE_ONLY)).otherwise(pl.lit(NONE))
            .alias("outcome"),
            pl.when(settled).then(pl.lit(DAWA)).otherwise(pl.lit(NONE)).alias("method"),
            (own if kind == UNIT else pl.lit(None, pl.String)).alias("unit_id"),
            pl.when(settled).then("access_id").alias("access_id"),
            _evidence(told).alias("evidence"),
        ).select(list(ANSWERS))  # fmt: skip


@dataclass(frozen=True)
class WithSecondOpinion:
    """Another provider, whose unresolved unit texts are put to somebody else as well.

    `opinions` are those of clients.adressevask.OPINIONS. An opinion counts when its address exists in our copy of the
    register; it makes category B, for nobody can see by which rule it came about.
    """

    first: Provider
    opinions: Washes
    index: WashingIndex

    @property
    def rules(self) -> str:
        return f"{self.first.rules}+{SECOND_OPINION}"

    def wash(self, texts: pl.Series, kind: str) -> pl.DataFrame:
        """ANSWERS of the first provider, where it found nothing those of the second."""
        found = self.first.wash(texts, kind)
        if kind != UNIT:
            return found
        asked = found.filter(pl.col("category") == "C")["text"]
        if asked.is_empty():
            return found
        opinions = self.opinions(asked).select("text", pl.col("address_id").alias("opinion"))
        opinions = opinions.filter(live_units(opinions["opinion"], self.index))
        joined = found.join(opinions, on="text", how="left", maintain_order="left")
        counts = pl.col("opinion").is_not_null()
        return joined.with_columns(
            pl.when(counts).then(pl.lit("B")).otherwise("category").alias("category"),
            pl.when(counts).then(pl.lit(UNIT)).otherwise("outcome").alias("outcome"),
            pl.when(counts).then(pl.lit(SECOND_OPINION)).otherwise("method").alias("method"),
            pl.coalesce("opinion", "unit_id").alias("unit_id"),
        ).select(list(ANSWERS))


def _evidence(told: dict[str, pl.Expr]) -> pl.Expr:
    """The JSON text of EVIDENCE with these fields; the others are null."""
    fields: list[Any] = [
        told.get(field.name, pl.lit(None)).alias(field.name) for field in EVIDENCE.fields if field.name != "candidates"
    ]
    candidate = next(field for field in EVIDENCE.fields if field.name == "candidates")
    listed = told["candidates"].list.eval(
        pl.struct(
            pl.element().struct.field("address_id"),
            *(pl.lit(None).alias(name) for name in ("text", "category", "distance")),
        )
    )
    return pl.struct(*fields, listed.cast(candidate.dtype).alias("candidates")).cast(EVIDENCE).struct.json_encode()

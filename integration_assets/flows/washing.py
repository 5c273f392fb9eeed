"""Which address a text means: codes first, then what was answered before, then washing; operators have the last word.

Codes are looked up anew each time, since that costs next to nothing. The answer to a text is kept with its evidence and
counts as long as neither the register nor the rules change.
"""

from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from integration_assets.cache.washings import Washings
from integration_assets.domain.addresses.resolve import DECISION, FOUND
from integration_assets.domain.addresses.washing import WashingIndex
from integration_assets.domain.addresses.washing.components import lines
from integration_assets.domain.addresses.washing.evidence import ANSWERS, opened
from integration_assets.domain.addresses.washing.exact import by_codes
from integration_assets.domain.addresses.washing.washed import ACCESS, ACCESS_ADDRESS, COMPONENTS, NONE, UNIT
from integration_assets.flows.address_providers import Provider


@dataclass(frozen=True)
class Washer:
    """Answers questions about addresses with one generation of the register; `provider` washes the texts.

    `now` is the instant written beside new answers; None keeps nothing (a plan leaves no trace).
    """

    index: WashingIndex
    washings: Washings
    provider: Provider
    now: datetime | None
    changes: list[pl.DataFrame] = field(default_factory=list)
    """Answers of this washer that differ from those before them: frames of CHANGES."""

    def components(self, rows: pl.DataFrame, kind: str) -> pl.DataFrame:
        """FOUND, one row per row of `rows` (columns of `washing.components.COLUMNS`), in their order.

        Of units whose text is not resolved either, codes may still tell the house: outcome access_address.
        """
        coded = self._coded(rows, kind)
        asked = pl.DataFrame({"text": lines(rows)}).with_row_index("row")
        rest = asked.join(coded, on="row", how="anti", maintain_order="left")
        washed = pl.concat([rest.select("row"), self.texts(rest["text"], kind)], how="horizontal")
        if kind == UNIT:
            houses = self._coded(rows[rest["row"]], ACCESS)
            houses = houses.with_columns(rest["row"].gather(houses["row"]))
            unresolved = washed.filter(pl.col("category") == "C", pl.col("method") != DECISION)
            houses = houses.join(unresolved.select("row"), on="row", how="semi").with_columns(
                pl.lit("C").alias("category"), pl.lit(ACCESS_ADDRESS).alias("outcome")
            )
            washed = washed.join(houses, on="row", how="anti")
            coded = pl.concat([coded, houses])
        found = pl.concat([coded.join(asked, on="row").select("row", *FOUND), washed.select("row", *FOUND)])
        return found.sort("row").select(list(FOUND))

    def _coded(self, rows: pl.DataFrame, kind: str) -> pl.DataFrame:
        """Row and FOUND (but the text) of the rows that codes alone answer."""
        answer = {"category": pl.lit("A"), "outcome": pl.lit(kind), "method": pl.lit(COMPONENTS)}
        nothing = {name: pl.lit(None, FOUND[name]) for name in ("normalized", "status", "nearest")}
        return by_codes(rows, self.index, kind).with_columns(**answer, **nothing)

    @property
    def changed(self) -> int:
        """How many answers another register or other rules have changed."""
        return sum(frame.height for frame in self.changes)

    def texts(self, texts: pl.Series, kind: str) -> pl.DataFrame:
        """FOUND, one row per text, in their order. A missing text means nothing: category C, outcome none."""
        asked = texts.cast(pl.String).fill_null("").alias("text")
        found = self._decided(self._answered(asked.unique(maintain_order=True), kind), kind)
        return asked.to_frame().join(found, on="text", how="left", maintain_order="left").select(list(FOUND))

    def _answered(self, texts: pl.Series, kind: str) -> pl.DataFrame:
        """ANSWERS of distinct texts, washed where they are not known yet; new answers are kept."""
        generation, rules = self.index.generation, self.provider.rules
        known = self.washings.known(kind, texts, generation=generation, rule_version=rules)
        new = texts.to_frame().join(known, on="text", how="anti", maintain_order="left")["text"]
        if new.is_empty():
            return known
        fresh = self.provider.wash(new, kind)
        if self.now is not None:
            kept = self.washings.record(kind, fresh, generation=generation, rule_version=rules, now=self.now)
            self.changes.append(kept)
        unasked = (
            new.to_frame()
            .join(fresh, on="text", how="anti")
            .with_columns(pl.lit("C").alias("category"), pl.lit(NONE).alias("outcome"), pl.lit(NONE).alias("method"))
        )
        missing = [pl.lit(None, dtype).alias(name) for name, dtype in ANSWERS.items() if name not in unasked.columns]
        return pl.concat([known, fresh, unasked.with_columns(missing).select(list(ANSWERS))])

    def _decided(self, found: pl.DataFrame, kind: str) -> pl.DataFrame:
        """FOUND of ANSWERS; what an operator decided about a text of category C counts instead."""
        unresolved = found.filter(pl.col("category") == "C")
        details = opened(unresolved).select("text", "status", nearest=_texts_of_candidates())
        decisions = self.washings.decisions(kind, unresolved["normalized"]).select("normalized", "address_id")
        decided = unresolved.select("text", "normalized").join(
            decisions.with_columns(decided=True), on="normalized", how="inner"
        )
        rows = found.join(details, on="text", how="left").join(
            decided.select("text", "address_id", "decided"), on="text", how="left"
        )
        status = pl.coalesce("status", pl.col("evidence").str.json_path_match("$.status").cast(pl.Int64))
        chosen = pl.col("address_id").is_not_null()
        own_id = "access_id" if kind == ACCESS else "unit_id"
        return rows.with_columns(
            pl.when("decided").then(pl.lit(DECISION)).otherwise("method").alias("method"),
            pl.when(chosen).then(pl.lit(kind)).when("decided").then(pl.lit(NONE)).otherwise("outcome").alias("outcome"),
            pl.when(chosen).then(pl.lit("B")).otherwise("category").alias("category"),
            pl.coalesce("address_id", own_id).alias(own_id),
            pl.when(chosen).then(None).otherwise(status).alias("status"),
        ).select(list(FOUND))


def _texts_of_candidates() -> pl.Expr:
    return pl.col("candidates").list.eval(pl.element().struct.field("text"))

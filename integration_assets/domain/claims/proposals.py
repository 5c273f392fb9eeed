"""Which recalls the agreements (aftaler) ask for: what happened to them since their claims were handed over.

| what happened | claims of the agreement |
|---|---|
| it was annulled | FEJL on all of them |
| it begins later or ends earlier | FEJL where nothing of the billed period is left; a write-down where part of it is |
| a product change was cancelled, or it was corrected | a write-down of what was billed from that day on |
| its end was moved on or taken back | nothing |

A write-down (REGU) is no recall: it is told to a person. Sub-claims follow their main claims and are not looked at.
"""

from typing import Final

import polars as pl

CLAIMS: Final = pl.Schema(
    {
        "claim_id": pl.Int64,
        "customer_number": pl.String,
        "period_from": pl.Date,
        "period_to": pl.Date,
        "received_on": pl.Date,
    }
)
"""Main claims that lie with the authority."""

EVENTS: Final = pl.Schema(
    {
        "event_id": pl.Int64,
        "customer_number": pl.String,
        "contract": pl.String,
        "kind": pl.String,
        "day": pl.Date,
        "moved_in_before": pl.Date,
        "moved_out_before": pl.Date,
        "moved_in": pl.Date,
        "moved_out": pl.Date,
        "seen_on": pl.Date,
    }
)
"""Events of agreements: `moved_out` is the first day after it, null without end; `seen_on` when we learned of it."""

RECALL, WRITE_DOWN = "recall", "write_down"

WANTED: Final = pl.Schema(
    {"claim_id": pl.Int64, "event_id": pl.Int64, "action": pl.String, "reason": pl.String, "why": pl.String}
)
"""What is to be done about a claim (recall or write_down) for which reason code, because of which event."""

_CORRECTIONS: Final = ("product_change_cancel", "contract_change")


def wanted(events: pl.DataFrame, claims: pl.DataFrame) -> pl.DataFrame:
    """What the events (EVENTS, all of these customers) ask of the claims (CLAIMS): WANTED, one row a claim at most.

    Only what was seen when the claim lay with the authority already counts, and the dates that hold in the end: an
    annulment that was taken back asks for nothing. A claim without a billing period is for a person where dates moved.
    """
    # An agreement that was annulled and came back goes on as another contract of the same customer.
    annulled = (pl.col("moved_out") <= pl.col("moved_in")).fill_null(False)
    contracts = events.sort("event_id").group_by("customer_number", "contract", maintain_order=True).last()
    agreements = (
        contracts.sort(~annulled, "event_id")
        .group_by("customer_number")
        .last()
        .select("customer_number", begins="moved_in", ends="moved_out", annulled=annulled)
    )
    facts = (
        claims.join(events, on="customer_number")
        .filter(pl.col("seen_on") >= pl.col("received_on"))
        .join(agreements, on="customer_number")
        .with_columns(*_lengths())
    )
    return (
        facts.with_columns(_decision())
        .filter(pl.col("decision").is_not_null())
        # A recall goes before a write-down; of equals the latest event is the reason.
        .sort(pl.col("decision").is_in(["annulled", "outside"]), "event_id")
        .group_by("claim_id", maintain_order=True)
        .last()
        .select(
            "claim_id",
            "event_id",
            pl.when(pl.col("decision").is_in(["annulled", "outside"]))
            .then(pl.lit(RECALL))
            .otherwise(pl.lit(WRITE_DOWN))
            .alias("action"),
            pl.when(pl.col("decision").is_in(["annulled", "outside"]))
            .then(pl.lit("FEJL"))
            .otherwise(pl.lit("REGU"))
            .alias("reason"),
            _sentence(),
        )
        .sort("claim_id")
    )


def _lengths() -> list[pl.Expr]:
    """Days of the billed period, how many of them the agreement has now, and how many it had before this event."""
    return [
        ((pl.col("period_to") - pl.col("period_from")).dt.total_days() + 1).alias("billed"),
        _shared("begins", "ends").alias("left"),
        _shared("moved_in_before", "moved_out_before").alias("had"),
    ]


def _shared(first: str, after: str) -> pl.Expr:
    begin = pl.max_horizontal("period_from", first)
    end = pl.min_horizontal(pl.col("period_to").dt.offset_by("1d"), after)
    return (end - begin).dt.total_days().clip(lower_bound=0)


def _decision() -> pl.Expr:
    shorter = (pl.col("begins") > pl.col("moved_in_before")).fill_null(False) | (
        pl.col("ends") < pl.col("moved_out_before").fill_null(pl.date(9999, 12, 31))
    ).fill_null(False)
    known = pl.col("billed").is_not_null() & pl.col("moved_in_before").is_not_null()
    lost = known & (pl.col("left") < pl.col("had"))
    corrected = pl.col("kind").is_in(_CORRECTIONS) & (pl.col("period_to") >= pl.col("day"))
    return (
        pl.when(pl.col("annulled"))
        .then(pl.lit("annulled"))
        .when(lost & (pl.col("left") == 0))
        .then(pl.lit("outside"))
        .when(lost)
        .then(pl.lit("part"))
        .when(corrected)
        .then(pl.lit("corrected"))
        .when(pl.col("billed").is_null() & shorter & pl.col("moved_in_before").is_not_null())
        .then(pl.lit("undated"))
        .otherwise(None)
        .alias("decision")
    )


def _sentence() -> pl.Expr:
    end = (
        pl.when(pl.col("ends").is_null())
        .then(pl.lit("without end"))
        .otherwise(pl.format("up to {}", pl.col("ends").dt.offset_by("-1d")))
    )
    dates = pl.format("from {} {}", "begins", end)
    customer = pl.format("Agreement of customer {}", "customer_number")
    return (
        pl.when(pl.col("decision") == "annulled")
        .then(pl.format("{} was annulled.", customer))
        .when(pl.col("decision") == "outside")
        .then(pl.format("{} holds {}; nothing of the billed period is left.", customer, dates))
        .when(pl.col("decision") == "part")
        .then(pl.format("{} holds {}; {} of {} billed days are left.", customer, dates, "left", "billed"))
        .when(pl.col("decision") == "undated")
        .then(pl.format("{} holds {}; the claim names no billed period.", customer, dates))
        .otherwise(pl.format("{} was corrected from {} on.", customer, "day"))
        .alias("why")
    )

"""Taking the ledger of claims in, and proposing the recalls that agreements ask for."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Final

import polars as pl

from integration_assets.cache.claim_ledger import ClaimLedger, TakenIn
from integration_assets.cache.recall_rows import Issue
from integration_assets.cache.recalls import Decision, Recalls, Wish
from integration_assets.domain.claims import ledger, proposals
from integration_assets.domain.claims.rules import Asked

PROPOSED_BY: Final = "claims/recall_proposals"
"""Who proposes what events of agreements ask for."""
_ORIGIN: Final = "agreement event {}"


class UnfitFile(ValueError):
    """A file of claims cannot be taken at all; the text says why. Nothing was changed."""


@dataclass(frozen=True)
class Imported:
    """What became of the rows of a ledger: stored ones by kind, and the rejected ones (ledger.REJECTED)."""

    stored: TakenIn
    rejected: pl.DataFrame


def import_ledger(store: ClaimLedger, path: Path, movements: Path | None, as_of: date) -> Imported:
    """Takes in a file of claims, and one of write-downs and write-ups where there is one. Raises UnfitFile."""
    raw = _texts(path, ledger.CLAIMS)
    claims = ledger.checked_claims(raw, store.main_claims(_numbers(raw, "main_claim_id")), as_of)
    if movements is None:
        moves = ledger.Checked(pl.DataFrame(schema=ledger.MOVEMENTS), pl.DataFrame(schema=ledger.REJECTED))
    else:
        raw = _texts(movements, ledger.MOVEMENTS)
        known = {*store.claims(_numbers(raw, "claim_id")), *claims.good["claim_id"]}
        moves = ledger.checked_movements(raw, known)
    stored = store.take_in(claims.good, moves.good)
    return Imported(stored, pl.concat([claims.rejected, moves.rejected]))


def propose_from_agreements(
    store: ClaimLedger, recalls: Recalls, creditor_id: int, as_of: date, clock: Callable[[], datetime]
) -> dict[str, int]:
    """Proposes the recalls that events of agreements ask for; write-downs are told to a person.

    What was proposed before and is not asked for any more is withdrawn, or put on hold where it was approved. Counts:
    wanted, proposed, known, refused, write_downs, withdrawn, held.
    """
    wanted = proposals.wanted(store.agreement_events(), store.under_collection())
    to_recall = wanted.filter(pl.col("action") == proposals.RECALL)
    wishes = [
        Wish(Asked(row["claim_id"], row["reason"]), row["why"], _ORIGIN.format(row["event_id"]))
        for row in to_recall.iter_rows(named=True)
    ]
    now = clock()
    done = recalls.propose(wishes, creditor_id, as_of, PROPOSED_BY, now)
    write_downs = wanted.filter(pl.col("action") == proposals.WRITE_DOWN)
    recalls.note_issues(
        [
            Issue(
                "write_down",
                f"claim {row['claim_id']}",
                f"Claim {row['claim_id']} is to be looked at: {row['why']}",
                row["claim_id"],
            )
            for row in write_downs.iter_rows(named=True)
        ],
        now,
    )
    gone = recalls.from_agreements().join(to_recall, on="claim_id", how="anti")
    decided = {
        state: gone.filter(pl.col("state") == state)["action_id"].to_list() for state in ("PROPOSED", "APPROVED")
    }
    note = "No event of the agreement asks for it any more."
    recalls.decide(Decision.REJECT, decided["PROPOSED"], PROPOSED_BY, now, note)
    recalls.decide(Decision.HOLD, decided["APPROVED"], PROPOSED_BY, now, note)
    refused = [one for one in done if one.refusal is not None]
    return {
        "wanted": wanted.height,
        "proposed": sum(one.is_new for one in done),
        "known": sum(one.action_id is not None and not one.is_new for one in done),
        "refused": len(refused),
        "write_downs": write_downs.height,
        "withdrawn": len(decided["PROPOSED"]),
        "held": len(decided["APPROVED"]),
    }


def _texts(path: Path, schema: pl.Schema) -> pl.DataFrame:
    """The rows of a CSV or Parquet file as texts. Raises UnfitFile."""
    try:
        if path.suffix.lower() == ".parquet":
            frame = pl.read_parquet(path)
        else:
            frame = pl.read_csv(path, infer_schema=False, separator=_separator(path))
    except (OSError, pl.exceptions.PolarsError) as error:
        raise UnfitFile(f"The file {path} cannot be read ({type(error).__name__}); the ledger is as it was.") from None
    if missing := ledger.missing_columns(frame.columns, schema):
        raise UnfitFile(f"The file {path} lacks the columns {', '.join(missing)}; the ledger is as it was.")
    return frame


def _numbers(raw: pl.DataFrame, name: str) -> list[int]:
    """The numbers in a column of texts that may be missing; what is none is left out."""
    if name not in raw.columns:
        return []
    texts = raw[name].cast(pl.String).str.strip_chars()
    return texts.cast(pl.Int64, strict=False).drop_nulls().unique().to_list()


def _separator(path: Path) -> str:
    with path.open(encoding="utf-8-sig") as file:
        return ";" if ";" in file.readline() else ","

"""Recalls, issues and months as tables for people and as JSON for programs."""

import json
from typing import Any

import polars as pl
from rich.console import Console
from rich.table import Table

from integration_assets.cache.recalls import Decided

_SHOWN = ("action_id", "claim_id", "reason", "state", "creditor_ref", "amount", "approvals", "why", "note")
_WIDTH = 160


def print_recalls(found: pl.DataFrame, *, as_json: bool) -> None:
    """Recalls (cache.recall_lists.LISTED), one a line."""
    if as_json:
        print(json.dumps(_plain(found), ensure_ascii=False, indent=2))
        return
    _print(found.select(_SHOWN), "Recalls, amounts in DKK")
    print(f"{found.height:,} recalls.")


def print_story(found: pl.DataFrame, story: pl.DataFrame, *, as_json: bool) -> None:
    """A recall (cache.recall_lists.LISTED) and what happened to it (cache.recall_lists.STORY)."""
    if as_json:
        print(json.dumps(_plain(found)[0] | {"story": _plain(story)}, ensure_ascii=False, indent=2))
        return
    _print(found.select(_SHOWN), "Recall, amount in DKK")
    local = pl.col("at").dt.convert_time_zone("Europe/Copenhagen").dt.strftime("%Y-%m-%d %H:%M:%S")
    _print(story.with_columns(local), "What happened to it")


def print_issues(found: pl.DataFrame, *, as_json: bool) -> None:
    """Issues (cache.recall_lists.ISSUES), one a line."""
    if as_json:
        print(json.dumps(_plain(found), ensure_ascii=False, indent=2))
        return
    _print(found.with_columns(pl.col("found_at").dt.strftime("%Y-%m-%d %H:%M")), "What a person must look at")
    print(f"{found.height:,} issues are open.")


def print_months(found: pl.DataFrame, *, as_json: bool) -> None:
    """Months (domain.claims.reconciliation.MONTHS), one a line."""
    rows = found.with_columns(pl.col("month").dt.strftime("%Y-%m"))
    if as_json:
        print(json.dumps(_plain(rows), ensure_ascii=False, indent=2))
        return
    _print(rows, "Collection base, DKK: received - recalled - written down + written up")


def print_decided(decided: list[Decided]) -> bool:
    """What became of decisions, one a line; whether all of them were possible."""
    for one in decided:
        state = f"is {one.state}." if one.state is not None else "stays as it is."
        print(f"Action {one.action_id} {state} {one.sentence}".rstrip())
    return all(one.state is not None for one in decided)


def _plain(found: pl.DataFrame) -> list[dict[str, Any]]:
    return found.with_columns(pl.col(pl.Date, pl.Datetime, pl.Decimal).cast(pl.String)).to_dicts()


def _print(found: pl.DataFrame, title: str) -> None:
    if found.is_empty():
        return
    console = Console(width=None if Console().is_terminal else _WIDTH, highlight=False)
    table = Table(title=title, title_justify="left")
    for name in found.columns:
        table.add_column(name.replace("_", " "), overflow="fold")
    for row in found.with_columns(pl.all().cast(pl.String).fill_null("")).iter_rows():
        table.add_row(*row)
    console.print(table)

"""The figures of a played day: per entity and per outside system, as a table and as JSON."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from rich.console import Console
from rich.table import Table

from integration_assets.resources.cache import open_cache
from integration_assets.settings import Settings

CATEGORIES = ("A", "B", "H", "C")
COUNTS = ("desired", "created", "updated", "unchanged", "ended", "repaired", "failed")
REQUESTS = "requests_"
"""How the counts of requests begin in the journal: requests_<system>_<kind>."""


@dataclass
class DaySummary:
    """What one day did: `steps` counts by asset, `rejected` by asset and reason (open ones), `requests` by system."""

    label: str
    as_of: date
    steps: dict[str, dict[str, int]]
    rejected: dict[str, dict[str, int]]
    requests: dict[str, dict[str, int]]
    events: dict[str, Any]
    runs: int
    seconds: float = 0.0

    @classmethod
    def of(
        cls,
        label: str,
        as_of: date,
        settings: Settings,
        run_ids: list[str],
        requests: dict[str, dict[str, int]],
        events: dict[str, Any],
    ) -> "DaySummary":
        """Collects the day's figures from journal and rejections."""
        cache = open_cache(settings)
        try:
            steps: dict[str, dict[str, int]] = {}
            for run_id in run_ids:
                for step, counts in cache.journal.entries(run_id=run_id).select("step", "counts").iter_rows():
                    total = steps.setdefault(step, {})
                    for name, number in json.loads(counts).items():
                        total[name] = total.get(name, 0) + number
            rejected: dict[str, dict[str, int]] = {}
            for asset, reason, number in (
                cache.rejections.open(None, None).group_by("asset", "reason").len().sort("asset", "reason").iter_rows()
            ):
                rejected.setdefault(asset, {})[reason] = number
        finally:
            cache.close()
        return cls(label, as_of, steps, rejected, requests, events, len(run_ids))

    def as_dict(self) -> dict[str, Any]:
        """JSON-able form for `summary.json`."""
        return {
            "day": self.label,
            "as_of": self.as_of.isoformat(),
            "seconds": round(self.seconds, 1),
            "runs": self.runs,
            "assets": self.steps,
            "open_rejections": self.rejected,
            "requests": self.requests,
            "sent": dict(sent_requests(self.steps)),
            "events": self.events,
        }


def requests_between(before: dict[str, Any], after: dict[str, Any]) -> dict[str, dict[str, int]]:
    """Requests per system and kind (read, write, lookup, token) that came between two readings of the counters."""
    spent: dict[str, dict[str, int]] = {}
    for system, counters in after.items():
        earlier = before.get(system, {}).get("by_kind", {})
        kinds = {kind: count - earlier.get(kind, 0) for kind, count in counters["by_kind"].items()}
        spent[system] = {kind: count for kind, count in kinds.items() if count}
    return {system: kinds for system, kinds in spent.items() if kinds and system != "control"}


def sent_requests(steps: Mapping[str, Mapping[str, int]]) -> list[tuple[str, dict[str, int]]]:
    """The requests that steps counted, by system (lora, crm) and kind (put, list, upsert …), where there are any."""
    sent: dict[str, Counter[str]] = {}
    for counts in steps.values():
        for name, number in counts.items():
            system, _, kind = name.removeprefix(REQUESTS).partition("_")
            if name.startswith(REQUESTS) and kind and number:
                sent.setdefault(system, Counter())[kind] += number
    return [(system, dict(sorted(kinds.items()))) for system, kinds in sorted(sent.items())]


def print_day(console: Console, summary: DaySummary) -> None:
    """Prints the day as a table."""
    table = Table(title=f"{summary.label} ({summary.as_of}): {summary.runs} runs, {summary.seconds:.1f} s")
    table.add_column("asset")
    for name in COUNTS:
        table.add_column(name, justify="right")
    table.add_column("open rejections")
    for step in sorted({*summary.steps, *summary.rejected}):
        counts = summary.steps.get(step, {})
        reasons = ", ".join(f"{reason} {number}" for reason, number in summary.rejected.get(step, {}).items())
        if any(name in counts for name in COUNTS) or reasons:
            table.add_row(step, *(str(counts.get(name, "")) for name in COUNTS), reasons)
    console.print(table)
    if addresses := _addresses(summary):
        console.print(addresses)
    spent = [
        f"{system}: " + ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        for system, kinds in sorted(summary.requests.items())
        if kinds
    ]
    console.print(f"requests: {'; '.join(spent) or 'none'}", highlight=False)
    if sent := sent_requests(summary.steps):
        told = (
            f"{system}: {', '.join(f'{number} {kind}' for kind, number in kinds.items())}" for system, kinds in sent
        )
        console.print(f"of these by the assets: {'; '.join(told)}", highlight=False)


def _addresses(summary: DaySummary) -> Table | None:
    """What the addresses of the day's runs meant, by asset; None where none were resolved."""
    resolved = {step: counts for step, counts in sorted(summary.steps.items()) if _numbers(counts, "category_")}
    if not resolved:
        return None
    table = Table(title="addresses: A, B certain; H only the house; C not certain")
    for name in ("asset", *CATEGORIES, "found by"):
        table.add_column(name, justify="right" if name in CATEGORIES else "left")
    for step, counts in resolved.items():
        found_by = ", ".join(f"{method} {number}" for method, number in _numbers(counts, "by_").items())
        table.add_row(step, *(str(counts.get(f"category_{name}", 0)) for name in CATEGORIES), found_by)
    return table


def _numbers(counts: dict[str, int], prefix: str) -> dict[str, int]:
    return {name.removeprefix(prefix): number for name, number in counts.items() if name.startswith(prefix)}

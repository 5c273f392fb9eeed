"""How truly and how fast numbers without serial are completed: a town full of people who are easily mistaken.

``python -m integration_assets_tests.benchmarks.completion [--customers 20000] [--seed 1]``

The sandbox answers over HTTP, the product's own assets ask it, from the billing system to the completed customers. The
town's records say of each number whose it is, or why nobody can know. Printed are the three findings (wrong numbers;
recall, the share completed of those that a unique correct answer exists for; refusals with another reason than planted)
and what it took: searches and look-ups by HTTP, completions per second of the whole run. The run also looks up every
customer whose number is complete; how often is told apart.

Exit code 1: a number was wrong, or recall is below 99 %.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from integration_assets.sandbox.background import RunningSandbox, start_in_background
from integration_assets.sandbox.systems import SandboxOptions
from integration_assets.settings import Settings
from integration_assets_tests.end_to_end.completion_town import Case, Verdict, complete, judged, planted_cases

AREAS = ("2", "4", "5")
"""Supply areas of the sandbox town when one digit of the postal code names them."""

LEAST_RECALL = 0.99
SEARCH_PATH = "CPRLookup"


def measure(sandbox: RunningSandbox, data_dir: Path, customers: int, seed: int) -> Verdict:
    """Builds the town, completes it and prints what it took; what came out."""
    began = time.monotonic()
    town = sandbox.post("/town", {"customers": customers, "seed": seed})
    print(f"town of {customers:,} customers, {town['persons']:,} people: {time.monotonic() - began:.0f} s", flush=True)
    settings = Settings(
        **{**sandbox.settings, "business_day": town["base_day"], "supply_area_digits": 1, "data_dir": data_dir}
    )
    cases = planted_cases(sandbox.settings["kmd_ee_url"])
    sandbox.post("/requests/clear")
    seconds = complete(settings, AREAS)
    calls = sandbox.get("/requests")["requests"]
    searches = sum(SEARCH_PATH in call["path"] for call in calls)
    people = sum(call["kind"] == "lookup" and "/CPR/" in call["path"] for call in calls)
    verdict = judged(settings, cases)
    found = verdict.unique.total() - len(verdict.missed)
    print(
        f"{len(cases):,} numbers without serial, {found:,} completed in {seconds:.0f} s: {found / seconds:.0f} a second"
    )
    print(f"{searches:,} searches, {people:,} look-ups of people in all", flush=True)
    print(f"{(searches + found) / found:.2f} calls per completion: the searches, and the look-up that bears a hit out")
    return verdict


def report(verdict: Verdict) -> None:
    """Prints the three findings, and each kind with what came out otherwise."""
    planted, refused = verdict.unique.total(), verdict.refused.total()
    print(f"wrong numbers: {len(verdict.wrong)} of {planted + refused:,}")
    print(f"recall: {verdict.recall:.2%} of {planted:,} that can be known")
    print(f"refusals with another reason: {len(verdict.other_reason)} of {refused:,}")
    for name, found in (
        ("wrong", _keyed((case, None) for case in verdict.wrong)),
        ("missed", _keyed(verdict.missed)),
        ("other reason", _keyed(verdict.other_reason)),
    ):
        for line in found[:20]:
            print(f"  {name}: {line}")
    for kind in sorted({*verdict.unique, *verdict.refused}):
        print(f"  {kind:28} {verdict.unique[kind]:6,} can be known {verdict.refused[kind]:6,} cannot")


def _keyed(found: Iterable[tuple[Case, str | None]]) -> list[str]:
    return [f"{case.record_key} {case.kind}: planted {case.reason}, came out {reason}" for case, reason in found]


def main() -> None:
    """Run and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    data_dir = Path(tempfile.mkdtemp(prefix="completion-")).resolve()
    sandbox = start_in_background(SandboxOptions(data_dir=data_dir))
    try:
        verdict = measure(sandbox, data_dir, options.customers, options.seed)
    finally:
        sandbox.stop()
        shutil.rmtree(data_dir, ignore_errors=True)
    report(verdict)
    sys.exit(1 if verdict.wrong or verdict.recall < LEAST_RECALL else 0)


if __name__ == "__main__":
    main()

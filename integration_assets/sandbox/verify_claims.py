"""Whether the debt authority's books are as they must be: nothing recalled twice, nothing forgotten, no id used twice.

`compare_claims` reads books and truth through the control system and gives the differences as sentences. Run as a
program, it prints the differences of a running sandbox.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import httpx

from integration_assets.sandbox.verify_compare import Comparison, Difference

__all__ = ["compare_books", "compare_claims", "compare_recalls"]

_TIMEOUT_S: Final = 300.0
_WRONG: Final = "FEJL"
_DEFERRALS: Final = ("BORD", "HENS", "KLAG", "HAFT")

Json = dict[str, Any]


def compare_claims(control_url: str) -> list[Difference]:
    """All differences of the books of a sandbox: within themselves, and from what the town's agreements ask for."""
    root = control_url.rstrip("/")
    books = httpx.get(f"{root}/debt_authority/books", timeout=_TIMEOUT_S).raise_for_status().json()
    truth = httpx.get(f"{root}/truth", timeout=_TIMEOUT_S).raise_for_status().json()
    return compare_books(books) + compare_recalls(books, truth)


def compare_books(books: Mapping[str, Any]) -> list[Difference]:
    """What can be wrong whatever was asked for.

    A claim is recalled once, or once more as wrong after a deferral. A recalled main claim leaves no sub-claim behind.
    A transaction id stands for one content; so does an action.
    """
    found = Comparison("debt_authority")
    claims: Mapping[str, Json] = books["claims"]
    for number, recalls in sorted(_by(books["recalls"], "claim").items()):
        reasons = [recall["reason"] for recall in sorted(recalls, key=lambda recall: recall["n"])]
        again = len(reasons) == 2 and reasons[0] in _DEFERRALS and reasons[1] == _WRONG
        if len(reasons) > 1 and not again:
            found.add("claim", number, f"was recalled {len(reasons)} times ({', '.join(reasons)})")
    for number, claim in sorted(claims.items()):
        main = claims.get(str(claim["main"]))
        if claim["recall"] is None and main is not None and main["recall"] is not None:
            found.add("claim", number, f"was left behind when its main claim {claim['main']} was recalled")
    for transaction, arrivals in sorted(_by(books["arrivals"], "transaction").items()):
        if len({arrival["digest"] for arrival in arrivals}) > 1:
            found.add("transaction", transaction, "came with two contents")
    return found.differences


def compare_recalls(books: Mapping[str, Any], truth: Mapping[str, Any]) -> list[Difference]:
    """Whether exactly those claims are recalled that the agreements of the town ask for, with their sub-claims."""
    claims: Mapping[str, Json] = books["claims"]
    expected = {
        (number,): {"reason": truth["recalls"][known["main"]]}
        for number, known in truth["claims"].items()
        if known["main"] in truth["recalls"]
    }
    recalled = [
        ((number,), {"reason": claim["recall"]["reason"]})
        for number, claim in claims.items()
        if claim["recall"] is not None
    ]
    names = {(number,): f"{number} of customer {known['customer_number']}" for number, known in truth["claims"].items()}
    comparison = Comparison("debt_authority")
    comparison.objects("recall of claim", expected, recalled, names)
    return comparison.differences


def _by(entries: list[Json], name: str) -> dict[str, list[Json]]:
    grouped: dict[str, list[Json]] = defaultdict(list)
    for entry in entries:
        grouped[str(entry[name])].append(entry)
    return grouped


def main(data_dir: Path) -> int:
    """Compare the sandbox that keeps its data in `data_dir`; print the differences; 1 when there are any, else 0."""
    state = json.loads((data_dir / "sandbox.json").read_text(encoding="utf-8"))
    differences = compare_claims(state["control_url"])
    for difference in differences:
        sys.stdout.write(f"{difference}\n")
    sys.stdout.write(f"{len(differences)} differences\n" if differences else "exactly the right claims are recalled\n")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "var")))

"""Whether the registry and the CRM hold the truth of the town: every object, every field, nothing twice, nothing else.

`compare` reads both over HTTP and gives the differences as sentences; `compare_rejections` does the same for the rows
that the product reports as refused. Run as a program, it prints the differences of a running sandbox.
"""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from integration_assets.sandbox.verify_compare import Comparison, Difference, masked
from integration_assets.sandbox.verify_crm import compare_crm
from integration_assets.sandbox.verify_lora import compare_registry

__all__ = ["Difference", "compare", "compare_rejections", "masked", "read_truth", "report"]

_TRUTH_TIMEOUT_S = 300.0
_SHOWN = 200


def read_truth(control_url: str) -> dict[str, Any]:
    """The truth of the current day, from the sandbox's control system."""
    answer = httpx.get(f"{control_url.rstrip('/')}/truth", timeout=_TRUTH_TIMEOUT_S).raise_for_status()
    truth: dict[str, Any] = answer.json()
    return truth


def compare(control_url: str, systems: Mapping[str, str], settings: Mapping[str, str]) -> list[Difference]:
    """All differences of registry and CRM from the truth.

    `systems` are the systems by name as in sandbox.json; a comparison takes place for those of "lora" and "dataverse"
    that are named. `settings` are the product settings that lead to the CRM. Raises httpx.HTTPError when something
    cannot be read.
    """
    truth = read_truth(control_url)
    differences: list[Difference] = []
    if "lora" in systems:
        differences += compare_registry(systems["lora"], truth)
    if "dataverse" in systems:
        differences += compare_crm(settings, truth)
    return differences


def compare_rejections(truth: Mapping[str, Any], open_rejections: Iterable[tuple[str, str, str]]) -> list[Difference]:
    """Differences between the rejections that should be open and those that are: (asset, record key, reason)."""
    comparison = Comparison("rejections")
    expected = {tuple(item): {} for item in truth["rejections"]}
    comparison.objects("of", expected, ((tuple(item), {}) for item in open_rejections))
    return comparison.differences


def compare_facts(truth: Mapping[str, Any], facts: Iterable[tuple[str, str, Any]]) -> list[Difference]:
    """Differences between the facts that should hold today and those that do: (installation, operand, value).

    Facts of operands that the truth says nothing of are left out.
    """
    comparison = Comparison("facts")
    operands = {operand for told in truth["facts"].values() for operand in told}
    expected = {(name,): dict.fromkeys(operands) | told for name, told in truth["facts"].items()}
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for installation, operand, value in facts:
        if operand in operands:
            found.setdefault((installation,), dict.fromkeys(operands))[operand] = value
    comparison.objects("of installation", expected, found.items())
    return comparison.differences


def report(differences: Sequence[Difference]) -> str:
    """The differences in lines, the first two hundred of them, and how many there are."""
    lines = [str(difference) for difference in differences[:_SHOWN]]
    more = len(differences) - len(lines)
    if more > 0:
        lines.append(f"... and {more} more")
    lines.append(f"{len(differences)} differences" if differences else "registry and CRM hold the truth")
    return "\n".join(lines)


def main(data_dir: Path) -> int:
    """Compare the sandbox that keeps its data in `data_dir`; print the differences; 1 when there are any, else 0."""
    state = json.loads((data_dir / "sandbox.json").read_text(encoding="utf-8"))
    differences = compare(state["control_url"], state["systems"], state["settings"])
    sys.stdout.write(report(differences) + "\n")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "var")))

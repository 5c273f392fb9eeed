"""The ledger file of the utility: what it knows of the claims that it handed over to the debt authority.

Belongs here: where the file lies, and its columns. The claims are those of the town; the file holds no personal number.
"""

import csv
from pathlib import Path
from typing import Any, Final

from integration_assets.sandbox.store import Store
from integration_assets.sandbox.town_model import load

LEDGER_FILE: Final = "claims/ledger.csv"
COLUMNS: Final = (
    "claim_id", "main_claim_id", "art", "type_code", "creditor_id", "creditor_ref", "agreement", "customer_number",
    "period_from", "period_to", "amount", "received_on", "state_refund",
)  # fmt: skip
"""Dates are ISO texts, periods include both their days, amounts are DKK."""

Json = dict[str, Any]


def ledger_file(data_dir: Path) -> Path:
    """Where the ledger of the sandbox in a data directory lies."""
    return data_dir / LEDGER_FILE


def write_ledger(store: Store, data_dir: Path, claims: str) -> None:
    """Write the file anew: a row for each claim of the town in a collection of claims, also for the recalled ones."""
    bills: dict[str, Json] = load(store).meta.get("bills", {})
    known = sorted(store.load(claims).values(), key=lambda claim: claim["id"])
    path = ledger_file(data_dir)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".part")
    with fresh.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        rows.writerows(_line(claim, bills[str(claim["main"])]) for claim in known if str(claim["main"]) in bills)
    fresh.replace(path)


def _line(claim: Json, bill: Json) -> tuple[str, ...]:
    customer = str(bill["customer"])
    return (
        *(str(claim["id"]), str(claim["main"]), claim["art"], claim["type"], str(claim["creditor"])),
        *(claim["reference"], customer, customer, bill["from"], bill["to"]),
        *(claim["amount"], claim["received_at"][:10], "true" if claim["state_refund"] else "false"),
    )

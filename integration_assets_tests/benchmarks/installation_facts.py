"""How many processes the facts engine runs in a second on one core: every installation lives through five events.

``python -m integration_assets_tests.benchmarks.installation_facts [--installations 100000]``

Each installation has ten operands (six related to the product, two to the contract, two to neither) and sees a move-in,
a product change, a move-out, the move-out extended, and the extended move-out cancelled. Only the engine is measured,
invariants, journal and billed guard included; days and values differ between installations. The garbage collector is
kept at bay as the store does it. Counted is processor time, so that neighbours on the machine disturb little.

With ``--stored`` the same processes are carried out on an embedded PostgreSQL, facts and journal durably, one event of
all installations after the other; counted is the time on the clock.
"""

import argparse
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

from integration_assets.cache.engine import cache_engine, migrate
from integration_assets.cache.facts import Asked, Facts
from integration_assets.domain.facts.bulk import rarely_collected
from integration_assets.domain.facts.calls import (
    Call,
    CancelContractEnd,
    ChangeMoveOutDate,
    MoveOut,
    NewContract,
    ProductChange,
)
from integration_assets.domain.facts.engine import apply
from integration_assets.domain.facts.operands import operands_of
from integration_assets.domain.facts.rules import Rules
from integration_assets.domain.facts.store import Installation
from integration_assets.domain.facts.templates import templates_of

BAR, STORED_BAR = 20_000, 2_000
FIRST_DAY = date(2025, 1, 1)
BATCH = 100

OPERANDS = [
    {"name": "ENERGIPRIS", "category": "QPRICE", "prodrel": True},
    {"name": "ABONNEMENT", "category": "LPRICE", "prodrel": True},
    {"name": "EFFEKTBIDRAG", "category": "LPRICE", "prodrel": True},
    {"name": "RABAT", "category": "FACTOR", "prodrel": True},
    {"name": "TARIFTYPE", "category": "RATETYPE", "prodrel": True},
    {"name": "AFKOELING", "category": "FLAG", "prodrel": True, "conrel": True},
    {"name": "BONUS", "category": "AMOUNT", "conrel": True},
    {"name": "ACONTO", "category": "AMOUNT", "conrel": True},
    {"name": "BBR_AREAL", "category": "USERDEF", "umzug": 2},
    {"name": "AFLAEST", "category": "QUANT", "umzug": 0},
]
PARAMETERS = {
    "ENERGIPRIS": "energipris",
    "RABAT": "rabat",
    "AFKOELING": "afkoeling",
    "BONUS": "bonus",
    "ACONTO": "aconto",
    "BBR_AREAL": "areal",
    "AFLAEST": "aflaest",
}


def rules() -> Rules:
    """Two products, each with a template of all ten operands."""
    templates = {
        product: [{"operand": name, "kind": "PARAMETER", "ref": parameter} for name, parameter in PARAMETERS.items()]
        + [
            {"operand": name, "kind": "CONSTANT", "ref": f"{name[:3]}_{product}"}
            for name in ("ABONNEMENT", "EFFEKTBIDRAG", "TARIFTYPE")
        ]
        for product in ("STANDARD", "PLUS")
    }
    for rows in templates.values():
        for row in rows:
            if row["operand"] == "RABAT":
                row["bis"] = ["contract_start_plus_months_minus_1d", 12]
    operands = operands_of(OPERANDS)
    return Rules(operands, templates_of(templates, operands))


def calls(number: int) -> list[Call]:
    """The five events of an installation."""
    start = FIRST_DAY + timedelta(days=number % 365)
    price = f"E{number % 7}"
    container = {
        "energipris": price, "rabat": 0.95, "afkoeling": "X", "bonus": 500, "aconto": 1_200 + number % 50,
        "areal": 60 + number % 200, "aflaest": number % 1_000,
    }  # fmt: skip
    return [
        NewContract("A1", f"K{number}", start, "STANDARD", container),
        ProductChange("A1", start + timedelta(days=90), "PLUS", {**container, "energipris": "P1"}),
        MoveOut("A1", start + timedelta(days=200), {**container, "energipris": "P1"}),
        ChangeMoveOutDate("A1", start + timedelta(days=216)),
        CancelContractEnd("A1"),
    ]


def measure(installations: int) -> float:
    """Runs all events, one installation after the other, and prints what they took; processes a second."""
    by = rules()
    ids = [f"p{number}" for number in range(5)]
    seconds, processes, rows = 0.0, 0, 0
    for first in range(0, installations, BATCH):
        asked = {str(number): calls(number) for number in range(first, min(first + BATCH, installations))}
        began = time.process_time()
        kept: list[Installation] = []
        with rarely_collected():
            for name, events in asked.items():
                installation = Installation(name)
                for process_id, call in zip(ids, events, strict=True):
                    installation = apply(installation, call, by, process_id).installation
                kept.append(installation)
        seconds += time.process_time() - began
        processes += len(kept) * len(ids)
        rows += sum(1 for installation in kept for _row in installation.rows())
    print(
        f"{processes:,} processes in {seconds:.1f} s of processor: {processes / seconds:,.0f} a second (bar {BAR:,}), "
        f"{rows:,} slices"
    )
    return processes / seconds


def measure_stored(installations: int) -> float:
    """Runs all events through the store and prints what they took; processes a second."""
    by = rules()
    processes, seconds, processor = 0, 0.0, time.process_time()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        engine = cache_engine(None, Path(folder))
        migrate(engine)
        facts = Facts(engine)
        for step in range(5):
            asked = {str(number): [Asked(f"p{step}", calls(number)[step])] for number in range(installations)}
            began = time.perf_counter()
            done = facts.carry_out(asked, by)
            took = time.perf_counter() - began
            print(f"{type(asked['0'][0].call).__name__:20} {took / installations * 1e6:6.1f} us")
            processes, seconds = processes + done.carried_out, seconds + took
        processor = time.process_time() - processor
        engine.dispose()
    print(
        f"{processes:,} processes stored in {seconds:.1f} s: {processes / seconds:,.0f} a second (bar {STORED_BAR:,}), "
        f"{processor:.1f} s of them on our processor"
    )
    return processes / seconds


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--installations", type=int, default=100_000)
    parser.add_argument("--stored", action="store_true", help="Carry them out on an embedded PostgreSQL.")
    given = parser.parse_args()
    (measure_stored if given.stored else measure)(given.installations)

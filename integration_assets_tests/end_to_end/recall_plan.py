"""Claims drawn by a seed, as the debt authority and as the utility has them, and the recalls that are wanted."""

import random
from dataclasses import dataclass, field
from typing import Any

CREDITOR = 1999

Json = dict[str, Any]


@dataclass(frozen=True)
class Planned:
    """An action that is wanted: claim and reason, and whether the authority has a reason of its own to reject it."""

    claim: int
    reason: str
    fits: bool


@dataclass
class Plan:
    """Claims and wanted actions of a seed. `there` are the claims as the authority has them, `here` as the utility."""

    there: list[Json] = field(default_factory=list)
    here: list[Json] = field(default_factory=list)
    first: list[Planned] = field(default_factory=list)
    later: list[Planned] = field(default_factory=list)

    @property
    def families(self) -> dict[int, list[int]]:
        """The claims that go with each claim: a main claim takes its sub-claims along."""
        return {
            claim["id"]: [each["id"] for each in self.there if each["main"] == claim["id"] or each is claim]
            for claim in self.there
        }


def planned(seed: int, actions: int) -> Plan:
    """So many actions: most of main claims, some of sub-claims, of unknown claims, and as wrong after a deferral."""
    draw = random.Random(f"recalls {seed}")
    plan = Plan()
    number = 20_000_000
    while len(plan.first) + len(plan.later) < actions:
        number += 10
        art = "MODR" if draw.random() < 0.15 else "INDR"
        refund, unknown = draw.random() < 0.05, draw.random() < 0.04
        family = [_claim(number, number, art, "FOFAKFY", refund)]
        family += [_claim(number + each, number, art, "CVRYKOP", refund) for each in range(1, draw.choice((1, 2, 3)))]
        # The utility's ledger has not heard of the refund, and has a claim that never arrived.
        plan.here += [{**claim, "state_refund": False} for claim in family]
        plan.there += [] if unknown else family
        target = draw.choice(family)["id"] if draw.random() < 0.3 else number
        reasons = ("FEJL", "SMTI") if art == "MODR" else ("FEJL", "FEJL", "HENS", "KLAG", "BORD", "HAFT")
        reason = draw.choice(reasons)
        fits = not unknown and not (refund and reason not in ("FEJL", "KLAG"))
        plan.first.append(Planned(target, reason, fits))
        deferred = reason not in ("FEJL", "SMTI")
        if deferred and len(plan.first) + len(plan.later) < actions and draw.random() < 0.5:
            plan.later.append(Planned(target, "FEJL", not unknown))
    return plan


def _claim(number: int, main: int, art: str, kind: str, refund: bool) -> Json:
    return {
        "id": number,
        "main": main,
        "art": art,
        "type": kind,
        "creditor": CREDITOR,
        "reference": f"{main // 10}-1",
        "amount": f"{400 + number % 997}.50",
        "received_at": "2025-06-02T08:00:00",
        "debtors": [{"customer": f"{main:010d}", "kind": "PERSON", "limitation": "2028-06-01"}],
        "interest": number + 5 if number == main else None,
        "state_refund": refund,
    }

"""The facts of installations follow the events of their agreements."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from integration_assets.cache.agreement_events import LOCK, OpenEvent
from integration_assets.cache.facts import Asked, Refusal
from integration_assets.cache.locks import advisory_lock
from integration_assets.cache.rejections import FOUND
from integration_assets.cache.store import Cache
from integration_assets.domain.facts.call_rows import call_of
from integration_assets.domain.facts.rules import Rules
from integration_assets.domain.facts.store import Installation

REFUSED = "process_refused"
"""Reason of the rejection of agreements on installations whose events could not be carried out."""


@dataclass(frozen=True)
class Carried:
    """What became of the open events: how many were carried out and by which process, and those that were refused.

    `rejections` has a row (columns of `cache.rejections.FOUND`) for each contract on an installation; `example` is an
    installation whose facts changed, None where none did.
    """

    carried_out: int
    by_kind: Mapping[str, int]
    refused: int
    rejections: pl.DataFrame
    example: str | None


def carry_out_events(cache: Cache, rules: Rules, areas: Sequence[str], as_of: date) -> Carried:
    """Carries out the open events of these areas in the order in which they happened, those refused before included.

    All events of one change of an agreement are carried out, or none. Where one of another agreement is in the way
    that is carried out later, they are tried again after it. Refused ones are tried again by the next run.
    """
    # An event that another run supersedes meanwhile must not be carried out: nobody would know that it was.
    with advisory_lock(cache.engine, LOCK, shared=True):
        events = cache.agreement_events.open(areas)
        refusals = _carried_out(cache, rules, events)
        cache.agreement_events.refuse(refusals)
        cache.agreement_events.settle(areas, as_of)
    sentences = {(one.installation, one.process_id): one.sentence for one in refusals}
    in_vain = [event for event in events if (event.installation, event.process_id) in sentences]
    carried_out = [event for event in events if (event.installation, event.process_id) not in sentences]
    return Carried(
        carried_out=len(carried_out),
        by_kind=Counter(event.call["process"] for event in carried_out),
        refused=len(in_vain),
        rejections=_rejections(in_vain, sentences),
        example=_example(carried_out),
    )


def _carried_out(cache: Cache, rules: Rules, events: Sequence[OpenEvent]) -> list[Refusal]:
    """Carries out the events as long as any of them can be; those that could not be, and why."""
    left, refusals = _by_installation(events), list[Refusal]()
    while left:
        asked = {name: [_asked(event) for event in several] for name, several in left.items()}
        done = cache.facts.carry_out(asked, rules)
        refused = {(refusal.installation, refusal.process_id): refusal for refusal in done.refusals}
        before = {name: len(several) for name, several in left.items()}
        left = {
            name: still
            for name, several in left.items()
            if (still := [event for event in several if (name, event.process_id) in refused])
        }
        stuck = {name for name, several in left.items() if len(several) == before[name]}
        refusals += [refused[name, event.process_id] for name in stuck for event in left[name]]
        left = {name: several for name, several in left.items() if name not in stuck}
    return refusals


def _by_installation(events: Sequence[OpenEvent]) -> dict[str, list[OpenEvent]]:
    found: dict[str, list[OpenEvent]] = {}
    for event in events:
        found.setdefault(event.installation, []).append(event)
    return found


def _asked(event: OpenEvent) -> Asked:
    call = call_of(event.call, Installation(event.installation))
    return Asked(event.process_id, call, f"{event.contract}:{event.revision}")


def _example(events: Sequence[OpenEvent]) -> str | None:
    """The installation with most events, the first of several: it has most to show."""
    numbers = Counter(event.installation for event in events)
    return max(sorted(numbers), key=lambda name: numbers[name], default=None)


def _rejections(events: Sequence[OpenEvent], sentences: Mapping[tuple[str, str], str]) -> pl.DataFrame:
    rows = {
        (event.installation, event.contract): {
            "record_key": f"{event.installation}/{event.contract}",
            "reason": REFUSED,
            "text": sentences[event.installation, event.process_id],
            "customer_number": event.customer_number,
            "supply_area": event.supply_area,
        }
        for event in reversed(events)
    }
    return pl.DataFrame(list(rows.values()), schema=FOUND)

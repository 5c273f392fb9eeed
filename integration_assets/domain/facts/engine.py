"""The facts engine: an installation and a call in, an installation and its journal entry out."""

from typing import NamedTuple

from integration_assets.domain.facts.calls import Call
from integration_assets.domain.facts.invariants import billed_day_lost, check
from integration_assets.domain.facts.processes import PROCESSES
from integration_assets.domain.facts.rules import Rules
from integration_assets.domain.facts.run import Run
from integration_assets.domain.facts.store import Entry, Installation


class Outcome(NamedTuple):
    """An installation after a process, what the journal keeps of it, and whether it had been carried out before."""

    installation: Installation
    entry: Entry
    repeated: bool = False


def apply(installation: Installation, call: Call, rules: Rules, process_id: str) -> Outcome:
    """The outcome of the call. A process id that the journal knows changes nothing.

    Raises Refused where a condition of the process is not met, or the id was used for another call, and
    InvariantBroken where the result would be wrong; the given installation is never changed.
    """
    for entry in installation.journal:
        if entry.process_id == process_id:
            if entry.call != call:
                Run(installation, call, rules, process_id).refuse(f"process {process_id} was another call")
            return Outcome(installation, entry, repeated=True)
    run = Run(installation, call, rules, process_id)
    PROCESSES[type(call)](run, call)
    lines, changed = installation.lines, run.changed
    check(lines, changed, run.contracts.get(call.contract or ""), rules.operands)
    lost = billed_day_lost(installation.billed, lines, changed)
    if lost is not None:
        run.refuse(f"operand {lost[0]} is billed until {lost[1]}")
    entry = Entry(
        process_id,
        call,
        run.full_generation,
        run.reason,
        tuple(run.log),
        tuple(run.followed),
        tuple(run.follow_ups),
        lines,
        changed,
    )
    journal = (*installation.journal, entry)
    after = Installation(
        installation.id, {**lines, **changed} if changed else lines, run.contracts, journal, installation.billed
    )
    return Outcome(after, entry)

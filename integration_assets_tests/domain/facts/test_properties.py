"""Properties of the processes on facts that random sequences have made."""

from datetime import date
from itertools import pairwise
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from integration_assets.domain.facts.call_rows import call_of
from integration_assets.domain.facts.calls import (
    CancelContractEnd,
    MoveOut,
    NewContract,
    ProductChange,
    ProductChangeCancel,
    Rgen,
)
from integration_assets.domain.facts.days import INFINITY, day_after
from integration_assets.domain.facts.engine import apply
from integration_assets.domain.facts.exchange import installation_of
from integration_assets.domain.facts.operands import Relation
from integration_assets.domain.facts.replay import rules_of
from integration_assets.domain.facts.run import Refused
from integration_assets.domain.facts.store import Contract, ContractStatus, Installation
from integration_assets_tests.domain.facts.day_model import FIRST, month_later, text
from integration_assets_tests.domain.facts.sequences import BEFORE, FULL, case, seeds, sequence

RULES = rules_of(case([]))
few = settings(max_examples=40, deadline=None)
later = st.integers(0, 120)


def played(seed: int) -> Installation:
    """The installation after a sequence; refused calls left out."""
    installation = installation_of("1", BEFORE, [], RULES.operands)
    for step, row in enumerate(sequence(seed)):
        try:
            installation = apply(installation, call_of(row, installation), RULES, f"s{step}").installation
        except Refused:
            continue
    return installation


def open_contract(installation: Installation) -> Contract:
    """The contract that has no end; sequences without one are left out."""
    found = [
        one for one in installation.contracts.values() if one.status is ContractStatus.ACTIVE and one.end == INFINITY
    ]
    assume(len(found) == 1)
    return found[0]


def effective(installation: Installation, relation: Relation | None = None) -> dict[str, Any]:
    return {
        name: installation.effective(name)
        for name, operand in RULES.operands.items()
        if relation in (None, operand.relation)
    }


def day(offset: int) -> date:
    return date.fromisoformat(text(offset))


@few
@given(seeds, later)
def test_a_move_out_and_its_cancellation_leave_contract_related_facts_as_they_were(seed: int, offset: int) -> None:
    """Where the template writes over a contract-related operand afterwards, it writes the value of the last day."""
    before = played(seed)
    contract = open_contract(before)
    out = max(contract.start, day(offset))
    gone = apply(before, MoveOut(contract.id, out), RULES, "out").installation
    back = apply(gone, CancelContractEnd(contract.id), RULES, "back").installation
    was, now = effective(before, Relation.CONTRACT), effective(back, Relation.CONTRACT)
    assert was["ACONTO"] == now["ACONTO"]
    assert was["BONUS"].clipped(None, day_after(out)) == now["BONUS"].clipped(None, day_after(out))
    kept = not any(row.inactive for row in back.rows() if row.fact.provenance.contract == contract.id)
    assert kept


old_products = st.sampled_from(["VARME_STD", "VARME_PLUS"])


@few
@given(later, later, later, old_products, old_products, st.sampled_from(["VARME_STD", "VARME_PLUS", "VARME_VIRT"]))
def test_cancelling_a_product_change_restores_the_effective_timeline(
    start: int, first: int, then: int, product: str, second: str, third: str
) -> None:
    """After an earlier product change too. The day after a discount ended is left out: its virtual end then lies
    outside the generation period, and the rule gives it the whole period."""
    change = day(start + first + then + 2)
    assume(change != date.fromisoformat(text(month_later(start, 2))))
    installation = installation_of("1", BEFORE, [], RULES.operands)
    for step, call in enumerate(
        (
            NewContract("A1", "K1", day(start), product, dict(FULL)),
            ProductChange("A1", day(start + first + 1), second, {**FULL, "energipris": "E2"}),
        )
    ):
        installation = apply(installation, call, RULES, f"s{step}").installation
    other = {"energipris": "E3", "flex": "", "rabat": 0.5}
    changed = apply(installation, ProductChange("A1", change, third, other), RULES, "change").installation
    assert effective(changed) != effective(installation)
    back = apply(changed, ProductChangeCancel("A1", change), RULES, "cancel").installation
    assert effective(back) == effective(installation)
    assert back.contracts == installation.contracts


@few
@given(seeds, later, later)
def test_regeneration_leaves_what_lies_outside_its_period_untouched(seed: int, offset: int, longer: int) -> None:
    before = played(seed)
    contract = open_contract(before)
    out = max(contract.start, day(offset))
    gone = apply(before, MoveOut(contract.id, out), RULES, "out").installation
    new_end = date.fromordinal(out.toordinal() + longer + 1)
    back = apply(gone, Rgen(contract.id, new_end=new_end), RULES, "longer").installation
    for name in RULES.operands:
        was, now = gone.effective(name), back.effective(name)
        assert was.without(day_after(out), day_after(new_end)) == now.without(day_after(out), day_after(new_end)), name


@few
@given(seeds)
def test_a_call_repeated_under_another_id_changes_no_effective_timeline(seed: int) -> None:
    """Where it is not refused the second time (a contract made, a product change cancelled, an end cancelled twice)."""
    installation = installation_of("1", BEFORE, [], RULES.operands)
    for step, row in enumerate(sequence(seed)):
        call = call_of(row, installation)
        try:
            once = apply(installation, call, RULES, f"s{step}").installation
        except Refused:
            continue
        assert apply(once, call, RULES, f"s{step}").repeated
        try:
            twice = apply(once, call, RULES, f"again{step}").installation
        except Refused:
            twice = once
        assert effective(twice) == effective(once), row
        assert twice.contracts == once.contracts
        installation = once


@few
@given(seeds)
def test_what_must_hold_after_every_process(seed: int) -> None:
    """Read off the rows alone: days in order, no two at once, inactive ones of contract-related operands only, none
    of a product beyond its contract, every one with its process unless it was there before."""
    installation = played(seed)
    rows = list(installation.rows())
    for row in rows:
        assert row.valid_from <= row.valid_to
        relation = RULES.operands[row.operand].relation
        assert not row.inactive or relation is Relation.CONTRACT
        contract = installation.contracts.get(row.fact.provenance.contract or "")
        if relation is Relation.PRODUCT:
            assert contract is not None
            assert row.fact.provenance.process
            if contract.status is ContractStatus.ACTIVE and not row.inactive:
                assert row.valid_to <= contract.end
    for operand in RULES.operands:
        active = [row for row in rows if row.operand == operand and not row.inactive]
        assert all(one.valid_to < other.valid_from for one, other in pairwise(active))
    assert min((row.valid_from for row in rows), default=FIRST) >= FIRST

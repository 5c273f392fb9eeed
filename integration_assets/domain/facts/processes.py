"""The processes: what each call does to an installation, in the order in which the description tells it.

Contract-related facts are put right first, the master data template comes last and may overwrite them.
"""

from collections.abc import Callable
from datetime import date
from typing import Any, Final

from integration_assets.domain.facts.calls import (
    CancelContractEnd,
    CancelContractStart,
    ChangeMoveInDate,
    ChangeMoveOutDate,
    Container,
    ContractChange,
    Maintain,
    MoveOut,
    NewContract,
    ProductChange,
    ProductChangeCancel,
    Rgen,
)
from integration_assets.domain.facts.days import INFINITY, day_after, day_before, moment_after
from integration_assets.domain.facts.ends import end_facts, end_product_facts, take_end_back
from integration_assets.domain.facts.generation import database_container, determine_full_generation, generate
from integration_assets.domain.facts.operands import MoveRule, Relation
from integration_assets.domain.facts.rules import MoveOutGeneration
from integration_assets.domain.facts.run import MOVE_IN_DATE_CHANGED, MOVE_OUT_DATE_CHANGED, Run
from integration_assets.domain.facts.slices import deactivated, limited, on_own, reactivated, without
from integration_assets.domain.facts.store import Binding, Contract, ContractStatus, Fact, Line, Provenance, first_day
from integration_assets.domain.facts.values import FITS


def new_contract(run: Run, call: NewContract) -> None:
    """New contract, move-in: the template is always run, from the start to the contract's end."""
    if call.contract in run.contracts:
        run.refuse("the installation has a contract of that number already")
    if call.end < call.start:
        run.refuse(f"it would end on {call.end}, before it begins on {call.start}")
    contract = Contract(call.contract, call.partner, call.start, call.end, ((call.start, call.product),))
    container = run.filled(contract, call.start, call.container)
    run.require_free(contract.id, call.start, call.end)
    _meet_earlier_contracts(run, contract)
    run.set_contract(contract)
    generate(run, contract, call.product, container, call.start, call.end)


def move_out(run: Run, call: MoveOut) -> None:
    """Contract end, move-out: facts are cut; the template is run only where full generation is found necessary."""
    _move_out(run, run.contract(call.contract), call.day, call.container, prices=call.prices)


def product_change(run: Run, call: ProductChange) -> None:
    """Product change: facts of the old product end the day before, the new template is run to the contract's end."""
    contract = run.contract(call.contract)
    _require_within(run, contract, call.day)
    container = run.filled(contract, call.day, call.container)
    end_product_facts(run, contract.id, call.day)
    earlier = tuple(entry for entry in contract.products if entry[0] < call.day)
    contract = contract._replace(products=(*earlier, (call.day, call.product)))
    run.set_contract(contract)
    skip = run.rules.readings.product_change_skips_contract_related
    generate(run, contract, call.product, container, call.day, contract.end, product_related_only=skip)


def product_change_cancel(run: Run, call: ProductChangeCancel) -> None:
    """The product change never was: what it generated is deleted, the old product's template is run from that day."""
    contract = run.contract(call.contract)
    if call.day <= contract.start or all(day != call.day for day, _product in contract.products):
        run.refuse(f"the product was not changed on {call.day}")
    _require_within(run, contract, call.day)
    before = day_before(call.day)
    earlier = tuple(entry for entry in contract.products if entry[0] < call.day)
    if not earlier:
        run.refuse(f"no product was valid before {call.day}")
    product = earlier[-1][1]
    values = database_container(run, product, before) if call.container is None else call.container
    container = run.filled(contract, call.day, values)
    _delete_product_facts_from(run, contract.id, call.day)
    contract = contract._replace(products=earlier)
    run.set_contract(contract)
    skip = run.rules.readings.product_change_skips_contract_related
    generate(run, contract, product, container, call.day, contract.end, product_related_only=skip)


def cancel_contract_start(run: Run, call: CancelContractStart) -> None:
    """The contract never began: what hangs on its parameters is deleted, constants stay.

    What hangs on the contract is deleted too, or made inactive where the same partner had the installation before.
    """
    contract = run.contract(call.contract)
    dropped = {Binding.PARAMETER}
    if not run.rules.readings.cancelled_start_keeps_virtual:
        dropped.add(Binding.VIRTUAL)
    had_it_before = any(
        other.partner == contract.partner and other.start < contract.start and other.status is ContractStatus.ACTIVE
        for other in run.contracts.values()
    )

    def of_contract(fact: Fact) -> bool:
        return fact.provenance.contract == contract.id

    def of_parameter(fact: Fact) -> bool:
        return fact.provenance.contract == contract.id and fact.provenance.binding in dropped

    for key, operand, line in run.lines():
        if operand.relation is not Relation.CONTRACT:
            after = without(line, of_parameter)
        elif had_it_before:
            after = deactivated(line, contract.id, run.process_id)
        else:
            after = without(line, of_contract)
        if after is not line:
            run.changed[key] = after
    run.set_contract(contract._replace(status=ContractStatus.CANCELLED))


def rgen(run: Run, call: Rgen) -> None:
    """Regeneration, wherever it was started: the move-out later or gone, or the move-in earlier."""
    contract = run.contract(call.contract)
    if (call.new_end is None) == (call.new_start is None):
        run.refuse("regeneration wants either a new end or a new start")
    if call.new_end is not None:
        _regenerate_end(run, contract, call.new_end)
    elif call.new_start is not None:
        _regenerate_start(run, contract, call.new_start)


def change_move_in_date(run: Run, call: ChangeMoveInDate) -> None:
    """Another first day: earlier, the days gained are generated; later, only the contract's date changes."""
    contract = run.contract(call.contract)
    if call.day < contract.start:
        _regenerate_start(run, contract, call.day)
    elif call.day > contract.start:
        _require_within(run, contract, call.day)
        moved = contract.started(call.day)
        run.set_contract(moved)
        run.follow(MOVE_IN_DATE_CHANGED, moved, contract.start, call.day)


def change_move_out_date(run: Run, call: ChangeMoveOutDate) -> None:
    """Another last day: later, the days gained are generated; earlier, facts are cut there."""
    contract = run.contract(call.contract)
    if call.day > contract.end:
        _regenerate_end(run, contract, call.day)
    elif call.day < contract.end:
        moved = _move_out(run, contract, call.day, call.container, prices=call.prices)
        run.follow(MOVE_OUT_DATE_CHANGED, moved, contract.end, call.day)


def cancel_contract_end(run: Run, call: CancelContractEnd) -> None:
    """The move-out never was: a change of its date to the end of time."""
    contract = run.contract(call.contract)
    if contract.end == INFINITY:
        run.refuse("the contract has no end that could be cancelled")
    _regenerate_end(run, contract, INFINITY)


def contract_change(run: Run, call: ContractChange) -> None:
    """Corrected values from the (new) start on; what was generated before it, or is in no template now, stays."""
    contract = run.contract(call.contract)
    start = contract.start if call.new_start is None else call.new_start
    if start > contract.end:
        run.refuse(f"it would begin on {start}, after its end on {contract.end}")
    moved = start != contract.start
    changed = contract.started(start) if moved else contract
    product = changed.product_on(start)[1]
    container = run.filled(changed, start, call.container)
    if start < contract.start:
        run.require_free(contract.id, start, day_before(contract.start))
    needed = determine_full_generation(run, product, container, start, prices=call.prices, moved=moved)
    run.set_contract(changed)
    if needed:
        fill_only = not run.rules.readings.contract_change_overwrites
        generate(run, changed, product, container, start, changed.end, fill_only=fill_only)


def maintain(run: Run, call: Maintain) -> None:
    """A value maintained by hand; operands that hang on a product are maintained by templates only."""
    operand = run.rules.operands.get(call.operand)
    if operand is None:
        run.refuse(f"there is no operand {call.operand}")
    if operand.relation is Relation.PRODUCT:
        run.refuse(f"operand {call.operand} is maintained by the template of the product only")
    if call.end < call.start:
        run.refuse(f"the value would end on {call.end}, before it begins on {call.start}")
    if call.contract is not None:
        run.contract(call.contract)
    key = (call.operand, call.season)
    line, end = run.line(key), moment_after(call.end)
    if call.value is None:
        run.changed[key] = Line(line.active.without(call.start, end), line.inactive)
        return
    if not FITS[operand.value_class](call.value):
        run.refuse(f"{call.value!r} is no {operand.value_class} as operand {operand.name} ({operand.category}) needs")
    fact = Fact(call.value, Provenance(Binding.MANUAL, call.contract, None, run.process_id))
    run.changed[key] = Line(line.active.written(call.start, end, fact), line.inactive)


def _move_out(run: Run, contract: Contract, last: date, sent: Container | None, *, prices: bool) -> Contract:
    """Ends the contract on a day, earlier or later than it may have ended before."""
    if last < contract.start:
        run.refuse(f"it would end on {last}, before it begins on {contract.start}")
    if last > contract.end:
        run.require_free(contract.id, day_after(contract.end), last)
    ended = contract._replace(end=last)
    product_from, product = contract.product_on(last)
    container = run.filled(ended, last, sent)
    needed = determine_full_generation(run, product, container, last, prices=prices)
    run.set_contract(ended)
    end_facts(run, contract.id, last, was_ended=contract.end != INFINITY)
    if needed:
        whole = run.rules.readings.move_out_generation is MoveOutGeneration.WHOLE_CONTRACT
        first = contract.start if whole else max(contract.start, product_from)
        generate(run, ended, product, container, first, last)
    return ended


def _regenerate_end(run: Run, contract: Contract, last: date) -> None:
    """The contract ends later, or not at all: the days gained are generated from the values on its former last day."""
    if last <= contract.end:
        run.refuse(f"the new end {last} is not after the end {contract.end}")
    first = day_after(contract.end)
    run.require_free(contract.id, first, last)
    product = contract.product_on(contract.end)[1]
    extended = contract._replace(end=last)
    values = database_container(run, product, contract.end)
    container = run.filled(extended, contract.end, values, rgen=True)
    run.reason = f"regenerated from the values on {contract.end}"
    run.set_contract(extended)
    take_end_back(run, contract.id, last)
    generate(run, extended, product, container, first, last)
    run.follow(MOVE_OUT_DATE_CHANGED, extended, contract.end, last)


def _regenerate_start(run: Run, contract: Contract, start: date) -> None:
    """The contract begins earlier: the days gained are generated from the values on its former first day."""
    if start >= contract.start:
        run.refuse(f"the new start {start} is not before the start {contract.start}")
    last = day_before(contract.start)
    run.require_free(contract.id, start, last)
    product = contract.product_on(contract.start)[1]
    extended = contract.started(start)
    values = database_container(run, product, contract.start)
    container = run.filled(extended, contract.start, values, rgen=True)
    run.reason = f"regenerated from the values on {contract.start}"
    run.set_contract(extended)
    generate(run, extended, product, container, start, last)
    run.follow(MOVE_IN_DATE_CHANGED, extended, contract.start, start)


def _meet_earlier_contracts(run: Run, contract: Contract) -> None:
    """The same partner gets back what hung on her earlier contracts; another one ends what was only theirs.

    What contracts that begin later wrote stays: one that has ended already may be told after them.
    """
    if not run.contracts:
        return
    earlier = frozenset(other.id for other in run.contracts.values() if other.partner == contract.partner)
    before = [
        other
        for other in run.contracts.values()
        if other.start < contract.start and other.status is ContractStatus.ACTIVE
    ]
    is_other = bool(before) and max(before, key=lambda other: other.start).partner != contract.partner
    later = frozenset(other.id for other in run.contracts.values() if contract.start < other.start)

    def limit(line: Line) -> Line:
        return limited(line, contract.start)

    for key, operand, line in run.lines():
        after = line
        if operand.relation is Relation.CONTRACT and line.inactive:
            after = reactivated(line, earlier, contract, run.process_id)
        elif operand.relation is Relation.NONE and operand.move_rule is MoveRule.STAYS_WITH_CUSTOMER and is_other:
            after = on_own(line, later, limit)
        if after is not line:
            run.changed[key] = after


def _delete_product_facts_from(run: Run, contract_id: str, day: date) -> None:
    """Slices of the contract that are related to its product and begin on a day or later are deleted."""
    others = run.others(contract_id)
    for key, operand, line in run.lines():
        if operand.relation is not Relation.PRODUCT:
            continue
        active = line.active
        for piece in line.active:
            if piece.value.provenance.contract not in others and day <= first_day(piece):
                active = active.without(piece.start, piece.end)
        if active is not line.active:
            run.changed[key] = Line(active, line.inactive)


def _require_within(run: Run, contract: Contract, day: date) -> None:
    """The day lies between the contract's start and end."""
    if not contract.start <= day <= contract.end:
        run.refuse(f"{day} is not between its start {contract.start} and its end {contract.end}")


PROCESSES: Final[dict[type, Callable[[Run, Any], None]]] = {
    NewContract: new_contract,
    MoveOut: move_out,
    ProductChange: product_change,
    ProductChangeCancel: product_change_cancel,
    CancelContractStart: cancel_contract_start,
    Rgen: rgen,
    ChangeMoveInDate: change_move_in_date,
    ChangeMoveOutDate: change_move_out_date,
    CancelContractEnd: cancel_contract_end,
    ContractChange: contract_change,
    Maintain: maintain,
}
"""The process behind each kind of call."""

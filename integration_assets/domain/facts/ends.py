"""What the end of a contract does to its facts, and what happens when it is taken back."""

from datetime import date

from integration_assets.domain.facts.days import moment_after
from integration_assets.domain.facts.operands import MoveRule, Relation
from integration_assets.domain.facts.run import Run
from integration_assets.domain.facts.slices import cut, limited, on_own, restored
from integration_assets.domain.facts.store import Line


def end_facts(run: Run, contract_id: str, last: date, *, was_ended: bool) -> None:
    """Facts of the contract end on a day.

    Those related to the product end and later ones are deleted; those related to the contract are cut, the rest
    remembered as inactive, after what an earlier move-out made inactive (`was_ended`) has been restored; others go by
    their operand's UMZUGKZ.
    """
    end, others, process = moment_after(last), run.others(contract_id), run.process_id
    if end is None:
        if was_ended:
            take_end_back(run, contract_id, last)
        return

    def limit(line: Line) -> Line:
        return limited(line, end)

    def recut(line: Line) -> Line:
        return cut(restored(line, contract_id) if was_ended else line, contract_id, end, process)

    for key, operand, line in run.lines():
        relation = operand.relation
        if relation is Relation.CONTRACT:
            change = recut
        elif relation is Relation.PRODUCT or operand.move_rule is MoveRule.ENDS:
            change = limit
        else:
            continue
        after = on_own(line, others, change) if others else change(line)
        if after is not line:
            run.changed[key] = after


def end_product_facts(run: Run, contract_id: str, day: date) -> None:
    """Facts of the contract that are related to its product end the day before; later ones are deleted."""
    others = run.others(contract_id)

    def limit(line: Line) -> Line:
        return limited(line, day)

    for key, operand, line in run.lines():
        if operand.relation is Relation.PRODUCT:
            after = on_own(line, others, limit) if others else limited(line, day)
            if after is not line:
                run.changed[key] = after


def take_end_back(run: Run, contract_id: str, last: date) -> None:
    """Facts related to the contract are restored, and cut again where it has a new last day."""
    end, others = moment_after(last), run.others(contract_id)

    def put_right(line: Line) -> Line:
        line = restored(line, contract_id)
        return line if end is None else cut(line, contract_id, end, run.process_id)

    for key, operand, line in run.lines():
        if operand.relation is Relation.CONTRACT:
            after = on_own(line, others, put_right) if others else put_right(line)
            if after is not line:
                run.changed[key] = after

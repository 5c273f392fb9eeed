"""What the end of a contract does to its facts, and what happens when it is taken back."""

from datetime import date

from integration_assets.domain.facts.days import INFINITY
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
    process = run.process_id

    def limit(line: Line) -> Line:
        return limited(line, last)

    def recut(line: Line) -> Line:
        return cut(restored(line, contract_id) if was_ended else line, contract_id, last, process)

    for key, operand, line in run.lines():
        relation = operand.relation
        if relation is Relation.CONTRACT:
            after = on_own(line, contract_id, recut)
        elif relation is Relation.PRODUCT or operand.move_rule is MoveRule.ENDS:
            after = on_own(line, contract_id, limit)
        else:
            continue
        if after is not line:
            run.put(key, after)


def limit_product_facts(run: Run, contract_id: str, last: date) -> None:
    """Facts of the contract that are related to its product end on a day; later ones are deleted."""

    def limit(line: Line) -> Line:
        return limited(line, last)

    for key, operand, line in run.lines():
        if operand.relation is Relation.PRODUCT:
            after = on_own(line, contract_id, limit)
            if after is not line:
                run.put(key, after)


def take_end_back(run: Run, contract_id: str, last: date) -> None:
    """Facts related to the contract are restored, and cut again where it has a new last day."""

    def put_right(line: Line) -> Line:
        line = restored(line, contract_id)
        return line if last == INFINITY else cut(line, contract_id, last, run.process_id)

    for key, operand, line in run.lines():
        if operand.relation is Relation.CONTRACT:
            after = on_own(line, contract_id, put_right)
            if after is not line:
                run.put(key, after)

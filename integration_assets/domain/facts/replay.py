"""What-if: calls applied to facts that are told in the exchange format, the result in the same format."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from integration_assets.domain.facts.call_rows import call_of, process_number
from integration_assets.domain.facts.engine import apply
from integration_assets.domain.facts.exchange import contract_rows, installation_of, slice_rows
from integration_assets.domain.facts.invariants import InvariantBroken
from integration_assets.domain.facts.operands import BadConfiguration, operands_of
from integration_assets.domain.facts.reading import BadExchange, Row
from integration_assets.domain.facts.rules import MoveOutGeneration, Readings, Rules, VirtualDatePolicy
from integration_assets.domain.facts.run import Refused
from integration_assets.domain.facts.store import Installation
from integration_assets.domain.facts.templates import Template, template_versions

_FIRST_FREE: Final = 10
_SHARED: Final = ("operands", "mdts", "settings")


def replay(given: object) -> dict[str, Any]:
    """The result of a case, or of all cases of ``{"cases": [case, …]}`` as ``{"cases": [result, …]}``.

    A result has after, contract_after, hooks, log and results: one entry per call, {} or {"refused": sentence}. A
    refused call changes nothing, and the next one follows. Where the facts or operands themselves cannot be used, every
    call is refused and what was told stands as it was. Cases share the operands, mdts and settings beside them where
    they have none of their own; ``vectors`` is another name of ``cases``. Raises BadExchange for no case at all.
    """
    told = _object(given, "What is to be replayed")
    cases = told.get("cases", told.get("vectors"))
    if cases is None:
        return replay_case(told)
    shared = {name: told[name] for name in _SHARED if name in told}
    return {"cases": [replay_case({**shared, **_object(case, "A case")}) for case in _list(cases, "cases")]}


def replay_case(case: Row) -> dict[str, Any]:
    """The result of one case; see `replay`."""
    calls = _calls(case)
    before = [_object(row, "A slice") for row in _list(case.get("before", []), "before")]
    contracts = [_object(row, "A contract") for row in _list(case.get("contract_before", []), "contract_before")]
    try:
        rules = rules_of(case)
        installation = installation_of(str(case.get("installation", "1")), before, contracts, rules.operands)
    except (BadConfiguration, BadExchange) as error:
        refused = {"refused": f"{error} Nothing was changed."}
        return {
            "after": before,
            "contract_after": contracts,
            "hooks": [],
            "log": [],
            "results": [dict(refused) for _call in calls],
        }
    return _replayed(installation, calls, rules)


def rules_of(case: Row) -> Rules:
    """Operands, templates and readings of a case.

    A template that cannot be used hinders only the processes of its product. Raises BadConfiguration for operands or
    settings that cannot be used.
    """
    operands = operands_of([_object(row, "An operand") for row in _list(case.get("operands", []), "operands")])
    templates: dict[str, Sequence[Template]] = {}
    unusable: dict[str, str] = {}
    for product, told in _object(case.get("mdts", {}), "mdts").items():
        try:
            templates[product] = template_versions(product, told, operands)
        except BadConfiguration as error:
            unusable[product] = str(error)
    return Rules(operands, templates, readings_of(_object(case.get("settings", {}), "settings")), unusable=unusable)


def readings_of(told: Row) -> Readings:
    """The readings with these changed. Raises BadConfiguration for unknown ones."""
    if unknown := sorted(set(told) - set(Readings._fields)):
        raise BadConfiguration(f"There is no setting {', '.join(unknown)}; there are {', '.join(Readings._fields)}.")
    changed = dict(told)
    try:
        if "virtual_dates" in told:
            changed["virtual_dates"] = VirtualDatePolicy(told["virtual_dates"])
        if "move_out_generation" in told:
            changed["move_out_generation"] = MoveOutGeneration(told["move_out_generation"])
    except ValueError as error:
        raise BadConfiguration(f"A setting cannot be used: {error}.") from None
    return Readings()._replace(**changed)


def _replayed(installation: Installation, calls: Sequence[Row], rules: Rules) -> dict[str, Any]:
    results: list[dict[str, str]] = []
    hooks: list[list[str]] = []
    log: list[str] = []
    taken = {row.fact.provenance.process for row in installation.rows()}
    for told in calls:
        try:
            call = call_of(told, installation)
            chosen = told.get("process_id")
            process_id = _free(process_number(call, installation), taken) if chosen is None else str(chosen)
            outcome = apply(installation, call, _with_policy(rules, told), process_id)
        except (Refused, InvariantBroken, BadConfiguration, BadExchange) as error:
            results.append({"refused": str(error)})
            continue
        results.append({})
        if outcome.repeated:
            continue
        taken.add(process_id)
        installation = outcome.installation
        log += outcome.entry.log
        hooks += [[one.point, one.contract, one.old.isoformat(), one.new.isoformat()] for one in outcome.entry.followed]
    return {
        "after": slice_rows(installation),
        "contract_after": contract_rows(installation),
        "hooks": hooks,
        "log": log,
        "results": results,
    }


def _with_policy(rules: Rules, call: Row) -> Rules:
    policy = call.get("virtual_policy")
    if policy is None:
        return rules
    changed = readings_of({"virtual_dates": policy}).virtual_dates
    return rules._replace(readings=rules.readings._replace(virtual_dates=changed))


def _free(number: int, taken: set[str | None]) -> str:
    """The process id of a number, or the next one from 10 on that no process has."""
    process_id = f"p{number}"
    following = _FIRST_FREE
    while process_id in taken:
        process_id = f"p{following}"
        following += 1
    return process_id


def _calls(case: Row) -> list[Row]:
    if "calls" in case:
        return [_object(call, "A call") for call in _list(case["calls"], "calls")]
    if "call" in case:
        return [_object(case["call"], "call")]
    raise BadExchange("A case has neither call nor calls.")


def _list(told: object, what: str) -> list[Any]:
    if not isinstance(told, list):
        raise BadExchange(f"{what} is no list.")
    return cast("list[Any]", told)


def _object(told: object, what: str) -> Row:
    if not isinstance(told, Mapping):
        raise BadExchange(f"{what} is no object.")
    return cast("Row", told)

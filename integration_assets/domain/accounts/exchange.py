"""What-if for installation accounts: decisions and marks of cases told as JSON, the answer in the same shape.

A case of decision has ``event`` and ``accounts``, one of marking ``account``, ``linked_changed_at``, ``rows`` and
``today``. Days and moments are ISO texts.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, cast

from integration_assets.domain.accounts.decision import Account, Decision, LinkedContract, Order, Outcome, decide
from integration_assets.domain.accounts.market_locations import Scheme, scheme_of
from integration_assets.domain.accounts.marking import Calculated, reasons_to_mark

Told = Mapping[str, Any]


class BadCase(ValueError):
    """A case cannot be read; the text says which and why."""


def answer(told: object) -> object:
    """The answer to a case, a list of cases, ``{"cases": [case, …]}``, or a file of malo, gsrn_ok, decision and mark.

    A decision is answered in the order that the case names (``order``, by default purpose), and to the letter of the
    document: ``decision`` and ``decision_document_order``, each [outcome, account], where the second is the list of
    what is missing for PENDING, and account and superseded one for REASSIGNED_AND_SUPERSEDED. Raises BadCase.
    """
    return _answers(cast("object", told)) if isinstance(told, list) else _answer(_object(told, "A case"))


def _answers(told: object) -> list[object]:
    if not isinstance(told, list):
        raise BadCase("Cases are told as a list.")
    return [_answer(_object(case, "A case")) for case in cast("list[object]", told)]


def _answer(case: Told) -> dict[str, object]:
    if "event" in case:
        return _decided(case)
    if "rows" in case:
        return _marked(case)
    answered: dict[str, object] = {name: _answers(case[name]) for name in ("cases", "decision", "mark") if name in case}
    if "malo" in case:
        answered["malo"] = [[number, scheme_of(number) is Scheme.MALO] for number, _valid in case["malo"]]
    if "gsrn_ok" in case:
        answered["gsrn_ok"] = scheme_of(case["gsrn_ok"]) is Scheme.GSRN
    if not answered:
        raise BadCase("A case has an event with accounts, or rows with an account and today.")
    return answered


def _decided(case: Told) -> dict[str, object]:
    event = _linked(_object(case["event"], "event"))
    accounts = [_account(_object(row, "An account")) for row in cast("list[object]", case.get("accounts") or [])]
    try:
        decision = decide(event, accounts, Order(case.get("order", Order.PURPOSE)))
    except ValueError as error:
        raise BadCase(f"A case has an unknown order ({error}).") from None
    return {
        **_name(case),
        "decision": _pair(decision),
        "decision_document_order": _pair(decide(event, accounts, Order.DOCUMENT)),
        "issues": list(decision.issues),
    }


def _linked(event: Told) -> LinkedContract:
    if unknown := sorted(set(event) - set(_EVENT)):
        raise BadCase(f"An event has no {', '.join(unknown)}.")
    return LinkedContract(*(None if event.get(name) is None else str(event[name]) for name in _EVENT))


_EVENT = (
    "installation_no", "contract_account", "business_partner", "installation", "connection_object", "malo",
    "billing_contract",
)  # fmt: skip


def _account(row: Told) -> Account:
    if not row.get("id") or not row.get("bp"):
        raise BadCase("An account has id and bp.")
    return Account(row["id"], row["bp"], row.get("inst"), row.get("malo"), row.get("superseded_by"))


def _pair(decision: Decision) -> list[object]:
    if decision.outcome is Outcome.PENDING:
        return [decision.outcome.value, list(decision.missing)]
    if decision.superseded is not None:
        return [decision.outcome.value, [decision.account, decision.superseded]]
    return [decision.outcome.value, decision.account]


def _marked(case: Told) -> dict[str, object]:
    try:
        account = case["account"]
        on, at = account["last_calculated_on"], account["last_calculated_at"]
        calculated = Calculated(
            None if on is None else date.fromisoformat(on), None if at is None else datetime.fromisoformat(at)
        )
        moments = cast("list[str]", case.get("linked_changed_at") or [])
        changed_at = [datetime.fromisoformat(moment) for moment in moments]
        rows = [(date.fromisoformat(first), date.fromisoformat(last)) for first, last in case["rows"]]
        reasons = reasons_to_mark(calculated, changed_at, rows, date.fromisoformat(case["today"]))
    except (KeyError, TypeError, ValueError) as error:
        raise BadCase(f"A case of marking cannot be read ({error}).") from None
    return {**_name(case), "mark": [reason.value for reason in reasons]}


def _object(told: object, what: str) -> Told:
    if not isinstance(told, Mapping):
        raise BadCase(f"{what} is no object.")
    return cast("Told", told)


def _name(case: Told) -> dict[str, object]:
    return {"name": case["name"]} if "name" in case else {}

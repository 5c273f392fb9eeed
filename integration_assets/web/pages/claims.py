"""Recalls of claims: what is proposed and why, and the decisions of people without which nothing is sent."""

import re
from typing import Any, Final

import polars as pl
from starlette.responses import Response

from integration_assets.cache.recalls import Decided, Decision, Recalls
from integration_assets.domain.claims.reasons import REASONS
from integration_assets.domain.claims.states import CLOSED, State
from integration_assets.web.forms import remark
from integration_assets.web.visits import Visit

MOST_SHOWN: Final = 100
_PICK: Final = "pick-"
_PICK_FIELD: Final = re.compile(f"{_PICK}([0-9]{{1,18}})")
_DECISIONS: Final = {each.value: each for each in Decision if each is not Decision.ASK_AGAIN}
_NEXT: Final = {
    State.PROPOSED: (Decision.APPROVE, Decision.REJECT, Decision.HOLD),
    State.APPROVED: (Decision.REJECT, Decision.HOLD),
    State.HOLD: (Decision.RELEASE, Decision.REJECT),
    State.MANUAL: (Decision.RELEASE, Decision.REJECT),
    State.CHANNEL_STOPPED: (Decision.RELEASE, Decision.REJECT),
}
"""What people may decide in a state; in the others the authority has the word."""


def claims(visit: Visit) -> Response:
    """The recalls of a state (`?state=`, else those that wait for approval) with the decisions that it allows: what has
    waited longest first, and of what is done the latest."""
    return _listed(visit, _state(visit.query.get("state")))


def decide(visit: Visit) -> Response:
    """Records the decision about the recalls that were ticked. What nothing brings back is asked for once more."""
    if not visit.site.settings.claims_enabled:
        return visit.message(404, "no_page")
    state = _state(visit.form.get("state"))
    decision = _DECISIONS.get(visit.form.get("decision", ""))
    picked = [int(number) for name in visit.form if (number := _picked(name)) is not None][:MOST_SHOWN]
    if decision is None or not picked:
        return _listed(visit, state, status=400, refused=visit.language.t("claims.nothing_picked"))
    recalls = _recalls(visit)
    lasting = recalls.listed(action_ids=picked).filter(_is_lasting())
    if decision is Decision.APPROVE and not lasting.is_empty() and visit.form.get("irreversible") != "yes":
        return visit.render(
            "claims_sure.html", picked=picked, lasting=lasting.to_dicts(), state=state, note=remark(visit.form, "note")
        )
    done = recalls.decide(decision, picked, visit.who.name, visit.now, remark(visit.form, "note"))
    if all(each.state is not None and not each.sentence for each in done):
        return visit.go("/claims", state=state, notice="decided_claims")
    return _listed(visit, state, done=done)


def recall(visit: Visit) -> Response:
    """One recall and all that happened to it."""
    if not visit.site.settings.claims_enabled:
        return visit.message(404, "no_page")
    number = visit.request.path_params["action"]
    found = _recalls(visit).listed(action_ids=[number]) if number < 2**63 else None
    if found is None or found.is_empty():
        return visit.message(404, "no_item")
    row = found.row(0, named=True)
    return visit.render(
        "claim.html",
        row=row,
        story=_recalls(visit).story(number).to_dicts(),
        lasting=REASONS[row["reason"]].is_irreversible,
        choices=[each.value for each in _NEXT.get(State(row["state"]), ())],
    )


def _picked(name: str) -> str | None:
    """The digits of the recall that a field picks: of ids of ours, which have 18."""
    found = _PICK_FIELD.fullmatch(name)
    return found and found[1]


def _listed(
    visit: Visit, state: State, *, status: int = 200, refused: str | None = None, done: list[Decided] | None = None
) -> Response:
    if not visit.site.settings.claims_enabled:
        return visit.message(404, "no_page")
    recalls = _recalls(visit)
    rows: list[dict[str, Any]] = recalls.listed([state], limit=MOST_SHOWN + 1, latest=state in CLOSED).to_dicts()
    return visit.render(
        "claims.html",
        status=status,
        counts=recalls.counts(),
        state=state.value,
        rows=rows[:MOST_SHOWN],
        more=len(rows) > MOST_SHOWN,
        most=MOST_SHOWN,
        choices=[each.value for each in _NEXT.get(state, ())],
        refused=refused,
        done=done or [],
        lasting={code for code, reason in REASONS.items() if reason.is_irreversible},
        pick=_PICK,
    )


def _recalls(visit: Visit) -> Recalls:
    return Recalls(visit.site.cache.engine, two_approvers=visit.site.settings.claims_two_approvals)


def _state(text: str | None) -> State:
    return State(text) if text in [*State] else State.PROPOSED


def _is_lasting() -> pl.Expr:
    return pl.col("reason").is_in([code for code, reason in REASONS.items() if reason.is_irreversible])

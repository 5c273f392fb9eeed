"""Facts in the database: what is stored is what the engine gives, once, whoever asks at the same time."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa

from integration_assets.cache.facts import Asked, Facts
from integration_assets.cache.migrations.versions import r0010_agreement_events
from integration_assets.domain.facts.call_rows import call_of, row_of
from integration_assets.domain.facts.calls import Call, CancelContractEnd, MoveOut, NewContract
from integration_assets.domain.facts.exchange import slice_rows
from integration_assets.domain.facts.replay import replay, rules_of
from integration_assets.domain.facts.store import Installation
from integration_assets_tests.domain.facts.sequences import FULL, OPERANDS, case, sequence

RULES = rules_of(case([]))
NEW = NewContract("A1", "K1", date(2025, 1, 1), "VARME_STD", FULL)
OUT = MoveOut("A1", date(2025, 1, 31), FULL)


def numbered(*calls: Call) -> list[Asked]:
    return [Asked(f"p{number}", call) for number, call in enumerate(calls)]


@pytest.mark.parametrize("seed", range(12))
def test_what_is_stored_is_what_the_engine_gives(cache: sa.Engine, seed: int) -> None:
    """Call by call through the database, against all calls in one go in memory."""
    told = sequence(seed)
    facts = Facts(cache)
    refused: list[bool] = []
    for step, row in enumerate(told):
        stored = facts.installation("7", RULES.operands) or Installation("7")
        done = facts.carry_out({"7": [Asked(f"s{step}", call_of(row, stored))]}, RULES)
        refused.append(bool(done.refusals))
    wanted = replay({"operands": list(OPERANDS.values()), "mdts": case([])["mdts"],
                     "calls": [{**row, "process_id": f"s{step}"} for step, row in enumerate(told)]})  # fmt: skip
    assert refused == ["refused" in one for one in wanted["results"]]
    stored = facts.installation("7", RULES.operands)
    assert stored is not None
    assert slice_rows(stored) == wanted["after"]


def test_a_call_asked_again_is_known_and_another_under_its_id_refused(cache: sa.Engine) -> None:
    facts = Facts(cache)
    assert facts.carry_out({"1": numbered(NEW, OUT)}, RULES) == (2, 0, ())
    back = Asked("p2", CancelContractEnd("A1"))
    again = facts.carry_out({"1": [*numbered(NEW, OUT), back]}, RULES)
    assert again == (1, 2, ())
    other = facts.carry_out({"1": [Asked("p1", CancelContractEnd("A1"))]}, RULES)
    assert [one.sentence for one in other.refusals] == ["Process p1 was another call."]
    assert [row["process_id"] for row in facts.journal("1")] == ["p0", "p1", "p2"]


def test_the_journal_tells_why_and_which_slices(cache: sa.Engine) -> None:
    facts = Facts(cache)
    facts.carry_out({"1": numbered(NEW, MoveOut("A1", date(2025, 1, 31), {**FULL, "bonus": 600}))}, RULES)
    new, out = facts.journal("1")
    assert (new["full_generation"], new["removed"]) == (None, [])
    assert sorted(row["operand"] for row in new["added"]) == [
        "ABONNEMENT", "BONUS", "ENERGIPRIS", "FLEX", "RABAT", "TARIFTYPE",
    ]  # fmt: skip
    assert (out["full_generation"], out["reason"]) == (True, "differs: ['bonus']")
    assert out["call"] == row_of(MoveOut("A1", date(2025, 1, 31), {**FULL, "bonus": 600}))
    bonus = [row for row in out["added"] if row["operand"] == "BONUS"]
    assert [(row["ab"], row["bis"], row["value"], row["inactive"]) for row in bonus] == [
        ("2025-01-01", "2025-01-31", 600, False),
        ("2025-02-01", "9999-12-31", 500, True),
    ]


def test_runs_at_the_same_time_carry_out_each_process_once(cache: sa.Engine) -> None:
    """Four runs ask the same of overlapping installations, in different orders, some for the first time."""
    asked = {str(number): numbered(NEW, OUT, CancelContractEnd("A1")) for number in range(60)}

    def run(shift: int) -> Any:
        names = sorted(asked, key=lambda name: (int(name) + shift * 17) % 60)
        return Facts(cache).carry_out({name: asked[name] for name in names}, RULES)

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(run, range(4)))
    assert sum(one.carried_out for one in done) == 180
    assert sum(one.known for one in done) == 3 * 180
    assert [one.refusals for one in done] == [()] * 4
    with cache.connect() as connection:
        open_bonus = "operand = 'BONUS' AND NOT inactive AND valid_to = '9999-12-31'"
        assert connection.scalar(sa.text(f"SELECT count(*) FROM fact_slice WHERE {open_bonus}")) == 60


OLD_SLICES = [
    {"operand": "BONUS", "ab": "2025-01-01", "bis": "2025-01-31", "value": 500, "inactive": False,
     "binding": "PARAMETER", "contract": "A1", "product": "VARME_STD", "process": "p0", "altbis": "9999-12-31",
     "mauszug": True},
    {"operand": "BONUS", "ab": "2025-02-01", "bis": "9999-12-31", "value": 500, "inactive": True,
     "binding": "PARAMETER", "contract": "A1", "product": "VARME_STD", "process": "p0"},
    {"operand": "RABAT", "season": "WINTER", "ab": "2025-01-01", "bis": "9999-12-31", "value": [0.95, "x"],
     "inactive": False, "binding": "MANUAL", "contract": None, "product": None, "process": "p1",
     "billed_until": "2025-06-30"},
]  # fmt: skip
"""As facts were stored before revision 0010."""


def test_facts_that_were_stored_before_are_told_the_same(cache: sa.Engine) -> None:
    told = json.dumps(OLD_SLICES)
    with cache.begin() as connection:
        old = "INSERT INTO installation_fact (installation, slices) VALUES ('7', CAST(:told AS jsonb)), ('8', '[]')"
        connection.execute(sa.text(old), {"told": told})
        entry = (
            "INSERT INTO fact_journal (installation, process_id, call, reason, log, hooks, follow_ups, removed, added) "
            "VALUES ('7', 'p1', '{}', '', '[]', '[]', '[]', '[]', CAST(:told AS jsonb))"
        )
        connection.execute(sa.text(entry), {"told": told})
        connection.execute(sa.text(r0010_agreement_events.COMPACT))
        for side in ("removed", "added"):
            connection.execute(sa.text(r0010_agreement_events.CHANGED.format(side=side)))
    facts = Facts(cache)
    assert facts.slices("7") == OLD_SLICES
    assert facts.slices("8") == []
    assert [(entry["removed"], entry["added"]) for entry in facts.journal("7")] == [([], OLD_SLICES)]
    with cache.connect() as connection:
        columns = "operand, season, valid_to::text, value, inactive, cut_by_move_out, billed_until::text"
        query = sa.text(f"SELECT {columns} FROM fact_slice ORDER BY operand, valid_from")
        assert [tuple(row) for row in connection.execute(query)] == [
            ("BONUS", "", "2025-01-31", 500, False, True, None),
            ("BONUS", "", "9999-12-31", 500, True, False, None),
            ("RABAT", "WINTER", "9999-12-31", [0.95, "x"], False, False, "2025-06-30"),
        ]


def test_calls_of_a_group_are_all_carried_out_or_none(cache: sa.Engine) -> None:
    facts = Facts(cache)
    late = MoveOut("A1", date(2024, 12, 31))
    asked = [Asked("a", NEW, "A1:1"), Asked("b", late, "A1:1"), Asked("c", NEW._replace(contract="A2"), "A2:1")]
    done = facts.carry_out({"1": asked}, RULES)
    assert (done.carried_out, [one.process_id for one in done.refusals]) == (1, ["a", "b"])
    assert {one.sentence for one in done.refusals} == {done.refusals[0].sentence}
    assert "before it begins on 2025-01-01" in done.refusals[0].sentence
    assert [entry["process_id"] for entry in facts.journal("1")] == ["c"]

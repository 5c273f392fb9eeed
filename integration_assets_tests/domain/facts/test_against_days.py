"""The engine against the model of days: effective timelines, contracts and refusals of random sequences agree."""

import copy
from typing import Any

import pytest
from hypothesis import given, settings

from integration_assets.domain.facts.replay import replay
from integration_assets_tests.domain.facts.day_model import Model, No, Note, number
from integration_assets_tests.domain.facts.sequences import BEFORE, MDTS, OPERANDS, case, seeds, sequence


def modelled(told: list[dict[str, Any]]) -> tuple[Model, list[bool]]:
    """The model after the sequence, and which calls it refused."""
    model = Model(OPERANDS, MDTS)
    for row in BEFORE:
        model.put(row["operand"], number(row["ab"]), number(row["bis"]), Note(row["value"], "MANUAL", None))
    refused: list[bool] = []
    for call in told:
        attempt = copy.deepcopy(model)
        try:
            getattr(attempt, call["process"])(call)
        except No:
            refused.append(True)
            continue
        refused.append(False)
        model = attempt
    return model, refused


def effective(rows: list[dict[str, Any]], operand: str) -> list[tuple[str, str, Any]]:
    told: list[list[Any]] = []
    for row in rows:
        if row["operand"] != operand or row["inactive"]:
            continue
        if told and number(told[-1][1]) + 1 == number(row["ab"]) and told[-1][2] == row["value"]:
            told[-1][1] = row["bis"]
        else:
            told.append([row["ab"], row["bis"], row["value"]])
    return [(a, b, value) for a, b, value in told]


def agree(told: list[dict[str, Any]]) -> None:
    result = replay(case(told))
    model, refused = modelled(told)
    assert ["refused" in one for one in result["results"]] == refused, result["results"]
    assert result["contract_after"] == model.contracts()
    for operand in OPERANDS:
        assert effective(result["after"], operand) == model.timeline(operand), operand


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_random_sequences(seed: int) -> None:
    agree(sequence(seed))


@pytest.mark.slow
@settings(max_examples=3000, deadline=None)
@given(seeds)
def test_many_long_sequences(seed: int) -> None:
    agree(sequence(seed, most=30))

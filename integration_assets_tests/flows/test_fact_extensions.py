"""Extensions of the facts processes: found by entry points, asked at their points, and never trusted blindly."""

from collections.abc import Iterable
from datetime import date
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from integration_assets.domain.facts.calls import (
    Call,
    CancelContractEnd,
    ChangeMoveInDate,
    Container,
    Maintain,
    MoveOut,
    NewContract,
)
from integration_assets.domain.facts.engine import apply
from integration_assets.domain.facts.extensions import Extensions, Occasion
from integration_assets.domain.facts.replay import rules_of
from integration_assets.domain.facts.run import Refused
from integration_assets.domain.facts.store import Installation
from integration_assets.flows.fact_extensions import GROUP, BadExtension, extensions_of, installed_extensions
from integration_assets_tests.domain.facts.sequences import FULL, case

HERE = "integration_assets_tests.flows.test_fact_extensions"
RULES = rules_of(case([]))
NEW = NewContract("A1", "K1", date(2025, 1, 1), "VARME_STD", {**FULL, "energipris": "E1"})
ASKED_FOR = Maintain(None, "AREAL", date(2025, 1, 1), date(2025, 1, 31), 99)


def dearer(occasion: Occasion, container: Container) -> Container:
    assert occasion.contract.id == "A1"
    return {**container, "energipris": f"{container['energipris']}+"}


def follow_up(occasion: Occasion, old: date, new: date) -> Iterable[Call]:
    assert (occasion.day, old) == (new, date(2025, 3, 1))
    return [ASKED_FOR]


def broken(_occasion: Occasion, _container: Container) -> Container:
    raise ZeroDivisionError("no prices today")


NO_FUNCTION = 3


def extensions(point: str, name: str) -> Extensions:
    return extensions_of([EntryPoint("one", f"{HERE}:{name}", GROUP + point), EntryPoint("x", "y", "another.group")])


def price(installation: Installation, day: date) -> object:
    return installation.effective("ENERGIPRIS").at(day)


def test_a_filler_changes_the_container_before_it_counts() -> None:
    rules = RULES._replace(extensions=extensions("fill_container", "dearer"))
    assert price(apply(Installation("1"), NEW, rules, "new").installation, date(2025, 5, 1)) == "E1+"


def test_a_filler_of_regeneration_changes_the_values_of_the_database() -> None:
    rules = RULES._replace(extensions=extensions("fill_container_rgen", "dearer"))
    begun = apply(Installation("1"), NEW, rules, "new").installation
    ended = apply(begun, MoveOut("A1", date(2025, 3, 1)), rules, "out").installation
    back = apply(ended, CancelContractEnd("A1"), rules, "back").installation
    assert (price(back, date(2025, 3, 1)), price(back, date(2025, 3, 2))) == ("E1", "E1+")


def test_what_is_to_follow_a_changed_date_stands_in_the_journal() -> None:
    rules = RULES._replace(extensions=extensions("move_out_date_changed", "follow_up"))
    begun = apply(Installation("1"), NEW, rules, "new").installation
    ended = apply(begun, MoveOut("A1", date(2025, 3, 1)), rules, "out")
    assert ended.entry.follow_ups == ()
    back = apply(ended.installation, CancelContractEnd("A1"), rules, "back")
    assert back.entry.follow_ups == (ASKED_FOR,)
    assert apply(back.installation, ChangeMoveInDate("A1", date(2025, 2, 1)), rules, "in").entry.follow_ups == ()


def test_an_extension_that_fails_refuses_the_call() -> None:
    rules = RULES._replace(extensions=extensions("fill_container", "broken"))
    with pytest.raises(Refused, match=r"an extension that fills the container failed \(ZeroDivisionError: no prices"):
        apply(Installation("1"), NEW, rules, "new")


@pytest.mark.parametrize(
    ("point", "name", "sentence"),
    [
        ("fill_the_bath", "dearer", "there is no point fill_the_bath"),
        ("fill_container", "nobody", "cannot be loaded"),
        ("fill_container", "NO_FUNCTION", "is no function"),
    ],
)
def test_extensions_that_cannot_be_used_are_told(point: str, name: str, sentence: str) -> None:
    with pytest.raises(BadExtension, match=sentence):
        extensions(point, name)


def test_extensions_of_installed_packages_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "prices-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: prices\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text(f"[{GROUP}fill_container]\nour_prices = {HERE}:dearer\n")
    assert installed_extensions() == Extensions()
    monkeypatch.syspath_prepend(str(tmp_path))
    assert [filler.__name__ for filler in installed_extensions().fill_container] == ["dearer"]

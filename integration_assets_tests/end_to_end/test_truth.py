"""A town played through sensors and assets: the outside world ends up true, and nothing is sent without need."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
import sqlalchemy as sa

from integration_assets.sandbox.verify_read import Crm
from integration_assets_tests.end_to_end.conftest import NewWorld
from integration_assets_tests.end_to_end.touched import Touched, allowed_objects, touched_by
from integration_assets_tests.end_to_end.world import Json, World, shown, writes

CUSTOMERS = 120
DAYS = 2


@dataclass
class Played:
    """What was seen while the town was played, by day; `again` is the nightly run after the last day."""

    world: World = field(repr=False)
    truths: list[Json] = field(default_factory=list, repr=False)
    touched: list[Touched] = field(default_factory=list, repr=False)
    allowed: list[dict[str, set[str]]] = field(default_factory=list, repr=False)
    requests: list[list[Json]] = field(default_factory=list, repr=False)
    differences: list[list[str]] = field(default_factory=list, repr=False)
    again: list[Json] = field(default_factory=list, repr=False)

    def written(self, day: int, system: str) -> list[str]:
        """Objects in the order in which a day wrote them in LoRa ("lora") or the CRM ("dataverse")."""
        return [name for each in writes(self.requests[day]) if each["system"] == system for name in each["objects"]]


@pytest.fixture(scope="module")
def played(new_world: NewWorld) -> Played:
    """The town after day 0, two days more, and the nightly run over an unchanged source."""
    seen = Played(new_world())
    world = seen.world
    world.build(CUSTOMERS, seed=7)
    for day in range(DAYS + 1):
        events = world.play(day) if day else None
        mark = world.mark()
        world.run_day(day)
        seen.requests.append(world.requests(mark))
        seen.truths.append(world.truth())
        seen.differences.append(world.differences() + world.fact_differences())
        if events:
            before, after = seen.truths[-2:]
            seen.touched.append(touched_by(events, before, after))
            seen.allowed.append(allowed_objects(world, seen.touched[-1], before, after))
    mark = world.mark()
    world.run_nightly(DAYS)
    seen.again = world.requests(mark)
    return seen


@pytest.mark.parametrize("day", range(DAYS + 1))
def test_registry_crm_and_rejections_hold_the_truth_of_the_day(played: Played, day: int) -> None:
    assert not played.differences[day], shown(played.differences[day])


IN_VIEW = sa.text(
    'SELECT "Kundenr" FROM dbo."Kunde" WHERE "AfregningsgrpNr" <> 999 '
    'AND "Tilflytningsdato" <= :today AND "Fraflytningsdato" >= :window'
)
"""Rows that the spec lets the nightly run read: no settlement group 999, moved in, not gone for more than 35 days."""


def test_every_row_of_the_billing_system_is_in_the_crm_or_rejected(played: Played) -> None:
    today = played.world.base_day + timedelta(days=DAYS)
    engine = sa.create_engine(played.world.given["kmd_ee_url"])
    with engine.connect() as connection:
        numbers = connection.execute(IN_VIEW, {"today": today, "window": today - timedelta(days=35)}).scalars()
        in_view = {str(int(number)) for number in numbers}
    engine.dispose()
    with Crm(played.world.given) as crm:
        in_crm = {row["ava_kundenummer"] for row in crm.rows("accounts")}
    refused = {key for _asset, key, _reason in played.world.open_rejections()}
    assert len(in_view) > CUSTOMERS / 2
    assert in_view - in_crm - refused == set()
    # What a rejection withholds wholly is not in the CRM, unless it was in good order on an earlier day.
    planted = {key for _asset, key, _reason in played.truths[-1]["rejections"]}
    assert refused == planted


def test_a_second_run_over_an_unchanged_source_writes_nothing_and_asks_no_register(played: Played) -> None:
    assert [each for each in played.again if each["kind"] in ("write", "lookup")] == []


@pytest.mark.parametrize("day", range(1, DAYS + 1))
@pytest.mark.parametrize("system", ["lora", "dataverse"])
def test_a_day_writes_only_what_its_changed_rows_touch(played: Played, day: int, system: str) -> None:
    assert 10 < len(played.touched[day - 1].customers) < CUSTOMERS / 2  # most rows are not concerned
    written = set(played.written(day, system))
    assert written
    assert written - played.allowed[day - 1][system] == set()


@pytest.mark.parametrize("day", range(DAYS + 1))
@pytest.mark.parametrize("system", ["lora", "dataverse"])
def test_no_object_is_written_twice_on_a_day(played: Played, day: int, system: str) -> None:
    """By the same message: a company whose form or code changed is PUT and its former values are PATCHed to it, a row
    that has ended already is created by one message and ended by another. That is two writes and one delivery.
    """
    sent = [
        (each["method"], each["path"].rsplit("/", 1)[-1], name)
        for each in writes(played.requests[day])
        if each["system"] == system
        for name in each["objects"]
    ]
    assert [name for name, times in Counter(sent).items() if times > 1] == []

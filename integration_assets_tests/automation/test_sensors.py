"""The sensors over a real town: what they ask for, in the order of a system's life. The tests build on each other."""

import shutil
from datetime import date, timedelta

import dagster as dg
import pytest

from integration_assets.automation import cursors
from integration_assets.automation.cursors import Cursor
from integration_assets.automation.runs import REQUEST_TAG
from integration_assets.cache.washing_store import index_folder
from integration_assets.partitions import RANGE_END, RANGE_START
from integration_assets.resources.business_day import AS_OF_TAG
from integration_assets_tests.automation.world import AREAS, World

TOUCH = """UPDATE dbo."Kunde" SET "KundeNavn" = :name WHERE "Kundenr" = (
    SELECT min("Kundenr") FROM dbo."Kunde" JOIN dbo."Forbrugssted" USING ("ForbrugsstedID")
    WHERE CAST("Postnr" AS text) LIKE :area AND "AfregningsgrpNr" <> 999 AND "Fraflytningsdato" >= DATE '9999-01-01')"""


@pytest.fixture(scope="module")
def memory() -> dict[str, str]:
    """The cursors of the sensors, as the daemon would keep them."""
    return {}


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Failed requests are made again without waiting."""
    monkeypatch.setattr(cursors, "PAUSES", (timedelta(0),))


def _tick(world: World, memory: dict[str, str], sensor: str) -> list[dg.RunRequest]:
    result = world.tick(sensor, memory.get(sensor))
    if result.cursor is not None:
        memory[sensor] = result.cursor
    return list(result.run_requests or [])


def _areas(requests: list[dg.RunRequest]) -> list[tuple[str, str]]:
    return [(request.tags[RANGE_START], request.tags[RANGE_END]) for request in requests]


def test_without_an_address_register_nothing_is_run(world: World) -> None:
    result = world.tick("source_changes")
    assert not result.run_requests
    assert "address register" in str(result.skip_message)
    assert world.registered() == []


def test_the_address_register_is_loaded_once(world: World, memory: dict[str, str]) -> None:
    (request,) = _tick(world, memory, "new_address_register")
    assert request.tags[AS_OF_TAG] == world.settings.business_day
    failed = world.note_run(request, dg.DagsterRunStatus.STARTED)
    assert _tick(world, memory, "new_address_register") == [], "it is being loaded"
    world.instance.report_run_failed(failed)
    (again,) = _tick(world, memory, "new_address_register")
    assert again.run_key != request.run_key
    assert world.run(again).success
    assert _tick(world, memory, "new_address_register") == []
    assert _tick(world, memory, "new_address_register") == []


def test_a_missing_washing_index_is_built_again(world: World, memory: dict[str, str]) -> None:
    shutil.rmtree(index_folder(world.settings.data_dir))
    result = world.tick("source_changes")
    assert not result.run_requests
    assert "not loaded yet" in str(result.skip_message)
    (request,) = _tick(world, memory, "new_address_register")
    assert world.run(request).success
    assert _tick(world, memory, "new_address_register") == []


def test_the_first_tick_registers_all_areas_and_asks_for_all(world: World, memory: dict[str, str]) -> None:
    requests = _tick(world, memory, "source_changes")
    assert world.registered() == AREAS
    assert _areas(requests) == [("2", "5")], "one run for a contiguous range"
    assert requests[0].tags[AS_OF_TAG] == world.settings.business_day
    assert requests[0].job_name == "main_flow"
    assert _tick(world, memory, "source_changes") == [], "asked for, and no run was seen yet"
    run = world.run(requests[0])
    assert run.success, [event.message for event in run.all_events if event.is_failure]
    assert _tick(world, memory, "source_changes") == []
    assert set(Cursor.parse(memory["source_changes"]).done) == set(AREAS)
    assert not Cursor.parse(memory["source_changes"]).asked


@pytest.mark.usefixtures("no_pause")
def test_only_the_changed_area_is_asked_for_and_not_lost_when_its_run_fails(
    world: World, memory: dict[str, str]
) -> None:
    world.kmd_ee(TOUCH, name="Andersine And", area="4%")
    first = _tick(world, memory, "source_changes")
    assert _areas(first) == [("4", "4")]
    run = world.note_run(first[0], dg.DagsterRunStatus.STARTED)
    assert _tick(world, memory, "source_changes") == [], "under way"
    world.instance.report_run_failed(run)
    second = _tick(world, memory, "source_changes")
    assert _areas(second) == [("4", "4")]
    assert second[0].run_key != first[0].run_key, "else Dagster would take it for the same request"
    world.instance.report_run_canceled(world.note_run(second[0], dg.DagsterRunStatus.CANCELING))
    third = _tick(world, memory, "source_changes")
    world.note_run(third[0], dg.DagsterRunStatus.SUCCESS)
    assert _tick(world, memory, "source_changes") == []


@pytest.mark.usefixtures("no_pause")
def test_a_run_that_dagster_starts_again_counts(world: World, memory: dict[str, str]) -> None:
    world.kmd_ee(TOUCH, name="Rip And", area="5%")
    (request,) = _tick(world, memory, "source_changes")
    world.instance.report_run_failed(world.note_run(request, dg.DagsterRunStatus.STARTED))
    second = world.note_run(request, dg.DagsterRunStatus.STARTING)
    assert second.tags[REQUEST_TAG] == request.tags[REQUEST_TAG]
    assert _tick(world, memory, "source_changes") == [], "the newest run of the request counts"
    world.instance.report_run_failed(second)
    (again,) = _tick(world, memory, "source_changes")
    world.note_run(again, dg.DagsterRunStatus.SUCCESS)
    assert _tick(world, memory, "source_changes") == []


@pytest.mark.usefixtures("no_pause")
def test_a_failed_range_comes_back_in_halves(world: World, memory: dict[str, str]) -> None:
    for area in AREAS:
        world.kmd_ee(TOUCH, name="Rap And", area=f"{area}%")
    (request,) = _tick(world, memory, "source_changes")
    assert _areas([request]) == [("2", "5")]
    world.instance.report_run_failed(world.note_run(request, dg.DagsterRunStatus.STARTED))
    halves = _tick(world, memory, "source_changes")
    assert _areas(halves) == [("2", "4"), ("5", "5")]
    for half in halves:
        world.note_run(half, dg.DagsterRunStatus.SUCCESS)
    assert _tick(world, memory, "source_changes") == []


def test_a_change_that_is_taken_back_is_a_change(world: World, memory: dict[str, str]) -> None:
    keys: list[str | None] = []
    for name in ("Rup And", "Rap And", "Rup And"):
        world.kmd_ee(TOUCH, name=name, area="4%")
        (request,) = _tick(world, memory, "source_changes")
        world.note_run(request, dg.DagsterRunStatus.SUCCESS)
        keys.append(request.run_key)
    assert len(set(keys)) == 3


def test_an_area_with_any_run_under_way_waits(world: World, memory: dict[str, str]) -> None:
    world.kmd_ee(TOUCH, name="Mickey Mouse", area="2%")
    by_hand = world.instance.add_run(
        dg.DagsterRun(
            job_name="__ASSET_JOB", status=dg.DagsterRunStatus.STARTED, tags={RANGE_START: "2", RANGE_END: "4"}
        )
    )
    assert _tick(world, memory, "source_changes") == []
    world.instance.report_run_canceled(by_hand)
    (request,) = _tick(world, memory, "source_changes")
    world.note_run(request, dg.DagsterRunStatus.SUCCESS)


def test_what_is_due_again_is_asked_for_with_pauses_after_failures(world: World, memory: dict[str, str]) -> None:
    assert _tick(world, memory, "due_again") == [], "rejections of today are due tomorrow"
    tomorrow = world.on((date.fromisoformat(str(world.settings.business_day)) + timedelta(days=1)).isoformat())
    requests = _tick(tomorrow, memory, "due_again")
    assert requests
    assert {request.tags[AS_OF_TAG] for request in requests} == {tomorrow.settings.business_day}
    for request in requests:
        world.instance.report_run_failed(world.note_run(request, dg.DagsterRunStatus.STARTED))
    assert _tick(tomorrow, memory, "due_again") == [], "they have just failed"
    memory.pop("due_again")
    for request in _tick(tomorrow, memory, "due_again"):
        tomorrow.note_run(request, dg.DagsterRunStatus.STARTED)
    assert _tick(tomorrow, memory, "due_again") == [], "under way"


def test_a_missing_setting_is_named(world: World) -> None:
    without = World(world.sandbox, world.settings.model_copy(update={"kmd_ee_url": None}), world.instance)
    with pytest.raises(Exception, match="INTEGRATION_KMD_EE_URL"):
        without.tick("source_changes")

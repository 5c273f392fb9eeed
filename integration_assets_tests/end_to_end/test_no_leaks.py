"""After runs with failures of every kind, no personal number of the town lies anywhere in clear."""

import logging
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import httpx
import polars as pl
import pytest
import sqlalchemy as sa
import yaml

from integration_assets.cache.engine import embedded_server_url
from integration_assets.cli import runner as day_runner
from integration_assets.cli.instance import EVENTS_AT_ONCE, INSTANCE_FILE, opened
from integration_assets.cli.runner import RunFailed
from integration_assets.partitions import ALL_MUNICIPALITIES
from integration_assets.sandbox.background import RunningSandbox
from integration_assets.sandbox.kmd_ee_tables import KUNDE
from integration_assets.sandbox.register_surplus import participant, relatives
from integration_assets.sandbox.store import Store
from integration_assets_tests.end_to_end.leaks import Numbers, database, files, leaks
from integration_assets_tests.end_to_end.world import AREAS, QUICK, World, area_requests, played

CUSTOMERS = 30
FAULTS = {"rate_500": 0.1, "rate_503": 0.1, "rate_drop": 0.1, "retry_after_s": 0.05, "seed": 1}
FAULTY = ("lora", "dataverse", "person_register", "company_register")
MASKED = "**********"
"""What the sandbox's log writes in place of a personal number in a path."""

BREAKS = {
    "kmd_ee_customers": "name IS NULL",
    "register_answer": "service <> 'person'",
    "delivery": "entity <> 'customers'",
    "cache_contacts": "contactid IS NULL",
}
"""Steps that raise while they hold rows of persons: a table of the cache, and a condition that refuses those rows."""


def test_no_personal_number_leaves_the_sealed_columns(
    sandbox: RunningSandbox,
    new_cache: Callable[[], str],
    server_dir: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url, data, home = new_cache(), tmp_path / "var", tmp_path / "dagster"
    data.mkdir()
    home.mkdir()
    given = {**sandbox.settings, **QUICK, "cache_url": url, "data_dir": str(data)}
    world = World(sandbox.control_url, sandbox.systems, given)
    world.build(CUSTOMERS, seed=7)
    mark = world.mark()
    history_url = embedded_server_url(server_dir, "history_of_leaks")
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", EVENTS_AT_ONCE)
    with _instance(home, history_url) as instance, _addresses_called() as addresses:
        raised = _break(world, url, instance, monkeypatch)
        _play_through_faults(world, instance)
        numbers = _numbers_of_town(server_dir, given["kmd_ee_url"])  # those of the second day too
        requests = world.requests(mark)
    assert len(numbers) > CUSTOMERS
    assert {0, 500, 503} <= {each["status"] for each in requests}
    assert len(addresses) > 100
    said = "".join(capfd.readouterr())
    history = [*files(home), *database(history_url)]
    told = b"\n".join(content for _, content in history if isinstance(content, bytes))
    for table in BREAKS:
        assert f'\\"{table}\\" violates check constraint'.encode() in told, "the history tells of the failed step"
    assert any(place.endswith(".err") for place, _ in history), "the output of steps is captured"
    found = {
        "Dagster's history": leaks(numbers, history),
        "files": leaks(numbers, [*files(data), *((f.name, f.read_bytes()) for f in server_dir.glob("sandbox.*"))]),
        "cache": leaks(numbers, database(url)),
        "output": leaks(numbers, [("standard output and error", said), ("errors", raised)]),
        "addresses that were called": leaks(numbers, [(each.split("?")[0], each) for each in addresses]),
    }
    assert not any(found.values()), found
    assert [each for each in requests if MASKED in each["path"]] == []


def test_whatever_is_planted_is_found(tmp_path: Path, cache_url: str) -> None:
    numbers = Numbers(["0101701234", "2202721111"])
    planted: dict[str, bytes] = {
        "plain": b"a log line about 0101701234.",
        "hyphen": b"010170-1234",
        "float": b"PersonnrSEnr=101701234.0",
        "json": b'{"number":"2202721111"}',
        "sql": b"\\x00\xff2202721111\xfe",
        "zlib": zlib.compress(b"snapshot of 2202721111"),
    }
    for name, content in planted.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "2202721111.txt").touch()
    for harmless in (b"12202721111", b"0101701235", b"22027211110", b"urn:uuid:2202-721111a"):
        assert numbers.found_in(harmless) == set()
    places = {str(tmp_path / name) for name in planted}
    assert leaks(numbers, files(tmp_path)).keys() == {*places, f"the name of {tmp_path / '2202721111.txt'}"}
    pl.DataFrame({"key": ["0101701234"]}).write_ipc(tmp_path / "arrow", compression="lz4")
    assert str(tmp_path / "arrow") in leaks(numbers, ((str(tmp_path / "arrow"), (tmp_path / "arrow").read_bytes()),))
    engine = sa.create_engine(cache_url)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE scratch (words text, bytes bytea, listed text[], amount bigint)"))
        for column, value in (
            ("words", "name of 010170-1234"),
            ("bytes", b"\x00\x010101701234"),
            ("listed", ["a", "2202721111"]),
            ("amount", 2202721111),
        ):
            connection.execute(sa.text(f"INSERT INTO scratch ({column}) VALUES (:value)"), {"value": value})
    engine.dispose()
    assert leaks(numbers, database(cache_url)) == {f"scratch, row {number}": 1 for number in range(4)}


def _instance(home: Path, url: str) -> dg.DagsterInstance:
    """A Dagster instance as the commands use it: events in PostgreSQL, the output of steps in files."""
    content = {
        "telemetry": {"enabled": False},
        "storage": {"postgres": {"postgres_url": url.replace("+psycopg:", "+psycopg2:")}},
        "local_artifact_storage": _located("dagster._core.storage.root", "LocalArtifactStorage", home),
        "compute_logs": _located("dagster._core.storage.local_compute_log_manager", "LocalComputeLogManager", home),
    }
    (home / INSTANCE_FILE).write_text(yaml.safe_dump(content), encoding="utf-8")
    return opened(home)


def _located(module: str, name: str, folder: Path) -> dict[str, Any]:
    return {"module": module, "class": name, "config": {"base_dir": str(folder)}}


def _break(world: World, url: str, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> str:
    """Runs in which one step after the other raises; returns what was said of it."""
    said: list[str] = []
    engine = sa.create_engine(url)
    with played(world.settings(0), world.cursors, instance) as runner, monkeypatch.context() as patched:
        runner.carry_out([dg.RunRequest(job_name="address_register", tags=ALL_MUNICIPALITIES)])
        patched.setattr(day_runner, "TRIES", 1)
        for table, condition in BREAKS.items():
            _execute(engine, f"ALTER TABLE {table} ADD CONSTRAINT broken CHECK ({condition}) NOT VALID")
            with pytest.raises(RunFailed, match="broken") as failure:
                runner.carry_out(area_requests(AREAS[0], world.settings(0)))
            _execute(engine, f"ALTER TABLE {table} DROP CONSTRAINT broken")
            said.append(str(failure.value))
    engine.dispose()
    return "\n".join(said)


def _play_through_faults(world: World, instance: dg.DagsterInstance) -> None:
    """Two days in which the outside systems answer with errors or not at all."""
    world.post("/faults", dict.fromkeys(FAULTY, FAULTS))
    for day in (0, 1):
        if day:
            world.play(day)
        with played(world.settings(day), world.cursors, instance) as runner:
            runner.until_quiet()
    world.post("/faults", dict.fromkeys(FAULTY))


def _execute(engine: sa.Engine, statement: str) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text(statement))


def _numbers_of_town(server_dir: Path, kmd_ee_url: str) -> Numbers:
    """All numbers of the person register and of the billing system, incomplete ones included, and those of relatives
    and owners, of whom the registers tell without being asked."""
    store = Store(embedded_server_url(server_dir, "sandbox"))
    persons, companies = store.load("register:person"), store.load("register:company")
    found = {*persons, *(participant(company) for company in companies.values())}
    for family in map(relatives, persons.values()):
        found |= {family.mother, family.father, *family.children, *filter(None, [family.spouse])}
    store.close()
    source = sa.create_engine(kmd_ee_url)
    with source.connect() as connection:
        rows = connection.execute(sa.select(KUNDE.c.PersonnrSEnr, KUNDE.c.LigestPersonnr))
        typed = {f"{int(value):010}" for row in rows for value in row if value and value >= 10**8}
    source.dispose()
    assert found
    assert typed
    return Numbers({number for number in found | typed if len(number) == 10})


@contextmanager
def _addresses_called() -> Iterator[list[str]]:
    """Whole addresses, with their queries, of all calls that the product's own HTTP clients make."""
    called: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            arguments: Any = record.args
            called.extend(str(each) for each in arguments if isinstance(each, httpx.URL))

    logger, handler = logging.getLogger("httpx"), Kept()
    level, passes_on = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield called
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = passes_on

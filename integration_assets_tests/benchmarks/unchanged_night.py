"""How long a night takes in which nothing changed: 100,000 customers, all supply areas, all assets, no call sent.

``python -m integration_assets_tests.benchmarks.unchanged_night [--customers N] [--data-dir DIR] [--nights N]``

What is measured is the real thing: the run that the nightly schedule asks for, of the real job, in a process of its
own, over the billing database of a sandbox town, with Dagster's history where the commands keep it. All clients point
at the sandbox, whose log of requests is empty before and must be empty afterwards.

What comes before is not measured, and goes without most of the HTTP that it would take in life (two million requests,
some hours on loopback): the same job fills the cache with clients that hold their objects in memory instead. The
registry among them takes every object as the product writes it and gives it back, the CRM takes every row; people and
companies are read from the sandbox's store. Only the address register is fetched over HTTP.

With --data-dir the filled town stays and is used again by the next call. Exit code 1: a call was sent, or a bar missed.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import PrivateAttr

from integration_assets.automation.jobs import address_register, main_flow
from integration_assets.automation.sensors import area_fingerprints
from integration_assets.cache.server import embedded_server
from integration_assets.cli.instance import opened, use_instance
from integration_assets.clients.dynamics import DynamicsClient, RowOutcome, TableName
from integration_assets.clients.lora import LoraClient
from integration_assets.definitions import build_definitions
from integration_assets.domain.people.parties import (
    AddressKey,
    Company,
    Person,
    RegisteredAddress,
    Resident,
    SearchResult,
)
from integration_assets.domain.registry.dialect import PLAIN, Dialect
from integration_assets.partitions import ALL_MUNICIPALITIES, SUPPLY_AREAS, range_tags
from integration_assets.resources.business_day import AS_OF_TAG
from integration_assets.resources.dynamics import DynamicsResource
from integration_assets.resources.kmd_ee import KmdEeResource
from integration_assets.resources.lora import LoraResource
from integration_assets.resources.registers import Registers, RegistersResource
from integration_assets.sandbox.background import RunningSandbox, start_in_background
from integration_assets.sandbox.store import Store
from integration_assets.sandbox.systems import SandboxOptions
from integration_assets.settings import SETTINGS_FILE_VARIABLE, Settings

SEED = 1
LARGEST_SECONDS = 60.0
DONE = "unchanged_night.json"
QUIET = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}


class RegistryInMemory(LoraClient):
    """Takes objects and gives them back, without a server. Bodies are kept packed."""

    def __init__(self) -> None:
        self._held: dict[str, dict[str, bytes]] = {}

    def put(self, lora_class: str, object_id: str, body: dict[str, Any], *, revive: bool = False) -> None:  # noqa: ARG002
        """Keeps the body."""
        self._held.setdefault(lora_class, {})[object_id] = zlib.compress(json.dumps(body).encode(), 1)

    def patch(self, lora_class: str, object_id: str, body: dict[str, Any]) -> None:
        """Lays relations over the body."""
        held = json.loads(zlib.decompress(self._held[lora_class][object_id]))
        held["relationer"] |= body["relationer"]
        self.put(lora_class, object_id, held)

    def read_many(self, lora_class: str, ids: Iterable[str], *, ended: bool = False) -> dict[str, dict[str, Any]]:  # noqa: ARG002
        """The objects as LoRa answers them, as far as reading needs it."""
        held = self._held.get(lora_class, {})
        return {
            object_id: {"id": object_id, "registreringer": [json.loads(zlib.decompress(held[object_id]))]}
            for object_id in ids
            if object_id in held
        }

    def requests(self) -> Counter[str]:
        """Nothing is sent."""
        return Counter()

    def close(self) -> None:
        """Nothing is open."""


_REGISTRY = RegistryInMemory()


class RegistryInMemoryResource(LoraResource):
    """The registry in memory, one for all runs of the process."""

    def get(self) -> LoraClient:
        """The registry."""
        return _REGISTRY

    def dialect(self) -> Dialect:
        """It has no fields of its own for what plain LoRa lacks."""
        return PLAIN


class CrmInMemory(DynamicsClient):
    """Takes every row and link, and has no values of its own."""

    def __init__(self) -> None:
        pass

    @property
    def users(self) -> int:
        return 1

    def batch_rows(self, set_name: str) -> int:
        del set_name
        return 500

    def create(self, table: TableName, rows: Sequence[Mapping[str, Any]]) -> list[RowOutcome]:
        return [RowOutcome(str(row[table.primary_id]), True) for row in rows]

    def update(
        self, table: TableName, rows: Sequence[Mapping[str, Any]], *, etags: Mapping[str, str] | None = None
    ) -> list[RowOutcome]:
        del etags
        return self.create(table, rows)

    def link(
        self, set_name: str, navigation: str, target_set: str, pairs: Sequence[tuple[str, str]]
    ) -> list[RowOutcome]:
        del set_name, navigation, target_set
        return [RowOutcome(row_id, True) for row_id, _ in pairs]

    def select(self, table: TableName, columns: Sequence[str], ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        del table, columns, ids
        return {}

    def requests(self) -> Counter[str]:
        """Nothing is sent."""
        return Counter()

    def close(self) -> None:
        """Nothing is open."""


class CrmInMemoryResource(DynamicsResource):
    """The CRM in memory."""

    def get(self) -> DynamicsClient:
        """The CRM."""
        return CrmInMemory()


class LocalRegisters(Registers):
    """People and companies as the sandbox stores them."""

    def __init__(self, store: Store) -> None:
        self._people = store.load("register:person")
        self._firms = store.load("register:company")
        self._homes: dict[tuple[str, ...], list[tuple[dict[str, Any], dict[str, Any]]]] = {}
        for person in self._people.values():
            for home in [person["address"], *person["former_addresses"]]:
                if home is not None:
                    key = (home["street_code"], home["house_number"], home["postcode"])
                    self._homes.setdefault(key, []).append((person, home))

    def close(self) -> None:
        """Nothing is open."""

    def residents(self, address: AddressKey) -> SearchResult:
        """All who live or lived there, without the cap of the real search."""
        found = self._homes.get((address.street_code, address.house_number, address.postcode), [])
        hits = tuple(
            Resident(
                number=person["pnr"],
                addressing_name=person["addressing_name"],
                birth_date=date.fromisoformat(person["birth_date"][:10]),
                status=person["status"],
                moved_out="moved_out" in home,
            )
            for person, home in found
            if (address.floor, address.door) in ((home["floor"], home["door"]), (None, None))
        )
        return SearchResult(hits, complete=True)

    def person(self, number: str) -> Person | None:
        """As the real look-up answers."""
        found = self._people.get(number)
        if found is None:
            return None
        parts = ("first_name", "middle_name", "last_name")
        names: dict[str, Any] = {name: found[name] if found["addressing_name"] else None for name in parts}
        return Person(
            number=number,
            status=found["status"],
            **names,
            addressing_name=found["addressing_name"],
            gender=found["gender"],
            civil_status=found["civil_status"],
            address_protected=found["protected"],
            address=_address(found["address"]),
        )

    def company(self, number: str) -> Company | None:
        """As the real look-up answers."""
        found = self._firms.get(number)
        if found is None:
            return None
        return Company(
            number=number,
            name=found["name"],
            business_code=found["business_code"],
            company_form=str(int(found["company_form"])) if found["company_form"] else None,
            address=_address(found["address"]),
            ceased_on=date.fromisoformat(found["ceased"]) if found["ceased"] else None,
        )


def _address(found: dict[str, Any] | None) -> RegisteredAddress | None:
    names = RegisteredAddress.__dataclass_fields__
    return None if found is None else RegisteredAddress(**{name: found.get(name) for name in names})


class LocalRegistersResource(RegistersResource):
    """The registers read from the sandbox's store."""

    _store: Store | None = PrivateAttr(default=None)

    def get(self) -> Registers:
        """The registers."""
        if self._store is None:
            self._store = Store(self.settings.need("kmd_ee_url").replace("/kmd_ee?", "/sandbox?"))
        return LocalRegisters(self._store)


def fill(base_day: str, data_dir: Path) -> None:
    """The first load: the address register by its own job, then the main flow with clients in memory."""
    settings = Settings(business_day=base_day, crm_preflight=False)  # the CRM in memory has no tables to check
    given = build_definitions(settings)
    stand_ins: dict[str, Any] = {
        "lora": RegistryInMemoryResource(settings=settings),
        "dynamics": CrmInMemoryResource(settings=settings),
        "registers": LocalRegistersResource(settings=settings),
    }
    definitions = dg.Definitions(
        assets=given.assets,
        jobs=given.jobs,
        resources={**(given.resources or {}), **stand_ins},
        executor=given.executor,
    )
    with _instance(data_dir) as instance:
        areas = sorted(area_fingerprints(KmdEeResource(settings=settings), date.fromisoformat(base_day)))
        instance.add_dynamic_partitions(str(SUPPLY_AREAS.name), areas)
        _execute(definitions, instance, address_register.name, {**ALL_MUNICIPALITIES, AS_OF_TAG: base_day})
        tags = {**range_tags(areas[0], areas[-1]), AS_OF_TAG: base_day}
        _execute(definitions, instance, main_flow.name, tags)


def measure(base_day: str, data_dir: Path) -> None:
    """One night: what the nightly schedule asks for, carried out and told asset by asset."""
    settings = Settings(business_day=base_day)
    definitions = build_definitions(settings)
    embedded_server(data_dir)  # it runs day and night: starting it is no part of the night
    with _instance(data_dir) as instance:
        schedule = definitions.resolve_schedule_def("nightly")
        night = datetime.fromisoformat(f"{base_day}T03:30:00+01:00")
        context = dg.build_schedule_context(instance=instance, scheduled_execution_time=night)
        before = time.perf_counter(), time.process_time(), _server_seconds(data_dir)
        requests = schedule.evaluate_tick(context).run_requests
        if not requests:
            sys.exit("The nightly schedule asked for nothing: the town was not filled with this instance.")
        runs = [_execute(definitions, instance, main_flow.name, dict(request.tags)) for request in requests]
        seconds, cpu = time.perf_counter() - before[0], time.process_time() - before[1]
        server = _server_seconds(data_dir) - before[2]
        rows = sum(_report(instance, run_id) for run_id in runs)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{'total':32} {seconds:8.2f} s wall, {cpu:.2f} s cpu (and {server:.2f} s cpu of PostgreSQL)")
    print(
        f"{rows:,} rows of tables and objects compared, {rows / seconds:,.0f} per second; peak {peak:,.0f} MB",
        flush=True,
    )
    if seconds > LARGEST_SECONDS:
        print(f"The bar of {LARGEST_SECONDS:.0f} s is missed.")
        sys.exit(1)


def _report(instance: dg.DagsterInstance, run_id: str) -> int:
    """Prints seconds and rows of each asset of a run, and returns the sum of the rows."""
    total = 0
    entries = instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    rows: dict[str, int] = {}
    for entry in entries:
        event = entry.get_dagster_event().step_materialization_data.materialization
        found = {name: value.value for name, value in event.metadata.items()}
        changed = {
            name: found[name] for name in ("new", "changed", "vanished", "created", "updated") if found.get(name)
        }
        if changed:
            print(f"{event.asset_key.to_user_string()}: not unchanged: {changed}")
        counted = int(found.get("dagster/row_count", found.get("desired", 0)))  # pyright: ignore[reportArgumentType]
        rows[event.asset_key.to_python_identifier()] = counted
    for step in sorted(instance.get_run_step_stats(run_id), key=lambda step: step.start_time or 0.0):
        seconds = (step.end_time or 0.0) - (step.start_time or 0.0)
        print(f"{step.step_key:32} {seconds:8.2f} s {rows.get(step.step_key, 0):12,} rows")
        total += rows.get(step.step_key, 0)
    return total


def _execute(definitions: dg.Definitions, instance: dg.DagsterInstance, job: str, tags: Mapping[str, str]) -> str:
    result = definitions.resolve_job_def(job).execute_in_process(
        instance=instance, run_config=QUIET, tags=dict(tags), raise_on_error=True
    )
    return result.run_id


def _instance(data_dir: Path) -> dg.DagsterInstance:
    """The instance that a command with this data directory uses."""
    return opened(use_instance(data_dir))


def _server_seconds(data_dir: Path) -> float:
    """CPU seconds that the embedded PostgreSQL has used: the server's own, of its living and of its ended processes."""
    server = int((data_dir / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0])
    ticks = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == server or int(folder.name) == server:
            ticks += sum(int(value) for value in fields[11 : 15 if int(folder.name) == server else 13])
    return ticks / os.sysconf("SC_CLK_TCK")


def _step(name: str, data_dir: Path, base_day: str) -> int:
    """Runs a step in a process of its own; its exit code."""
    command = [sys.executable, "-m", "integration_assets_tests.benchmarks.unchanged_night"]
    command += ["--data-dir", str(data_dir), "--step", name, base_day]
    environment = {
        **os.environ,
        SETTINGS_FILE_VARIABLE: str(data_dir / "sandbox.json"),
        "INTEGRATION_DATA_DIR": str(data_dir),
    }
    return subprocess.run(command, env=environment, check=False).returncode


def filled(sandbox: RunningSandbox, data_dir: Path, customers: int) -> str:
    """The base day of the town of this size that is filled, now or by an earlier call."""
    mark = data_dir / DONE
    if mark.exists() and (done := json.loads(mark.read_text()))["customers"] == customers:
        return str(done["base_day"])
    began = time.monotonic()
    town = sandbox.post("/town", {"customers": customers, "seed": SEED})
    print(f"town of {customers:,} customers built in {time.monotonic() - began:.0f} s", flush=True)
    with ThreadPoolExecutor(1) as pool:
        filling = pool.submit(_step, "fill", data_dir, town["base_day"])
        while not filling.done():
            time.sleep(0.5)
            if (seconds := time.monotonic() - began) % 30 < 0.5:
                print(f"  filling … {seconds:.0f} s", flush=True)
    if filling.result():
        raise SystemExit("The first load failed.")
    print(f"filled after {time.monotonic() - began:.0f} s", flush=True)
    mark.write_text(json.dumps({"customers": customers, "base_day": town["base_day"]}))
    return str(town["base_day"])


def main() -> None:
    """Build, fill, measure; with --step (internal) one of these."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--data-dir", type=Path, help="keep the filled town here; default: a folder that is removed")
    parser.add_argument("--nights", type=int, default=1, help="measure so many nights")
    parser.add_argument("--step", nargs=2, metavar=("STEP", "DAY"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        {"fill": fill, "measure": measure}[options.step[0]](options.step[1], options.data_dir)
        return
    data_dir = (options.data_dir or Path(tempfile.mkdtemp(prefix="unchanged-night-"))).resolve()
    sandbox = start_in_background(SandboxOptions(data_dir=data_dir))
    try:
        base_day = filled(sandbox, data_dir, options.customers)
        failed = False
        for night in range(options.nights):
            sandbox.post("/requests/clear")
            moment = f"{datetime.now(UTC):%H:%M} UTC"
            print(f"night {night + 1} of {options.nights}, {options.customers:,} customers, {moment}")
            failed |= _step("measure", data_dir, base_day) != 0
            sent = {system: counts["total"] for system, counts in sandbox.get("/requests/summary").items()}
            print(f"requests to the outside systems: {sum(sent.values())} {sent or ''}")
            failed |= bool(sent)
    finally:
        sandbox.stop()
        if options.data_dir is None:
            shutil.rmtree(data_dir, ignore_errors=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

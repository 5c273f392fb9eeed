"""The plan against the run that follows it: the same figures, and nothing touched meanwhile."""

import contextlib
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from integration_assets.assets.kmd_ee import limits_of
from integration_assets.cache.engine import embedded_server_url
from integration_assets.cache.store import Cache
from integration_assets.cli import app
from integration_assets.cli.plan import show_plan
from integration_assets.clients.kmd_ee import KmdEe
from integration_assets.domain.addresses import resolve
from integration_assets.domain.addresses.washing.washed import UNIT
from integration_assets.domain.tables import ADDRESS_REGISTER, RESOLVED_CUSTOMERS
from integration_assets.flows.identity import object_ids
from integration_assets.flows.lookups import Lookups, Mandate
from integration_assets.flows.resolution import CustomerSources, resolve_customers
from integration_assets.flows.source import read_customers
from integration_assets.resources.cache import open_cache
from integration_assets.resources.registers import open_registers
from integration_assets.resources.washing import washing_resource
from integration_assets.sandbox.background import RunningSandbox, start_in_background
from integration_assets.sandbox.store import Store
from integration_assets.sandbox.systems import SandboxOptions
from integration_assets.settings import Settings
from integration_assets_tests.flows.town import Runs

CUSTOMERS, SEED = 60, 3
AREAS = ["2", "4", "5"]  # first digits of the postal codes that the sandbox towns lie on
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
KINDS = {"create": "created", "update": "updated", "end": "ended", "unchanged": "unchanged"}


@dataclass
class Facts:
    """What was seen, in the order of the fields."""

    exit_codes: dict[str, int]
    first: dict[str, Any]  # the plan of day 1
    printed: str  # the same for a person, with one sample per entity
    tables: tuple[dict[str, str], dict[str, str]]  # digests of the cache's tables before and after the first plan
    requests: tuple[dict[str, Any], dict[str, Any]]  # counters of the outside systems before and after it
    informed: dict[str, Any]  # the plan once the registers were asked
    steps: dict[str, dict[str, int]]  # what the run then did, by asset
    after: dict[str, Any]  # the plan after the run
    people: dict[str, Any]  # the person register
    customers: pl.DataFrame  # customer rows of the billing system
    given: pl.DataFrame  # what was let through
    run_id: str


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Facts]:
    folder = tmp_path_factory.mktemp("plan")
    sandbox = start_in_background(SandboxOptions(data_dir=folder, customers=CUSTOMERS, seed=SEED))
    try:
        yield _play(sandbox, folder)
    finally:
        sandbox.stop()


def _play(sandbox: RunningSandbox, folder: Path) -> Facts:
    base = date.fromisoformat(sandbox.post("/town", {"customers": CUSTOMERS, "seed": SEED})["base_day"])
    today, tomorrow = (_settings(sandbox, base + timedelta(days=day)) for day in (0, 1))
    runs = Runs(AREAS)
    runs.load_addresses(today)
    runs.main_flow(today)
    sandbox.post("/day", {"day": 1})
    cache = open_cache(tomorrow)
    try:
        tables, requests = [_digests(cache.engine)], [_counters(sandbox)]
        exit_code, printed = _printed(tomorrow)
        codes = {"all": exit_code, "unknown area": show_plan(["9"], 0, settings=tomorrow)}
        codes["json"], first = _plan(tomorrow)
        tables.append(_digests(cache.engine))
        requests.append(_counters(sandbox))
        customers = _ask_registers(tomorrow, cache)
        _, informed = _plan(tomorrow)
        # Every change in the CRM is one too many, until somebody lets them through.
        strict = tomorrow.model_copy(update={"crm_max_changes": 0})
        codes["stopped"], codes["let through"] = (
            show_plan([], 0, settings=strict, let_through=why, by="anna") for why in (None, "a day of moves")
        )
        run_id = runs.main_flow(strict)
        given = cache.let_throughs.all()
        journal = cache.journal.entries(run_id=run_id)
        steps = {step: json.loads(counts) for step, counts in journal.select("step", "counts").iter_rows()}
        _, after = _plan(tomorrow)
    finally:
        cache.close()
    people = Store(embedded_server_url(folder, "sandbox")).load("register:person")
    pairs = (tables[0], tables[1]), (requests[0], requests[1])
    return Facts(codes, first, printed, *pairs, informed, steps, after, people, customers, given, run_id)


def _settings(sandbox: RunningSandbox, day: date) -> Settings:
    known: dict[str, Any] = {name: value for name, value in sandbox.settings.items() if name in Settings.model_fields}
    return Settings(**known, business_day=day.isoformat(), supply_area_digits=1)


def _plan(settings: Settings) -> tuple[int, dict[str, Any]]:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        code = show_plan([], 1000, as_json=True, settings=settings)
    return code, json.loads(printed.getvalue())


def _printed(settings: Settings) -> tuple[int, str]:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        return show_plan([], 1, settings=settings), printed.getvalue()


def _digests(engine: sa.Engine) -> dict[str, str]:
    """A digest of the rows of every table, with the place of each row: an update in place shows too."""
    with engine.connect() as connection:
        names = connection.execute(sa.text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).scalars()
        query = "SELECT count(*) || md5(coalesce(string_agg(t.ctid || t.xmin::text || t::text, '' ORDER BY ctid), ''))"
        return {
            name: connection.execute(sa.text(f'{query} FROM public."{name}" AS t')).scalar_one() for name in names.all()
        }


def _counters(sandbox: RunningSandbox) -> dict[str, Any]:
    return {system: figures for system, figures in sandbox.get("/requests/summary").items() if system != "control"}


def _ask_registers(settings: Settings, cache: Cache) -> pl.DataFrame:
    """Asks what the next run would ask and records the outcome, but no rows; returns the customer rows."""
    as_of, ids, limits = date.fromisoformat(settings.business_day or ""), object_ids(settings), limits_of(settings)
    engine, registers = sa.create_engine(settings.need("kmd_ee_url")), open_registers(settings)
    try:
        customers = read_customers(KmdEe(engine), cache, AREAS, as_of, limits).rows
        register, washer = cache.read(ADDRESS_REGISTER), washing_resource(settings).washer(cache)
        sources = CustomerSources(
            customers=customers,
            consumption=resolve.consumption(customers, washer.components(customers, UNIT)).rows,
            washer=washer,
            addresses=lambda wanted: register.filter(pl.col("address_id").is_in(wanted.implode())),
            previous=cache.read(RESOLVED_CUSTOMERS, AREAS, include_vanished=True),
            rejected=cache.rejections.open("resolved/customers", AREAS),
        )
        mandate = Mandate(settings.completion_authority, settings.completion_legal_basis)
        lookups = Lookups(cache.answers, ids, registers, mandate, as_of=as_of, run_id="test")
        resolved = resolve_customers(sources, lookups, ids, as_of)
        cache.rejections.replace("resolved/customers", AREAS, resolved.rejections, as_of)
    finally:
        registers.close()
        engine.dispose()
    return customers


def _by_asset(plan: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """The plan's figures in the words of the journal; the links are counted within crm/agreements there."""
    figures = {
        f"{system}/{entity}": {KINDS[kind]: number for kind, number in counts.items() if kind in KINDS}
        for system, entities in plan["systems"].items()
        for entity, counts in entities.items()
    }
    links = figures.pop("crm/agreement_contacts")
    figures["crm/agreements"] |= {f"links_{kind}": number for kind, number in links.items()}
    return figures


def test_the_figures_are_those_of_the_run_that_follows(facts: Facts) -> None:
    planned = _by_asset(facts.informed)
    done = {asset: {kind: facts.steps[asset][kind] for kind in figures} for asset, figures in planned.items()}
    assert planned == done
    # The day was one on which something of each kind happened.
    totals = {kind: sum(figures[kind] for figures in done.values()) for kind in KINDS.values()}
    assert all(number > 0 for number in totals.values())


def test_what_was_let_through_is_what_the_guard_counted(facts: Facts) -> None:
    """Each entity of the CRM that changed was let through, for the number that its run then came to, and no other."""
    done = {asset: counts for asset, counts in facts.steps.items() if asset.startswith("crm/")}
    stopped = {asset for asset, counts in done.items() if counts["desired"] > counts["unchanged"]}
    given = facts.given.to_dicts()
    assert {f"{row['system']}/{row['entity']}" for row in given} == stopped
    for row in given:
        counts = done[f"{row['system']}/{row['entity']}"]
        assert row["most"] == counts["desired"] - counts["unchanged"] + Settings().tolerated_rows
        assert (row["given_by"], row["why"], row["areas_left"]) == ("anna", "a day of moves", [])
        assert (row["most_left"], row["run_ids"]) == (Settings().tolerated_rows, [facts.run_id])


def test_customers_who_need_a_look_up_are_counted_and_left_out(facts: Facts) -> None:
    assert facts.first["customers_waiting_for_lookups"] > 0
    assert facts.informed["customers_waiting_for_lookups"] == 0
    before, informed = _by_asset(facts.first), _by_asset(facts.informed)
    assert before["lora/customer_relations"]["created"] < informed["lora/customer_relations"]["created"]
    for asset, figures in before.items():
        assert figures["created"] <= informed[asset]["created"]


def test_a_plan_asks_nobody_and_writes_nothing(facts: Facts) -> None:
    assert facts.exit_codes == {"all": 0, "json": 0, "unknown area": 2, "stopped": 1, "let through": 0}
    assert len(facts.tables[0]) > 15
    assert facts.tables[0] == facts.tables[1]
    assert facts.requests[0] == facts.requests[1]


def test_a_person_reads_tables(facts: Facts) -> None:
    waiting = facts.first["customers_waiting_for_lookups"]
    assert re.search(rf"\b{waiting} customers? needs? a register look-up first; a plan asks nobody", facts.printed)
    for system in ("LoRa (registry)", "Dynamics CRM 365"):
        assert facts.printed.count(system) == 2  # figures and examples
    for entities in facts.first["systems"].values():
        for entity, counts in entities.items():
            figures = r"\s*│\s*".join(str(counts[kind]) for kind in KINDS)
            assert re.search(rf"│ {entity}\s*│\s*{figures}\s*│", facts.printed)


def test_after_the_run_there_is_nothing_left_to_do(facts: Facts) -> None:
    for figures in _by_asset(facts.after).values():
        assert {number for kind, number in figures.items() if not kind.endswith("unchanged")} == {0}
    assert facts.after["samples"] == []


def test_samples_show_fields_before_and_after(facts: Facts) -> None:
    samples = facts.informed["samples"]
    assert {sample["system"] for sample in samples} == {"lora", "crm"}
    ends = [sample for sample in samples if (sample["entity"], sample["field"]) == ("customer_relations", "valid_to")]
    assert any(sample["before"] is None and sample["after"] for sample in ends)
    created = facts.informed["systems"]["crm"]["accounts"]["create"]
    named = {
        s["business_key"] for s in samples if (s["entity"], s["change"], s["field"]) == ("accounts", "create", "name")
    }
    assert len(named) == created


def test_samples_hold_no_number_name_or_mail_of_the_town(facts: Facts) -> None:
    samples = [*facts.first["samples"], *facts.informed["samples"]]
    values = [str(sample[side]) for sample in samples for side in ("before", "after") if sample[side] is not None]
    texts = UUID.sub("uuid", "\n".join([*values, *(sample["business_key"] for sample in samples)]))
    assert not re.search(r"(?<!\d)\d{6}-?\d{4}(?!\d)", texts)
    for number in facts.people:
        assert number not in texts
    for column in ("email", "id_number", "co_id_number", "phone", "mobile"):
        for value in facts.customers.get_column(column).drop_nulls():
            assert value not in texts
    personal = " ".join(
        str(sample[side])
        for sample in samples
        for side in ("before", "after")
        if sample["entity"] in ("customers", "contacts")
    )
    words = set(re.findall(r"\w+", personal.lower()))
    names = [person[part] for person in facts.people.values() for part in ("first_name", "middle_name", "last_name")]
    names += facts.customers.get_column("name").drop_nulls().to_list()
    for name in filter(None, names):
        assert not words & set(re.findall(r"\w{3,}", name.lower())), "a name of the town is shown"


def test_missing_settings_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("SETTINGS_FILE", "KMD_EE_URL", "IDENTITY_KEY", "CIPHER_KEY"):
        monkeypatch.delenv(f"INTEGRATION_{name}", raising=False)
    result = CliRunner().invoke(app, ["plan", "5000", "--samples", "2", "--json"])
    assert result.exit_code == 3
    for name in ("INTEGRATION_KMD_EE_URL", "INTEGRATION_IDENTITY_KEY", "INTEGRATION_CIPHER_KEY"):
        assert name in result.stderr.replace("\n", "")
    assert result.stdout == ""
    assert list(tmp_path.iterdir()) == []

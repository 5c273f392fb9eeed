"""A town in a running sandbox and the product set up against it: what the end-to-end tests play with.

Everything is real: the sandbox is a process of its own, the systems answer over HTTP, the cache is a PostgreSQL
database. Only the Dagster instance is kept in memory, because its history is nothing that these tests look at.
"""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import dagster as dg
import httpx
from rich.console import Console

from integration_assets.automation.jobs import address_register
from integration_assets.automation.sensors import range_requests
from integration_assets.cli.runner import DayRunner
from integration_assets.partitions import ALL_MUNICIPALITIES, SUPPLY_AREAS
from integration_assets.resources.cache import open_cache
from integration_assets.sandbox.verify import compare, compare_accounts, compare_facts, compare_rejections, read_truth
from integration_assets.sandbox.verify_read import Crm, registry_objects
from integration_assets.settings import Settings

Json = dict[str, Any]

AREAS = ("2", "4", "5")
"""Supply areas of the sandbox town when one digit of the postal code names them."""

QUICK = {
    "supply_area_digits": 1,
    "retry_base_seconds": 0.05,
    "http_first_pause_seconds": 0.02,
}
"""Settings that make a test quick: few supply areas, short pauses before a second try."""

LORA_CLASSES = (
    "organisation/bruger",
    "organisation/organisation",
    "organisation/interessefaellesskab",
    "organisation/organisationfunktion",
    "klassifikation/klasse",
    "indsats/indsats",
)
CRM_SETS = {
    "contacts": "contactid",
    "accounts": "accountid",
    "ava_adresses": "ava_adresseid",
    "ava_kunderolles": "ava_kunderolleid",
    "ava_aftales": "ava_aftaleid",
    "ava_installations": "ava_installationid",
}
"""Entity sets by name, with their primary key."""

CHANGING = frozenset({"createdon", "modifiedon", "versionnumber", "@odata.etag"})
"""CRM columns that say when something was written, not what."""


@dataclass
class World:
    """One town. `given` are the product's settings; `cursors` what the sensors remember from day to day."""

    control_url: str
    systems: Mapping[str, str]
    given: Json
    cursors: dict[str, str] = field(default_factory=dict)
    base_day: date = date.min

    def build(self, customers: int, seed: int) -> None:
        """Empties the sandbox and builds a town; the cache is expected to be empty."""
        self.post("/reset")
        self.base_day = date.fromisoformat(self.post("/town", {"customers": customers, "seed": seed})["base_day"])

    def settings(self, day: int) -> Settings:
        """The product's settings on a day of the town."""
        return Settings(**self.given_on(day))

    def given_on(self, day: int) -> Json:
        """The settings as plain values, for another process."""
        return {**self.given, "business_day": (self.base_day + timedelta(days=day)).isoformat()}

    def play(self, day: int) -> Json:
        """Plays a day of the town and has the person register deliver its events; what the day touched."""
        events = self.post("/day", {"day": day})
        self.post("/deliver-events", {})
        return events

    def run_day(self, day: int) -> None:
        """What sensors do on a day, until they ask for nothing more."""
        with played(self.settings(day), self.cursors) as runner:
            runner.until_quiet()

    def run_all_areas(self) -> None:
        """One run of the main job over all supply areas, on the first day."""
        with played(self.settings(0), self.cursors) as runner:
            runner.carry_out(range_requests(AREAS, AREAS, self.base_day, run_key=str(time.time_ns())))

    def run_nightly(self, day: int) -> None:
        """What the nightly schedule does."""
        # Schedules do not take an instance that lives in memory.
        with dg.DagsterInstance.local_temp() as instance, played(self.settings(day), self.cursors, instance) as runner:
            runner.nightly()

    def load_addresses(self) -> None:
        """Loads the address register, as its sensor does, and nothing else."""
        with played(self.settings(0), self.cursors) as runner:
            runner.carry_out([dg.RunRequest(job_name=address_register.name, tags=ALL_MUNICIPALITIES)])

    def run_area(self, day: int, area: str) -> None:
        """A run of one supply area."""
        with played(self.settings(day), self.cursors) as runner:
            runner.carry_out(area_requests(area, self.settings(day)))

    def differences(self) -> list[str]:
        """What registry, CRM and open rejections hold otherwise than the truth, as sentences."""
        found = compare(self.control_url, self.systems, self.given)
        found += compare_rejections(self.truth(), self.open_rejections())
        return [str(difference) for difference in found]

    def fact_differences(self) -> list[str]:
        """Facts of installations that say something else today than the truth, as sentences."""
        truth, cache = self.truth(), open_cache(self.settings(0))
        try:
            facts = cache.facts.on_day(date.fromisoformat(truth["as_of"]))
        finally:
            cache.close()
        return [str(difference) for difference in compare_facts(truth, facts)]

    def account_differences(self) -> list[str]:
        """Installation accounts that show something else today than the truth, as sentences."""
        truth, cache = self.truth(), open_cache(self.settings(0))
        try:
            accounts = cache.accounts.rows(None).to_dicts()
        finally:
            cache.close()
        return [str(difference) for difference in compare_accounts(truth, accounts)]

    def open_rejections(self) -> list[tuple[str, str, str]]:
        """Open rejections: asset, record key, reason."""
        cache = open_cache(self.settings(0))
        try:
            return cache.rejections.open(None, None).select("asset", "record_key", "reason").rows()
        finally:
            cache.close()

    def truth(self) -> Json:
        """The truth of the town's day."""
        return read_truth(self.control_url)

    def mark(self) -> int:
        """The number of the latest request, to ask for those after it."""
        return max((entry["n"] for entry in self.get("/requests")["requests"]), default=0)

    def requests(self, since: int = 0) -> list[Json]:
        """The logged requests numbered above `since`."""
        return self.get(f"/requests?since={since}")["requests"]

    def content(self) -> Json:
        """All that CRM and registry hold, by class and id, without the moments of writing."""
        found: Json = {}
        with Crm(self.given) as crm:
            for name, key in CRM_SETS.items():
                rows = ({k: v for k, v in row.items() if k not in CHANGING} for row in crm.rows(name))
                found[name] = {row[key]: row for row in rows}
            found["links"] = crm.linked("ava_aftales", "ava_aktoerens_aftaler", found["ava_aftales"], "contactid")
        for name in LORA_CLASSES:
            found[name] = {
                each.id: [each.pieces(), each.extension] for each in registry_objects(self.systems["lora"], name)
            }
        return found

    def get(self, path: str) -> Any:
        """JSON answer of the control system."""
        return httpx.get(self.control_url + path, timeout=600).raise_for_status().json()

    def post(self, path: str, body: Any = None) -> Any:
        """Sends JSON to the control system; its JSON answer."""
        return httpx.post(self.control_url + path, json=body or {}, timeout=600).raise_for_status().json()


@contextmanager
def played(
    settings: Settings, cursors: dict[str, str], instance: dg.DagsterInstance | None = None
) -> Iterator[DayRunner]:
    """A runner whose Dagster instance (by default one of its own, in memory) knows the supply areas."""
    with instance or dg.DagsterInstance.ephemeral() as used:
        used.add_dynamic_partitions(str(SUPPLY_AREAS.name), list(AREAS))
        yield DayRunner(settings, cursors, Console(stderr=True, width=200), used)


def area_requests(area: str, settings: Settings) -> list[dg.RunRequest]:
    """What a sensor asks for when one supply area changed."""
    as_of = date.fromisoformat(str(settings.business_day))
    return range_requests([area], AREAS, as_of, run_key=f"{area}:{time.time_ns()}")


def writes(requests: list[Json]) -> list[Json]:
    """Those of the logged requests that wrote something in LoRa or the CRM."""
    return [each for each in requests if each["system"] in ("lora", "dataverse") and each["kind"] == "write"]


def shown(differences: list[str]) -> str:
    """The differences for the message of a failed test."""
    return json.dumps(differences[:20], indent=1, ensure_ascii=False)

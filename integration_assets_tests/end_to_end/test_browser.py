"""A person at the screen: `integration-assets ui`, a browser, one supply area materialized by clicking.

`ASSET_GRAPH_PICTURE=docs/asset_graph.png pytest …/test_browser.py` also takes the picture of the README.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
from playwright.sync_api import Browser, FloatRect, Page, expect  # noqa: E402 - after the skip

BROWSERS = [Path(path) for path in ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")]
AREA = "4"
CUSTOMERS = 40
START_SECONDS = 240
RUN_SECONDS = 240


@dataclass
class Ui:
    """A running `integration-assets ui`."""

    url: str
    pages_url: str
    data_dir: Path
    process: "subprocess.Popen[bytes]"

    def settings(self) -> dict[str, str]:
        """The settings of its sandbox."""
        return json.loads((self.data_dir / "sandbox.json").read_text())["settings"]


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    """The command with a town of its own, ended by a signal as Ctrl-C would."""
    if _browser_path() is None:
        pytest.skip(f"no browser at {', '.join(map(str, BROWSERS))}")
    data_dir = tmp_path_factory.mktemp("ui")
    port, pages_port = _free_port(), _free_port()
    command = [sys.executable, "-m", "integration_assets.cli.app", "ui", "--port", str(port)]
    command += ["--pages-port", str(pages_port)]
    output = data_dir / "ui.out"
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("INTEGRATION_", "DAGSTER_"))}
    with output.open("wb") as file:
        process = subprocess.Popen(
            [*command, "--customers", str(CUSTOMERS), "--data-dir", str(data_dir)],
            env={**bare, "INTEGRATION_SUPPLY_AREA_DIGITS": "1"},
            stdout=file,
            stderr=file,
        )
    try:
        _wait_for(lambda: b"Ctrl-C" in output.read_bytes() or process.poll() is not None, START_SECONDS)
        assert process.poll() is None, output.read_text()
        yield Ui(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{pages_port}", data_dir, process)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            code = process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert code == 0, output.read_text()
    assert _processes_of(data_dir) == [], "the command has left something running"


@pytest.fixture(scope="module")
def page(ui: Ui) -> Iterator[Page]:
    """A page of a headless browser."""
    assert ui.process.poll() is None
    with playwright.sync_playwright() as driver:
        browser: Browser = driver.chromium.launch(executable_path=str(_browser_path()), args=["--no-sandbox"])
        sharpness = 2 if "ASSET_GRAPH_PICTURE" in os.environ else 1
        # A browser without a language shows an empty page here.
        context = browser.new_context(
            locale="en-GB", viewport={"width": 1700, "height": 1000}, device_scale_factor=sharpness
        )
        context.set_default_timeout(30_000)
        yield context.new_page()
        browser.close()


GROUPS = (
    *("sources", "addresses", "kmd_ee", "resolved", "notifications", "lora", "cache", "crm", "billing", "claims"),
    *("targets", "drift", "supervision"),
)


def test_the_graph_leads_from_sources_to_targets(ui: Ui, page: Page) -> None:
    page.goto(f"{ui.url}/asset-groups")
    boxes: dict[str, FloatRect] = {}
    for group in GROUPS:
        # The name stands in the list on the left and in the graph.
        node = page.get_by_text(group, exact=True).locator("visible=true").last
        node.wait_for()
        page.wait_for_timeout(300)  # the graph glides into its place
        box = node.bounding_box()
        assert box is not None
        boxes[group] = box
    order = ["sources", "kmd_ee", "resolved", "lora", "cache", "crm", "targets"]
    from_left = sorted(order, key=lambda group: boxes[group]["x"])
    assert from_left == order
    if picture := os.environ.get("ASSET_GRAPH_PICTURE"):
        _take_picture(page, list(boxes.values()), Path(picture))


def test_an_area_is_materialized_by_clicking(ui: Ui, page: Page) -> None:
    assert _contacts(ui) == []
    page.goto(f"{ui.url}/locations/integration_assets/jobs/main_flow")
    page.get_by_role("button", name="Materialize all").first.click()
    page.get_by_text("Select a partition or create one").click()
    page.get_by_text(AREA, exact=True).locator("visible=true").last.click()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Launch 1 run").click()
    page.get_by_text(re.compile(r"Launched run \w+")).wait_for()
    page.get_by_role("button", name="View", exact=True).or_(page.get_by_role("link", name="View", exact=True)).click()
    ended = page.get_by_text(re.compile(r"^(Success|Failure|Canceled)$")).locator("visible=true").first
    ended.wait_for(timeout=RUN_SECONDS * 1000)
    assert ended.inner_text() == "Success"
    assert _contacts(ui), "the contacts stand in the CRM"


def test_the_materialization_tells_what_it_did(ui: Ui, page: Page) -> None:
    page.goto(f"{ui.url}/assets/cache/contacts?view=partitions&partition={AREA}")
    page.get_by_text("dagster/partition_row_count", exact=True).wait_for()
    shown = page.inner_text("body")
    for name in ("Materialized", "read_back", "new", "changed", "unchanged", "vanished", "preview"):
        assert name in shown
    rows = int(_after(shown, "dagster/partition_row_count"))
    assert rows == int(_after(shown, "new")) == len(_contacts(ui))
    for contact in _contacts(ui):
        assert contact["ava_cpr_nummer"] is None or contact["ava_cpr_nummer"] not in shown
        for name in (contact["firstname"], contact["lastname"]):
            assert name is None or len(name) < 4 or not re.search(rf"\b{re.escape(name)}\b", shown)


def test_the_pages_show_what_the_run_left_and_lead_into_dagster(ui: Ui, page: Page) -> None:
    page.goto(f"{ui.pages_url}/trends")
    expect(page.get_by_role("img", name="Objects delivered to registry and CRM").locator("rect").first).to_be_visible()
    page.get_by_role("link", name="All runs in Dagster").click()
    page.wait_for_url(f"{ui.url}/runs*")


def test_columns_tell_where_they_come_from(ui: Ui, page: Page) -> None:
    page.goto(f"{ui.url}/assets/cache/contacts")
    page.get_by_text("lora/customers.number").first.wait_for()
    expect(page.get_by_role("link", name=re.compile(r"read_back\.py in editor"))).to_be_visible()


def _after(text: str, name: str) -> str:
    """The value that the page shows beside a name."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[lines.index(name) + 1]


def _contacts(ui: Ui) -> list[dict[str, Any]]:
    """The contacts of the CRM, as a program of others reads them."""
    settings = ui.settings()
    form = {
        "grant_type": "client_credentials",
        "client_id": settings["crm_client_id"],
        "client_secret": settings["crm_client_secret"],
        "scope": settings["crm_scope"],
    }
    with urllib.request.urlopen(settings["crm_token_url"], urllib.parse.urlencode(form).encode(), timeout=30) as answer:
        token = json.load(answer)["access_token"]
    columns = "contactid,firstname,lastname,ava_cpr_nummer"
    request = urllib.request.Request(
        f"{settings['crm_url']}/api/data/v9.2/contacts?$select={columns}", headers={"Authorization": f"Bearer {token}"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        rows: list[dict[str, Any]] = json.load(answer)["value"]
    return rows


def _take_picture(page: Page, boxes: Sequence[FloatRect], target: Path) -> None:
    """The graph of the groups, without the frame of the application."""
    margin = 40
    left, top = min(box["x"] for box in boxes), min(box["y"] for box in boxes)
    right, bottom = max(box["x"] + box["width"] for box in boxes), max(box["y"] + box["height"] for box in boxes)
    target.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(
        path=str(target),
        clip={
            "x": left - margin,
            "y": top - margin,
            # The box of a group reaches further than its name.
            "width": right - left + 3 * margin + 60,
            "height": bottom - top + 2 * margin,
        },
    )


def _browser_path() -> Path | None:
    return next((path for path in BROWSERS if path.exists()), None)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _processes_of(data_dir: Path) -> list[str]:
    """Command lines of processes that belong to the data directory."""
    found: list[str] = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            home = (entry / "environ").read_bytes()
        except OSError:
            continue
        if int(entry.name) != os.getpid() and (str(data_dir) in command or f"DAGSTER_HOME={data_dir}".encode() in home):
            found.append(command)
    return found


def _wait_for(condition: Callable[[], object], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.2)

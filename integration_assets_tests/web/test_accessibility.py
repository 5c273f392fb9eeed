"""axe-core finds nothing serious on any page, light and dark."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from integration_assets_tests.web.browsers import opened, running_browser

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")

PATHS = ("/", "/?folder=Varme", "/?wall=1", "/worklist", "/worklist?number=nothing", "/worklist/rejection/1",
         "/worklist/delivery/crm/contacts/7d0e4a34-5a5f-8a68-9c0b-0d4b3a1f2c11", "/numbers", "/customers/200001",
         "/installations/5000001", "/trends", "/nowhere")  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as running:
        yield running


CONTRAST = {"runOnly": ["color-contrast"]}
"""The dark mode differs by its colours only."""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_no_page_has_a_serious_finding(browser: Browser, pages: str, dark: bool) -> None:
    found: list[str] = []
    options = CONTRAST if dark else {"resultTypes": ["violations"]}
    with opened(browser, dark=dark) as page:
        for path in PATHS[::3] if dark else PATHS:
            page.goto(pages + path)
            for each in page.locator("details").all():
                each.evaluate("element => { element.open = true }")
            for violation in axe.Axe().run(page, options=options).response["violations"]:
                nodes = [node["html"][:120] for node in violation["nodes"][:3]]
                found.append(f"{path}: {violation['impact']} {violation['id']}: {nodes}")
    assert [each for each in found if " serious " in each or " critical " in each] == []
    assert found == []

"""A headless browser, with and without JavaScript."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
from playwright.sync_api import Browser, Page  # noqa: E402 - after the skip

BROWSERS = [Path(path) for path in ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")]


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Chromium; skips where there is none."""
    path = next((path for path in BROWSERS if path.exists()), None)
    if path is None:
        pytest.skip(f"no browser at {', '.join(map(str, BROWSERS))}")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(path), args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def opened(browser: Browser, *, javascript: bool = True, locale: str = "en-GB", dark: bool = False) -> Iterator[Page]:
    """A page of a fresh visitor. What the browser complains of (refused scripts, errors, dialogs) fails the test."""
    context = browser.new_context(
        locale=locale,
        java_script_enabled=javascript,
        color_scheme="dark" if dark else "light",
        viewport={"width": 1360, "height": 900},
    )
    context.set_default_timeout(10_000)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if "Content Security Policy" in said.text else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
    yield page
    context.close()
    assert complaints == []

"""The document of the settings is the settings; the command shows no secret."""

import os
import subprocess
import sys
from pathlib import Path

from integration_assets.cli.settings_table import document
from integration_assets.settings import Settings

DOCUMENT = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_document_is_up_to_date() -> None:
    """Else: `integration-assets settings --markdown > docs/configuration.md`."""
    assert DOCUMENT.read_text(encoding="utf-8").rstrip("\n") == document().rstrip("\n")


def test_every_setting_is_explained_once() -> None:
    names = [line.split("`")[1].lower() for line in document().splitlines() if line.startswith("| `")]
    assert sorted(names) == sorted(Settings.model_fields)
    assert all(field.description for field in Settings.model_fields.values())


def test_the_command_shows_what_is_in_force_and_no_secret(tmp_path: Path) -> None:
    given = {
        "INTEGRATION_LORA_WORKERS": "13",
        "INTEGRATION_CRM_CLIENT_SECRET": "hush-1",
        "INTEGRATION_CRM_FURTHER_USERS": '{"second-user": "hush-2"}',
        "INTEGRATION_CACHE_URL": "postgresql://user:hush-3@server/cache",
    }
    shown = subprocess.run(
        [sys.executable, "-m", "integration_assets.cli.app", "settings"],
        cwd=tmp_path,
        env={**os.environ, **given},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "hush" not in shown
    assert "second-user: (given)" in shown
    assert any("LORA_WORKERS" in line and "13" in line for line in shown.splitlines())

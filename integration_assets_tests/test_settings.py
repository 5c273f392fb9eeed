"""Where configuration comes from, and that secrets stay secret."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from integration_assets.resources.adressevask import AdressevaskResource
from integration_assets.resources.dawa import DawaResource
from integration_assets.settings import MissingSetting, Settings


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"INTEGRATION_{name.upper()}", raising=False)
    monkeypatch.delenv("INTEGRATION_SETTINGS_FILE", raising=False)


def settings_file(folder: Path, **values: str) -> Path:
    path = folder / "sandbox.json"
    path.write_text(json.dumps({"settings": values}))
    return path


def test_code_loads_without_any_setting() -> None:
    assert Settings().lora_url is None
    assert Settings().utility == "Varme"


def test_the_environment_beats_the_dotenv_file_and_that_the_json_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = settings_file(tmp_path, lora_url="http://json", crm_url="http://json", kmd_ee_url="postgresql://json")
    monkeypatch.setenv("INTEGRATION_SETTINGS_FILE", str(path))
    (tmp_path / ".env").write_text("INTEGRATION_LORA_URL=http://dotenv\nINTEGRATION_CRM_URL=http://dotenv\n")
    monkeypatch.setenv("INTEGRATION_LORA_URL", "http://environment")

    settings = Settings()

    assert settings.lora_url == "http://environment"
    assert settings.crm_url == "http://dotenv"
    assert settings.need("kmd_ee_url") == "postgresql://json"


def test_a_json_file_may_know_more_than_we_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("INTEGRATION_SETTINGS_FILE", str(settings_file(tmp_path, something_new="1", utility="Affald")))
    assert Settings().utility == "Affald"


def test_a_missing_setting_is_named_with_the_way_to_give_it() -> None:
    with pytest.raises(MissingSetting, match="INTEGRATION_IDENTITY_KEY"):
        Settings().need("identity_key")


def test_secrets_do_not_show() -> None:
    shown = repr(Settings(cipher_key="very-secret", kmd_ee_url="mssql+pyodbc://user:pass@host/db"))
    assert "very-secret" not in shown
    assert "user:pass" not in shown


def test_addresses_are_resolved_by_our_own_register_unless_another_provider_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert (Settings().address_provider, Settings().address_second_opinion) == ("local", "none")
    monkeypatch.setenv("INTEGRATION_ADDRESS_PROVIDER", "dawa")
    monkeypatch.setenv("INTEGRATION_ADDRESS_SECOND_OPINION", "adressevask")
    assert (Settings().address_provider, Settings().address_second_opinion) == ("dawa", "adressevask")
    monkeypatch.setenv("INTEGRATION_ADDRESS_PROVIDER", "google")
    with pytest.raises(ValidationError, match="address_provider"):
        Settings()


def test_adressevask_is_never_asked_more_than_sixteen_questions_at_once() -> None:
    with pytest.raises(ValidationError, match="adressevask_parallel"):
        Settings(adressevask_parallel=17)


def test_the_other_address_services_open_with_what_the_settings_name() -> None:
    bare = Settings()
    with pytest.raises(MissingSetting, match="INTEGRATION_DAWA_URL"):
        DawaResource(settings=bare).get()
    with pytest.raises(MissingSetting, match="INTEGRATION_ADRESSEVASK_URL"):
        AdressevaskResource(settings=bare).get()
    named = Settings(dawa_url="http://dawa", adressevask_url="http://vask", adressevask_token="ten-characters")
    for resource in (DawaResource(settings=named), AdressevaskResource(settings=named)):
        assert resource.get() is resource.get()
        resource.get().close()
    assert "ten-characters" not in repr(named)

"""How the registry is opened from the settings: the login, and the dialect that it is asked for once."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from pydantic import SecretStr, ValidationError

from integration_assets.domain.registry.dialect import EXTENDED, PLAIN, UnfitRegistry
from integration_assets.resources.lora import LoraResource
from integration_assets.sandbox.lora_classes import classes
from integration_assets.sandbox.lora_fields import site_map, structure
from integration_assets.settings import MissingSetting, Settings
from integration_assets_tests.clients.wire import Reply, Script, Seen, serving


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"INTEGRATION_{name.upper()}", raising=False)
    monkeypatch.delenv("INTEGRATION_SETTINGS_FILE", raising=False)


def resource(url: str, **values: Any) -> LoraResource:
    return LoraResource(settings=Settings(lora_url=url, http_attempts=1, **values))


def sent_by(**values: Any) -> str | None:
    """The Authorization header that goes out with these settings."""
    with serving([Reply(200, {"site-map": []})]) as server:
        resource(server.url, **values).get().get_site_map()
    return server.seen[0].headers.get("authorization")


def test_the_login_is_a_header_a_bearer_token_or_none() -> None:
    assert sent_by() is None
    assert sent_by(lora_token="saml-gzipped H4sIA+/=") == "saml-gzipped H4sIA+/="
    assert sent_by(lora_auth="bearer", lora_token="eyJh.eyJz.c2ln\n") == "Bearer eyJh.eyJz.c2ln"
    assert sent_by(lora_auth="none", lora_token="saml-gzipped H4sIA") is None
    assert sent_by(lora_token=" ") is None


def test_a_bearer_needs_its_token() -> None:
    with pytest.raises(MissingSetting, match="lora_token"):
        resource("http://127.0.0.1:1", lora_auth="bearer").get()


def test_a_wrapped_token_is_refused_unseen() -> None:
    with pytest.raises(ValidationError, match="lora_token") as refused:
        Settings(lora_token=SecretStr("saml-gzipped H4sI\nAAAA"))
    assert "H4sI" not in str(refused.value)


def registry(*, extended: bool, without: str = "") -> Script:
    """A registry that tells of itself and holds nothing."""
    specs = {path: spec for path, spec in classes(extended=extended).items() if path != without}

    def answer(seen: Seen) -> Reply:
        if seen.path == "/site-map":
            return Reply(200, site_map(specs.values()))
        return Reply(200, structure(specs[seen.path.removeprefix("/").removesuffix("/fields")]))

    return answer


@pytest.mark.parametrize("extended", [False, True])
def test_the_dialect_is_learned_once(extended: bool) -> None:
    with serving(registry(extended=extended)) as server:
        lora = resource(server.url)
        assert lora.dialect() is lora.dialect() is (EXTENDED if extended else PLAIN)
        assert len(server.seen) == 7
        lora.teardown_after_execution(dg.build_init_resource_context())
        lora.dialect()
        assert len(server.seen) == 14


def test_a_registry_without_agreements_is_refused() -> None:
    with (
        serving(registry(extended=True, without="indsats/indsats")) as server,
        pytest.raises(UnfitRegistry, match="indsats/indsats"),
    ):
        resource(server.url).dialect()

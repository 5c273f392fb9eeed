"""`integration-assets web`: served to known people only, and refused in a sentence."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx

from integration_assets_tests.web.conftest import free_port


def command(data_dir: Path, *options: str, **settings: str) -> "subprocess.Popen[str]":
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("INTEGRATION_", "DAGSTER_"))}
    return subprocess.Popen(
        [sys.executable, "-m", "integration_assets.cli.app", "web", "--data-dir", str(data_dir), *options],
        env={**bare, **{f"INTEGRATION_{name.upper()}": value for name, value in settings.items()}},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=data_dir,
    )


def test_an_unsafe_or_unfinished_set_up_is_refused(tmp_path: Path) -> None:
    key = "k" * 20
    refusals = [
        (command(tmp_path, "--host", "0.0.0.0", cipher_key=key), 2, "INTEGRATION_WEB_LOGIN"),
        (command(tmp_path, web_login="oidc", cipher_key=key), 2, "INTEGRATION_WEB_OIDC_ISSUER"),
        (command(tmp_path), 3, "INTEGRATION_CIPHER_KEY"),
    ]
    for process, code, says in refusals:
        told, trouble = process.communicate(timeout=60)
        assert (process.returncode, told) == (code, "")
        assert says in trouble
        assert "Traceback" not in trouble


def test_it_serves_until_it_is_asked_to_end(cache_url: str, tmp_path: Path) -> None:
    port = free_port()
    process = command(tmp_path, "--port", str(port), cipher_key="k" * 20, cache_url=cache_url)
    assert process.stdout is not None
    try:
        assert f"http://127.0.0.1:{port}" in process.stdout.readline()
        answer = httpx.Client(verify=False, transport=httpx.HTTPTransport(retries=20, verify=False)).get(
            f"http://127.0.0.1:{port}/", headers={"accept-language": "fr"}
        )
        assert answer.status_code == 200
        assert "Le processus de supervision n’a encore enregistré aucun dossier." in answer.text
    finally:
        process.send_signal(signal.SIGTERM)
    assert process.wait(30) in (0, -signal.SIGTERM)

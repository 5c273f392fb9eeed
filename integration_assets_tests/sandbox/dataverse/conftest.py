"""One CRM sandbox for all tests of this folder; every test starts with an empty organisation."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.types import ASGIApp

from integration_assets.cache.engine import embedded_server_url
from integration_assets.sandbox import dataverse
from integration_assets.sandbox.faults import Boundary, FaultPlan, Faults
from integration_assets.sandbox.requests import RequestLog
from integration_assets.sandbox.store import Store
from integration_assets.sandbox.systems import SandboxOptions
from integration_assets_tests.sandbox.dataverse.api import CLIENT_ID, CLIENT_SECRET, Api, get_token
from integration_assets_tests.sandbox.loopback import running


@pytest.fixture(scope="session")
def store_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return embedded_server_url(tmp_path_factory.mktemp("crm"), "sandbox")


@pytest.fixture(scope="session")
def store(store_url: str) -> Iterator[Store]:
    store = Store(store_url)
    yield store
    store.close()


@pytest.fixture(scope="session")
def log() -> RequestLog:
    return RequestLog()


@pytest.fixture(scope="session")
def faults() -> Faults:
    return Faults(FaultPlan())


@pytest.fixture(scope="session")
def organisation(store: Store, log: RequestLog, faults: Faults) -> ASGIApp:
    settings = {"crm_client_id": CLIENT_ID, "crm_client_secret": CLIENT_SECRET}
    application = dataverse.build(store, SandboxOptions(data_dir=Path("unused"), settings=settings))
    return Boundary(application, "dataverse", faults, log, dataverse.fault_body)


@pytest.fixture(scope="session")
def server(organisation: ASGIApp) -> Iterator[str]:
    with running(organisation) as url:
        yield url


@pytest.fixture(scope="session")
def token(server: str) -> str:
    return get_token(server).json()["access_token"]


@pytest.fixture
def api(server: str, token: str, store: Store, log: RequestLog) -> Iterator[Api]:
    store.clear()
    log.clear()
    headers = {
        "Authorization": f"Bearer {token}",
        "Accept": "application/json",
        "OData-MaxVersion": "4.0",
        "OData-Version": "4.0",
        "If-None-Match": "null",
    }
    with httpx.Client(base_url=f"{server}/api/data/v9.2/", headers=headers, timeout=30) as client:
        yield Api(client)

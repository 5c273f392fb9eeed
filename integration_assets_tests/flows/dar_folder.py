"""A folder with download files of a small address register, as the sandbox's service gives them."""

import uuid
from pathlib import Path

from integration_assets.cache.engine import embedded_server_url
from integration_assets.clients.address_register import AddressRegister
from integration_assets.sandbox import address_files, address_sample
from integration_assets.sandbox.store import Store
from integration_assets.sandbox.systems import SandboxOptions
from integration_assets_tests.clients.wire import FAST
from integration_assets_tests.sandbox.loopback import running

POSTCODES = frozenset({"2791", "4200", "5000"})
_KEY = "a-key"


def fill(folder: Path, server_dir: Path) -> dict[str, str]:
    """Fetches the files of the houses of POSTCODES into `folder`; returns the lines of current units by their id."""
    store = Store(embedded_server_url(server_dir, f"folder_{uuid.uuid4().hex}"))
    units, access = address_sample.load()
    houses = {row["id"]: row for row in access if row["postcode"] in POSTCODES}
    own = {row["id"]: row for row in units if row["access_id"] in houses}
    store.put_many("register:access", houses)
    store.put_many("register:unit", own)
    options = SandboxOptions(data_dir=Path("unused"), settings={"address_register_key": _KEY})
    with running(address_files.build(store, options)) as url:
        client = AddressRegister(url, _KEY, policy=FAST)
        client.fetch_totals(folder, "current")
        client.close()
    store.close()
    return {key: _line(row, houses[row["access_id"]]) for key, row in own.items() if row["status"] == 3}


def _line(unit: dict[str, str | None], house: dict[str, str | None]) -> str:
    """ "Vestergade 4, 2. tv, 5000 Odense C" """
    floor = f"{unit['floor']}." if unit["floor"] else None
    inside = " ".join(part for part in (floor, unit["door"]) if part)
    parts = (f"{house['street_name']} {house['house_number']}", inside, house["supplementary_town"])
    return ", ".join([*(part for part in parts if part), f"{house['postcode']} {house['district']}"])

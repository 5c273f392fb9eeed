"""Keeping our copy of the address register: wholes, deltas, failures, and files in a folder."""

import json
import random
import uuid
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from integration_assets.cache.engine import embedded_server_url
from integration_assets.cache.register_checks import Limits, RegisterRefused
from integration_assets.cache.register_store import RegisterStore
from integration_assets.clients.address_files import ENTITIES
from integration_assets.clients.address_register import AddressRegister
from integration_assets.clients.http import PermanentError, TransientError
from integration_assets.domain.addresses.dar_tables import Kind
from integration_assets.domain.addresses.flat_register import flat
from integration_assets.domain.addresses.ids import halves
from integration_assets.domain.addresses.register import ACCESS, PLACES, UNITS, RegisterFrames
from integration_assets.domain.tables import ADDRESS_REGISTER
from integration_assets.flows.address_register import frames_of_folder, load_folder, load_register
from integration_assets.sandbox import address_changes, address_files, address_sample
from integration_assets.sandbox.store import Store
from integration_assets.sandbox.systems import SandboxOptions
from integration_assets_tests.clients.wire import FAST
from integration_assets_tests.sandbox.loopback import running

KEY = "a-key"
# The sample has 2,820 units: nothing of what these tests change on purpose is to be refused.
LAX = Limits(max_vanished_share=0.5, max_homeless_share=0.5)


class Country:
    """A sandbox register of a few houses in three towns, served over HTTP."""

    def __init__(self, store: Store, client: AddressRegister) -> None:
        self.store = store
        self.client = client

    def units(self) -> list[dict[str, Any]]:
        return list(self.store.load("register:unit").values())

    def houses(self) -> dict[str, dict[str, Any]]:
        return self.store.load("register:access")


@pytest.fixture
def country(server_dir: Path) -> Iterator[Country]:
    store = Store(embedded_server_url(server_dir, f"register_{uuid.uuid4().hex}"))
    units, access = address_sample.load()
    houses = {row["id"]: row for row in access if row["postcode"] in {"2791", "4200", "5000"}}
    store.put_many("register:access", houses)
    store.put_many("register:unit", {row["id"]: row for row in units if row["access_id"] in houses})
    options = SandboxOptions(data_dir=Path("unused"), settings={"address_register_key": KEY})
    with running(address_files.build(store, options)) as url:
        client = AddressRegister(url, KEY, policy=FAST)
        yield Country(store, client)
        client.close()
    store.close()


def current_texts(frames: RegisterFrames) -> set[tuple[Any, ...]]:
    """Id, road, house, floor, door, postcode and status of the units of today."""
    rows = flat(frames).filter(pl.col("kind") == "unit")
    return set(
        rows.select("address_id", "street_name", "house_number", "floor", "door", "postcode", "status").iter_rows()
    )


def expected_texts(country: Country) -> set[tuple[Any, ...]]:
    houses = country.houses()
    return {
        (
            unit["id"],
            (house := houses[unit["access_id"]])["street_name"],
            house["house_number"],
            unit["floor"],
            unit["door"],
            house["postcode"],
            unit["status"],
        )
        for unit in country.units()
    }


def assert_same(one: RegisterFrames, other: RegisterFrames) -> None:
    assert one.generation == other.generation
    for part in ("places", "access", "units"):
        assert_frame_equal(getattr(one, part), getattr(other, part))


@pytest.mark.parametrize("kind", ["current", "bitemporal"])
def test_a_first_load_gives_every_address(country: Country, tmp_path: Path, kind: Kind) -> None:
    store = RegisterStore(tmp_path / "register")
    told: list[tuple[str, int, int]] = []
    loaded = load_register(country.client, store, tmp_path / "downloads", kind, lambda *word: told.append(word))
    assert (loaded.way, loaded.manifest.kind, loaded.steps) == ("total", kind, 0)
    frames = store.frames()
    assert (frames.places.schema, frames.access.schema, frames.units.schema) == (PLACES, ACCESS, UNITS)
    assert current_texts(frames) == expected_texts(country)
    assert frames.access["access"].unique().sort().to_list() == list(range(len(country.houses())))
    assert frames.units["access"].is_sorted()
    assert frames.places["place"].to_list() == list(range(frames.places.height))
    assert loaded.manifest.live_units == sum(unit["status"] == 3 for unit in country.units())
    assert {what.split()[0] for what, _, _ in told} == {"fetch", "read"}
    assert all(0 <= done <= of for _, done, of in told)
    assert not (tmp_path / "downloads").exists()
    assert load_register(country.client, store, tmp_path / "downloads", kind).way == "unchanged"


def change_at_random(country: Country, draw: random.Random) -> None:
    """Some of the things that happen to addresses."""
    houses = list(country.houses().values())
    for _ in range(draw.randint(1, 4)):
        house = draw.choice(houses)
        match draw.randint(0, 4):
            case 0:
                address_changes.rename_road(country.store, house["road_id"], f"Omdøbt Vej {draw.randint(1, 9)}")
            case 1:
                address_changes.close_unit(country.store, draw.choice(country.units())["id"])
            case 2:
                address_changes.add_unit(
                    country.store, house["id"], draw.choice([None, "1"]), draw.choice([None, "tv"])
                )
            case 3:
                address_changes.add_house(country.store, house["id"], f"{draw.randint(200, 999)}B")
            case _:
                address_changes.close_house(country.store, house["id"])


@pytest.mark.parametrize("kind", ["current", "bitemporal"])
@pytest.mark.parametrize("seed", range(3))
def test_deltas_give_what_the_whole_register_gives(country: Country, tmp_path: Path, kind: Kind, seed: int) -> None:
    draw = random.Random(seed)
    followed = RegisterStore(tmp_path / "followed", LAX)
    downloads = tmp_path / "downloads"
    load_register(country.client, followed, downloads, kind)
    for _ in range(3):
        for _ in range(draw.randint(1, 2)):
            change_at_random(country, draw)
            country.client.generation()  # published: a step of its own
        loaded = load_register(country.client, followed, downloads, kind)
        assert loaded.way == "delta", loaded.why_total
        anew = RegisterStore(tmp_path / f"anew-{loaded.manifest.generation}", LAX)
        whole = load_register(country.client, anew, downloads, kind)
        assert whole.way == "total"
        assert_same(followed.frames(), anew.frames())
        assert current_texts(followed.frames()) == expected_texts(country)
        assert loaded.manifest.live_units == whole.manifest.live_units


def test_the_former_name_of_a_road_is_kept_with_its_time(country: Country, tmp_path: Path) -> None:
    store = RegisterStore(tmp_path / "register")
    load_register(country.client, store, tmp_path / "downloads", "bitemporal")
    house = next(iter(country.houses().values()))
    before = datetime.now(UTC)
    address_changes.rename_road(country.store, house["road_id"], "Prins Henriks Allé")
    load_register(country.client, store, tmp_path / "downloads", "bitemporal")
    frames = store.frames()
    places = frames.places.filter(pl.col("road_id") == house["road_id"])
    assert set(places["street_name"]) == {house["street_name"], "Prins Henriks Allé"}
    high, low = (pl.select(half).item() for half in halves(pl.lit(house["id"])))
    versions = frames.access.filter(pl.col("id_high") == high, pl.col("id_low") == low)
    versions = versions.join(places.select("place", "street_name"), on="place").sort("valid_from")
    assert versions["street_name"].to_list() == [house["street_name"], "Prins Henriks Allé"]
    assert versions["access"].n_unique() == 1
    assert versions["valid_to"][0] == versions["valid_from"][1]
    assert before <= versions["valid_from"][1] <= datetime.now(UTC)
    assert versions["valid_to"][1] is None
    assert (
        flat(frames)
        .filter(pl.col("street_name") == house["street_name"], pl.col("access_id") == house["id"])
        .is_empty()
    )


def test_a_gap_in_the_deltas_makes_a_whole_load(country: Country, tmp_path: Path) -> None:
    store = RegisterStore(tmp_path / "register", LAX)
    load_register(country.client, store, tmp_path / "downloads")
    house = next(iter(country.houses()))
    for floor in range(9):  # more than are kept on offer
        address_changes.add_unit(country.store, house, str(floor), None)
        country.client.generation()
    loaded = load_register(country.client, store, tmp_path / "downloads")
    assert loaded.way == "total"
    assert loaded.why_total is not None
    assert "No unbroken line of deltas" in loaded.why_total
    assert current_texts(store.frames()) == expected_texts(country)


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        ({"wrong_md5": ("Husnummer",)}, TransientError, "Husnummer does not match its MD5"),
        ({"older": ("Postnummer",)}, TransientError, "a set is loaded only when they agree"),
        ({"truncated": ("Adresse",)}, PermanentError, "Adresse is not a zipped JSON array: BadZipFile"),
        ({"halved": ("Adresse",)}, RegisterRefused, "addresses in use would vanish. The one before it stays in use"),
        ({"halved": ("Husnummer",)}, RegisterRefused, "rows of Adresse point at a missing access address"),
        ({"halved": ("NavngivenVej",)}, RegisterRefused, "rows of Husnummer point at a missing road"),
    ],
)
def test_a_failed_load_leaves_the_register_and_says_why(
    country: Country, tmp_path: Path, wrong: dict[str, tuple[str, ...]], error: type[Exception], words: str
) -> None:
    store = RegisterStore(tmp_path / "register", Limits(tolerated=0))
    before = load_register(country.client, store, tmp_path / "downloads").manifest
    frames = store.frames()
    # A generation that no delta leads to.
    kept = {unit["id"]: unit for unit in country.units()}
    country.store.clear("register:unit")
    country.client.generation()
    country.store.put_many("register:unit", kept)
    address_changes.misbehave(country.store, **wrong)
    with pytest.raises(error, match=words):
        load_register(country.client, store, tmp_path / "downloads")
    assert store.current() == before
    assert_same(store.frames(), frames)
    address_changes.behave(country.store)
    assert load_register(country.client, store, tmp_path / "downloads").way == "total"


def test_a_file_that_is_there_with_the_right_sum_is_not_fetched_again(country: Country, tmp_path: Path) -> None:
    downloads = tmp_path / "downloads"
    country.client.fetch_totals(downloads, "current")
    spoilt = next(downloads.glob("DAR_V3_Postnummer_*"))
    spoilt.write_bytes(b"half a file")
    told: list[str] = []
    country.client.fetch_totals(downloads, "current", lambda what, _done, _all: told.append(what))
    assert sorted(set(told)) == sorted(
        "fetch Postnummer" if entity == "Postnummer" else f"kept {entity}" for entity in ENTITIES
    )


@pytest.mark.parametrize("unpacked", [False, True])
def test_files_in_a_folder_are_read_by_their_names(country: Country, tmp_path: Path, unpacked: bool) -> None:
    folder = tmp_path / "files"
    country.client.fetch_totals(folder, "current")
    subset = next(folder.glob("DAR_V3_Adressepunkt_*")).name.replace("Adressepunkt_", "Adressepunkt_0155_")
    (folder / subset).write_bytes(b"must not be read")
    if unpacked:
        for path in list(folder.glob("DAR_V3_*.zip")):
            if path.name != subset:
                with zipfile.ZipFile(path) as archive:
                    path.with_suffix(".json").write_bytes(archive.read(archive.namelist()[0]))
                path.unlink()
    frames = frames_of_folder(folder)
    assert current_texts(frames) == expected_texts(country)
    assert frames.generation == country.client.generation()
    rows = flat(frames, ["0155"])
    assert rows.schema == ADDRESS_REGISTER.schema
    assert set(rows["postcode"]) == {"2791"}


def test_a_folder_that_is_not_complete_is_refused_with_words(country: Country, tmp_path: Path) -> None:
    store = RegisterStore(tmp_path / "register")
    with pytest.raises(PermanentError, match="holds no download files of the address register"):
        load_folder(tmp_path / "nowhere", store)
    folder = tmp_path / "files"
    country.client.fetch_totals(folder, "bitemporal")
    next(folder.glob("DAR_V3_NavngivenVej_*")).unlink()
    with pytest.raises(PermanentError, match="no bitemporal file of generation 1 for NavngivenVej; all are needed"):
        load_folder(folder, store)
    (folder / "DAR_V3_NavngivenVej_TotalDownload_json_Bitemporal_2.zip").write_bytes(b"")
    with pytest.raises(PermanentError, match="NavngivenVej"):
        load_folder(folder, store)
    assert store.current() is None


def test_rows_without_a_uuid_are_refused(country: Country, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    country.client.fetch_totals(folder, "current")
    path = next(folder.glob("DAR_V3_Adresse_*"))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.json", json.dumps([{"id_lokalId": "no uuid", "husnummer": str(uuid.uuid4())}]))
    with pytest.raises(PermanentError, match="Adresse has 1 rows whose id is no uuid"):
        frames_of_folder(folder)

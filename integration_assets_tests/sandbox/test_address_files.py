"""The address sample, larger towns, and the file downloads of the sandbox's address register."""

import hashlib
import io
import json
import re
import time
import uuid
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from integration_assets.cache.engine import embedded_server_url
from integration_assets.sandbox import address_changes, address_files, address_sample
from integration_assets.sandbox.store import Store
from integration_assets.sandbox.systems import SandboxOptions
from integration_assets_tests.sandbox.loopback import running

KEY = "a-key-of-the-sandbox"
ENTITIES = {
    "Adresse", "Husnummer", "Adressepunkt", "NavngivenVej", "NavngivenVejKommunedel", "NavngivenVejPostnummer",
    "Postnummer", "SupplerendeBynavn",
}  # fmt: skip
# A real address of the extract whose road has a shorter addressing name.
PALUDAN = "Paludan Müllers Plads"

Json = dict[str, Any]


@pytest.fixture(scope="module")
def sample() -> tuple[list[Json], list[Json]]:
    return address_sample.load()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, sample: tuple[list[Json], list[Json]]) -> Iterator[Store]:
    store = Store(embedded_server_url(tmp_path_factory.mktemp("addresses"), "sandbox"))
    units, access = sample
    store.put_many("register:unit", {row["id"]: row for row in units})
    store.put_many("register:access", {row["id"]: row for row in access})
    yield store
    store.close()


@pytest.fixture(scope="module")
def options() -> SandboxOptions:
    return SandboxOptions(data_dir=Path("unused"), settings={"address_register_key": KEY})


@pytest.fixture
def client(store: Store, options: SandboxOptions) -> Iterator[httpx.Client]:
    with running(address_files.build(store, options)) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client


def available(client: httpx.Client) -> list[Json]:
    answer = client.get("/FileDownloads/GetAvailableFileDownloads", params={"Register": "DAR", "apiKey": KEY})
    answer.raise_for_status()
    return answer.json()["availableFileDownloads"]


def get_file(client: httpx.Client, entity: str, kind: str = "current") -> bytes:
    asked = {"Register": "DAR", "LatestTotalForEntity": entity, "type": kind, "format": "JSON", "apiKey": KEY}
    return client.get("/FileDownloads/GetFile", params=asked).raise_for_status().content


def rows(content: bytes) -> list[Json]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        (name,) = archive.namelist()
        assert name.endswith(".json")
        return json.loads(archive.read(name))


def test_sample_holds_the_versions_in_force_of_the_extract(sample: tuple[list[Json], list[Json]]) -> None:
    units, access = sample
    assert (len(units), len(access)) == (2820, 1330)
    assert len({row["id"] for row in units}) == 2820
    assert {row["access_id"] for row in units} == {row["id"] for row in access}
    assert Counter(row["status"] for row in units) == {3: 2801, 4: 19}
    by_id = {row["id"]: row for row in access}
    assert by_id["17c718a1-5510-40cd-8380-735dca3f0afd"] | {"x": 0, "y": 0, "road_id": "", "street_code": ""} == {
        "id": "17c718a1-5510-40cd-8380-735dca3f0afd",
        "status": 3,
        "street_name": "Ridehusgade",
        "addressing_street_name": "Ridehusgade",
        "house_number": "49",
        "supplementary_town": None,
        "postcode": "5000",
        "district": "Odense C",
        "municipality_code": "0461",
        "street_code": "",
        "road_id": "",
        "x": 0,
        "y": 0,
    }


def test_sample_is_small_and_says_where_it_comes_from() -> None:
    data = Path(address_sample.__file__).parent / "data"
    assert (data / "addresses.csv.gz").stat().st_size <= 1_000_000
    assert "Danmarks Adresseregister" in (data / "addresses.attribution.txt").read_text(encoding="utf-8")


def test_sample_codes_point_at_one_road_and_municipalities_are_the_real_ones(
    sample: tuple[list[Json], list[Json]],
) -> None:
    _, access = sample
    expected = {
        "5000": "0461", "5240": "0461", "5200": "0461", "2791": "0155", "2690": "0253", "4130": "0265", "2670": "0253",
        "4200": "0330", "5300": "0440", "5492": "0420", "5592": "0410", "4270": "0326", "8000": "0751", "6500": "0510",
    }  # fmt: skip
    found = {row["postcode"]: row["municipality_code"] for row in access}
    assert {postcode: found[postcode] for postcode in expected} == expected
    assert len(found) == 33
    roads = {(row["municipality_code"], row["street_code"], row["street_name"], row["road_id"]) for row in access}
    assert len({road[:2] for road in roads}) == len({road[3] for road in roads}) == len(roads)
    assert all(re.fullmatch(r"\d{4}", row["street_code"]) for row in access)


def test_sample_points_lie_near_their_town(sample: tuple[list[Json], list[Json]]) -> None:
    _, access = sample
    # Odense town hall and Dragør harbour in EPSG:25832, to the kilometre.
    for postcode, easting, northing in (("5000", 588_000, 6_140_000), ("2791", 731_000, 6_166_000)):
        for row in access:
            if row["postcode"] == postcode:
                assert abs(row["x"] - easting) < 5000
                assert abs(row["y"] - northing) < 5000


def test_enlarge_gives_exactly_the_wanted_number_and_repeats_itself(sample: tuple[list[Json], list[Json]]) -> None:
    units, access = sample
    more_units, more_access = address_sample.enlarge(units, access, 6000, seed=7)
    by_id = {row["id"]: row for row in more_access}
    assert len(by_id) == len(more_access)
    assert len({row["id"] for row in more_units}) == len(more_units)
    town = [
        row
        for row in more_units
        if row["status"] == 3 and by_id[row["access_id"]]["postcode"] in address_sample.TOWN_POSTCODES
    ]
    assert len(town) == 6000
    assert more_units[: len(units)] == units
    assert (more_units, more_access) == address_sample.enlarge(units, access, 6000, seed=7)
    assert more_units != address_sample.enlarge(units, access, 6000, seed=8)[0]
    assert address_sample.enlarge(units, access, 100, seed=7) == (units, access)


def test_invented_addresses_clash_with_nothing(sample: tuple[list[Json], list[Json]]) -> None:
    units, access = sample
    more_units, more_access = address_sample.enlarge(units, access, 20_000, seed=1)
    invented = more_access[len(access) :]
    real_roads = {(row["municipality_code"], row["street_code"]) for row in access}
    real_names = {row["street_name"] for row in access}
    assert not {(row["municipality_code"], row["street_code"]) for row in invented} & real_roads
    assert not {row["street_name"] for row in invented} & real_names
    houses = Counter((row["road_id"], row["house_number"]) for row in invented)
    assert max(houses.values()) == 1
    homes = Counter((row["access_id"], row["floor"], row["door"]) for row in more_units[len(units) :])
    assert max(homes.values()) == 1
    assert {row["access_id"] for row in more_units} == {row["id"] for row in more_access}
    # Limits of CPR: 20 characters of addressing name, 3 digits and a letter; codes from 9900 are special.
    assert max(len(row["addressing_street_name"]) for row in invented) <= 20
    assert all(re.fullmatch(r"\d{1,3}[A-F]?", row["house_number"]) for row in invented)
    assert all(1 <= int(row["street_code"]) < 9900 for row in invented)
    assert {row["floor"] for row in more_units} >= {None, "kl", "st", "1", "4"}


def test_enlarge_makes_a_town_of_150000_homes_fast(sample: tuple[list[Json], list[Json]]) -> None:
    started = time.process_time()
    units, _ = address_sample.enlarge(*sample, 150_000, seed=1)
    assert len(units) > 150_000
    assert time.process_time() - started < 15


@pytest.mark.parametrize("path", ["GetAvailableFileDownloads?Register=DAR", "GetFile?Filename=x.zip"])
@pytest.mark.parametrize("key", ["", "&apiKey=wrong"])
def test_a_missing_or_wrong_key_is_unauthorised(client: httpx.Client, path: str, key: str) -> None:
    assert client.get(f"/FileDownloads/{path}{key}").status_code == 401


def test_list_offers_every_entity_in_one_generation(client: httpx.Client) -> None:
    offered = available(client)
    totals = [entry for entry in offered if entry["municipalityCode"] is None]
    national = {(entry["entityName"], entry["typeOfData"]): entry for entry in totals}
    assert set(national) == {(entity, kind) for entity in ENTITIES for kind in ("Current", "Bitemporal")}
    assert len(totals) == len(national)
    assert len({entry["generationNumber"] for entry in offered}) == 1
    assert {(entry["typeOfDownload"], entry["containedFileFormat"]) for entry in offered} == {("TotalDownload", "json")}
    for (entity, kind), entry in national.items():
        content = get_file(client, entity, kind.lower())
        assert len(content) == entry["fileSizeInBytes"]
        assert hashlib.md5(content).hexdigest() == entry["md5Hash"]


def test_address_points_also_come_by_municipality(client: httpx.Client) -> None:
    subsets = [entry for entry in available(client) if entry["municipalityCode"]]
    assert {entry["entityName"] for entry in subsets} == {"Adressepunkt"}
    assert all(f"_{entry['municipalityCode']}_" in entry["fileName"] for entry in subsets)
    dragoer = next(entry for entry in subsets if entry["municipalityCode"] == "0155")
    answer = client.get("/FileDownloads/GetFile", params={"Filename": dragoer["fileName"], "apikey": KEY})
    assert len(rows(answer.content)) == 281
    assert len(rows(get_file(client, "Adressepunkt"))) == 1330


def test_unknown_file_is_not_found(client: httpx.Client) -> None:
    asked = {"Register": "DAR", "LatestTotalForEntity": "Bygning", "type": "current", "format": "JSON", "apiKey": KEY}
    assert client.get("/FileDownloads/GetFile", params=asked).status_code == 404
    asked |= {"LatestTotalForEntity": "Adresse", "type": "temporal"}
    assert client.get("/FileDownloads/GetFile", params=asked).status_code == 404


def test_files_join_back_to_the_addresses(client: httpx.Client, sample: tuple[list[Json], list[Json]]) -> None:
    files = {entity: {row["id_lokalId"]: row for row in rows(get_file(client, entity))} for entity in ENTITIES}
    codes = {row["navngivenVej"]: row for row in files["NavngivenVejKommunedel"].values()}
    units, access = sample
    by_id = {row["id"]: row for row in access}
    assert len(files["Adresse"]) == 2820
    for unit in units:
        place = by_id[unit["access_id"]]
        home = files["Adresse"][unit["id"]]
        house = files["Husnummer"][home["husnummer"]]
        road = files["NavngivenVej"][house["navngivenVej"]]
        post = files["Postnummer"][house["postnummer"]]
        town = files["SupplerendeBynavn"].get(house["supplerendeBynavn"])
        assert (home["status"], home["etagebetegnelse"], home["doerbetegnelse"]) == (
            str(unit["status"]),
            unit["floor"] or "",
            unit["door"] or "",
        )
        assert (house["husnummertekst"], road["vejnavn"]) == (place["house_number"], place["street_name"])
        assert (post["postnr"], post["navn"]) == (place["postcode"], place["district"])
        assert (town["navn"] if town else None) == place["supplementary_town"]
        part = codes[house["navngivenVej"]]
        assert (part["kommune"], part["vejkode"]) == (place["municipality_code"], place["street_code"])
        assert house["kommuneinddeling"] != place["municipality_code"]
        match = re.fullmatch(r"POINT\((\S+) (\S+)\)", files["Adressepunkt"][house["adgangspunkt"]]["position"])
        assert match is not None
        assert (float(match[1]), float(match[2])) == (place["x"], place["y"])
    links = {(row["navngivenVej"], row["postnummer"]) for row in files["NavngivenVejPostnummer"].values()}
    assert links == {(row["navngivenVej"], row["postnummer"]) for row in files["Husnummer"].values()}


def test_designations_use_the_short_road_name(client: httpx.Client) -> None:
    roads = {row["vejnavn"]: row for row in rows(get_file(client, "NavngivenVej"))}
    assert roads[PALUDAN]["vejadresseringsnavn"] == "Pal Müllers Plads"
    houses = [row for row in rows(get_file(client, "Husnummer")) if row["navngivenVej"] == roads[PALUDAN]["id_lokalId"]]
    assert houses
    assert all(row["adgangsadressebetegnelse"].startswith("Pal Müllers Plads ") for row in houses)
    designations = {row["id_lokalId"]: row["adressebetegnelse"] for row in rows(get_file(client, "Adresse"))}
    assert designations["01ffcb65-c425-4cee-9145-bef6570f34bb"] == "Ridehusgade 49, 2. th, 5000 Odense C"


def test_generation_grows_when_the_content_changes_and_only_then(
    client: httpx.Client, store: Store, options: SandboxOptions, sample: tuple[list[Json], list[Json]]
) -> None:
    before = available(client)[0]["generationNumber"]
    assert available(client)[0]["generationNumber"] == before
    unit = sample[0][0]
    store.put("register:unit", unit["id"], {**unit})
    assert available(client)[0]["generationNumber"] == before, "a write without a change is no new generation"
    added = {**unit, "id": str(uuid.uuid4()), "floor": "9"}
    store.put("register:unit", added["id"], added)
    assert available(client)[0]["generationNumber"] == before + 1
    assert added["id"] in {row["id_lokalId"] for row in rows(get_file(client, "Adresse"))}
    with running(address_files.build(store, options)) as url, httpx.Client(base_url=url) as restarted:
        assert available(restarted)[0]["generationNumber"] == before + 1, "a restart is no new generation"
    store.delete("register:unit", added["id"])
    assert available(client)[0]["generationNumber"] == before + 2


@pytest.fixture
def own(server_dir: Path, sample: tuple[list[Json], list[Json]]) -> Iterator[Store]:
    """A store of a test's own, with the addresses of Dragør."""
    store = Store(embedded_server_url(server_dir, f"addresses_{uuid.uuid4().hex}"))
    units, access = sample
    houses = {row["id"]: row for row in access if row["postcode"] == "2791"}
    store.put_many("register:access", houses)
    store.put_many("register:unit", {row["id"]: row for row in units if row["access_id"] in houses})
    yield store
    store.close()


def files_of(store: Store) -> dict[str, address_files.DownloadFile]:
    return {file.name: file for file in address_files.AddressFiles(store).served().files}


def test_a_change_makes_a_delta_of_the_rows_that_changed(own: Store) -> None:
    files = address_files.AddressFiles(own)
    first = files.current()
    assert {file.download for file in first.files} == {"TotalDownload"}
    house = next(iter(own.load("register:access").values()))
    on_road = [row for row in own.load("register:access").values() if row["road_id"] == house["road_id"]]
    units = {
        unit["id"] for unit in own.load("register:unit").values() if unit["access_id"] in {r["id"] for r in on_road}
    }
    assert address_changes.rename_road(own, house["road_id"], "Nyt Navn Vej") == len(on_road)
    second = files.current()
    assert second.number == first.number + 1
    deltas = {(file.entity, file.kind): rows(file.content) for file in second.files if file.download == "DeltaDownload"}
    assert set(deltas) == {(entity, kind) for entity in ENTITIES for kind in ("Current", "Bitemporal")}
    (road,) = deltas["NavngivenVej", "Current"]
    assert (road["id_lokalId"], road["vejnavn"]) == (house["road_id"], "Nyt Navn Vej")
    assert {row["id_lokalId"] for row in deltas["Adresse", "Current"]} == units
    assert deltas["Postnummer", "Current"] == deltas["Adressepunkt", "Bitemporal"] == []
    replaced, ended, new = deltas["NavngivenVej", "Bitemporal"]
    assert replaced["vejnavn"] == ended["vejnavn"] == house["street_name"]
    moment = new["virkningFra"]
    assert (replaced["registreringTil"], replaced["virkningTil"]) == (moment, None)
    assert (ended["registreringFra"], ended["registreringTil"], ended["virkningTil"]) == (moment, None, moment)
    assert (new["vejnavn"], new["registreringFra"], new["virkningTil"]) == ("Nyt Navn Vej", moment, None)


def test_the_bitemporal_total_keeps_what_was_and_the_current_one_does_not(own: Store) -> None:
    files = address_files.AddressFiles(own)
    files.current()
    unit = next(iter(own.load("register:unit").values()))
    address_changes.close_unit(own, unit["id"])
    added = address_changes.add_unit(own, unit["access_id"], "9", "tv")
    files.current()
    made = files_of(own)
    number = max(file.number for file in made.values())
    current = rows(made[f"DAR_V3_Adresse_TotalDownload_json_Current_{number}.zip"].content)
    every = rows(made[f"DAR_V3_Adresse_TotalDownload_json_Bitemporal_{number}.zip"].content)
    assert [row["status"] for row in current if row["id_lokalId"] == unit["id"]] == ["4"]
    versions = [row for row in every if row["id_lokalId"] == unit["id"] and row["registreringTil"] is None]
    assert sorted((row["status"], row["virkningTil"] is None) for row in versions) == [("3", False), ("4", True)]
    assert [row["etagebetegnelse"] for row in every if row["id_lokalId"] == added] == ["9"]
    assert len(every) == len(current) + 2


def test_a_register_made_anew_has_no_history(own: Store) -> None:
    files = address_files.AddressFiles(own)
    first = files.current()
    own.clear("register:unit")
    second = files.current()
    assert second.number == first.number + 1
    assert {file.download for file in second.files} == {"TotalDownload"}


def test_files_can_be_wrong_on_purpose(own: Store) -> None:
    right = files_of(own)
    number = max(file.number for file in right.values())
    address_changes.misbehave(own, wrong_md5=("Adresse",), older=("Postnummer",), truncated=("Husnummer",))
    wrong = files_of(own)
    name = f"DAR_V3_{{}}_TotalDownload_json_Current_{number}.zip"
    adresse = wrong[name.format("Adresse")]
    assert hashlib.md5(adresse.content).hexdigest() != adresse.md5
    assert name.format("Postnummer") not in wrong
    assert f"DAR_V3_Postnummer_TotalDownload_json_Current_{number - 1}.zip" in wrong
    with pytest.raises(zipfile.BadZipFile):
        rows(wrong[name.format("Husnummer")].content)
    address_changes.misbehave(own, halved=("Adresse",))
    halved = files_of(own)[f"DAR_V3_Adresse_TotalDownload_json_Current_{number + 1}.zip"]
    assert len(rows(halved.content)) == -(-len(rows(right[name.format("Adresse")].content)) // 2)
    address_changes.behave(own)
    assert files_of(own) == right

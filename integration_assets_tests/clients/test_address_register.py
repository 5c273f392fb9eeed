"""Choosing, fetching and joining the files of the address register, from a hand-made download service."""

import hashlib
import io
import json
import tempfile
import threading
import uuid
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from integration_assets.clients.address_files import entity_changes, entity_rows, portions
from integration_assets.clients.address_listing import DELTA, TOTAL, OfferedFile, delta_chain, latest_totals, offered
from integration_assets.clients.address_register import AddressRegister
from integration_assets.clients.http import PermanentError, TransientError
from integration_assets.domain.tables import ADDRESS_REGISTER
from integration_assets_tests.clients.whole_register import whole_register
from integration_assets_tests.clients.wire import FAST, Reply, Seen, serving

Rows = list[dict[str, Any]]
KEY = "sandbox-key"
UUID_FIELDS = {"id_lokalId", "husnummer", "navngivenVej", "postnummer", "supplerendeBynavn", "adgangspunkt"}
NAMES: dict[str, str] = {}


def uid(name: str) -> str:
    """The uuid that stands for a short name in the files of this module."""
    made = str(uuid.uuid5(uuid.NAMESPACE_OID, name.lower()))
    NAMES[made] = name.lower()
    return made.upper() if name.isupper() else made


def named(ids: pl.Series) -> list[str]:
    """The short names of uuids, sorted."""
    return sorted(NAMES[each] for each in ids)


def content() -> dict[str, Rows]:
    """The rows of `short_content` with uuids in the place of short names."""
    return {
        entity: [
            {field: uid(value) if field in UUID_FIELDS and value else value for field, value in row.items()}
            for row in rows
        ]
        for entity, rows in short_content().items()
    }


def short_content() -> dict[str, Rows]:
    """Road r1 lies in one municipality, r2 in two; h5 has no division, h6 and h7 lie on lost roads."""
    return {
        "Adresse": [
            {"id_lokalId": "U1", "husnummer": "h1", "etagebetegnelse": "1", "doerbetegnelse": "TV", "status": "3"},
            {"id_lokalId": "u2", "husnummer": "h2", "etagebetegnelse": "", "doerbetegnelse": "", "status": 4},
            {"id_lokalId": "u3", "husnummer": "h3", "etagebetegnelse": None, "doerbetegnelse": None, "status": "3"},
            {"id_lokalId": "u9", "husnummer": "h9", "etagebetegnelse": "", "doerbetegnelse": "", "status": "3"},
        ],
        "Husnummer": [
            house("h1", "12B", "r1", "p1", division="389461", town="t1"),
            house("h2", "3", "r2", "p1", division="389461"),
            house("h3", "5", "r2", "p2", division="389462"),
            house("h4", "7", "r3", "p2", division="389462"),
            house("h5", "9", "r2", "p2", division=None),
            house("h6", "1", "r4", None, division="389999"),
            house("h7", "1", "r5", None, division=None),
        ],
        "Adressepunkt": [
            {"id_lokalId": "pt-h1", "position": "POINT(588123.45 6139000.5)"},
            {"id_lokalId": "pt-h2", "position": "POINT Z (588000 6139001 12.3)"},
        ],
        "NavngivenVej": [
            {"id_lokalId": "r1", "vejnavn": "Borgmester Ålborgs Gade", "vejadresseringsnavn": "Borgm Ålborgs G"},
            {"id_lokalId": "r2", "vejnavn": 'Grænsevej },{ "x"', "vejadresseringsnavn": "Grænsevej"},
            {"id_lokalId": "r3", "vejnavn": "Nabovej", "vejadresseringsnavn": "Nabovej"},
        ],
        "NavngivenVejKommunedel": [
            {"navngivenVej": "r1", "kommune": "0461", "vejkode": "0012"},
            {"navngivenVej": "r2", "kommune": "0461", "vejkode": "0100"},
            {"navngivenVej": "r2", "kommune": "462", "vejkode": "200"},
            {"navngivenVej": "r3", "kommune": "0462", "vejkode": "0300"},
        ],
        "NavngivenVejPostnummer": [{"navngivenVej": "r4", "postnummer": "p1"}],
        "Postnummer": [
            {"id_lokalId": "p1", "postnr": "5000", "navn": "Odense C"},
            {"id_lokalId": "p2", "postnr": "0800", "navn": "Høje Taastrup"},
        ],
        "SupplerendeBynavn": [{"id_lokalId": "t1", "navn": "Bolbro"}],
    }


def house(
    local_id: str, text: str, road: str, postcode: str | None, *, division: str | None, town: str | None = None
) -> Any:
    return {
        "id_lokalId": local_id,
        "husnummertekst": text,
        "adgangsadressebetegnelse": "a short text that must not be used",
        "navngivenVej": road,
        "postnummer": postcode,
        "supplerendeBynavn": town,
        "kommuneinddeling": division,
        "adgangspunkt": f"pt-{local_id}",
        "status": "3",
        "virkningFra": "2000-02-05T11:00:00.000000Z",
        "registreringTil": None,
    }


def zipped(rows: Any) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("DAR_V3_x.json", json.dumps(rows, ensure_ascii=False, indent=1))
    return packed.getvalue()


class Downloads:
    """The service: lists its files (page by page) and gives the national ones."""

    def __init__(self, entities: dict[str, Rows], generation: int = 7) -> None:
        self.files = {entity: zipped(rows) for entity, rows in entities.items()}
        self.listed = [self.listing(entity, generation) for entity in self.files]

    def listing(self, entity: str, generation: int, **changes: Any) -> dict[str, Any]:
        return {
            "fileName": f"DAR_V3_{entity}_TotalDownload_json_Current_{generation}.zip",
            "entityName": entity,
            "typeOfDownload": "TotalDownload",
            "typeOfData": "Current",
            "generationNumber": generation,
            "containedFileFormat": "json",
            "outputFileFormat": "zip",
            "municipalityCode": None,
            "md5Hash": hashlib.md5(self.files[entity]).hexdigest().upper(),
            **changes,
        }

    def __call__(self, seen: Seen) -> Reply:
        asked = dict(seen.query)
        if asked.get("apiKey") != KEY:
            return Reply(401, {"error": "key"})
        if seen.path.endswith("GetAvailableFileDownloads"):
            page = int(asked.get("PageNumber", 1))
            rows = self.listed[(page - 1) * 5 : page * 5]
            pages = {"totalPages": -(-len(self.listed) // 5)}
            return Reply(200, {"paginationMetadata": pages, "availableFileDownloads": rows})
        assert (asked["Register"], asked["type"], asked["format"]) == ("DAR", "current", "JSON")
        return Reply(200, self.files[asked["LatestTotalForEntity"]], {"Content-Type": "application/zip"})


def download(service: Callable[[Seen], Reply]) -> pl.DataFrame:
    with serving(service) as server, tempfile.TemporaryDirectory() as folder:
        return whole_register(AddressRegister(server.url, KEY, policy=FAST), Path(folder))[0]


def test_the_frame_has_the_declared_schema_and_every_access_address_and_unit() -> None:
    frame = download(Downloads(content()))
    assert frame.schema == ADDRESS_REGISTER.schema
    assert named(frame.filter(pl.col("kind") == "access")["address_id"]) == ["h1", "h2", "h3", "h4", "h5", "h6", "h7"]
    assert named(frame.filter(pl.col("kind") == "unit")["address_id"]) == ["u1", "u2", "u3"]


def test_a_unit_carries_what_its_access_address_has() -> None:
    frame = download(Downloads(content()))
    assert frame.filter(pl.col("address_id") == uid("u1")).row(0, named=True) == {
        "address_id": uid("u1"),
        "municipality_code": "0461",
        "kind": "unit",
        "access_id": uid("h1"),
        "street_name": "Borgmester Ålborgs Gade",
        "short_street_name": "Borgm Ålborgs G",
        "street_code": "0012",
        "house_number": "12B",
        "floor": "1",
        "door": "tv",
        "supplementary_town": "Bolbro",
        "postcode": "5000",
        "district": "Odense C",
        "status": 3,
        "easting": 588123.45,
        "northing": 6139000.5,
    }


def test_empty_floor_and_door_are_null_and_statuses_numbers() -> None:
    frame = download(Downloads(content()))
    found = {NAMES[row[0]]: row[1:] for row in frame.select("address_id", "floor", "door", "status", "easting").rows()}
    assert found["h1"] == (None, None, 3, 588123.45)
    assert found["u2"] == (None, None, 4, 588000.0)
    assert found["u3"] == (None, None, 3, None)


def test_a_road_through_two_municipalities_takes_the_code_of_the_house_s_own() -> None:
    frame = download(Downloads(content()))
    codes = {
        NAMES[row[0]]: row[1:] for row in frame.select("address_id", "municipality_code", "street_code").iter_rows()
    }
    assert codes["h2"] == ("0461", "0100")  # its division is that of h1, which lies on a road of one municipality
    assert codes["h3"] == codes["u3"] == ("0462", "0200")
    assert codes["h5"] == ("0462", "0200")  # no division: the municipality of its postal code
    assert codes["h6"] == ("0461", None)  # a road without any part: the municipality of its postal code, but no code
    assert codes["h7"] == ("unknown", None)  # nothing tells


def test_a_house_without_postal_code_takes_the_only_one_of_its_road() -> None:
    frame = download(Downloads(content()))
    assert frame.filter(pl.col("address_id") == uid("h6"))["postcode"].to_list() == ["5000"]


def test_rows_are_those_of_their_municipality() -> None:
    frame = download(Downloads(content()))
    assert named(frame.filter(pl.col("municipality_code") == "0462")["address_id"]) == ["h3", "h4", "h5", "u3"]


def test_units_without_access_address_are_counted(tmp_path: Path) -> None:
    with serving(Downloads(content())) as server:
        assert whole_register(AddressRegister(server.url, KEY, policy=FAST), tmp_path)[1] == 1


def test_files_of_municipalities_deltas_and_other_kinds_are_not_mistaken_for_the_national_total() -> None:
    service = Downloads(content())
    others = [
        service.listing(
            "Adressepunkt", 8, municipalityCode="0766", fileName="DAR_V3_Adressepunkt_0766_TotalDownload_j.zip"
        ),
        service.listing("Adressepunkt", 8, fileName="DAR_V3_Adressepunkt_0766_TotalDownload_json_Current_8.zip"),
        service.listing("Adresse", 8, typeOfDownload="DeltaDownload"),
        service.listing("Adresse", 8, typeOfData="Bitemporal"),
        service.listing("Husnummer", 8, containedFileFormat="csv"),
        service.listing("Adresse", 6),  # an older one, not yet expired
    ]
    service.listed = others[:3] + service.listed + others[3:]
    with serving(service) as server:
        assert AddressRegister(f"{server.url}/FileDownloads", KEY, policy=FAST).generation() == 7
        assert sum(seen.path.endswith("GetAvailableFileDownloads") for seen in server.seen) == 3


def test_files_of_different_generations_are_not_joined() -> None:
    service = Downloads(content())
    service.listed[0]["generationNumber"] = 8
    with pytest.raises(TransientError, match="generations 7 to 8"):
        download(service)


def test_a_missing_file_a_wrong_sum_and_a_wrong_key_are_told_apart() -> None:
    service = Downloads(content())
    del service.listed[2]
    with pytest.raises(TransientError, match="no national current file of Adressepunkt"):
        download(service)
    service = Downloads(content())
    service.listed[0]["md5Hash"] = "0" * 32
    with pytest.raises(TransientError, match="Adresse does not match its MD5"):
        download(service)
    with serving(Downloads(content())) as server, pytest.raises(PermanentError) as caught:
        AddressRegister(server.url, "another-key", policy=FAST).generation()
    assert caught.value.status == 401
    assert "another-key" not in str(caught.value)


@pytest.mark.parametrize("broken", [b"no zip", zipped({"a": 1}), zipped("text")])
def test_a_file_of_another_form_is_permanent(broken: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(broken)
    with pytest.raises(PermanentError, match="zipped JSON array"):
        list(entity_rows("Postnummer", path))


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("portion_bytes", [7, 64, 1000, 1 << 20])
def test_an_array_is_read_in_portions_whatever_its_texts_hold(indent: int | None, portion_bytes: int) -> None:
    names = ["plain", 'quote " and }, { brace', "},{", "back\\slash\\\\", "Ærø", "", '"},{"a":"'] * 5
    rows = [{"id_lokalId": str(number), "navn": name, "own": {"a": [{}, {}]}} for number, name in enumerate(names)]
    text = json.dumps(rows, ensure_ascii=False, indent=indent, separators=(",", ":") if indent is None else None)
    schema = pl.Schema({"id_lokalId": pl.String(), "navn": pl.String(), "postnr": pl.String()})
    read = list(portions(io.BytesIO(text.encode()), schema, portion_bytes))
    frame = pl.concat(read)
    assert frame["navn"].to_list() == names
    assert frame["id_lokalId"].to_list() == [str(number) for number in range(len(names))]
    assert frame["postnr"].null_count() == len(names)


def test_an_empty_array_has_no_rows_and_a_cut_off_one_is_an_error() -> None:
    schema = pl.Schema({"navn": pl.String()})
    assert list(portions(io.BytesIO(b"\xef\xbb\xbf[ ]\n"), schema)) == []
    with pytest.raises(ValueError, match="does not end"):
        list(portions(io.BytesIO(b'[{"navn":"a"},{"navn":"b"'), schema))


def test_objects_with_other_commas_between_them_are_read_too() -> None:
    text = b'[{"navn":"a"},{"navn":"b"}, {"navn":"},{"},\n{"navn":"d"}]'
    (frame,) = portions(io.BytesIO(text), pl.Schema({"navn": pl.String()}))
    assert frame["navn"].to_list() == ["a", "b", "},{", "d"]


def test_a_damaged_zip_is_permanent_and_its_reader_ends(tmp_path: Path) -> None:
    rows = [{"id_lokalId": str(uuid.uuid4()), "navn": uuid.uuid4().hex} for _ in range(5000)]
    packed = bytearray(zipped(rows))
    packed[len(packed) // 2 : len(packed) // 2 + 200] = b"\xff" * 200
    path = tmp_path / "x.zip"
    path.write_bytes(packed)
    before = threading.active_count()
    with pytest.raises(PermanentError, match="The file of SupplerendeBynavn is not a zipped JSON array"):
        list(entity_rows("SupplerendeBynavn", path))
    assert threading.active_count() == before


def written(tmp_path: Path, rows: Rows) -> Path:
    path = tmp_path / "x.zip"
    path.write_bytes(zipped(rows))
    return path


def test_numbers_floors_and_doors_have_one_form(tmp_path: Path) -> None:
    number = str(uuid.uuid4())
    homes = [("ST", "TV"), (" 2 ", "004"), ("kl", "0"), ("", ""), (None, None), ("k2", "a/12")]
    rows = [{"id_lokalId": number, "husnummer": number, "etagebetegnelse": f, "doerbetegnelse": d} for f, d in homes]
    (units,) = entity_rows("Adresse", written(tmp_path, rows))
    assert units.select("floor", "door").rows() == [
        ("st", "tv"), ("2", "4"), ("kl", "0"), (None, None), (None, None), ("k2", "a/12"),
    ]  # fmt: skip
    texts = ["12B", "012b", " 3 ", "", None]
    (houses,) = entity_rows(
        "Husnummer", written(tmp_path, [{"id_lokalId": number, "husnummertekst": t} for t in texts])
    )
    assert houses["house_number"].to_list() == ["12B", "12B", "3", None, None]


def test_replaced_registrations_are_left_out_and_times_are_read(tmp_path: Path) -> None:
    rows = [
        {"id_lokalId": "a", "navn": "Før", "registreringTil": "2019-01-01T00:00:00Z"},
        {"id_lokalId": "A", "navn": "Nu", "virkningFra": "2018-07-01T00:00:00.500000+02:00", "virkningTil": None},
    ]
    (towns,) = entity_rows("SupplerendeBynavn", written(tmp_path, rows))
    assert towns.select("id", "supplementary_town").rows() == [("a", "Nu")]
    assert towns["valid_from"][0] == datetime(2018, 6, 30, 22, 0, 0, 500000, tzinfo=UTC)


def test_changes_say_what_is_no_more(tmp_path: Path) -> None:
    day, later = "2020-01-01T00:00:00Z", "2021-01-01T00:00:00Z"
    rows = [
        {"id_lokalId": "a", "navn": "Ny", "registreringFra": later, "virkningFra": later},
        {"id_lokalId": "a", "navn": "Gl", "registreringFra": day, "registreringTil": later, "virkningFra": day},
        {"id_lokalId": "a", "navn": "Gl", "registreringFra": later, "virkningFra": day, "virkningTil": later},
        {"id_lokalId": "b", "navn": "Nedlagt", "registreringFra": later, "virkningFra": day, "virkningTil": later},
    ]
    path = written(tmp_path, rows)
    current = entity_changes("SupplerendeBynavn", "current", path)
    last = current.unique("id", keep="last", maintain_order=True).sort("id")
    assert last.select("id", "supplementary_town", "ended").rows() == [("a", "Ny", False), ("b", "Nedlagt", True)]
    bitemporal = entity_changes("SupplerendeBynavn", "bitemporal", path)
    assert [row["supplementary_town"] for row in bitemporal.iter_rows(named=True) if row["ended"]] == ["Gl"]
    assert bitemporal.height == 4
    with pytest.raises(PermanentError, match="rows without id"):
        entity_changes("SupplerendeBynavn", "current", written(tmp_path, [{"navn": "Ingen"}]))


def listed(entity: str, generation: int, version: str, download: str = TOTAL) -> dict[str, Any]:
    return {
        "filename": f"DAR_V{version}_{entity}_{download}_json_Current_{generation}.zip",
        "entityname": entity,
        "typeofdownload": download,
        "typeofdata": "Current",
        "generationnumber": generation,
        "version": version,
        "containedfileformat": "json",
        "filesizeinbytes": "12",
    }


def test_generations_are_counted_within_the_newest_version_of_the_data_model() -> None:
    entities = list(content())
    rows = [listed(entity, 900, "2") for entity in entities] + [listed(entity, 7, "3") for entity in entities]
    files = offered(rows, TOTAL, "current")
    assert {(file.generation, file.size) for file in latest_totals(files, "current")} == {(7, 12)}
    assert offered(rows, TOTAL, "bitemporal") == offered(rows, DELTA, "current") == []
    with pytest.raises(PermanentError, match="has not the known form"):
        offered([{**rows[0], "generationnumber": "many"}], TOTAL, "current")


def test_deltas_are_used_only_without_a_gap() -> None:
    entities = list(content())
    files = [OfferedFile(entity, step, f"{entity}_{step}", None, None) for step in (5, 6, 7) for entity in entities]
    chain = delta_chain(reversed(files), 5, 7)
    assert chain is not None
    assert [{file.generation for file in step} for step in chain] == [{6}, {7}]
    assert {file.entity for file in chain[0]} == set(entities)
    assert delta_chain(files, 3, 7) is None
    assert delta_chain(files, 5, 8) is None
    assert delta_chain(files[:-1], 5, 7) is None
    assert delta_chain(files, 7, 7) == []

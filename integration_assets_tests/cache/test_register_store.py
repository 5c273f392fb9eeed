"""The stored address register: the swap, what is kept, changes, and the checks before it."""

import fcntl
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from integration_assets.cache.register_checks import NATIONAL_FLOORS, Limits, RegisterRefused
from integration_assets.cache.register_store import RegisterStore
from integration_assets.domain.addresses.dar_tables import DAR_TABLES, Kind, merged, row_columns

Rows = dict[str, list[dict[str, Any]]]
DAY = datetime(2020, 1, 1, tzinfo=UTC)


def register(units: int, houses: int = 2, first_unit: int = 0) -> Rows:
    """A register of one road; unit n lies in house n modulo the number of houses."""
    return {
        "Adresse": [unit(number, house=number % houses) for number in range(first_unit, first_unit + units)],
        "Husnummer": [
            {
                **ids(1, number), "house_number": str(number + 1), "road": "road", "postcode_id": "post",
                "point_high": 2, "point_low": number, "status": 3,
            }
            for number in range(houses)
        ],
        "Adressepunkt": [{**ids(2, number), "easting": 1.5, "northing": 2.5} for number in range(houses)],
        "NavngivenVej": [{"id": "road", "street_name": "Vestergade", "short_street_name": "Vesterg"}],
        "NavngivenVejKommunedel": [{"id": "k", "road": "road", "municipality_code": "0751", "street_code": "0001"}],
        "NavngivenVejPostnummer": [{"id": "l", "road": "road", "postcode_id": "post"}],
        "Postnummer": [{"id": "post", "postcode": "8000", "district": "Aarhus C"}],
        "SupplerendeBynavn": [],
    }  # fmt: skip


def ids(high: int, low: int) -> dict[str, int]:
    return {"id_high": high, "id_low": low}


def unit(number: int, house: int = 0, status: int = 3, **more: Any) -> dict[str, Any]:
    return {**ids(9, number), "house_high": 1, "house_low": house, "floor": "1", "status": status, **more}


def frame(entity: str, rows: list[dict[str, Any]], *, changes: bool = False) -> pl.DataFrame:
    schema = DAR_TABLES[entity] if not changes else pl.Schema({**DAR_TABLES[entity], "ended": pl.Boolean})
    always = {"valid_from": DAY, "registered_from": DAY} | ({"ended": False} if changes else {})
    return pl.DataFrame([{**always, **row} for row in rows], schema=schema)


def portions(content: Rows) -> Mapping[str, list[pl.DataFrame]]:
    """Each entity's rows in portions of three."""
    return {
        entity: [frame(entity, rows[start : start + 3]) for start in range(0, len(rows), 3)]
        for entity, rows in content.items()
    }


def delta(**changed: list[dict[str, Any]]) -> dict[str, pl.DataFrame]:
    return {entity: frame(entity, changed.get(entity, []), changes=True) for entity in DAR_TABLES}


def numbers(store: RegisterStore) -> list[int]:
    return sorted(store.frames().units["id_low"])


def test_there_is_nothing_before_the_first_load(tmp_path: Path) -> None:
    store = RegisterStore(tmp_path / "register")
    assert store.current() is None
    with pytest.raises(LookupError, match="No address register has been loaded"):
        store.frames()
    with pytest.raises(LookupError, match="that could be changed"):
        store.load_delta(2, delta())


def test_a_load_is_in_use_with_its_manifest(tmp_path: Path) -> None:
    store = RegisterStore(tmp_path)
    manifest = store.load_total(7, "current", portions(register(5)), {"Adresse": "0" * 32})
    assert RegisterStore(tmp_path).current() == manifest
    assert (manifest.generation, manifest.kind, manifest.made_by) == (7, "current", "total")
    assert (manifest.live_units, manifest.vanished, manifest.homeless) == (5, 0, 0)
    assert {entity: sum(piece.rows for piece in pieces) for entity, pieces in manifest.pieces.items()} == {
        "Adresse": 5, "Husnummer": 2, "Adressepunkt": 2, "NavngivenVej": 1, "NavngivenVejKommunedel": 1,
        "NavngivenVejPostnummer": 1, "Postnummer": 1, "SupplerendeBynavn": 0,
    }  # fmt: skip
    assert manifest.sources == {"Adresse": "0" * 32}
    frames = store.frames()
    assert frames.generation == 7
    assert frames.access.select("house_number", "easting", "status").rows() == [("1", 1.5, 3), ("2", 1.5, 3)]
    assert frames.units["access"].to_list() == [0, 0, 0, 1, 1]
    assert frames.places.row(0, named=True) == {
        "place": 0, "road_id": "road", "street_name": "Vestergade", "short_street_name": "Vesterg",
        "municipality_code": "0751", "street_code": "0001", "postcode": "8000", "district": "Aarhus C",
        "supplementary_town": None, "large_receiver": False, "valid_from": None, "valid_to": None,
    }  # fmt: skip


def test_the_one_before_is_kept_and_older_ones_are_not(tmp_path: Path) -> None:
    store = RegisterStore(tmp_path)
    for generation in (1, 2, 3, 3):
        store.load_total(generation, "current", portions(register(4 + generation)))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["3", "3.2", "current", "lock"]
    assert numbers(store) == list(range(7))


def test_an_error_among_the_portions_leaves_everything_as_it_was(tmp_path: Path) -> None:
    store = RegisterStore(tmp_path)
    before = store.load_total(1, "current", portions(register(5)))

    def broken() -> Iterator[pl.DataFrame]:
        yield frame("Husnummer", [])
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="disk is full"):
        store.load_total(2, "current", {**portions(register(9)), "Husnummer": broken()})
    assert store.current() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "current", "lock"]
    assert store.load_total(2, "current", portions(register(9))).generation == 2


def test_two_loads_at_once_are_refused(tmp_path: Path) -> None:
    store = RegisterStore(tmp_path)
    store.load_total(1, "current", portions(register(5)))
    with (tmp_path / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(RegisterRefused, match="Another load of the address register is under way"):
            store.load_delta(2, delta())
    assert store.load_delta(2, delta()).generation == 2


def test_a_delta_adds_a_small_file_and_takes_over_the_others(tmp_path: Path) -> None:
    store = RegisterStore(tmp_path)
    first = store.load_total(1, "current", portions(register(50)))
    changed = [unit(3, house=1, floor="st"), unit(77), unit(5, ended=True)]
    second = store.load_delta(2, delta(Adresse=changed))
    assert [piece.name for piece in second.pieces["Adresse"]] == ["Adresse.parquet", "Adresse.2.parquet"]
    assert second.pieces["Husnummer"] == first.pieces["Husnummer"]
    assert (tmp_path / "1/Adresse.parquet").samefile(tmp_path / "2/Adresse.parquet")
    assert (second.live_units, second.vanished, second.made_by) == (50, 1, "delta")
    assert numbers(store) == sorted({*range(50), 77} - {5})
    row = store.frames().units.filter(pl.col("id_low") == 3)
    assert row.select("floor", "access").row(0) == ("st", 1)


def test_pieces_that_have_grown_become_one_file(tmp_path: Path) -> None:
    store = RegisterStore(tmp_path)
    store.load_total(1, "current", portions(register(30)))
    store.load_delta(2, delta(Adresse=[unit(number, status=4) for number in range(4)]))
    third = store.load_delta(3, delta(Adresse=[unit(number, floor="kl") for number in range(2, 8)]))
    assert [(piece.name, piece.rows) for piece in third.pieces["Adresse"]] == [("Adresse.3.whole.parquet", 30)]
    assert {path.name for path in (tmp_path / "3").glob("Adresse.*")} == {"Adresse.3.whole.parquet"}
    assert third.live_units == 28
    units = store.frames().units.sort("id_low")
    assert units["status"].to_list() == [4, 4] + [3] * 28
    assert units["floor"].to_list() == ["1"] * 2 + ["kl"] * 6 + ["1"] * 22


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"Adresse": [unit(number, status=4) for number in range(11)]}, "11 of 50 addresses in use would vanish"),
        ({"Adresse": [unit(number, ended=True) for number in range(11)]}, "11 of 50 addresses in use would vanish"),
        (
            {"Adresse": [unit(number, house=8) for number in range(50, 61)]},
            "11 of 11 rows of Adresse point at a missing access address",
        ),
    ],
)
def test_a_delta_that_takes_too_much_is_refused(
    tmp_path: Path, changed: dict[str, list[dict[str, Any]]], words: str
) -> None:
    store = RegisterStore(tmp_path, Limits(max_vanished_share=0.1, tolerated=10))
    before = store.load_total(1, "current", portions(register(50)))
    with pytest.raises(RegisterRefused, match=f"not put in use: {words}. The one before it stays in use."):
        store.load_delta(2, delta(**changed))
    assert store.current() == before
    assert store.load_delta(2, {entity: rows.head(10) for entity, rows in delta(**changed).items()}).generation == 2


def test_a_total_with_too_few_rows_is_refused(tmp_path: Path) -> None:
    store = RegisterStore(tmp_path, Limits(min_rows=NATIONAL_FLOORS))
    with pytest.raises(RegisterRefused, match="it holds 5 rows of Adresse, at least 3000000 are expected"):
        store.load_total(1, "current", portions(register(5)))
    content = register(5)
    content["Postnummer"] = []
    with pytest.raises(RegisterRefused, match="it holds 0 rows of Postnummer, at least 1 are expected"):
        RegisterStore(tmp_path).load_total(1, "current", portions(content))
    assert store.current() is None


def test_units_that_were_closed_count_as_vanished_in_a_total_too(tmp_path: Path) -> None:
    store = RegisterStore(tmp_path, Limits(max_vanished_share=0.1, tolerated=0))
    store.load_total(1, "current", portions(register(50)))
    content = register(50)
    content["Adresse"] = [unit(number, house=number % 2, status=4 if number < 6 else 3) for number in range(50)]
    with pytest.raises(RegisterRefused, match="6 of 50 addresses in use would vanish"):
        store.load_total(2, "current", portions(content))
    content["Adresse"][0]["status"] = 3
    assert store.load_total(2, "current", portions(content)).vanished == 5


def test_a_unit_without_house_is_left_out_and_counted(tmp_path: Path) -> None:
    content = register(5)
    content["Adresse"].append(unit(99, house=77))
    store = RegisterStore(tmp_path)
    assert store.load_total(1, "current", portions(content)).homeless == 1
    assert numbers(store) == list(range(5))


def moment(day: int) -> datetime:
    return datetime(2020, 1, day, tzinfo=UTC)


_VERSION = st.fixed_dictionaries(
    {
        "number": st.integers(0, 5), "from": st.integers(1, 3), "registered": st.integers(1, 3),
        "floor": st.sampled_from(["st", "1", None]), "ended": st.booleans(),
    }
)  # fmt: skip


def version(drawn: Mapping[str, Any]) -> dict[str, Any]:
    times = {"valid_from": moment(drawn["from"]), "registered_from": moment(drawn["registered"])}
    return {**unit(drawn["number"]), **times, "floor": drawn["floor"], "ended": drawn["ended"]}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(["current", "bitemporal"]),
    base=st.lists(_VERSION, max_size=8),
    steps=st.lists(st.lists(_VERSION, max_size=6), min_size=1, max_size=4),
)
def test_changes_one_by_one_give_what_a_dictionary_gives(
    tmp_path: Path, kind: Kind, base: list[dict[str, Any]], steps: list[list[dict[str, Any]]]
) -> None:
    """Rows by name: the last word on each counts. The same holds of the stored pieces, grown together or not."""
    names = row_columns("Adresse", kind)
    expected: dict[tuple[Any, ...], dict[str, Any]] = {}
    first = {tuple(version(row)[name] for name in names): {**version(row), "ended": False} for row in base}
    expected |= first
    content = register(0)
    content["Adresse"] = [{**unit(100), "valid_from": moment(9), "registered_from": moment(9)}, *first.values()]
    content["Adresse"] = [{name: value for name, value in row.items() if name != "ended"} for row in content["Adresse"]]
    store = RegisterStore(tmp_path / uuid.uuid4().hex, Limits(max_vanished_share=1, max_homeless_share=1))
    store.load_total(1, kind, portions(content))
    whole = frame("Adresse", content["Adresse"])
    for generation, step in enumerate(steps, start=2):
        rows = [version(row) for row in step]
        changes = delta(Adresse=rows)
        store.load_delta(generation, changes)
        whole = merged("Adresse", kind, whole, changes["Adresse"])
        for row in rows:
            key = tuple(row[name] for name in names)
            expected.pop(key, None)
            if not row["ended"]:
                expected[key] = row
    manifest = store.current()
    assert manifest is not None
    stored = store.table(manifest, "Adresse")
    order = ["id_low", "valid_from", "registered_from"]
    assert_frame_equal(stored.sort(order), whole.sort(order))
    found = {tuple(row[name] for name in names): row["floor"] for row in stored.iter_rows(named=True)}
    extra = content["Adresse"][0]
    assert found == {key: row["floor"] for key, row in expected.items()} | {
        tuple(extra[name] for name in names): extra["floor"]
    }

"""Washing whole files: every row gets the answer of its text, beside everything that it had."""

import csv
import json
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from integration_assets.cache.washing_store import (
    NoWashingIndex,
    has_washing_index,
    index_folder,
    open_washing_index,
    write_washing_index,
)
from integration_assets.clients.address_lists import BadList
from integration_assets.clients.http import PermanentError
from integration_assets.domain.addresses.washing import WashingIndex
from integration_assets.flows.washing_files import ANSWER, Tally, index_of_folder, wash_file
from integration_assets_tests.domain.washing.register import DATA, frames, index, unit_rows
from integration_assets_tests.flows import dar_folder

MARGRETHE = "91b21c97-fb07-4aac-98c5-61bcb4689f78"


def washed(given: Path, target: Path, **options: Any) -> list[dict[str, Any]]:
    """The rows of the file that comes out, CSV cells as text ("" for none)."""
    wash_file(given, target, index, **options)
    if target.suffix == ".parquet":
        return pl.read_parquet(target).to_dicts()
    with target.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def text_file(path: Path, *texts: str) -> Path:
    path.write_text("\n".join(["text", *texts]) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("source", ["csv", "parquet"])
@pytest.mark.parametrize("target", ["csv", "parquet"])
def test_published_cases_by_way_of_files(tmp_path: Path, source: str, target: str) -> None:
    cases = pl.read_csv(DATA / "cases.csv").filter(pl.col("endpoint") == "adresser")
    given = cases.rename({"category": "expected", "id": "expected id"})
    path = tmp_path / f"in.{source}"
    given.write_parquet(path) if source == "parquet" else given.write_csv(path)
    rows = washed(path, tmp_path / f"out.{target}")
    assert [tuple(row[name] for name in given.columns) for row in rows] == given.rows()
    assert [row["category"] for row in rows] == given["expected"].to_list()
    for row in rows:
        candidates = row["candidates"] if target == "parquet" else json.loads(row["candidates"] or "[]")
        assert (row["unit_id"] or candidates[0]["unit_id"]) == row["expected id"]
        assert bool(candidates) == (row["category"] == "C")
        assert int(row["register_generation"]) == frames().generation


def test_an_answer_says_why(tmp_path: Path) -> None:
    [row] = washed(text_file(tmp_path / "in.csv", "Margreteplassen 04, 4. 8000 Aarhus C"), tmp_path / "out.csv")
    assert (row["category"], row["outcome"], row["method"], row["unit_id"]) == ("B", "unit", "spelling", MARGRETHE)
    assert row["matched_address"] == row["current_address"] == "Margrethepladsen 4, 4., 8000 Aarhus C"
    assert row["status"] == "3"
    # Margreteplassen -> Margrethepladsen: an h and a d more, an s less.
    assert row["distance"] == "2"
    assert json.loads(row["differences"]) == {
        "street": 2, "house_number": 0, "floor": 0, "door": 0, "supplementary_town": 0, "postcode": 0, "district": 0,
    }  # fmt: skip
    assert row["unknown_tokens"] == row["candidates"] == ""


def test_long_lists_keep_their_order_and_count(tmp_path: Path) -> None:
    known = unit_rows().filter(pl.col("valid_to").is_null() & (pl.col("status") == "3")).unique("text", keep="none")
    times = 60_000 // known.height + 1
    rows = pl.concat([known.select("text", "id")] * times).head(60_000).with_row_index("number")
    rows.write_csv(tmp_path / "in.csv")
    told: list[tuple[int, int]] = []
    tally = wash_file(
        tmp_path / "in.csv", tmp_path / "out.parquet", index, progress=lambda done, size: told.append((done, size))
    )
    out = pl.read_parquet(tmp_path / "out.parquet")
    assert out["number"].to_list() == [str(number) for number in range(60_000)]
    assert out["text"].equals(rows["text"])
    assert (out["unit_id"] == out["id"]).mean() > 0.999  # the few are former addresses, as the rules want it
    assert tally.rows == tally.categories.total() == 60_000
    assert tally.categories == Counter(out["category"].to_list())
    size = (tmp_path / "in.csv").stat().st_size
    assert told == sorted(told)
    assert len(told) == 3
    assert told[-1] == (size, size)


def test_no_row_is_dropped(tmp_path: Path) -> None:
    rows = washed(
        text_file(tmp_path / "in.csv", "", "Margrethepladsen 4, 4. 8000 Aarhus C", "   ", '"?"', ""),
        tmp_path / "out.csv",
    )
    assert [row["outcome"] for row in rows] == ["none", "unit", "none", "none", "none"]
    assert [row["text"] for row in rows] == ["", "Margrethepladsen 4, 4. 8000 Aarhus C", "   ", "?", ""]
    pl.DataFrame({"text": [None, "", "Margrethepladsen 4, 4. 8000 Aarhus C"]}).write_parquet(tmp_path / "in.parquet")
    rows = washed(tmp_path / "in.parquet", tmp_path / "out.parquet")
    assert [(row["text"], row["outcome"]) for row in rows] == [
        (None, "none"), ("", "none"), ("Margrethepladsen 4, 4. 8000 Aarhus C", "unit"),
    ]  # fmt: skip
    pl.DataFrame({"text": [None]}).write_parquet(tmp_path / "in.parquet")
    assert washed(tmp_path / "in.parquet", tmp_path / "out.csv")[0]["outcome"] == "none"


def test_a_list_without_rows_gives_its_columns(tmp_path: Path) -> None:
    tally = wash_file(text_file(tmp_path / "in.csv"), tmp_path / "out.parquet", index)
    out = pl.read_parquet(tmp_path / "out.parquet")
    assert out.is_empty()
    assert out.schema == {"text": pl.String, **ANSWER}
    assert tally.sentence() == "No rows."


def test_components_of_a_list(tmp_path: Path) -> None:
    """As whole numbers, as numbers that a spreadsheet made fractions, and as text; names in any letter case."""
    text = {"Street_Name": ["Margrethepladsen"], "house_number": ["04"], "floor": ["4"], " postcode": ["8000"]}
    text["CITY"] = ["Aarhus C"]
    numbers = {"street_name": ["Margrethepladsen"], "house_number": [4], "floor": [4.0], "postcode": [8000.0]}
    numbers["city"] = ["Aarhus C"]
    for name, columns in (("text", text), ("numbers", numbers)):
        frame = pl.DataFrame({**columns, "since": [date(2020, 1, 1)]})
        frame.write_parquet(tmp_path / f"{name}.parquet")
        frame.write_csv(tmp_path / f"{name}.csv")
        for source in ("parquet",) if name == "numbers" else ("parquet", "csv"):
            wash_file(tmp_path / f"{name}.{source}", tmp_path / "out.parquet", index)
            out = pl.read_parquet(tmp_path / "out.parquet")
            assert (out["category"].item(), out["unit_id"].item()) == ("A", MARGRETHE)
            if source == "parquet":
                assert out.select(frame.columns).equals(frame)


def test_access_addresses(tmp_path: Path) -> None:
    house = unit_rows().filter(pl.col("id") == MARGRETHE)["access_id"][0]
    [row] = washed(
        text_file(tmp_path / "in.csv", "Margrethepladsen 4, 8000 Aarhus C"), tmp_path / "out.csv", kind="access"
    )
    assert (row["category"], row["outcome"], row["access_id"], row["unit_id"]) == ("A", "access", house, "")


def test_names_that_are_taken_stay_with_the_list(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {"category": ["mine"], "text": ["Margrethepladsen 4, 4. 8000 Aarhus C"], "washed_category": ["too"]}
    )
    frame.write_csv(tmp_path / "in.csv", separator=";", include_bom=True)
    [row] = washed(tmp_path / "in.csv", tmp_path / "out.parquet")
    assert [row["category"], row["washed_category"], row["washed_washed_category"]] == ["mine", "too", "A"]
    assert "washed_outcome" not in row
    assert row["unit_id"] == MARGRETHE
    wash_file(tmp_path / "in.csv", tmp_path / "out.csv", index)
    first = (tmp_path / "out.csv").read_bytes().split(b"\n")[0]
    assert first.startswith(b"\xef\xbb\xbfcategory;text;washed_category;washed_washed_category;outcome;")


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"adresse": ["x"]}, "has no column to wash: it needs text, or components with street_name or street_code"),
        ({"house_number": ["1"], "postcode": ["8000"]}, "has no column to wash"),
        ({"text": ["x"], "postcode": ["8000"]}, r"has a column text and columns of components \(postcode\)"),
        ({"text": ["x"], "Text ": ["y"]}, "has two columns text: 'text' and 'Text '"),
        ({"text": [1]}, "has no text in its column text but Int64"),
        ({"street_name": ["x"], "door": [date(2020, 1, 1)]}, "has no text in its column door but Date"),
    ],
)  # fmt: skip
def test_lists_that_cannot_be_washed_are_refused_before_anything_is_opened(
    tmp_path: Path, columns: dict[str, list[Any]], sentence: str
) -> None:
    pl.DataFrame(columns).write_parquet(tmp_path / "in.parquet")
    with pytest.raises(BadList, match=sentence):
        wash_file(tmp_path / "in.parquet", tmp_path / "out.csv", must_not_be_asked)
    assert not (tmp_path / "out.csv").exists()


def must_not_be_asked() -> WashingIndex:
    raise AssertionError("the register was opened for a bad list")


def test_where_it_cannot_be_written_is_told_before_anything_is_opened(tmp_path: Path) -> None:
    given = text_file(tmp_path / "in.csv", "Margrethepladsen 4, 4. 8000 Aarhus C")
    for target, sentence in [
        (given, "would be replaced by what is made of it"),
        (tmp_path / "nowhere" / "out.csv", "There is no folder"),
        (tmp_path / "out.json", "has to end in"),
    ]:
        with pytest.raises(BadList, match=sentence):
            wash_file(given, target, must_not_be_asked)
    assert given.read_text() == "text\nMargrethepladsen 4, 4. 8000 Aarhus C\n"


def test_a_line_that_is_bad_far_down_leaves_what_was_written_before(tmp_path: Path) -> None:
    given = tmp_path / "in.csv"
    given.write_text("text,n\n" + "Vestergade 1,1\n" * 30_000 + "Vestergade 2, st,1\n")
    (tmp_path / "out.csv").write_text("of before")
    with pytest.raises(BadList, match="line 30002: 3 columns"):
        wash_file(given, tmp_path / "out.csv", index)
    assert (tmp_path / "out.csv").read_text() == "of before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "out.csv"]


def test_figures_as_a_sentence() -> None:
    tally = Tally(seconds=0.5)
    tally.add(pl.Series(["A"] * 1_200 + ["C"] * 50))
    tally.add(pl.Series(["B"] * 750))
    assert tally.sentence() == "2,000 rows in 0.5 s (4,000 per second): A 60.0 %, B 37.5 %, C 2.5 %."


def test_the_register_of_a_data_directory(tmp_path: Path) -> None:
    folder = index_folder(tmp_path)
    with pytest.raises(NoWashingIndex, match="materialize addresses/washing_index"):
        open_washing_index(folder)
    write_washing_index(index(), folder)
    assert open_washing_index(folder).generation == frames().generation


def test_an_index_that_is_being_replaced_stays_readable(tmp_path: Path) -> None:
    write_washing_index(index(), tmp_path)
    reading = open_washing_index(tmp_path)
    write_washing_index(index(), tmp_path)
    write_washing_index(index(), tmp_path)
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 2  # the one in use and the one before
    assert reading.generation == open_washing_index(tmp_path).generation == frames().generation
    (tmp_path / "current").unlink()
    assert not has_washing_index(tmp_path)


def test_the_register_of_a_folder_is_kept_until_its_files_change(tmp_path: Path, server_dir: Path) -> None:
    files, keep = tmp_path / "files", tmp_path / "keep"
    with pytest.raises(PermanentError, match="holds no download files"):
        index_of_folder(files, keep)
    units = dar_folder.fill(files, server_dir)
    given = text_file(tmp_path / "in.csv", *units.values())
    outs = [tmp_path / f"{name}.parquet" for name in ("passing", "made", "found")]
    read: list[str] = []
    for out, kept in zip(outs, (None, keep, keep), strict=True):
        opened = index_of_folder(files, kept, lambda what, _done, _size: read.append(what))
        if out == outs[2]:
            assert read == []
        else:
            assert "read Adresse" in read
        read.clear()
        wash_file(given, out, lambda found=opened: found)
    passing, made, found = map(pl.read_parquet, outs)
    assert passing.equals(made)
    assert made.equals(found)
    assert (made["unit_id"] == pl.Series(list(units))).mean() > 0.98  # but for addresses of the same text
    assert set(made["category"]) <= {"A", "C"}
    (own,) = keep.iterdir()
    first = next(files.glob("DAR_V3_Adresse_*"))
    first.touch()
    assert index_of_folder(files, keep).generation == opened.generation
    assert len(list(keep.iterdir())) == 2
    assert own.is_dir()

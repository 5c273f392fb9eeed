"""Lists of addresses in files: what is read is what stands there, what is bad is named with its line."""

import csv
import io
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from integration_assets.clients.address_lists import BadList, new_list, open_list

TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\r\n\x00"), max_size=12)


def read(path: Path, rows: int = 3) -> list[dict[str, object]]:
    return [row for portion in open_list(path).portions(rows) for row in portion.rows.to_dicts()]


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(st.tuples(TEXT, TEXT), max_size=8), st.sampled_from([",", ";", "\t"]), st.booleans())
def test_what_another_writer_wrote_is_read(
    tmp_path: Path, rows: list[tuple[str, str]], separator: str, with_bom: bool
) -> None:
    text = io.StringIO()
    csv.writer(text, delimiter=separator).writerows([("a", "æ b"), *rows])
    path = written(tmp_path / "in.csv", text.getvalue().encode("utf-8-sig" if with_bom else "utf-8"))
    assert [tuple(row.values()) for row in read(path)] == rows
    assert (open_list(path).separator, open_list(path).with_bom) == (separator, with_bom)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(st.tuples(TEXT, TEXT), max_size=8), st.sampled_from([",", ";", "\t"]), st.booleans())
def test_another_reader_reads_what_is_written(
    tmp_path: Path, rows: list[tuple[str, str]], separator: str, with_bom: bool
) -> None:
    path = tmp_path / "out.csv"
    frame = pl.DataFrame(rows, schema={"a": pl.String, "æ b": pl.String}, orient="row")
    with new_list(path, frame.schema, separator, with_bom) as sheet:
        for portion in frame.iter_slices(3) if rows else [frame]:
            sheet.add(portion)
    content = path.read_bytes()
    assert content.startswith(b"\xef\xbb\xbf") == with_bom
    again = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=separator))
    assert [tuple(row) for row in again] == [("a", "æ b"), *rows]


def test_portions_follow_each_other_and_say_how_far_they_are(tmp_path: Path) -> None:
    path = written(tmp_path / "in.csv", "text;n\n" + "".join(f"vej {n};{n}\n" for n in range(7)))
    portions = list(open_list(path).portions(3))
    assert [portion.rows["n"].to_list() for portion in portions] == [["0", "1", "2"], ["3", "4", "5"], ["6"]]
    assert [portion.read for portion in portions] == [len("text;n\n") + 8 * n for n in (3, 6, 7)]
    assert {portion.size for portion in portions} == {path.stat().st_size}
    pl.read_csv(path, separator=";").write_parquet(tmp_path / "in.parquet")
    portions = list(open_list(tmp_path / "in.parquet").portions(3))
    assert [(portion.rows["n"].to_list(), portion.read, portion.size) for portion in portions] == [
        ([0, 1, 2], 3, 7), ([3, 4, 5], 6, 7), ([6], 7, 7),
    ]  # fmt: skip


def test_a_list_of_one_column_needs_no_quotation_marks(tmp_path: Path) -> None:
    content = 'text\r\nVestergade 4, 2. tv, 7600 Struer\r\n\r\n"Østergade 1; th"\r\nKro "Enden" 5'
    rows = read(written(tmp_path / "in.csv", content))
    assert [row["text"] for row in rows] == [
        "Vestergade 4, 2. tv, 7600 Struer", "", "Østergade 1; th", 'Kro "Enden" 5',
    ]  # fmt: skip


def test_an_empty_line_is_an_empty_row_and_a_cell_may_have_lines(tmp_path: Path) -> None:
    rows = read(written(tmp_path / "in.csv", 'a,b\n1,"two\nlines"\n\n3,\n'))
    assert [tuple(row.values()) for row in rows] == [("1", "two\nlines"), ("", ""), ("3", "")]


def test_a_list_without_rows_has_columns(tmp_path: Path) -> None:
    (portion,) = open_list(written(tmp_path / "in.csv", "text,n\n")).portions(5)
    assert portion.rows.schema == {"text": pl.String, "n": pl.String}
    assert portion.rows.is_empty()
    pl.DataFrame(schema={"text": pl.String}).write_parquet(tmp_path / "in.parquet")
    (portion,) = open_list(tmp_path / "in.parquet").portions(5)
    assert portion.rows.schema == {"text": pl.String}
    assert portion.rows.is_empty()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "in.csv is empty"),
        ("text,n\nÅvej 1,2\nBæk,3\n".encode("latin-1"), r"is not UTF-8: line 2 is the first"),
        ("text,n\nAvej 1,2\nBæk,3\n".encode("latin-1"), r"is not UTF-8: line 3 is the first"),
        ("text,n\na,1\n".encode("utf-16"), r"is not UTF-8: line 1 is the first"),
        (b"text,n\na,1\nVestergade 4, 2. tv,2\n", "line 3: 3 columns where the first line names 2"),
        (b'text,n\n"a\nb",1\nc\n', "line 4: 1 columns where the first line names 2"),
        (b'text,n\na,1\n"never closed,2\nb,3\n', "the row of line 3 is broken"),
        (b'text,n\na,1\n"a"b,2\n', "the row of line 3 is broken"),
        (b"text,n,text\n", "names a column twice: 'text'"),
    ],
)  # fmt: skip
def test_what_is_no_csv_is_told_with_its_line(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = written(tmp_path / "in.csv", content)
    with pytest.raises(BadList, match=sentence):
        read(path)


def test_files_that_are_not_there_or_not_parquet_are_told(tmp_path: Path) -> None:
    with pytest.raises(BadList, match=r"missing\.csv cannot be read: No such file"):
        open_list(tmp_path / "missing.csv")
    with pytest.raises(BadList, match="cannot be read: Is a directory"):
        open_list(tmp_path)
    with pytest.raises(BadList, match=r"in\.parquet cannot be read as parquet"):
        open_list(written(tmp_path / "in.parquet", "text\nVej 1\n"))
    good = io.BytesIO()
    pl.DataFrame({"text": [f"Vej {n}" for n in range(5_000)]}).write_parquet(good, compression="uncompressed")
    middle = len(good.getvalue()) // 3
    broken = good.getvalue()[:4] + b"\xff" * middle + good.getvalue()[4 + middle :]
    with pytest.raises(BadList, match="cannot be read as parquet"):
        read(written(tmp_path / "broken.csv", broken))


def test_parquet_keeps_types_and_nested_columns_become_json_in_csv(tmp_path: Path) -> None:
    frame = pl.DataFrame({"n": [1, None, 3], "several": [["æ", '"'], [], None], "one": [{"x": 1}, None, {"x": None}]})
    for ending in ("parquet", "csv"):
        with new_list(tmp_path / f"out.{ending}", frame.schema) as sheet:
            sheet.add(frame.head(1))
            sheet.add(frame.tail(2))
    assert pl.read_parquet(tmp_path / "out.parquet").equals(frame)
    assert [tuple(row.values()) for row in read(tmp_path / "out.csv")] == [
        ("1", '["æ","\\""]', '{"x":1}'), ("", "", ""), ("3", "", '{"x":null}'),
    ]  # fmt: skip


def test_a_failure_leaves_the_file_of_before_and_nothing_beside_it(tmp_path: Path) -> None:
    for ending in ("parquet", "csv"):
        path = written(tmp_path / f"out.{ending}", "of before")
        frame = pl.DataFrame({"text": ["Vej 1"]})
        with pytest.raises(RuntimeError, match="power cut"), new_list(path, frame.schema) as sheet:  # noqa: PT012
            sheet.add(frame)
            raise RuntimeError("power cut")
        assert path.read_text() == "of before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", "out.parquet"]


def test_where_nothing_can_be_written_is_told_first(tmp_path: Path) -> None:
    schema = pl.Schema({"text": pl.String})
    for path, sentence in [
        (tmp_path / "out.xlsx", r"has to end in \.csv or \.parquet"),
        (tmp_path / "nowhere" / "out.csv", "There is no folder .*nowhere for out.csv"),
    ]:
        with pytest.raises(BadList, match=sentence), new_list(path, schema):
            pass
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(BadList, match="is a folder"), new_list(tmp_path / "folder.csv", schema):
        pass
    blob = pl.Schema({"text": pl.String, "photo": pl.Binary})
    with pytest.raises(BadList, match=r"photo cannot be written as text\. Choose \.parquet"):
        new_list(tmp_path / "out.csv", blob).__enter__()

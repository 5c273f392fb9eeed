"""`integration-assets addresses` as people start it, over download files of a small register."""

import csv
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa

from integration_assets.cache.washing_store import index_folder, write_washing_index
from integration_assets.cache.washings import ANSWERS, Washings
from integration_assets.flows.washing_files import index_of_folder
from integration_assets_tests.flows import dar_folder

DONE, BAD_INPUT = 0, 2
SECONDS = 120


class Register:
    """Download files in a folder, and the lines of their units by id."""

    def __init__(self, folder: Path, units: dict[str, str]) -> None:
        self.folder = folder
        lines = list(units.values())
        self.units = {key: line for key, line in units.items() if lines.count(line) == 1}


@pytest.fixture(scope="module")
def register(server_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Register:
    folder = tmp_path_factory.mktemp("register")
    return Register(folder, dar_folder.fill(folder, server_dir))


@pytest.fixture(scope="module")
def data_dir(register: Register, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory in which that register is ready for washing."""
    folder = tmp_path_factory.mktemp("data")
    write_washing_index(index_of_folder(register.folder), index_folder(folder))
    return folder


def run(*arguments: str | Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [Path(sys.executable).with_name("integration-assets"), "addresses", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=SECONDS, check=False, env={**os.environ, **environment}
    )


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=";"))


def test_a_list_is_washed_with_download_files_and_the_index_is_kept(register: Register, tmp_path: Path) -> None:
    known = list(register.units.items())[:40]
    given = tmp_path / "in.csv"
    lines = [
        "id;text;note",
        *(f'{key};"{line.upper()}";{number}' for number, (key, line) in enumerate(known)),
        ";;none",
    ]
    given.write_text("\n".join(lines), encoding="utf-8")
    for _ in range(2):
        done = run(
            "wash", given, tmp_path / "out.csv", "--register", register.folder, "--keep-index", tmp_path / "kept"
        )
        assert (done.returncode, done.stderr) == (DONE, "")
        assert re.fullmatch(
            r"41 rows in \d+\.\d s \([\d,]+ per second\): A 97\.6 %, B 0\.0 %, C 2\.4 %\.\n", done.stdout
        )
        rows = read(tmp_path / "out.csv")
        assert [row["unit_id"] for row in rows] == [*(key for key, _ in known), ""]
        assert [row["id"] for row in rows] == [*(key for key, _ in known), ""]
        assert [row["note"] for row in rows] == [*map(str, range(40)), "none"]
        assert [row["matched_address"] for row in rows[:-1]] == [line for _, line in known]
        assert rows[-1]["outcome"] == "none"
        assert len(list((tmp_path / "kept").iterdir())) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "kept", "out.csv"]


def test_parquet_is_washed_with_the_register_of_the_settings(
    register: Register, data_dir: Path, tmp_path: Path
) -> None:
    key, line = next(iter(register.units.items()))
    pl.DataFrame({"text": [line], "when": [datetime(2026, 1, 1, tzinfo=UTC)]}).write_parquet(tmp_path / "in.parquet")
    done = run("wash", tmp_path / "in.parquet", tmp_path / "out.parquet", INTEGRATION_DATA_DIR=str(data_dir))
    assert (done.returncode, done.stderr) == (DONE, "")
    out = pl.read_parquet(tmp_path / "out.parquet")
    assert out.select("text", "when").equals(pl.read_parquet(tmp_path / "in.parquet"))
    assert out["unit_id"].to_list() == [key]


def test_what_is_wrong_is_one_sentence_and_an_exit_code(data_dir: Path, tmp_path: Path) -> None:
    good, latin, other = tmp_path / "good.csv", tmp_path / "latin.csv", tmp_path / "other.csv"
    good.write_text("text\nVestergade 1, 5000 Odense C\n")
    latin.write_bytes("text\nVestergade 1\nÅvej 2\n".encode("latin-1"))
    other.write_text("name,house_number\nx,1\n")
    out, stored = tmp_path / "out.csv", ("--data-dir", data_dir)
    for arguments, sentence in [
        ((tmp_path / "missing.csv", out, *stored), "missing.csv cannot be read: No such file or directory."),
        ((latin, out, *stored), "is not UTF-8: line 3 is the first that cannot be read."),
        ((other, out, *stored), "has no column to wash: it needs text, or components"),
        ((good, tmp_path / "nowhere" / "out.csv", *stored), "There is no folder"),
        (
            (good, out, "--data-dir", tmp_path),
            "let the sensor new_address_register do it. Or name a folder with its download files",
        ),
        ((good, out, "--register", tmp_path), "holds no download files of the address register"),
        ((good, out, "--keep-index", tmp_path), "--keep-index keeps what is made of --register"),
    ]:
        done = run("wash", *arguments)
        assert (done.returncode, done.stdout) == (BAD_INPUT, ""), done
        assert sentence in done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["good.csv", "latin.csv", "other.csv"]


def test_decisions_are_checked_remembered_and_listed(register: Register, data_dir: Path, cache_url: str) -> None:
    def told(*arguments: str) -> tuple[int, str, str]:
        done = run(*arguments, "--data-dir", str(data_dir), INTEGRATION_CACHE_URL=cache_url)
        return done.returncode, done.stdout, done.stderr

    key, line = next(iter(register.units.items()))
    text = ("decide", "Huset ved  Åen", "--kind", "unit", "--by", "ann")
    assert told("decisions") == (DONE, "Nothing has been decided yet.\n", "")
    code, out, _ = told(*text, "--address", key, "--note", "seen on site")
    assert (code, out) == (DONE, f'Remembered: "huset ved åen" (unit) means {line} ({key}).\n')
    code, out, error = told(*text, "--address", "00000000-0000-4000-8000-000000000000")
    assert (code, out) == (BAD_INPUT, "")
    assert error.startswith("00000000-0000-4000-8000-000000000000 is not a unit address in use")
    for wrong in ((), ("--none", "--address", key)):
        assert told(*text, *wrong)[0] == BAD_INPUT
    code, out, _ = told(*text[:-1], "bo", "--none")
    assert (code, out.splitlines()) == (
        DONE,
        ['Remembered: "huset ved åen" (unit) means no address.', "ann had decided otherwise; that is replaced."],
    )
    code, out, _ = told("decisions")
    assert code == DONE
    assert [re.split(r"\s{2,}", row.strip())[:4] for row in out.splitlines()[1:]] == [
        ["unit", "huset ved åen", "–", "bo"]
    ]


def test_answers_that_another_register_changed_are_listed(cache: sa.Engine, cache_url: str, data_dir: Path) -> None:
    row = {"text": "Nygade 1", "normalized": "nygade 1", "outcome": "unit", "method": "exact", "evidence": "{}"}
    for generation, unit in ((7, None), (8, "u9")):
        answers = pl.DataFrame([{**row, "category": "A" if unit else "C", "unit_id": unit}], schema=ANSWERS)
        now = datetime(2026, 3, generation, 12, tzinfo=UTC)
        Washings(cache).record("unit", answers, generation=generation, rule_version="1", now=now)
    for since, expected in [
        ((), True),
        (("--since", "2026-03-08"), True),
        (("--since", "2026-03-09"), False),
    ]:
        done = run("changes", *since, "--data-dir", data_dir, INTEGRATION_CACHE_URL=cache_url)
        assert done.returncode == DONE, done.stderr
        if expected:
            shown = re.split(r"\s{2,}", done.stdout.splitlines()[1].strip())
            assert shown == ["unit", "Nygade 1", "C → A", "7 → 8", "1 → 1", "–", "u9"]
        else:
            assert done.stdout == "No answer has changed.\n"
    assert run("changes", "--since", "yesterday", "--data-dir", data_dir).returncode == BAD_INPUT

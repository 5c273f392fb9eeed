"""The embedded server among processes that start together, end in any order, or are killed."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa

from integration_assets.cache.engine import cache_engine, embedded_server_url, normalised
from integration_assets.cache.server import EmbeddedServer

# Attaches to the server in the folder, writes and counts a row, then waits for a line (or dies).
_PROCESS = """
import sys
from pathlib import Path
from integration_assets.cache.engine import cache_engine

engine = cache_engine(None, Path(sys.argv[1]))
with engine.begin() as connection:
    connection.exec_driver_sql("SELECT pg_advisory_xact_lock(1)")
    connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS visit (at timestamptz DEFAULT now())")
    connection.exec_driver_sql("INSERT INTO visit DEFAULT VALUES")
print("ready", flush=True)
for line in sys.stdin:
    with engine.begin() as connection:
        print(connection.exec_driver_sql("SELECT count(*) FROM visit").scalar_one(), flush=True)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="server-tests-"))
    yield path
    postmaster = _postmaster(path)
    if postmaster:
        postmaster.kill()
    shutil.rmtree(path, ignore_errors=True)


def _postmaster(folder: Path) -> psutil.Process | None:
    pid_file = folder / "postgres" / "postmaster.pid"
    if not pid_file.exists():
        return None
    pid = int(pid_file.read_text().split("\n", 1)[0])
    return psutil.Process(pid) if psutil.pid_exists(pid) and psutil.Process(pid).name() == "postgres" else None


def _runs(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def _start(folder: Path | str, **options: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-W", "error::UserWarning", "-c", _PROCESS, str(folder)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, **options)  # type: ignore[call-overload]


def _await_ready(process: "subprocess.Popen[str]") -> None:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line == "ready\n", process.communicate()[1]


def _visits(process: "subprocess.Popen[str]") -> int:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("count\n")
    process.stdin.flush()
    return int(process.stdout.readline())


def _finish(process: "subprocess.Popen[str]") -> str:
    """End the process in an orderly way; what it said on stderr."""
    return process.communicate(timeout=60)[1]


def _kill(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_processes_that_start_together_and_end_one_by_one(folder: Path) -> None:
    processes = [_start(folder) for _ in range(3)]
    for process in processes:
        _await_ready(process)
    server = _postmaster(folder)
    assert server is not None
    for remaining in range(3, 0, -1):
        assert _visits(processes[0]) == 3
        assert _runs(server), remaining
        assert _finish(processes.pop()) == ""
    assert not _runs(server)
    assert _postmaster(folder) is None


def test_killed_processes_neither_stop_the_server_nor_keep_it(folder: Path) -> None:
    killed, living = _start(folder), _start(folder)
    _await_ready(killed)
    _await_ready(living)
    server = _postmaster(folder)
    assert server is not None
    _kill(killed)
    assert _visits(living) == 2
    _kill(living)
    assert _runs(server)
    late = _start(folder)
    _await_ready(late)
    assert _postmaster(folder) == server
    assert _visits(late) == 3
    _finish(late)
    assert not _runs(server)


def test_a_killed_server_recovers_with_all_committed_rows(folder: Path) -> None:
    first = _start(folder)
    _await_ready(first)
    server = _postmaster(folder)
    assert server is not None
    children = server.children()
    server.kill()
    _kill(first)
    psutil.wait_procs([server, *children], timeout=20)
    # The pid file is left over, and its process id now belongs to a program that is no server.
    pid_file = folder / "postgres" / "postmaster.pid"
    lines = pid_file.read_text().split("\n")
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]))
    second = _start(folder)
    _await_ready(second)
    assert _visits(second) == 2
    _finish(second)


def test_a_killed_creation_is_done_again(folder: Path) -> None:
    half_made = folder / "postgres.new"
    half_made.mkdir()
    (half_made / "PG_VERSION").write_text("18\n")
    process = _start(folder)
    _await_ready(process)
    _finish(process)
    assert not half_made.exists()


def test_relative_and_very_long_folders_work(folder: Path) -> None:
    deep = folder / ("long name 'quoted' æ/" * 8) / "var"
    deep.parent.mkdir(parents=True)
    process = _start("var", cwd=deep.parent)
    _await_ready(process)
    sockets = EmbeddedServer(deep).socket_dir()
    assert len(os.fsencode(sockets)) < 90
    assert sockets.stat().st_mode & 0o077 == 0
    other = _start(deep)
    _await_ready(other)
    assert _visits(other) == 2
    assert _finish(other) == ""
    assert _finish(process) == ""
    sockets.rmdir()


def test_a_handle_is_kept_until_it_is_closed(folder: Path) -> None:
    server = EmbeddedServer(folder)
    server.open()
    child = os.fork()
    if child == 0:
        server.close()  # not the child's to close
        os._exit(0)
    os.waitpid(child, 0)
    other = _start(folder)
    _await_ready(other)
    _finish(other)
    postmaster = _postmaster(folder)
    assert postmaster is not None
    begin = time.monotonic()
    server.open()
    assert time.monotonic() - begin < 1
    server.close()
    assert not _runs(postmaster)
    server.close()


def test_a_removed_folder_does_not_trouble_the_end_of_a_process(folder: Path) -> None:
    process = _start(folder)
    _await_ready(process)
    server = _postmaster(folder)
    assert server is not None
    shutil.rmtree(folder)
    assert _finish(process) == ""
    server.kill()


def test_databases_are_created_once_and_are_durable(server_dir: Path) -> None:
    url = embedded_server_url(server_dir, 'odd "name"')
    assert url == embedded_server_url(server_dir, 'odd "name"')
    engine = cache_engine(url, server_dir)
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT current_database()")).scalar_one() == 'odd "name"'
        for setting in ("fsync", "synchronous_commit", "full_page_writes", "data_checksums"):
            assert connection.execute(sa.text(f"SHOW {setting}")).scalar_one() == "on", setting
        assert connection.execute(sa.text("SHOW listen_addresses")).scalar_one() == ""
    engine.dispose()


def test_the_log_holds_no_content_of_rows(cache: sa.Engine, server_dir: Path) -> None:
    with cache.connect() as connection, pytest.raises(sa.exc.DBAPIError) as failure:
        connection.execute(
            sa.text("SELECT CAST(:number AS text)::int / 0 FROM (VALUES ('0101701234')) AS t(n)"), {"number": "1"}
        )
    assert "hide_parameters" in str(failure.value)
    with cache.connect() as connection, pytest.raises(sa.exc.DBAPIError):
        connection.execute(sa.text("SELECT CAST('0101701234 Viggo' AS bigint)"))
    assert "0101701234" not in (server_dir / "postgres" / "server.log").read_text()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgres://u:p@h:1/d", "postgresql+psycopg://u:p@h:1/d"),
        ("postgresql://h/d?sslmode=require", "postgresql+psycopg://h/d?sslmode=require"),
        ("postgresql+psycopg2://h/d", "postgresql+psycopg://h/d"),
    ],
)
def test_urls_of_any_driver_are_accepted(url: str, expected: str) -> None:
    assert normalised(url) == expected


@pytest.mark.parametrize("url", ["sqlite:///x", "localhost", "mysql://user:secret@h/d"])
def test_other_urls_are_refused_without_showing_them(url: str) -> None:
    with pytest.raises(ValueError, match="needs a PostgreSQL URL") as refused:
        normalised(url)
    assert "secret" not in str(refused.value)

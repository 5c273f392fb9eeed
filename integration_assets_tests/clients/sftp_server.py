"""A real SFTP server on loopback in a thread, with one folder, for the client of the event files.

It notes which files were opened, and can be told to stand still or to hang up while a file is read, or to change
something before one is opened.
"""

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncssh
from asyncssh.constants import FXF_READ

_NAMESPACE = "http://serviceplatformen.dk/xml/wsdl/soap11/SFTP/1/types"


class SftpFolder:
    """The folder ``IN`` of a running server: its files, what was asked of it, and its whims."""

    def __init__(self, root: Path, host_key: asyncssh.SSHKey) -> None:
        self.root = root
        self.folder = root / "IN"
        self.folder.mkdir(parents=True)
        self.host_key = host_key.export_public_key().decode().strip()
        self.port = 0
        self.opened: list[str] = []
        self.logins: list[str] = []
        self.stand_still_s = 0.0
        self.hang_up = False
        self.before_open: Callable[[str], object] = str
        self.connections: list[asyncssh.SSHServerConnection] = []

    def put(self, name: str, content: bytes, *, size: int | None = None, metadata: bool = True) -> None:
        """A file as the platform puts it; `size` is what its metadata says, where that is not the truth."""
        (self.folder / name).write_bytes(content)
        if metadata:
            self.put_metadata(name, len(content) if size is None else size)

    def put_metadata(self, name: str, size: int) -> None:
        """The metadata of a file."""
        (self.folder / f"{name}.metadata").write_text(
            f'<?xml version="1.0" encoding="UTF-8"?><ns:FileTransfer xmlns:ns="{_NAMESPACE}">'
            "<ns:FileTransferUUID>7e1a9b5c-0d7a-4a43-8c7e-51f4a0a0f001</ns:FileTransferUUID><ns:FileDescriptor>"
            f"<ns:FileName>{name}</ns:FileName><ns:SizeInBytes>{size}</ns:SizeInBytes><ns:Sender>CPR</ns:Sender>"
            "<ns:SendersFileId>1</ns:SendersFileId><ns:Recipients>utility</ns:Recipients></ns:FileDescriptor>"
            "</ns:FileTransfer>"
        )

    def remove(self, name: str) -> None:
        """The platform's retention takes a file away."""
        (self.folder / name).unlink()
        (self.folder / f"{name}.metadata").unlink(missing_ok=True)


class _Login(asyncssh.SSHServer):
    def __init__(self, state: SftpFolder) -> None:
        self._state = state

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._state.connections.append(conn)

    def begin_auth(self, username: str) -> bool:
        self._state.logins.append(username)
        return True


class _Files(asyncssh.SFTPServer):
    def __init__(self, chan: Any, state: SftpFolder) -> None:
        super().__init__(chan, chroot=str(state.root).encode())
        self._state = state

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
        assert pflags == FXF_READ
        name = os.fsdecode(path).rpartition("/")[2]
        self._state.before_open(name)
        self._state.opened.append(name)
        return super().open(path, pflags, attrs)

    async def read(self, file_obj: object, offset: int, size: int) -> bytes:  # type: ignore[override]
        if self._state.hang_up:
            self._state.connections[-1].abort()
        await asyncio.sleep(self._state.stand_still_s)
        return super().read(file_obj, offset, size)  # type: ignore[return-value]


@contextmanager
def sftp_folder(root: Path, host_key: asyncssh.SSHKey, client_key: asyncssh.SSHKey) -> Iterator[SftpFolder]:
    """A server with this host key that lets in who has the client key."""
    state = SftpFolder(root, host_key)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="sftp-server", daemon=True)
    thread.start()

    async def listen() -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_factory=lambda: _Login(state),
            server_host_keys=[host_key],
            authorized_client_keys=asyncssh.import_authorized_keys(client_key.export_public_key().decode()),
            sftp_factory=lambda channel: _Files(channel, state),
        )

    async def close() -> None:
        acceptor.close()
        for connection in state.connections:
            connection.abort()
        await acceptor.wait_closed()

    acceptor = asyncio.run_coroutine_threadsafe(listen(), loop).result(10)
    state.port = acceptor.get_port()
    try:
        yield state
    finally:
        asyncio.run_coroutine_threadsafe(close(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()

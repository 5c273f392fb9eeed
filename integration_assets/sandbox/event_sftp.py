"""The SFTP server of the sandbox, where the product fetches the files of the outbox.

Belongs here: starting the server inside the sandbox's own event loop, who may log in, what she sees. One user, one key,
no password; her root is the outbox's folder.
"""

from pathlib import Path

import asyncssh

from integration_assets.sandbox.certificates import Keys
from integration_assets.sandbox.event_outbox import IN

HOST = "127.0.0.1"
USER = "sandbox"


class _Customer(asyncssh.SSHServer):
    """One connection: somebody who has to prove that she is the customer."""

    def __init__(self, authorized: asyncssh.SSHAuthorizedKeys) -> None:
        self._authorized = authorized
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn

    def begin_auth(self, username: str) -> bool:
        if username == USER and self._connection is not None:
            self._connection.set_authorized_keys(self._authorized)
        return True


async def start_sftp(keys: Keys, root: Path, port: int) -> asyncssh.SSHAcceptor:
    """Listen on the loopback interface; port 0 lets the operating system choose. Raises OSError for a port in use."""

    def files(channel: "asyncssh.SSHServerChannel[bytes]") -> asyncssh.SFTPServer:
        return asyncssh.SFTPServer(channel, chroot=str(root).encode())

    authorized = asyncssh.import_authorized_keys(keys.ssh_client_line() + "\n")
    return await asyncssh.listen(
        HOST,
        port,
        server_factory=lambda: _Customer(authorized),
        server_host_keys=[str(keys.ssh_host)],
        sftp_factory=files,
        allow_scp=False,
    )


def event_settings(keys: Keys, port: int) -> dict[str, str]:
    """The product settings that lead to the server."""
    return {
        "person_events_source": "sftp",
        "person_events_host": HOST,
        "person_events_port": str(port),
        "person_events_user": USER,
        "person_events_key": str(keys.ssh_client),
        "person_events_host_key": keys.ssh_host_line(),
        "person_events_folder": IN,
    }

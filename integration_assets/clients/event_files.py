"""The person register's event files, fetched over SFTP from the platform that delivers them.

Belongs here: which files of the folder are complete, in which order they are read, and how the server is spoken to. A
file is complete when `<file>.metadata` is there and names its size. What a file says is `clients.event_records`, what
has been worked off `clients.event_cursor`.

Promises: the server must show the key that we know, and is shown our key and nothing else (no agent, no configuration
of the user's); files are read only, the platform removes them; of files worked off nothing is fetched, and each start
record once. Does not promise to step over a broken file: it is named in an error and all that came after it waits,
until the operator has it delivered anew or moved away. It tries once: who asks again later finds the same.
"""

import asyncio
import logging
import posixpath
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import asyncssh
from asyncssh.constants import FILEXFER_TYPE_DIRECTORY

from integration_assets.clients.event_cursor import Cursor, Delivery, FileKey
from integration_assets.clients.event_records import (
    START_BYTES,
    EventFile,
    EventFileError,
    Start,
    read_file,
    read_start,
    shown,
)
from integration_assets.clients.http import PermanentError, TransientError, mask
from integration_assets.clients.soap_xml import local, parse
from integration_assets.domain.people.ports import EventBatch

# asyncssh logs user and paths at INFO; a file name is not ours to vouch for.
logging.getLogger("asyncssh").setLevel(logging.WARNING)

_METADATA: Final = ".metadata"
_METADATA_BYTES: Final = 64 << 10
_PORTION_BYTES: Final = 4 << 20
_REFUSED_FOR_GOOD: Final = (
    asyncssh.PermissionDenied,
    asyncssh.IllegalUserName,
    asyncssh.KeyExchangeFailed,
    asyncssh.ProtocolNotSupported,
)

T = TypeVar("T")


@dataclass(frozen=True)
class Account:
    """Where the files lie and who we are there.

    `key` is the file of our private key (OpenSSH or PEM, without passphrase), `host_key` the server's public key in one
    line, `folder` relative to the account's home unless it begins with a slash.
    """

    host: str
    user: str
    key: Path
    host_key: str
    port: int = 22
    folder: str = "IN"


class EventFiles:
    """`ports.PersonEvents` from the files of one SFTP folder. One connection per question; one question at a time."""

    def __init__(self, account: Account, *, timeout_s: float = 30.0) -> None:
        """`timeout_s` bounds each step: connecting, logging in, each request. Raises PermanentError for bad keys."""
        self._account = account
        self._timeout_s = timeout_s
        self._key, self._host_key = _keys(account)
        self._starts: dict[FileKey, Start] = {}

    def since(self, cursor: str | None) -> EventBatch:
        """The events of the next file after `cursor`, by production day; with None of the oldest.

        Nothing new: no events and the same cursor. `notes` name files that are not complete yet, and what the file
        holds beside events. Raises TransientError where the server cannot be reached or does not answer in time,
        PermanentError where it refuses us, shows another key than ours, or a file is broken (EventFileError) or the
        cursor unreadable; the cursor given stays good.
        """
        known = Cursor.read(cursor)
        with _explained(self._account):
            return asyncio.run(self._since(known, cursor))

    async def _since(self, known: Cursor, cursor: str | None) -> EventBatch:
        async with self._session() as sftp:
            listed = await self._listed(sftp)
            waiting, notes = await self._waiting(sftp, listed, known)
            if not waiting:
                return EventBatch((), cursor, notes=tuple(notes))
            first = waiting[0]
            name, size = first.key
            # If this comes to nothing, what the start record said is asked for anew.
            self._starts.pop(first.key)
            content = await self._read(sftp, name, size)
        file = read_file(name, content) if len(content) == size else None
        if file is None or file.start != first.start:
            raise TransientError(f"Event file {shown(name)} changed while it was read; it is read again next time.")
        files = {key for key in listed.items() if not key[0].endswith(_METADATA)}
        return EventBatch(
            file.events,
            known.after(first, files).text(),
            missing_since=known.gap_before(first),
            ended=file.ended,
            more=len(waiting) > 1,
            notes=(*notes, *_notes(name, file)),
            previous_on=file.start.previous_on,
        )

    async def _waiting(
        self, sftp: asyncssh.SFTPClient, listed: dict[str, int], known: Cursor
    ) -> tuple[list[Delivery], list[str]]:
        """The complete files not worked off, in order, and a sentence for each that is not complete or no event file.

        Files that can be read come first: EventFileError is raised when only others are left.
        """
        deliveries: list[Delivery] = []
        broken: list[EventFileError] = []
        notes: list[str] = []
        for key in sorted(listed.items()):
            name, size = key
            if name.endswith(_METADATA) or key in known.done:
                continue
            if key not in self._starts:
                if lack := await self._lack(sftp, name, size, listed):
                    notes.append(f"Event file {shown(name)} waits: {lack}.")
                    continue
                try:
                    self._starts[key] = read_start(name, await self._read(sftp, name, START_BYTES))
                except EventFileError as failure:
                    broken.append(failure)
                    continue
            deliveries.append(Delivery(key, self._starts[key]))
        self._starts = {delivery.key: delivery.start for delivery in deliveries}
        if broken and not deliveries:
            raise broken[0]
        return sorted(deliveries, key=Delivery.order), [*notes, *(str(failure) for failure in broken)]

    async def _lack(self, sftp: asyncssh.SFTPClient, name: str, size: int, listed: dict[str, int]) -> str | None:
        """What a file lacks to be complete; None where it is."""
        metadata = name + _METADATA
        if metadata not in listed:
            return "its metadata is not there yet"
        try:
            named = _size_in(await self._read(sftp, metadata, _METADATA_BYTES))
        except ValueError:
            return "its metadata is unreadable"
        return None if named == size else "its metadata names another size"

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[asyncssh.SFTPClient]:
        account = self._account
        connection = await self._in_time(
            asyncssh.connect(
                account.host,
                account.port,
                username=account.user,
                client_keys=[self._key],
                # Never None, which would trust any host.
                known_hosts=([self._host_key], [], []),
                # Any kind of key is heard out, so that another kind than ours is told as such; else whoever notices
                # first hangs up, and that looks like a passing failure.
                server_host_key_algs="default",
                preferred_auth="publickey",
                agent_path=None,
                config=None,
            )
        )
        try:
            yield await self._in_time(connection.start_sftp_client(path_errors="surrogateescape"))
        finally:
            # An orderly end would wait for a server that may have ceased to answer.
            connection.abort()

    async def _listed(self, sftp: asyncssh.SFTPClient) -> dict[str, int]:
        """Name and size of what the folder holds, but for folders."""
        folder = self._account.folder
        try:
            entries = await self._in_time(sftp.readdir(folder))
        except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPPermissionDenied):
            raise PermanentError(
                f"The folder {folder} of the event files is not there, or closed to us. No file was taken.",
                code="folder",
            ) from None
        return {
            str(entry.filename): entry.attrs.size
            for entry in entries
            if entry.attrs.type != FILEXFER_TYPE_DIRECTORY and entry.attrs.size is not None
        }

    async def _read(self, sftp: asyncssh.SFTPClient, name: str, size: int) -> bytes:
        """The first `size` bytes of a file, or all there are."""
        try:
            file = await self._in_time(sftp.open(posixpath.join(self._account.folder, name), "rb"))
            content = bytearray()
            while portion := await self._in_time(file.read(min(_PORTION_BYTES, size - len(content)), len(content))):
                content += portion.encode() if isinstance(portion, str) else portion
            await self._in_time(file.close())
        except asyncssh.SFTPNoSuchFile:
            raise TransientError(
                f"Event file {shown(name)} was removed while it was to be read; nothing of it was taken."
            ) from None
        except asyncssh.SFTPPermissionDenied:
            raise PermanentError(
                f"Event file {shown(name)} is closed to us. It and all later ones wait.", code="forbidden"
            ) from None
        return bytes(content)

    async def _in_time(self, step: Awaitable[T]) -> T:
        return await asyncio.wait_for(step, self._timeout_s)


def _keys(account: Account) -> tuple[asyncssh.SSHKey, asyncssh.SSHKey]:
    """Our private key and the server's public one."""
    try:
        key = asyncssh.read_private_key(account.key)
    except (OSError, ValueError) as failure:
        raise PermanentError(
            f"Our private key for the event files cannot be used ({type(failure).__name__}): it must be a readable file"
            " without passphrase.",
            code="private_key",
        ) from None
    try:
        return key, asyncssh.import_public_key(account.host_key.strip())
    except ValueError:
        raise PermanentError(
            f"The public key given for {account.host} is none: one line such as `ssh-ed25519 AAAA…` is needed, without"
            " the host's name in front.",
            code="host_key",
        ) from None


@contextmanager
def _explained(account: Account) -> Iterator[None]:
    """Errors of the connection as ours, in a sentence for the operator."""
    where = f"The host of the event files, {account.host}:{account.port},"
    try:
        yield
    except asyncssh.HostKeyNotVerifiable:
        raise PermanentError(
            f"{where} shows another key than the one we know. Nothing was sent to it. If the platform has changed its"
            " key, the setting of the host's key must follow.",
            code="host_key",
        ) from None
    except _REFUSED_FOR_GOOD as failure:
        raise PermanentError(
            f"{where} refuses us ({type(failure).__name__}): user, key or kind of key. No file was taken.",
            code="refused",
        ) from None
    except TimeoutError:
        raise TransientError(f"{where} did not answer in time. No file was taken.") from None
    except (OSError, asyncssh.Error) as failure:
        raise TransientError(
            f"{where} cannot be read now ({type(failure).__name__}: {mask(str(failure))}). No file was taken."
        ) from None


def _size_in(metadata: bytes) -> int:
    """SizeInBytes of a file's metadata. Raises ValueError where there is none."""
    for element in parse(metadata).iter():
        if local(element) == "SizeInBytes":
            return int((element.text or "").strip())
    raise ValueError("no size")


def _notes(name: str, file: EventFile) -> Iterator[str]:
    """Sentences on what a file holds beside events."""
    if file.refusals:
        codes = Counter(refusal.code for refusal in file.refusals)
        told = ", ".join(f"{mask(code) or 'none'} ({count})" for code, count in sorted(codes.items()))
        yield f"Event file {shown(name)}: the register refused lines of our requests; error codes: {told}."
    if file.unknown:
        told = ", ".join(f"{kind} ({count})" for kind, count in sorted(file.unknown.items()))
        yield f"Event file {shown(name)}: records of unknown types were stepped over: {told}."

"""How the messages of the debt authority get to the creditor: posted as SOAP until they are taken, or as files.

Belongs here: the two ways, and nothing about what the messages say.
"""

import asyncio
import ssl
from pathlib import Path
from typing import Final

import httpx
from lxml import etree  # pyright: ignore[reportAttributeAccessIssue] - lxml ships no types

from integration_assets.sandbox.certificates import Keys
from integration_assets.sandbox.debt_authority.behaviour import behaviour
from integration_assets.sandbox.debt_authority.desk import Desk
from integration_assets.sandbox.debt_authority.outbox import Outbox
from integration_assets.sandbox.debt_authority.wire_out import STATUS_SERVICE
from integration_assets.sandbox.soap import envelope
from integration_assets.sandbox.store import Store

_TAKEN: Final = 200
_PART: Final = ".part"
_TIMEOUT_S: Final = 10.0
_PAUSE_S: Final = 0.1


class Post:
    """Sends the waiting messages of a desk."""

    def __init__(self, store: Store, desk: Desk, folder: Path, keys: Keys) -> None:
        """`folder` takes the messages where no end point is named; `keys` are for one over https."""
        self._store = store
        self._desk = desk
        self._outbox = Outbox(store)
        self._folder = folder
        self._keys = keys
        self._turn = asyncio.Lock()

    async def run(self) -> None:
        """Decide what is due and send what is due, as long as the sandbox runs."""
        while True:
            await asyncio.to_thread(self._desk.work)
            await self.send()
            await asyncio.sleep(_PAUSE_S)

    async def send(self, *, everything: bool = False) -> int:
        """Send the messages that are due, or all; how many arrived."""
        async with self._turn:
            url = behaviour(self._store).creditor_url
            waiting = self._outbox.outgoing(everything=everything)
            if not waiting:
                return 0
            if not url:
                for name, body in waiting:
                    self._put(name, body)
                    self._outbox.sent(name)
                return len(waiting)
            arrived = 0
            async with httpx.AsyncClient(timeout=_TIMEOUT_S, verify=self._trust(url)) as client:
                for name, body in waiting:
                    if await _posted(client, url, body):
                        self._outbox.sent(name)
                        arrived += 1
                    else:
                        self._outbox.failed(name)
            return arrived

    def clear(self) -> None:
        """Remove the messages that lie in the folder."""
        for path in [*self._folder.glob("*.xml"), *self._folder.glob(f"*{_PART}")]:
            path.unlink(missing_ok=True)

    def _put(self, name: str, body: str) -> None:
        """Write a file that is there whole or not at all."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = self._folder / f"{name}{_PART}"
        part.write_bytes(body.encode())
        part.rename(self._folder / f"{name}.xml")

    def _trust(self, url: str) -> ssl.SSLContext | bool:
        """How the end point is known, and how we are: by certificates of the sandbox's authority."""
        if not url.startswith("https://"):
            return False
        context = ssl.create_default_context(cafile=self._keys.authority)
        context.load_cert_chain(self._keys.client)
        return context


async def _posted(client: httpx.AsyncClient, url: str, body: str) -> bool:
    content = etree.tostring(envelope(etree.fromstring(body.encode())), encoding="UTF-8", xml_declaration=True)
    headers = {"content-type": "text/xml; charset=UTF-8", "soapaction": f'"{STATUS_SERVICE}"'}
    try:
        answer = await client.post(url, content=content, headers=headers)
    except httpx.HTTPError:
        return False
    return answer.status_code == _TAKEN

"""Recalls of claims written by hand, reading what the debt authority says, and its claims of the worked examples."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from lxml import etree
from starlette.applications import Starlette
from starlette.routing import Mount

from integration_assets.sandbox import debt_authority
from integration_assets.sandbox.store import Store
from integration_assets.sandbox.systems import SandboxOptions
from integration_assets_tests.sandbox.loopback import running

NS = {
    "s": "http://schemas.xmlsoap.org/soap/envelope/",
    "d": "http://skat.dk/begrebsmodel/2009/01/15/",
    "k": "http://skat.dk/begrebsmodel/xml/schemas/kontekst/2007/05/31/",
}
ACTION = "DMIFordringAsynkronTilbagekald"
HTTP = httpx.Client(timeout=30)
QUIET = {"automatic": False}
"""Switches with which nothing happens unless it is told to."""


@dataclass(frozen=True)
class Authority:
    """A debt authority on a loopback port. `folder` takes its statuses."""

    url: str
    folder: Path

    def control(self, path: str, body: Any = None) -> Any:
        """The answer of a control route: read without a body, else told."""
        url = f"{self.url}/debt_authority{path}"
        answer = HTTP.get(url) if body is None else HTTP.post(url, json=body)
        return answer.raise_for_status().json()

    def send(self, message: str, *, action: str = ACTION) -> httpx.Response:
        """The answer to a message in an envelope."""
        envelope = (
            '<?xml version="1.0" encoding="UTF-8"?>'
            f'<e:Envelope xmlns:e="{NS["s"]}"><e:Header/><e:Body>{message}</e:Body></e:Envelope>'
        )
        headers = {"content-type": "text/xml; charset=utf-8", "soapaction": f'"{action}"'}
        return HTTP.post(f"{self.url}/dmi/{ACTION}", content=envelope.encode(), headers=headers)

    def work_at(self, moment: str) -> list[etree._Element]:
        """Decides and sends everything at a moment; the messages, which are taken from the folder."""
        self.control("/switches", {"now": moment})
        self.control("/work", {})
        return self.messages()

    def messages(self) -> list[etree._Element]:
        """The messages in the folder, oldest first, taken from it."""
        paths = sorted(self.folder.glob("*.xml"))
        found = [etree.parse(path).getroot() for path in paths]
        for path in paths:
            path.unlink()
        return found


@contextlib.contextmanager
def authority(store: Store, data_dir: Path) -> Iterator[Authority]:
    """Serves a debt authority with its control routes."""
    system = debt_authority.build(store, SandboxOptions(data_dir=data_dir, tls=False))
    routes = [Mount("/debt_authority", routes=system.state.control_routes), Mount("/", app=system)]
    with running(Starlette(routes=routes)) as url:
        yield Authority(url, data_dir / "dmi_statuses")


def emptied(served: Authority, store: Store) -> Authority:
    """The authority with nothing on its books, quiet."""
    store.clear()
    served.messages()
    served.control("/switches", QUIET)
    return served


def with_examples(served: Authority, store: Store) -> Authority:
    """The authority with the claims of the worked examples, on the morning on which they begin."""
    emptied(served, store).control("/claims", EXAMPLES)
    served.control("/switches", {"now": "2025-11-03T09:00:01"})
    return served


def action(number: int, claim: int, reason: str, *, day: str = "2025-11-03", creditor: int = 1999) -> str:
    """A FordringAktion."""
    return (
        f"<FordringAktion><MFAktionID>{number}</MFAktionID><MFAktionKode>TILBAGEKALD</MFAktionKode>"
        f"<DMIFordringHaverID>{creditor}</DMIFordringHaverID><DMITilbagekaldFordringStruktur>"
        f"<DMIFordringID>{claim}</DMIFordringID><HovedFordringTilbagekaldÅrsagStruktur>"
        f"<HovedFordringTilbagekaldÅrsagKode>{reason}</HovedFordringTilbagekaldÅrsagKode>"
        "</HovedFordringTilbagekaldÅrsagStruktur></DMITilbagekaldFordringStruktur>"
        f"<DMIFordringVirkningFra>{day}</DMIFordringVirkningFra></FordringAktion>"
    )


def delivery(
    transaction: str,
    *actions: str,
    leverance: int = 5001,
    at: str = "2025-11-03T09:00:00",
    system: str = "99999999",
    header: str | None = None,
) -> str:
    """The message of a delivery; `header` replaces the content of HovedOplysninger."""
    ids = f"<k:TransaktionsID>{transaction}</k:TransaktionsID><k:TransaktionsTid>{at}</k:TransaktionsTid>"
    return (
        f'<{ACTION}_I xmlns="{NS["d"]}" xmlns:k="{NS["k"]}">'
        f"<Kontekst><k:HovedOplysninger>{ids if header is None else header}</k:HovedOplysninger></Kontekst>"
        f"<MFLeveranceID>{leverance}</MFLeveranceID><FordringhaverSystemIDStruktur>"
        f"<VirksomhedSENummer>{system}</VirksomhedSENummer></FordringhaverSystemIDStruktur>"
        f"<FordringAktionListe>{''.join(actions)}</FordringAktionListe></{ACTION}_I>"
    )


def claim(number: int, main: int | None = None, **fields: Any) -> dict[str, Any]:
    """A claim for the authority's books, as in the worked examples unless said otherwise."""
    debtor = {"customer": "0000000001", "kind": "PERSON", "limitation": "2028-06-01"}
    return {
        "id": number,
        "main": main or number,
        "art": "INDR",
        "type": "FOFAKFY",
        "creditor": 1999,
        "reference": f"AFT-{number}",
        "amount": "1200.00",
        "received_at": "2025-06-02T08:00:00",
        "debtors": [debtor],
        **fields,
    }


EXAMPLES = [
    claim(100001, reference="AFT-77-2025-04", interest=100003),
    claim(100002, 100001, type="CVRYKOP", amount="100.00", reference="AFT-77-2025-04-G"),
    claim(100005, reference="AFT-78-2025-04"),
    claim(
        100010,
        art="MODR",
        amount="500.50",
        payments=[{"day": "2025-08-01", "amount": "160.00"}],
        reference="AFT-80-2025-02",
    ),
]
"""The claims of the worked examples."""


def texts(element: etree._Element, path: str) -> list[str]:
    """Texts that an XPath expression finds, with the prefixes of NS."""
    return [str(each) for each in element.xpath(path, namespaces=NS)]


def answer_of(answer: httpx.Response) -> etree._Element:
    """The one element in the body of an answer."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/xml")
    (content,) = etree.fromstring(answer.content).xpath("/s:Envelope/s:Body/*", namespaces=NS)
    return content


def error_of(answer: httpx.Response) -> int:
    """The error number of an answer that refuses a delivery."""
    content = answer_of(answer)
    (number,) = texts(content, "d:Kontekst/k:HovedOplysningerSvar/k:SvarReaktion/k:Fejl/k:FejlNummer/text()")
    assert not content.xpath("d:FordringInfo", namespaces=NS)
    return int(number)


def states(messages: list[etree._Element]) -> list[tuple[int, str]]:
    """Action and status, in the order of the messages."""
    return [
        (int(each.findtext("d:MFAktionID", namespaces=NS)), each.findtext("d:MFAktionStatusKode", namespaces=NS))
        for message in messages
        for each in message.iterfind(".//d:FordringAktionStatus", NS)
    ]

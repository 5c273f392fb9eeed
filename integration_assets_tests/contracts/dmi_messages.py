"""The messages of the product to and from the debt authority against examples and schemas of the service.

``python -m integration_assets_tests.contracts.dmi_messages FOLDER``

FOLDER has `examples/*.xml` and `reconstructed/DMIFordringAsynkronTilbagekald.xsd`. The requests of the examples are
made from the same facts and must be equal to them and valid; answers and statuses must be understood. Ends with an
exception at the first that is not.
"""

import sys
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from lxml import etree

from integration_assets.clients.debt_authority_xml import answer_of, recall_envelope, status_update_of
from integration_assets.domain.claims.error_numbers import policy_of_all
from integration_assets.domain.claims.messages import RecallRequest
from integration_assets.domain.claims.numbering import ActionContent, action_id_of, delivery_id_of

DAY = date(2025, 11, 3)
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
REQUESTS = {
    "E1-1-request-FEJL-main.xml": ("tb-7b1e2f0c-0001", 0, 5001, [(900001, 100001, "FEJL")]),
    "E2-1-request-sub-HENS.xml": ("tb-7b1e2f0c-0002", 5, 5002, [(900002, 100002, "HENS")]),
    "E3-1-request-two-actions.xml": (
        "tb-7b1e2f0c-0003",
        10,
        5003,
        [(900003, 199999, "FEJL"), (900004, 100005, "XXXX")],
    ),
    "E4-1-request-SMTI.xml": ("tb-7b1e2f0c-0004", 15, 5004, [(900005, 100010, "SMTI")]),
}
"""What each request says: transaction, minute after nine, delivery; action, claim and reason of each recall."""


def check_requests(folder: Path) -> None:
    """The requests of the examples, and a large one, are valid; those of the examples are equal to them."""
    schema = etree.XMLSchema(etree.parse(folder / "reconstructed" / "DMIFordringAsynkronTilbagekald.xsd"))
    for name, (transaction, minute, delivery, recalls) in REQUESTS.items():
        at = datetime(2025, 11, 3, 9, minute, tzinfo=ZoneInfo("Europe/Copenhagen"))
        actions = tuple(ActionContent(action, claim, reason, None, DAY) for action, claim, reason in recalls)
        made = _body(recall_envelope(RecallRequest(transaction, at, delivery, "99999999", 1999, actions)))
        schema.assertValid(made)
        if _said(made) != _said(etree.parse(folder / "examples" / name).getroot()):
            raise AssertionError(f"{name} says something else")
        print(f"equal and valid: {name}")
    many = tuple(ActionContent(action_id_of(n, "FEJL", 0), n, "FEJL", "tekst æøå & <>", DAY) for n in range(500))
    request = RecallRequest("x" * 100, datetime.now(UTC), delivery_id_of(range(500)), "99999999", 1999, many)
    schema.assertValid(_body(recall_envelope(request)))
    print("valid: 500 actions with texts")


def check_answers(folder: Path) -> None:
    """Answers and statuses of the examples are understood, statuses with and without an envelope alike."""
    for path in sorted((folder / "examples").glob("*.xml")):
        root = etree.parse(path).getroot()
        told = etree.tostring(root, encoding="unicode")
        wrapped = f'<s:Envelope xmlns:s="{SOAP}"><s:Body>{told}</s:Body></s:Envelope>'.encode()
        name = str(root.tag)
        if "Opdater" in name:
            update = status_update_of(path.read_bytes())
            if update != status_update_of(wrapped):
                raise AssertionError(f"{path.name} reads otherwise in an envelope")
            for _, status in update.statuses():
                numbers = [rejection.number for rejection in status.rejections]
                claims = [receipt.claim_id for receipt in status.receipts]
                print(f"read: {path.name}: {status.code}, receipts of {claims}, rejected by {numbers}")
        elif "_O" in name:
            answer = answer_of(wrapped)
            print(f"read: {path.name}: {policy_of_all(fault.number for fault in answer.faults)}")


def _body(envelope: str) -> etree._Element:
    return etree.fromstring(envelope.encode())[0][0]


def _said(element: etree._Element) -> tuple[object, ...]:
    """An element without prefixes, blanks and comments."""
    return (element.tag, (element.text or "").strip(), [_said(child) for child in element])


if __name__ == "__main__":
    check_requests(Path(sys.argv[1]))
    check_answers(Path(sys.argv[1]))

"""$batch: order, stopping, change sets and the forms of their answers."""

import json

import httpx
import pytest

from integration_assets_tests.sandbox.dataverse.api import Api, error, parts, row_id

A, B, C, D = (row_id(n) for n in range(1, 5))
PART = "--batch_1\nContent-Type: application/http\nContent-Transfer-Encoding: binary\n\n"
SET = "--batch_1\nContent-Type: multipart/mixed; boundary=changeset_1\n\n"
END = "--batch_1--\n"


def request(line: str, body: object = None, headers: str = "") -> str:
    """One part of a batch: request line, headers, body."""
    content = "Content-Type: application/json; type=entry\n" if body is not None else ""
    text = "" if body is None else json.dumps(body)
    return f"{PART}{line} HTTP/1.1\n{content}{headers}\n{text}\n"


def change_set(*requests: tuple[str, object]) -> str:
    """A change set of requests with content ids 1, 2, .."""
    text = SET
    for number, (line, body) in enumerate(requests, 1):
        head = "Content-Type: application/http\nContent-Transfer-Encoding: binary\n"
        text += f"--changeset_1\n{head}Content-ID: {number}\n\n{line} HTTP/1.1\n"
        text += f"Content-Type: application/json\n\n{json.dumps(body)}\n" if body is not None else "\n"
    return f"{text}--changeset_1--\n\n"


def test_parts_are_answered_in_order(api: Api) -> None:
    body = (
        request("POST /api/data/v9.2/contacts", {"contactid": A, "firstname": "Ida"})
        + request(f"PATCH {api.root}contacts({A})", {"lastname": "Holm"}, "If-Match: *\n")
        + request(f"GET contacts({A})?$select=fullname")
        + END
    )
    status, (created, updated, read) = api.batch(body)
    assert status == 200
    url = f"{api.root}contacts({A})"
    assert created.status == 204
    assert (created.headers["location"], created.headers["odata-entityid"]) == (url, url)
    assert created.headers["odata-version"] == "4.0"
    assert created.part_headers == {"content-type": "application/http", "content-transfer-encoding": "binary"}
    assert updated.status == 204
    assert read.status == 200
    assert read.headers["content-type"] == "application/json; odata.metadata=minimal; odata.streaming=true"
    assert json.loads(read.body)["fullname"] == "Ida Holm"


def test_blanks_in_the_request_line_of_a_get(api: Api) -> None:
    api.create("contacts", contactid=A, firstname="Ida Marie")
    _, (read,) = api.batch(request(f"GET {api.root}contacts?$filter=firstname eq 'Ida Marie'&$select=contactid") + END)
    assert [row["contactid"] for row in json.loads(read.body)["value"]] == [A]


def test_bare_line_feeds_are_understood(api: Api) -> None:
    content = (request("POST contacts", {"contactid": A}) + END).encode()
    headers = {"Content-Type": "multipart/mixed;boundary=batch_1"}
    answer = api.client.post("$batch", content=content, headers=headers)
    assert [part.status for part in parts(answer)] == [204]


THREE = (
    request("POST contacts", {"contactid": A})
    + request("POST contacts", {"contactid": B, "gendercode": 9})
    + request("POST contacts", {"contactid": C})
    + END
)


def test_first_failure_stops_the_batch(api: Api) -> None:
    status, found = api.batch(THREE)
    assert status == 400
    assert [part.status for part in found] == [204, 400]
    assert found[1].error == (400, "0x8004431a")
    assert found[1].headers["req_id"]
    assert [row["contactid"] for row in api.rows("contacts")] == [A]


def test_continue_on_error_answers_all_parts(api: Api) -> None:
    status, found = api.batch(THREE, go_on=True)
    assert status == 200
    assert [part.status for part in found] == [204, 400, 204]
    assert [row["contactid"] for row in api.rows("contacts")] == [A, C]


def test_change_set_refers_to_its_own_rows(api: Api) -> None:
    body = change_set(
        ("POST contacts", {"contactid": A, "firstname": "Ida"}),
        ("POST accounts", {"accountid": B, "name": "Algade 1"}),
        ("POST ava_kunderolles", {"ava_aktoer@odata.bind": "$1", "ava_kundeforhold@odata.bind": "$2"}),
        ("PATCH $1", {"lastname": "Holm"}),
        ("POST ava_aftales", {"ava_aftaleid": C}),
        ("POST $5/ava_aktoerens_aftaler/$ref", {"@odata.id": "$1"}),
    )
    status, found = api.batch(body + END)
    assert status == 200
    assert [part.status for part in found] == [204] * 6
    assert [part.part_headers["content-id"] for part in found] == ["1", "2", "3", "4", "5", "6"]
    assert all(part.in_change_set for part in found)
    (role,) = api.rows("ava_kunderolles")
    assert (role["_ava_aktoer_value"], role["_ava_kundeforhold_value"]) == (A, B)
    assert api.row(f"contacts({A})")["fullname"] == "Ida Holm"
    assert [row["contactid"] for row in api.rows(f"ava_aftales({C})/ava_aktoerens_aftaler")] == [A]


FAILING = change_set(
    ("POST contacts", {"contactid": A}),
    ("POST ava_aftales", {"ava_aftaleid": B}),
    ("POST $2/ava_aktoerens_aftaler/$ref", {"@odata.id": "$1"}),
    ("POST contacts", {"contactid": C, "firstname": "x" * 151}),
)


def test_failed_change_set_leaves_nothing_and_gives_one_error(api: Api) -> None:
    status, found = api.batch(FAILING + request("POST contacts", {"contactid": D}) + END)
    assert status == 400
    assert [part.error for part in found] == [(400, "0x80044331")]
    assert found[0].in_change_set
    assert found[0].part_headers["content-id"] == "4"
    assert api.rows("contacts") == []
    assert api.rows("ava_aftales") == []


def test_batch_goes_on_after_a_failed_change_set(api: Api) -> None:
    single = [change_set((f"PATCH contacts({i})", body)) for i, body in ((A, {}), (B, {"x": 1}), (C, {}))]
    status, found = api.batch("".join(single) + END, go_on=True)
    assert status == 200
    assert [part.status for part in found] == [204, 400, 204]
    assert [row["contactid"] for row in api.rows("contacts")] == [A, C]


def test_error_of_a_change_set_without_nesting(api: Api, server: str) -> None:
    httpx.post(f"{server}/_behaviour", json={"nested_change_set_errors": False})
    try:
        status, (found,) = api.batch(FAILING + END, go_on=True)
    finally:
        httpx.post(f"{server}/_behaviour", json={"nested_change_set_errors": True})
    assert status == 200
    assert found.error == (400, "0x80044331")
    assert not found.in_change_set


def test_forward_reference(api: Api) -> None:
    body = change_set(("POST ava_kunderolles", {"ava_aktoer@odata.bind": "$2"}), ("POST contacts", {"contactid": A}))
    status, (found,) = api.batch(body + END)
    assert status == 400
    text = json.loads(found.body)["error"]["message"]
    assert text == "Content-ID Reference: '$2' does not exist in the batch context."


def test_links_through_a_batch(api: Api) -> None:
    api.create("contacts", contactid=A)
    api.create("ava_aftales", ava_aftaleid=B)
    path = f"ava_aftales({B})/ava_aktoerens_aftaler"
    add = change_set((f"POST {path}/$ref", {"@odata.id": f"{api.root}contacts({A})"}))
    remove = change_set((f"DELETE {path}({A})/$ref", None))
    _, found = api.batch(add + add + remove + END, go_on=True)
    assert [part.status for part in found] == [204, 412, 204]
    assert found[1].error == (412, "0x80040237")
    assert api.rows(path) == []


def test_bulk_message_in_a_batch(api: Api) -> None:
    targets = [{"@odata.type": "Microsoft.Dynamics.CRM.contact", "contactid": i} for i in (A, B)]
    line = "POST contacts/Microsoft.Dynamics.CRM.UpsertMultiple"
    _, (found,) = api.batch(request(line, {"Targets": targets}) + END)
    assert found.status == 204
    assert len(api.rows("contacts")) == 2


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (THREE, "application/json"),
        (THREE, "multipart/mixed"),
        (THREE.removesuffix(END), "multipart/mixed; boundary=batch_1"),
        ("--batch_1\nContent-Type: text/plain\n\nx\n" + END, "multipart/mixed; boundary=batch_1"),
        ("".join(request("GET WhoAmI") for _ in range(1001)) + END, "multipart/mixed; boundary=batch_1"),
    ],
)
def test_refused_batches(api: Api, content: str, content_type: str) -> None:
    answer = api.client.post("$batch", content=content.encode(), headers={"Content-Type": content_type})
    assert error(answer) == (400, "0x80048d19")
    assert api.rows("contacts") == []


def test_no_read_in_a_change_set_and_no_batch_in_a_batch(api: Api) -> None:
    _, (found,) = api.batch(change_set(("GET contacts", None)) + END, go_on=True)
    assert found.status == 400
    _, (found,) = api.batch(request("POST $batch", {}) + END, go_on=True)
    assert found.status == 400

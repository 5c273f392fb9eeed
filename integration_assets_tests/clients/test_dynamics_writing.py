"""Ways of writing rows to the CRM: bulk messages and what takes their place, versions, keys, several users, changes."""

import base64
import json
import re
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates

from integration_assets.clients.dynamics import DynamicsClient, TableName
from integration_assets.clients.dynamics_auth import MsalTokens, StaticTokens, certificate_credential
from integration_assets.clients.http import PermanentError
from integration_assets_tests.clients.test_dynamics import (
    IDS,
    MsalWire,
    batch_reply,
    change_set,
    client_of,
    error,
    part,
)
from integration_assets_tests.clients.wire import FAST, Reply, Seen, serving

TABLE = TableName("accounts", "account", "accountid")
ROOT = "/api/data/v9.2"
TOO_LONG = error("0x80044331", "The length of the 'name' attribute is too long.")


def message(name: str) -> str:
    return f"{ROOT}/accounts/Microsoft.Dynamics.CRM.{name}"


def many(count: int) -> list[str]:
    return [f"00000000-0000-8000-8000-{number:012x}" for number in range(count)]


def test_new_rows_are_created_and_known_ones_updated() -> None:
    with serving([Reply(200, {"Ids": [IDS[0]]}), Reply(204)]) as server:
        client = client_of(server)
        (created,) = client.create(TABLE, [{"accountid": IDS[0], "name": "a", "ava_adresse": None}])
        (updated,) = client.update(TABLE, [{"accountid": IDS[1], "name": None, "ava_adresse": None}])
    assert created.ok
    assert updated.ok
    assert [seen.path for seen in server.seen] == [message("CreateMultiple"), message("UpdateMultiple")]
    kind = {"@odata.type": "Microsoft.Dynamics.CRM.account"}
    assert server.seen[0].json["Targets"] == [kind | {"accountid": IDS[0], "name": "a"}]
    assert server.seen[1].json["Targets"] == [kind | {"accountid": IDS[1], "name": None, "ava_adresse": None}]


def test_an_update_in_a_change_set_cannot_create_and_keeps_to_its_version() -> None:
    replies = [Reply(204), batch_reply([change_set(1, part("204 No Content"))])]
    with serving(replies) as server:
        rows = [{"accountid": IDS[0], "name": "a"}, {"accountid": IDS[1], "name": "b"}]
        outcomes = client_of(server).update(TABLE, rows, etags={IDS[1]: 'W/"7"'})
    assert [(outcome.row_id, outcome.ok) for outcome in outcomes] == [(IDS[0], True), (IDS[1], True)]
    assert [target["accountid"] for target in server.seen[0].json["Targets"]] == [IDS[0]]
    assert 'If-Match: W/"7"\r\n' in server.seen[1].body.decode()
    with serving([Reply(404, error("0x80040217")), batch_reply([change_set(1, part("204 No Content"))] * 2)]) as server:
        client_of(server).update(TABLE, [{"accountid": row_id, "name": "a"} for row_id in IDS[:2]])
    assert server.seen[1].body.decode().count("If-Match: *\r\n") == 2


def test_rows_that_are_there_already_are_told_from_the_others() -> None:
    there = part("412 Precondition Failed", json.dumps(error("0x80040237", "exists")))
    replies = [Reply(412, error("0x80040237")), batch_reply([change_set(1, part("204 No Content")), there])]
    with serving(replies) as server:
        outcomes = client_of(server).create(TABLE, [{"accountid": row_id} for row_id in IDS[:2]])
    assert [(outcome.ok, outcome.code, outcome.permanent) for outcome in outcomes] == [
        (True, None, False),
        (False, "0x80040237", False),
    ]
    text = server.seen[1].body.decode()
    assert text.count(f"POST {server.url}{ROOT}/accounts HTTP/1.1") == 2
    assert f'{{"accountid":"{IDS[1]}"}}' in text


class Picky:
    """A CRM that refuses bulk messages with a bad row, and answers batches row by row."""

    def __init__(self, bad: set[str]) -> None:
        self.bad = bad
        self.taken: list[str] = []

    def __call__(self, seen: Seen) -> Reply:
        if seen.path.endswith("$batch"):
            return batch_reply([self._row(key) for key in re.findall(r"accounts\((\S+?)\) HTTP", seen.body.decode())])
        keys = [target["accountid"] for target in seen.json["Targets"]]
        if self.bad & set(keys):
            return Reply(400, TOO_LONG)
        self.taken += keys
        return Reply(204)

    def _row(self, key: str) -> str:
        if key in self.bad:
            return change_set(1, part("400 Bad Request", json.dumps(TOO_LONG)))
        self.taken.append(key)
        return change_set(1, part("204 No Content"))


@pytest.mark.parametrize("bad", [[0], [999], [17, 500], [3, 4, 5], list(range(0, 1000, 100)), list(range(1000))])
def test_the_bad_rows_of_a_batch_are_found_with_few_requests_and_the_others_sent_once(bad: list[int]) -> None:
    ids = many(1000)
    crm = Picky({ids[number] for number in bad})
    with serving(crm) as server:
        outcomes = client_of(server, batch_size=1000).update(
            TABLE, [{"accountid": row_id, "name": "n"} for row_id in ids]
        )
    assert [outcome.row_id for outcome in outcomes if not outcome.ok] == sorted(crm.bad)
    assert {outcome.code for outcome in outcomes if not outcome.ok} == {"0x80044331"}
    assert sorted(crm.taken) == sorted(set(ids) - crm.bad)
    assert len(server.seen) - 1 <= 11 * len(bad)


@pytest.mark.parametrize("code", ["0x80044150", "0x80044151"])
def test_an_overloaded_database_is_no_fault_of_a_row_and_gets_smaller_batches(code: str) -> None:
    with serving([Reply(500, error(code, "SQL timeout expired."))]) as server:
        client = client_of(server, batch_size=400)
        outcomes = client.update(TABLE, [{"accountid": row_id, "name": "n"} for row_id in many(400)])
    assert {(outcome.ok, outcome.code, outcome.permanent) for outcome in outcomes} == {(False, code, False)}
    assert {seen.path for seen in server.seen} == {message("UpdateMultiple")}
    assert len(server.seen) == FAST.attempts_500
    assert client.batch_rows("accounts") == 200


def test_a_crm_that_cannot_be_reached_is_told_from_one_that_does_not_answer_in_time() -> None:
    with serving([Reply(204)]) as server:
        pass
    (outcome,) = client_of(server).update(TABLE, [{"accountid": IDS[0], "name": "n"}])
    assert (outcome.ok, outcome.code, outcome.permanent) == (False, "unreachable", False)
    with serving([Reply(drop=True)]) as server:
        (outcome,) = client_of(server).update(TABLE, [{"accountid": IDS[0], "name": "n"}])
    assert (outcome.ok, outcome.code, outcome.permanent) == (False, "no_answer", False)


def test_a_single_bad_row_needs_no_second_request() -> None:
    with serving([Reply(400, TOO_LONG)]) as server:
        (outcome,) = client_of(server).update(TABLE, [{"accountid": IDS[0], "name": "n"}])
    assert (outcome.ok, outcome.code, outcome.permanent) == (False, "0x80044331", True)
    assert len(server.seen) == 1


def test_a_table_without_the_message_gets_batches_from_then_on() -> None:
    def answer(seen: Seen) -> Reply:
        if seen.path.endswith("$batch"):
            return batch_reply([change_set(1, part("204 No Content"))] * seen.body.count(b"PATCH "))
        return Reply(404, error("0x80060888", "Resource not found for the segment 'UpdateMultiple'."))

    with serving(answer) as server:
        client = client_of(server)
        for _ in range(2):
            assert all(
                outcome.ok for outcome in client.update(TABLE, [{"accountid": row_id, "name": "n"} for row_id in IDS])
            )
    assert [seen.path.rpartition("/")[2] for seen in server.seen] == [
        "Microsoft.Dynamics.CRM.UpdateMultiple",
        "$batch",
        "$batch",
    ]


def test_one_row_by_its_alternate_key() -> None:
    with serving([Reply(201, {"accountid": IDS[0]}), Reply(200, {"accountid": IDS[0]})]) as server:
        client = client_of(server)
        key = {"ava_kundenummer": "Å'1", "ava_nr": 7}
        first = client.upsert_one(TABLE, key, {"ava_kundenummer": "Å'1", "name": "n"})
        second = client.upsert_one(TABLE, IDS[0], {"name": None})
        with pytest.raises(ValueError, match="ava_kundenummer"):
            client.upsert_one(TABLE, {"ava_kundenummer": "a/b"}, {"name": "n"})
    assert (first, second) == ((IDS[0], True), (IDS[0], False))
    assert server.seen[0].path == f"{ROOT}/accounts(ava_kundenummer='%C3%85%27%271',ava_nr=7)"
    assert server.seen[0].json == {"name": "n"}  # the key stands in the address only
    assert server.seen[0].headers["prefer"] == "return=representation"
    assert (server.seen[1].path, server.seen[1].json) == (f"{ROOT}/accounts({IDS[0]})", {"name": None})


def test_a_user_who_is_refused_for_a_while_leaves_the_work_to_the_others() -> None:
    def answer(seen: Seen) -> Reply:
        if seen.headers["authorization"] == "Bearer a":
            return Reply(429, error("0x80072322"), {"Retry-After": "3"})
        return Reply(204)

    with serving(answer) as server:
        client = DynamicsClient(server.url, StaticTokens("a"), StaticTokens("b"), policy=FAST)
        for _ in range(3):
            assert client.update(TABLE, [{"accountid": IDS[0], "name": "n"}])[0].ok
    assert [seen.headers["authorization"][-1] for seen in server.seen] == ["a", "b", "b", "b"]


def test_changes_come_with_deletions_and_the_next_link() -> None:
    def answer(seen: Seen) -> Reply:
        context = f"{server.url}{ROOT}/$metadata#accounts"
        if ("$deltatoken", "1") in seen.query:
            gone = {"@odata.context": f"{context}/$deletedEntity", "id": IDS[1], "reason": "deleted"}
            link = f"{server.url}{ROOT}/accounts?$deltatoken=2"
            return Reply(200, {"value": [{"accountid": IDS[0]}, gone], "@odata.deltaLink": link})
        if ("$skiptoken", "p") in seen.query:
            return Reply(200, {"value": [], "@odata.deltaLink": f"{server.url}{ROOT}/accounts?$deltatoken=1"})
        following = f"{server.url}{ROOT}/accounts?$skiptoken=p"
        return Reply(200, {"value": [{"accountid": IDS[0]}, {"accountid": IDS[1]}], "@odata.nextLink": following})

    with serving(answer) as server:
        client = client_of(server)
        first = client.changes(TABLE, ["name"])
        second = client.changes(TABLE, ["name"], first.delta_link)
        with pytest.raises(PermanentError, match="another host"):
            client.changes(TABLE, ["name"], "http://elsewhere.example/accounts?$deltatoken=1")
    assert [row["accountid"] for row in first.rows] == IDS[:2]
    assert ([row["accountid"] for row in second.rows], second.deleted) == ([IDS[0]], [IDS[1]])
    assert second.delta_link.endswith("$deltatoken=2")
    assert server.seen[0].query == [("$select", "accountid,name")]
    assert "odata.track-changes" in server.seen[0].headers["prefer"]


def test_requests_are_counted_by_kind() -> None:
    with serving([Reply(204), Reply(204), Reply(200, {"value": []})]) as server:
        client = client_of(server)
        client.update(TABLE, [{"accountid": IDS[0], "name": "n"}])
        client.upsert(TABLE, [{"accountid": IDS[0], "name": "n"}])
        list(client.query("accounts", ["accountid"]))
    assert client.requests() == {"update": 1, "upsert": 1, "query": 1}


@pytest.fixture(scope="module")
def certificate() -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
    from datetime import UTC, datetime, timedelta

    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "integration")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(1))
    return key, builder.sign(key, SHA256())


@pytest.mark.parametrize("form", ["pem", "pem with password", "pfx", "adfs"])
def test_a_certificate_signs_the_question_for_a_token(
    certificate: tuple[rsa.RSAPrivateKey, x509.Certificate], tmp_path: Path, form: str
) -> None:
    key, cert = certificate
    password = "a password" if form in ("pem with password", "pfx") else None
    sealed = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    path = tmp_path / ("crm.pfx" if form == "pfx" else "crm.pem")
    if form == "pfx":
        path.write_bytes(serialize_key_and_certificates(None, key, cert, None, sealed))
    else:
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, sealed)
        path.write_bytes(private + cert.public_bytes(Encoding.PEM))
    credential = certificate_credential(path, password, adfs=form == "adfs")
    wire = MsalWire((200, '{"access_token":"m-1","expires_in":3599,"token_type":"Bearer"}'))
    authority, scope = "https://login.microsoftonline.com/tenant", "https://org.example/.default"
    assert MsalTokens(authority, "id", credential, scope, http_client=wire).token() == "m-1"
    assertion = wire.posts[0]["client_assertion"]
    assertion = assertion.decode() if isinstance(assertion, bytes) else assertion
    head = assertion.split(".")[0]
    header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    expected = {"x5t": SHA1()} if form == "adfs" else {"x5t#S256": SHA256()}
    for name, algorithm in expected.items():
        assert base64.urlsafe_b64decode(header[name] + "==") == cert.fingerprint(algorithm)


def test_a_file_without_key_or_with_another_password_is_told(
    certificate: tuple[rsa.RSAPrivateKey, x509.Certificate], tmp_path: Path
) -> None:
    key, cert = certificate
    path = tmp_path / "crm.pem"
    path.write_bytes(cert.public_bytes(Encoding.PEM))
    with pytest.raises(ValueError, match=r"crm\.pem does not hold"):
        certificate_credential(path)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"right"))
    path.write_bytes(private + cert.public_bytes(Encoding.PEM))
    with pytest.raises(ValueError, match="password is another") as caught:
        certificate_credential(path, "wrong-one")
    assert "wrong-one" not in str(caught.value)

"""The CRM client's wire behaviour against scripted servers; answers as the specification of the Web API shows them."""

import re
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from integration_assets.clients.dynamics import DynamicsClient, TableName
from integration_assets.clients.dynamics_auth import FormTokens, MsalTokens, StaticTokens
from integration_assets.clients.http import PermanentError, TransientError
from integration_assets_tests.clients.wire import FAST, Reply, Seen, Server, serving

TABLE = TableName("accounts", "account", "accountid")
IDS = [f"00000000-0000-8000-8000-00000000000{number}" for number in range(9)]
ADDRESS = "11111111-1111-8111-8111-111111111111"
MULTIPLE = "/api/data/v9.2/accounts/Microsoft.Dynamics.CRM.UpsertMultiple"


def client_of(server: Server, **options: object) -> DynamicsClient:
    return DynamicsClient(server.url, StaticTokens("t-1"), policy=FAST, **options)  # type: ignore[arg-type]


def error(code: str, message: str = "no") -> dict[str, object]:
    return {"error": {"code": code, "message": message}}


def part(status: str, body: str = "", request_id: str = "r-1") -> str:
    headers = f"OData-Version: 4.0\r\nREQ_ID: {request_id}\r\n"
    return (
        "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\nContent-ID: 1\r\n\r\n"
        f"HTTP/1.1 {status}\r\nContent-Type: application/json; odata.metadata=minimal\r\n{headers}\r\n{body}\r\n"
    )


def change_set(number: int, inner: str) -> str:
    boundary = f"changesetresponse_{number}"
    return f"Content-Type: multipart/mixed; boundary={boundary}\r\n\r\n--{boundary}\r\n{inner}--{boundary}--\r\n"


def batch_reply(parts: list[str], *, newline: str = "\r\n") -> Reply:
    text = "".join(f"--batchresponse_1\r\n{content}" for content in parts) + "--batchresponse_1--\r\n"
    return Reply(
        200, text.replace("\r\n", newline).encode(), {"Content-Type": "multipart/mixed; boundary=batchresponse_1"}
    )


def test_rows_go_by_upsert_multiple_with_type_and_key_in_each_target() -> None:
    rows = [
        {
            "accountid": IDS[0],
            "name": "Varme, Åvej 1",
            "ava_kundeforholdstype": 915240001,
            "ava_startdato": date(2026, 1, 31),
            "ava_set": datetime(2026, 1, 31, 12, tzinfo=timezone(timedelta(hours=1))),
            "ava_Adresse": ("ava_adresses", ADDRESS),
            "ava_Faktura": None,
            "ava_note": None,
        },
        {"accountid": IDS[1], "name": "b", "ava_Adresse": None},
    ]
    with serving([Reply(204, headers={"REQ_ID": "r-9"})]) as server:
        outcomes = client_of(server).upsert(TABLE, rows, known={IDS[1]})
    assert [(outcome.row_id, outcome.ok, outcome.request_id) for outcome in outcomes] == [
        (IDS[0], True, "r-9"),
        (IDS[1], True, "r-9"),
    ]
    sent = server.seen[0]
    assert (sent.method, sent.path) == ("POST", MULTIPLE)
    assert sent.headers["authorization"] == "Bearer t-1"
    assert sent.headers["odata-version"] == "4.0"
    assert sent.headers["if-none-match"] == "null"
    assert sent.json == {
        "Targets": [
            {
                "@odata.type": "Microsoft.Dynamics.CRM.account",
                "accountid": IDS[0],
                "name": "Varme, Åvej 1",
                "ava_kundeforholdstype": 915240001,
                "ava_startdato": "2026-01-31",
                "ava_set": "2026-01-31T11:00:00Z",
                "ava_Adresse@odata.bind": f"/ava_adresses({ADDRESS})",
            },
            {"@odata.type": "Microsoft.Dynamics.CRM.account", "accountid": IDS[1], "name": "b", "ava_Adresse": None},
        ]
    }


def test_batches_begin_with_the_given_size_and_grow_by_half_while_answers_are_quick() -> None:
    with serving([Reply(204)]) as server:
        rows = [{"accountid": row_id} for row_id in IDS[:9]]
        assert all(outcome.ok for outcome in client_of(server, batch_size=2).upsert(TABLE, rows))
    assert [len(seen.json["Targets"]) for seen in server.seen] == [2, 3, 4]


def test_two_rows_of_one_id_are_refused() -> None:
    with pytest.raises(ValueError, match="same accountid"):
        DynamicsClient("http://127.0.0.1:1", StaticTokens("t")).upsert(TABLE, [{"accountid": IDS[0]}] * 2)


@pytest.mark.parametrize("nested", [True, False])
@pytest.mark.parametrize("newline", ["\r\n", "\n"])
def test_a_refused_batch_is_taken_apart_by_change_sets(nested: bool, newline: str) -> None:
    body = '{"error":{"code":"0x80044331","message":"The length of \'name\' for Ærø 0101701234 is too long."}}'
    bad = part("400 Bad Request", body, "r-2")
    parts = [
        change_set(1, part("204 No Content")),
        change_set(2, bad) if nested else bad,
        change_set(3, part("204 No Content")),
    ]
    with serving([Reply(400, error("0x80044331")), batch_reply(parts, newline=newline)]) as server:
        outcomes = client_of(server).upsert(TABLE, [{"accountid": row_id, "name": "å"} for row_id in IDS[:3]])
    assert [outcome.ok for outcome in outcomes] == [True, False, True]
    failed = outcomes[1]
    assert (failed.row_id, failed.code, failed.permanent, failed.request_id) == (IDS[1], "0x80044331", True, "r-2")
    assert failed.text is not None
    assert "Ærø" in failed.text
    assert "0101701234" not in failed.text
    batch = server.seen[1]
    assert batch.path == "/api/data/v9.2/$batch"
    assert batch.headers["prefer"] == "odata.continue-on-error"
    boundary = re.fullmatch(r'multipart/mixed; boundary="(batch_[^"]+)"', batch.headers["content-type"])
    assert boundary is not None
    text = batch.body.decode()
    assert text.count(f"--{boundary[1]}\r\nContent-Type: multipart/mixed; boundary=") == 3
    assert text.rstrip().endswith(f"--{boundary[1]}--")
    for row_id in IDS[:3]:
        assert f"PATCH {server.url}/api/data/v9.2/accounts({row_id}) HTTP/1.1\r\n" in text
    assert "If-Match" not in text
    assert text.count('{"name":"å"}') == 3  # the key stands in the address, not in the body


def test_rows_that_the_batch_left_unanswered_may_be_sent_again() -> None:
    with serving([Reply(400, error("0x80040203")), batch_reply([change_set(1, part("204 No Content"))])]) as server:
        outcomes = client_of(server).upsert(TABLE, [{"accountid": row_id} for row_id in IDS[:2]])
    assert [(outcome.ok, outcome.permanent, outcome.code) for outcome in outcomes] == [
        (True, False, None),
        (False, False, "no_answer"),
    ]


def test_a_missing_lookup_target_heals_by_itself() -> None:
    missing = part("404 Not Found", '{"error":{"code":"0x80040217","message":"Does Not Exist"}}')
    with serving([Reply(404, error("0x80040217")), batch_reply([change_set(1, missing)])]) as server:
        (outcome,) = client_of(server).upsert(TABLE, [{"accountid": IDS[0]}])
    assert (outcome.ok, outcome.permanent) == (False, False)


def test_two_upserts_of_one_key_at_the_same_moment_are_repeated_once() -> None:
    duplicate = Reply(412, error("0x80040237", "A record with matching key values already exists."))
    with serving([duplicate, Reply(204)]) as server:
        (outcome,) = client_of(server).upsert(TABLE, [{"accountid": IDS[0]}])
    assert outcome.ok
    assert len(server.seen) == 2


def test_such_a_clash_inside_a_batch_is_repeated_for_its_row_only() -> None:
    clash = part("412 Precondition Failed", '{"error":{"code":"0x80040237","message":"exists"}}')
    first = batch_reply([change_set(1, part("204 No Content")), change_set(2, clash)])
    second = batch_reply([change_set(1, part("204 No Content"))])
    with serving([Reply(400, error("0x80040203")), first, second]) as server:
        outcomes = client_of(server).upsert(TABLE, [{"accountid": row_id} for row_id in IDS[:2]])
    assert all(outcome.ok for outcome in outcomes)
    assert IDS[0] not in server.seen[2].body.decode()


def test_a_throttled_request_waits_as_told() -> None:
    throttled = Reply(429, error("0x80072322"), {"Retry-After": "0"})
    with serving([throttled, throttled, Reply(204)]) as server:
        (outcome,) = client_of(server).upsert(TABLE, [{"accountid": IDS[0]}])
    assert outcome.ok
    assert len(server.seen) == 3


def test_while_the_crm_is_away_no_row_is_lost_and_later_batches_are_spared() -> None:
    with serving([Reply(503)]) as server:
        rows = [{"accountid": row_id} for row_id in IDS[:3]]
        outcomes = client_of(server, batch_size=1).upsert(TABLE, rows)
    assert [(outcome.ok, outcome.permanent, outcome.code) for outcome in outcomes] == [
        (False, False, "503"),
        (False, False, "not_sent"),
        (False, False, "not_sent"),
    ]
    assert len(server.seen) == FAST.attempts


def test_a_request_that_is_too_large_is_halved() -> None:
    def answer(seen: Seen) -> Reply:
        return Reply(413 if len(seen.json["Targets"]) > 1 else 204)

    with serving(answer) as server:
        outcomes = client_of(server).upsert(TABLE, [{"accountid": row_id} for row_id in IDS[:4]])
    assert all(outcome.ok for outcome in outcomes)
    assert [len(seen.json["Targets"]) for seen in server.seen] == [4, 2, 1, 1, 2, 1, 1]


def test_a_batch_that_is_refused_as_a_whole_fails_all_its_rows() -> None:
    with serving([Reply(400, error("0x80040203")), Reply(400, error("0x80048d19", "malformed"))]) as server:
        outcomes = client_of(server).upsert(TABLE, [{"accountid": row_id} for row_id in IDS[:2]])
    assert [(outcome.ok, outcome.code, outcome.permanent) for outcome in outcomes] == [(False, "0x80048d19", True)] * 2


class CountingTokens:
    def __init__(self) -> None:
        self.number = 1

    def token(self, *, renew: bool = False) -> str:
        self.number += renew
        return f"t-{self.number}"


def test_a_refused_token_is_renewed_once() -> None:
    def answer(seen: Seen) -> Reply:
        return Reply(204 if seen.headers["authorization"] == "Bearer t-2" else 401)

    with serving(answer) as server:
        client = DynamicsClient(server.url, CountingTokens(), policy=FAST)
        assert client.upsert(TABLE, [{"accountid": IDS[0]}])[0].ok
    with serving([Reply(401)]) as server:
        client = DynamicsClient(server.url, CountingTokens(), policy=FAST)
        (outcome,) = client.upsert(TABLE, [{"accountid": IDS[0]}])
    assert (outcome.ok, outcome.permanent, outcome.code) == (False, True, "401")
    assert len(server.seen) == 2


def test_links_are_made_and_parted_in_batches() -> None:
    exists = part("412 Precondition Failed", '{"error":{"code":"0x80040237","message":"duplicate key"}}')
    gone = part("404 Not Found", '{"error":{"code":"0x80040217","message":"Does Not Exist"}}')
    replies = [
        batch_reply([change_set(1, part("204 No Content")), change_set(2, exists)]),
        batch_reply([change_set(1, gone)]),
    ]
    pairs = [(IDS[0], IDS[5]), (IDS[1], IDS[6])]
    with serving(replies) as server:
        client = client_of(server)
        linked = client.link("contacts", "ava_aktoerens_aftaler", "ava_aftales", pairs)
        parted = client.unlink("contacts", "ava_aktoerens_aftaler", "ava_aftales", pairs[:1])
    assert [outcome.ok for outcome in linked + parted] == [True, True, True]
    api = f"{server.url}/api/data/v9.2"
    made = server.seen[0].body.decode()
    assert f"POST {api}/contacts({IDS[0]})/ava_aktoerens_aftaler/$ref HTTP/1.1" in made
    assert f'{{"@odata.id":"{api}/ava_aftales({IDS[5]})"}}' in made
    removed = server.seen[1].body.decode()
    assert f"DELETE {api}/contacts({IDS[0]})/ava_aktoerens_aftaler/$ref?$id={api}/ava_aftales({IDS[5]}) HTTP" in removed


def test_a_query_follows_next_links_with_the_same_preference() -> None:
    def answer(seen: Seen) -> Reply:
        if ("$skiptoken", "2") in seen.query:
            return Reply(200, {"value": [{"accountid": IDS[1]}]})
        following = f"{server.url}/api/data/v9.2/accounts?$skiptoken=2"
        return Reply(200, {"value": [{"accountid": IDS[0]}], "@odata.nextLink": following})

    with serving(answer) as server:
        rows = list(client_of(server).query("accounts", ["accountid", "name"], "statecode eq 0", page_size=1))
    assert [row["accountid"] for row in rows] == IDS[:2]
    assert server.seen[0].query == [("$select", "accountid,name"), ("$filter", "statecode eq 0")]
    assert [seen.headers["prefer"] for seen in server.seen] == ["odata.maxpagesize=1"] * 2


def test_the_token_is_not_carried_to_another_host() -> None:
    page = {"value": [], "@odata.nextLink": "http://elsewhere.example/accounts?$skiptoken=2"}
    with serving([Reply(200, page)]) as server, pytest.raises(PermanentError, match="another host"):
        list(client_of(server).query("accounts", ["accountid"]))


def test_rows_are_selected_by_id_in_portions() -> None:
    many = [f"00000000-0000-8000-8000-0000000000{number:02d}" for number in range(50)]

    def answer(seen: Seen) -> Reply:
        condition = dict(seen.query)["$filter"]
        return Reply(200, {"value": [{"accountid": row_id} for row_id in re.findall(r"eq (\S+)", condition)]})

    with serving(answer) as server:
        found = client_of(server).select(TABLE, ["emailaddress1"], many)
    assert sorted(found) == many
    assert len(server.seen) == 2
    assert dict(server.seen[0].query)["$select"] == "accountid,emailaddress1"


def test_form_tokens_are_fetched_once_and_renewed_on_demand() -> None:
    replies = [Reply(200, {"access_token": f"a-{number}", "expires_in": 3599}) for number in (1, 2)]
    with serving(replies) as server:
        tokens = FormTokens(f"{server.url}/token", "id", "se&cret", "scope/.default", policy=FAST)
        assert [tokens.token(), tokens.token(), tokens.token(renew=True)] == ["a-1", "a-1", "a-2"]
    assert server.seen[0].body == (
        b"grant_type=client_credentials&client_id=id&client_secret=se%26cret&scope=scope%2F.default"
    )


def test_a_token_that_has_expired_is_replaced() -> None:
    replies = [Reply(200, {"access_token": f"a-{number}", "expires_in": 0}) for number in (1, 2)]
    with serving(replies) as server:
        tokens = FormTokens(f"{server.url}/token", "id", "secret", "scope", policy=FAST)
        assert [tokens.token(), tokens.token()] == ["a-1", "a-2"]


def test_a_wrong_secret_is_a_permanent_error_without_the_secret() -> None:
    body = {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret."}
    with serving([Reply(401, body)]) as server, pytest.raises(PermanentError, match="AADSTS7000215") as caught:
        FormTokens(f"{server.url}/token", "id", "very-secret", "scope", policy=FAST).token()
    assert caught.value.code == "invalid_client"
    assert "very-secret" not in str(caught.value)


class MsalWire:
    """What msal calls instead of the network (it refuses addresses without TLS)."""

    def __init__(self, *answers: tuple[int, str]) -> None:
        self.answers = list(answers)
        self.posts: list[dict[str, str]] = []

    def get(self, url: str, **_: object) -> "MsalReply":  # noqa: ARG002 - msal names it
        root = "https://login.example/tenant"
        return MsalReply(
            200,
            f'{{"issuer":"{root}","token_endpoint":"{root}/token","authorization_endpoint":"{root}/authorize"}}',
        )

    def post(self, url: str, data: dict[str, str] | None = None, **_: object) -> "MsalReply":  # noqa: ARG002
        self.posts.append(dict(data or {}))
        return MsalReply(*self.answers.pop(0))

    def close(self) -> None: ...


class MsalReply:
    def __init__(self, status_code: int, text: str) -> None:
        self.status_code = status_code
        self.text = text
        self.headers: dict[str, str] = {}

    def raise_for_status(self) -> None:
        if self.status_code >= 400:
            raise OSError(f"status {self.status_code}")


def test_msal_tokens_are_cached_and_renewed() -> None:
    wire = MsalWire(
        (200, '{"access_token":"m-1","expires_in":3599,"token_type":"Bearer"}'),
        (200, '{"access_token":"m-2","expires_in":3599,"token_type":"Bearer"}'),
    )
    tokens = MsalTokens(
        "https://login.microsoftonline.com/tenant", "id", "secret", "https://org.example/.default", http_client=wire
    )
    assert [tokens.token(), tokens.token(), tokens.token(renew=True)] == ["m-1", "m-1", "m-2"]
    assert len(wire.posts) == 2
    assert wire.posts[0]["grant_type"] == "client_credentials"


def test_msal_refusals_are_permanent_and_outages_transient() -> None:
    authority, scope = "https://login.microsoftonline.com/tenant", "https://org.example/.default"
    refused = MsalWire((401, '{"error":"invalid_client","error_description":"AADSTS7000215: bad\\r\\ntrace"}'))
    with pytest.raises(PermanentError, match="AADSTS7000215: bad") as caught:
        MsalTokens(authority, "id", "secret", scope, http_client=refused).token()
    assert "trace" not in str(caught.value)

    class Away(MsalWire):
        def post(self, url: str, data: dict[str, str] | None = None, **_: object) -> MsalReply:  # noqa: ARG002
            raise ConnectionError("away")

    with pytest.raises(TransientError):
        MsalTokens(authority, "id", "secret", scope, http_client=Away()).token()


def test_dates_of_rows_are_sent_in_utc() -> None:
    with serving([Reply(204)]) as server:
        client_of(server).upsert(TABLE, [{"accountid": IDS[0], "at": datetime(2026, 7, 1, 8, 30, tzinfo=UTC)}])
    assert server.seen[0].json["Targets"][0]["at"] == "2026-07-01T08:30:00Z"

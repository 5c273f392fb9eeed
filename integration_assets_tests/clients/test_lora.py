"""The LoRa client's wire behaviour against a scripted server."""

import inspect
import uuid

import pytest

from integration_assets.clients.http import NotAllowedError, PermanentError, TransientError
from integration_assets.clients.lora import LoraClient
from integration_assets.domain.registry.dialect import ClassFields
from integration_assets_tests.clients.wire import FAST, Reply, Seen, serving

ID = "a53baff3-55d2-495b-a672-b9631cd4aaad"
BODY = {"attributter": {}, "tilstande": {}, "note": "Åse"}


def an_object(object_id: str, code: str) -> dict[str, object]:
    return {"id": object_id, "registreringer": [{"livscykluskode": code}]}


def test_a_put_sends_json_to_the_object_s_address() -> None:
    with serving([Reply(200, {"uuid": ID}, {"Connection": "close"})]) as server:
        client = LoraClient(server.url, token="saml-gzipped abc", policy=FAST)
        assert client.put("organisation/bruger", ID, BODY) is None
        client.put("organisation/bruger", ID, BODY)
    sent = server.seen[0]
    assert (sent.method, sent.path, sent.query) == ("PUT", f"/organisation/bruger/{ID}", [])
    assert sent.headers["content-type"] == "application/json"
    assert sent.headers["authorization"] == "saml-gzipped abc"
    assert sent.json == BODY
    assert len(server.seen) == 2


def test_an_object_that_was_deleted_is_put_twice() -> None:
    with serving([Reply(200, {"uuid": ID})]) as server:
        LoraClient(server.url, policy=FAST).put("organisation/bruger", ID, BODY, revive=True)
    assert [seen.json for seen in server.seen] == [BODY, BODY]


def test_a_500_is_tried_three_times_in_all() -> None:
    with serving([Reply(500, b"<html>", {"Content-Type": "text/html"})]) as server, pytest.raises(TransientError):
        LoraClient(server.url, policy=FAST).put("organisation/bruger", ID, BODY)
    assert len(server.seen) == 3


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_gateway_s_troubles_are_tried_as_often_as_the_policy_says(status: int) -> None:
    with serving([Reply(status, b"<html>", {"Content-Type": "text/html"})]) as server, pytest.raises(TransientError):
        LoraClient(server.url, policy=FAST).read_many("organisation/bruger", [ID])
    assert len(server.seen) == FAST.attempts


def test_a_dropped_connection_is_tried_again() -> None:
    """As gunicorn drops it, without an answer, after thirty seconds of work."""
    with serving([Reply(drop=True), Reply(drop=True), Reply(200, {"uuid": ID})]) as server:
        client = LoraClient(server.url, policy=FAST)
        client.put("organisation/bruger", ID, BODY)
        client.patch("organisation/bruger", ID, BODY)
    assert [seen.method for seen in server.seen] == ["PUT", "PUT", "PUT", "PATCH"]


def test_an_answer_is_waited_for_a_minute_and_then_asked_for_again() -> None:
    assert inspect.signature(LoraClient).parameters["timeout_s"].default == 60.0
    with serving([Reply(200, {"uuid": ID}, delay_s=0.6), Reply(200, {"uuid": ID})]) as server:
        LoraClient(server.url, timeout_s=0.2, policy=FAST).put("organisation/bruger", ID, BODY)
        assert len(server.seen) == 2


def test_a_patch_that_changes_nothing_is_done() -> None:
    unchanged = Reply(
        400,
        {"message": "ERROR:  Aborted updating bruger with id [x] as the given data, does not give raise to a new "
                    "registration. Aborted reg:[...]\nCONTEXT:  PL/pgSQL function", "context": [None]},
    )  # fmt: skip
    refused = Reply(400, {"message": 'invalid input syntax for type uuid: "x"', "context": "LINE 1"})
    with serving([unchanged, refused]) as server:
        client = LoraClient(server.url, policy=FAST)
        client.patch("organisation/bruger", ID, BODY)
        with pytest.raises(PermanentError, match="invalid input"):
            client.patch("organisation/bruger", ID, BODY)
    assert len(server.seen) == 2


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_is_not_accepted_is_said_and_kept_secret(status: int) -> None:
    with serving([Reply(status, {"message": "No Authorization header present"})]) as server:
        client = LoraClient(server.url, token="saml-gzipped abc", policy=FAST)
        for call in (
            lambda: client.put("organisation/bruger", ID, BODY),
            lambda: client.patch("organisation/bruger", ID, BODY),
            lambda: client.read_many("organisation/bruger", [ID]),
        ):
            with pytest.raises(NotAllowedError, match="lora_token") as caught:
                call()
            assert caught.value.status == status
            assert "abc" not in str(caught.value)
    assert len(server.seen) == 3


def test_a_schema_violation_is_permanent_and_a_clash_of_writers_is_not() -> None:
    refused = Reply(400, {"message": "[] is too short"})
    clash = Reply(400, {"message": "ERROR:  Invalid transition\nCONTEXT:  PL/pgSQL", "context": [None]})
    with serving([refused, clash]) as server:
        client = LoraClient(server.url, policy=FAST)
        with pytest.raises(PermanentError, match="too short"):
            client.put("organisation/bruger", ID, BODY)
        with pytest.raises(TransientError) as caught:
            client.put("organisation/bruger", ID, BODY)
    assert caught.value.code == "concurrent_writer"


@pytest.mark.parametrize("lora_class", ["organisation", "Organisation/Bruger", "organisation/bruger?x"])
def test_a_class_is_service_and_class(lora_class: str) -> None:
    with pytest.raises(ValueError, match="LoRa class"):
        LoraClient("http://127.0.0.1:1", policy=FAST).put(lora_class, ID, BODY)


def test_an_id_that_is_no_uuid_never_reaches_an_address_or_an_error() -> None:
    with pytest.raises(ValueError, match="uuid") as caught:
        LoraClient("http://127.0.0.1:1", policy=FAST).put("organisation/bruger", "0101701234", BODY)
    assert "0101701234" not in str(caught.value)


def test_reading_asks_for_all_validity_in_lists_that_fit_a_request_line() -> None:
    ids = [str(uuid.UUID(int=number)) for number in range(200)]

    def answer(seen: Seen) -> Reply:
        wanted = [value for name, value in seen.query if name == "uuid"]
        return Reply(200, {"results": [[an_object(value, "Rettet") for value in wanted]]})

    with serving(answer) as server:
        found = LoraClient(server.url, policy=FAST).read_many("organisation/bruger", reversed(ids))
    assert sorted(found) == ids
    assert [len(seen.query) - 2 for seen in server.seen] == [90, 90, 20]
    for seen in server.seen:
        assert seen.query[-2:] == [("virkningfra", "-infinity"), ("virkningtil", "infinity")]
        line = f"GET {seen.path}?" + "&".join(f"{name}={value}" for name, value in seen.query) + " HTTP/1.1\r\n"
        assert len(line) <= 4094


def test_nothing_comes_in_two_forms_and_deleted_objects_are_left_out() -> None:
    other, third = str(uuid.uuid4()), str(uuid.uuid4())
    listed = [an_object(ID, "Importeret"), an_object(other, "Slettet"), an_object(third, "Passiveret")]
    replies = [Reply(200, {"results": []}), Reply(200, {"results": [[]]}), Reply(200, {"results": [listed]})]
    with serving(replies) as server:
        client = LoraClient(server.url, policy=FAST)
        assert client.read_many("organisation/bruger", [ID]) == {}
        assert client.read_many("organisation/bruger", [ID]) == {}
        assert sorted(client.read_many("organisation/bruger", [ID])) == sorted([ID, third])
        assert client.life_cycle("organisation/bruger", [ID]) == {
            ID: "Importeret",
            other: "Slettet",
            third: "Passiveret",
        }
        assert client.ended("organisation/bruger", [ID]) == {other, third}


def test_no_ids_make_no_call() -> None:
    assert LoraClient("http://127.0.0.1:1", policy=FAST).read_many("organisation/bruger", []) == {}


def test_the_site_map_lists_the_routes() -> None:
    with serving([Reply(200, {"site-map": ["/organisation/bruger", "/indsats/indsats"]})]) as server:
        assert "/indsats/indsats" in LoraClient(server.url, policy=FAST).get_site_map()


FIELDS = {
    "attributter": {"egenskaber": ["brugervendtnoegle", "integrationsdata", "ava_koen"]},
    "attributter_metadata": {"egenskaber": {"brugervendtnoegle": {"mandatory": True}}},
    "tilstande": {"gyldighed": ["Aktiv", "Inaktiv"]},
    "relationer_nul_til_en": ["tilhoerer"],
    "relationer_nul_til_mange": ["adresser", "opgaver"],
}


@pytest.mark.parametrize("root", ["", "/registry"])
def test_what_is_served_is_asked_class_by_class(root: str) -> None:
    def answer(seen: Seen) -> Reply:
        if seen.path.endswith("/site-map"):
            routes = [
                "/",
                "/organisation/bruger/fields",
                "/organisation/bruger",
                '/klassifikation/klasse/<regex("."):u>',
            ]
            return Reply(200, {"site-map": [root + route for route in routes]})
        return Reply(200, FIELDS) if seen.path == f"{root}/organisation/bruger/fields" else Reply(404, {})

    with serving(answer) as server:
        client = LoraClient(server.url + root, policy=FAST)
        served = client.served(["organisation/bruger", "klassifikation/klasse", "indsats/indsats"])
    assert served == {
        "organisation/bruger": ClassFields(
            frozenset({"brugervendtnoegle", "integrationsdata", "ava_koen"}),
            frozenset({"tilhoerer", "adresser", "opgaver"}),
        )
    }
    assert len(server.seen) == 2


@pytest.mark.parametrize("other", [{}, [], {"attributter": ["egenskaber"]}, {**FIELDS, "relationer_nul_til_en": None}])
def test_fields_in_another_form_are_refused(other: object) -> None:
    with serving([Reply(200, {"site-map": ["/organisation/bruger"]}), Reply(200, other)]) as server:
        client = LoraClient(server.url, policy=FAST)
        with pytest.raises(PermanentError, match=r"GET /organisation/bruger/fields .* another form"):
            client.served(["organisation/bruger"])


def test_a_search_asks_page_by_page_over_all_validity_until_a_page_is_not_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("integration_assets.clients.lora.IDS_PER_PAGE", 2)
    # Somebody wrote in between: the second page begins with an id of the first.
    pages = [["a", "b"], ["b", "c"], ["d"]]
    with serving([Reply(200, {"results": [page]}) for page in pages]) as server:
        client = LoraClient(server.url, policy=FAST)
        assert list(client.search("organisation/bruger", tilhoerer=ID)) == ["a", "b", "c", "d"]
    assert [dict(seen.query)["foersteresultat"] for seen in server.seen] == ["0", "2", "4"]
    assert all(
        {"tilhoerer": ID, "maximalantalresultater": "2", "virkningfra": "-infinity", "virkningtil": "infinity"}.items()
        <= dict(seen.query).items()
        for seen in server.seen
    )


def test_a_search_without_hits_gives_none_and_one_without_condition_is_refused() -> None:
    with serving([Reply(200, {"results": [[]]})]) as server:
        client = LoraClient(server.url, policy=FAST)
        assert list(client.search("indsats/indsats", indsatstype="urn:Varme")) == []
        with pytest.raises(ValueError, match="condition"):
            list(client.search("indsats/indsats"))

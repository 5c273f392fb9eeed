"""CreateMultiple, UpdateMultiple and UpsertMultiple."""

import time
from typing import Any

from integration_assets.sandbox.requests import RequestLog
from integration_assets_tests.sandbox.dataverse.api import Api, error, message, row_id

A, B, C = row_id(1), row_id(2), row_id(3)
KEYED = "accounts(ava_kundenummer='{}')"


def test_create_multiple_answers_ids_in_order(api: Api) -> None:
    answer = api.bulk("contacts", "CreateMultiple", "contact", [{"contactid": A}, {"firstname": "Ida"}])
    assert answer.status_code == 200
    first, second = answer.json()["Ids"]
    assert first == A
    assert api.row(f"contacts({second})")["firstname"] == "Ida"


def test_update_multiple(api: Api) -> None:
    api.bulk("contacts", "CreateMultiple", "contact", [{"contactid": A}, {"contactid": B}])
    answer = api.bulk("contacts", "UpdateMultiple", "contact", [{"contactid": i, "lastname": "Holm"} for i in (A, B)])
    assert answer.status_code == 204
    assert [row["lastname"] for row in api.rows("contacts")] == ["Holm", "Holm"]
    answer = api.bulk("contacts", "UpdateMultiple", "contact", [{"contactid": C, "lastname": "Holm"}])
    assert error(answer) == (404, "0x80040217")


def test_upsert_multiple_mixes_ids_keys_and_new_rows(api: Api) -> None:
    api.create("accounts", accountid=A, ava_kundenummer="1")
    api.create("accounts", accountid=B, ava_kundenummer="2")
    answer = api.bulk(
        "accounts",
        "UpsertMultiple",
        "account",
        [
            {"accountid": A, "name": "by id"},
            {"@odata.id": KEYED.format(2), "name": "by key"},
            {"@odata.id": KEYED.format(3), "name": "new by key"},
            {"accountid": C, "name": "new by id"},
            {"name": "new"},
        ],
    )
    assert answer.status_code == 204
    assert answer.content == b""
    found = {(row["name"], row["ava_kundenummer"]) for row in api.rows("accounts")}
    assert found == {("by id", "1"), ("by key", "2"), ("new by key", "3"), ("new by id", None), ("new", None)}


def test_alternate_key_in_both_places_fails_only_when_the_row_is_new(api: Api) -> None:
    target = {"@odata.id": KEYED.format(7), "ava_kundenummer": "7", "name": "x"}
    answer = api.bulk("accounts", "UpsertMultiple", "account", [target])
    assert error(answer) == (400, "0x80040216")
    assert message(answer) == "An unexpected error occurred."
    api.create("accounts", ava_kundenummer="7")
    assert api.bulk("accounts", "UpsertMultiple", "account", [target]).status_code == 204


def test_all_or_nothing_with_one_error(api: Api, log: RequestLog) -> None:
    api.create("contacts", contactid=A, firstname="before")
    log.clear()
    targets: list[dict[str, Any]] = [
        {"contactid": A, "firstname": "after"},
        {"contactid": B, "firstname": "Eva"},
        {"contactid": C, "gendercode": 7},
    ]
    answer = api.bulk("contacts", "UpsertMultiple", "contact", targets)
    assert error(answer) == (400, "0x8004431a")
    assert [(row["contactid"], row["firstname"]) for row in api.rows("contacts")] == [(A, "before")]
    assert log.since()[0]["objects"] == []


def test_failed_message_frees_its_alternate_keys(api: Api) -> None:
    api.create("accounts", accountid=A, ava_kundenummer="1")
    targets: list[dict[str, Any]] = [
        {"accountid": A, "ava_kundenummer": "2"},
        {"accountid": B, "ava_kundenummer": "1"},
        {"accountid": C, "ava_kundetype": 0},
    ]
    assert error(api.bulk("accounts", "UpsertMultiple", "account", targets)) == (400, "0x8004431a")
    assert api.row("accounts(ava_kundenummer='1')")["accountid"] == A
    assert api.get("accounts(ava_kundenummer='2')").status_code == 404
    assert api.bulk("accounts", "UpsertMultiple", "account", targets[:2]).status_code == 204
    assert api.row("accounts(ava_kundenummer='1')")["accountid"] == B


def test_targets_must_say_their_type(api: Api) -> None:
    path = "contacts/Microsoft.Dynamics.CRM.UpsertMultiple"
    assert api.send("POST", path, {"Targets": [{"contactid": A}]}).status_code == 400
    assert api.send("POST", path, {}).status_code == 400
    assert api.bulk("contacts", "UpsertMultiple", "account", [{"accountid": A}]).status_code == 400
    assert api.rows("contacts") == []


def test_a_thousand_rows_take_less_than_half_a_second_of_work(api: Api, log: RequestLog) -> None:
    # Processor time of client and server (both in this process), so that other programs on the machine do not count.
    # The database, one statement per request, is not in it.
    api.create("ava_adresses", ava_adresseid=row_id(1))
    targets = [
        {
            "contactid": row_id(n),
            "firstname": "Ida",
            "lastname": f"Holm {n}",
            "ava_cpr_nummer": None,
            "ava_kmdeemasterid": str(n),
            "emailaddress1": f"ida{n}@example.dk",
            "gendercode": 2,
            "ava_eradressebeskyttet": False,
            "ava_adresse@odata.bind": f"/ava_adresses({row_id(1)})",
        }
        for n in range(1000)
    ]
    seconds = []
    for _ in range(3):
        started = time.process_time()
        assert api.bulk("contacts", "UpsertMultiple", "contact", targets).status_code == 204
        seconds.append(time.process_time() - started)
    assert min(seconds) < 0.5, seconds
    assert len(log.since()[-1]["objects"]) == 1000

"""Change tracking: a full listing, then what changed and what was deleted since."""

import httpx

from integration_assets_tests.sandbox.dataverse.api import Api, error, row_id

A, B, C = row_id(1), row_id(2), row_id(3)
TRACKED = "odata.track-changes"


def delta(api: Api, link: str) -> tuple[list[dict[str, object]], str]:
    body = api.row(link)
    return body["value"], body["@odata.deltaLink"]


def test_changes_after_a_listing(api: Api) -> None:
    for contact in (A, B):
        api.create("contacts", contactid=contact, firstname="Ida")
    first = api.get("contacts?$select=firstname", Prefer=TRACKED)
    assert TRACKED in first.headers["Preference-Applied"]
    assert len(first.json()["value"]) == 2
    link = first.json()["@odata.deltaLink"]
    assert "$deltatoken=" in link
    assert delta(api, link)[0] == []
    api.send("PATCH", f"contacts({A})", {"firstname": "Eva"})
    api.send("DELETE", f"contacts({B})")
    api.create("contacts", contactid=C, firstname="Åse")
    changed, later = delta(api, link)
    assert [row.get("firstname") or (row["id"], row["reason"]) for row in changed] == ["Eva", (B, "deleted"), "Åse"]
    assert changed[1]["@odata.context"] == f"{api.root}$metadata#contacts/$deletedEntity"
    assert delta(api, later)[0] == []
    assert len(delta(api, link)[0]) == 3, "a token may be used again"


def test_a_row_that_came_back_is_not_deleted(api: Api) -> None:
    api.create("contacts", contactid=A)
    link = api.get("contacts", Prefer=TRACKED).json()["@odata.deltaLink"]
    api.send("DELETE", f"contacts({A})")
    api.create("contacts", contactid=A, firstname="Ida")
    assert [row["firstname"] for row in delta(api, link)[0]] == ["Ida"]


def test_what_changes_while_pages_are_read_is_in_the_delta(api: Api) -> None:
    for number in range(4):
        api.create("contacts", contactid=row_id(number))
    headers = {"Prefer": f"odata.maxpagesize=2,{TRACKED}"}
    page = api.client.get("contacts?$select=firstname", headers=headers).json()
    assert "@odata.deltaLink" not in page
    api.send("PATCH", f"contacts({row_id(0)})", {"firstname": "Ida"})
    page = api.client.get(page["@odata.nextLink"], headers={"Prefer": "odata.maxpagesize=2"}).json()
    assert [row["contactid"] for row in delta(api, page["@odata.deltaLink"])[0]] == [row_id(0)]


def test_pages_of_a_delta(api: Api) -> None:
    link = api.get("contacts?$select=firstname", Prefer=TRACKED).json()["@odata.deltaLink"]
    for number in range(5):
        api.create("contacts", contactid=row_id(number))
    found: list[str] = []
    while link:
        page = api.client.get(link, headers={"Prefer": "odata.maxpagesize=2"}).json()
        found += [row["contactid"] for row in page["value"]]
        assert len(page["value"]) <= 2
        link = page.get("@odata.nextLink")
    assert found == [row_id(number) for number in range(5)]


def test_refusals(api: Api, server: str) -> None:
    for option in ("$filter=firstname eq 'x'", "$orderby=firstname", "$top=1", "$expand=ava_adresse"):
        assert error(api.get(f"contacts?{option}", Prefer=TRACKED)) == (400, "0x80060888")
    link = api.get("contacts", Prefer=TRACKED).json()["@odata.deltaLink"]
    old = httpx.URL(link).copy_merge_params({"$deltatoken": "1000000!01/31/2020 10:00:00"})
    assert error(api.client.get(old)) == (400, "0x80044352")
    assert api.get("contacts?$deltatoken=tomorrow").status_code == 400
    httpx.post(f"{server}/_behaviour", json={"schema": {"contact": {"change_tracking": False}}})
    assert api.get("contacts", Prefer=TRACKED).status_code == 400
    assert api.get("contacts").status_code == 200

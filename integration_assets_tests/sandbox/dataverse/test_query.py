"""Queries: selection, filters, order, counting and paging."""

from typing import Any

import pytest

from integration_assets.sandbox.requests import RequestLog
from integration_assets_tests.sandbox.dataverse.api import Api, error, message, row_id

ADDRESS = row_id(900)
NAMES = ["Åse", "Bo", "Carl", "Dorte", "O'Neill"]


@pytest.fixture
def town(api: Api) -> Api:
    """Contacts 1..5 of gender 1, 2, 1, 2, none; the first two protected, the third at an address; agreements 1..5."""
    api.create("ava_adresses", ava_adresseid=ADDRESS, ava_postnummer="4000")
    contacts: list[dict[str, Any]] = [
        {
            "contactid": row_id(n),
            "firstname": name,
            "gendercode": {1: 1, 2: 2, 3: 1, 4: 2}.get(n),
            "ava_eradressebeskyttet": n < 3,
        }
        for n, name in enumerate(NAMES, 1)
    ]
    contacts[2]["ava_adresse@odata.bind"] = f"/ava_adresses({ADDRESS})"
    assert api.bulk("contacts", "UpsertMultiple", "contact", contacts).status_code == 204
    agreements = [
        {"ava_aftaleid": row_id(n), "ava_startdato": f"2026-0{n}-01", "ava_antal_produkter": n} for n in range(1, 6)
    ]
    assert api.bulk("ava_aftales", "UpsertMultiple", "ava_aftale", agreements).status_code == 204
    return api


def found(api: Api, entity_set: str, **options: str) -> list[int]:
    """Numbers of the rows that a query gives, in its order."""
    params = {name if name.startswith("@") else f"${name}": value for name, value in options.items()}
    response = api.client.get(entity_set, params=params)
    assert response.status_code == 200, response.text
    rows = response.json()["value"]
    key = {"contacts": "contactid", "ava_aftales": "ava_aftaleid"}[entity_set]
    return [int(row[key][-12:]) for row in rows]


def test_select_gives_the_columns_and_the_primary_id(town: Api) -> None:
    body = town.row("contacts?$select=firstname,_ava_adresse_value&$filter=firstname eq 'Carl'")
    assert body["@odata.context"] == f"{town.root}$metadata#contacts(firstname,_ava_adresse_value)"
    (row,) = body["value"]
    assert row.pop("@odata.etag").startswith('W/"')
    assert row == {"firstname": "Carl", "_ava_adresse_value": ADDRESS, "contactid": row_id(3)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("firstname eq 'bo'", [2]),
        ("firstname eq 'O''Neill'", [5]),
        ("firstname ne 'Bo'", [1, 3, 4, 5]),
        ("firstname gt 'bo' and firstname lt 'd'", [3]),
        ("gendercode eq 1", [1, 3]),
        ("gendercode ne 1", [2, 4, 5]),
        ("gendercode eq null", [5]),
        ("gendercode ne null", [1, 2, 3, 4]),
        ("gendercode ge 2", [2, 4]),
        ("gendercode le 1", [1, 3]),
        ("not (gendercode eq 1 or gendercode eq 2)", [5]),
        ("gendercode eq 2 or firstname eq 'Carl' and ava_eradressebeskyttet eq true", [2, 4]),
        ("(gendercode eq 2 or firstname eq 'Carl') and ava_eradressebeskyttet eq false", [3, 4]),
        ("contains(firstname,'AR')", [3]),
        ("startswith(firstname,'å')", [1]),
        ("endswith(firstname,'e')", [1, 4]),
        ("not contains(firstname,'o')", [1, 3]),
        (f"contactid eq {row_id(4)}", [4]),
        (f"contactid eq '{row_id(4)}'", [4]),
        (f"_ava_adresse_value eq {ADDRESS}", [3]),
        ("ava_adresse/ava_postnummer eq '4000'", [3]),
        ("createdon gt 2020-01-01T00:00:00Z", [1, 2, 3, 4, 5]),
        ("createdon lt 2020-01-01", []),
    ],
)
def test_filters_of_contacts(town: Api, text: str, expected: list[int]) -> None:
    assert found(town, "contacts", filter=text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ava_startdato ge 2026-04-01", [4, 5]),
        ("ava_startdato eq 2026-02-01", [2]),
        ("ava_antal_produkter gt 3", [4, 5]),
        ("ava_slutdato eq null", [1, 2, 3, 4, 5]),
    ],
)
def test_filters_of_dates_and_numbers(town: Api, text: str, expected: list[int]) -> None:
    assert found(town, "ava_aftales", filter=text) == expected


def test_in_function_with_aliases_and_inline(town: Api) -> None:
    ids = [row_id(2), row_id(4), row_id(77)]
    quoted = ",".join(f"'{value}'" for value in ids)
    doubled = ",".join(f'"{value}"' for value in ids)
    aliased = "Microsoft.Dynamics.CRM.In(PropertyName=@p1,PropertyValues=@p2)"
    for values in (quoted, doubled):
        options = {"filter": aliased, "@p1": "'contactid'", "@p2": f"[{values}]"}
        assert found(town, "contacts", **options) == [2, 4]
    inline = f"Microsoft.Dynamics.CRM.In(PropertyName='contactid',PropertyValues=[{quoted}])"
    assert found(town, "contacts", filter=inline) == [2, 4]
    numbers = "Microsoft.Dynamics.CRM.In(PropertyName='gendercode',PropertyValues=['1'])"
    assert found(town, "contacts", filter=f"{numbers} and firstname ne 'Carl'") == [1]
    names = "Microsoft.Dynamics.CRM.In(PropertyName='firstname',PropertyValues=['BO','carl'])"
    assert found(town, "contacts", filter=names) == [2, 3]


def test_parameter_alias_in_a_comparison(town: Api) -> None:
    assert found(town, "contacts", **{"filter": "firstname eq @name", "@name": "'Bo'"}) == [2]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ("$filter=findes_ikke eq 1", "Could not find a property named 'findes_ikke' on type "),
        ("$select=findes_ikke", "Could not find a property named 'findes_ikke' on type "),
        ("$orderby=findes_ikke", "Could not find a property named 'findes_ikke' on type "),
        ("$select=Firstname", "Could not find a property named 'Firstname' on type 'Microsoft.Dynamics.CRM.contact'."),
        ("$filter=firstname eq 5", "A binary operator with incompatible types was detected."),
        ("$filter=gendercode eq 'x'", "Found operand types 'Edm.Int32' and 'Edm.String'"),
        ("$filter=firstname eq", "Syntax error"),
        ("$filter=firstname is 'x'", "Syntax error"),
        ("$filter=(gendercode eq 1", "Syntax error"),
        ("$filter=year(createdon) eq 2026", "An unknown function with name 'year' was found."),
        ("$skip=10", "$skip is not supported"),
    ],
)
def test_refused_queries(api: Api, options: str, text: str) -> None:
    answer = api.get(f"contacts?{options}")
    assert error(answer) == (400, "0x80060888")
    assert text in message(answer)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("firstname", [2, 3, 4, 5, 1]),
        ("firstname desc", [1, 5, 4, 3, 2]),
        ("gendercode asc,firstname desc", [5, 1, 3, 4, 2]),
        ("gendercode desc,contactid", [2, 4, 1, 3, 5]),
    ],
)
def test_order(town: Api, text: str, expected: list[int]) -> None:
    assert found(town, "contacts", orderby=text) == expected


def test_top_and_count(town: Api) -> None:
    assert found(town, "contacts", top="2") == [1, 2]
    body = town.row("contacts?$count=true&$top=2&$filter=gendercode ne null")
    assert (body["@odata.count"], len(body["value"])) == (4, 2)
    assert town.get("contacts/$count?$filter=gendercode eq 1").text == "2"


def test_pages_follow_an_opaque_link(town: Api) -> None:
    preference = "odata.maxpagesize=2"
    url, pages = "contacts?$select=firstname&$orderby=firstname desc&$top=1", []
    while url:
        answer = town.get(url, Prefer=preference)
        assert answer.headers["Preference-Applied"] == preference
        body = answer.json()
        pages.append([int(row["contactid"][-12:]) for row in body["value"]])
        url = body.get("@odata.nextLink", "")
        assert not url or (url.startswith(f"{town.root}contacts?") and "$skiptoken=%3Ccookie%20pagenumber" in url)
    # $top is ignored together with a page size.
    assert pages == [[1, 5], [4, 3], [2]]


def test_pages_hold_still_while_rows_come_and_go(town: Api) -> None:
    first = town.get("contacts?$orderby=firstname", Prefer="odata.maxpagesize=2").json()
    assert [row["firstname"] for row in first["value"]] == ["Bo", "Carl"]
    town.create("contacts", firstname="Anna")
    second = town.get(first["@odata.nextLink"], Prefer="odata.maxpagesize=2").json()
    assert [row["firstname"] for row in second["value"]] == ["Dorte", "O'Neill"]


def test_no_page_is_longer_than_5000_and_counts_stop_there(api: Api) -> None:
    for start in (0, 3000):
        targets = [{"ava_adresseid": row_id(n)} for n in range(start, start + 3000)]
        assert api.bulk("ava_adresses", "UpsertMultiple", "ava_adresse", targets).status_code == 204
    for headers in ({}, {"Prefer": "odata.maxpagesize=6000"}):
        answer = api.client.get("ava_adresses?$select=ava_adresseid&$count=true", headers=headers)
        assert len(answer.json()["value"]) == 5000
        assert answer.json()["@odata.count"] == 5000
        rest = api.client.get(answer.json()["@odata.nextLink"], headers=headers).json()
        assert len(rest["value"]) == 1000
        assert "@odata.nextLink" not in rest
    assert api.get("ava_adresses/$count").text == "5000"


def test_expand_and_annotations(town: Api) -> None:
    answer = town.get(
        f"contacts({row_id(3)})?$select=gendercode,_ava_adresse_value&$expand=ava_adresse($select=ava_postnummer)",
        Prefer='odata.include-annotations="*"',
    ).json()
    assert answer["ava_adresse"]["ava_postnummer"] == "4000"
    assert answer["gendercode@OData.Community.Display.V1.FormattedValue"] == "Male"
    assert answer["_ava_adresse_value@Microsoft.Dynamics.CRM.lookuplogicalname"] == "ava_adresse"
    assert answer["_ava_adresse_value@Microsoft.Dynamics.CRM.associatednavigationproperty"] == "ava_adresse"
    assert town.row(f"contacts({row_id(1)})?$expand=ava_adresse")["ava_adresse"] is None


def test_other_languages_are_not_played(api: Api) -> None:
    assert api.get("contacts?sql=select firstname from contact").status_code == 501
    assert api.get("contacts?fetchXml=<fetch/>").status_code == 501


def test_queries_count_as_reads(town: Api, log: RequestLog) -> None:
    log.clear()
    town.get("contacts?$top=1")
    assert [(entry["kind"], entry["path"]) for entry in log.since()] == [("read", "/api/data/v9.2/contacts")]

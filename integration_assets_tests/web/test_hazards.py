"""What may stand in data and addresses and must do no harm: numbers, scripts, wild cards, formulas, headers."""

import csv
import io
import re
from urllib.parse import quote, urljoin, urlsplit

import httpx
import pytest
import sqlalchemy as sa

from integration_assets.web.pages.worklist import neutral
from integration_assets_tests.web.scene import PARTY, SCRIPT, Scene

HOSTILE = (
    "%", "_", "\\", "%%%%", "' OR '1'='1", "'; DROP TABLE rejection; --", SCRIPT, "{{ 7*7 }}", "{% raw %}", "\x00",
    "\r\nX-A: b",    "../../etc/passwd", "\u202e", "a" * 5000, "=cmd|' /C calc'!A0", "\ud83d",
)  # fmt: skip


@pytest.fixture(scope="module")
def browser(pages: str) -> httpx.Client:
    return httpx.Client(verify=False, base_url=pages, headers={"accept-language": "en"}, timeout=30)


def test_no_page_that_an_operator_reaches_holds_a_personal_number(browser: httpx.Client, scene: Scene) -> None:
    todo, seen = ["/", "/worklist?acknowledged=any", "/worklist.csv", "/widget"], dict[str, int]()
    while todo:
        path = todo.pop()
        if path in seen:
            continue
        answer = browser.get(path)
        seen[path] = answer.status_code
        assert not any(written in answer.text for written in scene.written), path
        for link in re.findall(r'href="([^"]+)"', answer.text):
            target = urljoin(path, link.replace("&amp;", "&"))
            if not urlsplit(target).netloc and "lang=" not in target:
                todo.append(target)
    assert set(seen.values()) == {200}
    assert {f"/worklist/delivery/crm/contacts/{PARTY}", "/customers/200001", "/installations/5000001"} <= seen.keys()
    assert len(seen) > 15


def test_the_number_is_masked_where_it_got_into_a_text(browser: httpx.Client, scene: Scene) -> None:
    item = browser.get("/worklist?reason=unreadable_dates").text
    path = re.search(r'href="(/worklist/rejection/\d+)"', item)
    assert path is not None
    assert f"A number got into this text: {scene.number[:6]}-xxxx." in browser.get(path[1]).text
    assert f"{scene.number[:6]}-xxxx" in browser.get("/worklist.csv").text


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_texts_in_addresses_and_forms_do_nothing(browser: httpx.Client, scene: Scene, text: str) -> None:
    written = quote(text.encode("utf-8", "surrogatepass"), safe="")
    before = rows(scene)
    for path in (
        f"/?folder={written}", f"/worklist?number={written}", f"/worklist?reason={written}&asset={written}",
        f"/worklist?kind={written}&area={written}&older={written}&acknowledged={written}&order={written}",
        f"/worklist?after={written}", f"/worklist?before={written}", f"/worklist?lang={written}&notice={written}",
        f"/worklist/rejection/{written}", f"/worklist/delivery/{written}", f"/worklist/{written}/1",
        f"/customers/{written}", f"/installations/{written}", f"/trends?days={written}", f"/login?to={written}",
    ):  # fmt: skip
        try:
            answer = browser.get(path)
        except httpx.RemoteProtocolError:  # refused before it reached us
            continue
        assert answer.status_code in (200, 303, 404), path
        assert "<script>alert" not in answer.text
        assert "49" not in "".join(re.findall(r"<h1>[^<]*</h1>", answer.text))
        assert "x-a" not in answer.headers
    csrf = re.search(r'name="csrf" value="(\w+)"', browser.get("/numbers").text)
    assert csrf is not None
    for path, field in (("/numbers", "number"), ("/worklist", "number"), ("/worklist", "reason")):
        body = f"csrf={csrf[1]}&{field}={written}"
        answer = browser.post(path, content=body, headers={"content-type": "application/x-www-form-urlencoded"})
        assert answer.status_code in (303, 404)
        assert "<script>alert" not in answer.text
    assert rows(scene) == before


def rows(scene: Scene) -> list[int]:
    with scene.cache.engine.connect() as connection:
        return [
            connection.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one()
            for table in ("rejection", "delivery", "acknowledgement", "address_decision", "audit")
        ]


def test_wild_cards_find_only_themselves(browser: httpx.Client) -> None:
    for number in ("%", "_", "20000_", "5000001|%", "\\"):
        assert "Nothing fits the filter" in browser.get("/worklist", params={"number": number}).text


def test_the_export_is_a_table_that_no_spreadsheet_runs(browser: httpx.Client) -> None:
    answer = browser.get("/worklist.csv", headers={"accept-language": "da"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="worklist.csv"'
    table = list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff")), delimiter=";"))
    assert table[0][:4] == ["Art", "Årsag", "Asset", "Kunde"]
    assert {len(line) for line in table} == {len(table[0])}
    assert len(table) == 6
    assert not any(cell.startswith(("=", "+", "-", "@")) for line in table for cell in line)
    english = browser.get("/worklist.csv").text.splitlines()
    assert english[0].startswith("\ufeffKind,Reason,")


@pytest.mark.parametrize("cell", ["=1+1", "+45 12", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_what_begins_like_a_formula_is_text(cell: str) -> None:
    assert neutral(cell) == "'" + cell
    assert neutral(f"a{cell}") == f"a{cell}"


def test_every_answer_tells_the_browser_to_be_careful(browser: httpx.Client) -> None:
    for path in ("/", "/worklist", "/nowhere", "/static/style.css", "/health"):
        headers = browser.get(path).headers
        policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == "'self'"
        assert policy["frame-ancestors"] == "'none'"
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert "server" not in headers
    assert browser.get("/worklist").headers["cache-control"] == "no-store"
    assert "immutable" in browser.get("/static/style.css").headers["cache-control"]
    assert browser.get("/static/../application.py").status_code == 404


def test_forms_that_are_too_large_or_no_forms_are_refused(browser: httpx.Client) -> None:
    assert browser.post("/numbers", content=b"number=" + b"1" * 100_000).status_code == 413
    assert browser.post("/numbers", content=b"&".join([b"a=1"] * 1000)).status_code == 403
    assert browser.post("/numbers", content=b"\xff\xfe").status_code == 403
    assert browser.request("DELETE", "/worklist/rejection/1").status_code == 405


def test_trouble_inside_is_told_without_details(browser: httpx.Client, scene: Scene) -> None:
    with scene.cache.engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE drift RENAME TO drift_away"))
    try:
        answer = browser.get("/customers/200001")
        assert answer.status_code == 500
        assert "Something went wrong" in answer.text
        assert "drift_away" not in answer.text
        assert "Traceback" not in answer.text
        assert answer.headers["content-security-policy"]
    finally:
        with scene.cache.engine.begin() as connection:
            connection.execute(sa.text("ALTER TABLE drift_away RENAME TO drift"))

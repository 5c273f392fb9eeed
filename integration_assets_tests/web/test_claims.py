"""Recalls are approved, held and given up on their page, and nothing that cannot be undone is approved by one click."""

import re
from collections.abc import Iterator

import httpx
import polars as pl
import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Page, expect

from integration_assets.cache.claim_ledger import ClaimLedger
from integration_assets.cache.recalls import Recalls, Wish
from integration_assets.domain.claims.ledger import MOVEMENTS
from integration_assets.domain.claims.rules import Asked
from integration_assets_tests.flows.collection import CREDITOR, EXAMPLES
from integration_assets_tests.flows.collection import TODAY as HANDED_OVER
from integration_assets_tests.web.browsers import opened, running_browser
from integration_assets_tests.web.conftest import NewPages
from integration_assets_tests.web.scene import NOW, Scene


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as running:
        yield running


@pytest.fixture(scope="module")
def proposed(scene: Scene) -> dict[str, int]:
    """The numbers of three proposed recalls, by reason."""
    ClaimLedger(scene.cache.engine).take_in(EXAMPLES, pl.DataFrame(schema=MOVEMENTS))
    recalls = Recalls(scene.cache.engine)
    wishes = [
        Wish(Asked(100001, "FEJL"), "The agreement was annulled."),
        Wish(Asked(100005, "HENS"), "Deferred until May."),
        Wish(Asked(100010, "SMTI"), "Settled otherwise."),
    ]
    done = recalls.propose(wishes, CREDITOR, HANDED_OVER, "a run", NOW)
    assert [each.refusal for each in done] == [None, None, None]
    return {each.wish.asked.reason: int(each.action_id or 0) for each in done}


@pytest.fixture(scope="module")
def claims(new_pages: NewPages) -> str:
    return new_pages(claims_enabled=True)


@pytest.fixture
def page(browser: Browser, claims: str) -> Iterator[Page]:
    with opened(browser, javascript=False) as page:
        page.goto(claims)
        yield page


def states(scene: Scene) -> dict[str, str]:
    recalls = Recalls(scene.cache.engine)
    rows = recalls.listed([*recalls.counts(), "WITHDRAWN"])
    return dict(rows.select("reason", "state").iter_rows())


def moved_to(scene: Scene, action_id: int, state: str) -> None:
    """As a run or another person does meanwhile."""
    statement = sa.text("UPDATE recall_action SET state = :state WHERE action_id = :id")
    with scene.cache.engine.begin() as connection:
        connection.execute(statement, {"state": state, "id": action_id})


def test_recalls_are_decided_on_by_people(page: Page, scene: Scene, proposed: dict[str, int]) -> None:
    page.get_by_role("link", name="Recalls").click()
    rows = page.locator("table.list tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.filter(has_text="FEJL")).to_contain_text("cannot be undone")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("alert")).to_contain_text("Pick recalls")

    page.get_by_label(f"Pick recall {proposed['FEJL']}").check()
    page.get_by_label(f"Pick recall {proposed['HENS']}").check()
    page.get_by_label("Remark").fill("seen by two of us")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("This cannot be undone")
    assert set(states(scene).values()) == {"PROPOSED"}
    page.get_by_label("I approve it all the same").check()
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("status")).to_contain_text("Decided and recorded")
    assert states(scene) == {"FEJL": "APPROVED", "HENS": "APPROVED", "SMTI": "PROPOSED"}

    page.get_by_role("link", name=str(proposed["SMTI"])).click()
    page.get_by_role("button", name="Put on hold").click()
    page.get_by_role("link", name=re.compile("on hold")).click()
    page.get_by_role("link", name=str(proposed["SMTI"])).click()
    expect(page.get_by_role("region", name="What happened")).to_contain_text("put on hold · local operator")
    page.get_by_role("button", name="Let go on").click()
    assert states(scene)["SMTI"] == "PROPOSED"

    page.get_by_role("link", name=re.compile("^approved")).click()
    page.get_by_label(f"Pick recall {proposed['HENS']}").check()
    page.get_by_role("button", name="Give up").click()
    assert states(scene) == {"FEJL": "APPROVED", "HENS": "WITHDRAWN", "SMTI": "PROPOSED"}
    story = Recalls(scene.cache.engine).story(proposed["FEJL"])
    assert ("approve", "local operator", "seen by two of us") in story.select("what", "who", "told").rows()


def test_what_was_decided_meanwhile_is_said_and_not_repeated(
    page: Page, claims: str, scene: Scene, proposed: dict[str, int]
) -> None:
    moved_to(scene, proposed["FEJL"], "APPROVED")
    page.goto(f"{claims}/claims?state=APPROVED")
    page.get_by_label(f"Pick recall {proposed['FEJL']}").check()
    moved_to(scene, proposed["FEJL"], "SENT")
    page.get_by_role("button", name="Put on hold").click()
    expect(page.get_by_role("alert")).to_contain_text("not possible It is SENT")


def test_without_claims_there_is_no_such_page(browser: Browser, pages: str) -> None:
    with opened(browser) as page:
        page.goto(pages)
        expect(page.get_by_role("link", name="Recalls")).to_have_count(0)
        for path in ("/claims", "/claims/1"):
            assert page.goto(pages + path).status == 404  # pyright: ignore[reportOptionalMemberAccess]


def test_viewers_see_and_do_not_decide(new_pages: NewPages, proposed: dict[str, int]) -> None:
    address = new_pages(
        claims_enabled=True, web_login="proxy", web_proxy_secret="sixteen letters or more", web_url="http://127.0.0.1",
    )  # fmt: skip
    headers = {"x-proxy-secret": "sixteen letters or more", "x-forwarded-user": "vi", "x-forwarded-groups": "viewer"}
    browser = httpx.Client(verify=False, base_url=address, headers=headers)
    page = browser.get("/claims")
    assert page.status_code == 200
    assert str(proposed["SMTI"]) in page.text
    assert 'name="decision"' not in page.text
    csrf = re.search(r'name="csrf" value="(\w+)"', page.text)
    assert csrf is not None
    given = {"csrf": csrf[1], "decision": "approve", f"pick-{proposed['SMTI']}": "1"}
    assert browser.post("/claims", data=given).status_code == 403


def test_of_what_is_done_the_latest_is_shown(claims: str, scene: Scene, proposed: dict[str, int]) -> None:
    """Years of recalls are done, and a page shows a hundred."""
    past = sa.text(
        "INSERT INTO recall_action (action_id, claim_id, main_claim_id, reason, why, proposed_by, proposed_at, state, "
        "changed_at) SELECT n, n, n, 'HENS', 'w', 'p', CAST(:now AS timestamptz) - n * interval '1 day', 'AFVIST', "
        "CAST(:now AS timestamptz) - n * interval '1 day' FROM generate_series(1001, 1120) AS n"
    )
    with scene.cache.engine.begin() as connection:
        connection.execute(past, {"now": NOW})
    moved_to(scene, proposed["SMTI"], "AFVIST")
    shown = re.findall(r'href="/claims/([0-9]+)"', httpx.get(f"{claims}/claims?state=AFVIST", verify=False).text)
    assert shown == [str(proposed["SMTI"]), *map(str, range(1001, 1100))]


def test_a_remark_is_kept_whole_and_without_personal_numbers(
    claims: str, scene: Scene, proposed: dict[str, int]
) -> None:
    browser = httpx.Client(verify=False, base_url=claims)
    moved_to(scene, proposed["SMTI"], "PROPOSED")
    token = re.search(r'name="csrf" value="([0-9a-f]{64})"', browser.get("/numbers").text)
    assert token is not None
    remark = f"about {scene.number}: " + "word " * 50 + "end"
    given = {"csrf": token[1], "decision": "hold", f"pick-{proposed['SMTI']}": "1", "note": remark}
    assert browser.post("/claims", data=given).status_code == 303
    told = Recalls(scene.cache.engine).story(proposed["SMTI"])["told"].to_list()[-1]
    assert told == remark.replace(scene.number, f"{scene.number[:6]}-xxxx")


@pytest.mark.parametrize("digits", ["9" * 30, "9" * 5000, "\u0663"])
def test_a_number_that_is_no_recall_picks_nothing(claims: str, digits: str) -> None:
    browser = httpx.Client(verify=False, base_url=claims)
    token = re.search(r'name="csrf" value="([0-9a-f]{64})"', browser.get("/numbers").text)
    assert token is not None
    given = {"csrf": token[1], "decision": "hold", f"pick-{digits}": "1"}
    assert browser.post("/claims", data=given).status_code == 400

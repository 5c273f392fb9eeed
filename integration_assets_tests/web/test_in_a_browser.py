"""An operator at her screen: every page and every action, with JavaScript and without it."""

from collections.abc import Iterator
from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Page, expect

from integration_assets.cache.alarms import see
from integration_assets.cache.interactions import refreshing, write
from integration_assets.domain.supervision.anomalies import Anomaly
from integration_assets.domain.supervision.folders import Folder
from integration_assets_tests.web.browsers import opened, running_browser
from integration_assets_tests.web.conftest import NewPages
from integration_assets_tests.web.scene import NOW, PARTY, TODAY, TYPED, Scene, interactions

UNIT = "00000000-0000-0000-0000-000000000064"  # Fjordvej 5, 1. tv: the first unit of the small register


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as running:
        yield running


WITHOUT = pytest.param(False, id="without JavaScript")
WITH = pytest.param(True, id="with JavaScript")
ALSO_WITH = pytest.param(True, id="with JavaScript", marks=pytest.mark.slow)
"""Only the widget has a script, so on every other page the harder case is the one that is tried each time."""


@pytest.fixture(params=[WITHOUT, ALSO_WITH])
def page(request: pytest.FixtureRequest, browser: Browser, pages: str) -> Iterator[Page]:
    with opened(browser, javascript=request.param) as page:
        page.goto(pages)
        yield page


def rejection_of(scene: Scene, reason: str) -> sa.RowMapping:
    with scene.cache.engine.connect() as connection:
        query = sa.text("SELECT * FROM rejection WHERE reason = :reason AND closed_on IS NULL")
        return connection.execute(query, {"reason": reason}).mappings().one()


@pytest.mark.parametrize("page", [WITHOUT, WITH], indirect=True)
def test_the_widget_shows_the_ten_indicators_of_each_folder(page: Page) -> None:
    expect(page.get_by_role("heading", level=2)).to_have_text(["Affald", "Vand", "Varme"])
    card = page.get_by_role("region", name="Varme")
    shown = {
        "Last synchronisation": "02 Mar 2026 10:49",
        "State of the synchronisation": "Normal",
        "Last refresh of these figures": "02 Mar 2026 10:56 (4 min ago)",
        "CRM project": "CRM-TEST",
        "Synchronisations today": "17",
        "Installations of today not OK": "21",
        "Installations not OK": "22",
        "Notifications of today not OK": "23",
        "Synchronisations with rejections": "24",
        "Agreements and claims of today not OK": "1,025",
    }
    names, values = card.locator("dt").all_inner_texts(), card.locator("dd").all_inner_texts()
    assert dict(zip(names, values, strict=True)) == shown
    expect(page.get_by_role("region", name="Vand").locator(".state")).to_have_text("Alert > 45 min")
    stale = page.get_by_role("region", name="Affald")
    expect(stale.locator(".state")).to_have_text("STALE")
    expect(stale).to_contain_text("5 hours ago")
    expect(stale).to_contain_text("nothing here can be trusted")


def test_one_folder_and_the_wall(page: Page, pages: str) -> None:
    page.get_by_role("link", name="Varme").click()
    expect(page.get_by_role("heading", level=2)).to_have_text(["Varme"])
    page.get_by_role("link", name="For a screen on the wall").click()
    assert page.url == f"{pages}/?folder=Varme&wall=1"
    expect(page.get_by_role("region", name="Varme")).to_be_visible()
    expect(page.get_by_role("navigation", name="Pages")).to_be_hidden()
    assert page.goto(f"{pages}/?folder=Nobody").status == 404  # pyright: ignore[reportOptionalMemberAccess]


def test_refresh_now_collects_anew_and_sends_no_mail(page: Page, new_pages: NewPages, scene: Scene) -> None:
    folder = Folder(name="Fjernvarme", crm_project="CRM-NEW", alert_delay_min=45, frequency_min=30)
    page.goto(
        new_pages(
            supervision_folders=[folder], mail_sender="from@utility.example", mail_recipients=["to@utility.example"]
        )
    )
    page.get_by_role("button", name="Refresh now").click()
    expect(page.get_by_role("status")).to_contain_text("collected anew")
    expect(page.get_by_role("region", name="Fjernvarme")).to_contain_text("CRM-NEW")
    assert scene.cache.mails.latest() == []
    with scene.cache.engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM interactions_erpcrm WHERE folder = 'Fjernvarme'"))
        connection.execute(sa.text("DELETE FROM alarm WHERE folder = 'Fjernvarme'"))


def test_an_alarm_is_acknowledged_and_taken_back(page: Page, pages: str, scene: Scene) -> None:
    with refreshing(scene.cache.engine, "Vand") as connection:
        alarm = see(connection, "Vand", Anomaly("silence", "error", "Nothing came across for 3 hours."), NOW)
    page.goto(pages)
    row = page.get_by_role("row").filter(has_text="Nothing came across")
    row.get_by_role("button", name="Acknowledge").click()
    expect(page.get_by_role("status")).to_contain_text("needs a reason")
    row.get_by_label("Reason").fill("maintenance until noon")
    row.get_by_role("button", name="Acknowledge").click()
    expect(row).to_contain_text("Acknowledged by local operator, 02 Mar 2026 11:00: maintenance until noon")
    assert scene.cache.acknowledgements.holding("alarm", NOW).keys() == {alarm.key}
    row.get_by_role("button", name="Take back").click()
    expect(page.get_by_role("status")).to_contain_text("taken back")
    assert scene.cache.acknowledgements.holding("alarm", NOW) == {}


def test_the_worklist_is_filtered_and_leads_to_its_items(page: Page) -> None:
    page.get_by_role("link", name="Worklist").click()
    rows = page.locator("table.list tbody tr")
    expect(rows).to_have_count(5)
    expect(rows.first).to_contain_text("Consumption address not found")
    expect(rows.first).to_contain_text("10 days")
    page.get_by_label("Customer or installation number").fill("5000001")
    page.get_by_role("button", name="Show").click()
    expect(rows).to_have_count(1)
    expect(rows.first).to_contain_text("Meter period cannot be used")
    page.get_by_label("Customer or installation number").fill("")
    page.get_by_label("Kind").select_option("delivery")
    page.get_by_role("button", name="Show").click()
    expect(rows).to_have_count(1)
    rows.first.get_by_role("link").first.click()
    expect(page.get_by_role("main")).to_contain_text("Too long.")
    expect(page.get_by_role("link", name="crm/contacts")).to_have_attribute(
        "href", "http://127.0.0.1:3000/assets/crm/contacts"
    )


def test_a_personal_number_is_not_put_into_an_address(page: Page, pages: str, scene: Scene) -> None:
    for path in ("worklist", "numbers"):
        page.goto(f"{pages}/{path}")
        for written in scene.written[:3]:
            page.get_by_label("Customer or installation number").fill(written)
            page.get_by_label("Customer or installation number").press("Enter")
            expect(page.get_by_role("status")).to_contain_text("looks like a personal number")
            assert not any(digits in page.url for digits in scene.written)
            assert not any(digits in page.content() for digits in scene.written)


def test_retry_now(page: Page, pages: str, scene: Scene) -> None:
    row = rejection_of(scene, "unreadable_dates")
    with scene.cache.engine.begin() as connection:
        connection.execute(sa.text("UPDATE rejection SET next_attempt_on = DATE '2026-04-01'"))
    page.goto(f"{pages}/worklist/rejection/{row['rejection_id']}")
    page.get_by_role("button", name="Retry now").click()
    expect(page.get_by_role("status")).to_contain_text("It is due now")
    assert rejection_of(scene, "unreadable_dates")["next_attempt_on"] == TODAY
    assert rejection_of(scene, "unreadable_meter")["next_attempt_on"] == date(2026, 4, 1)
    page.goto(f"{pages}/worklist/delivery/crm/contacts/{PARTY}")
    page.get_by_role("button", name="Retry now").click()
    expect(page.get_by_role("status")).to_contain_text("It is due now")
    with scene.cache.deliveries.claim("crm", "contacts", 9, NOW) as claim:
        assert [row.object_id for row in claim.rows] == [PARTY]


def test_decide_which_address_is_meant(page: Page, pages: str, scene: Scene) -> None:
    row = rejection_of(scene, "consumption_address_not_found")
    page.goto(f"{pages}/worklist/rejection/{row['rejection_id']}")
    expect(page.get_by_role("main")).to_contain_text(TYPED)
    page.get_by_role("button", name="Decide").click()
    expect(page.get_by_role("alert")).to_contain_text("Choose an address")
    page.get_by_label("Another address, by its uuid").check()
    page.get_by_label("Uuid of the other address").fill("7d0e4a34-5a5f-8a68-9c0b-000000000000")
    page.get_by_role("button", name="Decide").click()
    expect(page.get_by_role("alert")).to_contain_text("is not a unit address in use")
    page.get_by_label("Fjordvej 5, 1. tv, 7600 Struer").check()
    page.get_by_label("Why (kept with the decision)").fill("the customer said so")
    page.get_by_role("button", name="Decide").click()
    expect(page.get_by_role("status")).to_contain_text("The decision is remembered")
    decided = scene.cache.washings.all_decisions().row(0, named=True)
    assert (decided["address_id"], decided["decided_by"], decided["note"]) == (
        UNIT, "local operator", "the customer said so",
    )  # fmt: skip
    assert rejection_of(scene, "consumption_address_not_found")["next_attempt_on"] == TODAY
    page.get_by_label("There is no such address").check()
    page.get_by_role("button", name="Decide").click()
    assert scene.cache.washings.all_decisions()["address_id"].to_list() == [None]


def test_acknowledge_and_take_back(page: Page, pages: str, scene: Scene) -> None:
    row = rejection_of(scene, "unreadable_meter")
    address = f"{pages}/worklist/rejection/{row['rejection_id']}"
    page.goto(address)
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.get_by_role("alert")).to_contain_text("needs a reason")
    page.get_by_label("Reason").fill("the fitter comes on Friday")
    page.get_by_label("Until (empty: for good)").fill((TODAY + timedelta(days=4)).isoformat())
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.get_by_role("main")).to_contain_text("Acknowledged by local operator")
    given = scene.cache.acknowledgements.holding("rejection", NOW)[str(row["rejection_id"])]
    assert (given.by, given.reason) == ("local operator", "the fitter comes on Friday")
    assert given.until is not None
    assert given.until.isoformat() == "2026-03-06T23:00:00+00:00"
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Worklist").click()
    expect(page.get_by_role("main")).not_to_contain_text("5000001")
    page.get_by_label("Acknowledged").select_option("yes")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("table.list tbody tr")).to_have_count(1)
    expect(page.locator("table.list tbody tr")).to_contain_text("acknowledged by local operator")
    page.goto(address)
    page.get_by_role("button", name="Take back").click()
    expect(page.get_by_role("status").first).to_contain_text("taken back")
    assert scene.cache.acknowledgements.holding("rejection", NOW) == {}


def test_a_customer_is_found_by_both_numbers(page: Page, pages: str, scene: Scene) -> None:
    page.get_by_role("link", name="Look up").click()
    page.get_by_label("Customer or installation number").fill("5000001")
    page.get_by_role("button", name="Find").click()
    assert page.url == f"{pages}/installations/5000001"
    page.get_by_role("link", name="200001").click()
    main = page.get_by_role("main")
    expect(main.get_by_role("heading", level=1)).to_have_text("Customer 200001")
    expect(page.get_by_role("region", name="What KMD EE says")).to_contain_text("Ole Rør")
    expect(page.get_by_role("region", name="What KMD EE says")).to_contain_text("170570-xxxx")
    pending = page.get_by_role("region", name="Pending")
    expect(pending).to_contain_text("Consumption address not found")
    expect(pending).to_contain_text("Too long.")
    expect(page.get_by_role("region", name="What the registry (LoRa) has")).to_contain_text("delivered")
    expect(page.get_by_role("region", name="What the CRM has")).to_contain_text("refused")
    assert not any(digits in page.content() for digits in scene.written)
    assert "<script>alert" not in page.content().split("</head>")[1]


def test_unknown_numbers_are_said_to_be_unknown(page: Page, pages: str) -> None:
    for number in ("200_01", "<script>alert(1)</script>"):
        page.goto(f"{pages}/numbers")
        page.get_by_label("Customer or installation number").fill(number)
        page.get_by_role("button", name="Find").click()
        expect(page.get_by_role("alert").first).to_contain_text("Nothing is known of the number")
    assert page.goto(f"{pages}/customers/%00").status == 404  # pyright: ignore[reportOptionalMemberAccess]


def test_trends_are_drawn_and_told_as_figures(page: Page, pages: str) -> None:
    page.get_by_role("link", name="Trends").click()
    chart = page.get_by_role("img", name="Objects delivered to registry and CRM")
    expect(chart.locator("rect")).to_have_count(4)  # 40 created and 3 updated, 7 created, 5 updated
    figure = page.locator("figure").first
    figure.get_by_text("Figures").click()
    expect(figure.get_by_role("row", name="28 Feb 40 3 0 0")).to_be_visible()
    page.get_by_role("link", name="7 days").click()
    assert page.url == f"{pages}/trends?days=7"


@pytest.mark.parametrize(("locale", "title"), [("da-DK", "Arbejdsliste"), ("de-DE", "Arbeitsliste"),
                                               ("fr-FR", "Liste de travail"), ("pl-PL", "Arbejdsliste")])  # fmt: skip
def test_the_browser_chooses_the_language_and_the_switch_outweighs_it(
    browser: Browser, pages: str, locale: str, title: str
) -> None:
    with opened(browser, locale=locale) as page:
        page.goto(f"{pages}/worklist?kind=delivery")
        expect(page.get_by_role("heading", level=1)).to_have_text(title)
        page.locator(".languages a[hreflang=en]").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Worklist")
        assert "kind=delivery" in page.url
        page.goto(f"{pages}/trends")
        expect(page.get_by_role("heading", level=1)).to_have_text("Trends")


def test_the_widget_refreshes_itself_and_says_when_it_cannot(
    browser: Browser, new_pages: NewPages, scene: Scene
) -> None:
    address = new_pages()
    with opened(browser) as page:
        page.clock.install()
        page.goto(f"{address}/?folder=Varme")
        with refreshing(scene.cache.engine, "Varme") as connection:
            write(connection, interactions("Varme", syncs_today=18))
        try:
            page.clock.run_for(31_000)
            expect(page.get_by_role("region", name="Varme")).to_contain_text("18")
            page.context.set_offline(True)
            page.clock.run_for(31_000)
            expect(page.get_by_role("alert")).to_contain_text("has not been refreshed since")
            page.context.set_offline(False)
            page.clock.run_for(31_000)
            expect(page.get_by_role("alert")).to_be_hidden()
        finally:
            with refreshing(scene.cache.engine, "Varme") as connection:
                write(connection, interactions("Varme"))


def test_everything_can_be_reached_with_the_keyboard(browser: Browser, pages: str) -> None:
    with opened(browser) as page:
        page.goto(f"{pages}/worklist")
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_role("main")).to_be_focused()
        page.get_by_label("Customer or installation number").focus()
        page.keyboard.type("200002")
        page.keyboard.press("Enter")
        expect(page.locator("table.list tbody tr")).to_have_count(1)
        page.locator("table.list tbody a").first.focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Dates cannot be read")
        page.get_by_role("button", name="Retry now").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_contain_text("It is due now")

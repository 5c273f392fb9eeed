"""Who gets in: by an identity provider, by a reverse proxy, or because she sits at the machine. By real servers."""

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from integration_assets.cache.web_sessions import WebSessions
from integration_assets.sandbox.login import Provider, build
from integration_assets.settings import Settings
from integration_assets.web.access import UnsafeSetup, require_safe_setup
from integration_assets.web.application import PAGES
from integration_assets_tests.web.conftest import NewPages, free_port, plain_server, serving
from integration_assets_tests.web.scene import NOW, Scene

OPERATOR, VIEWER, PRIVACY, STRANGER = "Oda Operatør", "Vibeke Visning", "Per Privatliv", "Ulla Udenfor"
ITEM = "/worklist/rejection/1"


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    """An identity provider."""
    port = free_port()
    made = Provider(f"http://127.0.0.1:{port}", "pages", "a client secret")
    with ExitStack() as running:
        running.enter_context(serving(plain_server(build(made), port)))
        yield made


@pytest.fixture
def honest(provider: Provider) -> Iterator[Provider]:
    """The provider, whose switches are put back afterwards."""
    yield provider
    provider.claims, provider.algorithm = {}, "RS256"


@pytest.fixture(scope="module")
def oidc(new_pages: NewPages, provider: Provider) -> str:
    """Pages for those whom the provider knows."""
    return new_pages(
        web_login="oidc",
        web_oidc_issuer=provider.issuer,
        web_oidc_client_id=provider.client_id,
        web_oidc_client_secret=provider.client_secret,
    )


@pytest.fixture(scope="module")
def proxied(new_pages: NewPages) -> str:
    """Pages behind a reverse proxy that names the user."""
    return new_pages(
        web_login="proxy",
        web_proxy_secret="sixteen letters or more",
        web_url="http://127.0.0.1",
        web_roles={"viewer": ["all"], "operator": ["heat-operators"], "privacy": ["dpo"]},
    )


def get(address: str, **given: Any) -> httpx.Response:
    """As httpx does, without reading the machine's certificates each time: nothing here is https."""
    return httpx.get(address, verify=False, **given)


def post(address: str, **given: Any) -> httpx.Response:
    """The same."""
    return httpx.post(address, verify=False, **given)


def logged_in(address: str, person: str) -> httpx.Client:
    """A browser in which somebody has logged in, or tried to: its cookies and the last answer."""
    browser = httpx.Client(verify=False, base_url=address, follow_redirects=False)
    answer = browser.get("/login?to=/worklist")
    assert answer.status_code == 303
    code_address = choose(answer.headers["location"], person)
    answer = browser.get(code_address)
    browser.headers["x-last-status"] = str(answer.status_code)
    return browser


def choose(login_address: str, person: str) -> str:
    """What the provider sends the browser back to when she says who she is."""
    page = get(login_address)
    query = re.search(r'name="query" value="([^"]*)"', page.text)
    assert query is not None, page.text
    issuer = login_address.partition("/authorize")[0]
    given = {"person": person, "query": query[1].replace("&quot;", '"').replace("&amp;", "&")}
    return post(f"{issuer}/choose", data=given).headers["location"]


def token_of(browser: httpx.Client, path: str = "/numbers") -> str:
    """The CSRF token that a page has for this browser."""
    found = re.search(r'name="csrf" value="([0-9a-f]{64})"', browser.get(path).text)
    assert found is not None
    return found[1]


def local(address: str) -> httpx.Client:
    return httpx.Client(verify=False, base_url=address)


def test_whoever_has_logged_in_is_let_in_with_her_role(oidc: str) -> None:
    browser = logged_in(oidc, OPERATOR)
    assert browser.headers["x-last-status"] == "303"
    page = browser.get("/worklist")
    assert page.status_code == 200
    assert OPERATOR in page.text


def test_a_login_leads_back_to_the_page_and_nowhere_else(oidc: str) -> None:
    evil = ("https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)")
    for target, led_to in (("/customers/200001", "/customers/200001"), *((each, "/") for each in evil)):
        browser = httpx.Client(verify=False, base_url=oidc)
        location = browser.get("/login", params={"to": target}).headers["location"]
        assert browser.get(choose(location, VIEWER)).headers["location"] == led_to


def test_nobody_sees_anything_before_she_has_logged_in(oidc: str) -> None:
    browser = httpx.Client(verify=False, base_url=oidc)
    for path in ("/", "/widget", "/worklist", "/worklist.csv", ITEM, "/numbers", "/customers/200001", "/trends"):
        answer = browser.get(path)
        assert (answer.status_code, answer.headers["location"][:10]) == (303, "/login?to=")
        assert "Struer" not in answer.text
    for path in ("/worklist", ITEM, "/numbers", "/customers/200001", "/logout"):
        assert browser.post(path, data={"action": "retry", "purpose": "x"}).status_code == 401
    assert browser.get("/health").text == "ok\n"


def test_a_viewer_looks_and_does_nothing(oidc: str, scene: Scene) -> None:
    browser = logged_in(oidc, VIEWER)
    page = browser.get(ITEM)
    assert page.status_code == 200
    assert 'name="action"' not in page.text
    token = token_of(browser)
    for action in ("retry", "decide", "acknowledge", "withdraw"):
        given = {"csrf": token, "action": action, "reason": "r", "address": "none"}
        assert browser.post(ITEM, data=given).status_code == 403
    assert browser.get("/worklist.csv").status_code == 403
    assert browser.post("/customers/200001", data={"csrf": token, "purpose": "curious"}).status_code == 403
    assert scene.cache.acknowledgements.history("rejection", "1") == []
    assert scene.cache.washings.all_decisions().is_empty()


def test_no_action_without_the_token_of_this_browser_and_user(oidc: str, pages: str) -> None:
    operator, other = logged_in(oidc, OPERATOR), logged_in(oidc, OPERATOR)
    for token in ("", "0" * 64, token_of(other), token_of(logged_in(oidc, VIEWER)), token_of(local(pages))):
        assert operator.post(ITEM, data={"csrf": token, "action": "retry"}).status_code == 403
    own = token_of(operator)
    strange = {"sec-fetch-site": "cross-site"}
    assert operator.post(ITEM, data={"csrf": own, "action": "retry"}, headers=strange).status_code == 403
    assert operator.post(ITEM, data={"csrf": own, "action": "retry"}).status_code == 303
    assert operator.post(ITEM, json={"csrf": own, "action": "retry"}).status_code == 403


def test_on_this_machine_too_every_action_needs_its_token(pages: str) -> None:
    browser = local(pages)
    assert browser.post(ITEM, data={"action": "retry"}).status_code == 403
    # A cookie that another page planted has a token only we can make.
    browser.cookies.set("browser", "planted")
    assert browser.post(ITEM, data={"action": "retry", "csrf": "planted"}).status_code == 403
    assert browser.post(ITEM, data={"action": "retry", "csrf": token_of(browser)}).status_code == 303


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://elsewhere.example"}, {"aud": "another"}, {"aud": ["pages", "another"]}, {"exp": 1},
        {"nonce": "another"}, {"nonce": None}, {"azp": "another"}, {"sub": None}, {"exp": None},
    ],
)  # fmt: skip
def test_a_token_that_is_not_for_us_now_and_this_attempt_opens_nothing(
    oidc: str, honest: Provider, claims: dict[str, Any]
) -> None:
    honest.claims = claims
    browser = logged_in(oidc, OPERATOR)
    assert browser.headers["x-last-status"] == "403"
    assert "session" not in browser.cookies


@pytest.mark.parametrize("algorithm", ["none", "HS256", "stranger"])
def test_a_token_that_the_provider_has_not_signed_opens_nothing(oidc: str, honest: Provider, algorithm: str) -> None:
    honest.algorithm = algorithm
    assert logged_in(oidc, OPERATOR).headers["x-last-status"] == "403"


def test_whoever_has_no_role_stays_outside(oidc: str) -> None:
    browser = logged_in(oidc, STRANGER)
    assert browser.headers["x-last-status"] == "403"
    assert browser.get("/").status_code == 303


def test_an_answer_that_this_browser_did_not_ask_for_opens_nothing(oidc: str) -> None:
    victim, attacker = httpx.Client(verify=False, base_url=oidc), httpx.Client(verify=False, base_url=oidc)
    code = choose(attacker.get("/login").headers["location"], OPERATOR)
    assert victim.get(code).status_code == 403  # login CSRF: the attacker's account in the victim's browser
    victim.get("/login")
    assert victim.get(code).status_code == 403
    assert attacker.get(f"{oidc}/login/callback?state=x&code=y").status_code == 403


def test_a_code_is_good_once(oidc: str) -> None:
    browser = httpx.Client(verify=False, base_url=oidc)
    code = choose(browser.get("/login").headers["location"], OPERATOR)
    kept = dict(browser.cookies)
    assert browser.get(code).status_code == 303
    assert get(code, cookies=kept).status_code == 403


def test_logging_out_ends_the_session_for_the_server_too(oidc: str) -> None:
    browser = logged_in(oidc, OPERATOR)
    kept = dict(browser.cookies)
    token = token_of(browser)
    assert get(f"{oidc}/worklist", cookies=kept).status_code == 200
    answer = browser.post("/logout", data={"csrf": token})
    assert (answer.status_code, answer.headers["location"]) == (303, "/logged-out")
    assert get(f"{oidc}/worklist", cookies=kept).status_code == 303
    assert browser.get("/logged-out").status_code == 200


def test_each_login_has_another_token_and_the_cookie_is_kept_from_scripts_and_strangers(oidc: str) -> None:
    browser = httpx.Client(verify=False, base_url=oidc)
    browser.cookies.set("session", "planted by somebody")
    answer = browser.get(choose(browser.get("/login").headers["location"], OPERATOR))
    cookie = next(each for each in answer.headers.get_list("set-cookie") if each.startswith("session="))
    assert "planted" not in cookie
    assert "httponly" in cookie.lower()
    assert "samesite=lax" in cookie.lower()
    assert "max-age=36000" in cookie.lower()


def test_a_new_key_of_the_provider_is_read_when_a_token_names_it(oidc: str, provider: Provider) -> None:
    assert logged_in(oidc, OPERATOR).headers["x-last-status"] == "303"
    time.sleep(1.1)  # keys are not asked for more often than once a second
    provider.turn_key()
    assert logged_in(oidc, OPERATOR).headers["x-last-status"] == "303"


def test_a_proxy_is_believed_by_its_secret_alone(proxied: str) -> None:
    named = {"x-forwarded-user": "oda", "x-forwarded-groups": "all, heat-operators"}
    assert get(f"{proxied}/", headers=named).status_code == 401
    assert get(f"{proxied}/", headers={**named, "x-proxy-secret": "guessed"}).status_code == 401
    true = {"x-proxy-secret": "sixteen letters or more"}
    page = get(f"{proxied}/worklist", headers={**named, **true})
    assert (page.status_code, "oda" in page.text, "worklist.csv" in page.text) == (200, True, True)
    assert get(f"{proxied}/", headers=true).status_code == 401
    assert get(f"{proxied}/", headers={**true, "x-forwarded-user": "ulla"}).status_code == 401
    groups = {**true, "x-forwarded-user": "ulla", "x-forwarded-groups": "heat-operators-but-not-really"}
    assert get(f"{proxied}/", headers=groups).status_code == 401


def test_a_second_user_header_is_a_trick(proxied: str) -> None:
    headers = [("x-proxy-secret", "sixteen letters or more"), ("x-forwarded-user", "oda"), ("x-forwarded-user", "per"),
               ("x-forwarded-groups", "all")]  # fmt: skip
    assert get(f"{proxied}/", headers=headers).status_code == 401


def test_a_second_header_of_roles_is_a_trick_and_so_is_a_user_beside_none(proxied: str) -> None:
    true = [("x-proxy-secret", "sixteen letters or more"), ("x-forwarded-groups", "all")]
    roles = [*true, ("x-forwarded-user", "ulla"), ("x-forwarded-groups", "heat-operators")]
    assert get(f"{proxied}/worklist", headers=roles).status_code == 401
    nobody = [*true, ("x-forwarded-user", "oda"), ("x-forwarded-user", "")]
    assert get(f"{proxied}/worklist", headers=nobody).status_code == 401


def test_other_hosts_are_not_answered_for(pages: str) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example", "", "169.254.169.254"):
        assert get(f"{pages}/worklist", headers={"host": host}).status_code in (400, 421)
    assert get(f"{pages}/worklist", headers={"host": "localhost:9"}).status_code == 200


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"web_host": "0.0.0.0"}, "open to everybody"),
        ({"web_host": "192.168.1.7"}, "open to everybody"),
        ({"web_host": "::"}, "open to everybody"),
        ({"web_url": "https://pages.example"}, "nobody has to log in"),
        ({"web_login": "oidc"}, "INTEGRATION_WEB_OIDC_ISSUER"),
        ({"web_login": "oidc", "web_oidc_issuer": "https://id.example"}, "INTEGRATION_WEB_OIDC_CLIENT_ID"),
        (
            {"web_login": "oidc", "web_oidc_issuer": "http://id.example", "web_oidc_client_id": "x"},
            "https address",
        ),
        (
            {"web_login": "oidc", "web_oidc_issuer": "https://id.example", "web_oidc_client_id": "x",
             "web_host": "0.0.0.0"},
            "need https",
        ),
        ({"web_login": "proxy"}, "INTEGRATION_WEB_PROXY_SECRET"),
        ({"web_login": "proxy", "web_proxy_secret": "s" * 16}, "INTEGRATION_WEB_URL"),
        ({"web_login": "proxy", "web_proxy_secret": "short", "web_url": "https://pages.example"}, "16 characters"),
        ({"web_url": "https://pages.example/below"}, "without a path"),
    ],
)  # fmt: skip
def test_nothing_is_served_to_people_whom_nobody_knows(given: dict[str, Any], says: str) -> None:
    with pytest.raises(UnsafeSetup, match=says):
        require_safe_setup(Settings(**given))


def test_set_ups_that_are_served() -> None:
    for given in (
        {}, {"web_host": "::1"}, {"web_host": "localhost"},
        {"web_login": "oidc", "web_oidc_issuer": "https://id.example", "web_oidc_client_id": "x",
         "web_host": "0.0.0.0", "web_url": "https://pages.example"},
        {"web_login": "proxy", "web_proxy_secret": "s" * 16, "web_host": "0.0.0.0", "web_url": "https://pages.example"},
    ):  # fmt: skip
        require_safe_setup(Settings(**given))


def test_sessions_end_by_themselves(scene: Scene, oidc: str) -> None:
    # The pages' clock stands still, so a session that began earlier is as good as one that was left alone.
    token = WebSessions(scene.cache.engine, timedelta(hours=1)).begin(
        "Oda", ["operator"], NOW - timedelta(minutes=61), timedelta(hours=10)
    )
    assert get(f"{oidc}/worklist", cookies={"session": token}).status_code == 303


def test_numbers_are_shown_to_the_role_privacy_alone_and_the_audit_knows(oidc: str, scene: Scene) -> None:
    browser = logged_in(oidc, PRIVACY)
    masked = browser.get("/customers/200001")
    assert masked.status_code == 200
    assert f"{scene.number[:6]}-xxxx" in masked.text
    assert not any(written in masked.text for written in scene.written)
    token = token_of(browser, "/customers/200001")
    refused = browser.post("/customers/200001", data={"csrf": token, "purpose": "  "})
    assert refused.status_code == 400
    assert not any(written in refused.text for written in scene.written)
    assert audited(scene) == []
    shown = browser.post("/customers/200001", data={"csrf": token, "purpose": "a complaint, case 17"})
    assert shown.status_code == 200
    assert scene.number in shown.text
    assert scene.co_number in shown.text
    assert audited(scene) == [("number_view", "a complaint, case 17", f"page, by {PRIVACY}")]
    assert logged_in(oidc, OPERATOR).post("/customers/200001", data={"purpose": "x"}).status_code == 403
    assert len(audited(scene)) == 1


def audited(scene: Scene) -> list[tuple[str, str, str]]:
    with scene.cache.engine.connect() as connection:
        rows = connection.execute(
            sa.text("SELECT service, purpose, run_id, subject FROM audit ORDER BY audit_id")
        ).all()
    assert all(scene.number not in row.subject and len(row.subject) == 64 for row in rows)
    return [(row.service, row.purpose, row.run_id) for row in rows]


def test_with_https_cookies_are_kept_to_it_and_to_this_host(new_pages: NewPages) -> None:
    address = new_pages(
        web_login="proxy", web_proxy_secret="sixteen letters or more", web_url="https://pages.example"
    )  # fmt: skip
    headers = {
        "host": "pages.example", "x-proxy-secret": "sixteen letters or more", "x-forwarded-user": "oda",
        "x-forwarded-groups": "operator",
    }  # fmt: skip
    answer = get(f"{address}/worklist", headers=headers)
    assert answer.status_code == 200
    (cookie,) = answer.headers.get_list("set-cookie")
    assert cookie.startswith("__Host-browser=")
    for part in ("secure", "httponly", "samesite=strict", "path=/"):
        assert part in cookie.lower()
    assert "domain" not in cookie.lower()
    assert answer.headers["strict-transport-security"]
    assert get(f"{address}/worklist", headers={**headers, "host": "127.0.0.1"}).status_code == 200
    assert get(f"{address}/worklist", headers={**headers, "host": "evil.example"}).status_code == 421


def test_with_https_nobody_else_can_begin_a_login_for_this_browser(new_pages: NewPages, provider: Provider) -> None:
    """A host beside ours may set cookies for us both, but none with this prefix."""
    address = new_pages(
        web_login="oidc", web_url="https://pages.example", web_oidc_issuer=provider.issuer,
        web_oidc_client_id=provider.client_id,
    )  # fmt: skip
    answer = get(f"{address}/login", headers={"host": "pages.example"})
    assert [cookie.partition("=")[0] for cookie in answer.headers.get_list("set-cookie")] == [
        "__Host-browser", "__Host-login",
    ]  # fmt: skip


def test_only_the_pages_of_logging_in_need_no_role() -> None:
    open_pages = {path for _, path, _, needs in PAGES if needs is None}
    assert open_pages == {"/login", "/login/callback", "/logged-out"}
    acting = {path: needs for method, path, _, needs in PAGES if method == "POST" and needs != "operator"}
    # Searching and leaving change nothing that is anybody else's.
    assert acting == {
        "/worklist": "viewer",
        "/numbers": "viewer",
        "/logout": "viewer",
        "/customers/{number}": "privacy",
    }

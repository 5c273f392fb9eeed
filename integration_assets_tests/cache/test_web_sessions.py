"""Sessions of the pages: in force for their token only, until their end or a while without use."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from integration_assets.cache.web_sessions import WebSessions

NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
HOURS = timedelta(hours=8)


@pytest.fixture
def sessions(cache: sa.Engine) -> WebSessions:
    return WebSessions(cache, timedelta(minutes=60))


def test_a_token_opens_its_session_until_it_is_ended(sessions: WebSessions) -> None:
    token = sessions.begin("Oda", ["operator", "viewer"], NOW, HOURS)
    other = sessions.begin("Per", ["viewer"], NOW, HOURS)
    found = sessions.of(token, NOW)
    assert found is not None
    assert (found.user_name, found.roles) == ("Oda", {"operator", "viewer"})
    sessions.end(token)
    assert sessions.of(token, NOW) is None
    assert sessions.of(other, NOW) is not None
    assert sessions.of("", NOW) is None


def test_a_session_ends_after_a_while_without_use(sessions: WebSessions) -> None:
    token = sessions.begin("Oda", ["viewer"], NOW, HOURS)
    for minutes in (50, 100, 150):
        assert sessions.of(token, NOW + timedelta(minutes=minutes)) is not None
    assert sessions.of(token, NOW + timedelta(minutes=211)) is None


def test_a_session_ends_however_much_it_is_used(sessions: WebSessions) -> None:
    token = sessions.begin("Oda", ["viewer"], NOW, timedelta(minutes=90))
    assert sessions.of(token, NOW + timedelta(minutes=50)) is not None
    assert sessions.of(token, NOW + timedelta(minutes=90)) is None


def test_the_table_holds_no_token_and_forgets_what_is_over(sessions: WebSessions, cache: sa.Engine) -> None:
    token = sessions.begin("Oda", ["viewer"], NOW, HOURS)
    sessions.begin("Per", ["viewer"], NOW + timedelta(days=1), HOURS)
    with cache.connect() as connection:
        rows = connection.execute(sa.text("SELECT web_session::text FROM web_session")).scalars().all()
    assert len(rows) == 1
    assert "Per" in rows[0]
    assert token not in rows[0]

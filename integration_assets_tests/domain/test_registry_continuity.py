"""What becomes of roles when the parties of a customer relation change."""

from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from integration_assets.domain.registry.continuity import continue_roles
from integration_assets.domain.tables import REGISTRY_ROWS

MOVED_IN = date(2020, 3, 1)
SCHEMA = {
    "object_id": pl.String,
    "business_key": pl.String,
    "supply_area": pl.String,
    **REGISTRY_ROWS["customer_roles"],
}
CODES = {"main": "915240004", "co": "915240006"}


def role(
    party: str, *, code: str = "main", start: date | None = MOVED_IN, end: date | None = None, number: str = "1001"
) -> dict[str, object]:
    return {
        "object_id": f"{number}|{code}|{party}",
        "business_key": number,
        "supply_area": "5000",
        "customer_number": number,
        "role_code": CODES[code],
        "role_name": "Kunde" if code == "main" else "Ligestillingskunde",
        "party_id": party,
        "party_kind": "person",
        "relation_id": f"relation of {number}",
        "valid_from": start,
        "valid_to": end,
    }


def frame(*rows: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMA)


NOBODY = frame()


def periods(roles: pl.DataFrame) -> dict[str, tuple[date | None, date | None]]:
    return {
        f"{row['role_name'][0]} {row['party_id']}": (row["valid_from"], row["valid_to"])
        for row in roles.iter_rows(named=True)
    }


def test_a_row_without_history_is_as_desired() -> None:
    desired = frame(role("anna"), role("bo", code="co", end=date(2024, 1, 1)))
    assert_frame_equal(continue_roles(desired, NOBODY, date(2020, 4, 1)), desired.sort("business_key", "object_id"))


def test_a_co_customer_who_is_gone_ends_on_the_business_day_and_stays_ended() -> None:
    before = frame(role("anna"), role("bo", code="co"))
    after = continue_roles(frame(role("anna")), before, date(2021, 5, 6))
    expected = {"K anna": (MOVED_IN, None), "L bo": (MOVED_IN, date(2021, 5, 6))}
    assert periods(after) == expected
    assert periods(continue_roles(frame(role("anna")), after, date(2021, 9, 9))) == expected


def test_a_co_customer_who_is_new_starts_on_the_business_day() -> None:
    desired = frame(role("anna"), role("bo", code="co"))
    after = continue_roles(desired, frame(role("anna")), date(2021, 5, 6))
    assert periods(after) == {"K anna": (MOVED_IN, None), "L bo": (date(2021, 5, 6), None)}


def test_a_change_of_the_main_customer_hands_over_on_the_business_day() -> None:
    after = continue_roles(frame(role("carla")), frame(role("anna")), date(2021, 5, 6))
    assert periods(after) == {"K anna": (MOVED_IN, date(2021, 5, 6)), "K carla": (date(2021, 5, 6), None)}


def test_who_is_back_is_open_again_from_the_business_day() -> None:
    first = continue_roles(frame(role("carla")), frame(role("anna")), date(2021, 5, 6))
    back = continue_roles(frame(role("anna")), first, date(2022, 7, 8))
    assert periods(back) == {
        "K anna": (date(2022, 7, 8), None),
        "K carla": (date(2021, 5, 6), date(2022, 7, 8)),
    }


def test_all_roles_end_at_move_out() -> None:
    end = date(2023, 1, 1)
    before = frame(role("anna"), role("bo", code="co", end=date(2021, 5, 6)))
    after = continue_roles(frame(role("anna", end=end)), before, date(2023, 2, 2))
    assert periods(after) == {"K anna": (MOVED_IN, end), "L bo": (MOVED_IN, date(2021, 5, 6))}


def test_a_cancelled_move_out_reopens_the_role_without_a_break() -> None:
    before = frame(role("anna", end=date(2021, 1, 1)))
    after = continue_roles(frame(role("anna")), before, date(2021, 3, 3))
    assert periods(after) == {"K anna": (MOVED_IN, None)}


def test_a_corrected_move_in_is_followed_but_not_by_who_joined_later() -> None:
    corrected = date(2020, 1, 15)
    before = frame(role("anna"), role("bo", code="co", start=date(2021, 5, 6)))
    desired = frame(role("anna", start=corrected), role("bo", code="co", start=corrected))
    after = continue_roles(desired, before, date(2021, 6, 1))
    assert periods(after) == {"K anna": (corrected, None), "L bo": (date(2021, 5, 6), None)}


def test_a_party_corrected_after_the_end_was_it_all_the_time() -> None:
    end = date(2021, 1, 1)
    after = continue_roles(frame(role("carla", end=end)), frame(role("anna", end=end)), date(2022, 1, 1))
    assert periods(after)["K carla"] == (MOVED_IN, end)


def test_a_customer_number_that_is_not_desired_now_is_left_alone() -> None:
    after = continue_roles(frame(role("anna")), frame(role("anna"), role("dan", number="1002")), date(2021, 1, 1))
    assert after["customer_number"].to_list() == ["1001"]


def test_a_co_customer_who_cannot_be_identified_today_keeps_her_role() -> None:
    before = frame(role("anna"), role("bo", code="co"))
    desired = frame(role("anna", end=date(2022, 1, 1)))
    after = continue_roles(desired, before, date(2021, 5, 6), unresolved_co_customers={"1001"})
    assert periods(after)["L bo"] == (MOVED_IN, date(2022, 1, 1))


@pytest.mark.parametrize("as_of", [date(2019, 1, 1), MOVED_IN, date(2021, 5, 6)])
def test_no_change_changes_nothing(as_of: date) -> None:
    before = frame(role("anna"), role("bo", code="co"))
    assert periods(continue_roles(before, before, as_of)) == periods(before)


_DAYS = st.integers(0, 40).map(lambda n: date(2020, 1, 1) + timedelta(days=n))


@st.composite
def _row_states(draw: st.DrawFn) -> list[dict[str, object]]:
    """One customer relation as the billing system may show it on some day."""
    start = draw(st.one_of(st.none(), _DAYS))
    end = draw(st.one_of(st.none(), _DAYS))
    parties = [("main", draw(st.sampled_from("ABC")))]
    if draw(st.booleans()):
        parties.append(("co", draw(st.sampled_from("ABC"))))
    return [role(party, code=code, start=start, end=end) for code, party in parties]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 15), _row_states()), min_size=1, max_size=6), st.integers(0, 30))
def test_applying_twice_is_applying_once(history: list[tuple[int, list[dict[str, object]]]], later: int) -> None:
    """After any history of changes, a further run without change, that day or later, changes nothing."""
    roles, today = NOBODY, date(2020, 1, 5)
    for days, rows in history:
        today += timedelta(days=days)
        desired = frame(*rows)
        roles = continue_roles(desired, roles, today)
        again = continue_roles(desired, roles, today)
        assert_frame_equal(again, roles)
        assert_frame_equal(continue_roles(desired, roles, today + timedelta(days=later)), roles)
        assert set(desired["object_id"]) <= set(roles["object_id"])
        ends = {row["object_id"]: row["valid_to"] for row in roles.iter_rows(named=True)}
        assert all(ends[row["object_id"]] == row["valid_to"] for row in rows)

"""Recalls from proposal to receipt against the sandbox's debt authority: worked examples and every kind of answer."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa

from integration_assets.cache.engine import embedded_server_url
from integration_assets.cache.recalls import Decision
from integration_assets.flows.claim_statuses import ask_again
from integration_assets.sandbox.store import Store
from integration_assets_tests.flows.collection import Utility, claim_rows
from integration_assets_tests.sandbox.handmade_recalls import Authority, authority, with_examples

NIGHT = "2025-11-04T02:10:00"


@pytest.fixture(scope="module")
def books(server_dir: Path) -> Iterator[Store]:
    store = Store(embedded_server_url(server_dir, "debt_authority_of_flows"))
    yield store
    store.close()


@pytest.fixture(scope="module")
def served(books: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    with authority(books, tmp_path_factory.mktemp("authority")) as served:
        yield served


@pytest.fixture
def dmi(books: Store, served: Authority) -> Authority:
    return with_examples(served, books)


@pytest.fixture
def utility(cache: sa.Engine, dmi: Authority) -> Iterator[Utility]:
    utility = Utility(cache, dmi.url)
    utility.hand_over()
    yield utility
    utility.close()


def night(dmi: Authority, utility: Utility) -> dict[str, int]:
    """The authority decides everything and drops files, which are taken in."""
    dmi.control("/switches", {"now": NIGHT})
    dmi.control("/work", {})
    return utility.take_in(dmi.folder)


def recalled(utility: Utility) -> dict[object, tuple[object, ...]]:
    """Recalled claims: reason, effective date, amount."""
    query = "SELECT claim_id, recalled_for, recalled_from, recalled_amount FROM claim WHERE recalled_for IS NOT NULL"
    return {row[0]: row[1:] for row in utility.rows(query)}


def test_a_wrong_main_claim_goes_with_its_sub_claim(utility: Utility, dmi: Authority) -> None:
    (action,) = utility.approved((100001, "FEJL"))
    assert utility.send() == {"packed": 1, "renewed": 0, "sent": 1, "ok": 1}
    assert utility.states() == {action: "MODTAGET"}  # received is not done
    assert recalled(utility) == {}
    assert night(dmi, utility)["applied"] == 1
    assert utility.states() == {action: "UDFOERT"}
    assert recalled(utility) == {
        100001: ("FEJL", date(2025, 6, 2), Decimal("1200.00")),
        100002: ("FEJL", date(2025, 6, 2), Decimal("100.00")),
    }
    assert utility.issues() == []
    assert list(dmi.folder.glob("*")) == []


def test_a_deferred_sub_claim_goes_alone(utility: Utility, dmi: Authority) -> None:
    utility.approved((100002, "HENS"))
    utility.send()
    night(dmi, utility)
    assert recalled(utility) == {100002: ("HENS", date(2025, 11, 4), Decimal("100.00"))}


def test_the_rest_of_a_set_off_claim(utility: Utility, dmi: Authority) -> None:
    utility.approved((100010, "SMTI"))
    utility.send()
    night(dmi, utility)
    assert recalled(utility) == {100010: ("SMTI", date(2025, 11, 4), Decimal("340.50"))}


def test_what_the_authority_rejects_is_the_caseworkers(utility: Utility, dmi: Authority) -> None:
    first, second = utility.approved((100001, "FEJL"), (100005, "FEJL"))
    dmi.control("/switches", {"rejections": {"8": 1.0}})
    utility.send()
    assert night(dmi, utility)["applied"] == 2
    assert utility.states() == {first: "AFVIST", second: "AFVIST"}
    assert utility.rows("SELECT DISTINCT error_number, note FROM recall_action") == [(8, "008 Fordring findes ikke")]
    assert recalled(utility) == {}


@pytest.mark.parametrize(
    ("number", "state"),
    [
        (8, "AFVIST"),
        (902, "MANUAL"),
        (920, "MANUAL"),
        (921, "HOLD"),
        (922, "HOLD"),
        (999, "HOLD"),
        (993, "MANUAL"),
        (-4, "MANUAL"),
        (-2, "MANUAL"),
    ],
)
def test_answers_after_which_nothing_is_sent_again(utility: Utility, dmi: Authority, number: int, state: str) -> None:
    (action,) = utility.approved((100001, "FEJL"))
    dmi.control("/switches", {"next_answers": [number]})
    utility.send()
    assert utility.states() == {action: state}
    utility.later(days=30)
    assert utility.send()["sent"] == 0
    assert utility.rows("SELECT error_number FROM recall_action") == [(number,)]
    assert utility.issues() == (["rejected"] if state == "AFVIST" else [])


@pytest.mark.parametrize("number", [991, 994])
def test_a_channel_that_is_closed_stays_closed_until_a_person_opens_it(
    utility: Utility, dmi: Authority, number: int
) -> None:
    first, second = utility.approved((100001, "FEJL"), (100005, "FEJL"))
    dmi.control("/switches", {"next_answers": [number]})
    utility.send()
    (third,) = utility.approved((100010, "SMTI"))
    utility.later(days=1)
    assert utility.send() == {"packed": 0, "renewed": 0, "sent": 0}
    assert utility.states() == {first: "CHANNEL_STOPPED", second: "CHANNEL_STOPPED", third: "APPROVED"}
    assert str(number) in (utility.outbox.stopped() or "")
    utility.recalls.open_channel("dorte", utility.now)
    assert utility.send()["sent"] == 2
    assert set(utility.states().values()) == {"MODTAGET"}


def test_passing_errors_are_tried_again_with_another_id_and_then_given_to_a_person(
    utility: Utility, dmi: Authority
) -> None:
    (action,) = utility.approved((100001, "FEJL"))
    dmi.control("/switches", {"next_answers": [930] * 9})
    for pause in (60, 120, 240, 480, 960, 1920, 3600, 3600):
        assert utility.send()["sent"] == 1
        assert utility.states() == {action: "RETRY_WAIT"}
        utility.later(seconds=pause - 1)
        assert utility.send()["sent"] == 0
        utility.later(seconds=pause * 0.1 + 1)
    utility.send()
    assert utility.states() == {action: "MANUAL"}
    ids = utility.rows("SELECT transaction_id, payload_hash FROM recall_transaction")
    assert len({row[0] for row in ids}) == 9
    assert len({row[1] for row in ids}) == 1
    utility.recalls.decide(Decision.RELEASE, [action], "dorte", utility.now)
    utility.send()
    assert utility.states() == {action: "MODTAGET"}
    assert len(dmi.control("/books")["actions"]) == 1


def test_lasting_errors_are_called_again_once(utility: Utility, dmi: Authority) -> None:
    (action,) = utility.approved((100001, "FEJL"))
    dmi.control("/switches", {"next_answers": [950, 950, 950]})
    utility.send()
    assert utility.states() == {action: "RETRY_WAIT"}
    utility.later(minutes=2)
    utility.send()
    assert utility.states() == {action: "MANUAL"}
    utility.later(days=2)
    assert utility.send()["sent"] == 0


@pytest.mark.parametrize("taken", [0.0, 1.0])
@pytest.mark.parametrize("number", [-1, -3])
def test_an_unknown_outcome_sends_the_same_again(utility: Utility, dmi: Authority, number: int, taken: float) -> None:
    (action,) = utility.approved((100001, "FEJL"))
    dmi.control("/switches", {"next_answers": [number], "taken_share": taken})
    utility.send()
    assert utility.states() == {action: "RETRY_WAIT"}
    utility.later(minutes=2)
    assert utility.send()["already_delivered" if taken else "ok"] == 1
    assert utility.states() == {action: "MODTAGET"}
    assert len(utility.rows("SELECT * FROM recall_transaction")) == 1
    night(dmi, utility)
    assert utility.states() == {action: "UDFOERT"}


def test_an_answer_that_cannot_be_read_is_an_unknown_outcome(utility: Utility, dmi: Authority) -> None:
    (action,) = utility.approved((100001, "FEJL"))
    dmi.control("/switches", {"garbled_share": 1.0})
    utility.send()
    assert utility.states() == {action: "RETRY_WAIT"}
    dmi.control("/switches", {"garbled_share": 0.0})
    utility.later(minutes=2)
    assert utility.send()["already_delivered"] == 1
    assert utility.states() == {action: "MODTAGET"}


def test_a_status_wins_over_an_answer_that_was_lost(utility: Utility, dmi: Authority) -> None:
    first, second = utility.approved((100001, "FEJL"), (100005, "FEJL"))
    dmi.control("/switches", {"next_answers": [-1], "taken_share": 1.0})
    utility.send()
    night(dmi, utility)
    assert utility.states() == {first: "UDFOERT", second: "UDFOERT"}
    utility.later(days=1)
    assert utility.send()["sent"] == 0


@pytest.mark.parametrize("taken", [False, True])
def test_what_is_overdue_is_asked_for_again(utility: Utility, dmi: Authority, *, taken: bool) -> None:
    first, second = utility.approved((100001, "FEJL"), (100005, "FEJL"))
    # The answer to the first try gets lost. Was it a refusal, the transaction is used up, and nothing was taken.
    dmi.control("/switches", {"next_answers": [] if taken else [930], "garbled_share": 1.0})
    utility.send()
    dmi.control("/switches", {"garbled_share": 0.0})
    utility.later(minutes=2)
    assert utility.send()["already_delivered"] == 1
    assert utility.states() == {first: "MODTAGET", second: "MODTAGET"}
    (early,) = ask_again(utility.recalls, [first], 5, "dorte", utility.now)
    assert early.state is None
    assert "not overdue" in early.sentence
    if taken:
        night(dmi, utility)
        assert set(utility.states().values()) == {"UDFOERT"}
    utility.later(days=14)
    asked = ask_again(utility.recalls, [first], 5, "dorte", utility.now)
    if taken:
        assert [one.state for one in asked] == [None]
        return
    # All of the delivery was lost, and goes together.
    assert {one.action_id: one.state for one in asked} == {first: "RETRY_WAIT", second: "RETRY_WAIT"}
    assert utility.send() == {"packed": 0, "renewed": 1, "sent": 1, "ok": 1}
    night(dmi, utility)
    assert utility.states() == {first: "UDFOERT", second: "UDFOERT"}
    assert len(recalled(utility)) == 3
    assert len({arrival["transaction"] for arrival in dmi.control("/books")["arrivals"]}) == 2


def test_asking_again_for_what_the_authority_had_all_the_time_does_nothing_twice(
    utility: Utility, dmi: Authority
) -> None:
    (action,) = utility.approved((100001, "FEJL"))
    utility.send()
    dmi.control("/work", {"send": False})
    for path in dmi.folder.glob("*.xml"):
        path.unlink()
    utility.later(days=14)
    ask_again(utility.recalls, [action], 5, "dorte", utility.now)
    utility.send()
    night(dmi, utility)
    assert utility.states() == {action: "UDFOERT"}
    assert sorted(recall["claim"] for recall in dmi.control("/books")["recalls"]) == [100001, 100002]


def test_nothing_is_lost_where_the_authority_is_away(cache: sa.Engine, dmi: Authority) -> None:
    utility = Utility(cache, "http://127.0.0.1:9")
    utility.hand_over()
    (action,) = utility.approved((100001, "FEJL"))
    utility.send()
    assert utility.states() == {action: "RETRY_WAIT"}
    back = Utility(cache, dmi.url)
    back.later(minutes=2)
    assert back.send()["ok"] == 1
    assert len(utility.rows("SELECT * FROM recall_transaction")) == 1


def test_an_authority_that_is_away_is_not_waited_for_by_each_delivery(cache: sa.Engine) -> None:
    utility = Utility(cache, "http://127.0.0.1:9", most_actions=1)
    claims = [(number, number, "INDR", "FOFAKFY", "1.00") for number in range(1, 8)]
    utility.hand_over(claim_rows(*claims))
    utility.approved(*((claim[0], "FEJL") for claim in claims))
    assert utility.send()["sent"] == 3
    assert sorted(utility.states().values()) == ["APPROVED"] * 4 + ["RETRY_WAIT"] * 3


def test_statuses_in_every_disorder_lead_to_the_same_end(utility: Utility, dmi: Authority) -> None:
    actions = utility.approved((100001, "FEJL"), (100005, "HENS"), (100010, "SMTI"))
    disorder = {"casework_share": 1.0, "received_share": 1.0, "duplicate_share": 1.0, "reorder_share": 0.5}
    dmi.control("/switches", {**disorder, "orphan_share": 1.0})
    utility.send()
    counts = night(dmi, utility)
    assert utility.states() == dict.fromkeys(actions, "UDFOERT")
    assert counts["unchanged"] > 0
    assert set(utility.issues()) == {"orphan"}
    assert len(recalled(utility)) == 4


def test_deliveries_have_no_more_actions_than_they_may(cache: sa.Engine, dmi: Authority) -> None:
    utility = Utility(cache, dmi.url, most_actions=2)
    utility.hand_over()
    utility.approved((100001, "FEJL"), (100005, "FEJL"), (100010, "SMTI"))
    assert utility.send() == {"packed": 2, "renewed": 0, "sent": 2, "ok": 2}
    assert sorted(len(one["actions"]) for one in dmi.control("/books")["arrivals"]) == [1, 2]

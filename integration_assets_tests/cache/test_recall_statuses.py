"""Taking statuses in: repeated, in any order, about nobody, incomplete, contradicting; and what is kept of them."""

import itertools
import random
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from integration_assets.cache.all_tables import metadata
from integration_assets.cache.cipher import Cipher
from integration_assets.cache.recalls import Decision
from integration_assets.flows.claim_statuses import overdue, take_in_folder
from integration_assets.sandbox.town_numbers import Numbers
from integration_assets_tests.clients import recall_messages as written
from integration_assets_tests.clients.recall_messages import info, receipt, rejection, status, update
from integration_assets_tests.flows.collection import TODAY, Utility, claim_rows

NOWHERE = "http://127.0.0.1:9"
TABLES = [name for name in metadata.tables if name.startswith(("recall_", "claim"))]


@pytest.fixture
def utility(cache: sa.Engine) -> Utility:
    utility = Utility(cache, NOWHERE)
    utility.hand_over()
    return utility


def packed(utility: Utility, *wanted: tuple[int, str]) -> list[int]:
    """Recalls that may have been sent."""
    ids = utility.approved(*wanted)
    while utility.outbox.pack(utility.means.terms, TODAY, utility.now) is not None:
        pass
    return ids


def done(action: int, claim: int = 100005, at: str = "2025-11-04T02:10:00", day: str = "2025-06-02") -> str:
    return update(info(status(action, claim, "UDFOERT", at, receipts=receipt(claim, claim, "1200.00", day))))


def test_a_message_twice_is_a_message_once(utility: Utility) -> None:
    (action,) = packed(utility, (100005, "FEJL"))
    first = utility.take(done(action))
    before = utility.rows("SELECT * FROM claim ORDER BY claim_id")
    again = utility.take(done(action), done(action))
    assert (first["applied"], again["applied"], again["unchanged"]) == (1, 0, 2)
    assert utility.rows("SELECT * FROM claim ORDER BY claim_id") == before
    assert len(utility.rows("SELECT * FROM claim_message")) == 1
    assert len(utility.rows("SELECT * FROM recall_receipt")) == 1
    assert utility.issues() == []


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    order=st.permutations(range(5)),
    cuts=st.lists(st.integers(1, 4), max_size=2),
    again=st.lists(st.integers(0, 4), max_size=3),
)
def test_any_order_in_any_bundles_ends_alike(
    cache: sa.Engine, order: list[int], cuts: list[int], again: list[int]
) -> None:
    """Two recalls; their statuses come in any order, some twice, split over messages and transactions at will."""
    with cache.begin() as connection:
        for table in TABLES:
            connection.execute(sa.text(f"DELETE FROM {table}"))
    utility = Utility(cache, NOWHERE)
    utility.hand_over()
    one, two = packed(utility, (100005, "FEJL"), (100001, "HENS"))
    told = [
        info(status(one, 100005, "MODTAGET", "2025-11-03T09:00:01")),
        info(status(one, 100005, "SAGSBEHANDL", "2025-11-03T12:00:00")),
        info(status(one, 100005, "UDFOERT", receipts=receipt(100005, 100005, "1200.00", "2025-06-02"))),
        info(status(two, 100001, "MODTAGET", "2025-11-03T09:00:01")),
        info(status(two, 100001, "AFVIST", rejections=rejection(8, "Fordring findes ikke"))),
    ]
    line = [told[number] for number in (*order, *again)]
    edges = sorted({0, *cuts, len(line)})
    for first, last in itertools.pairwise(edges):
        utility.take(update(*line[first:last]))
    assert utility.states() == {one: "UDFOERT", two: "AFVIST"}
    assert utility.rows("SELECT claim_id, recalled_for FROM claim WHERE recalled_for IS NOT NULL") == [(100005, "FEJL")]
    assert utility.issues() == ["rejected"]


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (update(info(status(123, 100005, "MODTAGET"))), "Nobody here knows"),
        (update(info(status(0, 100001, "MODTAGET"))), "but the action recalls claim 100005"),
        (update(info(status(0, 100005, "MODTAGET"), system="11111111")), "not ours"),
        (update(info(status(0, 100005, "MODTAGET", kind="NEDSKRIV"))), "NEDSKRIV"),
    ],
)
def test_what_fits_nothing_is_kept_and_told_once(utility: Utility, message: str, words: str) -> None:
    (action,) = packed(utility, (100005, "FEJL"))
    message = message.replace("<MFAktionID>0<", f"<MFAktionID>{action}<")
    counts = utility.take(message)
    utility.take(message)
    assert counts["orphans"] == 1
    assert utility.states() == {action: "SENT"}
    issues = utility.recalls.issues()
    assert issues["kind"].to_list() == ["orphan"]
    assert words in issues["text"][0]
    assert len(utility.rows("SELECT * FROM claim_message")) == 1
    assert utility.recalls.close_issues(issues["issue_id"].to_list(), "anna", utility.now) == 1
    assert utility.issues() == []


def test_an_orphan_finds_its_action_when_it_comes_again(utility: Utility) -> None:
    (action,) = utility.approved((100005, "FEJL"))
    assert utility.take(done(action))["orphans"] == 1  # nobody has sent it yet
    assert utility.states() == {action: "APPROVED"}
    utility.outbox.pack(utility.means.terms, TODAY, utility.now)
    assert utility.take(done(action))["applied"] == 1


@pytest.mark.parametrize("code", ["UDFOERT", "AFVIST"])
def test_a_final_status_without_what_it_needs_waits_for_a_better_one(utility: Utility, code: str) -> None:
    (action,) = packed(utility, (100005, "FEJL"))
    assert utility.take(update(info(status(action, 100005, code))))["incomplete"] == 1
    assert utility.states() == {action: "MODTAGET"}  # so much is known
    assert utility.issues() == ["incomplete"]
    assert utility.take(done(action))["applied"] == 1


def test_a_second_final_word_changes_nothing_and_is_told(utility: Utility) -> None:
    (action,) = packed(utility, (100005, "FEJL"))
    utility.take(done(action))
    no = status(action, 100005, "AFVIST", "2025-11-09T02:10:00", rejections=rejection(8, "nej"))
    assert utility.take(update(info(no)))["contradictions"] == 1
    assert utility.states() == {action: "UDFOERT"}
    assert utility.issues() == ["contradiction"]


def test_receipts_that_differ_from_the_reason_count_and_are_told(utility: Utility) -> None:
    (action,) = packed(utility, (100005, "FEJL"))
    utility.take(done(action, day="2025-11-04"))
    stored = utility.rows("SELECT recalled_for, recalled_from, recalled_amount FROM claim WHERE claim_id = 100005")
    assert stored == [("FEJL", date(2025, 11, 4), Decimal("1200.00"))]
    assert utility.issues() == ["difference"]


def test_a_status_of_one_tells_that_the_others_of_its_delivery_arrived(utility: Utility) -> None:
    one, two = packed(utility, (100005, "FEJL"), (100010, "SMTI"))
    utility.take(done(one))
    assert utility.states() == {one: "UDFOERT", two: "MODTAGET"}
    utility.later(days=1)
    assert utility.send()["sent"] == 0


def test_a_claim_can_be_recalled_as_wrong_after_a_deferral(utility: Utility) -> None:
    (first,) = packed(utility, (100005, "HENS"))
    utility.take(done(first, day="2025-11-04"))
    (second,) = packed(utility, (100005, "FEJL"))
    utility.take(done(second, at="2025-12-04T02:10:00"))
    assert utility.rows("SELECT recalled_for FROM claim WHERE claim_id = 100005") == [("FEJL",)]
    assert utility.states() == {first: "UDFOERT", second: "UDFOERT"}
    refusal = utility.propose(100005, "FEJL").refusal
    assert refusal is not None
    assert refusal.number == 602


def test_the_archive_is_sealed_and_no_table_shows_a_personal_number(utility: Utility) -> None:
    number = Numbers(random.Random(1), set()).cpr(date(1961, 3, 4), "M")
    owner = f"<EnkeltmandVirksomhedEjer><PersonCPRNummer>{number}</PersonCPRNummer></EnkeltmandVirksomhedEjer>"
    (action,) = packed(utility, (100005, "FEJL"))
    receipts = receipt(100005, 100005, "1200.00", "2025-06-02", debtors=written.debtor(owner))
    message = update(info(status(action, 100005, "UDFOERT", receipts=receipts)))
    utility.take(message)
    ((content,),) = utility.rows("SELECT content FROM claim_message")
    assert number.encode() not in content
    assert Cipher.from_secret("tests").open(content) == message.encode()
    for table in ("recall_receipt", "recall_action", "claim", "claim_issue", "recall_transaction"):
        assert number not in str(utility.rows(f"SELECT * FROM {table}"))


def test_files_are_taken_in_by_name_and_gone_afterwards(utility: Utility, tmp_path: Path) -> None:
    (action,) = packed(utility, (100005, "FEJL"))
    (tmp_path / "2.xml").write_text(done(action))
    (tmp_path / "1.xml").write_text("<half", encoding="utf-8")
    (tmp_path / "3.part").write_text(done(action))
    counts = take_in_folder(utility.statuses, tmp_path, utility.now)
    assert (counts["messages"], counts["unreadable"], counts["applied"]) == (2, 1, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["3.part"]
    assert utility.issues() == ["unreadable"]
    assert len(utility.rows("SELECT * FROM claim_message")) == 2


def test_what_has_no_final_status_after_working_days_is_told(utility: Utility) -> None:
    """Sent on Monday 3 November 2025; the fifth working day after it is Monday the 10th."""
    one, two = packed(utility, (100005, "FEJL"), (100010, "SMTI"))
    utility.take(update(info(status(one, 100005, "MODTAGET", "2025-11-03T09:00:01"))))
    utility.later(days=6)
    assert overdue(utility.recalls, 5, utility.now).height == 0
    utility.later(days=1)
    late = overdue(utility.recalls, 5, utility.now)
    assert set(late["action_id"].to_list()) == {one, two}
    utility.take(done(one))
    assert overdue(utility.recalls, 5, utility.now)["action_id"].to_list() == [two]


def test_the_ledger_tells_who_is_under_collection(utility: Utility) -> None:
    open_before = utility.ledger.open_collections().rows()
    assert open_before == [
        ("K100001", 2, Decimal("1300.00"), date(2025, 6, 2)),
        ("K100005", 1, Decimal("1200.00"), date(2025, 6, 2)),
        ("K100010", 1, Decimal("500.50"), date(2025, 6, 2)),
    ]
    (action,) = packed(utility, (100005, "FEJL"))
    assert utility.ledger.open_collections().height == 3
    utility.take(done(action))
    assert utility.ledger.open_collections()["customer_number"].to_list() == ["K100001", "K100010"]


def test_a_ledger_taken_in_again_forgets_no_recall(utility: Utility) -> None:
    (action,) = packed(utility, (100005, "FEJL"))
    utility.take(done(action))
    utility.hand_over(claim_rows((100005, 100005, "INDR", "FOFAKFY", "1300.00"), (7, 7, "INDR", "FOFAKFY", "1.00")))
    stored = utility.rows("SELECT amount, recalled_for FROM claim WHERE claim_id IN (7, 100005) ORDER BY claim_id")
    assert stored == [(Decimal("1.00"), None), (Decimal("1300.00"), "FEJL")]


def test_a_withdrawn_recall_that_the_authority_carried_out_is_carried_out(utility: Utility) -> None:
    (action,) = packed(utility, (100005, "FEJL"))
    with utility.engine.begin() as connection:  # as after an answer that refused it
        connection.execute(sa.text("UPDATE recall_action SET state = 'MANUAL', outcome = 'REFUSED'"))
    utility.recalls.decide(Decision.REJECT, [action], "anna", utility.now)
    utility.take(update(info(status(action, 100005, "MODTAGET"))))
    assert utility.states() == {action: "WITHDRAWN"}
    utility.take(done(action))
    assert utility.states() == {action: "UDFOERT"}


STRANGE = {
    "a number of ten digits": lambda action: rejected(action, rejection(3_000_000_000, "x")),
    "reasons without end": lambda action: rejected(action, *(rejection(8, noise(150 + n)) for n in range(40))),
    "an offset of 20 hours": lambda action: update(
        info(status(action, 100005, "SAGSBEHANDL", "2025-11-04T02:10:00+20:00"))
    ),
    "a name without end": lambda action: f"<{noise(20_000)}/>",  # noqa: ARG005 - one form for all
    "a kind without end": lambda action: update(info(status(action, 100005, "SAGSBEHANDL", kind=noise(20_000)))),
    "an amount without end": lambda action: done(action).replace("1200.00", "1E+999999999"),
}


@pytest.mark.parametrize("written", STRANGE.values(), ids=STRANGE)
def test_nothing_that_the_authority_may_write_stays_in_the_way(
    utility: Utility, tmp_path: Path, written: Callable[[int], str]
) -> None:
    """Each is applied, or kept as unreadable or an orphan; the file is gone, and the one after it is taken in."""
    (action, other) = packed(utility, (100005, "FEJL"), (100010, "SMTI"))
    (tmp_path / "1.xml").write_text(written(action))
    (tmp_path / "2.xml").write_text(update(info(status(other, 100010, "SAGSBEHANDL"))))
    counts = take_in_folder(utility.statuses, tmp_path, utility.now)
    assert (counts["messages"], list(tmp_path.iterdir()), utility.states()[other]) == (2, [], "SAGSBEHANDL")
    assert utility.states()[action] in ("AFVIST", "SAGSBEHANDL") or utility.issues() in (["unreadable"], ["orphan"])


def rejected(action: int, *reasons: str) -> str:
    return update(info(status(action, 100005, "AFVIST", rejections="".join(reasons))))


def noise(length: int) -> str:
    """Letters that do not compress."""
    return "".join(random.Random(length).choices("abcdefghijklmnopqrstuvwxyzæøå", k=length))

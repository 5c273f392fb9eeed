"""The source of person events, against a real SFTP server on loopback. All persons are made up."""

import json
import logging
import socket
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import asyncssh
import pytest

from integration_assets.clients.event_files import Account, EventFiles
from integration_assets.clients.event_records import EventFileError
from integration_assets.clients.http import PermanentError, TransientError
from integration_assets.domain.people.ports import EventBatch, PersonEvent
from integration_assets.resources.person_events import PersonEventsResource, open_person_events
from integration_assets.settings import MissingSetting, Settings
from integration_assets_tests.clients import p12170
from integration_assets_tests.clients.p12170 import Form, file_of
from integration_assets_tests.clients.sftp_server import SftpFolder, sftp_folder

ANNA, BENT, CLARA, DORTE = PEOPLE = p12170.made_up_numbers(4)
HOST_KEY = asyncssh.generate_private_key("ssh-ed25519")
OUR_KEY = asyncssh.generate_private_key("ssh-ed25519")
MONDAY, TUESDAY, WEDNESDAY, THURSDAY = (date(2026, 11, day) for day in (16, 17, 18, 19))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SftpFolder]:
    with sftp_folder(tmp_path / "server", HOST_KEY, OUR_KEY) as running:
        yield running


@pytest.fixture
def account(server: SftpFolder, tmp_path: Path) -> Account:
    key = tmp_path / "our_key"
    OUR_KEY.write_private_key(key)
    return Account("127.0.0.1", "utility", key, server.host_key, port=server.port)


@pytest.fixture
def source(account: Account) -> EventFiles:
    return EventFiles(account, timeout_s=5)


def move(number: str) -> str:
    return p12170.event(number, "A01")


def drained(source: EventFiles, cursor: str | None) -> tuple[list[EventBatch], str | None]:
    """All batches that have something, and the cursor after them."""
    batches: list[EventBatch] = []
    while True:
        batch = source.since(cursor)
        if batch.cursor == cursor:
            assert batch.events == ()
            assert not batch.more
            return batches, cursor
        batches.append(batch)
        cursor = batch.cursor


def test_an_empty_folder_has_no_events_and_no_cursor(source: EventFiles) -> None:
    assert source.since(None) == EventBatch((), None)


@pytest.mark.parametrize("form", ["fixed", "lines", "crlf"])
def test_a_file_is_one_batch(server: SftpFolder, source: EventFiles, form: Form) -> None:
    records = [move(ANNA), p12170.name(ANNA), p12170.person(BENT, current=CLARA, status="60"), p12170.ended(DORTE)]
    server.put("D261117", file_of(17, *records, form=form))
    batch = source.since(None)
    assert batch.events == (
        PersonEvent(ANNA, frozenset({"A01"}), TUESDAY),
        PersonEvent(BENT, frozenset(), TUESDAY, new_number=CLARA),
    )
    assert (batch.ended, batch.missing_since, batch.more, batch.notes) == ((DORTE,), None, False, ())
    assert source.since(batch.cursor) == EventBatch((), batch.cursor)


def test_the_cursor_is_json_without_anything_of_a_person(server: SftpFolder, source: EventFiles) -> None:
    content = file_of(17, move(ANNA))
    server.put("D261117", content)
    cursor = source.since(None).cursor
    assert json.loads(cursor or "") == {
        "version": 1,
        "last": {"730001": "2026-11-17"},
        "files": {"2026-11-17": [["D261117", len(content)]]},
    }


def test_files_are_read_by_production_day_and_not_by_name_and_more_tells_that_others_wait(
    server: SftpFolder, source: EventFiles
) -> None:
    server.put("a", file_of(18, move(CLARA)))
    server.put("b", file_of(16, move(ANNA)))
    server.put("c", file_of(17, move(BENT)))
    batches, _ = drained(source, None)
    assert [batch.events[0].number for batch in batches] == [ANNA, BENT, CLARA]
    assert [batch.more for batch in batches] == [True, True, False]
    assert [batch.missing_since for batch in batches] == [None, None, None]


def test_a_file_waits_for_its_metadata_and_its_whole_size(server: SftpFolder, source: EventFiles) -> None:
    content = file_of(17, move(ANNA))
    server.put("D261117", content[:60], metadata=False)
    assert source.since(None).notes == ("Event file D261117 waits: its metadata is not there yet.",)
    server.put_metadata("D261117", len(content))
    assert source.since(None).notes == ("Event file D261117 waits: its metadata names another size.",)
    (server.folder / "D261117.metadata").write_text("<FileTransfer><FileDescr")
    assert source.since(None).notes == ("Event file D261117 waits: its metadata is unreadable.",)
    assert "D261117" not in server.opened
    server.put("D261117", content)
    assert source.since(None).events == (PersonEvent(ANNA, frozenset({"A01"}), TUESDAY),)


@pytest.mark.parametrize(
    "metadata",
    [
        "<!DOCTYPE f [<!ENTITY size SYSTEM 'file:///etc/hostname'>]><f><SizeInBytes>&size;</SizeInBytes></f>",
        "<f><SizeInBytes>many</SizeInBytes></f>",
        "<f/>",
    ],
)
def test_metadata_that_says_no_size_or_has_a_document_type_is_unreadable(
    server: SftpFolder, source: EventFiles, metadata: str
) -> None:
    server.put("D261117", file_of(17, move(ANNA)))
    (server.folder / "D261117.metadata").write_text(metadata)
    assert source.since(None) == EventBatch((), None, notes=("Event file D261117 waits: its metadata is unreadable.",))


def test_an_incomplete_file_does_not_hold_up_others(server: SftpFolder, source: EventFiles) -> None:
    server.put("D261116", file_of(16, move(ANNA)), metadata=False)
    server.put("D261117", file_of(17, move(BENT)))
    (server.folder / "a folder").mkdir()
    batch = source.since(None)
    assert [event.number for event in batch.events] == [BENT]
    assert batch.notes == ("Event file D261116 waits: its metadata is not there yet.",)


def test_two_files_of_one_day_are_both_read_even_if_the_second_comes_after_the_first_was_done(
    server: SftpFolder, account: Account, source: EventFiles
) -> None:
    server.put("D261117_2", file_of(17, move(ANNA)))
    first = source.since(None)
    server.put("D261117_1", file_of(17, move(BENT)))
    server.put("D261118", file_of(18, move(CLARA)))
    batches, _ = drained(EventFiles(account), first.cursor)
    assert [event.number for batch in batches for event in batch.events] == [BENT, CLARA]
    assert [batch.missing_since for batch in (first, *batches)] == [None, None, None]


def test_a_lost_day_is_told_and_its_file_is_read_when_it_comes_late(
    server: SftpFolder, account: Account, source: EventFiles
) -> None:
    server.put("D261116", file_of(16, move(ANNA)))
    server.put("D261118", file_of(18, move(BENT)))
    batches, cursor = drained(source, None)
    assert [batch.missing_since for batch in batches] == [None, MONDAY]
    server.put("D261117", file_of(17, move(CLARA)))
    server.put("D261119", file_of(19, move(DORTE)))
    batches, _ = drained(EventFiles(account), cursor)
    assert [(batch.events[0].produced_on, batch.events[0].number) for batch in batches] == [
        (TUESDAY, CLARA),
        (THURSDAY, DORTE),
    ]
    assert [batch.missing_since for batch in batches] == [None, None]


def test_a_day_without_events_moves_the_cursor(server: SftpFolder, source: EventFiles) -> None:
    server.put("D261116", file_of(16))
    batches, cursor = drained(source, None)
    assert [batch.events for batch in batches] == [()]
    assert cursor is not None


def test_a_cursor_not_kept_gives_the_same_batch_again(server: SftpFolder, account: Account, source: EventFiles) -> None:
    server.put("D261116", file_of(16, move(ANNA)))
    assert source.since(None) == source.since(None) == EventFiles(account).since(None)


def test_of_files_done_nothing_is_fetched_again(server: SftpFolder, account: Account, source: EventFiles) -> None:
    for day in range(2, 22):
        server.put(f"D2611{day:02d}", file_of(day, move(ANNA)))
    _, cursor = drained(source, None)
    server.opened.clear()
    restarted = EventFiles(account)
    assert restarted.since(cursor).events == ()
    assert server.opened == []
    server.put("D261122", file_of(22, move(BENT)))
    restarted.since(cursor)
    assert sorted(set(server.opened)) == ["D261122", "D261122.metadata"]


def test_of_waiting_files_the_start_is_fetched_once(server: SftpFolder, source: EventFiles) -> None:
    for day in range(2, 12):
        server.put(f"D2611{day:02d}", file_of(day, move(ANNA)))
    drained(source, None)
    fetched = Counter(server.opened)
    assert all((fetched[f"D2611{day:02d}"], fetched[f"D2611{day:02d}.metadata"]) == (2, 1) for day in range(2, 12))


def test_files_are_left_on_the_server(server: SftpFolder, source: EventFiles) -> None:
    server.put("D261116", file_of(16, move(ANNA)))
    before = {path.name: path.read_bytes() for path in server.folder.iterdir()}
    drained(source, None)
    assert {path.name: path.read_bytes() for path in server.folder.iterdir()} == before


def test_a_file_put_anew_with_another_size_is_another_file(server: SftpFolder, source: EventFiles) -> None:
    server.put("D261116", file_of(16, move(ANNA)))
    _, cursor = drained(source, None)
    server.put("D261116", file_of(16, move(ANNA), move(BENT)))
    assert [event.number for event in source.since(cursor).events] == [ANNA, BENT]


@pytest.mark.parametrize("change", ["shorter", "another", "gone"])
def test_a_file_that_changes_while_it_is_read_is_read_again(
    server: SftpFolder, source: EventFiles, change: str
) -> None:
    server.put("D261116", file_of(16, move(ANNA)))

    def changed(name: str) -> None:
        if server.opened.count(name) == 1 and name == "D261116":
            server.put(name, b"" if change == "shorter" else file_of(17, move(BENT)))
            if change == "gone":
                server.remove(name)

    server.before_open = changed
    with pytest.raises(TransientError, match="D261116"):
        source.since(None)
    server.before_open = str
    server.put("D261116", file_of(17, move(CLARA)))
    assert source.since(None).events == (PersonEvent(CLARA, frozenset({"A01"}), TUESDAY),)


def test_a_large_file_arrives_whole(server: SftpFolder, source: EventFiles) -> None:
    numbers = p12170.made_up_numbers(30_000)
    content = file_of(16, *(p12170.record("002", {4: number}) for number in numbers), form="fixed")
    assert len(content) > 9_000_000
    server.put("D261116", content)
    assert [event.number for event in source.since(None).events] == numbers


def test_what_else_a_file_holds_is_told_without_persons(server: SftpFolder, source: EventFiles) -> None:
    refused = [p12170.refused(key, code) for key, code in ((ANNA, "0052"), ("0851", "0017"), (BENT, "0052"))]
    server.put("D261116", file_of(16, *refused, "045" + CLARA))
    assert source.since(None).notes == (
        "Event file D261116: the register refused lines of our requests; error codes: 0017 (1), 0052 (2).",
        "Event file D261116: records of unknown types were stepped over: 045 (1).",
    )


def test_a_broken_file_is_named_and_nothing_after_it_is_taken_until_it_is_replaced(
    server: SftpFolder, source: EventFiles
) -> None:
    whole = file_of(17, move(ANNA))
    server.put("D261116", file_of(16))
    server.put("D261117", whole[:-5])
    server.put("D261118", file_of(18, move(BENT)))
    cursor = source.since(None).cursor
    for _ in range(2):
        with pytest.raises(EventFileError, match="D261117"):
            source.since(cursor)
    server.put("D261117", whole)
    batches, _ = drained(source, cursor)
    assert [(batch.events[0].number, batch.missing_since) for batch in batches] == [(ANNA, None), (BENT, None)]


def test_what_is_no_event_file_waits_for_no_other_and_is_told_until_it_is_moved_away(
    server: SftpFolder, source: EventFiles
) -> None:
    server.put("D261116", file_of(16))
    server.put("D261117", b"no event file")
    server.put("D261118", file_of(18, move(BENT)))
    first = source.since(None)
    assert any("D261117" in note for note in first.notes)
    second = source.since(first.cursor)
    assert ([event.number for event in second.events], second.missing_since) == ([BENT], MONDAY)
    with pytest.raises(EventFileError, match="D261117"):
        source.since(second.cursor)
    server.remove("D261117")
    assert source.since(second.cursor).cursor == second.cursor


def test_a_strange_file_name_is_kept_apart_and_shown_readably(server: SftpFolder, source: EventFiles) -> None:
    name = b"bl\xe5b\xe6r".decode("utf-8", "surrogateescape")
    server.put(name, file_of(16, move(ANNA)), metadata=False)
    assert source.since(None).notes == ("Event file bl?b?r waits: its metadata is not there yet.",)
    (server.folder / f"{name}.metadata").write_text(f"<f><SizeInBytes>{len(file_of(16, move(ANNA)))}</SizeInBytes></f>")
    batches, cursor = drained(source, None)
    assert [event.number for batch in batches for event in batch.events] == [ANNA]
    assert (cursor or "").isascii()


def test_another_host_key_is_refused_before_anything_is_said(server: SftpFolder, account: Account) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    with pytest.raises(PermanentError, match="another key than the one we know") as caught:
        EventFiles(replace(account, host_key=other)).since(None)
    assert caught.value.code == "host_key"
    assert server.logins == []


def test_a_host_key_of_another_kind_is_another_key(server: SftpFolder, account: Account) -> None:
    other = asyncssh.generate_private_key("ecdsa-sha2-nistp256").export_public_key().decode()
    with pytest.raises(PermanentError, match="another key than the one we know") as caught:
        EventFiles(replace(account, host_key=other)).since(None)
    assert caught.value.code == "host_key"
    assert server.logins == []


def test_an_unknown_client_key_is_refused(account: Account, tmp_path: Path) -> None:
    key = tmp_path / "other_key"
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(key)
    with pytest.raises(PermanentError, match="refuses us"):
        EventFiles(replace(account, key=key)).since(None)


@pytest.mark.parametrize("host_key", ["", "ssh-ed25519", "127.0.0.1 ssh-ed25519 AAAA", "none"])
def test_without_a_readable_host_key_nothing_is_opened(account: Account, host_key: str) -> None:
    with pytest.raises(PermanentError, match="public key"):
        EventFiles(replace(account, host_key=host_key))


def test_a_private_key_that_is_missing_encrypted_or_none_is_told(account: Account, tmp_path: Path) -> None:
    locked, none = tmp_path / "locked", tmp_path / "none"
    OUR_KEY.write_private_key(locked, "pkcs8-pem", passphrase="secret")
    none.write_text("no key")
    for key in (tmp_path / "missing", locked, none, tmp_path):
        with pytest.raises(PermanentError, match="private key"):
            EventFiles(replace(account, key=key))


def test_a_missing_folder_is_told(account: Account) -> None:
    with pytest.raises(PermanentError, match="folder UD"):
        EventFiles(replace(account, folder="UD")).since(None)


def test_an_unreadable_cursor_is_told_before_anything_is_asked(server: SftpFolder, source: EventFiles) -> None:
    with pytest.raises(PermanentError, match="cursor"):
        source.since("2026-11-16")
    assert server.logins == []


def test_a_host_that_does_not_listen_is_transient(account: Account) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(TransientError, match="cannot be read now"):
        EventFiles(replace(account, port=port)).since(None)


def test_a_host_that_does_not_answer_is_transient(account: Account) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        mute = EventFiles(replace(account, port=silent.getsockname()[1]), timeout_s=0.3)
        with pytest.raises(TransientError, match="did not answer in time"):
            mute.since(None)


def test_a_host_that_stands_still_or_hangs_up_in_a_file_is_transient_and_nothing_is_lost(
    server: SftpFolder, account: Account
) -> None:
    server.put("D261116", file_of(16, move(ANNA)))
    source = EventFiles(account, timeout_s=1)
    server.stand_still_s = 30.0
    with pytest.raises(TransientError, match="did not answer in time"):
        source.since(None)
    server.stand_still_s, server.hang_up = 0.0, True
    with pytest.raises(TransientError, match="cannot be read now"):
        source.since(None)
    server.hang_up = False
    assert source.since(None).events == (PersonEvent(ANNA, frozenset({"A01"}), MONDAY),)


def test_nothing_of_a_person_is_logged(
    server: SftpFolder, source: EventFiles, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.put("D261116", file_of(16, move(ANNA), p12170.person(BENT, current=CLARA)))
    drained(source, None)
    assert not any(number in caplog.text for number in PEOPLE)


def test_the_settings_open_the_source(server: SftpFolder, account: Account) -> None:
    server.put("D261116", file_of(16, move(ANNA)))
    settings = Settings(
        person_events_source="sftp",
        person_events_host=account.host,
        person_events_port=account.port,
        person_events_user=account.user,
        person_events_key=account.key,
        person_events_host_key=account.host_key,
    )
    resource = PersonEventsResource(settings=settings)
    events = resource.get()
    assert events is not None
    assert [event.number for event in events.since(None).events] == [ANNA]
    assert resource.get() is events


def test_without_a_source_there_is_none_and_a_half_configured_one_is_told() -> None:
    assert open_person_events(Settings()) is None
    with pytest.raises(MissingSetting, match="person_events_"):
        open_person_events(Settings(person_events_source="sftp"))

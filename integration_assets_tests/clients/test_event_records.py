"""Event files of the person register, read from records that are written by the register's description.

All persons are made up.
"""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_assets.clients.event_records import (
    START_BYTES,
    EventFile,
    EventFileError,
    Refusal,
    Start,
    read_file,
    read_start,
)
from integration_assets.clients.http import PermanentError
from integration_assets.domain.people.ports import PersonEvent
from integration_assets_tests.clients import p12170
from integration_assets_tests.clients.p12170 import Form, delivery

ANNA, BENT, CLARA, DORTE, EMIL = PEOPLE = p12170.made_up_numbers(5)
DAY = date(2026, 11, 20)
FORMS: list[Form] = ["fixed", "lines", "crlf"]
FILE = "D261120.L730001"


def read(between: list[str], form: Form = "lines") -> EventFile:
    return read_file(FILE, delivery("20261120", "20261119", between, form))


@pytest.mark.parametrize("form", FORMS)
def test_a_delivery_is_read_alike_in_every_form(form: Form) -> None:
    found = read(
        [
            p12170.person(ANNA),
            p12170.name(ANNA),
            p12170.event(ANNA, "A01"),
            p12170.event(ANNA, "A13", "TA"),
            p12170.person(BENT, current=CLARA, status="60"),
            p12170.event(BENT, "P03"),
            p12170.name(CLARA, first="Zoë", last="ÆØÅæøåüé"),
            p12170.ended(DORTE),
            p12170.refused(EMIL, "0052"),
        ],
        form,
    )
    assert found == EventFile(
        start=Start("730001", DAY, date(2026, 11, 19)),
        events=(
            PersonEvent(ANNA, frozenset({"A01", "A13"}), DAY),
            PersonEvent(BENT, frozenset({"P03"}), DAY, new_number=CLARA),
            PersonEvent(CLARA, frozenset(), DAY),
        ),
        ended=(DORTE,),
        refusals=(Refusal("0052", EMIL),),
        unknown={},
    )


@pytest.mark.parametrize("kind", sorted(set(p12170.LENGTHS) - {"000", "001", "022", "099", "910", "997", "999"}))
@pytest.mark.parametrize("form", FORMS)
def test_records_of_every_type_are_stepped_over(kind: str, form: Form) -> None:
    found = read([p12170.record(kind, {4: ANNA, 14: "blåbær"}), p12170.event(BENT, "A21")], form)
    assert found.events == (PersonEvent(ANNA, frozenset(), DAY), PersonEvent(BENT, frozenset({"A21"}), DAY))


def test_a_person_whose_records_lie_apart_is_one_event() -> None:
    found = read([p12170.event(ANNA, "A01"), p12170.event(BENT, "A24"), p12170.event(ANNA, "A33")])
    assert found.events == (
        PersonEvent(ANNA, frozenset({"A01", "A33"}), DAY),
        PersonEvent(BENT, frozenset({"A24"}), DAY),
    )


def test_a_number_in_force_that_is_the_same_or_zeros_is_no_new_one() -> None:
    found = read([p12170.person(ANNA, current=ANNA), p12170.person(BENT, current="0" * 10)])
    assert [event.new_number for event in found.events] == [None, None]


def test_somebody_delivered_under_her_new_number_is_told_under_the_former_ones_too() -> None:
    found = read(
        [p12170.person(ANNA), p12170.former(ANNA, BENT), p12170.former(ANNA, CLARA), p12170.event(ANNA, "P03")]
    )
    codes = frozenset({"P03"})
    assert found.events == (
        PersonEvent(ANNA, codes, DAY),
        PersonEvent(BENT, codes, DAY, new_number=ANNA),
        PersonEvent(CLARA, codes, DAY, new_number=ANNA),
    )


def test_old_and_new_number_in_one_file_make_one_event_each() -> None:
    found = read(
        [
            p12170.person(BENT, current=ANNA, status="60"),
            p12170.event(BENT, "P03"),
            p12170.person(ANNA),
            p12170.former(ANNA, BENT),
            p12170.event(ANNA, "A01"),
        ]
    )
    assert found.events == (
        PersonEvent(BENT, frozenset({"P03", "A01"}), DAY, new_number=ANNA),
        PersonEvent(ANNA, frozenset({"A01"}), DAY),
    )


def test_a_number_changed_twice_leads_to_the_one_in_force() -> None:
    found = read([p12170.person(ANNA, current=CLARA, status="60"), p12170.former(ANNA, BENT)])
    assert {event.number: event.new_number for event in found.events} == {ANNA: CLARA, BENT: CLARA}


def test_a_changed_number_whose_successor_nobody_names_is_an_event_without_one() -> None:
    assert read([p12170.event(ANNA, "P03")]).events == (PersonEvent(ANNA, frozenset({"P03"}), DAY),)


def test_a_refused_line_without_a_number_keeps_its_code() -> None:
    assert read([p12170.refused("0851", "0017")]).refusals == (Refusal("0017", None),)


@pytest.mark.parametrize("previous", ["", "00000000"])
def test_a_first_delivery_names_none_before_it(previous: str) -> None:
    assert read_file(FILE, delivery("20261120", previous, [])) == EventFile(
        Start("730001", DAY, None), events=(), ended=(), refusals=(), unknown={}
    )


@pytest.mark.parametrize("form", FORMS)
def test_the_start_record_is_read_from_the_first_bytes(form: Form) -> None:
    content = delivery("20261120", "20261117", [p12170.person(ANNA)], form, task="000042")
    assert read_start(FILE, content[:START_BYTES]) == Start("000042", DAY, date(2026, 11, 17))


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_records_of_an_unknown_type_are_counted_where_lines_end(line_end: str) -> None:
    lines = [
        p12170.start("20261120", "20261119"),
        "045" + ANNA + "something new",
        p12170.event(BENT, "A01"),
        p12170.end(2),
    ]
    found = read_file(FILE, line_end.join(lines).encode("iso-8859-1"))
    assert found.unknown == {"045": 1}
    assert found.events == (PersonEvent(BENT, frozenset({"A01"}), DAY),)


def test_forms_may_be_mixed_and_blanks_follow_the_end() -> None:
    start, event, end = p12170.start("20261120", "20261119"), p12170.event(ANNA, "A01"), p12170.end(3)
    content = f"\n{start}{event}\n\n{event.rstrip()}\r\n{p12170.person(BENT)}{end}\r\n   \x1a"
    assert [event.number for event in read_file(FILE, content.encode("iso-8859-1")).events] == [ANNA, BENT]


STARTED, ENDED = p12170.start("20261120", "20261119"), p12170.end(1)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "the start record is missing"),
        (p12170.event(ANNA, "A01") + ENDED, r"record 1 \(type 099\): a start record is to stand first"),
        (STARTED + STARTED + ENDED, r"record 2 \(type 000\): a start record is to stand first"),
        (STARTED + p12170.event(ANNA, "A01"), "the end record is missing"),
        (STARTED + p12170.event(ANNA, "A01")[:30], r"record 2 \(type 099\): the file is cut"),
        (STARTED + ENDED, r"record 2 \(type 999\): the file does not hold as many records"),
        (STARTED + p12170.event(ANNA, "A01") * 2 + ENDED, r"record 4 \(type 999\): the file does not hold as many"),
        (STARTED + "\n" + p12170.event(ANNA, "A01")[:28] + "\n" + ENDED[:20] + "\n", r"record 3 \(type 999\)"),
        (STARTED + p12170.event(ANNA, "A01") + ENDED + STARTED, r"record 3 \(type 999\): the file goes on after"),
        (STARTED + "045" + ANNA + ENDED, r"record 2 \(type 045\): without line ends"),
        (STARTED + "\n045" + ANNA, r"record 2 \(type 045\): the file is cut"),
        (STARTED + p12170.event(ANNA, "A01") + "ABC" + ENDED, "record 3: no record begins here"),
        (STARTED + p12170.event(ANNA, "A01") + "¹²³" + ENDED, "record 3: no record begins here"),
        (STARTED + "\n" + p12170.event(ANNA, "A01") + "X\n" + ENDED, r"record 2 \(type 099\): the file is cut, or"),
        (STARTED + "\n" + p12170.event(ANNA, "A01") + "XYZ\n" + ENDED, "record 3: no record begins here"),
        (STARTED + p12170.event(ANNA, "") + ENDED, r"record 2 \(type 099\): the event code is missing"),
        (STARTED + p12170.event(ANNA[:9], "A01") + ENDED, r"record 2 \(type 099\): a personal number is unreadable"),
        (STARTED + p12170.person(ANNA, current=BENT[:9]) + ENDED, r"record 2 \(type 001\): a personal number"),
        (STARTED + p12170.former(ANNA, "") + ENDED, r"record 2 \(type 022\): a personal number is unreadable"),
        (STARTED + p12170.ended("") + ENDED, r"record 2 \(type 997\): a personal number is unreadable"),
        (p12170.start("20261131", "20261119") + ENDED, r"record 1 \(type 000\): a production day is unreadable"),
        (p12170.start("20261120", "2026ABCD") + ENDED, r"record 1 \(type 000\): a production day is unreadable"),
    ],
)
def test_a_broken_file_is_an_error_that_names_the_place_and_nobody(content: str, says: str) -> None:
    with pytest.raises(EventFileError, match=says) as caught:
        read_file(FILE, content.encode("iso-8859-1"))
    assert isinstance(caught.value, PermanentError)
    assert caught.value.code == "event_file"
    assert FILE in str(caught.value)
    assert not any(number[:6] in str(caught.value) or number[6:] in repr(caught.value) for number in PEOPLE)


def test_a_file_name_with_a_personal_number_is_masked_in_errors() -> None:
    with pytest.raises(EventFileError) as caught:
        read_file(f"PNR_{ANNA}.txt", b"")
    assert ANNA not in str(caught.value)


@pytest.mark.parametrize("form", FORMS)
def test_a_file_cut_anywhere_is_never_read(form: Form) -> None:
    content = delivery(
        "20261120", "20261119", [p12170.person(ANNA), p12170.name(ANNA), p12170.event(ANNA, "A01")], form
    )
    whole = len(content.rstrip(b"\r\n"))
    for length in range(whole):
        with pytest.raises(EventFileError):
            read_file(FILE, content[:length])
    assert read_file(FILE, content[:whole]) == read_file(FILE, content)


def test_numbers_do_not_show_in_what_is_returned() -> None:
    found = read([p12170.person(ANNA, current=BENT), p12170.ended(CLARA), p12170.refused(DORTE, "0052")])
    assert not any(number in repr(found) for number in PEOPLE)


_codes = st.sampled_from(["A01", "A06", "A13", "A21", "A33", "P02", "P03", "P11"])
_people = st.sampled_from(PEOPLE)
_text = st.text(st.sampled_from("abcÆØÅæøåéü-' 0129"), max_size=34)
_record = st.one_of(
    st.tuples(st.just("event"), _people, _codes),
    st.tuples(st.just("person"), _people, st.one_of(st.just(""), _people)),
    st.tuples(st.just("name"), _people, _text),
    st.tuples(st.just("ended"), _people, st.just("")),
    st.tuples(st.just("refused"), st.one_of(_people, st.just("0851")), st.sampled_from(["0001", "0052"])),
)
_written = {
    "event": p12170.event,
    "person": p12170.person,
    "name": lambda number, text: p12170.name(number, first=text, last=text),
    "ended": lambda number, _: p12170.ended(number),
    "refused": p12170.refused,
}


@given(
    parts=st.lists(_record, max_size=30),
    endings=st.lists(st.sampled_from(["", "\n", "\r\n", "padded\n", "padded\r\n"]), min_size=1, max_size=7),
)
def test_any_records_in_any_form_read_back_equal(parts: list[tuple[str, str, str]], endings: list[str]) -> None:
    records = [_written[what](key, value) for what, key, value in parts]
    whole = [p12170.start("20261120", "20261119"), *records, p12170.end(len(records))]
    content = ""
    for index, text in enumerate(whole):
        ending = endings[index % len(endings)]
        content += (text.rstrip(" ") if ending.startswith(("\n", "\r")) else text) + ending.removeprefix("padded")
    found = read_file(FILE, content.encode("iso-8859-1"))

    order: list[str] = []
    codes: dict[str, set[str]] = {}
    new: dict[str, str] = {}
    for what, key, value in parts:
        if what not in ("event", "person", "name"):
            continue
        if key not in order:
            order.append(key)
        if what == "event":
            codes.setdefault(key, set()).add(value)
        if what == "person" and value not in ("", key):
            new[key] = value
    assert [(event.number, event.codes, event.new_number, event.produced_on) for event in found.events] == [
        (number, frozenset(codes.get(number, ())), new.get(number), DAY) for number in order
    ]
    assert list(found.ended) == list(dict.fromkeys(key for what, key, _ in parts if what == "ended"))
    assert [(line.code, line.number) for line in found.refusals] == [
        (value, key if len(key) == 10 else None) for what, key, value in parts if what == "refused"
    ]


@given(st.binary(max_size=400), st.booleans())
def test_any_bytes_are_read_or_refused_as_a_broken_file(content: bytes, begun: bool) -> None:
    try:
        read_file(FILE, (STARTED.encode() + b"\n" if begun else b"") + content)
    except EventFileError as error:
        assert FILE in str(error)  # noqa: PT017 - both outcomes are right


@given(place=st.integers(0, 10_000), value=st.integers(0, 255), form=st.sampled_from(FORMS))
def test_one_wrong_byte_never_loses_a_person_silently(place: int, value: int, form: Form) -> None:
    content = bytearray(delivery("20261120", "20261119", [p12170.event(number, "A01") for number in PEOPLE], form))
    content[place % len(content)] = value
    try:
        found = read_file(FILE, bytes(content))
    except EventFileError:
        return
    assert len(found.events) + len(found.ended) + len(found.refusals) + sum(found.unknown.values()) == len(PEOPLE)

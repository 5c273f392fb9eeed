"""Personal and company numbers: nothing shows them, and their rules hold."""

import json
from dataclasses import dataclass
from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_assets.domain.people.numbers import Cpr, id_kind, masked_numbers, normalised

TEN_DIGITS = st.from_regex(r"[0-9]{10}", fullmatch=True)


@dataclass(frozen=True)
class Holder:
    cpr: Cpr


@given(TEN_DIGITS, st.sampled_from(["", "s", ">20", "*^30s", ".40"]))
def test_no_way_of_formatting_shows_the_digits(value: str, specification: str) -> None:
    cpr = Cpr(value)
    shown = [
        str(cpr),
        repr(cpr),
        format(cpr, specification),
        f"{cpr}",
        f"{cpr!r}",
        f"{cpr:{specification}}",
        "%s %r" % (cpr, cpr),  # noqa: UP031 - logging formats this way
        repr([cpr]),
        repr({cpr: cpr}),
        repr(Holder(cpr)),
        str(KeyError(cpr)),
        json.dumps({"cpr": cpr}, default=str),
    ]
    for text in shown:
        assert value not in text
        assert f"{value[:6]}-xxxx" in text


@given(TEN_DIGITS, TEN_DIGITS)
def test_equal_by_value(first: str, second: str) -> None:
    assert Cpr(first) == Cpr(first)
    assert hash(Cpr(first)) == hash(Cpr(first))
    assert (Cpr(first) == Cpr(second)) == (first == second)
    assert Cpr(first) != first


@pytest.mark.parametrize("text", ["", "010170123", "01017012345", "010170-1234", "010170123x", "٠١٠١٧٠١٢٣٤"])
def test_what_is_no_number_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(ValueError, match="ten digits") as caught:
        Cpr(text)
    assert text == "" or text not in str(caught.value)


@pytest.mark.parametrize(
    ("number", "born"),
    [
        ("0101000001", date(1900, 1, 1)),
        ("3112993999", date(1999, 12, 31)),
        ("0101004000", date(2000, 1, 1)),
        ("0101364000", date(2036, 1, 1)),
        ("0101374000", date(1937, 1, 1)),
        ("0101005000", date(2000, 1, 1)),
        ("0101578000", date(2057, 1, 1)),
        ("0101585000", date(1858, 1, 1)),
        ("0101998000", date(1899, 1, 1)),
        ("0101369000", date(2036, 1, 1)),
        ("0101379000", date(1937, 1, 1)),
        ("2902001000", None),  # 1900 had no leap day
        ("2902004000", date(2000, 2, 29)),
        ("3102701234", None),
        ("0113701234", None),
        ("6101701234", None),  # substitute number
        ("0101700000", None),  # incomplete: no century
    ],
)
def test_birth_date(number: str, born: date | None) -> None:
    assert Cpr(number).birth_date == born


def test_kinds_of_numbers() -> None:
    assert Cpr("0101700000").is_incomplete
    assert not Cpr("0101701234").is_incomplete
    assert Cpr("6101701234").is_substitute
    assert Cpr("9112701234").is_substitute
    assert not Cpr("3112701234").is_substitute
    assert Cpr("0101701234").birth6 == "010170"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (101701234.0, "0101701234"),
        (3112991234.0, "3112991234"),
        (25052943.0, "25052943"),
        (0.0, "0"),
        (101701234, "0101701234"),
        (" 0101701234 ", "0101701234"),
        ("101701234.0", "0101701234"),
        ("010170-1234", "010170-1234"),
        (12.5, "12.5"),
        (-1.0, "-1.0"),
        ("", None),
        ("  ", None),
        (None, None),
    ],
)
def test_normalised(raw: object, text: str | None) -> None:
    assert pl.DataFrame({"raw": [raw]}).select(normalised("raw")).item() == text


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (None, "none"),
        ("", "none"),
        ("0", "none"),
        ("7", "none"),
        ("25052943", "company"),
        ("0101701234", "person"),
        ("0101700000", "incomplete_person"),
        ("2902000000", "incomplete_person"),  # a leap day in 2000
        ("2902010000", "not_a_person_number"),
        ("6101701234", "not_a_person_number"),
        ("1019999999", "not_a_person_number"),
        ("123", "unreadable"),
        ("12.5", "unreadable"),
        ("010170-1234", "unreadable"),
        ("12345678901", "unreadable"),
    ],
)
def test_id_kind(number: str | None, kind: str) -> None:
    frame = pl.DataFrame({"number": [number]}, schema={"number": pl.String})
    assert frame.select(id_kind("number")).item() == kind


@given(st.lists(TEN_DIGITS | st.dates(date(1900, 1, 1), date(1999, 12, 31)).map(lambda day: f"{day:%d%m%y}1234")))
def test_a_complete_number_is_a_person_exactly_when_it_has_a_birth_date(numbers: list[str]) -> None:
    complete = [number for number in numbers if not Cpr(number).is_incomplete]
    frame = pl.DataFrame({"number": complete}, schema={"number": pl.String}).select(id_kind("number"))
    expected = ["person" if Cpr(number).birth_date else "not_a_person_number" for number in complete]
    assert frame.to_series().to_list() == expected


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("1705701234", "170570-xxxx"),
        ("of 170570-1234, and 170570 1234.", "of 170570-xxxx, and 170570-xxxx."),
        ("170570 - 1234, 170570\u20131234, 170570\u00a01234", "170570-xxxx, 170570-xxxx, 170570-xxxx"),
        ("zero lost: 101701234", "zero lost: 010170-xxxx"),
        ("mistyped 1799701234", "mistyped 179970-xxxx"),
        ("170570-0000", "170570-xxxx"),
        ("customer 200123, meter 60001050, CVR 12345678, EAN 571313155401234567", None),
        ("2026-03-01 10:00, 17 05 70 1234", None),
        ("", None),
    ],
)
def test_texts_are_masked_where_a_personal_number_may_stand(text: str, masked: str | None) -> None:
    assert masked_numbers(text) == (text if masked is None else masked)


@given(TEN_DIGITS, st.text(alphabet="aæ .,:;()'\"", max_size=5))
def test_no_ten_digits_survive(number: str, around: str) -> None:
    for written in (number, f"{number[:6]}-{number[6:]}", f"{number[:6]} {number[6:]}"):
        assert number[6:] not in masked_numbers(f"{around}{written}{around}").replace(number[:6], "")

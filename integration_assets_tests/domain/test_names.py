"""Names as typed and as registered: when they are the same, when they may be, and when never."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_assets.domain.people.names import (
    Likeness,
    folded,
    likeness,
    likeness_to_addressing_name,
    likeness_to_full_name,
    same_name,
)

LETTERS = "abdehinorstæøåéöüÆØÅABEHNP"
WORD = st.text(LETTERS, min_size=2, max_size=9).filter(lambda word: word.lower() != "and")
"""Words of one letter abbreviate, and one word stands between two people; here are none of these."""
HYPHENATED = st.one_of(WORD, st.builds("{}-{}".format, WORD, WORD))
MIDDLES = st.lists(st.one_of(WORD, st.sampled_from(["J.", "K", "Chr."])), max_size=3)
NAME = st.builds(lambda first, middles, last: " ".join([first, *middles, last]), HYPHENATED, MIDDLES, HYPHENATED)
TYPED = st.one_of(NAME, st.builds("{} & {}".format, WORD, NAME), st.builds("{}, {}".format, HYPHENATED, NAME))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Åse Bjørn", "  åse\tBJØRN "),
        ("A\u030ase Bjørn", "Åse Bjørn"),  # a ring of its own
        ("Aase Soendergaard", "Åse Søndergård"),
        ("Æbeløe Jæger", "Aebeloee Jaeger"),
        ("André Müller", "Andre Muller"),
        ("Göran Ärlig", "Gøran Ærlig"),
        ("Sigurður Þórsson", "Sigurdur Thorsson"),
        ("Niels O'Connor", "Niels OConnor"),
        ("Niels O’Connor", "Niels O'Connor"),
        ("Hansen, Peter", "Peter Hansen"),
        ("HANSEN,PETER JENS", "Peter Jens Hansen"),
        ("Dahl Eriksen, Dorthea", "Dorthea Dahl-Eriksen"),
        ("Hans Ole Jensen", "Hans-Ole Jensen"),
        ("Hans - Ole Jensen", "Hans-Ole Jensen"),
        ("Dorthea Dahl Eriksen", "Dorthea Dahl-Eriksen"),
        ("Peter Hansen", "Peter Jens Møller Hansen"),
        ("Peter J. Hansen", "Peter Jens Hansen"),
        ("Peter J Hansen", "Peter Jens Møller Hansen"),
        ("Peter M. Hansen", "Peter Jens Møller Hansen"),
        ("Peter J. Møller Hansen", "Peter Jens M. Hansen"),
        ("Peter Chr. Hansen", "Peter Christian Hansen"),
        ("Peter Å. Hansen", "Peter Aage Hansen"),
        ("Anne Hansen", "Anne Marie Hansen"),
        ("Peter Hansen m.fl.", "Peter Hansen"),
        ("PETER HANSEN, M. FL.", "Peter Hansen"),
        ("Peter Hansen mfl", "Peter Hansen"),
        ("Peter Hansen.", "Peter Hansen"),
        ("Cher", "CHER"),
    ],
)
def test_the_same_name(first: str, second: str) -> None:
    assert likeness(first, second) is Likeness.SAME
    assert likeness_to_addressing_name(first, second) is Likeness.SAME
    assert same_name(second, first)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("P. Hansen", "Peter Hansen"),
        ("P. J. Hansen", "Peter Jens Hansen"),
        ("Chr. Hansen", "Christian Hansen"),
        ("Hansen Peter", "Peter Hansen"),
        ("Hansen Peter J.", "Peter J. Hansen"),
        ("Hans Jensen", "Hans-Ole Jensen"),
        ("Dorthea Eriksen", "Dorthea Dahl-Eriksen"),
        ("PETER & ANNE HANSEN", "Anne Hansen"),
        ("Peter & Anne Hansen", "Peter Jens Hansen"),
        ("Peter Hansen og Anne Holm", "Anne Holm"),
        ("Peter Hansen + Anne Holm", "Peter Hansen"),
        ("Peter Hansen/Anne Holm", "Peter Hansen"),
        ("P. & A. Dahl-Eriksen", "Anne Dahl-Eriksen"),
    ],
)
def test_perhaps_the_same_name(first: str, second: str) -> None:
    assert likeness(first, second) is Likeness.POSSIBLE
    assert likeness_to_addressing_name(first, second) is Likeness.POSSIBLE
    assert not same_name(first, second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (None, None),
        ("", "Peter Hansen"),
        (" . ", "."),
        ("Peter Hansen", "Peter Hansens"),
        ("Peter Hansen", "Per Hansen"),
        ("Peter Hansen", "Anne Hansen"),
        ("Peter Hansen", "Peter Jensen"),
        ("Peter H.", "Peter Hansen"),  # a last name is never abbreviated
        ("Hansen", "Peter Hansen"),
        ("Peter", "Peter Hansen"),
        ("Peter Jens Hansen", "Peter Møller Hansen"),
        ("Peter J. Hansen", "Peter Møller Hansen"),
        ("Peter Jens Holm Hansen", "Peter Holm Jens Hansen"),
        ("Marie Hansen", "Anne Marie Hansen"),
        ("Hans-Ole Jensen", "Hans-Emil Jensen"),
        ("Dorthea Dahl", "Dorthea Dahl-Eriksen"),
        ("Dorthea Holm-Eriksen", "Dorthea Dahl-Eriksen"),
        ("Boet efter Peter Hansen", "Peter Hansen"),
        ("Kristian Hansen", "Christian Hansen"),
        ("Asger Hansen", "Åsger Hansen"),
        ("Jorgen Hansen", "Jørgen Hansen"),
        ("Peter & Anne Hansen", "Ole Hansen"),
        ("Smedjen v/Peter Holm", "Peter Hansen"),
    ],
)
def test_never_the_same_name(first: str | None, second: str | None) -> None:
    assert likeness(first, second) is Likeness.DIFFERENT
    assert likeness_to_addressing_name(first, second) is Likeness.DIFFERENT


@pytest.mark.parametrize(
    ("typed", "addressing", "expected"),
    [
        # 34 characters: the middle names are initials, or gone
        ("Anne Dorthea Frederikke Højgaard Bæk", "Anne Dorthea Frederikke H Bæk", Likeness.SAME),
        ("Anne Dorthea Højgaard Bæk-Christensen", "Anne D H Bæk-Christensen", Likeness.SAME),
        # the last name is cut off at the 34th character
        ("Anne Dorthea Frederikke Bartholomæussen", "Anne Dorthea Frederikke Bartholomæ", Likeness.SAME),
        ("Anne Dorthea Frederikke Dahl-Christensen", "Anne Dorthea Frederikke Dahl-Chris", Likeness.SAME),
        ("Anne Dorthea Frederikke Dahl Christensen", "Anne Dorthea Frederikke Dahl-Chris", Likeness.SAME),
        ("Anne Frederikke Bartholomæussen", "Anne Dorthea Frederikke Bartholomæ", Likeness.SAME),
        ("Anne Dorthea Frederikke Holm Bartholomæussen", "Anne Dorthea Frederikke Bartholomæ", Likeness.SAME),
        ("Anne Dorthea Frederikke Bartholomæ", "Anne Dorthea Frederikke Bartholomæ", Likeness.SAME),
        # the end that is left may be a middle name
        ("Anne Dorthea Frederikke Bartholomæus Holm", "Anne Dorthea Frederikke Bartholomæ", Likeness.POSSIBLE),
        ("Anne Karen Bartholomæussen", "Anne Dorthea Frederikke Bartholomæ", Likeness.DIFFERENT),
        ("Karen Dorthea Frederikke Bartholomæussen", "Anne Dorthea Frederikke Bartholomæ", Likeness.DIFFERENT),
        ("Anne Dorthea Frederikke Bartholdy", "Anne Dorthea Frederikke Bartholomæ", Likeness.DIFFERENT),
        # a shorter one is whole
        ("Anne Dorthea Bartholomæussen", "Anne Dorthea Bartholomæ", Likeness.DIFFERENT),
    ],
)
def test_the_registers_shortened_name(typed: str, addressing: str, expected: Likeness) -> None:
    assert likeness_to_addressing_name(typed, addressing) is expected


@pytest.mark.parametrize(
    ("typed", "parts", "expected"),
    [
        ("Peter Hansen", ("Peter Jens", "Møller", "Hansen"), Likeness.SAME),
        ("Peter Jens M. Hansen", ("Peter Jens", "Møller", "Hansen"), Likeness.SAME),
        ("Louis de la Cour", ("Louis", None, "de la Cour"), Likeness.SAME),
        ("Louis Cour", ("Louis", None, "de la Cour"), Likeness.POSSIBLE),
        ("Anne Dorthea Frederikke Bartholomæ", ("Anne Dorthea", "Frederikke", "Bartholomæussen"), Likeness.DIFFERENT),
        ("Hans-Ole Jensen", ("Hans-Ole", None, "Jensen"), Likeness.SAME),
        ("Hans Jensen", ("Hans-Ole", None, "Jensen"), Likeness.POSSIBLE),
        ("Peter Holm Hansen", ("Peter", "Møller", "Hansen"), Likeness.DIFFERENT),
        ("Peter Hansen", ("Peter", None, None), Likeness.DIFFERENT),
        ("Peter Hansen", (None, None, None), Likeness.DIFFERENT),
        (None, ("Peter", None, "Hansen"), Likeness.DIFFERENT),
    ],
)
def test_the_registers_own_parts_of_a_name(
    typed: str | None, parts: tuple[str | None, str | None, str | None], expected: Likeness
) -> None:
    assert likeness_to_full_name(typed, *parts) is expected


@pytest.mark.parametrize(
    ("name", "form"),
    [
        (None, ""),
        (" \t", ""),
        ("Hansen, Peter J", "peter j. hansen"),
        ("Dahl Eriksen, Hans-Ole", "hans-ole dahl-eriksen"),
        ("PETER & ANNE HANSEN m.fl.", "peter hansen & anne hansen"),
        ("Åse O'Bjørn", "aase objoern"),
    ],
)
def test_the_one_form(name: str | None, form: str) -> None:
    assert folded(name) == form


@given(TYPED)
def test_the_one_form_stays_as_it_is(name: str) -> None:
    assert folded(folded(name)) == folded(name)


@given(TYPED, TYPED)
def test_likeness_has_no_direction(first: str, second: str) -> None:
    assert likeness(first, second) is likeness(second, first)


@given(TYPED, TYPED)
def test_names_of_one_form_are_read_alike(first: str, second: str) -> None:
    assert likeness(folded(first), second) is likeness(first, second)
    assert likeness(first, folded(first)) is Likeness.SAME


@given(NAME, NAME)
def test_names_with_different_last_words_are_never_the_same(first: str, second: str) -> None:
    def last(name: str) -> str:
        return folded(name).replace("-", " ").split()[-1]

    if last(first) != last(second):
        assert likeness(first, second) is not Likeness.SAME


@given(WORD, WORD, MIDDLES, WORD)
def test_names_with_different_given_names_are_never_the_same(
    first: str, second: str, middles: list[str], last: str
) -> None:
    if folded(first) != folded(second):
        names = (" ".join([each, *middles, last]) for each in (first, second))
        assert likeness(*names) is not Likeness.SAME


@given(WORD, st.lists(WORD, max_size=3), WORD, st.data())
def test_middle_names_may_be_left_out_and_abbreviated(
    first: str, middles: list[str], last: str, data: st.DataObject
) -> None:
    kept = [name for name in middles if data.draw(st.booleans())]
    shortened = [f"{name[0]}." if data.draw(st.booleans()) else name for name in kept]
    in_full, typed = (" ".join([first, *between, last]) for between in (middles, shortened))
    assert likeness(in_full, typed) is Likeness.SAME


@given(TYPED, NAME)
def test_a_cut_last_name_only_adds_to_what_fits(typed: str, addressing: str) -> None:
    assert likeness_to_addressing_name(typed, addressing) >= likeness(typed, addressing)

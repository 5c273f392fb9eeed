"""Ways of typing that washing understands, and those it must not take for an address."""

import pytest

from integration_assets.domain.addresses.washing import datavask_answer
from integration_assets_tests.domain.washing.small_register import found, house, register, uuid, washed


@pytest.mark.parametrize(
    ("typed", "edits"),
    [("Storer Glasvej", 1), ("nStore Glasvej", 1), ("StoreGlsvej", 1), ("St. Galsvej", 2), ("Stroe Glasvej", 2)],
)
def test_an_error_in_a_word_that_has_an_abbreviation_is_repaired(typed: str, edits: int) -> None:
    row = washed(register(house("Store Glasvej"), house("Havnegade")), f"{typed} 5, 7600 Struer")
    assert (row["category"], row["method"], row["unit_id"]) == ("B", "spelling", uuid(100))
    assert row["differences"]["street"] == edits


@pytest.mark.parametrize(
    ("typed", "edits"), [("Rugåådsvej", 1), ("Ruægdrsvej", 3), ("Rguårdsvej", 2), ("Rugaardvej", 1)]
)
def test_danish_letters_count_as_one_letter_or_as_the_letters_that_stand_for_them(typed: str, edits: int) -> None:
    row = washed(register(house("Rugårdsvej"), house("Havnegade")), f"{typed} 5, 7600 Struer")
    assert (row["category"], row["unit_id"], row["differences"]["street"]) == ("B", uuid(100), edits)


def test_two_swaps_are_four_edits_and_too_many() -> None:
    index = register(house("Batsebjerg"), house("Havnegade"))
    assert found(index, "Btasebjerg 5, 7600 Struer")[0] == "B"
    assert found(index, "Btasebjegr 5, 7600 Struer")[0] == "C"


def test_a_name_between_two_streets_is_no_repair_of_either() -> None:
    """One is nearest as it stands, the other with its words written out."""
    index = register(house("Gammel Byvej"), house("Gl. Nyvej"))
    assert found(index, "Gl. Yvej 5, 7600 Struer")[0] == "C"


def test_a_name_that_is_another_one_with_letters_swapped_is_no_repair() -> None:
    index = register(house("Snelunden"), house("Stenlunden"), house("Havnegade"))
    assert found(index, "Stnelunden 5, 7600 Struer")[0] == "C"
    assert found(index, "Snellunden 5, 7600 Struer") == ("B", "spelling", uuid(100))
    # Letters swapped in the nearest name as well, which then stays the nearest.
    stations = register(house("Østre Stationsvej"), house("Vestre Stationsvej"))
    assert found(stations, "Østre Sttaionsvej 5, 7600 Struer") == ("B", "spelling", uuid(100))


def test_a_repaired_street_yields_to_the_same_name_in_another_postcode_of_the_district() -> None:
    houses = [house("Kalkvej", postcode="1365", district="København K")]
    assert found(register(*houses), "Havevej 5, 1365 København K")[:2] == ("B", "spelling")
    houses.append(house("Havevej", postcode="1123", district="København K"))
    row = washed(register(*houses), "Havevej 5, 1365 København K")
    assert (row["category"], [hit["unit_id"] for hit in row["candidates"]][:1]) == ("C", [uuid(100)])


@pytest.mark.parametrize("country", [", Danmark", " Danmark", ", DK", " DK", " dk.", " (Danmark)", ", DENMARK"])
def test_the_country_at_the_end_is_no_part_of_the_address(country: str) -> None:
    index = register(house("Nygade"))
    assert found(index, f"Nygade 5, 7600 Struer{country}") == ("A", "exact", uuid(100))
    assert found(index, f"Nygde 5, Struer{country}") == ("B", "district", uuid(100))
    assert found(index, f"Danmark 5, 7600 Struer{country}")[0] == "C"


def test_the_country_before_the_postcode_is_none_either_but_a_letter_is() -> None:
    index = register(house("Nygade", "5"), house("Nygade", "5D"))
    assert found(index, "Nygade 5, DK-7600 Struer")[2] == found(index, "Nygade 5, DK 7600 Struer")[2] == uuid(100)
    assert found(index, "Nygade 5 D 7600 Struer") == ("A", "exact", uuid(101))


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("st1", 100), ("st.1", 100), ("st 1", 100), ("ST. 01", 100), ("stuen 1", 100), ("st4b", 101), ("kl3", 102),
        ("kld3", 102), ("kælder 3", 102), ("kld. dør nr. 3", 102), ("2/tv", 103), ("2. et. tv", 103), ("(2. tv)", 103),
        ("2 t v", 103), ("1. midt", 104), ("1. mf.", 104), ("1 m f", 104), ("midt", None), ("12 st", None),
    ],
)  # fmt: skip
def test_forms_of_floor_and_door(unit: str, expected: int | None) -> None:
    index = register(house("Nygade", "5", ("st", "1"), ("st", "4b"), ("kl", "3"), ("2", "tv"), ("1", "mf")))
    category, _, found_unit = found(index, f"Nygade 5, {unit}, 7600 Struer")
    assert (category, found_unit) == (("A", uuid(expected)) if expected else ("C", None))


def test_a_slash_between_number_and_floor_is_no_range_of_numbers() -> None:
    index = register(house("Nygade", "5", ("2", "tv"), (None, "7")))
    assert found(index, "Nygade 5/2 tv, 7600 Struer") == ("A", "exact", uuid(100))
    assert found(index, "Nygade 5 - 2. tv, 7600 Struer") == ("A", "exact", uuid(100))
    for span in ("5-7", "5/7", "5 - 7", "5 -7"):
        assert found(index, f"Nygade {span}, 7600 Struer")[0] == "C", span
    assert found(index, "Nygade 5 -07, 7600 Struer") == ("A", "exact", uuid(101))


def test_a_town_may_begin_like_a_floor() -> None:
    index = register(house("Nygade", town="Store Rise"), house("Nygade", "7", ("st", None), town="Store Rise"))
    assert found(index, "Nygade 5, St. Rise, 7600 Struer") == ("B", "exact", uuid(100))
    assert found(index, "Nygade 7, st., St. Rise, 7600 Struer") == ("B", "exact", uuid(101))
    assert found(index, "Nygade 7, st., 7600 Struer") == ("A", "exact", uuid(101))
    rise = house("Nygade", "7", ("st", None), town="Rise", road="other")
    assert found(register(rise), "Nygade 7, st. Rise, 7600 Struer") == ("A", "exact", uuid(100))
    # With both towns in the postal code "st." stays the floor.
    both = register(rise, house("Nygade", "7", town="Store Rise"))
    assert found(both, "Nygade 7, st. Rise, 7600 Struer") == ("A", "exact", uuid(100))


def test_a_letter_at_the_number_is_not_dropped_as_a_typing_error() -> None:
    """ "l4" may be 14: only a street that is called so makes it a number."""
    index = register(house("Nygade", "4"), house("Vej A", "4"))
    row = washed(index, "Nygade l4, 7600 Struer")
    assert (row["category"], row["unit_id"], row["candidates"][0]["unknown_tokens"]) == ("C", None, ["l"])
    assert found(index, "Nygade4, 7600 Struer") == ("A", "exact", uuid(100))
    assert found(index, "Vej A4, 7600 Struer") == ("A", "exact", uuid(101))


def test_datavask_shows_the_words_as_they_were_typed() -> None:
    index = register(house("Gammel Struer Alle", "5"))
    [result] = datavask_answer(washed(index, "Att. Jens, Gl. STRUER Alle 5, 7600 Struer"))["resultater"]
    parsed = result["vaskeresultat"]["parsetadresse"]
    assert (parsed["vejnavn"], parsed["postnrnavn"]) == ("Att. Jens, Gl. STRUER Alle", "Struer")
    assert result["vaskeresultat"]["ukendtetokens"] == ["Att", "Jens"]

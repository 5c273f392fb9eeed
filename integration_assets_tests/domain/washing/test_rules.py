"""The rules of washing, one by one, on small registers."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from integration_assets.cache.washing_store import NoWashingIndex, open_washing_index, write_washing_index
from integration_assets.domain.addresses.register import ACCESS, PLACES, UNITS, RegisterFrames
from integration_assets.domain.addresses.washing import (
    WashingIndex,
    datavask_answer,
    wash,
    wash_components,
)
from integration_assets_tests.domain.washing.small_register import found, house, register, uuid, washed

CHANGED = datetime(2011, 3, 1, tzinfo=UTC)


def test_a_text_without_house_number_is_c() -> None:
    """DAWA, issue 867."""
    row = washed(register(house("Remisevej", "1")), "Remisevej 7600 Struer")
    assert (row["category"], row["outcome"], row["unit_id"]) == ("C", "candidates", None)
    assert [hit["unit_id"] for hit in row["candidates"]] == [uuid(100)]


def test_another_street_with_another_number_is_not_found_instead() -> None:
    """DAWA, issue 468."""
    row = washed(register(house("Rådhus Allé", "9")), "Rådhusstrædet 4, 7600 Struer")
    assert (row["category"], row["unit_id"]) == ("C", None)


def test_the_address_that_has_the_text_today_comes_before_one_that_had_it() -> None:
    """DAWA, issue 544."""
    index = register(
        house("Vestergade", "17", road="moved", id="a", valid_to=CHANGED),
        house("Nygade", "1", road="moved", id="a", valid_from=CHANGED),
        house("Vestergade", "17", road="present"),
    )
    assert found(index, "Vestergade 17, 7600 Struer") == ("A", "exact", uuid(101))


def test_versions_of_one_address_are_one_answer() -> None:
    """DAWA, issue 881."""
    index = register(
        house("Olaf Rudes Vej", "11", id="a", valid_to=CHANGED),
        house("Olaf Rudes Vej", "11", id="a", valid_from=CHANGED),
    )
    assert found(index, "Olaf Rudes Vej 11, 7600 Struer") == ("A", "exact", uuid(100))


def test_a_former_name_finds_the_present_address() -> None:
    index = register(
        house("Gammeltorv", road="r", id="a", valid_to=CHANGED), house("Nytorv", road="r", id="a", valid_from=CHANGED)
    )
    row = washed(index, "Gammeltorv 5, 7600 Struer")
    assert (row["category"], row["method"], row["unit_id"]) == ("A", "historical", uuid(100))
    assert (row["matched_text"], row["current_text"]) == ("Gammeltorv 5, 7600 Struer", "Nytorv 5, 7600 Struer")
    assert (row["matched"]["valid_to"], row["current"]["valid_to"]) == (CHANGED, None)


def test_a_former_number_without_letter_may_be_the_forgotten_letter_of_another_house() -> None:
    former = house("Søndergade", "27", id="a", valid_to=CHANGED)
    present = house("Søndergade", "27A", id="a", valid_from=CHANGED)
    alone = register(former, present, house("Søndergade", "27B", status=3, id="b", valid_to=CHANGED))
    assert found(alone, "Søndergade 27, 7600 Struer") == ("A", "historical", uuid(100))
    two = register(former, present, house("Søndergade", "27B"))
    assert found(two, "Søndergade 27, 7600 Struer") == ("C", "none", None)
    assert found(two, "Søndergade 27 a, 7600 Struer") == ("A", "exact", uuid(100))


def test_an_existing_address_comes_before_a_closed_one_with_its_text() -> None:
    index = register(house("Nygade", road="a", status=4), house("Nygade", road="b"))
    assert found(index, "Nygade 5, 7600 Struer") == ("A", "exact", uuid(101))


def test_two_existing_addresses_with_one_text_are_ambiguous_until_the_town_is_named() -> None:
    index = register(house("Nygade", road="a", town="Hjerm"), house("Nygade", road="b", town="Bur"))
    assert washed(index, "Nygade 5, 7600 Struer")["outcome"] == "ambiguous"
    assert found(index, "Nygade 5, Bur, 7600 Struer") == ("A", "exact", uuid(101))
    assert found(index, "Nygade 5, Burr, 7600 Struer") == ("B", "exact", uuid(101))


def test_only_the_only_nearest_street_repairs_a_name() -> None:
    index = register(house("Elmevej"), house("Almevej"), house("Havnegade"))
    assert found(index, "Hanvegade 5, 7600 Struer") == ("B", "spelling", uuid(102))
    assert found(index, "Ulmevej 5, 7600 Struer")[0] == "C"
    assert found(index, "Havnebakken 5, 7600 Struer")[0] == "C"


@pytest.mark.parametrize(
    "typed",
    [
        "Gl. Kongevej 5",
        "Gammel Kongevej 5",
        "Gammelkongevej 5",
        "gl kongevj 5",
        "Gl.Kongevej5",
        "Gammel Kongevej nr. 5",
    ],
)
def test_words_may_be_abbreviated(typed: str) -> None:
    index = register(house("Gammel Kongevej"), house("Kongevej"))
    category, _, unit = found(index, f"{typed}, 7600 Struer")
    assert (category in "AB", unit) == (True, uuid(100))


def test_two_names_with_one_key_are_told_apart_by_their_spelling() -> None:
    index = register(house("Gl Vej", road="a"), house("Gammel Vej", road="b"))
    assert found(index, "Gl. Vej 5, 7600 Struer") == ("A", "exact", uuid(100))
    assert found(index, "Gammel Vej 5, 7600 Struer") == ("A", "exact", uuid(101))


def test_short_and_full_name_mean_the_same_street() -> None:
    index = register(house("Borgmester Christiansens Gade", short="Borgm Christiansensg"))
    assert found(index, "Borgm Christiansensg 5, 7600 Struer") == ("A", "exact", uuid(100))
    assert found(index, "Borgmester Christiansens Gade 5, 7600 Struer") == ("A", "exact", uuid(100))


def test_the_district_stands_in_for_a_missing_postcode_but_not_for_a_wrong_one() -> None:
    index = register(house("Nygade"), house("Torvet", postcode="8000", district="Aarhus C"))
    assert found(index, "Nygade 5, Struer") == ("B", "district", uuid(100))
    row = washed(index, "Nygade 5, 8000 Struer")
    assert (row["category"], [hit["unit_id"] for hit in row["candidates"]]) == ("C", [uuid(100)])


def test_a_district_that_contradicts_the_postcode_is_ambiguous_when_both_have_the_address() -> None:
    index = register(house("Nygade", road="a"), house("Nygade", road="b", postcode="8000", district="Aarhus C"))
    assert found(index, "Nygade 5, 8000 Struer")[0] == "C"
    assert found(index, "Nygade 5, 8000 Aarhus") == ("B", "exact", uuid(101))


def test_a_street_name_may_hold_a_number() -> None:
    index = register(house("Vej 12", "5"), house("10. Februar Vej", "3"), house("Vej 5", "7"))
    assert found(index, "Vej 5 7, 7600 Struer") == ("A", "exact", uuid(102))
    assert found(index, "Vej 12 5, 7600 Struer") == ("A", "exact", uuid(100))
    assert found(index, "10. februar vej 3, 7600 Struer") == ("A", "exact", uuid(101))


def test_a_block_without_floor_is_an_access_address_and_no_unit() -> None:
    index = register(house("Nygade", "5", ("st", "tv"), ("1", "tv")))
    row = washed(index, "Nygade 5, 7600 Struer")
    assert (row["category"], row["outcome"], row["unit_id"], row["access_id"]) == ("C", "access_address", None, uuid(1))
    assert {hit["unit_id"] for hit in row["candidates"]} == {uuid(100), uuid(101)}
    assert washed(index, "Nygade 5, 1. tv, 7600 Struer", "access")["category"] == "C"


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("2tv", 100), ("2. sal tv", 100), ("02.TV", 100), ("2-tv", 100), ("2 t.v.", 100), ("STTV", 101), ("st. tv",
        101), ("stuen tv", 101), ("kld", 102), ("kælderen", 102), ("kl.", 102), ("-0121", 103), ("dør 121", 103),
        ("121", 103), ("4", 104), ("4.", 104), ("9", 105), ("9.", None), ("3 tv", None), ("2", None),
    ],
)  # fmt: skip
def test_forms_of_floor_and_door(unit: str, expected: int | None) -> None:
    flats = (("2", "tv"), ("st", "tv"), ("kl", None), (None, "121"), ("4", None), (None, "9"))
    category, _, found_unit = found(register(house("Nygade", "5", *flats)), f"Nygade 5, {unit}, 7600 Struer")
    assert (category, found_unit) == (("A", uuid(expected)) if expected else ("C", None))


def test_a_number_that_may_be_floor_or_door_is_neither_where_both_exist() -> None:
    index = register(house("Nygade", "5", ("4", None), (None, "4")))
    row = washed(index, "Nygade 5, 4, 7600 Struer")
    assert (row["category"], row["outcome"], len(row["candidates"])) == ("C", "access_address", 2)
    assert found(index, "Nygade 5, 4., 7600 Struer") == ("A", "exact", uuid(100))


@pytest.mark.parametrize("typed", ["c/o Jensen, Nygade 5", "Jens Jensen Nygade 5", "Nygade 5-7", "Nygade 5, att. Jens"])
def test_words_that_belong_nowhere_make_it_c_with_a_candidate(typed: str) -> None:
    row = washed(register(house("Nygade")), f"{typed}, 7600 Struer")
    assert (row["category"], row["unit_id"]) == ("C", None)
    assert row["candidates"][0]["unit_id"] == uuid(100)
    assert row["candidates"][0]["unknown_tokens"] != []


def test_codes_come_before_names_and_text_after_them() -> None:
    index = register(house("Nygade", "5B", ("1", "tv")), house("Torvet", "5B", street_code="0043"))
    rows = pl.DataFrame(
        [
            {"street_code": "42", "house_number": "005", "house_letter": "b", "floor": "01", "door": "TV"},
            {"street_code": "9999", "house_number": "5", "house_letter": "B", "floor": "1", "door": "tv"},
            {"street_code": "42", "house_number": "5", "house_letter": "B", "floor": "9", "door": "tv"},
        ]
    ).with_columns(postcode=pl.lit("7600"), street_name=pl.lit("Nygdae"), city=pl.lit("Struer"))
    units = wash_components(rows, index)
    assert units["unit_id"].to_list() == [uuid(100), uuid(100), None]
    assert units["method"].to_list() == ["components", "spelling", "spelling"]
    assert units["outcome"].to_list() == ["unit", "unit", "access_address"]
    houses = wash_components(rows, index, "access")
    assert houses["access_id"].to_list() == [uuid(1)] * 3
    assert houses["method"].to_list() == ["components", "spelling", "components"]


def test_the_answer_in_the_form_of_datavask() -> None:
    index = register(house("Eksempelgade", "12B", ("2", "tv"), status=4))
    answer = datavask_answer(washed(index, "Eksempelgde 12b, 2. tv, 7600 Struer"), base_url="https://example.org")
    [result] = answer["resultater"]
    assert answer["kategori"] == "B"
    assert result["vaskeresultat"]["forskelle"] == {
        "vejnavn": 1, "husnr": 0, "postnr": 0, "postnrnavn": 0, "etage": 0, "dør": 0,
    }  # fmt: skip
    assert result["vaskeresultat"]["afstand"] == 1
    assert result["vaskeresultat"]["parsetadresse"] == {
        "vejnavn": "Eksempelgde", "husnr": "12B", "postnr": "7600", "postnrnavn": "Struer", "etage": "2", "dør": "tv",
    }  # fmt: skip
    assert result["adresse"]["status"] == 2  # closed, on DAWA's scale
    assert result["adresse"]["adgangsadresseid"] == uuid(1)
    assert result["aktueladresse"]["href"] == f"https://example.org/adresser/{uuid(100)}"


def test_a_stored_index_answers_as_before(tmp_path: Path) -> None:
    index = register(house("Nygade", "5", ("st", "tv"), (None, "mf12")), house("Torvet"))
    write_washing_index(index, tmp_path / "index")
    write_washing_index(index, tmp_path / "index")
    texts = pl.Series(["Nygade 5, st tv, 7600 Struer", "Nygade 5, mf12, 7600 Struer", "Torvt 5, 7600 Struer", "x"])
    assert wash(texts, open_washing_index(tmp_path / "index")).equals(wash(texts, index))
    with pytest.raises(NoWashingIndex, match="Load the address register"):
        open_washing_index(tmp_path / "nothing")


def test_an_empty_register_and_an_empty_list_answer_nothing() -> None:
    empty = WashingIndex.build(RegisterFrames(1, *(pl.DataFrame(schema=schema) for schema in (PLACES, ACCESS, UNITS))))
    assert washed(empty, "Nygade 5, 7600 Struer")["outcome"] == "none"
    assert wash(pl.Series([], dtype=pl.String), empty).is_empty()

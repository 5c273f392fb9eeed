"""The town: the same by seed, invented numbers that are nobody's, every planted kind, a truth the tables agree with."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from psycopg.rows import dict_row

from integration_assets.cache.engine import embedded_server_url
from integration_assets.sandbox import names, town, town_kinds
from integration_assets.sandbox.kmd_ee_tables import connect
from integration_assets.sandbox.store import Store
from integration_assets.sandbox.verify_compare import Comparison

Json = dict[str, Any]
BASE_DAY = "2026-03-01"


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    data_dir: Path = tmp_path_factory.mktemp("town")
    return embedded_server_url(data_dir, "sandbox"), embedded_server_url(data_dir, "kmd_ee")


@pytest.fixture(scope="module")
def built(urls: tuple[str, str]) -> Iterator[tuple[Store, str, Json]]:
    store = Store(urls[0])
    yield store, urls[1], town.build(store, urls[1], 2000, 3)
    store.close()


@pytest.fixture(scope="module")
def truth(built: tuple[Store, str, Json]) -> Json:
    return town.truth(built[0])


def rows(url: str, statement: str) -> list[Json]:
    with connect(url) as connection:
        return list(connection.cursor(row_factory=dict_row).execute(statement.encode()))


def century(number: str) -> int:
    """The year of birth by the rule of the seventh digit."""
    seventh, year = number[6], int(number[4:6])
    if seventh in "0123":
        return 1900 + year
    if seventh in "49":
        return (2000 if year <= 36 else 1900) + year
    return (2000 if year <= 57 else 1800) + year


def test_the_town_has_the_size_asked_for_and_says_its_base_day(built: tuple[Store, str, Json]) -> None:
    _, url, summary = built
    assert summary["base_day"] == BASE_DAY
    assert summary["customers"] == 2000
    assert rows(url, 'select count(*) as n, count(distinct "Kundenr") as keys from dbo."Kunde"') == [
        {"n": 2000, "keys": 2000}
    ]


def test_personal_numbers_are_dated_right_and_fail_modulus_11(built: tuple[Store, str, Json]) -> None:
    weights = (4, 3, 2, 7, 6, 5, 4, 3, 2, 1)
    persons = built[0].load("register:person")
    assert len(persons) > 2000
    for number, person in persons.items():
        born = date.fromisoformat(person["birth_date"])
        assert born == date(century(number), int(number[2:4]), int(number[:2]))
        assert 1900 < born.year < 2007
        assert (born.month, born.day) != (1, 1)
        assert int(number[9]) % 2 == (1 if person["gender"] == "M" else 0)
        assert sum(w * int(d) for w, d in zip(weights, number, strict=True)) % 11 != 0


def test_company_numbers_fail_their_check(built: tuple[Store, str, Json]) -> None:
    weights = (2, 7, 6, 5, 4, 3, 2, 1)
    for number in built[0].load("register:company"):
        assert len(number) == 8
        assert number[0] != "0"
        assert sum(w * int(d) for w, d in zip(weights, number, strict=True)) % 11 != 0


def test_no_typed_number_that_is_complete_passes_a_check(built: tuple[Store, str, Json]) -> None:
    weights = (4, 3, 2, 7, 6, 5, 4, 3, 2, 1)
    typed = rows(built[1], 'select "PersonnrSEnr" as main, "LigestPersonnr" as co from dbo."Kunde"')
    for number in (str(int(value)) for row in typed for value in row.values()):
        text = number.zfill(10)
        if len(number) in (9, 10) and not text.endswith("0000") and int(text[2:4]) <= 12:
            assert sum(w * int(d) for w, d in zip(weights, text, strict=True)) % 11 != 0


@pytest.mark.parametrize("customers", [200, 2000, 100_000])
def test_the_plan_has_every_kind(customers: int) -> None:
    plan = town_kinds.planned(customers)
    assert len(plan) == customers
    assert {kind.name for kind in town_kinds.KINDS} | {town_kinds.ORDINARY} == set(plan)


@pytest.mark.parametrize("customers", [30, 120, 150, 199])
def test_a_small_plan_goes_without_the_trials_of_completion(customers: int) -> None:
    plan = town_kinds.planned(customers)
    assert len(plan) == customers
    assert not {kind.name for kind in town_kinds.KINDS if kind.smallest} & set(plan)


@pytest.mark.parametrize(
    ("parts", "written"),
    [
        (("Anne", "Bech Krogh", "Hansen"), "Anne Bech Krogh Hansen"),
        (("Anne Marie", "Højgaard Østergård", "Kristensen"), "Anne Marie H Ø Kristensen"),
        (("Anne Dorthea Frederikke", "Højgaard Bang", "Nielsen"), "Anne Dorthea Frederikke Nielsen"),
        (("Anne Dorthea Frederikke", None, "Bartholomæussen"), "Anne Dorthea Frederikke Bartholomæ"),
    ],
)
def test_a_name_for_letters_has_no_more_than_34_characters(parts: tuple[str, str | None, str], written: str) -> None:
    assert names.addressing_name(*parts) == written


def test_every_kind_is_planted(built: tuple[Store, str, Json]) -> None:
    planted = set(built[2]["kinds"])
    assert {kind.name for kind in town_kinds.KINDS} <= planted


def test_every_reason_for_a_refusal_occurs(truth: Json) -> None:
    assert {reason for _, _, reason in truth["rejections"]} == {
        "unreadable_id_number",
        "no_id_number",
        "not_a_person_number",
        "person_not_in_register",
        "company_not_in_register",
        "completion_no_match",
        "completion_ambiguous",
        "completion_inactive_only",
        "co_completion_no_match",
        "co_completion_ambiguous",
        "co_completion_inactive_only",
        "co_person_not_in_register",
        "co_unreadable_id_number",
        "consumption_address_not_found",
        "billing_address_not_found",
        "alternative_address_not_found",
        "no_meter",
    }


def test_a_lost_leading_zero_and_the_forms_of_id_numbers(built: tuple[Store, str, Json]) -> None:
    numbers = rows(built[1], 'select "PersonnrSEnr" as n from dbo."Kunde"')
    lengths = Counter(len(str(int(row["n"]))) for row in numbers)
    assert {1, 5, 8, 9, 10} == set(lengths)
    assert any(isinstance(row["n"], float) for row in numbers)


def test_the_truth_has_exactly_the_rows_of_the_window_that_are_in_order(
    built: tuple[Store, str, Json], truth: Json
) -> None:
    """The window: moved in by the base day, not moved out for more than 35 days, not in settlement group 999."""
    window = rows(
        built[1],
        'select "Kundenr"::int::text as n from dbo."Kunde" join dbo."Forbrugssted" using ("ForbrugsstedID")'
        f" where \"Tilflytningsdato\" <= '{BASE_DAY}' and \"Fraflytningsdato\" >= date '{BASE_DAY}' - 35"
        ' and "AfregningsgrpNr" <> 999',
    )
    withheld = {key for asset, key, _ in truth["rejections"] if asset == "resolved/customers" and "/" not in key}
    assert set(truth["accounts"]) == {row["n"] for row in window} - withheld
    assert set(truth["agreements"]) == set(truth["accounts"])


def test_nothing_ends_near_the_edge_of_the_window(built: tuple[Store, str, Json]) -> None:
    """So that the truth is the same whichever window of 15 to 59 days the product reads."""
    near = rows(
        built[1],
        'select 1 from dbo."Kunde" where "Fraflytningsdato" < date \'2026-03-01\' - 14'
        " and \"Fraflytningsdato\" > date '2026-03-01' - 60",
    )
    assert near == []


def test_agreements_hold_the_installations_that_had_a_meter_meanwhile(
    built: tuple[Store, str, Json], truth: Json
) -> None:
    """Computed a second time, by SQL."""
    held = rows(
        built[1],
        'select k."Kundenr"::int::text as customer, t."InstalNummer"::text as installation'
        ' from dbo."Kunde" k join dbo."TrefInstallation" t using ("ForbrugsstedID")'
        ' join dbo."TrefMaaler" m using ("InstallationID")'
        ' where m."DatoFra" < k."Fraflytningsdato" and k."Tilflytningsdato" < m."DatoTil" group by 1, 2 order by 2',
    )
    expected: dict[str, list[str]] = defaultdict(list)
    for row in held:
        expected[row["customer"]].append(row["installation"])
    for number, agreement in truth["agreements"].items():
        assert agreement["installations"] == expected[number], number
        assert agreement["product_count"] == len(expected[number])


def test_an_installation_belongs_to_who_has_the_place_today(built: tuple[Store, str, Json], truth: Json) -> None:
    today = rows(
        built[1],
        'select t."InstalNummer"::text as installation, k."Kundenr"::int::text as customer'
        ' from dbo."Kunde" k join dbo."TrefInstallation" t using ("ForbrugsstedID")'
        f" where k.\"Tilflytningsdato\" <= '{BASE_DAY}' and k.\"Fraflytningsdato\" > '{BASE_DAY}'",
    )
    owners = {row["installation"]: row["customer"] for row in today if row["customer"] in truth["accounts"]}
    ended_meters = {number for number, one in truth["installations"].items() if one["ended"]}
    for number, owner in owners.items():
        if number not in ended_meters:
            assert truth["installations"][number]["owner"] == owner


def test_addresses_of_the_truth_exist_in_the_register(built: tuple[Store, str, Json], truth: Json) -> None:
    units, access = built[0].load("register:unit"), built[0].load("register:access")
    for account in truth["accounts"].values():
        assert account["address_id"] is None or account["address_id"] in units or account["address_id"] in access
    assert {agreement["billing_address_id"] for agreement in truth["agreements"].values()} <= {None, *units}
    assert all(address["ava_name"] for address in truth["addresses"].values())


def test_a_small_town_builds_the_same_twice_and_another_seed_differs(urls: tuple[str, str], tmp_path: Path) -> None:
    sandbox, kmd_ee = embedded_server_url(tmp_path, "sandbox"), embedded_server_url(tmp_path, "kmd_ee")
    store = Store(sandbox)
    seen = []
    for seed in (5, 5, 6):
        town.build(store, kmd_ee, 200, seed)
        source = {name: rows(kmd_ee, f'select * from dbo."{name}" order by 1') for name in ("Kunde", "TrefMaaler")}
        seen.append((town.truth(store), source, dict(store.load("register:person"))))
    reopened = Store(sandbox)
    assert town.truth(reopened) == seen[2][0]
    reopened.close()
    store.close()
    assert seen[0] == seen[1]
    assert seen[1] != seen[2]
    assert urls[0] != sandbox


def test_a_comparison_names_what_is_missing_surplus_double_and_different_without_personal_numbers() -> None:
    comparison = Comparison("LoRa")
    number = "3112990000"
    expected: dict[tuple[str, ...], Json] = {("1",): {"a": 1}, ("2",): {"a": 1}, (number,): {"a": 1}}
    comparison.objects("thing", expected, [(("1",), {"a": 2}), (("1",), {"a": 2}), (("3",), {})])
    assert [str(each) for each in comparison.differences] == [
        "LoRa thing 1: stands there 2 times",
        "LoRa thing 1: a is 2 and should be 1",
        "LoRa thing 2: is missing",
        "LoRa thing 3: stands there and should not",
        "LoRa thing 311299-xxxx: is missing",
    ]

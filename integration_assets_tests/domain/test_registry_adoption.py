"""Which objects of a registry are ours, which of several stays, and what is wrong in them: by hand-made registries."""

from datetime import date
from typing import Any

import polars as pl

from integration_assets.domain.registry.adoption import Source, match, slots
from integration_assets.domain.registry.adoption_faults import KINDS, faults
from integration_assets_tests.domain.adoption_scene import (
    CO,
    CUSTOMER,
    IDS,
    LATER,
    Scene,
    customer,
    party_ids,
    source,
    uid,
)

ANNA, BO, CARL = "0102804411", "0203704422", "0304604433"
FIRM = "25112233"
NOBODY_STANDS = pl.Series("registry_id", [], dtype=pl.String)


def matched(
    scene: Scene, rows: Source, standing: list[str] | None = None
) -> dict[str, tuple[str | None, str | None, bool]]:
    """(object id, business key, superseded) by uuid."""
    stands = pl.Series("registry_id", standing or [], dtype=pl.String)
    frame = match(scene.found(), rows, IDS, party_ids, stands)
    columns = frame.select("registry_id", "object_id", "business_key", "superseded")
    return {key: (object_id, number, superseded) for key, object_id, number, superseded in columns.iter_rows()}


def told(scene: Scene, rows: Source) -> set[tuple[str, str]]:
    """(kind, uuid) of all faults."""
    found, named = scene.found(), slots(rows, party_ids)
    adopted = match(found, rows, IDS, party_ids, NOBODY_STANDS)
    frame = faults(found, adopted, rows, named, IDS, utility="Varme")
    assert set(frame["kind"]) <= set(KINDS)
    return set(frame.select("kind", "registry_id").iter_rows())


def of(kind: str, key: str) -> str:
    return str(IDS.of(kind, key))


def household() -> Scene:
    """Anna in customer relation 1001, with an installation and an agreement."""
    scene = Scene()
    scene.person(1, ANNA)
    scene.relation(2, 1001)
    scene.role(3, CUSTOMER, 1, 2)
    scene.installation(4, 4711)
    scene.agreement(5, 2, [4])
    return scene


ROWS = source([customer("1001", ANNA)], {"4711": "1001"})


def test_each_object_is_known_by_the_key_that_a_run_computes_its_id_from() -> None:
    scene = household()
    scene.company(6, FIRM)
    assert matched(scene, ROWS) == {
        uid(1): (of("person", ANNA), "1001", False),
        uid(2): (of("customer_relation", "1001"), "1001", False),
        uid(3): (of("customer_role", f"1001|{CUSTOMER}|{of('person', ANNA)}"), "1001", False),
        uid(4): (of("installation", "4711"), "4711", False),
        uid(5): (of("agreement", "1001"), "1001", False),
        uid(6): (of("company", FIRM), "1", False),
    }


def test_of_copies_the_one_that_most_refer_to_stays() -> None:
    scene = household()
    scene.person(0, ANNA, since=LATER)
    scene.relation(10, 1001, since=LATER)
    scene.role(11, CUSTOMER, 0, 10)
    scene.role(12, CO, 0, 10)
    scene.installation(0x0F, 4711)
    rows = matched(scene, source([customer("1001", ANNA, ANNA)], {"4711": "1001"}))
    assert [rows[uid(each)][2] for each in (0, 1)] == [False, True]
    assert [rows[uid(each)][2] for each in (2, 10)] == [False, True], "both are referred to twice: the older stays"
    assert [rows[uid(each)][2] for each in (4, 0x0F)] == [False, True]
    assert rows[uid(1)][0] == rows[uid(0)][0] == of("person", ANNA)


def test_a_copy_to_which_no_role_leads_gives_way_too() -> None:
    """KMD EE has no whole number: only a role tells that it knows her."""
    scene = household()
    scene.person(0, ANNA)
    rows = matched(scene, source([customer("1001", f"{ANNA[:6]}0000")]))
    assert (rows[uid(1)][2], rows[uid(0)]) == (False, (of("person", ANNA), "1001", True))


def test_a_party_in_the_class_of_the_other_kind_gives_way_also_where_it_stands_alone() -> None:
    """Adopted it would be put in another class under the same uuid."""
    scene = Scene()
    scene.person(1, FIRM)
    scene.company(2, ANNA)
    scene.person(3, BO)
    scene.company(4, BO)
    for number, party in ((11, 1), (12, 2), (13, 4)):
        scene.relation(number, 1000 + number)
        scene.role(number + 10, CUSTOMER, party, number)
    rows = source([customer("1011", FIRM), customer("1012", ANNA), customer("1013", BO)])
    parties = matched(scene, rows, standing=[uid(4)])
    assert parties[uid(1)] == (of("company", FIRM), "1011", True)
    assert parties[uid(2)] == (of("person", ANNA), "1012", True)
    assert [parties[uid(each)] for each in (3, 4)] == [
        (of("person", BO), "1013", False),
        (of("person", BO), "1013", True),
    ]
    assert parties[uid(21)] == (of("customer_role", f"1011|{CUSTOMER}|{of('company', FIRM)}"), "1011", False)
    other_class = {uuid for kind, uuid in told(scene, rows) if kind == "other_class"}
    assert other_class == {uid(1), uid(2), uid(4)}


def test_of_copies_alike_the_older_stays_then_the_lower_uuid() -> None:
    scene = Scene()
    scene.person(1, ANNA, since=LATER)
    scene.person(2, ANNA)
    scene.person(3, BO)
    scene.person(4, BO)
    rows = matched(scene, source([customer("1001", ANNA, BO)]))
    assert [rows[uid(each)][2] for each in (1, 2, 3, 4)] == [True, False, False, True]


def test_what_stands_for_an_object_already_goes_on_standing_for_it() -> None:
    scene = household()
    scene.person(7, ANNA, since=LATER)
    rows = matched(scene, ROWS, standing=[uid(7)])
    assert [rows[uid(each)][2] for each in (1, 7)] == [True, False]


def test_nothing_is_superseded_of_which_the_billing_system_knows_nothing() -> None:
    scene = household()
    scene.relation(6, 1001, since=LATER)
    rows = matched(scene, source([]))
    assert rows[uid(2)] == (of("customer_relation", "1001"), "1001", False)
    assert uid(6) not in rows
    assert not any(superseded for _, _, superseded in rows.values())


def test_roles_that_say_it_wrongly_are_taken_for_the_ones_they_stand_for() -> None:
    scene = Scene()
    scene.person(1, ANNA)
    scene.person(2, BO)
    scene.relation(3, 1001)
    scene.role(4, CUSTOMER, None, 3)  # of nobody: Anna's
    scene.role(5, CUSTOMER, 2, 3)  # Bo is co-customer
    scene.role(6, CUSTOMER, None, 3)  # nobody is left
    rows = matched(scene, source([customer("1001", ANNA, BO)]))
    assert rows[uid(4)] == (of("customer_role", f"1001|{CUSTOMER}|{of('person', ANNA)}"), "1001", False)
    assert rows[uid(5)] == (of("customer_role", f"1001|{CO}|{of('person', BO)}"), "1001", False)
    assert rows[uid(6)] == (None, "1001", True)
    assert {("without_party", uid(4)), ("role_code", uid(5)), ("without_party", uid(6))} <= told(
        scene, source([customer("1001", ANNA, BO)])
    )


def test_a_role_that_fits_is_taken_before_one_that_does_not() -> None:
    scene = Scene()
    scene.person(1, ANNA)
    scene.relation(3, 1001)
    scene.role(4, CUSTOMER, None, 3)
    scene.role(5, CUSTOMER, 1, 3)
    scene.role(6, CUSTOMER, 1, 3)
    rows = matched(scene, source([customer("1001", ANNA)]))
    assert [rows[uid(each)][2] for each in (4, 5, 6)] == [True, False, True]
    assert rows[uid(4)][0] is None


def test_a_role_of_somebody_else_stays_her_own_and_is_told() -> None:
    scene = household()
    scene.person(6, CARL)
    scene.role(7, CO, 6, 2)
    rows = matched(scene, ROWS)
    assert rows[uid(7)] == (of("customer_role", f"1001|{CO}|{of('person', CARL)}"), "1001", False)
    assert ("not_in_source", uid(7)) in told(scene, ROWS)


def test_a_role_whose_number_the_billing_system_has_not_complete_may_be_the_right_one() -> None:
    assert ("not_in_source", uid(3)) not in told(household(), source([customer("1001", f"{ANNA[:6]}0000")]))


def test_a_number_without_serial_stands_for_nobody_in_particular() -> None:
    scene = household()
    scene.person(6, "0203700000")
    scene.role(7, CO, 6, 2)
    rows = matched(scene, source([customer("1001", ANNA, "0203700000")]))
    assert rows[uid(6)] == (None, "1001", True)
    assert rows[uid(7)] == (None, "1001", True)
    assert ("incomplete_number", uid(6)) in told(scene, source([customer("1001", ANNA, "0203700000")]))


def test_numbers_of_one_person_are_one_party() -> None:
    """As the cache knows it from the register: both numbers lead to the first one's object."""

    def joined(kinds: pl.Series, numbers: pl.Series) -> pl.Series:
        return party_ids(kinds, numbers.replace({CARL: ANNA}))

    scene = household()
    scene.person(6, CARL)
    frame = match(scene.found(), ROWS, IDS, joined, NOBODY_STANDS)
    superseded = dict(frame.select("registry_id", "superseded").iter_rows())
    assert (superseded[uid(1)], superseded[uid(6)]) == (False, True)


def test_a_user_key_that_is_a_personal_number_is_no_business_key() -> None:
    scene = Scene()
    scene.person(1, ANNA, brugervendtnoegle=ANNA)
    assert matched(scene, source([])) == {uid(1): (of("person", ANNA), None, False)}


def test_a_registry_in_order_has_no_faults() -> None:
    scene = household()
    assert told(scene, ROWS) == {
        *(("process_time", uid(each)) for each in (2, 3, 5)),  # the first integration never wrote business days
    }


def faulty(**fields: Any) -> set[str]:
    """The kinds of fault in Anna's household, when the billing system says something else of it."""
    kinds = {kind for kind, _ in told(household(), source([customer("1001", ANNA, **fields)], {"4711": "1001"}))}
    return kinds - {"process_time"}


def test_what_differs_from_the_billing_system_is_told_by_kind() -> None:
    assert faulty() == set()
    assert faulty(name="Anna Holm Bæk") == {"name"}
    assert faulty(master_id="77") == {"master_id"}
    assert faulty(phone="86123456") == {"contact_data"}
    assert faulty(house_number="2") == {"address_line"}
    assert faulty(moved_out=date(2024, 1, 1)) == {"never_ended"}
    assert faulty(moved_in=date(2016, 5, 1)) == {"other_start"}
    assert faulty(consumption_place_id=77) == {"installations", "product_count", "agreement_name"}


def test_the_landline_as_mobile_is_told_from_an_old_mobile() -> None:
    rows = source([customer("1001", ANNA, phone="86123456", mobile="20304050")])
    scene, old = Scene(), Scene()
    scene.person(1, ANNA, phone="86123456", mobile="86123456", brugernavn="Anna Holm")
    old.person(1, ANNA, phone="86123456", mobile="20999999", brugernavn="Anna Holm")
    assert told(scene, rows) == {("landline_as_mobile", uid(1))}
    assert told(old, rows) == {("contact_data", uid(1))}


def test_a_co_customer_with_contact_data_is_told_for_she_has_none_of_her_own_in_the_source() -> None:
    rows = source([customer("1001", ANNA, BO, phone="86123456")])
    phoned, own = Scene(), Scene()
    phoned.person(1, BO, brugernavn="Bo Holm", phone="86123456")
    own.person(1, BO, brugernavn="Bo Holm")
    assert told(phoned, rows) == {("co_customer_as_main", uid(1))}
    assert told(own, rows) == set()
    # A main customer of his name and birth date, whose number is not complete, may be Bo, and the phone his own.
    again = customer("1002", f"{BO[:6]}0000", name="Bo Holm")
    assert told(phoned, source([customer("1001", ANNA, BO), again])) == set()


def test_where_the_main_customer_has_no_contact_data_her_name_tells_it() -> None:
    named = Scene()
    named.person(1, BO, brugernavn="Anna Holm")
    assert told(named, source([customer("1001", ANNA, BO)])) == {("co_customer_as_main", uid(1))}
    assert told(named, source([customer("1001", ANNA, BO, phone="86123456")])) == set(), "he may be called so too"


def test_an_import_that_died_is_told() -> None:
    scene = Scene()
    scene.relation(2, 1001)
    kinds = {kind for kind, _ in told(scene, ROWS)}
    assert {"without_role", "without_agreement"} <= kinds


def test_an_agreement_without_installations_may_be_right() -> None:
    scene = Scene()
    scene.relation(2, 1001)
    scene.agreement(5, 2)
    assert told(scene, source([customer("1001", ANNA)])) == {
        *(("process_time", uid(each)) for each in (2, 5)),
        ("without_role", uid(2)),
    }


def test_meters_and_titles_are_compared() -> None:
    scene = household()
    scene.installation(9, 4712, [2, "599", "qp 1,5", "Kamstrup", "2015-01-01", None])
    kinds = told(scene, source([customer("1001", ANNA)], {"4711": "1001", "4712": "1001"}))
    assert {("meter", uid(9)), ("title", uid(9))} <= kinds
    assert not {("meter", uid(4)), ("title", uid(4))} & kinds

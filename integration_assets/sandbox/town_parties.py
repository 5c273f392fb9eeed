"""Planting kinds of parties: complete and incomplete numbers, co-customers, companies, and numbers that mean nobody."""

from collections.abc import Callable
from typing import Any, Final

from integration_assets.sandbox import names, town_incomplete
from integration_assets.sandbox.town_builder import Builder
from integration_assets.sandbox.town_people import birth6, born, name_of, other_birthday

Json = dict[str, Any]


def incomplete(builder: Builder, kind: str) -> None:
    """A main customer without serial number, who lives at the consumption place."""
    row, person, home = builder.household(kind)
    row.id_number = birth6(person["pnr"])
    match kind:
        case "incomplete_family_name":
            father = builder.people.person(
                home, like=person, **name_of(person), gender=person["gender"], years=(1935, 1936)
            )
            row.name = father["addressing_name"].upper()
        case "incomplete_no_match":
            row.name = names.mistyped(row.name)
            row.party, row.reason = None, "completion_no_match"
        case "incomplete_ambiguous":
            builder.people.person(home, born=born(person), gender=person["gender"], **name_of(person))
            row.party, row.reason = None, "completion_ambiguous"
        case _:
            pass


def incomplete_at_billing(builder: Builder, kind: str) -> None:
    """A main customer without serial number, registered at the billing address only."""
    registered = builder.homes.take()
    person = builder.people.person(registered)
    row = builder.person_row(kind, person, builder.homes.take(), billing=registered)
    row.id_number = birth6(person["pnr"])


def co_customer(builder: Builder, kind: str) -> None:
    """A main customer with a co-customer (ligestillingskunde) in the same home."""
    row, person, home = builder.household(kind)
    day = other_birthday(builder.people, home)
    co = builder.people.person(home, like=person, born=day)
    row.co, row.co_id_number = co["pnr"], co["pnr"]
    match kind:
        case "co_incomplete":
            row.co_id_number = birth6(co["pnr"])
        case "co_incomplete_both":
            row.co_id_number = birth6(co["pnr"])
            row.id_number = birth6(person["pnr"])
        case "co_ambiguous":
            builder.people.person(home, like=person, born=day)
            row.co_id_number = birth6(co["pnr"])
            row.co, row.co_reason = None, "co_completion_ambiguous"
        case "co_no_match":
            row.co_id_number = other_birthday(builder.people, home, (1950, 1980)).strftime("%d%m%y") + "0000"
            row.co, row.co_reason = None, "co_completion_no_match"
        case "co_unknown":
            row.co_id_number = builder.people.numbers.cpr(builder.people.numbers.birth_date(1940, 1990), "K")
            row.co, row.co_reason = None, "co_person_not_in_register"
        case "co_unreadable":
            row.co_id_number = "54321"
            row.co, row.co_reason = None, "co_unreadable_id_number"
        case _:
            pass


def company(builder: Builder, kind: str) -> None:
    """A company at its seat."""
    home = builder.homes.take()
    builder.company_row(kind, builder.people.company(home, long=kind == "company_long_name"), home)


def nobody(builder: Builder, kind: str) -> None:
    """A row whose id number leads to no party: the row is refused as a whole."""
    row, _person, _home = builder.household(kind)
    numbers = builder.people.numbers
    row.id_number, row.reason = {
        "company_unknown": lambda: (numbers.cvr(), "company_not_in_register"),
        "p_number": lambda: (numbers.p_number(), "not_a_person_number"),
        "unreadable_number": lambda: ("12345", "unreadable_id_number"),
        "no_number": lambda: ("0", "no_id_number"),
        "person_unknown": lambda: (numbers.cpr(numbers.birth_date(1940, 1990), "M"), "person_not_in_register"),
    }[kind]()
    row.party = None


def remarkable_person(builder: Builder, kind: str) -> None:
    """A person who is ordinary but for one thing in the register."""
    home = builder.homes.take()
    people = builder.people
    match kind:
        case "leading_zero":
            born = people.numbers.birth_date(1940, 2000).replace(day=builder.draw.randint(2, 9))
            person = people.person(home, born=born)
        case "protected":
            person = people.person(home, protected=True)
        case "emigrated":
            person = people.person(None)
        case _:
            middle = "Bartholomæussen Højgaard Østergård"
            person = people.person(home, first_name="Anne Dorthea Frederikke", middle_name=middle)
    builder.person_row(kind, person, home)


PLANTERS: Final[dict[str, Callable[[Builder, str], None]]] = {
    **dict.fromkeys(
        (
            "incomplete_at_consumption",
            "incomplete_family_name",
            "incomplete_no_match",
            "incomplete_ambiguous",
        ),
        incomplete,
    ),
    "incomplete_at_billing": incomplete_at_billing,
    **dict.fromkeys(
        (
            "co_complete",
            "co_incomplete",
            "co_incomplete_both",
            "co_ambiguous",
            "co_no_match",
            "co_unknown",
            "co_unreadable",
        ),
        co_customer,
    ),
    "company": company,
    "company_long_name": company,
    **dict.fromkeys(("company_unknown", "p_number", "unreadable_number", "no_number", "person_unknown"), nobody),
    **dict.fromkeys(("leading_zero", "protected", "emigrated", "long_person_name"), remarkable_person),
    **town_incomplete.PLANTERS,
}
"""How each kind of parties is planted."""

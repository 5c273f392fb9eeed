"""Planting kinds that try the completion of numbers: names typed in many ways, and people who are easily mistaken.

A row without serial number has its `party` (or `co`) when the register, asked by any means, leaves nobody else; and the
reason of the refusal when it does not.
"""

from collections.abc import Callable
from typing import Any, Final

from integration_assets.sandbox import names
from integration_assets.sandbox.town_builder import Builder, billed_to
from integration_assets.sandbox.town_homes import Home
from integration_assets.sandbox.town_model import Customer
from integration_assets.sandbox.town_people import birth6, born, name_of, other_birthday

Json = dict[str, Any]

_AMBIGUOUS: Final = "completion_ambiguous"
_GONE: Final = "completion_inactive_only"
_BLOCK_RESIDENTS: Final = 105
"""More than a hundred, which is the most that one answer of an address search shows."""
_LONG_FIRST: Final = "Anne Dorthea Frederikke"
_SHARED_INITIALS: Final = ("Lars", "Henrik", "Jens", "Anders", "Morten", "Karen", "Ellen", "Sofie", "Birgitte", "Rosa")
"""Given names whose initial others have too."""


def typed_otherwise(builder: Builder, kind: str) -> None:
    """A row whose name is written otherwise than in the register, but means the same."""
    home = builder.homes.take()
    person = builder.people.person(home, **_name_for(builder, kind))
    first, middle, last = (person[part] or "" for part in ("first_name", "middle_name", "last_name"))
    in_full = " ".join(part for part in (first, middle, last) if part)
    written = person["addressing_name"]
    match kind:
        case "incomplete_middle_initials":
            name = f"{first} {names.initials(middle)} {last}"
        case "incomplete_no_middle":
            name = f"{first} {last}"
        case "incomplete_first_initial":
            name = f"{first[0]}. {last}"
        case "incomplete_double_a":
            name = names.without_danish_letters(written)
        case "incomplete_no_accents":
            name = names.without_accents(written)
        case "incomplete_upper_case":
            name = written.upper().replace(" ", "  ")
        case "incomplete_no_hyphens":
            name = written.replace("-", " ")
        case "incomplete_last_first":
            name = f"{last}, {first} {middle}".strip()
        case "incomplete_turned":
            name = f"{last} {first}"
        case "incomplete_two_names":
            other = other_given_name(builder, first)
            builder.people.person(home, like=person, first_name=other, born=other_birthday(builder.people, home))
            name = f"{first} & {other} {last}".upper()
        case "incomplete_m_fl":
            name = f"{written} m.fl."
        case _:
            name = in_full
    _incomplete_row(builder, kind, person, home, name=name)


def _name_for(builder: Builder, kind: str) -> Json:
    """What the names of the customer must be so that there is something to write otherwise."""
    draw = builder.draw
    middle = " ".join(draw.sample(names.MIDDLE, 2))
    match kind:
        case "incomplete_middle_initials" | "incomplete_no_middle":
            return {"middle_name": middle}
        case "incomplete_long_name":
            return {"first_name": _LONG_FIRST, "middle_name": "Bartholomæussen Højgaard Østergård", "gender": "K"}
        case "incomplete_cut_name":
            return {"first_name": _LONG_FIRST, "last_name": "Christensen-Højgaard", "gender": "K"}
        case "incomplete_double_a":
            return {"last_name": draw.choice(("Ågesen", "Søndergård", "Æbelø", "Håndværk", "Lindegård"))}
        case "incomplete_no_accents":
            return {"first_name": draw.choice(names.ACCENTED), "middle_name": None}
        case "incomplete_no_hyphens":
            return {"first_name": draw.choice(names.HYPHENATED)}
        case "incomplete_turned" | "incomplete_two_names" | "incomplete_first_initial":
            simple = tuple(name for name in names.MALE if name.isalpha() and name[0] in "LHNMSPRTB")
            return {"first_name": draw.choice(simple), "middle_name": None, "last_name": "Vester", "gender": "M"}
        case _:
            return {}


def easily_mistaken(builder: Builder, kind: str) -> None:
    """A row whose customer lives at the place, with somebody near her who must not be taken for her."""
    home = builder.homes.take("next_letter" if kind == "incomplete_letter" else None)
    people = builder.people
    person = people.person(home, first_name=builder.draw.choice(_SHARED_INITIALS))
    born_on = born(person)
    reason = None
    name = person["addressing_name"]
    match kind:
        case "incomplete_twins":
            people.person(home, like=person, born=born_on, first_name=other_given_name(builder, person["first_name"]))
        case "incomplete_initial_twins":
            other = other_given_name(builder, person["first_name"], same_initial=True)
            people.person(home, like=person, born=born_on, first_name=other)
            name, reason = f"{person['first_name'][0]}. {person['last_name']}", _AMBIGUOUS
        case "incomplete_namesake":
            people.person(home, born=other_birthday(people, home), gender=person["gender"], **name_of(person))
        case "incomplete_same_birthday":
            other = other_given_name(builder, person["first_name"])
            people.person(home, born=born_on, first_name=other)
        case _:
            neighbour = builder.draw.choice(builder.homes.next_letters(home))
            people.person(neighbour, born=born_on, gender=person["gender"], **name_of(person))
    _incomplete_row(builder, kind, person, home, reason, name=name)


def a_century(builder: Builder, kind: str) -> None:
    """A customer and a namesake whose birth dates differ by a hundred years: six digits do not tell them apart."""
    home = builder.homes.take()
    young = builder.people.person(home, years=(2001, 2006))
    then = born(young).replace(year=born(young).year - 100)
    builder.people.person(home, born=then, gender=young["gender"], **name_of(young))
    if kind == "incomplete_century":
        _incomplete_row(builder, kind, young, home, _AMBIGUOUS)
        return
    row = builder.person_row(kind, builder.people.person(home, born=other_birthday(builder.people, home)), home)
    _incomplete_co(row, young, _AMBIGUOUS)


def like_the_co_customer(builder: Builder, kind: str) -> None:
    """A main customer, known by an initial, who lives elsewhere; her co-customer shares initial and birth date."""
    homes, people = builder.homes, builder.people
    home = homes.take()
    person = people.person(homes.take(), first_name=builder.draw.choice(_SHARED_INITIALS))
    other = other_given_name(builder, person["first_name"], same_initial=True)
    co = people.person(home, like=person, born=born(person), first_name=other)
    name = f"{person['first_name'][0]}. {person['last_name']}"
    row = _incomplete_row(builder, kind, person, home, _AMBIGUOUS, name=name)
    _incomplete_co(row, co, _AMBIGUOUS)


def gone(builder: Builder, kind: str) -> None:
    """A customer who lived at the place and does so no more."""
    home = builder.homes.take()
    former = {**home.registered("2015-04-01"), "moved_out": "2025-12-01"}
    match kind:
        case "incomplete_moved_out" | "co_moved_out":
            left = builder.people.person(builder.homes.take(), former_addresses=[former])
        case "incomplete_dead":
            left = builder.people.person(None, status="90", former_addresses=[former], status_from="2025-12-01")
        case _:
            left = builder.people.person(None, former_addresses=[former], emigrated_on="2025-12-01")
    if kind != "co_moved_out":
        _incomplete_row(builder, kind, left, home, _GONE)
        return
    stays = builder.people.person(home, born=other_birthday(builder.people, home, besides=left))
    _incomplete_co(builder.person_row(kind, stays, home), left, _GONE)


def gone_but_not_alone(builder: Builder, kind: str) -> None:
    """A customer who lived at the place, and somebody of her birth date who lives there still and is not meant."""
    homes, people = builder.homes, builder.people
    home = homes.take()
    former = {**home.registered("2015-04-01"), "moved_out": "2025-12-01"}
    if kind == "co_left":
        left = people.person(homes.take(), former_addresses=[former])
        people.person(home, born=born(left))
        stays = people.person(home, born=other_birthday(people, home))
        _incomplete_co(builder.person_row(kind, stays, home), left, _AMBIGUOUS)
        return
    first = builder.draw.choice(_SHARED_INITIALS)
    dead = people.person(None, status="90", status_from="2025-12-01", former_addresses=[former], first_name=first)
    people.person(home, like=dead, born=born(dead), first_name=other_given_name(builder, first, same_initial=True))
    name = f"{first[0]}. {dead['last_name']}"
    _incomplete_row(builder, kind, dead, home, _AMBIGUOUS, name=name)


def in_a_house(builder: Builder, kind: str) -> None:
    """A place typed without floor and door in a house of flats, where others live too; bills go out of town."""
    homes, people = builder.homes, builder.people
    home = homes.take("several_flats" if kind.startswith("co_") else "block")
    place = builder.place(home, homes.typed(home, "missing_floor"))
    builder.install(place)
    person = people.person(home)
    others = [flat for flat in homes.flats(home) if flat != home]
    billing = home if kind.endswith("_billed") else builder.draw.choice(homes.outside)
    if kind.startswith("co_"):
        co = people.person(home, like=person, born=other_birthday(people, home))
        people.person(others[0], born=other_birthday(people, home))
        row = builder.person_row(kind, person, home, place, billing=billing)
        _incomplete_co(row, co, None if kind.endswith("_billed") else _AMBIGUOUS)
        return
    for number in range(_BLOCK_RESIDENTS):
        people.person(others[number % len(others)], born=other_birthday(people, home))
    if kind != "incomplete_block":
        people.person(others[-1], born=born(person), gender=person["gender"], **name_of(person))
    reason = _AMBIGUOUS if kind == "incomplete_block_namesake" else None
    _incomplete_row(builder, kind, person, home, reason, place=place, billing=billing)


def co_customer(builder: Builder, kind: str) -> None:
    """A co-customer without serial number, beside a main customer who is or is not like her."""
    homes, people = builder.homes, builder.people
    home = homes.take()
    if kind == "co_of_company":
        row = builder.company_row(kind, people.company(home), home)
        _incomplete_co(row, people.person(home))
        return
    registered = homes.take() if kind == "co_at_billing" else home
    person = people.person(registered)
    born_on = born(person) if kind == "co_twin" else other_birthday(people, registered)
    first = other_given_name(builder, person["first_name"])
    co = people.person(registered, like=person, born=born_on, first_name=first)
    row = builder.person_row(kind, person, home)
    vars(row).update(billed_to(registered))
    _incomplete_co(row, co)
    if kind == "co_at_billing":
        row.id_number = birth6(person["pnr"])
    if kind == "co_at_both":
        elsewhere = homes.take()
        people.person(elsewhere, born=born_on)
        vars(row).update(billed_to(elsewhere))
        row.co, row.co_reason = None, f"co_{_AMBIGUOUS}"


def other_given_name(builder: Builder, unlike: str, *, same_initial: bool = False) -> str:
    """A given name whose first word is another; with the same initial, or with another one."""
    fitting = [
        name
        for name in (*names.MALE, *names.FEMALE)
        if name.replace("-", " ").split()[0] != unlike.replace("-", " ").split()[0]
        and (name[0] == unlike[0]) == same_initial
    ]
    return builder.draw.choice(fitting)


def _incomplete_row(
    builder: Builder, kind: str, person: Json, home: Home, reason: str | None = None, **fields: Any
) -> Customer:
    """The row of a person at a home, without serial number; with a reason she cannot be told."""
    row = builder.person_row(kind, person, home, **{**fields, "id_number": birth6(person["pnr"])})
    if reason is not None:
        row.party, row.reason = None, reason
    return row


def _incomplete_co(row: Customer, co: Json, reason: str | None = None) -> None:
    row.co_id_number = birth6(co["pnr"])
    row.co, row.co_reason = (co["pnr"], None) if reason is None else (None, f"co_{reason}")


PLANTERS: Final[dict[str, Callable[[Builder, str], None]]] = {
    **dict.fromkeys(
        (
            "incomplete_middle_initials",
            "incomplete_no_middle",
            "incomplete_long_name",
            "incomplete_cut_name",
            "incomplete_first_initial",
            "incomplete_double_a",
            "incomplete_no_accents",
            "incomplete_upper_case",
            "incomplete_no_hyphens",
            "incomplete_last_first",
            "incomplete_turned",
            "incomplete_two_names",
            "incomplete_m_fl",
        ),
        typed_otherwise,
    ),
    **dict.fromkeys(
        (
            "incomplete_twins",
            "incomplete_initial_twins",
            "incomplete_namesake",
            "incomplete_same_birthday",
            "incomplete_letter",
        ),
        easily_mistaken,
    ),
    **dict.fromkeys(("incomplete_century", "co_century"), a_century),
    **dict.fromkeys(("incomplete_moved_out", "incomplete_dead", "incomplete_emigrated", "co_moved_out"), gone),
    "incomplete_initial_of_co": like_the_co_customer,
    **dict.fromkeys(("incomplete_initial_died", "co_left"), gone_but_not_alone),
    **dict.fromkeys(
        (
            "incomplete_block",
            "incomplete_block_namesake",
            "incomplete_block_billed",
            "co_in_house",
            "co_in_house_billed",
        ),
        in_a_house,
    ),
    **dict.fromkeys(("co_twin", "co_of_company", "co_at_billing", "co_at_both"), co_customer),
}
"""How each kind of this module is planted."""

"""Planting kinds of places: the life of a customer relation, billing, ways of typing, installations, second homes."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from integration_assets.sandbox.town_builder import Builder, billed_to, day_after, days_ago
from integration_assets.sandbox.town_homes import shortened, spoken_line
from integration_assets.sandbox.town_kinds import KINDS, ORDINARY
from integration_assets.sandbox.town_model import BASE_DAY, EXCLUDED_GROUP

Json = dict[str, Any]

_UNKNOWN_LINE: Final = {"billing_street": "Kontor 7, Ukendtby gods", "billing_unit": None}


def life(builder: Builder, kind: str) -> None:
    """A customer relation whose beginning or end is out of the ordinary."""
    row, _person, _home = builder.household(kind)
    draw = builder.draw
    match kind:
        case "future_move_in":
            row.moved_in = day_after(BASE_DAY, draw.randint(1, 20))
        case "future_move_out":
            row.moved_out = day_after(BASE_DAY, draw.randint(3, 40))
        case "ended_recently":
            row.moved_out = days_ago(draw.randint(1, 14))
        case "ended_long_ago":
            row.moved_in, row.moved_out = f"{draw.randint(2014, 2017)}-05-01", f"{draw.randint(2018, 2023)}-08-15"
        case _:
            row.group = EXCLUDED_GROUP
    row.moved_in = min(row.moved_in, row.moved_out or row.moved_in)


def successor(builder: Builder, kind: str) -> None:
    """A customer who moved in when an earlier ordinary one moved out: the place and its installations stay."""
    if kind == "later_owner":
        before = builder.earlier("ended_long_ago")
        moved_in = days_ago(builder.draw.randint(40, 700))
    else:
        before = builder.earlier(ORDINARY)
        moved_in = before.moved_out = days_ago(builder.draw.randint(1, 14))
    place = builder.town.places[before.place]
    home = builder.homes.by_unit[place.unit]
    person = builder.people.person(home)
    builder.person_row(kind, person, home, place, moved_in=moved_in)


def billing(builder: Builder, kind: str) -> None:
    """A row whose bills go elsewhere, or nowhere."""
    match kind:
        case "billing_differs":
            row, _person, _home = builder.household(kind)
            vars(row).update(billed_to(builder.homes.take()))
        case "billing_outside":
            row, _person, _home = builder.household(kind)
            vars(row).update(billed_to(builder.draw.choice(builder.homes.outside)))
        case "billing_spoken":
            row, _person, _home = builder.household(kind)
            other = builder.homes.take("spoken_line")
            vars(row).update(billed_to(other), billing_street=spoken_line(other))
        case "billing_misspelt":
            row, _person, _home = builder.household(kind)
            other = builder.homes.take("shortened_no_code")
            street = replace(other, street=shortened(other.street)).line()
            vars(row).update(billed_to(other), billing_street=street)
        case "billing_fallback":
            row, _person, _home = builder.household(kind)
            vars(row).update(_UNKNOWN_LINE)
        case _:
            row = builder.person_row(kind, builder.people.person(None), builder.homes.take())
            vars(row).update(_UNKNOWN_LINE)


def typed(builder: Builder, kind: str) -> None:
    """A place that is typed in one of the ways of `Homes.typed`."""
    way = kind.removeprefix("typed_")
    home = builder.homes.take(way)
    place = builder.place(home, builder.homes.typed(home, way))
    builder.install(place)
    builder.person_row(kind, builder.people.person(home), home, place)


def installations(builder: Builder, kind: str) -> None:
    """A place with none, several, replaced, removed or displaced installations."""
    home = builder.homes.take()
    place = builder.place(home)
    row, _person, _home = builder.household(kind, home, place=place)
    count = {"no_installation": 0, "two_installations": 2, "three_installations": 3}.get(kind, 1)
    made = [builder.install(place) for _ in range(count)]
    match kind:
        case "meter_history":
            for year in sorted(builder.draw.sample(range(2015, 2025), builder.draw.randint(1, 2))):
                replaced_on = f"{year}-{builder.draw.randint(1, 12):02d}-10"
                made[0].meters[-1][5] = replaced_on
                made[0].meters.append(builder.meter(replaced_on))
        case "meter_removed":
            made[0].meters[-1][5] = days_ago(builder.draw.randint(5, 25))
        case "alternative_place":
            builder.alternative(made[0], builder.homes.take())
        case "alternative_unknown":
            elsewhere = builder.homes.take("garbled_no_code")
            builder.alternative(made[0], elsewhere, builder.homes.typed(elsewhere, "garbled_no_code"))
        case _:
            pass
    row.moved_in = min(row.moved_in, days_ago(90))


def second_home(builder: Builder, kind: str) -> None:
    """A party of an earlier row in a further one, in another supply area."""
    if kind == "company_again":
        before = builder.earlier("company")
        company = builder.people.companies[before.party or ""]
        builder.company_row(kind, company, builder.homes.take(), moved_in=builder.some_day())
        return
    before = builder.earlier(ORDINARY)
    person = builder.people.persons[before.party or ""]
    home = builder.homes.take(other_than=builder.town.places[before.place].postcode)
    if kind == "second_home":
        builder.person_row(kind, person, home)
        return
    row, _person, _home = builder.household(kind, home)
    row.co, row.co_id_number = person["pnr"], person["pnr"]


BILLING_KINDS: Final = tuple(kind.name for kind in KINDS if kind.name.startswith("billing_"))

PLANTERS: Final[dict[str, Callable[[Builder, str], None]]] = {
    **dict.fromkeys(("future_move_in", "future_move_out", "ended_recently", "ended_long_ago", "group_999"), life),
    **dict.fromkeys(("successor", "later_owner"), successor),
    **dict.fromkeys(BILLING_KINDS, billing),
    **{kind.name: typed for kind in KINDS if kind.name.startswith("typed_")},
    **dict.fromkeys(
        (
            "no_installation",
            "two_installations",
            "three_installations",
            "meter_history",
            "meter_removed",
            "alternative_place",
            "alternative_unknown",
        ),
        installations,
    ),
    **dict.fromkeys(("second_home", "second_home_co", "company_again"), second_home),
}
"""How each kind of this module is planted."""

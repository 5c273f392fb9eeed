"""What the business rules make of a row on a day: whether it can be seen, and which roles it gives.

Written from the working rules alone and in plain loops, so that the truth of a town does not share a mistake with the
product.
"""

from collections import defaultdict
from typing import Any, Final

from integration_assets.sandbox.town_builder import day_after
from integration_assets.sandbox.town_model import (
    EXCLUDED_GROUP,
    ROLE_CO_CUSTOMER,
    ROLE_CUSTOMER,
    Customer,
    Installation,
    Town,
)

Json = dict[str, Any]

WINDOW_DAYS: Final = 35
"""Days for which a customer who has moved out is still read. The town plants nothing between 15 and 59 days back."""


def as_of(town: Town) -> str:
    """The business day that the town stands at."""
    return day_after(town.meta["base_day"], town.meta["day"])


def is_visible(row: Customer, day: str) -> bool:
    """Whether the source window of a day shows the row: moved in, not long gone, not in the excluded group."""
    open_or_recent = row.moved_out is None or row.moved_out >= day_after(day, -WINDOW_DAYS)
    return row.moved_in <= day and open_or_recent and row.group != EXCLUDED_GROUP


def settle(town: Town, rows: list[Customer]) -> None:
    """Bring the roles of rows up to the business day, as a nightly run would.

    A row in good order that is seen for the first time gives roles from its move-in. Afterwards a party that is gone
    ends its role today, and a new one begins today.
    """
    day = as_of(town)
    for row in rows:
        if row.reason is not None or not (row.exported or is_visible(row, day)):
            continue
        wanted = {
            (code, party)
            for code, party in ((ROLE_CUSTOMER, row.party), (ROLE_CO_CUSTOMER, row.co))
            if party is not None
        }
        had = {(code, party) for code, party, _begin, removed in row.roles if removed is None}
        for role in row.roles:
            if role[3] is None and (role[0], role[1]) not in wanted:
                role[3] = day
        begin = day if row.exported else row.moved_in
        row.roles.extend([code, party, begin, None] for code, party in sorted(wanted - had))
        row.exported = True


def in_force(row: Customer) -> Customer:
    """The row as the registry knows it: the last good state while the row is refused."""
    return row if row.good is None else Customer(**{**vars(row), **row.good, "reason": None})


def exported_rows(town: Town) -> list[Customer]:
    """All rows the registry knows, by number, each in its last good state."""
    return [in_force(row) for _, row in sorted(town.customers.items()) if row.exported]


def contact_parts(rows: list[Customer]) -> dict[str, Json]:
    """What the billing system says of each party that a row names: contact data, and the number to know it by.

    Contact data are those of the relation where the party is main customer with the latest move-in (then the highest
    number); a party that is only co-customer has none.
    """
    mains: dict[str, Customer] = {}
    lowest: dict[str, int] = {}
    for row in rows:
        for party in (row.party, row.co):
            if party is not None:
                lowest[party] = min(lowest.get(party, row.number), row.number)
        if row.party is not None:
            rival = mains.get(row.party)
            if rival is None or (row.moved_in, row.number) > (rival.moved_in, rival.number):
                mains[row.party] = row
    parts: dict[str, Json] = {}
    for party, number in lowest.items():
        main = mains.get(party)
        parts[party] = {
            "user_key": str(number),
            "kmd_name": main.name if main else None,
            "master_id": str(main.master_id) if main else None,
            "phone": (str(main.phone) if main.phone else None) if main else None,
            "mobile": main.mobile if main else None,
            "email": main.email if main else None,
        }
    return parts


def is_protected(person: Json, day: str) -> bool:
    """Whether the person register holds a person's address protected on a day; the last day is before its end."""
    until: str | None = person.get("protected_until")
    return bool(person["protected"]) and (until is None or day < until)


def replaced_numbers(persons: dict[str, Json]) -> dict[str, str]:
    """The personal number in force by each number that was changed (status 60)."""
    following = {number: person["current_pnr"] for number, person in persons.items() if person.get("current_pnr")}

    def in_force_now(number: str) -> str:
        while number in following:
            number = following[number]
        return number

    return {number: in_force_now(number) for number in following}


def renumber(town: Town, old: str, new: str) -> list[Customer]:
    """Let a person stand under her new number wherever the town names her; returns the rows concerned.

    What is typed in the source stays as it is: a clerk corrects it, or nobody does.
    """
    concerned: list[Customer] = []
    for row in town.customers.values():
        if old not in (row.party, row.co) and all(role[1] != old for role in row.roles):
            continue
        row.party = new if row.party == old else row.party
        row.co = new if row.co == old else row.co
        row.roles = [[code, new if party == old else party, *days] for code, party, *days in row.roles]
        concerned.append(row)
    if old in town.kept:
        town.kept[new] = town.kept.pop(old)
    if old in town.first_emails:
        town.first_emails[new] = town.first_emails.pop(old)
    if old in town.register_changes:
        town.register_changes[new] = town.register_changes.pop(old)
    return concerned


def installations_by_place(town: Town) -> dict[int, list[Installation]]:
    """Installations of each place, by number."""
    grouped: dict[int, list[Installation]] = defaultdict(list)
    for _, installation in sorted(town.installations.items()):
        grouped[installation.place].append(installation)
    return grouped


def remember_parties(town: Town) -> None:
    """Note the first e-mail address of every party, which the CRM keeps as the primary one."""
    for party, part in contact_parts(exported_rows(town)).items():
        if part["email"]:
            town.first_emails.setdefault(party, part["email"])

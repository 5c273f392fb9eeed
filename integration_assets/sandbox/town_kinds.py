"""What is planted in a town, and how much of it: the one table of kinds.

Everything not named here is an ordinary row: a person with a complete number at a plainly typed address.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Kind:
    """A kind of customer row: how it is planted (a method of the builder), and its share of all rows."""

    name: str
    share: float
    says: str


KINDS: Final = (
    # Parties
    Kind("incomplete_at_consumption", 0.040, "number without serial; found at the consumption place by name and date"),
    Kind("incomplete_at_billing", 0.008, "the same, but registered at the billing address only"),
    Kind("incomplete_family_name", 0.003, "the same, father and son of one name live at the address"),
    Kind("incomplete_no_match", 0.003, "name typed differently than registered"),
    Kind("incomplete_ambiguous", 0.002, "two people of the name and birth date live at the address"),
    Kind("co_complete", 0.120, "co-customer with a complete number"),
    Kind("co_incomplete", 0.020, "co-customer: the only person of that birth date at the address"),
    Kind("co_incomplete_both", 0.008, "main and co-customer without serial numbers"),
    Kind("co_ambiguous", 0.002, "co-customer is one of adult twins at the address"),
    Kind("co_no_match", 0.002, "nobody of the co-customer's birth date at the address"),
    Kind("co_unknown", 0.002, "co-customer's number is not in the register"),
    Kind("co_unreadable", 0.002, "co-customer's number has five digits"),
    Kind("company", 0.070, "company"),
    Kind("company_long_name", 0.002, "company whose name the CRM cannot hold whole"),
    Kind("company_unknown", 0.002, "company number that the register does not know"),
    Kind("p_number", 0.002, "production unit number in the personal number's column"),
    Kind("unreadable_number", 0.002, "id number of five digits"),
    Kind("no_number", 0.002, "id number 0"),
    Kind("person_unknown", 0.002, "personal number that the register does not know"),
    Kind("leading_zero", 0.010, "born on days 1 to 9: the float has lost the leading zero"),
    Kind("protected", 0.010, "name and address protection"),
    Kind("emigrated", 0.004, "no current address in the register"),
    Kind("long_person_name", 0.003, "addressing name shortened to 34 characters"),
    # Life of a customer relation
    Kind("successor", 0.025, "moved in when the previous customer of the place moved out, days ago"),
    Kind("later_owner", 0.012, "the previous customer of the place left years ago (outside the source window)"),
    Kind("future_move_in", 0.010, "moves in within the next weeks"),
    Kind("future_move_out", 0.012, "move-out announced"),
    Kind("ended_recently", 0.010, "moved out days ago, nobody moved in"),
    Kind("ended_long_ago", 0.020, "moved out years ago"),
    Kind("group_999", 0.005, "settlement group 999, excluded at the source"),
    # Billing address
    Kind("billing_differs", 0.060, "bills go to another address of the town"),
    Kind("billing_outside", 0.025, "bills go to an address outside the town"),
    Kind("billing_spoken", 0.008, "billing line with the floor as people say it: '2. sal tv', 'stuen th'"),
    Kind("billing_misspelt", 0.010, "billing line with a letter missing in the street name"),
    Kind("billing_fallback", 0.010, "billing line is not an address; the registered address is used"),
    Kind("billing_neither", 0.003, "billing line is not an address and the party has none"),
    # Ways of typing that plain rules see through
    Kind("typed_upper_case", 0.012, "street and city in capitals"),
    Kind("typed_extra_blanks", 0.012, "blanks around and inside the street"),
    Kind("typed_lower_letter", 0.004, "house letter in lower case"),
    Kind("typed_floor_padded", 0.008, "floor '02'"),
    Kind("typed_floor_upper", 0.008, "floor 'ST.'"),
    Kind("typed_door_upper", 0.008, "door 'TV'"),
    Kind("typed_wrong_name", 0.006, "wrong street name, right street code"),
    Kind("typed_no_code", 0.006, "street code 0, right street name"),
    # ... that washing sees through: no street code, and a street name that is nearly right
    Kind("typed_misspelt_no_code", 0.006, "two letters too many in the street name"),
    Kind("typed_shortened_no_code", 0.006, "a letter missing in the street name"),
    Kind("typed_joined_no_code", 0.003, "words of the street name run together"),
    Kind("typed_double_a_no_code", 0.003, "aa for å in the street name"),
    # ... that end at the house
    Kind("typed_missing_floor", 0.008, "floor and door missing in a house of flats"),
    Kind("typed_unknown_unit", 0.004, "floor and door that do not exist"),
    # ... that lead nowhere
    Kind("typed_garbled_no_code", 0.003, "street name that is none, and no street code"),
    Kind("typed_wrong_postcode", 0.003, "postal code of another supply area"),
    Kind("typed_unknown_number", 0.003, "house number that does not exist"),
    # Installations
    Kind("no_installation", 0.015, "a place without installation"),
    Kind("two_installations", 0.040, "two installations at the place"),
    Kind("three_installations", 0.010, "three installations at the place"),
    Kind("meter_history", 0.060, "the meter has been replaced once or twice"),
    Kind("meter_removed", 0.006, "the meter was taken down, nothing replaced it"),
    Kind("alternative_place", 0.030, "the installation stands elsewhere"),
    Kind("alternative_unknown", 0.004, "the installation stands at an address that cannot be found"),
    # Parties with several customer relations; after the others, for they lean on them
    Kind("second_home", 0.012, "the person is main customer in another supply area too"),
    Kind("second_home_co", 0.006, "the person is co-customer in another supply area"),
    Kind("company_again", 0.010, "the company has a further customer relation"),
)

ORDINARY: Final = "person"
"""The kind of all other rows."""

LEANING: Final = ("second_home", "second_home_co", "company_again", "successor", "later_owner")
"""Kinds that need rows planted before them."""

_LEANING_ON_ORDINARY: Final = ("second_home", "second_home_co", "successor")


def planned(customers: int) -> list[str]:
    """Kinds of the rows of a town of this size: every kind at least once from 200 rows on, the rest ordinary.

    Leaning kinds stand last; a town without an ordinary row for each of them has none.
    """
    counts = {kind.name: max(1, round(kind.share * customers)) for kind in KINDS}
    plan = [name for name, count in counts.items() for _ in range(count) if name not in LEANING]
    tail = [name for name in LEANING for _ in range(counts[name])]
    leant_on = sum(counts[name] for name in _LEANING_ON_ORDINARY)
    if len(plan) + len(tail) + leant_on > customers:
        plan = plan[: customers // 2]
        tail = []
    ordinary = customers - len(plan) - len(tail)
    return [ORDINARY] * ordinary + plan + tail

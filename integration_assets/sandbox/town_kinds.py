"""What is planted in a town, and how much of it: the one table of kinds.

Everything not named here is an ordinary row: a person with a complete number at a plainly typed address.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Kind:
    """A kind of customer row: how it is planted (a method of the builder), and its share of all rows.

    Towns of less than `smallest` rows have none.
    """

    name: str
    share: float
    says: str
    smallest: int = 0


COMPLETE_TOWN: Final = 200
"""From so many rows on a town has every kind."""


def _trying(name: str, share: float, says: str) -> Kind:
    """A kind that tries the completion of numbers; small towns go without."""
    return Kind(name, share, says, smallest=COMPLETE_TOWN)


KINDS: Final = (
    # Parties
    Kind("incomplete_at_consumption", 0.040, "number without serial; found at the consumption place by name and date"),
    Kind("incomplete_at_billing", 0.008, "the same, but registered at the billing address only"),
    Kind("incomplete_family_name", 0.003, "the same, father and son of one name live at the address"),
    Kind("incomplete_no_match", 0.003, "name typed differently than registered"),
    Kind("incomplete_ambiguous", 0.002, "two people of the name and birth date live at the address"),
    # ... typed otherwise than the register writes the name
    _trying("incomplete_middle_initials", 0.002, "initials for the middle names"),
    _trying("incomplete_no_middle", 0.002, "middle names left out"),
    _trying("incomplete_long_name", 0.001, "typed in full; the register shortens the middle names to 34 characters"),
    _trying("incomplete_cut_name", 0.001, "typed in full; the register cuts the last name at 34 characters"),
    _trying("incomplete_first_initial", 0.001, "an initial for the first name, nobody else has the birth date"),
    _trying("incomplete_double_a", 0.002, "aa, ae, oe for å, æ, ø"),
    _trying("incomplete_no_accents", 0.001, "no accents"),
    _trying("incomplete_upper_case", 0.002, "capitals, and blanks too many"),
    _trying("incomplete_no_hyphens", 0.001, "no hyphens"),
    _trying("incomplete_last_first", 0.002, "'Hansen, Peter'"),
    _trying("incomplete_turned", 0.001, "'Hansen Peter'"),
    _trying("incomplete_two_names", 0.001, "'PETER & ANNE HANSEN'"),
    _trying("incomplete_m_fl", 0.001, "'Peter Hansen m.fl.'"),
    # ... with somebody near who must not be taken for the customer
    _trying("incomplete_twins", 0.002, "twins live together; one of them is the customer"),
    _trying("incomplete_namesake", 0.002, "somebody of the same name and another birth date lives there"),
    _trying("incomplete_same_birthday", 0.002, "somebody of another name and the same birth date lives there"),
    _trying("incomplete_letter", 0.002, "a namesake of the same birth date lives in 12B, the customer in 12"),
    _trying("incomplete_block", 0.0002, "more than a hundred people in the house, typed without floor and door"),
    _trying("incomplete_block_billed", 0.0002, "a namesake elsewhere in the block; bills go to the customer's flat"),
    # ... who cannot be told
    _trying("incomplete_initial_twins", 0.001, "an initial for the first name, and twins share it"),
    _trying("incomplete_initial_died", 0.001, "an initial for the first name; dead, and a living twin shares it"),
    _trying("incomplete_century", 0.001, "a namesake who is a hundred years older lives there too"),
    _trying("incomplete_block_namesake", 0.0002, "a namesake of the same birth date lives elsewhere in the block"),
    _trying("incomplete_moved_out", 0.002, "moved away from the consumption place"),
    _trying("incomplete_dead", 0.001, "dead, lived at the consumption place"),
    _trying("incomplete_emigrated", 0.001, "emigrated, lived at the consumption place"),
    Kind("co_complete", 0.120, "co-customer with a complete number"),
    Kind("co_incomplete", 0.020, "co-customer: the only person of that birth date at the address"),
    Kind("co_incomplete_both", 0.008, "main and co-customer without serial numbers"),
    Kind("co_ambiguous", 0.002, "co-customer is one of adult twins at the address"),
    Kind("co_no_match", 0.002, "nobody of the co-customer's birth date at the address"),
    _trying("co_twin", 0.001, "co-customer is the twin of the main customer"),
    _trying("co_of_company", 0.001, "co-customer of a company, living at its address"),
    _trying("co_at_billing", 0.002, "main and co-customer without serial numbers live at the billing address"),
    _trying("co_century", 0.001, "a hundred years between two people of the co-customer's birth date"),
    _trying("co_in_house", 0.001, "typed without floor and door in a house where others live too"),
    _trying("co_in_house_billed", 0.001, "the same, but bills go to the flat with floor and door"),
    _trying("co_at_both", 0.001, "one of her birth date at the consumption place, another at the billing address"),
    _trying("co_moved_out", 0.001, "the only one of the co-customer's birth date has moved away"),
    _trying("co_left", 0.001, "the co-customer has moved away, somebody else of her birth date lives there"),
    _trying("incomplete_initial_of_co", 0.001, "only a co-customer of her initial and birth date lives there"),
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

    A town too small for the shares has less of each kind. Leaning kinds stand last; a town without an ordinary row for
    each of them has none.
    """
    for tenths in range(10, -1, -1):
        counts = _counts(customers, tenths / 10)
        leant_on = sum(counts[name] for name in _LEANING_ON_ORDINARY)
        if sum(counts.values()) + leant_on <= customers:
            break
    else:
        plan = _rows({name: count for name, count in _counts(customers, 1).items() if name not in LEANING})
        plan = plan[: customers // 2]
        return [ORDINARY] * (customers - len(plan)) + plan
    tail = {name: counts.pop(name) for name in LEANING}
    planted = _rows(counts) + _rows(tail)
    return [ORDINARY] * (customers - len(planted)) + planted


def _counts(customers: int, factor: float) -> dict[str, int]:
    """How many rows of each kind a town of this size has, at least one, when the shares are reduced by a factor."""
    return {kind.name: max(1, round(kind.share * customers * factor)) for kind in KINDS if customers >= kind.smallest}


def _rows(counts: dict[str, int]) -> list[str]:
    return [name for name, count in counts.items() for _ in range(count)]

"""Invented names: people, companies, and nothing about who they are in a town.

The parts are common Danish names, combined by chance; a combination that a living person bears is accidental and means
nothing, since no number, birth date or address of that person goes with it.
"""

import random
from typing import Final

MALE: Final = (
    "Søren", "Jørgen", "Åge", "Bjørn", "Lars", "Peter", "Henrik", "Niels", "Jens", "Anders", "Morten", "Mads", "Emil",
    "Oskar", "Frederik", "Gunnar", "Ebbe", "Kåre", "Rasmus", "Troels", "Viggo", "Aksel", "Børge", "Tønnes", "Ulrik",
    "Jens Peter", "Hans-Ole", "André", "Ibrahim", "Nikolaj", "Sigurd", "Valdemar", "Asger", "Eskild", "Claus", "Birk",
)  # fmt: skip
FEMALE: Final = (
    "Åse", "Sørine", "Bodil", "Kirsten", "Mette", "Anne", "Karen", "Ida", "Freja", "Astrid", "Gudrun", "Inge-Lise",
    "Ellen", "Laura", "Maja", "Sofie", "Dagny", "Ræna", "Solvejg", "Birgitte", "Lærke", "Tove", "Øllegaard", "Signe",
    "Anne Marie", "Else-Marie", "Fatima", "Zoé", "Johanne", "Kristine", "Gerda", "Ulla", "Hanne", "Vibeke", "Rosa",
)  # fmt: skip
MIDDLE: Final = (
    "Bech", "Krogh", "Møller", "Dahl", "Holm", "Lund", "Skov", "Kjær", "Toft", "Ravn", "Åbye", "Bøgh", "Vang", "Friis",
    "Munk", "Juul", "Brandt", "Højgaard", "Elkjær", "Storm", "Winther", "Østergård", "Lykke", "Fogh", "Bang", "Nørby",
)  # fmt: skip
FAMILY: Final = (
    "Jensen", "Nielsen", "Hansen", "Pedersen", "Andersen", "Christensen", "Larsen", "Sørensen", "Rasmussen",
    "Jørgensen", "Madsen", "Kristensen", "Olsen", "Thomsen", "Poulsen", "Knudsen", "Mortensen", "Jakobsen",
    "Østergaard", "Søndergård", "Nørgaard", "Ågesen", "Bæk", "Lindegård", "Bjerregaard", "Æbelø", "Overgaard",
    "Hvidtfeldt", "Kærgaard", "Fløe", "Uldbjerg", "Pilegård", "Skovløber", "Bredsdorff", "Ørsted", "Tømmerup",
    "Håndværk", "Vester", "Dyrlund", "Vænge",
)  # fmt: skip
_TRADE: Final = (
    "Tømrerfirma", "Bageri", "Ejendomme", "Murerforretning", "Boligforening", "Autoværksted", "Smedje", "Gartneri",
    "Frisørsalon", "Revision", "Vognmandsforretning", "Møbelsnedkeri", "Café", "Rådgivning", "Købmandsgård",
)  # fmt: skip
_FORM: Final = ("A/S", "ApS", "I/S", "P/S", "K/S", "a.m.b.a.")

ACCENTED: Final = ("André", "Zoé")
HYPHENATED: Final = ("Hans-Ole", "Else-Marie")
"""Given names of a man and of a woman."""

COMPANY_FORMS: Final = ("60", "80", "30", "70", "40", "140")
"""Codes of company forms (virksomhedsform), in the order of the endings of company names."""

LONGEST_ADDRESSING_NAME: Final = 34
"""Characters that the civil registration system keeps of an addressing name (adresseringsnavn)."""


def given_name(draw: random.Random, gender: str) -> str:
    """A first name for gender M or K."""
    return draw.choice(MALE if gender == "M" else FEMALE)


def middle_name(draw: random.Random) -> str | None:
    """A middle name; none for two people in three, two names for few."""
    chance = draw.random()
    if chance < 0.66:
        return None
    first = draw.choice(MIDDLE)
    return f"{first} {draw.choice(MIDDLE)}" if chance > 0.97 else first


def family_name(draw: random.Random) -> str:
    """A family name; few are double with a hyphen."""
    name = draw.choice(FAMILY)
    return f"{name}-{draw.choice(MIDDLE)}" if draw.random() < 0.02 else name


def addressing_name(first: str, middle: str | None, last: str) -> str:
    """The name as written on letters, at most 34 characters.

    Of a longer name the middle names are shortened to initials, then left out; then the end is cut off.
    """
    initials = " ".join(name[0] for name in (middle or "").split())
    shortened = [" ".join(part for part in (first, between, last) if part) for between in (middle, initials, None)]
    fitting = (name for name in shortened if len(name) <= LONGEST_ADDRESSING_NAME)
    return next(fitting, shortened[-1][:LONGEST_ADDRESSING_NAME].strip())


def company_name(draw: random.Random, long: bool = False) -> tuple[str, str]:
    """A company's name and its form code; `long` names pass 150 characters, the CRM's limit for a first name."""
    form = draw.randrange(len(_FORM))
    name = f"{family_name(draw)}s {draw.choice(_TRADE)}"
    while long and len(name) <= 155:
        name += f" & {family_name(draw)}s {draw.choice(_TRADE)}"
    return f"{name} {_FORM[form]}", COMPANY_FORMS[form]


def initials(names: str) -> str:
    """Each of the names as an initial with a dot: "Bech Krogh" -> "B. K."."""
    return " ".join(f"{name[0]}." for name in names.split())


def without_danish_letters(name: str) -> str:
    """aa, ae and oe for å, æ and ø, as before 1948 and on foreign keyboards."""
    for letter, written in (("å", "aa"), ("æ", "ae"), ("ø", "oe"), ("Å", "Aa"), ("Æ", "Ae"), ("Ø", "Oe")):
        name = name.replace(letter, written)
    return name


def without_accents(name: str) -> str:
    """e for é, which is the only accent of invented names."""
    return name.replace("é", "e").replace("É", "E")


def mistyped(name: str) -> str:
    """The name with one letter too many in the middle: unlike the register's whatever the case."""
    middle = len(name) // 2
    return f"{name[:middle]}x{name[middle:]}"

"""Names of people: as typed by hand in the billing system, and as the person register (CPR) writes them.

Belongs here: one form for comparison, and how alike two names are. Not here: who is meant; a name never proves that by
itself (see `completion`).

One form: composed letters, lower case, single blanks, no apostrophes and no accents; å = aa, æ = ae = ä, ø = oe = ö,
ß = ss, ð = d, þ = th. "Hansen, Peter" is read as "Peter Hansen". A hyphen binds the words of one name
("Hans-Ole", "Dahl-Eriksen"); a single letter, or letters with a dot ("Chr."), abbreviate a name. "PETER & ANNE HANSEN"
and "Peter Hansen og Anne Holm" name two people, of whom either may be meant; "m.fl." is dropped.

Limits, on purpose: nicknames, titles, spelling variants (Kristian and Christian) and typing errors make another name,
and so does leaving out the first of several given names.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import product
from typing import Final

LONGEST_ADDRESSING_NAME: Final = 34
"""Characters of the register's addressing name (adresseringsnavn). A longer name has middle names shortened to initials
or left out, and at last its end cut off."""

_FEWEST_LETTERS: Final = 3
_LETTERS: Final = str.maketrans(
    {
        "å": "aa",
        "æ": "ae",
        "ä": "ae",
        "ø": "oe",
        "ö": "oe",
        "œ": "oe",
        "ß": "ss",
        "ð": "d",
        "đ": "d",
        "þ": "th",
        "ł": "l",
    }
)
_APOSTROPHES: Final = re.compile(r"['’‘`´]")
_SINGLE_LETTER: Final = re.compile(r"(?<![^\W_])([^\W\d_])(?![^\W_]|\.)")
_OTHERS: Final = re.compile(r"[\s,]+m\.?\s?fl\.?\s*$")
_AND: Final = re.compile(r"[&+/;]|\s(?:og|and)\s")
_HYPHEN: Final = re.compile(r"\s*[-‐‑–]+\s*")
_WORD: Final = re.compile(r"[^\W_]+\.?")


class Likeness(IntEnum):
    """How alike two names are."""

    DIFFERENT = 0
    POSSIBLE = 1
    """One person may bear both, and so may her brother: an initial for the first name, one of two people named, last
    name first without a comma, half of a double name left out."""
    SAME = 2
    """Last name and first given name are equal; middle names may be missing or initials, but contradict nowhere."""


@dataclass(frozen=True)
class _Name:
    """A name in words of the one form, in the order first, middle, last.

    The first `given` words are one given name, the last `family` words one family name, as far as the writing tells.
    """

    words: tuple[str, ...] = ()
    given: int = 1
    family: int = 1

    def __str__(self) -> str:
        if len(self.words) < self.given + self.family:
            return " ".join(self.words)
        end = len(self.words) - self.family
        return " ".join(["-".join(self.words[: self.given]), *self.words[self.given : end], "-".join(self.words[end:])])


def folded(name: str | None) -> str:
    """The name in the one form; "" for none. Names of the same form are the same whatever they are compared with."""
    return " & ".join(map(str, _read(name)))


def likeness(first: str | None, second: str | None) -> Likeness:
    """How alike two names are that were typed in full. A missing name is nobody's."""
    return _likeness(_read(first), _read(second))


def same_name(first: str | None, second: str | None) -> bool:
    """Whether both are the same name, as `Likeness.SAME`."""
    return likeness(first, second) is Likeness.SAME


def likeness_to_addressing_name(name: str | None, addressing_name: str | None) -> Likeness:
    """How alike a typed name is to the register's addressing name, which may be shortened and cut."""
    typed, registered = _read(name), _read(addressing_name)
    found = _likeness(typed, registered)
    # A blank at the end of the 34 characters is not delivered.
    if len(registered) != 1 or len(_tidy(addressing_name or "")) not in (
        LONGEST_ADDRESSING_NAME - 1,
        LONGEST_ADDRESSING_NAME,
    ):
        return found
    return max([found, *(_begun(registered[0], each) for each in typed)])


def likeness_to_full_name(
    name: str | None, first_name: str | None, middle_name: str | None, last_name: str | None
) -> Likeness:
    """How alike a typed name is to the register's own parts of a name, none of which is shortened."""
    given, middle, family = (_read_one(_tidy(part or "")) for part in (first_name, middle_name, last_name))
    if not (given.words and family.words):
        return Likeness.DIFFERENT
    bound = len(given.words) if "-" in (first_name or "").split()[0] and " " not in (first_name or "").strip() else 1
    whole = _Name((*given.words, *middle.words, *family.words), given=bound, family=len(family.words))
    return _likeness(_read(name), (whole,))


def _tidy(text: str) -> str:
    """Composed letters in lower case, single blanks."""
    return " ".join(unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).lower()).split())


def _read(name: str | None) -> tuple[_Name, ...]:
    """The people that a text names; none for an empty text."""
    people = [_read_one(part) for part in _AND.split(_OTHERS.sub("", _tidy(name or "")))]
    return tuple(_with_shared_family([each for each in people if each.words]))


def _with_shared_family(people: Sequence[_Name]) -> Iterator[_Name]:
    """ "Peter & Anne Hansen": a given name by itself gets the family name of whoever comes after it."""
    for position, name in enumerate(people):
        after = next((each for each in people[position + 1 :] if len(each.words) > 1), None)
        if len(name.words) == 1 and after is not None:
            yield _Name(name.words + after.words[-after.family :], family=after.family)
        else:
            yield name


def _read_one(tidy: str) -> _Name:
    """The name in a tidy text that names one person."""
    plain = _HYPHEN.sub("-", _APOSTROPHES.sub("", tidy))
    plain = _unaccented(_SINGLE_LETTER.sub(r"\1.", plain))
    last, _comma, first = plain.partition(",")
    if _WORD.search(first) and _WORD.search(last):
        elements = [*first.replace(",", " ").split(), *last.split()]
        family = len(_WORD.findall(last))
    else:
        elements = plain.replace(",", " ").split()
        family = 0
    named = [(words, "-" in element) for element in elements if (words := tuple(_WORD.findall(element)))]
    if not named:
        return _Name()
    alone = len(named) == 1
    bound = [len(words) if hyphen and not alone else 1 for words, hyphen in (named[0], named[-1])]
    return _Name(tuple(word for words, _ in named for word in words), given=bound[0], family=family or bound[1])


def _unaccented(text: str) -> str:
    parts = unicodedata.normalize("NFD", text.translate(_LETTERS))
    return unicodedata.normalize("NFC", "".join(part for part in parts if not unicodedata.combining(part)))


def _likeness(some: Sequence[_Name], others: Sequence[_Name]) -> Likeness:
    """The best likeness between any two; where several people are named, no more than a possible one."""
    if some and some == others:
        return Likeness.SAME
    best = max((_compared(one, other) for one, other in product(some, others)), default=Likeness.DIFFERENT)
    return best if len(some) == len(others) == 1 else min(best, Likeness.POSSIBLE)


def _compared(one: _Name, other: _Name) -> Likeness:
    found = _in_order(one, other)
    if found is not Likeness.DIFFERENT:
        return found
    turned = max(_in_order(_turned(one), other), _in_order(one, _turned(other)))
    return min(turned, Likeness.POSSIBLE)


def _turned(name: _Name) -> _Name:
    """The name with its first word at the end, as when "Hansen Peter" was typed."""
    return _Name((*name.words[1:], *name.words[:1]))


def _in_order(one: _Name, other: _Name) -> Likeness:
    """Both names read as first, middle and last name."""
    if one.words == other.words:
        return Likeness.SAME
    shorter = min(len(one.words), len(other.words))
    if shorter < 2 or not _ends_equal(one, other, 1) or not _fits(one.words[0], other.words[0]):
        return Likeness.DIFFERENT
    given, family = max(one.given, other.given), max(one.family, other.family)
    certain = (
        given + family <= shorter
        and one.words[:given] == other.words[:given]
        and _ends_equal(one, other, family)
        and not one.words[0].endswith(".")
    )
    if not certain:
        given = family = 1
    middles = (each.words[given : len(each.words) - family] for each in (one, other))
    if not _fit_in(*middles):
        return Likeness.DIFFERENT
    return Likeness.SAME if certain else Likeness.POSSIBLE


def _ends_equal(one: _Name, other: _Name, words: int) -> bool:
    ends = zip(one.words[-words:], other.words[-words:], strict=False)
    return all(first.rstrip(".") == second.rstrip(".") for first, second in ends)


def _begun(cut: _Name, whole: _Name) -> Likeness:
    """Whether the cut name begins the whole one, with middle names shortened or left out."""
    if len(cut.words) < 2 or cut.words[0] != whole.words[0] or len(cut.words[-1]) < _FEWEST_LETTERS:
        return Likeness.DIFFERENT
    ends = [
        end
        for end in range(2, len(whole.words) + 1)
        if whole.words[end - 1].startswith(cut.words[-1]) and _fit_in(cut.words[1:-1], whole.words[1 : end - 1])
    ]
    if not ends:
        return Likeness.DIFFERENT
    return Likeness.SAME if ends[-1] > len(whole.words) - whole.family else Likeness.POSSIBLE


def _fits(one: str, other: str) -> bool:
    """Equal words, or one abbreviates the other."""
    return one == other or any(
        short.endswith(".") and long.startswith(short[:-1]) for short, long in ((one, other), (other, one))
    )


def _fit_in(some: Sequence[str], others: Sequence[str]) -> bool:
    """Whether the fewer words stand among the more, in their order, each equal or abbreviated."""
    fewer, more = sorted((some, others), key=len)
    left = iter(more)
    return all(any(_fits(word, each) for each in left) for word in fewer)

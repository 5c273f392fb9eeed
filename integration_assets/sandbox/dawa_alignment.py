"""How DAWA's datavask reads a typed text by the light of one address: character by character, into fields.

The typed text and the address's own text are laid side by side so that as many characters as possible face each other
in order (an insert or a delete costs 1, an update 2, so an update never pays). Then the fields of the address are cut
off from the left, together with what was typed against them; whole words that face nothing are unknown tokens.

Slow and literal on purpose: this is what faster washing is compared with.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

FIELDS = ("vejnavn", "husnr", "etage", "dør", "supplerendebynavn", "postnr", "postnrnavn")
"""The fields of an address in the order of its text."""

_BLANKS = " .,"
# Only the door may stand against its floor without a blank ("2tv").
_JOINED_TO_THE_NEXT = {"etage"}


class Pair(NamedTuple):
    """A character of the typed text and the one of the address that it faces; None where there is none."""

    typed: str | None
    known: str | None


@dataclass(frozen=True)
class Reading:
    """What was typed for each field that the address has, and the typed words that belong to none of them."""

    fields: dict[str, str]
    unknown: list[str]


def address_text(address: Mapping[str, str | None]) -> str:
    """The line of an address: ``Road 12B, 2. tv, Town, 8000 District``."""
    line = " ".join(part for part in (address["vejnavn"], address["husnr"]) if part)
    floor, door = address.get("etage"), address.get("dør")
    if floor or door:
        line += ","
    if floor:
        line += f" {floor}."
    if door:
        line += f" {door}"
    town = address.get("supplerendebynavn")
    return f"{line}, {f'{town}, ' if town else ''}{address['postnr'] or ''} {address['postnrnavn'] or ''}"


def read(typed: str, address: Mapping[str, str | None]) -> Reading:
    """The typed text read as this address, as typed except for leading zeros and the blank in "5 C"."""
    names = [name for name in FIELDS if address.get(name)]
    values = [address[name] or "" for name in names]
    rest = aligned(typed.strip(), address_text(address).strip())
    fields: dict[str, str] = {}
    unknown: list[str] = []
    at_blank = True
    for position, name in enumerate(names):
        following = values[position + 1] if position + 1 < len(values) else None
        whole_words = (
            following is None
            or not (name in _JOINED_TO_THE_NEXT and names[position + 1] == "dør")
            or (values[position][-1].isdecimal() and following[0].isdecimal())
        )
        fields[name], rest, at_blank = _cut(rest, len(values[position]), whole_words, at_blank)
        words, rest = _between(rest)
        unknown += words
        at_blank = at_blank or bool(unknown)
    return Reading(_without_zeros(fields, address), unknown)


def aligned(typed: str, known: str) -> list[Pair]:
    """The two texts side by side, letter case aside.

    Of the alignments with the fewest lone characters, the one that comes first when read from the right and lone typed
    characters are preferred to lone known ones, and those to a pair.
    """
    # One by one: the small form of a foreign letter may be two characters.
    left, right = [character.lower() for character in typed], [character.lower() for character in known]
    cost = [list(range(len(left) + 1))]
    for i, known_character in enumerate(right, start=1):
        row, above = [i], cost[-1]
        for j, typed_character in enumerate(left, start=1):
            same = typed_character == known_character
            row.append(above[j - 1] if same else min(row[-1], above[j]) + 1)
        cost.append(row)
    pairs: list[Pair] = []
    i, j = len(right), len(left)
    while i or j:
        if j and cost[i][j] == cost[i][j - 1] + 1:
            j -= 1
            pairs.append(Pair(typed[j], None))
        elif i and cost[i][j] == cost[i - 1][j] + 1:
            i -= 1
            pairs.append(Pair(None, known[i]))
        else:
            i, j = i - 1, j - 1
            pairs.append(Pair(typed[j], known[i]))
    pairs.reverse()
    return pairs


def _is_blank(character: str | None) -> bool:
    return character is not None and character in _BLANKS


def _cut(pairs: list[Pair], length: int, whole_words: bool, at_blank: bool) -> tuple[str, list[Pair], bool]:
    """What was typed against the next `length` known characters, the pairs after it, and whether it ended at a blank.

    Typed characters that directly follow the field belong to it up to the next blank; with `whole_words`, so does the
    rest of a word that the alignment would split between this field and the next.
    """
    text = ""
    for position, pair in enumerate(pairs):
        if pair.known is None:
            if length == 0 and _is_blank(pair.typed):
                return text, pairs[position:], at_blank
            text += pair.typed or ""
            at_blank = _is_blank(pair.typed)
        elif length == 0:
            if whole_words and not at_blank:
                ending, rest = _rest_of_word(pairs[position:])
                return text + ending, rest, True
            return text, pairs[position:], at_blank
        else:
            length -= 1
            if pair.typed is not None:
                text += pair.typed
                at_blank = _is_blank(pair.typed)
    return text, [], at_blank


def _rest_of_word(pairs: list[Pair]) -> tuple[str, list[Pair]]:
    """The typed characters up to the next blank, and the pairs without them: the known ones then face nothing."""
    word, left_alone = "", list[Pair]()
    for position, pair in enumerate(pairs):
        if _is_blank(pair.typed):
            return word, left_alone + pairs[position:]
        word += pair.typed or ""
        if pair.known is not None:
            left_alone.append(Pair(None, pair.known))
    return word, left_alone


def _between(pairs: list[Pair]) -> tuple[list[str], list[Pair]]:
    """The unknown words in front of the next field, and the pairs from that field on."""
    words: list[str] = []
    while pairs and (pairs[0].known is None or _is_blank(pairs[0].known)):
        if pairs[0].typed is None or _is_blank(pairs[0].typed):
            pairs = pairs[1:]
        elif _stands_alone(pairs):
            word, pairs = _unknown_word(pairs)
            words.append(word)
        else:
            break
    return words, pairs


def _stands_alone(pairs: list[Pair]) -> bool:
    """Whether the typed word that starts here ends before anything of the next field is met."""
    for pair in pairs:
        if _is_blank(pair.typed):
            return True
        if pair.known is not None and not _is_blank(pair.known):
            return False
    return True


def _unknown_word(pairs: list[Pair]) -> tuple[str, list[Pair]]:
    word = ""
    for position, pair in enumerate(pairs):
        if _is_blank(pair.typed) or (pair.known is not None and not _is_blank(pair.known)):
            return word, pairs[position:]
        word += pair.typed or ""
    return word, []


def _without_zeros(fields: dict[str, str], address: Mapping[str, str | None]) -> dict[str, str]:
    """The fields without what means nothing: zeros in front of numbers, "-" in front of a door, "5 C" for "5C"."""
    result = dict(fields)
    for name in ("husnr", "etage"):
        if name in result:
            result[name] = result[name].lstrip("0")
    if "husnr" in result:
        result["husnr"] = re.sub(r"^(\d+) ([A-Za-z])$", r"\1\2", result["husnr"])
    if "dør" in result:
        door = result["dør"]
        if not (address["dør"] or "").startswith("-"):
            door = door.removeprefix("-")
        result["dør"] = re.sub(r"^0+(?=[^0])", "", door)
    return result

"""Which addresses DAWA's datavask holds against a typed text: those with all its words, else those of similar roads.

Belongs here: the texts that an address goes by, the word index over them, the roads and their trigrams.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

from integration_assets.sandbox.dawa_alignment import address_text
from integration_assets.sandbox.dawa_words import found_by, trigrams, words

_MOST_FOUND = 500
_MOST_COMPARED = 30
_ROADS = 12
# Insert, delete, substitute, from the address to what was typed.
_ABBREVIATING = (2, 1, 3)
_BASEL = math.pi**2 / 6

Variant = dict[str, str | None]


@dataclass(frozen=True)
class Version:
    """One version of a unit or access address; `status` is DAWA's (1 final, 2 closed, 3 provisional, 4 abandoned).

    `access_id` is None for an access address. Times are ISO texts; `ends` is None for the version in force, or the
    last one.
    """

    id: str
    access_id: str | None
    status: int
    municipality_code: str
    street_code: str
    vejnavn: str
    adresseringsvejnavn: str
    husnr: str
    etage: str | None
    dør: str | None
    supplerendebynavn: str | None
    postnr: str
    postnrnavn: str
    starts: str
    ends: str | None

    @property
    def road(self) -> tuple[str, str]:
        """The road by its codes."""
        return self.municipality_code, self.street_code


LargeReceivers = Mapping[str, tuple[str, str]]
"""Postcode and name of large receivers (stormodtagere) by access address."""


def variants(version: Version, receivers: LargeReceivers) -> list[Variant]:
    """The ways to write an address: without its supplementary town, by the short road name, by a large receiver's
    postcode, and all of these combined."""
    own: Variant = {
        "vejnavn": version.vejnavn,
        "husnr": version.husnr,
        "etage": version.etage,
        "dør": version.dør,
        "supplerendebynavn": version.supplerendebynavn,
        "postnr": version.postnr,
        "postnrnavn": version.postnrnavn,
    }
    found = [own]
    if version.supplerendebynavn:
        found.append(own | {"supplerendebynavn": None})
    if version.adresseringsvejnavn != version.vejnavn:
        found += [variant | {"vejnavn": version.adresseringsvejnavn} for variant in found]
    receiver = receivers.get(version.access_id or version.id)
    if receiver:
        found += [variant | {"postnr": receiver[0], "postnrnavn": receiver[1]} for variant in found]
    return found


@dataclass(frozen=True)
class _Text:
    """A text that an address goes by, with the number of each word in it, synonyms included."""

    id: str
    line: str
    counts: Counter[str]


@dataclass(frozen=True)
class _Road:
    """A name that a road goes by in a postcode."""

    codes: tuple[str, str]
    name: str
    postcode: str
    trigrams: frozenset[str]


class Candidates:
    """Finds the addresses of a register that a typed text may mean."""

    def __init__(self, versions: Iterable[Version], receivers: LargeReceivers) -> None:
        self._texts: list[_Text] = []
        self._with_word: dict[str, list[int]] = defaultdict(list)
        self._of_id: dict[str, list[int]] = defaultdict(list)
        self._ids_of_road: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
        self._districts: dict[str, set[str]] = defaultdict(set)
        roads: dict[tuple[tuple[str, str], str, str], str] = {}
        known: set[tuple[str, str]] = set()
        for version in versions:
            self._ids_of_road[version.road][version.id] = None
            self._districts[version.postnrnavn].add(version.postnr)
            for variant in variants(version, receivers):
                roads[version.road, variant["vejnavn"] or "", variant["postnr"] or ""] = variant["postnrnavn"] or ""
                line = address_text(variant)
                if (version.id, line) not in known:
                    known.add((version.id, line))
                    self._add(version.id, line)
        self._roads = [
            _Road(codes, name, postcode, trigrams(f"{name} {postcode} {district}"))
            for (codes, name, postcode), district in roads.items()
        ]
        self._postcodes = {road.postcode for road in self._roads}

    def _add(self, address_id: str, line: str) -> None:
        counts = Counter(finder for word in words(line) for finder in found_by(word))
        for word in counts:
            self._with_word[word].append(len(self._texts))
        self._of_id[address_id].append(len(self._texts))
        self._texts.append(_Text(address_id, line, counts))

    def of(self, typed: str) -> list[str]:
        """Ids of at most thirty addresses, the likeliest first."""
        return self.with_words(typed, _MOST_FOUND)[:_MOST_COMPARED] or self._by_road(typed)

    def nearest_roads(self, postcode: str, district: str | None, name: str) -> set[str]:
        """The road names nearest to a typed one, within a postcode or, where that is "", a postal district by name."""
        postcodes = {postcode} if postcode else self._districts.get(district or "", set())
        distances = {
            road.name: Levenshtein.distance(road.name.lower(), name.lower())
            for road in self._roads
            if road.postcode in postcodes
        }
        shortest = min(distances.values(), default=None)
        return {road for road, distance in distances.items() if distance == shortest}

    def same_road(self, postcode: str, names: set[str]) -> bool:
        """Whether all these names (one at least) are names of one road: of one pair of codes in the postcode."""
        holders = [
            {road.codes for road in self._roads if road.name == name and postcode in ("", road.postcode)}
            for name in names
        ]
        return bool(set.intersection(*holders))

    def with_words(self, typed: str, most: int) -> list[str]:
        """Ids of at most `most` addresses that hold every typed word, by the rank of a full-text search, then by
        distance. A word that ends in "*" stands for all that start so."""
        asked = words(typed)
        if not asked:
            return []
        starts = set(words(" ".join(re.findall(r"[^\s*]+(?=\*)", typed))))
        hits = [self._numbers_of(word, word in starts) for word in asked]
        found = dict.fromkeys(self._texts[number].id for number in sorted(set.intersection(*hits))[:most])
        ranks = {
            address_id: max(round(1_000_000 * _rank(self._texts[n].counts, asked)) for n in self._of_id[address_id])
            for address_id in found
        }
        return sorted(found, key=lambda address_id: (-ranks[address_id], self._distance(address_id, typed)))

    def _numbers_of(self, word: str, as_start: bool) -> set[int]:
        if not as_start:
            return set(self._with_word.get(word, ()))
        return {number for known, numbers in self._with_word.items() if known.startswith(word) for number in numbers}

    def _by_road(self, typed: str) -> list[str]:
        """Addresses of the roads that look most alike; within the postcode where exactly one number could be one."""
        numbers = re.findall(r"\d{4}", typed)
        within = numbers[0] if len(numbers) == 1 and numbers[0] in self._postcodes else None
        asked = trigrams(typed)
        near = sorted(
            (road for road in self._roads if within in (None, road.postcode)),
            key=lambda road: -len(asked & road.trigrams) / len(asked | road.trigrams),
        )
        codes = dict.fromkeys(road.codes for road in near[:_ROADS])
        found = dict.fromkeys(address_id for road in codes for address_id in self._ids_of_road[road])
        return sorted(found, key=lambda address_id: self._distance(address_id, typed))[:_MOST_COMPARED]

    def _distance(self, address_id: str, typed: str) -> int:
        return min(
            Levenshtein.distance(self._texts[number].line.lower(), typed.lower(), weights=_ABBREVIATING)
            for number in self._of_id[address_id]
        )


def _rank(counts: Counter[str], asked: Sequence[str]) -> float:
    """How well a text answers a search for any of the words: PostgreSQL's ts_rank with the logarithm of its length.

    Each word that the text holds n times adds 1 + 1/4 + … + 1/n².
    """
    total = sum(sum(1 / n**2 for n in range(1, counts[word] + 1)) for word in asked)
    return 0.1 * total / _BASEL / len(asked) / math.log2(len(counts) + 1)

"""DAWA's washing of addresses (datavask), written out step by step as its public description and tests have it.

Belongs here: rewriting, differences, categories A/B/C and the choice between several hits, over plain versions of
addresses, without a server. It is made to be read and to be compared with, not to be fast: tens of texts a second.

One point is settled where DAWA leaves it to chance: when two roads are equally near to a misspelt name, neither is
"the nearest".
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cmp_to_key
from typing import Any

from rapidfuzz.distance import Levenshtein

from integration_assets.sandbox.dawa_alignment import FIELDS, address_text, read
from integration_assets.sandbox.dawa_candidates import Candidates, LargeReceivers, Variant, Version, variants

Json = dict[str, Any]

_REWRITES = (
    (re.compile(r"^(.+\d+\s*,?\s+)kld(.+)$", re.IGNORECASE), r"\1kl\2"),
    (re.compile(r"stueplan", re.IGNORECASE), "st"),
    (re.compile(r"(\d+[\s.]+)sal([. ,].+)", re.IGNORECASE), r"\1\2"),
)
_LONGEST_ROAD_REPAIR = 3
_GONE = (2, 4)
_COMPARED = ("postnr", "vejnavn", "husnr", "etage", "dør", "supplerendebynavn")
_REQUIRED = ("postnr", "vejnavn", "husnr")


@dataclass(frozen=True)
class _Match:
    """A typed text held against one way to write an address."""

    variant: Variant
    parsed: dict[str, str]
    unknown: list[str]
    differences: dict[str, int]
    category: str

    @property
    def distance(self) -> int:
        return sum(self.differences.values())


class Datavask:
    """Washes texts against versions of unit addresses, or of access addresses (those without an access_id).

    `candidates` finds addresses by words, for searches as well.
    """

    def __init__(self, versions: Iterable[Version], receivers: LargeReceivers | None = None) -> None:
        self._receivers = receivers or {}
        self._versions: dict[str, list[Version]] = defaultdict(list)
        for version in versions:
            self._versions[version.id].append(version)
        for held in self._versions.values():
            held.sort(key=lambda version: (version.ends is not None, version.starts))
        self.candidates = Candidates((v for held in self._versions.values() for v in held), self._receivers)

    def wash(self, typed: str) -> Json:
        """The answer of DAWA's datavask: `kategori` and `resultater` (`adresse`, `aktueladresse`, `vaskeresultat`)."""
        text = rewritten(typed)
        lines: dict[str, dict[str, None]] = {}
        known: dict[str, Variant] = {}
        for address_id in self.candidates.of(text):
            held = [v for version in self._versions[address_id] for v in variants(version, self._receivers)]
            lines[address_id] = dict.fromkeys(address_text(variant) for variant in held)
            known |= {address_text(variant): variant for variant in held}
        matches = {line: self._match(text, known[line]) for line in sorted(known)}
        category = min((match.category for match in matches.values()), default="C")
        best = sorted(
            (line for line, match in matches.items() if match.category == category),
            key=cmp_to_key(lambda one, other: _nearer(matches[one], matches[other])),
        )
        hits = [
            (position, address_id)
            for address_id, own in lines.items()
            if (position := next((n for n, line in enumerate(best) if line in own), None)) is not None
        ]
        results = [self._result(address_id, best[n], matches[best[n]]) for n, address_id in sorted(hits)]
        if category != "C":
            results = self._existing(results, set(best))
        return {"kategori": "C" if len(results) > 1 else category, "resultater": results}

    def _match(self, text: str, variant: Variant) -> _Match:
        reading = read(text, variant)
        match = _Match(variant, reading.fields, reading.unknown, _differences(reading.fields, variant), "C")
        if match.unknown:
            return match
        if match.distance == 0:
            return replace(match, category="A")
        return replace(match, category="B") if self._means(match) else match

    def _means(self, match: _Match) -> bool:
        """Whether only spelling sets the text apart from the address: house number, floor, door and place are equal,
        and no other road of the place is as near to the typed one."""
        differences, parsed = match.differences, match.parsed
        same_place = differences["postnr"] == 0 or (parsed["postnr"] == "" and differences.get("postnrnavn") == 0)
        if any(differences.get(name, 0) for name in ("husnr", "etage", "dør")) or not same_place:
            return False
        if differences["vejnavn"] == 0:
            return True
        if differences["vejnavn"] > _LONGEST_ROAD_REPAIR:
            return False
        nearest = self.candidates.nearest_roads(parsed["postnr"], parsed.get("postnrnavn"), parsed["vejnavn"])
        name = match.variant["vejnavn"] or ""
        # No road at all: the postcode is a large receiver's that has no road of its own.
        return not nearest or (name in nearest and self.candidates.same_road(parsed["postnr"], nearest))

    def _result(self, address_id: str, line: str, match: _Match) -> Json:
        held = self._versions[address_id]
        meant = next(v for v in held if line in map(address_text, variants(v, self._receivers)))
        current = next((version for version in held if version.ends is None), None)
        by_receiver = match.variant["postnr"] != meant.postnr
        own = FIELDS if meant.access_id else tuple(name for name in FIELDS if name not in ("etage", "dør"))
        return {
            "adresse": version_json(meant),
            "aktueladresse": None if current is None else version_json(current),
            "vaskeresultat": {
                "variant": {name: match.variant[name] for name in own},
                "afstand": match.distance,
                "forskelle": match.differences,
                "parsetadresse": match.parsed,
                "ukendtetokens": match.unknown,
                "anvendtstormodtagerpostnummer": (
                    {"nr": match.variant["postnr"], "navn": match.variant["postnrnavn"]} if by_receiver else None
                ),
            },
        }

    def _existing(self, results: list[Json], lines: set[str]) -> list[Json]:
        """Of several hits those that exist, where some do; of these, those that are called so today."""
        for wanted in (_exists, lambda result: _exists(result) and address_text(result["aktueladresse"]) in lines):
            if len(results) > 1:
                results = [result for result in results if wanted(result)] or results
        return results


def rewritten(typed: str) -> str:
    """The text with the words for floors as the register has them: kl for kld, st for stueplan, 2 for 2 sal."""
    for pattern, replacement in _REWRITES:
        typed = pattern.sub(replacement, typed, count=1)
    return typed


def version_json(version: Version) -> Json:
    """A version as the answer shows it."""
    shown = {
        "id": version.id,
        "vejnavn": version.vejnavn,
        "adresseringsvejnavn": version.adresseringsvejnavn,
        "husnr": version.husnr,
        "supplerendebynavn": version.supplerendebynavn,
        "postnr": version.postnr,
        "postnrnavn": version.postnrnavn,
        "status": version.status,
        "virkningstart": version.starts,
        "virkningslut": version.ends,
    }
    if version.access_id is None:
        return shown
    return shown | {"adgangsadresseid": version.access_id, "etage": version.etage, "dør": version.dør}


def _differences(parsed: dict[str, str], variant: Variant) -> dict[str, int]:
    """Edits per field, letter case aside; a supplementary town that was not typed is no difference."""
    return {
        name: Levenshtein.distance(parsed[name].lower(), (variant[name] or "").lower())
        for name in FIELDS
        if name in parsed and not (name == "supplerendebynavn" and not parsed[name])
    }


def _nearer(one: _Match, other: _Match) -> int:
    """Negative when `one` is the likelier meaning: the first field that differs decides; required ones go first."""
    for name in _COMPARED:
        left, right = one.differences.get(name), other.differences.get(name)
        if name in _REQUIRED and (left is None) != (right is None):
            return -1 if right is None else 1
        if (left or 0) != (right or 0):
            return (left or 0) - (right or 0)
    return 0


def _exists(result: Json) -> bool:
    current = result["aktueladresse"]
    return current is not None and current["status"] not in _GONE

"""What others put into an object of ours, and how it is kept when the object is written.

A PUT replaces everything. So an object that the registry (LoRa) had before us is read before it is written, and what
is none of ours goes into the body beside what is: relations and attributes that we do not write, urns of other kinds
among addresses and numbers, keys of integrationsdata that are not ours. Their periods stay theirs; where the object
says nothing at all (before its first day) they cannot say anything either, because LoRa has no attributes without a
user key (brugervendtnoegle).

Ours, and replaced: every attribute and relation of `domain.registry.dialect`. Not kept: a single search word (soegeord)
of a klasse, which LoRa drops from a PUT, and integrationsdata that is no JSON object.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from integration_assets.domain.registry.content import moment
from integration_assets.domain.registry.dialect import EXTENSIONS, NEEDED, ClassFields
from integration_assets.domain.registry.references import pieces
from integration_assets.domain.registry.time import ALWAYS_FROM
from integration_assets.domain.registry.values import LARGEST_TEXT, packed, unpacked

Json = dict[str, Any]
Piece = Mapping[str, Any]
OverTime = tuple[Json, str | None, str | None]
"""Values by name, the moment from which they hold and the one at which they end; None is open."""

_OUR_KEYS: Final = frozenset(
    {
        *("ava_fornavn", "ava_mellemnavn", "ava_efternavn", "ava_koen", "ava_civilstand", "ava_adressebeskyttelse"),
        *("ava_masterid", "ava_kmdnavn", "ava_slutdato", "ava_kundenummer", "ava_maalerfabrikat"),
        "ava_opstillingsadresse",
    }
)
"""Keys of integrationsdata that `domain.registry.objects` writes."""

_OUR_ITEMS: Final[dict[tuple[str, str], re.Pattern[str]]] = {
    ("organisation/bruger", "adresser"): re.compile(r"urn:(tel|mobile|email):"),
    ("organisation/organisation", "adresser"): re.compile(r"urn:(tel|mobile|email):"),
    ("organisation/interessefaellesskab", "adresser"): re.compile(r"(?!)"),
    ("indsats/indsats", "indsatsdokument"): re.compile(r"(?!)"),
    ("organisation/bruger", "tilknyttedepersoner"): re.compile(r"urn:[0-9]{9,10}$"),
}
"""Urns that are ours in relations that others use too; a uuid there is ours, but for `tilknyttedepersoner`."""

_SINGLE: Final = frozenset(
    {
        *("branche", "myndighed", "myndighedstype", "overordnet", "produktionsenhed", "skatteenhed", "tilhoerer"),
        *("virksomhed", "virksomhedstype", "organisatoriskfunktionstype", "interessefaellesskabstype"),
        *("indsatsmodtager", "indsatstype", "ejer", "ansvarlig", "overordnetklasse", "facet"),
        *("ava_opstillingsadresse", "ava_afhentningstype", "ava_ejendom", "ava_arosia_id", "ava_aftale_id"),
    }
)
"""Relations of 0..1, of which a PUT takes one item only."""

_SEARCH_WORDS: Final = "soegeord"
_SEARCH_WORD_PARTS: Final = ("soegeordidentifikator", "beskrivelse", "soegeordskategori")


@dataclass(frozen=True)
class Foreign:
    """What others put into an object: relation items by relation, pieces of attributes, pieces of integrationsdata.

    `lost` names what cannot be kept.
    """

    relations: Mapping[str, list[Json]] = field(default_factory=dict[str, list[Json]])
    attributes: tuple[OverTime, ...] = ()
    keys: tuple[OverTime, ...] = ()
    lost: tuple[str, ...] = ()

    def names(self) -> list[str]:
        """What there is, without its values: relations (with the scheme of a urn), attributes, keys; sorted."""
        told = {f"{name} {_scheme(item)}".strip() for name, items in self.relations.items() for item in items}
        told |= {name for values, _begin, _end in self.attributes for name in values}
        told |= {f"integrationsdata {name}" for values, _begin, _end in self.keys for name in values}
        return sorted(told)


def foreign(lora_class: str, registration: Mapping[str, Any]) -> Foreign:
    """What in a registration of an object of ours (with all its periods) is not ours."""
    ours = _ours(lora_class)
    relations: Mapping[str, list[Piece]] = registration.get("relationer") or {}
    kept = {
        name: items
        for name, found in relations.items()
        if (items := [_item(each) for each in found if not _is_ours(lora_class, name, each, ours)])
    }
    attributes: list[OverTime] = []
    keys: list[OverTime] = []
    lost: set[str] = set()
    for piece in pieces(registration, "attributter"):
        period = (moment(piece["virkning"]["from"]), moment(piece["virkning"]["to"]))
        values = {name: value for name, value in piece.items() if name not in ours.attributes and name != "virkning"}
        if _SEARCH_WORDS in values:
            values[_SEARCH_WORDS] = [[word.get(part, "") for part in _SEARCH_WORD_PARTS] for word in piece["soegeord"]]
            if len(values[_SEARCH_WORDS]) == 1:
                del values[_SEARCH_WORDS]
                lost.add(_SEARCH_WORDS)
        if values:
            attributes.append((values, *period))
        text = piece.get("integrationsdata")
        if rest := {name: value for name, value in unpacked(text).items() if name not in _OUR_KEYS}:
            keys.append((rest, *period))
        if text and not unpacked(text) and text.strip() != "{}":
            lost.add("integrationsdata")
    return Foreign(kept, tuple(attributes), tuple(keys), tuple(sorted(lost)))


def without_foreign(lora_class: str, found: Mapping[str, Any]) -> Json:
    """The object as it was read, of its newest registration what is ours: for comparing it with what we wrote."""
    registration, *former = found["registreringer"]
    ours = _ours(lora_class)
    related: Mapping[str, list[Piece]] = registration.get("relationer") or {}
    said: Mapping[str, list[Piece]] = registration.get("attributter") or {}
    relations = {
        name: [each for each in items if _is_ours(lora_class, name, each, ours)] for name, items in related.items()
    }
    attributes = {group: [_our_part(piece, ours) for piece in told] for group, told in said.items()}
    return {**found, "registreringer": [{**registration, "relationer": relations, "attributter": attributes}, *former]}


def _our_part(piece: Piece, ours: ClassFields) -> Json:
    """A piece of attributes with what we write of it."""
    kept = {name: value for name, value in piece.items() if name in ours.attributes or name == "virkning"}
    data = {name: value for name, value in unpacked(piece.get("integrationsdata")).items() if name in _OUR_KEYS}
    return {**kept, "integrationsdata": packed(data) or ""}


def with_foreign(body: Json, others: Foreign) -> tuple[Json, dict[str, list[Json]]]:
    """The body of a PUT with what others put into the object, and the relations of 0..1 that must follow by PATCH.

    Raises ValueError where LoRa cannot hold both, naming the field.
    """
    relations: dict[str, list[Json]] = {name: list(items) for name, items in body["relationer"].items()}
    over_time: dict[str, list[Json]] = {}
    for name, items in others.relations.items():
        if name in _SINGLE and len(items) > 1:
            over_time[name] = items
            items = [max(items, key=lambda item: moment(item["virkning"]["from"]) or "")]
        relations[name] = [*relations.get(name, []), *items]
    attributes = {
        group: [part for piece in said for part in _completed(piece, others)]
        for group, said in body["attributter"].items()
    }
    return {**body, "attributter": attributes, "relationer": relations}, over_time


def _completed(piece: Json, others: Foreign) -> Iterator[Json]:
    """A piece of ours with what others say in its time, cut where that changes."""
    if not others.attributes and not others.keys:
        yield piece
        return
    begin, end = moment(piece["virkning"]["from"]), moment(piece["virkning"]["to"])
    edges = {edge for _values, *period in (*others.attributes, *others.keys) for edge in period if edge is not None}
    inside = sorted(edge for edge in edges if (begin is None or begin < edge) and (end is None or edge < end))
    starts = [piece["virkning"]["from"], *inside]
    ends = [*inside, piece["virkning"]["to"]]
    last: Json | None = None
    for first, after in zip(starts, ends, strict=True):
        said = _said(piece, others, None if first == ALWAYS_FROM else moment(first))
        if last is not None and {**last, "virkning": None} == {**said, "virkning": None}:
            last["virkning"] = {**last["virkning"], "to": after}
            continue
        if last is not None:
            yield last
        last = {**said, "virkning": {**piece["virkning"], "from": first, "to": after}}
    if last is not None:
        yield last


def _said(piece: Json, others: Foreign, begin: str | None) -> Json:
    """What the piece and the others say from a moment on."""
    keys = _in_force(others.keys, begin)
    said = {**_in_force(others.attributes, begin), **piece}
    if keys:
        data = packed({**keys, **unpacked(piece.get("integrationsdata"))}) or ""
        if len(data.encode()) >= LARGEST_TEXT:
            raise ValueError(
                f"integrationsdata with what other systems keep there takes {len(data.encode())} bytes; LoRa holds "
                f"{LARGEST_TEXT}."
            )
        said["integrationsdata"] = data
    return said


def _in_force(told: Iterable[OverTime], begin: str | None) -> Json:
    """The values that hold from a moment on."""
    return {name: value for said, *period in told if _holds(period, begin) for name, value in said.items()}


def _holds(period: list[str | None], begin: str | None) -> bool:
    first, after = period
    if begin is None:
        return first is None
    return (first or "") <= begin and (after is None or begin < after)


def _ours(lora_class: str) -> ClassFields:
    needed, extension = NEEDED[lora_class], EXTENSIONS.get(lora_class, ClassFields())
    return ClassFields(needed.attributes | extension.attributes, needed.relations | extension.relations)


def _is_ours(lora_class: str, relation: str, item: Piece, ours: ClassFields) -> bool:
    """Whether an item is of a kind that we write, or says nothing (cleared)."""
    urn: str | None = item.get("urn")
    if not urn and not item.get("uuid"):
        return True
    if relation not in ours.relations:
        return False
    pattern = _OUR_ITEMS.get((lora_class, relation))
    if pattern is None:
        return True
    return pattern.match(urn) is not None if urn else relation != "tilknyttedepersoner"


def _item(item: Piece) -> Json:
    """A relation item as a PUT takes it: LoRa numbers those of indsats itself."""
    return {name: value for name, value in item.items() if name != "indeks" and value}


def _scheme(item: Piece) -> str:
    """The scheme of a urn such as ``urn:arosia_tel:``; a urn without one may be a number, and is not shown."""
    head, _, rest = str(item.get("urn") or "").removeprefix("urn:").partition(":")
    return f"urn:{head}:" if rest and not head.isdigit() else ""

"""Which form of LoRa a registry speaks: the plain release, or the release with AVA's own fields.

Belongs here: what our objects need of each class, which fields AffaldVarme (AVA) installed over the release, and the
decision which of the two forms is written. Reading needs no decision: `domain.registry.reading` takes both forms.

The decision is one for the whole registry, never one per class: a registry with a part of the fields is one whose
installation went wrong, and writing it half would leave objects of two forms side by side.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final


class UnfitRegistry(RuntimeError):
    """The registry cannot take our objects; the message says what it lacks, for the operator."""


@dataclass(frozen=True)
class ClassFields:
    """Names of the attributes (egenskaber) and of the relations of a class."""

    attributes: frozenset[str] = frozenset()
    relations: frozenset[str] = frozenset()

    def __sub__(self, other: "ClassFields") -> "ClassFields":
        """What is here and not there."""
        return ClassFields(self.attributes - other.attributes, self.relations - other.relations)


def _fields(attributes: str, relations: str = "") -> ClassFields:
    return ClassFields(frozenset(attributes.split()), frozenset(relations.split()))


NEEDED: Final[dict[str, ClassFields]] = {
    "organisation/bruger": _fields(
        "brugervendtnoegle brugernavn integrationsdata", "tilhoerer tilknyttedepersoner adresser"
    ),
    "organisation/organisation": _fields(
        "brugervendtnoegle organisationsnavn integrationsdata",
        "tilhoerer virksomhed virksomhedstype branche adresser",
    ),
    "organisation/interessefaellesskab": _fields(
        "brugervendtnoegle interessefaellesskabsnavn interessefaellesskabstype integrationsdata", "tilhoerer adresser"
    ),
    "organisation/organisationfunktion": _fields(
        "brugervendtnoegle funktionsnavn integrationsdata",
        "organisatoriskfunktionstype tilknyttedebrugere tilknyttedeinteressefaellesskaber",
    ),
    "klassifikation/klasse": _fields(
        "brugervendtnoegle titel eksempel beskrivelse integrationsdata", "ejer overordnetklasse"
    ),
    "indsats/indsats": _fields(
        "brugervendtnoegle beskrivelse starttidspunkt sluttidspunkt integrationsdata",
        "indsatstype indsatsmodtager indsatsdokument indsatskvalitet",
    ),
}
"""What our objects use of each class, whatever the form.

``integrationsdata`` belongs to it: some of what we write has no field in any form (the customer number of a role).
"""

EXTENSIONS: Final[dict[str, ClassFields]] = {
    "organisation/bruger": _fields(
        "ava_fornavn ava_mellemnavn ava_efternavn ava_civilstand ava_koen ava_adressebeskyttelse ava_masterid"
    ),
    "organisation/organisation": _fields("ava_masterid"),
    "klassifikation/klasse": _fields("", "ava_opstillingsadresse"),
}
"""Those of AVA's own fields that we write. It installed more (ava_ejendom, ava_sms_notifikation …), which we leave."""

_NO_FIELDS: Final = ClassFields()


class Dialect(Enum):
    """How the ava_ content is written: in integrationsdata all of it, or what AVA has fields for in those."""

    PLAIN = "plain"
    EXTENDED = "extended"

    def own(self, lora_class: str) -> ClassFields:
        """The fields of AVA's that objects of the class are written with."""
        return EXTENSIONS.get(lora_class, _NO_FIELDS) if self is Dialect.EXTENDED else _NO_FIELDS


PLAIN: Final = Dialect.PLAIN
EXTENDED: Final = Dialect.EXTENDED


def dialect_of(served: Mapping[str, ClassFields]) -> Dialect:
    """The dialect of a registry that serves these classes (by service and class, e.g. ``organisation/bruger``).

    Raises UnfitRegistry, naming everything that is missing, where a class or a field that every object of ours needs
    is missing, and where only some of AVA's fields that we write are there.
    """
    absent = [name for name in NEEDED if name not in served]
    lacking = _described((name, needed - served[name]) for name, needed in NEEDED.items() if name in served)
    if absent or lacking:
        missing = [f"it does not serve {', '.join(absent)}"] if absent else []
        raise UnfitRegistry(
            f"The registry (LoRa) cannot hold our objects: {'; '.join([*missing, *lacking])}. Nothing was written. "
            "Does lora_url lead to the right service, and does its release have these classes?"
        )
    unmet = {name: own - served[name] for name, own in EXTENSIONS.items()}
    if all(rest == _NO_FIELDS for rest in unmet.values()):
        return EXTENDED
    if unmet == EXTENSIONS:
        return PLAIN
    raise UnfitRegistry(
        f"The registry (LoRa) has only some of AVA's own fields: {'; '.join(_described(unmet.items()))}. Nothing was "
        "written. Install the missing ones too, or none of them; without any, integrationsdata takes their content."
    )


def _described(missing: Iterable[tuple[str, ClassFields]]) -> list[str]:
    """What classes lack, one text for each class that lacks anything."""
    texts: list[str] = []
    for name, fields in missing:
        kinds = (("attribute", fields.attributes), ("relation", fields.relations))
        lists = [f"{kind} {', '.join(sorted(names))}" for kind, names in kinds if names]
        if lists:
            texts.append(f"{name} has no {' and no '.join(lists)}")
    return texts

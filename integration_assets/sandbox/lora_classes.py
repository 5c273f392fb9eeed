"""The classes of the OIO registry: their fields, states and relations, and what is served about them.

Belongs here: the structure of release 1.3.0 for the classes that the product meets, as one table, and the JSON schema,
field listing and site map made from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_LINKS = ("enheder", "funktioner", "interessefaellesskaber", "organisationer", "personer", "itsystemer")
_UUID = "^[a-fA-F0-9]{8}-[a-fA-F0-9]{4}-[a-fA-F0-9]{4}-[a-fA-F0-9]{4}-[a-fA-F0-9]{12}$"
ACTOR_TYPES = (
    "Organisation",
    "OrganisationEnhed",
    "OrganisationFunktion",
    "Bruger",
    "ItSystem",
    "Interessefaellesskab",
)


@dataclass(frozen=True)
class LoraClass:
    """One class. `fields` are texts unless named in `timestamps`; `words` is the field that holds search words.

    `states` gives the values of each state group by its plain name. `one` are relations that hold at most one target
    at a time, `many` those that hold any number; `indexed` says that the latter are numbered by the server.
    """

    service: str
    name: str
    fields: tuple[str, ...]
    states: Mapping[str, tuple[str, ...]]
    one: tuple[str, ...]
    many: tuple[str, ...]
    required: tuple[str, ...] = ("brugervendtnoegle",)
    timestamps: frozenset[str] = frozenset()
    words: str | None = None
    indexed: bool = False

    @property
    def path(self) -> str:
        """`service/class`, as in URLs and in the store."""
        return f"{self.service}/{self.name}"

    @property
    def attribute_group(self) -> str:
        """Name of the one attribute group: `<class>egenskaber`."""
        return f"{self.name}egenskaber"


def _links(*but: str, also: tuple[str, ...] = ()) -> tuple[str, ...]:
    return tuple(f"tilknyttede{link}" for link in (*also, *_LINKS) if link not in but)


_VALIDITY = {"gyldighed": ("Aktiv", "Inaktiv")}
_BASE = ("brugervendtnoegle", "integrationsdata")

CLASSES = {
    spec.path: spec
    for spec in (
        LoraClass(
            "organisation",
            "organisation",
            (*_BASE, "organisationsnavn"),
            _VALIDITY,
            (
                "branche",
                "myndighed",
                "myndighedstype",
                "overordnet",
                "produktionsenhed",
                "skatteenhed",
                "tilhoerer",
                "virksomhed",
                "virksomhedstype",
            ),
            ("adresser", "ansatte", "opgaver", *_links(also=("brugere",))),
        ),
        LoraClass(
            "organisation",
            "bruger",
            (*_BASE, "brugernavn", "brugertype"),
            _VALIDITY,
            ("tilhoerer",),
            ("adresser", "brugertyper", "opgaver", *_links()),
        ),
        LoraClass(
            "organisation",
            "organisationfunktion",
            (*_BASE, "funktionsnavn"),
            _VALIDITY,
            ("organisatoriskfunktionstype",),
            ("adresser", "opgaver", *_links(also=("brugere",))),
        ),
        LoraClass(
            "organisation",
            "interessefaellesskab",
            (*_BASE, "interessefaellesskabsnavn", "interessefaellesskabstype"),
            _VALIDITY,
            ("branche", "interessefaellesskabstype", "overordnet", "tilhoerer"),
            ("adresser", "opgaver", *_links(also=("brugere",))),
        ),
        LoraClass(
            "indsats",
            "indsats",
            (*_BASE, "beskrivelse", "starttidspunkt", "sluttidspunkt"),
            {
                "publiceret": ("Publiceret", "IkkePubliceret", "Normal"),
                "fremdrift": ("Uoplyst", "Visiteret", "Disponeret", "Leveret", "Vurderet"),
            },
            ("indsatsmodtager", "indsatstype"),
            ("indsatskvalitet", "indsatsaktoer", "samtykke", "indsatssag", "indsatsdokument"),
            timestamps=frozenset({"starttidspunkt", "sluttidspunkt"}),
            indexed=True,
        ),
        LoraClass(
            "klassifikation",
            "klasse",
            (*_BASE, "titel", "beskrivelse", "eksempel", "omfang", "retskilde", "aendringsnotat", "soegeord"),
            {"publiceret": ("Publiceret", "IkkePubliceret")},
            ("ejer", "ansvarlig", "overordnetklasse", "facet"),
            ("redaktoerer", "sideordnede", "mapninger", "tilfoejelser", "erstatter", "lovligekombinationer"),
            required=("brugervendtnoegle", "titel"),
            words="soegeord",
        ),
    )
}


def structure(spec: LoraClass) -> dict[str, Any]:
    """What `/fields` says of a class. States are a list of pairs where their order was fixed (indsats), else a dict."""
    states: Any = {name: list(values) for name, values in spec.states.items()}
    return {
        "attributter": {"egenskaber": list(spec.fields)},
        "tilstande": [[name, values] for name, values in states.items()] if spec.indexed else states,
        "relationer_nul_til_en": list(spec.one),
        "relationer_nul_til_mange": list(spec.many),
    }


def json_schema(spec: LoraClass) -> dict[str, Any]:
    """The JSON schema (draft 4) that POST and PUT of a class are held against."""
    effect = {"$ref": "#/definitions/virkning"}
    text: dict[str, Any] = {"type": "string"}
    words = {"type": "array", "items": {"type": "array", "items": text}}
    fields = {field: words if field == spec.words else text for field in spec.fields}
    target: dict[str, Any] = {"objekttype": text, "virkning": effect}
    if spec.indexed:
        target["indeks"] = {"type": "integer"}
    items = {
        "oneOf": [
            _closed({**target, "uuid": {"type": "string", "pattern": _UUID}}, ("uuid", "virkning")),
            _closed({**target, "urn": {"type": "string", "pattern": "^urn:."}}, ("urn", "virkning")),
        ]
    }
    relations = {name: {"type": "array", "items": items} for name in spec.many}
    relations |= {name: {"type": "array", "items": items, "maxItems": 1} for name in spec.one}
    states = {
        spec.name + name: {
            "type": "array",
            "items": _closed({name: {"type": "string", "enum": list(values)}, "virkning": effect}, (name, "virkning")),
        }
        for name, values in spec.states.items()
    }
    group = {"type": "array", "items": _closed({**fields, "virkning": effect}, (*spec.required, "virkning"))}
    schema = _closed(
        {
            "attributter": _closed({spec.attribute_group: group}, (spec.attribute_group,)),
            "tilstande": _closed(states, tuple(states)),
            "relationer": {"type": "object", "properties": relations, "additionalProperties": False},
            "note": text,
        },
        ("attributter", "tilstande"),
    )
    return {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "definitions": {"virkning": _effect_schema()},
        **schema,
    }


def site_map() -> dict[str, Any]:
    """What `/site-map` answers: every route that can be read."""
    routes = {"/", "/site-map"}
    for spec in CLASSES.values():
        base = f"/{spec.path}"
        routes |= {base, f"{base}/<uuid>", f"{base}/fields", f"{base}/schema", f"/{spec.service}/classes"}
    return {"site-map": sorted(routes)}


def _effect_schema() -> dict[str, Any]:
    text, flag = {"type": "string"}, {"type": "boolean"}
    properties = {"from": text, "to": text, "from_included": flag, "to_included": flag, "notetekst": text}
    return _closed(
        {**properties, "aktoerref": {"type": "string", "pattern": _UUID}, "aktoertypekode": text}, ("from", "to")
    )


def _closed(properties: Mapping[str, Any], required: tuple[str, ...]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": sorted(required),
        "additionalProperties": False,
    }

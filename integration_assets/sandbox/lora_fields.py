"""What the registry serves about itself: the structure of its classes, their JSON schemas, its routes.

Belongs here: the shapes of `/fields`, `/classes`, `/schema` and `/site-map`, made from the table of classes. The schema
served is the one by which `lora_schema` checks bodies.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from integration_assets.sandbox.lora_classes import LoraClass

UUID_PATTERN = "[a-fA-F0-9]{8}-[a-fA-F0-9]{4}-[a-fA-F0-9]{4}-[a-fA-F0-9]{4}-[a-fA-F0-9]{12}"
# The schema allows an item this many search words (and the database keeps none when there is only one).
MOST_WORDS = 2

_TEXT: dict[str, Any] = {"type": "string"}
_EFFECT = {"$ref": "#/definitions/virkning"}


def structure(spec: LoraClass) -> dict[str, Any]:
    """What `/fields` says of a class. States are a list of pairs where their order was fixed (indsats), else a dict.

    What is not a text, or has to be there, is named beside the fields, in `attributter_metadata`.
    """
    facts: dict[str, dict[str, Any]] = {field: {"mandatory": True} for field in spec.required}
    facts |= {field: {"type": "timestamptz"} for field in sorted(spec.timestamps)}
    facts |= {field: {"type": "text[]"} for field in sorted(spec.lists)}
    if spec.words:
        facts[spec.words] = {"type": "soegeord"}
    states: Any = {name: list(values) for name, values in spec.states.items()}
    found: dict[str, Any] = {
        "attributter": {"egenskaber": list(spec.fields)},
        "attributter_metadata": {"egenskaber": facts},
        "tilstande": [[name, values] for name, values in states.items()] if spec.indexed else states,
        "relationer_nul_til_en": list(spec.one),
        "relationer_nul_til_mange": list(spec.many),
    }
    if spec.indexed:
        found["relationer_metadata"] = {"*": {"indeks": {"type": "int"}}}
    return found


def site_map(specs: Iterable[LoraClass]) -> dict[str, Any]:
    """What `/site-map` answers: every route that can be read, sorted."""
    routes = {"/", "/site-map"}
    for spec in specs:
        base = f"/{spec.path}"
        routes |= {base, f'{base}/<regex("{UUID_PATTERN}"):uuid>', f"{base}/fields", f"{base}/schema"}
        routes.add(f"/{spec.service}/classes")
    return {"site-map": sorted(routes)}


def json_schema(spec: LoraClass) -> dict[str, Any]:
    """The JSON schema (draft 4) that POST and PUT of a class are held against."""
    schema = _closed(
        {
            "attributter": _closed({spec.attribute_group: _array(_attributes(spec))}, (spec.attribute_group,)),
            "tilstande": _states(spec),
            "relationer": _closed(_relations(spec), ()),
            "note": _TEXT,
        },
        ("attributter", "tilstande"),
    )
    return {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "id": "http://github.com/magenta-aps/mox",
        "definitions": {
            "urn": {"type": "string", "pattern": "^urn:."},
            "uuid": {"type": "string", "pattern": f"^{UUID_PATTERN}$"},
            "virkning": _effect(),
            "offentlighedundtaget": _closed(
                {"alternativtitel": _TEXT, "hjemmel": _TEXT}, ("alternativtitel", "hjemmel")
            ),
        },
        **schema,
    }


def _attributes(spec: LoraClass) -> dict[str, Any]:
    fields = dict.fromkeys(spec.fields, _TEXT)
    fields |= {field: _array(_TEXT) for field in spec.lists}
    if spec.words:
        fields[spec.words] = {**_array(_array(_TEXT)), "maxItems": MOST_WORDS}
    return _closed({**fields, "virkning": _EFFECT}, (*spec.required, "virkning"))


def _states(spec: LoraClass) -> dict[str, Any]:
    groups = {
        spec.name + name: _array(
            _closed({name: {"type": "string", "enum": list(values)}, "virkning": _EFFECT}, (name, "virkning"))
        )
        for name, values in spec.states.items()
    }
    return _closed(groups, tuple(groups))


def _relations(spec: LoraClass) -> dict[str, Any]:
    relations = {name: _array(_targets(numbered=spec.indexed)) for name in spec.many}
    return relations | {name: {**_array(_targets(numbered=False)), "maxItems": 1} for name in spec.one}


def _targets(*, numbered: bool) -> dict[str, Any]:
    common: dict[str, Any] = {"objekttype": _TEXT, "virkning": _EFFECT}
    if numbered:
        common["indeks"] = {"type": "integer"}
    kinds = ("uuid", "urn")
    return {
        "oneOf": [_closed({**common, kind: {"$ref": f"#/definitions/{kind}"}}, (kind, "virkning")) for kind in kinds]
    }


def _effect() -> dict[str, Any]:
    flag = {"type": "boolean"}
    properties = {"from": _TEXT, "to": _TEXT, "from_included": flag, "to_included": flag, "notetekst": _TEXT}
    properties |= {"aktoerref": {"$ref": "#/definitions/uuid"}, "aktoertypekode": _TEXT}
    return _closed(properties, ("from", "to"))


def _array(items: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _closed(properties: Mapping[str, Any], required: tuple[str, ...]) -> dict[str, Any]:
    shape: dict[str, Any] = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    if required:
        shape["required"] = sorted(required)
    return shape

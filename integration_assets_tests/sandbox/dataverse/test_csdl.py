"""$metadata by the rules of OASIS CSDL XML 4.01 that a reader relies on; the section of each stands beside it."""

import re
from typing import Any

import httpx
import pytest
from lxml import etree  # pyright: ignore[reportAttributeAccessIssue]

from integration_assets_tests.sandbox.dataverse.api import Api

EDM = "{http://docs.oasis-open.org/odata/ns/edm}"
EDMX = "{http://docs.oasis-open.org/odata/ns/edmx}"
SIMPLE_IDENTIFIER = re.compile(r"[^\W\d]\w{0,127}$")
PRIMITIVE = {"String", "Int32", "Int64", "Decimal", "Double", "Boolean", "Date", "DateTimeOffset", "Guid"}


@pytest.fixture
def root(api: Api) -> Any:
    answer = api.get("$metadata", Accept="application/xml")
    assert answer.headers["Content-Type"] == "application/xml"
    return etree.fromstring(answer.content)


def named(root: Any, tag: str) -> dict[str, Any]:
    return {element.get("Name"): element for element in root.iter(EDM + tag)}


def test_wrapper_and_namespaces(root: Any) -> None:
    assert (root.tag, root.get("Version")) == (f"{EDMX}Edmx", "4.0")  # 3.1
    (services,) = root.findall(f"{EDMX}DataServices")  # 3.2: exactly one
    (schema,) = services.findall(f"{EDM}Schema")
    assert (schema.get("Namespace"), schema.get("Alias")) == ("Microsoft.Dynamics.CRM", "mscrm")  # 5.1, 5.2


def test_names_are_simple_and_unique_in_their_place(root: Any) -> None:
    for element in root.iter():
        name = element.get("Name")
        if name is not None and element.tag.startswith(EDM):
            assert SIMPLE_IDENTIFIER.match(name), name  # 15.2
    for entity in root.iter(f"{EDM}EntityType"):  # 6: properties share one symbol space
        names = [child.get("Name") for child in entity if child.tag in (f"{EDM}Property", f"{EDM}NavigationProperty")]
        assert len(names) == len(set(names)), entity.get("Name")


def test_every_key_is_a_property_that_cannot_be_null(root: Any) -> None:
    for entity in root.iter(f"{EDM}EntityType"):
        if entity.get("Abstract") == "true":
            continue
        properties = {child.get("Name"): child for child in entity.findall(f"{EDM}Property")}
        keys = [reference.get("Name") for reference in entity.findall(f"{EDM}Key/{EDM}PropertyRef")]
        assert len(keys) == 1  # 6.5
        assert properties[keys[0]].get("Nullable") == "false"


def test_every_type_that_is_named_exists(root: Any) -> None:
    known = {f"mscrm.{name}" for tag in ("EntityType", "ComplexType") for name in named(root, tag)}
    known |= {name.replace("mscrm.", "Microsoft.Dynamics.CRM.") for name in known}
    known |= {f"Edm.{name}" for name in PRIMITIVE}
    for element in root.iter():
        for attribute in ("Type", "BaseType", "EntityType"):
            value = element.get(attribute)
            if value is not None and element.tag != f"{EDM}Record":
                assert value.removeprefix("Collection(").removesuffix(")") in known, value


def test_constraints_partners_and_bindings_lead_somewhere(root: Any) -> None:
    entities = named(root, "EntityType")
    sets = {
        element.get("Name"): element.get("EntityType").rpartition(".")[2] for element in root.iter(f"{EDM}EntitySet")
    }

    def members(entity: str, tag: str) -> dict[str, Any]:
        return {child.get("Name"): child for child in entities[entity].findall(EDM + tag)}

    def target(navigation: Any) -> str:
        return navigation.get("Type").removeprefix("Collection(").removesuffix(")").rpartition(".")[2]

    for name in entities:
        for navigation in members(name, "NavigationProperty").values():
            for constraint in navigation.findall(f"{EDM}ReferentialConstraint"):  # 8.5
                assert constraint.get("Property") in members(name, "Property")
                assert constraint.get("ReferencedProperty") in members(target(navigation), "Property")
            partner = navigation.get("Partner")
            if partner:  # 8.4: the partner leads back and names this one as its own
                back = members(target(navigation), "NavigationProperty")[partner]
                assert (target(back), back.get("Partner")) == (name, navigation.get("Name"))
    for element in root.iter(f"{EDM}EntitySet"):  # 13.4
        for binding in element.findall(f"{EDM}NavigationPropertyBinding"):
            navigation = members(sets[element.get("Name")], "NavigationProperty")[binding.get("Path")]
            assert sets[binding.get("Target")] == target(navigation)


def test_bound_actions_take_the_table_first(root: Any) -> None:
    actions = [
        (a.get("Name"), [p.get("Type") for p in a.findall(f"{EDM}Parameter")]) for a in root.iter(f"{EDM}Action")
    ]
    rows = "Collection(mscrm.ava_aftale)"  # 12.5: the binding parameter is the first
    assert ("UpsertMultiple", [rows, rows]) in actions
    assert len(actions) == len({(name, types[0]) for name, types in actions})  # 12.2: overloads differ in it


def test_change_tracking_is_told_on_demand_and_follows_the_schema(api: Api, server: str) -> None:
    httpx.post(f"{server}/_behaviour", json={"schema": {"account": {"change_tracking": False}, "ava_kunderolle": None}})
    plain = etree.fromstring(api.get("$metadata").content)
    assert "ava_kunderolle" not in named(plain, "EntityType")
    term = f"{EDM}Annotation[@Term='Org.OData.Capabilities.V1.ChangeTracking']"
    assert not any(element.findall(term) for element in plain.iter(f"{EDM}EntitySet"))
    annotated = etree.fromstring(api.get("$metadata?annotations=true").content)
    tracked = {element.get("Name") for element in annotated.iter(f"{EDM}EntitySet") if element.findall(term)}
    assert tracked == {
        "contacts", "ava_aftales", "ava_installations", "ava_adresses", "ava_installationskontos", "incidents",
    }  # fmt: skip

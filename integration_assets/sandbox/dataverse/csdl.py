"""$metadata of the CRM sandbox: the organisation as a CSDL document (OData 4.0).

Belongs here: the XML, made from the schema. `?annotations=true` tells of change tracking too, as Dataverse does.
"""

from typing import Any

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue] - lxml ships no types

from integration_assets.sandbox.dataverse import errors
from integration_assets.sandbox.dataverse.model import Attribute, Lookup, ManyToMany, Schema, Table
from integration_assets.sandbox.dataverse.wire import Answer, Exchange

_EDMX = "http://docs.oasis-open.org/odata/ns/edmx"
_EDM = "http://docs.oasis-open.org/odata/ns/edm"
_NAMESPACE = "Microsoft.Dynamics.CRM"
_ALIAS = "mscrm"
_BASE_TYPE = "crmbaseentity"
_KEYS_URL = "https://vocabularies.odata.org/OData.Community.Keys.V1.xml"
_CAPABILITIES_URL = "https://vocabularies.odata.org/Org.OData.Capabilities.V1.xml"

_Element = Any


def csdl_answer(schema: Schema, exchange: Exchange) -> Answer:
    """The document as the answer to a GET. DataverseError 405 for other methods."""
    if exchange.method != "GET":
        raise errors.method_not_allowed(exchange.method)
    annotated = exchange.options.get("annotations") == "true"
    return Answer(
        200, {"OData-Version": "4.0", "Content-Type": "application/xml"}, csdl_document(schema, annotated=annotated)
    )


def csdl_document(schema: Schema, *, annotated: bool = False) -> bytes:
    """The document in UTF-8."""
    root = etree.Element(f"{{{_EDMX}}}Edmx", {"Version": "4.0"}, nsmap={"edmx": _EDMX})
    for url, namespace in ((_KEYS_URL, "OData.Community.Keys.V1"), (_CAPABILITIES_URL, "Org.OData.Capabilities.V1")):
        reference = etree.SubElement(root, f"{{{_EDMX}}}Reference", {"Uri": url})
        etree.SubElement(reference, f"{{{_EDMX}}}Include", {"Namespace": namespace})
    services = etree.SubElement(root, f"{{{_EDMX}}}DataServices")
    element = etree.SubElement(
        services, f"{{{_EDM}}}Schema", {"Namespace": _NAMESPACE, "Alias": _ALIAS}, nsmap={None: _EDM}
    )
    _add(element, "EntityType", Name=_BASE_TYPE, Abstract="true")
    for table in schema.tables.values():
        _entity_type(element, schema, table)
    who = _add(element, "ComplexType", Name="WhoAmIResponse")
    for name in ("BusinessUnitId", "UserId", "OrganizationId"):
        _add(who, "Property", Name=name, Type="Edm.Guid", Nullable="false")
    for table in schema.tables.values():
        _bulk_actions(element, table)
    function = _add(element, "Function", Name="WhoAmI")
    _add(function, "ReturnType", Type=f"{_ALIAS}.WhoAmIResponse", Nullable="false")
    _container(element, schema, annotated)
    return etree.tostring(root, encoding="utf-8", xml_declaration=True)


def _entity_type(element: _Element, schema: Schema, table: Table) -> None:
    entity = _add(element, "EntityType", Name=table.logical, BaseType=f"{_ALIAS}.{_BASE_TYPE}")
    _add(_add(entity, "Key"), "PropertyRef", Name=table.primary_id)
    for attribute in table.attributes.values():
        _property(entity, table, attribute)
    for value_name in dict.fromkeys(lookup.value_name for lookup in table.lookups):
        _add(entity, "Property", Name=value_name, Type="Edm.Guid")
    for lookup in table.lookups:
        _navigation(entity, schema, lookup)
    for relationship in schema.relationships.values():
        if (partner := relationship.partner(table.set_name)) is not None:
            _collection(entity, relationship, schema.tables[partner])
    if table.keys:
        _alternate_keys(entity, table)


def _property(entity: _Element, table: Table, attribute: Attribute) -> None:
    facets: dict[str, str] = {}
    if attribute.name == table.primary_id:
        facets["Nullable"] = "false"
    if attribute.edm_type == "Edm.String":
        facets["Unicode"] = "false"
    elif attribute.edm_type == "Edm.Decimal":
        facets["Scale"] = "Variable"
    _add(entity, "Property", Name=attribute.name, Type=attribute.edm_type, **facets)


def _navigation(entity: _Element, schema: Schema, lookup: Lookup) -> None:
    navigation = _add(entity, "NavigationProperty", Name=lookup.navigation, Type=f"{_ALIAS}.{lookup.target}")
    _add(
        navigation,
        "ReferentialConstraint",
        Property=lookup.value_name,
        ReferencedProperty=schema.by_logical_name[lookup.target].primary_id,
    )


def _collection(entity: _Element, relationship: ManyToMany, partner: Table) -> None:
    type_name = f"Collection({_ALIAS}.{partner.logical})"
    _add(entity, "NavigationProperty", Name=relationship.name, Type=type_name, Partner=relationship.name)


def _alternate_keys(entity: _Element, table: Table) -> None:
    annotation = _add(entity, "Annotation", Term="OData.Community.Keys.V1.AlternateKeys")
    keys = _add(annotation, "Collection")
    for key in table.keys:
        record = _add(keys, "Record", Type="OData.Community.Keys.V1.AlternateKey")
        columns = _add(_add(record, "PropertyValue", Property="Key"), "Collection")
        for column in key.columns:
            reference = _add(columns, "Record", Type="OData.Community.Keys.V1.PropertyRef")
            _add(reference, "PropertyValue", Property="Alias", String=column)
            _add(reference, "PropertyValue", Property="Name", PropertyPath=column)


def _bulk_actions(element: _Element, table: Table) -> None:
    rows = f"Collection({_ALIAS}.{table.logical})"
    for message in table.messages:
        action = _add(element, "Action", Name=message, IsBound="true")
        _add(action, "Parameter", Name="entityset", Type=rows, Nullable="false")
        _add(action, "Parameter", Name="Targets", Type=rows, Nullable="false")
        if message == "CreateMultiple":
            _add(action, "ReturnType", Type="Collection(Edm.Guid)", Nullable="false")


def _container(element: _Element, schema: Schema, annotated: bool) -> None:
    container = _add(element, "EntityContainer", Name="System")
    for table in schema.tables.values():
        entity_set = _add(container, "EntitySet", Name=table.set_name, EntityType=table.type_name)
        targets = {lookup.navigation: schema.by_logical_name[lookup.target].set_name for lookup in table.lookups}
        for relationship in schema.relationships.values():
            if (partner := relationship.partner(table.set_name)) is not None:
                targets[relationship.name] = partner
        for navigation, target in targets.items():
            _add(entity_set, "NavigationPropertyBinding", Path=navigation, Target=target)
        if annotated and table.change_tracking:
            annotation = _add(entity_set, "Annotation", Term="Org.OData.Capabilities.V1.ChangeTracking")
            _add(_add(annotation, "Record"), "PropertyValue", Property="Supported", Bool="true")
    _add(container, "FunctionImport", Name="WhoAmI", Function=f"{_NAMESPACE}.WhoAmI")


def _add(parent: _Element, tag: str, **attributes: str) -> _Element:
    return etree.SubElement(parent, f"{{{_EDM}}}{tag}", attributes)

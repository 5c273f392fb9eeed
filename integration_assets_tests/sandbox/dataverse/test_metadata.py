"""EntityDefinitions as preflight checks and clients read them."""

from integration_assets_tests.sandbox.dataverse.api import Api, error

CAST = "Attributes/Microsoft.Dynamics.CRM"


def test_tables_by_filter_and_key(api: Api) -> None:
    select = "$select=LogicalName,EntitySetName,PrimaryIdAttribute"
    (row,) = api.rows(f"EntityDefinitions?{select}&$filter=LogicalName eq 'ava_aftale'")
    row.pop("MetadataId")
    assert row == {"LogicalName": "ava_aftale", "EntitySetName": "ava_aftales", "PrimaryIdAttribute": "ava_aftaleid"}
    assert api.rows("EntityDefinitions?$filter=LogicalName eq 'ava_x'") == []
    assert api.get("EntityDefinitions(LogicalName='ava_x')").status_code == 404


def test_columns_and_keys(api: Api) -> None:
    expand = (
        "Attributes($select=LogicalName,AttributeType,IsValidForUpdate),"
        "Keys($select=SchemaName,KeyAttributes,EntityKeyIndexStatus)"
    )
    body = api.row(f"EntityDefinitions(LogicalName='account')?$select=LogicalName&$expand={expand}")
    (key,) = body["Keys"]
    assert (key["KeyAttributes"], key["EntityKeyIndexStatus"]) == (["ava_kundenummer"], "Active")
    types = {column["LogicalName"]: column["AttributeType"] for column in body["Attributes"]}
    assert types["ava_kundenummer"] == "String"
    assert types["ava_adresse"] == "Lookup"
    assert types["ava_kundetype"] == "Picklist"
    assert "MaxLength" not in body["Attributes"][0]


def test_option_sets(api: Api) -> None:
    query = "$select=LogicalName&$expand=OptionSet($select=Options),GlobalOptionSet($select=Options)"
    (row,) = api.rows(f"EntityDefinitions(LogicalName='ava_kunderolle')/{CAST}.PicklistAttributeMetadata?{query}")
    options = {
        option["Value"]: option["Label"]["UserLocalizedLabel"]["Label"] for option in row["OptionSet"]["Options"]
    }
    assert options[915240004] == "Kunde"
    assert options[915240006] == "Ligestillingskunde"
    assert len(options) == 7


def test_lengths_and_dates(api: Api) -> None:
    url = f"EntityDefinitions(LogicalName='contact')/{CAST}.StringAttributeMetadata?$select=LogicalName,MaxLength"
    lengths = {row["LogicalName"]: row["MaxLength"] for row in api.rows(url)}
    assert (lengths["firstname"], lengths["middlename"], lengths["lastname"]) == (150, 80, 100)
    url = f"EntityDefinitions(LogicalName='ava_aftale')/{CAST}.DateTimeAttributeMetadata?$select=LogicalName,Format"
    assert {row["LogicalName"]: row["Format"] for row in api.rows(url)}["ava_startdato"] == "DateOnly"


def test_lookups_name_their_navigation_property(api: Api) -> None:
    url = "EntityDefinitions(LogicalName='ava_kunderolle')/ManyToOneRelationships"
    found = {row["ReferencingEntityNavigationPropertyName"]: row["ReferencedEntity"] for row in api.rows(url)}
    assert found == {"ava_aktoer": "contact", "ava_kundeforhold": "account"}


def test_what_only_a_type_of_column_has_needs_a_cast(api: Api) -> None:
    for path in (
        "EntityDefinitions(LogicalName='contact')/Attributes?$select=MaxLength",
        "EntityDefinitions(LogicalName='contact')?$expand=Attributes($select=LogicalName,MaxLength)",
    ):
        assert error(api.get(path)) == (400, "0x80060888")
    assert api.get(f"EntityDefinitions(LogicalName='contact')/{CAST}.StringAttributeMetadata").status_code == 200


def test_relationships_of_both_kinds(api: Api) -> None:
    expand = (
        "ManyToManyRelationships($select=Entity1LogicalName,Entity2NavigationPropertyName),"
        "OneToManyRelationships($select=ReferencingEntity)"
    )
    body = api.row(f"EntityDefinitions(LogicalName='ava_aftale')?$select=LogicalName&$expand={expand}")
    (link,) = body["ManyToManyRelationships"]
    assert (link["Entity1LogicalName"], link["Entity2NavigationPropertyName"]) == (
        "ava_aftale",
        "ava_aktoerens_aftaler",
    )
    referencing = [row["ReferencingEntity"] for row in body["OneToManyRelationships"]]
    assert referencing == ["ava_installation", "ava_installationskonto"]

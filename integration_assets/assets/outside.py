"""The outside systems as external assets: where the lineage starts and where it ends."""

import dagster as dg

OWNERS = ["team:integration"]


def _outside(name: str, description: str, kinds: set[str], deps: list[dg.AssetKey] | None = None) -> dg.AssetSpec:
    """Sources and targets are groups of their own: as one, the graph of groups would be a circle."""
    return dg.AssetSpec(
        ["outside", name],
        group_name="targets" if deps else "sources",
        description=description,
        kinds=kinds,
        owners=OWNERS,
        deps=deps or [],
    )


KMD_EE = _outside("kmd_ee", "KMD EE: the billing system; partly hand-typed. Read only.", {"sqlserver"})
ADDRESS_REGISTER = _outside("address_register", "Danmarks Adresseregister (DAR), by file downloads.", {"json"})
PERSON_REGISTER = _outside("person_register", "CPR through Serviceplatformen: look-up and address search.", {"xml"})
COMPANY_REGISTER = _outside("company_register", "CVR through Serviceplatformen.", {"xml"})
TARIFF_FILES = _outside("tariff_files", "Tariffs as the utility keeps them: tables in CSV or parquet.", {"csv"})
LORA = _outside(
    "lora",
    "LoRa: the OIO registry, bitemporal.",
    {"rest"},
    [
        dg.AssetKey(["lora", name])
        for name in ("customers", "customer_relations", "customer_roles", "installations", "agreements", "superseded")
    ],
)
DYNAMICS = _outside(
    "dynamics_crm",
    "Dynamics CRM 365: where the case workers live.",
    {"dynamics"},
    [
        dg.AssetKey(["crm", name])
        for name in ("addresses", "contacts", "accounts", "customer_roles", "agreements", "installations")
    ],
)
DEBT_AUTHORITY = _outside(
    "debt_authority",
    "DMI at the debt collection authority (Gældsstyrelsen): takes recalls of claims, tells later what became of them.",
    {"soap"},
    [dg.AssetKey(["claims", "recalls"])],
)

OUTSIDE = [KMD_EE, ADDRESS_REGISTER, PERSON_REGISTER, COMPANY_REGISTER, TARIFF_FILES, LORA, DYNAMICS, DEBT_AUTHORITY]

BY_SYSTEM = {
    "KMD EE": KMD_EE.key,
    "DAR": ADDRESS_REGISTER.key,
    "CPR": PERSON_REGISTER.key,
    "CVR": COMPANY_REGISTER.key,
}
"""External assets by the system name that `Column.sources` uses."""

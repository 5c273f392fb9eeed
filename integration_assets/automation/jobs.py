"""The jobs that automation starts and people may start by hand."""

import dagster as dg

from integration_assets.assets.supervision import COMPLETED_RUN

MAIN_GROUPS = ("kmd_ee", "resolved", "lora", "cache", "crm", "billing")

main_flow = dg.define_asset_job(
    "main_flow",
    selection=dg.AssetSelection.groups(*MAIN_GROUPS).materializable() | dg.AssetSelection.assets(COMPLETED_RUN),
    description="A supply area from KMD EE through LoRa and the cache to Dynamics CRM, and its installations' facts.",
)

register_notifications = dg.define_asset_job(
    "register_notifications",
    selection=dg.AssetSelection.assets(["notifications", "persons"], ["notifications", "companies"]),
    description="Brings what the person and company registers changed into the registry.",
)

follow_relations = dg.define_asset_job(
    "follow_relations",
    selection=dg.AssetSelection.assets(["notifications", "subscriptions"], ["notifications", "notices"]),
    description="Subscribes to the persons of living customer relations, and tells operators what the registers know "
    "better than KMD EE.",
)

address_register = dg.define_asset_job(
    "address_register",
    selection=dg.AssetSelection.groups("addresses").materializable(),
    description="Loads the address register when a new generation is published, and indexes it for washing.",
)

registry_reconciliation = dg.define_asset_job(
    "registry_reconciliation",
    selection=dg.AssetSelection.assets(["drift", "lora"]),
    description="Reads objects of the registry again by turns and compares them with what was delivered.",
)

claim_recalls = dg.define_asset_job(
    "claim_recalls",
    selection=dg.AssetSelection.groups("claims"),
    description="Claims under collection: the ledger taken in, recalls proposed, sent and followed. Off unless "
    "CLAIMS_ENABLED.",
)

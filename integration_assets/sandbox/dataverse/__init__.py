"""The CRM of the sandbox: Dynamics 365 with its Dataverse Web API and its token end point."""

from integration_assets.sandbox.dataverse.application import build, fault_body, settings

__all__ = ["build", "fault_body", "settings"]

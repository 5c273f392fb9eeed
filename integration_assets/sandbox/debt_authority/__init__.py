"""The debt authority of the sandbox: DMI as creditors see it, with recalls of claims and statuses."""

from integration_assets.sandbox.debt_authority.application import MUTUAL_TLS, build, settings

__all__ = ["MUTUAL_TLS", "build", "settings"]

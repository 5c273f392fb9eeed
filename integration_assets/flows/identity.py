"""The object ids of this installation, under the key of its settings."""

from integration_assets.domain.identity import ObjectIds
from integration_assets.settings import Settings


def object_ids(settings: Settings) -> ObjectIds:
    """Raises MissingSetting without an identity key."""
    return ObjectIds(settings.need("identity_key"))

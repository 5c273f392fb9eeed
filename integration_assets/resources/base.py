"""What all resources share: they are built from `Settings`, and open what they wrap when a run needs it."""

import dagster as dg

from integration_assets.clients.http import RetryPolicy
from integration_assets.settings import Settings


def retry_policy(settings: Settings) -> RetryPolicy:
    """How often, and after what pauses, requests to outside systems are tried again."""
    return RetryPolicy(attempts=settings.http_attempts, first_pause_s=settings.http_first_pause_seconds)


class FromSettings(dg.ConfigurableResource):
    """A resource that takes its configuration from the one `Settings` object.

    Settings travel as a nested resource, not as run configuration, so that secrets never enter the event log.
    """

    settings: dg.ResourceDependency[Settings]

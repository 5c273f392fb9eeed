"""What all resources share: they are built from `Settings`, and open what they wrap when a run needs it."""

import dagster as dg

from integration_assets.settings import Settings


class FromSettings(dg.ConfigurableResource):
    """A resource that takes its configuration from the one `Settings` object.

    Settings travel as a nested resource, not as run configuration, so that secrets never enter the event log.
    """

    settings: dg.ResourceDependency[Settings]

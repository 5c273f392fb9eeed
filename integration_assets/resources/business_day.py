"""The business day: the one place where a clock is read."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import dagster as dg

AS_OF_TAG = "integration/as_of"
COPENHAGEN = ZoneInfo("Europe/Copenhagen")


class BusinessDay(dg.ConfigurableResource):
    """Tells the business day (Europe/Copenhagen) that a run computes.

    A run carries its day as the tag ``integration/as_of``; without one it is today. `fixed` (ISO date) pins the day
    for sensors and schedules, as the command that plays several days does.
    """

    fixed: str = ""

    def today(self) -> date:
        """The business day that a new run should carry."""
        return date.fromisoformat(self.fixed) if self.fixed else datetime.now(COPENHAGEN).date()

    def of_run(self, context: dg.AssetExecutionContext) -> date:
        """The business day of this run."""
        tag = context.run.tags.get(AS_OF_TAG)
        return date.fromisoformat(tag) if tag else self.today()

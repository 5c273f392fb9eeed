"""The debt collection authority (Gældsstyrelsen, DMI)."""

from datetime import UTC, datetime

import dagster as dg
from pydantic import PrivateAttr

from integration_assets.cache.recall_outbox import RecallOutbox
from integration_assets.cache.recall_statuses import RecallStatuses
from integration_assets.cache.recalls import Recalls
from integration_assets.cache.store import Cache
from integration_assets.clients.debt_authority import DebtAuthority
from integration_assets.flows.recalls import Means
from integration_assets.resources.base import FromSettings


class DebtAuthorityResource(FromSettings):
    """Opens the service that takes recalls, and the stores around it."""

    _authority: DebtAuthority | None = PrivateAttr(default=None)

    @property
    def is_enabled(self) -> bool:
        """Whether claims are recalled from here at all."""
        return self.settings.claims_enabled

    def get(self) -> DebtAuthority:
        """The service. Raises MissingSetting without an address, ValueError for one that does not do."""
        if self._authority is None:
            self._authority = DebtAuthority(
                self.settings.need("dmi_url"),
                certificate=self.settings.dmi_certificate,
                ca=self.settings.dmi_ca,
                timeout_s=self.settings.dmi_timeout_seconds,
            )
        return self._authority

    @property
    def creditor_id(self) -> int:
        """Whom we recall for. Raises MissingSetting."""
        return int(self.settings.need("dmi_creditor_id"))

    def means(self, cache: Cache) -> Means:
        """What sending needs. Raises MissingSetting."""
        return Means(
            RecallOutbox(cache.engine),
            self.get(),
            self.settings.need("dmi_creditor_system"),
            self.creditor_id,
            self.settings.dmi_max_actions_per_delivery,
            lambda: datetime.now(UTC),
        )

    def recalls(self, cache: Cache) -> Recalls:
        """Proposals and decisions, by the rules of the settings."""
        return Recalls(cache.engine, two_approvers=self.settings.claims_two_approvals)

    def statuses(self, cache: Cache) -> RecallStatuses:
        """The intake of statuses. Raises MissingSetting."""
        return RecallStatuses(cache.engine, cache.cipher, self.settings.need("dmi_creditor_system"))

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002 - Dagster's signature
        """Closes the connections."""
        if self._authority is not None:
            self._authority.close()
            self._authority = None

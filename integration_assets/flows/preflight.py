"""Whether the CRM can take our rows: asked before the first delivery of a run, and on demand.

An unfit CRM ends the delivery before anything is written. A CRM that is away only fails the rows of the batch, which
are tried again.
"""

from collections.abc import Callable, Sequence

from integration_assets.cache.deliveries import Delivery, Outcome
from integration_assets.clients.dynamics import DynamicsClient
from integration_assets.clients.dynamics_metadata import found_crm
from integration_assets.clients.http import TransientError
from integration_assets.domain.crm.needs import needed_tables
from integration_assets.domain.crm.preflight import Finding, findings
from integration_assets.domain.crm.tables import STANDARD, CrmMapping
from integration_assets.flows.delivery import Send, failure


def check_crm(client: DynamicsClient, utility: str, by: CrmMapping = STANDARD) -> list[Finding]:
    """What the organisation lacks for the rows of a utility (Varme, Affald), errors first; empty where all is well.

    Raises CallError where it does not answer, or does not let the application in.
    """
    needed = needed_tables(utility, by)
    return findings(needed, found_crm(client, needed))


def gated(send: Send, require_fit: Callable[[], None]) -> Send:
    """`send`, with `require_fit` before it: called when there is something to send, and not before.

    What `require_fit` raises ends the delivery, except TransientError: then the rows of the batch fail and are tried
    again.
    """

    def checked(rows: Sequence[Delivery]) -> list[Outcome]:
        try:
            require_fit()
        except TransientError as error:
            return [failure(row, error) for row in rows]
        return send(rows)

    return checked

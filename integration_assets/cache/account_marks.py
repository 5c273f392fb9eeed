"""Marks on accounts that something was linked to, or that show something else now."""

from collections.abc import Sequence

import sqlalchemy as sa

from integration_assets.domain.accounts.marking import Reason

_MARK_THESE = """
UPDATE installation_account AS a SET
  mark_reasons = ARRAY(SELECT DISTINCT r FROM unnest(a.mark_reasons || CAST(:reason AS text)) AS r ORDER BY r),
  mark_version = a.mark_version + 1, marked_at = now()
FROM (SELECT account_id FROM installation_account WHERE account_id = ANY(:ids) ORDER BY account_id FOR UPDATE) AS f
WHERE f.account_id = a.account_id
"""


def mark_accounts(connection: sa.Connection, accounts: Sequence[str], reason: Reason) -> None:
    """Adds a reason to the marks of these accounts, in the transaction of the connection."""
    if accounts:
        connection.execute(sa.text(_MARK_THESE), {"ids": list(accounts), "reason": reason.value})

"""A utility with claims under collection: its stores, and whoever plays the debt authority."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import sqlalchemy as sa

from integration_assets.cache.cipher import Cipher
from integration_assets.cache.claim_ledger import ClaimLedger
from integration_assets.cache.recall_outbox import RecallOutbox
from integration_assets.cache.recall_statuses import RecallStatuses
from integration_assets.cache.recalls import Decision, Proposed, Recalls, Wish
from integration_assets.clients.debt_authority import DebtAuthority
from integration_assets.domain.claims.ledger import CLAIMS, MOVEMENTS
from integration_assets.domain.claims.rules import Asked
from integration_assets.flows.claim_statuses import message_of, take_in_folder
from integration_assets.flows.recalls import Means, send_due

SYSTEM, CREDITOR = "99999999", 1999
TODAY = date(2025, 11, 3)
RECEIVED = date(2025, 6, 2)


def claim_rows(*rows: tuple[int, int, str, str, str]) -> pl.DataFrame:
    """Claims of the ledger: (claim, main claim, art, type, amount)."""
    return pl.DataFrame(
        [
            {
                "claim_id": claim,
                "main_claim_id": main,
                "art": art,
                "type_code": kind,
                "creditor_id": CREDITOR,
                "creditor_ref": f"K{main}-{claim}",
                "customer_number": f"K{main}",
                "period_from": date(2025, 4, 1),
                "period_to": date(2025, 4, 30),
                "amount": amount,
                "received_on": RECEIVED,
                "state_refund": False,
            }
            for claim, main, art, kind, amount in rows
        ]
    ).select(pl.col(name).cast(dtype) for name, dtype in CLAIMS.items())


EXAMPLES = claim_rows(
    (100001, 100001, "INDR", "FOFAKFY", "1200.00"),
    (100002, 100001, "INDR", "CVRYKOP", "100.00"),
    (100005, 100005, "INDR", "FOFAKFY", "1200.00"),
    (100010, 100010, "MODR", "FOFAKFY", "500.50"),
)
"""The claims of the worked examples."""


class Utility:
    """The utility's side. Its clock stands still unless `later` moves it."""

    def __init__(
        self,
        engine: sa.Engine,
        url: str,
        *,
        most_actions: int = 500,
        two_approvers: bool = False,
        timeout_s: float = 2.0,
    ) -> None:
        self.engine = engine
        self.now = datetime(2025, 11, 3, 8, tzinfo=UTC)
        self.ledger = ClaimLedger(engine)
        self.recalls = Recalls(engine, two_approvers=two_approvers)
        self.outbox = RecallOutbox(engine)
        self.statuses = RecallStatuses(engine, Cipher.from_secret("tests"), SYSTEM)
        self.authority = DebtAuthority(url, certificate=None, ca=None, timeout_s=timeout_s)
        self.means = Means(self.outbox, self.authority, SYSTEM, CREDITOR, most_actions, lambda: self.now)

    def hand_over(self, claims: pl.DataFrame = EXAMPLES) -> None:
        """Claims get into the ledger."""
        self.ledger.take_in(claims, pl.DataFrame(schema=MOVEMENTS))

    def propose(self, claim: int, reason: str) -> Proposed:
        """One proposal by a person."""
        (done,) = self.recalls.propose([Wish(Asked(claim, reason), "a test")], CREDITOR, TODAY, "anna", self.now)
        return done

    def approved(self, *wanted: tuple[int, str]) -> list[int]:
        """Recalls (claim, reason) that were proposed and approved; their action ids."""
        ids = [self.propose(claim, reason).action_id for claim, reason in wanted]
        assert None not in ids
        done = self.recalls.decide(Decision.APPROVE, [number for number in ids if number], "bent", self.now)
        assert all(one.state is not None for one in done)
        return [number for number in ids if number]

    def send(self) -> dict[str, int]:
        """Sends all that is due."""
        return send_due(self.means, TODAY)

    def later(self, **span: float) -> None:
        """Time passes."""
        self.now += timedelta(**span)

    def take_in(self, folder: Path) -> dict[str, int]:
        """Takes in the statuses of a folder."""
        return take_in_folder(self.statuses, folder, self.now)

    def take(self, *messages: str) -> dict[str, int]:
        """Takes in messages."""
        return self.statuses.take_in([message_of("test", message.encode()) for message in messages], self.now)

    def states(self) -> dict[int, str]:
        """The state of each recall."""
        return dict(self.rows("SELECT action_id, state FROM recall_action"))

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """The rows of a query."""
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(query))]

    def issues(self) -> list[str]:
        """Kinds of the open issues."""
        return self.recalls.issues()["kind"].to_list()

    def close(self) -> None:
        """Closes the connections to the authority."""
        self.authority.close()

"""The batches of a delivery that are under way, so that whoever sends never waits for the cache.

Each batch is claimed in a transaction of its own, which ends when its outcomes are recorded. So an object has one
writer however many batches are under way, and a process that is killed gives all of them back.
"""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from integration_assets.cache.deliveries import Claim, Delivery, Outcome

BATCHES_AT_ONCE = 2
"""One that is being sent, and one behind it for the workers who have nothing left of the first."""

Send = Callable[[Sequence[Delivery]], list[Outcome]]
"""Sends deliveries and answers one outcome for each, in their order."""


@dataclass(frozen=True)
class _Batch:
    """Claimed rows, their outcomes to come, and the transaction that holds them."""

    claim: Claim
    outcomes: Future[list[Outcome]]
    transaction: ExitStack


class Pipeline:
    """Batches from `claim`, sent by `send`, recorded in the order in which they were claimed.

    `workers` is the pool that `send` hands its requests to: with it, a batch is sent while the one before it is. When
    the block is left by an exception, nothing more is sent, and what is under way is waited for before the rows are
    given back.
    """

    def __init__(
        self,
        claim: Callable[[], AbstractContextManager[Claim]],
        send: Send,
        workers: ThreadPoolExecutor | None = None,
    ) -> None:
        self._claim = claim
        self._send = send
        self._workers = workers
        self._senders = None if workers is None else ThreadPoolExecutor(BATCHES_AT_ONCE)
        self._under_way: deque[_Batch] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._workers is not None and error is not None:
            self._workers.shutdown(cancel_futures=True)
        if self._senders is not None:
            self._senders.shutdown()
        for batch in self._under_way:
            batch.transaction.__exit__(kind, error, trace)

    def take_in(self) -> bool:
        """Claims a batch and begins to send it; false where nothing is due, or enough is under way."""
        if len(self._under_way) == (1 if self._senders is None else BATCHES_AT_ONCE):
            return False
        with ExitStack() as transaction:
            claim = transaction.enter_context(self._claim())
            if not claim.rows:
                return False
            self._under_way.append(_Batch(claim, self._sending(claim.rows), transaction.pop_all()))
        return True

    def record_oldest(self) -> list[tuple[Delivery, Outcome]]:
        """Waits for the batch that was claimed first and records its outcomes; nothing where none is under way.

        Raises what sending raised.
        """
        if not self._under_way:
            return []
        batch = self._under_way[0]
        outcomes = batch.outcomes.result()
        self._under_way.popleft()
        with batch.transaction:
            batch.claim.record(outcomes)
        return list(zip(batch.claim.rows, outcomes, strict=True))

    def _sending(self, rows: Sequence[Delivery]) -> Future[list[Outcome]]:
        if self._senders is not None:
            return self._senders.submit(self._send, rows)
        sent: Future[list[Outcome]] = Future()
        sent.set_result(self._send(rows))
        return sent

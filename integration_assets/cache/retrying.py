"""Transactions that lost a race are run again: the database says which."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

import psycopg
from sqlalchemy.exc import OperationalError

_ATTEMPTS = 6
T = TypeVar("T")


def retrying(transaction: Callable[[], T]) -> T:
    """The result of `transaction`, which opens and commits its own transaction, run again after a deadlock."""
    for attempt in range(1, _ATTEMPTS):
        try:
            return transaction()
        except (OperationalError, psycopg.OperationalError) as error:  # by SQLAlchemy, or by COPY on the driver
            cause = error.orig if isinstance(error, OperationalError) else error
            if not isinstance(cause, psycopg.errors.DeadlockDetected | psycopg.errors.SerializationFailure):
                raise
            time.sleep(random.uniform(0, 0.05 * 2**attempt))
    return transaction()

"""Applying very many processes in a row."""

import gc
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

_YOUNG_OBJECTS: Final = 20_000
"""So many new objects wait for the collector, in place of Python's 700."""


@contextmanager
def rarely_collected() -> Generator[None]:
    """Lets the garbage collector look for cycles less often meanwhile.

    Slices, contracts and journal entries are tuples without cycles: at its usual pace the collector would spend a third
    of the time on finding none. What is no longer used is freed at once all the same.
    """
    before = gc.get_threshold()
    gc.set_threshold(max(before[0], _YOUNG_OBJECTS), *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)

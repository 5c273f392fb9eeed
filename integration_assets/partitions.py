"""The partitions that analysts see: supply areas (forsyningsområder), registered by the source sensor as they appear."""

from collections.abc import Sequence

import dagster as dg

SUPPLY_AREAS = dg.DynamicPartitionsDefinition(name="supply_area")

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"


def contiguous_ranges(wanted: Sequence[str], all_keys: Sequence[str]) -> list[tuple[str, str]]:
    """The fewest ranges of `all_keys` (in that order) that cover exactly the wanted keys, as (first, last)."""
    wanted_set = set(wanted)
    ranges: list[tuple[str, str]] = []
    start: str | None = None
    last = ""
    for key in all_keys:
        if key in wanted_set:
            start, last = start or key, key
        elif start is not None:
            ranges.append((start, last))
            start = None
    if start is not None:
        ranges.append((start, last))
    return ranges


def range_tags(first: str, last: str) -> dict[str, str]:
    """The run tags that hand a range of partitions to one run."""
    return {RANGE_START: first, RANGE_END: last}

"""The partitions that analysts see.

Supply areas (forsyningsområder), registered by the source sensor as they come; and municipalities (kommuner), by which
the rows of the address register are kept.
"""

from collections.abc import Sequence
from itertools import groupby

import dagster as dg

from integration_assets.domain.addresses.municipalities import KEYS

SUPPLY_AREAS = dg.DynamicPartitionsDefinition(name="supply_area")
MUNICIPALITIES = dg.StaticPartitionsDefinition(KEYS)

PARTITION = "dagster/partition"
RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"


def contiguous_ranges(wanted: Sequence[str], all_keys: Sequence[str]) -> list[tuple[str, str]]:
    """The fewest ranges of `all_keys` (in that order) that cover exactly the wanted keys, as (first, last)."""
    wanted_set = set(wanted)
    runs = groupby(all_keys, key=lambda key: key in wanted_set)
    return [(keys[0], keys[-1]) for is_wanted, group in runs if is_wanted and (keys := list(group))]


def range_tags(first: str, last: str) -> dict[str, str]:
    """The run tags that hand a range of partitions to one run."""
    return {RANGE_START: first, RANGE_END: last}


def keys_between(first: str, last: str, all_keys: Sequence[str]) -> list[str]:
    """The keys from `first` to `last` in the order of `all_keys`; none where one of them is not among them."""
    if first not in all_keys or last not in all_keys:
        return []
    return list(all_keys[all_keys.index(first) : all_keys.index(last) + 1])


ALL_MUNICIPALITIES = range_tags(KEYS[0], KEYS[-1])
"""The run tags of a load of the whole address register."""
